package soft

import (
	"fmt"
	"io"
	"strings"

	"imzo/gost/gost3410"
	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/token"
)

// kind is what devices of a kind can do.
type kind struct {
	maxPIN int
	// family and curve are those of a key nobody chose parameters for; others
	// are the further curves.
	family alg.Family
	curve  string
	others string
	// paramSet is the parameter set for family and curve, "" for the usual.
	paramSet ber.OID
}

// E-IMZO tells the containers apart by the parameter set of the key: legacy and
// 2024 set .3 (curve C) ID card, 2024 .2 (curve B) BAIK, 2024 .4 (curve A)
// UZGUARD. Whether the two tokens have keys on other curves is not known, so
// they may.
var kinds = map[token.Kind]kind{
	token.KindIDCard:  {maxPIN: devicePIN, family: alg.FamilyOZDST, curve: "C"},
	token.KindBAIK:    {maxPIN: devicePIN, family: alg.FamilyOZMST, curve: "B", others: "AC"},
	token.KindUZGUARD: {maxPIN: longestPIN, family: alg.FamilyOZMST, curve: "A", others: "BC", paramSet: alg.OIDParamOZMSTD},
}

// generate makes a key. A family without a curve takes the curve of the kind,
// which differs from alg.GenerateKey: a card has no say in its curve.
func (k kind) generate(parameters string, rand io.Reader) (*gost3410.PrivateKey, *alg.PublicKey, error) {
	name, curve, _ := strings.Cut(parameters, ":")
	family := alg.Family(name)
	if name == "" {
		family = k.family
	}
	if curve == "" {
		curve = k.curve
	}
	curve = strings.ToUpper(curve)
	known := family == alg.FamilyOZDST || family == alg.FamilyOZMST
	if !known || curve != k.curve && (len(curve) != 1 || !strings.Contains(k.others, curve)) {
		return nil, nil, fmt.Errorf("%w: keys %q", token.ErrUnsupported, parameters)
	}
	made, err := alg.GenerateKey(string(family)+":"+curve, rand)
	if err != nil {
		return nil, nil, err
	}
	key, ok := made.Signer().(*gost3410.PrivateKey)
	if !ok {
		return nil, nil, fmt.Errorf("%w: keys %q", token.ErrUnsupported, parameters)
	}
	public := made.PublicKey()
	if family == k.family && curve == k.curve && k.paramSet != "" {
		if public, err = alg.NewPublicKey(key.PublicKey(), family, k.paramSet); err != nil {
			key.Wipe()
			return nil, nil, err
		}
	}
	return key, public, nil
}
