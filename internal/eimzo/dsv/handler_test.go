package dsv

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"imzo/internal/eimzo/server"
	"imzo/internal/testpki"
	"imzo/internal/testpki/services"
	"imzo/pki/cms"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is the adapter before a real server.
type world struct {
	*testpki.PKI
	trust   *services.Services
	user    testpki.Entity
	handler *Handler
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{PKI: testpki.New(t, "ozdst")}
	w.trust = services.Start(w.PKI, w.Clock())
	t.Cleanup(w.trust.Close)
	config := filepath.Join(t.TempDir(), "config.properties")
	if err := os.WriteFile(config, fmt.Appendf(nil, "ocsp.url=%s\ntsp.url=%s\n", w.trust.OCSPURL, w.trust.TSAURL), 0o600); err != nil {
		t.Fatal(err)
	}
	rest, err := server.Load(config, server.Deps{Anchors: w.Anchors(), Now: w.Clock()})
	if err != nil {
		t.Fatal(err)
	}
	w.handler = New(Options{REST: rest.Handler()})
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

// post sends an envelope.
func post(h http.Handler, envelope string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "http://127.0.0.1:9090"+Path, strings.NewReader(envelope))
	r.Header.Set("Content-Type", "text/xml")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

// envelope is a call as most sites write it by hand.
func envelope(operation string, arguments ...string) string {
	o, _ := findOperation(operation)
	var out strings.Builder
	fmt.Fprintf(&out, `<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body><%s xmlns="http://v1.pkcs7.plugin.server.dsv.eimzo.yt.uz/">`, operation)
	for i, text := range arguments {
		fmt.Fprintf(&out, `<%s xmlns="">%s</%[1]s>`, o.arguments[i], text)
	}
	fmt.Fprintf(&out, `</%s></Body></Envelope>`, operation)
	return out.String()
}

type reply struct {
	Success   bool
	Reason    string
	PKCS7B64  string
	PKCS7Info *struct {
		DocumentBase64 []byte
		Signers        []struct {
			Verified, CertificateVerified, CertificateValidAtSigningTime bool
			Certificate                                                  []struct{ SerialNumber, SubjectName, ValidFrom, ValidTo string }
			SigningTime, Exception                                       string
		}
	}
	raw string
}

// cut takes the JSON of an answer in the way of clients that know no XML.
func cut(t *testing.T, operation string, rec *httptest.ResponseRecorder) reply {
	t.Helper()
	body := rec.Body.String()
	head := `<?xml version="1.0" ?><S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><ns2:` + operation + `Response xmlns:ns2="http://v1.pkcs7.plugin.server.dsv.eimzo.yt.uz/"><return>`
	tail := `</return></ns2:` + operation + `Response></S:Body></S:Envelope>`
	if rec.Code != http.StatusOK || !strings.HasPrefix(body, head) || !strings.HasSuffix(body, tail) {
		t.Fatalf("HTTP %d %.2000s", rec.Code, body)
	}
	if got := rec.Header().Get("Content-Type"); got != "text/xml; charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
	text := strings.TrimSuffix(strings.TrimPrefix(body, head), tail)
	v := reply{raw: text}
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %.2000s", err, text)
	}
	// Clients with an XML parser, those with a regular expression and those
	// that drop whatever stands between < and > get the same.
	var parsed struct {
		Body struct {
			Inner struct {
				Return string `xml:"return"`
			} `xml:",any"`
		} `xml:"http://schemas.xmlsoap.org/soap/envelope/ Body"`
	}
	if err := xml.Unmarshal(rec.Body.Bytes(), &parsed); err != nil || parsed.Body.Inner.Return != text {
		t.Errorf("an XML parser finds %.300q, %v", parsed.Body.Inner.Return, err)
	}
	if m := regexp.MustCompile(`(?is)<return>(.*?)</return>`).FindStringSubmatch(body); m == nil || m[1] != text {
		t.Error("the regular expression of a client finds something else")
	}
	if got := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(body, ""); got != text {
		t.Errorf("without tags: %.300q", got)
	}
	return v
}

func faultOf(t *testing.T, rec *httptest.ResponseRecorder) (code, text string) {
	t.Helper()
	var parsed struct {
		Body struct {
			Fault struct {
				Code string `xml:"faultcode"`
				Text string `xml:"faultstring"`
			} `xml:"http://schemas.xmlsoap.org/soap/envelope/ Fault"`
		} `xml:"http://schemas.xmlsoap.org/soap/envelope/ Body"`
	}
	if err := xml.Unmarshal(rec.Body.Bytes(), &parsed); err != nil {
		t.Fatalf("%v in %.2000s", err, rec.Body)
	}
	if rec.Code != http.StatusInternalServerError || rec.Header().Get("Content-Type") != "text/xml; charset=utf-8" {
		t.Errorf("HTTP %d %s", rec.Code, rec.Header())
	}
	return parsed.Body.Fault.Code, parsed.Body.Fault.Text
}

func TestCallsOfOldClientsAreAnswered(t *testing.T) {
	w := newWorld(t)
	document := w.sign(t, w.user, "hello", false)
	const soap, ns = soapNamespace, serviceNamespace
	hundred := regexp.MustCompile(`.{76}`).ReplaceAllString(document, "$0\r\n")
	for name, c := range map[string]struct {
		body    string
		headers []string
	}{
		"PHP's string in one line":    {envelope("verifyPkcs7", document), []string{"Content-Type", `text/xml; charset="UTF-8"`}},
		"Python's indented text":      {"\n    <Envelope xmlns=\"" + soap + "\">\n <Body>\n <verifyPkcs7 xmlns=\"" + ns + "\">\n  <pkcs7B64 xmlns=\"\">" + document + "</pkcs7B64 >\n </verifyPkcs7 >\n </Body>\n </Envelope> ", []string{"Accept", "application/json"}},
		"space around the base64":     {envelope("verifyPkcs7", " \n    "+document+"\n   "), nil},
		"base64 in lines":             {envelope("verifyPkcs7", hundred), nil},
		"the media type of SOAP 1.2":  {envelope("verifyPkcs7", document), []string{"Content-Type", "application/soap+xml"}},
		"no media type":               {envelope("verifyPkcs7", document), []string{"Content-Type", ""}},
		"a form's media type":         {envelope("verifyPkcs7", document), []string{"Content-Type", "application/x-www-form-urlencoded"}},
		"PHP's SoapClient":            {`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<SOAP-ENV:Envelope xmlns:SOAP-ENV="` + soap + `" xmlns:ns1="` + ns + `"><SOAP-ENV:Body><ns1:verifyPkcs7><pkcs7B64>` + document + `</pkcs7B64></ns1:verifyPkcs7></SOAP-ENV:Body></SOAP-ENV:Envelope>` + "\n", []string{"SOAPAction", `""`, "Content-Type", "text/xml; charset=utf-8", "User-Agent", "PHP-SOAP/7.4"}},
		"Java's JAX-WS":               {`<?xml version="1.0" ?><S:Envelope xmlns:S="` + soap + `"><S:Body><ns2:verifyPkcs7 xmlns:ns2="` + ns + `"><pkcs7B64>` + document + `</pkcs7B64></ns2:verifyPkcs7></S:Body></S:Envelope>`, []string{"SOAPAction", `"` + ns + `Pkcs7/verifyPkcs7Request"`, "Accept", "text/xml, multipart/related"}},
		".NET's WCF":                  {`<s:Envelope xmlns:s="` + soap + `"><s:Header><ActivityId CorrelationId="x" xmlns="http://schemas.microsoft.com/2004/09/ServiceModel/Diagnostics">y</ActivityId></s:Header><s:Body xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"><verifyPkcs7 xmlns="` + ns + `"><pkcs7B64 xmlns="">` + document + `</pkcs7B64></verifyPkcs7></s:Body></s:Envelope>`, nil},
		"node's soap":                 {`<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="` + soap + `"  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:tns="` + ns + `"><soap:Body><tns:verifyPkcs7><pkcs7B64>` + document + `</pkcs7B64></tns:verifyPkcs7></soap:Body></soap:Envelope>`, nil},
		"an argument with the prefix": {`<e:Envelope xmlns:e="` + soap + `" xmlns:n="` + ns + `"><e:Body><n:verifyPkcs7><n:pkcs7B64>` + document + `</n:pkcs7B64></n:verifyPkcs7></e:Body></e:Envelope>`, nil},
		"an empty header":             {`<e:Envelope xmlns:e="` + soap + `"><e:Header/><e:Body><verifyPkcs7 xmlns="` + ns + `"><pkcs7B64 xmlns="">` + document + `</pkcs7B64></verifyPkcs7></e:Body></e:Envelope>`, nil},
		"CDATA and comments":          {`<!-- a --><e:Envelope xmlns:e="` + soap + `"><e:Body><verifyPkcs7 xmlns="` + ns + `"><!-- b --><pkcs7B64 xmlns=""><![CDATA[` + document + `]]></pkcs7B64></verifyPkcs7></e:Body></e:Envelope>`, nil},
		"character references":        {envelope("verifyPkcs7", "&#x4D;"+document[1:]), nil},
		"a byte order mark":           {"\xef\xbb\xbf" + envelope("verifyPkcs7", document), nil},
		"Windows-1251":                {`<?xml version="1.0" encoding="windows-1251"?><!-- ` + "\xef\xf0\xe8" + ` -->` + envelope("verifyPkcs7", document), nil},
		"the percent-encoded form":    {envelope("verifyPkcs7", strings.ReplaceAll(document, "+", "%2B")), nil},
	} {
		t.Run(name, func(t *testing.T) {
			v := cut(t, "verifyPkcs7", post(w.handler, c.body, c.headers...))
			if !v.Success || v.Reason != "" || v.PKCS7Info == nil || string(v.PKCS7Info.DocumentBase64) != "hello" {
				t.Fatalf("%.2000s", v.raw)
			}
			if !strings.HasPrefix(v.raw, `{"success":true,"pkcs7Info":{"signers":[`) {
				t.Errorf("%.300s", v.raw)
			}
			signer := v.PKCS7Info.Signers[0]
			if !signer.Verified || !signer.CertificateVerified || !signer.CertificateValidAtSigningTime || signer.Certificate[0].SerialNumber != w.user.Cert.SerialHex() || signer.SigningTime != "2026-01-01 17:00:00" {
				t.Errorf("%+v", signer)
			}
		})
	}
	// The address with ?WSDL is called too.
	r := httptest.NewRequest("POST", Path+"?WSDL", strings.NewReader(envelope("verifyPkcs7", document)))
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	if v := cut(t, "verifyPkcs7", rec); !v.Success {
		t.Errorf("%.2000s", v.raw)
	}
}

func TestDetachedDocumentsAreVerified(t *testing.T) {
	w := newWorld(t)
	data := base64.StdEncoding.EncodeToString([]byte("hello"))
	document := w.sign(t, w.user, "hello", true)
	if v := cut(t, "verifyPkcs7Detached", post(w.handler, envelope("verifyPkcs7Detached", data, document))); !v.Success || v.PKCS7Info == nil || v.PKCS7Info.DocumentBase64 != nil {
		t.Errorf("%.2000s", v.raw)
	}
	other := base64.StdEncoding.EncodeToString([]byte("hello!"))
	v := cut(t, "verifyPkcs7Detached", post(w.handler, envelope("verifyPkcs7Detached", other, document)))
	if v.Success || v.Reason == "" || v.PKCS7Info.Signers[0].Verified {
		t.Errorf("%.2000s", v.raw)
	}
	if v := cut(t, "verifyPkcs7Detached", post(w.handler, envelope("verifyPkcs7Detached", "", w.sign(t, w.user, "", true)))); !v.Success {
		t.Errorf("an empty document: %.2000s", v.raw)
	}
}

func TestDocumentsAreJoined(t *testing.T) {
	w := newWorld(t)
	other := w.User(t, testpki.Organisation)
	v := cut(t, "join2Pkcs7Attached", post(w.handler, envelope("join2Pkcs7Attached", w.sign(t, w.user, "hello", false), w.sign(t, other, "hello", false))))
	if !v.Success || v.PKCS7B64 == "" || !strings.HasPrefix(v.raw, `{"success":true,"pkcs7B64":"`) {
		t.Fatalf("%.2000s", v.raw)
	}
	if v := cut(t, "verifyPkcs7", post(w.handler, envelope("verifyPkcs7", v.PKCS7B64))); !v.Success || len(v.PKCS7Info.Signers) != 2 {
		t.Errorf("%.2000s", v.raw)
	}
	v = cut(t, "join2Pkcs7Attached", post(w.handler, envelope("join2Pkcs7Attached", w.sign(t, w.user, "hello", false), w.sign(t, other, "other", false))))
	if v.Success || v.Reason == "" || v.PKCS7B64 != "" {
		t.Errorf("%.2000s", v.raw)
	}
}

func TestSuccessIsOnlyWhatTheServerCallsStatus1(t *testing.T) {
	w := newWorld(t)
	document := w.sign(t, w.user, "hello", false)
	w.trust.SetDown(true)
	v := cut(t, "verifyPkcs7", post(w.handler, envelope("verifyPkcs7", document)))
	if v.Success || v.Reason == "" || !v.PKCS7Info.Signers[0].Verified {
		t.Errorf("nobody knows the status of the certificate: %.2000s", v.raw)
	}
	w.trust.SetDown(false)
	revoked := w.User(t, testpki.Organisation)
	w.trust.Revoke(revoked.Cert, w.Now.AddDate(0, 0, -1))
	if v := cut(t, "verifyPkcs7", post(w.handler, envelope("verifyPkcs7", w.sign(t, revoked, "hello", false)))); v.Success || v.PKCS7Info.Signers[0].CertificateVerified {
		t.Errorf("a revoked certificate: %.2000s", v.raw)
	}
	for name, text := range map[string]string{
		"no base64": "ключ", "nothing": "", "no PKCS#7": "c29tZSBkb2N1bWVudA==", "two documents": document + "|" + document,
		"an escaped border": document + "%7C" + document, "detached": w.sign(t, w.user, "hello", true), "changed": flip(document),
	} {
		v := cut(t, "verifyPkcs7", post(w.handler, envelope("verifyPkcs7", text)))
		if v.Success || v.Reason == "" {
			t.Errorf("%s: %.2000s", name, v.raw)
		}
	}
	// The border cannot be moved from one argument to the other.
	data := base64.StdEncoding.EncodeToString([]byte("hello"))
	for _, border := range []string{"|", "&#124;", "%7C"} {
		v := cut(t, "verifyPkcs7Detached", post(w.handler, envelope("verifyPkcs7Detached", data+border+w.sign(t, w.user, "hello", true), "")))
		if v.Success {
			t.Errorf("%s: %.2000s", border, v.raw)
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
			body := `<S:Envelope xmlns:S="` + soapNamespace + `"><S:Body><n:` + operation + ` xmlns:n="` + serviceNamespace + `">` + arguments + `</n:` + operation + `></S:Body></S:Envelope>`
			v := cut(t, operation, post(w.handler, body))
			if v.Success || !strings.Contains(v.Reason, "is missing") {
				t.Errorf("%s(%s): %s", operation, arguments, v.raw)
			}
		}
	}
}

func TestSigningIsRefusedForWantOfAKey(t *testing.T) {
	code, text := faultOf(t, post(New(Options{REST: http.NotFoundHandler()}), envelope("createPkcs7", "c29tZSBkb2N1bWVudA==", "key")))
	if code != "S:Server" || !strings.Contains(text, "no key to sign with") {
		t.Errorf("%s %s", code, text)
	}
}

func TestAnswersOfHTTPArePassedOn(t *testing.T) {
	var status int
	rest := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(status)
		w.WriteHeader(http.StatusOK) // does not count any more
		_, _ = io.WriteString(w, "a 'reason' & more\n")
	})
	call := envelope("verifyPkcs7", "AA==")
	for _, status = range []int{401, 403, 404, 413, 429} {
		rec := post(New(Options{REST: rest}), call)
		if rec.Code != status || rec.Header().Get("Retry-After") != "7" || rec.Body.String() != "a 'reason' & more\n" {
			t.Errorf("HTTP %d: %d %s", status, rec.Code, rec.Body)
		}
	}
	for _, status = range []int{500, 503} {
		if code, text := faultOf(t, post(New(Options{REST: rest}), call)); code != "S:Server" || text != "a 'reason' & more" {
			t.Errorf("HTTP %d: %s %s", status, code, text)
		}
	}
	status = 400
	if v := cut(t, "verifyPkcs7", post(New(Options{REST: rest}), call)); v.Success || v.Reason != "a 'reason' & more" {
		t.Errorf("%s", v.raw)
	}
	status = 200 // and no JSON
	if code, text := faultOf(t, post(New(Options{REST: rest}), call)); code != "S:Server" || !strings.Contains(text, "internal error") {
		t.Errorf("%s %s", code, text)
	}
}

func TestHeadersComeWithTheRequestAndThoseOfTheEnvelopeDoNot(t *testing.T) {
	var got *http.Request
	var body []byte
	rest := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		_, _ = io.WriteString(w, `{"status":1,"message":""}`)
	})
	rec := post(New(Options{REST: rest}), envelope("verifyPkcs7Detached", "QQ==", "Qg=="),
		"Authorization", "Bearer x", "X-Real-IP", "1.2.3.4", "X-Real-Host", "example.uz", "Accept-Language", "uz", "SOAPAction", "y", "Content-Type", "multipart/form-data; boundary=x", "Accept", "text/html")
	if v := cut(t, "verifyPkcs7Detached", rec); !v.Success {
		t.Error(v.raw)
	}
	if got.Method != "POST" || got.URL.String() != "/backend/pkcs7/verify/detached" || got.Host != "127.0.0.1:9090" || string(body) != "QQ==|Qg==" || got.ContentLength != 9 {
		t.Errorf("%s %s %s %q", got.Method, got.URL, got.Host, body)
	}
	for name, want := range map[string]string{"Authorization": "Bearer x", "X-Real-IP": "1.2.3.4", "X-Real-Host": "example.uz", "Accept-Language": "uz", "SOAPAction": "", "Content-Type": "text/plain", "Accept": ""} {
		if got.Header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Header.Get(name), want)
		}
	}
}

func TestJSONStaysItselfWithinXML(t *testing.T) {
	for _, text := range []string{`a<b>&"'` + "\u2028\ufffe\uffff\t\n Ўзбекча 😀 ]]>", "", "\x00\x1f\x7f"} {
		message, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		raw := &bytes.Buffer{} // as other writers of JSON would: nothing escaped that need not be
		encoder := json.NewEncoder(raw)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(text); err != nil {
			t.Fatal(err)
		}
		for _, message := range [][]byte{message, raw.Bytes()} {
			rest := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprintf(w, `{"status":-10,"message":%s,"pkcs7Info":null}`, message)
			})
			if v := cut(t, "verifyPkcs7", post(New(Options{REST: rest}), envelope("verifyPkcs7", "AA=="))); v.Reason != text || v.Success {
				t.Errorf("got %q, want %q", v.Reason, text)
			}
		}
	}
}

func TestLargeRequestsAreRefused(t *testing.T) {
	h := New(Options{REST: http.NotFoundHandler(), MaxBody: 1000})
	if rec := post(h, strings.Repeat(" ", 1001)); rec.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("HTTP %d", rec.Code)
	}
	r := httptest.NewRequest("POST", Path, iotestReader{})
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	if rec.Code != http.StatusBadRequest {
		t.Errorf("a body that breaks off: HTTP %d", rec.Code)
	}
}

type iotestReader struct{}

func (iotestReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestOtherMethodsAreRefused(t *testing.T) {
	h := New(Options{REST: http.NotFoundHandler()})
	for _, c := range [][2]string{{"GET", Path}, {"PUT", Path}, {"GET", Path + "?x"}, {"DELETE", Path + "?wsdl"}} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(c[0], c[1], nil))
		if rec.Code != http.StatusMethodNotAllowed || rec.Header().Get("Allow") == "" {
			t.Errorf("%s %s: HTTP %d", c[0], c[1], rec.Code)
		}
	}
}
