package cert

import "fmt"

// CheckBag checks that nothing unverified rides along in a bag of
// certificates that no signature covers, such as those of a CMS document or
// an OCSP response: each must be, octet for octet, one of known (the
// certificates of validated paths and the anchors), or carry a signature that
// verifies with the key of an issuer found among bag and known. It says
// nothing about trust: a stranger's self-signed certificate passes.
//
// The number of signatures checked is bounded by twice the size of the bag
// and some. The error is a *[PathError].
func CheckBag(bag, known []*Certificate) error {
	fixed := make(map[string]bool, len(known))
	for _, c := range known {
		fixed[string(c.Raw)] = true
	}
	var open []*Certificate
	for _, c := range bag {
		if !fixed[string(c.Raw)] {
			open = append(open, c)
		}
	}
	if len(open) == 0 {
		return nil
	}
	bySubject := make(map[string][]*Certificate)
	seen := make(map[string]bool, len(bag)+len(known))
	for _, list := range [][]*Certificate{known, bag} {
		for _, c := range list {
			if !seen[string(c.Raw)] {
				seen[string(c.Raw)] = true
				name := c.Subject.canonical()
				bySubject[name] = append(bySubject[name], c)
			}
		}
	}
	budget := 2*len(bag) + maxSignatureChecks
	for _, c := range open {
		if err := checkUnderAny(c, bySubject[c.Issuer.canonical()], &budget); err != nil {
			return err
		}
	}
	return nil
}

// checkUnderAny tries the candidates, those whose key identifier matches
// first.
func checkUnderAny(c *Certificate, issuers []*Certificate, budget *int) *PathError {
	failure := &PathError{Reason: NoPath, Certificate: c}
	for rank := range 3 {
		for _, issuer := range issuers {
			if keyIDRank(c, issuer) != rank {
				continue
			}
			if *budget == 0 {
				return &PathError{Reason: LimitExceeded, Certificate: c, Err: fmt.Errorf("too many certificates of one name")}
			}
			*budget--
			err := c.CheckSignatureFrom(issuer)
			if err == nil {
				return nil
			}
			failure = signatureError(c, err)
		}
	}
	return failure
}
