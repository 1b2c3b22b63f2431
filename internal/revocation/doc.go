// Package revocation tells whether certificates are revoked: by OCSP (RFC 6960)
// over HTTP, and where that is configured by CRLs (RFC 5280) when no OCSP
// responder answers.
//
//	checker := revocation.New(revocation.Options{Now: time.Now})
//	cache := revocation.NewCache(checker, revocation.CacheOptions{Now: time.Now})
//	defer cache.Close()
//	report, err := verify.Document(ctx, document, nil, verify.Options{
//		Anchors:    anchors,
//		Revocation: cache,
//	})
//
// What an answer is worth (signature, the responder's authority, the right
// certificate, freshness, nonce) pki/ocsp and pki/crl check, and what a status
// means for a signature package verify decides. This package finds whom to
// ask, keeps the time and says in one error why there is no status. It never
// guesses: no trustworthy answer is an error, and within [DefaultTimeout].
//
// # Whom it asks
//
// The responders of the configuration in their order, or those that the
// certificate names; a dead one costs its share of the time and then stands
// aside for a while (package failover). The first answer that can be relied on
// counts, whatever it says: also "unknown", which neither another responder
// nor a CRL may turn into "good".
//
// The address in a certificate is a place that someone else makes us call.
// Package verify asks only about certificates with a valid path to an anchor,
// so it is a CA we trust that names the place. Beyond that only http and https
// are spoken, redirects are not followed, and answers have a limit.
//
// # CRLs
//
// A list counts only when no responder gave an answer that can be relied on.
// Whoever can keep OCSP answers from us can then choose an older list that is
// still within its nextUpdate, and hide a revocation for as long as that: so
// lists are off unless configured. A list is used until its nextUpdate, is
// looked for anew after ten minutes of use, and is never replaced by an older
// one. It must be of the certificate's issuer and cover the certificate. About
// an expired certificate that is not on it a list says nothing, since it may
// have left the list (RFC 5280 3.3).
//
// # When a revocation becomes visible
//
// A [Checker] asks every time: with the nonce, at once. A [Cache] keeps an
// answer for [CacheOptions].Cap at most, counted from when the question was
// put, by the machine's steady clock and by the wall clock, and never beyond
// its nextUpdate. So a revocation that the responder knows of is visible after
// Cap at the latest, by default a minute, which is what E-IMZO's responder
// itself allows (its nextUpdate is a minute after thisUpdate). Without the
// nonce, with answers signed in advance, the responder's own delay comes on
// top: at most until nextUpdate. In the fall-back to CRLs it is ten minutes
// after the new list was published, as long as the list can be fetched.
// A certificate that comes off hold is good again after the same time.
//
// # Log-ins
//
// A log-in (/backend/auth) should ask [Cache.Fresh], which takes no kept
// answers: after a log-in nothing is verified for as long as the session
// lasts, so a key revoked a moment ago must not open one, and a user logs in
// so rarely that kept answers would save next to nothing. The load has its
// bound all the same: every log-in needs a challenge and a signature with the
// certified key before anybody is asked, and however many ask about a
// certificate at once, one question goes out. A log-in may join a question
// that is under way, so its answer may be older than it by the time a question
// takes at most. Documents take kept answers: the same few signers and the
// timestamp authority come again and again, and what counts for them is the
// signing date.
//
// # What it does not do
//
// Errors and "unknown" are never kept: the first question after an outage
// finds out that it is over. Nothing is written to disk.
package revocation
