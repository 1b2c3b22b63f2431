package phone

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"imzo/client/deeplink"
	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/token"
)

// card is a token in memory, with the PIN 1234.
type card struct {
	user   testpki.Entity
	opened int
	closed int
	left   int
}

func (c *card) Info(context.Context) (token.Info, error) { return token.Info{TriesLeft: c.left}, nil }

func (c *card) Chain(context.Context) ([]*cert.Certificate, error) {
	if c.user.Cert == nil {
		return nil, token.ErrEmpty
	}
	return c.user.Chain, nil
}

func (c *card) Open(_ context.Context, pin []byte) (token.Session, error) {
	c.opened++
	if c.left == 0 {
		return nil, token.ErrBlocked
	}
	if string(pin) != "1234" {
		c.left--
		return nil, &token.PINError{TriesLeft: c.left}
	}
	return session{card: c}, nil
}

func (c *card) CPLC(context.Context, []byte) ([]byte, error) { return nil, token.ErrUnsupported }

type session struct {
	token.Session
	card *card
}

func (s session) Key(context.Context) (*alg.PrivateKey, []*cert.Certificate, error) {
	return s.card.user.Key, s.card.user.Chain, nil
}

func (s session) Close() error {
	s.card.closed++
	return nil
}

// gateway takes what it is given.
type gateway struct {
	got []Submission
	err error
}

func (g *gateway) Site(_ context.Context, siteID string) (Site, error) {
	if siteID != "20e2" {
		return Site{}, ErrUnknownSite
	}
	return Site{SiteID: siteID, Name: "Bozor", Domain: "example.uz"}, nil
}

func (g *gateway) Submit(_ context.Context, s Submission) (Outcome, error) {
	g.got = append(g.got, s)
	return Outcome{Accepted: true, Code: Accepted}, g.err
}

func testLink(t *testing.T, site string) string {
	t.Helper()
	code, err := deeplink.New(site, "850FF727", []byte("some document"))
	if err != nil {
		t.Fatal(err)
	}
	return code.URL()
}

func TestThePhoneSignsTheThreeAttributes(t *testing.T) {
	pki := testpki.New(t, "ozdst:C")
	c := &card{user: pki.User(t, testpki.Person), left: 3}
	g := &gateway{}
	p := &Phone{Gateway: g, Now: func() time.Time { return pki.Now.Add(300 * time.Millisecond) }}
	request, err := p.Open(t.Context(), testLink(t, "20e2"))
	if err != nil || request.Site.Domain != "example.uz" || request.Code.DocumentID != "850FF727" {
		t.Fatalf("%+v, %v", request, err)
	}
	outcome, err := p.Sign(t.Context(), request, c, []byte("1234"))
	if err != nil || !outcome.Accepted || c.closed != 1 {
		t.Fatalf("%+v, %v, closed %d times", outcome, err, c.closed)
	}
	s := g.got[0]
	signature, err := hex.DecodeString(s.Signature)
	if err != nil {
		t.Fatal(err)
	}
	var chain []*cert.Certificate
	for _, der := range s.Certificates {
		x, err := cert.Parse(der)
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, x)
	}
	if _, err := cms.AssembleDetached(cms.External{Chain: chain, ContentDigest: request.Code.Hash[:], SigningTime: pki.Now, Signature: signature}); err != nil {
		t.Error(err)
	}
	s.Certificates, s.Signature = nil, ""
	want := Submission{
		SiteID: "20e2", DocumentID: "850FF727", Hash: "3369cd520c8e556502b9bc0ac34ca69cafee96f2f4a8371a63d4dd7d3a458d05",
		SerialNumber: c.user.Cert.SerialHex(), SigningTime: pki.Now,
	}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Error(diff)
	}
}

func TestThePhoneGivesTheErrorsOfTheCard(t *testing.T) {
	pki := testpki.New(t, "ozdst:C")
	g := &gateway{}
	p := &Phone{Gateway: g}
	request, err := p.Open(t.Context(), testLink(t, "20e2"))
	if err != nil {
		t.Fatal(err)
	}
	c := &card{user: pki.User(t, testpki.Person), left: 2}
	var wrong *token.PINError
	if _, err := p.Sign(t.Context(), request, c, []byte("1")); !errors.As(err, &wrong) || wrong.TriesLeft != 1 {
		t.Errorf("wrong PIN: %v", err)
	}
	for range 2 {
		if _, err := p.Sign(t.Context(), request, c, []byte("1")); !errors.Is(err, token.ErrBlocked) {
			t.Errorf("blocked: %v", err)
		}
	}
	if _, err := p.Sign(t.Context(), request, &card{left: 2}, []byte("1234")); !errors.Is(err, token.ErrEmpty) {
		t.Errorf("empty: %v", err)
	}
	other := &card{user: testpki.New(t, "ecdsa:P-256").User(t, testpki.Person), left: 2}
	if _, err := p.Sign(t.Context(), request, other, []byte("1")); !errors.Is(err, ErrKeyKind) || other.opened != 0 || other.left != 2 {
		t.Errorf("a key of another kind: %v, opened %d times", err, other.opened)
	}
	if len(g.got) != 0 {
		t.Errorf("submitted %v", g.got)
	}
	if _, err := p.Open(t.Context(), testLink(t, "0001")); !errors.Is(err, ErrUnknownSite) {
		t.Error(err)
	}
	if _, err := p.Open(t.Context(), "eimzo://sign"); !errors.Is(err, deeplink.ErrCode) {
		t.Error(err)
	}
	g.err = ErrGateway
	if _, err := p.Sign(t.Context(), request, &card{user: c.user, left: 1}, []byte("1234")); !errors.Is(err, ErrGateway) {
		t.Error(err)
	}
}

func TestTheClientReadsAnswersOfGateways(t *testing.T) {
	var body string
	var status int
	var asked, lost atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if lost.Load() > 0 {
			lost.Add(-1)
			panic(http.ErrAbortHandler)
		}
		if status == http.StatusFound {
			w.Header().Set("Location", "/api/sites/20e2x")
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	defer server.Close()
	client := &Client{URL: server.URL}
	for _, test := range []struct {
		status int
		body   string
		want   error
	}{
		{200, `{"siteId":"20E2","name":"a","domain":"b"}`, nil},
		{200, `{"siteId":"20e3","name":"a","domain":"b"}`, ErrGateway},
		{200, `<html>`, ErrGateway},
		{404, `{"accepted":false,"code":"unknownSite","message":"no"}`, ErrUnknownSite},
		{404, `404 page not found`, ErrGateway},
		{503, `{"accepted":false,"code":"unavailable","message":"no"}`, ErrGateway},
		{302, ``, ErrGateway},
		{200, strings.Repeat(" ", maxAnswer+1), ErrGateway},
	} {
		status, body = test.status, test.body
		if _, err := client.Site(t.Context(), "20e2"); !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
			t.Errorf("HTTP %d %.60s: %v", status, body, err)
		}
	}
	for _, test := range []struct {
		status int
		body   string
		code   Code // "" is ErrGateway
	}{
		{200, `{"accepted":true,"code":"accepted","message":"m","site":{"attempts":2}}`, Accepted},
		{422, `{"accepted":false,"code":"wrongSignature","message":"m"}`, BadSignature},
		{200, `{"accepted":true,"code":"wrongSignature"}`, ""},
		{200, `{"accepted":true}`, ""},
		{200, `ok`, ""},
	} {
		status, body = test.status, test.body
		outcome, err := client.Submit(t.Context(), Submission{})
		if outcome.Code != test.code || (test.code == "") != errors.Is(err, ErrGateway) {
			t.Errorf("HTTP %d %s: %+v, %v", status, body, outcome, err)
		}
	}
	status, body = 200, `{"accepted":true,"code":"accepted"}`
	for tries, want := range []error{nil, nil, nil, ErrGateway} {
		lost.Store(int32(tries))
		if _, err := client.Submit(t.Context(), Submission{}); !errors.Is(err, want) {
			t.Errorf("%d lost connections: %v", tries, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	before := asked.Load()
	if _, err := client.Submit(ctx, Submission{}); !errors.Is(err, ErrGateway) || asked.Load() != before {
		t.Errorf("after the end: %v", err)
	}
	if _, err := (&Client{URL: "::"}).Site(t.Context(), "20e2"); !errors.Is(err, ErrGateway) {
		t.Errorf("no address: %v", err)
	}
}

func TestCheckURLTakesAddressesOfGateways(t *testing.T) {
	for address, good := range map[string]bool{
		"http://127.0.0.1:8070": true, "https://m.example.uz/gateway": true, "": false, "m.example.uz": false, "ftp://m.example.uz": false,
		"http://": false, "http://a/?b": false, "http://u:p@a": false, "http://a/#b": false, "http://%": false,
	} {
		if err := CheckURL(address); (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// The JSON is a protocol: its names and forms stay.
func TestTheJSONOfASubmissionIsStable(t *testing.T) {
	s := Submission{
		SiteID: "20e2", DocumentID: "850FF727", Hash: "ab", SerialNumber: "77", Signature: "cd",
		SigningTime: time.Date(2022, 9, 27, 6, 17, 53, 0, time.UTC), Certificates: [][]byte{{1, 2, 3}},
	}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"siteId":"20e2","documentId":"850FF727","hash":"ab","serialNumber":"77","signature":"cd","signingTime":"2022-09-27T06:17:53Z","certificates":["AQID"]}`
	if string(b) != want {
		t.Errorf("%s", b)
	}
	one := 1
	b, err = json.Marshal(Outcome{Accepted: true, Code: Accepted, Message: "m", Site: &SiteAnswer{HTTPStatus: 200, Status: &one, Attempts: 1}})
	if err != nil || !slices.Equal(b, []byte(`{"accepted":true,"code":"accepted","message":"m","site":{"httpStatus":200,"status":1,"attempts":1}}`)) {
		t.Errorf("%s, %v", b, err)
	}
}
