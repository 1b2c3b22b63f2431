package verify

// Indication is the main result of a validation (ETSI EN 319 102-1 5.1.2).
type Indication string

// The indications. The zero value is none of them and is never a pass.
const (
	TotalPassed        Indication = "TOTAL-PASSED"
	TotalFailed        Indication = "TOTAL-FAILED"
	TotalIndeterminate Indication = "INDETERMINATE"
)

// SubIndication tells why a signature is not TOTAL-PASSED (ETSI EN 319 102-1
// 5.1.3, table 5).
type SubIndication string

// The sub-indications in use.
const (
	FormatFailure                  SubIndication = "FORMAT_FAILURE"
	HashFailure                    SubIndication = "HASH_FAILURE"
	SigCryptoFailure               SubIndication = "SIG_CRYPTO_FAILURE"
	Revoked                        SubIndication = "REVOKED"
	Expired                        SubIndication = "EXPIRED"
	NotYetValid                    SubIndication = "NOT_YET_VALID"
	SigConstraintsFailure          SubIndication = "SIG_CONSTRAINTS_FAILURE"
	ChainConstraintsFailure        SubIndication = "CHAIN_CONSTRAINTS_FAILURE"
	CertificateChainGeneralFailure SubIndication = "CERTIFICATE_CHAIN_GENERAL_FAILURE"
	CryptoConstraintsFailure       SubIndication = "CRYPTO_CONSTRAINTS_FAILURE"
	TimestampOrderFailure          SubIndication = "TIMESTAMP_ORDER_FAILURE"
	NoSigningCertificateFound      SubIndication = "NO_SIGNING_CERTIFICATE_FOUND"
	NoCertificateChainFound        SubIndication = "NO_CERTIFICATE_CHAIN_FOUND"
	RevokedNoPOE                   SubIndication = "REVOKED_NO_POE"
	RevokedCANoPOE                 SubIndication = "REVOKED_CA_NO_POE"
	OutOfBoundsNoPOE               SubIndication = "OUT_OF_BOUNDS_NO_POE"
	SignedDataNotFound             SubIndication = "SIGNED_DATA_NOT_FOUND"
	TryLater                       SubIndication = "TRY_LATER"
)

// Indication returns the indication a sub-indication belongs to: those that
// no further evidence can mend are TOTAL-FAILED.
func (s SubIndication) Indication() Indication {
	switch s {
	case FormatFailure, HashFailure, SigCryptoFailure, Revoked, Expired, NotYetValid:
		return TotalFailed
	}
	return TotalIndeterminate
}
