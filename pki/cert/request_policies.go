package cert

import "imzo/pki/ber"

// oidUserNotice is id-qt-unotice (RFC 5280 4.2.1.4).
var oidUserNotice = ber.MustOID("1.3.6.1.5.5.7.2.2")

// NoticedPolicies returns the certificatePolicies extension as E-IMZO writes
// it into requests (critical) and into the temporary certificates it makes
// itself (not critical): every policy has a user notice whose text is the
// policy's OID. It is made not critical; for a certificate it goes into
// [Template].Extra.
func NoticedPolicies(policies ...ber.OID) Extension {
	return Extension{
		OID: OIDCertificatePolicies,
		Value: sequence(policies, func(o ber.OID) []byte {
			notice := ber.Sequence(ber.UTF8String(o.String()))
			return ber.Sequence(o.DER(), ber.Sequence(ber.Sequence(oidUserNotice.DER(), notice)))
		}),
	}
}

// der encodes the extension as it stands in a list of them.
func (x Extension) der() []byte {
	parts := [][]byte{x.OID.DER()}
	if x.Critical {
		parts = append(parts, ber.Bool(true))
	}
	return ber.Sequence(append(parts, ber.OctetString(x.Value))...)
}
