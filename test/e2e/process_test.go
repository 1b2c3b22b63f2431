//go:build unix

package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// startTimeout is for a process to say that it serves. The binary with
	// the race detector on a busy machine takes some seconds.
	startTimeout = 30 * time.Second
	// stopTimeout is more than what requests in flight get to finish.
	stopTimeout = 30 * time.Second
)

// guard runs a program, tells its process number and forwards how it ended.
// When standard input ends, which it does with the test process however that
// dies, it sends the program the signal $1.
const guard = `signal=$1; shift; exec 3<&0; "$@" 3<&- </dev/null & p=$!; echo $p
(cat <&3 >/dev/null; kill -s $signal $p) >/dev/null 2>&1 & exec 3<&-
wait $p; status=$?; kill $! 2>/dev/null; exit $status`

// process is a program under test.
type process struct {
	name string
	pid  int
	log  logBuffer
	// ended is closed when the program is gone; code is how, 128 and the
	// signal for one that was killed.
	ended chan struct{}
	code  int
}

// launch starts a program, whose standard error is its log. The caller says
// how to stop it; a test that ends with the process still there kills it.
func launch(t *testing.T, signal string, env []string, program string, args ...string) *process {
	t.Helper()
	return launchIn(t, "", signal, env, program, args...)
}

// launchIn is launch in a working folder.
func launchIn(t *testing.T, dir, signal string, env []string, program string, args ...string) *process {
	t.Helper()
	p := &process{name: filepath.Base(program), ended: make(chan struct{})}
	cmd := exec.Command("/bin/sh", append([]string{"-c", guard, "sh", signal, program}, args...)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	cmd.Stderr = &p.log
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err == nil {
		p.pid, err = strconv.Atoi(strings.TrimSpace(line))
	}
	if err != nil {
		stdin.Close()
		t.Fatalf("%s did not start: %v\n%s", p.name, err, p.log.String())
	}
	go func() {
		_ = cmd.Wait() // the code below says the same
		p.code = cmd.ProcessState.ExitCode()
		close(p.ended)
	}()
	t.Cleanup(func() {
		stdin.Close()
		select {
		case <-p.ended:
		case <-time.After(stopTimeout):
			p.kill()
			<-p.ended
			t.Errorf("%s did not stop", p.name)
		}
	})
	return p
}

func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(p.pid, s); err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
}

func (p *process) kill() { _ = syscall.Kill(p.pid, syscall.SIGKILL) } // it may be gone already

// await waits for a text in the log and returns the pattern's first group.
func (p *process) await(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	deadline := time.Now().Add(startTimeout)
	for {
		if m := re.FindStringSubmatch(p.log.String()); m != nil {
			return m[len(m)-1]
		}
		if !p.running() || time.Now().After(deadline) {
			t.Fatalf("%s never says %q:\n%s", p.name, pattern, p.log.String())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// stop ends the process with SIGTERM, and wants it to end well.
func (p *process) stop(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(stopTimeout):
		t.Fatalf("%s does not stop:\n%s", p.name, p.log.String())
	}
	if p.code != 0 {
		t.Errorf("%s ended with code %d:\n%s", p.name, p.code, p.log.String())
	}
}

// logBuffer holds what a process wrote.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// maxRequestLines is how much of a log may be lines of requests.
const maxRequestLines = 16 << 20

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.buf.Len() > maxRequestLines && bytes.Contains(p, []byte("msg=request")) && !bytes.Contains(p, []byte("panic")) {
		return len(p), nil // a soak has millions
	}
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// server is an imzo server.
type server struct {
	*process
	folder string
	config string // text of its config.properties
	env    []string
	// url is the address for all, backend that for /backend; the same where
	// the configuration has no port for it.
	url, backend string
}

// startServer writes the configuration into the folder and starts a server
// with it. Environment variables of the test machine that would change it are
// not taken over.
func startServer(t *testing.T, folder, config string, env ...string) *server {
	t.Helper()
	s := &server{folder: folder, config: config, env: env}
	s.start(t)
	return s
}

func (s *server) start(t *testing.T) {
	t.Helper()
	path := filepath.Join(s.folder, "config.properties")
	if err := os.WriteFile(path, []byte(s.config), 0o600); err != nil {
		t.Fatal(err)
	}
	s.process = launch(t, "KILL", s.env, imzo, "server", path)
	s.url = "http://" + s.await(t, `Started http server on: ([^\s"]+)`)
	s.backend = s.url
	if strings.Contains(s.config, "backend.listen.port=") {
		s.backend = "http://" + s.await(t, `Started http server of the back end on: ([^\s"]+)`)
	}
	p := s.process
	t.Cleanup(func() { checkLog(t, p) })
}

// restart starts a stopped server again, on the port it had.
func (s *server) restart(t *testing.T) {
	t.Helper()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	s.config = strings.Replace(s.config, "listen.port=0\n", "listen.port="+port+"\n", 1)
	s.start(t)
}

// checkLog wants a process that neither crashed nor raced.
func checkLog(t *testing.T, p *process) {
	t.Helper()
	text := p.log.String()
	for _, bad := range []string{"panic", "DATA RACE", "fatal error", "goroutine "} {
		if i := strings.Index(text, bad); i >= 0 {
			t.Errorf("%s: the log has %q: %.3000s", p.name, bad, text[i:])
			return
		}
	}
}

// freePort returns a TCP port of 127.0.0.1 that nobody listens on.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// testdata returns the text of a file of the guide.
func guideFile(t *testing.T, name string) string {
	t.Helper()
	return readFile(t, filepath.Join("testdata", "guide", name))
}

// deployFile returns the text of a file of deploy/.
func deployFile(t *testing.T, name string) string {
	t.Helper()
	return readFile(t, filepath.Join("..", "..", "deploy", filepath.FromSlash(name)))
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// replaced replaces each old text by a new one, and wants every old one to be
// there exactly once: a file that changed must not pass by not being changed.
func replaced(t *testing.T, text string, oldNew ...string) string {
	t.Helper()
	for i := 0; i < len(oldNew); i += 2 {
		if n := strings.Count(text, oldNew[i]); n != 1 {
			t.Fatalf("%q is there %d times in\n%s", oldNew[i], n, text)
		}
		text = strings.Replace(text, oldNew[i], oldNew[i+1], 1)
	}
	return text
}

func properties(keyValues ...string) string {
	var b strings.Builder
	for i := 0; i < len(keyValues); i += 2 {
		fmt.Fprintf(&b, "%s=%s\n", keyValues[i], keyValues[i+1])
	}
	return b.String()
}

// waitListening waits until the process takes connections on a port.
func waitListening(t *testing.T, p *process, port int) {
	t.Helper()
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
		if err == nil {
			conn.Close()
			return
		}
		if !p.running() || time.Now().After(deadline) {
			t.Fatalf("%s does not listen on port %d: %v\n%s", p.name, port, err, p.log.String())
		}
	}
}
