//go:build unix

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"go.yaml.in/yaml/v3"
)

// There is no container engine where these tests run. They hold the files to
// what such an engine would do with them, and run the binary as the image
// does: with no other file around, and as a user without a name.

// instruction is one of a Dockerfile.
type instruction struct{ name, args string }

func dockerfile(t *testing.T) (stages [][]instruction) {
	t.Helper()
	text := strings.ReplaceAll(deployFile(t, "docker/Dockerfile"), "\\\n", " ")
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, args, _ := strings.Cut(line, " ")
		in := instruction{name, strings.TrimSpace(args)}
		if name == "FROM" {
			stages = append(stages, nil)
		}
		if len(stages) == 0 {
			t.Fatalf("%s stands before the first FROM", name)
		}
		stages[len(stages)-1] = append(stages[len(stages)-1], in)
	}
	return stages
}

func find(stage []instruction, name string) (out []string) {
	for _, in := range stage {
		if in.name == name {
			out = append(out, in.args)
		}
	}
	return out
}

func TestDockerfileMakesAnEmptyImageForNobody(t *testing.T) {
	known := strings.Fields("ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL RUN STOPSIGNAL USER VOLUME WORKDIR")
	stages := dockerfile(t)
	if len(stages) != 2 {
		t.Fatalf("%d stages", len(stages))
	}
	for _, in := range slices.Concat(stages...) {
		if !slices.Contains(known, in.name) {
			t.Errorf("%s is no instruction", in.name)
		}
	}
	build, image := stages[0], stages[1]

	// The toolchain is that of go.mod, which makes the release's bytes.
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(readFile(t, "../../go.mod"))[1]
	if from := find(build, "FROM")[0]; !strings.Contains(from, "golang:"+version+"-") {
		t.Errorf("built by %s, go.mod says %s", from, version)
	}
	if run := strings.Join(find(build, "RUN"), "\n"); !strings.Contains(run, "./scripts/release ") {
		t.Errorf("not built by the release tool: %s", run)
	}
	if from := find(image, "FROM")[0]; from != "scratch" {
		t.Errorf("the image is from %s", from)
	}
	if len(find(image, "RUN"))+len(find(image, "ADD")) > 0 {
		t.Error("nothing runs in an empty image")
	}
	for _, copied := range find(image, "COPY") {
		if !strings.HasPrefix(copied, "--from=build ") {
			t.Errorf("COPY %s takes files that were not built", copied)
		}
	}
	if user := find(image, "USER"); len(user) != 1 || !regexp.MustCompile(`^[1-9]\d{3,}:[1-9]\d{3,}$`).MatchString(user[0]) {
		t.Errorf("USER %v is not a pair of numbers other than root's", user)
	}
	for _, name := range []string{"ENTRYPOINT", "CMD", "HEALTHCHECK"} {
		got := find(image, name)
		if len(got) != 1 {
			t.Errorf("%d times %s", len(got), name)
			continue
		}
		// Without a shell only the form with a JSON list works.
		var words []string
		list := got[0][strings.Index(got[0], "["):]
		if err := json.Unmarshal([]byte(list), &words); err != nil || len(words) == 0 {
			t.Errorf("%s %s is no list of words: %v", name, got[0], err)
			continue
		}
		if name == "CMD" {
			continue
		}
		if words[0] != "/imzo" {
			t.Errorf("%s runs %s, which is not in the image", name, words[0])
		}
		if out, err := exec.CommandContext(t.Context(), imzo, append(words[1:], "--help")...).CombinedOutput(); err != nil {
			t.Errorf("imzo %q: %v %s", words[1:], err, out)
		}
	}
}

// Every package of the binary has to pass the list of what the build gets to
// see, and no key or test may.
func TestDockerBuildSeesTheSourceAndNothingElse(t *testing.T) {
	var taken []string
	for line := range strings.Lines(deployFile(t, "docker/Dockerfile.dockerignore")) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "!"); ok {
			taken = append(taken, name)
		}
	}
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if .Module}}{{if .Module.Main}}{{.ImportPath}}{{end}}{{end}}", "imzo/cmd/imzo", "imzo/scripts/release").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := strings.Fields(string(out))
	if len(packages) < 20 {
		t.Fatalf("only %d packages", len(packages))
	}
	for _, pkg := range packages {
		rel := strings.TrimPrefix(pkg, "imzo/")
		if top, _, _ := strings.Cut(rel, "/"); !slices.Contains(taken, top) {
			t.Errorf("the build does not get %s", rel)
		}
		if slices.Contains(strings.Split(rel, "/"), "testdata") {
			t.Errorf("the build does not get %s", rel)
		}
	}
	for _, name := range taken {
		if name != "go.mod" && name != "go.sum" && name != "LICENSE" {
			if strings.ContainsAny(name, "*?[") {
				t.Errorf("%s takes more than one name", name)
			}
		}
	}
	// What is embedded must not come from a folder that is left out.
	err = filepath.WalkDir("../../internal", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		b, err := os.ReadFile(name)
		if err == nil && regexp.MustCompile(`(?m)^//go:embed .*testdata`).Match(b) {
			t.Errorf("%s embeds what the build does not get", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The image, without an engine: an otherwise empty root with the two files
// that are mounted into it, and the user's number.
func TestTheBinaryServesInAnEmptyRootAsNobody(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may change the root of a process")
	}
	if raceDetector {
		t.Skip("the race detector needs the C library, which an empty image has not")
	}
	w := newWorld(t, 1)
	root := t.TempDir()
	etc := filepath.Join(root, "etc", "imzo")
	if err := os.MkdirAll(etc, 0o755); err != nil {
		t.Fatal(err)
	}
	copyFile(t, imzo, filepath.Join(root, "imzo"), 0o755)
	copyFile(t, w.root, filepath.Join(etc, "root.pem"), 0o644)
	config := properties("listen.ip", "127.0.0.1", "listen.port", "0", "trust.pem.file.path", "root.pem")
	if err := os.WriteFile(filepath.Join(etc, "config.properties"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	for dir := root; dir != filepath.Dir(os.TempDir()) && len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	image := dockerfile(t)[1]
	uid, gid, _ := strings.Cut(find(image, "USER")[0], ":")
	var words []string
	if err := json.Unmarshal([]byte(find(image, "CMD")[0]), &words); err != nil {
		t.Fatal(err)
	}

	cmd := exec.Command("/imzo", words...)
	cmd.Dir, cmd.Env = "/", []string{}
	cmd.SysProcAttr = inEmptyRoot(root, atoi(t, uid), atoi(t, gid))
	p := &process{name: "imzo", ended: make(chan struct{})}
	cmd.Stderr = &p.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.pid = cmd.Process.Pid
	go func() {
		_ = cmd.Wait()
		p.code = cmd.ProcessState.ExitCode()
		close(p.ended)
	}()
	t.Cleanup(func() { p.kill(); <-p.ended })
	url := "http://" + p.await(t, `Started http server on: ([^\s"]+)`)
	if a, err := w.logIn(w.people[0], url, url); err != nil || a.Status != 1 {
		t.Errorf("%+v, %v", a, err)
	}
	health := exec.Command("/imzo", "health", url+"/healthz/live")
	health.Dir, health.Env, health.SysProcAttr = "/", []string{}, cmd.SysProcAttr
	if out, err := health.CombinedOutput(); err != nil {
		t.Errorf("imzo health: %v %s", err, out)
	}
	p.signal(t, syscall.SIGTERM)
	<-p.ended
	if p.code != 0 {
		t.Errorf("ended with code %d", p.code)
	}
	checkLog(t, p)
}

func atoi(t *testing.T, s string) uint32 {
	t.Helper()
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(n)
}

func copyFile(t *testing.T, from, to string, mode os.FileMode) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, mode); err != nil {
		t.Fatal(err)
	}
}

// compose is what we use of the Compose specification. A field that is not
// here, and therefore not checked, is an error of the reader.
type compose struct {
	Name     string             `yaml:"name"`
	Imzo     service            `yaml:"x-imzo"`
	Services map[string]service `yaml:"services"`
	Networks map[string]*struct {
		Internal bool `yaml:"internal"`
	} `yaml:"networks"`
}

type service struct {
	Image string `yaml:"image"`
	Build struct {
		Context    string            `yaml:"context"`
		Dockerfile string            `yaml:"dockerfile"`
		Args       map[string]string `yaml:"args"`
	} `yaml:"build"`
	Restart     string            `yaml:"restart"`
	User        string            `yaml:"user"`
	ReadOnly    bool              `yaml:"read_only"`
	CapDrop     []string          `yaml:"cap_drop"`
	SecurityOpt []string          `yaml:"security_opt"`
	Pids        int               `yaml:"pids_limit"`
	Memory      string            `yaml:"mem_limit"`
	Command     []string          `yaml:"command"`
	Environment map[string]string `yaml:"environment"`
	Volumes     []string          `yaml:"volumes"`
	Ports       []string          `yaml:"ports"`
	Networks    []string          `yaml:"networks"`
	Healthcheck struct {
		Test     []string `yaml:"test"`
		Interval string   `yaml:"interval"`
		Timeout  string   `yaml:"timeout"`
		Start    string   `yaml:"start_period"`
		Retries  int      `yaml:"retries"`
	} `yaml:"healthcheck"`
	Grace   string    `yaml:"stop_grace_period"`
	Depends yaml.Node `yaml:"depends_on"`
}

func TestComposeJoinsTheParts(t *testing.T) {
	var c compose
	d := yaml.NewDecoder(strings.NewReader(deployFile(t, "docker/compose.yaml")))
	d.KnownFields(true)
	if err := d.Decode(&c); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join("..", "..", "deploy", "docker")
	for name, s := range c.Services {
		for _, n := range s.Networks {
			if _, ok := c.Networks[n]; !ok {
				t.Errorf("%s: there is no network %s", name, n)
			}
		}
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			if from != "/dev/null" {
				if _, err := os.Stat(filepath.Join(folder, from)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			if !strings.HasSuffix(v, ":ro") {
				t.Errorf("%s can write to %s", name, v)
			}
		}
		if len(s.Ports) > 0 && name != "nginx" {
			t.Errorf("%s is open to the world", name)
		}
		if len(s.Healthcheck.Test) == 0 && name != "nginx" {
			t.Errorf("nobody knows whether %s is well", name)
		}
		if strings.HasSuffix(s.Image, ":latest") || !strings.Contains(s.Image, ":") {
			t.Errorf("%s: image %s changes by itself", name, s.Image)
		}
	}
	for _, name := range []string{"imzo-1", "imzo-2"} {
		s, ok := c.Services[name]
		if !ok {
			t.Fatalf("no service %s", name)
		}
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s is less closed than it can be", name)
		}
		if _, err := os.Stat(filepath.Join(folder, s.Build.Context, s.Build.Dockerfile)); err != nil {
			t.Error(err)
		}
		if !strings.Contains(deployFile(t, "docker/upstreams.conf"), "server "+name+":8080 ") {
			t.Errorf("nginx does not know %s", name)
		}
		// The health check is for the port that serves it.
		want := "http://127.0.0.1:" + propertyOf(t, deployFile(t, "docker/config/config.properties"), "backend.listen.port") + "/healthz/live"
		if got := s.Healthcheck.Test; !slices.Equal(got, []string{"CMD", "/imzo", "health", want}) {
			t.Errorf("health check %q, want %s", got, want)
		}
	}
	redis := c.Services["redis"]
	if !slices.Equal(redis.Networks, []string{"store"}) || c.Networks["store"] == nil || !c.Networks["store"].Internal {
		t.Error("Redis can be reached from outside")
	}
	if slices.Contains(c.Services["nginx"].Networks, "site") || slices.Contains(c.Services["nginx"].Networks, "store") {
		t.Error("nginx can reach the back end's network")
	}
	// Commands and variables agree on the password, which is in no file.
	if got := c.Services["imzo-1"].Environment["EIMZO_CFG_CACHE_REDIS_PASSWORD"]; !strings.HasPrefix(got, "${REDIS_PASSWORD:?") || !slices.Contains(redis.Command, got) {
		t.Errorf("the servers' password is %q, Redis is started by %q", got, redis.Command)
	}
}

func propertyOf(t *testing.T, config, key string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(key) + `=(.*)$`).FindStringSubmatch(config)
	if m == nil {
		t.Fatalf("no %s in\n%s", key, config)
	}
	return m[1]
}

// A key that does not exist, or a value that is wrong, would show only when
// somebody installs it.
func TestConfigurationOfComposeIsRight(t *testing.T) {
	w := newWorld(t, 0)
	dir := w.folder("config")
	if err := os.Mkdir(filepath.Join(dir, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	// A trust store may be PEM under any name.
	copyFile(t, w.root, filepath.Join(dir, "keys", "truststore.jks"), 0o600)
	path := filepath.Join(dir, "config.properties")
	if err := os.WriteFile(path, []byte(deployFile(t, "docker/config/config.properties")), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), imzo, "server", "--check", path, "--json")
	cmd.Env = append(os.Environ(), "EIMZO_CFG_CACHE_REDIS_PASSWORD=secret")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var result struct {
		OK               bool
		Warnings, Errors []string
	}
	if err := json.Unmarshal(stdout.Bytes(), &result); err != nil {
		t.Fatalf("%v: %s %s", err, &stdout, &stderr)
	}
	if err != nil || !result.OK || len(result.Warnings) > 0 {
		t.Errorf("%v: %+v", err, result)
	}
	if strings.Contains(fmt.Sprint(&stdout, &stderr), "secret") {
		t.Error("the password is printed")
	}
}
