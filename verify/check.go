package verify

import (
	"fmt"
	"slices"
)

// CheckName names one thing that must hold for a signature or a timestamp
// token. The texts are stable: they stand in the JSON rendering.
type CheckName string

// The checks. Those of a [Signer] are made in the order of [SignerChecks],
// those of a [TimeStamp] in that of [TimeStampChecks].
const (
	// CheckFormat: the token is an RFC 3161 token. (A document that cannot
	// be read has no signers; see [Report].Format.)
	CheckFormat CheckName = "format"
	// CheckImprint: the token is of this signature value.
	CheckImprint CheckName = "imprint"
	// CheckSignerCertificate: the certificate is in the document, and is the
	// only one that the signature verifies with.
	CheckSignerCertificate CheckName = "signerCertificate"
	// CheckSignedAttributes: contentType and messageDigest are there once,
	// and what is signed about algorithms and certificate is so.
	CheckSignedAttributes CheckName = "signedAttributes"
	// CheckDigest: the content is the signed one.
	CheckDigest CheckName = "digest"
	// CheckSignature: the signature verifies with the certificate's key.
	CheckSignature CheckName = "signature"
	// CheckSigningTime: the date all else is judged at is known; for a token
	// that it does not lie in the future.
	CheckSigningTime CheckName = "signingTime"
	// CheckPath: a valid path leads from the certificate to an anchor.
	CheckPath CheckName = "path"
	// CheckBag: every certificate and CRL that rides along verifies.
	CheckBag CheckName = "bag"
	// CheckKeyUsage: the key may be used for this.
	CheckKeyUsage CheckName = "keyUsage"
	// CheckValidity: the certificate is valid at the signing date.
	CheckValidity CheckName = "validity"
	// CheckRevocation: the certificate is not revoked, or was not yet.
	CheckRevocation CheckName = "revocation"
	// CheckUnsignedAttributes: no timestamp hides where it is not verified.
	CheckUnsignedAttributes CheckName = "unsignedAttributes"
)

// The checks in their order.
var (
	signerChecks = [...]CheckName{
		CheckSignerCertificate, CheckSignedAttributes, CheckDigest, CheckSignature, CheckSigningTime,
		CheckPath, CheckBag, CheckKeyUsage, CheckValidity, CheckRevocation, CheckUnsignedAttributes,
	}
	timeStampChecks = [...]CheckName{
		CheckFormat, CheckImprint, CheckSignerCertificate, CheckSignedAttributes, CheckDigest, CheckSignature,
		CheckSigningTime, CheckPath, CheckBag, CheckKeyUsage, CheckValidity, CheckRevocation, CheckUnsignedAttributes,
	}
)

// SignerChecks returns the checks of a signer in their order.
func SignerChecks() []CheckName { return slices.Clone(signerChecks[:]) }

// TimeStampChecks returns the checks of a timestamp token in their order.
func TimeStampChecks() []CheckName { return slices.Clone(timeStampChecks[:]) }

// Result is what became of a check.
type Result uint8

// The results. Only Passed, and Skipped where the options ask for it, let a
// signature be valid.
const (
	// NotPerformed: an earlier failure left nothing to check.
	NotPerformed Result = iota
	// Passed: it holds.
	Passed
	// Failed: it does not hold.
	Failed
	// Indeterminate: whether it holds could not be found out now, as when
	// nobody answers about revocation. (The main result of that name is
	// [TotalIndeterminate].)
	Indeterminate
	// Skipped: the options left it out.
	Skipped
)

var resultNames = [...]string{"notPerformed", "passed", "failed", "indeterminate", "skipped"}

// String returns the name the JSON rendering uses.
func (r Result) String() string {
	if int(r) < len(resultNames) {
		return resultNames[r]
	}
	return fmt.Sprintf("result(%d)", uint8(r))
}

// Notes of checks, beside the one of a certificate that was revoked after the
// time of a timestamp, which tells when.
const (
	// NoteNoTime: CheckSigningTime, of a signer without signingTime.
	NoteNoTime = "the signer names no time: judged at the time of the check"
	// NoteFuture: CheckSigningTime, of a claim that nobody can have made then.
	NoteFuture = "the time the signer claims has not come yet"
	// NoteClaimed: CheckSigningTime, of any other claim.
	NoteClaimed = "the time is the signer's claim"
	// NoteSkipped: CheckRevocation, where the options say so.
	NoteSkipped = "revocation was left out"
	// NoteAnchor: CheckRevocation, which nobody is asked about.
	NoteAnchor = "the certificate is a trust anchor"
)

// Check is a check and its result.
type Check struct {
	Name   CheckName
	Result Result
	// SubIndication is set unless the check passed or was not made.
	SubIndication SubIndication
	// Err is the cause of Failed and Indeterminate.
	Err error
	// Note says what a reader should know though the check passed: NoteNoTime
	// and so on.
	Note string
}

func (c Check) holds() bool { return c.Result == Passed || c.Result == Skipped }

// broken tells a failure of its own from one that is another's consequence.
func (c Check) broken() bool { return c.Result == Failed || c.Result == Indeterminate }

func passed(name CheckName) Check { return Check{Name: name, Result: Passed} }

func notPerformed(name CheckName) Check { return Check{Name: name} }

func failed(name CheckName, sub SubIndication, err error) Check {
	return Check{Name: name, Result: Failed, SubIndication: sub, Err: err}
}

func indeterminate(name CheckName, err error) Check {
	return Check{Name: name, Result: Indeterminate, SubIndication: TryLater, Err: err}
}

// checkOr is the usual case: passed without an error, failed with one.
func checkOr(name CheckName, sub SubIndication, err error) Check {
	if err == nil {
		return passed(name)
	}
	return failed(name, sub, err)
}
