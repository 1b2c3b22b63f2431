package keystore

import (
	"strings"
	"time"
	"unicode"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

// Entry is a private key of a key file with its certificates.
type Entry struct {
	// Alias is the friendly name in lower case, as Java's PKCS12 keystore
	// has it, of a YKS file the name as it stands there; "" when the file
	// names the key nowhere.
	Alias string
	Key   *alg.PrivateKey
	// Chain is subject first, then issuers as far as the file has them.
	Chain []*cert.Certificate
	// Created is when Java says the entry was made (in a PFX the localKeyId
	// "Time <ms>"), to the millisecond; the zero time when the file does not say.
	Created time.Time
}

// Object identifiers of PFX (RFC 7292 appendix D) and its attributes (RFC 2985).
var (
	oidData          = ber.MustOID("1.2.840.113549.1.7.1")
	oidEncryptedData = ber.MustOID("1.2.840.113549.1.7.6")

	oidShroudedKeyBag  = ber.MustOID("1.2.840.113549.1.12.10.1.2")
	oidCertBag         = ber.MustOID("1.2.840.113549.1.12.10.1.3")
	oidX509Certificate = ber.MustOID("1.2.840.113549.1.9.22.1")

	oidFriendlyName = ber.MustOID("1.2.840.113549.1.9.20")
	oidLocalKeyID   = ber.MustOID("1.2.840.113549.1.9.21")
)

// timePrefix begins the localKeyId that Java writes.
const timePrefix = "Time "

// lower is Java's String.toLowerCase in the root locale, which the PKCS12
// keystore applies to aliases: Unicode's simple mapping and its two special
// ones, İ, and Σ at the end of a word (Unicode 3.13, final sigma).
func lower(s string) string {
	if !strings.ContainsAny(s, "İΣ") {
		return strings.ToLower(s)
	}
	var b strings.Builder
	in := []rune(s)
	for i, r := range in {
		switch {
		case r == 'İ':
			b.WriteString("i\u0307")
		case r == 'Σ' && casedBeside(in[:i], true) && !casedBeside(in[i+1:], false):
			b.WriteRune('ς')
		default:
			b.WriteString(strings.ToLower(string(r)))
		}
	}
	return b.String()
}

// casedBeside tells whether the nearest rune that is not case-ignorable, from
// the end or from the start, is a cased letter.
func casedBeside(s []rune, fromEnd bool) bool {
	for n := range s {
		r := s[n]
		if fromEnd {
			r = s[len(s)-1-n]
		}
		switch {
		case isCased(r):
			return true
		case !isCaseIgnorable(r):
			return false
		}
	}
	return false
}

func isCased(r rune) bool { return unicode.IsLower(r) || unicode.IsUpper(r) || unicode.IsTitle(r) }

// isCaseIgnorable is Case_Ignorable of Unicode 3.13 as far as names need it.
func isCaseIgnorable(r rune) bool {
	return strings.ContainsRune("'.:\u00b7\u2018\u2019", r) || unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk)
}
