package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"imzo/internal/timestamping"
	"imzo/pki/alg"
	"imzo/pki/armor"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/tsp"
)

// dataDigest is what /frontend/timestamp/data hashes with: the digest of
// E-IMZO's own signatures and timestamps.
const dataDigest = "OZDST-1106-2009-2-A"

// timestampPKCS7 attaches a timestamp token to every signature of a document
// that has none yet (guide 2.2.3). Signatures are not verified: a token says
// when something existed, and the content of a detached document is not here.
func (s *Server) timestampPKCS7(w http.ResponseWriter, r *http.Request) {
	document, err := s.document(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.patience)
	defer cancel()
	stamped, signers, err := s.stampDocument(ctx, document)
	var no *notStampable
	switch {
	case errors.As(err, &no):
		s.logVerdict(r, no.outcome, audited{document: document}, formatFailure(no.cause))
		writeJSON(w, timestampView{TimestampedSignerList: []subjectCertificateView{}, result: s.result(r, no.outcome, formatFailure(no.cause), nil)})
		return
	case err != nil:
		s.refuse(w, r, err)
		return
	}
	v := timestampView{PKCS7: stamped, TimestampedSignerList: []subjectCertificateView{}, result: s.result(r, success, nil, nil)}
	var serials []string
	for _, c := range signers {
		v.TimestampedSignerList = append(v.TimestampedSignerList, s.render.subjectCertificate(c))
		serials = append(serials, c.SerialHex())
	}
	s.logVerdict(r, success, audited{document: stamped, serials: serials}, nil)
	writeJSON(w, v)
}

// timestampData makes a token over data, which need not be a document. No
// guide describes the reply.
func (s *Server) timestampData(w http.ResponseWriter, r *http.Request) {
	text, err := s.body(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	data, err := armor.DecodeBase64InPlace(text)
	if err != nil {
		s.refuse(w, r, badRequestf("the data is not base64: %s", err))
		return
	}
	digest, err := alg.DigestByName(dataDigest)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.patience)
	defer cancel()
	token, err := s.stamp(ctx, nil, digest, data)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.logVerdict(r, success, audited{document: token.Raw}, nil)
	writeJSON(w, tokenView{TimestampToken: token.Raw, result: s.result(r, success, nil, nil)})
}

// notStampable says that a document cannot get a timestamp, and how the reply
// calls that.
type notStampable struct {
	outcome outcome
	cause   error
}

func (e *notStampable) Error() string { return e.cause.Error() }
func (e *notStampable) Unwrap() error { return e.cause }

var (
	errNoSigners     = errors.New("the document has no signatures")
	errNoCertificate = errors.New("the signer's certificate is not in the document")
)

// stampDocument returns the document with a token for each signature that had
// none, and the certificates of their signers.
func (s *Server) stampDocument(ctx context.Context, document []byte) (stamped []byte, signers []*cert.Certificate, err error) {
	sd, err := cms.Parse(document)
	if err != nil {
		return nil, nil, &notStampable{notPKCS7, err}
	}
	if len(sd.SignerInfos) == 0 {
		return nil, nil, &notStampable{timestampImpossible, errNoSigners}
	}
	for {
		// A rewritten DER document may have its signers in another order, so
		// the next one is looked for anew.
		i, err := firstUnstamped(sd)
		if err != nil {
			return nil, nil, &notStampable{timestampImpossible, err}
		}
		if i < 0 {
			return document, signers, nil
		}
		si := sd.SignerInfos[i]
		named := sd.SignerCertificates(si)
		if len(named) == 0 {
			return nil, nil, &notStampable{timestampImpossible, errNoCertificate}
		}
		digest, err := si.Digest()
		if err != nil {
			return nil, nil, &notStampable{timestampImpossible, err}
		}
		token, err := s.stamp(ctx, s.certified(named[0], sd.Certificates), digest, si.Signature)
		if err != nil {
			return nil, nil, err
		}
		document, err = sd.AddUnsignedAttribute(i, cms.NewAttribute(cms.OIDTimeStampToken, token.Raw))
		if err == nil {
			sd, err = cms.Parse(document)
		}
		if err != nil {
			return nil, nil, &notStampable{timestampImpossible, err}
		}
		signers = append(signers, named[0])
	}
}

// firstUnstamped returns the index of the first signature without a token, or
// -1.
func firstUnstamped(sd *cms.SignedData) (int, error) {
	for i, si := range sd.SignerInfos {
		tokens, err := si.TimeStampTokens()
		if err != nil {
			return 0, err
		}
		if len(tokens) == 0 {
			return i, nil
		}
	}
	return -1, nil
}

// certified returns c when a trusted CA has issued it, else nil: an address in
// a certificate that anybody can write must not make us call it.
func (s *Server) certified(c *cert.Certificate, bag []*cert.Certificate) *cert.Certificate {
	if _, err := s.path(c, bag, s.deps.Now()); err != nil {
		return nil
	}
	return c
}

func (s *Server) path(c *cert.Certificate, bag []*cert.Certificate, at time.Time) (*cert.Path, error) {
	return cert.BuildPath(c, cert.PathOptions{
		Anchors:        s.anchors(),
		Intermediates:  bag,
		At:             at,
		CheckSignature: s.deps.CheckSignature,
	})
}

// stamp gets a token and makes sure that it will verify.
func (s *Server) stamp(ctx context.Context, signer *cert.Certificate, d *alg.Digest, message []byte) (*tsp.Token, error) {
	token, err := s.deps.TSA.Stamp(ctx, signer, d, message)
	if errors.Is(err, timestamping.ErrNoTSA) {
		return nil, &unavailable{"no timestamp authority is known: set tsp.url", err}
	}
	if err != nil {
		return nil, &unavailable{"the timestamp authority gave no token, see the log of the server", err}
	}
	// Also a TSA that New was given; the server's own has done it before.
	if err := s.checkToken(token); err != nil {
		return nil, &unavailable{"the timestamp authority is not trusted, see the log of the server", err}
	}
	return token, nil
}

// maxTokenAhead is how far a token may be ahead of our clock: as far as
// package verify allows when the document comes back.
const maxTokenAhead = 5 * time.Minute

// checkToken checks what package tsp leaves to others: that the authority is
// one we trust, at the time it names.
func (s *Server) checkToken(token *tsp.Token) error {
	_, c, err := token.Signer()
	if err != nil {
		return err
	}
	at := token.Info.GenTime
	if ahead := at.Sub(s.deps.Now()); ahead > maxTokenAhead {
		return fmt.Errorf("the token is %s ahead of this machine's clock", ahead.Round(time.Second))
	}
	bag := token.SignedData.Certificates
	path, err := s.path(c, bag, at)
	if err != nil {
		return err
	}
	if !c.ValidAt(at) {
		return fmt.Errorf("the certificate %s is not valid at %s", c.SerialHex(), at.UTC().Format(time.RFC3339))
	}
	return cert.NewBag(bag...).Check(cert.NewBag(path.Certificates...), s.deps.CheckSignature, nil)
}
