package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/internal/testpki/peer"
	"imzo/internal/trust"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/keystore"
	"imzo/pki/tsp"
	"imzo/verify"
)

// outcome is what one call of imzo leaves.
type outcome struct {
	code           int
	stdout, stderr string
}

// imzoAt calls imzo within this process at a time.
func imzoAt(t *testing.T, now time.Time, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, env{
		stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, now: func() time.Time { return now },
		ask: func(string) (string, error) { return "", errors.New("nobody is there to ask") },
	})
	return outcome{code, stdout.String(), stderr.String()}
}

func imzo(t *testing.T, args ...string) outcome {
	t.Helper()
	return imzoAt(t, time.Now(), args...)
}

// ok calls imzo, which has to exit 0, and returns its output.
func ok(t *testing.T, args ...string) string {
	t.Helper()
	return okAt(t, time.Now(), args...)
}

func okAt(t *testing.T, now time.Time, args ...string) string {
	t.Helper()
	o := imzoAt(t, now, args...)
	if o.code != 0 {
		t.Fatalf("imzo %s exits %d:\n%s%s", strings.Join(args, " "), o.code, o.stdout, o.stderr)
	}
	return o.stdout
}

func write(t *testing.T, name string, b []byte) string {
	t.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// services is a hierarchy that answers over HTTP, with one user. It was made
// two hours ago, so that things can have happened since.
type services struct {
	dir, root, user, password, content string
	url                                string
	authority                          *trust.Authority
}

func newServices(t *testing.T) *services {
	t.Helper()
	tmp := t.TempDir()
	s := &services{dir: filepath.Join(tmp, "trust"), user: filepath.Join(tmp, "user.pfx")}
	s.password = write(t, filepath.Join(tmp, "pw"), []byte("1\n"))
	s.content = write(t, filepath.Join(tmp, "contract.txt"), []byte("ten sums"))
	server := httptest.NewUnstartedServer(nil)
	s.url = "http://" + server.Listener.Addr().String()
	made := time.Now().Add(-2 * time.Hour)
	okAt(t, made, "trust", "init", "--dir", s.dir, "--url", s.url)
	okAt(t, made, "trust", "issue", "--dir", s.dir, "--cn", "IVANOV IVAN", "--pinfl", "30000000000000", "--password-file", s.password, "-o", s.user)
	authority, err := trust.Open(s.dir, trust.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.authority = authority
	server.Config.Handler = authority.Handler()
	server.Start()
	t.Cleanup(server.Close)
	s.root = filepath.Join(s.dir, "root.pem")
	return s
}

// serial is the user's serial number.
func (s *services) serial(t *testing.T) string {
	t.Helper()
	var keys []keyInfo
	if err := json.Unmarshal([]byte(ok(t, "key", "info", "--json", "--password-file", s.password, s.user)), &keys); err != nil {
		t.Fatal(err)
	}
	return keys[0].Certificates[0].SerialNumber
}

func TestDocumentsAreStampedAndCheckedOverHTTP(t *testing.T) {
	s := newServices(t)
	plain, stamped, old := s.content+".p7s", s.content+".stamped.p7s", s.content+".old.p7s"
	hourAgo := time.Now().Add(-time.Hour)
	okAt(t, hourAgo, "sign", "--key", s.user, "--password-file", s.password, "-o", plain, s.content)
	okAt(t, hourAgo, "timestamp", "--dir", s.dir, "-o", old, plain)
	ok(t, "timestamp", "--tsa", s.authority.TSAURL(), "-o", stamped, plain)
	for _, file := range []string{plain, stamped, old} {
		out := ok(t, "verify", "--trust", s.root, file)
		if !strings.HasPrefix(out, "VALID: "+file+", signed by IVANOV IVAN\n") {
			t.Errorf("%s:\n%s", file, out)
		}
		ok(t, "verify", "--trust", s.root, "--ocsp", s.authority.OCSPURL(), file)
	}

	// After a revocation only what was stamped before stays valid, and with
	// --strict not even that.
	if out := ok(t, "trust", "revoke", "--dir", s.dir, "--reason", "superseded", s.serial(t)); !strings.Contains(out, " is revoked since ") {
		t.Errorf("revoke prints %q", out)
	}
	o := imzo(t, "verify", "--trust", s.root, plain)
	if o.code != 1 || !strings.Contains(o.stdout, "NOT VALID: "+plain+": signer 1 (IVANOV IVAN): the certificate is revoked") || !strings.Contains(o.stdout, "do not rely on the signature") {
		t.Errorf("revoked: exit %d\n%s", o.code, o.stdout)
	}
	ok(t, "verify", "--trust", s.root, old)
	if o := imzo(t, "verify", "--trust", s.root, "--strict", old); o.code != 1 {
		t.Errorf("strict: exit %d\n%s", o.code, o.stdout)
	}
}

func TestSuspensionIsTakenBack(t *testing.T) {
	s := newServices(t)
	signed := s.content + ".p7s"
	ok(t, "sign", "--key", s.user, "--password-file", s.password, "-o", signed, s.content)
	serial := s.serial(t)
	var record trust.Record
	if err := json.Unmarshal([]byte(ok(t, "trust", "suspend", "--json", "--dir", s.dir, serial)), &record); err != nil || record.Serial != serial {
		t.Fatalf("%+v, %v", record, err)
	}
	if o := imzo(t, "verify", "--trust", s.root, signed); o.code != 1 || !strings.Contains(o.stdout, "revoked or suspended") {
		t.Errorf("exit %d\n%s", o.code, o.stdout)
	}
	ok(t, "trust", "resume", "--dir", s.dir, serial)
	ok(t, "verify", "--trust", s.root, signed)
	if o := imzo(t, "trust", "resume", "--dir", s.dir, serial); o.code != 1 {
		t.Errorf("resumed twice: exit %d", o.code)
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	s := newServices(t)
	ctx, cancel := context.WithCancel(t.Context())
	started := make(chan string, 10)
	done := make(chan int)
	e := env{stdin: strings.NewReader(""), stdout: &bytes.Buffer{}, stderr: lineWriter(started), now: time.Now}
	go func() { done <- run(ctx, []string{"trust", "serve", "--dir", s.dir, "--listen", "127.0.0.1:0"}, e) }()
	if line := <-started; !strings.HasPrefix(line, "trust services on http://127.0.0.1:") {
		t.Errorf("prints %q", line)
	}
	cancel()
	if code := <-done; code != 0 {
		t.Errorf("exit %d", code)
	}
	// The hierarchy's own address is taken by the test's server.
	if o := imzo(t, "trust", "serve", "--dir", s.dir); o.code != 1 || !strings.Contains(o.stderr, "address already in use") {
		t.Errorf("exit %d: %s", o.code, o.stderr)
	}
}

// lineWriter hands on what is written, write by write.
type lineWriter chan string

func (w lineWriter) Write(b []byte) (int, error) {
	w <- string(b)
	return len(b), nil
}

func TestSignWarnsAboutACertificateThatIsNotValidNow(t *testing.T) {
	dir := t.TempDir()
	key := filepath.Join(dir, "key.pem")
	content := write(t, filepath.Join(dir, "c"), []byte("x"))
	out := filepath.Join(dir, "c.p7s")
	ok(t, "key", "new", "--subject", "CN=OLD", "--days", "10", "--pem", "-o", key)
	for _, c := range []struct {
		now  time.Time
		want string
	}{
		{time.Now(), ""},
		{time.Now().AddDate(0, 1, 0), "warning: the certificate of OLD expired on "},
		{time.Now().AddDate(0, -1, 0), "warning: the certificate of OLD is not valid before "},
	} {
		o := imzoAt(t, c.now, "sign", "--key", key, "-o", out, content)
		if o.code != 0 || !strings.Contains(o.stderr, c.want) || (c.want == "") != (o.stderr == "") {
			t.Errorf("%v: exit %d, %q", c.now, o.code, o.stderr)
		}
	}
	o := imzoAt(t, time.Now().AddDate(0, 1, 0), "verify", "--trust", key, "--offline", out)
	if o.code != 1 || !strings.Contains(o.stdout, "not valid") {
		t.Errorf("signed too early: exit %d\n%s", o.code, o.stdout)
	}
	if o := imzoAt(t, time.Now().AddDate(0, 1, 0), "key", "info", key); !strings.Contains(o.stdout, "(EXPIRED)") {
		t.Errorf("info:\n%s", o.stdout)
	}
	if o := imzoAt(t, time.Now().AddDate(0, -1, 0), "key", "info", key); !strings.Contains(o.stdout, "(NOT VALID YET)") {
		t.Errorf("info:\n%s", o.stdout)
	}
}

func TestOneOfSeveralKeysIsChosenByAlias(t *testing.T) {
	p := testpki.NewAt(t, "ecdsa:P-256", time.Now())
	var entries []keystore.Entry
	for _, subject := range []string{"CN=FIRST PERSON", "CN=SECOND PERSON", "CN=SECOND ORGANISATION"} {
		u := p.User(t, subject)
		entries = append(entries, keystore.Entry{Alias: keystore.Alias(u.Cert, time.UTC), Key: u.Key, Chain: u.Chain})
	}
	pfx, err := keystore.CreatePFX(rand.Reader, entries, "1", keystore.ProfileModern)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "three.pfx"), pfx)
	password := write(t, filepath.Join(dir, "pw"), []byte("1"))
	sign := func(alias string) outcome {
		return imzo(t, "sign", "--key", file, "--password-file", password, "--alias", alias, "--json", "-o", filepath.Join(dir, "out"), password)
	}
	for alias, subject := range map[string]string{
		"first":                           "CN=FIRST PERSON",
		"Second Person":                   "CN=SECOND PERSON",
		strings.ToUpper(entries[2].Alias): "CN=SECOND ORGANISATION",
	} {
		if o := sign(alias); o.code != 0 || !strings.Contains(o.stdout, subject) {
			t.Errorf("%s: exit %d\n%s%s", alias, o.code, o.stdout, o.stderr)
		}
	}
	for _, alias := range []string{"", "second", "third"} {
		o := sign(alias)
		if o.code != 2 || !strings.Contains(o.stderr, "say which key with --alias") || !strings.Contains(o.stderr, entries[1].Alias) {
			t.Errorf("%q: exit %d\n%s", alias, o.code, o.stderr)
		}
	}
}

func TestPasswordIsAskedForWhenNoneIsGiven(t *testing.T) {
	dir := t.TempDir()
	content := write(t, filepath.Join(dir, "c"), []byte("x"))
	key := filepath.Join(dir, "k.pfx")
	call := func(answers []string, args ...string) (code int, asked []string, stderr string) {
		var b bytes.Buffer
		code = run(t.Context(), args, env{
			stdin: strings.NewReader("the document"), stdout: &bytes.Buffer{}, stderr: &b, now: time.Now,
			ask: func(prompt string) (string, error) {
				if asked = append(asked, prompt); len(asked) > len(answers) {
					return "", usagef("a password is needed")
				}
				return answers[len(asked)-1], nil
			},
		})
		return code, asked, b.String()
	}
	// A new password is typed twice.
	if code, _, stderr := call([]string{"a", "b"}, "key", "new", "--subject", "CN=X", "-o", key); code != 1 || !strings.Contains(stderr, "the two passwords differ") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	for _, answers := range [][]string{nil, {"a"}} {
		if code, _, _ := call(answers, "key", "new", "--subject", "CN=X", "-o", key); code != 2 {
			t.Errorf("without a terminal: exit %d", code)
		}
	}
	if code, asked, stderr := call([]string{"a", "a"}, "key", "new", "--subject", "CN=X", "-o", key); code != 0 || len(asked) != 2 {
		t.Fatalf("exit %d, asked %q: %s", code, asked, stderr)
	}
	// Also while standard input is the document.
	code, asked, stderr := call([]string{"a"}, "sign", "--key", key, "-o", content+".p7s", "-")
	if code != 0 || len(asked) != 1 || !strings.Contains(asked[0], key) {
		t.Errorf("exit %d, asked %q: %s", code, asked, stderr)
	}
	if code, _, _ := call([]string{"b"}, "sign", "--key", key, "-o", content+".p7s", "-"); code != 1 {
		t.Errorf("wrong password: exit %d", code)
	}
}

func TestKeyWithoutCertificateCannotSign(t *testing.T) {
	pem, err := keystore.EncodePEM(rand.Reader, keystore.Entry{Key: testpki.Key(t, "ozdst")}, "")
	if err != nil {
		t.Fatal(err)
	}
	file := write(t, filepath.Join(t.TempDir(), "bare.pem"), pem)
	if o := imzo(t, "sign", "--key", file, file); o.code != 1 || !strings.Contains(o.stderr, "the key has no certificate") {
		t.Errorf("exit %d: %s", o.code, o.stderr)
	}
	if out := ok(t, "key", "info", file); !strings.Contains(out, "no certificate") {
		t.Errorf("info:\n%s", out)
	}
}

func TestOpenSSLVerifiesWhatImzoSigns(t *testing.T) {
	openssl := peer.OpenSSL(t)
	dir := t.TempDir()
	content := write(t, filepath.Join(dir, "c.txt"), []byte("ten sums\n"))
	for _, spec := range []string{"rsa:2048", "ecdsa:P-256"} {
		name := filepath.Join(dir, strings.ReplaceAll(spec, ":", "-"))
		key, crt := name+".pem", name+".crt"
		ok(t, "key", "new", "--subject", "CN=OPENSSL,C=UZ", "--alg", spec, "--pem", "-o", key)
		pem, err := os.ReadFile(key)
		if err != nil {
			t.Fatal(err)
		}
		write(t, crt, pem[bytes.Index(pem, []byte("-----BEGIN CERTIFICATE")):])
		for _, form := range []string{"", "--der"} {
			args := []string{"sign", "--key", key, "-o", name + ".p7s", content}
			if form != "" {
				args = append(args, form)
			}
			ok(t, args...)
			got := openssl.Run(t, nil, "cms", "-verify", "-binary", "-inform", "DER", "-in", name+".p7s", "-CAfile", crt, "-purpose", "any")
			if string(got) != "ten sums\n" {
				t.Errorf("%s %s: content %q", spec, form, got)
			}
		}
		ok(t, "sign", "--key", key, "--detached", "-o", name+".sig", content)
		openssl.Run(t, nil, "cms", "-verify", "-binary", "-inform", "DER", "-in", name+".sig", "-content", content, "-CAfile", crt, "-purpose", "any")
		if out, err := openssl.TryRun(t, nil, "cms", "-verify", "-binary", "-inform", "DER", "-in", name+".sig", "-content", key, "-CAfile", crt, "-purpose", "any"); err == nil {
			t.Errorf("%s: OpenSSL takes another content: %s", spec, out)
		}
		// And the other way round.
		openssl.Run(t, nil, "cms", "-sign", "-binary", "-nodetach", "-outform", "DER", "-in", content, "-signer", crt, "-inkey", key, "-out", name+".theirs")
		ok(t, "verify", "--trust", crt, "--offline", name+".theirs")
	}
}

func TestOpenSSLKeysSign(t *testing.T) {
	openssl := peer.OpenSSL(t)
	dir := t.TempDir()
	key, crt, pfx := filepath.Join(dir, "k.pem"), filepath.Join(dir, "k.crt"), filepath.Join(dir, "k.pfx")
	openssl.Run(t, nil, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", crt, "-subj", "/CN=FROM OPENSSL", "-days", "2")
	openssl.Run(t, nil, "pkcs12", "-export", "-inkey", key, "-in", crt, "-name", "theirs", "-passout", "pass:1", "-out", pfx)
	password := write(t, filepath.Join(dir, "pw"), []byte("1\n"))
	ok(t, "sign", "--key", pfx, "--password-file", password, "-o", crt+".p7s", crt)
	ok(t, "verify", "--trust", crt, "--offline", crt+".p7s")
	if out := ok(t, "inspect", "--password-file", password, pfx); !strings.Contains(out, "certificate 1: FROM OPENSSL") || !strings.Contains(out, "PBES2") {
		t.Errorf("inspect:\n%s", out)
	}
}

func TestJSONEscapesWhatDrivesATerminal(t *testing.T) {
	var b bytes.Buffer
	want := map[string]string{"name": "\x1b[31m\u202eGNITSET\u009b\u2028\U000e0041 ‘ўз 🙂 <&>"}
	if err := (env{stdout: &b}).printJSON(want); err != nil {
		t.Fatal(err)
	}
	for _, r := range b.String() {
		if r != '\n' && strings.ContainsRune("\x1b\u202e\u009b\u2028\U000e0041", r) {
			t.Errorf("%U is written as it is", r)
		}
	}
	if !strings.Contains(b.String(), "‘ўз 🙂 <&>") {
		t.Errorf("harmless text is escaped: %s", b.String())
	}
	var got map[string]string
	if err := json.Unmarshal(b.Bytes(), &got); err != nil || got["name"] != want["name"] {
		t.Errorf("%q, %v", got, err)
	}
}

func TestHostileAliasesAreEscaped(t *testing.T) {
	p := testpki.NewAt(t, "ecdsa:P-256", time.Now())
	u := p.User(t, "CN=X")
	pfx, err := keystore.CreatePFX(rand.Reader, []keystore.Entry{{Alias: "\x1b[2Jcn=gone", Key: u.Key, Chain: u.Chain}}, "1", keystore.ProfileModern)
	if err != nil {
		t.Fatal(err)
	}
	file := write(t, filepath.Join(t.TempDir(), "k.pfx"), pfx)
	if out := ok(t, "key", "list", file); strings.Contains(out, "\x1b") || !strings.Contains(out, `\u001b[2jcn=gone`) {
		t.Errorf("prints %q", out)
	}
}

func TestErrorsDoNotDriveTheTerminal(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a\x1b[2J\u202eb.pfx")
	write(t, name, []byte("no key"))
	for _, args := range [][]string{{"verify", name + "x"}, {"inspect", name}, {"key", "list", name}, {"verify", name, "\x1b"}, {"sign", "--key", name, "--password-file", name, name}} {
		o := imzo(t, args...)
		if o.code == 0 || o.stderr == "" || strings.ContainsAny(o.stdout+o.stderr, "\x1b\u202e") {
			t.Errorf("%q exits %d and prints %q, %q", args, o.code, o.stdout, o.stderr)
		}
	}
}

func TestResultsFollowTheUmaskAndReplaceWhole(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "out")
	if err := writeFile(name, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(name, []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(name); err != nil || string(b) != "two" {
		t.Errorf("%q, %v", b, err)
	}
	if err := os.Chmod(name, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(name, []byte("three"), 0o666); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
		t.Errorf("a file that is replaced is for others now: %v, %v", info.Mode(), err)
	}
	if err := writeFile(filepath.Join(dir, "no", "such"), nil, 0o600); err == nil {
		t.Error("written into a folder that is not there")
	}
	if err := writeFile(dir, []byte("x"), 0o600); err == nil {
		t.Error("written over a folder")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
}

func TestInputIsBounded(t *testing.T) {
	e := env{stdin: endless{}}
	if _, err := e.readInput(stdio); err == nil || !strings.Contains(err.Error(), "larger than 128 MiB") {
		t.Errorf("%v", err)
	}
}

// endless is a reader without end.
type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

// broken makes a report of one failed check.
func broken(c verify.Check, timestamp bool) *verify.Report {
	s := &verify.Signer{Checks: []verify.Check{c}}
	if timestamp {
		s.Checks = nil
		s.TimeStamps = []*verify.TimeStamp{{Checks: []verify.Check{c}}}
	}
	return &verify.Report{Indication: verify.TotalFailed, Signers: []*verify.Signer{s}}
}

func TestEveryCheckHasASummaryAndAdvice(t *testing.T) {
	v := &verifyFlags{}
	seen := map[string]verify.CheckName{}
	names := append(verify.SignerChecks(), verify.CheckFormat, verify.CheckImprint)
	for _, name := range names {
		r := broken(verify.Check{Name: name, Result: verify.Failed, Err: errors.New("cause")}, false)
		line := headline("f", r)
		s := strings.TrimPrefix(line, "NOT VALID: f: signer 1 (an unknown person): ")
		if s == line || s == "" || s == string(name) {
			t.Errorf("%s: %q", name, line)
		}
		if other, twice := seen[s]; twice {
			t.Errorf("%s and %s have the same summary", name, other)
		}
		seen[s] = name
		if len(v.advise(r)) != 1 {
			t.Errorf("%s: advice %q", name, v.advise(r))
		}
	}
	if s := headline("f", broken(verify.Check{Name: "new", Result: verify.Failed}, true)); s != "NOT VALID: f: signer 1 (an unknown person): timestamp: new" {
		t.Error(s)
	}
	if s := summary(verify.Check{Name: verify.CheckValidity, SubIndication: verify.NotYetValid}); !strings.Contains(s, "not valid yet") {
		t.Error(s)
	}
}

func TestWhatFailedIsToldBeforeWhatIsUnknown(t *testing.T) {
	r := broken(verify.Check{Name: verify.CheckRevocation, Result: verify.Indeterminate}, false)
	r.Signers[0].Checks = append(r.Signers[0].Checks, verify.Check{Name: verify.CheckUnsignedAttributes, Result: verify.Failed})
	if s := headline("f", r); !strings.HasPrefix(s, "NOT VALID: f: signer 1 (an unknown person): a timestamp hides") {
		t.Error(s)
	}
	r.Signers[0].Checks = r.Signers[0].Checks[:1]
	if s := headline("f", r); !strings.HasPrefix(s, "CANNOT BE DECIDED NOW: ") {
		t.Error(s)
	}
}

func TestAdviceFitsTheCall(t *testing.T) {
	noPath := &cert.PathError{Reason: cert.NoPath}
	for _, c := range []struct {
		flags verifyFlags
		check verify.Check
		want  string
	}{
		{verifyFlags{}, verify.Check{Name: verify.CheckPath, Result: verify.Failed, Err: noPath}, "give its root with --trust ROOT.pem"},
		{verifyFlags{trustFiles: []string{"r"}}, verify.Check{Name: verify.CheckPath, Result: verify.Failed, Err: noPath}, "none of the certificates of --trust"},
		{verifyFlags{}, verify.Check{Name: verify.CheckPath, Result: verify.Failed, Err: &cert.PathError{Reason: cert.NotCA}}, "chain of certificates is broken"},
		{verifyFlags{contentFile: "c"}, verify.Check{Name: verify.CheckDigest, Result: verify.Failed}, "c is not the file that was signed"},
		{verifyFlags{}, verify.Check{Name: verify.CheckDigest, Result: verify.Failed}, "the document was changed after signing"},
	} {
		if got := c.flags.advise(broken(c.check, false)); len(got) != 1 || !strings.Contains(got[0], c.want) {
			t.Errorf("%s: %q, want %q", c.check.Name, got, c.want)
		}
	}
	if got := (&verifyFlags{}).advise(broken(verify.Check{Name: "new", Result: verify.Failed}, false)); got != nil {
		t.Errorf("advice for an unknown check: %q", got)
	}
}

func TestCertificateWithoutResponderGetsItsOwnAdvice(t *testing.T) {
	p := testpki.NewAt(t, "ecdsa:P-256", time.Now())
	u := p.User(t, "CN=X", func(tmpl *cert.Template) { tmpl.OCSPServers = nil })
	document, err := cms.Sign([]byte("x"), []cms.Signer{{Key: u.Key, Chain: u.Chain, SigningTime: p.Now}}, cms.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "x.p7s"), document)
	root := write(t, filepath.Join(dir, "root.pem"), cert.EncodePEM(p.Root.Cert))
	o := imzo(t, "verify", "--trust", root, file)
	if o.code != 1 || !strings.Contains(o.stdout, "names no OCSP responder") {
		t.Errorf("exit %d\n%s", o.code, o.stdout)
	}
}

func TestTimestampTokensAreStampedToo(t *testing.T) {
	s := newServices(t)
	token, err := (&tsp.Client{}).Stamp(t.Context(), s.authority.TSAURL(), testpki.Key(t, "ozdst").Digest(), []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	// A token is a signed document too: it gets a stamp of its own.
	file := write(t, filepath.Join(t.TempDir(), "t.tst"), token.Raw)
	ok(t, "timestamp", "--dir", s.dir, "-o", file, file)
	if out := ok(t, "inspect", file); strings.Count(out, "timestamp token: ") != 2 {
		t.Errorf("inspect:\n%s", out)
	}
}
