package keystore

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"

	"imzo/pki/alg"
	"imzo/pki/ber"
)

// Object identifiers of password-based encryption (RFC 7292 appendix C,
// RFC 8018 appendix C, RFC 3565).
var (
	oidPBE3DES    = ber.MustOID("1.2.840.113549.1.12.1.3")
	oidPBE2DES    = ber.MustOID("1.2.840.113549.1.12.1.4")
	oidPBERC2128  = ber.MustOID("1.2.840.113549.1.12.1.5")
	oidPBERC240   = ber.MustOID("1.2.840.113549.1.12.1.6")
	oidPBKDF2     = ber.MustOID("1.2.840.113549.1.5.12")
	oidPBES2      = ber.MustOID("1.2.840.113549.1.5.13")
	oidPBMAC1     = ber.MustOID("1.2.840.113549.1.5.14")
	oidHMACSHA1   = ber.MustOID("1.2.840.113549.2.7")
	oidHMACSHA224 = ber.MustOID("1.2.840.113549.2.8")
	oidHMACSHA256 = ber.MustOID("1.2.840.113549.2.9")
	oidHMACSHA384 = ber.MustOID("1.2.840.113549.2.10")
	oidHMACSHA512 = ber.MustOID("1.2.840.113549.2.11")
	oidDESEDE3CBC = ber.MustOID("1.2.840.113549.3.7")
	oidAES128CBC  = ber.MustOID("2.16.840.1.101.3.4.1.2")
	oidAES192CBC  = ber.MustOID("2.16.840.1.101.3.4.1.22")
	oidAES256CBC  = ber.MustOID("2.16.840.1.101.3.4.1.42")
)

// blockCipher is a cipher used in CBC mode.
type blockCipher struct {
	keySize, blockSize int
	make               func(key []byte) (cipher.Block, error)
}

func newRC2Full(key []byte) (cipher.Block, error) { return newRC2(key, 8*len(key)), nil }

func new2DES(key []byte) (cipher.Block, error) {
	k := append(bytes.Clone(key), key[:des.BlockSize]...)
	defer clear(k)
	return des.NewTripleDESCipher(k)
}

// pbe1Ciphers go with the PKCS#12 derivation over SHA-1.
var pbe1Ciphers = map[ber.OID]blockCipher{
	oidPBE3DES:   {24, des.BlockSize, des.NewTripleDESCipher},
	oidPBE2DES:   {16, des.BlockSize, new2DES},
	oidPBERC2128: {16, rc2BlockSize, newRC2Full},
	oidPBERC240:  {5, rc2BlockSize, newRC2Full},
}

// pbes2Ciphers are the encryption schemes of PBES2.
var pbes2Ciphers = map[ber.OID]blockCipher{
	oidDESEDE3CBC: {24, des.BlockSize, des.NewTripleDESCipher},
	oidAES128CBC:  {16, aes.BlockSize, aes.NewCipher},
	oidAES192CBC:  {24, aes.BlockSize, aes.NewCipher},
	oidAES256CBC:  {32, aes.BlockSize, aes.NewCipher},
}

// hmacs are the functions of PBKDF2 and PBMAC1.
var hmacs = map[ber.OID]func() hash.Hash{
	oidHMACSHA1:   sha1.New,
	oidHMACSHA224: sha256.New224,
	oidHMACSHA256: sha256.New,
	oidHMACSHA384: sha512.New384,
	oidHMACSHA512: sha512.New,
}

// derivation turns a password into a key.
type derivation struct {
	hash       func() hash.Hash
	salt       []byte
	iterations int
	keySize    int // as the file says; 0 when it does not
}

// encryption is a password-based encryption with its parameters.
type encryption struct {
	derivation
	cipher blockCipher
	iv     []byte // nil: derived as well, by PKCS#12
}

// parseEncryption reads an algorithm identifier of PKCS#12 PBE or PBES2.
func parseEncryption(id alg.AlgorithmIdentifier) (*encryption, error) {
	if c, ok := pbe1Ciphers[id.OID]; ok {
		d, err := parsePBEParams(id.Params)
		if err != nil {
			return nil, err
		}
		return &encryption{derivation: *d, cipher: c}, nil
	}
	if id.OID == oidPBES2 {
		return parsePBES2(id.Params)
	}
	return nil, unsupportedf("encryption %s", id.OID)
}

// sequence returns a reader of the SEQUENCE that is all of b.
func sequence(b []byte, what string) (ber.Reader, error) {
	e, err := ber.Parse(b)
	if err != nil {
		return ber.Reader{}, formatError(what, err)
	}
	return children(e, what)
}

func children(e ber.Element, what string) (ber.Reader, error) {
	if e.Tag != ber.TagSequence {
		return ber.Reader{}, formatErrorf("%s is no SEQUENCE", what)
	}
	return e.Children(), nil
}

// parsePBEParams reads pkcs-12PbeParams (RFC 7292 appendix C).
func parsePBEParams(params []byte) (*derivation, error) {
	const what = "PBE parameters"
	r, err := sequence(params, what)
	if err != nil {
		return nil, err
	}
	d := &derivation{hash: sha1.New}
	if d.salt, err = readSalt(&r); err != nil {
		return nil, err
	}
	if d.iterations, err = readIterations(&r); err != nil {
		return nil, err
	}
	if err := r.Done(); err != nil {
		return nil, formatError(what, err)
	}
	return d, nil
}

func readSalt(r *ber.Reader) ([]byte, error) {
	e, err := r.Read(ber.TagOctetString)
	if err != nil {
		return nil, formatError("salt", err)
	}
	salt, err := e.OctetString()
	if err != nil {
		return nil, formatError("salt", err)
	}
	if len(salt) > maxSalt {
		return nil, fmt.Errorf("%w: salt of %d octets", ErrLimit, len(salt))
	}
	return salt, nil
}

func readIterations(r *ber.Reader) (int, error) {
	e, err := r.Read(ber.TagInteger)
	if err != nil {
		return 0, formatError("iterations", err)
	}
	n, err := e.Int64()
	if err != nil {
		return 0, formatError("iterations", err)
	}
	if n < 1 || n > math.MaxInt32 {
		return 0, formatErrorf("%d iterations", n)
	}
	return int(n), nil
}

// parsePBES2 reads PBES2-params (RFC 8018 appendix A.4).
func parsePBES2(params []byte) (*encryption, error) {
	const what = "PBES2 parameters"
	r, err := sequence(params, what)
	if err != nil {
		return nil, err
	}
	kdf, err := readIdentifier(&r, what)
	if err != nil {
		return nil, err
	}
	scheme, err := readIdentifier(&r, what)
	if err != nil {
		return nil, err
	}
	if err := r.Done(); err != nil {
		return nil, formatError(what, err)
	}
	d, err := parsePBKDF2(kdf)
	if err != nil {
		return nil, err
	}
	e := &encryption{derivation: *d}
	var ok bool
	if e.cipher, ok = pbes2Ciphers[scheme.OID]; !ok {
		return nil, unsupportedf("PBES2 encryption %s", scheme.OID)
	}
	if d.keySize != 0 && d.keySize != e.cipher.keySize {
		return nil, formatErrorf("PBKDF2 key of %d octets for a cipher of %d", d.keySize, e.cipher.keySize)
	}
	iv, err := ber.Parse(scheme.Params)
	if err != nil {
		return nil, formatError("initialization vector", err)
	}
	if e.iv, err = iv.OctetString(); err != nil {
		return nil, formatError("initialization vector", err)
	}
	if len(e.iv) != e.cipher.blockSize {
		return nil, formatErrorf("initialization vector of %d octets", len(e.iv))
	}
	return e, nil
}

func readIdentifier(r *ber.Reader, what string) (alg.AlgorithmIdentifier, error) {
	e, err := r.Next()
	if err != nil {
		return alg.AlgorithmIdentifier{}, formatError(what, err)
	}
	id, err := alg.ParseAlgorithmIdentifier(e)
	if err != nil {
		return alg.AlgorithmIdentifier{}, formatError(what, err)
	}
	return id, nil
}

// parsePBKDF2 reads the identifier of PBKDF2 (RFC 8018 appendix A.2).
func parsePBKDF2(id alg.AlgorithmIdentifier) (*derivation, error) {
	const what = "PBKDF2 parameters"
	if id.OID != oidPBKDF2 {
		return nil, unsupportedf("key derivation %s", id.OID)
	}
	r, err := sequence(id.Params, what)
	if err != nil {
		return nil, err
	}
	d := &derivation{hash: sha1.New}
	if r.Peek() == ber.TagSequence {
		return nil, unsupportedf("PBKDF2 salt from another source")
	}
	if d.salt, err = readSalt(&r); err != nil {
		return nil, err
	}
	if d.iterations, err = readIterations(&r); err != nil {
		return nil, err
	}
	if r.Peek() == ber.TagInteger {
		e, err := r.Next()
		if err != nil {
			return nil, formatError(what, err)
		}
		n, err := e.Int64()
		if err != nil || n < 1 || n > math.MaxInt16 {
			return nil, formatErrorf("PBKDF2 key length")
		}
		d.keySize = int(n)
	}
	if !r.Empty() {
		prf, err := readIdentifier(&r, what)
		if err != nil {
			return nil, err
		}
		if d.hash, err = hmacHash(prf); err != nil {
			return nil, err
		}
	}
	if err := r.Done(); err != nil {
		return nil, formatError(what, err)
	}
	return d, nil
}

func hmacHash(id alg.AlgorithmIdentifier) (func() hash.Hash, error) {
	h, ok := hmacs[id.OID]
	if !ok {
		return nil, unsupportedf("HMAC %s", id.OID)
	}
	if !id.NoParams() {
		return nil, formatErrorf("HMAC with parameters")
	}
	return h, nil
}

// errPadding tells that a ciphertext does not decrypt to anything padded.
var errPadding = errors.New("bad padding")

// decrypt tries every form of the password and returns the plaintext that is
// one SEQUENCE, as everything encrypted in key files is: a wrong key gives
// right padding once in 256 times, and that once in 2^32. The caller wipes the result. The error
// wraps ErrPassword when no form fits, ErrFormat when none could.
func (e *encryption) decrypt(pw *password, w *work, ciphertext []byte) ([]byte, error) {
	if len(ciphertext) == 0 || len(ciphertext)%e.cipher.blockSize != 0 {
		return nil, formatErrorf("ciphertext of %d octets", len(ciphertext))
	}
	forms := pw.octets
	if e.iv == nil {
		forms = pw.bmp
	}
	for _, form := range forms {
		if err := w.spend(e.iterations); err != nil {
			return nil, err
		}
		plain, err := e.decryptWith(form, ciphertext)
		if err == nil {
			if root, err := ber.Parse(plain); err == nil && root.Tag == ber.TagSequence {
				return plain, nil
			}
			clear(plain)
		} else if !errors.Is(err, errPadding) {
			return nil, err
		}
	}
	return nil, ErrPassword
}

func (e *encryption) decryptWith(form, ciphertext []byte) ([]byte, error) {
	block, iv, err := e.keys(form)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(ciphertext))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, ciphertext)
	// PKCS#7 padding (RFC 8018 6.1.1 step 4).
	n := int(plain[len(plain)-1])
	if n == 0 || n > e.cipher.blockSize || !bytes.Equal(plain[len(plain)-n:], bytes.Repeat([]byte{byte(n)}, n)) {
		clear(plain)
		return nil, errPadding
	}
	return plain[:len(plain)-n], nil
}

// encrypt is the inverse, with the form that is written.
func (e *encryption) encrypt(pw *password, plain []byte) ([]byte, error) {
	form := pw.octets[0]
	if e.iv == nil {
		form = pw.bmp[0]
	}
	block, iv, err := e.keys(form)
	if err != nil {
		return nil, err
	}
	n := e.cipher.blockSize - len(plain)%e.cipher.blockSize
	out := make([]byte, len(plain)+n)
	copy(out, plain)
	copy(out[len(plain):], bytes.Repeat([]byte{byte(n)}, n))
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, out)
	return out, nil
}

// keys derives the cipher's key and initialization vector.
func (e *encryption) keys(form []byte) (cipher.Block, []byte, error) {
	var key []byte
	iv := e.iv
	if iv == nil {
		key = pkcs12Key(e.hash, kdfKey, form, e.salt, e.iterations, e.cipher.keySize)
		iv = pkcs12Key(e.hash, kdfIV, form, e.salt, e.iterations, e.cipher.blockSize)
	} else {
		var err error
		if key, err = pbkdf2Key(e.hash, form, e.salt, e.iterations, e.cipher.keySize); err != nil {
			return nil, nil, unsupportedf("PBKDF2: %v", err) // only in FIPS 140 mode
		}
	}
	defer clear(key)
	block, err := e.cipher.make(key)
	if err != nil {
		return nil, nil, unsupportedf("cipher: %v", err)
	}
	return block, iv, nil
}

// newPBE1 returns a PKCS#12 encryption to write with, and its identifier.
func newPBE1(rand io.Reader, oid ber.OID, iterations int) (*encryption, []byte, error) {
	e := &encryption{cipher: pbe1Ciphers[oid]}
	e.hash, e.iterations = sha1.New, iterations
	var err error
	if e.salt, err = randomOctets(rand, saltSize); err != nil {
		return nil, nil, err
	}
	return e, ber.Sequence(oid.DER(), ber.Sequence(ber.OctetString(e.salt), ber.Int64(int64(iterations)))), nil
}

// newPBES2 returns PBES2 with PBKDF2-HMAC-SHA256 and AES-256-CBC to write
// with, and its identifier.
func newPBES2(rand io.Reader, iterations int) (*encryption, []byte, error) {
	e := &encryption{cipher: pbes2Ciphers[oidAES256CBC]}
	e.hash, e.iterations = hmacs[oidHMACSHA256], iterations
	var err error
	if e.salt, err = randomOctets(rand, saltSize); err != nil {
		return nil, nil, err
	}
	if e.iv, err = randomOctets(rand, e.cipher.blockSize); err != nil {
		return nil, nil, err
	}
	kdf := ber.Sequence(oidPBKDF2.DER(), ber.Sequence(
		ber.OctetString(e.salt),
		ber.Int64(int64(iterations)),
		ber.Int64(int64(e.cipher.keySize)), // optional, and some readers want it
		alg.NewNull(oidHMACSHA256).Marshal(),
	))
	scheme := ber.Sequence(oidAES256CBC.DER(), ber.OctetString(e.iv))
	return e, ber.Sequence(oidPBES2.DER(), ber.Sequence(kdf, scheme)), nil
}

// saltSize is what Java writes.
const saltSize = 20

func randomOctets(rand io.Reader, n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(rand, b); err != nil {
		return nil, fmt.Errorf("reading randomness: %w", err)
	}
	return b, nil
}
