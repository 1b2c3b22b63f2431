package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
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

// A region is given back, so its octets are looked at while it is still there.
func TestWipingOverwrites(t *testing.T) {
	b := []byte("Abc12345")
	Wipe(b)
	if !bytes.Equal(b, make([]byte, 8)) {
		t.Errorf("%q", b)
	}
	s := New([]byte("Abc12345"))
	view := s.text
	s.region = nil // keep the pages for the look
	s.Wipe()
	if !bytes.Equal(view, make([]byte, 8)) {
		t.Errorf("%q", view)
	}
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
	all := log.String() + string(text) + fmt.Sprintf("%s %v %+v %#v %x %q %d", s, s, s, s, s, s, s)
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
