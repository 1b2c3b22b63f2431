// Package deeplink makes and reads the code that a site hands to the phone
// application E-IMZO ID-CARD, so that a person signs with an ID card: the
// text of the QR code on a page, and the link on a phone.
//
//	code, err := deeplink.New(answer.SiteID, answer.DocumentID, []byte(answer.Challange))
//	if err != nil { ... }
//	code.String() // for the QR code: 84 hexadecimal characters
//	code.URL()    // for the phone: eimzo://sign?qc=...
//
// Site and document come from POST /frontend/mobile/auth or /sign of
// E-IMZO-SERVER. A log-in signs the challenge as text, its hexadecimal
// characters, and not the octets they stand for.
//
// The layout is that of the scripts that the guide names in 3.4.2; the guide
// does not describe it.
package deeplink

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"net/url"
	"strings"

	"imzo/gost/gost341194"
)

// ErrCode is wrapped by the errors of New and Parse: their text says what is
// wrong, and does not repeat the code.
var ErrCode = errors.New("no code of E-IMZO MOBILE")

const (
	siteSize     = 2
	documentSize = 4
	crcSize      = 4
	payloadSize  = siteSize + documentSize + gost341194.Size

	// Length is the number of characters of a code.
	Length = 2 * (payloadSize + crcSize)

	linkScheme = "eimzo"
	linkHost   = "sign"
	parameter  = "qc"
	// maxLink is well above the longest link, of a few characters more than
	// the code; whoever has more to say says something else.
	maxLink = 256
)

// Code is what the phone is told: who asks for a signature, of what.
type Code struct {
	// SiteID is the site's identifier at the gateway, four hexadecimal digits
	// as registered.
	SiteID string
	// DocumentID is the identifier of the document at the site's server, eight
	// hexadecimal digits in upper case.
	DocumentID string
	// Hash is the GOST R 34.11-94 digest of the document, as it is printed.
	Hash [gost341194.Size]byte
}

// New makes the code of a document, which is hashed as it is. Its errors wrap
// [ErrCode].
func New(siteID, documentID string, document []byte) (Code, error) {
	return WithHash(siteID, documentID, gost341194.Sum256(document))
}

// WithHash is [New] for a document hashed before.
func WithHash(siteID, documentID string, hash [gost341194.Size]byte) (Code, error) {
	c := Code{SiteID: siteID, DocumentID: strings.ToUpper(documentID), Hash: hash}
	if _, ok := hexadecimal(siteID, siteSize); !ok {
		return Code{}, fmt.Errorf("%w: the SiteID is not %d hexadecimal digits", ErrCode, 2*siteSize)
	}
	if _, ok := hexadecimal(documentID, documentSize); !ok {
		return Code{}, fmt.Errorf("%w: the DocumentID is not %d hexadecimal digits", ErrCode, 2*documentSize)
	}
	return c, nil
}

// Parse reads a code, or a link with one, in upper or lower case. Its errors
// wrap [ErrCode].
func Parse(text string) (Code, error) {
	text = strings.TrimSpace(text)
	if len(text) > maxLink {
		return Code{}, fmt.Errorf("%w: too long", ErrCode)
	}
	if strings.Contains(text, ":") {
		u, err := url.Parse(text)
		if err != nil || !strings.EqualFold(u.Scheme, linkScheme) || !strings.EqualFold(u.Host, linkHost) {
			return Code{}, fmt.Errorf("%w: a link, but not %s://%s?%s=CODE", ErrCode, linkScheme, linkHost, parameter)
		}
		text = u.Query().Get(parameter)
	}
	raw, ok := hexadecimal(text, payloadSize+crcSize)
	if !ok {
		return Code{}, fmt.Errorf("%w: not %d hexadecimal characters", ErrCode, Length)
	}
	if crc32.ChecksumIEEE(raw[:payloadSize]) != binary.BigEndian.Uint32(raw[payloadSize:]) {
		return Code{}, fmt.Errorf("%w: its check sum is wrong", ErrCode)
	}
	c := Code{
		SiteID:     text[:2*siteSize],
		DocumentID: strings.ToUpper(text[2*siteSize : 2*(siteSize+documentSize)]),
	}
	copy(c.Hash[:], raw[siteSize+documentSize:])
	return c, nil
}

func hexadecimal(s string, size int) ([]byte, bool) {
	raw, err := hex.DecodeString(s)
	return raw, err == nil && len(raw) == size
}

// String returns the code: SiteID, DocumentID, hash and the CRC-32 of the
// octets of these, 84 characters. It panics on a Code that neither New nor
// Parse made and whose identifiers are not hexadecimal.
func (c Code) String() string {
	site, ok := hexadecimal(c.SiteID, siteSize)
	document, ok2 := hexadecimal(c.DocumentID, documentSize)
	if !ok || !ok2 {
		panic("deeplink: identifiers are not hexadecimal")
	}
	crc := crc32.NewIEEE()
	crc.Write(site)
	crc.Write(document)
	crc.Write(c.Hash[:])
	return fmt.Sprintf("%s%s%x%08x", c.SiteID, c.DocumentID, c.Hash, crc.Sum32())
}

// URL returns the link that opens the application on a phone.
func (c Code) URL() string {
	return linkScheme + "://" + linkHost + "?" + parameter + "=" + c.String()
}

// Groups returns the hash in four groups of sixteen digits, as the application
// shows it, for the person to compare.
func (c Code) Groups() [4]string {
	text := hex.EncodeToString(c.Hash[:])
	return [4]string{text[:16], text[16:32], text[32:48], text[48:]}
}
