package verify

import (
	"errors"
	"fmt"
	"slices"

	"imzo/pki/cert"
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
func (x *examiner) checkCRLs(known *cert.Bag) error {
	if len(x.sd.CRLs) > maxCRLs {
		return errTooManyCRLs
	}
	for i, raw := range x.sd.CRLs {
		if err := x.checkCRL(raw, known); err != nil {
			return fmt.Errorf("%w: CRL %d: %w", errCRL, i, err)
		}
	}
	return nil
}

func (x *examiner) checkCRL(raw []byte, known *cert.Bag) error {
	list, err := crl.Parse(raw)
	if err != nil {
		return err
	}
	err = errors.New("its issuer is not there")
	for i, c := range slices.Concat(x.bag.Named(list.Issuer), known.Named(list.Issuer)) {
		if i == maxCandidates {
			break
		}
		if err := x.room.work.Spend(cert.SignatureWork(len(raw))); err != nil {
			return err
		}
		if err = list.CheckSignatureFrom(c); err == nil {
			return nil
		}
	}
	return err
}
