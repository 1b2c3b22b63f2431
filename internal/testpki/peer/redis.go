package peer

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	redisStartTimeout = 10 * time.Second
	redisPortTries    = 5
)

// redisScript runs redis-server, tells its process number and kills it when
// standard input ends. The input is a pipe held by the test process, so the
// server dies with the tests however they end.
const redisScript = `"$@" & p=$!; echo $p; cat >/dev/null; kill -9 $p; wait $p`

// RedisServer is a real redis-server on 127.0.0.1 that keeps its data in
// memory only: what it held is gone after Stop.
type RedisServer struct {
	t    testing.TB
	path string
	dir  string
	port int
	args []string // further arguments of redis-server

	cmd   *exec.Cmd // nil while stopped
	stdin io.Closer
}

// Redis starts a redis-server on a free port, with further arguments such as
// "--cluster-enabled", "yes"; it is stopped when the test ends. A sentinel
// needs "--sentinel", and gets the configuration file it insists on.
func Redis(t testing.TB, args ...string) *RedisServer {
	t.Helper()
	r := &RedisServer{t: t, path: program(t, nameRedis, "redis-server"), dir: t.TempDir(), args: args}
	if slices.Contains(args, "--sentinel") {
		file := filepath.Join(r.dir, "sentinel.conf")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		r.args = append([]string{file}, args...)
	}
	t.Cleanup(r.Stop)
	// A port that is free now may be taken when the server opens it, so
	// another is tried then.
	var err error
	for range redisPortTries {
		if r.port, err = freePort(); err != nil {
			t.Fatal(err)
		}
		if err = r.start(); err == nil {
			return r
		}
	}
	t.Fatal(err)
	return nil
}

// Addr returns the server's address, host:port; it stays the same over Stop
// and Start.
func (r *RedisServer) Addr() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port))
}

// Stop kills the server at once, as a crash would; connections break and
// new ones are refused when it returns. Stopping a stopped server is no
// error.
func (r *RedisServer) Stop() {
	if r.cmd == nil {
		return
	}
	r.stdin.Close()
	_ = r.cmd.Wait() // the status of a killed process tells nothing
	r.cmd = nil
}

// Start starts a stopped server again, empty, at the same address, and
// returns when it answers.
func (r *RedisServer) Start() {
	r.t.Helper()
	if r.cmd != nil {
		return
	}
	if err := r.start(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *RedisServer) start() error {
	log := filepath.Join(r.dir, "redis.log")
	args := append([]string{"-c", redisScript, "sh", r.path}, r.args...)
	cmd := exec.Command("/bin/sh", append(args,
		"--bind", "127.0.0.1", "--port", strconv.Itoa(r.port), "--dir", r.dir,
		"--save", "", "--appendonly", "no", "--daemonize", "no", "--logfile", log)...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	r.cmd, r.stdin = cmd, stdin
	pid, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		r.Stop()
		return fmt.Errorf("redis-server: %w", err)
	}

	deadline := time.Now().Add(redisStartTimeout)
	for {
		// Asking for the process number makes sure that the answer is from
		// this server and not from another on a port lost to it.
		err = redisIsProcess(r.Addr(), strings.TrimSpace(pid))
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	r.Stop()
	text, _ := os.ReadFile(log) // best effort, for the message only
	return fmt.Errorf("redis-server at %s does not answer: %w\n%s", r.Addr(), err, text)
}

// redisIsProcess asks the server at addr for its process number.
func redisIsProcess(addr, pid string) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "INFO server\r\n"); err != nil {
		return err
	}
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		if got, ok := strings.CutPrefix(lines.Text(), "process_id:"); ok {
			if got != pid {
				return fmt.Errorf("process %s answers, want %s", got, pid)
			}
			return nil
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return fmt.Errorf("no process_id in the answer to INFO")
}

// freePort returns a TCP port of 127.0.0.1 that nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
