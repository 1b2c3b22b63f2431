package trust

import (
	"bytes"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"imzo/pki/crl"
	"imzo/pki/keystore"
)

// A list made while a status changes takes the locks of the lists and of the
// records; the change takes them too.
func TestListIsMadeWhileAStatusChanges(t *testing.T) {
	var hook atomic.Pointer[func()]
	now := func() time.Time {
		if h := hook.Swap(nil); h != nil {
			(*h)()
		}
		return time.Now()
	}
	a, err := Init(filepath.Join(t.TempDir(), "h"), InitOptions{BaseURL: "http://x", KeySpec: "ecdsa:P-256", Options: Options{Now: now}})
	if err != nil {
		t.Fatal(err)
	}
	serial := issue(t, a, person).Chain[0].SerialHex()
	ended := make(chan error, 2)
	meanwhile := func() {
		go func() {
			_, err := a.Suspend(serial)
			ended <- err
		}()
		// Until the change is applied, or waits for this list for ever.
		for range 100 {
			a.mu.RLock()
			status := a.bySN["ca/"+serial].Status
			a.mu.RUnlock()
			if status == StatusSuspended {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	hook.Store(&meanwhile)
	go func() {
		_, err := a.CRL("ca")
		ended <- err
	}()
	for range 2 {
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("the list and the change wait for each other")
		}
	}
}

func TestInitKeepsWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "precious")
	if err := os.WriteFile(file, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Init(file, InitOptions{BaseURL: "http://x"}); err == nil {
		t.Error("a hierarchy in the place of a file")
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "data" {
		t.Errorf("the file holds %q, %v", b, err)
	}

	empty := filepath.Join(dir, "empty")
	if err := os.Mkdir(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(empty)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(empty)
	if _, err := Init(".", InitOptions{BaseURL: "http://x", KeySpec: "ecdsa:P-256"}); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(empty)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("the working folder was replaced: %v", err)
	}
	if left, _ := filepath.Glob(UnfinishedPattern); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := Open(".", Options{}); err != nil {
		t.Error(err)
	}
}

func TestOpenRefusesALedgerWithoutItsBeginning(t *testing.T) {
	a, dir, _ := newAuthority(t, "ecdsa:P-256")
	serial := issue(t, a, person).Chain[0].SerialHex()
	if _, err := a.Revoke(serial, ""); err != nil {
		t.Fatal(err)
	}
	_, other, _ := newAuthority(t, "ecdsa:P-256")
	foreign, err := os.ReadFile(filepath.Join(other, "ledger"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "ledger")
	for name, spoil := range map[string]func() error{
		"gone":    func() error { return os.Remove(path) },
		"empty":   func() error { return os.WriteFile(path, nil, 0o600) },
		"foreign": func() error { return os.WriteFile(path, foreign, 0o600) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, Options{}); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v, want ErrDamaged", name, err)
		}
	}
}

func TestClockSetBackLosesNoRevocation(t *testing.T) {
	a, dir, clock := newAuthority(t, "ecdsa:P-256")
	c := issue(t, a, person).Chain[0]
	if _, err := a.CRL("ca"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Revoke(c.SerialHex(), "keyCompromise"); err != nil {
		t.Fatal(err)
	}
	list := func(a *Authority) *crl.CRL {
		t.Helper()
		der, err := a.CRL("ca")
		if err != nil {
			t.Fatal(err)
		}
		l, err := crl.Parse(der)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	last := list(a).Number
	entry := big.NewInt(clock.t.UnixNano())
	clock.t = clock.t.Add(-2 * time.Hour)
	reopened, err := Open(dir, Options{Now: clock.now})
	if err != nil {
		t.Fatal(err)
	}
	for name, a := range map[string]*Authority{"running": a, "restarted": reopened} {
		l := list(a)
		if l.Number.Cmp(entry) <= 0 || name == "running" && l.Number.Cmp(last) <= 0 {
			t.Errorf("%s: number %d after %d", name, l.Number, last)
		}
		if l.ThisUpdate.After(clock.t) {
			t.Errorf("%s: a list of the future, %s", name, l.ThisUpdate)
		}
		e, ok, err := l.Lookup(c.Serial)
		if err != nil || !ok || e.RevokedAt.After(clock.t) {
			t.Errorf("%s: entry %+v, %v, %v", name, e, ok, err)
		}
		info, err := a.lookup("ca")(t.Context(), c.Serial)
		if err != nil || info.RevokedAt.After(clock.t) || info.Reason != 1 {
			t.Errorf("%s: OCSP knows %+v, %v", name, info, err)
		}
	}
}

func TestSerialNumbersAreUsedOnce(t *testing.T) {
	a, dir, clock := newAuthority(t, "ecdsa:P-256")
	a.rand = bytes.NewReader(bytes.Repeat([]byte{7}, 1<<16)) // gives one number again and again
	first := issue(t, a, person).Chain[0]
	if first.Serial.Cmp(new(big.Int).SetBytes(bytes.Repeat([]byte{7}, 8))) != 0 {
		t.Fatalf("serial number %x does not come from the reader", first.Serial)
	}
	if _, err := a.Issue(person, time.UTC); err == nil {
		t.Error("a serial number was used twice")
	}
	if a, err := Open(dir, Options{Now: clock.now}); err != nil {
		t.Errorf("the refused certificate spoiled the ledger: %v", err)
	} else if records, err := a.List(); err != nil || len(records) != 7 {
		t.Errorf("%d certificates, %v", len(records), err)
	}
}

func TestKeyThatCannotBeWrittenLeavesNoGoodCertificate(t *testing.T) {
	a, _, _ := newAuthority(t, "ecdsa:P-256")
	dir := t.TempDir()
	request := Request{Profile: ProfileUser, Subject: Subject{CommonName: "A", PINFL: "30000000000001"}}
	path, _, err := a.IssuePFX(request, time.UTC, filepath.Join(dir, "DSKEYS"), "1", keystore.ProfileJava8)
	if err != nil || path != filepath.Join(dir, "DSKEYS", "DS300000000000010001.pfx") {
		t.Fatalf("%s, %v", path, err)
	}
	records := func() []Record {
		t.Helper()
		r, err := a.List()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	before := len(records())
	if _, _, err := a.IssuePFX(request, time.UTC, path, "1", keystore.ProfileJava8); !errors.Is(err, os.ErrExist) {
		t.Errorf("over a key file: %v", err)
	}
	if after := len(records()); after != before {
		t.Errorf("%d certificates were issued for nothing", after-before)
	}
	// Not even the newest form of PFX takes this password.
	_, _, err = a.IssuePFX(request, time.UTC, filepath.Join(dir, "x.pfx"), "\xff", keystore.ProfileJava8)
	if all := records(); err == nil || len(all) != before+1 || all[before].Status != StatusRevoked || !strings.Contains(err.Error(), all[before].Serial) {
		t.Errorf("%v; last record %+v", err, all[len(all)-1])
	}
}
