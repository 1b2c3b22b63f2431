package cms

import (
	"encoding/hex"
	"os"
	"testing"
	"time"

	"imzo/pki/alg"
	"imzo/pki/armor"
)

func fixture(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/cms-fixture.b64")
	if err != nil {
		t.Fatal(err)
	}
	der, err := armor.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func mustParse(t testing.TB, b []byte) *SignedData {
	t.Helper()
	s, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFixtureReadsAndVerifies(t *testing.T) {
	s := mustParse(t, fixture(t))
	if !s.Indefinite || s.Version != 1 || s.ContentType != OIDData || s.Detached() || string(s.Content()) != "Salom, E-IMZO" {
		t.Errorf("read as %+v", s)
	}
	if len(s.Certificates) != 1 || len(s.CRLs) != 0 || len(s.SignerInfos) != 1 || len(s.DigestAlgorithms) != 1 {
		t.Fatalf("%d certificates, %d CRLs, %d signers", len(s.Certificates), len(s.CRLs), len(s.SignerInfos))
	}
	si := s.SignerInfos[0]
	if got := si.SID.String(); got != "certificate 77010203" {
		t.Error(got)
	}
	if got := hex.EncodeToString(si.Signature); got != "f8d25633a0dfbf90fe93403a4898ca61dde1d9fd265fcdef44f32b6459dce538281654a61d548f423ad3369c905ce35ff3aa39597b7e7592d64470b975c55d2d" {
		t.Error(got)
	}
	at, ok, err := si.SigningTime()
	if want := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC); err != nil || !ok || !at.Equal(want) {
		t.Errorf("signing time %v, %v, %v", at, ok, err)
	}
	digest, ok, err := si.MessageDigest()
	if err != nil || !ok || hex.EncodeToString(digest) != hex.EncodeToString(alg.OZDST().Sum([]byte("Salom, E-IMZO"))) {
		t.Errorf("message digest %x, %v, %v", digest, ok, err)
	}
	if tokens, err := si.TimeStampTokens(); len(tokens) != 0 || err != nil {
		t.Errorf("%d tokens, %v", len(tokens), err)
	}
	certs := s.SignerCertificates(si)
	if len(certs) != 1 {
		t.Fatalf("%d certificates of the signer", len(certs))
	}
	if err := s.Verify(si, certs[0], nil); err != nil {
		t.Error(err)
	}
}
