package ocsp

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"math/big"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

func TestResponderRefusesWhatItCannotAnswer(t *testing.T) {
	w := newWorld(t, "ecdsa:P-256")
	ours := w.id()
	theirs := NewCertID(nil, w.CA.Cert, w.Root.Cert)
	unknownDigest := ours
	unknownDigest.HashAlgorithm = alg.New(ber.MustOID("1.2.3"))
	says := func(info StatusInfo) func(*Responder) {
		return func(p *Responder) {
			p.Lookup = func(context.Context, *big.Int) (StatusInfo, error) { return info, nil }
		}
	}
	for _, tt := range []struct {
		name    string
		request []byte
		change  func(*Responder)
		want    ResponseStatus
	}{
		{"an honest question", Request{CertIDs: []CertID{ours}}.Marshal(), func(*Responder) {}, Successful},
		{"nothing", nil, func(*Responder) {}, MalformedRequest},
		{"noise", []byte("GET / HTTP/1.1"), func(*Responder) {}, MalformedRequest},
		{"too many certificates", Request{CertIDs: make17(ours)}.Marshal(), func(*Responder) {}, MalformedRequest},
		{"a nonce too long", Request{CertIDs: []CertID{ours}, Nonce: make([]byte, 129)}.Marshal(), func(*Responder) {}, MalformedRequest},
		{"another issuer's certificate", Request{CertIDs: []CertID{theirs}}.Marshal(), func(*Responder) {}, Unauthorized},
		{"an unknown digest", Request{CertIDs: []CertID{unknownDigest}}.Marshal(), func(*Responder) {}, Unauthorized},
		{"a failing source", Request{CertIDs: []CertID{ours}}.Marshal(), func(p *Responder) {
			p.Lookup = func(context.Context, *big.Int) (StatusInfo, error) {
				return StatusInfo{Status: Good}, errors.New("disk full")
			}
		}, InternalError},
		{"a source without status", Request{CertIDs: []CertID{ours}}.Marshal(), func(p *Responder) {
			p.Lookup = func(context.Context, *big.Int) (StatusInfo, error) { return StatusInfo{}, nil }
		}, InternalError},
		{"a source with reason 7", Request{CertIDs: []CertID{ours}}.Marshal(), says(StatusInfo{Status: Revoked, RevokedAt: w.Now, Reason: 7}), InternalError},
		{"a source with reason 11", Request{CertIDs: []CertID{ours}}.Marshal(), says(StatusInfo{Status: Revoked, RevokedAt: w.Now, Reason: 11}), InternalError},
		{"a source with reason -2", Request{CertIDs: []CertID{ours}}.Marshal(), says(StatusInfo{Status: Revoked, RevokedAt: w.Now, Reason: -2}), InternalError},
		{"a source from the year 10000", Request{CertIDs: []CertID{ours}}.Marshal(), says(StatusInfo{Status: Revoked, RevokedAt: w.Now.AddDate(8000, 0, 0)}), InternalError},
		{"a key that is gone", Request{CertIDs: []CertID{ours}}.Marshal(), func(p *Responder) {
			p.Key = testpki.Key(t, "ed25519")
			p.Key.Wipe()
		}, InternalError},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := w.responder()
			tt.change(p)
			res := mustParse(t, p.Respond(t.Context(), tt.request))
			if res.Status != tt.want || (len(res.Responses) > 0) != (tt.want == Successful) {
				t.Errorf("%v with %d answers, want %v", res.Status, len(res.Responses), tt.want)
			}
		})
	}
}

func make17(id CertID) (list []CertID) {
	for range 17 {
		list = append(list, id)
	}
	return list
}

// TestResponderAnswersOnlyForItsIssuer mixes certificates of two issuers and
// asks in two digests.
func TestResponderAnswersOnlyForItsIssuer(t *testing.T) {
	w := newWorld(t, "ozdst")
	p := w.responder()
	var asked []*big.Int
	p.Lookup = func(_ context.Context, serial *big.Int) (StatusInfo, error) {
		asked = append(asked, serial)
		return StatusInfo{Status: Revoked, RevokedAt: w.Now, Reason: 1}, nil
	}
	r := Request{CertIDs: []CertID{
		NewCertID(nil, w.CA.Cert, w.Root.Cert),
		NewCertID(alg.SHA256(), w.user.Cert, w.CA.Cert),
	}}
	res := mustParse(t, p.Respond(t.Context(), r.Marshal()))
	if len(res.Responses) != 2 || res.Responses[0].Status != Unknown || res.Responses[1].Status != Revoked {
		t.Fatalf("%+v", res.Responses)
	}
	for i, s := range res.Responses {
		if !s.CertID.Equal(r.CertIDs[i]) {
			t.Errorf("answer %d is about another certificate", i)
		}
	}
	if len(asked) != 1 || asked[0].Cmp(w.user.Cert.Serial) != 0 {
		t.Errorf("asked about %x", asked)
	}
	if res.Nonce != nil {
		t.Errorf("nonce %x to a request without", res.Nonce)
	}
}

func TestResponderEchoesTheNonce(t *testing.T) {
	w := newWorld(t, "ecdsa:P-256")
	for _, n := range []int{1, 32, 128} {
		nonce := make([]byte, n)
		if _, err := rand.Read(nonce); err != nil {
			t.Fatal(err)
		}
		o := w.options()
		o.Nonce = nonce
		r := Request{CertIDs: []CertID{w.id()}, Nonce: nonce}
		if _, err := mustParse(t, w.responder().Respond(t.Context(), r.Marshal())).Check(o); err != nil {
			t.Errorf("%d octets: %v", n, err)
		}
		o.Nonce = testNonce
		if _, err := mustParse(t, w.responder().Respond(t.Context(), r.Marshal())).Check(o); !errors.Is(err, ErrNonce) {
			t.Errorf("%d octets, another nonce: %v", n, err)
		}
	}
}

// TestResponderEchoesABareNonceAsItCame: clients that leave out the inner
// OCTET STRING, among them many that use BouncyCastle, compare the whole
// extnValue.
func TestResponderEchoesABareNonceAsItCame(t *testing.T) {
	w := newWorld(t, "ecdsa:P-256")
	for name, value := range map[string][]byte{
		"bare":                       testNonce,
		"wrapped":                    ber.OctetString(testNonce),
		"bare, begins like a string": append([]byte{ber.TagOctetString, 30}, testNonce[:30]...),
	} {
		request := ber.Sequence(ber.Sequence(ber.Sequence(ber.Sequence(w.id().marshal())),
			ber.Tagged(ber.ContextConstructed(2), ber.Sequence(extension("1.3.6.1.5.5.7.48.1.2", false, value)))))
		answer := w.responder().Respond(t.Context(), request)
		if res := mustParse(t, answer); res.Status != Successful {
			t.Errorf("%s: %v", name, res.Status)
		}
		if !bytes.Contains(answer, extension("1.3.6.1.5.5.7.48.1.2", false, value)) {
			t.Errorf("%s: not in %x", name, answer)
		}
	}
}

func TestIssuerRespondsWithoutCertificates(t *testing.T) {
	w := newWorld(t, "ozmst")
	p := w.responder()
	p.Certificate, p.Key = w.CA.Cert, w.CA.Key
	p.Now = func() time.Time { return w.Now.Add(999 * time.Millisecond) }
	res := mustParse(t, p.Respond(t.Context(), Request{CertIDs: []CertID{w.id()}, Nonce: testNonce}.Marshal()))
	if len(res.Certificates) != 0 {
		t.Errorf("%d certificates", len(res.Certificates))
	}
	s, err := res.Check(w.options())
	if err != nil {
		t.Fatal(err)
	}
	if !s.ThisUpdate.Equal(w.Now) { // whole seconds
		t.Errorf("thisUpdate %v", s.ThisUpdate)
	}
}

// TestResponderOfALeafIsNotBelieved: what a responder is configured with is
// not what makes it one.
func TestResponderOfALeafIsNotBelieved(t *testing.T) {
	w := newWorld(t, "ecdsa:P-256")
	leaf := w.User(t, testpki.Person, func(tmpl *cert.Template) { tmpl.ExtKeyUsage = nil })
	p := w.responder()
	p.Certificate, p.Key = leaf.Cert, leaf.Key
	res := mustParse(t, p.Respond(t.Context(), Request{CertIDs: []CertID{w.id()}, Nonce: testNonce}.Marshal()))
	if _, err := res.Check(w.options()); !errors.Is(err, ErrResponder) {
		t.Error(err)
	}
}
