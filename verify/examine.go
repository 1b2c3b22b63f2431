package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/cms"
)

// Limits beside those of pki/cms. Each bounds work that the maker of a
// document can cause with few octets.
const (
	// maxCandidates bounds the certificates of one name tried for a signer,
	// at one signature each. An honest document has one.
	maxCandidates = 8
	// maxTokens bounds the tokens of a signer, and maxDocumentTokens those of
	// all signers, at three or more signatures each. One is usual, and two
	// after documents were joined.
	maxTokens         = 8
	maxDocumentTokens = 2 * cms.MaxSigners
	// maxTokenCertificates bounds the bag of a token, each of which has to
	// verify. Authorities put their chain there.
	maxTokenCertificates = 32
	// maxChain bounds the chain shown of a certificate without a path.
	maxChain = 10

	// maxWork bounds all searches and checks of signatures together, in units
	// of about a microsecond (cert.Work): half a second, 2600 signatures. A
	// document with all its limits reached honestly, 64 signers with a token
	// each and 1000 certificates, takes half of it.
	maxWork = 512 << 10
	// maxNames bounds the octets of the names in all certificates of a
	// document, which are compared with each other. 1000 certificates have
	// 1.2 MB.
	maxNames = 4 << 20
	// maxShownNames and maxShown bound the octets of the names, and of the
	// certificates, in a report, each as often as it is shown: with every
	// signer and every token. 64 signers with a token each show 0.7 and 1 MB.
	// JSON takes a dozen times the octets of a hostile name, so that this
	// keeps a report below 16 MiB beside what the document itself holds.
	maxShownNames = 1 << 20
	maxShown      = 4 << 20
)

var (
	errNoSigners       = errors.New("the document has no signatures")
	errContentType     = errors.New("content is no document")
	errNoCertificate   = errors.New("the signer's certificate is not in the document")
	errTooManyNamed    = fmt.Errorf("more than %d certificates bear the name the signer gives", maxCandidates)
	errAmbiguousSigner = errors.New("the signature verifies with several certificates")
	errTooManyTokens   = fmt.Errorf("more than %d timestamp tokens, or %d in the document", maxTokens, maxDocumentTokens)
	errNames           = fmt.Errorf("more than %d octets of names in the certificates", maxNames)
	errShown           = fmt.Errorf("more than %d octets of certificates, or %d of names, to show of the signers", maxShown, maxShownNames)
	errTokenBag        = fmt.Errorf("more than %d certificates in a timestamp token", maxTokenCertificates)
)

// memory is what is known from earlier documents. The zero memory is empty.
type memory struct {
	certificates *cert.Cache
	check        func(child, issuer *cert.Certificate) error // nil: that of certificates
}

func (o Options) memory() memory { return memory{o.Certificates, o.CheckSignature} }

// facts is what can be said about a document without asking anybody: it
// depends on the document, the content, the anchors and the time only.
type facts struct {
	format  error
	sd      *cms.SignedData
	content []byte // of sd, unless it was omitted
	signers []*signerFacts
}

// keepContent makes the content once, however often it is judged.
func (f *facts) keepContent() {
	if f.sd != nil {
		f.content = f.sd.Content()
	}
}

// signerFacts is what there is about one SignerInfo.
type signerFacts struct {
	info     *cms.SignerInfo
	identity identity
	digest   []byte
	claimed  *time.Time // signingTime
	date     time.Time
	source   DateSource
	chain    chainFacts
	tokens   []*tokenFacts
	best     int // index of the token with the earliest sound time; -1
	unsigned unsignedFacts
}

// identity is the outcome of trying the certificates a signature may be by.
type identity struct {
	// certificate is the one the signature verifies with; nil when err is
	// not.
	certificate *cert.Certificate
	// named is the first certificate that bears the signer's name; it may be
	// nil.
	named *cert.Certificate
	err   error
}

// chainFacts is what there is about a certificate's way to an anchor.
type chainFacts struct {
	path    *cert.Path
	pathErr error
	bagErr  error
	shown   []*cert.Certificate // leaf first, those the document has
}

// subject is what is verified: a document and, when it is detached, its
// content in one of two forms.
type subject struct {
	document []byte
	content  []byte // nil unless given apart
	hashed   *cms.HashedContent
	hasher   *cms.ContentHasher
}

// examiner holds what the examination of one document needs more than once.
type examiner struct {
	ctx     context.Context // of one call, to stop at
	sd      *cms.SignedData
	content []byte
	hashed  *cms.HashedContent
	bag     *cert.Bag // of sd
	anchors *cert.Pool
	at      time.Time
	known   *cert.Cache // may be nil
	check   func(child, issuer *cert.Certificate) error
	digests []digestResult // one of each key: there are few
	room    *room
}

// room is what is left of the limits of a document.
type room struct {
	work        *cert.Work
	tokens      int
	names       int // octets, in certificates
	shown       int // octets of certificates in the report
	shownNames  int // octets of names in the report
	overcrowded error
}

// certificates counts the names of certificates that are about to be read.
func (r *room) certificates(certs []*cert.Certificate) error {
	for _, c := range certs {
		if r.names -= nameOctets(c); r.names < 0 {
			return errNames
		}
	}
	return nil
}

func nameOctets(c *cert.Certificate) int {
	n := len(c.RawSubject) + len(c.RawIssuer)
	if c.AuthorityIssuer != nil {
		n += len(c.AuthorityIssuer.Raw)
	}
	for _, d := range c.DirectoryNames {
		n += len(d.Raw)
	}
	return n
}

// show counts what the report will show of a signer or a token.
func (r *room) show(id cms.SignerIdentifier, chain []*cert.Certificate, path *cert.Path) {
	r.shownNames -= len(id.Issuer.Raw)
	one := func(c *cert.Certificate) {
		r.shown -= len(c.Raw)
		r.shownNames -= len(c.RawSubject) + len(c.RawIssuer)
	}
	for _, c := range chain {
		one(c)
	}
	if path != nil {
		one(path.Anchor())
	}
	if r.shown < 0 || r.shownNames < 0 {
		r.overcrowded = errShown
	}
}

type digestKey struct {
	algorithm ber.OID
	plain     bool // no signed attributes: refused for some contents
}

type digestResult struct {
	digestKey
	sum []byte
	err error
}

// examine collects the facts. When ctx ends it leaves off, and what it returns
// is of no use.
func examine(ctx context.Context, what subject, anchors *cert.Pool, at time.Time, known memory) *facts {
	sd, err := cms.ParseWith(what.document, known.certificates)
	if err != nil {
		return &facts{format: err}
	}
	sd.Hashed(what.hasher)
	f := &facts{sd: sd}
	switch {
	case sd.ContentType != cms.OIDData:
		// What was signed as something else, such as a timestamp or a
		// program, was not signed as a document.
		f.format = fmt.Errorf("%w: content type %s", errContentType, sd.ContentType)
	case !sd.Detached() && (what.content != nil || what.hashed != nil):
		f.format = cms.ErrAttached
	case len(sd.SignerInfos) == 0:
		f.format = errNoSigners
	}
	limits := &room{work: cert.NewWork(maxWork), tokens: maxDocumentTokens, names: maxNames, shown: maxShown, shownNames: maxShownNames}
	if f.format == nil {
		f.format = limits.certificates(sd.Certificates)
	}
	if f.format != nil {
		return f
	}
	x := &examiner{
		ctx:     ctx,
		sd:      sd,
		content: what.content,
		hashed:  what.hashed,
		bag:     cert.NewBag(sd.Certificates...),
		anchors: anchors,
		at:      at,
		room:    limits,
	}
	x.known = known.certificates
	x.check = x.remember(known.check)
	for _, si := range sd.SignerInfos {
		if ctx.Err() != nil {
			return f
		}
		f.signers = append(f.signers, x.signer(si))
		if limits.overcrowded != nil {
			return &facts{format: limits.overcrowded, sd: sd}
		}
	}
	x.checkBags(f)
	return f
}

// remember makes the signature check of each pair of certificates happen once
// in a document: all its paths share their upper part.
func (x *examiner) remember(check func(child, issuer *cert.Certificate) error) func(child, issuer *cert.Certificate) error {
	if check == nil {
		check = x.known.Check
	}
	var done map[pair]error // made when it is needed: a path that is known asks nothing
	return func(child, issuer *cert.Certificate) error {
		key := pair{x.bag.Fingerprint(child), x.bag.Fingerprint(issuer)}
		err, ok := done[key]
		if ok {
			return err
		}
		if err := x.room.work.Spend(cert.SignatureWork(len(child.RawTBS))); err != nil {
			return err
		}
		err = check(child, issuer)
		if done == nil {
			done = make(map[pair]error)
		}
		done[key] = err
		return err
	}
}

// pair identifies a certificate and its issuer, octet for octet.
type pair [2][32]byte

func pairOf(c, issuer *cert.Certificate) pair {
	return pair{c.Fingerprint(), issuer.Fingerprint()}
}

func (x *examiner) signer(si *cms.SignerInfo) *signerFacts {
	s := &signerFacts{info: si, best: -1}
	// Errors of both are found again, and judged, by the verification of the
	// signature, which needs these attributes too.
	if t, ok, err := si.SigningTime(); err == nil && ok {
		s.claimed = &t
	}
	s.digest = x.shownDigest(si)
	s.identity = x.identify(si)
	s.unsigned = examineUnsigned(si)
	x.tokens(s)
	s.date, s.source = x.signingDate(s)
	if c := s.identity.certificate; c != nil {
		s.chain.path, s.chain.pathErr = x.path(c, s.date, x.bag)
	}
	s.chain.shown = shownChain(s.identity.shown(), s.chain.path, x.bag)
	x.room.show(si.SID, s.chain.shown, s.chain.path)
	return s
}

func (id identity) shown() *cert.Certificate {
	if id.certificate != nil {
		return id.certificate
	}
	return id.named
}

// identify finds the certificate the signature verifies with. The bag is not
// signed: whatever bears the signer's name is tried, and the signature
// decides. Two that fit, which takes a forged certificate for the same key,
// leave it open whom the signature is by.
func (x *examiner) identify(si *cms.SignerInfo) identity {
	var candidates []*cert.Certificate
	for _, c := range x.bag.Certificates() {
		if si.SID.Matches(c) {
			candidates = append(candidates, c)
		}
	}
	if len(candidates) == 0 {
		return identity{err: errNoCertificate}
	}
	id := identity{named: candidates[0]}
	if len(candidates) > maxCandidates {
		id.err = errTooManyNamed
		return id
	}
	digest, err := x.contentDigest(si)
	if err != nil {
		id.err = err
		return id
	}
	for _, c := range candidates {
		err := x.verify(si, c, digest)
		switch {
		case err == nil && id.certificate != nil:
			return identity{named: candidates[0], err: errAmbiguousSigner}
		case err == nil:
			id.certificate = c
		case id.err == nil || verifyStage(err) > verifyStage(id.err):
			id.err = err
		}
	}
	if id.certificate != nil {
		id.err = nil
	}
	return id
}

func (x *examiner) verify(si *cms.SignerInfo, c *cert.Certificate, digest []byte) error {
	// The attributes are hashed for the signature, and the certificate when
	// they name it.
	if err := x.room.work.Spend(cert.SignatureWork(len(si.RawSignedAttrs) + len(c.Raw))); err != nil {
		return err
	}
	err := si.Verify(c, x.sd.ContentType, digest)
	if errors.Is(err, alg.ErrNeedsMessage) && x.hashed == nil {
		return x.sd.Verify(si, c, x.content)
	}
	return err
}

// contentDigest computes each digest of the content once, not once a signer.
func (x *examiner) contentDigest(si *cms.SignerInfo) ([]byte, error) {
	key := digestKey{algorithm: si.DigestAlgorithm.OID, plain: si.RawSignedAttrs == nil}
	for _, d := range x.digests {
		if d.digestKey == key {
			return d.sum, d.err
		}
	}
	d := digestResult{digestKey: key}
	if x.hashed != nil {
		d.sum, d.err = x.sd.HashedContentDigest(si, x.hashed)
	} else {
		d.sum, d.err = x.sd.ContentDigest(si, x.content)
	}
	x.digests = append(x.digests, d)
	return d.sum, d.err
}

// shownDigest returns the digest for the report.
func (x *examiner) shownDigest(si *cms.SignerInfo) []byte {
	if d, ok, err := si.MessageDigest(); err == nil && ok {
		return d
	}
	d, err := x.contentDigest(si)
	if err != nil {
		return nil
	}
	return d
}

// The stages of cms.SignerInfo.Verify, in their order.
const (
	stageCertificate = iota
	stageAlgorithm
	stageAttributes
	stageDigest
	stageSignature
)

// verifyStage tells how far a verification came before it ended with err.
func verifyStage(err error) int {
	switch {
	case errors.Is(err, cms.ErrSignature):
		return stageSignature
	case errors.Is(err, cms.ErrDigestMismatch), errors.Is(err, cms.ErrDetached):
		return stageDigest
	case errors.Is(err, cms.ErrAttribute), errors.Is(err, cms.ErrContentType):
		return stageAttributes
	case errors.Is(err, errNoCertificate), errors.Is(err, errTooManyNamed),
		errors.Is(err, errAmbiguousSigner), errors.Is(err, cms.ErrCertificate):
		return stageCertificate
	}
	return stageAlgorithm
}

// signingDate chooses what the signature is judged at. Only a token that
// would be sound were it not revoked gives a date: the time in a forged one
// means nothing.
func (x *examiner) signingDate(s *signerFacts) (time.Time, DateSource) {
	switch {
	case s.best >= 0:
		return s.tokens[s.best].token.Info.GenTime, DateFromTimeStamp
	case s.claimed != nil:
		return *s.claimed, DateFromSigningTime
	}
	return x.at, DateFromNow
}

func (x *examiner) path(c *cert.Certificate, at time.Time, bags ...*cert.Bag) (*cert.Path, error) {
	return x.known.BuildPath(c, cert.PathOptions{
		Anchors:        x.anchors,
		Bags:           bags,
		At:             at,
		CheckSignature: x.check,
		Work:           x.room.work,
	})
}

// checkBags checks all that rides along in the document, once all paths are known,
// for every signer alike: whose a certificate is cannot be told.
func (x *examiner) checkBags(f *facts) {
	var known []*cert.Certificate
	for _, s := range f.signers {
		if s.chain.path != nil {
			known = append(known, s.chain.path.Certificates...)
		}
	}
	err := x.checkBag(known)
	for _, s := range f.signers {
		s.chain.bagErr = err
	}
}

// checkBag checks the certificates and CRLs that a SignedData carries; known
// are those of validated paths.
func (x *examiner) checkBag(known []*cert.Certificate) error {
	if x.nothingElse(known) {
		return nil
	}
	bag := x.anchors.Bag(known...)
	if err := x.bag.Check(bag, x.check, x.room.work); err != nil {
		return err
	}
	return x.checkCRLs(bag)
}

// nothingElse tells whether nothing rides along but what is known, as in nearly
// every document: the signer's chain and no CRLs. Of what is larger than that
// it does not know.
func (x *examiner) nothingElse(known []*cert.Certificate) bool {
	const few = 64 // comparisons
	certs := x.bag.Certificates()
	if len(x.sd.CRLs) > 0 || len(certs)*len(known) > few {
		return false
	}
	for _, c := range certs {
		if !slices.ContainsFunc(known, c.Equal) && !x.anchors.Contains(c) {
			return false
		}
	}
	return true
}

// shownChain lists the certificate and its issuers as far as the bags have
// them: along the path, or without one by their names.
func shownChain(leaf *cert.Certificate, path *cert.Path, bags ...*cert.Bag) []*cert.Certificate {
	if leaf == nil {
		return nil
	}
	out := append(make([]*cert.Certificate, 0, 4), leaf)
	if path != nil {
		for _, c := range path.Certificates[1:] {
			if slices.ContainsFunc(bags, func(b *cert.Bag) bool { return b.Contains(c) }) {
				out = append(out, c)
			}
		}
		return out
	}
	for len(out) < maxChain {
		next := issuerOf(out, bags)
		if next == nil {
			break
		}
		out = append(out, next)
	}
	return out
}

// issuerOf returns the first certificate that by its name comes next in the
// chain and is not in it.
func issuerOf(chain []*cert.Certificate, bags []*cert.Bag) *cert.Certificate {
	for _, b := range bags {
		for _, c := range b.BySubject(chain[len(chain)-1].RawIssuer) {
			if !slices.ContainsFunc(chain, c.Equal) {
				return c
			}
		}
	}
	return nil
}
