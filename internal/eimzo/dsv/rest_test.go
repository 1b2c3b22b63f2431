package dsv_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"imzo/internal/eimzo/dsv"
	"imzo/internal/eimzo/server"
	"imzo/internal/testpki"
	"imzo/internal/testpki/services"
	"imzo/pki/cms"
)

const (
	soap = "http://schemas.xmlsoap.org/soap/envelope/"
	ns   = "http://v1.pkcs7.plugin.server.dsv.eimzo.yt.uz/"
)

// world is the adapter before a real server.
type world struct {
	*testpki.PKI
	trust   *services.Services
	user    testpki.Entity
	handler *dsv.Handler
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{PKI: testpki.New(t, "ozdst")}
	w.trust = services.Start(w.PKI, w.Clock())
	t.Cleanup(w.trust.Close)
	config := filepath.Join(t.TempDir(), "config.properties")
	if err := os.WriteFile(config, fmt.Appendf(nil, "ocsp.url=%s\ntsp.url=%s\nocsp.cache.seconds=0\n", w.trust.OCSPURL, w.trust.TSAURL), 0o600); err != nil {
		t.Fatal(err)
	}
	rest, err := server.Load(config, server.Deps{Anchors: w.Anchors(), Now: w.Clock()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rest.Close(); err != nil {
			t.Error(err)
		}
	})
	w.handler = dsv.New(dsv.Options{REST: rest.Handler()})
	w.user = w.User(t, testpki.Person)
	return w
}

func (w *world) sign(t *testing.T, who testpki.Entity, content string, detached bool) string {
	t.Helper()
	document, err := cms.Sign([]byte(content), []cms.Signer{{Key: who.Key, Chain: who.Chain[:2], SigningTime: w.Now}}, cms.Options{Detached: detached})
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(document)
}

func TestCallsOfOldClientsAreAnswered(t *testing.T) {
	w := newWorld(t)
	document := w.sign(t, w.user, "hello", false)
	hundred := regexp.MustCompile(`.{76}`).ReplaceAllString(document, "$0\r\n")
	for name, c := range map[string]struct {
		body    string
		headers []string
	}{
		"PHP's string in one line":    {dsv.Envelope("verifyPkcs7", document), []string{"Content-Type", `text/xml; charset="UTF-8"`}},
		"Python's indented text":      {"\n    <Envelope xmlns=\"" + soap + "\">\n <Body>\n <verifyPkcs7 xmlns=\"" + ns + "\">\n  <pkcs7B64 xmlns=\"\">" + document + "</pkcs7B64 >\n </verifyPkcs7 >\n </Body>\n </Envelope> ", []string{"Accept", "application/json"}},
		"space around the base64":     {dsv.Envelope("verifyPkcs7", " \n    "+document+"\n   "), nil},
		"base64 in lines":             {dsv.Envelope("verifyPkcs7", hundred), nil},
		"the media type of SOAP 1.2":  {dsv.Envelope("verifyPkcs7", document), []string{"Content-Type", "application/soap+xml"}},
		"no media type":               {dsv.Envelope("verifyPkcs7", document), []string{"Content-Type", ""}},
		"a form's media type":         {dsv.Envelope("verifyPkcs7", document), []string{"Content-Type", "application/x-www-form-urlencoded"}},
		"PHP's SoapClient":            {`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<SOAP-ENV:Envelope xmlns:SOAP-ENV="` + soap + `" xmlns:ns1="` + ns + `"><SOAP-ENV:Body><ns1:verifyPkcs7><pkcs7B64>` + document + `</pkcs7B64></ns1:verifyPkcs7></SOAP-ENV:Body></SOAP-ENV:Envelope>` + "\n", []string{"SOAPAction", `""`, "Content-Type", "text/xml; charset=utf-8", "User-Agent", "PHP-SOAP/7.4"}},
		"Java's JAX-WS":               {`<?xml version="1.0" ?><S:Envelope xmlns:S="` + soap + `"><S:Body><ns2:verifyPkcs7 xmlns:ns2="` + ns + `"><pkcs7B64>` + document + `</pkcs7B64></ns2:verifyPkcs7></S:Body></S:Envelope>`, []string{"SOAPAction", `"` + ns + `Pkcs7/verifyPkcs7Request"`, "Accept", "text/xml, multipart/related"}},
		".NET's WCF":                  {`<s:Envelope xmlns:s="` + soap + `"><s:Header><ActivityId CorrelationId="x" xmlns="http://schemas.microsoft.com/2004/09/ServiceModel/Diagnostics">y</ActivityId></s:Header><s:Body xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"><verifyPkcs7 xmlns="` + ns + `"><pkcs7B64 xmlns="">` + document + `</pkcs7B64></verifyPkcs7></s:Body></s:Envelope>`, nil},
		"node's soap":                 {`<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="` + soap + `"  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:tns="` + ns + `"><soap:Body><tns:verifyPkcs7><pkcs7B64>` + document + `</pkcs7B64></tns:verifyPkcs7></soap:Body></soap:Envelope>`, nil},
		"an argument with the prefix": {`<e:Envelope xmlns:e="` + soap + `" xmlns:n="` + ns + `"><e:Body><n:verifyPkcs7><n:pkcs7B64>` + document + `</n:pkcs7B64></n:verifyPkcs7></e:Body></e:Envelope>`, nil},
		"an empty header":             {`<e:Envelope xmlns:e="` + soap + `"><e:Header/><e:Body><verifyPkcs7 xmlns="` + ns + `"><pkcs7B64 xmlns="">` + document + `</pkcs7B64></verifyPkcs7></e:Body></e:Envelope>`, nil},
		"CDATA and comments":          {`<!-- a --><e:Envelope xmlns:e="` + soap + `"><e:Body><verifyPkcs7 xmlns="` + ns + `"><!-- b --><pkcs7B64 xmlns=""><![CDATA[` + document + `]]></pkcs7B64></verifyPkcs7></e:Body></e:Envelope>`, nil},
		"character references":        {dsv.Envelope("verifyPkcs7", "&#x4D;"+document[1:]), nil},
		"a byte order mark":           {"\xef\xbb\xbf" + dsv.Envelope("verifyPkcs7", document), nil},
		"Windows-1251":                {`<?xml version="1.0" encoding="windows-1251"?><!-- ` + "\xef\xf0\xe8" + ` -->` + dsv.Envelope("verifyPkcs7", document), nil},
		"the percent-encoded form":    {dsv.Envelope("verifyPkcs7", strings.ReplaceAll(document, "+", "%2B")), nil},
	} {
		t.Run(name, func(t *testing.T) {
			v := dsv.Cut(t, "verifyPkcs7", dsv.Post(w.handler, c.body, c.headers...))
			if !v.Success || v.Reason != "" || v.PKCS7Info == nil || string(v.PKCS7Info.DocumentBase64) != "hello" {
				t.Fatalf("%.2000s", v.Raw)
			}
			if !strings.HasPrefix(v.Raw, `{"success":true,"pkcs7Info":{"signers":[`) {
				t.Errorf("%.300s", v.Raw)
			}
			signer := v.PKCS7Info.Signers[0]
			if !signer.Verified || !signer.CertificateVerified || !signer.CertificateValidAtSigningTime || signer.Certificate[0].SerialNumber != w.user.Cert.SerialHex() || signer.SigningTime != "2026-01-01 17:00:00" {
				t.Errorf("%+v", signer)
			}
		})
	}
	// The address with ?WSDL is called too.
	r := httptest.NewRequest("POST", dsv.Path+"?WSDL", strings.NewReader(dsv.Envelope("verifyPkcs7", document)))
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	if v := dsv.Cut(t, "verifyPkcs7", rec); !v.Success {
		t.Errorf("%.2000s", v.Raw)
	}
}

func TestDetachedDocumentsAreVerified(t *testing.T) {
	w := newWorld(t)
	data := base64.StdEncoding.EncodeToString([]byte("hello"))
	document := w.sign(t, w.user, "hello", true)
	if v := dsv.Cut(t, "verifyPkcs7Detached", dsv.Post(w.handler, dsv.Envelope("verifyPkcs7Detached", data, document))); !v.Success || v.PKCS7Info == nil || v.PKCS7Info.DocumentBase64 != nil {
		t.Errorf("%.2000s", v.Raw)
	}
	other := base64.StdEncoding.EncodeToString([]byte("hello!"))
	v := dsv.Cut(t, "verifyPkcs7Detached", dsv.Post(w.handler, dsv.Envelope("verifyPkcs7Detached", other, document)))
	if v.Success || v.Reason == "" || v.PKCS7Info.Signers[0].Verified {
		t.Errorf("%.2000s", v.Raw)
	}
	if v := dsv.Cut(t, "verifyPkcs7Detached", dsv.Post(w.handler, dsv.Envelope("verifyPkcs7Detached", "", w.sign(t, w.user, "", true)))); !v.Success {
		t.Errorf("an empty document: %.2000s", v.Raw)
	}
}

func TestDocumentsAreJoined(t *testing.T) {
	w := newWorld(t)
	other := w.User(t, testpki.Organisation)
	v := dsv.Cut(t, "join2Pkcs7Attached", dsv.Post(w.handler, dsv.Envelope("join2Pkcs7Attached", w.sign(t, w.user, "hello", false), w.sign(t, other, "hello", false))))
	if !v.Success || v.PKCS7B64 == "" || !strings.HasPrefix(v.Raw, `{"success":true,"pkcs7B64":"`) {
		t.Fatalf("%.2000s", v.Raw)
	}
	if v := dsv.Cut(t, "verifyPkcs7", dsv.Post(w.handler, dsv.Envelope("verifyPkcs7", v.PKCS7B64))); !v.Success || len(v.PKCS7Info.Signers) != 2 {
		t.Errorf("%.2000s", v.Raw)
	}
	v = dsv.Cut(t, "join2Pkcs7Attached", dsv.Post(w.handler, dsv.Envelope("join2Pkcs7Attached", w.sign(t, w.user, "hello", false), w.sign(t, other, "other", false))))
	if v.Success || v.Reason == "" || v.PKCS7B64 != "" {
		t.Errorf("%.2000s", v.Raw)
	}
}

func TestSuccessIsOnlyWhatTheServerCallsStatus1(t *testing.T) {
	w := newWorld(t)
	document := w.sign(t, w.user, "hello", false)
	w.trust.SetDown(true)
	v := dsv.Cut(t, "verifyPkcs7", dsv.Post(w.handler, dsv.Envelope("verifyPkcs7", document)))
	if v.Success || v.Reason == "" || !v.PKCS7Info.Signers[0].Verified {
		t.Errorf("nobody knows the status of the certificate: %.2000s", v.Raw)
	}
	w.trust.SetDown(false)
	revoked := w.User(t, testpki.Organisation)
	w.trust.Revoke(revoked.Cert, w.Now.AddDate(0, 0, -1))
	if v := dsv.Cut(t, "verifyPkcs7", dsv.Post(w.handler, dsv.Envelope("verifyPkcs7", w.sign(t, revoked, "hello", false)))); v.Success || v.PKCS7Info.Signers[0].CertificateVerified {
		t.Errorf("a revoked certificate: %.2000s", v.Raw)
	}
	for name, text := range map[string]string{
		"no base64": "ключ", "nothing": "", "no PKCS#7": "c29tZSBkb2N1bWVudA==", "two documents": document + "|" + document,
		"an escaped border": document + "%7C" + document, "detached": w.sign(t, w.user, "hello", true), "changed": flip(document),
	} {
		v := dsv.Cut(t, "verifyPkcs7", dsv.Post(w.handler, dsv.Envelope("verifyPkcs7", text)))
		if v.Success || v.Reason == "" {
			t.Errorf("%s: %.2000s", name, v.Raw)
		}
	}
	// The border cannot be moved from one argument to the other.
	data := base64.StdEncoding.EncodeToString([]byte("hello"))
	for _, border := range []string{"|", "&#124;", "%7C"} {
		v := dsv.Cut(t, "verifyPkcs7Detached", dsv.Post(w.handler, dsv.Envelope("verifyPkcs7Detached", data+border+w.sign(t, w.user, "hello", true), "")))
		if v.Success {
			t.Errorf("%s: %.2000s", border, v.Raw)
		}
	}
}

// flip changes a character within the signed content.
func flip(document string) string {
	der, err := base64.StdEncoding.DecodeString(document)
	if err != nil {
		panic(err)
	}
	i := bytes.Index(der, []byte("hello"))
	der[i] ^= 1
	return base64.StdEncoding.EncodeToString(der)
}

func TestMissingArgumentsAreNoSuccess(t *testing.T) {
	w := newWorld(t)
	for operation, calls := range map[string][]string{
		"verifyPkcs7":         {"", "<pkcs7>AA==</pkcs7>", "<PKCS7B64>AA==</PKCS7B64>"},
		"verifyPkcs7Detached": {"", "<dataB64>AA==</dataB64>", "<pkcs7B64>AA==</pkcs7B64>"},
		"join2Pkcs7Attached":  {"", "<pkcs7AttachedB64A>AA==</pkcs7AttachedB64A>"},
	} {
		for _, arguments := range calls {
			body := `<S:Envelope xmlns:S="` + soap + `"><S:Body><n:` + operation + ` xmlns:n="` + ns + `">` + arguments + `</n:` + operation + `></S:Body></S:Envelope>`
			v := dsv.Cut(t, operation, dsv.Post(w.handler, body))
			if v.Success || !strings.Contains(v.Reason, "is missing") {
				t.Errorf("%s(%s): %s", operation, arguments, v.Raw)
			}
		}
	}
}
