package alg

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"

	"imzo/pki/ber"
)

// A key that parses keeps its octets, is supported or says why not, and is
// read the same when written anew.
func FuzzParsePublicKey(f *testing.F) {
	for _, spec := range allSpecs {
		f.Add(generate1(f, spec).PublicKey().Raw)
	}
	f.Add(unhex(f, katSPKI))
	point := unhex(f, katSPKI)[32:]
	f.Add(spki(OIDKeyOZDST, ber.Sequence(OIDParamOZDSTD.DER(), OIDDigestOZDST.DER()), point))
	f.Add(spki(OIDRSAPSS, (&pssParams{digestSHA256, 32}).identifier().Params, point))
	f.Fuzz(func(t *testing.T, der []byte) {
		k, err := ParsePublicKeyDER(der)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("error of no kind: %v", err)
			}
			return
		}
		if !bytes.Equal(k.Raw, der) {
			t.Error("Raw is not the input")
		}
		if k.Key == nil {
			if !errors.Is(k.Supported(), ErrUnsupported) || k.Family() != "" {
				t.Errorf("no key, and supported: %v", k.Supported())
			}
			return
		}
		if k.Supported() != nil || k.Family() == "" || !k.SameKey(k) {
			t.Errorf("a key without family: %v", k.Supported())
		}
		set := k.ParamSet
		if k.Family() == FamilyECDSA {
			set = ""
		}
		again, err := NewPublicKey(k.Key, k.Family(), set)
		if err != nil {
			t.Fatal(err)
		}
		if !again.SameKey(k) || again.Family() != k.Family() || again.ParamSet != k.ParamSet {
			t.Error("written and read it is another key")
		}
		// Nothing verifies by accident, and nothing panics.
		for _, id := range []AlgorithmIdentifier{NewNull(OIDSignatureOZDST), NewNull(OIDSignatureSHA256WithRSA), New(OIDSignatureECDSAWithSHA256), New(OIDEd25519)} {
			s, err := ResolveSignature(id, nil)
			if err != nil {
				t.Fatal(err)
			}
			// A key of small order in Ed25519 would accept: RFC 8032 has no
			// check against it, so no claim is made there.
			if err := s.Verify(k, []byte("message"), make([]byte, 64)); err == nil && s.Family != FamilyEd25519 {
				t.Errorf("%s: zeros verify", s.Name)
			}
		}
	})
}

// An identifier keeps its octets; what resolves has a name, a digest and a
// family, resolves with that digest too, and with no other.
func FuzzResolveSignature(f *testing.F) {
	for oid := range combined {
		f.Add(New(oid).Marshal())
		f.Add(NewNull(oid).Marshal())
	}
	f.Add((&pssParams{digestSHA512, 64}).identifier().Marshal())
	f.Add(NewNull(OIDKeyRSA).Marshal())
	f.Add(New(OIDKeyGOST2001).Marshal())
	f.Fuzz(func(t *testing.T, der []byte) {
		e, err := ber.Parse(der)
		if err != nil {
			return
		}
		id, err := ParseAlgorithmIdentifier(e)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("error of no kind: %v", err)
			}
			return
		}
		if !bytes.Equal(id.Marshal(), der) {
			t.Error("the octets changed")
		}
		s, err := ResolveSignature(id, nil)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnsupported) {
				t.Errorf("error of no kind: %v", err)
			}
			return
		}
		if s.Name == "" || s.Family == "" || s.Digest() == nil || s.OID != id.OID {
			t.Errorf("resolved as %+v", s)
		}
		for _, d := range digests {
			if _, err := ResolveSignature(id, d); (err == nil) != (d == s.Digest()) {
				t.Errorf("%s with %s: %v", s.Name, d, err)
			}
		}
	})
}

// Whatever the octets, of GOST only the signature that was made verifies, and
// of ECDSA only octets that are DER (r, n-s verifies as well as r, s).
func FuzzVerify(f *testing.F) {
	k := katKey(f)
	ec := generate1(f, "ecdsa")
	gostSig := unhex(f, katSignature)
	ecSig, err := ec.SignMessage(rand.Reader, []byte("abc"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(gostSig)
	f.Add(ecSig)
	gost, err := ResolveSignature(k.SignatureAlgorithm(), nil)
	if err != nil {
		f.Fatal(err)
	}
	ecdsa, err := ResolveSignature(ec.SignatureAlgorithm(), nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, sig []byte) {
		if err := gost.Verify(k.PublicKey(), []byte("abc"), sig); (err == nil) != bytes.Equal(sig, gostSig) {
			t.Errorf("GOST: %v", err)
		}
		if err := ecdsa.Verify(ec.PublicKey(), []byte("abc"), sig); err != nil {
			return
		}
		e, err := ber.Parse(sig)
		if err != nil {
			t.Fatalf("ECDSA: verifies and is no BER: %v", err)
		}
		if der, err := ber.DER(e); err != nil || !bytes.Equal(der, sig) {
			t.Errorf("ECDSA: verifies and is not DER: %v", err)
		}
	})
}
