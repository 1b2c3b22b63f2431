package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "imzo"

// rule says what the packages of one area may import. Paths are relative to
// the module; one that ends in /... stands for the package and all below it.
type rule struct {
	area string
	// allowed are packages of this module.
	allowed []string
	// modules are outside modules; testModules those for tests alone.
	modules, testModules []string
}

// The order matters where areas lie within each other: the first that fits
// holds.
var rules = []rule{
	{area: "cmd/imzo", allowed: []string{"internal/cli"}, testModules: commandTests},

	// x/sys/cpu tells which instructions the processor has.
	{area: "gost/...", allowed: []string{"gost/..."}, modules: []string{"golang.org/x/sys"}},

	{area: "pki/ber"},
	{area: "pki/armor", allowed: []string{"pki/ber"}},
	{area: "pki/alg", allowed: []string{"gost/...", "pki/ber"}},
	{area: "pki/cert", allowed: []string{"pki/alg", "pki/ber", "pki/armor"}},
	{area: "pki/crl", allowed: certificates},
	{area: "pki/internal/post"},
	{area: "pki/ocsp", allowed: append([]string{"pki/internal/post"}, certificates...)},
	{area: "pki/cms", allowed: certificates},
	{area: "pki/tsp", allowed: append([]string{"pki/cms", "pki/internal/post"}, certificates...)},
	{area: "pki/keystore", allowed: append([]string{"gost/...", "pki/armor"}, certificates...), modules: []string{"github.com/pavlo-v-chernykh/keystore-go/v4"}},
	{area: "pki/token", allowed: certificates},
	{area: "pki/token/soft", allowed: append([]string{"pki/token", "gost/gost3410"}, certificates...), modules: []string{"golang.org/x/crypto", "github.com/gofrs/flock"}},
	{area: "pki/token/pkcs11", allowed: append([]string{"pki/token"}, certificates...), modules: []string{"github.com/miekg/pkcs11"}},
	{area: "pki/token/pcsc", allowed: append([]string{"pki/token"}, certificates...), modules: []string{"github.com/gballet/go-libpcsclite"}},

	{area: "verify", allowed: []string{"pki/..."}},

	// For other people's programs: nothing but the standard library.
	{area: "client"},
	{area: "client/deeplink", allowed: []string{"gost/gost341194"}},

	{area: "internal/archtest"},
	{area: "internal/config"},
	{area: "internal/store", modules: []string{"github.com/redis/go-redis/v9"}},
	{area: "internal/atomicfile"},
	{area: "internal/qr", modules: []string{"github.com/boombuler/barcode"}},
	{area: "internal/secret", modules: []string{"golang.org/x/sys"}},
	{area: "internal/httpx"},
	{area: "internal/ratelimit"},
	{area: "internal/health"},
	{area: "internal/metrics", modules: []string{"github.com/prometheus/client_golang"}},
	{area: "internal/i18n", modules: []string{"golang.org/x/text"}},
	{area: "internal/roots", allowed: []string{"pki/cert"}},
	{area: "internal/inspect", allowed: []string{"pki/..."}},
	{area: "internal/failover"},
	{area: "internal/revocation", allowed: []string{"verify", "pki/...", "internal/failover"}, modules: []string{"golang.org/x/sync"}},
	{area: "internal/timestamping", allowed: []string{"pki/...", "internal/failover"}},
	{area: "internal/trustlink", allowed: []string{"pki/..."}},
	{area: "internal/trust", allowed: []string{"pki/...", "internal/atomicfile", "internal/httpx"}, modules: []string{"github.com/gofrs/flock"}},
	{area: "internal/localca", allowed: []string{"internal/atomicfile"}, modules: []string{"github.com/smallstep/truststore", "golang.org/x/sync"}, testModules: []string{"github.com/chromedp/chromedp"}},
	{area: "internal/demo", modules: []string{"github.com/gorilla/websocket"}},
	{area: "internal/eimzo/apikey", allowed: []string{"gost/...", "pki/..."}},
	{area: "internal/eimzo/agent/keyring", allowed: []string{"internal/atomicfile", "internal/secret", "pki/..."}, modules: []string{"golang.org/x/sys"}},
	{area: "internal/eimzo/agent/origin", allowed: []string{"internal/eimzo/apikey"}, modules: []string{"golang.org/x/sync"}},
	{area: "internal/eimzo/agent/prompt", allowed: []string{"internal/secret", "internal/i18n", "pki/alg"}, modules: []string{"golang.org/x/term"}, testModules: []string{"golang.org/x/sys"}},
	{area: "internal/eimzo/agent", allowed: []string{
		"internal/eimzo/agent/...", "internal/eimzo/apikey", "internal/eimzo/pkcs7info", "internal/eimzo/tunnel", "internal/secret", "internal/localca",
		"internal/httpx", "internal/i18n", "pki/...", "gost/...", "verify",
	}, modules: []string{"github.com/gorilla/websocket"}},
	{area: "internal/eimzo/pkcs7info", allowed: []string{"pki/...", "verify"}},
	{area: "internal/eimzo/dsv", allowed: []string{"internal/httpx"}},
	{area: "internal/eimzo/mobile/site", testModules: []string{"github.com/chromedp/chromedp"}},
	{area: "internal/eimzo/mobile/phone", allowed: []string{"client/deeplink", "pki/..."}},
	{area: "internal/eimzo/mobile/page", allowed: []string{
		"internal/eimzo/mobile/phone", "internal/httpx", "internal/i18n", "internal/ratelimit", "internal/secret", "client/deeplink", "pki/cert", "pki/token",
	}, testModules: []string{"github.com/chromedp/chromedp"}},
	{area: "internal/eimzo/mobile", allowed: []string{
		"internal/eimzo/mobile/phone", "internal/eimzo/mobile/site", "internal/atomicfile", "internal/health", "internal/httpx", "internal/metrics",
		"internal/ratelimit", "client/deeplink", "pki/...", "verify",
	}, modules: []string{"github.com/gofrs/flock"}},
	{area: "internal/eimzo/tunnel/gateway", allowed: []string{
		"internal/eimzo/tunnel", "internal/httpx", "internal/metrics", "internal/health", "internal/ratelimit", "pki/...", "verify",
	}, modules: []string{"github.com/gofrs/flock"}},
	{area: "internal/eimzo/tunnel", allowed: []string{"gost/...", "pki/..."}},
	{area: "internal/eimzo/server", allowed: []string{
		"verify", "pki/...", "internal/revocation", "internal/timestamping", "internal/trustlink", "internal/store", "internal/config", "internal/httpx",
		"internal/i18n", "internal/metrics", "internal/health", "internal/ratelimit",
		"internal/eimzo/pkcs7info",
		"internal/eimzo/dsv", // an adapter that the server mounts, no service of its own
		"internal/eimzo/tunnel/gateway", "internal/eimzo/tunnel",
	}, modules: []string{"golang.org/x/sync"}, testModules: []string{"github.com/getkin/kin-openapi"}},
	// The one place below the commands that joins services.
	{area: "internal/up", allowed: []string{
		"pki/...", "internal/atomicfile", "internal/demo", "internal/eimzo/agent", "internal/eimzo/agent/prompt", "internal/eimzo/mobile/...", "internal/eimzo/server",
		"internal/httpx", "internal/localca", "internal/revocation", "internal/secret", "internal/trust",
	}, modules: []string{"github.com/gofrs/flock"}, testModules: []string{"github.com/chromedp/chromedp", "github.com/gorilla/websocket"}},
	{area: "internal/cli", allowed: []string{
		"gost/...", "pki/...", "verify", "internal/atomicfile", "internal/up", "internal/config", "internal/demo", "internal/eimzo/...", "internal/httpx",
		"internal/i18n", "internal/inspect", "internal/localca", "internal/qr", "internal/revocation", "internal/roots", "internal/secret", "internal/store",
		"internal/trust", "client/deeplink", "internal/metrics",
	}, modules: []string{"github.com/spf13/cobra", "golang.org/x/term"}, testModules: append([]string{"github.com/gorilla/websocket"}, commandTests...)},

	// For tests, see TestNothingButTestsImportsTestpki.
	{area: "internal/testpki/...", allowed: []string{"gost/...", "pki/...", "internal/testpki/..."}},

	// Tests of the whole.
	{area: "test/...", allowed: []string{"gost/...", "pki/...", "verify", "internal/..."}, testModules: append([]string{"go.yaml.in/yaml/v3", "golang.org/x/sync"}, commandTests...)},

	// Tools of the build.
	{area: "scripts/..."},

	// Benchmarks: what is measured, and nothing of the product but the trust
	// services that a server needs around it. The server itself is a program
	// to them.
	{area: "bench/internal/..."},
	{area: "bench/timing", allowed: []string{"gost/...", "bench/internal/..."}},
	{area: "bench/...", allowed: []string{"gost/...", "pki/...", "verify", "internal/trust", "bench/..."}},
}

var (
	certificates = []string{"pki/cert", "pki/alg", "pki/ber"}
	commandTests = []string{"github.com/rogpeppe/go-internal"}
	// anyTest are modules that every test may use.
	anyTest = []string{"github.com/google/go-cmp", "go.uber.org/goleak"}
)

func ruleFor(pkg string) (rule, bool) {
	i := slices.IndexFunc(rules, func(r rule) bool { return matches(r.area, pkg) })
	if i < 0 {
		return rule{}, false
	}
	return rules[i], true
}

// matches tells whether pkg lies in the area.
func matches(area, pkg string) bool {
	if tree, ok := strings.CutSuffix(area, "/..."); ok {
		return pkg == tree || strings.HasPrefix(pkg, tree+"/")
	}
	return pkg == area
}

// sourceFile is one Go file of the module.
type sourceFile struct {
	name    string // relative to the module, with slashes
	pkg     string // path of its package, relative to the module
	test    bool
	imports []string
	syntax  *ast.File
}

// sourceFiles reads all Go files of the module.
func sourceFiles(t *testing.T) []sourceFile {
	t.Helper()
	root := moduleRoot(t)
	var out []sourceFile
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != root && (strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_") || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(name) != ".go":
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		syntax, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			// Does not compile either, and the compiler tells it better.
			t.Logf("%s: %v", rel, err)
			return nil
		}
		f := sourceFile{name: rel, pkg: path.Dir(rel), test: strings.HasSuffix(rel, "_test.go"), syntax: syntax}
		for _, spec := range syntax.Imports {
			p, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			f.imports = append(f.imports, p)
		}
		out = append(out, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 50 {
		t.Fatalf("only %d Go files found below %s", len(out), root)
	}
	return out
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		b, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil {
			if !strings.HasPrefix(string(b), "module "+module+"\n") {
				t.Fatalf("%s is of another module", filepath.Join(dir, "go.mod"))
			}
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = parent
	}
}

// fault returns what is wrong about an import, "" when nothing is.
func fault(r rule, f sourceFile, imported string) string {
	if rel, ok := strings.CutPrefix(imported, module+"/"); ok {
		switch {
		case rel == f.pkg: // an outside test of the package
		case f.test && !strings.HasPrefix(r.area, "internal/config") && !strings.HasPrefix(r.area, "internal/store"):
			// Tests may use what they need to make real documents; layers
			// are about what is shipped.
		case f.test && matches("internal/testpki/...", rel):
		case !slices.ContainsFunc(r.allowed, func(a string) bool { return matches(a, rel) }):
			return "may not be imported here"
		}
		return ""
	}
	first, _, _ := strings.Cut(imported, "/")
	if !strings.Contains(first, ".") {
		return "" // standard library
	}
	allowed := slices.Clone(r.modules)
	if f.test {
		allowed = append(append(allowed, r.testModules...), anyTest...)
	}
	if !slices.ContainsFunc(allowed, func(m string) bool { return matches(m+"/...", imported) }) {
		return "is a module that is not on the list here"
	}
	return ""
}

func TestDependenciesPointDownwards(t *testing.T) {
	for _, f := range sourceFiles(t) {
		r, ok := ruleFor(f.pkg)
		if !ok {
			t.Errorf("%s: package %s has no rule: add one, and a line in docs/architecture.md", f.name, f.pkg)
			continue
		}
		for _, imported := range f.imports {
			if what := fault(r, f, imported); what != "" {
				t.Errorf("%s: %s %s", f.name, imported, what)
			}
		}
	}
}

func TestNothingButTestsImportsTestpki(t *testing.T) {
	for _, f := range sourceFiles(t) {
		if f.test || matches("internal/testpki/...", f.pkg) {
			continue
		}
		for _, imported := range f.imports {
			if matches(module+"/internal/testpki/...", imported) || imported == "testing" {
				t.Errorf("%s: imports %s, which is for tests", f.name, imported)
			}
		}
	}
}

// The libraries take a clock, a context and readers, and leave files, flags,
// logging and the environment to programs, but for the card in a file. Only the
// two protocols that have a client reach the network, by one way, and no
// library serves.
func TestLibrariesKnowNothingOfPrograms(t *testing.T) {
	barred := []string{"flag", "log", "net/http", "net/rpc", "os", "os/exec", "os/signal", "plugin", "syscall", "testing", "unsafe"}
	clients := []string{"pki/ocsp", "pki/tsp", "pki/internal/post"}
	files := []string{"pki/token/soft"} // its device is a file
	for _, f := range sourceFiles(t) {
		library := matches("gost/...", f.pkg) || matches("pki/...", f.pkg) || f.pkg == "verify"
		if f.test || !library || f.syntax.Name.Name == "main" { // main: a generator
			continue
		}
		for _, imported := range f.imports {
			if imported == "net/http" && slices.Contains(clients, f.pkg) {
				for _, name := range serverNames(f.syntax) {
					t.Errorf("%s: uses http.%s: a library does not serve", f.name, name)
				}
				continue
			}
			if imported == "os" && slices.Contains(files, f.pkg) {
				continue
			}
			if slices.Contains(barred, imported) {
				t.Errorf("%s: imports %s", f.name, imported)
			}
		}
	}
}

// serverNames lists what a file uses of the server half of net/http.
func serverNames(f *ast.File) []string {
	server := []string{
		"ConnState", "DefaultServeMux", "DetectContentType", "Error", "FileServer", "FileServerFS", "Handle", "HandleFunc", "Handler",
		"HandlerFunc", "ListenAndServe", "ListenAndServeTLS", "MaxBytesHandler", "NewServeMux", "NotFound", "Redirect",
		"ResponseController", "ResponseWriter", "Serve", "ServeContent", "ServeFile", "ServeMux", "ServeTLS", "Server", "TimeoutHandler",
	}
	var out []string
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == "http" && slices.Contains(server, s.Sel.Name) {
				out = append(out, s.Sel.Name)
			}
		}
		return true
	})
	return out
}

// The rules themselves would be worth nothing if they let the wrong import by.
func TestRulesRefuseWhatTheyMust(t *testing.T) {
	tests := []struct {
		pkg, imported string
		test          bool
		refused       bool
	}{
		{pkg: "gost/gost3410", imported: "imzo/gost/gost3410/internal/field"},
		{pkg: "gost/gost3410", imported: "imzo/pki/ber", refused: true},
		{pkg: "gost/gost3410", imported: "golang.org/x/crypto/cryptobyte", refused: true},
		{pkg: "gost/gost3410", imported: "crypto/subtle"},
		{pkg: "pki/cms", imported: "imzo/pki/tsp", refused: true},
		{pkg: "pki/tsp", imported: "imzo/pki/cms"},
		{pkg: "pki/cert", imported: "imzo/internal/config", refused: true},
		{pkg: "pki/cert", imported: "imzo/verify", refused: true},
		{pkg: "verify", imported: "imzo/pki/ocsp"},
		{pkg: "verify", imported: "imzo/internal/revocation", refused: true},
		{pkg: "verify", imported: "golang.org/x/sync/errgroup", refused: true},
		{pkg: "verify", imported: "imzo/internal/testpki", refused: true},
		{pkg: "verify", imported: "imzo/internal/testpki", test: true},
		{pkg: "internal/store", imported: "imzo/verify", refused: true},
		{pkg: "internal/store", imported: "imzo/internal/config", test: true, refused: true},
		{pkg: "internal/httpx", imported: "imzo/internal/store", refused: true},
		{pkg: "internal/eimzo/server", imported: "imzo/internal/trust", refused: true},
		{pkg: "internal/trust", imported: "imzo/internal/eimzo/server", refused: true},
		{pkg: "internal/eimzo/mobile", imported: "imzo/internal/eimzo/server", refused: true},
		{pkg: "internal/eimzo/mobile", imported: "imzo/internal/eimzo/mobile/page", refused: true},
		{pkg: "internal/demo", imported: "imzo/internal/trust", refused: true},
		{pkg: "internal/up", imported: "imzo/internal/trust"},
		{pkg: "internal/trust", imported: "imzo/internal/up", refused: true},
		{pkg: "internal/cli", imported: "github.com/spf13/cobra/doc"},
		{pkg: "internal/cli", imported: "github.com/rogpeppe/go-internal/testscript", refused: true},
		{pkg: "internal/cli", imported: "github.com/rogpeppe/go-internal/testscript", test: true},
		{pkg: "internal/cli", imported: "github.com/spf13/cobraz", refused: true},
		{pkg: "cmd/imzo", imported: "imzo/verify", refused: true},
	}
	for _, test := range tests {
		r, ok := ruleFor(test.pkg)
		if !ok {
			t.Errorf("no rule for %s", test.pkg)
			continue
		}
		what := fault(r, sourceFile{pkg: test.pkg, test: test.test}, test.imported)
		if refused := what != ""; refused != test.refused {
			t.Errorf("%s importing %s (test: %v): refused %v, want %v", test.pkg, test.imported, test.test, refused, test.refused)
		}
	}
	if _, ok := ruleFor("internal/utils"); ok {
		t.Error("a package nobody knows has a rule")
	}
}

func TestServerHalfOfHTTPIsFound(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "x.go", `package x
import "net/http"
var c http.Client
func f(w http.ResponseWriter) { http.ListenAndServe("", nil) }`, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := serverNames(f), []string{"ResponseWriter", "ListenAndServe"}; !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
}
