package apikey

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"imzo/gost/gost3410"
	"imzo/gost/gost341194"
)

func published(t testing.TB) map[string]string {
	t.Helper()
	b, err := os.ReadFile("testdata/keys.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Keys map[string]string }
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Keys) < 5 {
		t.Fatalf("%d keys", len(file.Keys))
	}
	return file.Keys
}

func TestVerifyTakesThePublishedKeysForTheirDomainsOnly(t *testing.T) {
	keys := published(t)
	for domain, key := range keys {
		for other := range keys {
			err := Verify(other, key)
			if other == domain && err != nil || other != domain && !errors.Is(err, ErrSignature) {
				t.Errorf("key of %s for %s: %v", domain, other, err)
			}
		}
		if err := Verify(domain, " "+strings.ToLower(key)+"\r\n"); err != nil {
			t.Errorf("%s, lower case: %v", domain, err)
		}
		if err := Verify(strings.ToUpper(domain)+".", key); !errors.Is(err, ErrSignature) {
			t.Errorf("%s, spelt otherwise: %v", domain, err)
		}
	}
}

func TestVerifyRefusesEveryChangedDigit(t *testing.T) {
	key := published(t)["localhost"]
	for i := range key {
		changed := []byte(key)
		if changed[i] == '0' {
			changed[i] = '1'
		} else {
			changed[i] = '0'
		}
		if err := Verify("localhost", string(changed)); !errors.Is(err, ErrSignature) {
			t.Errorf("digit %d: %v", i, err)
		}
	}
	if err := Verify("localhost", key[64:]+key[:64]); !errors.Is(err, ErrSignature) {
		t.Errorf("halves swapped: %v", err)
	}
}

func TestVerifyRefusesWhatIsNoKey(t *testing.T) {
	key := published(t)["localhost"]
	for _, text := range []string{"", "x", key[:127], key[:126], key + "00", key + "0", strings.Replace(key, "9", "g", 1), key[:64] + " " + key[64:]} {
		if err := Verify("localhost", text); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := Verify("localhost", strings.Repeat("0", 128)); !errors.Is(err, ErrSignature) {
		t.Errorf("zeros: %v", err)
	}
}

func TestVerifyHashesTwice(t *testing.T) {
	key, err := gost3410.GenerateKey(gost3410.CryptoProA(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	once := gost341194.Sum256([]byte("пример.уз"))
	twice := gost341194.Sum256(once[:])
	for digest, want := range map[[32]byte]error{once: ErrSignature, twice: nil} {
		sig, err := key.Sign(rand.Reader, digest[:], nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := verify(key.PublicKey(), "пример.уз", hex.EncodeToString(sig)); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
}

func ExampleVerify() {
	err := Verify("localhost", "96D0C1491615C82B9A54D9989779DF825B690748224C2B04F500F370D51827CE"+
		"2644D8D4A82C18184D73AB8530BB8ED537269603F61DB0D03D2104ABF789970B")
	fmt.Println(err)
	// Output: <nil>
}
