package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"imzo/internal/inspect"
	"imzo/internal/revocation"
	"imzo/pki/cert"
	"imzo/verify"
)

// The verdict in words for a person: one line on top of the report and advice
// below it. Both are renderings of the report and decide nothing.

// headline says in one line whether the document is valid, by whom it is
// signed, or what is wrong first.
func headline(name string, r *verify.Report) string {
	name = inspect.Printable(name)
	if r.Valid() {
		s := "VALID: " + name + ", signed by " + strings.Join(signers(r), " and ")
		if r.RevocationSkipped {
			s += " (revocation not checked)"
		}
		return s
	}
	verdict, f := "NOT VALID", decisive(r)
	if f.Check.Result == verify.Indeterminate {
		verdict = "CANNOT BE DECIDED NOW"
	}
	return fmt.Sprintf("%s: %s: %s%s", verdict, name, where(r, f), summary(f.Check))
}

// decisive returns the first check that failed, or when none did the first
// that could not be made.
func decisive(r *verify.Report) *verify.Failure {
	for _, f := range r.Failures() {
		if f.Check.Result == verify.Failed {
			return &f
		}
	}
	return r.FirstFailure()
}

func signers(r *verify.Report) []string {
	var names []string
	for _, s := range r.Signers {
		names = append(names, signerName(s))
	}
	return names
}

// signerName names a signer by the certificate his signature verifies with;
// the name in any other is only a claim.
func signerName(s *verify.Signer) string {
	switch {
	case s.Certificate == nil:
		return "an unknown person"
	case s.Check(verify.CheckSignature).Result != verify.Passed:
		return "somebody claiming to be " + personOf(s.Certificate)
	}
	return personOf(s.Certificate)
}

func where(r *verify.Report, f *verify.Failure) string {
	if f.Signer < 0 || f.Signer >= len(r.Signers) {
		return ""
	}
	s := fmt.Sprintf("signer %d (%s): ", f.Signer+1, signerName(r.Signers[f.Signer]))
	if f.TimeStamp >= 0 {
		s += "timestamp: "
	}
	return s
}

// summary says a failed check in plain words.
func summary(c verify.Check) string {
	switch c.Name {
	case verify.CheckFormat:
		return "this is no document that can be verified"
	case verify.CheckImprint:
		return "it is of another signature"
	case verify.CheckSignerCertificate:
		return "whose signature it is cannot be told"
	case verify.CheckSignedAttributes:
		return "what is signed about the signature is not so"
	case verify.CheckDigest:
		return "the content is not the one that was signed"
	case verify.CheckSignature:
		return "the signature is wrong"
	case verify.CheckSigningTime:
		return "the time is wrong"
	case verify.CheckPath:
		return "the certificate is not trusted"
	case verify.CheckBag:
		return "the document carries a certificate or CRL that nobody vouches for"
	case verify.CheckKeyUsage:
		return "the certificate is not for signing documents"
	case verify.CheckValidity:
		if c.SubIndication == verify.NotYetValid {
			return "the certificate was not valid yet when it was signed"
		}
		return "the certificate was not valid when it was signed"
	case verify.CheckRevocation:
		if c.Result == verify.Indeterminate {
			return "whether the certificate is revoked could not be found out"
		}
		return "the certificate is revoked or suspended"
	case verify.CheckUnsignedAttributes:
		return "a timestamp hides where it is not verified"
	}
	return string(c.Name)
}

// advise tells what a person can do about each kind of failure, each once, in
// the order the failures are met.
func (v *verifyFlags) advise(r *verify.Report) []string {
	var out []string
	for _, f := range r.Failures() {
		if a := v.adviceFor(f.Check); a != "" && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

func (v *verifyFlags) adviceFor(c verify.Check) string {
	switch c.Name {
	case verify.CheckFormat:
		return "see what the file is with 'imzo inspect'; a document is PKCS#7, as DER, PEM or base64"
	case verify.CheckDigest:
		if v.contentFile != "" {
			return fmt.Sprintf("%s is not the file that was signed, or was changed since: get the original file, and give it with --content", v.contentFile)
		}
		return "the document was changed after signing: get it from the signer again"
	case verify.CheckSignature, verify.CheckSignedAttributes, verify.CheckImprint, verify.CheckSignerCertificate, verify.CheckUnsignedAttributes:
		return "the document was changed or damaged after signing, or is forged: get it from the signer again"
	case verify.CheckPath:
		return v.adviceForPath(c.Err)
	case verify.CheckBag:
		return "see what rides along with 'imzo inspect'; ask the sender for the document without it"
	case verify.CheckKeyUsage:
		return "let the person sign with a key that is meant for signatures"
	case verify.CheckValidity:
		return "let the person sign again with a key that is valid, and add a timestamp"
	case verify.CheckSigningTime:
		return "compare the clock of this machine with the time in the report"
	case verify.CheckRevocation:
		return v.adviceForRevocation(c)
	}
	return ""
}

func (v *verifyFlags) adviceForPath(err error) string {
	var path *cert.PathError
	if errors.As(err, &path) && path.Reason != cert.NoPath {
		return "the chain of certificates is broken; see it with 'imzo inspect', and ask who issued the certificate"
	}
	if len(v.trustFiles) == 0 {
		return "the certificate is not of Uzbekistan's production hierarchy; for another one, give its root with --trust ROOT.pem"
	}
	return "none of the certificates of --trust leads to the signer's; give the root of the hierarchy that issued it"
}

func (v *verifyFlags) adviceForRevocation(c verify.Check) string {
	switch {
	case c.Result != verify.Indeterminate:
		return "do not rely on the signature; when the signer's key was revoked or suspended is in the report"
	case errors.Is(c.Err, revocation.ErrNoResponder):
		return "the certificate names no OCSP responder: give one with --ocsp URL, or leave revocation out with --offline"
	}
	return "try again when the OCSP responder answers, name another with --ocsp URL, or leave revocation out with --offline"
}
