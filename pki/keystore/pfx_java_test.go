package keystore

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"imzo/internal/testpki"
	"imzo/internal/testpki/peer"
)

func startPFXProfile(t testing.TB) javaPeer {
	t.Helper()
	return javaPeer{peer.BouncyCastle(t).Start(t, "PFXProfile", "testdata/PFXProfile.java")}
}

// The ciphers of PFX files by the words of BouncyCastle's description.
const (
	pbe3DES   = "1.2.840.113549.1.12.1.3"
	pbeRC2128 = "1.2.840.113549.1.12.1.5"
	pbeRC240  = "1.2.840.113549.1.12.1.6"
	pbes2     = "1.2.840.113549.1.5.13"
	aes256CBC = "2.16.840.1.101.3.4.1.42"
	aes128CBC = "2.16.840.1.101.3.4.1.2"
	hmacSHA1  = "1.2.840.113549.2.7"
	hmacSHA2  = "1.2.840.113549.2.9"
	dotSHA1   = "1.3.14.3.2.26"
	dotSHA256 = "2.16.840.1.101.3.4.2.1"
)

// TestOurFilesNameTheAlgorithmsOfTheirProfile is the check under Java 8's
// profile: up to its update 300 its PKCS12 key store reads nothing but PBE with
// SHA-1 and 3DES or RC2-40, and takes nothing but a SHA-1 MAC; it has no limit
// of its own for iterations.
func TestOurFilesNameTheAlgorithmsOfTheirProfile(t *testing.T) {
	java := startPFXProfile(t)
	for _, spec := range []string{"ozdst", "ozmst:C", "rsa:2048"} {
		first, second := entryOf(t, spec, testpki.Person), entryOf(t, spec, testpki.Organisation)
		for p, want := range map[Profile][]string{
			ProfileJava8: {
				"mac " + dotSHA1 + " 100000 20",
				"data",
				"key " + pbe3DES + " 50000 20",
				"key " + pbe3DES + " 50000 20",
				"encrypted " + pbeRC240 + " 50000 20",
			},
			ProfileModern: {
				"mac " + dotSHA256 + " 100000 20",
				"data",
				"key " + pbes2 + " 100000 20 " + hmacSHA2 + " " + aes256CBC,
				"key " + pbes2 + " 100000 20 " + hmacSHA2 + " " + aes256CBC,
				"encrypted " + pbes2 + " 100000 20 " + hmacSHA2 + " " + aes256CBC,
			},
		} {
			got := java.ask(t, "profile", createPFX(t, testPassword, p, first, second))
			if got != strings.Join(want, " ; ") {
				t.Errorf("%s, profile %d:\n got %s\nwant %s", spec, p, got, strings.Join(want, " ; "))
			}
		}
	}
}

// TestFilesOfEveryMixtureOpen: keys of Uzbekistan, which keytool cannot make,
// in files of BouncyCastle's.
func TestFilesOfEveryMixtureOpen(t *testing.T) {
	java := startPFXProfile(t)
	ciphers := map[string]string{"3DES": pbe3DES, "RC2-40": pbeRC240, "RC2-128": pbeRC2128, "AES-128": aes128CBC, "AES-256": aes256CBC}
	described := func(cipher string) string {
		if oid := ciphers[cipher]; strings.HasPrefix(cipher, "AES") {
			return pbes2 + " 1024 20 " + hmacSHA1 + " " + oid
		} else {
			return oid + " 1024 20"
		}
	}
	want := entryOf(t, "ozdst", testpki.Organisation)
	for keyCipher := range ciphers {
		for certCipher := range ciphers {
			for mac, macDescribed := range map[string]string{"SHA-1": dotSHA1 + " 1024 20", "SHA-256": dotSHA256 + " 1024 32"} {
				t.Run(fmt.Sprintf("%s/%s/%s", keyCipher, certCipher, mac), func(t *testing.T) {
					args := [][]byte{[]byte(ciphers[keyCipher]), []byte(ciphers[certCipher]), []byte(mac), []byte(testPassword), []byte(want.Alias), pkcs8Of(t, want.Key)}
					for _, c := range want.Chain {
						args = append(args, c.Raw)
					}
					data := unword(t, java.ask(t, "mixed", args...))
					// The file is what it is meant to be.
					profile := "mac " + macDescribed + " ; data ; key " + described(keyCipher) + " ; encrypted " + described(certCipher)
					if got := java.ask(t, "profile", data); got != profile {
						t.Fatalf("BouncyCastle wrote\n%s\nwant\n%s", got, profile)
					}
					checkOpens(t, data, testPassword, want)
				})
			}
		}
	}
}

// TestFilesOfKeytoolOpenInEveryMixture: the container as Java's own key store
// writes it, with the properties that choose its algorithms.
func TestFilesOfKeytoolOpenInEveryMixture(t *testing.T) {
	java := startPFXProfile(t)
	ciphers := map[string]string{
		"PBEWithSHA1AndDESede":        pbe3DES,
		"PBEWithSHA1AndRC2_40":        pbeRC240,
		"PBEWithHmacSHA1AndAES_128":   hmacSHA1 + " " + aes128CBC,
		"PBEWithHmacSHA256AndAES_256": hmacSHA2 + " " + aes256CBC,
	}
	for cipher, inFile := range ciphers {
		for mac, macOID := range map[string]string{"HmacPBESHA1": dotSHA1, "HmacPBESHA256": dotSHA256} {
			t.Run(cipher+"/"+mac, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "file.p12")
				keytool(t, "-J-Dkeystore.pkcs12.keyProtectionAlgorithm="+cipher, "-J-Dkeystore.pkcs12.certProtectionAlgorithm="+cipher,
					"-J-Dkeystore.pkcs12.macAlgorithm="+mac, "-genkeypair", "-keyalg", "EC", "-groupname", "secp256r1", "-dname", "CN=Keytool",
					"-alias", "MyKey", "-storetype", "PKCS12", "-keystore", path, "-storepass", testPassword)
				data, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				profile := java.ask(t, "profile", data)
				if !strings.HasPrefix(profile, "mac "+macOID+" ") || strings.Count(profile, inFile) != 2 {
					t.Fatalf("keytool wrote %s", profile)
				}
				entries, err := OpenPFX(data, testPassword)
				if err != nil || len(entries) != 1 || entries[0].Alias != "mykey" || len(entries[0].Chain) != 1 {
					t.Fatalf("%+v, %v", entries, err)
				}
				checkPair(t, entries[0].Key, entries[0].Chain[0])
			})
		}
	}
}

// TestKeytoolListsOurFiles: what a person sees who tries a file of ours with
// the tools of Java 17.
func TestKeytoolListsOurFiles(t *testing.T) {
	for _, spec := range []string{"ozdst", "ecdsa:P-256"} {
		want := entryOf(t, spec, testpki.Person)
		for name, p := range map[string]Profile{"java8": ProfileJava8, "modern": ProfileModern} {
			t.Run(spec+"/"+name, func(t *testing.T) {
				file := writeFile(t, createPFX(t, testPassword, p, want))
				out, err := exec.CommandContext(t.Context(), peer.Keytool(t), "-list", "-storetype", "PKCS12", "-keystore", file, "-storepass", testPassword).CombinedOutput()
				if err != nil {
					t.Fatalf("keytool: %v\n%s", err, out)
				}
				if !bytes.Contains(out, []byte(want.Alias)) || !bytes.Contains(out, []byte("PrivateKeyEntry")) || !bytes.Contains(out, []byte("1 entry")) {
					t.Errorf("keytool lists\n%s", out)
				}
			})
		}
	}
}
