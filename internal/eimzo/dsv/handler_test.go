package dsv

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"imzo/internal/httpx"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// post sends an envelope.
func post(h http.Handler, text string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "http://127.0.0.1:9090"+Path, strings.NewReader(text))
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
	Raw string `json:"-"`
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
	v := reply{Raw: text}
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
		t.Errorf("%s", v.Raw)
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
		t.Error(v.Raw)
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
	rec := httptest.NewRecorder()
	httpx.Wrap(h, httpx.Options{Memory: httpx.NewMemory(1)}).ServeHTTP(rec, httptest.NewRequest("POST", Path, strings.NewReader("<a/>")))
	if rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") == "" {
		t.Errorf("no memory left: HTTP %d %s", rec.Code, rec.Header())
	}
	r := httptest.NewRequest("POST", Path, iotestReader{})
	rec = httptest.NewRecorder()
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
