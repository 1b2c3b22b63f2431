package client

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"time"
)

// The indications of a report (ETSI EN 319 102-1, 5.1.3).
const (
	TotalPassed   = "TOTAL-PASSED"
	TotalFailed   = "TOTAL-FAILED"
	Indeterminate = "INDETERMINATE" // may turn out either way later
)

// ReportReply is the reply of the report calls. Its status is what the verify
// calls would say.
type ReportReply struct {
	Report Report `json:"report"`
	Reply
}

// Report is all that is known of a document, but for its content.
type Report struct {
	Indication    string         `json:"indication"`
	SubIndication string         `json:"subIndication"`
	CheckedAt     time.Time      `json:"checkedAt"`
	FormatError   string         `json:"formatError"` // of what could not be read
	Detached      bool           `json:"detached"`
	ContentSize   int64          `json:"contentSize"` // octets
	Signers       []ReportSigner `json:"signers"`
}

// ReportSigner is a signature in a report.
type ReportSigner struct {
	Indication    string         `json:"indication"`
	SubIndication string         `json:"subIndication"`
	SignerID      ReportSignerID `json:"signerId"`
	// SigningTime is what the signer's computer says, zero when it says
	// nothing; SigningDate is the time at which everything was checked, and
	// SigningDateSource where it comes from: timeStamp, signingTime or now.
	SigningTime        time.Time           `json:"signingTime"`
	SigningDate        time.Time           `json:"signingDate"`
	SigningDateSource  string              `json:"signingDateSource"`
	DigestAlgorithm    ReportAlgorithm     `json:"digestAlgorithm"`
	Digest             string              `json:"digest"` // hex
	SignatureAlgorithm ReportAlgorithm     `json:"signatureAlgorithm"`
	Signature          string              `json:"signature"` // hex
	Policies           []string            `json:"policies"`
	TimeStamps         []ReportTimeStamp   `json:"timeStamps"`
	Certificate        *ReportCertificate  `json:"certificate"`
	Chain              []ReportCertificate `json:"chain"`
	TrustAnchor        *ReportCertificate  `json:"trustAnchor"`
	Checks             []ReportCheck       `json:"checks"`
	Revocation         *ReportRevocation   `json:"revocation"`
}

// ReportSignerID is how a document names the certificate of a signer: by
// issuer and serial number, or by key identifier.
type ReportSignerID struct {
	Issuer       string `json:"issuer"`
	SerialNumber string `json:"serialNumber"`
	SubjectKeyID string `json:"subjectKeyId"`
}

// ReportTimeStamp is a timestamp token in a report.
type ReportTimeStamp struct {
	Indication     string              `json:"indication"`
	SubIndication  string              `json:"subIndication"`
	Time           time.Time           `json:"time"`
	SerialNumber   string              `json:"serialNumber"`
	Policy         string              `json:"policy"`
	TSA            string              `json:"tsa"`
	HashAlgorithm  *ReportAlgorithm    `json:"hashAlgorithm"`
	MessageImprint string              `json:"messageImprint"` // hex
	Certificate    *ReportCertificate  `json:"certificate"`
	Chain          []ReportCertificate `json:"chain"`
	TrustAnchor    *ReportCertificate  `json:"trustAnchor"`
	Checks         []ReportCheck       `json:"checks"`
	Revocation     *ReportRevocation   `json:"revocation"`
}

// ReportCheck is one thing that was checked.
type ReportCheck struct {
	Name string `json:"name"`
	// Result is passed, failed, indeterminate, notPerformed or skipped.
	Result        string `json:"result"`
	SubIndication string `json:"subIndication"`
	Error         string `json:"error"`
	Note          string `json:"note"`
}

// ReportAlgorithm is an algorithm by its identifier and, if it has one, name.
type ReportAlgorithm struct {
	OID  string `json:"oid"`
	Name string `json:"name"`
}

// ReportCertificate is a certificate in a report.
type ReportCertificate struct {
	Subject      string    `json:"subject"`
	Issuer       string    `json:"issuer"`
	SerialNumber string    `json:"serialNumber"`
	NotBefore    time.Time `json:"notBefore"`
	NotAfter     time.Time `json:"notAfter"`
	KeyAlgorithm string    `json:"keyAlgorithm"`
	SHA256       string    `json:"sha256"` // fingerprint, hex
}

// ReportRevocation is what was learnt of a certificate's status.
type ReportRevocation struct {
	// Status is good, revoked or unknown.
	Status       string    `json:"status"`
	RevokedAt    time.Time `json:"revokedAt"`
	Reason       string    `json:"reason"`
	ThisUpdate   time.Time `json:"thisUpdate"`
	NextUpdate   time.Time `json:"nextUpdate"`
	Source       string    `json:"source"`
	OCSPResponse []byte    `json:"ocspResponse"`
}

const pathReport = "/backend/pkcs7/report"

// Report tells everything about a document with its content inside. Without an
// error every signature is valid; one wraps a [DocumentStatus] when the server
// has found otherwise, and the report says why. (Imzo only.)
func (c *Client) Report(ctx context.Context, u User, pkcs7 string) (*ReportReply, error) {
	r, err := textRequest(pathReport, u, pkcs7)
	if err != nil {
		return nil, err
	}
	return c.report(ctx, r)
}

// ReportDetached is [Client.Report] for a document over data, which may be of
// any size. It is sent once, and only the context ends it.
func (c *Client) ReportDetached(ctx context.Context, u User, data io.Reader, pkcs7 string) (*ReportReply, error) {
	r, err := multipartRequest(pathReport, u, data, pkcs7)
	if err != nil {
		return nil, err
	}
	return c.report(ctx, r)
}

func (c *Client) report(ctx context.Context, r request) (*ReportReply, error) {
	r.query = url.Values{"format": {"json"}}
	reply := &ReportReply{}
	if err := callFor[DocumentStatus](ctx, c, r, reply); err != nil {
		return reply, err
	}
	if reply.Report.Indication != TotalPassed || len(reply.Report.Signers) == 0 {
		return reply, fmt.Errorf("%s: %w: status 1 and a report of %q", pathReport, ErrAnswer, reply.Report.Indication)
	}
	return reply, nil
}

// ReportPage gets the report on a document with its content inside as a page
// of HTML, in a language: "uz", "ru", "en", or "" for that of Options. The page
// has no script and needs nothing else. It is for people: an error only says
// that there is no page, and not that a signature is wrong.
func (c *Client) ReportPage(ctx context.Context, u User, language, pkcs7 string) ([]byte, error) {
	r, err := textRequest(pathReport, u, pkcs7)
	if err != nil {
		return nil, err
	}
	return c.reportPage(ctx, r, language)
}

// ReportPageDetached is [Client.ReportPage] for a document over data, which may
// be of any size. It is sent once, and only the context ends it.
func (c *Client) ReportPageDetached(ctx context.Context, u User, language string, data io.Reader, pkcs7 string) ([]byte, error) {
	r, err := multipartRequest(pathReport, u, data, pkcs7)
	if err != nil {
		return nil, err
	}
	return c.reportPage(ctx, r, language)
}

func (c *Client) reportPage(ctx context.Context, r request, language string) ([]byte, error) {
	r.query = url.Values{"format": {"html"}}
	if language != "" {
		r.query.Set("lang", language)
	}
	r.accept = typeHTML
	page, _, err := c.send(ctx, r)
	return page, err
}
