package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func override(t *testing.T, text string, environ ...string) (*Values, []string, error) {
	t.Helper()
	f, err := Parse("c.properties", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	f, warnings := f.Override(environ, "IMZO_", table)
	v, more, err := table.Check(f)
	return v, append(warnings, more...), err
}

func TestTheEnvironmentReplacesTheFile(t *testing.T) {
	v, warnings, err := override(t, "listen.port=80\nlisten.ip=10.0.0.1\n",
		"IMZO_LISTEN_PORT=81", "imzo_listen_ip=::1", "IMZO_time_zone=UTC", "PATH=/bin", "IMZO_OCSP_URL=")
	if err != nil || len(warnings) != 0 {
		t.Fatal(warnings, err)
	}
	if v.Int("listen.port") != 81 || v.Addr("listen.ip") != netip.MustParseAddr("10.0.0.1") || v.Location("time.zone").String() != "UTC" || v.Has("ocsp.url") {
		t.Errorf("%d %s %s", v.Int("listen.port"), v.Addr("listen.ip"), v.Location("time.zone"))
	}
}

func TestMistakesOfTheEnvironmentNameTheVariable(t *testing.T) {
	_, warnings, err := override(t, "listen.port=80", "IMZO_LISTEN_PORT=many", "IMZO_LISTN_IP=::1", "IMZO_MOBILE_SITEID=", "IMZO_TUNNEL_DESTINATION_7_PORT=99")
	if err == nil || err.Error() != `environment variable IMZO_LISTEN_PORT: listen.port: "many" is not allowed: it must be a whole number from 0 to 65535` {
		t.Error(err)
	}
	want := []string{
		"environment variable IMZO_LISTN_IP: listn.ip: unknown key, ignored; did you mean listen.ip?",
		"environment variable IMZO_TUNNEL_DESTINATION_7_PORT: tunnel.destination.7.port: is not supported by this version; remove it.",
	}
	if !slices.Equal(warnings, want) {
		t.Errorf("%q", warnings)
	}
	if _, _, err := override(t, "", "IMZO_MOBILE_SITEID=0000"); err == nil || !strings.Contains(err.Error(), "mobile.siteId") {
		t.Errorf("a key in letters of both cases: %v", err)
	}
}

func TestListsAreTakenApart(t *testing.T) {
	table := Table{
		{Name: "urls", Kind: URLs}, {Name: "words", Kind: List}, {Name: "nets", Kind: Networks, Default: "127.0.0.0/8"},
	}
	read := func(text string) (*Values, error) {
		f, err := Parse("c", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		v, _, err := table.Check(f)
		return v, err
	}
	v, err := read("urls = http://a/x , https://b\nwords=1.2.3,4\nnets=10.1.2.3/8, ::1,192.0.2.7")
	if err != nil {
		t.Fatal(err)
	}
	if got := v.Strings("urls"); !slices.Equal(got, []string{"http://a/x", "https://b"}) {
		t.Errorf("%q", got)
	}
	if got := v.Strings("words"); !slices.Equal(got, []string{"1.2.3", "4"}) {
		t.Errorf("%q", got)
	}
	if got := fmt.Sprint(v.Networks("nets")); got != "[10.0.0.0/8 ::1/128 192.0.2.7/32]" {
		t.Error(got)
	}
	v, err = read("")
	if err != nil || len(v.Strings("urls")) != 0 || fmt.Sprint(v.Networks("nets")) != "[127.0.0.0/8]" {
		t.Errorf("defaults: %v", err)
	}
	for _, text := range []string{"urls=http://a,", "urls=ftp://a", "urls=", "words=a,,b", "nets=10.0.0.0/33", "nets=example.uz", "nets="} {
		if _, err := read(text); err == nil || !strings.Contains(err.Error(), "commas between them") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestASecretDoesNotPrint(t *testing.T) {
	s := NewSecret("hunter2")
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "in", struct{ S Secret }{s})
	text, err := json.Marshal(map[string]any{"s": s, "in": struct{ S Secret }{s}})
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprint(s, &s) + fmt.Sprintf("%v %+v %#v %s %q %x %d", s, s, s, s, s, s, s) + fmt.Sprintf("%v %+v %#v", struct{ S Secret }{s}, struct{ s *Secret }{&s}, []Secret{s}) + string(text) + log.String()
	if strings.Contains(shown, "hunter2") || strings.Contains(shown, fmt.Sprintf("%x", "hunter2")) || !strings.Contains(shown, "[redacted]") {
		t.Error(shown)
	}
	if s.Reveal() != "hunter2" || s.IsEmpty() || !NewSecret("").IsEmpty() {
		t.Error("the text is lost")
	}
}

func TestTheDocumentationNamesEveryKey(t *testing.T) {
	text := append(Table{{Name: "own", Kind: List, Own: true, Group: "Other", Doc: "Ours."}}, table...).Markdown()
	for _, k := range table {
		if !strings.Contains(text, "| `"+k.Name+"` |") {
			t.Errorf("%s is missing", k.Name)
		}
	}
	for _, want := range []string{"\n## Other\n", "| `own` | words, comma between |  | Ours. (Imzo's own) |", "| `listen.port` | 0 to 65535 | `8080` | Port. |"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
