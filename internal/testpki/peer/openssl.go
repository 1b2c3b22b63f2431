package peer

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// opensslTimeout ends a command that waits for input it will never get.
const opensslTimeout = 2 * time.Minute

// gostConfig makes every openssl command load the GOST engine and use its
// algorithms by name. The ciphers' S-box is CryptoPro-A; the variable
// CRYPT_PARAMS, set by WithEnv, takes another by name.
const gostConfig = `openssl_conf = openssl_init

[openssl_init]
engines = engines

[engines]
gost = gost

[gost]
engine_id = gost
default_algorithms = ALL
CRYPT_PARAMS = id-Gost28147-89-CryptoPro-A-ParamSet

[req]
distinguished_name = req_dn

[req_dn]
`

// OpenSSLPeer runs the openssl command line program.
type OpenSSLPeer struct {
	path string
	conf string // value of OPENSSL_CONF; empty leaves the system's
	env  []string
}

// OpenSSL returns the installed openssl program.
func OpenSSL(t testing.TB) *OpenSSLPeer {
	t.Helper()
	return &OpenSSLPeer{path: program(t, nameOpenSSL, "openssl")}
}

// OpenSSLGOST returns the openssl program with the GOST engine loaded by a
// configuration file of its own, which lives until the test ends.
func OpenSSLGOST(t testing.TB) *OpenSSLPeer {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "openssl-gost.cnf")
	if err := os.WriteFile(conf, []byte(gostConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	o := &OpenSSLPeer{path: program(t, nameGOSTEngine, "openssl"), conf: conf}
	if out, err := o.TryRun(t, nil, "dgst", "-md_gost94", "-binary"); err != nil || len(out) != 32 {
		absent(t, nameGOSTEngine, fmt.Sprintf("openssl gives no GOST R 34.11-94 digest (%d bytes, %v)", len(out), err))
	}
	return o
}

// Path returns the path of the openssl program, for tests that must start it
// themselves (s_server, ocsp -port). Give such a process Env as environment.
func (o *OpenSSLPeer) Path() string { return o.path }

// Env returns the environment openssl has to run with.
func (o *OpenSSLPeer) Env() []string {
	env := os.Environ()
	if o.conf != "" {
		env = append(env, "OPENSSL_CONF="+o.conf)
	}
	return append(env, o.env...)
}

// WithEnv returns a copy of the peer that also sets the variables, given as
// NAME=value.
func (o *OpenSSLPeer) WithEnv(vars ...string) *OpenSSLPeer {
	c := *o
	c.env = append(slices.Clip(o.env), vars...)
	return &c
}

// Run runs openssl with the arguments, feeds it stdin and returns what it
// wrote to standard output. A command that fails ends the test.
func (o *OpenSSLPeer) Run(t testing.TB, stdin []byte, args ...string) []byte {
	t.Helper()
	out, err := o.TryRun(t, stdin, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TryRun is Run for commands that may fail, such as verifying a broken
// signature. The error holds the arguments and standard error; the output is
// returned also with an error.
func (o *OpenSSLPeer) TryRun(t testing.TB, stdin []byte, args ...string) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), opensslTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, o.path, args...)
	cmd.Env = o.Env()
	cmd.Stdin = bytes.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.Bytes(), fmt.Errorf("openssl %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.Bytes(), nil
}
