package keyring

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"imzo/internal/secret"
	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/keystore"
)

// pfx is a key file of a new person, and the alias in it.
func pfx(t testing.TB) (data []byte, alias string) {
	t.Helper()
	pki := testpki.New(t, "ozdst")
	user := pki.User(t, testpki.Person)
	alias = keystore.Alias(user.Cert, time.UTC)
	data, err := keystore.CreatePFX(rand.Reader, []keystore.Entry{{Alias: alias, Key: user.Key, Chain: user.Chain}}, "1", keystore.ProfileJava8)
	if err != nil {
		t.Fatal(err)
	}
	return data, alias
}

func write(t testing.TB, data []byte, parts ...string) string {
	t.Helper()
	path := filepath.Join(parts...)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func slash(path string) string { return path + string(filepath.Separator) }

func TestKeysAreFoundOnDisksAndInTheirFolder(t *testing.T) {
	data, alias := pfx(t)
	stick, extra, empty := t.TempDir(), filepath.Join(t.TempDir(), KeysFolder), t.TempDir()
	write(t, data, stick, "one.pfx")
	write(t, data, stick, KeysFolder, "DS1.PFX")
	write(t, data, stick, "deeper", "no.pfx")
	write(t, data, stick, KeysFolder, "deeper", "no.pfx")
	write(t, []byte("no key"), stick, "broken.pfx")
	write(t, data, stick, "no.txt")
	write(t, data, stick, ".hidden.pfx")
	write(t, data, extra, "two words (1).pfx")
	if err := os.Mkdir(filepath.Join(stick, "folder.pfx"), 0o700); err != nil {
		t.Fatal(err)
	}
	r := New(Options{Dirs: []string{extra, extra, filepath.Join(stick, "none")}, Roots: func() []string { return []string{stick, empty} }})
	defer r.Close()
	if got, want := r.Disks(), []string{slash(extra), slash(stick), slash(filepath.Join(stick, KeysFolder)), slash(empty)}; !slices.Equal(got, want) {
		t.Errorf("disks %q, want %q", got, want)
	}
	for disk, want := range map[string][]string{
		"":                             {extra + "||two words (1)", stick + "||one", stick + "|DSKEYS|DS1"},
		stick:                          {stick + "||one", stick + "|DSKEYS|DS1"},
		slash(stick):                   {stick + "||one", stick + "|DSKEYS|DS1"},
		filepath.Join(stick, "DSKEYS"): {filepath.Join(stick, "DSKEYS") + "||DS1"},
		slash(empty):                   {},
	} {
		for range 2 { // the second time from memory
			items, err := r.List(PFX, disk)
			if err != nil {
				t.Fatal(disk, err)
			}
			got := []string{}
			for _, i := range items {
				if i.Alias != alias || i.Certificate != nil || !strings.HasSuffix(i.Disk, string(filepath.Separator)) {
					t.Errorf("%+v", i)
				}
				got = append(got, filepath.Clean(i.Disk)+"|"+i.Path+"|"+i.Name)
				f, err := r.Locate(PFX, i.Disk, i.Path, i.Name)
				if err != nil {
					t.Errorf("%+v: %v", i, err)
				}
				if b, err := r.Read(f); err != nil || !bytes.Equal(b, data) {
					t.Errorf("%+v: %v", i, err)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%q: %q, want %q", disk, got, want)
			}
		}
	}
	if _, err := r.List(PFX, t.TempDir()); !errors.Is(err, ErrDisk) {
		t.Error(err)
	}
	// What was broken is read again once it is another.
	path := filepath.Join(stick, "broken.pfx")
	write(t, data, path)
	if items, _ := r.List(PFX, stick); len(items) != 3 {
		t.Errorf("%+v", items)
	}
}

func TestNoNameLeadsOutOfTheFolder(t *testing.T) {
	data, _ := pfx(t)
	base := t.TempDir()
	stick := filepath.Join(base, "stick")
	write(t, data, stick, "one.pfx")
	outside := write(t, data, base, "outside.pfx")
	if runtime.GOOS != "windows" {
		for link, target := range map[string]string{"link.pfx": outside, "relative.pfx": "../outside.pfx", "inside.pfx": "one.pfx", "loop.pfx": "loop.pfx", "DSKEYS": base} {
			if err := os.Symlink(target, filepath.Join(stick, link)); err != nil {
				t.Fatal(err)
			}
		}
	}
	r := New(Options{Dirs: []string{stick}})
	defer r.Close()
	for _, c := range []struct {
		disk, path, name string
		want             error
	}{
		{stick, "", "one", nil},
		{slash(stick), "", "one", nil},
		{stick + "/.", "", "one", nil},
		{stick, "", "none", ErrMissing},
		{stick, "dskeys", "one", ErrPath},
		{stick, "../stick", "one", ErrPath},
		{stick, KeysFolder, "one", ErrMissing},
		{stick, KeysFolder, "outside", ErrMissing},
		{base, "", "outside", ErrDisk},
		{"", "", "one", ErrDisk},
		{"stick", "", "one", ErrDisk},
		{stick + "/..", "", "outside", ErrDisk},
		{stick + "\x00", "", "one", ErrDisk},
		{stick, "", "../outside", ErrName},
		{stick, "", `..\outside`, ErrName},
		{stick, "", "one\x00", ErrName},
		{stick, "", "one:stream", ErrName},
		{stick, "", "", ErrName},
		{stick, "", "..", ErrName},
		{stick, "", "NUL", ErrName},
		{stick, "", "com1.x", ErrName},
		{stick, "", "*", ErrName},
		{stick, "", strings.Repeat("a", maxName+1), ErrName},
	} {
		if _, err := r.Locate(PFX, c.disk, c.path, c.name); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%q %q %q: %v, want %v", c.disk, c.path, c.name, err, c.want)
		}
	}
	if runtime.GOOS == "windows" {
		return
	}
	for _, name := range []string{"link", "relative", "loop", "inside"} {
		if _, err := r.Locate(PFX, stick, "", name); !errors.Is(err, ErrMissing) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := r.Read(File{stick, name + ".pfx"}); !errors.Is(err, ErrMissing) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if items, err := r.List(PFX, ""); err != nil || len(items) != 1 {
		t.Errorf("%+v %v", items, err)
	}
}

func TestAFileIsReadForAListOnceWhileItStays(t *testing.T) {
	data, alias := pfx(t)
	dir := t.TempDir()
	path := write(t, data, dir, "one.pfx")
	old := time.Now().Add(-time.Hour)
	set := func(at time.Time) {
		t.Helper()
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	set(old)
	reads := 0
	counted := &Kind{Extension: ".pfx", List: func(b []byte) ([]Listed, error) {
		reads++
		return PFX.List(b)
	}}
	r := New(Options{Dirs: []string{dir}})
	defer r.Close()
	list := func(wantReads, wantKeys int) {
		t.Helper()
		items, err := r.List(counted, "")
		if err != nil || len(items) != wantKeys || reads != wantReads {
			t.Errorf("%d keys after %d reads, want %d after %d; %v", len(items), reads, wantKeys, wantReads, err)
		}
		if wantKeys > 0 && items[0].Alias != alias {
			t.Errorf("%+v", items)
		}
	}
	list(1, 1)
	list(1, 1)
	if err := os.WriteFile(path, bytes.Repeat([]byte{1}, len(data)), 0o600); err != nil {
		t.Fatal(err)
	}
	list(2, 0) // just written, and of the same size: its time may not tell
	list(3, 0)
	set(old.Add(time.Minute))
	list(4, 0)
	list(4, 0) // that there is nothing in it is remembered too
}

func TestADiskThatDoesNotAnswerHoldsNobodyUp(t *testing.T) {
	data, _ := pfx(t)
	good, gone := t.TempDir(), t.TempDir()
	write(t, data, good, "one.pfx")
	r := New(Options{Dirs: []string{gone, good}})
	defer r.Close()
	release := make(chan struct{})
	var asked atomic.Int32
	r.patience = 50 * time.Millisecond
	r.stat = func(path string) (fs.FileInfo, error) {
		if path == gone {
			asked.Add(1)
			<-release
		}
		return os.Stat(path)
	}
	start := time.Now()
	for range 20 {
		if items, err := r.List(PFX, ""); err != nil || len(items) != 1 {
			t.Errorf("%+v %v", items, err)
		}
	}
	if _, err := r.Locate(PFX, gone, "", "one"); !errors.Is(err, ErrDisk) {
		t.Error(err)
	}
	if asked.Load() != 1 || time.Since(start) > 10*time.Second {
		t.Errorf("asked %d times in %v", asked.Load(), time.Since(start))
	}
	close(release)
	for len(r.Disks()) != 2 {
		time.Sleep(time.Millisecond)
	}
}

func TestLargeFilesAreNotRead(t *testing.T) {
	dir := t.TempDir()
	write(t, make([]byte, maxFile+1), dir, "large.pfx")
	r := New(Options{Dirs: []string{dir}})
	defer r.Close()
	f, err := r.Locate(PFX, dir, "", "large")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(f); !errors.Is(err, ErrSize) {
		t.Error(err)
	}
	if items, err := r.List(PFX, ""); err != nil || len(items) != 0 {
		t.Error(items, err)
	}
}

func TestNewFilesAppearWholeAndReplaceNothing(t *testing.T) {
	stick := t.TempDir()
	r := New(Options{Dirs: []string{stick}})
	defer r.Close()
	f, err := r.Create(PFX, slash(stick), KeysFolder, "DS1", []byte("one"))
	if err != nil || f.Path() != filepath.Join(stick, KeysFolder, "DS1.pfx") {
		t.Fatal(f, err)
	}
	if info, err := os.Stat(f.Path()); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	for _, c := range []struct {
		disk, path, name string
		want             error
	}{
		{stick, KeysFolder, "DS1", ErrExists},
		{stick, "", "ds1", ErrName},
		{stick, "", "DS-1", ErrName},
		{stick, "", "", ErrName},
		{stick, "", "COM1", ErrName},
		{stick, "x", "DS1", ErrPath},
		{t.TempDir(), "", "DS1", ErrDisk},
	} {
		if _, err := r.Create(PFX, c.disk, c.path, c.name, []byte("two")); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if b, err := r.Read(f); err != nil || string(b) != "one" {
		t.Errorf("%q %v", b, err)
	}
	blocked := t.TempDir()
	write(t, nil, blocked, KeysFolder)
	b := New(Options{Dirs: []string{blocked}})
	defer b.Close()
	if _, err := b.Create(PFX, blocked, KeysFolder, "DS1", nil); err == nil {
		t.Error("a file in a file")
	}

	if err := r.Replace(f, []byte("one"), []byte("two")); err != nil {
		t.Fatal(err)
	}
	if err := r.Replace(f, []byte("one"), []byte("three")); !errors.Is(err, ErrChanged) {
		t.Error(err)
	}
	if b, err := r.Read(f); err != nil || string(b) != "two" {
		t.Errorf("%q %v", b, err)
	}
	left, err := filepath.Glob(filepath.Join(stick, KeysFolder, ".new-*"))
	if err != nil || len(left) != 0 {
		t.Error(left, err)
	}
}

func TestIDsAreOfUseToThePageThatLoadedTheKey(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r := New(Options{Now: func() time.Time { return now }})
	defer r.Close()
	id := r.Add(Session{Type: TypePFX, Origin: "https://a.uz", Alias: "x"})
	if len(id) != 32 || id[12] != '4' || strings.ToLower(id) != id {
		t.Error(id)
	}
	s, err := r.Get("https://a.uz", id)
	if err != nil || s.Alias != "x" || s.ID != id {
		t.Error(s, err)
	}
	for _, origin := range []string{"https://b.uz", "http://a.uz", ""} {
		if _, err := r.Get(origin, id); !errors.Is(err, ErrNoID) {
			t.Error(origin, err)
		}
		if err := r.Remove(origin, id); !errors.Is(err, ErrNoID) {
			t.Error(origin, err)
		}
	}
	now = now.Add(sessionLife - 1)
	if _, err := r.Get("https://a.uz", id); err != nil {
		t.Error(err)
	}
	now = now.Add(1)
	if _, err := r.Get("https://a.uz", id); !errors.Is(err, ErrNoID) {
		t.Error(err)
	}
	id = r.Add(Session{Origin: "https://a.uz"})
	if err := r.Remove("https://a.uz", id); err != nil {
		t.Error(err)
	}
	if _, err := r.Get("https://a.uz", id); !errors.Is(err, ErrNoID) {
		t.Error(err)
	}
	g := New(Options{Global: true})
	defer g.Close()
	id = g.Add(Session{Origin: "https://a.uz"})
	if _, err := g.Get("https://b.uz", id); err != nil {
		t.Error(err)
	}
}

func TestOnePageDoesNotPushOutTheKeysOfOthers(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r := New(Options{Now: func() time.Time { now = now.Add(1); return now }})
	defer r.Close()
	id := r.Add(Session{Origin: "a"})
	var first string
	for i := range 3 * maxOfOrigin {
		if got := r.Add(Session{Origin: "b"}); i == 0 {
			first = got
		}
	}
	if _, err := r.Get("a", id); err != nil {
		t.Error(err)
	}
	if _, err := r.Get("b", first); !errors.Is(err, ErrNoID) {
		t.Error("the oldest is still there")
	}
	for i := range maxSessions {
		r.Add(Session{Origin: fmt.Sprint(i)})
	}
	if len(r.sessions) > maxSessions {
		t.Errorf("%d sessions", len(r.sessions))
	}
}

func TestPasswordsAreRememberedForAsLongAsThePersonSaid(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r := New(Options{Now: func() time.Time { return now }})
	password := secret.New([]byte("Abc12345"))
	defer password.Wipe()
	id := r.Add(Session{Origin: "a", File: File{"x", "y"}})
	want := func(origin, id string, want bool) {
		t.Helper()
		s, ok := r.Remembered(origin, id)
		if ok != want || ok && s.Text() != "Abc12345" {
			t.Error(ok)
		}
		s.Wipe()
	}
	for _, c := range []struct {
		long bool
		life time.Duration
	}{{false, shortRemember}, {true, longRemember}} {
		r.Remember("a", id, password, c.long)
		want("a", id, true)
		want("b", id, false)
		now = now.Add(c.life - 1)
		want("a", id, true)
		now = now.Add(1)
		want("a", id, false)
	}
	r.Remember("a", id, password, true)
	r.Forget("a", id)
	want("a", id, false)
	r.Remember("a", "idcard", password, true)
	r.ForgetPrefix("idcard")
	want("a", "idcard", false)
	r.Remember("a", id, password, true)
	r.ForgetFile(File{"x", "y"})
	want("a", id, false)
	if _, err := r.Get("a", id); !errors.Is(err, ErrNoID) {
		t.Error(err)
	}
	id = r.Add(Session{Origin: "a"})
	r.Remember("a", id, password, true)
	kept := r.passwords[passwordKey{"a", id}].secret
	if err := r.Close(); err != nil || !kept.Empty() || len(r.sessions) != 0 {
		t.Error("not wiped", err)
	}
	if password.Empty() {
		t.Error("the caller's own is wiped")
	}
}

type wiped struct{ times int }

func (w *wiped) Wipe() { w.times++ }

func TestWhatAPasswordOpenedGoesWithIt(t *testing.T) {
	now := time.Unix(0, 0)
	r := New(Options{Now: func() time.Time { return now }})
	defer r.Close()
	id := r.Add(Session{Origin: "a"})
	early := &wiped{}
	r.Keep("a", id, early)
	if early.times != 1 || r.Kept("a", id) != nil {
		t.Error("kept without a password")
	}
	first, second := &wiped{}, &wiped{}
	r.Remember("a", id, secret.New([]byte("p")), false)
	if r.Kept("a", id) != nil {
		t.Error("something is kept")
	}
	r.Keep("a", id, first)
	r.Keep("a", id, second)
	if first.times != 1 || r.Kept("a", id) != Wiper(second) || r.Kept("b", id) != nil {
		t.Errorf("%+v %+v", first, second)
	}
	now = now.Add(shortRemember)
	if r.Kept("a", id) != nil {
		t.Error("outlives its password")
	}
	if _, ok := r.Remembered("a", id); ok || second.times != 1 {
		t.Error("not wiped", second.times)
	}
	last := &wiped{}
	r.Remember("a", id, secret.New([]byte("p")), true)
	r.Keep("a", id, last)
	if err := r.Remove("a", id); err != nil || last.times != 1 {
		t.Error(err, last.times)
	}
}

func TestARingIsSafeForSeveralAtOnce(t *testing.T) {
	data, _ := pfx(t)
	dir := t.TempDir()
	write(t, data, dir, "one.pfx")
	r := New(Options{Dirs: []string{dir}})
	defer r.Close()
	password := secret.New([]byte("x"))
	defer password.Wipe()
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			origin := fmt.Sprint(i % 3)
			for range 50 {
				id := r.Add(Session{Origin: origin})
				r.Remember(origin, id, password, i%2 == 0)
				if s, ok := r.Remembered(origin, id); ok {
					s.Wipe()
				}
				if items, err := r.List(PFX, ""); err != nil || len(items) != 1 {
					t.Error(items, err)
				}
				r.Forget(origin, id)
				if err := r.Remove(origin, id); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
}

// Whatever a page sends, the file it names lies in a folder we look in.
func FuzzLocate(f *testing.F) {
	dir := f.TempDir()
	write(f, []byte("x"), dir, "one.pfx")
	r := New(Options{Dirs: []string{dir}})
	f.Add(dir, "", "one")
	f.Add(dir, "DSKEYS", "one")
	f.Add(dir+"/..", "", "../one")
	f.Add("", "", "one.pfx\x00")
	f.Fuzz(func(t *testing.T, disk, path, name string) {
		file, err := r.Locate(PFX, disk, path, name)
		if err != nil {
			return
		}
		if file.Path() != filepath.Join(dir, "one.pfx") {
			t.Fatalf("%q %q %q: %q", disk, path, name, file.Path())
		}
	})
}

// TestAKeyInUseIsNotWiped: the session may end in the middle of a call.
func TestAKeyInUseIsNotWiped(t *testing.T) {
	key, err := alg.GenerateKey("ozdst", nil)
	if err != nil {
		t.Fatal(err)
	}
	r := New(Options{})
	id := r.Add(Session{Type: TypeKeyPair, Origin: "a", Key: key})
	if s, err := r.Get("a", id); err != nil || s.Key != nil {
		t.Errorf("%+v, %v", s, err)
	}
	if _, done, err := r.Use("b", id); err == nil {
		t.Error("another page uses the key")
	} else {
		done()
	}
	s, done, err := r.Use("a", id)
	if err != nil || s.Key != key {
		t.Fatalf("%+v, %v", s, err)
	}
	_, done2, err := r.Use("a", id)
	if err != nil {
		t.Fatal(err)
	}
	var signing sync.WaitGroup
	signing.Go(func() {
		for range 200 {
			if _, err := key.SignMessage(nil, []byte("x")); err != nil {
				t.Error(err)
			}
		}
		done()
		done()
	})
	if err := errors.Join(r.Remove("a", id), r.Close()); err != nil {
		t.Error(err)
	}
	signing.Wait()
	if _, err := key.SignMessage(nil, []byte("x")); err != nil {
		t.Error("wiped while another call uses it")
	}
	done2()
	if _, err := key.SignMessage(nil, []byte("x")); err == nil {
		t.Error("not wiped")
	}
}
