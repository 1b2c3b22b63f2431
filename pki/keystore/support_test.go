package keystore

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"io"
	"testing"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/cert"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// allSpecs are the kinds of keys that go through every format.
var allSpecs = []string{
	"ozdst", "ozdst:B", "ozdst:C", "ozmst", "ozmst:B", "ozmst:C", "gost2001", "gost2001:B", "gost2001:C",
	"rsa:2048", "ecdsa:P-224", "ecdsa:P-256", "ecdsa:P-384", "ecdsa:P-521", "ed25519",
}

// entryOf makes an entry for a new user with a chain of three.
func entryOf(t testing.TB, spec, subject string) Entry {
	t.Helper()
	user := testpki.New(t, spec).User(t, subject)
	return Entry{Alias: Alias(user.Cert, nil), Key: user.Key, Chain: user.Chain}
}

func createPFX(t testing.TB, password string, p Profile, entries ...Entry) []byte {
	t.Helper()
	data, err := CreatePFX(rand.Reader, entries, password, p)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// checkPair fails when the key does not make signatures that the
// certificate's public key verifies under the key's algorithm.
func checkPair(t testing.TB, key *alg.PrivateKey, c *cert.Certificate) {
	t.Helper()
	message := []byte("Salom, E-IMZO")
	sig, err := key.SignMessage(rand.Reader, message)
	if err != nil {
		t.Fatal(err)
	}
	s, err := alg.ResolveSignature(key.SignatureAlgorithm(), key.Digest())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(c.PublicKey, message, sig); err != nil {
		t.Error(err)
	}
}

func checkSameEntry(t testing.TB, got, want Entry) {
	t.Helper()
	if got.Alias != lower(want.Alias) {
		t.Errorf("alias %q, want %q", got.Alias, lower(want.Alias))
	}
	if got.Key.Family() != want.Key.Family() || got.Key.PublicKey().ParamSet != want.Key.PublicKey().ParamSet {
		t.Errorf("key of %s, %s; want %s, %s", got.Key.Family(), got.Key.PublicKey().ParamSet,
			want.Key.Family(), want.Key.PublicKey().ParamSet)
	}
	if len(got.Chain) != len(want.Chain) {
		t.Fatalf("chain of %d, want %d", len(got.Chain), len(want.Chain))
	}
	for i := range want.Chain {
		if !got.Chain[i].Equal(want.Chain[i]) {
			t.Errorf("certificate %d is %s, want %s", i, got.Chain[i].Subject, want.Chain[i].Subject)
		}
	}
	checkPair(t, got.Key, want.Chain[0])
}

// fastProfile has the shape of ProfileJava8 and few iterations.
func fastProfile() *profile {
	return &profile{
		keys:          func(rand io.Reader) (*encryption, []byte, error) { return newPBE1(rand, oidPBE3DES, 3) },
		certs:         func(rand io.Reader) (*encryption, []byte, error) { return newPBE1(rand, oidPBERC240, 2) },
		mac:           sha1.New,
		macID:         alg.NewNull(alg.OIDDigestSHA1),
		macIterations: 2,
	}
}

func fastPFX(t testing.TB, password string, entries ...Entry) []byte {
	t.Helper()
	data, err := fastProfile().create(rand.Reader, entries, password)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
