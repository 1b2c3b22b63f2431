package alg

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"math/big"
	"testing"

	"imzo/pki/ber"
)

var message = []byte("Salom, E-IMZO")

func TestSignaturesVerifyWithTheirKeyAndMessageOnly(t *testing.T) {
	for _, spec := range allSpecs {
		t.Run(spec, func(t *testing.T) {
			k, other := generate1(t, spec), generate1(t, spec)
			sig, err := k.SignMessage(rand.Reader, message)
			if err != nil {
				t.Fatal(err)
			}
			for _, digest := range []*Digest{nil, k.Digest()} {
				s := resolve1(t, k.SignatureAlgorithm(), digest)
				if s.Family != k.Family() || s.Digest() != k.Digest() {
					t.Errorf("resolved as %s with %s", s.Family, s.Digest())
				}
				if err := s.Verify(k.PublicKey(), message, sig); err != nil {
					t.Error(err)
				}
				if err := s.Verify(k.PublicKey(), append([]byte{0}, message...), sig); err != ErrSignature {
					t.Errorf("another message: %v", err)
				}
				if err := s.Verify(other.PublicKey(), message, sig); err != ErrSignature {
					t.Errorf("another key: %v", err)
				}
				for i := range sig {
					bad := bytes.Clone(sig)
					bad[i] ^= 1 << (i % 8)
					if err := s.Verify(k.PublicKey(), message, bad); err != ErrSignature {
						t.Fatalf("octet %d changed: %v", i, err)
					}
				}
				for _, bad := range [][]byte{nil, {}, sig[:len(sig)-1], append(bytes.Clone(sig), 0), append([]byte{0}, sig...)} {
					if err := s.Verify(k.PublicKey(), message, bad); err != ErrSignature {
						t.Errorf("signature of %d octets: %v", len(bad), err)
					}
				}
				err := s.VerifyDigest(k.PublicKey(), s.Digest().Sum(message), sig)
				if spec == "ed25519" && err != ErrNeedsMessage || spec != "ed25519" && err != nil {
					t.Errorf("by digest: %v", err)
				}
				if err := s.VerifyDigest(k.PublicKey(), s.Digest().Sum(message)[1:], sig); spec != "ed25519" && !errors.Is(err, ErrMalformed) {
					t.Errorf("short digest: %v", err)
				}
			}
		})
	}
}

func TestFamiliesDoNotVerifyEachOther(t *testing.T) {
	specs := []string{"ozdst", "ozmst", "gost2001", "rsa", "ecdsa", "ed25519"}
	keys := make([]*PrivateKey, len(specs))
	for i, spec := range specs {
		keys[i] = generate1(t, spec)
	}
	for i, k := range keys {
		sig, err := k.SignMessage(rand.Reader, message)
		if err != nil {
			t.Fatal(err)
		}
		s := resolve1(t, k.SignatureAlgorithm(), nil)
		for j, other := range keys {
			if i == j {
				continue
			}
			if err := s.Verify(other.PublicKey(), message, sig); !errors.Is(err, ErrKeyMismatch) {
				t.Errorf("%s with a key of %s: %v", specs[i], specs[j], err)
			}
			if _, err := ResolveSignature(k.SignatureAlgorithm(), other.Digest()); k.Digest() != other.Digest() && !errors.Is(err, ErrDigestMismatch) {
				t.Errorf("%s with the digest of %s: %v", specs[i], specs[j], err)
			}
		}
	}
	// The same point and the same 64 octets under the other family's names.
	ozdst := katKey(t)
	asOZMST, err := NewPublicKey(ozdst.Public(), FamilyOZMST, "")
	if err != nil {
		t.Fatal(err)
	}
	s := resolve1(t, NewNull(OIDSignatureOZDST), OZDST())
	if err := s.Verify(asOZMST, []byte("abc"), unhex(t, katSignature)); !errors.Is(err, ErrKeyMismatch) {
		t.Errorf("O'z DSt signature with an O'z MSt key: %v", err)
	}
	if _, err := ResolveSignature(NewNull(OIDSignatureOZDST), OZMST()); !errors.Is(err, ErrDigestMismatch) {
		t.Errorf("O'z DSt signature with the O'z MSt digest: %v", err)
	}
}

func TestGOSTSignatureIsExactly64Octets(t *testing.T) {
	s := resolve1(t, NewNull(OIDSignatureOZDST), nil)
	key := parseKey(t, unhex(t, katSPKI))
	sig := unhex(t, katSignature)
	swapped := append(bytes.Clone(sig[32:]), sig[:32]...)
	reversed := bytes.Clone(sig)
	for i := range 32 {
		reversed[i], reversed[63-i] = reversed[63-i], reversed[i]
	}
	zeroS := append(make([]byte, 32), sig[32:]...)
	zeroR := append(bytes.Clone(sig[:32]), make([]byte, 32)...)
	for name, bad := range map[string][]byte{
		"63 octets": sig[:63], "65 octets": append(bytes.Clone(sig), 0), "128 octets": append(bytes.Clone(sig), sig...),
		"swapped halves": swapped, "other byte order": reversed, "s = 0": zeroS, "r = 0": zeroR, "zeros": make([]byte, 64),
		"ones": bytes.Repeat([]byte{0xff}, 64),
	} {
		if err := s.Verify(key, []byte("abc"), bad); err != ErrSignature {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// stdSignatures are algorithms of the standard library with their hash.
func TestStandardAlgorithmsVerifyWithEveryHash(t *testing.T) {
	r := generate1(t, "rsa")
	rsaKey := r.Signer().(*rsa.PrivateKey)
	e := generate1(t, "ecdsa:P-384")
	ecKey := e.Signer().(*ecdsa.PrivateKey)
	for _, tc := range []struct {
		digest     *Digest
		rsa, ecdsa ber.OID
	}{
		{digestSHA1, OIDSignatureSHA1WithRSA, OIDSignatureECDSAWithSHA1},
		{digestSHA224, OIDSignatureSHA224WithRSA, OIDSignatureECDSAWithSHA224},
		{digestSHA256, OIDSignatureSHA256WithRSA, OIDSignatureECDSAWithSHA256},
		{digestSHA384, OIDSignatureSHA384WithRSA, OIDSignatureECDSAWithSHA384},
		{digestSHA512, OIDSignatureSHA512WithRSA, OIDSignatureECDSAWithSHA512},
	} {
		sum := tc.digest.Sum(message)
		sig, err := rsa.SignPKCS1v15(rand.Reader, rsaKey, tc.digest.std, sum)
		if err != nil {
			t.Fatal(err)
		}
		for name, id := range map[string]AlgorithmIdentifier{"NULL": NewNull(tc.rsa), "absent": New(tc.rsa), "rsaEncryption": NewNull(OIDKeyRSA)} {
			s := resolve1(t, id, tc.digest)
			if err := s.Verify(r.PublicKey(), message, sig); err != nil {
				t.Errorf("RSA with %s, %s: %v", tc.digest, name, err)
			}
			if want := SignatureName(tc.rsa); s.Name != want {
				t.Errorf("RSA with %s, %s: name %q, want %q", tc.digest, name, s.Name, want)
			}
		}
		if sig, err = ecdsa.SignASN1(rand.Reader, ecKey, sum); err != nil {
			t.Fatal(err)
		}
		if err := resolve1(t, New(tc.ecdsa), nil).Verify(e.PublicKey(), message, sig); err != nil {
			t.Errorf("ECDSA with %s: %v", tc.digest, err)
		}
		salt := min(tc.digest.Size, 20)
		if sig, err = rsa.SignPSS(rand.Reader, rsaKey, tc.digest.std, sum, &rsa.PSSOptions{SaltLength: salt}); err != nil {
			t.Fatal(err)
		}
		id := (&pssParams{tc.digest, salt}).identifier()
		s := resolve1(t, id, tc.digest)
		if err := s.Verify(r.PublicKey(), message, sig); err != nil {
			t.Errorf("RSASSA-PSS with %s: %v", tc.digest, err)
		}
		longer := resolve1(t, (&pssParams{tc.digest, salt + 1}).identifier(), nil)
		if err := longer.Verify(r.PublicKey(), message, sig); err != ErrSignature {
			t.Errorf("RSASSA-PSS with another salt length: %v", err)
		}
		for _, wrong := range digests {
			if wrong == tc.digest {
				continue
			}
			for _, id := range []AlgorithmIdentifier{NewNull(tc.rsa), New(tc.ecdsa), id} {
				if _, err := ResolveSignature(id, wrong); !errors.Is(err, ErrDigestMismatch) {
					t.Errorf("%s with %s: %v", SignatureName(id.OID), wrong, err)
				}
			}
		}
	}
}

func TestSignaturesThatDoNotResolve(t *testing.T) {
	for name, tc := range map[string]struct {
		id     AlgorithmIdentifier
		digest *Digest
		want   error
	}{
		"obsolete algorithm 1":           {NewNull(OIDSignatureOZDST1), nil, ErrUnsupported},
		"unknown":                        {NewNull(ber.MustOID("1.2.3")), nil, ErrUnsupported},
		"absent":                         {AlgorithmIdentifier{}, nil, ErrUnsupported},
		"MD5 with RSA":                   {NewNull(ber.MustOID("1.2.840.113549.1.1.4")), nil, ErrUnsupported},
		"rsaEncryption in a certificate": {NewNull(OIDKeyRSA), nil, ErrUnsupported},
		"rsaEncryption with GOST":        {NewNull(OIDKeyRSA), digestGOST94, ErrUnsupported},
		"GOST key in a certificate":      {New(OIDKeyGOST2001), nil, ErrUnsupported},
		"GOST key with O'z DSt digest":   {New(OIDKeyGOST2001), digestOZDST, ErrDigestMismatch},
		"GOST signature with SHA-256":    {New(OIDSignatureGOST2001), digestSHA256, ErrDigestMismatch},
		"O'z DSt key as a signature":     {NewNull(OIDKeyOZDST), digestOZDST, ErrUnsupported},
		"O'z DSt with parameters":        {AlgorithmIdentifier{OID: OIDSignatureOZDST, Params: ber.Sequence()}, nil, ErrMalformed},
		"RSA with parameters":            {AlgorithmIdentifier{OID: OIDSignatureSHA256WithRSA, Params: ber.Int64(1)}, nil, ErrMalformed},
		"ECDSA with parameters":          {AlgorithmIdentifier{OID: OIDSignatureECDSAWithSHA256, Params: ber.Sequence()}, nil, ErrMalformed},
		"Ed25519 with NULL":              {NewNull(OIDEd25519), nil, ErrMalformed},
		"Ed25519 with SHA-256":           {New(OIDEd25519), digestSHA256, ErrDigestMismatch},
		"digest as a signature":          {NewNull(OIDDigestOZDST), digestOZDST, ErrUnsupported},
	} {
		if s, err := ResolveSignature(tc.id, tc.digest); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
	// O'z DSt without the NULL is read: parameters absent and NULL are one.
	resolve1(t, New(OIDSignatureOZDST), OZDST())
	if got := resolve1(t, New(OIDKeyGOST2001), digestGOST94); got.Name != "GOST3411withECGOST3410" || got.OID != OIDKeyGOST2001 {
		t.Errorf("GOST R 34.10-2001 in CMS is %s", got.Name)
	}
}

func TestECDSASignatureMustBeStrictDER(t *testing.T) {
	k := generate1(t, "ecdsa")
	s := resolve1(t, k.SignatureAlgorithm(), nil)
	sig, err := k.SignMessage(rand.Reader, message)
	if err != nil {
		t.Fatal(err)
	}
	e, err := ber.Parse(sig)
	if err != nil {
		t.Fatal(err)
	}
	r := e.Children()
	first, _ := r.Next()
	second, _ := r.Next()
	padded := ber.Tagged(ber.TagInteger, []byte{0}, first.Content)
	if first.Content[0]&0x80 != 0 {
		t.Fatal("r is not positive")
	}
	rv, _ := first.Int()
	sv, _ := second.Int()
	n := k.Public().(*ecdsa.PublicKey).Params().N
	for name, bad := range map[string][]byte{
		"zero before r":        ber.Sequence(padded, second.Raw),
		"indefinite length":    ber.Indefinite(ber.TagSequence, first.Raw, second.Raw),
		"long-form length":     append([]byte{0x30, 0x81, sig[1]}, sig[2:]...),
		"something inside":     ber.Sequence(first.Raw, second.Raw, ber.Null()),
		"s missing":            ber.Sequence(first.Raw),
		"a SET":                ber.Tagged(ber.TagSet, first.Raw, second.Raw),
		"r + n":                ber.Sequence(ber.Int(new(big.Int).Add(rv, n)), second.Raw),
		"s + n":                ber.Sequence(first.Raw, ber.Int(new(big.Int).Add(sv, n))),
		"-r":                   ber.Sequence(ber.Int(new(big.Int).Neg(rv)), second.Raw),
		"r = 0":                ber.Sequence(ber.Int64(0), second.Raw),
		"s = 0":                ber.Sequence(first.Raw, ber.Int64(0)),
		"64 octets of r and s": append(rv.FillBytes(make([]byte, 32)), sv.FillBytes(make([]byte, 32))...),
	} {
		if err := s.Verify(k.PublicKey(), message, bad); err != ErrSignature {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPSSParametersAreReadExactly(t *testing.T) {
	sha256 := NewNull(OIDDigestSHA256).Marshal()
	mgf := func(hash []byte) []byte { return ber.Tagged(0xa1, ber.Sequence(OIDMGF1.DER(), hash)) }
	hash := ber.Tagged(0xa0, sha256)
	salt := func(n int64) []byte { return ber.Tagged(0xa2, ber.Int64(n)) }
	trailer := func(n int64) []byte { return ber.Tagged(0xa3, ber.Int64(n)) }
	for name, tc := range map[string]struct {
		params []byte
		digest *Digest
		salt   int
		want   error
	}{
		"defaults":                 {ber.Sequence(), digestSHA1, 20, nil},
		"SHA-256":                  {ber.Sequence(hash, mgf(sha256), salt(32)), digestSHA256, 32, nil},
		"SHA-256, NULL left out":   {ber.Sequence(ber.Tagged(0xa0, New(OIDDigestSHA256).Marshal()), mgf(sha256), salt(32), trailer(1)), digestSHA256, 32, nil},
		"absent":                   {nil, nil, 0, ErrMalformed},
		"NULL":                     {ber.Null(), nil, 0, ErrMalformed},
		"hash is NULL":             {ber.Sequence(ber.Tagged(0xa0, ber.Null())), nil, 0, ErrMalformed},
		"hash is empty":            {ber.Sequence(ber.Tagged(0xa0)), nil, 0, ErrMalformed},
		"two hashes in one":        {ber.Sequence(ber.Tagged(0xa0, sha256, sha256)), nil, 0, ErrMalformed},
		"hash with parameters":     {ber.Sequence(ber.Tagged(0xa0, ber.Sequence(OIDDigestSHA256.DER(), ber.Int64(1))), mgf(sha256), salt(32)), nil, 0, ErrMalformed},
		"mask is NULL":             {ber.Sequence(hash, ber.Tagged(0xa1, ber.Null())), nil, 0, ErrMalformed},
		"mask is empty":            {ber.Sequence(hash, ber.Tagged(0xa1)), nil, 0, ErrMalformed},
		"mask without hash":        {ber.Sequence(hash, ber.Tagged(0xa1, ber.Sequence(OIDMGF1.DER()))), nil, 0, ErrMalformed},
		"mask is another function": {ber.Sequence(hash, ber.Tagged(0xa1, ber.Sequence(OIDKeyRSA.DER(), sha256))), nil, 0, ErrUnsupported},
		"mask with another hash":   {ber.Sequence(hash), nil, 0, ErrUnsupported},
		"GOST":                     {ber.Sequence(ber.Tagged(0xa0, digestGOST94.Identifier().Marshal()), mgf(digestGOST94.Identifier().Marshal())), nil, 0, ErrUnsupported},
		"unknown hash":             {ber.Sequence(ber.Tagged(0xa0, New(OIDKeyRSA).Marshal())), nil, 0, ErrUnsupported},
		"no salt":                  {ber.Sequence(salt(0)), nil, 0, ErrUnsupported},
		"negative salt":            {ber.Sequence(salt(-1)), nil, 0, ErrMalformed},
		"enormous salt":            {ber.Sequence(salt(pssMaxSalt + 1)), nil, 0, ErrMalformed},
		"salt is NULL":             {ber.Sequence(ber.Tagged(0xa2, ber.Null())), nil, 0, ErrMalformed},
		"trailer 2":                {ber.Sequence(trailer(2)), nil, 0, ErrMalformed},
		"trailer is NULL":          {ber.Sequence(ber.Tagged(0xa3, ber.Null())), nil, 0, ErrMalformed},
		"wrong order":              {ber.Sequence(salt(20), hash), nil, 0, ErrMalformed},
		"something after":          {ber.Sequence(ber.Null()), nil, 0, ErrMalformed},
	} {
		s, err := ResolveSignature(AlgorithmIdentifier{OID: OIDRSAPSS, Params: tc.params}, nil)
		if tc.want != nil {
			if !errors.Is(err, tc.want) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || s.Digest() != tc.digest || s.pss.salt != tc.salt {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

func TestPSSKeyMakesPSSSignaturesOnly(t *testing.T) {
	r := generate1(t, "rsa")
	signer := r.Signer()
	bare := parseKey(t, spki(OIDRSAPSS, nil, r.PublicKey().Bits))
	bound := parseKey(t, spki(OIDRSAPSS, (&pssParams{digestSHA384, 40}).identifier().Params, r.PublicKey().Bits))
	for name, tc := range map[string]struct {
		key    *PublicKey
		digest *Digest
	}{"without parameters": {bare, digestSHA256}, "with parameters": {bound, digestSHA384}} {
		k, err := NewPrivateKeyWithSPKI(signer, tc.key)
		if err != nil {
			t.Fatal(err)
		}
		if k.Digest() != tc.digest || k.SignatureAlgorithm().OID != OIDRSAPSS {
			t.Errorf("%s: signs with %s", name, k.Digest())
		}
		sig, err := k.SignMessage(rand.Reader, message)
		if err != nil {
			t.Fatal(err)
		}
		s := resolve1(t, k.SignatureAlgorithm(), tc.digest)
		if err := s.Verify(tc.key, message, sig); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		pkcs1, err := rsa.SignPKCS1v15(rand.Reader, signer.(*rsa.PrivateKey), crypto.SHA256, digestSHA256.Sum(message))
		if err != nil {
			t.Fatal(err)
		}
		if err := resolve1(t, NewNull(OIDSignatureSHA256WithRSA), nil).Verify(tc.key, message, pkcs1); !errors.Is(err, ErrKeyMismatch) {
			t.Errorf("%s: PKCS#1 signature: %v", name, err)
		}
	}
	for _, p := range []*pssParams{{digestSHA256, 40}, {digestSHA384, 39}} {
		s := resolve1(t, p.identifier(), nil)
		if err := s.Verify(bound, message, make([]byte, 256)); !errors.Is(err, ErrKeyMismatch) {
			t.Errorf("bound key with %s, salt %d: %v", p.digest, p.salt, err)
		}
	}
	if err := resolve1(t, (&pssParams{digestSHA384, 41}).identifier(), nil).Verify(bound, message, make([]byte, 256)); err != ErrSignature {
		t.Errorf("bound key with a longer salt: %v", err)
	}
}

func TestEd25519SignsTheMessage(t *testing.T) {
	k := generate1(t, "ed25519")
	sig, err := k.SignMessage(rand.Reader, message)
	if err != nil {
		t.Fatal(err)
	}
	if !ed25519.Verify(k.Public().(ed25519.PublicKey), message, sig) {
		t.Error("the standard library does not verify it")
	}
	s := resolve1(t, New(OIDEd25519), digestSHA512)
	if err := s.Verify(generate1(t, "rsa").PublicKey(), message, sig); !errors.Is(err, ErrKeyMismatch) {
		t.Errorf("with an RSA key: %v", err)
	}
}
