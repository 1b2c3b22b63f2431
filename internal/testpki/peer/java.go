package peer

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// askTimeout bounds one question; the slowest, several MiB through
	// BouncyCastle's hash on a busy machine, take a few seconds.
	askTimeout = 2 * time.Minute
	// exitTimeout is what a JVM gets to leave by itself when its input ends.
	exitTimeout = 3 * time.Second

	jarsEnv = "IMZO_BC_JARS"
	jarsDir = "/usr/share/java"
)

// Java compiles and runs small Java programs with BouncyCastle on the class
// path.
type Java struct {
	java, javac string
	classpath   string
}

// BouncyCastle returns a Java with bcprov, bcpkix and bcutil on its class
// path. The jars come from /usr/share/java, or from the list of files in
// IMZO_BC_JARS, separated as in a class path.
func BouncyCastle(t testing.TB) *Java {
	t.Helper()
	j := &Java{
		java:  program(t, nameBouncyCastle, "java"),
		javac: program(t, nameBouncyCastle, "javac"),
	}
	var jars []string
	if list := os.Getenv(jarsEnv); list != "" {
		jars = filepath.SplitList(list)
	} else {
		for _, name := range []string{"bcprov.jar", "bcpkix.jar", "bcutil.jar"} {
			jars = append(jars, filepath.Join(jarsDir, name))
		}
	}
	for _, jar := range jars {
		if _, err := os.Stat(jar); err != nil {
			absent(t, nameBouncyCastle, err.Error())
		}
	}
	j.classpath = strings.Join(jars, string(os.PathListSeparator))
	return j
}

// Classpath returns the BouncyCastle jars as a class path.
func (j *Java) Classpath() string { return j.classpath }

// compiled keeps the class files of each program by class path and sources,
// so that every program is compiled once in a test process. They are held in
// memory because a directory shared by all tests would have no test to
// remove it.
var compiled struct {
	sync.Mutex
	classes map[string]map[string][]byte
}

// compile returns the class files of the sources, by path below the output
// directory.
func (j *Java) compile(t testing.TB, sources []string) map[string][]byte {
	t.Helper()
	compiled.Lock()
	defer compiled.Unlock()

	key := j.javac + "\x00" + j.classpath
	for _, src := range sources {
		abs, err := filepath.Abs(src)
		if err != nil {
			t.Fatal(err)
		}
		key += "\x00" + abs
	}
	if classes, ok := compiled.classes[key]; ok {
		return classes
	}

	dir := t.TempDir()
	args := append([]string{"-encoding", "UTF-8", "-nowarn", "-proc:none", "-cp", j.classpath, "-d", dir}, sources...)
	if out, err := exec.CommandContext(t.Context(), j.javac, args...).CombinedOutput(); err != nil {
		t.Fatalf("javac %s: %v\n%s", strings.Join(sources, " "), err, out)
	}
	classes := make(map[string][]byte)
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		classes[rel], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if compiled.classes == nil {
		compiled.classes = make(map[string]map[string][]byte)
	}
	compiled.classes[key] = classes
	return classes
}

// Proc is a running Java program that answers each line on its standard
// input with one line on its standard output. The program must flush each
// answer and leave when its input ends: then no JVM outlives the tests even
// when the test process is killed.
type Proc struct {
	name  string
	mu    sync.Mutex
	stdin io.WriteCloser
	out   io.ReadCloser
	lines *bufio.Reader
	err   *syncBuffer
}

// Start compiles the sources (paths of .java files; each set once in a test
// process) and runs the class mainClass, until the test t ends.
func (j *Java) Start(t testing.TB, mainClass string, sources ...string) *Proc {
	t.Helper()
	dir := t.TempDir()
	for rel, class := range j.compile(t, sources) {
		path := filepath.Join(dir, rel)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, class, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	// The serial collector and a bounded heap keep the JVM from taking the
	// whole of a small build machine.
	cmd := exec.Command(j.java, "-XX:+UseSerialGC", "-Xmx768m", "-Xss4m", "-Dfile.encoding=UTF-8",
		"-cp", j.classpath+string(os.PathListSeparator)+dir, mainClass)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr := new(syncBuffer)
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &Proc{name: mainClass, stdin: stdin, out: stdout, lines: bufio.NewReaderSize(stdout, 1<<16), err: stderr}
	t.Cleanup(func() {
		stdin.Close()
		timer := time.AfterFunc(exitTimeout, func() { cmd.Process.Kill() })
		defer timer.Stop()
		// The exit status does not matter here: what the program did wrong
		// has shown in its answers.
		_ = cmd.Wait()
	})
	return p
}

// Ask writes the line and returns the program's answer, without the line
// end. It may be called from several goroutines; a program that died or
// gives no answer in time ends the test with its standard error, so Ask must
// run on the test's goroutine or that of a subtest.
func (p *Proc) Ask(t testing.TB, line string) string {
	t.Helper()
	answer, err := p.TryAsk(line)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// TryAsk is Ask with the failure as an error.
func (p *Proc) TryAsk(line string) (string, error) {
	if strings.ContainsAny(line, "\r\n") {
		return "", fmt.Errorf("%s: the question must be one line", p.name)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if d, ok := p.out.(interface{ SetReadDeadline(time.Time) error }); ok {
		if err := d.SetReadDeadline(time.Now().Add(askTimeout)); err != nil {
			return "", fmt.Errorf("%s: %w", p.name, err)
		}
	}
	if _, err := io.WriteString(p.stdin, line+"\n"); err != nil {
		return "", fmt.Errorf("%s: %w: %s", p.name, err, p.err)
	}
	answer, err := p.lines.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("%s gave no answer: %w: %s", p.name, err, p.err)
	}
	return strings.TrimRight(answer, "\r\n"), nil
}

// syncBuffer collects standard error while another goroutine may read it.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.TrimSpace(b.buf.String())
}
