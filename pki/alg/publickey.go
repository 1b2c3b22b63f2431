package alg

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha1"
	"errors"
	"fmt"
	"math"
	"math/big"

	"imzo/gost/gost3410"
	"imzo/pki/ber"
)

// Bounds of RSA keys. Verification costs modulus² × exponent bits, and as long
// as its maker likes where those have no bounds: crypto/tls stops at 8192 bits
// too. A hostile document may hold a thousand certificates, so exponents above
// 2^16+1 are for moduli of up to 4096 bits only: every key allowed costs about
// a millisecond. Below 1024 bits forging is cheap, and the standard library
// refuses.
const (
	minRSABits = 1024
	maxRSABits = 8192

	maxRSABitsAnyExponent = 4096
	maxRSAExponent        = 1<<16 + 1 // of larger moduli
)

// PublicKey is a SubjectPublicKeyInfo (RFC 5280 4.1.2.7).
type PublicKey struct {
	Raw       []byte // the SubjectPublicKeyInfo as read or made
	Algorithm AlgorithmIdentifier
	Bits      []byte // content of the BIT STRING, without the unused-bits octet

	// Key is a *gost3410.PublicKey, *rsa.PublicKey, *ecdsa.PublicKey or
	// ed25519.PublicKey, and nil when the algorithm is not supported: then
	// the key can be shown and compared but verifies nothing.
	Key crypto.PublicKey

	// ParamSet is the parameter set of a GOST key, the named curve of an EC
	// key, else "".
	ParamSet ber.OID

	// unsupported says why Key is nil.
	unsupported error
	// pss binds an RSASSA-PSS key to its parameters; nil for all others.
	pss *pssParams
}

// ParsePublicKey reads a SubjectPublicKeyInfo. A broken structure, or a point
// that is not on its curve, is an error that wraps [ErrMalformed]; an unknown
// or obsolete algorithm, curve or size is none and gives a nil Key. The result
// aliases the input.
func ParsePublicKey(spki ber.Element) (*PublicKey, error) {
	bad := func(err error) (*PublicKey, error) {
		return nil, fmt.Errorf("%w: public key: %w", ErrMalformed, err)
	}
	if spki.Tag != ber.TagSequence {
		return bad(fmt.Errorf("tag %#02x is no SEQUENCE", spki.Tag))
	}
	r := spki.Children()
	first, err := r.Next()
	if err != nil {
		return bad(err)
	}
	k := &PublicKey{Raw: spki.Raw}
	if k.Algorithm, err = ParseAlgorithmIdentifier(first); err != nil {
		return nil, err
	}
	second, err := r.Read(ber.TagBitString)
	if err != nil {
		return bad(err)
	}
	bits, unused, err := second.BitString()
	if err != nil {
		return bad(err)
	}
	if unused != 0 {
		return bad(fmt.Errorf("%d unused bits", unused))
	}
	k.Bits = bits
	if err := r.Done(); err != nil {
		return bad(err)
	}
	if err := k.parseKey(); err != nil {
		return nil, err
	}
	return k, nil
}

// ParsePublicKeyDER is [ParsePublicKey] for the octets of one element.
func ParsePublicKeyDER(der []byte) (*PublicKey, error) {
	e, err := ber.Parse(der)
	if err != nil {
		return nil, fmt.Errorf("%w: public key: %w", ErrMalformed, err)
	}
	return ParsePublicKey(e)
}

// parseKey fills Key and ParamSet from Algorithm and Bits.
func (k *PublicKey) parseKey() error {
	switch k.Algorithm.OID {
	case OIDKeyRSA:
		if !k.Algorithm.NoParams() {
			return malformedKey("RSA key with parameters")
		}
		return k.parseRSA()
	case OIDRSAPSS:
		if k.Algorithm.Params != nil {
			// RFC 4055 1.2: the key is for these parameters only.
			var err error
			if k.pss, err = parsePSSParams(k.Algorithm.Params); errors.Is(err, ErrUnsupported) {
				k.unsupported = err
				return nil
			} else if err != nil {
				return err
			}
		}
		return k.parseRSA()
	case OIDKeyEC:
		return k.parseEC()
	case OIDEd25519:
		// RFC 8410 3: the parameters must be absent.
		if k.Algorithm.Params != nil || len(k.Bits) != ed25519.PublicKeySize {
			return malformedKey("bad Ed25519 key")
		}
		k.Key = ed25519.PublicKey(k.Bits)
		return nil
	}
	if f := gostByKeyOID(k.Algorithm.OID); f != nil {
		return k.parseGOST(f)
	}
	k.unsupported = fmt.Errorf("%w: key %s", ErrUnsupported, k.Name())
	return nil
}

// parseGOST reads the two coordinates of a GOST key (RFC 4491 2.3.2).
func (k *PublicKey) parseGOST(f *gostFamily) error {
	set, digestSet, err := parseGOSTParams(k.Algorithm.Params)
	if err != nil {
		return err
	}
	k.ParamSet = set
	curve := f.curve(set)
	if curve == nil {
		k.unsupported = fmt.Errorf("%w: parameter set %s of %s", ErrUnsupported, set, k.Name())
		return nil
	}
	if digestSet == OIDParamGOST94Test {
		k.unsupported = fmt.Errorf("%w: digest parameter set %s", ErrUnsupported, digestSet)
		return nil
	}
	// Exactly OCTET STRING { 64 octets } in DER: the octets are hashed for
	// key identifiers and compared, so one key must not have two forms.
	const header = 2
	if len(k.Bits) != header+gost3410.PublicKeySize || k.Bits[0] != ber.TagOctetString || k.Bits[1] != gost3410.PublicKeySize {
		return malformedKey("bad point of a GOST key")
	}
	key, err := gost3410.ParsePublicKey(curve, k.Bits[header:])
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	k.Key = key
	return nil
}

// parseGOSTParams reads SEQUENCE { keyParamSet, digestParamSet OPTIONAL,
// encParamSet OPTIONAL } (RFC 4491 2.3.2).
func parseGOSTParams(params []byte) (set, digestSet ber.OID, err error) {
	bad := func(err error) (ber.OID, ber.OID, error) {
		return "", "", fmt.Errorf("%w: parameters of a GOST key: %w", ErrMalformed, err)
	}
	e, err := ber.Parse(params)
	if err != nil {
		return bad(err)
	}
	if e.Tag != ber.TagSequence {
		return bad(fmt.Errorf("tag %#02x is no SEQUENCE", e.Tag))
	}
	const maxSets = 3
	var sets [maxSets]ber.OID
	r := e.Children()
	n := 0
	for ; n < maxSets && (n == 0 || !r.Empty()); n++ {
		id, err := r.Read(ber.TagOID)
		if err != nil {
			return bad(err)
		}
		if sets[n], err = id.OID(); err != nil {
			return bad(err)
		}
	}
	if err := r.Done(); err != nil {
		return bad(err)
	}
	return sets[0], sets[1], nil
}

func (k *PublicKey) parseRSA() error {
	bad := func(err error) error { return fmt.Errorf("%w: RSA key: %w", ErrMalformed, err) }
	e, err := ber.Parse(k.Bits)
	if err != nil {
		return bad(err)
	}
	if e.Tag != ber.TagSequence {
		return malformedKey("RSA key is no SEQUENCE")
	}
	r := e.Children()
	n, err := readInt(&r)
	if err != nil {
		return bad(err)
	}
	exp, err := readInt(&r)
	if err != nil {
		return bad(err)
	}
	if err := r.Done(); err != nil {
		return bad(err)
	}
	if n.Sign() <= 0 || exp.Sign() <= 0 {
		return malformedKey("RSA key with a number that is not positive")
	}
	if size := n.BitLen(); size < minRSABits || size > maxRSABits || n.Bit(0) == 0 {
		k.unsupported = fmt.Errorf("%w: RSA modulus of %d bits", ErrUnsupported, size)
		return nil
	}
	// RFC 8017 3.1 has e odd and > 2; crypto/rsa wants it below 2^31.
	if exp.BitLen() > 31 || exp.Bit(0) == 0 || exp.Cmp(big.NewInt(1)) == 0 ||
		n.BitLen() > maxRSABitsAnyExponent && exp.Int64() > maxRSAExponent {
		k.unsupported = fmt.Errorf("%w: RSA public exponent", ErrUnsupported)
		return nil
	}
	k.Key = &rsa.PublicKey{N: n, E: int(exp.Int64())}
	return nil
}

func readInt(r *ber.Reader) (*big.Int, error) {
	e, err := r.Read(ber.TagInteger)
	if err != nil {
		return nil, err
	}
	return e.Int()
}

// parseEC reads a point on a named curve (RFC 5480 2.1.1, SEC 1 2.3.4).
func (k *PublicKey) parseEC() error {
	params, err := ber.Parse(k.Algorithm.Params)
	if err != nil {
		return fmt.Errorf("%w: EC key: %w", ErrMalformed, err)
	}
	if params.Tag != ber.TagOID {
		// implicitCurve and specifiedCurve (RFC 5480 2.1.1 forbids them):
		// with parameters of one's own choice anybody's key can be matched.
		k.unsupported = fmt.Errorf("%w: EC key without a named curve", ErrUnsupported)
		return nil
	}
	if k.ParamSet, err = params.OID(); err != nil {
		return fmt.Errorf("%w: EC key: %w", ErrMalformed, err)
	}
	curve := ellipticCurve(k.ParamSet)
	if curve == nil {
		k.unsupported = fmt.Errorf("%w: curve %s", ErrUnsupported, k.ParamSet)
		return nil
	}
	point := k.Bits
	if len(point) > 0 && (point[0] == 2 || point[0] == 3) {
		x, y := elliptic.UnmarshalCompressed(curve, point)
		if x == nil {
			return malformedKey("bad point of an EC key")
		}
		size := (curve.Params().BitSize + 7) / 8
		point = make([]byte, 1+2*size)
		point[0] = 4
		x.FillBytes(point[1 : 1+size])
		y.FillBytes(point[1+size:])
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return malformedKey("bad point of an EC key")
	}
	k.Key = key
	return nil
}

func ellipticCurve(oid ber.OID) elliptic.Curve {
	switch oid {
	case OIDCurveP224:
		return elliptic.P224()
	case OIDCurveP256:
		return elliptic.P256()
	case OIDCurveP384:
		return elliptic.P384()
	case OIDCurveP521:
		return elliptic.P521()
	}
	return nil
}

func curveOID(c elliptic.Curve) (ber.OID, error) {
	switch c {
	case elliptic.P224():
		return OIDCurveP224, nil
	case elliptic.P256():
		return OIDCurveP256, nil
	case elliptic.P384():
		return OIDCurveP384, nil
	case elliptic.P521():
		return OIDCurveP521, nil
	}
	return "", fmt.Errorf("%w: elliptic curve", ErrUnsupported)
}

func malformedKey(why string) error { return fmt.Errorf("%w: %s", ErrMalformed, why) }

// NewPublicKey returns the SubjectPublicKeyInfo of a key: a
// *gost3410.PublicKey, *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey.
// A GOST key needs its family; paramSet is its parameter set, or "" for the
// one its family writes for the curve. For other keys both may be "". Errors
// wrap [ErrUnsupported] or [ErrKeyMismatch].
func NewPublicKey(key crypto.PublicKey, family Family, paramSet ber.OID) (*PublicKey, error) {
	var id AlgorithmIdentifier
	var bits []byte
	var inferred Family
	switch key := key.(type) {
	case *gost3410.PublicKey:
		f := gostByFamily(family)
		if f == nil {
			return nil, fmt.Errorf("%w: a GOST key needs one of the GOST families, not %q", ErrKeyMismatch, family)
		}
		inferred = family
		set, err := f.writtenParamSet(key.Curve(), paramSet)
		if err != nil {
			return nil, err
		}
		id = AlgorithmIdentifier{OID: f.keyOID, Params: f.params(set)}
		bits = ber.OctetString(key.Bytes())
	case *rsa.PublicKey:
		inferred = FamilyRSA
		id = NewNull(OIDKeyRSA)
		if key.E < 2 || key.E > math.MaxInt32 {
			return nil, fmt.Errorf("%w: RSA public exponent", ErrUnsupported)
		}
		bits = ber.Sequence(ber.Int(key.N), ber.Int64(int64(key.E)))
	case *ecdsa.PublicKey:
		inferred = FamilyECDSA
		set, err := curveOID(key.Curve)
		if err != nil {
			return nil, err
		}
		id = AlgorithmIdentifier{OID: OIDKeyEC, Params: set.DER()}
		if bits, err = key.Bytes(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
	case ed25519.PublicKey:
		inferred = FamilyEd25519
		id = New(OIDEd25519)
		bits = key
	default:
		return nil, fmt.Errorf("%w: public key of type %T", ErrUnsupported, key)
	}
	if family != "" && family != inferred {
		return nil, fmt.Errorf("%w: %s key as family %q", ErrKeyMismatch, inferred, family)
	}
	k, err := ParsePublicKeyDER(ber.Sequence(id.Marshal(), ber.BitString(bits)))
	if err != nil {
		return nil, err
	}
	if k.Key == nil {
		return nil, k.unsupported
	}
	return k, nil
}

// writtenParamSet checks a wanted parameter set against the curve, or chooses
// the one written for it.
func (f *gostFamily) writtenParamSet(c *gost3410.Curve, want ber.OID) (ber.OID, error) {
	if want == "" {
		return f.paramSet(c)
	}
	if f.curve(want) != c {
		return "", fmt.Errorf("%w: parameter set %s is not on curve %s", ErrKeyMismatch, want, c.Name())
	}
	return want, nil
}

// params returns the parameters of a public key: E-IMZO names the key's set
// only, RFC 4491 2.3.2 that of the digest as well.
func (f *gostFamily) params(set ber.OID) []byte {
	if f.family == FamilyGOST2001 {
		return ber.Sequence(set.DER(), OIDParamGOST94CryptoPro.DER())
	}
	return ber.Sequence(set.DER())
}

// Name returns the name of the key algorithm, as [KeyName].
func (k *PublicKey) Name() string { return KeyName(k.Algorithm.OID) }

// KeyID returns the SHA-1 of Bits, the subject key identifier of RFC 5280
// 4.2.1.2 method (1). It identifies; nothing rests on its strength.
func (k *PublicKey) KeyID() []byte {
	sum := sha1.Sum(k.Bits)
	return sum[:]
}

// Family returns the family of a supported key, else "".
func (k *PublicKey) Family() Family {
	switch k.Key.(type) {
	case *gost3410.PublicKey:
		return gostByKeyOID(k.Algorithm.OID).family
	case *rsa.PublicKey:
		return FamilyRSA
	case *ecdsa.PublicKey:
		return FamilyECDSA
	case ed25519.PublicKey:
		return FamilyEd25519
	}
	return ""
}

// Supported returns nil, or why Key is nil; the error wraps [ErrUnsupported].
func (k *PublicKey) Supported() error {
	if k.Key != nil {
		return nil
	}
	if k.unsupported != nil {
		return k.unsupported
	}
	return fmt.Errorf("%w: key %s", ErrUnsupported, k.Name())
}

// SameKey tells whether both hold the same key, whatever identifiers it is
// written under: the same point or number of the same mathematics.
func (k *PublicKey) SameKey(o *PublicKey) bool {
	type equaler interface{ Equal(crypto.PublicKey) bool }
	a, ok := k.Key.(equaler)
	return ok && o.Key != nil && a.Equal(o.Key)
}
