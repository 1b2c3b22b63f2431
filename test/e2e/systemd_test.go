//go:build unix

package e2e

import (
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"imzo/internal/testpki/peer"
)

const unitFile = "systemd/imzo.service"

// unitWith writes the unit for the binary under test instead of an installed
// one.
func unitWith(t *testing.T, change ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "imzo.service")
	text := strings.ReplaceAll(deployFile(t, unitFile), "/usr/bin/imzo", imzo)
	if err := os.WriteFile(path, []byte(replaced(t, text, change...)), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSystemdTakesTheUnit(t *testing.T) {
	program := peer.SystemdAnalyze(t)
	verify := func(path string) string {
		// It exits 0 with some mistakes, and prints all of them.
		out, err := exec.CommandContext(t.Context(), program, "verify", "--man=no", path).CombinedOutput()
		if err != nil {
			return err.Error() + "\n" + string(out)
		}
		return string(out)
	}
	if text := verify(unitWith(t)); text != "" {
		t.Errorf("systemd-analyze verify:\n%s", text)
	}
	if text := verify(unitWith(t, "ProtectSystem=strict", "ProtectSistem=strict")); !strings.Contains(text, "ProtectSistem") {
		t.Errorf("a misspelt line passes: %q", text)
	}
}

func TestSystemdTakesTheUnitOfTheAgent(t *testing.T) {
	program := peer.SystemdAnalyze(t)
	path := filepath.Join(t.TempDir(), "imzo-agent.service")
	text := strings.ReplaceAll(deployFile(t, "systemd/imzo-agent.service"), "/usr/bin/imzo", imzo)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), program, "verify", "--user", "--man=no", path)
	command.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+t.TempDir(), "HOME="+t.TempDir())
	out, err := command.CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// The file for macOS can be read, and starts the agent.
func TestTheFileForLaunchdIsWellFormed(t *testing.T) {
	d := xml.NewDecoder(strings.NewReader(deployFile(t, "launchd/uz.imzo.agent.plist")))
	var words []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, ok := token.(xml.CharData); ok && strings.TrimSpace(string(text)) != "" {
			words = append(words, string(text))
		}
	}
	if all := strings.Join(words, " "); !strings.Contains(all, "ProgramArguments /usr/local/bin/imzo agent RunAtLoad") {
		t.Error(all)
	}
}

// What is left, of 10: that it talks to the network, that its root is the
// machine's, and 0.1 for the real-time clock, which is read-only.
func TestSystemdFindsTheUnitWellSandboxed(t *testing.T) {
	program := peer.SystemdAnalyze(t)
	security := func(path string) ([]byte, error) {
		return exec.CommandContext(t.Context(), program, "security", "--no-pager", "--offline=true", "--threshold=12", path).CombinedOutput()
	}
	if out, err := security(unitWith(t)); err != nil {
		t.Errorf("exposure above 1.2: %v\n%s", err, out)
	}
	if out, err := security(unitWith(t, "SystemCallFilter=@system-service\n", "")); err == nil {
		t.Errorf("without the filter of system calls it is as well:\n%s", out)
	}
}

// The sandbox needs a booted systemd. What the system-call filter would do to
// the server is known without: trace a server through all it does, and hold
// each call to the filter.
func TestTheServerNeedsNoSystemCallThatTheUnitRefuses(t *testing.T) {
	analyze, strace := peer.SystemdAnalyze(t), peer.Strace(t)
	if raceDetector {
		t.Skip("the race detector makes system calls of its own")
	}
	allowed := unitSystemCalls(t, analyze)
	if n := len(allowed); n < 100 || allowed["mount"] || allowed["ptrace"] || allowed["setuid"] || !allowed["accept4"] || !allowed["mmap"] {
		t.Fatalf("the filter was read wrongly: %d calls", n)
	}

	w := newWorld(t, 1)
	redis := startRedis(t)
	folder := w.folder("traced")
	config := filepath.Join(folder, "config.properties")
	if err := os.WriteFile(config, []byte(clusterConfig(t, w, redis.Addr())), 0o600); err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join(folder, "trace")
	p := launch(t, "KILL", nil, strace, "-f", "-qq", "-o", trace, imzo, "server", config)
	url := "http://" + p.await(t, `Started http server on: ([^\s"]+)`)
	for range 20 {
		if a, err := w.logIn(w.people[0], url, url); err != nil || a.Status != 1 {
			t.Fatalf("%+v, %v", a, err)
		}
	}
	w.must(t, url+"/backend/pkcs7/verify/attached", "bad")
	pid := firstPID(t, trace)
	if out, err := exec.CommandContext(t.Context(), "kill", "-HUP", pid).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	p.await(t, "SIGHUP")
	if out, err := exec.CommandContext(t.Context(), "kill", "-TERM", pid).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	select {
	case <-p.ended:
	case <-time.After(stopTimeout):
		t.Fatal("it does not stop")
	}

	made := map[string]bool{}
	line := regexp.MustCompile(`(?m)^\d+\s+([a-z][a-z0-9_]*)\((.*)$`)
	for _, m := range line.FindAllStringSubmatch(readFile(t, trace), -1) {
		// The first call starts the program, in systemd's place.
		if m[1] != "execve" {
			made[m[1]] = true
		}
		if (m[1] == "mmap" || m[1] == "mprotect") && strings.Contains(m[2], "PROT_WRITE") && strings.Contains(m[2], "PROT_EXEC") {
			t.Errorf("MemoryDenyWriteExecute= refuses %s(%s", m[1], m[2])
		}
		if m[1] == "socket" && !strings.HasPrefix(m[2], "AF_INET") {
			t.Errorf("RestrictAddressFamilies= refuses %s(%s", m[1], m[2])
		}
	}
	if len(made) < 15 || !made["socket"] {
		t.Fatalf("the trace has only %v", slices.Sorted(maps.Keys(made)))
	}
	for _, name := range slices.Sorted(maps.Keys(made)) {
		if !allowed[name] {
			t.Errorf("SystemCallFilter= refuses %s", name)
		}
	}
}

// firstPID is the traced process itself, whose first line strace writes first.
func firstPID(t *testing.T, trace string) string {
	t.Helper()
	pid, _, _ := strings.Cut(readFile(t, trace), " ")
	return pid
}

// unitSystemCalls expands the unit's SystemCallFilter= lines: the first one
// allows, those that begin with ~ take away (systemd.exec(5)).
func unitSystemCalls(t *testing.T, analyze string) map[string]bool {
	t.Helper()
	sets := map[string][]string{}
	var expand func(name string) []string
	expand = func(name string) []string {
		if !strings.HasPrefix(name, "@") {
			return []string{name}
		}
		if _, ok := sets[name]; !ok {
			sets[name] = nil
			out, err := exec.CommandContext(t.Context(), analyze, "--no-pager", "syscall-filter", name).Output()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			var calls []string
			for l := range strings.Lines(string(out)) {
				if l = strings.TrimSpace(l); l != "" && l != name && !strings.HasPrefix(l, "#") {
					calls = append(calls, expand(l)...)
				}
			}
			sets[name] = calls
		}
		return sets[name]
	}
	allowed := map[string]bool{}
	for _, call := range expand("@default") { // always there
		allowed[call] = true
	}
	for l := range strings.Lines(deployFile(t, unitFile)) {
		list, ok := strings.CutPrefix(strings.TrimSpace(l), "SystemCallFilter=")
		if !ok {
			continue
		}
		list, refuse := strings.CutPrefix(list, "~")
		for name := range strings.FieldsSeq(list) {
			for _, call := range expand(name) {
				allowed[call] = !refuse
			}
		}
	}
	return allowed
}
