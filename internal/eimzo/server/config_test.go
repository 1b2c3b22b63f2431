package server

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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

// comparable lets cmp look into what it cannot by itself.
var configOptions = cmp.Options{
	cmp.Comparer(func(a, b config.Secret) bool { return a.Reveal() == b.Reveal() }),
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() }),
}

func tashkent(t testing.TB) *time.Location {
	t.Helper()
	l, err := time.LoadLocation("Asia/Tashkent")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestAnEmptyConfigurationHasTheDocumentedDefaults(t *testing.T) {
	c, warnings, err := parseConfig(t, "")
	if err != nil || len(warnings) != 0 {
		t.Fatal(warnings, err)
	}
	want := Config{
		Listen: netip.MustParseAddrPort("0.0.0.0:8080"), AuthWindow: 10 * time.Minute, Location: tashkent(t), Language: "ru",
		OCSPNonce: ocsp.NonceRequired, OCSPCache: time.Minute, TrustedProxies: c.TrustedProxies,
		TrustStorePassword: config.NewSecret("12345678"),
		Link:               LinkConfig{TLS: true, Port: 3443, TrustStorePassword: config.NewSecret("12345678"), KeepAlive: time.Minute, KeepTimeout: 20 * time.Second},
		Cache: CacheConfig{LocalTTL: 2 * time.Minute, RedisConfig: RedisConfig{Addresses: []string{"127.0.0.1:6379"}, Prefix: "imzo:challenge:",
			ConnectTimeout: 2 * time.Second, Deadline: 2 * time.Second}},
		Mobile: MobileConfig{Lifetime: 5 * time.Minute, Redis: RedisConfig{Addresses: []string{":6379"}, Prefix: "imzo:document:",
			ConnectTimeout: 2 * time.Second, Deadline: 2 * time.Second}},
		Limits: LimitsConfig{Body: 128 << 20, Multipart: 2 << 30, Memory: 256 << 20, Connections: 10000},
		Tunnel: TunnelConfig{ServersDir: "tunnel/servers", TrustStorePassword: config.NewSecret("12345678"), Idle: 10 * time.Minute, Drain: 10 * time.Second, Total: 10000, PerAddress: 100},
	}
	if diff := cmp.Diff(want, c, configOptions); diff != "" {
		t.Error(diff)
	}
	if len(c.TrustedProxies) != 6 {
		t.Errorf("%v", c.TrustedProxies)
	}
}

func TestEveryKeyReachesTheConfiguration(t *testing.T) {
	const text = `
listen.ip=::1
listen.port=8428
backend.listen.ip=10.0.0.1
backend.listen.port=8429
backend.token=0123456789abcdef01234567
tls.certificate.file.path=tls.crt
tls.key.file.path=tls.key
proxy.trusted=192.0.2.1
frontend.cors.origins=https://example.uz, http://localhost:3000
tsp.jks.file.path=keys/truststore.jks
tsp.jks.file.password=pass1
trust.pem.file.path=keys/root.pem
auth.service.valid.minutes.window=3
policy.allowed=1.2.860.3.2.2.1.2.1,1.2.860.3.2.2.1.2.2
ca.allowed=00C4:8C, B94D27B9934D3E08A52E52D7DA7DABFAC484EFE37A5380EE9088F7ACE2EFCDE9
revocation.strict=yes
revocation.ca=yes
time.zone=UTC
message.language=UZ
ocsp.url=http://ocsp.example/cams/ocsp,http://second.example/ocsp
ocsp.nonce=if-present
ocsp.cache.seconds=5
crl.fallback=yes
crl.url=http://crl.example/ca.crl
tsp.url=https://tsa.example/cams/tst
vpn.tls.enabled=no
vpn.connect.host= vpn.example
vpn.connect.port=2443
vpn.key.file.path=keys/vpn.key
vpn.key.password=pass2
vpn.truststore.file.path=keys/vpn.jks
vpn.truststore.password=pass3
vpn.keepalive.time.sec=30
vpn.keepalive.timeout.sec=10
cache.type=redis
cache.local.key.ttl.seconds=300
cache.redis.connect.timeout.ms=1000
cache.redis.so.timeout.ms=1500
cache.redis.password=pass4
cache.redis.db=0
cache.redis.username=imzo
cache.redis.prefix=x:
cache.redis.addresses=a:26379,[::1]:26379
cache.redis.sentinel.master=mymaster
cache.redis.sentinel.password=pass5
cache.redis.tls.enabled=yes
cache.redis.tls.ca.file.path=redis.pem
limits.body.bytes=1024
limits.multipart.bytes=2048
limits.memory.bytes=4096
limits.connections=5
limits.workers=8
limits.challenge.per.minute=6
limits.auth.per.minute=7
limits.mobile.per.minute=8
mobile.siteId=20e2
mobile.storage.redis.password=pass6
mobile.storage.redis.db=0
mobile.storage.redis.username=phone
mobile.storage.redis.prefix=y:
mobile.storage.redis.connect.timeout.ms=700
mobile.storage.redis.so.timeout.ms=800
mobile.storage.redis.addresses=m:26379
mobile.storage.redis.sentinel.master=second
mobile.storage.redis.sentinel.password=pass7
mobile.storage.redis.tls.enabled=yes
mobile.storage.redis.tls.ca.file.path=mobile.pem
mobile.document.ttl.seconds=60
mobile.upload.from=203.0.113.0/24
log.level=debug
log.format=json
metrics.server.enabled=true
metrics.server.listen.ip=127.0.0.1
metrics.server.listen.port=9000
dsv.enabled=yes
tunnel.enabled=yes
tunnel.listen.ip=192.0.2.1
tunnel.listen.port=44443
tunnel.servers.dir=keys/tunnel
tunnel.servers.password=pass8
tunnel.truststore.file=keys/tunnel.jks
tunnel.truststore.password=pass9
tunnel.destination.0.host= 192.168.1.11
tunnel.destination.0.port=8080
tunnel.destination.255.host=[2001:db8::1]
tunnel.destination.255.port=81
tunnel.idle.seconds=60
tunnel.limit.total=20
tunnel.limit.address=3
tunnel.drain.seconds=5
`
	c, warnings, err := parseConfig(t, text)
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "vpn.tls.enabled: the link is not encrypted") {
		t.Fatal(warnings, err)
	}
	want := Config{
		Listen: netip.MustParseAddrPort("[::1]:8428"), Backend: netip.MustParseAddrPort("10.0.0.1:8429"), BackendToken: config.NewSecret("0123456789abcdef01234567"),
		TLSCertificateFile: "tls.crt", TLSKeyFile: "tls.key", TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")},
		CORSOrigins:    []string{"https://example.uz", "http://localhost:3000"},
		TrustStoreFile: "keys/truststore.jks", TrustStorePassword: config.NewSecret("pass1"), TrustPEMFile: "keys/root.pem",
		AllowedPolicies:  []string{"1.2.860.3.2.2.1.2.1", "1.2.860.3.2.2.1.2.2"},
		AllowedCAs:       []string{"c48c", "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"},
		StrictRevocation: true, CheckCARevocation: true, AuthWindow: 3 * time.Minute, Location: time.UTC, Language: "uz",
		OCSPURLs: []string{"http://ocsp.example/cams/ocsp", "http://second.example/ocsp"}, TSPURLs: []string{"https://tsa.example/cams/tst"},
		OCSPNonce: ocsp.NonceIfPresent, OCSPCache: 5 * time.Second, CRLFallback: true, CRLURLs: []string{"http://crl.example/ca.crl"},
		Link: LinkConfig{Host: "vpn.example", Port: 2443, KeyFile: "keys/vpn.key", KeyPassword: config.NewSecret("pass2"), TrustStoreFile: "keys/vpn.jks",
			TrustStorePassword: config.NewSecret("pass3"), KeepAlive: 30 * time.Second, KeepTimeout: 10 * time.Second},
		Cache: CacheConfig{Redis: true, LocalTTL: 5 * time.Minute, RedisConfig: RedisConfig{Addresses: []string{"a:26379", "[::1]:26379"}, Username: "imzo", Password: config.NewSecret("pass4"),
			Prefix: "x:", Master: "mymaster", SentinelPassword: config.NewSecret("pass5"), TLS: true, TLSCAFile: "redis.pem", ConnectTimeout: time.Second, Deadline: 1500 * time.Millisecond}},
		Mobile: MobileConfig{SiteID: "20e2", Shared: true, Lifetime: time.Minute, UploadFrom: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")},
			Redis: RedisConfig{Addresses: []string{"m:26379"}, Username: "phone", Password: config.NewSecret("pass6"),
				Prefix: "y:", Master: "second", SentinelPassword: config.NewSecret("pass7"), TLS: true, TLSCAFile: "mobile.pem", ConnectTimeout: 700 * time.Millisecond, Deadline: 800 * time.Millisecond}},
		Limits: LimitsConfig{Body: 1024, Multipart: 2048, Memory: 4096, Connections: 5, Workers: 8, ChallengesPerMinute: 6, AuthsPerMinute: 7, MobilesPerMinute: 8},
		Tunnel: TunnelConfig{Listen: netip.MustParseAddrPort("192.0.2.1:44443"), ServersDir: "keys/tunnel", ServersPassword: config.NewSecret("pass8"),
			TrustStoreFile: "keys/tunnel.jks", TrustStorePassword: config.NewSecret("pass9"), Destinations: map[uint8]string{0: "192.168.1.11:8080", 255: "[2001:db8::1]:81"},
			Idle: time.Minute, Drain: 5 * time.Second, Total: 20, PerAddress: 3},
		LogLevel: slog.LevelDebug, LogJSON: true, Metrics: netip.MustParseAddrPort("127.0.0.1:9000"), DSV: true,
	}
	if diff := cmp.Diff(want, c, configOptions); diff != "" {
		t.Error(diff)
	}
	// Each key that is used stands above, so that none is read and forgotten.
	for _, k := range Keys() {
		if k.Unsupported == "" && !strings.Contains(text, "\n"+strings.Replace(k.Name, ".N.", ".0.", 1)+"=") &&
			!slices.Contains([]string{"cache.redis.host", "cache.redis.port", "cache.redis.cluster.enabled",
				"mobile.storage.redis.host", "mobile.storage.redis.port", "mobile.storage.redis.cluster.enabled"}, k.Name) {
			t.Errorf("%s is not tested", k.Name)
		}
	}
	if shown := fmt.Sprintf("%+v %#v", c, c); strings.Contains(shown, "pass") && strings.Contains(shown, "pass1") || strings.Contains(shown, "0123456789abcdef") {
		t.Error("a configuration prints its passwords")
	}
	c, _, err = parseConfig(t, "cache.type=redis\ncache.redis.host=redis\ncache.redis.port=7000\ncache.redis.db=2")
	if err != nil || !slices.Equal(c.Cache.Addresses, []string{"redis:7000"}) || c.Cache.DB != 2 {
		t.Errorf("%+v %v", c.Cache, err)
	}
	c, _, err = parseConfig(t, "cache.type=redis\ncache.redis.addresses=a:1,b:2\ncache.redis.cluster.enabled=yes")
	if err != nil || !c.Cache.Cluster {
		t.Errorf("%+v %v", c.Cache, err)
	}
	c, _, err = parseConfig(t, "mobile.siteId=0000\nmobile.storage.redis.host=redis\nmobile.storage.redis.port=7000\nmobile.storage.redis.db=2")
	if err != nil || !c.Mobile.Shared || !slices.Equal(c.Mobile.Redis.Addresses, []string{"redis:7000"}) || c.Mobile.Redis.DB != 2 {
		t.Errorf("%+v %v", c.Mobile, err)
	}
}

// TestTheConfigurationsOfTheGuideAreAcceptedUnchanged: what this version does
// not use is said in one line each, with the line of the file.
func TestTheConfigurationsOfTheGuideAreAcceptedUnchanged(t *testing.T) {
	for name, unused := range map[string]string{
		"config.properties":        "",
		"config-redis.properties":  "",
		"config-mobile.properties": "",
		"config-tunnel.properties": "",
	} {
		_, warnings, err := parseConfig(t, guideFile(t, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var keys []string
		for _, w := range warnings {
			if !strings.HasPrefix(w, "config.properties:") || !strings.Contains(w, " is not supported by this version; ") {
				t.Errorf("%s", w)
			}
			if strings.Contains(w, "19E581A1AF9382F0") || strings.Contains(w, "12346578") {
				t.Errorf("a password in the log: %s", w)
			}
			keys = append(keys, strings.Split(w, ": ")[1])
		}
		if got := strings.Join(keys, " "); got != unused {
			t.Errorf("%s: got  %s\nwant %s", name, got, unused)
		}
	}
}

func TestValuesThatDoNotGoTogetherNameTheirLine(t *testing.T) {
	for text, want := range map[string]string{
		"backend.listen.ip=::1": "1: backend.listen.ip: it needs backend.listen.port beside it",
		"listen.ip=127.0.0.1\nlisten.port=80\nbackend.listen.port=80": "3: backend.listen.port: listen.port listens there already",
		"backend.token=short":                    "1: backend.token: it must have at least 24 characters",
		"listen.port=80\nbackend.listen.port=80": "2: backend.listen.port: listen.port listens there already",
		"listen.port=80\nmetrics.server.enabled=yes\nmetrics.server.listen.port=80":         "3: metrics.server.listen.port: listen.port listens",
		"backend.listen.port=81\nmetrics.server.enabled=yes\nmetrics.server.listen.port=81": "3: metrics.server.listen.port: backend.listen.port listens",
		"backend.token=0123456789abcdef01234567 ":                                           "1: backend.token: it must have ASCII letters",
		"limits.memory.bytes=2048\nlimits.body.bytes=2048":                                  "1: limits.memory.bytes: limits.memory.bytes must be more than four thirds of limits.body.bytes",
		"limits.body.bytes=268435456":                                                       "1: limits.body.bytes: limits.memory.bytes must be more than four thirds of limits.body.bytes",
		"auth.service.valid.minutes.window=2147483647":                                      `1: auth.service.valid.minutes.window: "2147483647" is not allowed`,
		"frontend.cors.origins=https://пример.uz":                                           `1: frontend.cors.origins: "https://пример.uz" is no origin`,
		"ca.allowed=:":                              `1: ca.allowed: ":" is neither`,
		"ca.allowed=00":                             `1: ca.allowed: "00" is neither`,
		"tls.certificate.file.path=a":               "1: tls.certificate.file.path: it needs tls.key.file.path",
		"tls.key.file.path=a":                       "1: tls.key.file.path: it needs tls.certificate.file.path",
		"frontend.cors.origins=https://a.uz/":       `1: frontend.cors.origins: "https://a.uz/" is no origin`,
		"frontend.cors.origins=*":                   `1: frontend.cors.origins: "*" is no origin`,
		"policy.allowed=1.2,x":                      `1: policy.allowed: "x" is no object identifier`,
		"ca.allowed=xyz":                            `1: ca.allowed: "xyz" is neither`,
		"cache.type=redis\ncache.redis.host=":       `2: cache.redis.host: ":6379" is no address`,
		"cache.type=redis\ncache.redis.addresses=a": `2: cache.redis.addresses: "a" is no address`,
		"mobile.siteId=20e":                         "1: mobile.siteId: it has four hexadecimal digits",
		"mobile.siteId=20eg":                        "1: mobile.siteId: it has four hexadecimal digits",
		"mobile.storage.redis.addresses=a:1,b:2":    "1: mobile.storage.redis.addresses: for several addresses set mobile.storage.redis.sentinel.master",
		"cache.type=redis\nmobile.storage.redis.host=a\nmobile.storage.redis.prefix=imzo:":                            "3: mobile.storage.redis.prefix: it and cache.redis.prefix",
		"cache.type=redis\ncache.redis.sentinel.master=m":                                                             "2: cache.redis.sentinel.master: it needs the sentinels",
		"cache.type=redis\ncache.redis.addresses=a:1,b:1":                                                             "2: cache.redis.addresses: for several addresses",
		"cache.type=redis\ncache.redis.addresses=a:1\ncache.redis.sentinel.master=m\ncache.redis.cluster.enabled=yes": "4: cache.redis.cluster.enabled: it does not go with",
		"cache.type=redis\ncache.redis.cluster.enabled=yes\ncache.redis.db=1":                                         "3: cache.redis.db: a cluster has only",
		"vpn.connect.host=a\nvpn.key.file.path=b":                                                                     "2: vpn.key.file.path: it needs vpn.truststore.file.path",
	} {
		if _, _, err := parseConfig(t, text); err == nil || !strings.HasPrefix(err.Error(), "config.properties:") || !strings.HasPrefix(strings.TrimLeft(err.Error()[len("config.properties:"):], " "), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	for text, want := range map[string]string{
		"vpn.connect.host=a":     "1: vpn.connect.host: there is no link to it without vpn.key.file.path",
		"vpn.key.file.path=a":    "1: vpn.key.file.path: not used, vpn.connect.host is missing",
		"crl.url=http://a/b.crl": "1: crl.url: not used without crl.fallback=yes",
		"tunnel.enabled=yes":     "1: tunnel.enabled: every tunnel is refused without a destination: set tunnel.destination.0.host and tunnel.destination.0.port",
	} {
		if _, warnings, err := parseConfig(t, text); err != nil || len(warnings) != 1 || warnings[0] != "config.properties:"+want {
			t.Errorf("%q: %v %q, want %s", text, err, warnings, want)
		}
	}
}

func TestValuesAreTakenInTheFormsThatPeopleWrite(t *testing.T) {
	c, _, err := parseConfig(t, "frontend.cors.origins=https://Example.uz, HTTPS://b.uz:443,http://c.uz:80,http://c.uz:443\nca.allowed=0A:bC, 00ff\nauth.service.valid.minutes.window=1000000")
	if err != nil {
		t.Fatal(err)
	}
	// As browsers send them, or they match nothing.
	if want := []string{"https://example.uz", "https://b.uz", "http://c.uz", "http://c.uz:443"}; !slices.Equal(c.CORSOrigins, want) {
		t.Errorf("%q", c.CORSOrigins)
	}
	if want := []string{"abc", "ff"}; !slices.Equal(c.AllowedCAs, want) {
		t.Errorf("%q", c.AllowedCAs)
	}
	if c.AuthWindow != 1_000_000*time.Minute {
		t.Errorf("%s", c.AuthWindow)
	}
	for _, k := range Keys() {
		if strings.HasSuffix(k.Name, "minutes.window") && time.Duration(k.Max)*time.Minute/time.Minute != time.Duration(k.Max) {
			t.Errorf("%s: %d does not fit", k.Name, k.Max)
		}
	}
	// None of these is in the way of another.
	for _, text := range []string{
		"listen.ip=192.0.2.1\nbackend.listen.ip=127.0.0.1\nbackend.listen.port=8080",
		"listen.port=0\nbackend.listen.port=0\nmetrics.server.enabled=yes\nmetrics.server.listen.port=0",
		"metrics.server.listen.port=8080", // not enabled
	} {
		if _, _, err := parseConfig(t, text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestTheDocumentOfTheKeysIsTrue(t *testing.T) {
	have, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "config.md"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ConfigDocument(), string(have)); diff != "" {
		t.Errorf("docs/config.md is old: write it with go run ./cmd/imzo server --keys > docs/config.md\n%s", diff)
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
		if strings.Contains(k.Name, "password") != k.Secret && k.Name != "backend.token" {
			t.Errorf("%s: Secret is %v", k.Name, k.Secret)
		}
	}
}

func TestWrongValuesNameTheirLine(t *testing.T) {
	_, _, err := parseConfig(t, "listen.ip=0.0.0.0\nlisten.port=http\ntime.zone=Samarkand\n")
	if err == nil || !strings.Contains(err.Error(), "config.properties:2: listen.port") || !strings.Contains(err.Error(), "config.properties:3: time.zone") {
		t.Errorf("%v", err)
	}
	if _, _, err := LoadConfig(filepath.Join(t.TempDir(), "absent"), nil); !os.IsNotExist(err) {
		t.Errorf("%v", err)
	}
}
