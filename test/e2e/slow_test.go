//go:build unix

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestTwoThousandSlowClientsCostLittleAndDisturbNobody: a thousand connections
// have sent a part of their head or nothing, a thousand more a part of a body
// that they announce as a large one. The server's memory grows by less than
// 100 MB, and log-ins and verifications of others take less than 100 ms.
func TestTwoThousandSlowClientsCostLittleAndDisturbNobody(t *testing.T) {
	const (
		each        = 1000
		mostMemory  = 100 << 20
		mostPerGood = 100 * time.Millisecond
	)
	w := newWorld(t, 1)
	s := startServer(t, w.folder("server"), properties(
		"listen.ip", "127.0.0.1", "listen.port", "0", "trust.pem.file.path", w.root,
		"ocsp.url", w.authority.OCSPURL(), "tsp.url", w.authority.TSAURL(),
	))
	document, err := w.sign(w.people[0], "some document")
	if err != nil {
		t.Fatal(err)
	}
	var stamped struct {
		PKCS7 string `json:"pkcs7b64"`
	}
	a := w.must(t, s.url+"/frontend/timestamp/pkcs7", document)
	if err := json.Unmarshal([]byte(a.body), &stamped); err != nil || a.Status != 1 {
		t.Fatalf("%v, %.300s", err, a.body)
	}
	good := func() (login, verified time.Duration) {
		t.Helper()
		begin := time.Now()
		if a, err := w.logIn(w.people[0], s.url, s.url); err != nil || a.Status != 1 {
			t.Fatalf("a log-in: %v, HTTP %d %.300s", err, a.code, a.body)
		}
		login = time.Since(begin)
		a := w.must(t, s.url+"/backend/pkcs7/verify/attached", stamped.PKCS7)
		if a.Status != 1 {
			t.Fatalf("a verification: HTTP %d %.300s", a.code, a.body)
		}
		return login, a.took
	}
	for range 5 { // what is made once does not count
		good()
	}
	before := w.sample(t, s)

	address := strings.TrimPrefix(s.url, "http://")
	part := strings.Repeat("MIIB", 1000)
	var open []net.Conn
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	for i := range 2 * each {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		open = append(open, c)
		switch i % 4 {
		case 0:
		case 1:
			fmt.Fprint(c, "POST /backend/auth HTTP/1.1\r\nHost: a\r\nX-Slow: ")
		case 2:
			fmt.Fprint(c, "POST /backend/auth HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n", part)
		case 3:
			fmt.Fprintf(c, "POST /backend/pkcs7/verify/detached HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(part), part)
		}
	}
	var logins, verified []time.Duration
	for range 50 {
		l, v := good()
		logins, verified = append(logins, l), append(verified, v)
	}
	after := w.sample(t, s)
	if n := int(after.files - before.files); n < 2*each-10 {
		t.Errorf("only %d connections are open", n)
	}
	slices.Sort(logins)
	slices.Sort(verified)
	cost := after.memory - before.memory
	t.Logf("%d slow clients cost %.0f MiB; a log-in (two requests and a signature of ours) took %s, at worst %s, a verification %s, at worst %s",
		2*each, cost/(1<<20), logins[25], logins[49], verified[25], verified[49])
	if cost > mostMemory && !raceDetector {
		t.Errorf("%d slow clients cost %.0f MiB", 2*each, cost/(1<<20))
	}
	// Of fifty, since a machine that is busy with other tests has outliers.
	if median := verified[25]; median > mostPerGood && !raceDetector {
		t.Errorf("a verification took %s", median)
	}
	if median := logins[25]; median > 2*mostPerGood && !raceDetector {
		t.Errorf("a log-in took %s", median)
	}
}
