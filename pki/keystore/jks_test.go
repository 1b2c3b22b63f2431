package keystore

import (
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
	"unicode/utf16"

	jks "github.com/pavlo-v-chernykh/keystore-go/v4"

	"imzo/internal/testpki"
	"imzo/internal/testpki/peer"
	"imzo/pki/cert"
)

const jksPassword = "12345678"

// keytool runs Java's own tool and fails the test when it fails.
func keytool(t testing.TB, args ...string) {
	t.Helper()
	if out, err := exec.Command(peer.Keytool(t), args...).CombinedOutput(); err != nil {
		t.Fatalf("keytool %q: %v\n%s", args, err, out)
	}
}

// javaStore makes a store of a type with keytool: the given certificates, and
// a key of keytool's own.
func javaStore(t testing.TB, storeType string, certs map[string]*cert.Certificate) []byte {
	t.Helper()
	dir := t.TempDir()
	store := filepath.Join(dir, "store.jks")
	for alias, c := range certs {
		file := filepath.Join(dir, alias+".cer")
		if err := os.WriteFile(file, c.Raw, 0o600); err != nil {
			t.Fatal(err)
		}
		keytool(t, "-importcert", "-noprompt", "-storetype", storeType, "-keystore", store, "-storepass", jksPassword, "-alias", alias, "-file", file)
	}
	keytool(t, "-genkeypair", "-storetype", storeType, "-keystore", store, "-storepass", jksPassword, "-alias", "Client", "-keyalg", "EC", "-groupname", "secp256r1", "-dname", "CN=Client", "-validity", "30")
	data, err := os.ReadFile(store)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestTrustStoresOfJavaAreRead(t *testing.T) {
	rsa, ec := testpki.New(t, "rsa:2048"), testpki.New(t, "ecdsa:P-256")
	want := map[string]*cert.Certificate{"root": rsa.Root.Cert, "ca": rsa.CA.Cert, "other": ec.Root.Cert}
	for _, storeType := range []string{"JKS", "PKCS12"} {
		t.Run(storeType, func(t *testing.T) {
			data := javaStore(t, storeType, want)
			certs, err := ParseTrustStore(data, jksPassword)
			if err != nil {
				t.Fatal(err)
			}
			if len(certs) != len(want) {
				t.Errorf("%d certificates, want %d", len(certs), len(want))
			}
			for alias, w := range want {
				found := false
				for _, c := range certs {
					found = found || bytes.Equal(c.Raw, w.Raw)
				}
				if !found {
					t.Errorf("%s is missing", alias)
				}
			}
			entries, err := Open(data, jksPassword)
			if err != nil || len(entries) != 1 || entries[0].Alias != "client" || len(entries[0].Chain) < 1 || entries[0].Chain[0].Subject.String() != "CN=Client" ||
				!entries[0].Key.PublicKey().SameKey(entries[0].Chain[0].PublicKey) || time.Since(entries[0].Created) > time.Hour {
				t.Errorf("%+v, %v", entries, err)
			}
			if _, err := ParseTrustStore(data, "another"); !errors.Is(err, ErrPassword) {
				t.Errorf("another password: %v", err)
			}
			if _, err := ParseTrustStore(data, ""); !errors.Is(err, ErrPassword) {
				t.Errorf("no password: %v", err)
			}
			changed := bytes.Clone(data)
			changed[len(changed)/2] ^= 1
			if certs, err := ParseTrustStore(changed, jksPassword); err == nil {
				t.Errorf("a changed store gave %d certificates", len(certs))
			}
			for _, cut := range []int{4, 12, 40, len(data) / 2, len(data) - 1} {
				if _, err := ParseTrustStore(data[:cut], jksPassword); err == nil {
					t.Errorf("read from %d of %d octets", cut, len(data))
				}
			}
		})
	}
	if _, err := ParseTrustStore(javaStore(t, "JCEKS", nil), jksPassword); !errors.Is(err, ErrUnsupported) {
		t.Errorf("JCEKS: %v", err)
	}
}

// TestCertificatesThatAreNoDERComeOutOfAJavaStore: those of Uzbekistan's CAs,
// which keytool takes and crypto/x509 refuses.
func TestCertificatesThatAreNoDERComeOutOfAJavaStore(t *testing.T) {
	pki := testpki.New(t, "ozdst")
	data := storeOf(t, pki.Root.Cert, pki.CA.Cert)
	certs, err := ParseTrustStore(data, jksPassword)
	if err != nil || len(certs) != 2 || !bytes.Equal(certs[0].Raw, pki.Root.Cert.Raw) {
		t.Errorf("%d, %v", len(certs), err)
	}
}

func TestTrustStoresNeedNotBeJavas(t *testing.T) {
	pki := testpki.New(t, "ecdsa:P-256")
	certs, err := ParseTrustStore(cert.EncodePEM(pki.Root.Cert, pki.CA.Cert), "")
	if err != nil || len(certs) != 2 {
		t.Errorf("PEM: %d, %v", len(certs), err)
	}
	if certs, err = ParseTrustStore(pki.Root.Cert.Raw, ""); err != nil || len(certs) != 1 {
		t.Errorf("DER: %d, %v", len(certs), err)
	}
	for _, bad := range [][]byte{nil, {0}, []byte("nothing"), bytes.Repeat([]byte{0xfe, 0xed, 0xfe, 0xed}, 10)} {
		if _, err := ParseTrustStore(bad, ""); !errors.Is(err, ErrFormat) && !errors.Is(err, ErrLimit) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
	if _, err := ParseTrustStore(make([]byte, maxFile+1), ""); !errors.Is(err, ErrLimit) {
		t.Errorf("huge: %v", err)
	}
}

func TestKeysOfAnyFormatAreOpenedByTheirContent(t *testing.T) {
	pki := testpki.New(t, "ecdsa:P-256")
	user := pki.User(t, "CN=CLIENT")
	entry := Entry{Alias: "client", Key: user.Key, Chain: user.Chain}
	pfx, err := CreatePFX(rand.Reader, []Entry{entry}, "secret", ProfileModern)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := EncodePEM(rand.Reader, entry, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"PKCS#12": pfx, "PEM": pem} {
		entries, err := Open(data, "secret")
		if err != nil || len(entries) != 1 || !entries[0].Key.PublicKey().SameKey(user.Cert.PublicKey) {
			t.Errorf("%s: %v, %v", name, entries, err)
		}
	}
}

// TestLengthsInAJavaStoreAreHeldToTheFile: the library would make a buffer of
// whatever length it reads.
func TestLengthsInAJavaStoreAreHeldToTheFile(t *testing.T) {
	data := storeOf(t, testpki.New(t, "ecdsa:P-256").Root.Cert)
	for at := 4; at+4 <= len(data)-20; at++ {
		changed := bytes.Clone(data)
		binary.BigEndian.PutUint32(changed[at:], 0xfffffff0)
		if _, err := ParseTrustStore(changed, jksPassword); err == nil {
			t.Errorf("octet %d: accepted", at)
		}
	}
}

// storeOf writes a Java key store without Java, which is too slow for many.
func storeOf(t testing.TB, certs ...*cert.Certificate) []byte {
	t.Helper()
	store := jks.New(jks.WithOrderedAliases())
	for i, c := range certs {
		entry := jks.TrustedCertificateEntry{CreationTime: time.Now(), Certificate: jks.Certificate{Type: "X.509", Content: c.Raw}}
		if err := store.SetTrustedCertificateEntry(strconv.Itoa(i), entry); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := store.Store(&out, []byte(jksPassword)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// seal ends the octets of a store with the digest that a password gives them
// (sun.security.provider.JavaKeyStore), so that what is in it counts.
func seal(body []byte, password string) []byte {
	h := sha1.New()
	for _, u := range utf16.Encode([]rune(password)) {
		h.Write([]byte{byte(u >> 8), byte(u)})
	}
	h.Write([]byte("Mighty Aphrodite"))
	h.Write(body)
	return h.Sum(bytes.Clone(body))
}

// jksWith is a store of version 2 with one entry of a kind.
func jksWith(kind byte, alias string, rest ...[]byte) []byte {
	body := []byte{0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, kind, 0, byte(len(alias))}
	body = append(append(body, alias...), make([]byte, 8)...)
	return append(body, bytes.Join(rest, nil)...)
}

// counted has its length before it, in four octets.
func counted(b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}

func typed(certType string, der []byte) []byte {
	return append(append([]byte{0, byte(len(certType))}, certType...), counted(der)...)
}

func TestJavaStoresThatAreSealedMayStillBeBad(t *testing.T) {
	c := testpki.New(t, "ecdsa:P-256").Root.Cert
	// EncryptedPrivateKeyInfo of Java's own algorithm around n octets.
	key := func(n int) []byte {
		oid := []byte{0x30, 0x0e, 0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x2a, 0x02, 0x11, 0x01, 0x01, 0x05, 0x00}
		return counted(append(append([]byte{0x30, byte(len(oid) + 2 + n)}, oid...), append([]byte{0x04, byte(n)}, make([]byte, n)...)...))
	}
	none := make([]byte, 4)
	for name, tt := range map[string]struct {
		body []byte
		want error
	}{
		"a key without room for its salt": {jksWith(1, "a", key(39), none), ErrFormat},
		"a key that does not decrypt":     {jksWith(1, "a", key(60), none), ErrPassword},
		"a key that is nothing":           {jksWith(1, "a", counted([]byte("junk")), none), ErrFormat},
		"a key without octets":            {jksWith(1, "a", none, none), ErrFormat},
		"a certificate of another type":   {jksWith(2, "a", typed("PGP", c.Raw)), ErrUnsupported},
		"a certificate that is none":      {jksWith(2, "a", typed("X.509", []byte("junk"))), ErrFormat},
		"an entry of another kind":        {jksWith(3, "a", typed("X.509", c.Raw)), ErrFormat},
	} {
		if _, err := ParseJKS(seal(tt.body, jksPassword), jksPassword); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	// What Java would not write and is in order.
	for _, body := range [][]byte{jksWith(2, "Root", typed("X.509", c.Raw)), jksWith(2, "root", typed("X509", c.Raw))} {
		if certs, err := ParseTrustStore(seal(body, jksPassword), jksPassword); err != nil || len(certs) != 1 {
			t.Errorf("%d certificates, %v", len(certs), err)
		}
	}
}

func TestKeysUnderOtherPasswordsDoNotHideTheTrusted(t *testing.T) {
	dir := t.TempDir()
	store, root := filepath.Join(dir, "store.jks"), testpki.New(t, "ecdsa:P-256").Root.Cert
	file := filepath.Join(dir, "root.cer")
	if err := os.WriteFile(file, root.Raw, 0o600); err != nil {
		t.Fatal(err)
	}
	keytool(t, "-importcert", "-noprompt", "-storetype", "JKS", "-keystore", store, "-storepass", jksPassword, "-alias", "root", "-file", file)
	keytool(t, "-genkeypair", "-storetype", "JKS", "-keystore", store, "-storepass", jksPassword, "-keypass", "its own one", "-alias", "key", "-keyalg", "EC", "-groupname", "secp256r1", "-dname", "CN=Key")
	data, err := os.ReadFile(store)
	if err != nil {
		t.Fatal(err)
	}
	if certs, err := ParseTrustStore(data, jksPassword); err != nil || len(certs) != 1 || !certs[0].Equal(root) {
		t.Errorf("%d certificates, %v", len(certs), err)
	}
	if _, err := Open(data, jksPassword); !errors.Is(err, ErrPassword) {
		t.Errorf("the key: %v", err)
	}
}

func TestPasswordsOfJavaStoresAreUTF16(t *testing.T) {
	root := testpki.New(t, "ecdsa:P-256").Root.Cert
	body := jksWith(2, "root", typed("X.509", root.Raw))
	for _, password := range []string{"", "pässwörd ÿ"} {
		if certs, err := ParseTrustStore(seal(body, password), password); err != nil || len(certs) != 1 {
			t.Errorf("%q: %d certificates, %v", password, len(certs), err)
		}
	}
	if _, err := ParseTrustStore(seal(body, "пароль"), "пароль"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("beyond Latin-1: %v", err)
	}
	if _, err := ParseTrustStore(seal(body, "x"), "\xff"); !errors.Is(err, ErrPassword) {
		t.Errorf("no UTF-8: %v", err)
	}
	if _, err := CreateTrustStore([]*cert.Certificate{root}, "пароль", time.Now()); !errors.Is(err, ErrUnsupported) {
		t.Errorf("written beyond Latin-1: %v", err)
	}
}

// TestJavaReadsOurTrustStores: keytool lists what CreateTrustStore wrote.
func TestJavaReadsOurTrustStores(t *testing.T) {
	pki := testpki.New(t, "ecdsa:P-256")
	data, err := CreateTrustStore([]*cert.Certificate{pki.Root.Cert, pki.CA.Cert}, jksPassword, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(t.TempDir(), "vpn.jks")
	if err := os.WriteFile(store, data, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(peer.Keytool(t), "-exportcert", "-keystore", store, "-storepass", jksPassword, "-alias", "2").Output()
	if err != nil || !bytes.Equal(out, pki.CA.Cert.Raw) {
		t.Errorf("Java reads %d octets, %v", len(out), err)
	}
}

func FuzzParseTrustStore(f *testing.F) {
	pki := testpki.New(f, "ecdsa:P-256")
	f.Add(storeOf(f, pki.Root.Cert, pki.CA.Cert))
	f.Add(storeOf(f))
	f.Add(fastPFX(f, jksPassword, entryOf(f, "ecdsa:P-256", testpki.Person)))
	f.Add(cert.EncodePEM(pki.Root.Cert))
	for _, body := range [][]byte{jksWith(2, "a", typed("X.509", pki.Root.Cert.Raw)), jksWith(1, "k", counted(make([]byte, 60)), make([]byte, 4))} {
		f.Add(seal(body, jksPassword))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		// As it is, and with a digest that fits.
		stores := [][]byte{data}
		if isJKS(data) && len(data) > sha1.Size {
			stores = append(stores, seal(data[:len(data)-sha1.Size], jksPassword))
		}
		for _, data := range stores {
			certs, err := parseTrustStore(data, jksPassword, fuzzIterations)
			checkTyped(t, err)
			if err != nil && len(certs) > 0 {
				t.Error("certificates beside an error")
			}
			for _, c := range certs {
				if isJKS(data) && !bytes.Contains(data, c.Raw) {
					t.Error("a certificate that is not in the store")
				}
			}
			if isJKS(data) {
				store, err := ParseJKS(data, jksPassword)
				checkTyped(t, err)
				if err == nil && len(store.Trusted) != len(certs) {
					t.Errorf("%d certificates without the keys, %d with them", len(certs), len(store.Trusted))
				}
			}
		}
	})
}
