package server

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imzo/internal/config"
	"imzo/pki/ocsp"
)

func parseConfig(t testing.TB, text string) (Config, []string, error) {
	t.Helper()
	f, err := config.Parse("config.properties", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return ParseConfig(f)
}

func guideFile(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "guide", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAnEmptyConfigurationHasTheDocumentedDefaults(t *testing.T) {
	c, warnings, err := parseConfig(t, "")
	if err != nil || len(warnings) != 0 {
		t.Fatal(warnings, err)
	}
	if c.Location.String() != "Asia/Tashkent" {
		t.Errorf("zone %s", c.Location)
	}
	c.Location = nil
	if want := (Config{Listen: netip.MustParseAddrPort("0.0.0.0:8080"), AuthWindow: 10 * time.Minute, OCSPNonce: ocsp.NonceRequired}); c != want {
		t.Errorf("got %+v, want %+v", c, want)
	}
}

func TestEveryKeyReachesTheConfiguration(t *testing.T) {
	c, warnings, err := parseConfig(t, `
listen.ip=::1
listen.port=8428
trust.pem.file.path=keys/root.pem
ocsp.url=http://ocsp.example/cams/ocsp
ocsp.nonce=if-present
tsp.url=https://tsa.example/cams/tst
time.zone=UTC
auth.service.valid.minutes.window=3
revocation.strict=yes
cache.type=local
`)
	if err != nil || len(warnings) != 0 {
		t.Fatal(warnings, err)
	}
	want := Config{
		Listen: netip.MustParseAddrPort("[::1]:8428"), TrustPEMFile: "keys/root.pem", OCSPURL: "http://ocsp.example/cams/ocsp",
		TSPURL: "https://tsa.example/cams/tst", OCSPNonce: ocsp.NonceIfPresent, Location: time.UTC, AuthWindow: 3 * time.Minute, StrictRevocation: true,
	}
	if c != want {
		t.Errorf("got %+v, want %+v", c, want)
	}
}

// TestTheConfigurationOfTheGuideIsAcceptedUnchanged: what this version does
// not use is said in one line each, with the line of the file.
func TestTheConfigurationOfTheGuideIsAcceptedUnchanged(t *testing.T) {
	c, warnings, err := parseConfig(t, guideFile(t, "config.properties"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen.String() != "0.0.0.0:8080" {
		t.Errorf("%+v", c)
	}
	var keys []string
	for _, w := range warnings {
		if !strings.HasPrefix(w, "config.properties:") || !strings.Contains(w, " is not supported by this version; ") {
			t.Errorf("%s", w)
		}
		if strings.Contains(w, "19E581A1AF9382F0") {
			t.Errorf("a password in the log: %s", w)
		}
		keys = append(keys, strings.Split(w, ": ")[1])
	}
	want := "vpn.tls.enabled vpn.connect.host vpn.connect.port vpn.key.file.path vpn.key.password vpn.truststore.file.path tsp.jks.file.path"
	if got := strings.Join(keys, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWhatCannotBeIgnoredIsAnError(t *testing.T) {
	for name, want := range map[string]string{
		"config-redis.properties":  `config.properties:1: cache.type: "redis" is not supported by this version`,
		"config-mobile.properties": `config.properties:2: mobile.siteId: "0000" is not supported by this version; `,
		"config-tunnel.properties": `config.properties:2: tunnel.enabled: "yes" is not supported by this version; `,
	} {
		if _, _, err := parseConfig(t, guideFile(t, name)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	off := strings.Replace(guideFile(t, "config-tunnel.properties"), "tunnel.enabled=yes", "tunnel.enabled=no", 1)
	if _, warnings, err := parseConfig(t, off); err != nil || len(warnings) != 8 {
		t.Errorf("%d warnings, %v", len(warnings), err)
	}
}

// TestEveryKeyOfTheOriginalIsKnown: a slip of the pen must not hide among
// warnings about keys that are right.
func TestEveryKeyOfTheOriginalIsKnown(t *testing.T) {
	for _, key := range strings.Fields(`listen.ip listen.port vpn.tls.enabled vpn.connect.host vpn.connect.port vpn.key.file.path vpn.key.password
		vpn.truststore.file.path vpn.truststore.password vpn.keepalive.time.sec vpn.keepalive.timeout.sec tsp.jks.file.path tsp.jks.file.password
		cache.type cache.local.key.ttl.seconds cache.local.clear.interval.seconds cache.redis.host cache.redis.port cache.redis.connect.timeout.ms
		cache.redis.so.timeout.ms cache.redis.password cache.redis.db auth.service.valid.minutes.window scheduler.fixed.threads.count
		metrics.server.enabled metrics.server.listen.ip metrics.server.listen.port mobile.siteId mobile.storage.redis.host mobile.storage.redis.port
		mobile.storage.redis.password mobile.storage.redis.db tunnel.enabled tunnel.listen.ip tunnel.listen.port tunnel.servers.dir
		tunnel.truststore.file tunnel.truststore.password tunnel.destination.0.host tunnel.destination.255.port`) {
		f, err := config.Parse("c", []byte(key+"=1"))
		if err != nil {
			t.Fatal(err)
		}
		_, warnings, _ := Keys().Check(f)
		if strings.Contains(strings.Join(warnings, "\n"), "unknown key") {
			t.Errorf("%s is unknown", key)
		}
	}
	for _, k := range Keys() {
		if k.Doc == "" || !strings.HasSuffix(k.Doc, ".") {
			t.Errorf("%s: doc %q", k.Name, k.Doc)
		}
		if strings.Contains(k.Name, "password") != k.Secret {
			t.Errorf("%s: Secret is %v", k.Name, k.Secret)
		}
	}
}

func TestWrongValuesNameTheirLine(t *testing.T) {
	_, _, err := parseConfig(t, "listen.ip=0.0.0.0\nlisten.port=http\ntime.zone=Samarkand\n")
	if err == nil || !strings.Contains(err.Error(), "config.properties:2: listen.port") || !strings.Contains(err.Error(), "config.properties:3: time.zone") {
		t.Errorf("%v", err)
	}
	if _, _, err := LoadConfig(filepath.Join(t.TempDir(), "absent")); !os.IsNotExist(err) {
		t.Errorf("%v", err)
	}
}
