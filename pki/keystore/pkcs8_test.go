package keystore

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"math/big"
	"slices"
	"testing"

	"imzo/gost/gost3410"
	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/ber"
)

// The private key of the known answers, and its public key on curve A.
const (
	katPrivate = "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
	katPublic  = "04401b7beeb499fdd7d3f3f629c2be4c5d0321b6549889c499c3b082f7a269ef35aa88260cc8ff05621f0f09335c6616eb006c19d0eef4a42f09b7e173662a1a9cff"
)

func katKey(t testing.TB, curve *gost3410.Curve, family alg.Family) *alg.PrivateKey {
	t.Helper()
	s, err := gost3410.NewPrivateKey(curve, unhex(t, katPrivate))
	if err != nil {
		t.Fatal(err)
	}
	k, err := alg.NewPrivateKey(s, family)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// info makes a PrivateKeyInfo.
func info(oid ber.OID, params, key []byte) []byte {
	return ber.Sequence(ber.Int64(0), ber.Sequence(oid.DER(), params), ber.OctetString(key))
}

func TestPKCS8IsWrittenAsEIMZOWritesIt(t *testing.T) {
	// Put together by hand from the description of E-IMZO's files.
	const want = "30819a" + "020100" +
		"3017" + "06092a865c030f01010201" + "060a2a865c030f0101020101" +
		"047c" + "307a" + "020101" + "0420" + katPrivate +
		"a00c" + "060a2a865c030f0101020101" + "a145" + "034300" + katPublic
	got, err := MarshalPKCS8(katKey(t, gost3410.CryptoProA(), alg.FamilyOZDST))
	if err != nil {
		t.Fatal(err)
	}
	if hex.EncodeToString(got) != want {
		t.Errorf("got  %x\nwant %s", got, want)
	}
}

func TestPKCS8FormsOfGOSTKeysAllRead(t *testing.T) {
	d := unhex(t, katPrivate)
	le := bytes.Clone(d)
	slices.Reverse(le)
	integer := ber.Int(new(big.Int).SetBytes(d))
	for _, f := range []struct {
		family         alg.Family
		oid, set, hash ber.OID
		curve          *gost3410.Curve
	}{
		{alg.FamilyOZDST, alg.OIDKeyOZDST, alg.OIDParamOZDSTA, alg.OIDDigestOZDST, gost3410.CryptoProA()},
		{alg.FamilyOZDST, alg.OIDKeyOZDST, alg.OIDParamOZDSTB, alg.OIDDigestOZDST, gost3410.CryptoProB()},
		{alg.FamilyOZDST, alg.OIDKeyOZDST, alg.OIDParamOZDSTXchB, alg.OIDDigestOZDST, gost3410.CryptoProC()},
		{alg.FamilyOZMST, alg.OIDKeyOZMST, alg.OIDParamOZMSTC, alg.OIDDigestOZMST, gost3410.CryptoProC()},
		{alg.FamilyOZMST, alg.OIDKeyOZMST, alg.OIDParamOZMSTD, alg.OIDDigestOZMST, gost3410.CryptoProA()},
		{alg.FamilyOZMST, alg.OIDKeyOZMST, alg.OIDParamOZMSTE, alg.OIDDigestOZMST, gost3410.CryptoProB()},
		{alg.FamilyGOST2001, alg.OIDKeyGOST2001, alg.OIDParamGOST2001A, alg.OIDParamGOST94CryptoPro, gost3410.CryptoProA()},
		{alg.FamilyGOST2001, alg.OIDKeyGOST2001, alg.OIDParamGOST2001Test, alg.OIDParamGOST94CryptoPro, gost3410.TestCurve()},
	} {
		key, err := gost3410.NewPrivateKey(f.curve, d)
		if err != nil {
			t.Fatal(err)
		}
		set := f.set.DER()
		named := ber.Tagged(ber.ContextConstructed(0), set)
		public := ber.Tagged(ber.ContextConstructed(1), ber.BitString(ber.OctetString(key.PublicKey().Bytes())))
		sec1 := func(d []byte, rest ...[]byte) []byte {
			return ber.Sequence(append([][]byte{ber.Int64(1), ber.OctetString(d)}, rest...)...)
		}
		forms := map[string][]byte{
			"OID, SEC1 in full":            info(f.oid, set, sec1(d, named, public)),
			"OID, SEC1 without public key": info(f.oid, set, sec1(d, named)),
			"OID, SEC1 bare":               info(f.oid, set, sec1(d)),
			"OID, d without leading zeros": info(f.oid, set, sec1(bytes.TrimLeft(d, "\x00"))),
			"OID, d with a zero before":    info(f.oid, set, sec1(append([]byte{0}, d...))),
			"one OID in a SEQUENCE":        info(f.oid, ber.Sequence(set), le),
			"two OIDs in a SEQUENCE":       info(f.oid, ber.Sequence(set, f.hash.DER()), le),
			"three OIDs in a SEQUENCE":     info(f.oid, ber.Sequence(set, f.hash.DER(), f.hash.DER()), le),
			"SEQUENCE, OCTET STRING":       info(f.oid, ber.Sequence(set), ber.OctetString(le)),
			"SEQUENCE, INTEGER":            info(f.oid, ber.Sequence(set), integer),
			"NULL, SEC1 names the curve":   info(f.oid, ber.Null(), sec1(d, named)),
			"absent, SEC1 names the curve": info(f.oid, nil, sec1(d, named, public)),
			"RFC 5958 with attributes":     ber.Sequence(ber.Int64(1), ber.Sequence(f.oid.DER(), set), ber.OctetString(sec1(d)), ber.Tagged(ber.ContextConstructed(0)), ber.Tagged(ber.Context(1), []byte{0})),
			"BER":                          ber.Indefinite(ber.TagSequence, ber.Int64(0), ber.Sequence(f.oid.DER(), set), ber.Indefinite(ber.TagOctetString|0x20, ber.OctetString(sec1(d)))),
		}
		if f.curve == gost3410.CryptoProA() {
			forms["NULL, INTEGER on curve A"] = info(f.oid, ber.Null(), integer)
			forms["absent, INTEGER on curve A"] = info(f.oid, nil, integer)
		}
		for name, der := range forms {
			got, err := ParsePKCS8(der)
			if err != nil {
				t.Errorf("%s, %s: %v", f.set, name, err)
				continue
			}
			if !got.Signer().(*gost3410.PrivateKey).Equal(key) || got.Family() != f.family {
				t.Errorf("%s, %s: another key", f.set, name)
			}
			if bytes.Contains([]byte(name), []byte("on curve A")) {
				continue // the set is the family's first
			}
			if got.PublicKey().ParamSet != f.set {
				t.Errorf("%s, %s: set %s", f.set, name, got.PublicKey().ParamSet)
			}
			again, err := ParsePKCS8(pkcs8Of(t, got))
			if err != nil || again.PublicKey().ParamSet != f.set || !again.PublicKey().SameKey(got.PublicKey()) {
				t.Errorf("%s, %s: does not survive writing: %v", f.set, name, err)
			}
		}
	}
}

func TestPKCS8RefusesBrokenKeys(t *testing.T) {
	d := unhex(t, katPrivate)
	set := alg.OIDParamOZDSTA.DER()
	sec1 := func(parts ...[]byte) []byte { return ber.Sequence(append([][]byte{ber.Int64(1)}, parts...)...) }
	order := gost3410.CryptoProA().Params().N
	otherPublic := unhex(t, katPublic)
	otherPublic[10] ^= 1
	x25519, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	xder, err := x509.MarshalPKCS8PrivateKey(x25519)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		der  []byte
		want error
	}{
		"empty":                      {nil, ErrFormat},
		"no SEQUENCE":                {ber.Null(), ErrFormat},
		"too large":                  {make([]byte, maxKey+1), ErrLimit},
		"version 2":                  {ber.Sequence(ber.Int64(2), ber.Sequence(alg.OIDKeyOZDST.DER(), set), ber.OctetString(sec1(ber.OctetString(d)))), ErrFormat},
		"no algorithm":               {ber.Sequence(ber.Int64(0), ber.Null()), ErrFormat},
		"no key":                     {ber.Sequence(ber.Int64(0), ber.Sequence(alg.OIDKeyOZDST.DER(), set)), ErrFormat},
		"something after":            {ber.Sequence(ber.Int64(0), ber.Sequence(alg.OIDKeyOZDST.DER(), set), ber.OctetString(sec1(ber.OctetString(d))), ber.Null()), ErrFormat},
		"d = 0":                      {info(alg.OIDKeyOZDST, set, sec1(ber.OctetString(make([]byte, 32)))), ErrFormat},
		"d = n":                      {info(alg.OIDKeyOZDST, set, sec1(ber.OctetString(order))), ErrFormat},
		"d of 33 octets":             {info(alg.OIDKeyOZDST, set, sec1(ber.OctetString(append([]byte{1}, d...)))), ErrFormat},
		"d = 0 as INTEGER":           {info(alg.OIDKeyOZDST, nil, ber.Int64(0)), ErrFormat},
		"negative d":                 {info(alg.OIDKeyOZDST, nil, ber.Int64(-5)), ErrFormat},
		"d above 256 bits":           {info(alg.OIDKeyOZDST, nil, ber.Int(new(big.Int).Lsh(big.NewInt(1), 256))), ErrFormat},
		"d = n as INTEGER":           {info(alg.OIDKeyOZDST, nil, ber.Int(new(big.Int).SetBytes(order))), ErrFormat},
		"INTEGER cut":                {info(alg.OIDKeyOZDST, nil, []byte{2, 9}), ErrFormat},
		"INTEGER not minimal":        {info(alg.OIDKeyOZDST, nil, []byte{2, 2, 0, 1}), ErrFormat},
		"no parameters and no curve": {info(alg.OIDKeyOZDST, nil, sec1(ber.OctetString(d))), ErrFormat},
		"two parameter sets":         {info(alg.OIDKeyOZDST, set, sec1(ber.OctetString(d), ber.Tagged(ber.ContextConstructed(0), alg.OIDParamOZDSTB.DER()))), ErrFormat},
		"another public key":         {info(alg.OIDKeyOZDST, set, sec1(ber.OctetString(d), ber.Tagged(ber.ContextConstructed(1), ber.BitString(otherPublic)))), ErrFormat},
		"public key that is none":    {info(alg.OIDKeyOZDST, set, sec1(ber.OctetString(d), ber.Tagged(ber.ContextConstructed(1), ber.Null()))), ErrFormat},
		"SEC1 version 2":             {info(alg.OIDKeyOZDST, set, ber.Sequence(ber.Int64(2), ber.OctetString(d))), ErrFormat},
		"SEC1 with more":             {info(alg.OIDKeyOZDST, set, sec1(ber.OctetString(d), ber.Null())), ErrFormat},
		"SEC1 without d":             {info(alg.OIDKeyOZDST, set, sec1()), ErrFormat},
		"named curve is no OID":      {info(alg.OIDKeyOZDST, nil, sec1(ber.OctetString(d), ber.Tagged(ber.ContextConstructed(0), ber.Null()))), ErrFormat},
		"parameters are an INTEGER":  {info(alg.OIDKeyOZDST, ber.Int64(1), d), ErrFormat},
		"no OID in the SEQUENCE":     {info(alg.OIDKeyOZDST, ber.Sequence(), d), ErrFormat},
		"four OIDs in the SEQUENCE":  {info(alg.OIDKeyOZDST, ber.Sequence(set, set, set, set), d), ErrFormat},
		"set D of the legacy family": {info(alg.OIDKeyOZDST, alg.OIDParamOZDSTD.DER(), sec1(ber.OctetString(d))), ErrUnsupported},
		"set of another family":      {info(alg.OIDKeyOZMST, set, sec1(ber.OctetString(d))), ErrUnsupported},
		"obsolete algorithm":         {info(alg.OIDKeyOZDST1, set, sec1(ber.OctetString(d))), ErrUnsupported},
		"masked key":                 {info(alg.OIDKeyGOST2001, ber.Sequence(alg.OIDParamGOST2001A.DER()), make([]byte, 64)), ErrUnsupported},
		"test S-box of the digest":   {info(alg.OIDKeyGOST2001, ber.Sequence(alg.OIDParamGOST2001A.DER(), alg.OIDParamGOST94Test.DER()), d), ErrUnsupported},
		"DSA":                        {info(ber.MustOID("1.2.840.10040.4.1"), nil, ber.Int64(1)), ErrUnsupported},
		"X25519":                     {xder, ErrUnsupported},
		"RSA with nonsense":          {info(alg.OIDKeyRSA, ber.Null(), ber.Sequence()), ErrFormat},
	} {
		if k, err := ParsePKCS8(tc.der); !errors.Is(err, tc.want) {
			t.Errorf("%s: key %v, error %v", name, k, err)
		}
	}
}

func TestExportedKeyIsReadBack(t *testing.T) {
	for _, spec := range allSpecs {
		k, err := alg.GenerateKey(spec, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParsePKCS8(pkcs8Of(t, k))
		if err != nil {
			t.Fatalf("%s: %v", spec, err)
		}
		if got.Family() != k.Family() || !bytes.Equal(got.PublicKey().Raw, k.PublicKey().Raw) {
			t.Errorf("%s: another key", spec)
		}
	}
}

func TestKeyThatCannotBeExportedIsRefused(t *testing.T) {
	k := katKey(t, gost3410.CryptoProA(), alg.FamilyOZDST)
	inCard, err := alg.NewPrivateKey(card{k}, alg.FamilyOZDST)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := MarshalPKCS8(inCard); !errors.Is(err, ErrUnsupported) {
		t.Errorf("card: %v", err)
	}
	k.Wipe()
	if _, err := MarshalPKCS8(k); !errors.Is(err, ErrUnsupported) {
		t.Errorf("wiped: %v", err)
	}
	e := entryOf(t, "ed25519", testpki.Person)
	e.Key.Wipe()
	if _, err := MarshalPKCS8(e.Key); !errors.Is(err, ErrUnsupported) {
		t.Errorf("wiped Ed25519: %v", err)
	}
}
