package tsp

import (
	"bytes"
	"os"
	"sync"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

// storedToken returns the token of testdata, over the seal. It is stored, with
// its keys gone, so that every process of the fuzzer knows the same one.
func storedToken(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/token.der")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestStoredTokenSaysWhatItDid(t *testing.T) {
	token := mustParseToken(t, storedToken(t))
	if err := token.VerifySignature(); err != nil {
		t.Error(err)
	}
	if err := token.CheckImprint(seal); err != nil {
		t.Error(err)
	}
	info := token.Info
	if !info.GenTime.Equal(testpki.DefaultNow()) || info.Accuracy != 1500*time.Millisecond || info.Nonce.Int64() != 0x5eed || info.Serial.Cmp(testSerial) != 0 {
		t.Errorf("%+v", info)
	}
}

func addRequests(f *testing.F) {
	d := alg.OZDST()
	full := Request{HashAlgorithm: d.Identifier(), HashedMessage: d.Sum(seal), Policy: ber.MustOID(testPolicy), CertReq: true}
	f.Add(full.Marshal())
	f.Add(NewRequest(alg.SHA256(), alg.SHA256().Sum(seal), testSerial, false).Marshal())
	f.Add([]byte{})
}

// FuzzParseRequest checks that what is read is what is written.
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
		if !again.HashAlgorithm.Equal(r.HashAlgorithm) || !bytes.Equal(again.HashedMessage, r.HashedMessage) || again.Policy != r.Policy ||
			again.CertReq != r.CertReq || (again.Nonce == nil) != (r.Nonce == nil) || r.Nonce != nil && again.Nonce.Cmp(r.Nonce) != 0 {
			t.Fatalf("%+v, then %+v", r, again)
		}
	})
}

// FuzzParseToken checks that no mutation of the stored token is accepted.
func FuzzParseToken(f *testing.F) {
	der := storedToken(f)
	f.Add(der)
	f.Fuzz(func(t *testing.T, b []byte) {
		token, err := ParseToken(b)
		if err != nil {
			if token != nil {
				t.Fatal("a token beside an error")
			}
			return
		}
		_ = token.TSAString()
		if token.VerifySignature() == nil && token.CheckImprint(seal) == nil && cert.CheckBag(token.SignedData.Certificates, nil) == nil && !bytes.Equal(b, der) {
			t.Fatalf("accepted: %+v", token.Info)
		}
	})
}

// FuzzParseResponse checks that a response has a token exactly when it grants
// one.
func FuzzParseResponse(f *testing.F) {
	f.Add(granted(storedToken(f)))
	f.Add(reject(BadAlg, "no"))
	f.Fuzz(func(t *testing.T, b []byte) {
		res, err := ParseResponse(b)
		if err != nil {
			return
		}
		if has := res.Token != nil; has != (res.Status <= GrantedWithMods) || has && res.Failure != 0 {
			t.Fatalf("%+v", res)
		}
		if !bytes.Equal(res.Raw, b) || res.Status.String() == "" {
			t.Fatalf("%+v", res)
		}
	})
}

// seedWorld is made once.
var seedWorld = sync.OnceValue(func() world { return newWorld(&seedTB{}, "ozdst") })

// seedTB lets test helpers make certificates outside of a test: they only ask
// it for Helper and Fatal.
type seedTB struct{ testing.TB }

func (*seedTB) Helper()                           {}
func (*seedTB) Fatal(args ...any)                 { panic(args) }
func (*seedTB) Fatalf(format string, args ...any) { panic(append([]any{format}, args...)) }

// FuzzRespond checks that an authority answers everything with a response, and
// grants only what it was asked for.
func FuzzRespond(f *testing.F) {
	addRequests(f)
	a := seedWorld().authority()
	f.Fuzz(func(t *testing.T, der []byte) {
		res, err := ParseResponse(a.Respond(t.Context(), der))
		if err != nil {
			t.Fatal(err)
		}
		req, err := ParseRequest(der)
		if err != nil {
			if res.Failure != BadDataFormat {
				t.Fatalf("%+v to a request with error %v", res, err)
			}
			return
		}
		if res.Token == nil {
			if res.Status != Rejection || res.Failure == 0 {
				t.Fatalf("%+v", res)
			}
			return
		}
		if !req.CertReq {
			if len(res.Token.SignedData.Certificates) != 0 {
				t.Fatal("certificates that nobody asked for")
			}
			return
		}
		if _, err := res.Check(*req); err != nil {
			t.Fatal(err)
		}
	})
}
