package server

import "imzo/internal/eimzo/pkcs7info"

// The views are the JSON of the guide: names, nesting and order are those of
// its samples, and pointers and omitempty stand where the original leaves a
// field out. Fields of dates hold text in the zone of the server.

// result ends every business reply. Status 1 is success; Message is then "".
// The original has no more than these two. Code is the same in every language
// and version, "ok" on success; RequestID finds the request in the log.
type result struct {
	Status    int    `json:"status"`
	Message   string `json:"message"`
	Code      string `json:"code,omitempty"`
	RequestID string `json:"requestId,omitempty"`
}

// pingView is the reply of /ping (guide 2.1).
type pingView struct {
	ServerDateTime string      `json:"serverDateTime"`
	YourIP         string      `json:"yourIP"`
	VPNKeyInfo     *vpnKeyView `json:"vpnKeyInfo,omitempty"`
}

type vpnKeyView struct {
	SerialNumber string `json:"serialNumber"`
	X500Name     string `json:"X500Name"`
	ValidFrom    string `json:"validFrom"`
	ValidTo      string `json:"validTo"`
}

// infoView is the reply of /info (server 1.11.4). Its dates have dots.
type infoView struct {
	Version             string                `json:"version"`
	ServerTime          string                `json:"serverTime"`
	VPNKeyInfo          *infoCertificateView  `json:"vpnKeyInfo,omitempty"`
	TrustedCertificates []infoCertificateView `json:"trustedCertificates"`
}

type infoCertificateView struct {
	SerialNumber string            `json:"serialNumber"`
	ValidFrom    string            `json:"validFrom"`
	ValidTo      string            `json:"validTo"`
	SubjectInfo  map[string]string `json:"subjectInfo"`
}

// challengeView is the reply of /frontend/challenge (guide 2.2.1).
type challengeView struct {
	Challenge string `json:"challenge"`
	TTL       int    `json:"ttl"` // seconds
	result
}

// authView is the reply of /backend/auth (guide 2.2.2).
type authView struct {
	SubjectCertificateInfo *subjectCertificateView `json:"subjectCertificateInfo,omitempty"`
	result
}

type subjectCertificateView struct {
	SerialNumber string            `json:"serialNumber"`
	SubjectName  map[string]string `json:"subjectName"`
	ValidFrom    string            `json:"validFrom"`
	ValidTo      string            `json:"validTo"`
}

// timestampView is the reply of /frontend/timestamp/pkcs7 (guide 2.2.3).
type timestampView struct {
	PKCS7                 []byte                   `json:"pkcs7b64,omitempty"`
	TimestampedSignerList []subjectCertificateView `json:"timestampedSignerList"`
	result
}

// tokenView is the reply of /frontend/timestamp/data, which no guide shows.
type tokenView struct {
	TimestampToken []byte `json:"timestampTokenB64,omitempty"`
	result
}

// documentView is the reply of make-attached and join (guide 2.2.6, 2.2.7).
type documentView struct {
	PKCS7 []byte `json:"pkcs7b64,omitempty"`
	result
}

// verifyView is the reply of /backend/pkcs7/verify/* (guide 2.2.4, 2.2.5).
type verifyView struct {
	PKCS7Info        *pkcs7info.Info   `json:"pkcs7Info,omitempty"`
	FailedSignerInfo *pkcs7info.Signer `json:"failedSignerInfo,omitempty"`
	result
}

// mobileResult begins every reply of the mobile endpoints, whose samples have
// no more than the status on success.
type mobileResult struct {
	Status    int    `json:"status"`
	Message   string `json:"message,omitempty"`
	Code      string `json:"code,omitempty"`
	RequestID string `json:"requestId,omitempty"`
}

// mobileStartView is the reply of /frontend/mobile/auth, /sign and /upload on
// success (guide 3.3, 3.4.2, 3.4.5). The spelling is the guide's.
type mobileStartView struct {
	Status     int     `json:"status"`
	Message    *string `json:"message"` // always null
	SiteID     string  `json:"siteId,omitempty"`
	DocumentID string  `json:"documentId,omitempty"`
	Challenge  string  `json:"challange,omitempty"`
}

// mobileView is the reply of /backend/mobile (guide 3.4.4, 3.4.6).
type mobileView struct {
	mobileResult
	SubjectCertificateInfo *mobileCertificateView  `json:"subjectCertificateInfo,omitempty"`
	VerificationInfo       *mobileVerificationView `json:"verificationInfo,omitempty"`
	PKCS7Attached          []byte                  `json:"pkcs7Attached,omitempty"`
}

type mobileCertificateView struct {
	SerialNumber string            `json:"serialNumber"`
	X500Name     string            `json:"X500Name"`
	SubjectName  map[string]string `json:"subjectName"`
	ValidFrom    string            `json:"validFrom"`
	ValidTo      string            `json:"validTo"`
}

type mobileVerificationView struct {
	PolicyIdentifiers []string `json:"policyIdentifiers"`
	SigningTime       string   `json:"signingTime,omitempty"`
	TimestampedTime   string   `json:"timestampedTime"`
}
