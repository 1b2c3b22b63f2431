package ocsp

import (
	"bytes"
	"os"
	"sync"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/cert"
)

// seedWorld is made once for all fuzz targets.
var seedWorld = sync.OnceValue(func() *world { return newWorld(&seedTB{}, "ozdst") })

func addRequests(f *testing.F) {
	w := seedWorld()
	f.Add(Request{CertIDs: []CertID{w.id()}, Nonce: testNonce}.Marshal())
	f.Add(Request{CertIDs: []CertID{w.id(), NewCertID(digest(f, "SHA-256"), w.CA.Cert, w.Root.Cert)}}.Marshal())
	f.Add([]byte{})
}

// FuzzParseRequest checks that what is read is what is written: a request
// that parses comes back from its parts with the same meaning.
func FuzzParseRequest(f *testing.F) {
	addRequests(f)
	f.Fuzz(func(t *testing.T, der []byte) {
		r, err := ParseRequest(der)
		if err != nil {
			return
		}
		again, err := ParseRequest(r.Marshal())
		if err != nil {
			t.Fatalf("own form does not parse: %v", err)
		}
		if !bytes.Equal(again.Nonce, r.Nonce) || len(again.CertIDs) != len(r.CertIDs) || len(r.CertIDs) == 0 || len(r.CertIDs) > maxCertIDs {
			t.Fatalf("%+v, then %+v", r, again)
		}
		for i, id := range r.CertIDs {
			if !id.Equal(again.CertIDs[i]) {
				t.Fatalf("certificate %d differs", i)
			}
		}
	})
}

// FuzzParseResponse checks that no mutation of the stored response is accepted.
// It is stored, with its keys gone, so that every process of the fuzzer knows
// the same one.
func FuzzParseResponse(f *testing.F) {
	der, o := storedResponse(f)
	f.Add(der)
	f.Add(errorResponse(Unauthorized))
	f.Fuzz(func(t *testing.T, b []byte) {
		res, err := ParseResponse(b)
		if err != nil {
			if res != nil {
				t.Fatal("a response beside an error")
			}
			return
		}
		if !bytes.Equal(res.Raw, b) {
			t.Fatal("Raw is not the input")
		}
		if s, err := res.Check(o); err == nil && !bytes.Equal(b, der) {
			t.Fatalf("accepted: %+v", s)
		}
	})
}

// storedResponse returns the response of testdata and what it was asked.
func storedResponse(t testing.TB) ([]byte, CheckOptions) {
	t.Helper()
	der, err := os.ReadFile("testdata/response.der")
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile("testdata/chain.pem")
	if err != nil {
		t.Fatal(err)
	}
	chain, err := cert.ParseAll(pem)
	if err != nil {
		t.Fatal(err)
	}
	return der, CheckOptions{Certificate: chain[0], Issuer: chain[1], Nonce: testNonce, Now: testpki.DefaultNow()}
}

func TestStoredResponseSaysWhatItDid(t *testing.T) {
	der, o := storedResponse(t)
	s, err := mustParse(t, der).Check(o)
	if err != nil {
		t.Fatal(err)
	}
	if s.Status != Revoked || s.Reason != 6 || !s.RevokedAt.Equal(o.Now.AddDate(0, 0, -1)) || !s.NextUpdate.Equal(o.Now.Add(time.Minute)) {
		t.Errorf("%+v", s)
	}
}

// FuzzRespond checks that a responder answers everything with a response, and
// only what parses with a status.
func FuzzRespond(f *testing.F) {
	addRequests(f)
	w := seedWorld()
	p := w.responder()
	f.Fuzz(func(t *testing.T, der []byte) {
		res, err := ParseResponse(p.Respond(t.Context(), der))
		if err != nil {
			t.Fatal(err)
		}
		req, err := ParseRequest(der)
		if (err != nil) != (res.Status == MalformedRequest) {
			t.Fatalf("%v to a request with error %v", res.Status, err)
		}
		if res.Status == Successful && (len(res.Responses) != len(req.CertIDs) || !bytes.Equal(res.Nonce, req.Nonce)) {
			t.Fatalf("%d answers to %d questions, nonce %x to %x", len(res.Responses), len(req.CertIDs), res.Nonce, req.Nonce)
		}
	})
}

// FuzzParseGetPath checks that an accepted path is a way to write its octets.
func FuzzParseGetPath(f *testing.F) {
	f.Add("MFEwTzBNMEswSTAJBgUrDgMCGgUABBQ%2Bab%2F%3D")
	f.Add("MA%3D%3D")
	f.Fuzz(func(t *testing.T, path string) {
		der, err := ParseGetPath(path)
		if err != nil {
			return
		}
		if len(der) > len(path) {
			t.Fatalf("%d octets out of %d characters", len(der), len(path))
		}
	})
}
