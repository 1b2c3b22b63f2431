package trust

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/crl"
	"imzo/pki/keystore"
	"imzo/pki/ocsp"
	"imzo/pki/tsp"
)

// testClock is a clock that stands still until it is moved.
type testClock struct{ t time.Time }

func (c *testClock) now() time.Time { return c.t }

func newAuthority(t *testing.T, keySpec string) (*Authority, string, *testClock) {
	t.Helper()
	clock := &testClock{time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)}
	dir := filepath.Join(t.TempDir(), "trust")
	a, err := Init(dir, InitOptions{BaseURL: "http://trust.invalid:8090/", KeySpec: keySpec, Options: Options{Now: clock.now}})
	if err != nil {
		t.Fatal(err)
	}
	return a, dir, clock
}

var person = Request{Profile: ProfileUser, Subject: Subject{CommonName: `IVANOV, "IVAN"`, PINFL: "30000000000000", UID: "400000000", Country: "UZ"}}

func issue(t *testing.T, a *Authority, r Request) keystore.Entry {
	t.Helper()
	e, err := a.Issue(r, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestHierarchyIsWholeInEveryKeyFamily(t *testing.T) {
	for _, spec := range []string{"ozdst", "ozmst", "ecdsa:P-256", "rsa:2048"} {
		t.Run(spec, func(t *testing.T) {
			a, _, clock := newAuthority(t, spec)
			e := issue(t, a, person)
			path, err := cert.BuildPath(e.Chain[0], cert.PathOptions{Anchors: a.Anchors(), Intermediates: e.Chain, At: clock.t})
			if err != nil {
				t.Fatal(err)
			}
			if len(path.Certificates) != 3 || !path.Certificates[2].Equal(a.Root()) {
				t.Errorf("path of %d certificates", len(path.Certificates))
			}
			c := e.Chain[0]
			if c.Subject.Get("1.2.860.3.16.1.2") != "30000000000000" || c.Subject.Get("CN") != `IVANOV, "IVAN"` {
				t.Errorf("subject %s", c.Subject)
			}
			if len(c.OCSPServers) != 1 || c.OCSPServers[0] != "http://trust.invalid:8090/cams/ocsp" {
				t.Errorf("OCSP at %v", c.OCSPServers)
			}
			if !strings.HasSuffix(e.Alias, "serialnumber="+c.SerialHex()+",validfrom=2026.01.01 11:59:00,validto=2028.01.01 11:59:00") {
				t.Errorf("alias %s", e.Alias)
			}
		})
	}
}

func TestIssueRefusesWhatDoesNotFitItsProfile(t *testing.T) {
	a, _, _ := newAuthority(t, "ozdst")
	for name, r := range map[string]Request{
		"no name":                         {Profile: ProfileUser},
		"short PINFL":                     {Profile: ProfileUser, Subject: Subject{CommonName: "A", PINFL: "123"}},
		"letters in a TIN":                {Profile: ProfileUser, Subject: Subject{CommonName: "A", UID: "40000000x"}},
		"long country":                    {Profile: ProfileUser, Subject: Subject{CommonName: "A", Country: "UZB"}},
		"person with an organisation":     {Profile: ProfileUser, Subject: Subject{CommonName: "A", Organisation: "B"}},
		"organisation without its TIN":    {Profile: ProfileOrganisation, Subject: Subject{CommonName: "A", Organisation: "B"}},
		"service profile":                 {Profile: profileCA, Subject: Subject{CommonName: "A"}},
		"validity before it begins":       {Profile: ProfileUser, Subject: Subject{CommonName: "A"}, Days: -1},
		"unknown kind of key":             {Profile: ProfileUser, Subject: Subject{CommonName: "A"}, KeySpec: "rot13"},
		"validity longer than the root's": {Profile: ProfileUser, Subject: Subject{CommonName: "A"}, Days: 100000},
	} {
		if _, err := a.Issue(r, time.UTC); err == nil {
			t.Errorf("%s: issued", name)
		}
	}
	before, err := a.List()
	if err != nil {
		t.Fatal(err)
	}
	if len(before) != 6 {
		t.Errorf("%d records of a fresh hierarchy, want its 6 services", len(before))
	}
}

func TestStatusChangesSurviveARestartAndReachARunningService(t *testing.T) {
	a, dir, clock := newAuthority(t, "ozdst")
	serial := issue(t, a, person).Chain[0].SerialHex()
	other, err := Open(dir, Options{Now: clock.now})
	if err != nil {
		t.Fatal(err)
	}
	status := func(x *Authority) (Status, string) {
		records, err := x.List()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			if r.Serial == serial {
				return r.Status, r.Reason
			}
		}
		t.Fatalf("%s is not listed", serial)
		return "", ""
	}
	for _, step := range []struct {
		do     func() (Record, error)
		want   Status
		reason string
		fails  bool
	}{
		{func() (Record, error) { return other.Resume(serial) }, StatusGood, "", true},
		{func() (Record, error) { return other.Suspend(strings.ToUpper(serial)) }, StatusSuspended, "certificateHold", false},
		{func() (Record, error) { return a.Suspend(serial) }, StatusSuspended, "certificateHold", true},
		{func() (Record, error) { return a.Resume(serial) }, StatusGood, "", false},
		{func() (Record, error) { return other.Revoke(serial, "certificateHold") }, StatusGood, "", true},
		{func() (Record, error) { return other.Suspend(serial) }, StatusSuspended, "certificateHold", false},
		{func() (Record, error) { return other.Revoke(serial, "keycompromise") }, StatusRevoked, "keyCompromise", false},
		{func() (Record, error) { return a.Resume(serial) }, StatusRevoked, "keyCompromise", true},
		{func() (Record, error) { return a.Revoke(serial, "") }, StatusRevoked, "keyCompromise", true},
	} {
		r, err := step.do()
		if (err != nil) != step.fails || err == nil && r.Status != step.want {
			t.Fatalf("got %s, %v; want %s", r.Status, err, step.want)
		}
		reopened, err := Open(dir, Options{Now: clock.now})
		if err != nil {
			t.Fatal(err)
		}
		for name, x := range map[string]*Authority{"first": a, "second": other, "reopened": reopened} {
			if got, reason := status(x); got != step.want || reason != step.reason {
				t.Errorf("%s authority: %s (%s), want %s (%s)", name, got, reason, step.want, step.reason)
			}
		}
	}
	if _, err := a.Revoke("abcdef", ""); !errors.Is(err, ErrUnknownSerial) {
		t.Errorf("unknown serial number: %v", err)
	}
}

func TestInitAndOpenRefuseWrongFolders(t *testing.T) {
	_, dir, _ := newAuthority(t, "ozdst")
	if _, err := Init(dir, InitOptions{BaseURL: "http://x"}); !errors.Is(err, ErrExists) {
		t.Errorf("init over a hierarchy: %v", err)
	}
	if _, err := Open(t.TempDir(), Options{}); !errors.Is(err, ErrNoHierarchy) {
		t.Errorf("open of an empty folder: %v", err)
	}
	if _, err := Open(dir, Options{Password: "wrong"}); !errors.Is(err, keystore.ErrPassword) {
		t.Errorf("open with a wrong password: %v", err)
	}
	for _, bad := range []string{"", "ftp://x", "127.0.0.1:8090"} {
		if _, err := Init(filepath.Join(t.TempDir(), "x"), InitOptions{BaseURL: bad}); err == nil {
			t.Errorf("address %q accepted", bad)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "keys", "ca.pfx"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of a key file: %v, %v", info.Mode(), err)
	}
}

func TestServicesAnswerOverHTTP(t *testing.T) {
	a, _, clock := newAuthority(t, "ozdst")
	server := httptest.NewServer(a.Handler())
	defer server.Close()
	user := issue(t, a, person)
	vpn := issue(t, a, Request{Profile: ProfileVPN, Subject: Subject{CommonName: "example.uz"}})
	ctx := context.Background()

	ask := func(c, issuer *cert.Certificate) *ocsp.SingleResponse {
		t.Helper()
		nonce, err := ocsp.NewNonce(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		q := ocsp.Request{CertIDs: []ocsp.CertID{ocsp.NewCertID(nil, c, issuer)}, Nonce: nonce}
		posted, err := (&ocsp.Client{}).Ask(ctx, server.URL+pathOCSP, q)
		if err != nil {
			t.Fatal(err)
		}
		got, err := http.Get(q.GetURL(server.URL + pathOCSP))
		if err != nil {
			t.Fatal(err)
		}
		defer got.Body.Close()
		body, err := io.ReadAll(got.Body)
		if err != nil {
			t.Fatal(err)
		}
		byGet, err := ocsp.ParseResponse(body)
		if err != nil {
			t.Fatalf("by GET: %v", err)
		}
		var status *ocsp.SingleResponse
		for _, r := range []*ocsp.Response{posted, byGet} {
			if status, err = r.Check(ocsp.CheckOptions{Certificate: c, Issuer: issuer, Nonce: nonce, Now: clock.t}); err != nil {
				t.Fatal(err)
			}
		}
		return status
	}
	for name, e := range map[string]keystore.Entry{"user": user, "vpn": vpn} {
		s := ask(e.Chain[0], e.Chain[1])
		if s.Status != ocsp.Good || s.NextUpdate.Sub(s.ThisUpdate) != time.Minute {
			t.Errorf("%s: %v until %v", name, s.Status, s.NextUpdate)
		}
	}
	if _, err := a.Suspend(user.Chain[0].SerialHex()); err != nil {
		t.Fatal(err)
	}
	if s := ask(user.Chain[0], user.Chain[1]); s.Status != ocsp.Revoked || ocsp.ReasonName(s.Reason) != "certificateHold" || !s.RevokedAt.Equal(clock.t) {
		t.Errorf("suspended: %+v", s)
	}

	token, err := (&tsp.Client{}).Stamp(ctx, server.URL+pathTSA, alg.OZDST(), []byte("signature"))
	if err != nil {
		t.Fatal(err)
	}
	if token.TSAString() != "6: http://trust.invalid:8090/cams/tst" || token.Info.Policy.String() != DefaultTSAPolicy || !token.Info.GenTime.Equal(clock.t) {
		t.Errorf("token %+v", token.Info)
	}

	get := func(path string) (int, []byte) {
		t.Helper()
		res, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, b
	}
	code, b := get(pathCRL(entityCA))
	list, err := crl.Parse(b)
	if err != nil {
		t.Fatalf("%d: %v", code, err)
	}
	if err := list.CheckSignatureFrom(user.Chain[1]); err != nil {
		t.Error(err)
	}
	if err := list.Fresh(clock.t); err != nil {
		t.Error(err)
	}
	if e, ok, err := list.Lookup(user.Chain[0].Serial); !ok || err != nil || e.Reason != reasonCertificateHold {
		t.Errorf("on the list: %+v %v %v", e, ok, err)
	}
	if _, ok, _ := list.Lookup(big.NewInt(1)); ok {
		t.Error("a stranger is on the list")
	}
	if _, err := a.Resume(user.Chain[0].SerialHex()); err != nil {
		t.Fatal(err)
	}
	_, b = get(pathCRL(entityCA))
	if newer, err := crl.Parse(b); err != nil || newer.Number.Cmp(list.Number) < 0 {
		t.Errorf("next list: %v", err)
	} else if _, ok, _ := newer.Lookup(user.Chain[0].Serial); ok {
		t.Error("a resumed certificate is still on the list")
	}
	if _, b := get(pathRoot); !bytes.Equal(b, cert.EncodePEM(a.Root())) {
		t.Error("root.pem is not the root")
	}
	if _, b := get(pathCert(entityCA)); !bytes.Equal(b, user.Chain[1].Raw) {
		t.Error("ca.cer is not the CA")
	}
	if code, b := get("/"); code != 200 || !strings.Contains(string(b), pathTSA) {
		t.Errorf("index: %d %s", code, b)
	}
	for path, want := range map[string]int{"/nothing": 404, pathOCSP + "/!!": 400, pathOCSP: 405} {
		if code, _ := get(path); code != want {
			t.Errorf("GET %s: %d, want %d", path, code, want)
		}
	}
}

func TestServicesSurviveWrongRequests(t *testing.T) {
	a, _, _ := newAuthority(t, "ozdst")
	server := httptest.NewServer(a.Handler())
	defer server.Close()
	post := func(path, media string, body []byte) (int, []byte) {
		t.Helper()
		res, err := http.Post(server.URL+path, media, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, b
	}
	if code, _ := post(pathOCSP, "text/plain", nil); code != http.StatusUnsupportedMediaType {
		t.Errorf("wrong type: %d", code)
	}
	if code, _ := post(pathTSA, "application/timestamp-query", make([]byte, maxRequest+1)); code != http.StatusRequestEntityTooLarge {
		t.Errorf("too large: %d", code)
	}
	_, b := post(pathOCSP, "application/ocsp-request", []byte("nonsense"))
	if r, err := ocsp.ParseResponse(b); err != nil || r.Status != ocsp.MalformedRequest {
		t.Errorf("nonsense: %v %v", r, err)
	}
	_, b = post(pathTSA, "application/timestamp-query", []byte("nonsense"))
	if r, err := tsp.ParseResponse(b); err != nil || r.Status != tsp.Rejection || r.Failure != tsp.BadDataFormat {
		t.Errorf("nonsense: %+v %v", r, err)
	}
	// A certificate of a stranger's CA of the same name.
	stranger, _, _ := newAuthority(t, "ozdst")
	e := issue(t, stranger, person)
	q := ocsp.Request{CertIDs: []ocsp.CertID{ocsp.NewCertID(nil, e.Chain[0], e.Chain[1])}}
	_, b = post(pathOCSP, "application/ocsp-request", q.Marshal())
	if r, err := ocsp.ParseResponse(b); err != nil || r.Status != ocsp.Unauthorized {
		t.Errorf("a stranger's certificate: %v %v", r, err)
	}
	res, err := http.Get(server.URL + pathOCSP + "/" + base64.StdEncoding.EncodeToString([]byte("x//y")))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("GET of nonsense: %d", res.StatusCode)
	}
}

func TestDamagedLedgerStopsTheResponder(t *testing.T) {
	a, dir, clock := newAuthority(t, "ozdst")
	e := issue(t, a, person)
	if err := os.WriteFile(filepath.Join(dir, "ledger"), []byte("00000000 {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	q := ocsp.Request{CertIDs: []ocsp.CertID{ocsp.NewCertID(nil, e.Chain[0], e.Chain[1])}}
	r, err := ocsp.ParseResponse(a.respondOCSP(context.Background(), q.Marshal()))
	if err != nil || r.Status != ocsp.InternalError {
		t.Errorf("answered %v, %v", r, err)
	}
	if _, err := a.CRL(entityCA); !errors.Is(err, ErrDamaged) {
		t.Errorf("list of a damaged ledger: %v", err)
	}
	if _, err := Open(dir, Options{Now: clock.now}); !errors.Is(err, ErrDamaged) {
		t.Errorf("opened: %v", err)
	}
}

func TestKeyFilesAreNamedAsEIMZONamesThem(t *testing.T) {
	a, _, _ := newAuthority(t, "ozdst")
	dir := t.TempDir()
	for _, tt := range []struct {
		s    Subject
		want string
	}{
		{Subject{CommonName: "A", PINFL: "30000000000001"}, "DS300000000000010001.pfx"},
		{Subject{CommonName: "A", PINFL: "30000000000001"}, "DS300000000000010002.pfx"},
		{Subject{CommonName: "A", UID: "400000001", PINFL: "30000000000001"}, "DS4000000010001.pfx"},
	} {
		e := issue(t, a, Request{Profile: ProfileUser, Subject: tt.s})
		path, err := WritePFX(dir, e, tt.s, "1", keystore.ProfileJava8)
		if err != nil || filepath.Base(path) != tt.want {
			t.Errorf("%s, %v; want %s", path, err, tt.want)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		entries, err := keystore.OpenPFX(data, "1")
		if err != nil || len(entries) != 1 || !entries[0].Chain[0].Equal(e.Chain[0]) || len(entries[0].Chain) != 3 {
			t.Errorf("%s holds %d keys, %v", path, len(entries), err)
		}
		if _, err := WritePFX(path, e, tt.s, "1", keystore.ProfileJava8); !errors.Is(err, os.ErrExist) {
			t.Errorf("replaced a key file: %v", err)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, ".pfx-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
