package prompt

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"imzo/internal/i18n"
	"imzo/internal/secret"
)

type formFunc func(ctx context.Context, r Request) (Answer, error)

func (f formFunc) Ask(ctx context.Context, r Request) (Answer, error) { return f(ctx, r) }

func TestContentIsDescribedAsWhatItIs(t *testing.T) {
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"text":             {[]byte("some document"), "some document"},
		"lines":            {[]byte("a\r\n\tb"), "a\n\tb"},
		"Uzbek":            {[]byte("O‘zbekiston"), "O‘zbekiston"},
		"nothing":          {nil, ""},
		"a PDF":            {[]byte("%PDF-1.7\n\x00\x01"), ""},
		"no UTF-8":         {[]byte{0xcf, 0xf0, 0xe8}, ""},
		"turned writing":   {[]byte("pay 10\u202e01"), "pay 10\uFFFD01"},
		"invisible":        {[]byte("a\u200bb"), "a\uFFFDb"},
		"long":             {[]byte(strings.Repeat("я", 3000)), strings.Repeat("я", 500) + "…"},
		"cut in a letter":  {append([]byte("a"), []byte(strings.Repeat("я", 3000))...), "a" + strings.Repeat("я", 499) + "…"},
		"ends in a letter": {[]byte("a\xd1"), ""},
	} {
		got := NewContent(c.data)
		if got.Preview != c.want || got.Size != len(c.data) || len(got.Digest) != 32 {
			t.Errorf("%s: %q, want %q", name, got.Preview, c.want)
		}
	}
	// Guide 2.2.4.
	if c := NewContent([]byte("some document")); hex.EncodeToString(c.Digest) != "3369cd520c8e556502b9bc0ac34ca69cafee96f2f4a8371a63d4dd7d3a458d05" {
		t.Errorf("%x", c.Digest)
	}
}

func TestNewPasswordsFollowTheRules(t *testing.T) {
	for password, well := range map[string]bool{
		"ABcd123456": true, "ABcd12345": false, "abcd123456": false, "ABCD123456": false, "ABcdefghij": false, "АБвг123456": true, "": false, "Aacd123456": false,
	} {
		if got := CheckNew([]byte(password), i18n.English); (got == "") != well {
			t.Errorf("%q: %q", password, got)
		}
	}
	if CheckNew(nil, i18n.Uzbek) == CheckNew(nil, i18n.Russian) || !strings.Contains(CheckNew(nil, "de"), "10") {
		t.Error("not in the language")
	}
}

func TestHeadlessKnowsThePasswordsItWasGiven(t *testing.T) {
	own, other := secret.New([]byte("own")), secret.New([]byte("other"))
	h := &Headless{Passwords: map[string]*secret.Secret{"DS1": own, "cn=x": own}, Default: other}
	for _, c := range []struct {
		r    Request
		want string
		err  error
	}{
		{Request{Kind: KindPassword, Key: &Key{File: "DS1"}}, "own", nil},
		{Request{Kind: KindPassword, Key: &Key{File: "DS2", Alias: "cn=x"}}, "own", nil},
		{Request{Kind: KindPassword, Key: &Key{File: "DS2"}}, "other", nil},
		{Request{Kind: KindPIN}, "other", nil},
		{Request{Kind: KindPassword, Retry: "wrong"}, "", ErrCancelled},
		{Request{Kind: KindPermission}, "", ErrUnavailable},
		{Request{Kind: KindConfirm}, "", ErrUnavailable},
		{Request{Kind: KindNewKey}, "", ErrUnavailable},
		{Request{Kind: KindNewPassword}, "", ErrUnavailable},
	} {
		a, err := h.Ask(t.Context(), c.r)
		if !errors.Is(err, c.err) || err == nil && a.Secret.Text() != c.want {
			t.Errorf("%+v: %+v %v", c.r, a, err)
		}
		a.Secret.Wipe()
	}
	// The PIN of a token is offered until it was wrong once.
	card := Request{Kind: KindPIN, Key: &Key{File: "Reader 0"}}
	for _, retry := range []string{"", "wrong", "", ""} {
		card.Retry = retry
		a, err := h.Ask(t.Context(), card)
		if first := retry == "" && h.wrong == nil; first != (err == nil) {
			t.Errorf("%q: %v", retry, err)
		}
		a.Secret.Wipe()
	}
	if a, err := h.Ask(t.Context(), Request{Kind: KindPIN, Key: &Key{File: "Reader 1"}}); err != nil || a.Secret.Text() != "other" {
		t.Error(a, err)
	}
	if own.Empty() || other.Empty() {
		t.Error("wiped with the answer")
	}
	if _, err := (&Headless{}).Ask(t.Context(), Request{Kind: KindPassword, Key: &Key{}}); !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
	t.Setenv(PasswordVariable, "given")
	if p := DefaultPassword(); p == nil || p.Text() != "given" {
		t.Error(p)
	}
	if _, there := os.LookupEnv(PasswordVariable); there || DefaultPassword() != nil {
		t.Error("still in the environment")
	}
}

func TestOneQuestionIsShownAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shown, most, busy, answered atomic.Int32
		q := NewQueue(formFunc(func(ctx context.Context, r Request) (Answer, error) {
			most.Store(max(most.Load(), shown.Add(1)))
			defer shown.Add(-1)
			time.Sleep(time.Second)
			return Answer{Allowed: true}, nil
		}), nil)
		for i := range 100 {
			go func() {
				a, err := q.Ask(t.Context(), Request{Origin: fmt.Sprint(i % 6)})
				switch {
				case errors.Is(err, ErrBusy):
					busy.Add(1)
				case err == nil && a.Allowed:
					answered.Add(1)
				default:
					t.Error(a, err)
				}
			}()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if most.Load() != 1 || answered.Load() != maxWaiting || busy.Load() != 100-maxWaiting {
			t.Errorf("%d at once, %d answered, %d refused", most.Load(), answered.Load(), busy.Load())
		}
		if len(q.waiting) != 0 || q.all != 0 {
			t.Errorf("%v %d left", q.waiting, q.all)
		}
	})
}

func TestNobodyWaitsForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue(formFunc(func(ctx context.Context, r Request) (Answer, error) {
			<-ctx.Done()
			return Answer{}, ctx.Err()
		}), nil)
		start := time.Now()
		if _, err := q.Ask(t.Context(), Request{Origin: "a"}); !errors.Is(err, ErrTimeout) || time.Since(start) != Timeout {
			t.Error(err, time.Since(start))
		}
		ends := make(chan error, 3)
		for i := range 3 {
			go func() {
				_, err := q.Ask(t.Context(), Request{Origin: fmt.Sprint(i)})
				ends <- err
			}()
		}
		kinds := map[error]int{}
		for range 3 {
			switch err := <-ends; {
			case errors.Is(err, ErrTimeout):
				kinds[ErrTimeout]++
			case errors.Is(err, ErrBusy):
				kinds[ErrBusy]++
			default:
				t.Error(err)
			}
		}
		// The third would have its turn after two minutes.
		if kinds[ErrTimeout] != 2 || kinds[ErrBusy] != 1 {
			t.Error(kinds)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := q.Ask(ctx, Request{Origin: "x"}); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestAPageThatIsRefusedHasToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, answer := 0, ErrCancelled
		q := NewQueue(formFunc(func(ctx context.Context, r Request) (Answer, error) {
			asked++
			return Answer{}, answer
		}), nil)
		ask := func(origin string, want error) {
			t.Helper()
			if _, err := q.Ask(t.Context(), Request{Origin: origin}); !errors.Is(err, want) {
				t.Error(err, want)
			}
		}
		for range freeRefusals {
			ask("a", ErrCancelled)
		}
		for range 10_000 {
			ask("a", ErrBusy)
		}
		ask("b", ErrCancelled)
		if asked != freeRefusals+1 {
			t.Errorf("shown %d times", asked)
		}
		for pause := firstPause; pause < longestPause; pause *= 2 {
			time.Sleep(pause - 1)
			ask("a", ErrBusy)
			time.Sleep(time.Nanosecond)
			ask("a", ErrCancelled)
		}
		time.Sleep(longestPause)
		answer = nil
		ask("a", nil)
		answer = ErrCancelled
		ask("a", ErrCancelled)
		ask("a", ErrCancelled)
		for i := range 3 * maxOrigins {
			ask(fmt.Sprint(i), ErrCancelled)
		}
		if len(q.refusals) > maxOrigins {
			t.Errorf("%d origins", len(q.refusals))
		}
	})
}

// TestAPageThatLeavesHasToWaitToo: it would show one question after the other.
func TestAPageThatLeavesHasToWaitToo(t *testing.T) {
	asked := 0
	q := NewQueue(formFunc(func(ctx context.Context, _ Request) (Answer, error) {
		asked++
		<-ctx.Done()
		return Answer{}, ctx.Err()
	}), nil)
	for range 100 {
		ctx, leave := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, leave)
		if _, err := q.Ask(ctx, Request{Origin: "a"}); err == nil {
			t.Fatal("answered")
		}
		leave()
	}
	if asked != freeRefusals {
		t.Errorf("shown %d times", asked)
	}
}

// TestAValueCannotLookLikeAnotherFact: owners and names come from foreign disks.
func TestAValueCannotLookLikeAnotherFact(t *testing.T) {
	r := Request{
		Kind: KindPassword, Origin: "https://evil.example", Language: "en", Question: "a\n  Site: https://my.gov.uz",
		Key: &Key{Owner: "A\n  Site: https://my.gov.uz\tb"}, Content: &Content{Preview: "x\nSite: https://my.gov.uz", Digest: []byte{1}},
	}
	for _, f := range r.facts() {
		if strings.ContainsAny(f.Value, "\n\t") {
			t.Errorf("%q", f.Value)
		}
	}
	var shown strings.Builder
	writeQuestion(&shown, &r)
	for _, line := range strings.Split(shown.String(), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "Site: https://my") {
			t.Errorf("%q looks real in\n%s", line, shown.String())
		}
	}
	for _, origin := range []string{"null", "file://"} {
		if f := (&Request{Origin: origin, Language: "en"}).facts(); !strings.Contains(f[0].Value, "unknown page") {
			t.Errorf("%q is shown as %q", origin, f[0].Value)
		}
	}
}
