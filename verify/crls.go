package verify

import (
	"errors"
	"fmt"

	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/crl"
)

// maxCRLs bounds the CRLs of a document whose signatures are checked. CAdES
// embeds one for each CA of a path.
const maxCRLs = 16

var (
	errTooManyCRLs = fmt.Errorf("more than %d CRLs ride along", maxCRLs)
	errCRL         = errors.New("a CRL rides along that nothing proves")
)

// checkCRLs checks that every CRL in the document is signed by a certificate
// that is there or known. Their content counts for nothing: status is asked
// for anew. But no octet of a document may change unnoticed.
func checkCRLs(sd *cms.SignedData, known []*cert.Certificate) error {
	if len(sd.CRLs) > maxCRLs {
		return errTooManyCRLs
	}
	for i, raw := range sd.CRLs {
		if err := checkCRL(raw, sd.Certificates, known); err != nil {
			return fmt.Errorf("%w: CRL %d: %w", errCRL, i, err)
		}
	}
	return nil
}

func checkCRL(raw []byte, lists ...[]*cert.Certificate) error {
	list, err := crl.Parse(raw)
	if err != nil {
		return err
	}
	err = errors.New("its issuer is not there")
	tried := 0
	for _, certs := range lists {
		for _, c := range certs {
			if !list.Issuer.Equal(c.Subject) {
				continue
			}
			if tried++; tried > maxCandidates {
				return err
			}
			if err = list.CheckSignatureFrom(c); err == nil {
				return nil
			}
		}
	}
	return err
}
