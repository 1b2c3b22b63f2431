package verify

import (
	"errors"
	"fmt"
	"slices"

	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/tsp"
)

var (
	errTokenSigners = errors.New("a timestamp token has exactly one signature")
	errTokenSigner  = fmt.Errorf("%w: the token does not name its certificate", cms.ErrAttribute)
)

// tokenFacts is what there is about one timestamp token.
type tokenFacts struct {
	token      *tsp.Token // nil when formatErr is not
	formatErr  error
	imprintErr error
	identity   identity
	purposeErr error
	chain      chainFacts
	unsigned   unsignedFacts
}

// tokens examines the tokens of a signer and finds the earliest sound one.
// They are a set without an order (RFC 5652 5.3), so that only the earliest is
// the same whoever wrote the set.
func (x *examiner) tokens(s *signerFacts) {
	raws, err := s.info.TimeStampTokens()
	if err == nil && len(raws) > min(maxTokens, x.room.tokens) {
		raws, err = nil, errTooManyTokens
	}
	x.room.tokens -= len(raws)
	if s.unsigned.err == nil {
		s.unsigned.err = err
	}
	for i, raw := range raws {
		if x.ctx.Err() != nil {
			return
		}
		t := x.token(raw, s.info)
		s.tokens = append(s.tokens, t)
		if t.sound() && (s.best < 0 || t.token.Info.GenTime.Before(s.tokens[s.best].token.Info.GenTime)) {
			s.best = i
		}
	}
}

// token examines one token of the signer's signature.
func (x *examiner) token(raw []byte, si *cms.SignerInfo) *tokenFacts {
	token, err := tsp.ParseTokenWith(raw, x.known)
	if err == nil && len(token.SignedData.SignerInfos) != 1 {
		err = fmt.Errorf("%w, not %d", errTokenSigners, len(token.SignedData.SignerInfos))
	}
	if err == nil && len(token.SignedData.Certificates) > maxTokenCertificates {
		err = errTokenBag
	}
	if err == nil {
		err = x.room.certificates(token.SignedData.Certificates)
	}
	if err != nil {
		return &tokenFacts{formatErr: err}
	}
	t := &tokenFacts{token: token, imprintErr: token.CheckImprint(si.Signature)}
	sd := token.SignedData
	inner := *x // shares what is left, and the signatures that are checked
	inner.sd, inner.content, inner.hashed = sd, nil, nil
	inner.bag, inner.digests = cert.NewBag(sd.Certificates...), nil
	t.identity = inner.identify(sd.SignerInfos[0])
	if t.identity.err == nil && !namesCertificate(sd.SignerInfos[0]) {
		t.identity = identity{named: t.identity.named, err: errTokenSigner}
	}
	t.unsigned = examineToken(sd.SignerInfos[0])
	var known []*cert.Certificate
	if c := t.identity.certificate; c != nil {
		t.purposeErr = tsp.CheckCertificate(c)
		// Authorities may leave the CA out of the token when the document has
		// it.
		t.chain.path, t.chain.pathErr = x.path(c, token.Info.GenTime, inner.bag, x.bag)
		if t.chain.path != nil {
			known = append(known, t.chain.path.Certificates...)
		}
	}
	t.chain.bagErr = inner.checkBag(known)
	t.chain.shown = shownChain(t.identity.shown(), t.chain.path, inner.bag, x.bag)
	x.room.show(sd.SignerInfos[0].SID, t.chain.shown, t.chain.path)
	return t
}

// namesCertificate tells whether the certificate is named by its digest in
// the signed attributes, which RFC 3161 2.4.1 demands of tokens. That it is the
// right one pki/cms checks.
func namesCertificate(si *cms.SignerInfo) bool {
	return slices.ContainsFunc(si.SignedAttrs, func(a cms.Attribute) bool {
		return a.Type == cms.OIDSigningCertificate || a.Type == cms.OIDSigningCertificateV2
	})
}

// examineToken is examineUnsigned for the signer of a token. A token in a
// token would be an archive timestamp, which nothing here verifies.
func examineToken(si *cms.SignerInfo) unsignedFacts {
	u := examineUnsigned(si)
	if tokens, err := si.TimeStampTokens(); u.err == nil && (err != nil || len(tokens) > 0) {
		u.err = fmt.Errorf("%w: type %s", errHiddenToken, cms.OIDTimeStampToken)
	}
	return u
}

// sound tells whether the token is right in all that can be said without
// asking anybody.
func (t *tokenFacts) sound() bool {
	return t.token != nil && t.imprintErr == nil && t.identity.certificate != nil && t.purposeErr == nil &&
		t.chain.path != nil && t.chain.bagErr == nil && t.unsigned.err == nil &&
		t.identity.certificate.ValidAt(t.token.Info.GenTime)
}
