package soft

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/gofrs/flock"
	"github.com/google/go-cmp/cmp"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/token"
)

func TestCardGoesFromEmptyToSigning(t *testing.T) {
	ctx := t.Context()
	c := newCard(t)
	want := token.Info{Kind: token.KindIDCard, Name: "Ali", Serial: "00a1", MinPIN: 1, MaxPIN: 8, TriesLeft: 5}
	if got, err := c.Info(ctx); err != nil || got != want {
		t.Errorf("empty card is %+v, %v", got, err)
	}
	if _, err := c.Chain(ctx); !errors.Is(err, token.ErrEmpty) {
		t.Errorf("chain of an empty card: %v", err)
	}
	s := unlock(t, c, testPIN)
	if _, _, err := s.Key(ctx); !errors.Is(err, token.ErrEmpty) {
		t.Errorf("key of an empty card: %v", err)
	}
	pending, err := s.GenerateKey(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	signs(t, pending, pending.PublicKey()) // a request is signed with it
	chain := certify(t, testpki.New(t, "ozdst"), pending.PublicKey())
	if err := s.Personalize(ctx, chain, []byte("777777")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	again, err := Open(c.Path())
	if err != nil {
		t.Fatal(err)
	}
	want.Personalized = true
	if got, err := again.Info(ctx); err != nil || got != want {
		t.Errorf("personalized card is %+v, %v", got, err)
	}
	got, err := again.Chain(ctx)
	if err != nil || len(got) != 3 || !got[0].Equal(chain[0]) || !got[1].Equal(chain[1]) || !got[2].Equal(chain[2]) {
		t.Fatalf("chain: %v, %v", got, err)
	}
	if _, err := again.Open(ctx, []byte(testPIN)); !errors.As(err, new(*token.PINError)) {
		t.Errorf("PIN from before: %v", err)
	}
	s = unlock(t, again, "777777")
	key, withKey, err := s.Key(ctx)
	if err != nil || len(withKey) != 3 || !withKey[0].Equal(chain[0]) {
		t.Fatalf("key: %v, %v", withKey, err)
	}
	signs(t, key, chain[0].PublicKey)
}

func TestKeysAreOfTheKindsOwnSets(t *testing.T) {
	tests := []struct {
		kind       token.Kind
		parameters string
		want       ber.OID // parameter set; "" where refused
		family     alg.Family
	}{
		{token.KindIDCard, "", alg.OIDParamOZDSTC, alg.FamilyOZDST},
		{token.KindIDCard, "ozdst", alg.OIDParamOZDSTC, alg.FamilyOZDST},
		{token.KindIDCard, "ozdst:C", alg.OIDParamOZDSTC, alg.FamilyOZDST},
		{token.KindIDCard, "ozmst:c", alg.OIDParamOZMSTC, alg.FamilyOZMST},
		{token.KindIDCard, "ozdst:A", "", ""},
		{token.KindIDCard, "gost2001:C", "", ""},
		{token.KindIDCard, "rsa:2048", "", ""},
		{token.KindIDCard, "ozdst:", alg.OIDParamOZDSTC, alg.FamilyOZDST},
		{token.KindIDCard, "ozdst:CA", "", ""},
		{token.KindIDCard, "nothing", "", ""},
		{token.KindBAIK, "", alg.OIDParamOZMSTB, alg.FamilyOZMST},
		{token.KindBAIK, "ozdst:C", alg.OIDParamOZDSTC, alg.FamilyOZDST},
		{token.KindBAIK, "ozdst:AC", "", ""},
		{token.KindUZGUARD, "", alg.OIDParamOZMSTD, alg.FamilyOZMST},
		{token.KindUZGUARD, "ozmst:A", alg.OIDParamOZMSTD, alg.FamilyOZMST},
		{token.KindUZGUARD, "ozdst:A", alg.OIDParamOZDSTA, alg.FamilyOZDST},
		{token.KindUZGUARD, "ozmst:D", "", ""},
	}
	for _, test := range tests {
		t.Run(string(test.kind)+" "+test.parameters, func(t *testing.T) {
			s := unlock(t, newCard(t, func(o *Options) { o.Kind = test.kind }), testPIN)
			key, err := s.GenerateKey(t.Context(), test.parameters)
			if test.want == "" {
				if !errors.Is(err, token.ErrUnsupported) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if key.Family() != test.family || !bytes.Contains(key.PublicKey().Raw, test.want.DER()) {
				t.Errorf("family %s, public key %x", key.Family(), key.PublicKey().Raw)
			}
			signs(t, key, key.PublicKey())
		})
	}
}

func TestWrongPINsAreCountedAndBlock(t *testing.T) {
	ctx := t.Context()
	c := newCard(t, func(o *Options) { o.MaxTries = 3 })
	for _, want := range []int{2, 1} {
		var wrong *token.PINError
		if _, err := c.Open(ctx, []byte(badPIN)); !errors.As(err, &wrong) || wrong.TriesLeft != want || errors.Is(err, token.ErrBlocked) {
			t.Fatalf("error %v, want %d left", err, want)
		}
		if got := triesLeft(t, c); got != want {
			t.Fatalf("%d tries left, want %d", got, want)
		}
	}
	unlock(t, c, testPIN)
	if got := triesLeft(t, c); got != 3 {
		t.Fatalf("%d tries left after the right PIN", got)
	}
	for range 2 {
		c.Open(ctx, []byte(badPIN))
	}
	var wrong *token.PINError
	if _, err := c.Open(ctx, []byte(badPIN)); !errors.As(err, &wrong) || wrong.TriesLeft != 0 || !errors.Is(err, token.ErrBlocked) {
		t.Errorf("last wrong PIN: %v", err)
	}
	for _, pin := range []string{testPIN, badPIN, "", "x"} {
		if _, err := c.Open(ctx, []byte(pin)); !errors.Is(err, token.ErrBlocked) || errors.As(err, &wrong) {
			t.Errorf("blocked card with PIN %q: %v", pin, err)
		}
	}
}

func TestWhatCannotBeAPINUsesNoTry(t *testing.T) {
	c := newCard(t)
	long := newCard(t, func(o *Options) { o.Kind, o.MaxPIN = token.KindUZGUARD, 12 })
	for _, pin := range []string{"", "123456789", "12a4", "12 4", "１２", "-123"} {
		if _, err := c.Open(t.Context(), []byte(pin)); !errors.Is(err, token.ErrPINLength) {
			t.Errorf("PIN %q: %v", pin, err)
		}
	}
	if got := triesLeft(t, c); got != 5 {
		t.Errorf("%d tries left", got)
	}
	if _, err := long.Open(t.Context(), []byte("123456789012")); !errors.As(err, new(*token.PINError)) {
		t.Errorf("twelve digits where twelve are allowed: %v", err)
	}
	s := unlock(t, c, testPIN)
	if err := s.ChangePIN(t.Context(), []byte("123456789")); !errors.Is(err, token.ErrPINLength) {
		t.Errorf("new PIN too long: %v", err)
	}
	if err := c.Unblock(t.Context(), []byte("1234567"), []byte("1")); !errors.Is(err, token.ErrPINLength) {
		t.Errorf("PUK too short: %v", err)
	}
	if err := c.Unblock(t.Context(), []byte(testPUK), nil); !errors.Is(err, token.ErrPINLength) {
		t.Errorf("no new PIN: %v", err)
	}
}

func TestChangedPINReplacesTheOld(t *testing.T) {
	c, chain := personalized(t)
	s := unlock(t, c, testPIN)
	if err := s.ChangePIN(t.Context(), []byte("1")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Open(t.Context(), []byte(testPIN)); !errors.As(err, new(*token.PINError)) {
		t.Errorf("old PIN: %v", err)
	}
	key, _, err := unlock(t, c, "1").Key(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	signs(t, key, chain[0].PublicKey)
	// And the PUK still opens the same card.
	if err := c.Unblock(t.Context(), []byte(testPUK), []byte("22")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := unlock(t, c, "22").Key(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestUnblockSetsThePINAndItsTries(t *testing.T) {
	ctx := t.Context()
	c, chain := personalized(t, func(o *Options) { o.MaxTries = 2 })
	if _, err := guess(ctx, c); err != nil {
		t.Fatal(err)
	}
	var wrong *token.PINError
	if err := c.Unblock(ctx, []byte(badPUK), []byte("4321")); !errors.As(err, &wrong) || wrong.TriesLeft != 9 {
		t.Errorf("wrong PUK: %v", err)
	}
	if _, err := c.Open(ctx, []byte(testPIN)); !errors.Is(err, token.ErrBlocked) {
		t.Errorf("a wrong PUK unblocked: %v", err)
	}
	if err := c.Unblock(ctx, []byte(testPUK), []byte("4321")); err != nil {
		t.Fatal(err)
	}
	if got := triesLeft(t, c); got != 2 {
		t.Errorf("%d tries left", got)
	}
	key, _, err := unlock(t, c, "4321").Key(ctx)
	if err != nil {
		t.Fatal(err)
	}
	signs(t, key, chain[0].PublicKey)
	// The counter of the PUK starts anew.
	if err := c.Unblock(ctx, []byte(badPUK), []byte("1")); !errors.As(err, &wrong) || wrong.TriesLeft != 9 {
		t.Errorf("wrong PUK after a right one: %v", err)
	}
}

func TestTenWrongPUKsKillTheCard(t *testing.T) {
	ctx := t.Context()
	c := newCard(t)
	for left := 9; left >= 0; left-- {
		var wrong *token.PINError
		err := c.Unblock(ctx, []byte(badPUK), []byte("1"))
		if !errors.As(err, &wrong) || wrong.TriesLeft != left || errors.Is(err, token.ErrBlocked) != (left == 0) {
			t.Fatalf("error %v, want %d left", err, left)
		}
	}
	if err := c.Unblock(ctx, []byte(testPUK), []byte("1")); !errors.Is(err, token.ErrBlocked) {
		t.Errorf("right PUK: %v", err)
	}
	if _, err := c.Open(ctx, []byte(testPIN)); !errors.Is(err, token.ErrBlocked) {
		t.Errorf("right PIN: %v", err)
	}
}

func TestCardWithoutPUKStaysBlocked(t *testing.T) {
	c := newCard(t, func(o *Options) { o.PUK = nil })
	if err := c.Unblock(t.Context(), []byte(testPUK), []byte("1")); !errors.Is(err, token.ErrUnsupported) {
		t.Errorf("error %v", err)
	}
}

func TestKilledProgramWinsNoTries(t *testing.T) {
	for _, test := range []struct {
		act  string
		left func(*card) int
		all  int
	}{
		{"hang PIN", func(c *card) int { return c.PIN.TriesLeft }, 5},
		{"hang PUK", func(c *card) int { return c.PUK.TriesLeft }, 10},
	} {
		t.Run(test.act, func(t *testing.T) {
			c := newCard(t)
			// Even with what is right: the answer never came.
			for want := test.all - 1; want >= 0; want-- {
				p := start(t, test.act, c)
				if got := p.line(t); got != "counted" {
					t.Fatalf("the other program says %q", got)
				}
				content, err := c.store.read()
				if err != nil {
					t.Fatal(err)
				}
				if got := test.left(content); got != want {
					t.Fatalf("%d tries left while the answer is computed, want %d", got, want)
				}
				if err := p.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				p.Wait()
			}
			// The lock went with the process, the count did not.
			if _, err := c.Open(t.Context(), []byte(testPIN)); !errors.Is(err, token.ErrBlocked) {
				t.Errorf("right PIN after %d kills: %v", test.all, err)
			}
		})
	}
}

func TestProgramsAtOnceWinNoTries(t *testing.T) {
	c := newCard(t, func(o *Options) { o.MaxTries = 15 })
	var programs []program
	for range 3 {
		p := start(t, "guess", c)
		if got := p.line(t); got != "ready" {
			t.Fatalf("the other program says %q", got)
		}
		programs = append(programs, p)
	}
	for _, p := range programs {
		p.in.WriteString("go\n")
	}
	answered := 0
	for _, p := range programs {
		line := p.line(t)
		n := 0
		for _, r := range line {
			n = n*10 + int(r-'0')
		}
		answered += n
		if err := p.Wait(); err != nil {
			t.Error(err)
		}
	}
	if answered != 15 {
		t.Errorf("%d PINs were answered, want 15", answered)
	}
}

func TestGoroutinesAtOnceWinNoTries(t *testing.T) {
	c := newCard(t, func(o *Options) { o.MaxTries = 10 })
	var answered atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			n, err := guess(t.Context(), c)
			if err != nil {
				t.Error(err)
			}
			answered.Add(int64(n))
		})
	}
	wg.Wait()
	if answered.Load() != 10 {
		t.Errorf("%d PINs were answered, want 10", answered.Load())
	}
}

// A power cut in the middle of a replacement leaves the new file behind.
func TestLeftoverOfAKillIsNoHindrance(t *testing.T) {
	c := newCard(t)
	left := filepath.Join(filepath.Dir(c.Path()), ".ali.card.new")
	if err := os.WriteFile(left, []byte("half a ca"), 0o600); err != nil {
		t.Fatal(err)
	}
	unlock(t, c, testPIN)
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("left over: %v", err)
	}
}

// Without the count on disk there is no answer.
func TestCardThatCannotCountDoesNotAnswer(t *testing.T) {
	if runtime.GOOS == "windows" || os.Getuid() == 0 {
		// A folder in the place of the new file fails for root as well.
		c := newCard(t)
		in := filepath.Join(filepath.Dir(c.Path()), ".ali.card.new", "x")
		if err := os.MkdirAll(in, 0o700); err != nil {
			t.Fatal(err)
		}
		refusesBothPINs(t, c)
		return
	}
	c := newCard(t)
	unlock(t, c, testPIN) // makes the lock file
	dir := filepath.Dir(c.Path())
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(dir, 0o700) })
	refusesBothPINs(t, c)
}

func refusesBothPINs(t *testing.T, c *Card) {
	t.Helper()
	for _, pin := range []string{testPIN, badPIN} {
		if s, err := c.Open(t.Context(), []byte(pin)); err == nil || s != nil || errors.As(err, new(*token.PINError)) {
			t.Errorf("PIN %s is answered without a count: %v", pin, err)
		}
	}
	if err := c.Unblock(t.Context(), []byte(badPUK), []byte("1")); err == nil || errors.As(err, new(*token.PINError)) {
		t.Errorf("PUK is answered without a count: %v", err)
	}
}

func TestFileShowsNoSecret(t *testing.T) {
	c, _ := personalized(t)
	s := unlock(t, c, testPIN)
	content, err := c.store.read()
	if err != nil {
		t.Fatal(err)
	}
	key, err := s.unseal(content.Present)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(c.Path())
	if err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string][]byte{"scalar": key.Bytes(), "card key": s.key[:]} {
		for _, form := range []string{string(secret), hex.EncodeToString(secret), base64.StdEncoding.EncodeToString(secret)} {
			if bytes.Contains(b, []byte(form)) {
				t.Errorf("the file holds the %s", name)
			}
		}
	}
	info, err := os.Stat(c.Path())
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestCreateRefuses(t *testing.T) {
	dir := t.TempDir()
	taken := filepath.Join(dir, "taken.card")
	if err := os.WriteFile(taken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		path string
		mod  func(*Options)
		want error
	}{
		"a file that is there":   {taken, func(*Options) {}, fs.ErrExist},
		"a folder that is not":   {filepath.Join(dir, "no", "x.card"), func(*Options) {}, token.ErrMissing},
		"PKCS#11":                {"", func(o *Options) { o.Kind = token.KindPKCS11 }, ErrFormat},
		"no kind":                {"", func(o *Options) { o.Kind = "" }, ErrFormat},
		"no PIN":                 {"", func(o *Options) { o.PIN = nil }, token.ErrPINLength},
		"long PIN":               {"", func(o *Options) { o.PIN = []byte("123456789") }, token.ErrPINLength},
		"PIN with letters":       {"", func(o *Options) { o.PIN = []byte("pin") }, token.ErrPINLength},
		"short PUK":              {"", func(o *Options) { o.PUK = []byte("1234") }, token.ErrPINLength},
		"too long PINs":          {"", func(o *Options) { o.MaxPIN = 9 }, ErrFormat},
		"too long UZGUARD PINs":  {"", func(o *Options) { o.Kind, o.MaxPIN = token.KindUZGUARD, 17 }, ErrFormat},
		"too many tries":         {"", func(o *Options) { o.MaxTries = 16 }, ErrFormat},
		"negative tries":         {"", func(o *Options) { o.MaxTries = -1 }, ErrFormat},
		"name with a line break": {"", func(o *Options) { o.Name = "a\nb" }, ErrFormat},
		"long name":              {"", func(o *Options) { o.Name = strings.Repeat("a", 129) }, ErrFormat},
		"serial":                 {"", func(o *Options) { o.Serial = "xyz" }, ErrFormat},
		"no randomness":          {"", func(o *Options) { o.Rand = iotest.ErrReader(errNoRandomness) }, errNoRandomness},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.path == "" {
				test.path = filepath.Join(t.TempDir(), "new.card")
			}
			o := options()
			test.mod(&o)
			before, _ := os.ReadFile(test.path)
			if _, err := Create(test.path, o); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if after, _ := os.ReadFile(test.path); !bytes.Equal(before, after) {
				t.Error("a file was made or changed")
			}
		})
	}
}

var errNoRandomness = errors.New("no randomness")

// limited gives out so many octets and fails then.
type limited struct{ left int }

func (l *limited) Read(b []byte) (int, error) {
	if l.left < len(b) {
		return 0, errNoRandomness
	}
	l.left -= len(b)
	for i := range b {
		b[i] = byte(i*7 + l.left)
	}
	return len(b), nil
}

func TestFailingRandomnessLeavesTheCardAsItWas(t *testing.T) {
	for n := 0; n < 16+32+2*(16+12); n += 6 {
		path := filepath.Join(t.TempDir(), "x.card")
		o := options()
		o.Rand = &limited{n}
		if _, err := Create(path, o); !errors.Is(err, errNoRandomness) {
			t.Errorf("card from %d octets: %v", n, err)
		}
	}
	c, chain := personalized(t)
	s := unlock(t, c, testPIN)
	before, err := os.ReadFile(c.Path())
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < 64+12; n += 20 {
		c.rand = &limited{n}
		if _, err := s.GenerateKey(t.Context(), ""); !errors.Is(err, errNoRandomness) {
			t.Errorf("key from %d octets: %v", n, err)
		}
	}
	c.rand = &limited{}
	if err := s.ChangePIN(t.Context(), []byte("1")); !errors.Is(err, errNoRandomness) {
		t.Errorf("PIN: %v", err)
	}
	if err := s.Personalize(t.Context(), chain, []byte("1")); !errors.Is(err, errNoRandomness) {
		t.Errorf("personalize: %v", err)
	}
	after, err := os.ReadFile(c.Path())
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file changed: %s", cmp.Diff(string(before), string(after)))
	}
	c.rand = &limited{}
	if err := c.Unblock(t.Context(), []byte(testPUK), []byte("1")); !errors.Is(err, errNoRandomness) {
		t.Errorf("unblock: %v", err)
	}
}

func TestDefaultsAreTheUsual(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vali.card")
	c, err := Create(path, Options{Kind: token.KindUZGUARD, PIN: []byte("1")})
	if err != nil {
		t.Fatal(err)
	}
	want := token.Info{Kind: token.KindUZGUARD, Name: "vali", MinPIN: 1, MaxPIN: 8, TriesLeft: 5}
	if got, err := c.Info(t.Context()); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	content, err := c.store.read()
	if err != nil || content.PIN.KDF.Memory != 64<<10 || content.PIN.KDF.Time != 3 || content.Created.IsZero() {
		t.Errorf("%+v, %v", content, err)
	}
	unlock(t, c, "1")
}

func TestCardThatIsGone(t *testing.T) {
	c := newCard(t)
	s := unlock(t, c, testPIN)
	if err := os.Remove(c.Path()); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	_, info := c.Info(ctx)
	_, chain := c.Chain(ctx)
	_, open := c.Open(ctx, []byte(testPIN))
	_, _, key := s.Key(ctx)
	_, generate := s.GenerateKey(ctx, "")
	_, again := Open(c.Path())
	for name, err := range map[string]error{
		"Info": info, "Chain": chain, "Open": open, "Key": key, "GenerateKey": generate, "Open of the package": again,
		"ChangePIN": s.ChangePIN(ctx, []byte("1")), "Unblock": c.Unblock(ctx, []byte(testPUK), []byte("1")),
	} {
		if !errors.Is(err, token.ErrMissing) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Another card in the place is not the one that was unlocked.
	if _, err := Create(c.Path(), options()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Key(ctx); !errors.Is(err, token.ErrMissing) {
		t.Errorf("Key of another card: %v", err)
	}
	if err := s.ChangePIN(ctx, []byte("1")); !errors.Is(err, token.ErrMissing) {
		t.Errorf("ChangePIN of another card: %v", err)
	}
}

func TestLinkIsNoCard(t *testing.T) {
	c := newCard(t)
	link := filepath.Join(t.TempDir(), "link.card")
	if err := os.Symlink(c.Path(), link); err != nil {
		t.Skipf("no links here: %v", err)
	}
	if _, err := Open(link); !errors.Is(err, ErrFormat) {
		t.Errorf("error %v", err)
	}
}

func TestCPLCIsNotSupported(t *testing.T) {
	if _, err := newCard(t).CPLC(t.Context(), []byte("nonce")); !errors.Is(err, token.ErrUnsupported) {
		t.Errorf("error %v", err)
	}
}

func TestCardInOtherHandsIsBusy(t *testing.T) {
	c := newCard(t)
	held := flock.New(c.Path() + ".lock")
	if err := held.Lock(); err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	synctest.Test(t, func(t *testing.T) { // ten seconds that take none
		if _, err := c.Open(t.Context(), []byte(testPIN)); !errors.Is(err, token.ErrBusy) {
			t.Errorf("error %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		synctest.Wait()
		if _, err := c.Open(ctx, []byte(testPIN)); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	})
	if got := triesLeft(t, c); got != 5 {
		t.Errorf("%d tries left", got)
	}
}

func TestCancelledCallsDoNothing(t *testing.T) {
	c := newCard(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, info := c.Info(ctx)
	_, chain := c.Chain(ctx)
	_, open := c.Open(ctx, []byte(badPIN))
	for name, err := range map[string]error{"Info": info, "Chain": chain, "Open": open} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := triesLeft(t, c); got != 5 {
		t.Errorf("%d tries left", got)
	}
}
