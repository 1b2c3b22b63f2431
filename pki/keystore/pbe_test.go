package keystore

import (
	"crypto/rand"
	"errors"
	"testing"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/ber"
)

func TestEncryptionParametersThatAreRefused(t *testing.T) {
	salt, count := ber.OctetString([]byte("saltsalt")), ber.Int64(1000)
	iv := ber.OctetString(make([]byte, 16))
	sha256 := alg.NewNull(oidHMACSHA256).Marshal()
	aes := ber.Sequence(oidAES256CBC.DER(), iv)
	kdf := func(parts ...[]byte) []byte { return ber.Sequence(oidPBKDF2.DER(), ber.Sequence(parts...)) }
	pbes2 := func(parts ...[]byte) []byte { return ber.Sequence(oidPBES2.DER(), ber.Sequence(parts...)) }
	pbe := func(params ...[]byte) []byte { return ber.Sequence(append([][]byte{oidPBE3DES.DER()}, params...)...) }
	parse := func(der []byte) error {
		e, err := ber.Parse(der)
		if err != nil {
			t.Fatal(err)
		}
		id, err := alg.ParseAlgorithmIdentifier(e)
		if err != nil {
			t.Fatal(err)
		}
		_, err = parseEncryption(id)
		return err
	}
	for name, der := range map[string][]byte{
		"PBE":                        pbe(ber.Sequence(salt, count)),
		"PBES2":                      pbes2(kdf(salt, count), aes),
		"PBES2 with all there is":    pbes2(kdf(salt, count, ber.Int64(32), sha256), aes),
		"PBES2 with an HMAC of bare": pbes2(kdf(salt, count, ber.Sequence(oidHMACSHA512.DER())), aes),
	} {
		if err := parse(der); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, tc := range map[string]struct {
		der  []byte
		want error
	}{
		"unknown encryption":           {ber.Sequence(ber.MustOID("1.2.3").DER()), ErrUnsupported},
		"MD5 and DES":                  {ber.Sequence(ber.MustOID("1.2.840.113549.1.5.3").DER(), ber.Sequence(salt, count)), ErrUnsupported},
		"PBE without parameters":       {pbe(), ErrFormat},
		"PBE with NULL":                {pbe(ber.Null()), ErrFormat},
		"PBE without salt":             {pbe(ber.Sequence(count)), ErrFormat},
		"PBE without iterations":       {pbe(ber.Sequence(salt)), ErrFormat},
		"PBE with no iterations":       {pbe(ber.Sequence(salt, ber.Int64(0))), ErrFormat},
		"PBE with -1 iterations":       {pbe(ber.Sequence(salt, ber.Int64(-1))), ErrFormat},
		"PBE with 2^31 iterations":     {pbe(ber.Sequence(salt, ber.Int64(1<<31))), ErrFormat},
		"PBE with 2^70 iterations":     {pbe(ber.Sequence(salt, ber.Tagged(ber.TagInteger, []byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0}))), ErrFormat},
		"PBE with more":                {pbe(ber.Sequence(salt, count, count)), ErrFormat},
		"PBE with a long salt":         {pbe(ber.Sequence(ber.OctetString(make([]byte, maxSalt+1)), count)), ErrLimit},
		"PBES2 without parameters":     {ber.Sequence(oidPBES2.DER()), ErrFormat},
		"PBES2 empty":                  {pbes2(), ErrFormat},
		"PBES2 without cipher":         {pbes2(kdf(salt, count)), ErrFormat},
		"PBES2 with more":              {pbes2(kdf(salt, count), aes, aes), ErrFormat},
		"PBES2 with no algorithm":      {pbes2(ber.Null(), aes), ErrFormat},
		"scrypt":                       {pbes2(ber.Sequence(ber.MustOID("1.3.6.1.4.1.11591.4.11").DER()), aes), ErrUnsupported},
		"PBKDF2 without parameters":    {pbes2(ber.Sequence(oidPBKDF2.DER()), aes), ErrFormat},
		"PBKDF2 salt by algorithm":     {pbes2(kdf(sha256, count), aes), ErrUnsupported},
		"PBKDF2 without salt":          {pbes2(kdf(count), aes), ErrFormat},
		"PBKDF2 without iterations":    {pbes2(kdf(salt), aes), ErrFormat},
		"PBKDF2 key of 16 for 32":      {pbes2(kdf(salt, count, ber.Int64(16)), aes), ErrFormat},
		"PBKDF2 key of 0":              {pbes2(kdf(salt, count, ber.Int64(0)), aes), ErrFormat},
		"PBKDF2 with GOST":             {pbes2(kdf(salt, count, alg.NewNull(alg.OIDDigestGOST94).Marshal()), aes), ErrUnsupported},
		"HMAC with parameters":         {pbes2(kdf(salt, count, ber.Sequence(oidHMACSHA256.DER(), count)), aes), ErrFormat},
		"PBKDF2 with NULL for an HMAC": {pbes2(kdf(salt, count, ber.Null()), aes), ErrFormat},
		"PBKDF2 with more":             {pbes2(kdf(salt, count, sha256, sha256), aes), ErrFormat},
		"unknown cipher":               {pbes2(kdf(salt, count), ber.Sequence(ber.MustOID("1.2.3").DER(), iv)), ErrUnsupported},
		"cipher without IV":            {pbes2(kdf(salt, count), ber.Sequence(oidAES256CBC.DER())), ErrFormat},
		"IV that is NULL":              {pbes2(kdf(salt, count), ber.Sequence(oidAES256CBC.DER(), ber.Null())), ErrFormat},
		"IV of 8 octets":               {pbes2(kdf(salt, count), ber.Sequence(oidAES256CBC.DER(), ber.OctetString(make([]byte, 8)))), ErrFormat},
	} {
		if err := parse(tc.der); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}

func TestPFXStructuresThatAreRefused(t *testing.T) {
	e := entryOf(t, "ozdst", testpki.Person)
	pw := mustPassword(t, testPassword)
	shrouded, err := encryptPKCS8(rand.Reader, fastProfile(), pw, e.Key)
	if err != nil {
		t.Fatal(err)
	}
	explicit := func(b []byte) []byte { return ber.Tagged(ber.ContextConstructed(0), b) }
	sha1 := alg.NewNull(alg.OIDDigestSHA1).Marshal()
	digest := ber.OctetString(make([]byte, 20))
	salt := ber.OctetString([]byte("salt"))
	empty := writeData(ber.Sequence())
	pfx := func(parts ...[]byte) []byte { return ber.Sequence(append([][]byte{ber.Int64(3)}, parts...)...) }
	mac := func(id, sum []byte, rest ...[]byte) []byte {
		return pfx(empty, ber.Sequence(append([][]byte{ber.Sequence(id, sum)}, rest...)...))
	}
	kdf := func(parts ...[]byte) []byte { return ber.Sequence(oidPBKDF2.DER(), ber.Sequence(parts...)) }
	hmac := alg.NewNull(oidHMACSHA256).Marshal()
	pbmac := func(params []byte, sum int) []byte {
		return mac(ber.Sequence(oidPBMAC1.DER(), params), ber.OctetString(make([]byte, sum)), salt)
	}
	bag := func(parts ...[]byte) []byte { return assemble(t, writeData(ber.Sequence(ber.Sequence(parts...)))) }
	attribute := func(parts ...[]byte) []byte {
		return bag(oidShroudedKeyBag.DER(), explicit(shrouded), ber.Set(parts...))
	}
	encrypted := func(parts ...[]byte) []byte {
		return assemble(t, ber.Sequence(oidEncryptedData.DER(), explicit(ber.Sequence(parts...))))
	}
	pbe := ber.Sequence(oidPBE3DES.DER(), ber.Sequence(salt, ber.Int64(1)))
	certBag := func(parts ...[]byte) []byte { return bag(oidCertBag.DER(), explicit(ber.Sequence(parts...))) }

	for name, tc := range map[string]struct {
		data []byte
		want error
	}{
		"empty":                        {nil, ErrFormat},
		"something after":              {append(fastPFX(t, testPassword, e), 0), ErrFormat},
		"no SEQUENCE":                  {ber.Null(), ErrFormat},
		"version 2":                    {ber.Sequence(ber.Int64(2), empty), ErrFormat},
		"no version":                   {ber.Sequence(empty), ErrFormat},
		"no content":                   {pfx(), ErrFormat},
		"content is NULL":              {pfx(ber.Null()), ErrFormat},
		"content type is NULL":         {pfx(ber.Sequence(ber.Null())), ErrFormat},
		"content without value":        {pfx(ber.Sequence(oidData.DER())), ErrFormat},
		"content with empty value":     {pfx(ber.Sequence(oidData.DER(), explicit(nil))), ErrFormat},
		"content with two values":      {pfx(ber.Sequence(oidData.DER(), explicit(append(ber.OctetString(nil), ber.Null()...)))), ErrFormat},
		"content with more":            {pfx(ber.Sequence(oidData.DER(), explicit(ber.OctetString(nil)), ber.Null())), ErrFormat},
		"data is a SEQUENCE":           {pfx(ber.Sequence(oidData.DER(), explicit(ber.Sequence()))), ErrFormat},
		"data with broken segments":    {pfx(ber.Sequence(oidData.DER(), explicit(ber.Tagged(0x24, ber.Null())))), ErrFormat},
		"signed PFX":                   {pfx(ber.Sequence(ber.MustOID("1.2.840.113549.1.7.2").DER(), explicit(ber.Sequence()))), ErrUnsupported},
		"safe is no SEQUENCE":          {pfx(writeData(ber.Null())), ErrFormat},
		"safe is NULL":                 {pfx(writeData(ber.Sequence(ber.Null()))), ErrFormat},
		"safe of another type of data": {assemble(t, ber.Sequence(oidData.DER(), explicit(ber.Null()))), ErrFormat},
		"three elements":               {pfx(empty, ber.Sequence(ber.Sequence(sha1, digest), salt), ber.Null()), ErrFormat},

		"MAC is NULL":             {pfx(empty, ber.Null()), ErrFormat},
		"MAC is empty":            {pfx(empty, ber.Sequence()), ErrFormat},
		"MAC digest is NULL":      {pfx(empty, ber.Sequence(ber.Null())), ErrFormat},
		"MAC without algorithm":   {pfx(empty, ber.Sequence(ber.Sequence())), ErrFormat},
		"MAC without value":       {pfx(empty, ber.Sequence(ber.Sequence(sha1))), ErrFormat},
		"MAC with more in it":     {pfx(empty, ber.Sequence(ber.Sequence(sha1, digest, digest), salt)), ErrFormat},
		"MAC without salt":        {mac(sha1, digest), ErrFormat},
		"MAC iterations are NULL": {mac(sha1, digest, salt, ber.Null()), ErrFormat},
		"MAC with more":           {mac(sha1, digest, salt, ber.Int64(1), ber.Null()), ErrFormat},
		"MAC of 19 octets":        {mac(sha1, ber.OctetString(make([]byte, 19)), salt), ErrFormat},
		"MAC of no octets":        {mac(sha1, ber.OctetString(nil), salt), ErrFormat},
		"MAC with parameters":     {mac(ber.Sequence(alg.OIDDigestSHA1.DER(), ber.Int64(1)), digest, salt), ErrFormat},
		"MAC with MD5":            {mac(ber.Sequence(ber.MustOID("1.2.840.113549.2.5").DER(), ber.Null()), digest, salt), ErrUnsupported},
		"wrong MAC over nothing":  {mac(sha1, digest, salt), ErrPassword},

		"PBMAC1 without parameters": {mac(ber.Sequence(oidPBMAC1.DER()), digest, salt), ErrFormat},
		"PBMAC1 empty":              {pbmac(ber.Sequence(), 32), ErrFormat},
		"PBMAC1 without HMAC":       {pbmac(ber.Sequence(kdf(salt, ber.Int64(1), ber.Int64(32), hmac)), 32), ErrFormat},
		"PBMAC1 with more":          {pbmac(ber.Sequence(kdf(salt, ber.Int64(1), ber.Int64(32), hmac), hmac, hmac), 32), ErrFormat},
		"PBMAC1 with scrypt":        {pbmac(ber.Sequence(hmac, hmac), 32), ErrUnsupported},
		"PBMAC1 without key length": {pbmac(ber.Sequence(kdf(salt, ber.Int64(1), hmac), hmac), 32), ErrFormat},
		"PBMAC1 with a short key":   {pbmac(ber.Sequence(kdf(salt, ber.Int64(1), ber.Int64(8), hmac), hmac), 32), ErrFormat},
		"PBMAC1 with a long key":    {pbmac(ber.Sequence(kdf(salt, ber.Int64(1), ber.Int64(30000), hmac), hmac), 32), ErrFormat},
		"PBMAC1 of much work":       {pbmac(ber.Sequence(kdf(salt, ber.Int64(maxIterations), ber.Int64(maxMACKey+1), hmac), hmac), 32), ErrFormat},
		"PBMAC1 with another MAC":   {pbmac(ber.Sequence(kdf(salt, ber.Int64(1), ber.Int64(32), hmac), sha1), 32), ErrUnsupported},
		"PBMAC1 of 31 octets":       {pbmac(ber.Sequence(kdf(salt, ber.Int64(1), ber.Int64(32), hmac), hmac), 31), ErrFormat},
		"wrong PBMAC1":              {pbmac(ber.Sequence(kdf(salt, ber.Int64(1), ber.Int64(32), hmac), hmac), 32), ErrPassword},

		"encrypted data is NULL":       {assemble(t, ber.Sequence(oidEncryptedData.DER(), explicit(ber.Null()))), ErrFormat},
		"encrypted without version":    {encrypted(ber.Null()), ErrFormat},
		"encrypted without content":    {encrypted(ber.Int64(0)), ErrFormat},
		"encrypted without type":       {encrypted(ber.Int64(0), ber.Sequence()), ErrFormat},
		"encrypted something else":     {encrypted(ber.Int64(0), ber.Sequence(oidEncryptedData.DER(), pbe)), ErrFormat},
		"encrypted without algorithm":  {encrypted(ber.Int64(0), ber.Sequence(oidData.DER())), ErrFormat},
		"encrypted by nobody knows":    {encrypted(ber.Int64(0), ber.Sequence(oidData.DER(), ber.Sequence(oidData.DER()))), ErrUnsupported},
		"encrypted without ciphertext": {encrypted(ber.Int64(0), ber.Sequence(oidData.DER(), pbe)), ErrFormat},
		"ciphertext with another tag":  {encrypted(ber.Int64(0), ber.Sequence(oidData.DER(), pbe, ber.OctetString(make([]byte, 8)))), ErrFormat},
		"encrypted with more":          {encrypted(ber.Int64(0), ber.Sequence(oidData.DER(), pbe, ber.Tagged(ber.Context(0), make([]byte, 8)), ber.Null())), ErrFormat},
		"ciphertext empty":             {encrypted(ber.Int64(0), ber.Sequence(oidData.DER(), pbe, ber.Tagged(ber.Context(0)))), ErrFormat},
		"ciphertext of 7 octets":       {encrypted(ber.Int64(0), ber.Sequence(oidData.DER(), pbe, ber.Tagged(ber.Context(0), make([]byte, 7)))), ErrFormat},
		"ciphertext of nonsense":       {encrypted(ber.Int64(0), ber.Sequence(oidData.DER(), pbe, ber.Tagged(ber.Context(0), make([]byte, 8)))), ErrPassword},

		"bags are no SEQUENCE":          {assemble(t, writeData(ber.Null())), ErrFormat},
		"bag is NULL":                   {assemble(t, writeData(ber.Sequence(ber.Null()))), ErrFormat},
		"bag is empty":                  {bag(), ErrFormat},
		"bag without value":             {bag(oidCertBag.DER()), ErrFormat},
		"bag with empty value":          {bag(oidCertBag.DER(), explicit(nil)), ErrFormat},
		"bag with two values":           {bag(oidCertBag.DER(), explicit(append(ber.Null(), ber.Null()...))), ErrFormat},
		"bag with more":                 {bag(oidCertBag.DER(), explicit(ber.Sequence()), ber.Null()), ErrFormat},
		"attribute is NULL":             {attribute(ber.Null()), ErrFormat},
		"attribute is empty":            {attribute(ber.Sequence()), ErrFormat},
		"attribute without values":      {attribute(ber.Sequence(oidFriendlyName.DER())), ErrFormat},
		"attribute with no value":       {attribute(ber.Sequence(oidFriendlyName.DER(), ber.Set())), ErrFormat},
		"name is NULL":                  {attribute(ber.Sequence(oidFriendlyName.DER(), ber.Set(ber.Null()))), ErrFormat},
		"name of 3 octets":              {attribute(ber.Sequence(oidFriendlyName.DER(), ber.Set(ber.Tagged(ber.TagBMPString, []byte{0, 65, 0})))), ErrFormat},
		"local key id is NULL":          {attribute(ber.Sequence(oidLocalKeyID.DER(), ber.Set(ber.Null()))), ErrFormat},
		"key bag is NULL":               {bag(oidShroudedKeyBag.DER(), explicit(ber.Null())), ErrFormat},
		"key bag is empty":              {bag(oidShroudedKeyBag.DER(), explicit(ber.Sequence())), ErrFormat},
		"key bag without key":           {bag(oidShroudedKeyBag.DER(), explicit(ber.Sequence(pbe))), ErrFormat},
		"key bag with more":             {bag(oidShroudedKeyBag.DER(), explicit(ber.Sequence(pbe, salt, salt))), ErrFormat},
		"certificate bag is NULL":       {bag(oidCertBag.DER(), explicit(ber.Null())), ErrFormat},
		"certificate bag is empty":      {certBag(), ErrFormat},
		"certificate bag without value": {certBag(oidX509Certificate.DER()), ErrFormat},
		"certificate is NULL":           {certBag(oidX509Certificate.DER(), explicit(ber.Null())), ErrFormat},
		"certificate of nonsense":       {certBag(oidX509Certificate.DER(), explicit(ber.OctetString([]byte{1}))), ErrFormat},
	} {
		if _, err := OpenPFX(tc.data, testPassword); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	if _, err := OpenPFX(fastPFX(t, testPassword, e), "\xff"); !errors.Is(err, ErrPassword) {
		t.Errorf("password that is no text: %v", err)
	}
	if _, err := ListPFX(bag()); !errors.Is(err, ErrFormat) {
		t.Errorf("listing an empty bag: %v", err)
	}
	if _, err := ListPFX(nil); !errors.Is(err, ErrFormat) {
		t.Errorf("listing nothing: %v", err)
	}
}

// A key inside that nobody here can use is reported as such, not as damage.
func TestPFXWithAKeyOfAnotherKindIsUnsupported(t *testing.T) {
	pw := mustPassword(t, testPassword)
	enc, id, err := newPBE1(rand.Reader, oidPBE3DES, 1)
	if err != nil {
		t.Fatal(err)
	}
	ciphertext, err := enc.encrypt(pw, info(ber.MustOID("1.2.840.10040.4.1"), nil, ber.Int64(1)))
	if err != nil {
		t.Fatal(err)
	}
	data := assemble(t, writeData(ber.Sequence(writeBag(oidShroudedKeyBag, ber.Sequence(id, ber.OctetString(ciphertext)), "dsa", []byte{1}))))
	if _, err := OpenPFX(data, testPassword); !errors.Is(err, ErrUnsupported) {
		t.Errorf("%v", err)
	}
}
