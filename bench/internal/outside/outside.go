// Package outside builds and runs the programs of peers that a benchmark
// measures: small sources in Java and C that take questions on standard input,
// a line each, and answer with a line each.
//
//	engine, err := outside.CompileC(ctx, dir, "engine", source, "-lcrypto")
//	p, err := outside.Start(engine)
//	answer, err := p.Ask("sign A 200")
//	defer p.Close()
//
// What a machine does not have is [ErrAbsent], with the package of Debian to
// install. For tests there is package testpki/peer; it needs a test to fail.
package outside

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// ErrAbsent is wrapped when a program or library is not installed.
var ErrAbsent = errors.New("not installed")

// BouncyCastle is a Java with the BouncyCastle jars.
type BouncyCastle struct {
	java, javac string
	jars        string // class path
}

const (
	jarsEnv     = "IMZO_BC_JARS" // as package testpki/peer has it
	jarsDir     = "/usr/share/java"
	javaPackage = "apt-get install openjdk-17-jdk-headless libbcprov-java libbcpkix-java libbcutil-java"
)

// FindBouncyCastle looks for java and javac in PATH and for bcprov, bcpkix and
// bcutil in /usr/share/java, or takes the jars that IMZO_BC_JARS lists.
func FindBouncyCastle() (*BouncyCastle, error) {
	var b BouncyCastle
	for name, path := range map[string]*string{"java": &b.java, "javac": &b.javac} {
		found, err := exec.LookPath(name)
		if err != nil {
			return nil, fmt.Errorf("%w: no program %s (%s)", ErrAbsent, name, javaPackage)
		}
		*path = found
	}
	b.jars = os.Getenv(jarsEnv)
	if b.jars == "" {
		var jars []string
		for _, name := range []string{"bcprov.jar", "bcpkix.jar", "bcutil.jar"} {
			jars = append(jars, filepath.Join(jarsDir, name))
		}
		b.jars = strings.Join(jars, string(os.PathListSeparator))
	}
	for _, jar := range filepath.SplitList(b.jars) {
		if _, err := os.Stat(jar); err != nil {
			return nil, fmt.Errorf("%w: %w (%s)", ErrAbsent, err, javaPackage)
		}
	}
	return &b, nil
}

// Compile compiles one source, whose class is called name, into dir and
// returns the command that runs it with these options of the virtual machine.
func (b *BouncyCastle) Compile(ctx context.Context, dir, name, source string, options ...string) ([]string, error) {
	file := filepath.Join(dir, name+".java")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, b.javac, "-encoding", "UTF-8", "-proc:none", "-cp", b.jars, "-d", dir, file).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("javac %s: %w\n%s", file, err, out)
	}
	argv := append([]string{b.java}, options...)
	return append(argv, "-cp", b.jars+string(os.PathListSeparator)+dir, name), nil
}

// CompileC compiles one source in C into dir, with optimisation, and returns
// the command that runs it. Without a compiler, or without a header that the
// source includes, it is [ErrAbsent].
func CompileC(ctx context.Context, dir, name, source string, libraries ...string) ([]string, error) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		return nil, fmt.Errorf("%w: no program cc (apt-get install gcc libc6-dev)", ErrAbsent)
	}
	file, program := filepath.Join(dir, name+".c"), filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		return nil, err
	}
	if out, err := exec.CommandContext(ctx, cc, "-E", "-o", os.DevNull, file).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", ErrAbsent, firstLine(out))
	}
	args := append([]string{"-O2", "-Wall", "-Wno-deprecated-declarations", "-o", program, file}, libraries...)
	if out, err := exec.CommandContext(ctx, cc, args...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cc %s: %w\n%s", file, err, out)
	}
	return []string{program}, nil
}

func firstLine(b []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(b), []byte("\n"))
	return string(line)
}

// Program is a running program that answers lines with lines. It leaves when
// its standard input ends.
type Program struct {
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Reader

	mu     sync.Mutex
	errors bytes.Buffer
}

// exitTimeout is what a program gets to leave by itself.
const exitTimeout = 5 * time.Second

// Start starts the command. It lives until Close, or until ctx ends.
func Start(ctx context.Context, argv []string) (*Program, error) {
	p := &Program{name: filepath.Base(argv[len(argv)-1]), cmd: exec.CommandContext(ctx, argv[0], argv[1:]...)}
	p.cmd.Stderr = (*programErrors)(p)
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.lines = bufio.NewReader(stdout)
	return p, p.cmd.Start()
}

// Pid returns the number of the process.
func (p *Program) Pid() int { return p.cmd.Process.Pid }

// Ask writes a question and returns the answer. An answer that begins with
// "error" is an error.
func (p *Program) Ask(question string) (string, error) {
	if _, err := io.WriteString(p.stdin, question+"\n"); err != nil {
		return "", p.fault(question, err)
	}
	return p.Answer(question)
}

// Answer returns the next line, of a program that speaks first.
func (p *Program) Answer(question string) (string, error) {
	answer, err := p.lines.ReadString('\n')
	if err != nil {
		return "", p.fault(question, err)
	}
	answer = strings.TrimSpace(answer)
	if text, ok := strings.CutPrefix(answer, "error"); ok {
		return "", p.fault(question, errors.New(strings.TrimSpace(text)))
	}
	return answer, nil
}

func (p *Program) fault(question string, err error) error {
	if len(question) > 100 {
		question = question[:100] + "..."
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Errorf("%s, %q: %w\n%s", p.name, question, err, bytes.TrimSpace(p.errors.Bytes()))
}

// Close ends the program.
func (p *Program) Close() {
	p.stdin.Close()
	timer := time.AfterFunc(exitTimeout, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	_ = p.cmd.Wait() // its answers have told what was wrong with it
}

// programErrors is the standard error of a program.
type programErrors Program

// Write implements io.Writer.
func (p *programErrors) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.errors.Write(b)
}
