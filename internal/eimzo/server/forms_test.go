package server

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"imzo/internal/httpx"
	"imzo/internal/testpki"
)

// clientForms are requests as the clients that are in use put them on the
// line. {path}, {body} and {length} stand for what differs from call to call;
// what a client sends in place of the text of the body is in encode.
var clientForms = []struct {
	name    string
	request string
	encode  func(body string) string
}{
	{
		name:    "curl -d, as the guide shows it",
		request: "POST {path} HTTP/1.1\r\nHost: example.uz\r\nUser-Agent: curl/7.79.1\r\nAccept: */*\r\nX-Real-IP: 1.2.3.4\r\nContent-Length: {length}\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
	}, {
		name:    "curl with a large body, which waits to be asked for it",
		request: "POST {path} HTTP/1.1\r\nHost: example.uz\r\nUser-Agent: curl/7.61.1\r\nAccept: */*\r\nContent-Length: {length}\r\nContent-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\n\r\n{body}",
	}, {
		name:    "PHP's curl with the headers of the demo site",
		request: "POST {path} HTTP/1.1\r\nHost: example.uz\r\nAccept: */*\r\nX-Real-IP: 127.0.0.1\r\nContent-Length: {length}\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
	}, {
		name:    "PHP's streams",
		request: "POST {path} HTTP/1.0\r\nHost: example.uz\r\nConnection: close\r\nContent-Length: {length}\r\nContent-type: application/x-www-form-urlencoded\r\n\r\n{body}",
	}, {
		name:    "the demo page's script through nginx",
		request: "POST {path} HTTP/1.0\r\nHost: example.uz\r\nX-Real-IP: 203.0.113.7\r\nX-Forwarded-For: 203.0.113.7\r\nConnection: close\r\nContent-Length: {length}\r\nX-Requested-With: XMLHttpRequest\r\nContent-type: application/x-www-form-urlencoded; charset=UTF-8\r\nOrigin: https://example.uz\r\nReferer: https://example.uz/demo/\r\nCookie: PHPSESSID=x\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate, br\r\nAccept-Language: ru-RU,ru;q=0.9,en-US;q=0.8\r\n\r\n{body}",
	}, {
		name:    "the official Java client",
		request: "POST {path} HTTP/1.1\r\nX-Real-IP: 1.2.3.4\r\nX-Forwarded-Host: example.uz\r\nX-Real-Host: example.uz\r\nContent-Type: application/octet-stream\r\nContent-Length: {length}\r\nUser-Agent: Java/1.8.0_322\r\nHost: 127.0.0.1:8080\r\nAccept: text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2\r\nConnection: keep-alive\r\n\r\n{body}",
	}, {
		name:    ".NET's HttpClient",
		request: "POST {path} HTTP/1.1\r\nHost: example.uz:8443\r\nX-Real-IP: 127.0.0.1\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\r\n{body}",
	}, {
		name:    ".NET's StreamContent, in chunks",
		request: "POST {path} HTTP/1.1\r\nHost: example.uz\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n{body}",
		encode:  chunks,
	}, {
		name:    "Laravel's Guzzle",
		request: "POST {path} HTTP/1.1\r\nContent-Length: {length}\r\nUser-Agent: GuzzleHttp/7\r\nContent-Type: text/plain\r\nHost: example.uz\r\nX-Real-IP: 10.0.0.5\r\n\r\n{body}",
	}, {
		name:    "Yii2 with its own media type and no address",
		request: "POST {path} HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/text\r\nContent-Length: {length}\r\n\r\n{body}",
	}, {
		name:    "a client that sends a URL as Host",
		request: "POST {path} HTTP/1.1\r\nHost: http://localhost/frontend/challenge\r\nX-Real-IP: 0:0:0:0:0:0:0:1\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}",
	}, {
		name:    "an address with a port, IPv6 and a list of proxies",
		request: "POST {path} HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\nX-Real-IP: [2001:db8::2]:443\r\nX-Forwarded-For: unknown, 10.0.0.1, 203.0.113.7\r\nContent-Length: {length}\r\n\r\n{body}",
	}, {
		name:    "headers that say nothing",
		request: "POST {path} HTTP/1.1\r\nHost: \r\nX-Real-IP: \r\nX-Real-Host: \r\nContent-Type: \r\nContent-Length: {length}\r\n\r\n{body}",
	}, {
		name:    "no Host, as HTTP/1.0 allows",
		request: "POST {path} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}",
	}, {
		name:    "the whole address in the first line, as proxies get it",
		request: "POST http://example.uz:8080{path} HTTP/1.1\r\nHost: example.uz:8080\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}",
	}, {
		name:    "a query nobody asked for",
		request: "POST {path}?_uc=1700000000000_0.123&pkcs7=x HTTP/1.1\r\nHost: example.uz\r\nContent-Length: {length}\r\n\r\n{body}",
	}, {
		name:    "a form encoder that encodes the one value it is given",
		request: "POST {path} HTTP/1.1\r\nHost: example.uz\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{body}",
		encode:  url.QueryEscape,
	}, {
		name:    "lines as mail has them, and one at the end",
		request: "POST {path} HTTP/1.1\r\nHost: example.uz\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}",
		encode: func(body string) string {
			var out strings.Builder
			for len(body) > 76 {
				out.WriteString(body[:76] + "\r\n")
				body = body[76:]
			}
			return out.String() + body + "\n"
		},
	}, {
		name:    "a base64 library for the Web",
		request: "POST {path} HTTP/1.1\r\nHost: example.uz\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}",
		encode:  func(body string) string { return strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(body) },
	}, {
		name:    "another method, as gateways rewrite it",
		request: "PUT {path} HTTP/1.1\r\nHost: example.uz\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}",
	},
}

// chunks sends a body in pieces that fall anywhere (RFC 9112 7.1).
func chunks(body string) string {
	var out strings.Builder
	for len(body) > 0 {
		n := min(len(body), 1000)
		fmt.Fprintf(&out, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	return out.String() + "0\r\n\r\n"
}

// TestRequestsOfClientsInUse sends every form to every endpoint with a body,
// over real connections.
func TestRequestsOfClientsInUse(t *testing.T) {
	w := newWorld(t)
	address := w.listen(t)
	content := b64([]byte("some document"))
	other := w.User(t, testpki.Organisation)
	calls := map[string]func() string{
		pathAuth:     func() string { return b64(w.sign(t, w.challenge(t))) },
		pathAttached: func() string { return b64(w.sign(t, "some document")) },
		pathDetached: func() string { return content + "|" + b64(w.sign(t, "some document", detached)) },
		pathStamp:    func() string { return b64(w.sign(t, "some document")) },
		pathData:     func() string { return content },
		pathMake:     func() string { return content + "|" + b64(w.sign(t, "some document", detached)) },
		pathJoin:     func() string { return b64(w.sign(t, "x")) + "|" + b64(w.signAs(t, other, "x")) },
	}
	for _, form := range clientForms {
		t.Run(form.name, func(t *testing.T) {
			for path, body := range calls {
				text := body()
				if form.encode != nil {
					text = form.encode(text)
				}
				request := strings.NewReplacer("{path}", path, "{length}", strconv.Itoa(len(text)), "{body}", text).Replace(form.request)
				status, header, answer := exchange(t, address, request)
				var v reply
				if err := json.Unmarshal([]byte(answer), &v); err != nil || status != http.StatusOK || v.Status != statusOK {
					t.Errorf("%s: HTTP %d %.300s", path, status, answer)
				}
				if got := header.Get("Content-Type"); got != "application/json; charset=UTF-8" {
					t.Errorf("%s: Content-Type %q", path, got)
				}
			}
		})
	}
}

func TestRequestsWithoutABodyOfClientsInUse(t *testing.T) {
	w := newWorld(t)
	address := w.listen(t)
	for _, path := range []string{"/ping", "/info", "/frontend/challenge", "/frontend/challenge?_uc=1700000000000_0.123", "/frontend/challenge?", "/frontend/challenge?%zz"} {
		for name, request := range map[string]string{
			"a browser":             "GET " + path + " HTTP/1.1\r\nHost: example.uz\r\nAccept-Encoding: gzip\r\nX-Requested-With: XMLHttpRequest\r\n\r\n",
			"nginx":                 "GET " + path + " HTTP/1.0\r\nHost: example.uz\r\nX-Real-IP: 1.2.3.4\r\nX-Forwarded-For: 1.2.3.4\r\nConnection: close\r\n\r\n",
			"the diagram's POST":    "POST " + path + " HTTP/1.1\r\nHost: example.uz\r\nContent-Length: 0\r\n\r\n",
			"a POST with no length": "POST " + path + " HTTP/1.1\r\nHost: example.uz\r\n\r\n",
			"a POST with a body":    "POST " + path + " HTTP/1.1\r\nHost: example.uz\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=b",
			"a health check":        "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: Wget\r\nConnection: close\r\n\r\n",
		} {
			status, header, answer := exchange(t, address, request)
			if status != http.StatusOK || !json.Valid([]byte(answer)) || header.Get("Cache-Control") != "no-store" || header.Get("Content-Encoding") != "" {
				t.Errorf("%s, %s: HTTP %d %s %s", path, name, status, header, answer)
			}
		}
		status, _, answer := exchange(t, address, "HEAD "+path+" HTTP/1.1\r\nHost: example.uz\r\n\r\n")
		if status != http.StatusOK || answer != "" {
			t.Errorf("HEAD %s: HTTP %d %q", path, status, answer)
		}
	}
	// The demo's script turns a POST of nothing into a GET.
	for _, path := range []string{pathStamp, pathAuth, pathAttached, pathDetached, pathMake, pathJoin, pathData} {
		status, _, answer := exchange(t, address, "GET "+path+" HTTP/1.1\r\nHost: example.uz\r\nContent-type: application/x-www-form-urlencoded; charset=UTF-8\r\n\r\n")
		if status != http.StatusBadRequest || strings.TrimSpace(answer) == "" || strings.ContainsAny(strings.TrimSpace(answer), "\"\n") {
			t.Errorf("GET %s: HTTP %d %q", path, status, answer)
		}
	}
}

func TestOneConnectionCarriesManyRequests(t *testing.T) {
	w := newWorld(t)
	conn := dial(t, w.listen(t))
	lines := bufio.NewReader(conn)
	for i := range 5 {
		body := b64(w.sign(t, strings.Repeat("x", 1000*i)))
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: http://example.uz/\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n%s", pathAttached, len(body), body)
		response, err := http.ReadResponse(lines, nil)
		if err != nil {
			t.Fatal(err)
		}
		var v reply
		if err := json.NewDecoder(response.Body).Decode(&v); err != nil || v.Status != statusOK {
			t.Errorf("request %d: %v %+v", i, err, v.result)
		}
		response.Body.Close()
	}
}

func TestDocumentsOfTensOfMegabytesAreTaken(t *testing.T) {
	w := newWorldOf(t, testpki.New(t, "ecdsa:P-256")) // its hash is fast under the race detector too
	content := strings.Repeat("0123456789abcdef", 40<<20/16)
	v := w.post(t, pathDetached, b64([]byte(content))+"|"+b64(w.sign(t, content, detached)))
	if v.Status != statusOK {
		t.Errorf("%.300s", v.raw)
	}
}

// listen serves the world's server as it is served in life.
func (w *world) listen(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- httpx.Serve(ctx, ln, w.server.Handler(), httpx.Options{LenientHost: true})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String()
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// exchange sends the octets of a request and reads the answer.
func exchange(t *testing.T, address, request string) (status int, header http.Header, body string) {
	t.Helper()
	conn := dial(t, address)
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	lines := bufio.NewReader(conn)
	response, err := http.ReadResponse(lines, &http.Request{Method: method})
	for err == nil && response.StatusCode == http.StatusContinue {
		response, err = http.ReadResponse(lines, &http.Request{Method: method})
	}
	if err != nil {
		t.Fatalf("%v after %.200q", err, request)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(text)
}
