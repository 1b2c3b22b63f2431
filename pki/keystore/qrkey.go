package keystore

import (
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"imzo/gost/gost28147"
	"imzo/gost/gost3410"
	"imzo/gost/gost341194"
	"imzo/pki/alg"
)

var (
	// ErrQRPassword is wrapped when a password cannot be one of a QR key:
	// the phone takes digits and Latin letters only.
	ErrQRPassword = errors.New("the password of a QR key is made of digits and Latin letters")

	// ErrSingleKey is wrapped when a file with no key, or with several, is
	// to be turned into a QR key.
	ErrSingleKey = errors.New("PFX must contain a single key")
)

// A QR key is the text of 68 octets in hex: the three of qrHeader, the curve,
// and under GOST 28147-89 the 32 octets of the scalar, big-endian, and its
// digest.
const (
	qrHeader     = "\xe7\x31\x01"
	qrHeaderSize = len(qrHeader) + 1
	qrSecretSize = gost3410.ScalarSize + gost341194.Size
	qrSize       = qrHeaderSize + qrSecretSize
	qrIterations = 1000
)

// qrCurves are the curves by the octet that stands for each.
var qrCurves = map[byte]func() *gost3410.Curve{
	1: gost3410.CryptoProA,
	2: gost3410.CryptoProB,
	3: gost3410.CryptoProC,
}

// SingleKey returns the only entry of a file, or an error that wraps
// [ErrSingleKey].
func SingleKey(entries []Entry) (Entry, error) {
	if len(entries) != 1 {
		return Entry{}, fmt.Errorf("%w, this file has %d", ErrSingleKey, len(entries))
	}
	return entries[0], nil
}

// QRKey returns the text that the QR code of a key holds, with which E-IMZO's
// application for phones takes the key over: hex in lower case, 136 digits.
// What protects the key is the password alone, so the text is as secret as a
// PFX file is.
//
// Keys are of the families O'z DSt and O'z MSt; the text says the curve and not
// the family. Errors wrap [ErrQRPassword], and [ErrUnsupported] for other keys
// and those that cannot be exported.
func QRKey(key *alg.PrivateKey, password string) (string, error) {
	s, ok := key.Signer().(*gost3410.PrivateKey)
	if !ok || key.Family() == alg.FamilyGOST2001 {
		return "", unsupportedf("%s as a QR key", key)
	}
	d := s.Bytes()
	if d == nil {
		return "", unsupportedf("%s was wiped", key)
	}
	defer clear(d)
	curve, err := qrCurve(key.PublicKey())
	if err != nil {
		return "", err
	}
	c, err := qrCipher(password)
	if err != nil {
		return "", err
	}
	defer c.Wipe()
	out := append([]byte(qrHeader), curve)
	out = append(out, d...)
	out = append(out, gostSum(gost341194.NewConstantTime(), d)...)
	if err := c.EncryptECB(out[qrHeaderSize:], out[qrHeaderSize:]); err != nil {
		clear(out)
		return "", err
	}
	return hex.EncodeToString(out), nil
}

func qrCurve(k *alg.PublicKey) (byte, error) {
	public, ok := k.Key.(*gost3410.PublicKey)
	if ok {
		for octet, curve := range qrCurves {
			if public.Curve() == curve() {
				return octet, nil
			}
		}
	}
	return 0, unsupportedf("key of %s as a QR key", k.ParamSet)
}

// ParseQRKey reads the text of a QR code, in hex of either case. The key is of
// the family O'z DSt; with its certificate, [alg.NewPrivateKeyWithSPKI] makes it
// one of the family there. Errors wrap [ErrPassword], [ErrFormat] or
// [ErrUnsupported].
func ParseQRKey(text, password string) (*alg.PrivateKey, error) {
	const what = "QR key"
	text = strings.TrimSpace(text)
	if len(text) != 2*qrSize {
		return nil, formatErrorf("%s of %d characters, not %d", what, len(text), 2*qrSize)
	}
	data, err := hex.DecodeString(text)
	if err != nil {
		return nil, formatError(what, err)
	}
	if string(data[:len(qrHeader)]) != qrHeader {
		return nil, formatErrorf("no %s", what)
	}
	curve, ok := qrCurves[data[len(qrHeader)]]
	if !ok {
		return nil, unsupportedf("curve %d of a %s", data[len(qrHeader)], what)
	}
	c, err := qrCipher(password)
	if err != nil {
		return nil, errors.Join(ErrPassword, err)
	}
	defer c.Wipe()
	secret := data[qrHeaderSize:]
	defer clear(secret)
	if err := c.DecryptECB(secret, secret); err != nil {
		return nil, err
	}
	d, digest := secret[:gost3410.ScalarSize], secret[gost3410.ScalarSize:]
	if subtle.ConstantTimeCompare(gostSum(gost341194.NewConstantTime(), d), digest) != 1 {
		return nil, ErrPassword
	}
	s, err := gost3410.NewPrivateKey(curve(), d)
	if err != nil {
		return nil, formatError(what, err)
	}
	key, err := alg.NewPrivateKey(s, alg.FamilyOZDST)
	if err != nil {
		return nil, algError(err)
	}
	return key, nil
}

// qrCipher stretches the password. Its result has to be wiped.
func qrCipher(password string) (*gost28147.Cipher, error) {
	if password == "" || len(password) > maxPassword || strings.ContainsFunc(password, notForQR) {
		return nil, ErrQRPassword
	}
	h := gost341194.NewConstantTime()
	octets := []byte(password)
	defer clear(octets)
	key := gostSum(h, octets)
	defer func() { clear(key) }()
	for range qrIterations - 1 {
		next := gostSum(h, key)
		clear(key)
		key = next
	}
	return gost28147.NewCipher(key, gost28147.SBoxHashCryptoPro())
}

func notForQR(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}
