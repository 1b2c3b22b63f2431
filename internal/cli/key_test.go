package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/internal/testpki/peer"
	"imzo/pki/cert"
	"imzo/pki/keystore"
)

// runKey runs "imzo key", with the answers of a person at the terminal, and
// returns its exit code and what it wrote.
func runKey(t *testing.T, answers []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	e := env{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, now: time.Now, ask: func(prompt string) (string, error) {
		if len(answers) == 0 {
			return noTerminal(prompt)
		}
		answer := answers[0]
		answers = answers[1:]
		return answer, nil
	}}
	code = run(context.Background(), append([]string{"key"}, args...), e)
	return code, out.String(), errs.String()
}

// keyFileOf writes a PFX of users' keys.
func keyFileOf(t *testing.T, password string, subjects ...string) string {
	t.Helper()
	pki := testpki.New(t, "ozdst")
	var entries []keystore.Entry
	for _, subject := range subjects {
		user := pki.User(t, subject)
		entries = append(entries, keystore.Entry{Alias: keystore.Alias(user.Cert, nil), Key: user.Key, Chain: user.Chain})
	}
	data, err := keystore.CreatePFX(rand.Reader, entries, password, keystore.ProfileJava8)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "a.pfx")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestZBarReadsTheKeyOffTheImage(t *testing.T) {
	file := keyFileOf(t, "Abc12345", testpki.Person)
	image := filepath.Join(t.TempDir(), "key.png")
	if code, _, stderr := runKey(t, []string{"Abc12345"}, "qr", "-o", image, file); code != 0 {
		t.Fatal(stderr)
	}
	out, err := exec.CommandContext(t.Context(), peer.ZBar(t), "--quiet", "--raw", image).Output()
	if err != nil {
		t.Fatal(err)
	}
	key, err := keystore.ParseQRKey(string(out), "Abc12345")
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := keystore.Open(data, "Abc12345")
	if err != nil {
		t.Fatal(err)
	}
	if !key.PublicKey().SameKey(entries[0].Key.PublicKey()) {
		t.Error("another key")
	}
}

func TestOnlyFilesOfASingleKeyBecomeQRCodes(t *testing.T) {
	file := keyFileOf(t, "Abc12345", testpki.Person, testpki.Organisation)
	if code, stdout, stderr := runKey(t, []string{"Abc12345"}, "qr", "--text", file); code != exitFailure || stdout != "" || !strings.Contains(stderr, "PFX must contain a single key") {
		t.Errorf("exit %d, %q, %q", code, stdout, stderr)
	}
}

func TestConversionKeepsAllKeysOrTheOneAskedFor(t *testing.T) {
	file := keyFileOf(t, "Abc12345", testpki.Person, testpki.Organisation)
	for _, tc := range []struct {
		out   string
		alias string
		keys  int
	}{{"all.yks", "", 2}, {"one.yks", "PETROVA", 1}, {"one.pfx", "ivanov", 1}, {"one.pem", "ivanov", 1}} {
		out := filepath.Join(t.TempDir(), tc.out)
		if code, _, stderr := runKey(t, []string{"Abc12345"}, "convert", "--alias", tc.alias, "-o", out, file); code != 0 {
			t.Fatalf("%s: %s", tc.out, stderr)
		}
		data, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		entries, err := keystore.Open(data, "Abc12345")
		if err != nil || len(entries) != tc.keys {
			t.Fatalf("%s: %d keys, %v", tc.out, len(entries), err)
		}
		for _, e := range entries {
			if len(e.Chain) != 3 || tc.alias != "" && !strings.Contains(e.Chain[0].Subject.String(), strings.ToUpper(tc.alias)) {
				t.Errorf("%s: %s with a chain of %d", tc.out, e.Alias, len(e.Chain))
			}
		}
	}
	if code, _, stderr := runKey(t, []string{"Abc12345"}, "convert", "-o", filepath.Join(t.TempDir(), "x.pem"), file); code != exitUsage || !strings.Contains(stderr, "--alias") {
		t.Errorf("two keys into PEM: exit %d, %s", code, stderr)
	}
}

func TestConversionTellsOfTrustedCertificatesLeftBehind(t *testing.T) {
	root := testpki.New(t, "ozdst").Root.Cert
	trusted, err := keystore.CreateTrustStore([]*cert.Certificate{root}, "Abc12345", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	jks := filepath.Join(t.TempDir(), "trust.jks")
	if err := os.WriteFile(jks, trusted, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := runKey(t, []string{"Abc12345"}, "convert", jks); code != exitFailure || !strings.Contains(stderr, "no private key") {
		t.Errorf("exit %d, %s", code, stderr)
	}
	// A key and a trusted certificate, written by BouncyCastle.
	const fixture = "../../pki/keystore/testdata/fixture.yks"
	out := filepath.Join(t.TempDir(), "key.pfx")
	code, stdout, stderr := runKey(t, []string{"Abc12345"}, "convert", "-o", out, "--json", fixture)
	if code != 0 || !strings.Contains(stderr, "1 trusted certificates, which were not taken over") {
		t.Errorf("exit %d, %s", code, stderr)
	}
	var written writtenKeys
	if err := json.Unmarshal([]byte(stdout), &written); err != nil || written.File != out || written.Format != kindPFX || len(written.Aliases) != 1 {
		t.Errorf("%+v, %v", written, err)
	}
}

func TestAPasswordIsChangedByAPersonToo(t *testing.T) {
	file := keyFileOf(t, "Abc12345", testpki.Person)
	if code, _, stderr := runKey(t, []string{"Abc12345", "new", "mew"}, "password", file); code != exitFailure || !strings.Contains(stderr, "the two passwords differ") {
		t.Errorf("exit %d, %s", code, stderr)
	}
	if code, _, stderr := runKey(t, []string{"Abc12345", "new", "new"}, "password", file); code != 0 {
		t.Errorf("exit %d, %s", code, stderr)
	}
	if code, _, stderr := runKey(t, []string{"new"}, "info", file); code != 0 {
		t.Errorf("exit %d, %s", code, stderr)
	}
}

func TestAJavaKeyStoreKeepsItsPasswordAndBecomesAPFX(t *testing.T) {
	dir := t.TempDir()
	store := filepath.Join(dir, "client.jks")
	out, err := exec.CommandContext(t.Context(), peer.Keytool(t), "-genkeypair", "-storetype", "JKS", "-keystore", store, "-storepass", "Abc12345",
		"-alias", "Client", "-keyalg", "EC", "-groupname", "secp256r1", "-dname", "CN=Client").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if code, _, stderr := runKey(t, []string{"Abc12345", "new", "new"}, "password", store); code != exitFailure || !strings.Contains(stderr, "keytool") {
		t.Errorf("exit %d, %s", code, stderr)
	}
	if code, _, stderr := runKey(t, []string{"Abc12345"}, "convert", store); code != 0 || stderr != "" {
		t.Errorf("exit %d, %s", code, stderr)
	}
	if code, stdout, stderr := runKey(t, []string{"Abc12345"}, "info", filepath.Join(dir, "client.pfx")); code != 0 || !strings.Contains(stdout, "CN=Client") {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
}
