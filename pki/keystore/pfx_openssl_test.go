package keystore

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"imzo/internal/testpki"
	"imzo/internal/testpki/peer"
)

// pkcs12Info returns what "openssl pkcs12 -info" says of a file, on standard
// error too.
func pkcs12Info(t *testing.T, data []byte, args ...string) (string, error) {
	t.Helper()
	ossl := peer.OpenSSL(t)
	args = append([]string{"pkcs12", "-info", "-noout", "-in", writeFile(t, data), "-passin", "pass:" + testPassword}, args...)
	cmd := exec.CommandContext(t.Context(), ossl.Path(), args...)
	cmd.Env = ossl.Env()
	out, err := cmd.CombinedOutput()
	return string(bytes.TrimSpace(out)), err
}

// TestOpenSSLParsesOurFiles: openssl cannot use a key of Uzbekistan, and takes
// the file apart, checks its MAC and decrypts its certificates all the same.
func TestOpenSSLParsesOurFiles(t *testing.T) {
	for _, spec := range []string{"ozdst", "ozmst:B", "ecdsa:P-256"} {
		first, second := entryOf(t, spec, testpki.Person), entryOf(t, spec, testpki.Organisation)
		second.Alias = "second"
		for name, tc := range map[string]struct {
			profile Profile
			args    []string
			want    string
		}{
			"java8": {ProfileJava8, []string{"-legacy"}, "MAC: sha1, Iteration 100000\n" +
				"MAC length: 20, salt length: 20\n" +
				"PKCS7 Data\n" +
				"Shrouded Keybag: pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 50000\n" +
				"Shrouded Keybag: pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 50000\n" +
				"PKCS7 Encrypted data: pbeWithSHA1And40BitRC2-CBC, Iteration 50000"},
			"modern": {ProfileModern, nil, "MAC: sha256, Iteration 100000\n" +
				"MAC length: 32, salt length: 20\n" +
				"PKCS7 Data\n" +
				"Shrouded Keybag: PBES2, PBKDF2, AES-256-CBC, Iteration 100000, PRF hmacWithSHA256\n" +
				"Shrouded Keybag: PBES2, PBKDF2, AES-256-CBC, Iteration 100000, PRF hmacWithSHA256\n" +
				"PKCS7 Encrypted data: PBES2, PBKDF2, AES-256-CBC, Iteration 100000, PRF hmacWithSHA256"},
		} {
			t.Run(spec+"/"+name, func(t *testing.T) {
				out, err := pkcs12Info(t, createPFX(t, testPassword, tc.profile, first, second), tc.args...)
				want := tc.want + strings.Repeat("\nCertificate bag", len(first.Chain)+len(second.Chain))
				if err != nil || out != want {
					t.Errorf("%v, openssl says\n%s\nwant\n%s", err, out, want)
				}
			})
		}
	}
	if out, err := pkcs12Info(t, createPFX(t, "another", ProfileModern, entryOf(t, "ozdst", testpki.Person))); err == nil {
		t.Errorf("openssl is content with another password: %s", out)
	}
}
