//go:build unix

package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"imzo/internal/testpki/peer"
	"imzo/pki/cms"
	"imzo/pki/keystore"
)

// TestNothingSecretLeavesTheServer puts passwords, keys and documents into
// everything a server reads, makes it succeed and fail in every way there is,
// and looks for them in its logs at the finest level, its metrics, its health
// and its refusals.
func TestNothingSecretLeavesTheServer(t *testing.T) {
	const (
		token         = "tokensecret-0123456789abcdef"
		redisPassword = "redissecret-0123456789"
		keyPassword   = "keysecret-0123456789"
		marker        = "CONTENTSECRET of a contract between two parties"
	)
	w := newWorld(t, 2)
	redis := peer.Redis(t)
	redisAs(t, redis, "", "CONFIG SET requirepass "+redisPassword)
	folder := w.folder("server")
	// A key of the trust link that is a person's: it is read, and refused.
	key, err := keystore.MarshalPKCS8(w.people[0].Key)
	if err != nil {
		t.Fatal(err)
	}
	config := properties(
		"listen.ip", "127.0.0.1", "listen.port", "0", "trust.pem.file.path", w.root, "backend.token", token,
		"cache.type", "redis", "cache.redis.host", "127.0.0.1", "cache.redis.port", strings.TrimPrefix(redis.Addr(), "127.0.0.1:"), "cache.redis.password", redisPassword,
		"ocsp.url", w.authority.OCSPURL(), "tsp.url", w.authority.TSAURL(), "log.level", "debug", "log.format", "json", "dsv.enabled", "yes",
		"limits.challenge.per.minute", "100000", "limits.body.bytes", "100000",
	)
	s := startServer(t, folder, config)
	auth := []string{"Authorization", "Bearer " + token, "Host", "example.uz", "X-Real-IP", "192.0.2.1"}

	var replies strings.Builder
	ask := func(path, body string, headers ...string) answer {
		t.Helper()
		a := w.must(t, s.url+path, body, headers...)
		// A verified document is in its reply, where it belongs, and so is
		// one that was rewritten.
		if a.Status != 1 {
			fmt.Fprintln(&replies, a.code, a.header, a.body)
		}
		return a
	}
	plain, err := w.sign(w.people[0], marker)
	if err != nil {
		t.Fatal(err)
	}
	separateDER, err := cms.Sign([]byte(marker), []cms.Signer{{Key: w.people[0].Key, Chain: w.people[0].Chain, SigningTime: time.Now()}}, cms.Options{Detached: true})
	if err != nil {
		t.Fatal(err)
	}
	separate := base64.StdEncoding.EncodeToString(separateDER)
	content := base64.StdEncoding.EncodeToString([]byte(marker))
	scenario := func(what string) {
		challenge := ask("/frontend/challenge", "").Challenge
		if what == "well" {
			login, err := w.sign(w.people[0], challenge)
			if err != nil {
				t.Fatal(err)
			}
			if a := ask("/backend/auth", login, auth...); a.Status != 1 {
				t.Errorf("a log-in: %+v", a)
			}
			ask("/backend/auth", login, auth...)
		}
		for _, path := range []string{"/backend/auth", "/backend/pkcs7/verify/attached", "/frontend/timestamp/pkcs7", "/frontend/timestamp/data"} {
			ask(path, plain, auth...)
			ask(path, content, auth...)
			ask(path, marker, auth...) // no base64
			ask(path, plain[:len(plain)/2], auth...)
			ask(path, plain) // no token
		}
		for _, path := range []string{"/backend/pkcs7/verify/detached", "/frontend/pkcs7/make-attached", "/frontend/pkcs7/join"} {
			ask(path, content+"|"+separate, auth...)
			ask(path, content+content+"|"+separate, auth...)
			ask(path, content+"|"+content, auth...)
			ask(path, content, auth...)
			ask(path, plain+"|"+separate, auth...)
		}
		ask("/backend/pkcs7/verify/attached", strings.Repeat(content, 2000), auth...) // too large
		ask("/dsvs/pkcs7/v1", "<x>"+marker+"</x>", append(auth, "Content-Type", "text/xml")...)
		for _, path := range []string{"/healthz/live", "/healthz/ready", "/metrics", "/info", "/ping"} {
			res, err := w.client.Get(s.url + path)
			if err != nil {
				t.Fatal(err)
			}
			page, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			replies.Write(page)
		}
	}
	scenario("well")
	if _, err := w.authority.Revoke(w.people[0].Chain[0].SerialHex(), "keyCompromise"); err != nil {
		t.Fatal(err)
	}
	scenario("a revoked certificate")
	redis.Stop()
	w.stopServices()
	scenario("nobody there")
	s.signal(t, syscall.SIGHUP)
	s.await(t, "SIGHUP")
	s.stop(t)

	// Starts that fail.
	starts := new(strings.Builder)
	bad := filepath.Join(folder, "key.pem")
	if err := os.WriteFile(bad, key, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, more := range []string{
		properties("vpn.connect.host", "127.0.0.1", "vpn.key.file.path", bad, "vpn.key.password", keyPassword, "vpn.truststore.file.path", w.root, "vpn.truststore.password", keyPassword),
		properties("tsp.jks.file.path", bad, "tsp.jks.file.password", keyPassword),
		properties("backend.token", "tokensecret"),
	} {
		path := filepath.Join(folder, "bad.properties")
		if err := os.WriteFile(path, []byte(config+more), 0o600); err != nil {
			t.Fatal(err)
		}
		p := launch(t, "KILL", nil, imzo, "server", "--check", path)
		waitEnd(t, p)
		starts.WriteString(p.log.String())
	}
	if !strings.Contains(starts.String(), "error: ") {
		t.Errorf("nothing was wrong: %s", starts)
	}

	secrets := map[string]string{
		"the token": token, "the password of Redis": redisPassword, "the password of the key": keyPassword,
		"content": marker[:13], "content in base64": content[:16], "a document": plain[40:80],
	}
	// Whatever of the key is not in its certificate, too.
	for i := 0; i+16 <= len(key); i += 8 {
		if part := key[i : i+16]; !bytes.Contains(w.people[0].Chain[0].Raw, part) {
			secrets[fmt.Sprintf("octets %d of a key", i)] = hex.EncodeToString(part)
			secrets[fmt.Sprintf("octets %d of a key in base64", i)] = base64.StdEncoding.EncodeToString(part)[:20]
		}
	}
	for name, text := range map[string]string{"log": s.log.String(), "replies": replies.String(), "starts": starts.String()} {
		if len(text) < 300 {
			t.Errorf("%s: only %q", name, text)
		}
		for what, secret := range secrets {
			if i := strings.Index(strings.ToLower(text), strings.ToLower(secret)); i >= 0 {
				t.Errorf("%s in %s: ...%.200s", what, name, text[max(0, i-100):])
			}
		}
	}
}

// waitEnd waits until a process has ended by itself.
func waitEnd(t *testing.T, p *process) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); p.running(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s does not end: %s", p.name, p.log.String())
		}
	}
}
