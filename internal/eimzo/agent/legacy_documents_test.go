package agent

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/crl"
	"imzo/pki/ocsp"
	"imzo/pki/tsp"
	"imzo/verify"
)

// good says of every certificate that it is good.
type good struct{ now time.Time }

func (g good) Status(context.Context, *cert.Certificate, *cert.Certificate) (*verify.RevocationStatus, error) {
	return &verify.RevocationStatus{Status: ocsp.Good, ThisUpdate: g.now, NextUpdate: g.now.Add(time.Hour)}, nil
}

// documents is an agent that trusts a hierarchy, and a person who signs.
type documents struct {
	*testpki.PKI
	agent *Agent
	user  testpki.Entity
}

func newDocuments(t *testing.T) documents {
	t.Helper()
	pki := testpki.New(t, "ozdst")
	a := newAgent(t, func(o *Options) {
		o.Now = func() time.Time { return pki.Now }
		o.Anchors = cert.NewPool(pki.Root.Cert)
		o.Revocation = good{pki.Now}
		o.Location = time.UTC
	})
	return documents{pki, a, pki.User(t, testpki.Person)}
}

func (d documents) sign(t *testing.T, content string, detached bool) []byte {
	t.Helper()
	b, err := cms.Sign([]byte(content), []cms.Signer{{Key: d.user.Key, Chain: d.user.Chain, SigningTime: d.Now}}, cms.Options{Detached: detached})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// open opens the trust store and gives its id.
func (d documents) open(t *testing.T) string {
	t.Helper()
	reply := callFunction(t, d.agent, "truststore-jks", "open_truststore")
	wantFields(t, reply, map[string]any{"success": true, "status": 1})
	return fmt.Sprint(reply["tsId"])
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// signerOf is the one signer of a pkcs7Info.
func signerOf(t *testing.T, reply map[string]any) map[string]any {
	t.Helper()
	info, _ := reply["pkcs7Info"].(map[string]any)
	signers, _ := info["signers"].([]any)
	if len(signers) != 1 {
		t.Fatal(reply)
	}
	return signers[0].(map[string]any)
}

func TestInfoTellsWhatADocumentHolds(t *testing.T) {
	d := newDocuments(t)
	attached, detached := d.sign(t, "some document", false), d.sign(t, "some document", true)
	ts := d.open(t)
	reply := callFunction(t, d.agent, "pkcs7", "get_pkcs7_attached_info", b64(attached), ts)
	wantFields(t, reply, map[string]any{"success": true, "status": 1})
	wantFields(t, reply["pkcs7Info"].(map[string]any), map[string]any{"documentBase64": b64([]byte("some document"))})
	s := signerOf(t, reply)
	wantFields(t, s, map[string]any{
		"verified": true, "certificateVerified": true, "certificateValidAtSigningTime": true,
		"signingTime": "2026-01-01 12:00:00",
		"digest":      "3369cd520c8e556502b9bc0ac34ca69cafee96f2f4a8371a63d4dd7d3a458d05", // guide 2.2.4
	})
	wantFields(t, s["signerId"].(map[string]any), map[string]any{"subjectSerialNumber": d.user.Cert.SerialHex(), "issuer": d.CA.Cert.Subject.String()})
	if chain := s["certificate"].([]any); len(chain) != 3 || s["trustedCertificate"] == nil {
		t.Errorf("%v", s)
	}
	// Without a trust store nothing is trusted, and the signature is checked.
	s = signerOf(t, callFunction(t, d.agent, "pkcs7", "get_pkcs7_attached_info", b64(attached), ""))
	wantFields(t, s, map[string]any{"verified": true, "certificateVerified": false})
	if s["trustedCertificate"] != nil {
		t.Errorf("%v", s)
	}

	reply = callFunction(t, d.agent, "pkcs7", "get_pkcs7_detached_info", b64([]byte("some document")), b64(detached), ts)
	wantFields(t, signerOf(t, reply), map[string]any{"verified": true, "certificateVerified": true})
	if _, there := reply["pkcs7Info"].(map[string]any)["documentBase64"]; there {
		t.Error(reply)
	}
	reply = callFunction(t, d.agent, "pkcs7", "get_pkcs7_detached_info", b64([]byte("another document")), b64(detached), ts)
	wantFields(t, signerOf(t, reply), map[string]any{"verified": false})

	const noDocument = `{"success":false,"status":-9999,"reason":"Документ не является документом PKCS#7"}`
	for _, bad := range []string{"AA==", b64([]byte("some document"))} {
		ask(t, d.agent, site, `{"plugin":"pkcs7","name":"get_pkcs7_attached_info","arguments":["`+bad+`",""]}`, noDocument)
	}
	ask(t, d.agent, site, `{"plugin":"pkcs7","name":"get_pkcs7_attached_info","arguments":["`+b64(attached)+`","`+strings.Repeat("0", 32)+`"]}`,
		`{"success":false,"status":-9999,"reason":"Хранилище доверенных сертификатов по идентификатору не найден"}`)
	ask(t, d.agent, site, `{"plugin":"pkcs7","name":"get_pkcs7_attached_info","arguments":["`+b64(attached)+`"]}`, noFunction)
}

func TestVerifySucceedsOnlyForWhatIsValid(t *testing.T) {
	d := newDocuments(t)
	attached, detached := d.sign(t, "some document", false), d.sign(t, "some document", true)
	ts, data := d.open(t), b64([]byte("some document"))
	list, err := crl.Create(nil, &crl.Template{ThisUpdate: d.Now, NextUpdate: d.Now.Add(time.Hour), Number: big.NewInt(1)}, d.CA.Cert, d.CA.Key)
	if err != nil {
		t.Fatal(err)
	}
	revoking, err := crl.Create(nil, &crl.Template{
		ThisUpdate: d.Now, NextUpdate: d.Now.Add(time.Hour), Number: big.NewInt(2),
		Entries: []crl.Entry{{Serial: d.user.Cert.Serial, RevokedAt: d.Now.Add(-time.Hour), Reason: 1}},
	}, d.CA.Cert, d.CA.Key)
	if err != nil {
		t.Fatal(err)
	}
	foreign := testpki.New(t, "ozdst")
	alien, err := crl.Create(nil, &crl.Template{ThisUpdate: d.Now, NextUpdate: d.Now.Add(time.Hour), Number: big.NewInt(1)}, foreign.CA.Cert, foreign.CA.Key)
	if err != nil {
		t.Fatal(err)
	}
	openCRL := func(der []byte) string {
		t.Helper()
		reply := callFunction(t, d.agent, "crl", "open_crl", b64(der))
		wantFields(t, reply, map[string]any{"success": true})
		return fmt.Sprint(reply["crlId"])
	}
	fine, revoked, other := openCRL(list), openCRL(revoking), openCRL(alien)
	broken := []byte(strings.Replace(string(attached), "some document", "some d0cument", 1))
	for name, c := range map[string]struct {
		function string
		args     []string
		want     string // "" for success, else what the reason has in it
	}{
		"attached":                 {"verify_pkcs7_attached", []string{b64(attached), ts}, ""},
		"with a requester":         {"verify_pkcs7_attached", []string{b64(attached), ts, "x"}, ""},
		"detached":                 {"verify_pkcs7_detached", []string{data, b64(detached), ts}, ""},
		"no trust store":           {"verify_pkcs7_attached", []string{b64(attached), ""}, "хранилище доверенных сертификатов"},
		"changed":                  {"verify_pkcs7_attached", []string{b64(broken), ts}, "digest"},
		"other data":               {"verify_pkcs7_detached", []string{"AAAA", b64(detached), ts}, "digest"},
		"good on a list":           {"verify_pkcs7_attached_crl", []string{b64(attached), ts, fine}, ""},
		"revoked on a list":        {"verify_pkcs7_attached_crl", []string{b64(attached), ts, revoked}, "revocation"},
		"a list of others":         {"verify_pkcs7_attached_crl", []string{b64(attached), ts, other}, "revocation"},
		"no list":                  {"verify_pkcs7_attached_crl", []string{b64(attached), ts, "x"}, "(CRL) по идентификатору не найден"},
		"detached good on a list":  {"verify_pkcs7_detached_crl", []string{data, b64(detached), ts, fine}, ""},
		"detached revoked":         {"verify_pkcs7_detached_crl", []string{data, b64(detached), ts, revoked}, "revocation"},
		"detached without a list":  {"verify_pkcs7_detached_crl", []string{data, b64(detached), ts, ""}, "(CRL) по идентификатору не найден"},
		"a list that is no list":   {"verify_pkcs7_attached_crl", []string{b64(attached), ts, ts}, "(CRL) по идентификатору не найден"},
		"a store that is no store": {"verify_pkcs7_attached", []string{b64(attached), fine}, "Хранилище"},
	} {
		reply := callFunction(t, d.agent, "pkcs7", c.function, c.args...)
		if c.want == "" {
			wantFields(t, reply, map[string]any{"success": true, "status": 1})
			wantFields(t, signerOf(t, reply), map[string]any{"verified": true, "certificateVerified": true})
		} else if reply["success"] != false || !strings.Contains(fmt.Sprint(reply["reason"]), c.want) || reply["pkcs7Info"] != nil {
			t.Errorf("%s: %v, want %q", name, reply, c.want)
		}
	}
	// What cannot be checked is not valid.
	d.agent.options.Revocation = nil
	wantFields(t, callFunction(t, d.agent, "pkcs7", "verify_pkcs7_attached", b64(attached), ts), map[string]any{"success": false, "status": -9999})
}

func TestListsTellWhoIsRevoked(t *testing.T) {
	d := newDocuments(t)
	der, err := crl.Create(nil, &crl.Template{
		ThisUpdate: d.Now, NextUpdate: d.Now.Add(time.Hour), Number: big.NewInt(255),
		Entries: []crl.Entry{{Serial: d.user.Cert.Serial, RevokedAt: d.Now.Add(-time.Hour), Reason: 1}},
	}, d.CA.Cert, d.CA.Key)
	if err != nil {
		t.Fatal(err)
	}
	opened := callFunction(t, d.agent, "crl", "open_crl", b64(der))
	id := fmt.Sprint(opened["crlId"])
	info, _ := callFunction(t, d.agent, "crl", "get_crl_info", id)["crl_info"].(map[string]any)
	wantFields(t, info, map[string]any{
		"issuerName": d.CA.Cert.Subject.String(), "thisUpdate": "2026.01.01 12:00:00", "nextUpdate": "2026.01.01 13:00:00", "crlNumber": "ff", "revoked": 1,
	})
	wantFields(t, callFunction(t, d.agent, "crl", "verify_crl", id, b64(d.CA.Cert.Raw)), map[string]any{"success": true})
	wantFields(t, callFunction(t, d.agent, "crl", "verify_crl", id, b64(d.Root.Cert.Raw)), map[string]any{"success": false, "reason": "Список не подписан этим издателем"})
	wantFields(t, callFunction(t, d.agent, "crl", "check_certificate", id, b64(d.user.Cert.Raw)), map[string]any{
		"success": true, "revoked": true, "crlReason": "keyCompromise", "revocationTime": "2026.01.01 11:00:00",
	})
	wantFields(t, callFunction(t, d.agent, "crl", "check_certificate", id, b64(d.User(t, testpki.Person).Cert.Raw)), map[string]any{"success": true, "revoked": false})
	wantFields(t, callFunction(t, d.agent, "crl", "check_certificate", id, b64(d.CA.Cert.Raw)), map[string]any{"success": false, "status": -9999})
	ask(t, d.agent, site, `{"plugin":"crl","name":"open_crl_file","arguments":["/etc/passwd"]}`, `{"success":false,"status":-9999,"reason":"В данной версии E-IMZO функция отключена"}`)
	wantFields(t, callFunction(t, d.agent, "crl", "open_crl", "AA=="), map[string]any{"success": false, "reason": "Это не список отозванных сертификатов (CRL)"})

	// Ids are of use to the page alone that got them.
	elsewhere := Caller{"https://elsewhere.uz", "elsewhere.uz"}
	request, _ := json.Marshal(map[string]any{"plugin": "crl", "name": "get_crl_info", "arguments": []string{id}})
	ask(t, d.agent, elsewhere, string(request), `{"success":false,"status":-9999,"reason":"Список отозванных сертификатов (CRL) по идентификатору не найден"}`)
}

func TestTimestampsArePutBesideTheirSignature(t *testing.T) {
	d := newDocuments(t)
	document := d.sign(t, "some document", false)
	sd, err := cms.Parse(document)
	if err != nil {
		t.Fatal(err)
	}
	token := func(message []byte) []byte {
		t.Helper()
		authority := &tsp.Authority{
			Key: d.TSA.Key, Chain: d.TSA.Chain, Policy: alg.OZDST().OID, Now: d.Clock(),
			Serial: func() (*big.Int, error) { return big.NewInt(5), nil },
		}
		request := tsp.NewRequest(alg.OZDST(), alg.OZDST().Sum(message), big.NewInt(7), true)
		r, err := tsp.ParseResponse(authority.Respond(t.Context(), request.Marshal()))
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Check(request)
		if err != nil {
			t.Fatal(err)
		}
		return got.Raw
	}
	ours, serial := token(sd.SignerInfos[0].Signature), d.user.Cert.SerialHex()
	for _, given := range []string{serial, strings.ToUpper(serial), "0" + serial} {
		reply := callFunction(t, d.agent, "pkcs7", "attach_timestamp_token_pkcs7", b64(document), given, b64(ours))
		wantFields(t, reply, map[string]any{"success": true, "signer_serial_number": given})
		stamped, err := base64.StdEncoding.DecodeString(fmt.Sprint(reply["pkcs7_64"]))
		if err != nil {
			t.Fatal(err)
		}
		s := signerOf(t, callFunction(t, d.agent, "pkcs7", "verify_pkcs7_attached", b64(stamped), d.open(t)))
		wantFields(t, s["timeStampInfo"].(map[string]any), map[string]any{"verified": true, "digestVerified": true, "certificateVerified": true})
	}
	for name, args := range map[string][]string{
		"another signature's": {b64(document), serial, b64(token([]byte("another")))},
		"another signer":      {b64(document), "1", b64(ours)},
		"no token":            {b64(document), serial, "AA=="},
		"no document":         {"AA==", serial, b64(ours)},
		"no base64":           {"*", serial, b64(ours)},
	} {
		reply := callFunction(t, d.agent, "pkcs7", "attach_timestamp_token_pkcs7", args...)
		if reply["success"] != false || reply["status"] != -9999.0 {
			t.Errorf("%s: %v", name, reply)
		}
	}
}

func TestTrustStoresAreThoseOfTheProgram(t *testing.T) {
	d := newDocuments(t)
	ask(t, d.agent, site, `{"plugin":"truststore","name":"list_truststore"}`, `{"success":true,"status":1,"truststores":["truststore-jks"]}`)
	bare := newAgent(t)
	ask(t, bare, site, `{"plugin":"truststore","name":"list_truststore"}`, `{"success":true,"status":1,"truststores":[]}`)
	ask(t, bare, site, `{"plugin":"truststore-jks","name":"open_truststore"}`, `{"success":false,"status":-9999,"reason":"Не найден провайдер доверенных сертификатов"}`)
}

func TestHandlesEndAndMakeRoom(t *testing.T) {
	var h handles
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	first := h.add("a", now, 1)
	if len(first) != 32 || first[12] != '4' || !strings.Contains("89ab", first[16:17]) {
		t.Error(first)
	}
	if _, ok := opened[int](&h, "b", first, now); ok {
		t.Error("another page's")
	}
	if _, ok := opened[string](&h, "a", first, now); ok {
		t.Error("another thing")
	}
	if v, ok := opened[int](&h, "a", first, now.Add(handleLife-1)); !ok || v != 1 {
		t.Error(v, ok)
	}
	if _, ok := opened[int](&h, "a", first, now.Add(handleLife)); ok {
		t.Error("after its end")
	}
	for i := range maxHandles + 10 {
		h.add("a", now.Add(time.Duration(i)), i)
	}
	if _, ok := opened[int](&h, "a", first, now); ok || len(h.kept) > maxHandles {
		t.Errorf("%d kept", len(h.kept))
	}
}
