package phone

import "time"

// Paths of the gateway. SitePath is followed by a SiteID.
const (
	SignPath = "/api/sign"
	SitePath = "/api/sites/"
)

// MaxSubmission bounds the JSON of a [Submission]: four certificates of 2 KiB
// and a signature take 12 KiB.
const MaxSubmission = 64 << 10

// Submission is the JSON that a phone sends to [SignPath].
type Submission struct {
	// SiteID and DocumentID are those of the code, 4 and 8 hexadecimal digits
	// in any case.
	SiteID     string `json:"siteId"`
	DocumentID string `json:"documentId"`
	// Hash is the GOST R 34.11-94 digest of the document, 64 hexadecimal
	// digits.
	Hash string `json:"hash"`
	// SerialNumber is that of the certificate, hexadecimal.
	SerialNumber string `json:"serialNumber"`
	// Signature is what the card made over the digest of the signed attributes
	// (cms.ExternalAttributes), hexadecimal: 128 digits, s||r.
	Signature string `json:"signature"`
	// SigningTime is the time among the signed attributes, in whole seconds.
	SigningTime time.Time `json:"signingTime"`
	// Certificates are DER in base64, that of the person first. A gateway that
	// knows the certificates by itself needs none.
	Certificates [][]byte `json:"certificates,omitempty"`
}

// Code is the stable word for what came of a submission.
type Code string

// The outcomes. Only Accepted means that the site has the signature.
const (
	Accepted Code = "accepted"

	BadRequest   Code = "badRequest"      // the JSON, or an identifier in it
	TooMany      Code = "tooManyRequests" // from this address
	Busy         Code = "busy"            // too much at once: try again
	Unavailable  Code = "unavailable"     // the gateway cannot read its sites
	UnknownSite  Code = "unknownSite"
	SigningTime  Code = "signingTime"        // too far from the gateway's clock
	NoSigner     Code = "unknownCertificate" // no certificate of this number
	KeyKind      Code = "keyKind"            // its key is of no kind that signs GOST digests
	Untrusted    Code = "untrustedCertificate"
	NotValid     Code = "certificateNotValid" // before or after its time
	Usage        Code = "certificateUsage"    // not for signatures
	Revoked      Code = "certificateRevoked"
	NoStatus     Code = "statusUnknown" // nobody tells whether it is revoked
	BadSignature Code = "wrongSignature"
	NotAccepted  Code = "documentInvalid" // another check failed; the message says which

	SiteRefused     Code = "siteRefused"     // the site answered, and did not take it
	SiteUnreachable Code = "siteUnreachable" // no definite answer within the time
)

// Outcome is the gateway's answer to a [Submission].
type Outcome struct {
	Accepted bool `json:"accepted"`
	Code     Code `json:"code"`
	// Message is in English, for logs and developers.
	Message string `json:"message"`
	// Site is what the site answered, nil when it was not asked or said
	// nothing.
	Site *SiteAnswer `json:"site,omitempty"`
}

// SiteAnswer is the answer of an UPLOAD URL.
type SiteAnswer struct {
	HTTPStatus int `json:"httpStatus,omitempty"` // 0 when there was no answer
	// Status and Message are those of its JSON, when it has them. The message
	// is cut to 500 characters, without control characters.
	Status  *int   `json:"status,omitempty"`
	Message string `json:"message,omitempty"`
	// Attempts is how often it was asked.
	Attempts int `json:"attempts"`
}

// Site is what the gateway tells about a site.
type Site struct {
	SiteID string `json:"siteId"`
	Name   string `json:"name"`
	Domain string `json:"domain"`
}
