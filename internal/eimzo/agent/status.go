package agent

import (
	"errors"
	"fmt"
)

// statusError is a refusal that the protocol has a number and a text for.
type statusError struct {
	code int
	text text
	args []any
}

// fail is a refusal with a text of the catalogue, whose verbs take args.
func fail(code int, t text, args ...any) error { return &statusError{code, t, args} }

func (e *statusError) Error() string {
	return fmt.Sprintf("%d: "+e.text.ru, append([]any{e.code}, e.args...)...)
}

// asStatus is err as a refusal. What nobody foresaw has its text in the log
// only: it may name files.
func asStatus(err error) *statusError {
	var s *statusError
	if errors.As(err, &s) {
		return s
	}
	return &statusError{codeOther, textInternal, nil}
}

// Numbers of refusals that several functions give.
const (
	codeNoFunction = 0
	codeOther      = -9999
)
