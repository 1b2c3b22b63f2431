package client

import "strconv"

// StatusOK is the status of success, of every endpoint.
const StatusOK = 1

// AuthStatus is a status of [Client.Auth] other than success (guide 2.2.2). It
// is the error that [StatusError] wraps.
type AuthStatus int

// Statuses of Auth.
const (
	// AuthStatusUnknown: the status of the certificate could not be checked
	// now.
	AuthStatusUnknown AuthStatus = -1
	// AuthSigningTime: the signing time is too far from the server's clock.
	AuthSigningTime AuthStatus = -5
	// AuthSignatureInvalid: the signature is wrong, or it is no PKCS#7.
	AuthSignatureInvalid AuthStatus = -10
	// AuthCertificateInvalid: the certificate has no chain to a trusted root,
	// or is revoked.
	AuthCertificateInvalid AuthStatus = -11
	// AuthCertificateNotValid: the certificate was not valid at the time.
	AuthCertificateNotValid AuthStatus = -12
	// AuthChallengeNotFound: the challenge is unknown, used or too old.
	AuthChallengeNotFound AuthStatus = -20
	// AuthPolicyNotAllowed: the certificate has none of the allowed policies.
	AuthPolicyNotAllowed AuthStatus = -24
	// AuthCANotAllowed: the certificate's CA is not one of the allowed.
	AuthCANotAllowed AuthStatus = -25
)

var authNames = map[AuthStatus]string{
	AuthStatusUnknown:       "certificate status unknown",
	AuthSigningTime:         "signing time outside the window",
	AuthSignatureInvalid:    "signature invalid",
	AuthCertificateInvalid:  "certificate invalid",
	AuthCertificateNotValid: "certificate not valid at the signing date",
	AuthChallengeNotFound:   "challenge not found",
	AuthPolicyNotAllowed:    "certificate policy not allowed",
	AuthCANotAllowed:        "CA not allowed",
}

// String gives the name of the status, such as "challenge not found".
func (s AuthStatus) String() string { return statusName(authNames, s) }

// Error is String.
func (s AuthStatus) Error() string { return s.String() }

// DocumentStatus is a status other than success of every endpoint that takes a
// document or certificate: the verify calls (guide 2.2.4, 2.2.5), timestamps,
// MakeAttached, Join and the endpoints that Imzo adds. It is the error that
// [StatusError] wraps.
type DocumentStatus int

// Statuses of documents.
const (
	// DocumentStatusUnknown: the status of a signer's certificate could not be
	// checked now.
	DocumentStatusUnknown DocumentStatus = -1
	// DocumentSignatureInvalid: a signature is wrong, or it is no PKCS#7, or
	// the document is not the one that was signed.
	DocumentSignatureInvalid DocumentStatus = -10
	// DocumentCertificateInvalid: a signer's certificate has no chain to a
	// trusted root, or is revoked.
	DocumentCertificateInvalid DocumentStatus = -11
	// DocumentCertificateNotValid: a signer's certificate was not valid at the
	// signing date.
	DocumentCertificateNotValid DocumentStatus = -12
	// DocumentTSAStatusUnknown: the status of a timestamp authority's
	// certificate could not be checked now. The same number is
	// [AuthChallengeNotFound] in Auth.
	DocumentTSAStatusUnknown DocumentStatus = -20
	// DocumentTimestampInvalid: the signature or imprint of a timestamp is
	// wrong.
	DocumentTimestampInvalid DocumentStatus = -21
	// DocumentTSACertificateInvalid: a timestamp authority's certificate has
	// no chain to a trusted root, or is revoked.
	DocumentTSACertificateInvalid DocumentStatus = -22
	// DocumentTSACertificateNotValid: a timestamp authority's certificate was
	// not valid when it made the token.
	DocumentTSACertificateNotValid DocumentStatus = -23
	// DocumentPolicyNotAllowed: a signer's certificate has none of the allowed
	// policies.
	DocumentPolicyNotAllowed DocumentStatus = -24
	// DocumentCANotAllowed: a signer's CA is not one of the allowed.
	DocumentCANotAllowed DocumentStatus = -25
)

var documentNames = map[DocumentStatus]string{
	DocumentStatusUnknown:          "certificate status unknown",
	DocumentSignatureInvalid:       "signature invalid",
	DocumentCertificateInvalid:     "certificate invalid",
	DocumentCertificateNotValid:    "certificate not valid at the signing date",
	DocumentTSAStatusUnknown:       "status of the timestamp's certificate unknown",
	DocumentTimestampInvalid:       "timestamp invalid",
	DocumentTSACertificateInvalid:  "timestamp's certificate invalid",
	DocumentTSACertificateNotValid: "timestamp's certificate not valid at its date",
	DocumentPolicyNotAllowed:       "certificate policy not allowed",
	DocumentCANotAllowed:           "CA not allowed",
}

// String gives the name of the status, such as "timestamp invalid".
func (s DocumentStatus) String() string { return statusName(documentNames, s) }

// Error is String.
func (s DocumentStatus) Error() string { return s.String() }

// Temporary tells whether the same call may end otherwise later, because
// somebody the server depends on did not answer.
func (s DocumentStatus) Temporary() bool {
	return s == DocumentStatusUnknown || s == DocumentTSAStatusUnknown
}

// Temporary tells whether the same call may end otherwise later. A challenge
// is used up all the same: the user must sign another.
func (s AuthStatus) Temporary() bool { return s == AuthStatusUnknown }

func statusName[S ~int](names map[S]string, s S) string {
	if name, ok := names[s]; ok {
		return name
	}
	return "status " + strconv.Itoa(int(s))
}
