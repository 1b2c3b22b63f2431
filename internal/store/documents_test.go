package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"imzo/internal/testpki/peer"
)

// documentStores is the table over which every test of the interface runs:
// advance makes a store believe that time has passed.
var documentStores = map[string]func(t *testing.T) (d Documents, advance func(time.Duration)){
	"memory": func(t *testing.T) (Documents, func(time.Duration)) {
		var c clock
		m := NewMemoryDocuments(c.now)
		t.Cleanup(func() {
			// Whatever a test did: a day later nothing is left of it.
			c.advance(24 * time.Hour)
			m.mu.Lock()
			defer m.mu.Unlock()
			m.sweep()
			if m.memory != 0 || len(m.alive) != 0 || m.queue.len() != 0 {
				t.Errorf("%d bytes, %d documents and %d lives are left", m.memory, len(m.alive), m.queue.len())
			}
		})
		return m, c.advance
	},
	"redis": func(t *testing.T) (Documents, func(time.Duration)) {
		server := peer.Redis(t)
		behind := client(t, server.Addr())
		// ageRedis fails for a key without an end.
		t.Cleanup(func() { ageRedis(t, behind, 0) })
		return openRedisDocuments(t, RedisOptions{Addrs: []string{server.Addr()}}), func(d time.Duration) { ageRedis(t, behind, d) }
	},
}

func eachDocumentStore(t *testing.T, test func(t *testing.T, d Documents, advance func(time.Duration))) {
	t.Helper()
	for name, open := range documentStores {
		t.Run(name, func(t *testing.T) {
			d, advance := open(t)
			test(t, d, advance)
		})
	}
}

var (
	then   = time.Date(2026, 11, 23, 10, 0, 0, 123456789, time.UTC)
	login  = Document{Kind: Authentication, Challenge: "AB8C2ED52B12DCBAB3FBD8C11007E4C0", Created: then}
	letter = Document{Kind: Signing, Created: then}
	signed = Signed{PKCS7: []byte("\x30\x80\n\x00 PKCS#7"), SerialNumber: "7700000", Address: "1.2.3.4", At: then.Add(9 * time.Second)}
)

// signedWith is signed with another PKCS#7.
func signedWith(pkcs7 string) Signed {
	s := signed
	s.PKCS7 = []byte(pkcs7)
	return s
}

func create(t testing.TB, d Documents, id string, document Document, ttl time.Duration) {
	t.Helper()
	if err := d.Create(t.Context(), id, document, ttl); err != nil {
		t.Fatal(err)
	}
}

func upload(t testing.TB, d Documents, id string, s Signed, ttl time.Duration) {
	t.Helper()
	if err := d.Upload(t.Context(), id, s, ttl); err != nil {
		t.Fatal(err)
	}
}

// wantDocument checks what is read, and the poll.
func wantDocument(t testing.TB, d Documents, id string, want Document) {
	t.Helper()
	got, err := d.Document(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%q: %s", id, diff)
	}
	if uploaded, err := d.Uploaded(t.Context(), id); err != nil || uploaded != (want.Signed != nil) {
		t.Errorf("%q polled: %v, %v", id, uploaded, err)
	}
}

// wantNothing checks that an id is unknown to all.
func wantNothing(t testing.TB, d Documents, id string) {
	t.Helper()
	if _, err := d.Document(t.Context(), id); !errors.Is(err, ErrNotFound) {
		t.Errorf("%q read: %v", id, err)
	}
	if _, err := d.Uploaded(t.Context(), id); !errors.Is(err, ErrNotFound) {
		t.Errorf("%q polled: %v", id, err)
	}
	if err := d.Upload(t.Context(), id, signed, time.Minute); !errors.Is(err, ErrNotFound) {
		t.Errorf("%q uploaded: %v", id, err)
	}
}

func TestDocumentsAreReadAsTheyWereWritten(t *testing.T) {
	eachDocumentStore(t, func(t *testing.T, d Documents, _ func(time.Duration)) {
		create(t, d, "B7735734", login, time.Minute)
		create(t, d, "850FF727", letter, time.Minute)
		wantDocument(t, d, "B7735734", login)
		wantDocument(t, d, "850FF727", letter)
		upload(t, d, "850FF727", signed, time.Minute)
		after := letter
		after.Signed = &signed
		wantDocument(t, d, "850FF727", after)
		wantDocument(t, d, "B7735734", login)
		if err := d.Ping(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestWhateverIsUploadedComesBack: all bytes, in quantity, and texts that are
// none.
func TestWhateverIsUploadedComesBack(t *testing.T) {
	all := make([]byte, 300<<10)
	for i := range all {
		all[i] = byte(i * i >> 8)
	}
	east := time.FixedZone("", 5*3600)
	eachDocumentStore(t, func(t *testing.T, d Documents, _ func(time.Duration)) {
		for i, c := range []struct{ told, want Signed }{
			{Signed{PKCS7: all}, Signed{PKCS7: all}},
			{Signed{PKCS7: []byte("\n")}, Signed{PKCS7: []byte("\n")}},
			{
				Signed{[]byte("\n\n{}\n"), "a\nb\"\\\x00<&>", "::1\r\n\n", then.In(east)},
				Signed{[]byte("\n\n{}\n"), "a\nb\"\\\x00<&>", "::1\r\n\n", then},
			},
			{Signed{[]byte{0xff}, "a\xffb", "\xc3", time.Now()}, Signed{[]byte{0xff}, "a\uFFFDb", "\uFFFD", time.Time{}}},
		} {
			id := fmt.Sprint(i)
			create(t, d, id, Document{Kind: Signing, Created: then.In(east)}, time.Minute)
			upload(t, d, id, c.told, time.Minute)
			if c.want.At.IsZero() {
				c.want.At = c.told.At.Round(0).UTC()
			}
			wantDocument(t, d, id, Document{Kind: Signing, Created: then, Signed: &c.want})
		}
	})
}

func TestNothingIsSharedWithTheStore(t *testing.T) {
	eachDocumentStore(t, func(t *testing.T, d Documents, _ func(time.Duration)) {
		want := letter
		want.Signed = &signed
		own := signedWith(string(signed.PKCS7))
		create(t, d, "a", letter, time.Minute)
		upload(t, d, "a", own, time.Minute)
		clear(own.PKCS7)
		got, err := d.Document(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		clear(got.Signed.PKCS7)
		got.Signed.SerialNumber = "other"
		wantDocument(t, d, "a", want)
	})
}

func TestAnUnknownDocumentIsNotFound(t *testing.T) {
	eachDocumentStore(t, func(t *testing.T, d Documents, _ func(time.Duration)) {
		create(t, d, "a", letter, time.Minute)
		for _, id := range []string{"b", "", "A", "a ", "*"} {
			wantNothing(t, d, id)
		}
		wantDocument(t, d, "a", letter)
	})
}

func TestADocumentLivesForItsTimeAndAfterTheUploadForAnother(t *testing.T) {
	eachDocumentStore(t, func(t *testing.T, d Documents, advance func(time.Duration)) {
		create(t, d, "never signed", letter, 5*time.Minute)
		create(t, d, "signed", login, 5*time.Minute)
		create(t, d, "cut short", login, 5*time.Minute)
		advance(5*time.Minute - time.Second)
		upload(t, d, "signed", signed, 10*time.Minute)
		wantDocument(t, d, "never signed", letter)
		advance(time.Second)
		wantNothing(t, d, "never signed")
		wantNothing(t, d, "cut short")
		want := login
		want.Signed = &signed
		wantDocument(t, d, "signed", want)
		advance(9*time.Minute + 58*time.Second)
		wantDocument(t, d, "signed", want)
		advance(time.Second)
		wantNothing(t, d, "signed")

		// The id is free, and nothing of its former life is left.
		create(t, d, "signed", letter, time.Hour)
		wantDocument(t, d, "signed", letter)
		// The upload sets the life; it may be a shorter one.
		upload(t, d, "signed", signed, time.Minute)
		advance(time.Minute)
		wantNothing(t, d, "signed")
	})
}

func TestCreateRefusesALivingID(t *testing.T) {
	eachDocumentStore(t, func(t *testing.T, d Documents, advance func(time.Duration)) {
		create(t, d, "a", login, 2*time.Minute)
		if err := d.Create(t.Context(), "a", letter, time.Hour); !errors.Is(err, ErrExists) {
			t.Errorf("got %v", err)
		}
		wantDocument(t, d, "a", login)
		upload(t, d, "a", signed, 2*time.Minute)
		if err := d.Create(t.Context(), "a", letter, time.Hour); !errors.Is(err, ErrExists) {
			t.Errorf("got %v", err)
		}
		advance(2 * time.Minute) // not the hour of those who were refused
		wantNothing(t, d, "a")
	})
}

func TestOneOfAHundredUploadsWins(t *testing.T) {
	const uploads = 100
	eachDocumentStore(t, func(t *testing.T, d Documents, _ func(time.Duration)) {
		create(t, d, "a", letter, time.Minute)
		var winner atomic.Pointer[Signed]
		var group sync.WaitGroup
		start := make(chan struct{})
		for i := range uploads {
			group.Go(func() {
				<-start
				s := signedWith(strings.Repeat("x", i+1))
				switch err := d.Upload(context.Background(), "a", s, time.Minute); {
				case err == nil && winner.Swap(&s) != nil:
					t.Error("two won")
				case err != nil && !errors.Is(err, ErrUploaded):
					t.Error(err)
				}
			})
		}
		close(start)
		group.Wait()
		want := letter
		want.Signed = winner.Load()
		wantDocument(t, d, "a", want)
	})
}

func TestARepeatedUploadSucceedsAndChangesNothing(t *testing.T) {
	eachDocumentStore(t, func(t *testing.T, d Documents, advance func(time.Duration)) {
		want := letter
		want.Signed = &signed
		create(t, d, "a", letter, time.Minute)
		upload(t, d, "a", signed, 2*time.Minute)
		again := signed
		again.SerialNumber, again.Address, again.At = "8800000", "6.6.6.6", then.Add(time.Hour)
		upload(t, d, "a", again, time.Hour)
		for _, other := range []string{string(signed.PKCS7[1:]), string(signed.PKCS7) + "x", "\n" + string(signed.PKCS7), "PKCS#7"} {
			if err := d.Upload(t.Context(), "a", signedWith(other), time.Hour); !errors.Is(err, ErrUploaded) {
				t.Errorf("%q: %v", other, err)
			}
		}
		wantDocument(t, d, "a", want)
		advance(2 * time.Minute)
		wantNothing(t, d, "a")
	})
}

func TestDocumentsThatMakeNoSenseAreRefused(t *testing.T) {
	eachDocumentStore(t, func(t *testing.T, d Documents, _ func(time.Duration)) {
		for name, document := range map[string]Document{
			"no kind":                {Created: then},
			"another kind":           {Kind: "other", Created: then},
			"log-in to nothing":      {Kind: Authentication, Created: then},
			"document and challenge": {Kind: Signing, Challenge: "AB", Created: then},
			"signed before":          {Kind: Signing, Created: then, Signed: &signed},
		} {
			if err := d.Create(t.Context(), "a", document, time.Minute); err == nil {
				t.Errorf("%s: created", name)
			}
		}
		for _, ttl := range []time.Duration{0, -time.Minute, time.Millisecond - 1} {
			if err := d.Create(t.Context(), "a", letter, ttl); err == nil {
				t.Errorf("created for %s", ttl)
			}
		}
		wantNothing(t, d, "a")
		create(t, d, "a", letter, time.Minute)
		for _, ttl := range []time.Duration{0, -time.Minute, time.Millisecond - 1} {
			if err := d.Upload(t.Context(), "a", signed, ttl); err == nil {
				t.Errorf("uploaded for %s", ttl)
			}
		}
		if err := d.Upload(t.Context(), "a", signedWith(""), time.Minute); err == nil {
			t.Error("uploaded nothing")
		}
		wantDocument(t, d, "a", letter)
	})
}

func TestACancelledContextChangesNoDocument(t *testing.T) {
	eachDocumentStore(t, func(t *testing.T, d Documents, _ func(time.Duration)) {
		create(t, d, "a", letter, time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, polled := d.Uploaded(ctx, "a")
		_, read := d.Document(ctx, "a")
		for name, err := range map[string]error{
			"create": d.Create(ctx, "b", letter, time.Minute), "upload": d.Upload(ctx, "a", signed, time.Minute),
			"poll": polled, "read": read, "ping": d.Ping(ctx),
		} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
		}
		wantDocument(t, d, "a", letter)
		wantNothing(t, d, "b")
	})
}

// strangeIDs are those that would hurt if keys were anything but bytes.
var strangeIDs = []string{"", " ", "*", "a", "A", "a\x00", "a\r\nDEL a\r\n", "../a", "{a}", "}{", ":", "imzo:challenge:a", "\xff", "\uFFFD", strings.Repeat("a", 5000)}

func TestAnyIDIsKeptApartFromAnyOther(t *testing.T) {
	eachDocumentStore(t, func(t *testing.T, d Documents, _ func(time.Duration)) {
		for i, id := range strangeIDs {
			create(t, d, id, letter, time.Minute)
			if i%2 == 0 {
				upload(t, d, id, signedWith(fmt.Sprint(i)), time.Minute)
			}
		}
		for i, id := range strangeIDs {
			want := letter
			if i%2 == 0 {
				s := signedWith(fmt.Sprint(i))
				want.Signed = &s
			}
			wantDocument(t, d, id, want)
		}
	})
}

// TestManyFlowsAtTheSameTimeDoNotCross: each is polled while it waits, as pages
// do, and ends with the signature of its own.
func TestManyFlowsAtTheSameTimeDoNotCross(t *testing.T) {
	const flows = 1000
	eachDocumentStore(t, func(t *testing.T, d Documents, _ func(time.Duration)) {
		ctx := t.Context()
		var group sync.WaitGroup
		for i := range flows {
			group.Go(func() {
				id, own := fmt.Sprintf("%08X", i*7919), signedWith(fmt.Sprint("PKCS#7 of ", i))
				if err := d.Create(ctx, id, letter, time.Minute); err != nil {
					t.Error(err)
				}
				if done, err := d.Uploaded(ctx, id); done || err != nil {
					t.Errorf("%s before: %v, %v", id, done, err)
				}
				if err := d.Upload(ctx, id, own, time.Minute); err != nil {
					t.Error(err)
				}
				if done, err := d.Uploaded(ctx, id); !done || err != nil {
					t.Errorf("%s after: %v, %v", id, done, err)
				}
				if got, err := d.Document(ctx, id); err != nil || !bytes.Equal(got.Signed.PKCS7, own.PKCS7) {
					t.Errorf("%s: %v, %v", id, got, err)
				}
			})
		}
		group.Wait()
	})
}

func TestMemoryOfDocumentsIsBoundedByCount(t *testing.T) {
	var c clock
	m := NewMemoryDocuments(c.now)
	m.maxCount = 10
	for i := range 10 {
		create(t, m, fmt.Sprint(i), letter, time.Duration(10-i)*time.Second)
	}
	if err := m.Create(t.Context(), "one too many", letter, time.Second); !errors.Is(err, ErrFull) {
		t.Fatalf("got %v", err)
	}
	if err := m.Create(t.Context(), "0", letter, time.Second); !errors.Is(err, ErrExists) {
		t.Errorf("got %v", err)
	}
	upload(t, m, "9", signed, time.Minute) // would have been the first to end
	c.advance(5 * time.Second)
	for i := range 4 {
		create(t, m, fmt.Sprint("new ", i), letter, time.Minute)
	}
	if err := m.Create(t.Context(), "one too many", letter, time.Second); !errors.Is(err, ErrFull) {
		t.Fatalf("got %v", err)
	}
	for _, id := range []string{"0", "4", "9", "new 3"} {
		if _, err := m.Uploaded(t.Context(), id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func TestMemoryOfDocumentsIsBoundedByBytes(t *testing.T) {
	var c clock
	m := NewMemoryDocuments(c.now)
	empty := documentOverhead + len("a")
	m.maxMemory = 2*empty + 1000
	large, small := signedWith(strings.Repeat("x", 900)), signedWith("x")
	for _, s := range []*Signed{&large, &small} {
		s.SerialNumber, s.Address = "", ""
	}
	create(t, m, "a", letter, time.Minute)
	create(t, m, "b", letter, 2*time.Minute)
	upload(t, m, "a", large, time.Minute)
	if m.memory != 2*empty+900 {
		t.Errorf("%d bytes", m.memory)
	}
	if err := m.Upload(t.Context(), "b", large, time.Minute); !errors.Is(err, ErrFull) {
		t.Errorf("the PKCS#7: %v", err)
	}
	wantDocument(t, m, "b", letter) // and may yet be signed
	told := small
	told.Address = strings.Repeat("1", 100)
	if err := m.Upload(t.Context(), "b", told, time.Minute); !errors.Is(err, ErrFull) {
		t.Errorf("the address: %v", err)
	}
	if err := m.Create(t.Context(), "c", letter, time.Minute); !errors.Is(err, ErrFull) {
		t.Errorf("a document: %v", err)
	}
	c.advance(time.Minute)
	upload(t, m, "b", large, time.Minute)
	if m.memory != empty+900 {
		t.Errorf("%d bytes after a is over", m.memory)
	}
	c.advance(time.Minute)
	if err := m.Upload(t.Context(), "b", large, time.Minute); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if m.memory != 0 || len(m.alive) != 0 || m.queue.len() != 0 {
		t.Errorf("%d bytes, %d documents and %d lives are left", m.memory, len(m.alive), m.queue.len())
	}
}

// benchmarkPoll polls 1,000 documents, every second of them signed.
func benchmarkPoll(b *testing.B, d Documents) {
	ids := make([]string, 1000)
	large := signedWith(strings.Repeat("x", 100<<10))
	for i := range ids {
		ids[i] = fmt.Sprintf("%08X", i)
		create(b, d, ids[i], letter, time.Hour)
		if i%2 == 1 {
			upload(b, d, ids[i], large, time.Hour)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for i := 0; p.Next(); i++ {
			i %= len(ids)
			if uploaded, err := d.Uploaded(context.Background(), ids[i]); err != nil || uploaded != (i%2 == 1) {
				b.Error(uploaded, err)
				return
			}
		}
	})
}

func BenchmarkPollMemory(b *testing.B) { benchmarkPoll(b, NewMemoryDocuments(time.Now)) }

func BenchmarkPollRedis(b *testing.B) {
	benchmarkPoll(b, openRedisDocuments(b, RedisOptions{Addrs: []string{peer.Redis(b).Addr()}}))
}
