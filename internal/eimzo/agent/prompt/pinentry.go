package prompt

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"imzo/internal/secret"
)

// Pinentry asks in the dialog that GnuPG uses on this desktop: a program that
// speaks Assuan (Assuan manual, "Client requests" and "Server responses";
// Pinentry manual, "Protocol"). It cannot let the person choose a disk.
type Pinentry struct {
	// Program is the path of the program.
	Program string
}

// maxAssuanLine is the longest line of the protocol, with its end.
const maxAssuanLine = 1002

// Errors of libgpg-error in the low sixteen bits of what ERR tells.
const (
	gpgTimeout      = 62
	gpgCanceled     = 99
	gpgNotConfirmed = 114
)

// assuanError is an answer of ERR.
type assuanError struct{ code int }

func (e *assuanError) Error() string { return fmt.Sprintf("pinentry answers with error %d", e.code) }

// FindPinentry looks for a pinentry with windows. The plain name may be one for
// terminals, which cannot be used from a desktop.
func FindPinentry() (path string, ok bool) {
	for _, name := range []string{"pinentry-gnome3", "pinentry-qt", "pinentry-qt5", "pinentry-gtk-2", "pinentry-gtk", "pinentry-fltk", "pinentry-mac", "pinentry-w32", "pinentry-x11"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, true
		}
	}
	return "", false
}

// Ask implements [Prompter].
func (p Pinentry) Ask(ctx context.Context, r Request) (Answer, error) {
	if r.Kind == KindNewKey {
		return Answer{}, ErrUnavailable
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the program
	command := exec.CommandContext(ctx, p.Program)
	command.WaitDelay = time.Second
	in, err := command.StdinPipe()
	if err != nil {
		return Answer{}, err
	}
	out, err := command.StdoutPipe()
	if err != nil {
		return Answer{}, err
	}
	if err := command.Start(); err != nil {
		return Answer{}, errors.Join(ErrUnavailable, err)
	}
	// What the program has started may hold its output open.
	context.AfterFunc(ctx, func() { _ = out.Close() })
	defer func() {
		_ = in.Close()
		cancel()
		_ = command.Wait()
	}()
	a := &assuan{in: in, out: bufio.NewReaderSize(out, maxAssuanLine)}
	answer, err := a.ask(ctx, &r)
	var e *assuanError
	switch {
	case err == nil:
		return answer, nil
	case ctx.Err() != nil:
		return Answer{}, ctx.Err()
	case !errors.As(err, &e):
		return Answer{}, errors.Join(ErrUnavailable, err)
	case e.code&0xffff == gpgTimeout:
		return Answer{}, ErrTimeout
	case e.code&0xffff == gpgCanceled || e.code&0xffff == gpgNotConfirmed:
		return Answer{}, ErrCancelled
	}
	// Such as a pinentry that finds no display.
	return Answer{}, errors.Join(ErrUnavailable, err)
}

// assuan is a conversation.
type assuan struct {
	in  io.Writer
	out *bufio.Reader
}

func (a *assuan) ask(ctx context.Context, r *Request) (Answer, error) {
	if _, err := a.response(); err != nil { // the greeting
		return Answer{}, err
	}
	var text strings.Builder
	if r.Question != "" {
		fmt.Fprintf(&text, "%s\n\n", visibleLine(r.Question, maxQuestion))
	}
	for _, f := range r.facts() {
		fmt.Fprintf(&text, "%s: %s\n", f.Label, f.Value)
	}
	if p := r.preview(); p != "" {
		fmt.Fprintf(&text, "\n%s:\n| %s\n", say(r.Language, "preview"), strings.ReplaceAll(p, "\n", "\n| "))
	}
	if r.asksNew() {
		fmt.Fprintf(&text, "\n%s\n%s\n", say(r.Language, "rules"), say(r.Language, "forgotten"))
	}
	// Options that a pinentry does not know are no reason to stop.
	if until, ok := ctx.Deadline(); ok {
		_, _ = a.command("SETTIMEOUT", fmt.Sprint(max(1, int(time.Until(until).Seconds())-1)))
	}
	_, _ = a.command("OPTION", "grab")
	_, _ = a.command("OPTION", "no-external-password-cache")
	for _, set := range [][2]string{
		{"SETTITLE", "Imzo"}, {"SETDESC", r.title() + "\n\n" + text.String()},
		{"SETOK", r.agree()}, {"SETCANCEL", r.refuse()}, {"SETPROMPT", r.secretLabel()},
	} {
		if _, err := a.command(set[0], set[1]); err != nil {
			return Answer{}, err
		}
	}
	switch r.Kind {
	case KindPermission, KindConfirm:
		return a.confirm()
	}
	if r.asksNew() {
		if _, err := a.command("SETREPEAT", say(r.Language, "again")); err != nil {
			return Answer{}, err
		}
		_, _ = a.command("SETREPEATERROR", say(r.Language, "mismatch"))
	}
	wrong := r.Retry
	for {
		if wrong != "" {
			if _, err := a.command("SETERROR", wrong); err != nil {
				return Answer{}, err
			}
		}
		typed, err := a.command("GETPIN", "")
		if err != nil {
			return Answer{}, err
		}
		// It has compared the two that were typed.
		if wrong = r.wrong(typed, typed); wrong == "" {
			return a.remember(r, Answer{Secret: secret.New(typed)})
		}
		secret.Wipe(typed)
	}
}

// confirm asks yes or no. There is no third button, for "always".
func (a *assuan) confirm() (Answer, error) {
	_, err := a.command("CONFIRM", "")
	var e *assuanError
	if errors.As(err, &e) && (e.code&0xffff == gpgNotConfirmed || e.code&0xffff == gpgCanceled) {
		return Answer{}, nil
	}
	return Answer{Allowed: err == nil}, err
}

// remember asks whether to keep the password: pinentry has no box to tick.
func (a *assuan) remember(r *Request, answer Answer) (Answer, error) {
	if !r.Remember {
		return answer, nil
	}
	for _, set := range [][2]string{{"SETDESC", say(r.Language, "remember")}, {"SETOK", say(r.Language, "remember")}, {"SETCANCEL", say(r.Language, "rememberNot")}} {
		if _, err := a.command(set[0], set[1]); err != nil {
			answer.Secret.Wipe()
			return Answer{}, err
		}
	}
	_, err := a.command("CONFIRM", "")
	var e *assuanError
	if err != nil && !errors.As(err, &e) {
		answer.Secret.Wipe()
		return Answer{}, err
	}
	answer.Remember = err == nil
	return answer, nil
}

// command sends a line and reads what comes back.
func (a *assuan) command(name, argument string) ([]byte, error) {
	line := name
	if argument != "" {
		line += " " + assuanEscape(argument, maxAssuanLine-len(name)-3)
	}
	if _, err := io.WriteString(a.in, line+"\n"); err != nil {
		return nil, err
	}
	return a.response()
}

// response reads lines until OK or ERR, and returns the data in between.
func (a *assuan) response() (data []byte, err error) {
	for {
		line, err := a.out.ReadSlice('\n')
		if err != nil {
			secret.Wipe(data)
			return nil, fmt.Errorf("pinentry has ended: %w", err)
		}
		word, rest, _ := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(" "))
		switch string(word) {
		case "OK":
			secret.Wipe(line)
			return data, nil
		case "ERR":
			secret.Wipe(data)
			e := &assuanError{}
			_, _ = fmt.Sscanf(string(rest), "%d", &e.code)
			return nil, e
		case "D":
			part, err := assuanUnescape(rest)
			secret.Wipe(line)
			if err != nil || len(data)+len(part) > maxForm {
				return nil, errors.New("pinentry sends what cannot be read")
			}
			joined := append(data[:len(data):len(data)], part...)
			secret.Wipe(data)
			secret.Wipe(part)
			data = joined
		case "INQUIRE":
			if _, err := io.WriteString(a.in, "CANCEL\n"); err != nil {
				return nil, err
			}
		}
		// "S" and "#" say nothing that we need.
	}
}

// assuanEscape writes percent, line ends and what is no text as %XX, and cuts
// at a character's border what is too long for a line.
func assuanEscape(s string, most int) string {
	var b strings.Builder
	for _, r := range s {
		part := string(r)
		if r == '%' || r < ' ' || r == 0x7f {
			part = fmt.Sprintf("%%%02X", r)
		}
		if b.Len()+len(part) > most-len("…") {
			b.WriteString("…")
			break
		}
		b.WriteString(part)
	}
	return b.String()
}

// assuanUnescape undoes %XX.
func assuanUnescape(s []byte) ([]byte, error) {
	return unescape(bytes.ReplaceAll(s, []byte("+"), []byte("%2B")))
}
