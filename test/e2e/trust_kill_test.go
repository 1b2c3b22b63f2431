//go:build unix

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"imzo/internal/revocation"
	"imzo/internal/testpki/peer"
	"imzo/pki/cert"
	"imzo/pki/keystore"
	"imzo/pki/ocsp"
)

// trustRecord is a line of `imzo trust list --json`.
type trustRecord struct {
	Serial, Issuer, Profile, Status string
}

// trustFolder is a hierarchy that commands work on.
type trustFolder struct {
	dir, out, password, url string
}

// newTrustFolder makes one whose keys open quickly: a command spends its time
// with the derivation of their password otherwise, and hardly any kill would
// hit a write.
func newTrustFolder(t *testing.T) trustFolder {
	t.Helper()
	openssl := peer.OpenSSL(t)
	base := t.TempDir()
	f := trustFolder{
		dir: filepath.Join(base, "trust"), out: filepath.Join(base, "out"), password: filepath.Join(base, "pw"),
		url: fmt.Sprintf("http://127.0.0.1:%d", freePort(t)),
	}
	if err := os.WriteFile(f.password, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.must(t, "init", "--alg", "ecdsa:P-256", "--url", f.url)
	password := "pass:" + strings.TrimSpace(readFile(t, filepath.Join(f.dir, "keys", "password")))
	keys, err := filepath.Glob(filepath.Join(f.dir, "keys", "*.pfx"))
	if err != nil || len(keys) < 6 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	for _, key := range keys {
		clear := openssl.Run(t, nil, "pkcs12", "-in", key, "-passin", password, "-nodes")
		cheap := openssl.Run(t, clear, "pkcs12", "-export", "-iter", "1", "-name", "key", "-passout", password)
		if err := os.WriteFile(key, cheap, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// command is `imzo trust`, not started yet.
func (f trustFolder) command(name string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	c := exec.Command(imzo, append([]string{"trust", name, "--dir", f.dir, "--json"}, args...)...)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	return c, &out
}

func (f trustFolder) must(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	c, out := f.command(name, args...)
	if err := c.Run(); err != nil {
		t.Fatalf("%v: %v\n%s", c.Args, err, out)
	}
	return out.Bytes()
}

func (f trustFolder) issueArgs() []string {
	return []string{"--cn", "A", "--password-file", f.password, "-o", f.out, "--modern"}
}

// list reads the state in a new process, which is how it has to load.
func (f trustFolder) list(t *testing.T) map[string]trustRecord {
	t.Helper()
	var records []trustRecord
	if err := json.Unmarshal(f.must(t, "list"), &records); err != nil {
		t.Fatal(err)
	}
	bySerial := map[string]trustRecord{}
	for _, r := range records {
		if _, ok := bySerial[r.Serial]; ok {
			t.Fatalf("two certificates have the serial number %s", r.Serial)
		}
		bySerial[r.Serial] = r
	}
	return bySerial
}

// attempt is a command that may be killed.
type attempt struct {
	name   string
	serial string // "" for issue, until it tells
	cmd    *exec.Cmd
	out    *bytes.Buffer
	told   bool // it has said what it did, which counts even if it was killed then
	killed bool
}

func (a *attempt) finish(t *testing.T) {
	t.Helper()
	err := a.cmd.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil:
	case errors.As(err, &exit) && exit.ExitCode() < 0: // by a signal
		a.killed = true
	default:
		t.Fatalf("%v: %v\n%s", a.cmd.Args, err, a.out)
	}
	var said struct{ Serial, File string }
	if json.Unmarshal(a.out.Bytes(), &said) == nil && said.Serial != "" {
		a.told, a.serial = true, said.Serial
	} else if err == nil {
		t.Fatalf("%v said nothing: %s", a.cmd.Args, a.out)
	}
}

// TestKillsOfTrustLoseNothing kills `imzo trust` with SIGKILL in the middle of
// its writes, several writers and a running service at a time. Whatever a
// command has said it did must be there afterwards.
func TestKillsOfTrustLoseNothing(t *testing.T) {
	const writers = 4
	kills := 200
	if testing.Short() {
		kills = 20
	}
	f := newTrustFolder(t)
	service := launch(t, "TERM", nil, imzo, "trust", "serve", "--dir", f.dir)
	service.await(t, "trust services on")

	// How long commands take undisturbed says when to kill them.
	usual := map[bool]time.Duration{} // whether it is issue
	timed := func(issue bool, name string, args ...string) []byte {
		started := time.Now()
		out := f.must(t, name, args...)
		usual[issue] = max(usual[issue], time.Since(started))
		return out
	}
	for range 3 {
		var said struct{ Serial string }
		if err := json.Unmarshal(timed(true, "issue", f.issueArgs()...), &said); err != nil {
			t.Fatal(err)
		}
		timed(false, "suspend", said.Serial)
		f.must(t, "resume", said.Serial)
	}

	// What the status of each certificate may be: what was told last, and
	// whatever killed commands may or may not have done since.
	possible := map[string][]string{}
	revoked := map[string]bool{} // told to be
	var free []string            // good ones that no command is at
	for serial, r := range f.list(t) {
		possible[serial] = []string{"good"}
		if r.Profile == "user" {
			free = append(free, serial)
		}
	}
	becomes := map[string]string{"revoke": "revoked", "suspend": "suspended", "resume": "good"}
	var suspended []string
	take := func(from *[]string) string {
		i := rand.IntN(len(*from))
		s := (*from)[i]
		*from = slices.Delete(*from, i, i+1)
		return s
	}
	begin := func() *attempt {
		a := &attempt{name: "issue"}
		switch n := rand.IntN(8); {
		case n < 3 && len(free) > 0:
			a.name, a.serial = "revoke", take(&free)
		case n == 3 && len(free) > 0:
			a.name, a.serial = "suspend", take(&free)
		case n == 4 && len(suspended) > 0:
			a.name, a.serial = "resume", take(&suspended)
		case n == 5 && len(suspended) > 0:
			a.name, a.serial = "revoke", take(&suspended)
		}
		if a.name == "issue" {
			a.cmd, a.out = f.command("issue", f.issueArgs()...)
		} else {
			a.cmd, a.out = f.command(a.name, a.serial)
		}
		if err := a.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return a
	}
	killed, toldAndKilled, finished, issued := 0, 0, 0, map[string]bool{}
	for round := 0; killed < kills; round++ {
		if round > 20*kills {
			t.Fatalf("only %d of %d commands could be killed", killed, writers*round)
		}
		attempts := make([]*attempt, writers)
		for i := range attempts {
			a := begin()
			attempts[i] = a
			// Up to a little beyond the end, each at its own time; so many
			// at once take longer than one.
			time.AfterFunc(rand.N(writers*usual[a.name == "issue"]), func() { _ = a.cmd.Process.Kill() }) // it may be through
		}
		for _, a := range attempts {
			a.finish(t)
			switch {
			case a.killed && a.told:
				toldAndKilled++
				fallthrough
			case a.killed:
				killed++
			default:
				finished++
			}
			if a.name == "issue" {
				if !a.told {
					continue
				}
				if issued[a.serial] {
					t.Errorf("the serial number %s was issued twice", a.serial)
				}
				issued[a.serial], possible[a.serial] = true, []string{"good"}
				free = append(free, a.serial)
				continue
			}
			switch to := becomes[a.name]; {
			case !a.told:
				possible[a.serial] = append(possible[a.serial], to)
			case to == "good":
				possible[a.serial] = []string{to}
				free = append(free, a.serial)
			default:
				possible[a.serial] = []string{to}
				if to == "suspended" {
					suspended = append(suspended, a.serial)
				} else {
					revoked[a.serial] = true
				}
			}
		}
		if round%10 == 9 {
			checkTrust(t, f.list(t), possible)
			// The service dies as well, and starts on what is there.
			service.kill()
			<-service.ended
			service = launch(t, "TERM", nil, imzo, "trust", "serve", "--dir", f.dir)
			service.await(t, "trust services on")
		}
	}
	records := f.list(t)
	checkTrust(t, records, possible)
	t.Logf("%d killed, %d of them after they had told; %d finished; %d issued and %d revoked for sure; %d certificates; commands take %s and %s",
		killed, toldAndKilled, finished, len(issued), len(revoked), len(records), usual[true], usual[false])
	if len(revoked) < kills/20 || len(issued) < kills/20 {
		t.Errorf("too few commands came to their end for this test to tell anything")
	}
	for serial := range issued {
		if r := records[serial]; r.Profile != "user" {
			t.Errorf("the issued certificate %s is listed as %+v", serial, r)
		}
	}
	checkOCSP(t, f, revoked)
	// The folder is as good as new.
	var last struct{ Serial string }
	if err := json.Unmarshal(f.must(t, "issue", f.issueArgs()...), &last); err != nil || last.Serial == "" {
		t.Fatal(err)
	}
	f.must(t, "revoke", last.Serial)
	if r := f.list(t)[last.Serial]; r.Status != "revoked" {
		t.Errorf("after all of it %+v", r)
	}
}

func checkTrust(t *testing.T, records map[string]trustRecord, possible map[string][]string) {
	t.Helper()
	for serial, statuses := range possible {
		if r, ok := records[serial]; !ok || !slices.Contains(statuses, r.Status) {
			t.Errorf("certificate %s is %q, may be %q", serial, r.Status, statuses)
		}
	}
}

// checkOCSP asks the running service about the keys that were written, among
// which are those of the certificates that must be revoked.
func checkOCSP(t *testing.T, f trustFolder, revoked map[string]bool) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(f.out, "*.pfx"))
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	checker := revocation.New(revocation.Options{HTTP: client})
	asked := 0
	for _, file := range files {
		entries, err := keystore.OpenPFX([]byte(readFile(t, file)), "secret")
		if err != nil {
			t.Fatalf("%s: %v", file, err) // files appear whole or not at all
		}
		c := entries[0].Chain[0]
		if !revoked[c.SerialHex()] || asked == 10 { // opening the files is what takes long
			continue
		}
		asked++
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		status, err := checker.Status(ctx, c, issuerOf(entries[0]))
		cancel()
		if err != nil || status.Status != ocsp.Revoked {
			t.Errorf("OCSP says %+v of the revoked %s, %v", status, c.SerialHex(), err)
		}
	}
	if asked == 0 {
		t.Errorf("none of %d keys belongs to a revoked certificate", len(files))
	}
}

func issuerOf(e keystore.Entry) *cert.Certificate { return e.Chain[1] }
