package peer

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestRequiredReadsTheList(t *testing.T) {
	for _, tc := range []struct {
		name, list string
		yes        bool
		unknown    []string
	}{
		{"openssl", "", false, nil},
		{"openssl", "openssl", true, nil},
		{"redis", "openssl, redis ,", true, nil},
		{"nginx", "openssl,redis", false, nil},
		{"openssl", "opensll,gost", false, []string{"gost", "opensll"}},
	} {
		yes, unknown := required(tc.name, tc.list)
		if yes != tc.yes || !slices.Equal(unknown, tc.unknown) {
			t.Errorf("required(%q, %q) = %v, %q; want %v, %q", tc.name, tc.list, yes, unknown, tc.yes, tc.unknown)
		}
	}
}

// verdict records how a test ended instead of ending it.
type verdict struct {
	testing.TB
	skipped, failed string
}

func (v *verdict) Helper() {}

func (v *verdict) Fatal(args ...any) {
	v.failed = fmt.Sprint(args...)
	runtime.Goexit()
}

func (v *verdict) Fatalf(format string, args ...any) {
	v.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (v *verdict) Skipf(format string, args ...any) {
	v.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func judge(t *testing.T, f func(t testing.TB)) *verdict {
	t.Helper()
	v := &verdict{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(v)
	}()
	<-done
	return v
}

func TestAbsentPeerSkipsUnlessRequired(t *testing.T) {
	t.Setenv(requireEnv, "redis")
	missing := func(t testing.TB) { program(t, nameNginx, "imzo-no-such-program") }
	if v := judge(t, missing); v.failed != "" || !strings.Contains(v.skipped, "apt-get install nginx") {
		t.Errorf("not required: skipped %q, failed %q", v.skipped, v.failed)
	}
	t.Setenv(requireEnv, "redis,nginx")
	if v := judge(t, missing); v.skipped != "" || !strings.Contains(v.failed, "apt-get install nginx") {
		t.Errorf("required: skipped %q, failed %q", v.skipped, v.failed)
	}
	t.Setenv(requireEnv, "ngnix")
	if v := judge(t, missing); !strings.Contains(v.failed, "ngnix") {
		t.Errorf("misspelt: skipped %q, failed %q", v.skipped, v.failed)
	}
}

func TestMissingJarSkips(t *testing.T) {
	BouncyCastle(t)
	t.Setenv(requireEnv, "")
	t.Setenv(jarsEnv, "/nowhere/bcprov.jar")
	if v := judge(t, func(t testing.TB) { BouncyCastle(t) }); !strings.Contains(v.skipped, "libbcprov-java") {
		t.Errorf("skipped %q, failed %q", v.skipped, v.failed)
	}
}

func TestProgramsAreFound(t *testing.T) {
	for name, find := range map[string]func(testing.TB) string{
		"nginx": Nginx, "chromium": Chromium, "rhash": RHash, "systemd": SystemdAnalyze, "strace": Strace, "keytool": Keytool, "zbarimg": ZBar, "certutil": Certutil,
	} {
		t.Run(name, func(t *testing.T) {
			if path := find(t); !filepath.IsAbs(path) {
				t.Errorf("path %q is not absolute", path)
			}
		})
	}
}

func TestOpenSSLHashesItsInput(t *testing.T) {
	o := OpenSSL(t)
	want := sha256.Sum256([]byte("abc"))
	if got := o.Run(t, []byte("abc"), "dgst", "-sha256", "-binary"); !slices.Equal(got, want[:]) {
		t.Errorf("got %x, want %x", got, want)
	}
	if _, err := o.TryRun(t, nil, "imzo-command"); err == nil {
		t.Error("an unknown command gave no error")
	}
	if _, err := exec.LookPath(o.Path()); err != nil {
		t.Error(err)
	}
}

func TestOpenSSLGOSTLoadsTheEngine(t *testing.T) {
	o := OpenSSLGOST(t)
	const want = "b285056dbf18d7392d7677369524dd14747459ed8143997e163b2986f92fd42c"
	if got := hex.EncodeToString(o.Run(t, []byte("abc"), "dgst", "-md_gost94", "-binary")); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	// A key and a self-signed certificate need the engine and the
	// configuration's req section.
	cert := o.Run(t, nil, "req", "-x509", "-newkey", "gost2001", "-pkeyopt", "paramset:A", "-nodes", "-subj", "/CN=test",
		"-keyout", filepath.Join(t.TempDir(), "key.pem"))
	if !strings.Contains(string(cert), "BEGIN CERTIFICATE") {
		t.Errorf("got %q", cert)
	}
}

func TestWithEnvLeavesTheOriginal(t *testing.T) {
	o := OpenSSL(t)
	c := o.WithEnv("IMZO_PEER_TEST=1")
	if !slices.Contains(c.Env(), "IMZO_PEER_TEST=1") || slices.Contains(o.Env(), "IMZO_PEER_TEST=1") {
		t.Error("WithEnv did not set the variable in the copy only")
	}
}

func TestJavaAnswersLineByLine(t *testing.T) {
	p := BouncyCastle(t).Start(t, "Echo", "testdata/Echo.java")
	sum := sha256.Sum256([]byte("salom dunyo"))
	if got, want := p.Ask(t, "hash salom dunyo"), hex.EncodeToString(sum[:]); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	long := strings.Repeat("0123456789abcdef", 1<<17)
	if p.Ask(t, long) != long {
		t.Error("a line of 2 MiB came back changed")
	}
	if _, err := p.TryAsk("two\nlines"); err == nil {
		t.Error("a question of two lines was sent")
	}
	if _, err := p.TryAsk("die"); err == nil || !strings.Contains(err.Error(), "asked to die") {
		t.Errorf("a dead program gave %v", err)
	}
}

func TestJavaCompilesOnce(t *testing.T) {
	j := BouncyCastle(t)
	dir := t.TempDir()
	src := filepath.Join(dir, "One.java")
	const text = `public class One { public static void main(String[] a) throws Exception { while (System.in.read() >= 0) { System.out.println("one"); } } }`
	if err := os.WriteFile(src, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := j.Start(t, "One", src).Ask(t, ""); got != "one" {
		t.Errorf("got %q", got)
	}
	// The second start may not need the source any more.
	if err := os.Remove(src); err != nil {
		t.Fatal(err)
	}
	if got := j.Start(t, "One", src).Ask(t, ""); got != "one" {
		t.Errorf("got %q", got)
	}
}

func TestRedisStopsAndStartsAtTheSameAddress(t *testing.T) {
	r := Redis(t)
	addr := r.Addr()
	if got := redisAsk(t, addr, "SET k v"); got != "+OK" {
		t.Errorf("SET: %q", got)
	}
	r.Start() // already running: nothing happens
	if got := redisAsk(t, addr, "STRLEN k"); got != ":1" {
		t.Errorf("STRLEN: %q", got)
	}
	r.Stop()
	r.Stop()
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		t.Error("a stopped server accepts connections")
	}
	r.Start()
	if r.Addr() != addr {
		t.Errorf("address %s became %s", addr, r.Addr())
	}
	if got := redisAsk(t, addr, "STRLEN k"); got != ":0" {
		t.Errorf("STRLEN after the restart: %q", got)
	}
}

func redisAsk(t *testing.T, addr, command string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, command+"\r\n"); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimRight(line, "\r\n")
}

func TestFailingPeersFailTheTest(t *testing.T) {
	o, j := OpenSSL(t), BouncyCastle(t)
	dir := t.TempDir()
	broken := filepath.Join(dir, "Broken.java")
	if err := os.WriteFile(broken, []byte("public class Broken { int"), 0o600); err != nil {
		t.Fatal(err)
	}
	silent := filepath.Join(dir, "Silent.java")
	const text = `public class Silent { public static void main(String[] a) { System.err.println("nothing to say"); } }`
	if err := os.WriteFile(silent, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		f    func(t testing.TB)
		want string
	}{
		"openssl exits with 1":   {func(t testing.TB) { o.Run(t, nil, "verify", "/nowhere.pem") }, "openssl verify /nowhere.pem"},
		"source does not parse":  {func(t testing.TB) { j.Start(t, "Broken", broken) }, "Broken.java"},
		"program has no answers": {func(t testing.TB) { j.Start(t, "Silent", silent).Ask(t, "well?") }, "Silent"},
		"no such program": {func(t testing.TB) {
			(&OpenSSLPeer{path: "/nowhere/openssl"}).Run(t, nil, "version")
		}, "/nowhere/openssl"},
	} {
		if v := judge(t, tc.f); !strings.Contains(v.failed, tc.want) || v.skipped != "" {
			t.Errorf("%s: failed %q, skipped %q", name, v.failed, v.skipped)
		}
	}
	if !strings.Contains(j.Classpath(), "bcprov") {
		t.Errorf("class path %q", j.Classpath())
	}
}
