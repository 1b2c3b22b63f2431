package token_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"imzo/pki/token"
	"imzo/pki/token/soft"
)

// fixed is a provider of what is given.
type fixed struct {
	tokens []token.Token
	err    error
}

func (f fixed) Tokens(context.Context) ([]token.Token, error) { return f.tokens, f.err }

// gone is a token that was pulled out.
type gone struct{ token.Token }

func (gone) Info(context.Context) (token.Info, error) {
	return token.Info{}, fmt.Errorf("%w: pulled out", token.ErrMissing)
}

func card(t *testing.T, kind token.Kind, name string) token.Token {
	t.Helper()
	c, err := soft.Create(filepath.Join(t.TempDir(), "x.card"), soft.Options{Kind: kind, Name: name, PIN: []byte("1")})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func names(t *testing.T, tokens []token.Token) string {
	t.Helper()
	var out []string
	for _, c := range tokens {
		info, err := c.Info(t.Context())
		if err != nil {
			info.Name = "?"
		}
		out = append(out, info.Name)
	}
	return strings.Join(out, " ")
}

func TestSetListsTheKindsThatAreAskedFor(t *testing.T) {
	id, second, baik := card(t, token.KindIDCard, "id"), card(t, token.KindIDCard, "second"), card(t, token.KindBAIK, "baik")
	set := token.NewSet(nil, fixed{tokens: []token.Token{id, baik}}, fixed{}, fixed{tokens: []token.Token{second}})
	tests := []struct {
		kinds []token.Kind
		want  string
	}{
		{nil, "id baik second"},
		{[]token.Kind{token.KindIDCard}, "id second"},
		{[]token.Kind{token.KindBAIK, token.KindIDCard}, "id baik second"},
		{[]token.Kind{token.KindUZGUARD}, ""},
	}
	for _, test := range tests {
		if got := names(t, set.Tokens(t.Context(), test.kinds...)); got != test.want {
			t.Errorf("kinds %v: %q, want %q", test.kinds, got, test.want)
		}
	}
}

func TestSetLeavesOutWhatFailsAndLogsIt(t *testing.T) {
	var log bytes.Buffer
	id := card(t, token.KindIDCard, "id")
	set := token.NewSet(slog.New(slog.NewTextHandler(&log, nil)),
		fixed{err: errors.New("no reader service")},
		fixed{tokens: []token.Token{gone{}, id}, err: errors.New("one reader is broken")},
	)
	if got := names(t, set.Tokens(t.Context(), token.KindIDCard)); got != "id" {
		t.Errorf("tokens %q", got)
	}
	for _, want := range []string{"no reader service", "one reader is broken", "pulled out"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, &log)
		}
	}
	// Who asks for all gets the broken one too, and sees its error.
	if got := names(t, set.Tokens(t.Context())); got != "? id" {
		t.Errorf("tokens %q", got)
	}
}

func TestLastWrongPINIsABlockedPIN(t *testing.T) {
	tests := []struct {
		left    int
		text    string
		blocked bool
	}{
		{-1, "wrong PIN", false},
		{2, "wrong PIN, tries left: 2", false},
		{0, "wrong PIN, tries left: 0", true},
	}
	for _, test := range tests {
		err := fmt.Errorf("card: %w", &token.PINError{TriesLeft: test.left})
		if errors.Is(err, token.ErrBlocked) != test.blocked || err.Error() != "card: "+test.text {
			t.Errorf("%d left: %v, blocked %v", test.left, err, errors.Is(err, token.ErrBlocked))
		}
		if errors.Is(err, token.ErrMissing) {
			t.Errorf("%d left: is something else as well", test.left)
		}
	}
}
