package keystore

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/internal/testpki/peer"
	"imzo/pki/alg"
)

// javaPeer asks testdata/KeyFiles.java.
type javaPeer struct{ *peer.Proc }

func startJava(t testing.TB) javaPeer {
	t.Helper()
	return javaPeer{peer.BouncyCastle(t).Start(t, "KeyFiles", "testdata/KeyFiles.java")}
}

// ask sends a question, its arguments in base64 after the plain words, and
// returns the answer's words.
func (p javaPeer) ask(t testing.TB, question string, args ...[]byte) string {
	t.Helper()
	for _, a := range args {
		question += " " + base64.StdEncoding.EncodeToString(a)
	}
	answer := p.Ask(t, question)
	if strings.HasPrefix(answer, "error ") {
		t.Fatal(answer)
	}
	return answer
}

func unword(t testing.TB, word string) []byte {
	t.Helper()
	if word == "-" {
		return nil
	}
	b, err := base64.StdEncoding.DecodeString(word)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func pkcs8Of(t testing.TB, k *alg.PrivateKey) []byte {
	t.Helper()
	der, err := MarshalPKCS8(k)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// checkJavaEntry compares one entry of the "java" answer.
func checkJavaEntry(t testing.TB, entry string, want Entry, keyKnown bool) {
	t.Helper()
	words := strings.Fields(entry)
	if got := string(unword(t, words[0])); got != want.Alias {
		t.Errorf("Java lists %q, want %q", got, want.Alias)
	}
	if !keyKnown {
		if words[1] != "?" && !bytes.Equal(unword(t, words[1]), pkcs8Of(t, want.Key)) {
			t.Errorf("Java has another key")
		}
	} else if !bytes.Equal(unword(t, words[1]), pkcs8Of(t, want.Key)) {
		t.Errorf("Java has another key")
	}
	if len(words)-2 != len(want.Chain) {
		t.Fatalf("Java has a chain of %d, want %d", len(words)-2, len(want.Chain))
	}
	for i, c := range want.Chain {
		if !bytes.Equal(unword(t, words[2+i]), c.Raw) {
			t.Errorf("Java has another certificate %d", i)
		}
	}
}

func TestJavaOpensOurFiles(t *testing.T) {
	java := startJava(t)
	for _, spec := range []string{"rsa:2048", "ecdsa:P-256", "ozdst", "ozmst", "gost2001"} {
		want := entryOf(t, spec, testpki.Person)
		for name, p := range map[string]Profile{"java8": ProfileJava8, "modern": ProfileModern} {
			t.Run(spec+"/"+name, func(t *testing.T) {
				data := createPFX(t, testPassword, p, want)
				answer := java.ask(t, "java", data, []byte(testPassword))
				checkJavaEntry(t, answer, want, !strings.HasPrefix(spec, "o") && spec != "gost2001")
				if got := java.Ask(t, "java "+base64.StdEncoding.EncodeToString(data)+" "+base64.StdEncoding.EncodeToString([]byte("another"))); !strings.Contains(got, "password was incorrect") {
					t.Errorf("wrong password: %s", got)
				}
			})
		}
	}
}

func TestJavaOpensOurFileOfSeveralKeys(t *testing.T) {
	java := startJava(t)
	pki := testpki.New(t, "ecdsa:P-256")
	var want []Entry
	for _, subject := range []string{testpki.Person, testpki.Organisation} {
		user := pki.User(t, subject)
		want = append(want, Entry{Alias: Alias(user.Cert, nil), Key: user.Key, Chain: user.Chain})
	}
	answer := java.ask(t, "java", createPFX(t, testPassword, ProfileJava8, want...), []byte(testPassword))
	entries := strings.Split(answer, " ; ")
	if len(entries) != len(want) {
		t.Fatalf("Java lists %d entries", len(entries))
	}
	for _, w := range want {
		word := base64.StdEncoding.EncodeToString([]byte(w.Alias)) + " "
		found := false
		for _, e := range entries {
			if strings.HasPrefix(e, word) {
				found = true
				checkJavaEntry(t, e, w, true)
			}
		}
		if !found {
			t.Errorf("Java does not list %q", w.Alias)
		}
	}
}

func TestBouncyCastleDecryptsEveryBagOfOurFiles(t *testing.T) {
	java := startJava(t)
	for _, spec := range []string{"ozdst", "ozdst:C", "ozmst:B", "gost2001", "rsa:2048"} {
		want := entryOf(t, spec, testpki.Organisation)
		want.Created = time.UnixMilli(1700000000123)
		for name, p := range map[string]Profile{"java8": ProfileJava8, "modern": ProfileModern} {
			t.Run(spec+"/"+name, func(t *testing.T) {
				data := createPFX(t, testPassword, p, want)
				bags := strings.Split(java.ask(t, "bc", data, []byte(testPassword)), " ; ")
				if bags[0] != "mac true" || len(bags) != 2+len(want.Chain) {
					t.Fatalf("answer %q with %d bags", bags[0], len(bags)-1)
				}
				attributes := fmt.Sprintf("%s %s", base64.StdEncoding.EncodeToString([]byte(want.Alias)),
					base64.StdEncoding.EncodeToString([]byte("Time 1700000000123")))
				wants := []string{fmt.Sprintf("key %s %s", base64.StdEncoding.EncodeToString(pkcs8Of(t, want.Key)), attributes)}
				for i, c := range want.Chain {
					if i > 0 {
						attributes = "- -"
					}
					wants = append(wants, fmt.Sprintf("cert %s %s", base64.StdEncoding.EncodeToString(c.Raw), attributes))
				}
				for i, w := range wants {
					if bags[1+i] != w {
						t.Errorf("bag %d\n got %s\nwant %s", i, bags[1+i], w)
					}
				}
				if got := java.ask(t, "bc", data, []byte("another")); got != "mac false" {
					t.Errorf("wrong password: %s", got)
				}
			})
		}
	}
}

func TestFilesOfBouncyCastleOpen(t *testing.T) {
	java := startJava(t)
	for _, spec := range []string{"ozdst", "ozdst:B", "ozmst:C", "rsa:2048"} {
		want := entryOf(t, spec, testpki.Person)
		want.Alias = "CN=Иванов ИВАН,SERIALNUMBER=785D0338"
		args := [][]byte{[]byte(testPassword), []byte(want.Alias), pkcs8Of(t, want.Key)}
		for _, c := range want.Chain {
			args = append(args, c.Raw)
		}
		for _, encoding := range []string{"DER", "BER"} {
			t.Run(spec+"/"+encoding, func(t *testing.T) {
				data := unword(t, java.ask(t, "pdu "+encoding, args...))
				checkOpens(t, data, testPassword, want)
				entries, err := OpenPFX(data, testPassword)
				if err != nil {
					t.Fatal(err)
				}
				if got := entries[0].Created.UnixMilli(); got != 1700000000123 {
					t.Errorf("created at %d", got)
				}
			})
		}
	}
	for spec, algorithm := range map[string]string{"rsa:2048": "RSA", "ecdsa:P-256": "EC", "gost2001": "ECGOST3410"} {
		want := entryOf(t, spec, testpki.Person)
		want.Alias = "Mixed Case"
		args := [][]byte{[]byte(testPassword), []byte(want.Alias), pkcs8Of(t, want.Key)}
		for _, c := range want.Chain {
			args = append(args, c.Raw)
		}
		for _, store := range []string{"PKCS12 BC", "PKCS12-3DES-3DES BC", "PKCS12-DEF BC", "PKCS12-DEF-3DES-40RC2 BC"} {
			t.Run(spec+"/"+store, func(t *testing.T) {
				data := unword(t, java.ask(t, "store "+store+" "+algorithm, args...))
				checkOpens(t, data, testPassword, want)
			})
		}
	}
}

func TestFilesOfKeytoolOpen(t *testing.T) {
	peer.BouncyCastle(t)
	keytool, err := exec.LookPath("keytool")
	if err != nil {
		t.Skip("keytool is not installed (Debian: apt-get install openjdk-17-jdk-headless)")
	}
	for _, keyAlg := range []string{"RSA", "EC"} {
		for name, extra := range map[string][]string{
			"java 17":            nil,
			"java 8":             {"-J-Dkeystore.pkcs12.legacy"},
			"no mac":             {"-J-Dkeystore.pkcs12.macAlgorithm=NONE"},
			"clear certificates": {"-J-Dkeystore.pkcs12.certProtectionAlgorithm=NONE"},
			"sha512": {"-J-Dkeystore.pkcs12.macAlgorithm=HmacPBESHA512", "-J-Dkeystore.pkcs12.keyProtectionAlgorithm=PBEWithHmacSHA512AndAES_128",
				"-J-Dkeystore.pkcs12.certProtectionAlgorithm=PBEWithHmacSHA384AndAES_256"},
			"rc2 128": {"-J-Dkeystore.pkcs12.certProtectionAlgorithm=PBEWithSHA1AndRC2_128"},
		} {
			if keyAlg == "RSA" && name != "java 8" {
				continue // the key makes no difference to the container, and RSA keys take long
			}
			t.Run(keyAlg+"/"+name, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "file.p12")
				args := append([]string{"-genkeypair", "-keyalg", keyAlg, "-dname", "CN=Keytool, O=Oracle", "-alias", "MyKey",
					"-storetype", "PKCS12", "-keystore", path, "-storepass", testPassword}, extra...)
				before := time.Now().Add(-time.Minute)
				if out, err := exec.CommandContext(t.Context(), keytool, args...).CombinedOutput(); err != nil {
					t.Fatalf("keytool: %v\n%s", err, out)
				}
				data, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				entries, err := OpenPFX(data, testPassword)
				if err != nil {
					t.Fatal(err)
				}
				if len(entries) != 1 || entries[0].Alias != "mykey" || len(entries[0].Chain) != 1 {
					t.Fatalf("entries %+v", entries)
				}
				checkPair(t, entries[0].Key, entries[0].Chain[0])
				if got := entries[0].Created; got.Before(before) || got.After(time.Now().Add(time.Minute)) {
					t.Errorf("created %s", got)
				}
				if aliases, err := ListPFX(data); err != nil || len(aliases) != 1 || aliases[0] != "mykey" {
					t.Errorf("aliases %q, %v", aliases, err)
				}
			})
		}
	}
}

func TestLowerCaseIsThatOfJava(t *testing.T) {
	java := startJava(t)
	for _, s := range []string{
		"CN=IVANOV IVAN,SERIALNUMBER=785D0338", "O‘ZBEKISTON ʻʼ’", "ЎЗБЕКИСТОН ҚҒҲ ЁЪЬ", "İSTANBUL", "IıİI", "ΟΔΥΣΣΕΥΣ", "ΣΑΣ Σ ΑΣ,ΒΣ=ΣΓ",
		"ǅ ǈ ẞ ÅÄÖ", "😀 𐐀", "\"MCHJ\" №1", "O=A\\,B+C",
	} {
		if got, want := lower(s), string(unword(t, java.ask(t, "lower", []byte(s)))); got != want {
			t.Errorf("lower(%q) = %q, Java has %q", s, got, want)
		}
	}
}
