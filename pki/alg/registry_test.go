package alg

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"imzo/gost/gost3410"
	"imzo/pki/ber"
)

// Every object identifier of E-IMZO, as its documents write it.
func TestObjectIdentifiersOfEIMZO(t *testing.T) {
	for dotted, oid := range map[string]ber.OID{
		"1.2.860.3.15.1.1.2.1":       OIDKeyOZDST,
		"1.2.860.3.15.2.1.2.1":       OIDKeyOZMST,
		"1.2.860.3.15.1.1.1.1":       OIDKeyOZDST1,
		"1.2.860.3.15.1.1.2.1.1":     OIDParamOZDSTA,
		"1.2.860.3.15.1.1.2.1.2":     OIDParamOZDSTB,
		"1.2.860.3.15.1.1.2.1.3":     OIDParamOZDSTC,
		"1.2.860.3.15.1.1.2.1.4":     OIDParamOZDSTD,
		"1.2.860.3.15.1.1.2.1.5":     OIDParamOZDSTXchA,
		"1.2.860.3.15.1.1.2.1.6":     OIDParamOZDSTXchB,
		"1.2.860.3.15.2.1.2.1.1":     OIDParamOZMSTA,
		"1.2.860.3.15.2.1.2.1.2":     OIDParamOZMSTB,
		"1.2.860.3.15.2.1.2.1.3":     OIDParamOZMSTC,
		"1.2.860.3.15.2.1.2.1.4":     OIDParamOZMSTD,
		"1.2.860.3.15.2.1.2.1.5":     OIDParamOZMSTE,
		"1.2.860.3.15.2.1.2.1.6":     OIDParamOZMSTXchB,
		"1.2.860.3.15.1.1.2.2.2.2":   OIDSignatureOZDST,
		"1.2.860.3.15.2.1.2.2.2.2":   OIDSignatureOZMST,
		"1.2.860.3.15.1.1.1.2.2.2":   OIDSignatureOZDST1,
		"1.2.860.3.15.1.3.2.1.1":     OIDDigestOZDST,
		"1.2.860.3.15.2.3.2.1.1":     OIDDigestOZMST,
		"1.2.860.3.16.1.1":           OIDAttributeINN,
		"1.2.860.3.16.1.2":           OIDAttributePINFL,
		"1.2.860.3.2.10.1":           OIDEncryptedKeyYTKS,
		"1.2.860.1.4.1.100.1.1.1.1":  OIDEncryptedKeyYTKSOld,
		"1.2.860.3.2.10.2":           OIDPolicyTemporary,
		"1.2.860.3.2.2.1.2.1":        OIDPolicyReporting,
		"1.2.860.3.2.2.1.2.2":        OIDPolicyDeclaration,
		"1.2.860.3.2.2.1.2.3":        OIDPolicyPayment,
		"1.2.860.3.2.2.1.2.4":        OIDPolicyExchange,
		"1.2.860.3.2.2.1.2.5":        OIDPolicyDocument,
		"1.2.860.3.2.11.1":           OIDPolicyTSA,
		"1.2.840.113549.1.9.16.2.14": OIDTimeStampToken,
		"1.2.643.2.2.19":             OIDKeyGOST2001,
		"1.2.643.2.2.3":              OIDSignatureGOST2001,
		"1.2.643.2.2.9":              OIDDigestGOST94,
	} {
		if oid.String() != dotted {
			t.Errorf("%s is %s", dotted, oid)
		}
	}
	for der, oid := range map[string]ber.OID{
		"06092a865c030f01010201":     OIDKeyOZDST,
		"060a2a865c030f0101020101":   OIDParamOZDSTA,
		"060b2a865c030f010102020202": OIDSignatureOZDST,
		"060a2a865c030f0103020101":   OIDDigestOZDST,
		"06092a865c030f02010201":     OIDKeyOZMST,
		"060a2a865c030f0201020101":   OIDParamOZMSTA,
		"060b2a865c030f020102020202": OIDSignatureOZMST,
		"060a2a865c030f0203020101":   OIDDigestOZMST,
		"06072a865c03100101":         OIDAttributeINN,
		"06072a865c03100102":         OIDAttributePINFL,
	} {
		if got := hex.EncodeToString(oid.DER()); got != der {
			t.Errorf("%s in DER is %s, want %s", oid, got, der)
		}
	}
}

func TestNamesAreThoseOfEIMZO(t *testing.T) {
	for dotted, name := range map[string]string{
		"1.2.860.3.15.1.1.1.1":     "OZDST-1092-2009-1",
		"1.2.860.3.15.1.1.2.1":     "OZDST-1092-2009-2",
		"1.2.860.3.15.2.1.2.1":     "OZMST-286-2024-2",
		"1.2.860.3.15.1.1.1.2.2.2": "OZDST-1106-2009-2-AwithOZDST-1092-2009-1",
		"1.2.860.3.15.1.1.2.2.2.2": "OZDST-1106-2009-2-AwithOZDST-1092-2009-2",
		"1.2.860.3.15.2.1.2.2.2.2": "OZMST-285-2024-2-AwithOZMST-286-2024-2",
		// Everything else is its number, also what has a name elsewhere.
		"1.2.860.3.15.1.3.2.1.1": "1.2.860.3.15.1.3.2.1.1",
		"1.2.860.3.15.2.3.2.1.1": "1.2.860.3.15.2.3.2.1.1",
		"1.2.860.3.15.1.1.2.1.1": "1.2.860.3.15.1.1.2.1.1",
		"1.2.840.113549.1.1.1":   "1.2.840.113549.1.1.1",
		"1.2.840.113549.1.1.11":  "1.2.840.113549.1.1.11",
		"1.2.3.4":                "1.2.3.4",
	} {
		if got := EIMZOName(ber.MustOID(dotted)); got != name {
			t.Errorf("%s: %q, want %q", dotted, got, name)
		}
	}
	for oid, name := range map[ber.OID]string{
		OIDKeyOZDST1: "OZDST-1092-2009-1", OIDKeyOZDST: "OZDST-1092-2009-2", OIDKeyOZMST: "OZMST-286-2024-2",
		OIDKeyRSA: "RSA", OIDRSAPSS: "RSASSA-PSS", OIDKeyEC: "EC", OIDEd25519: "Ed25519", OIDKeyGOST2001: "ECGOST3410",
		ber.MustOID("1.2.840.10040.4.1"): "1.2.840.10040.4.1",
	} {
		if got := KeyName(oid); got != name {
			t.Errorf("key %s: %q, want %q", oid, got, name)
		}
	}
	for oid, name := range map[ber.OID]string{
		OIDSignatureOZDST1:          "OZDST-1106-2009-2-AwithOZDST-1092-2009-1",
		OIDSignatureOZDST:           "OZDST-1106-2009-2-AwithOZDST-1092-2009-2",
		OIDSignatureOZMST:           "OZMST-285-2024-2-AwithOZMST-286-2024-2",
		OIDSignatureSHA1WithRSA:     "SHA1withRSA",
		OIDSignatureSHA224WithRSA:   "SHA224withRSA",
		OIDSignatureSHA256WithRSA:   "SHA256withRSA",
		OIDSignatureSHA384WithRSA:   "SHA384withRSA",
		OIDSignatureSHA512WithRSA:   "SHA512withRSA",
		OIDRSAPSS:                   "RSASSA-PSS",
		OIDSignatureECDSAWithSHA1:   "SHA1withECDSA",
		OIDSignatureECDSAWithSHA224: "SHA224withECDSA",
		OIDSignatureECDSAWithSHA256: "SHA256withECDSA",
		OIDSignatureECDSAWithSHA384: "SHA384withECDSA",
		OIDSignatureECDSAWithSHA512: "SHA512withECDSA",
		OIDEd25519:                  "Ed25519",
		OIDSignatureGOST2001:        "GOST3411withECGOST3410",
		ber.MustOID("1.2.3.4"):      "1.2.3.4",
	} {
		if got := SignatureName(oid); got != name {
			t.Errorf("signature %s: %q, want %q", oid, got, name)
		}
	}
}

func TestParameterSetsStandForTheirCurves(t *testing.T) {
	a, b, c := gost3410.CryptoProA(), gost3410.CryptoProB(), gost3410.CryptoProC()
	for _, tc := range []struct {
		key, set string
		curve    *gost3410.Curve
		family   Family
	}{
		{"1.2.860.3.15.1.1.2.1", "1.2.860.3.15.1.1.2.1.1", a, FamilyOZDST},
		{"1.2.860.3.15.1.1.2.1", "1.2.860.3.15.1.1.2.1.2", b, FamilyOZDST},
		{"1.2.860.3.15.1.1.2.1", "1.2.860.3.15.1.1.2.1.3", c, FamilyOZDST},
		{"1.2.860.3.15.1.1.2.1", "1.2.860.3.15.1.1.2.1.4", nil, ""},
		{"1.2.860.3.15.1.1.2.1", "1.2.860.3.15.1.1.2.1.5", a, FamilyOZDST},
		{"1.2.860.3.15.1.1.2.1", "1.2.860.3.15.1.1.2.1.6", c, FamilyOZDST},
		{"1.2.860.3.15.1.1.2.1", "1.2.860.3.15.1.1.2.1.7", nil, ""},
		{"1.2.860.3.15.2.1.2.1", "1.2.860.3.15.2.1.2.1.1", a, FamilyOZMST},
		{"1.2.860.3.15.2.1.2.1", "1.2.860.3.15.2.1.2.1.2", b, FamilyOZMST},
		{"1.2.860.3.15.2.1.2.1", "1.2.860.3.15.2.1.2.1.3", c, FamilyOZMST},
		{"1.2.860.3.15.2.1.2.1", "1.2.860.3.15.2.1.2.1.4", a, FamilyOZMST},
		{"1.2.860.3.15.2.1.2.1", "1.2.860.3.15.2.1.2.1.5", b, FamilyOZMST},
		{"1.2.860.3.15.2.1.2.1", "1.2.860.3.15.2.1.2.1.6", c, FamilyOZMST},
		{"1.2.860.3.15.2.1.2.1", "1.2.860.3.15.2.1.2.1.7", nil, ""},
		{"1.2.860.3.15.2.1.2.1", "1.2.860.3.15.1.1.2.1.1", nil, ""}, // of the other family
		{"1.2.860.3.15.1.1.2.1", "1.2.643.2.2.35.1", nil, ""},
		{"1.2.860.3.15.1.1.1.1", "1.2.860.3.15.1.1.2.1.1", nil, ""}, // obsolete algorithm 1
		{"1.2.643.2.2.19", "1.2.643.2.2.35.0", gost3410.TestCurve(), FamilyGOST2001},
		{"1.2.643.2.2.19", "1.2.643.2.2.35.1", a, FamilyGOST2001},
		{"1.2.643.2.2.19", "1.2.643.2.2.35.2", b, FamilyGOST2001},
		{"1.2.643.2.2.19", "1.2.643.2.2.35.3", c, FamilyGOST2001},
		{"1.2.643.2.2.19", "1.2.643.2.2.36.0", a, FamilyGOST2001},
		{"1.2.643.2.2.19", "1.2.643.2.2.36.1", c, FamilyGOST2001},
	} {
		curve, family, err := GOSTCurve(ber.MustOID(tc.key), ber.MustOID(tc.set))
		if tc.curve == nil {
			if !errors.Is(err, ErrUnsupported) {
				t.Errorf("%s, %s: %v", tc.key, tc.set, err)
			}
			continue
		}
		if err != nil || curve != tc.curve || family != tc.family {
			t.Errorf("%s, %s: %v, %s, %v", tc.key, tc.set, curve, family, err)
		}
	}
}

func TestDigestsAreFoundAndComputed(t *testing.T) {
	const gostABC = "b285056dbf18d7392d7677369524dd14747459ed8143997e163b2986f92fd42c"
	for _, tc := range []struct {
		dotted string
		names  []string
		abc    string
		id     string
	}{
		{"1.2.860.3.15.1.3.2.1.1", []string{"OZDST-1106-2009-2-A", "ozdst-1106-2009-2-a", "1.2.860.3.15.1.3.2.1.1"}, gostABC, "300e060a2a865c030f01030201010500"},
		{"1.2.860.3.15.2.3.2.1.1", []string{"OZMST-285-2024-2-A"}, gostABC, "300e060a2a865c030f02030201010500"},
		{"1.2.643.2.2.9", []string{"GOST3411"}, gostABC, "300a06062a85030202090500"},
		{"1.3.14.3.2.26", []string{"SHA-1", "sha1"}, "a9993e364706816aba3e25717850c26c9cd0d89d", "300706052b0e03021a"},
		{"2.16.840.1.101.3.4.2.4", []string{"SHA-224", "SHA224"}, "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7", "300b0609608648016503040204"},
		{"2.16.840.1.101.3.4.2.1", []string{"SHA-256", "Sha256"}, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "300b0609608648016503040201"},
		{"2.16.840.1.101.3.4.2.2", []string{"SHA-384"}, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7", "300b0609608648016503040202"},
		{"2.16.840.1.101.3.4.2.3", []string{"SHA-512"}, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f", "300b0609608648016503040203"},
	} {
		d, err := DigestByOID(ber.MustOID(tc.dotted))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range tc.names {
			if got, err := DigestByName(name); err != nil || got != d {
				t.Errorf("%q is %v, %v", name, got, err)
			}
		}
		if got := hex.EncodeToString(d.Sum([]byte("abc"))); got != tc.abc || len(got) != 2*d.Size {
			t.Errorf("%s of abc: %s, want %s", d, got, tc.abc)
		}
		h := d.New()
		h.Write([]byte("a"))
		h.Write([]byte("bc"))
		if got := hex.EncodeToString(h.Sum(nil)); got != tc.abc {
			t.Errorf("%s in two writes: %s", d, got)
		}
		if got := hex.EncodeToString(d.Identifier().Marshal()); got != tc.id {
			t.Errorf("%s is written %s, want %s", d, got, tc.id)
		}
	}
	if _, err := DigestByOID(OIDKeyRSA); !errors.Is(err, ErrUnsupported) {
		t.Errorf("RSA as a digest: %v", err)
	}
	for _, name := range []string{"", "MD5", "OZDST11062009-2-A", "SHA"} {
		if _, err := DigestByName(name); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%q as a digest: %v", name, err)
		}
	}
	if OZDST().OID != OIDDigestOZDST || OZMST().OID != OIDDigestOZMST || SHA1().OID != OIDDigestSHA1 || SHA256().OID != OIDDigestSHA256 {
		t.Error("a digest has another's object identifier")
	}
}

func TestAlgorithmIdentifierKeepsItsOctets(t *testing.T) {
	for _, tc := range []struct {
		der      string
		params   string
		noParams bool
	}{
		{"300d06092a864886f70d01010b0500", "0500", true},
		{"300b06092a864886f70d01010b", "", true},
		{"300e06092a864886f70d01010b020101", "020101", false},
		{"308006092a864886f70d01010b05000000", "0500", true},
	} {
		e, err := ber.Parse(unhex(t, tc.der))
		if err != nil {
			t.Fatal(err)
		}
		a, err := ParseAlgorithmIdentifier(e)
		if err != nil {
			t.Fatal(err)
		}
		if a.OID != OIDSignatureSHA256WithRSA || hex.EncodeToString(a.Params) != tc.params || a.NoParams() != tc.noParams {
			t.Errorf("%s: %s, %x, %v", tc.der, a.OID, a.Params, a.NoParams())
		}
		if hex.EncodeToString(a.Marshal()) != tc.der {
			t.Errorf("%s is written %x", tc.der, a.Marshal())
		}
	}
	for _, bad := range []string{"0500", "3000", "30020500", "30030601ff", "300f06092a864886f70d01010b05000500", "a00b06092a864886f70d01010b"} {
		e, err := ber.Parse(unhex(t, bad))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseAlgorithmIdentifier(e); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	made := NewNull(OIDSignatureOZDST)
	if got := hex.EncodeToString(made.Marshal()); got != "300f060b2a865c030f0101020202020500" {
		t.Errorf("made %s", got)
	}
	if !made.Equal(New(OIDSignatureOZDST)) || made.Equal(New(OIDSignatureOZMST)) ||
		made.Equal(AlgorithmIdentifier{OID: OIDSignatureOZDST, Params: ber.Int64(1)}) || !bytes.Equal(New(OIDEd25519).Marshal(), unhex(t, "300506032b6570")) {
		t.Error("identifiers compare wrong")
	}
}
