package keystore

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

// Profile chooses the algorithms of a written PFX.
type Profile int

const (
	// ProfileJava8 is what Java 8 writes: keys under 3DES, certificates under
	// RC2-40, a SHA-1 MAC. The E-IMZO applications of Windows and of the
	// phone open nothing newer. The certificates are public, so what matters
	// is that the password is strong.
	ProfileJava8 Profile = iota

	// ProfileModern is what Java 17 writes, with more iterations: PBES2 with
	// PBKDF2-HMAC-SHA256 and AES-256-CBC, an HMAC-SHA256 MAC.
	ProfileModern
)

// Iterations of the key derivations. Java 8 began with 1024 and has written
// 50,000 and 100,000 since its update 301, which it reads in all versions;
// Java 17 writes 10,000 of PBKDF2.
const (
	java8Iterations    = 50_000
	java8MACIterations = 100_000
	modernIterations   = 100_000
)

// profile is what a Profile stands for.
type profile struct {
	keys, certs   func(rand io.Reader) (*encryption, []byte, error)
	mac           func() hash.Hash
	macID         alg.AlgorithmIdentifier
	macIterations int
}

func (p Profile) profile() (*profile, error) {
	switch p {
	case ProfileJava8:
		return &profile{
			keys: func(rand io.Reader) (*encryption, []byte, error) {
				return newPBE1(rand, oidPBE3DES, java8Iterations)
			},
			certs: func(rand io.Reader) (*encryption, []byte, error) {
				return newPBE1(rand, oidPBERC240, java8Iterations)
			},
			mac:           sha1.New,
			macID:         alg.NewNull(alg.OIDDigestSHA1),
			macIterations: java8MACIterations,
		}, nil
	case ProfileModern:
		pbes2 := func(rand io.Reader) (*encryption, []byte, error) { return newPBES2(rand, modernIterations) }
		return &profile{
			keys:          pbes2,
			certs:         pbes2,
			mac:           sha256.New,
			macID:         alg.NewNull(alg.OIDDigestSHA256),
			macIterations: modernIterations,
		}, nil
	}
	return nil, unsupportedf("profile %d", int(p))
}

// CreatePFX writes the entries to a PFX file: the key bags, each encrypted, in
// a readable safe, and the certificates in an encrypted one, as Java does.
//
// Every entry needs an alias (see [Alias]), unlike the others', a key that can
// be exported, and a chain whose first certificate is the key's, or none.
// Aliases are written in lower case. The localKeyId says "Time <ms>" of
// Created, or of the certificate's notBefore where Created is zero.
func CreatePFX(rand io.Reader, entries []Entry, password string, p Profile) ([]byte, error) {
	prof, err := p.profile()
	if err != nil {
		return nil, err
	}
	return prof.create(rand, entries, password)
}

func (prof *profile) create(rand io.Reader, entries []Entry, password string) ([]byte, error) {
	if err := checkEntries(entries); err != nil {
		return nil, err
	}
	pw, err := newPassword(password)
	if err != nil {
		return nil, err
	}
	defer pw.wipe()

	ids := localKeyIDs(entries)
	var keyBags [][]byte
	for i, e := range entries {
		b, err := writeKeyBag(rand, prof, pw, e, ids[i])
		if err != nil {
			return nil, err
		}
		keyBags = append(keyBags, b)
	}
	safes := [][]byte{writeData(ber.Sequence(keyBags...))}
	if bags := writeCertBags(entries, ids); len(bags) > 0 {
		s, err := writeEncryptedData(rand, prof, pw, ber.Sequence(bags...))
		if err != nil {
			return nil, err
		}
		safes = append(safes, s)
	}
	content := ber.Sequence(safes...)
	mac, err := writeMAC(rand, prof, pw, content)
	if err != nil {
		return nil, err
	}
	return ber.Sequence(ber.Int64(3), writeData(content), mac), nil
}

func checkEntries(entries []Entry) error {
	if len(entries) == 0 {
		return errors.New("no entries for a key file")
	}
	if len(entries) > maxBags {
		return fmt.Errorf("%w: %d entries", ErrLimit, len(entries))
	}
	seen := make(map[string]bool)
	for _, e := range entries {
		alias := lower(e.Alias)
		switch {
		case alias == "":
			return errors.New("entry of a key file without an alias")
		case seen[alias]:
			return fmt.Errorf("two entries of a key file with the alias %q", alias)
		case e.Key == nil:
			return fmt.Errorf("entry %q has no key", alias)
		case len(e.Chain) > 0 && !e.Key.PublicKey().SameKey(e.Chain[0].PublicKey):
			return fmt.Errorf("entry %q begins with another key's certificate", alias)
		}
		seen[alias] = true
	}
	return nil
}

// localKeyIDs gives every entry an id of its own, a millisecond later than
// one already taken.
func localKeyIDs(entries []Entry) [][]byte {
	taken := make(map[int64]bool)
	ids := make([][]byte, len(entries))
	for i, e := range entries {
		ms := e.created().UnixMilli()
		for taken[ms] {
			ms++
		}
		taken[ms] = true
		ids[i] = []byte(timePrefix + strconv.FormatInt(ms, 10))
	}
	return ids
}

func writeKeyBag(rand io.Reader, prof *profile, pw *password, e Entry, id []byte) ([]byte, error) {
	shrouded, err := encryptPKCS8(rand, prof, pw, e.Key)
	if err != nil {
		return nil, err
	}
	return writeBag(oidShroudedKeyBag, shrouded, lower(e.Alias), id), nil
}

// encryptPKCS8 returns the EncryptedPrivateKeyInfo of a key.
func encryptPKCS8(rand io.Reader, prof *profile, pw *password, k *alg.PrivateKey) ([]byte, error) {
	plain, err := MarshalPKCS8(k)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	enc, id, err := prof.keys(rand)
	if err != nil {
		return nil, err
	}
	ciphertext, err := enc.encrypt(pw, plain)
	if err != nil {
		return nil, err
	}
	return ber.Sequence(id, ber.OctetString(ciphertext)), nil
}

// writeCertBags writes each certificate once: those of the keys with alias and
// id, the issuers bare.
func writeCertBags(entries []Entry, ids [][]byte) [][]byte {
	written := make(map[string]bool)
	var bags [][]byte
	add := func(c *cert.Certificate, alias string, id []byte) {
		if written[string(c.Raw)] {
			return
		}
		written[string(c.Raw)] = true
		value := ber.Sequence(oidX509Certificate.DER(), ber.Tagged(ber.ContextConstructed(0), ber.OctetString(c.Raw)))
		bags = append(bags, writeBag(oidCertBag, value, alias, id))
	}
	for i, e := range entries {
		if len(e.Chain) > 0 {
			add(e.Chain[0], lower(e.Alias), ids[i])
		}
	}
	for _, e := range entries {
		for _, c := range e.Chain {
			add(c, "", nil)
		}
	}
	return bags
}

// writeBag writes a SafeBag, with attributes when it has an alias.
func writeBag(oid ber.OID, value []byte, alias string, id []byte) []byte {
	var attributes []byte
	if alias != "" {
		attributes = ber.SetOf(
			ber.Sequence(oidFriendlyName.DER(), ber.Set(ber.BMPString(alias))),
			ber.Sequence(oidLocalKeyID.DER(), ber.Set(ber.OctetString(id))),
		)
	}
	return ber.Sequence(oid.DER(), ber.Tagged(ber.ContextConstructed(0), value), attributes)
}

func writeData(content []byte) []byte {
	return ber.Sequence(oidData.DER(), ber.Tagged(ber.ContextConstructed(0), ber.OctetString(content)))
}

func writeEncryptedData(rand io.Reader, prof *profile, pw *password, contents []byte) ([]byte, error) {
	enc, id, err := prof.certs(rand)
	if err != nil {
		return nil, err
	}
	ciphertext, err := enc.encrypt(pw, contents)
	if err != nil {
		return nil, err
	}
	return ber.Sequence(oidEncryptedData.DER(), ber.Tagged(ber.ContextConstructed(0), ber.Sequence(
		ber.Int64(0),
		ber.Sequence(oidData.DER(), id, ber.Tagged(ber.Context(0), ciphertext)),
	))), nil
}

// writeMAC writes MacData over the content of the authSafe.
func writeMAC(rand io.Reader, prof *profile, pw *password, content []byte) ([]byte, error) {
	salt, err := randomOctets(rand, saltSize)
	if err != nil {
		return nil, err
	}
	key := pkcs12Key(prof.mac, kdfMAC, pw.bmp[0], salt, prof.macIterations, prof.mac().Size())
	defer clear(key)
	h := hmac.New(prof.mac, key)
	h.Write(content)
	return ber.Sequence(
		ber.Sequence(prof.macID.Marshal(), ber.OctetString(h.Sum(nil))),
		ber.OctetString(salt),
		ber.Int64(int64(prof.macIterations)),
	), nil
}
