package keystore

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

// pfx is a PFX file taken apart as far as goes without a password.
type pfx struct {
	content []byte // of the authSafe, what the MAC is over
	mac     *macData
	safes   []safe
}

// safe is one ContentInfo of the AuthenticatedSafe.
type safe struct {
	contents   []byte      // SafeContents, or their ciphertext
	encryption *encryption // nil for data
}

// bag is one SafeBag.
type bag struct {
	oid        ber.OID
	value      ber.Element
	name       string // friendlyName
	named      bool
	localKeyID []byte
}

func parsePFX(data []byte) (*pfx, error) {
	const what = "PFX"
	if len(data) > maxFile {
		return nil, limitError(what, len(data))
	}
	r, err := sequence(data, what)
	if err != nil {
		return nil, err
	}
	version, err := r.Read(ber.TagInteger)
	if err != nil {
		return nil, formatError(what, err)
	}
	if v, err := version.Int64(); err != nil || v != 3 {
		return nil, formatErrorf("version of a PFX")
	}
	authSafe, err := readContentInfo(&r)
	if err != nil {
		return nil, err
	}
	if authSafe.oid != oidData {
		return nil, unsupportedf("PFX of content type %s", authSafe.oid)
	}
	p := new(pfx)
	if p.content, err = authSafe.data(); err != nil {
		return nil, err
	}
	if !r.Empty() {
		e, err := r.Next()
		if err != nil {
			return nil, formatError(what, err)
		}
		if p.mac, err = parseMAC(e); err != nil {
			return nil, err
		}
	}
	if err := r.Done(); err != nil {
		return nil, formatError(what, err)
	}
	return p, p.parseSafes()
}

func (p *pfx) parseSafes() error {
	r, err := sequence(p.content, "AuthenticatedSafe")
	if err != nil {
		return err
	}
	for !r.Empty() {
		if len(p.safes) == maxBags {
			return fmt.Errorf("%w: more than %d safes", ErrLimit, maxBags)
		}
		info, err := readContentInfo(&r)
		if err != nil {
			return err
		}
		switch info.oid {
		case oidData:
			contents, err := info.data()
			if err != nil {
				return err
			}
			p.safes = append(p.safes, safe{contents: contents})
		case oidEncryptedData:
			s, err := parseEncryptedData(info.content)
			if err != nil {
				return err
			}
			p.safes = append(p.safes, *s)
		}
	}
	return nil
}

// contentInfo is ContentInfo (RFC 5652 3).
type contentInfo struct {
	oid     ber.OID
	content ber.Element
}

func readContentInfo(r *ber.Reader) (*contentInfo, error) {
	const what = "ContentInfo"
	e, err := r.Next()
	if err != nil {
		return nil, formatError(what, err)
	}
	inner, err := children(e, what)
	if err != nil {
		return nil, err
	}
	id, err := inner.Read(ber.TagOID)
	if err != nil {
		return nil, formatError(what, err)
	}
	c := new(contentInfo)
	if c.oid, err = id.OID(); err != nil {
		return nil, formatError(what, err)
	}
	outer, err := inner.Read(ber.ContextConstructed(0))
	if err != nil {
		return nil, formatError(what, err)
	}
	if err := inner.Done(); err != nil {
		return nil, formatError(what, err)
	}
	content := outer.Children()
	if c.content, err = content.Next(); err != nil {
		return nil, formatError(what, err)
	}
	if err := content.Done(); err != nil {
		return nil, formatError(what, err)
	}
	return c, nil
}

func (c *contentInfo) data() ([]byte, error) {
	if c.content.Tag&^0x20 != ber.TagOctetString {
		return nil, formatErrorf("data is no OCTET STRING")
	}
	b, err := c.content.OctetString()
	if err != nil {
		return nil, formatError("data", err)
	}
	return b, nil
}

// parseEncryptedData reads EncryptedData (RFC 5652 8).
func parseEncryptedData(e ber.Element) (*safe, error) {
	const what = "EncryptedData"
	r, err := children(e, what)
	if err != nil {
		return nil, err
	}
	if _, err := r.Read(ber.TagInteger); err != nil { // version 0 or 2, by what follows
		return nil, formatError(what, err)
	}
	info, err := r.Read(ber.TagSequence)
	if err != nil {
		return nil, formatError(what, err)
	}
	// Unprotected attributes [1] may follow and mean nothing here.
	inner := info.Children()
	id, err := inner.Read(ber.TagOID)
	if err != nil {
		return nil, formatError(what, err)
	}
	if oid, err := id.OID(); err != nil || oid != oidData {
		return nil, formatErrorf("encrypted content is no data")
	}
	algorithm, err := readIdentifier(&inner, what)
	if err != nil {
		return nil, err
	}
	s := new(safe)
	if s.encryption, err = parseEncryption(algorithm); err != nil {
		return nil, err
	}
	content, err := inner.Next()
	if err != nil {
		return nil, formatError(what, err)
	}
	if content.Tag&^0x20 != ber.Context(0) {
		return nil, formatErrorf("encrypted content with tag %#02x", content.Tag)
	}
	if s.contents, err = content.OctetString(); err != nil {
		return nil, formatError(what, err)
	}
	if err := inner.Done(); err != nil {
		return nil, formatError(what, err)
	}
	return s, nil
}

// parseBags reads SafeContents.
func parseBags(contents []byte) ([]bag, error) {
	const what = "SafeContents"
	r, err := sequence(contents, what)
	if err != nil {
		return nil, err
	}
	var bags []bag
	for !r.Empty() {
		if len(bags) == maxBags {
			return nil, fmt.Errorf("%w: more than %d bags", ErrLimit, maxBags)
		}
		e, err := r.Next()
		if err != nil {
			return nil, formatError(what, err)
		}
		b, err := parseBag(e)
		if err != nil {
			return nil, err
		}
		bags = append(bags, *b)
	}
	return bags, nil
}

func parseBag(e ber.Element) (*bag, error) {
	const what = "SafeBag"
	r, err := children(e, what)
	if err != nil {
		return nil, err
	}
	id, err := r.Read(ber.TagOID)
	if err != nil {
		return nil, formatError(what, err)
	}
	b := new(bag)
	if b.oid, err = id.OID(); err != nil {
		return nil, formatError(what, err)
	}
	outer, err := r.Read(ber.ContextConstructed(0))
	if err != nil {
		return nil, formatError(what, err)
	}
	value := outer.Children()
	if b.value, err = value.Next(); err != nil {
		return nil, formatError(what, err)
	}
	if err := value.Done(); err != nil {
		return nil, formatError(what, err)
	}
	attributes, ok, err := r.Optional(ber.TagSet)
	if err != nil {
		return nil, formatError(what, err)
	}
	if ok {
		if err := b.parseAttributes(attributes); err != nil {
			return nil, err
		}
	}
	if err := r.Done(); err != nil {
		return nil, formatError(what, err)
	}
	return b, nil
}

// parseAttributes takes friendlyName and localKeyId; others, such as the key
// provider of Microsoft, are passed over.
func (b *bag) parseAttributes(set ber.Element) error {
	const what = "bag attribute"
	for r := set.Children(); !r.Empty(); {
		e, err := r.Read(ber.TagSequence)
		if err != nil {
			return formatError(what, err)
		}
		inner := e.Children()
		id, err := inner.Read(ber.TagOID)
		if err != nil {
			return formatError(what, err)
		}
		oid, err := id.OID()
		if err != nil {
			return formatError(what, err)
		}
		values, err := inner.Read(ber.TagSet)
		if err != nil {
			return formatError(what, err)
		}
		if oid != oidFriendlyName && oid != oidLocalKeyID {
			continue
		}
		vr := values.Children()
		value, err := vr.Next()
		if err != nil {
			return formatError(what, err)
		}
		if oid == oidFriendlyName {
			if b.name, err = value.Text(); err != nil {
				return formatError("friendly name", err)
			}
			b.named = true
			continue
		}
		if b.localKeyID, err = value.OctetString(); err != nil {
			return formatError("local key id", err)
		}
	}
	return nil
}

// created reads the time out of a localKeyId as Java writes it.
func (b *bag) created() time.Time {
	text, ok := strings.CutPrefix(string(b.localKeyID), timePrefix)
	if !ok {
		return time.Time{}
	}
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{} // somebody else's local key id, which may be anything
	}
	return time.UnixMilli(ms).UTC()
}

// ListPFX returns the aliases of the keys in a PFX file, in lower case and in
// the order of the file, without a password: a file as E-IMZO makes it
// encrypts keys one by one and leaves their names readable. Keys without a
// name, and keys inside encrypted safes, are not listed. Errors wrap
// [ErrFormat], [ErrUnsupported] or [ErrLimit].
func ListPFX(data []byte) (aliases []string, err error) {
	p, err := parsePFX(data)
	if err != nil {
		return nil, err
	}
	for _, s := range p.safes {
		if s.encryption != nil {
			continue
		}
		bags, err := parseBags(s.contents)
		if err != nil {
			return nil, err
		}
		for _, b := range bags {
			if b.oid != oidShroudedKeyBag || !b.named {
				continue
			}
			if aliases = append(aliases, lower(b.name)); len(aliases) > maxBags {
				return nil, fmt.Errorf("%w: more than %d keys", ErrLimit, maxBags)
			}
		}
	}
	return aliases, nil
}

// OpenPFX returns the keys of a PFX file, in the order of the file, each with
// its chain; a file without keys gives none.
//
// Errors wrap [ErrPassword] when the password does not fit, [ErrFormat] when
// the file is damaged, also when only its MAC tells, and [ErrUnsupported] or
// [ErrLimit]. Where a MAC does not fit, damage and a wrong password are told
// apart by whether anything in the file can be decrypted.
func OpenPFX(data []byte, password string) ([]Entry, error) {
	return openPFX(data, password, maxIterations)
}

func openPFX(data []byte, password string, iterations int64) ([]Entry, error) {
	o, err := unlock(data, password, iterations)
	if err != nil {
		return nil, err
	}
	defer o.wipe()
	return o.entries()
}

// unlock decrypts a PFX. Its result has to be wiped.
func unlock(data []byte, password string, iterations int64) (_ *opener, err error) {
	p, err := parsePFX(data)
	if err != nil {
		return nil, err
	}
	pw, err := newPassword(password)
	if err != nil {
		return nil, err
	}
	defer pw.wipe()
	o := &opener{pw: pw, work: work{iterations}}
	defer func() {
		if err != nil {
			o.wipe()
		}
	}()
	sealed := false
	if p.mac != nil {
		if sealed, err = p.mac.verify(pw, &o.work, p.content); err != nil {
			return nil, err
		}
	}
	for _, s := range p.safes {
		if err := o.openSafe(s); err != nil {
			return nil, err
		}
	}
	switch {
	case p.mac != nil && !sealed && o.opened > 0:
		return nil, formatErrorf("PFX does not fit its MAC")
	case p.mac != nil && !sealed:
		return nil, ErrPassword
	case sealed && o.refused > 0:
		// Nothing is damaged, so this part is under a password of its own.
		return nil, fmt.Errorf("%w: part of the PFX has another one", ErrPassword)
	case o.refused > 0 && o.opened > 0:
		return nil, formatErrorf("part of the PFX does not decrypt")
	case o.refused > 0:
		return nil, ErrPassword
	}
	return o, nil
}

// opener collects what is in the safes of a PFX.
type opener struct {
	pw      *password
	work    work
	opened  int // encrypted things that the password opened
	refused int // and that it did not
	keys    []keyBag
	certs   []certBag
}

type keyBag struct {
	bag
	pkcs8 []byte
}

type certBag struct {
	bag
	der []byte
}

func (o *opener) wipe() {
	for _, k := range o.keys {
		clear(k.pkcs8)
	}
}

// decrypt counts the outcome; a password that does not fit is no error here,
// it is judged when all has been tried.
func (o *opener) decrypt(e *encryption, ciphertext []byte) (plain []byte, ok bool, err error) {
	plain, err = e.decrypt(o.pw, &o.work, ciphertext)
	switch {
	case err == nil:
		o.opened++
		return plain, true, nil
	case errors.Is(err, ErrPassword):
		o.refused++
		return nil, false, nil
	}
	return nil, false, err
}

func (o *opener) openSafe(s safe) error {
	contents := s.contents
	if s.encryption != nil {
		var ok bool
		var err error
		if contents, ok, err = o.decrypt(s.encryption, s.contents); !ok || err != nil {
			return err
		}
	}
	bags, err := parseBags(contents)
	if err != nil {
		return err
	}
	for _, b := range bags {
		switch b.oid {
		case oidShroudedKeyBag:
			err = o.openKey(b)
		case oidCertBag:
			err = o.openCert(b)
		}
		if err != nil {
			return err
		}
	}
	if len(o.keys) > maxBags || len(o.certs) > maxBags {
		return fmt.Errorf("%w: more than %d keys or certificates", ErrLimit, maxBags)
	}
	return nil
}

// openKey decrypts an EncryptedPrivateKeyInfo (RFC 5958 3).
func (o *opener) openKey(b bag) error {
	e, ciphertext, err := parseEncryptedKey(b.value)
	if err != nil {
		return err
	}
	plain, ok, err := o.decrypt(e, ciphertext)
	if !ok || err != nil {
		return err
	}
	o.keys = append(o.keys, keyBag{b, plain})
	return nil
}

func parseEncryptedKey(e ber.Element) (*encryption, []byte, error) {
	const what = "encrypted private key"
	r, err := children(e, what)
	if err != nil {
		return nil, nil, err
	}
	id, err := readIdentifier(&r, what)
	if err != nil {
		return nil, nil, err
	}
	data, err := r.Read(ber.TagOctetString)
	if err != nil {
		return nil, nil, formatError(what, err)
	}
	ciphertext, err := data.OctetString()
	if err != nil {
		return nil, nil, formatError(what, err)
	}
	if err := r.Done(); err != nil {
		return nil, nil, formatError(what, err)
	}
	enc, err := parseEncryption(id)
	return enc, ciphertext, err
}

// openCert reads CertBag (RFC 7292 4.2.3).
func (o *opener) openCert(b bag) error {
	const what = "CertBag"
	r, err := children(b.value, what)
	if err != nil {
		return err
	}
	id, err := r.Read(ber.TagOID)
	if err != nil {
		return formatError(what, err)
	}
	if oid, err := id.OID(); err != nil {
		return formatError(what, err)
	} else if oid != oidX509Certificate {
		return nil // SDSI, which nobody writes
	}
	outer, err := r.Read(ber.ContextConstructed(0))
	if err != nil {
		return formatError(what, err)
	}
	inner := outer.Children()
	value, err := inner.Read(ber.TagOctetString)
	if err != nil {
		return formatError(what, err)
	}
	der, err := value.OctetString()
	if err != nil {
		return formatError(what, err)
	}
	o.certs = append(o.certs, certBag{b, bytes.Clone(der)})
	return nil
}

// entries parses keys and certificates, and builds the chains.
func (o *opener) entries() ([]Entry, error) {
	certs := make([]*cert.Certificate, len(o.certs))
	for i, b := range o.certs {
		c, err := cert.Parse(b.der)
		if err != nil {
			return nil, formatError("certificate", err)
		}
		certs[i] = c
	}
	var entries []Entry
	for _, k := range o.keys {
		key, err := ParsePKCS8(k.pkcs8)
		if err != nil {
			return nil, err
		}
		e := Entry{Alias: lower(k.name), Key: key, Created: k.created()}
		if leaf := o.leafOf(k, key, certs); leaf != nil {
			e.Chain = chain(leaf, certs)
			// The certificate knows the parameter set and identifiers best.
			if e.Key, err = alg.NewPrivateKeyWithSPKI(key.Signer(), leaf.PublicKey); err != nil {
				return nil, algError(err)
			}
		} else {
			e.Chain = slices.Clone(certs)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// leafOf finds the certificate of a key: the one of its public key, and among
// several (a renewed certificate) the one with its local key id. A certificate
// that has only the local key id is another key's, whatever the file says.
func (o *opener) leafOf(k keyBag, key *alg.PrivateKey, certs []*cert.Certificate) *cert.Certificate {
	var leaf *cert.Certificate
	for i, c := range certs {
		if !key.PublicKey().SameKey(c.PublicKey) {
			continue
		}
		if k.localKeyID != nil && bytes.Equal(k.localKeyID, o.certs[i].localKeyID) {
			return c
		}
		if leaf == nil {
			leaf = c
		}
	}
	return leaf
}
