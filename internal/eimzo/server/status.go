package server

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"

	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/verify"
)

// Status numbers of the guide (2.2.2, 2.2.4).
const (
	statusOK          = 1
	statusUnknown     = -1  // certificate status could not be checked
	statusTime        = -5  // signing time outside the window (auth)
	statusSignature   = -10 // signature invalid
	statusCertificate = -11 // certificate invalid
	statusValidity    = -12 // certificate not valid at the signing date
	statusChallenge   = -20 // challenge unknown, used or expired (auth)
	tsaUnknown        = -20 // status of the TSA's certificate could not be checked
	tsaSignature      = -21 // timestamp's signature or imprint invalid
	tsaCertificate    = -22 // TSA's certificate invalid
	tsaValidity       = -23 // TSA's certificate not valid at the signing date
	statusPolicy      = -24 // certificate policy not in the allowed set (server 2)
	statusCA          = -25 // CA certificate not allowed (server 2)
)

// Status numbers of /frontend/mobile and /backend/mobile (guide 3.2.3), where
// the same numbers mean other things than above. The guide says of -3, -10, -11
// and -100 only that the log tells more; what they mean is ours.
const (
	statusMobileWaiting            = 2  // nothing was uploaded yet
	statusMobileStore              = -1 // Redis cannot be reached
	statusMobileNotFound           = -2 // no such DocumentID, or no more
	statusMobileFrontendUnexpected = -9
	statusMobileUploadRefused      = -10 // what was uploaded is not the signature

	statusMobileWrongKind       = -3 // a log-in where a document is asked about, or the reverse
	statusMobileFormat          = -4
	statusMobileSignature       = -5
	statusMobileCertificate     = -6
	statusMobileValidity        = -7
	statusMobileStatusUnknown   = -8
	statusMobileTime            = -9
	statusMobileNoTimestamp     = -10
	statusMobileNotAllowed      = -11 // policy.allowed, ca.allowed
	statusMobileDocumentDiffers = -99
	statusMobileUnexpected      = -100
)

// Message names a sentence for people that goes with a status. Sites show it
// as "status - message".
type Message string

// The messages. Several may go with one status.
const (
	MessageNone                Message = ""
	MessageStatusUnknown       Message = "statusUnknown"
	MessageSigningTime         Message = "signingTime"
	MessageSignature           Message = "signature"
	MessageCertificate         Message = "certificate"
	MessageValidity            Message = "validity"
	MessageChallenge           Message = "challenge"
	MessageTSAStatusUnknown    Message = "tsaStatusUnknown"
	MessageTSASignature        Message = "tsaSignature"
	MessageTSACertificate      Message = "tsaCertificate"
	MessageTSAValidity         Message = "tsaValidity"
	MessagePolicy              Message = "policy"
	MessageCA                  Message = "ca"
	MessageNotCertificate      Message = "notCertificate"
	MessageNotPKCS7            Message = "notPKCS7"
	MessageAlreadyAttached     Message = "alreadyAttached"
	MessageNotAttached         Message = "notAttached"
	MessageDocumentDiffers     Message = "documentDiffers"
	MessageDocumentsDiffer     Message = "documentsDiffer"
	MessageTimestampImpossible Message = "timestampImpossible"
	MessageMobileWaiting       Message = "mobileWaiting"
	MessageMobileStore         Message = "mobileStore"
	MessageMobileNotFound      Message = "mobileNotFound"
	MessageMobileUploadRefused Message = "mobileUploadRefused"
	MessageMobileUploaded      Message = "mobileUploaded"
	MessageMobileWrongKind     Message = "mobileWrongKind"
	MessageMobileTime          Message = "mobileTime"
	MessageMobileNoTimestamp   Message = "mobileNoTimestamp"
	MessageMobileUnexpected    Message = "mobileUnexpected"
)

// outcome is a status with its message: what a reply says of a document.
type outcome struct {
	status  int
	message Message
}

var (
	success             = outcome{statusOK, MessageNone}
	challengeNotFound   = outcome{statusChallenge, MessageChallenge}
	outsideWindow       = outcome{statusTime, MessageSigningTime}
	signatureInvalid    = outcome{statusSignature, MessageSignature}
	certificateInvalid  = outcome{statusCertificate, MessageCertificate}
	certificateTooOld   = outcome{statusValidity, MessageValidity}
	statusNotKnown      = outcome{statusUnknown, MessageStatusUnknown}
	tokenInvalid        = outcome{tsaSignature, MessageTSASignature}
	tsaInvalid          = outcome{tsaCertificate, MessageTSACertificate}
	tsaTooOld           = outcome{tsaValidity, MessageTSAValidity}
	tsaStatusNotKnown   = outcome{tsaUnknown, MessageTSAStatusUnknown}
	policyNotAllowed    = outcome{statusPolicy, MessagePolicy}
	caNotAllowed        = outcome{statusCA, MessageCA}
	notPKCS7            = outcome{statusSignature, MessageNotPKCS7}
	alreadyAttached     = outcome{statusSignature, MessageAlreadyAttached}
	notAttached         = outcome{statusSignature, MessageNotAttached}
	documentDiffers     = outcome{statusSignature, MessageDocumentDiffers}
	documentsDiffer     = outcome{statusSignature, MessageDocumentsDiffer}
	timestampImpossible = outcome{statusSignature, MessageTimestampImpossible}

	mobileNotUploaded        = outcome{statusMobileWaiting, MessageMobileWaiting}
	mobileStore              = outcome{statusMobileStore, MessageMobileStore}
	mobileNotFound           = outcome{statusMobileNotFound, MessageMobileNotFound}
	mobileFrontendUnexpected = outcome{statusMobileFrontendUnexpected, MessageMobileUnexpected}
	mobileUploadRefused      = outcome{statusMobileUploadRefused, MessageMobileUploadRefused}
	mobileUploadedBefore     = outcome{statusMobileUploadRefused, MessageMobileUploaded}
	mobileWrongKind          = outcome{statusMobileWrongKind, MessageMobileWrongKind}
	mobileFormat             = outcome{statusMobileFormat, MessageNotPKCS7}
	mobileSignatureInvalid   = outcome{statusMobileSignature, MessageSignature}
	mobileCertificateInvalid = outcome{statusMobileCertificate, MessageCertificate}
	mobileCertificateTooOld  = outcome{statusMobileValidity, MessageValidity}
	mobileStatusNotKnown     = outcome{statusMobileStatusUnknown, MessageStatusUnknown}
	mobileOutsideWindow      = outcome{statusMobileTime, MessageMobileTime}
	mobileNoTimestamp        = outcome{statusMobileNoTimestamp, MessageMobileNoTimestamp}
	mobileDocumentDiffers    = outcome{statusMobileDocumentDiffers, MessageDocumentDiffers}
	mobileUnexpected         = outcome{statusMobileUnexpected, MessageMobileUnexpected}
)

// meaning is what the failure of a check is called: as a check of a signer, as
// one of a timestamp token, and as either in the answer to a challenge, where
// the guide knows no statuses of timestamps and -20 means another thing.
type meaning struct{ signer, token, auth outcome }

// meanings is the one place where checks become status numbers.
var meanings = map[verify.CheckName]meaning{
	verify.CheckFormat:             {signatureInvalid, tokenInvalid, signatureInvalid},
	verify.CheckImprint:            {signatureInvalid, tokenInvalid, signatureInvalid},
	verify.CheckSignerCertificate:  {signatureInvalid, tokenInvalid, signatureInvalid},
	verify.CheckSignedAttributes:   {signatureInvalid, tokenInvalid, signatureInvalid},
	verify.CheckDigest:             {signatureInvalid, tokenInvalid, signatureInvalid},
	verify.CheckSignature:          {signatureInvalid, tokenInvalid, signatureInvalid},
	verify.CheckSigningTime:        {signatureInvalid, tokenInvalid, signatureInvalid},
	verify.CheckPath:               {certificateInvalid, tsaInvalid, certificateInvalid},
	verify.CheckBag:                {certificateInvalid, tsaInvalid, certificateInvalid},
	verify.CheckKeyUsage:           {certificateInvalid, tsaInvalid, certificateInvalid},
	verify.CheckValidity:           {certificateTooOld, tsaTooOld, certificateTooOld},
	verify.CheckRevocation:         {certificateInvalid, tsaInvalid, certificateInvalid},
	verify.CheckUnsignedAttributes: {tokenInvalid, tokenInvalid, signatureInvalid},
}

// unknowns are the meanings of a check that could not be made for now.
var unknowns = meaning{statusNotKnown, tsaStatusNotKnown, statusNotKnown}

// place is where a check stands.
type place int

const (
	inSigner place = iota
	inToken
	inAuth
)

// at picks the outcome for a place.
func (m meaning) at(p place) outcome {
	switch p {
	case inToken:
		return m.token
	case inAuth:
		return m.auth
	}
	return m.signer
}

// outcomeOf returns what the failure of a check means. A check this table does
// not know is a reason to refuse all the same.
func outcomeOf(c verify.Check, p place) outcome {
	if c.Result == verify.Indeterminate {
		return unknowns.at(p)
	}
	m, ok := meanings[c.Name]
	if !ok {
		m = meaning{signatureInvalid, tokenInvalid, signatureInvalid}
	}
	return m.at(p)
}

// judgeDocument returns the outcome of a report for /backend/pkcs7/verify: the
// first failure of the first signer with one. failure is nil on success.
func (s *Server) judgeDocument(r *verify.Report) (o outcome, failure *verify.Failure) {
	if !r.Valid() {
		failure = r.FirstFailure()
	}
	// A signer who may not sign here comes before one whose signature is
	// wrong, if he stands before him.
	before := len(r.Signers)
	if failure != nil {
		before = max(failure.Signer, 0)
	}
	if o, refused := s.notAllowed(r.Signers[:before]); refused != nil {
		return o, refused
	}
	if failure == nil {
		return success, nil
	}
	where := inSigner
	if failure.TimeStamp >= 0 {
		where = inToken
	}
	return outcomeOf(failure.Check, where), failure
}

// judgeAnswer does the same for /backend/auth. A timestamp is not needed
// there, but one that is wrong makes the answer wrong.
func (s *Server) judgeAnswer(r *verify.Report) (o outcome, failure *verify.Failure) {
	if r.Valid() {
		if o, refused := s.notAllowed(r.Signers); refused != nil {
			return o, refused
		}
		return success, nil
	}
	failure = r.FirstFailure()
	return outcomeOf(failure.Check, inAuth), failure
}

// Checks of this server's own, beside those of package verify: policy.allowed
// and ca.allowed.
const (
	checkPolicy verify.CheckName = "policy"
	checkCA     verify.CheckName = "ca"
)

// notAllowed finds the first of signers whose signatures are valid, and whom
// the configuration leaves out all the same.
func (s *Server) notAllowed(signers []*verify.Signer) (outcome, *verify.Failure) {
	refuse := func(i int, o outcome, name verify.CheckName, sub verify.SubIndication, err error) (outcome, *verify.Failure) {
		return o, &verify.Failure{Signer: i, TimeStamp: -1, Check: verify.Check{Name: name, Result: verify.Failed, SubIndication: sub, Err: err}}
	}
	for i, signer := range signers {
		if allowed := s.config.AllowedPolicies; len(allowed) > 0 &&
			!slices.ContainsFunc(signer.Policies, func(p ber.OID) bool { return slices.Contains(allowed, p.String()) }) {
			return refuse(i, policyNotAllowed, checkPolicy, verify.SigConstraintsFailure, errors.New("the certificate has none of the policies of policy.allowed"))
		}
		if allowed := s.config.AllowedCAs; len(allowed) > 0 {
			ca := issuerOf(signer)
			if ca == nil || !slices.Contains(allowed, ca.SerialHex()) && !slices.Contains(allowed, fingerprintHex(ca)) {
				return refuse(i, caNotAllowed, checkCA, verify.ChainConstraintsFailure, errors.New("the certificate's CA is not one of ca.allowed"))
			}
		}
	}
	return success, nil
}

// issuerOf returns the certificate of the CA that has issued a signer's, as
// the path to the anchor has it.
func issuerOf(signer *verify.Signer) *cert.Certificate {
	if signer.Path == nil || len(signer.Path.Certificates) < 2 {
		return nil
	}
	return signer.Path.Issuer()
}

func fingerprintHex(c *cert.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}
