package tsp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/big"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

var families = []string{"ozdst", "ozmst", "gost2001", "ecdsa:P-256", "rsa:2048", "ed25519"}

func TestTokensOfTheAuthorityVerify(t *testing.T) {
	for _, spec := range families {
		t.Run(spec, func(t *testing.T) {
			w := newWorld(t, spec)
			req := w.request()
			req.Policy = ber.MustOID(testPolicy)
			res, err := ParseResponse(w.authority().Respond(t.Context(), req.Marshal()))
			if err != nil {
				t.Fatal(err)
			}
			token, err := res.Check(req)
			if err != nil {
				t.Fatal(err)
			}
			if err := token.CheckImprint(seal); err != nil {
				t.Error(err)
			}
			si, c, err := token.Signer()
			if err != nil || !c.Equal(w.TSA.Cert) || si != token.SignedData.SignerInfos[0] {
				t.Errorf("signer %v, %v", c, err)
			}
			info := token.Info
			if info.Policy.String() != testPolicy || info.Serial.Cmp(testSerial) != 0 || !info.GenTime.Equal(w.Now) || info.Nonce.Cmp(req.Nonce) != 0 ||
				info.Accuracy != 0 || info.Ordering || token.TSAString() != "6: "+testName {
				t.Errorf("%+v, TSA %s", info, token.TSAString())
			}
			if v := token.SignedData.Version; v != 3 {
				t.Errorf("SignedData version %d", v)
			}
			if at, ok, err := si.SigningTime(); err != nil || !ok || !at.Equal(w.Now) {
				t.Errorf("signing time %v, %v, %v", at, ok, err)
			}
			if err := cert.CheckBag(token.SignedData.Certificates, nil); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTokenOfTheGuide makes the token whose fields the guide prints in 2.2.4.
func TestTokenOfTheGuide(t *testing.T) {
	signature, err := hex.DecodeString("a88ab92b3eed2221925a8532a88ff52d94fc7fa2d0b3579f614822f0723395ee4727de2ed694a21715879637b3181febb94da9016f5a1737d7e9f9920719e90d")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, "ozdst")
	d := alg.OZDST()
	req := NewRequest(d, d.Sum(signature), big.NewInt(1), true)
	res, err := ParseResponse(w.authority().Respond(t.Context(), req.Marshal()))
	if err != nil {
		t.Fatal(err)
	}
	info := res.Token.Info
	for _, tt := range [][2]string{
		{info.Policy.String(), "1.2.860.3.2.11.1"},
		{info.HashAlgorithm.OID.String(), "1.2.860.3.15.1.3.2.1.1"},
		{hex.EncodeToString(info.HashedMessage), "e96377344d7bab212bcb6c6b82c25fb61600bb4d3f9645aa40c3ec51e4827605"},
		{info.Serial.Text(16), "13219ec520231519"},
		{res.Token.TSAString(), "6: http://test.e-imzo.uz/cams/tst"},
	} {
		if tt[0] != tt[1] {
			t.Errorf("%s, want %s", tt[0], tt[1])
		}
	}
	if err := res.Token.CheckImprint(signature); err != nil {
		t.Error(err)
	}
	if err := res.Token.CheckImprint(signature[:63]); !errors.Is(err, ErrImprint) {
		t.Error(err)
	}
}

func TestAuthorityRejects(t *testing.T) {
	w := newWorld(t, "ecdsa:P-256")
	imprint := func(a alg.AlgorithmIdentifier, n int) Request {
		return Request{HashAlgorithm: a, HashedMessage: make([]byte, n), CertReq: true}
	}
	sha256 := alg.SHA256().Identifier()
	withPolicy, honest := imprint(sha256, 32), imprint(sha256, 32)
	withPolicy.Policy = ber.MustOID("1.2.3")
	extended := func(critical bool) []byte {
		return ber.Sequence(ber.Int64(1), ber.Sequence(sha256.Marshal(), ber.OctetString(make([]byte, 32))),
			ber.Tagged(ber.ContextConstructed(0), extension("1.2.3", critical, nil)))
	}
	withParams := alg.AlgorithmIdentifier{OID: sha256.OID, Params: ber.OctetString(nil)}
	for _, tt := range []struct {
		name    string
		request []byte
		change  func(*Authority)
		want    FailureInfo // 0: granted
	}{
		{"honest", honest.Marshal(), func(*Authority) {}, 0},
		{"digest with NULL", imprint(alg.NewNull(sha256.OID), 32).Marshal(), func(*Authority) {}, 0},
		{"nothing", nil, func(*Authority) {}, BadDataFormat},
		{"noise", []byte("POST"), func(*Authority) {}, BadDataFormat},
		{"unknown digest", imprint(alg.New(ber.MustOID("1.2.3")), 32).Marshal(), func(*Authority) {}, BadAlg},
		{"SHA-1", imprint(alg.SHA1().Identifier(), 20).Marshal(), func(*Authority) {}, BadAlg},
		{"digest with parameters", imprint(withParams, 32).Marshal(), func(*Authority) {}, BadAlg},
		{"imprint too short", imprint(sha256, 31).Marshal(), func(*Authority) {}, BadDataFormat},
		{"imprint too long", imprint(sha256, 33).Marshal(), func(*Authority) {}, BadDataFormat},
		{"imprint empty", imprint(sha256, 0).Marshal(), func(*Authority) {}, BadDataFormat},
		{"another policy", withPolicy.Marshal(), func(*Authority) {}, UnacceptedPolicy},
		{"critical extension", extended(true), func(*Authority) {}, UnacceptedExtension},
		{"extension", extended(false), func(*Authority) {}, UnacceptedExtension},
		{"no serial number", honest.Marshal(), func(a *Authority) {
			a.Serial = func() (*big.Int, error) { return nil, errors.New("disk full") }
		}, SystemFailure},
		{"no serial number and no error", honest.Marshal(), func(a *Authority) {
			a.Serial = func() (*big.Int, error) { return nil, nil }
		}, SystemFailure},
		{"serial number 0", honest.Marshal(), func(a *Authority) {
			a.Serial = func() (*big.Int, error) { return new(big.Int), nil }
		}, SystemFailure},
		{"serial number of 161 bits", honest.Marshal(), func(a *Authority) {
			a.Serial = func() (*big.Int, error) { return new(big.Int).Lsh(big.NewInt(1), 160), nil }
		}, SystemFailure},
		{"serial number of 160 bits", honest.Marshal(), func(a *Authority) {
			a.Serial = func() (*big.Int, error) { return new(big.Int).Lsh(big.NewInt(1), 159), nil }
		}, 0},
		{"a name that is no URI", honest.Marshal(), func(a *Authority) { a.Name = "http://tsa.example/ў" }, SystemFailure},
		{"no key", honest.Marshal(), func(a *Authority) {
			a.Key = testpki.Key(t, "ed25519")
			a.Key.Wipe()
		}, SystemFailure},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.authority()
			tt.change(a)
			res, err := ParseResponse(a.Respond(t.Context(), tt.request))
			if err != nil {
				t.Fatal(err)
			}
			if tt.want == 0 {
				if res.Status != Granted || res.Token == nil {
					t.Errorf("%+v", res)
				}
				return
			}
			if res.Status != Rejection || res.Failure != tt.want || res.Token != nil || res.Text == "" {
				t.Errorf("%+v, want %v", res, tt.want)
			}
			_, err = res.Check(honest)
			var rejected *RejectedError
			if !errors.As(err, &rejected) || rejected.Failure != tt.want {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestAuthorityHonoursCertReq(t *testing.T) {
	w := newWorld(t, "ozdst")
	req := w.request()
	req.CertReq = false
	res, err := ParseResponse(w.authority().Respond(t.Context(), req.Marshal()))
	if err != nil {
		t.Fatal(err)
	}
	token := res.Token
	if len(token.SignedData.Certificates) != 0 {
		t.Fatalf("%d certificates", len(token.SignedData.Certificates))
	}
	// Who has the certificate can verify it.
	if err := token.SignedData.Verify(token.SignedData.SignerInfos[0], w.TSA.Cert, nil); err != nil {
		t.Error(err)
	}
	if err := token.VerifySignature(); !errors.Is(err, ErrSigner) {
		t.Errorf("without certificate: %v", err)
	}
	req.CertReq = true
	if res, err = ParseResponse(w.authority().Respond(t.Context(), req.Marshal())); err != nil {
		t.Fatal(err)
	}
	if got := res.Token.SignedData.Certificates; len(got) != len(w.TSA.Chain) {
		t.Errorf("%d certificates", len(got))
	}
}

func TestAuthorityStatesItsAccuracy(t *testing.T) {
	w := newWorld(t, "ecdsa:P-256")
	for _, tt := range [][2]time.Duration{ // given, stated
		{0, 0}, {time.Second, time.Second}, {time.Hour, time.Hour}, {250 * time.Millisecond, 250 * time.Millisecond},
		{7 * time.Microsecond, 7 * time.Microsecond}, {3*time.Second + 4*time.Millisecond + 5*time.Microsecond, 3*time.Second + 4*time.Millisecond + 5*time.Microsecond},
		{time.Nanosecond, time.Microsecond}, {time.Second - time.Nanosecond, time.Second},
	} {
		a := w.authority()
		a.Accuracy = tt[0]
		res, err := ParseResponse(a.Respond(t.Context(), w.request().Marshal()))
		if err != nil {
			t.Fatal(err)
		}
		if got := res.Token.Info.Accuracy; got != tt[1] {
			t.Errorf("%v stated as %v", tt[0], got)
		}
	}
}

func TestAuthorityLeavesOutWhatItHasNot(t *testing.T) {
	w := newWorld(t, "ecdsa:P-256")
	a := w.authority()
	a.Name, a.Now = "", func() time.Time { return w.Now.Add(900 * time.Millisecond).In(time.FixedZone("UZT", 5*3600)) }
	req := w.request()
	req.Nonce = nil
	res, err := ParseResponse(a.Respond(t.Context(), req.Marshal()))
	if err != nil {
		t.Fatal(err)
	}
	info := res.Token.Info
	if info.TSA != nil || res.Token.TSAString() != "" || info.Nonce != nil || !info.GenTime.Equal(w.Now) {
		t.Errorf("%+v", info)
	}
	if !bytes.Contains(res.Token.SignedData.Content(), []byte("20260101120000Z")) {
		t.Errorf("content %q", res.Token.SignedData.Content())
	}
	if _, err := res.Check(req); err != nil {
		t.Error(err)
	}
}
