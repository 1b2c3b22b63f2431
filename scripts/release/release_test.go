package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// copySource copies what a build needs from the module to dir.
func copySource(t *testing.T, dir string) {
	t.Helper()
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		switch {
		case d.IsDir() && (rel == "bin" || rel == "dist" || rel == "imzo-data" || d.Name() == "testdata" || rel != "." && strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(dir, rel), 0o755)
		case strings.HasSuffix(rel, "_test.go"):
			return nil
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, rel), b, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheSameBytesComeOutOfTwoFolders(t *testing.T) {
	base := t.TempDir()
	first := filepath.Join(base, "a")
	second := filepath.Join(base, "another folder", "with a longer path")
	for _, dir := range []string{first, second} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		copySource(t, dir)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	release := func(source string, goos string) string {
		t.Helper()
		out := filepath.Join(source, "dist")
		if err := run(t.Context(), []string{"-version", "1.2.3", "-source", source, "-out", out, "-platform", goos + "/amd64"}, t.Output(), t.Output()); err != nil {
			t.Fatal(err)
		}
		return out
	}
	one := release(first, "linux")

	// The second build takes nothing from the first one: it compiles
	// everything again, with another clock, and variables that a machine may
	// have set for other reasons.
	t.Setenv("GOCACHE", filepath.Join(base, "cache"))
	t.Setenv("GOAMD64", "v3")
	t.Setenv("GOFLAGS", "-ldflags=-X=imzo/internal/cli.version=other")
	t.Setenv("TZ", "Pacific/Kiritimati")
	two := release(second, "linux")

	for _, name := range []string{"imzo-linux-amd64", "imzo-linux-amd64.cdx.json", "SHA256SUMS"} {
		a, b := read(t, filepath.Join(one, name)), read(t, filepath.Join(two, name))
		if !bytes.Equal(a, b) {
			t.Errorf("%s differs: %d octets with SHA-256 %x, and %d with %x", name, len(a), sha256.Sum256(a), len(b), sha256.Sum256(b))
		}
		if bytes.Contains(a, []byte(base)) {
			t.Errorf("%s holds the folder of the build", name)
		}
	}
	checkStatic(t, filepath.Join(one, "imzo-linux-amd64"))
	checkSBOM(t, filepath.Join(one, "imzo-linux-amd64"), "1.2.3")
	if runtime.GOOS == "linux" && runtime.GOARCH == "amd64" {
		out, err := exec.CommandContext(t.Context(), filepath.Join(two, "imzo-linux-amd64"), "--version").Output()
		if err != nil || !strings.Contains(string(out), "1.2.3") {
			t.Errorf("--version says %q, %v", out, err)
		}
	}
}

// checkStatic wants a binary that runs without any library: no interpreter,
// no dynamic section.
func checkStatic(t *testing.T, name string) {
	t.Helper()
	f, err := elf.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("the binary has a segment %v: it is not static", p.Type)
		}
	}
}

// checkSBOM holds the list to what CycloneDX 1.6 requires, and to the binary.
func checkSBOM(t *testing.T, binary, version string) {
	t.Helper()
	var list struct {
		BOMFormat    string
		SpecVersion  string
		SerialNumber string
		Version      int
		Metadata     struct {
			Timestamp string
			Component struct {
				Type, Name, Version string
				Ref                 string `json:"bom-ref"`
				Hashes              []struct{ Alg, Content string }
				Licenses            []struct{ License struct{ ID string } }
			}
		}
		Components []struct {
			Type, Name, Version, PURL string
			Ref                       string `json:"bom-ref"`
			Properties                []struct{ Name, Value string }
		}
		Dependencies []struct {
			Ref       string
			DependsOn []string
		}
	}
	if err := json.Unmarshal(read(t, binary+sbomSuffix), &list); err != nil {
		t.Fatal(err)
	}
	if list.BOMFormat != "CycloneDX" || list.SpecVersion != "1.6" || list.Version != 1 {
		t.Errorf("not a CycloneDX 1.6 list: %q %q %d", list.BOMFormat, list.SpecVersion, list.Version)
	}
	if !regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(list.SerialNumber) {
		t.Errorf("serialNumber %q", list.SerialNumber)
	}
	if at, err := time.Parse(time.RFC3339, list.Metadata.Timestamp); err != nil || at.Unix() != 1700000000 {
		t.Errorf("timestamp %q, %v", list.Metadata.Timestamp, err)
	}
	main := list.Metadata.Component
	if main.Type != "application" || main.Name != "imzo" || main.Version != version || len(main.Licenses) != 1 || main.Licenses[0].License.ID != "Apache-2.0" {
		t.Errorf("the component is %+v", main)
	}
	if sum := fmt.Sprintf("%x", sha256.Sum256(read(t, binary))); len(main.Hashes) != 1 || main.Hashes[0].Alg != "SHA-256" || main.Hashes[0].Content != sum {
		t.Errorf("hashes %v, want SHA-256 %s", main.Hashes, sum)
	}

	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"std": strings.TrimPrefix(info.GoVersion, "go")}
	sums := map[string]string{}
	for _, m := range info.Deps {
		want[m.Path], sums[m.Path] = m.Version, m.Sum
	}
	if len(want) < 4 {
		t.Fatalf("the binary names only %d modules", len(want))
	}
	refs := map[string]bool{}
	for _, c := range list.Components {
		if c.Type != "library" || want[c.Name] != c.Version || c.PURL != "pkg:golang/"+c.Name+"@"+c.Version || c.Ref == "" || refs[c.Ref] {
			t.Errorf("component %+v, the binary has version %q", c, want[c.Name])
		}
		if sum := sums[c.Name]; sum != "" && (len(c.Properties) != 1 || c.Properties[0].Value != sum) {
			t.Errorf("checksum of %s is %v, want %s", c.Name, c.Properties, sum)
		}
		refs[c.Ref] = true
		delete(want, c.Name)
	}
	for path := range want {
		t.Errorf("%s is missing in the list", path)
	}
	if len(list.Dependencies) != 1 || list.Dependencies[0].Ref != main.Ref || len(list.Dependencies[0].DependsOn) != len(refs) {
		t.Fatalf("dependencies %v", list.Dependencies)
	}
	for _, ref := range list.Dependencies[0].DependsOn {
		if !refs[ref] {
			t.Errorf("%s depends on %s, which is not in the list", main.Ref, ref)
		}
	}
}

func TestPlatformsAreTheSixPromised(t *testing.T) {
	all, err := parsePlatforms("")
	if err != nil || len(all) != 6 {
		t.Fatalf("%v, %v", all, err)
	}
	var names []string
	for _, p := range all {
		names = append(names, p.file())
	}
	if got, want := strings.Join(names, " "), "imzo-linux-amd64 imzo-linux-arm64 imzo-darwin-amd64 imzo-darwin-arm64 imzo-windows-amd64.exe imzo-windows-arm64.exe"; got != want {
		t.Errorf("files %s, want %s", got, want)
	}
	if some, err := parsePlatforms("darwin/arm64, linux/amd64"); err != nil || len(some) != 2 || some[0].os != "darwin" {
		t.Errorf("%v, %v", some, err)
	}
	if _, err := parsePlatforms("linux/amd64,plan9/386"); err == nil || !strings.Contains(err.Error(), "plan9/386") {
		t.Errorf("an unknown platform gives %v", err)
	}
}

func TestSumsAreReadBySha256sum(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"b": "two", "a": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := writeSums(dir, []string{"b", "a"}); err != nil {
		t.Fatal(err)
	}
	want := "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a\n" +
		"3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3  b\n"
	if got := string(read(t, filepath.Join(dir, "SHA256SUMS"))); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if program, err := exec.LookPath("sha256sum"); err == nil {
		cmd := exec.CommandContext(t.Context(), program, "--check", "--strict", "SHA256SUMS")
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("sha256sum: %v\n%s", err, out)
		}
	}
	if err := writeSums(dir, []string{"absent"}); err == nil {
		t.Error("sums over a file that is not there")
	}
}

func TestWrongCallsAreRefused(t *testing.T) {
	for _, args := range [][]string{{"-platform", "linux/arm"}, {"now"}, {"-unknown"}} {
		if err := run(t.Context(), args, t.Output(), t.Output()); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
	t.Setenv("SOURCE_DATE_EPOCH", "yesterday")
	if err := run(t.Context(), []string{"-out", t.TempDir()}, t.Output(), t.Output()); err == nil || !strings.Contains(err.Error(), "SOURCE_DATE_EPOCH") {
		t.Errorf("a wrong SOURCE_DATE_EPOCH gives %v", err)
	}
	if _, err := describe(os.Args[0]+".absent", "1", time.Time{}); err == nil {
		t.Error("a list of a binary that is not there")
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
