package keystore

import (
	"crypto/hmac"
	"hash"

	"imzo/pki/alg"
	"imzo/pki/ber"
)

// macData is MacData (RFC 7292 4), with the HMAC of PKCS#12 or PBMAC1.
type macData struct {
	derivation
	hmacHash func() hash.Hash
	pbmac1   bool
	want     []byte
}

// parseMAC reads MacData.
func parseMAC(e ber.Element) (*macData, error) {
	const what = "MAC"
	r, err := children(e, what)
	if err != nil {
		return nil, err
	}
	info, err := r.Next()
	if err != nil {
		return nil, formatError(what, err)
	}
	m := new(macData)
	inner, err := children(info, what)
	if err != nil {
		return nil, err
	}
	id, err := readIdentifier(&inner, what)
	if err != nil {
		return nil, err
	}
	value, err := inner.Read(ber.TagOctetString)
	if err != nil {
		return nil, formatError(what, err)
	}
	if m.want, err = value.OctetString(); err != nil {
		return nil, formatError(what, err)
	}
	if err := inner.Done(); err != nil {
		return nil, formatError(what, err)
	}
	if m.salt, err = readSalt(&r); err != nil {
		return nil, err
	}
	m.iterations = 1 // DEFAULT 1
	if !r.Empty() {
		if m.iterations, err = readIterations(&r); err != nil {
			return nil, err
		}
	}
	if err := r.Done(); err != nil {
		return nil, formatError(what, err)
	}
	if id.OID == oidPBMAC1 {
		return m, m.parsePBMAC1(id.Params)
	}
	d, err := alg.DigestByOID(id.OID)
	if err != nil {
		return nil, unsupportedf("MAC digest %s", id.OID)
	}
	if !id.NoParams() {
		return nil, formatErrorf("MAC digest with parameters")
	}
	m.hash, m.hmacHash = d.New, d.New
	if len(m.want) != d.Size {
		return nil, formatErrorf("MAC of %d octets", len(m.want))
	}
	return m, nil
}

// parsePBMAC1 reads PBMAC1-params (RFC 8018 appendix A.5, RFC 9579 4); the
// salt and iterations of MacData mean nothing then.
func (m *macData) parsePBMAC1(params []byte) error {
	const what = "PBMAC1 parameters"
	r, err := sequence(params, what)
	if err != nil {
		return err
	}
	kdf, err := readIdentifier(&r, what)
	if err != nil {
		return err
	}
	scheme, err := readIdentifier(&r, what)
	if err != nil {
		return err
	}
	if err := r.Done(); err != nil {
		return formatError(what, err)
	}
	d, err := parsePBKDF2(kdf)
	if err != nil {
		return err
	}
	// RFC 9579 4: the key length must be there; 20 octets is its least.
	if d.keySize < 20 || d.keySize > maxMACKey {
		return formatErrorf("PBMAC1 key of %d octets", d.keySize)
	}
	if m.hmacHash, err = hmacHash(scheme); err != nil {
		return err
	}
	if len(m.want) != m.hmacHash().Size() {
		return formatErrorf("MAC of %d octets", len(m.want))
	}
	m.derivation, m.pbmac1 = *d, true
	return nil
}

// verify tells whether the MAC over the content fits any form of the
// password.
func (m *macData) verify(pw *password, w *work, content []byte) (bool, error) {
	forms := pw.bmp
	if m.pbmac1 {
		forms = pw.octets
	}
	for _, form := range forms {
		if err := w.spend(m.iterations); err != nil {
			return false, err
		}
		sum, err := m.sum(form, content)
		if err != nil {
			return false, err
		}
		if hmac.Equal(sum, m.want) {
			return true, nil
		}
	}
	return false, nil
}

func (m *macData) sum(form, content []byte) ([]byte, error) {
	var key []byte
	if m.pbmac1 {
		var err error
		if key, err = pbkdf2Key(m.hash, form, m.salt, m.iterations, m.keySize); err != nil {
			return nil, unsupportedf("PBKDF2: %v", err) // only in FIPS 140 mode
		}
	} else {
		key = pkcs12Key(m.hash, kdfMAC, form, m.salt, m.iterations, m.hash().Size())
	}
	defer clear(key)
	h := hmac.New(m.hmacHash, key)
	h.Write(content)
	return h.Sum(nil), nil
}
