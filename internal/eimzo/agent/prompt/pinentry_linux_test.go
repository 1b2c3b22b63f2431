package prompt

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"imzo/internal/testpki/peer"
)

// pty opens a pair of terminal ends and returns ours and the path of the other.
func pty(t *testing.T) (*os.File, string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals here:", err)
	}
	t.Cleanup(func() { _ = master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	return master, fmt.Sprintf("/dev/pts/%d", n)
}

// TestARealPinentryIsSpokenTo talks with the one of GnuPG, at a terminal.
func TestARealPinentryIsSpokenTo(t *testing.T) {
	program := peer.Pinentry(t)
	for name, c := range map[string]struct {
		typed, secret string
		time          time.Duration
		err           error
	}{
		"typed":  {"s3cret word\n", "s3cret word", Timeout, nil},
		"nobody": {"", "", 5 * time.Second, ErrTimeout}, // which it tells itself, a little earlier
	} {
		t.Run(name, func(t *testing.T) {
			master, path := pty(t)
			wrapper := filepath.Join(t.TempDir(), "pinentry")
			if err := os.WriteFile(wrapper, fmt.Appendf(nil, "#!/bin/sh\nexec %s --ttyname %s --ttytype xterm --lc-ctype C.UTF-8\n", program, path), 0o700); err != nil {
				t.Fatal(err)
			}
			// Keep an end open, so that ours does not close between openings.
			other, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			shown := make(chan string, 1)
			go func() {
				var seen strings.Builder
				r := bufio.NewReader(master)
				for {
					b, err := r.ReadByte()
					if err != nil {
						break
					}
					seen.WriteByte(b)
					if strings.HasSuffix(seen.String(), "Password: ") {
						_, _ = master.WriteString(c.typed)
						break
					}
				}
				shown <- seen.String()
			}()
			r := signing
			r.Remember = false
			ctx, cancel := context.WithTimeout(t.Context(), c.time)
			defer cancel()
			a, err := Pinentry{Program: wrapper}.Ask(ctx, r)
			if !errors.Is(err, c.err) || a.Secret.Text() != c.secret {
				t.Errorf("%+v %v", a, err)
			}
			if text := <-shown; !strings.Contains(text, "https://bank.uz") || !strings.Contains(text, "IVANOV") {
				t.Errorf("shown: %q", text)
			}
		})
	}
}
