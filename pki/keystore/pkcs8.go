package keystore

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"slices"

	"imzo/gost/gost3410"
	"imzo/pki/alg"
	"imzo/pki/ber"
)

// ParsePKCS8 reads a PrivateKeyInfo (RFC 5208, RFC 5958): RSA, EC on a NIST
// curve, Ed25519, and GOST keys of the three families in each form met:
//
//  1. parameters one OID, key an ECPrivateKey with d big-endian (E-IMZO),
//  2. parameters a SEQUENCE of 1 to 3 OIDs, key the 32 octets of d
//     little-endian, bare or as an OCTET STRING, or an INTEGER (other tools,
//     OpenSSL's GOST engine),
//  3. no parameters, key an ECPrivateKey that names its set, or an INTEGER on
//     curve A.
//
// Errors wrap [ErrFormat], [ErrUnsupported] or [ErrLimit].
func ParsePKCS8(der []byte) (*alg.PrivateKey, error) {
	const what = "PKCS#8 key"
	if len(der) > maxKey {
		return nil, limitError(what, len(der))
	}
	r, err := sequence(der, what)
	if err != nil {
		return nil, err
	}
	version, err := r.Read(ber.TagInteger)
	if err != nil {
		return nil, formatError(what, err)
	}
	// 1 is RFC 5958, which appends the public key.
	if v, err := version.Int64(); err != nil || v < 0 || v > 1 {
		return nil, formatErrorf("version of a PKCS#8 key")
	}
	id, err := readIdentifier(&r, what)
	if err != nil {
		return nil, err
	}
	e, err := r.Read(ber.TagOctetString)
	if err != nil {
		return nil, formatError(what, err)
	}
	key, err := e.OctetString()
	if err != nil {
		return nil, formatError(what, err)
	}
	// Attributes [0] and the public key [1] may follow; neither is needed.
	for n := 0; !r.Empty(); n++ {
		if tag := r.Peek() &^ 0x20; n == 2 || tag != ber.Context(0) && tag != ber.Context(1) {
			return nil, formatErrorf("unexpected element in a PKCS#8 key")
		}
		if _, err := r.Next(); err != nil {
			return nil, formatError(what, err)
		}
	}

	switch id.OID {
	case alg.OIDKeyOZDST:
		return parseGOSTKey(id, alg.FamilyOZDST, key)
	case alg.OIDKeyOZMST:
		return parseGOSTKey(id, alg.FamilyOZMST, key)
	case alg.OIDKeyGOST2001:
		return parseGOSTKey(id, alg.FamilyGOST2001, key)
	case alg.OIDKeyRSA, alg.OIDKeyEC, alg.OIDEd25519:
	default:
		return nil, unsupportedf("private key of %s", alg.KeyName(id.OID))
	}
	// In DER and without what follows, for the standard library.
	clean := ber.Sequence(ber.Int64(0), id.Marshal(), ber.OctetString(key))
	defer clear(clean)
	std, err := x509.ParsePKCS8PrivateKey(clean)
	if err != nil {
		return nil, formatError(what, err)
	}
	return wrapStd(std)
}

// wrapStd gives a key of the standard library its identity.
func wrapStd(key any) (*alg.PrivateKey, error) {
	s, ok := key.(crypto.Signer)
	if !ok {
		return nil, unsupportedf("private key of type %T", key)
	}
	k, err := alg.NewPrivateKey(s, "")
	if err != nil {
		return nil, algError(err)
	}
	return k, nil
}

// algError puts an error of package alg under this package's.
func algError(err error) error {
	if errors.Is(err, alg.ErrUnsupported) {
		return errors.Join(ErrUnsupported, err)
	}
	return formatError("private key", err)
}

// parseGOSTKey reads the key by the form its parameters tell.
func parseGOSTKey(id alg.AlgorithmIdentifier, family alg.Family, key []byte) (*alg.PrivateKey, error) {
	if id.NoParams() {
		return parseGOSTKeyNoParams(id.OID, family, key)
	}
	params, err := ber.Parse(id.Params)
	if err != nil {
		return nil, formatError("parameters of a private key", err)
	}
	if params.Tag == ber.TagOID {
		set, err := params.OID()
		if err != nil {
			return nil, formatError("parameters of a private key", err)
		}
		ec, err := parseECPrivateKey(key)
		if err != nil {
			return nil, err
		}
		if ec.set != "" && ec.set != set {
			return nil, formatErrorf("private key names two parameter sets")
		}
		return newGOSTKey(id.OID, set, ec.d, ec.public)
	}
	set, err := firstOID(params)
	if err != nil {
		return nil, err
	}
	d, err := parseGOSTScalar(key)
	if err != nil {
		return nil, err
	}
	return newGOSTKey(id.OID, set, d, nil)
}

// firstOID reads SEQUENCE { 1 to 3 OIDs }, as in public keys (RFC 4491 2.3.2).
func firstOID(params ber.Element) (ber.OID, error) {
	const what = "parameters of a private key"
	r, err := children(params, what)
	if err != nil {
		return "", err
	}
	var sets []ber.OID
	for len(sets) == 0 || !r.Empty() {
		e, err := r.Read(ber.TagOID)
		if err != nil {
			return "", formatError(what, err)
		}
		set, err := e.OID()
		if err != nil {
			return "", formatError(what, err)
		}
		if sets = append(sets, set); len(sets) > 3 {
			return "", formatErrorf("%s name %d sets", what, len(sets))
		}
	}
	if len(sets) > 1 && sets[1] == alg.OIDParamGOST94Test {
		return "", unsupportedf("digest parameter set %s", sets[1])
	}
	return sets[0], nil
}

// parseGOSTScalar reads d where the parameters are a SEQUENCE, and returns it
// big-endian.
func parseGOSTScalar(key []byte) ([]byte, error) {
	const header = 2
	switch {
	case len(key) == gost3410.ScalarSize:
	case len(key) == header+gost3410.ScalarSize && key[0] == ber.TagOctetString && key[1] == gost3410.ScalarSize:
		key = key[header:]
	case len(key) > 0 && key[0] == ber.TagInteger:
		return parseScalarInteger(key)
	default:
		// The masked keys of some Russian tools (d with its masks, 64 octets
		// and more) are among these.
		return nil, unsupportedf("GOST private key of %d octets", len(key))
	}
	d := bytes.Clone(key)
	slices.Reverse(d)
	return d, nil
}

// parseScalarInteger reads d as an INTEGER.
func parseScalarInteger(key []byte) ([]byte, error) {
	e, err := ber.Parse(key)
	if err != nil {
		return nil, formatError("private key", err)
	}
	v, err := e.Int()
	if err != nil {
		return nil, formatError("private key", err)
	}
	if v.Sign() <= 0 || v.BitLen() > 8*gost3410.ScalarSize {
		return nil, formatErrorf("private key out of range")
	}
	d := v.FillBytes(make([]byte, gost3410.ScalarSize))
	clear(v.Bits())
	return d, nil
}

func parseGOSTKeyNoParams(oid ber.OID, family alg.Family, key []byte) (*alg.PrivateKey, error) {
	if len(key) > 0 && key[0] == ber.TagInteger {
		d, err := parseScalarInteger(key)
		if err != nil {
			return nil, err
		}
		defer clear(d)
		s, err := gost3410.NewPrivateKey(gost3410.CryptoProA(), d)
		if err != nil {
			return nil, formatError("private key", err)
		}
		k, err := alg.NewPrivateKey(s, family)
		if err != nil {
			return nil, algError(err)
		}
		return k, nil
	}
	ec, err := parseECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	if ec.set == "" {
		clear(ec.d)
		return nil, formatErrorf("private key names no parameter set")
	}
	return newGOSTKey(oid, ec.set, ec.d, ec.public)
}

// ecPrivateKey is ECPrivateKey (RFC 5915 3) as E-IMZO fills it.
type ecPrivateKey struct {
	d      []byte // 32 octets, big-endian
	set    ber.OID
	public []byte // content of the BIT STRING
}

func parseECPrivateKey(der []byte) (*ecPrivateKey, error) {
	const what = "EC private key"
	r, err := sequence(der, what)
	if err != nil {
		return nil, err
	}
	version, err := r.Read(ber.TagInteger)
	if err != nil {
		return nil, formatError(what, err)
	}
	if v, err := version.Int64(); err != nil || v != 1 {
		return nil, formatErrorf("version of an EC private key")
	}
	e, err := r.Read(ber.TagOctetString)
	if err != nil {
		return nil, formatError(what, err)
	}
	d, err := e.OctetString()
	if err != nil {
		return nil, formatError(what, err)
	}
	k := new(ecPrivateKey)
	if params, ok, err := r.Optional(ber.ContextConstructed(0)); err != nil {
		return nil, formatError(what, err)
	} else if ok {
		if k.set, err = onlyOID(params); err != nil {
			return nil, err
		}
	}
	if public, ok, err := r.Optional(ber.ContextConstructed(1)); err != nil {
		return nil, formatError(what, err)
	} else if ok {
		inner := public.Children()
		e, err := inner.Read(ber.TagBitString)
		if err != nil {
			return nil, formatError(what, err)
		}
		if k.public, _, err = e.BitString(); err != nil {
			return nil, formatError(what, err)
		}
	}
	if err := r.Done(); err != nil {
		return nil, formatError(what, err)
	}
	// Old BouncyCastle leaves leading zeros out, BigInteger puts one before.
	trimmed := bytes.TrimLeft(d, "\x00")
	if len(trimmed) > gost3410.ScalarSize || len(d) > gost3410.ScalarSize+1 {
		return nil, formatErrorf("private key of %d octets", len(d))
	}
	k.d = make([]byte, gost3410.ScalarSize)
	copy(k.d[gost3410.ScalarSize-len(trimmed):], trimmed)
	return k, nil
}

func onlyOID(outer ber.Element) (ber.OID, error) {
	r := outer.Children()
	e, err := r.Read(ber.TagOID)
	if err != nil {
		return "", formatError("named curve", err)
	}
	if err := r.Done(); err != nil {
		return "", formatError("named curve", err)
	}
	oid, err := e.OID()
	if err != nil {
		return "", formatError("named curve", err)
	}
	return oid, nil
}

// newGOSTKey makes the key of d, which it clears. A public key in E-IMZO's
// form must be that of d; in any other form it is not needed.
func newGOSTKey(oid, set ber.OID, d, public []byte) (*alg.PrivateKey, error) {
	defer clear(d)
	curve, family, err := alg.GOSTCurve(oid, set)
	if err != nil {
		return nil, algError(err)
	}
	s, err := gost3410.NewPrivateKey(curve, d)
	if err != nil {
		return nil, formatError("private key", err)
	}
	spki, err := alg.NewPublicKey(s.Public(), family, set)
	if err != nil {
		return nil, algError(err)
	}
	if len(public) == len(spki.Bits) && public[0] == spki.Bits[0] && !bytes.Equal(public, spki.Bits) {
		return nil, formatErrorf("private key holds another key's public key")
	}
	k, err := alg.NewPrivateKeyWithSPKI(s, spki)
	if err != nil {
		return nil, algError(err)
	}
	return k, nil
}

// MarshalPKCS8 returns the PrivateKeyInfo of a key in memory: O'z DSt and
// O'z MSt keys as E-IMZO writes them (form 1 of [ParsePKCS8], never the others:
// E-IMZO cannot read them everywhere), GOST R 34.10-2001 keys in the shape of
// form 2 that OpenSSL's engine and BouncyCastle read, others as every tool does. The caller clears the result. A key
// in a card or HSM gives an error that wraps [ErrUnsupported].
func MarshalPKCS8(k *alg.PrivateKey) ([]byte, error) {
	s, ok := k.Signer().(*gost3410.PrivateKey)
	if !ok {
		der, err := x509.MarshalPKCS8PrivateKey(k.Signer())
		if err != nil {
			return nil, unsupportedf("%s cannot be exported", k)
		}
		return der, nil
	}
	d := s.Bytes()
	if d == nil {
		return nil, unsupportedf("%s was wiped", k)
	}
	defer clear(d)
	spki := k.PublicKey()
	if k.Family() == alg.FamilyGOST2001 {
		slices.Reverse(d)
		inner := ber.OctetString(d)
		defer clear(inner)
		return ber.Sequence(ber.Int64(0), spki.Algorithm.Marshal(), ber.OctetString(inner)), nil
	}
	set := spki.ParamSet.DER()
	secret := ber.OctetString(d)
	defer clear(secret)
	key := ber.Sequence(
		ber.Int64(1),
		secret,
		ber.Tagged(ber.ContextConstructed(0), set),
		ber.Tagged(ber.ContextConstructed(1), ber.BitString(spki.Bits)),
	)
	defer clear(key)
	wrapped := ber.OctetString(key)
	defer clear(wrapped)
	return ber.Sequence(ber.Int64(0), ber.Sequence(spki.Algorithm.OID.DER(), set), wrapped), nil
}
