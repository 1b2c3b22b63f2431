package keystore

import (
	"errors"
	"testing"

	"imzo/internal/testpki"
)

func TestTheProfileOfAFileIsSeenWithoutItsPassword(t *testing.T) {
	e := entryOf(t, "ozdst", testpki.Person)
	for _, p := range []Profile{ProfileJava8, ProfileModern} {
		data := createPFX(t, testPassword, p, e)
		for name, data := range map[string][]byte{"whole": data, "without a MAC": withoutMAC(t, data)} {
			if got, err := ProfileOf(data); err != nil || got != p {
				t.Errorf("%s: profile %d, %v; want %d", name, got, err, p)
			}
		}
	}
	if _, err := ProfileOf([]byte("no PFX")); !errors.Is(err, ErrFormat) {
		t.Errorf("no PFX: %v", err)
	}
}

// TestOneModernPartMakesAFileModern: Java 8 opens all of a file or nothing.
func TestOneModernPartMakesAFileModern(t *testing.T) {
	java := startPFXProfile(t)
	e := entryOf(t, "ozdst", testpki.Person)
	for _, tc := range []struct {
		key, certs, mac string
		want            Profile
	}{
		{pbe3DES, pbeRC240, "SHA-1", ProfileJava8},
		{pbe3DES, pbe3DES, "SHA-1", ProfileJava8},
		{pbeRC240, pbeRC2128, "SHA-1", ProfileJava8},
		{pbe3DES, pbeRC240, "SHA-256", ProfileModern},
		{pbe3DES, aes256CBC, "SHA-1", ProfileModern},
		{aes128CBC, pbeRC240, "SHA-1", ProfileModern},
	} {
		data := unword(t, java.ask(t, "mixed", []byte(tc.key), []byte(tc.certs), []byte(tc.mac), []byte(testPassword), []byte("a"), pkcs8Of(t, e.Key), e.Chain[0].Raw))
		if got, err := ProfileOf(data); err != nil || got != tc.want {
			t.Errorf("%+v: profile %d, %v", tc, got, err)
		}
	}
}
