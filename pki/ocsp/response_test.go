package ocsp

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

func TestResponsesOfEveryShapeParse(t *testing.T) {
	w := newWorld(t, "ecdsa:P-256")
	revoked := func(parts ...[]byte) []byte {
		return ber.Tagged(ber.ContextConstructed(1), append([][]byte{ber.GeneralizedTime(w.Now.Add(-time.Hour))}, parts...)...)
	}
	reason := func(n int64) []byte { return ber.Tagged(ber.ContextConstructed(0), ber.Enumerated(n)) }
	for _, tt := range []struct {
		name   string
		change func(a *answer, f *forge)
		status CertStatus
		reason int
	}{
		{"good", func(*answer, *forge) {}, Good, NoReason},
		{"unknown", func(a *answer, _ *forge) { a.status = ber.Tagged(ber.Context(2)) }, Unknown, NoReason},
		{"revoked", func(a *answer, _ *forge) { a.status = revoked() }, Revoked, NoReason},
		{"revoked, unspecified", func(a *answer, _ *forge) { a.status = revoked(reason(0)) }, Revoked, 0},
		{"revoked, certificateHold", func(a *answer, _ *forge) { a.status = revoked(reason(6)) }, Revoked, 6},
		{"revoked, aACompromise", func(a *answer, _ *forge) { a.status = revoked(reason(10)) }, Revoked, 10},
		{"archive cutoff", func(a *answer, _ *forge) {
			a.extensions = ber.Tagged(ber.ContextConstructed(1), ber.Sequence(archiveCutoff(w.Now)))
		}, Good, NoReason},
		{"other extensions", func(_ *answer, f *forge) {
			f.extensions = [][]byte{extension("1.2.3", false, ber.Null()), nonceExtension(testNonce)}
		}, Good, NoReason},
		{"explicit version", func(_ *answer, f *forge) { f.version = ber.Tagged(ber.ContextConstructed(0), ber.Int64(0)) }, Good, NoReason},
		{"fractions of seconds", func(_ *answer, f *forge) {
			f.producedAt = ber.Tagged(ber.TagGeneralizedTime, []byte("20260101120000.5Z"))
		}, Good, NoReason},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, f := w.answer(), w.forge()
			tt.change(&a, &f)
			f.answers = [][]byte{a.marshal()}
			der := f.make(t, w.Now)
			res := mustParse(t, der)
			if !bytes.Equal(res.Raw, der) || res.Status != Successful || !bytes.Equal(res.Nonce, testNonce) || len(res.Certificates) != 1 || !res.Certificates[0].Equal(w.OCSP.Cert) {
				t.Errorf("%+v", res)
			}
			if len(res.Responses) != 1 {
				t.Fatalf("%d answers", len(res.Responses))
			}
			s := res.Responses[0]
			if s.Status != tt.status || s.Reason != tt.reason || !s.CertID.Equal(w.id()) || !s.ThisUpdate.Equal(w.Now) || !s.NextUpdate.Equal(w.Now.Add(time.Minute)) {
				t.Errorf("%+v", s)
			}
			if (s.Status == Revoked) == s.RevokedAt.IsZero() {
				t.Errorf("revoked at %v", s.RevokedAt)
			}
		})
	}
}

func TestParseResponseRefuses(t *testing.T) {
	w := newWorld(t, "ecdsa:P-256")
	honest := w.forge().make(t, w.Now)
	made := func(change func(a *answer, f *forge)) []byte {
		a, f := w.answer(), w.forge()
		change(&a, &f)
		if f.answers != nil {
			f.answers = [][]byte{a.marshal()}
		}
		return f.make(t, w.Now)
	}
	status := func(tlv []byte) []byte { return made(func(a *answer, _ *forge) { a.status = tlv }) }
	revoked := func(parts ...[]byte) []byte { return status(ber.Tagged(ber.ContextConstructed(1), parts...)) }
	responder := func(tlv []byte) []byte { return made(func(_ *answer, f *forge) { f.responderID = tlv }) }
	extensions := func(list ...[]byte) []byte { return made(func(_ *answer, f *forge) { f.extensions = list }) }
	single := func(extensions []byte) []byte { return made(func(a *answer, _ *forge) { a.extensions = extensions }) }
	at := ber.GeneralizedTime(w.Now)
	reason := func(tlv []byte) []byte { return ber.Tagged(ber.ContextConstructed(0), tlv) }
	// raw is a basic response of these parts.
	raw := func(parts ...[]byte) []byte { return successful(oidBasic, ber.OctetString(ber.Sequence(parts...))) }
	tbs := func(parts ...[]byte) []byte {
		return raw(ber.Sequence(parts...), w.OCSP.Key.SignatureAlgorithm().Marshal(), ber.BitString([]byte{1}))
	}
	byKey := ber.Tagged(ber.ContextConstructed(2), ber.OctetString(make([]byte, 20)))
	one := w.answer().marshal()

	for _, tt := range []struct {
		name string
		der  []byte
		want error
	}{
		{"nothing", nil, ErrFormat},
		{"no sequence", ber.Set(), ErrFormat},
		{"empty", ber.Sequence(), ErrFormat},
		{"status of another type", ber.Sequence(ber.Int64(1)), ErrFormat},
		{"status 4", ber.Sequence(ber.Enumerated(4)), ErrFormat},
		{"status 7", ber.Sequence(ber.Enumerated(7)), ErrFormat},
		{"status -1", ber.Sequence(ber.Enumerated(-1)), ErrFormat},
		{"status of 9 octets", ber.Sequence(ber.Tagged(ber.TagEnumerated, []byte{1, 2, 3, 4, 5, 6, 7, 8, 9})), ErrFormat},
		{"successful without answer", ber.Sequence(ber.Enumerated(0)), ErrFormat},
		{"unsuccessful with answer", ber.Sequence(ber.Enumerated(1), ber.Tagged(ber.ContextConstructed(0))), ErrFormat},
		{"more after the answer", ber.Sequence(ber.Enumerated(0), honestBytes(t, honest), ber.Null()), ErrFormat},
		{"trailing octets", append(honest[:len(honest):len(honest)], 0), ErrFormat},
		{"another response type", successful(ber.MustOID("1.3.6.1.5.5.7.48.1.3"), ber.OctetString(nil)), ErrFormat},
		{"response type is no OID", ber.Sequence(ber.Enumerated(0), ber.Tagged(ber.ContextConstructed(0), ber.Sequence(ber.Null()))), ErrFormat},
		{"no response bytes", ber.Sequence(ber.Enumerated(0), ber.Tagged(ber.ContextConstructed(0))), ErrFormat},
		{"two response bytes", ber.Sequence(ber.Enumerated(0), ber.Tagged(ber.ContextConstructed(0), ber.Sequence(), ber.Sequence())), ErrFormat},
		{"response bytes without response", ber.Sequence(ber.Enumerated(0), ber.Tagged(ber.ContextConstructed(0), ber.Sequence(oidBasic.DER()))), ErrFormat},
		{"response bytes with more", ber.Sequence(ber.Enumerated(0), ber.Tagged(ber.ContextConstructed(0), ber.Sequence(oidBasic.DER(), ber.OctetString(nil), ber.Null()))), ErrFormat},
		{"basic response is no BER", successful(oidBasic, ber.OctetString([]byte{0x30})), ErrFormat},
		{"basic response is no sequence", successful(oidBasic, ber.OctetString(ber.Null())), ErrFormat},
		{"basic response is empty", raw(), ErrFormat},
		{"no signature algorithm", raw(ber.Sequence()), ErrFormat},
		{"bad signature algorithm", raw(ber.Sequence(), ber.Sequence()), ErrFormat},
		{"no signature", raw(ber.Sequence(), w.OCSP.Key.SignatureAlgorithm().Marshal()), ErrFormat},
		{"unused bits in the signature", made(func(_ *answer, f *forge) { f.bits = ber.Tagged(ber.TagBitString, []byte{1, 2}) }), ErrFormat},
		{"no unused bits octet", made(func(_ *answer, f *forge) { f.bits = ber.Tagged(ber.TagBitString) }), ErrFormat},
		{"signature in pieces", made(func(_ *answer, f *forge) {
			f.bits = ber.Tagged(ber.TagBitString|0x20, ber.BitString([]byte{1}), ber.BitString([]byte{2}))
		}), ErrFormat},
		{"more after the certificates", made(func(_ *answer, f *forge) { f.extra = ber.Null() }), ErrFormat},
		{"certificates twice", made(func(_ *answer, f *forge) { f.extra = ber.Tagged(ber.ContextConstructed(0), ber.Sequence()) }), ErrFormat},
		{"certificates without list", made(func(_ *answer, f *forge) {
			f.bag, f.extra = []*cert.Certificate{}, ber.Tagged(ber.ContextConstructed(0))
		}), ErrFormat},
		{"certificates in two lists", made(func(_ *answer, f *forge) {
			f.bag, f.extra = []*cert.Certificate{}, ber.Tagged(ber.ContextConstructed(0), ber.Sequence(), ber.Sequence())
		}), ErrFormat},
		{"no certificate among certificates", made(func(_ *answer, f *forge) {
			f.bag, f.extra = []*cert.Certificate{}, ber.Tagged(ber.ContextConstructed(0), ber.Sequence(ber.Null()))
		}), ErrFormat},
		{"17 certificates", made(func(_ *answer, f *forge) {
			for range 17 {
				f.bag = append(f.bag, w.OCSP.Cert)
			}
		}), ErrFormat},
		{"data without responder", tbs(), ErrFormat},
		{"version 2", made(func(_ *answer, f *forge) { f.version = ber.Tagged(ber.ContextConstructed(0), ber.Int64(1)) }), ErrFormat},
		{"responder of another choice", responder(ber.Tagged(ber.ContextConstructed(3), ber.Null())), ErrFormat},
		{"responder of no name", responder(ber.Tagged(ber.ContextConstructed(1))), ErrFormat},
		{"responder of a bad name", responder(ber.Tagged(ber.ContextConstructed(1), ber.Sequence(ber.Null()))), ErrFormat},
		{"responder of no key", responder(ber.Tagged(ber.ContextConstructed(2))), ErrFormat},
		{"responder with more", responder(ber.Tagged(ber.ContextConstructed(2), ber.OctetString(nil), ber.Null())), ErrFormat},
		{"no time", tbs(byKey), ErrFormat},
		{"produced at no time", made(func(_ *answer, f *forge) { f.producedAt = ber.Tagged(ber.TagGeneralizedTime, []byte("2026")) }), ErrFormat},
		{"produced at a UTCTime", made(func(_ *answer, f *forge) { f.producedAt = ber.UTCTime(w.Now) }), ErrFormat},
		{"no answers", tbs(byKey, at), ErrFormat},
		{"an answer that is none", tbs(byKey, at, ber.Sequence(ber.Null())), ErrFormat},
		{"an empty answer", tbs(byKey, at, ber.Sequence(ber.Sequence())), ErrFormat},
		{"an answer about nothing", tbs(byKey, at, ber.Sequence(ber.Sequence(ber.Sequence()))), ErrFormat},
		{"an answer without status", tbs(byKey, at, ber.Sequence(ber.Sequence(w.id().marshal()))), ErrFormat},
		{"an answer without time", tbs(byKey, at, ber.Sequence(ber.Sequence(w.id().marshal(), statusGood))), ErrFormat},
		{"an answer with a bad time", tbs(byKey, at, ber.Sequence(ber.Sequence(w.id().marshal(), statusGood, ber.Tagged(ber.TagGeneralizedTime, []byte("x"))))), ErrFormat},
		{"an answer without next time", tbs(byKey, at, ber.Sequence(ber.Sequence(w.id().marshal(), statusGood, at, ber.Tagged(ber.ContextConstructed(0))))), ErrFormat},
		{"an answer with a bad next time", tbs(byKey, at, ber.Sequence(ber.Sequence(w.id().marshal(), statusGood, at, ber.Tagged(ber.ContextConstructed(0), ber.Tagged(ber.TagGeneralizedTime))))), ErrFormat},
		{"an answer with two next times", tbs(byKey, at, ber.Sequence(ber.Sequence(w.id().marshal(), statusGood, at, ber.Tagged(ber.ContextConstructed(0), at, at)))), ErrFormat},
		{"more after an answer", single(ber.Null()), ErrFormat},
		{"1001 answers", tbs(byKey, at, ber.Sequence(bytes.Repeat(one, 1001))), ErrFormat},
		{"more after the answers", tbs(byKey, at, ber.Sequence(one), ber.Null()), ErrFormat},
		{"status of another choice", status(ber.Tagged(ber.Context(3))), ErrFormat},
		{"good with content", status(ber.Tagged(ber.Context(0), []byte{1})), ErrFormat},
		{"unknown with content", status(ber.Tagged(ber.Context(2), []byte{1})), ErrFormat},
		{"good, constructed", status(ber.Tagged(ber.ContextConstructed(0))), ErrFormat},
		{"revoked at no time", revoked(), ErrFormat},
		{"revoked at a bad time", revoked(ber.Tagged(ber.TagGeneralizedTime, []byte("20260230000000Z"))), ErrFormat},
		{"revoked for reason 7", revoked(at, reason(ber.Enumerated(7))), ErrFormat},
		{"revoked for reason 11", revoked(at, reason(ber.Enumerated(11))), ErrFormat},
		{"revoked for reason -1", revoked(at, reason(ber.Enumerated(-1))), ErrFormat},
		{"revoked for an integer", revoked(at, reason(ber.Int64(1))), ErrFormat},
		{"revoked for no reason", revoked(at, ber.Tagged(ber.ContextConstructed(0))), ErrFormat},
		{"revoked for two reasons", revoked(at, ber.Tagged(ber.ContextConstructed(0), ber.Enumerated(1), ber.Enumerated(2))), ErrFormat},
		{"revoked with more", revoked(at, at), ErrFormat},
		{"unknown critical extension", extensions(extension("1.2.3", true, ber.Null())), ErrExtension},
		{"critical archive cutoff", single(ber.Tagged(ber.ContextConstructed(1), ber.Sequence(extension("1.3.6.1.5.5.7.48.1.6", true, at)))), ErrExtension},
		{"two nonces", extensions(nonceExtension(testNonce), nonceExtension(testNonce)), ErrFormat},
		{"an extension twice", extensions(extension("1.2.3", false, ber.Null()), extension("1.2.3", false, ber.Null())), ErrFormat},
		{"an extension of an answer twice", single(ber.Tagged(ber.ContextConstructed(1), ber.Sequence(extension("1.2.3", false, nil), extension("1.2.3", false, nil)))), ErrFormat},
		{"empty nonce", extensions(nonceExtension(nil)), ErrFormat},
		{"nonce of 129", extensions(nonceExtension(make([]byte, 129))), ErrFormat},
		{"too large", made(func(_ *answer, f *forge) {
			f.extensions = [][]byte{extension("1.2.3", false, make([]byte, maxResponse))}
		}), ErrFormat},
		{"nested too deep", bytes.Repeat([]byte{0x30, 0x80}, 1<<19), ErrFormat},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if res, err := ParseResponse(tt.der); !errors.Is(err, tt.want) || res != nil {
				t.Errorf("%v, error %v, want %v", res, err, tt.want)
			}
		})
	}
}

// honestBytes returns the [0] responseBytes of a response.
func honestBytes(t *testing.T, der []byte) []byte {
	t.Helper()
	root, err := ber.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	r := root.Children()
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(r.Rest())
}

// TestShellsAreDER writes what no signature covers in other ways of BER.
func TestShellsAreDER(t *testing.T) {
	w := newWorld(t, "ecdsa:P-256")
	honest := w.forge().make(t, w.Now)
	mustParse(t, honest)
	inner := honestBytes(t, honest)
	long := func(tag byte, content []byte) []byte { // a length of four octets
		n := len(content)
		return append([]byte{tag, 0x84, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, content...)
	}
	e, err := ber.Parse(inner)
	if err != nil {
		t.Fatal(err)
	}
	r := e.Children()
	responseBytes, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	r = responseBytes.Children()
	oid, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	octets, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	around := func(octets []byte) []byte {
		return ber.Sequence(ber.Enumerated(0), ber.Tagged(ber.ContextConstructed(0), ber.Sequence(oid.Raw, octets)))
	}
	if !bytes.Equal(around(octets.Raw), honest) {
		t.Fatal("the test does not rebuild the response")
	}
	basic, err := ber.Parse(octets.Content)
	if err != nil {
		t.Fatal(err)
	}
	for name, der := range map[string][]byte{
		"long outer length":        long(ber.TagSequence, append(ber.Enumerated(0), inner...)),
		"indefinite":               ber.Indefinite(ber.TagSequence, ber.Enumerated(0), inner),
		"long length of a string":  around(long(ber.TagOctetString, octets.Content)),
		"string in pieces":         around(ber.Tagged(ber.TagOctetString|0x20, ber.OctetString(octets.Content))),
		"indefinite basic":         around(ber.OctetString(ber.Indefinite(ber.TagSequence, basic.Content))),
		"long length of the basic": around(ber.OctetString(long(ber.TagSequence, basic.Content))),
	} {
		if _, err := ParseResponse(der); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNamesOfStatusesAndReasons(t *testing.T) {
	for want, got := range map[string]fmt.Stringer{
		"successful": Successful, "malformedRequest": MalformedRequest, "internalError": InternalError, "tryLater": TryLater,
		"sigRequired": SigRequired, "unauthorized": Unauthorized, "responseStatus 4": ResponseStatus(4),
		"good": Good, "revoked": Revoked, "unknown": Unknown, "CertStatus(0)": CertStatus(0),
	} {
		if got.String() != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for code, want := range map[int]string{
		NoReason: "unspecified", 0: "unspecified", 1: "keyCompromise", 2: "cACompromise", 3: "affiliationChanged", 4: "superseded",
		5: "cessationOfOperation", 6: "certificateHold", 8: "removeFromCRL", 9: "privilegeWithdrawn", 10: "aACompromise",
		7: "reason 7", 11: "reason 11", -2: "reason -2",
	} {
		if got := ReasonName(code); got != want {
			t.Errorf("reason %d: %q, want %q", code, got, want)
		}
	}
}

// TestNoOctetOfAResponseCanBeChanged walks over responses of every shape: each
// change of each octet fails to parse or to check. There is no exception to
// justify.
func TestNoOctetOfAResponseCanBeChanged(t *testing.T) {
	for _, spec := range []string{"ozdst", "ecdsa:P-256", "rsa:2048", "ed25519"} {
		w := newWorld(t, spec)
		revoked := w.answer()
		revoked.status = ber.Tagged(ber.ContextConstructed(1), ber.GeneralizedTime(w.Now), ber.Tagged(ber.ContextConstructed(0), ber.Enumerated(1)))
		other := w.answer()
		other.id = NewCertID(digest(t, "SHA-256"), w.OCSP.Cert, w.CA.Cert)
		for name, change := range map[string]func(*forge){
			"delegate": func(*forge) {},
			"delegate with its chain": func(f *forge) {
				f.bag = []*cert.Certificate{w.OCSP.Cert, w.CA.Cert, w.Root.Cert}
				f.responderID = ber.Tagged(ber.ContextConstructed(1), w.OCSP.Cert.RawSubject)
			},
			"issuer": func(f *forge) { f.signer, f.bag = w.CA, []*cert.Certificate{} },
			"two answers": func(f *forge) {
				f.answers = [][]byte{other.marshal(), revoked.marshal()}
				f.extensions = [][]byte{nonceExtension(testNonce), archiveCutoff(w.Now)}
			},
		} {
			t.Run(spec+"/"+name, func(t *testing.T) {
				if testing.Short() && name != "delegate" {
					t.Skip("walks take seconds")
				}
				f := w.forge()
				change(&f)
				der := f.make(t, w.Now)
				if _, err := mustParse(t, der).Check(w.options()); err != nil {
					t.Fatal(err)
				}
				n := 0
				testpki.EachByteChange(der, func(offset int, mutated []byte) {
					// Each octet at least twice; the first family in every way.
					if n++; spec != "ozdst" && n%3 != 0 {
						return
					}
					res, err := ParseResponse(mutated)
					if err != nil {
						return
					}
					if s, err := res.Check(w.options()); err == nil {
						t.Errorf("offset %d: %#02x for %#02x: %+v", offset, mutated[offset], der[offset], s)
					}
				})
				testpki.EachTruncation(der, func(prefix []byte) {
					if _, err := ParseResponse(prefix); err == nil {
						t.Errorf("%d octets of %d parse", len(prefix), len(der))
					}
				})
			})
		}
	}
}
