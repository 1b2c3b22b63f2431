package config

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
)

var table = Table{
	{Name: "listen.ip", Kind: IP, Default: "0.0.0.0", Doc: "Address."},
	{Name: "listen.port", Kind: Int, Default: "8080", Min: 0, Max: 65535, Doc: "Port."},
	{Name: "time.zone", Kind: TimeZone, Default: "Asia/Tashkent", Doc: "Zone."},
	{Name: "ocsp.url", Kind: URL, Doc: "URL."},
	{Name: "ocsp.nonce", Kind: Enum, Values: []string{"require", "if-present", "off"}, Default: "require", Doc: "Nonce."},
	{Name: "revocation.strict", Kind: Bool, Default: "no", Doc: "Strict."},
	{Name: "trust.pem.file.path", Kind: Path, Doc: "Roots."},
	{Name: "vpn.key.password", Kind: String, Secret: true, Unsupported: "nothing is sent through the VPN.", Doc: "Password."},
	{Name: "tunnel.enabled", Kind: Bool, Default: "no", Unsupported: "remove it.", Refused: []string{"yes"}, Doc: "Tunnel."},
	{Name: "mobile.siteId", Kind: String, Unsupported: "remove it.", Refused: []string{"*"}, Doc: "Site."},
	{Name: "tunnel.destination.N.port", Kind: Int, Min: 1, Max: 65535, Unsupported: "remove it.", Doc: "Port."},
	{Name: "cache.type", Kind: Enum, Values: []string{"local", "redis"}, Default: "local", Refused: []string{"redis"}, Doc: "Cache."},
}

func check(t *testing.T, text string) (*Values, []string, error) {
	t.Helper()
	f, err := Parse("c.properties", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return table.Check(f)
}

func TestValuesOfTheFileReplaceDefaults(t *testing.T) {
	v, warnings, err := check(t, "")
	if err != nil || len(warnings) != 0 {
		t.Fatal(warnings, err)
	}
	if v.Addr("listen.ip") != netip.IPv4Unspecified() || v.Int("listen.port") != 8080 || v.Location("time.zone").String() != "Asia/Tashkent" ||
		v.String("ocsp.url") != "" || v.String("ocsp.nonce") != "require" || v.Bool("revocation.strict") || v.Has("listen.ip") {
		t.Fatal("wrong defaults")
	}
	v, warnings, err = check(t, "listen.ip=::1\nlisten.port = 9000 \ntime.zone=Europe/Kyiv\nocsp.url=http://ocsp.example/x?y=z\nocsp.nonce=OFF\nrevocation.strict=Yes\ntrust.pem.file.path= roots.pem \ncache.type=local")
	if err != nil || len(warnings) != 0 {
		t.Fatal(warnings, err)
	}
	if v.Addr("listen.ip") != netip.IPv6Loopback() || v.Int("listen.port") != 9000 || v.Location("time.zone").String() != "Europe/Kyiv" ||
		v.String("ocsp.url") != "http://ocsp.example/x?y=z" || v.String("ocsp.nonce") != "off" || !v.Bool("revocation.strict") ||
		v.String("trust.pem.file.path") != "roots.pem" || !v.Has("listen.ip") {
		t.Fatal("wrong values")
	}
}

func TestWrongValuesAreErrorsThatSayWhatIsAllowed(t *testing.T) {
	for text, want := range map[string]string{
		"\nlisten.ip=localhost":         `c.properties:2: listen.ip: "localhost" is not allowed: it must be an IP address`,
		"listen.port=65536":             `c.properties:1: listen.port: "65536" is not allowed: it must be a whole number from 0 to 65535`,
		"listen.port=80a":               "whole number",
		"listen.port=":                  "whole number",
		"time.zone=Tashkent":            "such as Asia/Tashkent",
		"time.zone=":                    "such as Asia/Tashkent",
		"time.zone=Local":               "such as Asia/Tashkent",
		"time.zone=../../etc/passwd":    "such as Asia/Tashkent",
		"ocsp.url=ocsp.example":         "http:// or https://",
		"ocsp.url=file:///etc/passwd":   "http:// or https://",
		"ocsp.nonce=maybe":              "one of require, if-present, off",
		"revocation.strict=2":           "yes or no",
		"trust.pem.file.path=":          "it must name a file",
		"cache.type=redis":              `"redis" is not supported by this version`,
		"tunnel.enabled=yes":            "remove it",
		"tunnel.enabled=TRUE":           "remove it",
		"mobile.siteId=0000":            `c.properties:1: mobile.siteId: "0000" is not supported by this version; remove it.`,
		"tunnel.destination.3.port=abc": "whole number",
	} {
		_, _, err := check(t, text)
		var fault *Error
		if !errors.As(err, &fault) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestEveryMistakeIsReportedAtOnce(t *testing.T) {
	_, _, err := check(t, "listen.ip=a\nlisten.port=b\ncache.type=c")
	if err == nil || strings.Count(err.Error(), "c.properties:") != 3 {
		t.Fatalf("got %v", err)
	}
}

func TestWarningsNameLineAndNearestKey(t *testing.T) {
	for text, want := range map[string]string{
		"listen.prot=1":                "c.properties:1: listen.prot: unknown key, ignored; did you mean listen.port?",
		"Listen.Port=1":                "did you mean listen.port?",
		"something.else=1":             "c.properties:1: something.else: unknown key, ignored",
		"listen.port=1\nlisten.port=2": "c.properties:2: listen.port: given twice; this line replaces line 1",
		"tunnel.enabled=no":            "c.properties:1: tunnel.enabled: is not supported by this version; remove it.",
		"tunnel.destination.0.port=1":  "is not supported by this version",
		"tunnel.destination.x.port=1":  "unknown key",
	} {
		_, warnings, err := check(t, text)
		if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], want) {
			t.Errorf("%q: %q, %v; want %q", text, warnings, err, want)
		}
	}
	if _, warnings, _ := check(t, "something.else=1"); strings.Contains(warnings[0], "mean") {
		t.Errorf("far-fetched suggestion: %q", warnings[0])
	}
}

func TestSecretsDoNotShowInMessages(t *testing.T) {
	_, warnings, err := check(t, "vpn.key.password=19E581A1AF9382F0")
	if err != nil || len(warnings) != 1 || strings.Contains(warnings[0], "19E5") {
		t.Fatal(warnings, err)
	}
	secret := Key{Name: "x", Kind: Int, Max: 1, Secret: true}
	f, err := Parse("c", []byte("x=123456"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := (Table{secret}).Check(f); err == nil || strings.Contains(err.Error(), "123456") {
		t.Fatalf("got %v", err)
	}
}

func TestFailPointsAtTheLineOfTheKey(t *testing.T) {
	v, _, err := check(t, "\n\nocsp.url=http://a/")
	if err != nil {
		t.Fatal(err)
	}
	if got := v.Fail("ocsp.url", "no answer").Error(); got != "c.properties:3: ocsp.url: no answer" {
		t.Errorf("got %s", got)
	}
	if got := v.Fail("listen.ip", "missing").Error(); got != "c.properties: listen.ip: missing" {
		t.Errorf("got %s", got)
	}
}

func TestEveryDefaultIsValid(t *testing.T) {
	v, _, err := check(t, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range table {
		if k.Default == "" {
			continue
		}
		if _, reason := k.parse(k.Default); reason != "" {
			t.Errorf("%s: %s", k.Name, reason)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a key that is not in the table was read")
		}
	}()
	var _ *time.Location = v.Location("no.such.key")
}
