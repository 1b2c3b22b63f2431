package token

import (
	"context"
	"log/slog"
	"slices"
)

// Set joins providers. It is safe for use by several goroutines when they are.
type Set struct {
	log       *slog.Logger
	providers []Provider
}

// NewSet returns the set of the providers, in whose order it lists tokens. A
// nil log tells nothing.
func NewSet(log *slog.Logger, providers ...Provider) *Set {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Set{log: log, providers: slices.Clone(providers)}
}

// Tokens returns the tokens of all providers that are of one of the kinds, or
// all tokens when no kind is given. A provider or token that fails is logged
// and left out: a broken reader must not hide the card in the other one.
func (s *Set) Tokens(ctx context.Context, kinds ...Kind) []Token {
	var out []Token
	for _, p := range s.providers {
		tokens, err := p.Tokens(ctx)
		if err != nil {
			s.log.WarnContext(ctx, "tokens cannot be listed", "error", err)
		}
		for _, t := range tokens {
			if s.isOf(ctx, t, kinds) {
				out = append(out, t)
			}
		}
	}
	return out
}

func (s *Set) isOf(ctx context.Context, t Token, kinds []Kind) bool {
	if len(kinds) == 0 {
		return true
	}
	info, err := t.Info(ctx)
	if err != nil {
		s.log.WarnContext(ctx, "token cannot be read", "error", err)
		return false
	}
	return slices.Contains(kinds, info.Kind)
}
