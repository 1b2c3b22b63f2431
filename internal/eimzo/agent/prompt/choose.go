package prompt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// Form is how the person is asked.
type Form string

// The forms there are. Auto takes the first that can ask of pinentry, the page
// and the terminal.
const (
	FormAuto     Form = "auto"
	FormPinentry Form = "pinentry"
	FormWeb      Form = "web"
	FormTerminal Form = "terminal"
)

// Choose makes the form that f names. web is used where pages are, which the
// agent has to serve. A question that a form cannot ask goes to the page: a
// pinentry shows no list of disks.
func Choose(f Form, web *Web) (Prompter, error) {
	switch f {
	case FormWeb:
		return web, nil
	case FormTerminal:
		t, err := OpenTerminal()
		if err != nil {
			return nil, fmt.Errorf("there is no terminal to ask at: %w", err)
		}
		return t, nil
	case FormPinentry:
		path, ok := FindPinentry()
		if !ok {
			return nil, errors.New("no pinentry with windows is installed, such as pinentry-gnome3 or pinentry-qt")
		}
		return First{Pinentry{Program: path}, web}, nil
	case FormAuto, "":
		var forms First
		if path, ok := FindPinentry(); ok && Desktop() {
			forms = append(forms, Pinentry{Program: path})
		}
		if Desktop() {
			return append(forms, web), nil
		}
		if t, err := OpenTerminal(); err == nil {
			return append(forms, t), nil
		}
		return append(forms, web), nil
	}
	return nil, fmt.Errorf("%q is no way to ask: use auto, pinentry, web or terminal", f)
}

// First asks in the first form that can.
type First []Prompter

// Ask implements [Prompter].
func (f First) Ask(ctx context.Context, r Request) (Answer, error) {
	err := ErrUnavailable
	for _, form := range f {
		var answer Answer
		answer, err = form.Ask(ctx, r)
		if !errors.Is(err, ErrUnavailable) {
			return answer, err
		}
	}
	return Answer{}, err
}

// Desktop tells whether windows can be shown.
func Desktop() bool {
	switch runtime.GOOS {
	case "windows":
		return true
	case "darwin":
		return os.Getenv("SSH_CONNECTION") == ""
	}
	return os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != ""
}

// Browser shows an address in the person's browser. It must be one of http or
// https on this computer: nothing else is handed to other programs.
func Browser(address string) error {
	if !Desktop() {
		return ErrUnavailable
	}
	if !strings.HasPrefix(address, "http://127.0.0.1:") && !strings.HasPrefix(address, "https://127.0.0.1:") {
		return fmt.Errorf("not an address of this computer")
	}
	var command *exec.Cmd
	switch runtime.GOOS {
	case "windows":
		command = exec.Command("rundll32", "url.dll,FileProtocolHandler", address)
	case "darwin":
		command = exec.Command("open", address)
	default:
		command = exec.Command("xdg-open", address)
	}
	command.WaitDelay = time.Second
	if err := command.Start(); err != nil {
		return err
	}
	go func() { _ = command.Wait() }()
	return nil
}
