package prompt

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"imzo/internal/i18n"
)

// keyboard is a terminal in memory.
type keyboard struct {
	t        *testing.T
	terminal *Terminal
	in       *io.PipeWriter
	out      *io.PipeReader
	seen     strings.Builder
	restored int
}

func newKeyboard(t *testing.T) *keyboard {
	k := &keyboard{t: t}
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	k.in, k.out = inW, outR
	k.terminal = &Terminal{
		tty: struct {
			io.Reader
			io.Writer
		}{inR, outW},
		raw: func() (func(), error) { return func() { k.restored++ }, nil },
	}
	t.Cleanup(func() { _ = inW.Close() })
	return k
}

// ask asks, and types each of keys after what stands before it has appeared.
func (k *keyboard) ask(ctx context.Context, r Request, script ...[2]string) (Answer, error) {
	k.t.Helper()
	type result struct {
		Answer
		error
	}
	done := make(chan result, 1)
	go func() {
		a, err := k.terminal.Ask(ctx, r)
		done <- result{a, err}
	}()
	from := 0
	buffer := make([]byte, 1024)
	output := make(chan string)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for {
			n, err := k.out.Read(buffer)
			if err != nil {
				return
			}
			select {
			case output <- string(buffer[:n]):
			case <-stop:
				return
			}
		}
	}()
	for {
		if len(script) > 0 {
			if i := strings.Index(k.seen.String()[from:], script[0][0]); i >= 0 {
				from += i + len(script[0][0])
				typed := script[0][1]
				script = script[1:]
				go func() { _, _ = io.WriteString(k.in, typed) }()
			}
		}
		select {
		case s := <-output:
			k.seen.WriteString(s)
		case r := <-done:
			if len(script) > 0 {
				k.t.Errorf("%q did not appear in %q", script[0][0], k.seen.String())
			}
			return r.Answer, r.error
		case <-time.After(20 * time.Second):
			k.t.Fatalf("stuck after %q", k.seen.String())
		}
	}
}

func TestTheTerminalAsksWithoutShowingWhatIsTyped(t *testing.T) {
	k := newKeyboard(t)
	r := signing
	r.Origin = "https://b\x1b[2Jank.uz"
	a, err := k.ask(t.Context(), r, [2]string{"Password: ", "sec ret\r"}, [2]string{"Number [1]: ", "7\r"}, [2]string{"Number [1]: ", "2\r"})
	if err != nil || a.Secret.Text() != "sec ret" || !a.Remember {
		t.Errorf("%+v %v", a, err)
	}
	seen := k.seen.String()
	if strings.Contains(seen, "sec ret") || strings.Contains(seen, "\x1b[2J") || !strings.Contains(seen, "https://b\uFFFD[2Jank.uz") {
		t.Errorf("%q", seen)
	}
	for _, want := range []string{"IVANOV", "78ff70c3", "26 bytes", "pay <script>"} {
		if !strings.Contains(seen, want) {
			t.Errorf("no %q in %q", want, seen)
		}
	}
	if k.restored != 1 {
		t.Errorf("restored %d times", k.restored)
	}
}

func TestTheTerminalKnowsEachKind(t *testing.T) {
	for name, c := range map[string]struct {
		r      Request
		script [][2]string
		want   Answer
		secret string
		err    error
	}{
		"cancelled":    {Request{Kind: KindPassword}, [][2]string{{"Пароль: ", "x\x03"}}, Answer{}, "", ErrCancelled},
		"ended":        {Request{Kind: KindPIN}, [][2]string{{"PIN-код: ", "\x04"}}, Answer{}, "", ErrCancelled},
		"empty once":   {Request{Kind: KindPIN}, [][2]string{{"PIN-код: ", "\r"}, {"PIN-код: ", "1\r"}}, Answer{}, "1", nil},
		"not kept":     {Request{Kind: KindPassword, Remember: true}, [][2]string{{"Пароль: ", "x\r"}, {"[1]: ", "\r"}}, Answer{}, "x", nil},
		"no choice":    {Request{Kind: KindPassword, Remember: true}, [][2]string{{"Пароль: ", "x\r"}, {"[1]: ", "\x03"}}, Answer{}, "", ErrCancelled},
		"denied":       {Request{Kind: KindPermission, Question: "may it?"}, [][2]string{{"may it?", ""}, {"[1]: ", "\r"}}, Answer{}, "", nil},
		"once":         {Request{Kind: KindPermission}, [][2]string{{"[1]: ", "2\r"}}, Answer{Allowed: true}, "", nil},
		"always":       {Request{Kind: KindPermission}, [][2]string{{"[1]: ", "3\r"}}, Answer{Allowed: true, Always: true}, "", nil},
		"yes":          {Request{Kind: KindConfirm, Retry: "again"}, [][2]string{{"! again", ""}, {"[1]: ", "2\r"}}, Answer{Allowed: true}, "", nil},
		"new":          {Request{Kind: KindNewPassword}, [][2]string{{"Новый пароль: ", "short\r"}, {"Ещё раз: ", "short\r"}, {"! ", ""}, {"Новый пароль: ", "ABcd123456\r"}, {"Ещё раз: ", "other\r"}, {"не совпадают", ""}, {"Новый пароль: ", "ABcd123456\r"}, {"Ещё раз: ", "ABcd123456\r"}}, Answer{}, "ABcd123456", nil},
		"new, stopped": {Request{Kind: KindNewPassword}, [][2]string{{"Новый пароль: ", "ABcd123456\r"}, {"Ещё раз: ", "\x03"}}, Answer{}, "", ErrCancelled},
		"new key":      {Request{Kind: KindNewKey, Disks: []string{"/a/", "/b/"}}, [][2]string{{"2. /b/", ""}, {"[1]: ", "2\r"}, {"Новый пароль: ", "ABcd123456\r"}, {"Ещё раз: ", "ABcd123456\r"}}, Answer{Disk: "/b/"}, "ABcd123456", nil},
		"no disk":      {Request{Kind: KindNewKey, Disks: []string{"/a/"}}, [][2]string{{"[1]: ", "\x03"}}, Answer{}, "", ErrCancelled},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := newKeyboard(t).ask(t.Context(), c.r, c.script...)
			text := a.Secret.Text()
			a.Secret.Wipe()
			a.Secret = nil
			if !errors.Is(err, c.err) || (err == nil && (a != c.want || text != c.secret)) {
				t.Errorf("%+v %q %v", a, text, err)
			}
		})
	}
}

func TestTheTerminalLetsGoWhenTimeIsOver(t *testing.T) {
	k := newKeyboard(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := k.ask(ctx, Request{Kind: KindPassword}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	// The next question is answered by the next line.
	if a, err := k.ask(t.Context(), Request{Kind: KindPassword}, [2]string{"Пароль: ", ""}, [2]string{"Пароль: ", "later\r"}); err != nil || a.Secret.Text() != "later" {
		t.Errorf("%+v %v", a, err)
	}
	k.terminal.raw = func() (func(), error) { return nil, errors.New("no such mode") }
	if _, err := k.terminal.Ask(t.Context(), Request{}); !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
}

// script makes a program that speaks Assuan as told and writes what it hears
// into a file.
func script(t *testing.T, body string) (Pinentry, func() string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell")
	}
	dir := t.TempDir()
	path, heard := filepath.Join(dir, "pinentry"), filepath.Join(dir, "heard")
	text := "#!/bin/sh\necho 'OK Pleased to meet you'\nwhile read -r line; do printf '%s\\n' \"$line\" >> '" + heard + "'\ncase \"$line\" in\n" + body + "\n*) echo OK;;\nesac\ndone\n"
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return Pinentry{Program: path}, func() string {
		b, err := os.ReadFile(heard)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
}

func TestPinentryIsToldWhatToShow(t *testing.T) {
	p, heard := script(t, `GETPIN) echo 'S note'; echo 'D pä%25 %0Ax+'; echo OK;;
CONFIRM) echo OK;;
OPTION*) echo 'ERR 83886254 Unknown option';;`)
	r := signing
	r.Retry = "wrong\npassword"
	a, err := p.Ask(t.Context(), r)
	if err != nil || a.Secret.Text() != "pä% \nx+" || !a.Remember {
		t.Fatalf("%+v %v", a, err)
	}
	got := heard()
	for _, want := range []string{"SETTITLE Imzo\n", "SETERROR wrong%0Apassword\n", "%0ASite: https://bank.uz%0A", "26 bytes", "SETOK Sign\n", "SETPROMPT Password\n", "GETPIN\n", "CONFIRM\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
	for line := range strings.Lines(got) {
		if len(line) > maxAssuanLine {
			t.Errorf("a line of %d", len(line))
		}
	}
}

func TestPinentryAnswersAreUnderstood(t *testing.T) {
	for name, c := range map[string]struct {
		r      Request
		script string
		want   Answer
		secret string
		err    error
	}{
		"cancelled":      {Request{Kind: KindPassword}, "GETPIN) echo 'ERR 83886179 Operation cancelled <Pinentry>';;", Answer{}, "", ErrCancelled},
		"timeout":        {Request{Kind: KindPassword}, "GETPIN) echo 'ERR 83886142 Timeout <Pinentry>';;", Answer{}, "", ErrTimeout},
		"no display":     {Request{Kind: KindPassword}, "GETPIN) echo 'ERR 83918950 Inappropriate ioctl for device';;", Answer{}, "", ErrUnavailable},
		"gone":           {Request{Kind: KindPassword}, "GETPIN) exit 1;;", Answer{}, "", ErrUnavailable},
		"refuses text":   {Request{Kind: KindPassword}, "SETDESC*) echo 'ERR 1';;", Answer{}, "", ErrUnavailable},
		"asks back":      {Request{Kind: KindPassword}, "GETPIN) echo 'INQUIRE QUALITY x'; read -r l; echo 'D '$l; echo OK;;", Answer{}, "CANCEL", nil},
		"not remembered": {Request{Kind: KindPassword, Remember: true}, "GETPIN) echo 'D 1'; echo OK;;\nCONFIRM) echo 'ERR 83886194 Not confirmed';;", Answer{}, "1", nil},
		"yes":            {Request{Kind: KindConfirm}, "", Answer{Allowed: true}, "", nil},
		"no":             {Request{Kind: KindConfirm}, "CONFIRM) echo 'ERR 83886194 Not confirmed <Pinentry>';;", Answer{}, "", nil},
		"deny":           {Request{Kind: KindPermission}, "CONFIRM) echo 'ERR 83886179 cancelled';;", Answer{}, "", nil},
		"confirm times":  {Request{Kind: KindConfirm}, "CONFIRM) echo 'ERR 83886142 Timeout';;", Answer{}, "", ErrTimeout},
		"new":            {Request{Kind: KindNewPassword}, "GETPIN) if [ -z \"$twice\" ]; then twice=1; echo 'D short'; else echo 'D ABcd123456'; fi; echo OK;;", Answer{}, "ABcd123456", nil},
		"new key":        {Request{Kind: KindNewKey}, "", Answer{}, "", ErrUnavailable},
		"bad data":       {Request{Kind: KindPassword}, "GETPIN) echo 'D %zz'; echo OK;;", Answer{}, "", ErrUnavailable},
		"no end of data": {Request{Kind: KindPassword}, "GETPIN) while :; do echo 'D " + strings.Repeat("x", 900) + "'; done;;", Answer{}, "", ErrUnavailable},
		"a long line":    {Request{Kind: KindPassword}, "GETPIN) echo 'D " + strings.Repeat("x", 2000) + "'; echo OK;;", Answer{}, "", ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := script(t, c.script)
			a, err := p.Ask(t.Context(), c.r)
			text := a.Secret.Text()
			a.Secret.Wipe()
			a.Secret = nil
			if !errors.Is(err, c.err) || a != c.want || text != c.secret {
				t.Errorf("%+v %q %v", a, text, err)
			}
		})
	}
	if _, err := (Pinentry{Program: filepath.Join(t.TempDir(), "none")}).Ask(t.Context(), Request{}); !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
}

func TestADialogGoesWhenTimeIsOver(t *testing.T) {
	p, _ := script(t, "GETPIN) sleep 60;;")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := p.Ask(ctx, Request{Kind: KindPassword}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if time.Since(start) > 20*time.Second {
		t.Error(time.Since(start))
	}
}

func TestAFormIsChosen(t *testing.T) {
	web := &Web{Base: func() string { return "" }}
	if p, err := Choose(FormWeb, web); err != nil || p != Prompter(web) {
		t.Error(p, err)
	}
	if _, err := Choose("window", web); err == nil || !strings.Contains(err.Error(), "pinentry") {
		t.Error(err)
	}
	empty := t.TempDir()
	t.Setenv("PATH", empty)
	t.Setenv("DISPLAY", ":9")
	if _, err := Choose(FormPinentry, web); err == nil || !strings.Contains(err.Error(), "pinentry-gnome3") {
		t.Error(err)
	}
	program := filepath.Join(empty, "pinentry-qt")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "linux" {
		for _, f := range []Form{FormPinentry, FormAuto} {
			p, err := Choose(f, web)
			forms, ok := p.(First)
			if err != nil || !ok || len(forms) != 2 || forms[0] != Prompter(Pinentry{Program: program}) || forms[1] != Prompter(web) {
				t.Errorf("%s: %+v %v", f, p, err)
			}
		}
		if Browser("http://127.0.0.1:1/") == nil {
			t.Error("opened without a browser")
		}
	}
	for _, address := range []string{"https://example.com", "file:///etc/passwd", "http://127.0.0.1.example.com/", ""} {
		if Browser(address) == nil {
			t.Errorf("%q handed to the browser", address)
		}
	}
}

func TestTheFirstFormThatCanAsks(t *testing.T) {
	cannot := formFunc(func(context.Context, Request) (Answer, error) { return Answer{}, ErrUnavailable })
	refused := formFunc(func(context.Context, Request) (Answer, error) { return Answer{}, ErrCancelled })
	never := formFunc(func(context.Context, Request) (Answer, error) {
		t.Error("asked twice")
		return Answer{}, nil
	})
	if _, err := (First{cannot, refused, never}).Ask(t.Context(), Request{}); !errors.Is(err, ErrCancelled) {
		t.Error(err)
	}
	if _, err := (First{cannot}).Ask(t.Context(), Request{}); !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
	if _, err := (First{}).Ask(t.Context(), Request{}); !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
}

func TestEveryKindHasItsWords(t *testing.T) {
	for _, k := range []Kind{KindPassword, KindPIN, KindNewPassword, KindNewKey, KindPermission, KindConfirm} {
		for _, l := range i18n.Languages() {
			r := Request{Kind: k, Language: l, Content: &Content{Size: 1}}
			for _, s := range []string{r.title(), r.agree(), r.refuse(), r.secretLabel(), r.preview(), i18nLeft(l)} {
				if s == "" || strings.HasPrefix(s, "prompt.") {
					t.Errorf("%s %s: %q", k, l, s)
				}
			}
			if !strings.Contains(i18nLeft(l), "#") {
				t.Error(i18nLeft(l))
			}
		}
	}
}
