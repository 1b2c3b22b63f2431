package cli

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// The scripts of testdata/script are the command line's tests. Each is run
// within this process, where coverage and the race detector see it. Those that
// are about files, streams, variables and exit codes are run once more with
// imzo as a process of its own.

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){program: func() { os.Exit(Main()) }})
}

// program is what imzo is called as a process of its own: testscript would
// prefer it to the script command otherwise.
const program = "imzo-process"

func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scripts, %v", len(files), err)
	}
	runScripts(t, files, inProcess)
}

func TestScriptsAsProcess(t *testing.T) {
	var files []string
	for _, name := range []string{"usage", "sign", "detached", "tampered", "password", "key", "key_convert", "key_password", "key_request", "key_qr", "hash", "apikey", "bench"} {
		files = append(files, "testdata/script/"+name+".txtar")
	}
	runScripts(t, files, asProcess)
}

// call is one call of imzo in a script.
type call struct {
	args           []string
	stdin          io.Reader
	stdout, stderr io.Writer
}

func runScripts(t *testing.T, files []string, run func(*testscript.TestScript, call) int) {
	for i, f := range files {
		// Absolute, since scripts change the folder of the process.
		var err error
		if files[i], err = filepath.Abs(f); err != nil {
			t.Fatal(err)
		}
	}
	testscript.Run(t, testscript.Params{
		Files: files,
		Setup: func(env *testscript.Env) error {
			env.Setenv("TZ", "UTC")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			// imzo ARGS [< FILE]: the command has to exit 0.
			"imzo": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg {
					ts.Fatalf("say which exit code: exits CODE imzo ...")
				}
				expect(ts, run, 0, args)
			},
			// exits CODE imzo ARGS [< FILE]
			"exits": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) < 2 || args[1] != "imzo" {
					ts.Fatalf("usage: exits CODE imzo ARGS")
				}
				code, err := strconv.Atoi(args[0])
				ts.Check(err)
				expect(ts, run, code, args[2:])
			},
			// octets FILE TEXT [COUNT]: TEXT, with the escapes of Go, COUNT
			// times and without a line break.
			"octets": func(ts *testscript.TestScript, _ bool, args []string) {
				if len(args) < 2 {
					ts.Fatalf("usage: octets FILE TEXT [COUNT]")
				}
				text, err := strconv.Unquote(`"` + args[1] + `"`)
				ts.Check(err)
				count := 1
				if len(args) > 2 {
					count, err = strconv.Atoi(args[2])
					ts.Check(err)
				}
				ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Repeat(text, count)), 0o600))
			},
			// unhex FILE HEX
			"unhex": func(ts *testscript.TestScript, _ bool, args []string) {
				b, err := hex.DecodeString(args[1])
				ts.Check(err)
				ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o600))
			},
			// replace FILE OLD NEW: one text in a file, which must be there.
			"replace": func(ts *testscript.TestScript, _ bool, args []string) {
				name := ts.MkAbs(args[0])
				b, err := os.ReadFile(name)
				ts.Check(err)
				if !bytes.Contains(b, []byte(args[1])) {
					ts.Fatalf("%s has no %q", args[0], args[1])
				}
				ts.Check(os.WriteFile(name, bytes.Replace(b, []byte(args[1]), []byte(args[2]), 1), 0o600))
			},
			// mode FILE PERM
			"mode": func(ts *testscript.TestScript, _ bool, args []string) {
				info, err := os.Stat(ts.MkAbs(args[0]))
				ts.Check(err)
				if got := strconv.FormatUint(uint64(info.Mode().Perm()), 8); got != args[1] {
					ts.Fatalf("%s has mode %s, not %s", args[0], got, args[1])
				}
			},
		},
	})
}

func expect(ts *testscript.TestScript, run func(*testscript.TestScript, call) int, want int, args []string) {
	c := call{args: args, stdin: strings.NewReader(""), stdout: ts.Stdout(), stderr: ts.Stderr()}
	if n := len(args); n >= 2 && args[n-2] == "<" {
		c.args, c.stdin = args[:n-2], strings.NewReader(ts.ReadFile(args[n-1]))
	}
	if got := run(ts, c); got != want {
		ts.Fatalf("imzo exits %d, not %d", got, want)
	}
}

// portVariable stands for the variables that override a server's keys.
const portVariable = "EIMZO_CFG_LISTEN_PORT"

// process guards what belongs to the whole process: its folder and its
// variables.
var process sync.Mutex

// inProcess runs the command here, in the script's folder and with the
// variables of it that imzo knows.
func inProcess(ts *testscript.TestScript, c call) int {
	process.Lock()
	defer process.Unlock()
	old, err := os.Getwd()
	ts.Check(err)
	ts.Check(os.Chdir(ts.MkAbs(".")))
	defer func() { ts.Check(os.Chdir(old)) }()
	for _, name := range []string{"IMZO_PASSWORD", "HOME", portVariable} {
		defer setenv(name, os.Getenv(name))
		setenv(name, ts.Getenv(name))
	}
	return run(context.Background(), c.args, env{stdin: c.stdin, stdout: c.stdout, stderr: c.stderr, now: time.Now, ask: noTerminal})
}

// setenv sets a variable; an empty one is none.
func setenv(name, value string) {
	if value == "" {
		_ = os.Unsetenv(name)
		return
	}
	_ = os.Setenv(name, value)
}

// asProcess runs the command that TestMain put into the script's PATH.
func asProcess(ts *testscript.TestScript, c call) int {
	path, err := exec.LookPath(program)
	ts.Check(err)
	cmd := exec.Command(path, c.args...)
	cmd.Dir = ts.MkAbs(".")
	withoutTerminal(cmd)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.stdin, c.stdout, c.stderr
	cmd.Env = append(os.Environ(), "HOME="+ts.Getenv("HOME"), "TZ=UTC")
	if p := ts.Getenv("IMZO_PASSWORD"); p != "" {
		cmd.Env = append(cmd.Env, "IMZO_PASSWORD="+p)
	}
	if p := ts.Getenv(portVariable); p != "" {
		cmd.Env = append(cmd.Env, portVariable+"="+p)
	}
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	ts.Check(err)
	return 0
}
