package keystore

import "crypto/sha1"

// ProfileOf tells without the password which profile a PFX file is of:
// [ProfileJava8] when its ciphers and its MAC are those that Java 8, and so the
// E-IMZO applications, read, else [ProfileModern]. Ciphers within encrypted
// safes cannot be seen; they are written as those around them. Errors wrap
// [ErrFormat], [ErrUnsupported] or [ErrLimit].
func ProfileOf(data []byte) (Profile, error) {
	p, err := parsePFX(data)
	if err != nil {
		return ProfileModern, err
	}
	if m := p.mac; m != nil && (m.pbmac1 || len(m.want) != sha1.Size) {
		return ProfileModern, nil
	}
	for _, s := range p.safes {
		if s.encryption != nil {
			if s.encryption.iv != nil {
				return ProfileModern, nil // PBES2: PKCS#12 derives the IV
			}
			continue
		}
		bags, err := parseBags(s.contents)
		if err != nil {
			return ProfileModern, err
		}
		for _, b := range bags {
			if b.oid != oidShroudedKeyBag {
				continue
			}
			e, _, err := parseEncryptedKey(b.value)
			if err != nil {
				return ProfileModern, err
			}
			if e.iv != nil {
				return ProfileModern, nil
			}
		}
	}
	return ProfileJava8, nil
}
