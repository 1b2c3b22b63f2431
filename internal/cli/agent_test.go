package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"imzo/internal/testpki"
	"imzo/internal/testpki/peer"
	"imzo/pki/keystore"
)

// keyOn puts a key file in a folder.
func keyOn(t *testing.T, dir, name, password string) string {
	t.Helper()
	user := testpki.New(t, "ozdst").User(t, testpki.Person)
	alias := keystore.Alias(user.Cert, time.UTC)
	data, err := keystore.CreatePFX(rand.Reader, []keystore.Entry{{Alias: alias, Key: user.Key, Chain: user.Chain}}, password, keystore.ProfileJava8)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".pfx"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	return alias
}

// startAgent runs the command until the test ends.
func startAgent(t *testing.T, args ...string) startedAgent {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	var stderr bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		code := run(ctx, append([]string{"agent", "--json", "--ws-port", "0", "--wss-port", "0"}, args...), env{stdin: strings.NewReader(""), stdout: w, stderr: &stderr, now: time.Now})
		_ = w.Close()
		ended <- code
	}()
	t.Cleanup(func() {
		cancel()
		if code := <-ended; code != exitOK {
			t.Errorf("exit %d: %s", code, &stderr)
		}
	})
	var s startedAgent
	if err := json.NewDecoder(r).Decode(&s); err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	return s
}

func callAgent(t *testing.T, dialer *websocket.Dialer, url, plugin, name string, args ...string) map[string]any {
	t.Helper()
	c, _, err := dialer.Dial(url, http.Header{"Origin": {"http://localhost:3000"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.WriteJSON(map[string]any{"plugin": plugin, "name": name, "arguments": args}); err != nil {
		t.Fatal(err)
	}
	var reply map[string]any
	if err := c.ReadJSON(&reply); err != nil {
		t.Fatal(err)
	}
	return reply
}

const localhostKey = "96D0C1491615C82B9A54D9989779DF825B690748224C2B04F500F370D51827CE2644D8D4A82C18184D73AB8530BB8ED537269603F61DB0D03D2104ABF789970B"

func TestAHeadlessAgentSignsWithThePasswordsItWasGiven(t *testing.T) {
	dir, state := t.TempDir(), filepath.Join(t.TempDir(), "state")
	aliases := map[string]string{"DS1": keyOn(t, dir, "DS1", "first=1"), "DS2": keyOn(t, dir, "DS2", "second")}
	file := filepath.Join(t.TempDir(), "pw")
	if err := os.WriteFile(file, []byte("first=1\r\nnot this"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("IMZO_AGENT_PASSWORD", "second")
	s := startAgent(t, "--headless", "--dir", dir, "--state", state, "--password-file", "DS1="+file)
	if os.Getenv("IMZO_AGENT_PASSWORD") != "" {
		t.Error("the password stays in the environment")
	}
	ca, err := os.ReadFile(filepath.Join(state, "ca", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	secure := &websocket.Dialer{TLSClientConfig: &tls.Config{RootCAs: pool}}
	if reply := callAgent(t, secure, s.WSS, "", "apikey", "localhost", localhostKey); reply["success"] != true {
		t.Fatal(reply)
	}
	for name, alias := range aliases {
		loaded := callAgent(t, websocket.DefaultDialer, s.WS, "pfx", "load_key", dir, "", name, alias)
		id, _ := loaded["keyId"].(string)
		if reply := callAgent(t, secure, s.WSS, "pkcs7", "create_pkcs7", "AAAA", id); reply["success"] != true || reply["signature_hex"] == "" {
			t.Errorf("%s: %v %v", name, loaded, reply)
		}
	}
	log, err := os.ReadFile(filepath.Join(state, "audit.log"))
	if err != nil || bytes.Count(log, []byte("create_pkcs7")) != 2 {
		t.Errorf("%s %v", log, err)
	}
	// Nobody is asked for what is not known, and sites are not allowed.
	if reply := callAgent(t, secure, s.WSS, "randseed", "get", "netconf"); reply["success"] != false {
		t.Error(reply)
	}
}

func TestTheAgentTellsHowItIsCalledWrongly(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--language", "de"}, "ru, uz or en"},
		{[]string{"--compat", "7"}, "6, 5 or all"},
		{[]string{"--password-file", "a=b"}, "--headless"},
		{[]string{"--headless", "--password-file", "none"}, "KEY=FILE"},
		{[]string{"--headless", "--password-file", "a=" + filepath.Join(dir, "none")}, "no such file"},
		{[]string{"--ws-port", "70000"}, "port"},
		{[]string{"--dir", filepath.Join(dir, "none")}, "--dir"},
		{[]string{"more"}, ""},
	} {
		var stdout, stderr bytes.Buffer
		args := append([]string{"agent", "--state", filepath.Join(dir, "state")}, c.args...)
		if code := run(t.Context(), args, env{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, now: time.Now}); code != exitUsage || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("%v: exit %d %s", c.args, code, &stderr)
		}
	}
}

func TestBrowsersAreToldToTrustTheAgent(t *testing.T) {
	certutil := peer.Certutil(t)
	home, state := t.TempDir(), filepath.Join(t.TempDir(), "state")
	t.Setenv("HOME", home)
	t.Setenv("XDG_DATA_HOME", "")
	database := filepath.Join(home, ".pki", "nssdb")
	if err := os.MkdirAll(database, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(certutil, "-N", "--empty-password", "-d", "sql:"+database).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	trust := func(want bool, code int, args ...string) storesShown {
		t.Helper()
		var stdout, stderr bytes.Buffer
		if got := run(t.Context(), append([]string{"agent", "trust"}, append(args, "--nss", "--json", "--state", state)...), env{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, now: time.Now}); got != code {
			t.Fatalf("%v: exit %d %s%s", args, got, &stdout, &stderr)
		}
		var s storesShown
		if err := json.Unmarshal(stdout.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		if len(s.Stores) != 1 || s.Stores[0].Trusted != want {
			t.Errorf("%v: %+v", args, s)
		}
		return s
	}
	before := trust(false, exitOK, "show")
	trust(true, exitOK, "install")
	trust(true, exitOK, "show")
	if after := trust(true, exitOK, "renew"); after.Fingerprint == before.Fingerprint {
		t.Error("not renewed")
	}
	trust(false, exitOK, "remove")
}
