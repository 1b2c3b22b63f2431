package mobile

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"imzo/client/deeplink"
	"imzo/internal/eimzo/mobile/phone"
	"imzo/pki/cert"
)

const (
	// maxChain is how many certificates a phone may send: a card has three.
	maxChain = 8
	// maxSerial is the longest serial number (RFC 5280 4.1.2.2: 20 octets), in
	// digits, and maxSignature the longest signature, of 64 octets.
	maxSerial     = 40
	signatureSize = 64
)

// submission is a phone.Submission that was read and is well formed.
type submission struct {
	phone.Submission
	code         deeplink.Code
	serial       string // as cert.Certificate.SerialHex
	signature    []byte
	certificates []*cert.Certificate
}

// readSubmission reads the JSON of a phone: one object, and no fields that
// nobody knows. The error says what is wrong in words for the phone's
// developer.
func readSubmission(body []byte) (submission, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	var s phone.Submission
	if err := d.Decode(&s); err != nil {
		return submission{}, fmt.Errorf("the body is not the JSON of a submission: %.200w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return submission{}, fmt.Errorf("something follows the JSON of the submission")
	}
	return checkSubmission(s)
}

func checkSubmission(s phone.Submission) (submission, error) {
	out := submission{Submission: s}
	var hash [32]byte
	if n, err := hex.Decode(hash[:], []byte(pad(s.Hash, 2*len(hash)))); err != nil || n != len(hash) {
		return out, fmt.Errorf("hash is not %d hexadecimal digits", 2*len(hash))
	}
	var err error
	if out.code, err = deeplink.WithHash(s.SiteID, s.DocumentID, hash); err != nil {
		return out, err
	}
	if out.signature, err = hex.DecodeString(pad(s.Signature, 2*signatureSize)); err != nil {
		return out, fmt.Errorf("signature is not %d hexadecimal digits, s and r", 2*signatureSize)
	}
	out.serial = strings.TrimLeft(strings.ToLower(s.SerialNumber), "0")
	if out.serial == "" || len(out.serial) > maxSerial || strings.Trim(out.serial, "0123456789abcdef") != "" {
		return out, fmt.Errorf("serialNumber is not 1 to %d hexadecimal digits", maxSerial)
	}
	if s.SigningTime.IsZero() || s.SigningTime.Nanosecond() != 0 {
		return out, fmt.Errorf("signingTime is not there in whole seconds")
	}
	out.SigningTime = s.SigningTime.UTC()
	if len(s.Certificates) > maxChain {
		return out, fmt.Errorf("more than %d certificates", maxChain)
	}
	for i, der := range s.Certificates {
		c, err := cert.Parse(der)
		if err != nil {
			return out, fmt.Errorf("certificate %d: %w", i+1, err)
		}
		out.certificates = append(out.certificates, c)
	}
	return out, nil
}

// pad returns hexadecimal digits of the length that is wanted, and no
// hexadecimal digits for a text of another length.
func pad(digits string, want int) string {
	if len(digits) != want {
		return "x"
	}
	return digits
}
