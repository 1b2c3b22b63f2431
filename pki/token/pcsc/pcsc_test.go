package pcsc

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"imzo/pki/token"
)

// fake is a daemon that speaks as much of pcscd's protocol 4.4 as listing takes.
type fake struct {
	socket   string
	listener net.Listener
	readers  atomic.Pointer[[]string]
	// connections counts those that were accepted; closeNext ends each after
	// one list; hang answers nothing.
	connections     atomic.Int32
	closeNext, hang atomic.Bool
}

func newFake(t *testing.T, readers ...string) *fake {
	t.Helper()
	f := &fake{socket: filepath.Join(t.TempDir(), "s")}
	f.readers.Store(&readers)
	var err error
	if f.listener, err = net.Listen("unix", f.socket); err != nil {
		t.Skipf("no sockets here: %v", err)
	}
	t.Cleanup(func() { f.listener.Close() })
	go func() {
		for {
			c, err := f.listener.Accept()
			if err != nil {
				return
			}
			f.connections.Add(1)
			t.Cleanup(func() { c.Close() })
			go f.serve(c)
		}
	}()
	return f
}

func (f *fake) serve(c net.Conn) {
	defer c.Close()
	for {
		header := make([]byte, 8)
		if _, err := io.ReadFull(c, header); err != nil {
			return
		}
		body := make([]byte, binary.LittleEndian.Uint32(header))
		if _, err := io.ReadFull(c, body); err != nil {
			return
		}
		if f.hang.Load() {
			continue
		}
		switch command := binary.LittleEndian.Uint32(header[4:]); command {
		case 0x11: // version: major, minor, result
			if binary.LittleEndian.Uint32(body[4:]) != 4 {
				binary.LittleEndian.PutUint32(body[8:], 0x8010001D)
			}
			c.Write(body)
		case 0x01: // context: scope, handle, result
			binary.LittleEndian.PutUint32(body[4:], 7)
			c.Write(body)
		case 0x12: // states of 16 readers
			out := make([]byte, 16*184)
			for i, name := range *f.readers.Load() {
				copy(out[i*184:i*184+128], name)
			}
			c.Write(out)
			if f.closeNext.Load() {
				return
			}
		default:
			return
		}
	}
}

func names(t *testing.T, p token.Provider) []string {
	t.Helper()
	tokens, err := p.Tokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, tk := range tokens {
		info, err := tk.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if info.Kind != token.KindIDCard || info.TriesLeft != -1 || info.MinPIN != 1 || info.MaxPIN != 8 || info.Personalized {
			t.Errorf("%+v", info)
		}
		out = append(out, info.Name)
	}
	return out
}

func TestReadersAreListed(t *testing.T) {
	f := newFake(t, "ACS ACR38U-CCID 00 00", "Feitian\x1b[2J R301", "\x01", "ACS ACR38U-CCID 00 00", string(make([]byte, 5)))
	p := Readers(f.socket)
	want := []string{"ACS ACR38U-CCID 00 00", "Feitian[2J R301", "reader", "ACS ACR38U-CCID 00 00 (2)"}
	for range 2 {
		if got := names(t, p); !slices.Equal(got, want) {
			t.Errorf("readers %q", got)
		}
	}
	if got := f.connections.Load(); got != 1 {
		t.Errorf("%d connections", got)
	}
	f.readers.Store(&[]string{})
	if got := names(t, p); got != nil {
		t.Errorf("readers %q", got)
	}
}

func TestDaemonThatLeavesIsFoundAgain(t *testing.T) {
	f := newFake(t, "A")
	f.closeNext.Store(true)
	p := Readers(f.socket)
	for range 3 {
		if got := names(t, p); !slices.Equal(got, []string{"A"}) {
			t.Errorf("readers %q", got)
		}
	}
	if f.connections.Load() < 3 {
		t.Errorf("%d connections", f.connections.Load())
	}
}

func TestReaderThatIsPulledOutIsMissing(t *testing.T) {
	f := newFake(t, "A", "B")
	tokens, err := Readers(f.socket).Tokens(t.Context())
	if err != nil || len(tokens) != 2 {
		t.Fatalf("%d readers, %v", len(tokens), err)
	}
	f.readers.Store(&[]string{"A"})
	if _, err := tokens[1].Info(t.Context()); !errors.Is(err, token.ErrMissing) {
		t.Errorf("error %v", err)
	}
}

func TestCardsInReadersAreNotSupported(t *testing.T) {
	tokens, err := Readers(newFake(t, "A").socket).Tokens(t.Context())
	if err != nil || len(tokens) != 1 {
		t.Fatalf("%d readers, %v", len(tokens), err)
	}
	_, chain := tokens[0].Chain(t.Context())
	_, open := tokens[0].Open(t.Context(), []byte("1234"))
	_, cplc := tokens[0].CPLC(t.Context(), nil)
	for name, err := range map[string]error{"Chain": chain, "Open": open, "CPLC": cplc} {
		if !errors.Is(err, token.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNoDaemonIsTold(t *testing.T) {
	f := newFake(t, "A")
	tokens, err := Readers(f.socket).Tokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]token.Provider{"no socket": Readers(filepath.Join(t.TempDir(), "none"))} {
		if tokens, err := p.Tokens(t.Context()); tokens != nil || !errors.Is(err, ErrNoService) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// One that has gone since.
	f.closeNext.Store(true)
	tokens[0].Info(t.Context())
	f.listener.Close()
	if _, err := tokens[0].Info(t.Context()); !errors.Is(err, ErrNoService) {
		t.Errorf("gone daemon: %v", err)
	}
}

func TestDaemonThatHangsHoldsNobodyUp(t *testing.T) {
	f := newFake(t, "A")
	f.hang.Store(true)
	p := Readers(f.socket)
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if _, err := p.Tokens(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		cancel()
	}
	if got := f.connections.Load(); got > 1 {
		t.Errorf("%d connections to a daemon that hangs", got)
	}
}
