package alg

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"

	"imzo/gost/gost3410"
	"imzo/pki/ber"
)

type scheme int

const (
	schemePKCS1 scheme = iota + 1
	schemePSS
	schemeECDSA
	schemeEd25519
	schemeGOST
)

// Signature is a signature algorithm resolved for one use: object identifier,
// parameters and digest together.
type Signature struct {
	OID    ber.OID
	Name   string // as [SignatureName], with the digest's name where the OID has none
	Family Family

	scheme scheme
	digest *Digest
	pss    *pssParams
}

// combined lists the algorithms whose identifier fixes the digest.
var combined = map[ber.OID]Signature{
	OIDSignatureSHA1WithRSA:     {Family: FamilyRSA, scheme: schemePKCS1, digest: digestSHA1},
	OIDSignatureSHA224WithRSA:   {Family: FamilyRSA, scheme: schemePKCS1, digest: digestSHA224},
	OIDSignatureSHA256WithRSA:   {Family: FamilyRSA, scheme: schemePKCS1, digest: digestSHA256},
	OIDSignatureSHA384WithRSA:   {Family: FamilyRSA, scheme: schemePKCS1, digest: digestSHA384},
	OIDSignatureSHA512WithRSA:   {Family: FamilyRSA, scheme: schemePKCS1, digest: digestSHA512},
	OIDSignatureECDSAWithSHA1:   {Family: FamilyECDSA, scheme: schemeECDSA, digest: digestSHA1},
	OIDSignatureECDSAWithSHA224: {Family: FamilyECDSA, scheme: schemeECDSA, digest: digestSHA224},
	OIDSignatureECDSAWithSHA256: {Family: FamilyECDSA, scheme: schemeECDSA, digest: digestSHA256},
	OIDSignatureECDSAWithSHA384: {Family: FamilyECDSA, scheme: schemeECDSA, digest: digestSHA384},
	OIDSignatureECDSAWithSHA512: {Family: FamilyECDSA, scheme: schemeECDSA, digest: digestSHA512},
	// RFC 8419 3.1: CMS goes with SHA-512, the hash Ed25519 has inside.
	OIDEd25519:           {Family: FamilyEd25519, scheme: schemeEd25519, digest: digestSHA512},
	OIDSignatureOZDST:    {Family: FamilyOZDST, scheme: schemeGOST, digest: digestOZDST},
	OIDSignatureOZMST:    {Family: FamilyOZMST, scheme: schemeGOST, digest: digestOZMST},
	OIDSignatureGOST2001: {Family: FamilyGOST2001, scheme: schemeGOST, digest: digestGOST94},
}

// ResolveSignature finds the algorithm that a signature algorithm identifier
// means. digest is the digest algorithm of a CMS SignerInfo, which must be the
// signature's own, down to the object identifier: an O'z DSt signature with
// the O'z MSt digest is refused although both compute the same. It is nil for
// certificates, CRLs and OCSP responses, where identifiers that leave the
// digest open (rsaEncryption, GOST R 34.10-2001) are refused.
//
// Errors wrap [ErrUnsupported], [ErrDigestMismatch] or [ErrMalformed].
func ResolveSignature(sig AlgorithmIdentifier, digest *Digest) (*Signature, error) {
	s, err := resolve(sig, digest)
	if err != nil {
		return nil, err
	}
	if digest != nil && digest != s.digest {
		return nil, fmt.Errorf("%w: %s with %s", ErrDigestMismatch, s.Name, digest)
	}
	return s, nil
}

func resolve(sig AlgorithmIdentifier, digest *Digest) (*Signature, error) {
	s, ok := combined[sig.OID]
	switch {
	case ok:
		s.Name = SignatureName(sig.OID)
	case sig.OID == OIDRSAPSS:
		pss, err := parsePSSParams(sig.Params)
		if err != nil {
			return nil, err
		}
		s = Signature{Family: FamilyRSA, scheme: schemePSS, digest: pss.digest, pss: pss}
		s.Name = combinedName(pss.digest, "RSAandMGF1")
	case sig.OID == OIDKeyRSA && digest != nil && digest.std != 0:
		s = Signature{Family: FamilyRSA, scheme: schemePKCS1, digest: digest}
		s.Name = combinedName(digest, "RSA")
	case sig.OID == OIDKeyGOST2001 && digest != nil:
		s = combined[OIDSignatureGOST2001]
		s.Name = SignatureName(OIDSignatureGOST2001)
	default:
		return nil, fmt.Errorf("%w: signature %s", ErrUnsupported, SignatureName(sig.OID))
	}
	s.OID = sig.OID
	switch s.scheme {
	case schemePSS: // has parameters, read above
	case schemeEd25519:
		if sig.Params != nil { // RFC 8410 3
			return nil, fmt.Errorf("%w: Ed25519 with parameters", ErrMalformed)
		}
	default:
		if !sig.NoParams() {
			return nil, fmt.Errorf("%w: parameters of signature %s", ErrMalformed, s.Name)
		}
	}
	return &s, nil
}

// combinedName makes a name as Java does: "SHA256withRSA".
func combinedName(d *Digest, key string) string {
	name := d.Name
	if d.std != 0 {
		name = name[:3] + name[4:] // SHA-256 without its hyphen
	}
	return name + "with" + key
}

// Digest returns the digest algorithm that belongs to the signature. For
// Ed25519, which signs the message itself, it is the SHA-512 that CMS uses for
// its message digest attribute (RFC 8419 3.1).
func (s *Signature) Digest() *Digest { return s.digest }

// Verify checks the signature sig over the message. It returns [ErrSignature]
// when it is wrong, an error that wraps [ErrKeyMismatch] when the key is not
// of the algorithm's family, and one that wraps [ErrUnsupported] when the key
// is of a kind this package does not work with.
func (s *Signature) Verify(key *PublicKey, message, sig []byte) error {
	if s.scheme != schemeEd25519 {
		return s.VerifyDigest(key, s.digest.Sum(message), sig)
	}
	if err := s.checkKey(key); err != nil {
		return err
	}
	if k := key.Key.(ed25519.PublicKey); !ed25519.Verify(k, message, sig) {
		return ErrSignature
	}
	return nil
}

// VerifyDigest is [Signature.Verify] for a message already hashed with the
// signature's digest; Ed25519 cannot do that and returns [ErrNeedsMessage].
func (s *Signature) VerifyDigest(key *PublicKey, digest, sig []byte) error {
	if s.scheme == schemeEd25519 {
		return ErrNeedsMessage
	}
	if len(digest) != s.digest.Size {
		return fmt.Errorf("%w: %s digest of %d octets", ErrMalformed, s.digest, len(digest))
	}
	if err := s.checkKey(key); err != nil {
		return err
	}
	var ok bool
	switch s.scheme {
	case schemePKCS1:
		ok = rsa.VerifyPKCS1v15(key.Key.(*rsa.PublicKey), s.digest.std, digest, sig) == nil
	case schemePSS:
		o := &rsa.PSSOptions{SaltLength: s.pss.salt, Hash: s.digest.std}
		ok = rsa.VerifyPSS(key.Key.(*rsa.PublicKey), s.digest.std, digest, sig, o) == nil
	case schemeECDSA:
		// Strict DER: minimal INTEGERs, nothing after them.
		ok = ecdsa.VerifyASN1(key.Key.(*ecdsa.PublicKey), digest, sig)
	case schemeGOST:
		ok = verifyGOST(key.Key.(*gost3410.PublicKey), digest, sig)
	}
	if !ok {
		return ErrSignature
	}
	return nil
}

// frequentKeys has the tables of the keys that verify most, 6 MB at most. It is
// of the whole process because keys are the same wherever they come from: an
// authority's certificate is parsed anew with each document. It remembers no
// answer, only how to reach it sooner.
var frequentKeys = gost3410.NewKeyCache(64)

// verifyGOST is the one place where GOST signatures are verified.
func verifyGOST(key *gost3410.PublicKey, digest, sig []byte) bool {
	return frequentKeys.Verify(key, digest, sig)
}

// checkKey tells whether the key may be used with the algorithm.
func (s *Signature) checkKey(key *PublicKey) error {
	if err := key.Supported(); err != nil {
		return err
	}
	mismatch := func() error {
		return fmt.Errorf("%w: %s with a key of %s", ErrKeyMismatch, s.Name, key.Name())
	}
	if key.Family() != s.Family {
		return mismatch()
	}
	if key.Algorithm.OID != OIDRSAPSS {
		return nil
	}
	// A key of RSASSA-PSS makes no other signatures (RFC 4055 1.2), and those
	// with its parameters if it names some.
	if s.scheme != schemePSS {
		return mismatch()
	}
	if key.pss != nil && !key.pss.allows(s.pss) {
		return mismatch()
	}
	return nil
}

// signerOpts returns what crypto.Signer wants to know about the digest.
func (s *Signature) signerOpts() crypto.SignerOpts {
	if s.scheme == schemeEd25519 {
		return crypto.Hash(0)
	}
	return s.digest.std // 0 for the GOST family, whose signers need no name
}
