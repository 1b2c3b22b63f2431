package agent

import (
	"context"
	"errors"
	"strings"
	"time"

	"imzo/internal/eimzo/agent/keyring"
	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/keystore"
)

// temporaryLife is how long a temporary certificate is valid.
const temporaryLife = 7 * 24 * time.Hour

// oidTemporaryPolicy is the policy of temporary certificates.
var oidTemporaryPolicy = ber.MustOID("1.2.860.3.2.10.2")

// temporaryChain certifies a key for a week, until the CA has: subject, CA and
// root. The keys of the CA and of the root are thrown away, so that nothing
// else is ever signed by them.
func (a *Agent) temporaryChain(subject cert.Name, key *alg.PrivateKey) ([]*cert.Certificate, error) {
	spec := string(key.Family())
	rootName, err := cert.ParseName("CN=Temporary Root,L=Tashkent,C=UZ")
	if err != nil {
		return nil, err
	}
	caName, err := cert.ParseName("CN=Temporary CA,L=Tashkent,C=UZ")
	if err != nil {
		return nil, err
	}
	from := a.now()
	to := from.Add(temporaryLife)
	rootKey, err := alg.GenerateKey(spec, a.rand)
	if err != nil {
		return nil, err
	}
	defer rootKey.Wipe()
	root, err := cert.Create(a.rand, &cert.Template{Subject: rootName, NotBefore: from, NotAfter: to, Version1: true}, nil, rootKey)
	if err != nil {
		return nil, err
	}
	caKey, err := alg.GenerateKey(spec, a.rand)
	if err != nil {
		return nil, err
	}
	defer caKey.Wipe()
	ca, err := cert.Create(a.rand, &cert.Template{
		Subject: caName, NotBefore: from, NotAfter: to, PublicKey: caKey.PublicKey(),
		BasicConstraints: &cert.BasicConstraints{IsCA: true, MaxPathLen: 0},
		KeyUsage: cert.KeyUsageDigitalSignature | cert.KeyUsageContentCommitment | cert.KeyUsageKeyAgreement |
			cert.KeyUsageCertSign | cert.KeyUsageCRLSign,
	}, root, rootKey)
	if err != nil {
		return nil, err
	}
	own, err := cert.Create(a.rand, &cert.Template{
		Subject: subject, NotBefore: from, NotAfter: to, PublicKey: key.PublicKey(),
		KeyUsage: cert.KeyUsageKeyAgreement,
		Extra:    []cert.Extension{cert.NoticedPolicies(oidTemporaryPolicy)},
	}, ca, caKey)
	if err != nil {
		return nil, err
	}
	return []*cert.Certificate{own, ca, root}, nil
}

// parseName reads an X.500 name of a page.
func parseName(s string) (cert.Name, error) {
	name, err := cert.ParseName(s)
	if err != nil || name.Empty() {
		return cert.Name{}, fail(codeOther, textReasonNotName)
	}
	return name, nil
}

// saveTemporaryPFX keeps a new key until its certificate comes.
func saveTemporaryPFX(_ context.Context, a *Agent, c *call) (fields, error) {
	if err := a.checkNewFile(c); err != nil {
		return nil, err
	}
	s, done, ok := a.keyPair(c, c.arg(4))
	if !ok {
		return nil, fail(-1011, textKeyPairByIdIsNotFound)
	}
	defer done()
	subject, err := parseName(c.arg(6))
	if err != nil {
		return nil, err
	}
	chain, err := a.temporaryChain(subject, s.Key)
	if err != nil {
		return nil, err
	}
	data, err := keystore.CreatePFX(a.rand, []keystore.Entry{{Alias: strings.ToLower(c.arg(3)), Key: s.Key, Chain: chain, Created: a.now()}}, c.arg(5), a.profile())
	if err != nil {
		a.log.Warn("a key file cannot be made", "error", err.Error())
		return nil, fail(codeOther, textReasonKeyFileNotMade)
	}
	if err := a.createFile(keyring.PFX, c.arg(0), c.arg(1), c.arg(2), data); errors.Is(err, keyring.ErrExists) {
		return nil, fail(-2009, textFileExistsChooseOtherName)
	} else if err != nil {
		return nil, err
	}
	return fields{}, nil
}
