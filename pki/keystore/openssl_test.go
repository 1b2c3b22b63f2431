package keystore

import (
	"bytes"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"imzo/internal/testpki"
	"imzo/internal/testpki/peer"
	"imzo/pki/cert"
)

const testPassword = "Abc12345"

func writeFile(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// exportArgs are the dialects of "openssl pkcs12 -export".
var exportArgs = map[string][]string{
	"default":                   nil,
	"legacy":                    {"-legacy"},
	"3des everywhere":           {"-legacy", "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES"},
	"2des":                      {"-legacy", "-keypbe", "PBE-SHA1-2DES", "-certpbe", "PBE-SHA1-2DES"},
	"rc2-40":                    {"-legacy", "-keypbe", "PBE-SHA1-RC2-40", "-certpbe", "PBE-SHA1-RC2-40"},
	"rc2-128":                   {"-legacy", "-keypbe", "PBE-SHA1-RC2-128", "-certpbe", "PBE-SHA1-RC2-128"},
	"aes-128":                   {"-keypbe", "aes-128-cbc", "-certpbe", "aes-128-cbc"},
	"aes-192":                   {"-keypbe", "aes-192-cbc", "-certpbe", "aes-192-cbc"},
	"aes-256":                   {"-keypbe", "aes-256-cbc", "-certpbe", "aes-256-cbc"},
	"pbes2 3des":                {"-keypbe", "des-ede3-cbc", "-certpbe", "des-ede3-cbc"},
	"certificates in the clear": {"-certpbe", "NONE"},
	"sha1 mac":                  {"-macalg", "sha1"},
	"sha224 mac":                {"-macalg", "sha224"},
	"sha384 mac":                {"-macalg", "sha384"},
	"sha512 mac":                {"-macalg", "sha512"},
	"one iteration":             {"-iter", "1"},
	"no mac":                    {"-nomac"},
	"no mac iteration":          {"-nomaciter"},
}

func TestFilesOfOpenSSLOpen(t *testing.T) {
	ossl := peer.OpenSSL(t)
	for _, spec := range []string{"rsa:2048", "ecdsa:P-256"} {
		want := entryOf(t, spec, testpki.Person)
		want.Alias = "Kalit № 1"
		text, err := EncodePEM(rand.Reader, want, "")
		if err != nil {
			t.Fatal(err)
		}
		in := writeFile(t, text)
		for name, args := range exportArgs {
			t.Run(spec+"/"+name, func(t *testing.T) {
				args := append([]string{"pkcs12", "-export", "-in", in, "-name", want.Alias, "-passout", "pass:" + testPassword}, args...)
				data := ossl.Run(t, nil, args...)
				checkOpens(t, data, testPassword, want)
			})
		}
	}
}

// checkOpens fails unless the file has exactly the one entry, whose name can
// be listed, and stays closed to another password.
func checkOpens(t testing.TB, data []byte, password string, want Entry) {
	t.Helper()
	aliases, err := ListPFX(data)
	if err != nil {
		t.Fatal(err)
	}
	if len(aliases) != 1 || aliases[0] != lower(want.Alias) {
		t.Errorf("aliases %q, want %q", aliases, want.Alias)
	}
	entries, err := OpenPFX(data, password)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Fatalf("%d entries", len(entries))
	}
	checkSameEntry(t, entries[0], want)
	if _, err := OpenPFX(data, password+"x"); !errors.Is(err, ErrPassword) || errors.Is(err, ErrFormat) {
		t.Errorf("wrong password: %v", err)
	}
}

func TestOpenSSLPasswordsBeyondASCII(t *testing.T) {
	ossl := peer.OpenSSL(t)
	want := entryOf(t, "ecdsa:P-256", testpki.Person)
	want.Alias = "a"
	text, err := EncodePEM(rand.Reader, want, "")
	if err != nil {
		t.Fatal(err)
	}
	in := writeFile(t, text)
	for _, password := range []string{"пароль", "ўқғҳ😀", ""} {
		for name, args := range map[string][]string{"modern": nil, "legacy": {"-legacy"}} {
			t.Run(password+"/"+name, func(t *testing.T) {
				data := ossl.Run(t, nil, append([]string{"pkcs12", "-export", "-in", in, "-name", "a", "-passout", "pass:" + password}, args...)...)
				checkOpens(t, data, password, want)
			})
		}
	}
}

// opensslCerts returns the certificates in PEM text as openssl prints it.
func opensslCerts(t testing.TB, text []byte) []*cert.Certificate {
	t.Helper()
	var certs []*cert.Certificate
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return certs
		}
		if block.Type != pemCertificate {
			continue
		}
		c, err := cert.Parse(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		certs = append(certs, c)
	}
}

func TestOpenSSLOpensOurFiles(t *testing.T) {
	ossl := peer.OpenSSL(t)
	for _, spec := range []string{"rsa:2048", "ecdsa:P-384", "ed25519"} {
		want := entryOf(t, spec, testpki.Organisation)
		for name, p := range map[string]Profile{"java8": ProfileJava8, "modern": ProfileModern} {
			t.Run(spec+"/"+name, func(t *testing.T) {
				in := writeFile(t, createPFX(t, testPassword, p, want))
				args := []string{"pkcs12", "-in", in, "-nodes", "-passin", "pass:" + testPassword}
				if p == ProfileJava8 {
					args = append(args, "-legacy")
				}
				out := ossl.Run(t, nil, args...)
				if got := opensslCerts(t, out); len(got) != 3 {
					t.Errorf("openssl shows %d certificates", len(got))
				}
				e, err := OpenPEM(out, "")
				if err != nil {
					t.Fatal(err)
				}
				e.Alias = want.Alias
				checkSameEntry(t, e, want)
				if !bytes.Contains(out, []byte("friendlyName: cn=petrova anna petrovna,")) {
					t.Errorf("openssl does not show the alias:\n%s", firstLines(out, 8))
				}
				args[len(args)-1] = strings.Replace(args[len(args)-1], "pass:", "pass:x", 1)
				if p == ProfileModern {
					if _, err := ossl.TryRun(t, nil, args...); err == nil {
						t.Error("openssl opens it with another password")
					}
				}
			})
		}
	}
}

func firstLines(b []byte, n int) []byte {
	lines := bytes.SplitN(b, []byte("\n"), n+1)
	return bytes.Join(lines[:min(n, len(lines))], []byte("\n"))
}

func TestGOSTEngineReadsAndWritesTheSameKeys(t *testing.T) {
	ossl := peer.OpenSSLGOST(t)
	for _, set := range []string{"A", "B", "C"} {
		t.Run("ours/"+set, func(t *testing.T) {
			want := entryOf(t, "gost2001:"+set, testpki.Person)
			in := writeFile(t, createPFX(t, testPassword, ProfileModern, want))
			out := ossl.Run(t, nil, "pkcs12", "-in", in, "-nodes", "-passin", "pass:"+testPassword)
			e, err := OpenPEM(out, "")
			if err != nil {
				t.Fatal(err)
			}
			e.Alias = want.Alias
			checkSameEntry(t, e, want)

			// The key as we write it signs for the engine, too.
			text, err := EncodePEM(rand.Reader, Entry{Key: want.Key}, "")
			if err != nil {
				t.Fatal(err)
			}
			public := ossl.Run(t, text, "pkey", "-pubout", "-outform", "DER")
			if !bytes.Equal(public, want.Key.PublicKey().Raw) {
				t.Errorf("public key\n got %x\nwant %x", public, want.Key.PublicKey().Raw)
			}
		})
		t.Run("theirs/"+set, func(t *testing.T) {
			key := ossl.Run(t, nil, "genpkey", "-algorithm", "gost2001", "-pkeyopt", "paramset:"+set)
			keyFile := writeFile(t, key)
			certificate := ossl.Run(t, nil, "req", "-x509", "-new", "-key", keyFile, "-md_gost94", "-subj", "/CN=engine")
			certFile := writeFile(t, certificate)
			data := ossl.Run(t, nil, "pkcs12", "-export", "-inkey", keyFile, "-in", certFile, "-name", "Engine", "-passout", "pass:"+testPassword)
			entries, err := OpenPFX(data, testPassword)
			if err != nil {
				t.Fatal(err)
			}
			if len(entries) != 1 || entries[0].Alias != "engine" || len(entries[0].Chain) != 1 {
				t.Fatalf("entries %+v", entries)
			}
			checkPair(t, entries[0].Key, entries[0].Chain[0])
			if err := entries[0].Chain[0].CheckSignatureFrom(entries[0].Chain[0]); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestEncryptedPEMGoesBothWaysWithOpenSSL(t *testing.T) {
	ossl := peer.OpenSSL(t)
	want := entryOf(t, "ecdsa:P-256", testpki.Person)
	text, err := EncodePEM(rand.Reader, want, testPassword)
	if err != nil {
		t.Fatal(err)
	}
	public := ossl.Run(t, text, "pkey", "-passin", "pass:"+testPassword, "-pubout", "-outform", "DER")
	if !bytes.Equal(public, want.Key.PublicKey().Raw) {
		t.Errorf("openssl reads another key: %x", public)
	}
	plain, err := EncodePEM(rand.Reader, Entry{Key: want.Key}, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"pbes2 aes-256 sha256": {"-v2", "aes-256-cbc"},
		"pbes2 aes-128 sha512": {"-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA512"},
		"pbes2 aes-192 sha384": {"-v2", "aes-192-cbc", "-v2prf", "hmacWithSHA384"},
		"pbes2 3des sha1":      {"-v2", "des3", "-v2prf", "hmacWithSHA1"},
		"pbes2 aes-256 sha224": {"-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA224"},
		"pbe 3des":             {"-v1", "PBE-SHA1-3DES"},
	} {
		t.Run(name, func(t *testing.T) {
			out := ossl.Run(t, plain, append([]string{"pkcs8", "-topk8", "-passout", "pass:" + testPassword}, args...)...)
			key, err := ParsePEMKey(out, testPassword)
			if err != nil {
				t.Fatal(err)
			}
			checkPair(t, key, want.Chain[0])
			if _, err := ParsePEMKey(out, "other"); !errors.Is(err, ErrPassword) {
				t.Errorf("wrong password: %v", err)
			}
		})
	}
	for name, args := range map[string][]string{
		"scrypt": {"-scrypt"},
		"rc4":    {"-v1", "PBE-SHA1-RC4-128", "-provider", "legacy", "-provider", "default"},
	} {
		t.Run(name+" is unsupported", func(t *testing.T) {
			out := ossl.Run(t, plain, append([]string{"pkcs8", "-topk8", "-passout", "pass:" + testPassword}, args...)...)
			if _, err := ParsePEMKey(out, testPassword); !errors.Is(err, ErrUnsupported) {
				t.Errorf("%v", err)
			}
		})
	}
}
