package prompt

import (
	"context"
	"os"
	"sync"

	"imzo/internal/secret"
)

// PasswordVariable is the environment variable with the password of every key
// that has none of its own.
const PasswordVariable = "IMZO_AGENT_PASSWORD"

// Headless answers for a person who is not there, as in CI: with passwords
// that it was given before. It gives nobody permission and confirms nothing.
type Headless struct {
	// Passwords are by the name of the key file without its extension, or by
	// its alias.
	Passwords map[string]*secret.Secret
	// Default is for all others; nil for none.
	Default *secret.Secret

	mu    sync.Mutex
	wrong map[string]bool // tokens whose PIN is not the one given
}

// Ask implements [Prompter]. A password that was wrong is not offered again,
// and a PIN never: each offer would bring the token nearer to its block.
func (h *Headless) Ask(_ context.Context, r Request) (Answer, error) {
	if r.Kind != KindPassword && r.Kind != KindPIN {
		return Answer{}, ErrUnavailable
	}
	if r.Retry != "" {
		h.note(r)
		return Answer{}, ErrCancelled
	}
	if h.knowsWrong(r) {
		return Answer{}, ErrUnavailable
	}
	given := h.Default
	if r.Key != nil {
		for _, name := range []string{r.Key.File, r.Key.Alias} {
			if p, ok := h.Passwords[name]; ok {
				given = p
				break
			}
		}
	}
	if given == nil {
		return Answer{}, ErrUnavailable
	}
	return Answer{Secret: given.Clone()}, nil
}

func (h *Headless) note(r Request) {
	if r.Kind != KindPIN || r.Key == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.wrong == nil {
		h.wrong = map[string]bool{}
	}
	h.wrong[r.Key.File] = true
}

func (h *Headless) knowsWrong(r Request) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return r.Kind == KindPIN && r.Key != nil && h.wrong[r.Key.File]
}

// DefaultPassword takes the password of the environment, and takes it out of
// there, so that programs started later do not get it; nil when there is none.
func DefaultPassword() *secret.Secret {
	text, ok := os.LookupEnv(PasswordVariable)
	if !ok {
		return nil
	}
	_ = os.Unsetenv(PasswordVariable)
	return secret.New([]byte(text))
}
