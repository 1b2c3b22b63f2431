package gost341194

import (
	"bytes"
	"crypto/hmac"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"imzo/gost/gost28147"
	"imzo/internal/testpki/peer"
)

// rounds is how often a check against BouncyCastle runs with other random
// input; a round takes some 300 us.
const rounds = 4000

func hexOrDash(b []byte) string {
	if len(b) == 0 {
		return "-"
	}
	return hex.EncodeToString(b)
}

// sboxBytes returns the S-box as BouncyCastle takes it, a value a byte.
func sboxBytes(s *gost28147.SBox) string {
	var b []byte
	for _, row := range s.Rows() {
		b = append(b, row[:]...)
	}
	return hex.EncodeToString(b)
}

func bouncyCastle(t *testing.T) *peer.Proc {
	t.Helper()
	return peer.BouncyCastle(t).Start(t, "Peer", "testdata/Peer.java")
}

func TestHashAgreesWithBouncyCastle(t *testing.T) {
	bc, r := bouncyCastle(t), newSource(t)
	for i := range rounds {
		s, msg := r.sbox(), r.bytes(r.length(i))
		h := NewWithSBox(s)
		r.write(t, h, msg)
		want := bc.Ask(t, "hash "+sboxBytes(s)+" "+hexOrDash(msg))
		if got := hex.EncodeToString(h.Sum(nil)); got != want {
			t.Fatalf("S-box %s, message %x: %s, want %s", sboxBytes(s), msg, got, want)
		}
	}
}

func TestLongMessagesAgreeWithBouncyCastle(t *testing.T) {
	bc, r := bouncyCastle(t), newSource(t)
	for _, n := range []int{1 << 20, 3<<20 + 31, 5<<20 + 33} {
		msg := make([]byte, n)
		for i := range msg {
			msg[i] = byte(31*i + i>>8)
		}
		s := gost28147.SBoxHashCryptoPro()
		h := New()
		r.write(t, h, msg)
		want := bc.Ask(t, fmt.Sprintf("pattern %s %d", sboxBytes(s), n))
		if got := hex.EncodeToString(h.Sum(nil)); got != want {
			t.Errorf("%d bytes: %s, want %s", n, got, want)
		}
	}
}

func TestHMACAgreesWithBouncyCastle(t *testing.T) {
	bc, r := bouncyCastle(t), newSource(t)
	for i := range rounds / 2 {
		// Keys shorter than, as long as and longer than a block.
		key, msg := r.bytes(1+i%80), r.bytes(r.length(i))
		m := hmac.New(New, key)
		r.write(t, m, msg)
		m.Sum(nil)
		m.Reset() // the second time goes by the saved state
		r.write(t, m, msg)
		want := bc.Ask(t, "hmac "+hexOrDash(key)+" "+hexOrDash(msg))
		if got := hex.EncodeToString(m.Sum(nil)); got != want {
			t.Fatalf("key %x, message %x: %s, want %s", key, msg, got, want)
		}
	}
}

// files writes random messages into a folder and returns their names and
// contents: all lengths around blocks, some in between and some of MiB.
func files(t *testing.T, r *source) (names []string, messages [][]byte) {
	t.Helper()
	dir := t.TempDir()
	for i := range 1000 {
		n := r.length(i)
		if i >= 997 {
			n = 2<<20 + r.IntN(1<<20)
		}
		msg := r.bytes(n)
		name := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(name, msg, 0o600); err != nil {
			t.Fatal(err)
		}
		names, messages = append(names, name), append(messages, msg)
	}
	return names, messages
}

func TestHashAgreesWithOpenSSL(t *testing.T) {
	o, r := peer.OpenSSLGOST(t), newSource(t)
	names, messages := files(t, r)
	out := string(o.Run(t, nil, append([]string{"dgst", "-md_gost94"}, names...)...))
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != len(names) {
		t.Fatalf("%d answers to %d files", len(lines), len(names))
	}
	for i, msg := range messages {
		_, got, _ := strings.Cut(lines[i], "= ")
		want := Sum256(msg)
		if len(msg) == 0 {
			// The engine takes the empty message for a block of zeros with
			// the length 0, unlike the standard and every other peer.
			s := gost28147.SBoxHashCryptoPro()
			h := textbookStep(t, s, make([]byte, 32), make([]byte, 32))
			h = textbookStep(t, s, h, make([]byte, 32))
			copy(want[:], textbookStep(t, s, h, make([]byte, 32)))
		}
		if got != hex.EncodeToString(want[:]) {
			t.Fatalf("%d bytes: OpenSSL has %s, we %x", len(msg), got, want)
		}
	}
}

func TestHMACAgreesWithOpenSSL(t *testing.T) {
	o, r := peer.OpenSSLGOST(t), newSource(t)
	for i := range 60 {
		key, msg := r.bytes(1+r.IntN(100)), r.bytes(r.length(10*i))
		m := hmac.New(New, key)
		r.write(t, m, msg)
		got := o.Run(t, msg, "dgst", "-md_gost94", "-mac", "HMAC", "-macopt", "hexkey:"+hex.EncodeToString(key), "-binary")
		if len(msg) > 0 && !bytes.Equal(got, m.Sum(nil)) {
			t.Fatalf("key %x, message %x: OpenSSL has %x, we %x", key, msg, got, m.Sum(nil))
		}
	}
}

func TestHashAgreesWithRHash(t *testing.T) {
	rhash, r := peer.RHash(t), newSource(t)
	names, messages := files(t, r)
	for option, s := range map[string]*gost28147.SBox{
		"--gost94-cryptopro": gost28147.SBoxHashCryptoPro(),
		"--gost94":           gost28147.SBoxHashTest(),
	} {
		t.Run(option, func(t *testing.T) {
			lines := peerLines(t, rhash, append([]string{option, "--simple"}, names...)...)
			if len(lines) != len(names) {
				t.Fatalf("%d answers to %d files", len(lines), len(names))
			}
			for i, msg := range messages {
				h := NewWithSBox(s)
				r.write(t, h, msg)
				if got, _, _ := strings.Cut(lines[i], " "); got != hex.EncodeToString(h.Sum(nil)) {
					t.Fatalf("%d bytes: RHash has %s, we %x", len(msg), got, h.Sum(nil))
				}
			}
		})
	}
}

// peerLines runs a program and returns the lines it wrote.
func peerLines(t *testing.T, program string, args ...string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}
