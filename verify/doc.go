// Package verify decides whether a signed document is valid: document, trust
// anchors and time go in, a [Report] comes out. It is the only place of the
// module that decides; JSON answers, log lines, exit codes and status numbers
// are renderings of the report.
//
//	report, err := verify.Document(ctx, document, nil, verify.Options{
//		Anchors:    anchors,
//		Revocation: source, // asks OCSP; declared here, implemented elsewhere
//	})
//	if err != nil { ... }       // the context ended, or no anchors were given
//	if !report.Valid() {
//		return report.FirstFailure()
//	}
//
// The verdict is given in the words of ETSI EN 319 102-1: TOTAL-PASSED,
// TOTAL-FAILED or INDETERMINATE with a sub-indication. What a signature is
// (CMS) is RFC 5652, a timestamp RFC 3161, a path RFC 5280.
//
// Three steps, kept apart. Everything deterministic about the document is
// examined once: who signed, with which certificate, over what, when. Then the
// revocation source is asked about certificates that already have a path to an
// anchor, and about no others, so that a stranger's document cannot make us
// call the address in his certificate. Last, a pure function judges. What came
// from outside is the [Evidence], which can be stored and judged again without
// network.
//
// # Rules
//
// It fails closed. Valid means that every check of every signer, and of every
// timestamp token, passed; a check that was not made or could not be made is
// never a pass. The one thing that may be left out is revocation, by
// [Options].SkipRevocation, and the report says so.
//
// The signature decides which certificate is the signer's, whatever the
// order of the bag and however many certificates bear the name. Every later
// check is about that certificate.
//
// The signing date is the time of the earliest sound timestamp token, else the
// signingTime the signer claims, else (a signature without signed attributes
// has none) the time of the check. The report names the source. A claimed
// time is not compared with the clock: sites that need it do it (a signer's
// clock may also be a little ahead of the timestamp authority's).
//
// A revoked or suspended certificate fails the signature, unless a valid
// timestamp proves that the signature is older; the status is reported, and
// [Options].StrictRevocation makes it fail then too. What a signer claims
// about his time never helps. For a timestamp authority RFC 3161 section 4.1
// holds: a revocation by one of its four harmless reasons leaves older tokens
// valid, any other invalidates all.
//
// Revocation is asked for the end of each path, as E-IMZO does, and for the CA
// certificates too with [Options].CheckCARevocation.
//
// No signature covers the certificate bag, embedded CRLs and unsigned
// attributes. Every certificate and CRL there must verify, even those that
// nothing needs, and whatever looks like a timestamp token under another
// attribute type fails the signer, so that no changed octet turns a stamped
// document into a valid one without a stamp. Archive timestamps of CAdES-A
// are therefore refused rather than ignored. Other unknown unsigned
// attributes, countersignatures among them, are ignored and listed.
//
// # What a document may cost
//
// Beside the limits of package cms, which bound memory, a document is bounded
// in the work it causes and in the report it gives, whatever is in it: half a
// second of searches and signatures (beyond that its paths are not valid), 4
// MiB of names in its certificates, and 1 MiB of names and 4 MiB of
// certificates to show of its signers and tokens (beyond that it has a format
// failure and a short report). 64 signers with a token each and 1000
// certificates stay far below. Hashing the content comes on top.
//
// # Many documents
//
// A program that verifies many gives [Options].Certificates, so that the
// certificates of CAs, services and users who come back are read and their
// signatures checked once: no verdict depends on it, since times, trust and
// revocation are judged with each document. With [Options].Compute it bounds
// how much is computed at once, and with [Options].OmitContent it keeps a
// large content from being copied.
//
// # What it does not do
//
// It does not fetch anything, knows no status numbers of E-IMZO, compares no
// challenge, and applies no window to signing times.
package verify
