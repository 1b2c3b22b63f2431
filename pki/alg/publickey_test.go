package alg

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"errors"
	"math/big"
	"testing"
	"time"

	"imzo/gost/gost3410"
	"imzo/pki/ber"
)

// allSpecs are the kinds of keys there are.
var allSpecs = []string{
	"ozdst", "ozdst:A", "ozdst:B", "ozdst:C", "ozmst", "ozmst:B", "ozmst:C", "gost2001", "gost2001:B", "gost2001:C",
	"rsa:2048", "ecdsa:P-224", "ecdsa:P-256", "ecdsa:P-384", "ecdsa:P-521", "ed25519",
}

func generate1(t testing.TB, spec string) *PrivateKey {
	t.Helper()
	k, err := GenerateKey(spec, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// spki makes a SubjectPublicKeyInfo.
func spki(oid ber.OID, params, bits []byte) []byte {
	return ber.Sequence(ber.Sequence(oid.DER(), params), ber.BitString(bits))
}

func TestPublicKeysAreWrittenAsTheStandardLibraryDoes(t *testing.T) {
	for _, spec := range []string{"rsa", "ecdsa:P-224", "ecdsa:P-256", "ecdsa:P-384", "ecdsa:P-521", "ed25519"} {
		k := generate1(t, spec)
		want, err := x509.MarshalPKIXPublicKey(k.Public())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(k.PublicKey().Raw, want) {
			t.Errorf("%s\n got %x\nwant %x", spec, k.PublicKey().Raw, want)
		}
	}
}

func TestPublicKeyReadsBack(t *testing.T) {
	for _, spec := range allSpecs {
		k := generate1(t, spec)
		got := parseKey(t, k.PublicKey().Raw)
		if !got.SameKey(k.PublicKey()) || got.Family() != k.Family() || got.ParamSet != k.PublicKey().ParamSet || got.Supported() != nil {
			t.Errorf("%s: read back as %s, %s", spec, got.Family(), got.ParamSet)
		}
		sum := sha1.Sum(got.Bits)
		if !bytes.Equal(got.KeyID(), sum[:]) {
			t.Errorf("%s: key identifier %x", spec, got.KeyID())
		}
		if got.SameKey(generate1(t, spec).PublicKey()) {
			t.Errorf("%s: two keys are the same", spec)
		}
	}
}

func TestSameKeyLooksAtThePointOnly(t *testing.T) {
	s, err := gost3410.GenerateKey(gost3410.CryptoProA(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var keys []*PublicKey
	for _, tc := range []struct {
		family Family
		set    ber.OID
	}{{FamilyOZDST, ""}, {FamilyOZDST, OIDParamOZDSTXchA}, {FamilyOZMST, OIDParamOZMSTD}, {FamilyGOST2001, OIDParamGOST2001XchA}} {
		k, err := NewPublicKey(s.Public(), tc.family, tc.set)
		if err != nil {
			t.Fatal(err)
		}
		if tc.set != "" && k.ParamSet != tc.set {
			t.Errorf("set %s became %s", tc.set, k.ParamSet)
		}
		keys = append(keys, k)
	}
	for _, a := range keys {
		for _, b := range keys {
			if !a.SameKey(b) {
				t.Errorf("%s and %s differ", a.ParamSet, b.ParamSet)
			}
		}
	}
	unknown := &PublicKey{Algorithm: New(ber.MustOID("1.2.3"))}
	if unknown.SameKey(unknown) || keys[0].SameKey(unknown) || unknown.SameKey(keys[0]) {
		t.Error("an unknown key is somebody's")
	}
	if !errors.Is(unknown.Supported(), ErrUnsupported) || unknown.Family() != "" {
		t.Error("an unknown key is supported")
	}
}

func TestGOSTKeyTakesOneToThreeParameters(t *testing.T) {
	point := unhex(t, katSPKI)[32:]
	a, h := OIDParamOZDSTA.DER(), OIDDigestOZDST.DER()
	for n, params := range map[int][]byte{1: ber.Sequence(a), 2: ber.Sequence(a, h), 3: ber.Sequence(a, h, h)} {
		k := parseKey(t, spki(OIDKeyOZDST, params, point))
		if k.Supported() != nil || k.ParamSet != OIDParamOZDSTA {
			t.Errorf("%d parameters: %v", n, k.Supported())
		}
	}
}

func TestMalformedPublicKeysAreRefused(t *testing.T) {
	point := unhex(t, katSPKI)[32:] // 04 40 x y
	params := ber.Sequence(OIDParamOZDSTA.DER())
	offCurve := bytes.Clone(point)
	offCurve[40] ^= 1
	big1 := bytes.Clone(point)
	for i := range 32 {
		big1[2+i] = 0xff // x >= p
	}
	p256 := OIDCurveP256.DER()
	uncompressed, err := generate1(t, "ecdsa:P-256").Public().(*ecdsa.PublicKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	off256 := bytes.Clone(uncompressed)
	off256[64] ^= 1
	n := ber.Int(new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 2047), big.NewInt(1)))
	e := ber.Int64(65537)
	ed := make([]byte, 32)
	for name, der := range map[string][]byte{
		"empty":                         nil,
		"no SEQUENCE":                   ber.Null(),
		"empty SEQUENCE":                ber.Sequence(),
		"no key":                        ber.Sequence(ber.Sequence(OIDKeyOZDST.DER(), params)),
		"algorithm is NULL":             ber.Sequence(ber.Null(), ber.BitString(point)),
		"key is NULL":                   ber.Sequence(ber.Sequence(OIDKeyOZDST.DER(), params), ber.Null()),
		"empty BIT STRING":              ber.Sequence(ber.Sequence(OIDKeyOZDST.DER(), params), []byte{3, 0}),
		"unused bits":                   ber.Sequence(ber.Sequence(OIDKeyOZDST.DER(), params), ber.Tagged(ber.TagBitString, []byte{1}, point)),
		"something after":               ber.Sequence(ber.Sequence(OIDKeyOZDST.DER(), params), ber.BitString(point), ber.Null()),
		"OZDST: no parameters":          spki(OIDKeyOZDST, nil, point),
		"OZDST: NULL parameters":        spki(OIDKeyOZDST, ber.Null(), point),
		"OZDST: bare OID":               spki(OIDKeyOZDST, OIDParamOZDSTA.DER(), point),
		"OZDST: empty parameters":       spki(OIDKeyOZDST, ber.Sequence(), point),
		"OZDST: four parameters":        spki(OIDKeyOZDST, ber.Sequence(OIDParamOZDSTA.DER(), p256, p256, p256), point),
		"OZDST: INTEGER parameter":      spki(OIDKeyOZDST, ber.Sequence(OIDParamOZDSTA.DER(), e), point),
		"OZDST: bad OID parameter":      spki(OIDKeyOZDST, ber.Sequence([]byte{6, 1, 0xff}), point),
		"OZDST: point off the curve":    spki(OIDKeyOZDST, params, offCurve),
		"OZDST: coordinate above p":     spki(OIDKeyOZDST, params, big1),
		"OZDST: point on another curve": spki(OIDKeyOZDST, ber.Sequence(OIDParamOZDSTB.DER()), point),
		"OZDST: no OCTET STRING":        spki(OIDKeyOZDST, params, point[2:]),
		"OZDST: short point":            spki(OIDKeyOZDST, params, ber.OctetString(point[2:65])),
		"OZDST: long point":             spki(OIDKeyOZDST, params, append(bytes.Clone(point), 0)),
		"OZDST: long-form length":       spki(OIDKeyOZDST, params, append([]byte{4, 0x81, 0x40}, point[2:]...)),
		"RSA: with parameters":          spki(OIDKeyRSA, e, ber.Sequence(n, e)),
		"RSA: no SEQUENCE":              spki(OIDKeyRSA, ber.Null(), n),
		"RSA: nonsense":                 spki(OIDKeyRSA, ber.Null(), []byte{1}),
		"RSA: no exponent":              spki(OIDKeyRSA, ber.Null(), ber.Sequence(n)),
		"RSA: no numbers":               spki(OIDKeyRSA, ber.Null(), ber.Sequence()),
		"RSA: something after":          spki(OIDKeyRSA, ber.Null(), ber.Sequence(n, e, e)),
		"RSA: negative modulus":         spki(OIDKeyRSA, ber.Null(), ber.Sequence(ber.Int64(-5), e)),
		"RSA: zero exponent":            spki(OIDKeyRSA, ber.Null(), ber.Sequence(n, ber.Int64(0))),
		"RSA: modulus of 5 KiB":         spki(OIDKeyRSA, ber.Null(), ber.Sequence(ber.Tagged(ber.TagInteger, bytes.Repeat([]byte{1}, 5<<10)), e)),
		"PSS: parameters are NULL":      spki(OIDRSAPSS, ber.Null(), ber.Sequence(n, e)),
		"EC: no parameters":             spki(OIDKeyEC, nil, uncompressed),
		"EC: bad OID":                   spki(OIDKeyEC, []byte{6, 1, 0xff}, uncompressed),
		"EC: off the curve":             spki(OIDKeyEC, p256, off256),
		"EC: infinity":                  spki(OIDKeyEC, p256, []byte{0}),
		"EC: empty":                     spki(OIDKeyEC, p256, nil),
		"EC: short":                     spki(OIDKeyEC, p256, uncompressed[:64]),
		"EC: hybrid form":               spki(OIDKeyEC, p256, append([]byte{6 | uncompressed[64]&1}, uncompressed[1:]...)),
		"EC: compressed, x above p":     spki(OIDKeyEC, p256, append([]byte{2}, bytes.Repeat([]byte{0xff}, 32)...)),
		"Ed25519: with parameters":      spki(OIDEd25519, ber.Null(), ed),
		"Ed25519: 31 octets":            spki(OIDEd25519, nil, ed[:31]),
	} {
		if k, err := ParsePublicKeyDER(der); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: key %v, error %v", name, k, err)
		}
	}
}

func TestUnsupportedPublicKeysParseAndVerifyNothing(t *testing.T) {
	point := unhex(t, katSPKI)[32:]
	e := ber.Int64(65537)
	odd := func(bits uint) []byte {
		return ber.Int(new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), bits-1), big.NewInt(1)))
	}
	rsaKey := func(n, e []byte) []byte { return spki(OIDKeyRSA, ber.Null(), ber.Sequence(n, e)) }
	for name, tc := range map[string]struct {
		der  []byte
		show string
	}{
		"obsolete algorithm 1":   {spki(OIDKeyOZDST1, ber.Sequence(OIDParamOZDSTA.DER()), make([]byte, 128)), "OZDST-1092-2009-1"},
		"legacy parameter set D": {spki(OIDKeyOZDST, ber.Sequence(OIDParamOZDSTD.DER()), point), "OZDST-1092-2009-2"},
		"unknown parameter set":  {spki(OIDKeyOZMST, ber.Sequence(OIDParamOZDSTA.DER()), point), "OZMST-286-2024-2"},
		"test S-box":             {spki(OIDKeyGOST2001, ber.Sequence(OIDParamGOST2001A.DER(), OIDParamGOST94Test.DER()), point), "ECGOST3410"},
		"DSA":                    {spki(ber.MustOID("1.2.840.10040.4.1"), ber.Sequence(), e), "1.2.840.10040.4.1"},
		"Ed448":                  {spki(ber.MustOID("1.3.101.113"), nil, make([]byte, 57)), "1.3.101.113"},
		"brainpoolP256r1":        {spki(OIDKeyEC, ber.MustOID("1.3.36.3.3.2.8.1.1.7").DER(), make([]byte, 65)), "EC"},
		"explicit EC parameters": {spki(OIDKeyEC, ber.Sequence(ber.Int64(1)), make([]byte, 65)), "EC"},
		"implicit EC parameters": {spki(OIDKeyEC, ber.Null(), make([]byte, 65)), "EC"},
		"RSA of 1023 bits":       {rsaKey(odd(1023), e), "RSA"},
		"RSA of 8193 bits":       {rsaKey(odd(8193), e), "RSA"},
		"RSA, large with e":      {rsaKey(odd(4097), ber.Int64(1<<16+3)), "RSA"},
		"RSA, even modulus":      {rsaKey(ber.Int(new(big.Int).Lsh(big.NewInt(1), 2047)), e), "RSA"},
		"RSA, e = 1":             {rsaKey(odd(2048), ber.Int64(1)), "RSA"},
		"RSA, e even":            {rsaKey(odd(2048), ber.Int64(65536)), "RSA"},
		"RSA, e of 32 bits":      {rsaKey(odd(2048), ber.Int64(1<<31+1)), "RSA"},
		"PSS with two hashes":    {spki(OIDRSAPSS, ber.Sequence(ber.Tagged(0xa0, New(OIDDigestSHA256).Marshal())), ber.Sequence(odd(2048), e)), "RSASSA-PSS"},
	} {
		k, err := ParsePublicKeyDER(tc.der)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if k.Key != nil || !errors.Is(k.Supported(), ErrUnsupported) || k.Family() != "" {
			t.Errorf("%s: supported as %s", name, k.Family())
		}
		if k.Name() != tc.show || len(k.KeyID()) != 20 {
			t.Errorf("%s: shown as %s", name, k.Name())
		}
		s := resolve1(t, NewNull(OIDSignatureOZDST), nil)
		if err := s.Verify(k, []byte("abc"), unhex(t, katSignature)); !errors.Is(err, ErrUnsupported) || errors.Is(err, ErrSignature) {
			t.Errorf("%s: verification says %v", name, err)
		}
	}
	for bits, e := range map[uint]int64{1024: 1<<31 - 1, 4096: 1<<31 - 1, 4097: 1<<16 + 1, 8192: 1<<16 + 1} {
		if k := parseKey(t, rsaKey(odd(bits), ber.Int64(e))); k.Supported() != nil {
			t.Errorf("RSA of %d bits: %v", bits, k.Supported())
		}
	}
}

func TestCompressedECPointIsTheSameKey(t *testing.T) {
	for _, spec := range []string{"ecdsa:P-224", "ecdsa:P-256", "ecdsa:P-384", "ecdsa:P-521"} {
		k := generate1(t, spec)
		key := k.Public().(*ecdsa.PublicKey)
		full, err := key.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		half := (len(full) - 1) / 2
		compressed := append([]byte{2 | full[len(full)-1]&1}, full[1:1+half]...)
		got := parseKey(t, spki(OIDKeyEC, k.PublicKey().ParamSet.DER(), compressed))
		if !got.SameKey(k.PublicKey()) {
			t.Errorf("%s: another key", spec)
		}
	}
}

func TestNewPublicKeyRefusesWhatItCannotName(t *testing.T) {
	gost := generate1(t, "ozdst:B").Public()
	test, err := gost3410.GenerateKey(gost3410.TestCurve(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec := generate1(t, "ecdsa").Public()
	other := &ecdsa.PublicKey{Curve: &elliptic.CurveParams{Name: "own"}}
	for name, tc := range map[string]struct {
		key    any
		family Family
		set    ber.OID
		want   error
	}{
		"GOST without family":      {gost, "", "", ErrKeyMismatch},
		"GOST as RSA":              {gost, FamilyRSA, "", ErrKeyMismatch},
		"GOST with set of A":       {gost, FamilyOZDST, OIDParamOZDSTA, ErrKeyMismatch},
		"GOST with another's set":  {gost, FamilyOZDST, OIDParamOZMSTB, ErrKeyMismatch},
		"test curve as O'z DSt":    {test.Public(), FamilyOZDST, "", ErrUnsupported},
		"EC as RSA":                {ec, FamilyRSA, "", ErrKeyMismatch},
		"EC on a curve of its own": {other, "", "", ErrUnsupported},
		"RSA with e = 1":           {&rsa.PublicKey{N: big.NewInt(15), E: 1}, "", "", ErrUnsupported},
		"RSA of 4 bits":            {&rsa.PublicKey{N: big.NewInt(15), E: 3}, "", "", ErrUnsupported},
		"Ed25519 of 3 octets":      {ed25519.PublicKey{1, 2, 3}, "", "", ErrMalformed},
		"text":                     {"key", "", "", ErrUnsupported},
	} {
		if k, err := NewPublicKey(tc.key, tc.family, tc.set); !errors.Is(err, tc.want) {
			t.Errorf("%s: key %v, error %v", name, k, err)
		}
	}
	if k, err := NewPublicKey(test.Public(), FamilyGOST2001, ""); err != nil || k.ParamSet != OIDParamGOST2001Test {
		t.Errorf("test curve of GOST R 34.10-2001: %v", err)
	}
}

// The bounds are there so that a hostile key costs no more than this.
func TestLargestRSAKeysVerifyInTime(t *testing.T) {
	for bits, e := range map[uint]int64{maxRSABits: maxRSAExponent, maxRSABitsAnyExponent: 1<<31 - 1} {
		n := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), bits), big.NewInt(1))
		k := parseKey(t, spki(OIDKeyRSA, ber.Null(), ber.Sequence(ber.Int(n), ber.Int64(e))))
		s := resolve1(t, NewNull(OIDSignatureSHA256WithRSA), nil)
		start := time.Now()
		const rounds = 20
		for range rounds {
			if err := s.Verify(k, nil, bytes.Repeat([]byte{0x55}, int(bits/8))); err != ErrSignature {
				t.Errorf("%v", err)
			}
		}
		took := time.Since(start) / rounds
		if took > 50*time.Millisecond { // a slow machine with others at work
			t.Errorf("%d bits: took %s", bits, took)
		}
		t.Logf("%d bits: %s", bits, took)
	}
}
