package alg

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"

	"imzo/gost/gost3410"
)

// PrivateKey is a signer together with the identifiers its signatures are
// written under. It is a crypto.Signer itself. The signer may be a key in
// memory, a card or an HSM. However it is printed, it shows no secret.
type PrivateKey struct {
	// A pointer, so that a copy of the struct holds no copy of the secret:
	// printed, it shows an address, and Wipe reaches it.
	secret *secret
	public *PublicKey
	sig    Signature
	sigID  AlgorithmIdentifier
}

type secret struct{ signer crypto.Signer }

var (
	_ crypto.Signer  = (*PrivateKey)(nil)
	_ fmt.Formatter  = (*PrivateKey)(nil)
	_ slog.LogValuer = (*PrivateKey)(nil)
	_ json.Marshaler = (*PrivateKey)(nil)
)

// NewPrivateKey returns the key with the identity its family writes. For a
// signer whose public key is a *gost3410.PublicKey the family is needed, for
// all others "" infers it. Errors wrap [ErrUnsupported] or [ErrKeyMismatch].
func NewPrivateKey(s crypto.Signer, family Family) (*PrivateKey, error) {
	public, err := NewPublicKey(s.Public(), family, "")
	if err != nil {
		return nil, err
	}
	return newPrivateKey(s, public)
}

// NewPrivateKeyWithSPKI returns the key with the identity of an existing
// certificate: its object identifiers and parameter set. The public key must
// be the signer's; the error wraps [ErrKeyMismatch] otherwise.
func NewPrivateKeyWithSPKI(s crypto.Signer, spki *PublicKey) (*PrivateKey, error) {
	if err := spki.Supported(); err != nil {
		return nil, err
	}
	own, err := NewPublicKey(s.Public(), spki.Family(), "")
	if err != nil {
		return nil, err
	}
	if !own.SameKey(spki) {
		return nil, fmt.Errorf("%w: private key and certificate are not a pair", ErrKeyMismatch)
	}
	return newPrivateKey(s, spki)
}

func newPrivateKey(s crypto.Signer, public *PublicKey) (*PrivateKey, error) {
	id := signatureFor(public)
	sig, err := ResolveSignature(id, nil)
	if err != nil {
		return nil, err
	}
	return &PrivateKey{secret: &secret{s}, public: public, sig: *sig, sigID: id}, nil
}

// signatureFor chooses the algorithm a key signs with: SHA-256 for RSA, and
// for EC the hash as long as the order (RFC 5480 4), P-224 taking SHA-256.
func signatureFor(k *PublicKey) AlgorithmIdentifier {
	if f := gostByKeyOID(k.Algorithm.OID); f != nil {
		if f.family == FamilyGOST2001 {
			return New(f.signature) // RFC 4491 2.2.2: without parameters
		}
		return NewNull(f.signature)
	}
	switch key := k.Key.(type) {
	case ed25519.PublicKey:
		return New(OIDEd25519)
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P384():
			return New(OIDSignatureECDSAWithSHA384)
		case elliptic.P521():
			return New(OIDSignatureECDSAWithSHA512)
		}
		return New(OIDSignatureECDSAWithSHA256)
	}
	if k.Algorithm.OID == OIDRSAPSS {
		p := k.pss
		if p == nil {
			p = &pssParams{digest: digestSHA256, salt: digestSHA256.Size}
		}
		return p.identifier()
	}
	return NewNull(OIDSignatureSHA256WithRSA) // RFC 4055 5: NULL
}

// GenerateKey makes a key. spec is a family with, after a colon, its curve or
// size:
//
//	"ozdst" (curve A), "ozdst:B", "ozmst:C", "gost2001:A",
//	"rsa:2048" (default, to 8192), "ecdsa:P-256" (default), "ed25519"
//
// An unknown spec gives an error that wraps [ErrUnsupported].
func GenerateKey(spec string, rand io.Reader) (*PrivateKey, error) {
	family, detail, _ := strings.Cut(spec, ":")
	s, err := generate(Family(family), detail, rand)
	if err != nil {
		return nil, fmt.Errorf("key %q: %w", spec, err)
	}
	return NewPrivateKey(s, Family(family))
}

func generate(family Family, detail string, rand io.Reader) (crypto.Signer, error) {
	switch family {
	case FamilyOZDST, FamilyOZMST, FamilyGOST2001:
		curve, err := gostCurveByName(detail)
		if err != nil {
			return nil, err
		}
		return gost3410.GenerateKey(curve, rand)
	case FamilyRSA:
		bits := 2048
		if detail != "" {
			var err error
			if bits, err = strconv.Atoi(detail); err != nil || bits < 2048 || bits > maxRSABits {
				return nil, fmt.Errorf("%w: RSA size, allowed are 2048 to %d bits", ErrUnsupported, maxRSABits)
			}
		}
		return rsa.GenerateKey(rand, bits)
	case FamilyECDSA:
		curve, err := ellipticCurveByName(detail)
		if err != nil {
			return nil, err
		}
		return ecdsa.GenerateKey(curve, rand)
	case FamilyEd25519:
		if detail != "" {
			return nil, fmt.Errorf("%w: Ed25519 has no sizes", ErrUnsupported)
		}
		_, key, err := ed25519.GenerateKey(rand)
		return key, err
	}
	return nil, fmt.Errorf("%w: allowed are ozdst, ozmst, gost2001, rsa, ecdsa, ed25519", ErrUnsupported)
}

func gostCurveByName(name string) (*gost3410.Curve, error) {
	switch strings.ToUpper(name) {
	case "", "A":
		return gost3410.CryptoProA(), nil
	case "B":
		return gost3410.CryptoProB(), nil
	case "C":
		return gost3410.CryptoProC(), nil
	}
	return nil, fmt.Errorf("%w: curve, allowed are A, B, C", ErrUnsupported)
}

func ellipticCurveByName(name string) (elliptic.Curve, error) {
	switch strings.ToUpper(name) {
	case "P-224":
		return elliptic.P224(), nil
	case "", "P-256":
		return elliptic.P256(), nil
	case "P-384":
		return elliptic.P384(), nil
	case "P-521":
		return elliptic.P521(), nil
	}
	return nil, fmt.Errorf("%w: curve, allowed are P-224, P-256, P-384, P-521", ErrUnsupported)
}

// Public returns the public key as crypto.Signer does: PublicKey().Key.
func (k *PrivateKey) Public() crypto.PublicKey { return k.public.Key }

// PublicKey returns the public key with its identifiers.
func (k *PrivateKey) PublicKey() *PublicKey { return k.public }

// Family returns the family of the key.
func (k *PrivateKey) Family() Family { return k.sig.Family }

// Signer returns the signer inside, such as a *gost3410.PrivateKey.
func (k *PrivateKey) Signer() crypto.Signer { return k.secret.signer }

// Digest returns the digest that goes with the key's signatures; see
// [Signature.Digest].
func (k *PrivateKey) Digest() *Digest { return k.sig.digest }

// SignatureAlgorithm returns the identifier of the key's signatures, for
// certificates and for CMS.
func (k *PrivateKey) SignatureAlgorithm() AlgorithmIdentifier { return k.sigID }

// SignMessage hashes and signs the message; the result is the content of a
// certificate's signature BIT STRING or of a CMS signature OCTET STRING.
func (k *PrivateKey) SignMessage(rand io.Reader, message []byte) ([]byte, error) {
	if k.sig.scheme == schemeEd25519 {
		return k.secret.signer.Sign(rand, message, k.sig.signerOpts())
	}
	return k.Sign(rand, k.sig.digest.Sum(message), nil)
}

// Sign is crypto.Signer over a digest of Digest() (over the message for
// Ed25519). With nil options the key's own algorithm is used.
func (k *PrivateKey) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts == nil {
		if opts = k.sig.signerOpts(); k.sig.scheme == schemePSS {
			opts = &rsa.PSSOptions{SaltLength: k.sig.pss.salt, Hash: k.sig.digest.std}
		}
	}
	return k.secret.signer.Sign(rand, digest, opts)
}

// Wipe overwrites the secret of a GOST or Ed25519 key. The standard library
// gives no way to clear RSA and EC keys: those are let go. A key in a card or
// HSM stays there. Afterwards every signature fails with [ErrWiped]. Wipe must
// not run beside other methods.
func (k *PrivateKey) Wipe() {
	switch s := k.secret.signer.(type) {
	case interface{ Wipe() }:
		s.Wipe()
	case ed25519.PrivateKey:
		clear(s)
	}
	k.secret.signer = wipedSigner{k.public.Key}
}

// wipedSigner stands where a key has been.
type wipedSigner struct{ public crypto.PublicKey }

func (s wipedSigner) Public() crypto.PublicKey { return s.public }

func (wipedSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, ErrWiped }

// String tells what kind of key it is, and nothing of the secret.
func (k *PrivateKey) String() string {
	if k == nil || k.public == nil {
		return "private key [redacted]"
	}
	return k.public.Name() + " private key [redacted]"
}

// Format prints String for every verb.
func (k *PrivateKey) Format(f fmt.State, _ rune) { io.WriteString(f, k.String()) }

// LogValue returns String.
func (k *PrivateKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalJSON returns String.
func (k *PrivateKey) MarshalJSON() ([]byte, error) { return json.Marshal(k.String()) }
