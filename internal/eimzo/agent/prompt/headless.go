package prompt

import (
	"context"
	"os"

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
}

// Ask implements [Prompter]. A password that was wrong is not offered again.
func (h Headless) Ask(_ context.Context, r Request) (Answer, error) {
	if r.Kind != KindPassword && r.Kind != KindPIN {
		return Answer{}, ErrUnavailable
	}
	if r.Retry != "" {
		return Answer{}, ErrCancelled
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
