package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestASecretIsTakenUsedAndWiped(t *testing.T) {
	typed := []byte("Abc12345")
	s := New(typed)
	if !bytes.Equal(typed, make([]byte, 8)) {
		t.Errorf("the octets given are still there: %q", typed)
	}
	if s.Text() != "Abc12345" || s.Empty() {
		t.Error("not what was given")
	}
	var inside []byte
	s.Use(func(text []byte) { inside = append(inside, text...) })
	if string(inside) != "Abc12345" {
		t.Errorf("%q", inside)
	}
	c := s.Clone()
	s.Wipe()
	s.Wipe()
	if !s.Empty() || s.Text() != "" || s.Locked() {
		t.Error("still there")
	}
	if c.Text() != "Abc12345" {
		t.Error("a copy ended with the other")
	}
	c.Wipe()
	var none *Secret
	none.Wipe()
}

func TestWipingOverwrites(t *testing.T) {
	b := []byte("Abc12345")
	Wipe(b)
	if !bytes.Equal(b, make([]byte, 8)) {
		t.Errorf("%q", b)
	}
	for _, n := range []int{1, 8, slotSize} {
		// Another one keeps the page with the system's consent to read it.
		other := New([]byte("other"))
		s := New(bytes.Repeat([]byte{'x'}, n))
		view := s.held.text
		if s.held.page != other.held.page || !bytes.Contains(view, []byte("x")) {
			t.Fatal("not in one page")
		}
		s.Wipe()
		if !bytes.Equal(view, make([]byte, n)) {
			t.Errorf("%q", view)
		}
		other.Wipe()
	}
}

func TestPagesAreSharedAndGivenBack(t *testing.T) {
	var a arena
	var blocks []*block
	for i := range 100 {
		b := a.take(1 + i)
		if len(b.text) != 1+i || cap(b.text) != 1+i || bytes.Count(b.text, []byte{0}) != 1+i {
			t.Fatalf("%d octets, room for %d, %q", len(b.text), cap(b.text), b.text)
		}
		for j := range b.text {
			b.text[j] = byte(i)
		}
		blocks = append(blocks, b)
	}
	if want := (100 + a.pages[0].slots - 1) / a.pages[0].slots; len(a.pages) != want {
		t.Errorf("%d pages, want %d", len(a.pages), want)
	}
	for i, b := range blocks {
		if bytes.Count(b.text, []byte{byte(i)}) != 1+i {
			t.Errorf("block %d holds what is another's: %q", i, b.text)
		}
	}
	for _, b := range blocks {
		a.give(b)
	}
	if len(a.pages) != 1 || len(a.pages[0].free) != a.pages[0].slots {
		t.Errorf("%d pages are kept", len(a.pages))
	}
	if large := a.take(slotSize + 1); large.page == nil || len(a.pages) != 1 {
		t.Error("a large one has no pages of its own")
	} else {
		a.give(large)
	}
}

func TestSecretsNobodyHasAreWiped(t *testing.T) {
	keeper := New([]byte("keeper"))
	defer keeper.Wipe()
	view := func() []byte { return New([]byte("Abc12345")).held.text }()
	for range 100 {
		runtime.GC()
		if memory.mu.Lock(); bytes.Equal(view, make([]byte, 8)) {
			memory.mu.Unlock()
			return
		}
		memory.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
	t.Error("still there")
}

func TestNoSecretIsAnEmptyOne(t *testing.T) {
	var none *Secret
	if !none.Empty() || none.Text() != "" || none.Locked() || !none.Clone().Empty() || !none.Equal(New(nil)) || !new(Secret).Equal(none) {
		t.Error("not empty")
	}
	if got := fmt.Sprintf("%v %s", none, none); got != redacted+" "+redacted {
		t.Error(got)
	}
	none.Use(func(text []byte) {
		if len(text) != 0 {
			t.Error(text)
		}
	})
}

func TestSecretsAreCompared(t *testing.T) {
	a, b, c, none := New([]byte("one")), New([]byte("one")), New([]byte("two")), New(nil)
	if !a.Equal(b) || !a.Equal(a) || a.Equal(c) || a.Equal(none) || !none.Equal(New(nil)) {
		t.Error("compared wrongly")
	}
}

func TestNothingPrintsASecret(t *testing.T) {
	s := New([]byte("Abc12345"))
	defer s.Wipe()
	holder := struct {
		Name   string
		Secret *Secret
	}{"key", s}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "holder", holder)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s, "holder", fmt.Sprintf("%+v", holder))
	text, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	hidden := struct{ secret *Secret }{s}
	pages := struct{ block *block }{s.held} // what a copy of a secret has in it
	all := log.String() + string(text) + fmt.Sprintf("%s %v %+v %#v %x %q %d", s, s, s, s, s, s, s) +
		fmt.Sprintf("%v %+v %#v %v %+v %#v", hidden, hidden, hidden, pages, pages, pages) + s.String() + s.GoString()
	for _, leak := range []string{"Abc12345", "41626331", fmt.Sprint([]byte("Abc12345"))} {
		if strings.Contains(all, leak) {
			t.Errorf("%s in %s", leak, all)
		}
	}
	if !strings.Contains(all, redacted) {
		t.Error(all)
	}
}

func TestSecretsAreSafeForSeveralAtOnce(t *testing.T) {
	s := New([]byte("Abc12345"))
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 200 {
				if text := s.Text(); text != "" && text != "Abc12345" {
					t.Error(text)
				}
				c := s.Clone()
				c.Equal(s)
				c.Wipe()
			}
		})
	}
	wait.Go(func() { s.Wipe() })
	wait.Wait()
}

func TestLargeSecretsHaveRoom(t *testing.T) {
	large := bytes.Repeat([]byte{7}, 3<<16)
	s := New(bytes.Clone(large))
	defer s.Wipe()
	s.Use(func(text []byte) {
		if !bytes.Equal(text, large) {
			t.Error("changed")
		}
	})
}
