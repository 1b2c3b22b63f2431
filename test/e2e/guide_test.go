//go:build unix

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"imzo/internal/testpki/peer"
	"imzo/internal/trust"
	"imzo/pki/cert"
	"imzo/pki/keystore"
)

// What the guide's config.properties says, and a customer has in keys/.
const (
	guideKey         = "keys/example.uz-2022-10-24.key"
	guideKeyPassword = "19E581A1AF9382F0"
	guideVPNStore    = "keys/vpn.jks"
	guideTrustStore  = "keys/truststore.jks"
	// storePassword is the one that the original tries when none is set.
	storePassword = "12345678"
)

// guideFolder is the folder of a customer of the original: its configuration,
// the client key as PKCS#12, and two trust stores that the real keytool made.
func guideFolder(t *testing.T, w *world, config string) string {
	t.Helper()
	keytool := peer.Keytool(t)
	folder := w.folder("customer")
	if err := os.Mkdir(filepath.Join(folder, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	made, _, err := w.authority.IssuePFX(trust.Request{Profile: trust.ProfileVPN, Subject: trust.Subject{CommonName: "example.uz"}},
		time.UTC, filepath.Join(folder, "keys", "client.p12"), guideKeyPassword, keystore.ProfileModern)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(made, filepath.Join(folder, guideKey)); err != nil {
		t.Fatal(err)
	}
	store := func(path string, c *cert.Certificate) {
		t.Helper()
		pem := filepath.Join(t.TempDir(), "certificate.pem")
		if err := os.WriteFile(pem, cert.EncodePEM(c), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), keytool, "-importcert", "-noprompt", "-trustcacerts", "-alias", "ca",
			"-file", pem, "-keystore", filepath.Join(folder, path), "-storetype", "JKS", "-storepass", storePassword)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("keytool: %v\n%s", err, out)
		}
	}
	store(guideVPNStore, w.authority.Entities()["vpn"])
	store(guideTrustStore, w.authority.Root())
	if err := os.WriteFile(filepath.Join(folder, "config.properties"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

// started waits for a server that listens on all addresses.
func started(t *testing.T, p *process) (url string) {
	t.Helper()
	t.Cleanup(func() { checkLog(t, p) })
	return "http://127.0.0.1:" + p.await(t, `Started http server on: \S*:(\d+)`)
}

// The configuration as the guide prints it, but for the two ports, starts the
// server by each of the command lines that people start the original with.
// The host of the link is the real one; a variable keeps the test away from
// it, and nothing answers there.
func TestTheGuidesConfigurationStartsTheServer(t *testing.T) {
	w := newWorld(t, 1)
	config := replaced(t, guideFile(t, "config.properties"),
		"listen.port=8080", "listen.port=0",
		"vpn.connect.port=3443", fmt.Sprintf("vpn.connect.port=%d", freePort(t)))
	folder := guideFolder(t, w, config)
	env := []string{"EIMZO_CFG_VPN_CONNECT_HOST=127.0.0.1"}

	for name, args := range map[string][]string{
		"1.x":               {"-Dfile.encoding=UTF-8", "-jar", "e-imzo-server.jar", "config.properties"},
		"2.x":               {"-Dfile.encoding=UTF-8", "-Xmx512m", "-jar", "e-imzo-server.jar", "start", "-c", "config.properties"},
		"vendor's image":    {"-Djava.util.logging.config.file=config/logging.properties", "-Dproperties.filename=config.properties", "-jar", "e-imzo-server.jar"},
		"community's image": {"-Dproperties.filename=config.properties", "-jar", "e-imzo-server.jar", "start"},
	} {
		t.Run(name, func(t *testing.T) {
			p := launchIn(t, folder, "KILL", env, imzo, append([]string{"server"}, args...)...)
			url := started(t, p)
			c := w.must(t, url+"/frontend/challenge", "")
			if c.code != http.StatusOK || c.Status != 1 || c.Challenge == "" {
				t.Errorf("challenge: HTTP %d %s", c.code, c.body)
			}
			// Without the other end of the link nobody knows whether the
			// certificate is revoked, and the person is not let in.
			a, err := w.logIn(w.people[0], url, url)
			if err != nil || a.Status != -1 || a.took > 8*time.Second {
				t.Errorf("log-in with the link down: %+v, %v", a, err)
			}
			if ping := w.must(t, url+"/ping", ""); ping.code != http.StatusServiceUnavailable || ping.took > 8*time.Second || strings.ContainsAny(ping.body, "\"") {
				t.Errorf("ping with the link down: HTTP %d after %v: %q", ping.code, ping.took, ping.body)
			}
			info := w.must(t, url+"/info", "")
			if info.code != http.StatusOK || !strings.Contains(info.body, w.authority.Root().SerialHex()) {
				t.Errorf("info: HTTP %d %s", info.code, info.body)
			}
			for _, secret := range []string{guideKeyPassword, storePassword} {
				if strings.Contains(p.log.String(), secret) {
					t.Errorf("the log has the password %s", secret)
				}
			}
			p.stop(t)
		})
	}
}

// What the guide says about the file holds for --check, too, which names each
// of the three files when it is not there.
func TestCheckNamesWhatIsMissingOfTheGuidesFiles(t *testing.T) {
	w := newWorld(t, 0)
	folder := guideFolder(t, w, guideFile(t, "config.properties"))
	check := func() string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), imzo, "server", "--check", "config.properties")
		cmd.Dir = folder
		out, err := cmd.CombinedOutput()
		if _, failed := err.(*exec.ExitError); err != nil && !failed {
			t.Fatal(err)
		}
		return string(out)
	}
	if text := check(); !strings.Contains(text, "config.properties is right, with 0 warnings") {
		t.Errorf("all is there, and it says %q", text)
	}
	for _, name := range []string{guideKey, guideVPNStore, guideTrustStore} {
		away := filepath.Join(folder, name)
		if err := os.Rename(away, away+".away"); err != nil {
			t.Fatal(err)
		}
		text := check()
		if !regexp.MustCompile(`error: .*` + regexp.QuoteMeta(filepath.Base(name))).MatchString(text) {
			t.Errorf("without %s it says %q", name, text)
		}
		if strings.Contains(text, guideKeyPassword) {
			t.Errorf("it prints the password: %q", text)
		}
		if err := os.Rename(away+".away", away); err != nil {
			t.Fatal(err)
		}
	}
}

// With the other end of the link there, the same file gives a server that
// does all: /ping in the guide's form, log-ins and timestamps through the
// link alone.
func TestTheGuidesConfigurationWorksThroughTheLink(t *testing.T) {
	w := newWorld(t, 1)
	// The services' own addresses, which the certificates name, lead nowhere:
	// whatever works goes through the link.
	w.stopServices()
	linkPort := freePort(t)
	link := launch(t, "KILL", nil, imzo, "trust", "serve", "--dir", filepath.Join(w.dir, "trust"),
		"--listen", fmt.Sprintf("127.0.0.1:%d", freePort(t)), "--link-listen", fmt.Sprintf("127.0.0.1:%d", linkPort))
	waitListening(t, link, linkPort)

	config := replaced(t, guideFile(t, "config.properties"),
		"listen.port=8080", "listen.port=0",
		"vpn.connect.port=3443", fmt.Sprintf("vpn.connect.port=%d", linkPort))
	folder := guideFolder(t, w, config)
	p := launchIn(t, folder, "KILL", []string{"EIMZO_CFG_VPN_CONNECT_HOST=127.0.0.1"}, imzo, "server", "config.properties")
	url := started(t, p)

	ping := w.must(t, url+"/ping", "")
	form := regexp.MustCompile(`^\{"serverDateTime":"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d","yourIP":"127\.0\.0\.1","vpnKeyInfo":\{"serialNumber":"[0-9a-f]+","X500Name":"CN\\u003dexample\.uz[^"]*","validFrom":"[-0-9: ]+","validTo":"[-0-9: ]+"\}`)
	if ping.code != http.StatusOK || !form.MatchString(ping.body) {
		t.Errorf("ping: HTTP %d %s", ping.code, ping.body)
	}
	if a, err := w.logIn(w.people[0], url, url); err != nil || a.Status != 1 {
		t.Errorf("log-in: %+v, %v", a, err)
	}
	document, err := w.sign(w.people[0], "some document")
	if err != nil {
		t.Fatal(err)
	}
	if a := w.must(t, url+"/frontend/timestamp/pkcs7", document); a.Status != 1 {
		t.Errorf("timestamp: HTTP %d %.500s", a.code, a.body)
	}

	// The other end goes away and comes back.
	link.signal(t, syscall.SIGKILL)
	<-link.ended
	if a := w.must(t, url+"/ping", ""); a.code != http.StatusServiceUnavailable {
		t.Errorf("ping without the other end: HTTP %d %s", a.code, a.body)
	}
	link = launch(t, "KILL", nil, imzo, "trust", "serve", "--dir", filepath.Join(w.dir, "trust"),
		"--listen", fmt.Sprintf("127.0.0.1:%d", freePort(t)), "--link-listen", fmt.Sprintf("127.0.0.1:%d", linkPort))
	waitListening(t, link, linkPort)
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		a := w.must(t, url+"/ping", "")
		if a.code == http.StatusOK {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the link does not recover: HTTP %d %s\n%s", a.code, a.body, p.log.String())
		}
	}
	p.stop(t)
}
