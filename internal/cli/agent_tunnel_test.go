package cli

import (
	"bytes"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTheTunnelArgumentOfTheOriginalIsUnderstood(t *testing.T) {
	for in, want := range map[string]string{
		"-tunnel.6578616d706c652e757a=1.2.3.4:8843 --headless": "--tunnel=-tunnel.6578616d706c652e757a=1.2.3.4:8843 --headless",
		"trust install":                    "trust install",
		"-- -tunnel.00=x":                  "-- -tunnel.00=x",
		"--tunnel example.uz=1.2.3.4:8843": "--tunnel example.uz=1.2.3.4:8843",
		"":                                 "",
	} {
		if got := agentArgs(strings.Fields(in)); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
}

func TestTunnelsHaveADomainAndAnAddress(t *testing.T) {
	for in, want := range map[string][2]string{
		"example.uz=1.2.3.4:8843":                   {"example.uz", "1.2.3.4:8843"},
		"EXAMPLE.uz=Tunnel.Example.uz:08843":        {"example.uz", "tunnel.example.uz:8843"},
		"localhost=localhost:1":                     {"localhost", "localhost:1"},
		"::1=[::1]:65535":                           {"::1", "[::1]:65535"},
		"[::1]=[::1]:65535":                         {"::1", "[::1]:65535"},
		"127.0.0.1=127.0.0.1:8843":                  {"127.0.0.1", "127.0.0.1:8843"},
		"xn--80aaxitdbjk.xn--p1ai=1.2.3.4:1":        {"xn--80aaxitdbjk.xn--p1ai", "1.2.3.4:1"},
		"-tunnel.6578616d706c652e757a=1.2.3.4:8843": {"example.uz", "1.2.3.4:8843"},
		"-tunnel.6578616D706C652E757A=1.2.3.4:8843": {"example.uz", "1.2.3.4:8843"},
	} {
		all := tunnelAddresses{}
		if err := all.add(in); err != nil || !maps.Equal(all, tunnelAddresses{want[0]: want[1]}) {
			t.Errorf("%s: %v, %v", in, all, err)
		}
	}
	for in, want := range map[string]string{
		"":                                     "DOMAIN=HOST:PORT",
		"example.uz":                           "DOMAIN=HOST:PORT",
		"=1.2.3.4:1":                           "the domain is no host name",
		"null=1.2.3.4:1":                       "the domain is no host name",
		"a..uz=1.2.3.4:1":                      "the domain is no host name",
		"a.uz.=1.2.3.4:1":                      "the domain is no host name",
		"-a.uz=1.2.3.4:1":                      "the domain is no host name",
		"https://a.uz=1.2.3.4:1":               "the domain is no host name",
		"a.uz:80=1.2.3.4:1":                    "the domain is no host name",
		"намуна.uz=1.2.3.4:1":                  "xn--",
		strings.Repeat("a", 64) + "=1.2.3.4:1": "the domain is no host name",
		strings.Repeat("a.", 127) + "uz=a:1":   "the domain is no host name",
		"a.uz=":                                "is not HOST:PORT",
		"a.uz=1.2.3.4":                         "is not HOST:PORT",
		"a.uz=:8843":                           "the host is no host name",
		"a.uz=b c:8843":                        "the host is no host name",
		"a.uz=1.2.3.4:0":                       "the port is 1 to 65535",
		"a.uz=1.2.3.4:65536":                   "the port is 1 to 65535",
		"a.uz=1.2.3.4:x":                       "the port is 1 to 65535",
		"a.uz=1.2.3.4:":                        "the port is 1 to 65535",
		"-tunnel.65=1.2.3.4:":                  "the port is 1 to 65535",
		"-tunnel.657=1.2.3.4:1":                "hexadecimal digits",
		"-tunnel.=1.2.3.4:1":                   "the domain is no host name",
		"-tunnel.zz=1.2.3.4:1":                 "hexadecimal digits",
		"-tunnel.0a0a=1.2.3.4:1":               "the domain is no host name",
		"-tunnel.6578616d706c652e757a":         "HEX=HOST:PORT",
		"-tunnel.6578616d706c652e757a:1.2.3.4": "HEX=HOST:PORT",
	} {
		all := tunnelAddresses{}
		if err := all.add(in); err == nil || !strings.Contains(err.Error(), want) || len(all) != 0 {
			t.Errorf("%s: %v, %v", in, all, err)
		}
	}
	all := tunnelAddresses{"a.uz": "1.2.3.4:1"}
	if err := all.add("A.uz=1.2.3.4:1"); err != nil {
		t.Error(err)
	}
	if err := all.add("a.uz=1.2.3.4:2"); err == nil || !strings.Contains(err.Error(), "two addresses, 1.2.3.4:1 and 1.2.3.4:2") {
		t.Error(err)
	}
}

func TestARunConfOfTheOriginalIsRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "run.conf")
	read := func(text string) (tunnelAddresses, string, error) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var logged bytes.Buffer
		all := tunnelAddresses{}
		err := all.readRunConf(file, slog.New(slog.NewTextHandler(&logged, nil)))
		return all, logged.String(), err
	}
	all, logged, err := read("\ufeff# E-IMZO\r\n\r\n; more\njava = jre/bin\n arguments = -tunnel.6578616d706c652e757a=1.2.3.4:8843 -Xmx64m \"-tunnel.612e757a=b.uz:1\"\r\narguments=-tunnel.622e757a=b.uz:2")
	if want := (tunnelAddresses{"example.uz": "1.2.3.4:8843", "a.uz": "b.uz:1", "b.uz": "b.uz:2"}); err != nil || !maps.Equal(all, want) {
		t.Errorf("%v, %v", all, err)
	}
	if strings.Count(logged, "level=WARN") != 2 || !strings.Contains(logged, "run.conf:4") || !strings.Contains(logged, "name=java") || !strings.Contains(logged, "run.conf:5") || !strings.Contains(logged, "name=-Xmx64m") {
		t.Error(logged)
	}
	for text, want := range map[string]string{
		"\narguments=-tunnel.zz=1.2.3.4:1": "run.conf:2: -tunnel.zz=1.2.3.4:1: \"zz\" is not the domain",
		"arguments":                        "run.conf:1: neither",
		"arguments=-tunnel.612e757a=b.uz:1\narguments=-tunnel.612e757a=c.uz:1": "run.conf:2: the tunnel of a.uz has two addresses",
		strings.Repeat("#", maxRunConf+1):                                      "is longer than 65536 octets",
	} {
		if _, _, err := read(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.100s: %v", text, err)
		}
	}
	if err := (tunnelAddresses{}).readRunConf(file+".no", nil); err == nil {
		t.Error("a file that is not there is read")
	}
}
