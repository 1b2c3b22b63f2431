package crl

import (
	"bytes"
	"os"
	"testing"

	"imzo/pki/cert"
)

// stored returns the list of testdata and its issuer; the key is gone.
func stored(t testing.TB) ([]byte, *cert.Certificate) {
	t.Helper()
	der, err := os.ReadFile("testdata/list.crl")
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile("testdata/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	certs, err := cert.ParseAll(pem)
	if err != nil {
		t.Fatal(err)
	}
	return der, certs[0]
}

func TestStoredListSaysWhatItDid(t *testing.T) {
	der, issuer := stored(t)
	l := mustParse(t, der)
	if err := l.CheckSignatureFrom(issuer); err != nil {
		t.Error(err)
	}
	for i, want := range testTemplate().Entries {
		if got, revoked, err := l.Lookup(want.Serial); err != nil || !revoked || !sameEntry(got, want) {
			t.Errorf("entry %d: %+v, %v, %v", i, got, revoked, err)
		}
	}
}

// FuzzParse checks that no mutation of the stored list is accepted, and that
// looking up finds what walking finds.
func FuzzParse(f *testing.F) {
	der, issuer := stored(f)
	f.Add(der)
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := Parse(b)
		if err != nil {
			return
		}
		if l.CheckSignatureFrom(issuer) == nil && !bytes.Equal(b, der) {
			t.Fatal("accepted")
		}
		if err := l.Each(func(e Entry) bool {
			got, revoked, err := l.Lookup(e.Serial)
			if err != nil || revoked && got.Serial.Cmp(e.Serial) != 0 || !revoked && e.Reason != 8 {
				t.Fatalf("%+v: found %+v, %v, %v", e, got, revoked, err)
			}
			return true
		}); err != nil {
			t.Fatal(err)
		}
	})
}
