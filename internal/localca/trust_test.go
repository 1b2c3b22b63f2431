package localca

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/smallstep/truststore"

	"imzo/internal/testpki/peer"
)

// home makes a home for the person, and returns it.
func home(t *testing.T) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the homes of other systems have other folders")
	}
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("XDG_DATA_HOME", "")
	return dir
}

// nss makes a database with certutil, with a password unless that is empty.
func nss(t *testing.T, dir, password string) string {
	t.Helper()
	certutil := peer.Certutil(t)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	args := []string{"-N", "--empty-password", "-d", "sql:" + dir}
	if password != "" {
		file := filepath.Join(t.TempDir(), "password")
		write(t, file, []byte(password+"\n"), 0o600)
		args = []string{"-N", "-f", file, "-d", "sql:" + dir}
	}
	if out, err := exec.Command(certutil, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

// listed is what certutil lists in a database.
func listed(t *testing.T, dir string) string {
	t.Helper()
	out, err := exec.Command(peer.Certutil(t), "-L", "-d", "sql:"+dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// check fails unless the results are of these stores, with this presence.
func check(t *testing.T, what string, results []Result, err error, present bool, names ...string) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if len(results) != len(names) {
		t.Fatalf("%s: %v, want %v", what, results, names)
	}
	for i, r := range results {
		if r.Store != names[i] || r.Present != present || r.Err != nil {
			t.Errorf("%s: %+v, want %s %v", what, r, names[i], present)
		}
	}
}

func TestBrowsersTrustTheAuthorityFromInstallToRemove(t *testing.T) {
	dir := home(t)
	chromium := nss(t, filepath.Join(dir, ".pki", "nssdb"), "")
	firefox := nss(t, filepath.Join(dir, ".mozilla", "firefox", "abc.default"), "")
	// A snap's link to the same, and folders without a database.
	if err := errors.Join(
		os.MkdirAll(filepath.Join(dir, "snap", "chromium", "current"), 0o700),
		os.Symlink(filepath.Join(dir, ".pki"), filepath.Join(dir, "snap", "chromium", "current", ".pki")),
		os.Mkdir(filepath.Join(dir, ".mozilla", "firefox", "Crash Reports"), 0o700),
	); err != nil {
		t.Fatal(err)
	}
	names := []string{"nss " + chromium, "nss " + firefox}
	a, other := open(t, folder(t), Options{}), open(t, folder(t), Options{})
	ctx, stores := t.Context(), Stores{NSS: true}

	results, err := a.Show(ctx, stores)
	check(t, "before", results, err, false, names...)
	results, err = other.Install(ctx, stores)
	check(t, "another installed", results, err, true, names...)
	results, err = a.Show(ctx, stores)
	check(t, "with another", results, err, false, names...)
	for range 2 { // the second finds it there
		results, err = a.Install(ctx, stores)
		check(t, "installed", results, err, true, names...)
	}
	for _, db := range []string{chromium, firefox} {
		list := listed(t, db)
		if n := strings.Count(list, a.String()); n != 1 {
			t.Errorf("%d times in %s", n, list)
		}
		for line := range strings.Lines(list) {
			if strings.HasPrefix(line, a.String()) && strings.TrimSpace(strings.TrimPrefix(line, a.String())) != "C,," {
				t.Errorf("trusted for other than servers: %s", line)
			}
		}
	}
	results, err = a.Show(ctx, stores)
	check(t, "shown", results, err, true, names...)
	for range 2 { // the second finds nothing
		results, err = a.Remove(ctx, stores)
		check(t, "removed", results, err, false, names...)
	}
	results, err = a.Show(ctx, stores)
	check(t, "after", results, err, false, names...)
	results, err = other.Show(ctx, stores)
	check(t, "the other after", results, err, true, names...)
	if strings.Contains(listed(t, chromium), a.String()) {
		t.Error("still listed")
	}
}

func TestRemoveTakesOldAndExpiredCertificatesToo(t *testing.T) {
	db := nss(t, t.TempDir(), "")
	clock := newClock()
	clock.set(time.Now().AddDate(-9, -11, 0)) // nearly over for certutil's clock
	stores := Stores{NSS: true, NSSDirs: []string{db}}
	old := open(t, folder(t), Options{Now: clock.now})
	if _, err := old.Install(t.Context(), stores); err != nil {
		t.Fatal(err)
	}
	clock.set(time.Now())
	renewed, err := old.Renew()
	if err != nil {
		t.Fatal(err)
	}
	results, err := renewed.Show(t.Context(), stores)
	check(t, "renewed, not installed", results, err, false, "nss "+db)
	if results, err = renewed.Install(t.Context(), stores); err != nil {
		t.Fatal(results, err)
	}
	results, err = renewed.Remove(t.Context(), stores)
	check(t, "removed", results, err, false, "nss "+db)
	results, err = old.Show(t.Context(), stores)
	check(t, "the old one", results, err, false, "nss "+db)

	// One that has ended is neither trusted nor left.
	clock.set(time.Now().AddDate(-11, 0, 0))
	ended := open(t, folder(t), Options{Now: clock.now})
	results, err = ended.Install(t.Context(), stores)
	if !errors.Is(err, ErrNotTrusted) || len(results) != 1 || results[0].Present {
		t.Errorf("%+v %v", results, err)
	}
	results, err = ended.Remove(t.Context(), stores)
	check(t, "ended, removed", results, err, false, "nss "+db)
	if strings.Contains(listed(t, db), "Imzo") {
		t.Errorf("left: %s", listed(t, db))
	}
	clock.set(time.Now())
	if _, err := ended.Install(t.Context(), stores); !errors.Is(err, ErrValidity) {
		t.Errorf("installed when it has ended: %v", err)
	}
}

func TestOneStoreThatFailsDoesNotHideTheOthers(t *testing.T) {
	good := nss(t, t.TempDir(), "")
	locked := nss(t, t.TempDir(), "of the person")
	damaged := nss(t, t.TempDir(), "")
	write(t, filepath.Join(damaged, "cert9.db"), []byte("no database"), 0o600)
	missing := filepath.Join(t.TempDir(), "none")
	a := open(t, folder(t), Options{})
	t.Setenv("JAVA_HOME", "")
	stores := Stores{NSS: true, NSSDirs: []string{missing, locked, damaged, good}, Java: true}

	results, err := a.Install(t.Context(), stores)
	if len(results) != 5 {
		t.Fatalf("%+v", results)
	}
	for i, want := range []struct {
		store, text string
		is          error
	}{
		{"nss " + missing, "start the browser once", ErrNoDatabase},
		{"nss " + locked, "primary password", nil},
		{"nss " + damaged, "SEC_ERROR_BAD_DATABASE", nil},
		{"nss " + good, "", nil},
		{"java", "set JAVA_HOME", ErrNoJava},
	} {
		r := results[i]
		if r.Store != want.store || r.Present != (want.text == "") {
			t.Errorf("%+v, want %s", r, want.store)
		}
		if want.text == "" {
			if r.Err != nil {
				t.Errorf("%s: %v", r.Store, r.Err)
			}
			continue
		}
		if r.Err == nil || !strings.Contains(r.Err.Error(), want.text) || want.is != nil && !errors.Is(r.Err, want.is) {
			t.Errorf("%s: %v, want %q", r.Store, r.Err, want.text)
		}
		if err == nil || !strings.Contains(err.Error(), r.Store+": ") || !errors.Is(err, r.Err) {
			t.Errorf("the error of all has not that of %s: %v", r.Store, err)
		}
	}
	if strings.Contains(listed(t, locked), a.String()) {
		t.Error("left without trust in a database with a password")
	}
}

func TestStoresThatCannotBeUsedSayWhatToDo(t *testing.T) {
	dir := home(t)
	a := open(t, folder(t), Options{})
	for _, call := range []func(context.Context, Stores) ([]Result, error){a.Install, a.Remove, a.Show} {
		if results, err := call(t.Context(), Stores{NSSDirs: []string{dir}}); !errors.Is(err, ErrNoStore) || results != nil {
			t.Errorf("%v %v", results, err)
		}
	}
	t.Run("no database", func(t *testing.T) {
		peer.Certutil(t)
		results, err := a.Show(t.Context(), Stores{NSS: true})
		if !errors.Is(err, ErrNoDatabase) || len(results) != 1 || results[0].Store != StoreNSS {
			t.Errorf("%+v %v", results, err)
		}
	})
	t.Run("Windows", func(t *testing.T) {
		b := open(t, folder(t), Options{})
		b.computer.goos = "windows"
		if results, err := b.Show(t.Context(), Stores{NSS: true}); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%+v %v", results, err)
		}
	})
	t.Run("no certutil", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		results, err := a.Install(t.Context(), Stores{NSS: true})
		if !errors.Is(err, ErrNoCertutil) || !strings.Contains(err.Error(), "libnss3-tools") || len(results) != 1 {
			t.Errorf("%+v %v", results, err)
		}
	})
	t.Run("certutil of Homebrew", func(t *testing.T) {
		path := peer.Certutil(t)
		db := nss(t, t.TempDir(), "")
		t.Setenv("PATH", t.TempDir())
		b := open(t, folder(t), Options{})
		b.computer.certutils = []string{"/nowhere/certutil", path}
		results, err := b.Install(t.Context(), Stores{NSS: true, NSSDirs: []string{db}})
		check(t, "by path", results, err, true, "nss "+db)
	})
	t.Run("no home", func(t *testing.T) {
		peer.Certutil(t)
		t.Setenv("HOME", "")
		if _, err := a.Show(t.Context(), Stores{NSS: true}); !errors.Is(err, ErrNoDatabase) {
			t.Error(err)
		}
	})
}

func TestAContextThatIsDoneStopsIt(t *testing.T) {
	db := nss(t, t.TempDir(), "")
	a := open(t, folder(t), Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	results, err := a.Install(ctx, Stores{NSS: true, NSSDirs: []string{db}})
	if !errors.Is(err, context.Canceled) || len(results) != 1 || !errors.Is(results[0].Err, context.Canceled) {
		t.Errorf("%+v %v", results, err)
	}
	if strings.Contains(listed(t, db), a.String()) {
		t.Error("installed")
	}
	// While certutil runs: this one waits until it is killed.
	slow := t.TempDir()
	write(t, filepath.Join(slow, "certutil"), []byte("#!/bin/sh\necho x >"+filepath.Join(slow, "began")+"\nexec sleep 600\n"), 0o755)
	t.Setenv("PATH", slow+string(os.PathListSeparator)+os.Getenv("PATH"))
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error)
	go func() {
		_, err := a.Show(ctx, Stores{NSS: true, NSSDirs: []string{db}})
		done <- err
	}()
	for {
		if _, err := os.Stat(filepath.Join(slow, "began")); err == nil {
			break
		}
		select {
		case err := <-done:
			t.Fatalf("ended before: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// linux gives the authority a computer of its own: a bundle that add and drop
// change, and a person who is not root.
func linux(t *testing.T, a *Authority) (bundle string) {
	t.Helper()
	other := open(t, folder(t), Options{})
	bundle = filepath.Join(t.TempDir(), "bundle.crt")
	comment := []byte("# roots\n-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n")
	write(t, bundle, append(comment, other.PEM()...), 0o644)
	a.computer.goos = "linux"
	a.computer.euid = func() int { return 1000 }
	a.computer.bundles = []string{filepath.Join(t.TempDir(), "none"), bundle}
	a.computer.add = func(c *x509.Certificate) error {
		b, err := os.ReadFile(bundle)
		if err != nil {
			return err
		}
		return os.WriteFile(bundle, append(b, encodeCertificate(c.Raw)...), 0o644)
	}
	a.computer.drop = func(c *x509.Certificate) error {
		b, err := os.ReadFile(bundle)
		if err != nil {
			return err
		}
		return os.WriteFile(bundle, bytes.ReplaceAll(b, encodeCertificate(c.Raw), nil), 0o644)
	}
	return bundle
}

// sudo puts a program of that name on the path, alone, and returns the file in
// which it writes its arguments.
func sudo(t *testing.T, script string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no sudo of this kind")
	}
	dir := t.TempDir()
	record := filepath.Join(dir, "record")
	write(t, filepath.Join(dir, "sudo"), fmt.Appendf(nil, "#!/bin/sh\necho \"$*\" >>%s\n%s\n", record, script), 0o755)
	t.Setenv("PATH", dir)
	return record
}

func TestTheSystemsStoreIsChangedByRootAlone(t *testing.T) {
	tests := []struct {
		name string
		sudo string // script; "": there is none
		root bool
		want string // what the error says, "" when it works
	}{
		{"root", "exit 1", true, ""},
		{"sudo needs no password", "exit 0", false, ""},
		{"sudo needs a password", "exit 1", false, `run "sudo -v"`},
		{"no sudo", "", false, "become root"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := open(t, folder(t), Options{})
			bundle := linux(t, a)
			record := ""
			if test.sudo == "" {
				t.Setenv("PATH", t.TempDir())
			} else {
				record = sudo(t, test.sudo)
			}
			if test.root {
				a.computer.euid = func() int { return 0 }
			}
			ctx, stores := t.Context(), Stores{System: true}
			results, err := a.Remove(ctx, stores)
			check(t, "not there, so no rights are needed", results, err, false, StoreSystem)
			results, err = a.Install(ctx, stores)
			if test.want == "" {
				check(t, "installed", results, err, true, StoreSystem)
				results, err = a.Remove(ctx, stores)
				check(t, "removed", results, err, false, StoreSystem)
			} else {
				if !errors.Is(err, ErrRights) || !strings.Contains(err.Error(), test.want) || results[0].Present {
					t.Errorf("install: %+v %v", results, err)
				}
				if err := a.computer.add(a.cert); err != nil {
					t.Fatal(err)
				}
				results, err = a.Show(ctx, stores)
				check(t, "trusted", results, err, true, StoreSystem)
				results, err = a.Remove(ctx, stores)
				if !errors.Is(err, ErrRights) || !results[0].Present {
					t.Errorf("remove: %+v %v", results, err)
				}
			}
			if record != "" && !test.root {
				asked, err := os.ReadFile(record)
				if err != nil {
					t.Fatal(err)
				}
				for line := range strings.Lines(string(asked)) {
					if line != "-n -v\n" { // -n: never asks
						t.Errorf("sudo %s", line)
					}
				}
			}
			if b, err := os.ReadFile(bundle); err != nil || !bytes.HasPrefix(b, []byte("# roots")) {
				t.Errorf("%s %v", b, err)
			}
		})
	}
}

func TestTheSystemsStoreTellsWhatWentWrong(t *testing.T) {
	a := open(t, folder(t), Options{})
	linux(t, a)
	a.computer.euid = func() int { return 0 }
	ctx, stores := t.Context(), Stores{System: true}

	cmd := exec.Command("/bin/sh", "-c", "exit 3")
	failure := truststore.NewCmdError(cmd.Run(), cmd, []byte("one\nread-only file system\n"))
	for what, test := range map[string]struct {
		given error
		is    error
		text  string
	}{
		"program":  {failure, nil, "read-only file system"},
		"system":   {truststore.ErrNotSupported, ErrUnsupported, ""},
		"platform": {truststore.ErrTrustNotSupported, ErrUnsupported, ""},
	} {
		a.computer.add = func(*x509.Certificate) error { return test.given }
		results, err := a.Install(ctx, stores)
		if err == nil || !strings.Contains(err.Error(), test.text) || test.is != nil && !errors.Is(err, test.is) || results[0].Present {
			t.Errorf("%s: %+v %v", what, results, err)
		}
	}
	// What reports success and does nothing has not installed.
	a.computer.add = func(*x509.Certificate) error { return nil }
	results, err := a.Install(ctx, stores)
	if !errors.Is(err, ErrNotTrusted) || results[0].Present {
		t.Errorf("%+v %v", results, err)
	}
	a.computer.bundles = a.computer.bundles[:1]
	if _, err := a.Show(ctx, stores); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "ca-certificates") {
		t.Errorf("no bundle: %v", err)
	}
	a.computer.bundles = []string{t.TempDir()}
	if _, err := a.Show(ctx, stores); err == nil {
		t.Error("read a folder")
	}
	a.computer.drop = func(*x509.Certificate) error { return truststore.ErrNotFound }
	if err := (systemStore{a.computer}).remove(ctx, a); err != nil {
		t.Errorf("what is not there was not removed: %v", err)
	}
}

func TestAnAuthorityThatHasEndedIsRemovedFromTheSystem(t *testing.T) {
	clock := newClock()
	a := open(t, folder(t), Options{Now: clock.now})
	bundle := linux(t, a)
	a.computer.euid = func() int { return 0 }
	ctx, stores := t.Context(), Stores{System: true}
	results, err := a.Install(ctx, stores)
	check(t, "installed", results, err, true, StoreSystem)
	clock.set(a.cert.NotAfter)
	results, err = a.Show(ctx, stores)
	check(t, "ended", results, err, false, StoreSystem)
	results, err = a.Remove(ctx, stores)
	check(t, "removed", results, err, false, StoreSystem)
	if b, err := os.ReadFile(bundle); err != nil || bytes.Contains(b, a.PEM()) {
		t.Errorf("still there: %v", err)
	}
}

// inNamespace tells the test that it runs where the folders of the system are
// copies.
const inNamespace = "IMZO_TEST_NAMESPACE"

// TestTheSystemItselfTrustsTheAuthority runs what Debian has, in a mount
// namespace, so that nothing of the computer changes.
func TestTheSystemItselfTrustsTheAuthority(t *testing.T) {
	o := peer.OpenSSL(t)
	if os.Getenv(inNamespace) == "" {
		if runtime.GOOS != "linux" || os.Geteuid() != 0 {
			t.Skip("needs Linux and root, for a mount namespace")
		}
		const script = `
mount -t tmpfs none /usr/local/share/ca-certificates
copy=$(mktemp -d); cp -a /etc/ssl/certs/. "$copy"
mount -t tmpfs none /etc/ssl/certs; cp -a "$copy"/. /etc/ssl/certs; rm -r "$copy"
exec "$0" -test.v -test.run "^$1\$"`
		if out, err := exec.Command("unshare", "-m", "sh", "-ec", "command -v update-ca-certificates && test -d /usr/local/share/ca-certificates && mount -t tmpfs none /mnt").CombinedOutput(); err != nil {
			t.Skipf("no mount namespace, or no Debian's ca-certificates: %v: %s", err, out)
		}
		cmd := exec.Command("unshare", "-m", "sh", "-ec", script, os.Args[0], t.Name())
		cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GOCOVERDIR=") }), inNamespace+"=yes")
		out, err := cmd.CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	a := open(t, folder(t), Options{})
	file := filepath.Join(t.TempDir(), "leaf.pem")
	write(t, file, encodeCertificate(certificate(t, a).Certificate[0]), 0o600)
	ctx, stores := t.Context(), Stores{System: true}
	results, err := a.Show(ctx, stores)
	check(t, "before", results, err, false, StoreSystem)
	results, err = a.Install(ctx, stores)
	check(t, "installed", results, err, true, StoreSystem)
	if _, err := o.TryRun(t, nil, "verify", "-purpose", "sslserver", "-verify_ip", "127.0.0.1", file); err != nil {
		t.Error(err)
	}
	results, err = a.Remove(ctx, stores)
	check(t, "removed", results, err, false, StoreSystem)
	if _, err := o.TryRun(t, nil, "verify", file); err == nil {
		t.Error("OpenSSL trusts it still")
	}
}

// java makes a Java of its own: the computer's keytool, and an empty store.
func java(t *testing.T) (cacerts string) {
	t.Helper()
	keytool := peer.Keytool(t)
	dir := t.TempDir()
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "bin"), 0o700), os.MkdirAll(filepath.Join(dir, "lib", "security"), 0o700)); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "bin", "keytool"), fmt.Appendf(nil, "#!/bin/sh\nexec %s \"$@\"\n", keytool), 0o755)
	cacerts = filepath.Join(dir, "lib", "security", "cacerts")
	other := open(t, folder(t), Options{})
	if out, err := exec.Command(keytool, "-importcert", "-noprompt", "-keystore", cacerts, "-storepass", "changeit", "-alias", "other", "-file", other.Path()).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Setenv("JAVA_HOME", dir)
	return cacerts
}

func TestJavaTrustsTheAuthorityFromInstallToRemove(t *testing.T) {
	java(t)
	a := open(t, folder(t), Options{})
	ctx, stores := t.Context(), Stores{Java: true}
	results, err := a.Show(ctx, stores)
	check(t, "before", results, err, false, StoreJava)
	results, err = a.Install(ctx, stores)
	check(t, "installed", results, err, true, StoreJava)
	results, err = a.Remove(ctx, stores)
	check(t, "removed", results, err, false, StoreJava)
	results, err = a.Remove(ctx, stores)
	check(t, "removed again", results, err, false, StoreJava)
}

func TestJavaTellsWhatWentWrong(t *testing.T) {
	cacerts := java(t)
	a := open(t, folder(t), Options{})
	ctx, stores := t.Context(), Stores{Java: true}
	write(t, filepath.Join(os.Getenv("JAVA_HOME"), "bin", "keytool"), []byte("#!/bin/sh\necho keystore password was incorrect\nexit 1\n"), 0o755)
	if _, err := a.Install(ctx, stores); err == nil || !strings.Contains(err.Error(), "password was incorrect") {
		t.Errorf("keytool fails: %v", err)
	}
	write(t, filepath.Join(os.Getenv("JAVA_HOME"), "bin", "keytool"), []byte("#!/bin/sh\nexit 0\n"), 0o755)
	if _, err := a.Install(ctx, stores); !errors.Is(err, ErrNotTrusted) {
		t.Errorf("keytool does nothing: %v", err)
	}
	if err := os.Remove(cacerts); err != nil {
		t.Fatal(err)
	}
	for _, call := range []func(context.Context, Stores) ([]Result, error){a.Install, a.Remove, a.Show} {
		if _, err := call(ctx, stores); !errors.Is(err, ErrNoJava) {
			t.Errorf("no store: %v", err)
		}
	}
}

// A Java that the system has installed has a store which is root's.
func TestAStoreOfJavaThatIsNotOursNeedsRights(t *testing.T) {
	cacerts := java(t)
	if os.Geteuid() == 0 {
		// Root writes everywhere, but not into what is no file.
		if err := errors.Join(os.Remove(cacerts), os.Mkdir(cacerts, 0o700)); err != nil {
			t.Fatal(err)
		}
		a := open(t, folder(t), Options{})
		if err := (javaStore{a.computer}).writable(t.Context()); err == nil || errors.Is(err, ErrRights) {
			t.Errorf("a folder: %v", err)
		}
		return
	}
	chmod(t, cacerts, 0o444)
	a := open(t, folder(t), Options{})
	record := sudo(t, "exit 1")
	if _, err := a.Install(t.Context(), Stores{Java: true}); !errors.Is(err, ErrRights) {
		t.Errorf("%v", err)
	}
	if asked, err := os.ReadFile(record); err != nil || string(asked) != "-n -v\n" {
		t.Errorf("%s %v", asked, err)
	}
}
