package cli

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/term"
)

// maxInput bounds documents read whole: the server's own body limit.
const maxInput = 128 << 20

// stdio is the name of standard input and output.
const stdio = "-"

// openInput opens a file for reading; "-" is standard input.
func (e env) openInput(name string) (io.ReadCloser, error) {
	if name == stdio {
		return io.NopCloser(e.stdin), nil
	}
	return os.Open(name)
}

// readInput reads a file, or standard input for "-", up to maxInput octets. An
// empty file gives an empty slice, not nil.
func (e env) readInput(name string) ([]byte, error) {
	in, err := e.openInput(name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	b, err := io.ReadAll(io.LimitReader(in, maxInput+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxInput {
		return nil, fmt.Errorf("%s: larger than %d MiB", name, maxInput>>20)
	}
	return b, nil
}

// oneStdin refuses to read standard input twice.
func oneStdin(names ...string) error {
	count := 0
	for _, name := range names {
		if name == stdio {
			count++
		}
	}
	if count > 1 {
		return usagef("only one file can be '-', standard input")
	}
	return nil
}

// keepsFile refuses to write over a file that is read, which would lose it.
func keepsFile(out string, inputs ...string) error {
	if out == "" || out == stdio {
		return nil
	}
	target, err := os.Stat(out)
	if err != nil || !target.Mode().IsRegular() {
		return nil // what is not there cannot be lost
	}
	for _, name := range inputs {
		if in, err := os.Stat(name); err == nil && os.SameFile(in, target) {
			return usagef("-o %s would overwrite the input %s: choose another name", out, name)
		}
	}
	return nil
}

// writeOutput writes a result to a file, or to standard output for "" and
// "-". Binary results are kept off terminals.
func (e env) writeOutput(name string, b []byte, binary bool) error {
	if name == "" || name == stdio {
		if f, ok := e.stdout.(*os.File); ok && binary && term.IsTerminal(int(f.Fd())) {
			return usagef("the result is binary: write it to a file with -o, or add --base64")
		}
		_, err := e.stdout.Write(b)
		return err
	}
	return writeFile(name, b, 0o666)
}

// writeFile replaces a file in one step, and keeps who may read it; a new one
// gets the mode, less what the umask takes. Through a link it writes what the
// link leads to, and into a device or a pipe as it comes.
func writeFile(name string, b []byte, mode os.FileMode) (err error) {
	old, err := os.Stat(name)
	replaces := err == nil
	if replaces {
		if !old.Mode().IsRegular() {
			return writeInto(name, b)
		}
		if name, err = filepath.EvalSymlinks(name); err != nil {
			return err
		}
	}
	f, err := createBeside(name, mode)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if replaces {
		if err := f.Chmod(old.Mode().Perm()); err != nil {
			return err
		}
	}
	if _, err := f.Write(b); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

func writeInto(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := f.Write(b); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// createBeside creates a hidden file in the folder of name. Unlike those of
// os.CreateTemp its mode follows the umask.
func createBeside(name string, mode os.FileMode) (*os.File, error) {
	var suffix [8]byte
	if _, err := rand.Read(suffix[:]); err != nil {
		return nil, err
	}
	dir, base := filepath.Split(name)
	return os.OpenFile(dir+"."+base+"."+hex.EncodeToString(suffix[:]), os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
}

// givenPassword takes a password from the first line of a file or from the
// environment variable IMZO_PASSWORD, and tells whether there is one.
func (e env) givenPassword(file string) (string, bool, error) {
	if file != "" {
		b, err := e.readInput(file)
		if err != nil {
			return "", false, err
		}
		line, _, _ := bytes.Cut(b, []byte("\n"))
		return string(bytes.TrimSuffix(line, []byte("\r"))), true, nil
	}
	p, ok := os.LookupEnv("IMZO_PASSWORD")
	return p, ok, nil
}

// readPassword takes the password of a key from where it is given or, on a
// terminal, from the person.
func (e env) readPassword(file, prompt string) (string, error) {
	p, ok, err := e.givenPassword(file)
	if err != nil || ok {
		return p, err
	}
	return e.ask(prompt)
}

// newPassword is readPassword for a key that is being made: on a terminal the
// person types it twice.
func (e env) newPassword(file string) (string, error) {
	p, ok, err := e.givenPassword(file)
	if err != nil || ok {
		return p, err
	}
	return e.askTwice()
}

// askTwice has a person type a new password twice.
func (e env) askTwice() (string, error) {
	p, err := e.ask("New password of the key")
	if err != nil {
		return "", err
	}
	again, err := e.ask("Once more")
	if err != nil {
		return "", err
	}
	if p != again {
		return "", errors.New("the two passwords differ")
	}
	return p, nil
}

// askTerminal reads a password from the terminal without showing it, also
// while standard input is a document.
func askTerminal(prompt string) (string, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		tty = os.Stdin // Windows has no /dev/tty
	} else {
		defer tty.Close()
	}
	if !term.IsTerminal(int(tty.Fd())) {
		return noTerminal(prompt)
	}
	fmt.Fprintf(os.Stderr, "%s: ", prompt)
	p, err := term.ReadPassword(int(tty.Fd()))
	fmt.Fprintln(os.Stderr)
	if errors.Is(err, io.EOF) {
		return "", errors.New("no password given")
	}
	return string(p), err
}

// noTerminal is what asking comes to where nobody sits.
func noTerminal(string) (string, error) {
	return "", usagef("a password is needed: give it with --password-file FILE or in the variable IMZO_PASSWORD")
}
