package soft

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"imzo/pki/token"
)

func TestFolderListsItsCards(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	for file, name := range map[string]string{"b.card": "Vali", "a.card": "Ali", "d.card": "Ali", "c.card": "Ali (d.card)", "not.txt": "Nobody"} {
		o := options()
		o.Name = name
		if _, err := Create(filepath.Join(dir, file), o); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder.card"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "a.card"), filepath.Join(dir, "link.card")); err != nil {
		t.Log("no links here")
	}
	os.WriteFile(filepath.Join(dir, ".a.card.new.card"), []byte("hidden"), 0o600)
	tokens, err := Folder(dir).Tokens(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range tokens {
		info, err := c.Info(ctx)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, info.Name)
	}
	// The fourth would be a second "Ali (d.card)".
	if want := "Ali|Vali|Ali (d.card)|Ali (d.card) (d.card)"; strings.Join(got, "|") != want {
		t.Errorf("names %q", got)
	}
	s, err := tokens[3].Open(ctx, []byte(testPIN))
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

func TestFolderGoesOnAfterWhatIsNoCard(t *testing.T) {
	dir := t.TempDir()
	if _, err := Create(filepath.Join(dir, "b.card"), options()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a.card"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	tokens, err := Folder(dir).Tokens(t.Context())
	if len(tokens) != 1 || !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "a.card") {
		t.Errorf("%d tokens, %v", len(tokens), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Folder(dir).Tokens(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestFolderThatIsNotThereHasNoCards(t *testing.T) {
	tokens, err := Folder(filepath.Join(t.TempDir(), "none")).Tokens(t.Context())
	if len(tokens) != 0 || err != nil {
		t.Errorf("%v, %v", tokens, err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Folder(file).Tokens(t.Context()); err == nil {
		t.Error("a file passes for a folder")
	}
}

func TestFolderIsBounded(t *testing.T) {
	dir := t.TempDir()
	c := newCard(t)
	b, err := os.ReadFile(c.Path())
	if err != nil {
		t.Fatal(err)
	}
	for i := range maxCards + 2 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d.card", i)), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tokens, err := Folder(dir).Tokens(t.Context())
	if len(tokens) != maxCards || err == nil || !strings.Contains(err.Error(), "64 cards") {
		t.Errorf("%d tokens, %v", len(tokens), err)
	}
	for i := range maxEntries {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Folder(dir).Tokens(t.Context()); err == nil || !strings.Contains(err.Error(), "4096 files") {
		t.Errorf("error %v", err)
	}
}

var _ token.Provider = Folder("")
