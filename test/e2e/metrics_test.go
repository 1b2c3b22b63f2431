//go:build unix

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"imzo/internal/testpki/peer"
)

// expression is one in the language of Prometheus, and where it stands.
type expression struct{ where, text string }

// series are the samples of a page of metrics, by name, with the names of
// their labels.
type series map[string]map[string]bool

var sampleLine = regexp.MustCompile(`^([a-z_]+)(?:\{(.*)\})? \S+$`)
var labelName = regexp.MustCompile(`([a-z_]+)="`)

// exercisedMetrics are those of a server that has done everything there are
// metrics for: only then they are all on the page.
func exercisedMetrics(t *testing.T) series {
	t.Helper()
	w := newWorld(t, 1)
	redis := startRedis(t)
	s := startServer(t, w.folder("metrics"), clusterConfig(t, w, redis.Addr())+
		properties("tsp.url", w.authority.TSAURL(), "limits.challenge.per.minute", "10"))
	if a, err := w.logIn(w.people[0], s.url, s.url); err != nil || a.Status != 1 {
		t.Fatalf("%+v, %v", a, err)
	}
	document, err := w.sign(w.people[0], "some document")
	if err != nil {
		t.Fatal(err)
	}
	if a := w.must(t, s.url+"/frontend/timestamp/pkcs7", document); a.Status != 1 {
		t.Fatalf("timestamp: HTTP %d %s", a.code, a.body)
	}
	limited := false
	for range 100 {
		limited = limited || w.must(t, s.url+"/frontend/challenge", "").code == http.StatusTooManyRequests
	}
	if !limited {
		t.Fatal("there is no limit of challenges")
	}
	page := w.must(t, s.url+"/metrics", "")
	if page.code != http.StatusOK {
		t.Fatalf("/metrics: HTTP %d", page.code)
	}
	out := series{}
	for line := range strings.Lines(page.body) {
		m := sampleLine.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue // a comment
		}
		if out[m[1]] == nil {
			out[m[1]] = map[string]bool{}
		}
		for _, l := range labelName.FindAllStringSubmatch(m[2], -1) {
			out[m[1]][l[1]] = true
		}
	}
	if len(out) < 40 {
		t.Fatalf("only %d metrics were read from\n%s", len(out), page.body)
	}
	return out
}

// dashboardExpressions checks the form of the dashboard and returns what it
// asks for.
func dashboardExpressions(t *testing.T) (out []expression) {
	t.Helper()
	var d struct {
		UID, Title    string
		SchemaVersion int
		Templating    struct {
			List []struct{ Name, Type, Definition string }
		}
		Panels []struct {
			ID            int
			Type, Title   string
			GridPos       struct{ X, Y, W, H int }
			Datasource    struct{ UID string }
			Targets       []struct{ RefID, Expr string }
			FieldConfig   struct{ Defaults struct{ Unit string } }
			Options       json.RawMessage
			Panels        []json.RawMessage
			PluginVersion string
		}
	}
	if err := json.Unmarshal([]byte(deployFile(t, "grafana/imzo.json")), &d); err != nil {
		t.Fatal(err)
	}
	if d.UID == "" || d.Title == "" || d.SchemaVersion < 30 || len(d.Panels) < 15 {
		t.Errorf("no dashboard: %q, %q, schema %d, %d panels", d.UID, d.Title, d.SchemaVersion, len(d.Panels))
	}
	ids, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" {
			t.Errorf("panel %d %q is there twice, or has no title", p.ID, p.Title)
		}
		ids[p.ID] = true
		if g := p.GridPos; g.W < 1 || g.H < 1 || g.X+g.W > 24 {
			t.Errorf("%s: lies outside of the grid: %+v", p.Title, g)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, ok := taken[[2]int{x, y}]; ok && other != p.Title {
					t.Fatalf("%s lies on %s", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if len(p.Targets) == 0 || p.FieldConfig.Defaults.Unit == "" || p.Datasource.UID != "${datasource}" {
			t.Errorf("%s: %d questions, unit %q, data source %q", p.Title, len(p.Targets), p.FieldConfig.Defaults.Unit, p.Datasource.UID)
		}
		for _, q := range p.Targets {
			out = append(out, expression{"panel " + p.Title, q.Expr})
		}
	}
	for _, v := range d.Templating.List {
		if v.Type == "query" {
			out = append(out, expression{"variable " + v.Name, regexp.MustCompile(`label_values\((.*), .*\)`).ReplaceAllString(v.Definition, "$1")})
		}
	}
	return out
}

// alertExpressions returns what the alerts ask for.
func alertExpressions(t *testing.T) (out []expression, names []string) {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string `yaml:"name"`
			Rules []struct {
				Alert       string            `yaml:"alert"`
				Expr        string            `yaml:"expr"`
				For         string            `yaml:"for"`
				Labels      map[string]string `yaml:"labels"`
				Annotations map[string]string `yaml:"annotations"`
			} `yaml:"rules"`
		} `yaml:"groups"`
	}
	d := yaml.NewDecoder(strings.NewReader(deployFile(t, "prometheus/imzo-alerts.yml")))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if r.Alert == "" || r.Annotations["summary"] == "" || r.Labels["severity"] != "critical" && r.Labels["severity"] != "warning" {
				t.Errorf("alert %q says too little", r.Alert)
			}
			out = append(out, expression{"alert " + r.Alert, r.Expr})
			names = append(names, r.Alert)
		}
	}
	return out, names
}

var (
	metricName  = regexp.MustCompile(`\b(?:imzo|process|go)_[a-z_]+\b`)
	metricMatch = regexp.MustCompile(`\b((?:imzo|process|go)_[a-z_]+)\{([^}]*)\}`)
	groupBy     = regexp.MustCompile(`\bby \(([^)]*)\)`)
	matcher     = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)`)
)

// Whatever dashboard, alerts and documentation name is there, with the labels
// that they use; and whatever is there is documented.
func TestDashboardAndAlertsAskForWhatTheServerHas(t *testing.T) {
	have := exercisedMetrics(t)
	alerts, _ := alertExpressions(t)
	all := append(dashboardExpressions(t), alerts...)
	for _, e := range all {
		// Prometheus adds two labels to everything that it scrapes.
		labels := map[string]bool{"instance": true, "job": true}
		for _, name := range metricName.FindAllString(e.text, -1) {
			if have[name] == nil {
				t.Errorf("%s asks for %s, which the server has not", e.where, name)
			}
			maps.Copy(labels, have[name])
		}
		for _, m := range metricMatch.FindAllStringSubmatch(e.text, -1) {
			for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
				if !have[m[1]][l[1]] && l[1] != "instance" && l[1] != "job" {
					t.Errorf("%s: %s has no label %s", e.where, m[1], l[1])
				}
			}
		}
		for _, m := range groupBy.FindAllStringSubmatch(e.text, -1) {
			for name := range strings.SplitSeq(m[1], ",") {
				if name = strings.TrimSpace(name); !labels[name] {
					t.Errorf("%s groups by %s, which nothing in it has", e.where, name)
				}
			}
		}
		if !strings.Contains(e.text, "imzo") {
			t.Errorf("%s is not about Imzo: %s", e.where, e.text)
		}
	}

	manual := readFile(t, "../../docs/operations.md")
	documented := map[string]bool{}
	for _, name := range regexp.MustCompile("`(imzo_[a-z_]+)").FindAllStringSubmatch(manual, -1) {
		documented[name[1]] = true
	}
	for name := range have {
		base := name
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if cut := strings.TrimSuffix(name, suffix); have[cut+"_bucket"] != nil {
				base = cut
			}
		}
		if strings.HasPrefix(name, "imzo_") {
			if !documented[base] {
				t.Errorf("docs/operations.md does not know %s", base)
			}
			defer delete(documented, base)
		}
	}
	for name := range documented {
		if have[name] == nil && have[name+"_bucket"] == nil {
			t.Errorf("docs/operations.md tells of %s, which the server has not", name)
		}
	}
}

func TestEveryAlertIsInTheManual(t *testing.T) {
	manual := readFile(t, "../../docs/operations.md")
	_, names := alertExpressions(t)
	if len(names) < 8 {
		t.Fatalf("only %v", names)
	}
	for _, name := range names {
		if !strings.Contains(manual, "`"+name+"`") {
			t.Errorf("docs/operations.md does not say what to do about %s", name)
		}
	}
	for _, m := range regexp.MustCompile("`(Imzo[A-Z][A-Za-z]+)`").FindAllStringSubmatch(manual, -1) {
		if !slices.Contains(names, m[1]) {
			t.Errorf("docs/operations.md tells of %s, which does not exist", m[1])
		}
	}
}

// promtool checks the files as Prometheus would read them, fires every alert
// with numbers of testdata, and reads the dashboard's questions.
func TestPrometheusTakesItsFiles(t *testing.T) {
	promtool := peer.Promtool(t)
	dir := t.TempDir()
	copyFile(t, "../../deploy/prometheus/prometheus.yml", filepath.Join(dir, "prometheus.yml"), 0o600)
	copyFile(t, "../../deploy/prometheus/imzo-alerts.yml", filepath.Join(dir, "imzo-alerts.yml"), 0o600)
	copyFile(t, "testdata/alerts_test.yml", filepath.Join(dir, "alerts_test.yml"), 0o600)

	var rules strings.Builder
	rules.WriteString("groups:\n  - name: dashboard\n    rules:\n")
	for i, e := range dashboardExpressions(t) {
		text := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*").Replace(e.text)
		fmt.Fprintf(&rules, "      - {record: 'panel_%d', expr: '%s'}\n", i, strings.ReplaceAll(text, "'", "''"))
	}
	if err := os.WriteFile(filepath.Join(dir, "dashboard.yml"), []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"check", "config", "prometheus.yml"},
		{"test", "rules", "alerts_test.yml"},
		{"check", "rules", "dashboard.yml"},
	} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	// Each alert is among those that the numbers fire.
	tests := readFile(t, "testdata/alerts_test.yml")
	_, names := alertExpressions(t)
	for _, name := range names {
		if strings.Count(tests, "alertname: "+name+",") != 1 || strings.Count(tests, "alertname: "+name+"\n") != 1 {
			t.Errorf("testdata/alerts_test.yml does not test %s both ways", name)
		}
	}
}
