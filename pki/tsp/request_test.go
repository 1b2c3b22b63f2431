package tsp

import (
	"bytes"
	"crypto/rand"
	"errors"
	"math/big"
	"testing"

	"imzo/pki/alg"
	"imzo/pki/ber"
)

func TestRequestsComeBackAsTheyWere(t *testing.T) {
	d := alg.OZDST()
	for _, r := range []Request{
		NewRequest(d, d.Sum(nil), nil, false),
		NewRequest(d, d.Sum(nil), big.NewInt(0), true),
		NewRequest(alg.SHA256(), alg.SHA256().Sum(nil), new(big.Int).Lsh(big.NewInt(1), 64), true),
		{HashAlgorithm: d.Identifier(), HashedMessage: d.Sum(nil), Policy: ber.MustOID(testPolicy), Nonce: big.NewInt(-5)},
	} {
		got, err := ParseRequest(r.Marshal())
		if err != nil {
			t.Fatal(err)
		}
		if !got.HashAlgorithm.Equal(r.HashAlgorithm) || !bytes.Equal(got.HashedMessage, r.HashedMessage) || got.Policy != r.Policy ||
			got.CertReq != r.CertReq || got.Extensions || (got.Nonce == nil) != (r.Nonce == nil) || r.Nonce != nil && got.Nonce.Cmp(r.Nonce) != 0 {
			t.Errorf("%+v, want %+v", got, r)
		}
		if !bytes.Equal(got.Raw, r.Marshal()) || !bytes.Equal(got.Marshal(), got.Raw) {
			t.Errorf("Raw %x", got.Raw)
		}
	}
}

func TestNewNonceHas64RandomBits(t *testing.T) {
	a, err := NewNonce(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewNonce(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if a.Cmp(b) == 0 || a.BitLen() > 64 || a.Sign() < 0 {
		t.Errorf("%x, %x", a, b)
	}
	if _, err := NewNonce(bytes.NewReader(make([]byte, 7))); err == nil {
		t.Error("a nonce without enough randomness")
	}
}

func TestParseRequest(t *testing.T) {
	d := alg.OZDST()
	version, imprint := ber.Int64(1), ber.Sequence(d.Identifier().Marshal(), ber.OctetString(d.Sum(seal)))
	extensions := ber.Tagged(ber.ContextConstructed(0), extension("1.2.3", false, nil))
	long := new(big.Int).Lsh(big.NewInt(1), 8*maxNonce)
	for _, tt := range []struct {
		name string
		der  []byte
		ok   bool
	}{
		{"plain", ber.Sequence(version, imprint), true},
		{"all parts", ber.Sequence(version, imprint, ber.MustOID("1.2").DER(), ber.Int64(7), ber.Bool(true), extensions), true},
		{"certReq FALSE", ber.Sequence(version, imprint, ber.Bool(false)), true},
		{"nothing", nil, false},
		{"no sequence", ber.Set(version, imprint), false},
		{"empty", ber.Sequence(), false},
		{"version 2", ber.Sequence(ber.Int64(2), imprint), false},
		{"version 0", ber.Sequence(ber.Int64(0), imprint), false},
		{"no imprint", ber.Sequence(version), false},
		{"an empty imprint", ber.Sequence(version, ber.Sequence()), false},
		{"an imprint without digest", ber.Sequence(version, ber.Sequence(d.Identifier().Marshal())), false},
		{"an imprint with a bad algorithm", ber.Sequence(version, ber.Sequence(ber.Sequence(), ber.OctetString(nil))), false},
		{"an imprint with more", ber.Sequence(version, ber.Sequence(d.Identifier().Marshal(), ber.OctetString(nil), ber.Null())), false},
		{"an imprint of 65 octets", ber.Sequence(version, ber.Sequence(d.Identifier().Marshal(), ber.OctetString(make([]byte, 65)))), false},
		{"a bad policy", ber.Sequence(version, imprint, ber.Tagged(ber.TagOID, []byte{0x80})), false},
		{"a nonce of 65 octets", ber.Sequence(version, imprint, ber.Int(long)), false},
		{"a nonce that is not minimal", ber.Sequence(version, imprint, ber.Tagged(ber.TagInteger, []byte{0, 1})), false},
		{"a bad certReq", ber.Sequence(version, imprint, ber.Tagged(ber.TagBoolean)), false},
		{"parts out of order", ber.Sequence(version, imprint, ber.Bool(true), ber.Int64(7)), false},
		{"more after the parts", ber.Sequence(version, imprint, ber.Null()), false},
		{"trailing octets", append(ber.Sequence(version, imprint), 0), false},
		{"too large", ber.Sequence(version, imprint, ber.Tagged(ber.ContextConstructed(0), extension("1.2.3", false, make([]byte, maxRequest)))), false},
	} {
		r, err := ParseRequest(tt.der)
		if tt.ok != (err == nil) || tt.ok != (r != nil) || err != nil && !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %+v, %v", tt.name, r, err)
		}
	}
}
