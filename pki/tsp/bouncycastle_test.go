package tsp

import (
	"encoding/base64"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"strings"
	"testing"
	"time"

	"imzo/gost/gost3410"
	"imzo/internal/testpki"
	"imzo/internal/testpki/peer"
	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

// The tests of this file exchange timestamps with BouncyCastle under the
// object identifiers of Uzbekistan: the authority of E-IMZO is built with it.

func bouncyCastle(t *testing.T) *peer.Proc {
	t.Helper()
	return peer.BouncyCastle(t).Start(t, "TSPPeer", "testdata/TSPPeer.java", "../ocsp/testdata/Family.java")
}

// field writes octets as the peer reads them.
func field(b []byte) string {
	if len(b) == 0 {
		return "."
	}
	return base64.StdEncoding.EncodeToString(b)
}

// askPeer returns the fields of the peer's answer.
func askPeer(t *testing.T, p *peer.Proc, words ...string) []string {
	t.Helper()
	answer := p.Ask(t, strings.Join(words, " "))
	rest, ok := strings.CutPrefix(answer, "ok ")
	if !ok {
		t.Fatalf("BouncyCastle says %.300s", answer)
	}
	return strings.Fields(rest)
}

func unfield(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const rounds = 60 // in each direction and family

func TestTokensOfBouncyCastleVerify(t *testing.T) {
	p := bouncyCastle(t)
	names := []string{"6:http://test.e-imzo.uz/cams/tst", "-", "2:tsa.e-imzo.uz", "1:tsa@e-imzo.uz", "4:CN=TSA,O=test.e-imzo.uz", "7:192.0.2.1", "8:1.2.860.3.2.11.1"}
	shown := []string{"6: http://test.e-imzo.uz/cams/tst", "", "2: tsa.e-imzo.uz", "1: tsa@e-imzo.uz", "4: CN=TSA,O=test.e-imzo.uz", "7: #c0000201", "8: 1.2.860.3.2.11.1"}
	for _, spec := range []string{"ozdst", "ozmst"} {
		w := newWorld(t, spec)
		rng := mathrand.New(mathrand.NewPCG(1, uint64(len(spec))))
		key := fmt.Sprintf("%x", w.TSA.Key.Signer().(*gost3410.PrivateKey).Bytes())
		for i := range rounds {
			message := fmt.Appendf(nil, "signature %d", rng.Uint64())
			nonce := new(big.Int).SetUint64(rng.Uint64())
			req := NewRequest(w.digest(), w.digest().Sum(message), nonce, true)
			ess := []string{"1.3.14.3.2.26", "2.16.840.1.101.3.4.2.1"}[i%2]
			serial := new(big.Int).SetUint64(rng.Uint64())
			accuracy, want := "-", time.Duration(0)
			if i%3 == 0 {
				accuracy, want = "1", time.Second
			}
			at := w.Now.Add(time.Duration(rng.IntN(1e6)) * time.Second)
			got := askPeer(t, p, "stamp", spec, key, field(w.TSA.Cert.Raw), ess, names[i%len(names)], serial.Text(16), fmt.Sprint(at.UnixMilli()), accuracy, field(req.Marshal()))
			res, err := ParseResponse(unfield(t, got[0]))
			if err != nil {
				t.Fatalf("%d: %v\n%s", i, err, got[0])
			}
			token, err := res.Check(req)
			if err != nil {
				t.Fatalf("%d: %v\n%s", i, err, got[0])
			}
			info := token.Info
			if err := token.CheckImprint(message); err != nil {
				t.Errorf("%d: %v", i, err)
			}
			if info.Serial.Cmp(serial) != 0 || !info.GenTime.Equal(at) || info.Accuracy != want || token.TSAString() != shown[i%len(names)] || info.Policy.String() != testPolicy {
				t.Errorf("%d: %+v, TSA %s", i, info, token.TSAString())
			}
			if err := cert.CheckBag(token.SignedData.Certificates, w.TSA.Chain); err != nil {
				t.Errorf("%d: %v", i, err)
			}
		}
	}
}

func TestBouncyCastleReadsOurRequestsAndTokens(t *testing.T) {
	p := bouncyCastle(t)
	for _, spec := range []string{"ozdst", "ozmst"} {
		w := newWorld(t, spec)
		rng := mathrand.New(mathrand.NewPCG(2, uint64(len(spec))))
		for i := range rounds {
			imprint := w.digest().Sum(fmt.Appendf(nil, "signature %d", rng.Uint64()))
			nonce, policy := fmt.Sprintf("%x", rng.Uint64()), "-"
			if i%3 == 0 {
				nonce = "-"
			}
			if i%4 == 0 {
				policy = testPolicy
			}
			asked := unfield(t, askPeer(t, p, "request", spec, field(imprint), nonce, "true", policy)[0])
			a := w.authority()
			a.Accuracy = time.Duration(rng.IntN(2e6)) * time.Microsecond
			a.Name = []string{testName, ""}[i%2]
			serial := new(big.Int).SetUint64(rng.Uint64())
			a.Serial = func() (*big.Int, error) { return serial, nil }
			answer := a.Respond(t.Context(), asked)
			want := []string{testPolicy, serial.Text(16), fmt.Sprint(w.Now.UnixMilli()), nonce, "-", "-"}
			if a.Name != "" {
				want[4] = field([]byte("6: " + testName))
			}
			if a.Accuracy > 0 {
				want[5] = fmt.Sprint(a.Accuracy.Microseconds())
			}
			got := askPeer(t, p, "read", spec, field(w.TSA.Cert.Raw), field(asked), field(answer))
			if strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("%d: BouncyCastle reads %v, want %v", i, got, want)
			}
			// The same token does not answer another request.
			other := unfield(t, askPeer(t, p, "request", spec, field(w.digest().Sum(imprint)), nonce, "true", policy)[0])
			if said := p.Ask(t, strings.Join([]string{"read", spec, field(w.TSA.Cert.Raw), field(other), field(answer)}, " ")); !strings.HasPrefix(said, "no ") {
				t.Errorf("%d: BouncyCastle accepts a token over another imprint: %s", i, said)
			}
		}
		// Refused by it as by us.
		user := w.User(t, testpki.Person)
		req := w.request().Marshal()
		for name, token := range map[string][]byte{
			"no authority":     w.sign(t, tstInfo{}.marshal(w.digest()), signedBy(user)),
			"another nonce":    w.sign(t, tstInfo{nonce: ber.Int64(1)}.marshal(w.digest())),
			"another's number": w.sign(t, tstInfo{}.marshal(w.digest()), signedBy(w.tsa(t, w.CA, func(*cert.Template) {}))),
		} {
			if said := p.Ask(t, strings.Join([]string{"read", spec, field(w.TSA.Cert.Raw), field(req), field(granted(token))}, " ")); !strings.HasPrefix(said, "no ") {
				t.Errorf("%s: BouncyCastle says %s", name, said)
			}
		}
	}
}

func TestBouncyCastleReadsOurRefusals(t *testing.T) {
	p := bouncyCastle(t)
	w := newWorld(t, "ozdst")
	a := w.authority()
	badPolicy := w.request()
	badPolicy.Policy = ber.MustOID("1.2.3")
	badAlg := NewRequest(alg.SHA1(), alg.SHA1().Sum(seal), nil, true)
	for _, tt := range []struct {
		request []byte
		// as BouncyCastle counts: the octets of the BIT STRING little-endian,
		// the first bit of each the highest.
		want int
	}{
		{[]byte("noise"), 1 << 2}, // bit 5
		{badAlg.Marshal(), 1 << 7},
		{badPolicy.Marshal(), 1 << 8}, // bit 15
	} {
		got := askPeer(t, p, "status", field(a.Respond(t.Context(), tt.request)))
		if got[0] != "2" || got[1] != fmt.Sprint(tt.want) || got[2] == "-" {
			t.Errorf("BouncyCastle reads %v, want failInfo %d", got, tt.want)
		}
	}
}
