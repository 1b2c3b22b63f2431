package alg

import (
	"fmt"

	"imzo/gost/gost3410"
	"imzo/pki/ber"
)

// Family names the kind of a key together with the object identifiers it is
// written under: the three GOST families share their mathematics.
type Family string

const (
	FamilyOZDST    Family = "ozdst"    // O'z DSt 1092:2009 algorithm 2
	FamilyOZMST    Family = "ozmst"    // O'z MSt 286:2024 algorithm 2
	FamilyGOST2001 Family = "gost2001" // GOST R 34.10-2001, Russian identifiers
	FamilyRSA      Family = "rsa"
	FamilyECDSA    Family = "ecdsa"
	FamilyEd25519  Family = "ed25519"
)

// paramSet binds a parameter set identifier to its curve.
type paramSet struct {
	oid   ber.OID
	curve *gost3410.Curve
}

// gostFamily is what tells the families over the GOST curves apart.
type gostFamily struct {
	family    Family
	keyOID    ber.OID
	signature ber.OID
	digest    *Digest
	// paramSets begins with the sets written for the curves A, B and C; a
	// later set on the same curve is only read.
	paramSets []paramSet
}

var gostFamilies = []gostFamily{
	{FamilyOZDST, OIDKeyOZDST, OIDSignatureOZDST, digestOZDST, []paramSet{
		{OIDParamOZDSTA, gost3410.CryptoProA()},
		{OIDParamOZDSTB, gost3410.CryptoProB()},
		{OIDParamOZDSTC, gost3410.CryptoProC()},
		{OIDParamOZDSTXchA, gost3410.CryptoProA()},
		{OIDParamOZDSTXchB, gost3410.CryptoProC()},
	}},
	{FamilyOZMST, OIDKeyOZMST, OIDSignatureOZMST, digestOZMST, []paramSet{
		{OIDParamOZMSTA, gost3410.CryptoProA()},
		{OIDParamOZMSTB, gost3410.CryptoProB()},
		{OIDParamOZMSTC, gost3410.CryptoProC()},
		{OIDParamOZMSTD, gost3410.CryptoProA()},
		{OIDParamOZMSTE, gost3410.CryptoProB()}, // B, where the legacy XchA is A
		{OIDParamOZMSTXchB, gost3410.CryptoProC()},
	}},
	{FamilyGOST2001, OIDKeyGOST2001, OIDSignatureGOST2001, digestGOST94, []paramSet{
		{OIDParamGOST2001A, gost3410.CryptoProA()},
		{OIDParamGOST2001B, gost3410.CryptoProB()},
		{OIDParamGOST2001C, gost3410.CryptoProC()},
		{OIDParamGOST2001XchA, gost3410.CryptoProA()},
		{OIDParamGOST2001XchB, gost3410.CryptoProC()},
		// The test set is a sound curve, and OpenSSL's GOST engine makes
		// keys on it when asked; whom to trust is decided by certificates.
		{OIDParamGOST2001Test, gost3410.TestCurve()},
	}},
}

// gostByKeyOID returns the family with the key identifier, nil when none has.
func gostByKeyOID(oid ber.OID) *gostFamily {
	for i := range gostFamilies {
		if gostFamilies[i].keyOID == oid {
			return &gostFamilies[i]
		}
	}
	return nil
}

func gostByFamily(family Family) *gostFamily {
	for i := range gostFamilies {
		if gostFamilies[i].family == family {
			return &gostFamilies[i]
		}
	}
	return nil
}

// curve returns the curve of a parameter set, nil when the family has none.
func (f *gostFamily) curve(set ber.OID) *gost3410.Curve {
	for _, p := range f.paramSets {
		if p.oid == set {
			return p.curve
		}
	}
	return nil
}

// paramSet returns the identifier written for a curve.
func (f *gostFamily) paramSet(c *gost3410.Curve) (ber.OID, error) {
	for _, p := range f.paramSets {
		if p.curve == c {
			return p.oid, nil
		}
	}
	return "", fmt.Errorf("%w: %s has no parameter set for curve %s", ErrUnsupported, f.family, c.Name())
}

// GOSTCurve returns the curve that a key algorithm's parameter set stands for
// and the family of the key identifier. Errors wrap [ErrUnsupported].
func GOSTCurve(key, paramSet ber.OID) (*gost3410.Curve, Family, error) {
	f := gostByKeyOID(key)
	if f == nil {
		return nil, "", fmt.Errorf("%w: key %s", ErrUnsupported, KeyName(key))
	}
	c := f.curve(paramSet)
	if c == nil {
		return nil, "", fmt.Errorf("%w: parameter set %s of %s", ErrUnsupported, paramSet, KeyName(key))
	}
	return c, f.family, nil
}
