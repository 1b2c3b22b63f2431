package prompt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/term"

	"imzo/internal/secret"
)

// Terminal asks where the agent was started. Nothing that is typed is shown.
type Terminal struct {
	tty  io.ReadWriter
	raw  func() (restore func(), err error) // takes keys as they are pressed
	once sync.Once
	keys chan []byte
}

// OpenTerminal finds the terminal of the process: [ErrUnavailable] where there
// is none.
func OpenTerminal() (*Terminal, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	in, out := tty, tty
	if err != nil {
		in, out = os.Stdin, os.Stderr // Windows has no /dev/tty
	}
	fd := int(in.Fd())
	if !term.IsTerminal(fd) {
		return nil, ErrUnavailable
	}
	return &Terminal{
		tty: struct {
			io.Reader
			io.Writer
		}{in, out},
		raw: func() (func(), error) {
			state, err := term.MakeRaw(fd)
			if err != nil {
				return nil, err
			}
			return func() { _ = term.Restore(fd, state) }, nil
		},
	}, nil
}

// read passes keys on for as long as the program runs: a read from a terminal
// cannot be broken off.
func (t *Terminal) read() {
	t.keys = make(chan []byte)
	go func() {
		defer close(t.keys)
		for {
			b := make([]byte, 256)
			n, err := t.tty.Read(b)
			if n > 0 {
				t.keys <- b[:n]
			}
			if err != nil {
				return
			}
		}
	}()
}

// session is one question at the terminal.
type session struct {
	ctx  context.Context
	t    *Terminal
	rest []byte
}

// Read gives what was typed, until the question is over.
func (s *session) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		select {
		case b, ok := <-s.t.keys:
			if !ok {
				return 0, io.EOF
			}
			s.rest = b
		case <-s.ctx.Done():
			return 0, s.ctx.Err()
		}
	}
	n := copy(p, s.rest)
	secret.Wipe(s.rest[:n])
	s.rest = s.rest[n:]
	return n, nil
}

func (s *session) Write(p []byte) (int, error) { return s.t.tty.Write(p) }

// Ask implements [Prompter].
func (t *Terminal) Ask(ctx context.Context, r Request) (Answer, error) {
	t.once.Do(t.read)
	restore, err := t.raw()
	if err != nil {
		return Answer{}, errors.Join(ErrUnavailable, err)
	}
	defer restore()
	t.drain()
	s := &session{ctx: ctx, t: t}
	line := term.NewTerminal(s, "")
	defer fmt.Fprint(line, "\n")
	writeQuestion(line, &r)
	answer, err := t.answer(line, &r)
	if errors.Is(err, io.EOF) {
		err = ErrCancelled // Ctrl-C, Ctrl-D, or the terminal is gone
	}
	return answer, err
}

// drain drops what was typed before the question.
func (t *Terminal) drain() {
	for {
		select {
		case _, ok := <-t.keys:
			if !ok {
				return
			}
		default:
			return
		}
	}
}

// writeQuestion shows what the person should know. What comes from pages has
// no control characters, so that it cannot drive the terminal.
func writeQuestion(w io.Writer, r *Request) {
	fmt.Fprintf(w, "\n== Imzo: %s ==\n", r.title())
	if r.Question != "" {
		fmt.Fprintln(w, visibleLine(r.Question, maxQuestion))
	}
	for _, f := range r.facts() {
		fmt.Fprintf(w, "  %s: %s\n", f.Label, f.Value)
	}
	if p := r.preview(); p != "" {
		fmt.Fprintf(w, "  %s:\n    | %s\n", say(r.Language, "preview"), strings.ReplaceAll(p, "\n", "\n    | "))
	}
	if r.Retry != "" {
		fmt.Fprintf(w, "! %s\n", r.Retry)
	}
}

func (t *Terminal) answer(line *term.Terminal, r *Request) (Answer, error) {
	switch r.Kind {
	case KindPermission:
		i, err := choose(line, r, []string{say(r.Language, "deny"), say(r.Language, "once"), say(r.Language, "always")})
		return Answer{Allowed: i > 0, Always: i == 2}, err
	case KindConfirm:
		i, err := choose(line, r, []string{say(r.Language, "no"), say(r.Language, "yes")})
		return Answer{Allowed: i > 0}, err
	}
	var a Answer
	if r.Kind == KindNewKey {
		fmt.Fprintf(line, "%s:\n", say(r.Language, "disk"))
		i, err := choose(line, r, r.Disks)
		if err != nil {
			return a, err
		}
		a.Disk = r.Disks[i]
	}
	if r.asksNew() {
		fmt.Fprintf(line, "%s\n%s\n", say(r.Language, "rules"), say(r.Language, "forgotten"))
	}
	for {
		typed, err := hidden(line, r.secretLabel())
		if err != nil {
			return a, err
		}
		var again []byte
		if r.asksNew() {
			if again, err = hidden(line, say(r.Language, "again")); err != nil {
				secret.Wipe(typed)
				return a, err
			}
		}
		wrong := r.wrong(typed, again)
		secret.Wipe(again)
		if wrong == "" {
			a.Secret = secret.New(typed)
			break
		}
		secret.Wipe(typed)
		fmt.Fprintf(line, "! %s\n", wrong)
	}
	if !r.Remember {
		return a, nil
	}
	i, err := choose(line, r, []string{say(r.Language, "rememberNot"), say(r.Language, "remember")})
	if err != nil {
		a.Secret.Wipe()
		return Answer{}, err
	}
	a.Remember = i == 1
	return a, nil
}

// hidden reads a line that is not shown.
func hidden(line *term.Terminal, label string) ([]byte, error) {
	typed, err := line.ReadPassword(label + ": ")
	return []byte(typed), err
}

// choose lets the person pick one of several by its number; an empty line is
// the first.
func choose(line *term.Terminal, r *Request, choices []string) (int, error) {
	for i, c := range choices {
		fmt.Fprintf(line, "  %d. %s\n", i+1, Visible(c, maxShown))
	}
	for {
		line.SetPrompt(say(r.Language, "choose") + " [1]: ")
		typed, err := line.ReadLine()
		if err != nil {
			return 0, err
		}
		typed = strings.TrimSpace(typed)
		if typed == "" {
			return 0, nil
		}
		if n, err := strconv.Atoi(typed); err == nil && n >= 1 && n <= len(choices) {
			return n - 1, nil
		}
	}
}
