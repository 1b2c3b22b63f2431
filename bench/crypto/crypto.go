// Package crypto measures our cryptography beside that of peers: OpenSSL's
// GOST engine, BouncyCastle, rhash, and Go's own P-256.
//
//	comparisons, versions, err := crypto.Measure(ctx, crypto.Options{Dir: dir, Rounds: 5, Slice: 200 * time.Millisecond})
//
// All run on one thread and take turns: in each round every subject of a
// figure runs for a slice of time, one after the other, so that what else the
// machine does falls on all of them. A peer that is not installed is reported
// as absent.
package crypto

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"time"

	"imzo/bench/internal/figures"
	"imzo/gost/gost3410"
	"imzo/gost/gost341194"
)

// Options say how long to measure.
type Options struct {
	Dir    string        // for programs and files of peers; theirs to fill
	Rounds int           // samples of each subject
	Slice  time.Duration // time of each sample
	WarmUp time.Duration // for each question of BouncyCastle
	// Large is the size of the large message; zero means 16 MiB. Users is how
	// many sign the documents; zero means 1100.
	Large, Users int
	Log          io.Writer // what goes on; nil for silence
}

// Names of the peers.
const (
	nameEngine = "OpenSSL GOST engine"
	nameBC     = "BouncyCastle"
	nameP256   = "Go P-256"
	nameRHash  = "rhash"
)

var errWrong = errors.New("wrong result while measuring")

const (
	smallMessage = 64
	documentSize = 1 << 10
)

// subject is something that is measured: it works for about d and returns the
// nanoseconds of one operation.
type subject func(d time.Duration) (float64, error)

// figure is one of ours with what it is compared with.
type figure struct {
	name   string
	unit   figures.Unit
	bytes  int // of one operation, for BytesSecond
	ours   subject
	beside []beside
}

// beside is one peer of a figure.
type beside struct {
	peer    string
	subject subject // nil when absent
	absent  string
	target  figures.Target
}

// Measure runs everything and returns the comparisons in the order of the
// table, and the versions of the peers.
func Measure(ctx context.Context, o Options) ([]figures.Comparison, []string, error) {
	if o.Log == nil {
		o.Log = io.Discard
	}
	if o.Large == 0 {
		o.Large = 16 << 20
	}
	if o.Users == 0 {
		o.Users = manyUsers
	}
	// One thread, the collector's included, as in a C program.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	b := &bench{options: o, ctx: ctx}
	defer b.close()
	all, err := b.prepare()
	if err != nil {
		return nil, nil, err
	}
	comparisons, err := b.run(all)
	if err != nil {
		return nil, nil, err
	}
	allocations, err := b.allocations()
	return append(comparisons, allocations), b.versions, err
}

// bench is one run.
type bench struct {
	options  Options
	ctx      context.Context
	keys     map[string]*subjectKey // by curve: "A", "B", "C"
	engine   *harness               // nil when absent, as the next two
	bc       *harness
	rhash    *rhash
	absent   map[string]string // why, by the peer's name
	versions []string
}

func (b *bench) close() {
	for _, p := range []*harness{b.engine, b.bc} {
		if p != nil {
			p.Close()
		}
	}
}

func (b *bench) logf(format string, args ...any) {
	fmt.Fprintf(b.options.Log, format+"\n", args...)
}

// prepare makes keys and documents, starts the peers, checks that they compute
// what we do, and returns the figures.
func (b *bench) prepare() ([]figure, error) {
	content := bytes.Repeat([]byte{1}, b.options.Large)
	digest := gost341194.Sum256(content[:smallMessage])
	b.keys = map[string]*subjectKey{}
	for _, curve := range []string{"A", "B", "C"} {
		key, err := newSubjectKey(curve, digest)
		if err != nil {
			return nil, err
		}
		b.keys[curve] = key
	}
	if err := b.startPeers(content, digest); err != nil {
		return nil, err
	}
	b.logf("documents of %d users", b.options.Users)
	docs, err := newDocuments(b.options.Users, documentSize)
	if err != nil {
		return nil, err
	}
	p256, err := newP256(digest[:])
	if err != nil {
		return nil, err
	}
	return b.figures(content, docs, p256), nil
}

func (b *bench) startPeers(content []byte, digest [32]byte) error {
	b.absent = map[string]string{}
	for _, start := range []struct {
		name string
		peer **harness
		f    func(context.Context, string) (*harness, error)
	}{{nameEngine, &b.engine, startEngine}, {nameBC, &b.bc, startBouncyCastle}} {
		p, err := start.f(b.ctx, b.options.Dir)
		if err != nil {
			b.absent[start.name] = err.Error()
			b.logf("%s is absent: %v", start.name, err)
			continue
		}
		*start.peer = p
		b.logf("%s: %s", start.name, p.version)
		b.versions = append(b.versions, p.version)
		for name, key := range b.keys {
			if err := p.take(name, key); err != nil {
				return err
			}
		}
		theirs, err := p.Ask(fmt.Sprintf("digest %x", content[:smallMessage]))
		if err != nil {
			return err
		}
		if theirs != hex.EncodeToString(digest[:]) {
			return fmt.Errorf("%s hashes to %s, we to %x", p.version, theirs, digest)
		}
	}
	r, err := findRHash(b.ctx, b.options.Dir, content)
	if err != nil {
		b.absent[nameRHash] = err.Error()
		b.logf("%s is absent: %v", nameRHash, err)
		return nil
	}
	whole := gost341194.Sum256(content)
	switch theirs, _, err := r.sum(b.ctx, r.full); {
	case err != nil:
		return err
	case theirs != hex.EncodeToString(whole[:]):
		return fmt.Errorf("rhash hashes to %s, we to %x", theirs, whole)
	}
	b.rhash = r
	b.versions = append(b.versions, r.version)
	return nil
}

// asked is a peer's subject.
func (b *bench) asked(name, question string, target figures.Target) beside {
	p := map[string]*harness{nameEngine: b.engine, nameBC: b.bc}[name]
	if p == nil {
		return beside{peer: name, absent: b.absent[name], target: target}
	}
	return beside{peer: name, target: target, subject: func(d time.Duration) (float64, error) { return p.measure(d, question) }}
}

// labelled names more about the peer.
func (s beside) labelled(what string) beside {
	s.peer += ", " + what
	return s
}

func (b *bench) askRHash(target figures.Target) beside {
	if b.rhash == nil {
		return beside{peer: nameRHash, absent: b.absent[nameRHash], target: target}
	}
	return beside{peer: nameRHash, target: target, subject: func(time.Duration) (float64, error) { return b.rhash.measure(b.ctx) }}
}

func (b *bench) figures(content []byte, docs *documents, p256 *p256Key) []figure {
	verifyAny := func(curve string) subject {
		k := b.keys[curve]
		return repeat(func() error {
			key, err := gost3410.ParsePublicKey(k.curve, k.raw)
			if err != nil || !key.Verify(k.digest[:], k.signature) {
				return errWrong
			}
			return nil
		})
	}
	a := b.keys["A"]
	known := a.private.PublicKey().Precompute()
	verifyKnown := repeat(func() error {
		if !known.Verify(a.digest[:], a.signature) {
			return errWrong
		}
		return nil
	})
	sign := repeat(func() error {
		_, err := a.private.Sign(nil, a.digest[:], nil)
		return err
	})
	hash := func(n int) subject {
		return repeat(func() error {
			gost341194.Sum256(content[:n])
			return nil
		})
	}
	hashQuestion := func(n int) string { return fmt.Sprintf("hash %d", n) }
	ns, none, large := figures.Nanoseconds, figures.Target{}, len(content)
	return []figure{
		{"verify, CryptoPro-A, any key", ns, 0, verifyAny("A"), []beside{
			b.asked(nameEngine, "verify A", figures.AtLeast(2.5)).labelled("key at hand"),
			b.asked(nameEngine, "verify-decoded A", none).labelled("key decoded"),
			b.asked(nameBC, "verify A", none).labelled("key at hand"),
			b.asked(nameBC, "verify-decoded A", figures.AtLeast(18)).labelled("key decoded"),
			b.asked(nameBC, verifyJCA(content), none).labelled("JCA, key decoded"),
			{peer: nameP256 + ", key at hand", subject: repeat(p256.verify), target: figures.AtLeast(1.3)},
		}},
		{"verify, CryptoPro-A, known key", ns, 0, verifyKnown, []beside{
			b.asked(nameEngine, "verify A", figures.AtLeast(7)).labelled("key at hand"),
		}},
		{"verify, CryptoPro-B, any key", ns, 0, verifyAny("B"), []beside{
			b.asked(nameEngine, "verify B", figures.AtLeast(1.2)).labelled("key at hand"),
		}},
		{"verify, CryptoPro-C, any key", ns, 0, verifyAny("C"), []beside{
			b.asked(nameEngine, "verify C", figures.AtLeast(1.2)).labelled("key at hand"),
		}},
		{"sign, CryptoPro-A", ns, 0, sign, []beside{
			b.asked(nameEngine, "sign A", figures.AtLeast(2)),
			b.asked(nameBC, "sign A", figures.AtLeast(18)),
			{peer: nameP256, subject: repeat(p256.sign)},
		}},
		{fmt.Sprintf("hash, %d MiB", large>>20), figures.BytesSecond, large, hash(large), []beside{
			b.asked(nameEngine, hashQuestion(large), figures.AtLeast(5)),
			b.asked(nameBC, hashQuestion(large), figures.AtLeast(12)),
			b.askRHash(figures.AtLeast(2)),
		}},
		{"hash, messages of 64 bytes", figures.PerSecond, 0, hash(smallMessage), []beside{
			b.asked(nameEngine, hashQuestion(smallMessage), figures.AtLeast(4)),
			b.asked(nameBC, hashQuestion(smallMessage), none),
		}},
		{"CMS, parse and verify, nothing cached", ns, 0, repeat(docs.verifySigner), []beside{
			{peer: "bare verify + hash", subject: repeat(docs.verifyBare)},
		}},
		{"CMS, whole verdict, chain cached", ns, 0, repeat(docs.verifyDocument), []beside{
			{peer: "bare verify + hash", subject: repeat(docs.verifyBare), target: figures.AtMost(1.3)},
		}},
	}
}

// verifyJCA asks for verification as programs in Java do it, from the message on.
func verifyJCA(content []byte) string { return fmt.Sprintf("verify-jca A %x", content[:smallMessage]) }

// repeat makes a subject of an operation. The clock is read once a batch, so
// that it costs nothing.
func repeat(operation func() error) subject {
	return func(d time.Duration) (float64, error) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		batch := 1
		operations, began := 0, time.Now()
		for {
			for range batch {
				if err := operation(); err != nil {
					return 0, err
				}
			}
			operations += batch
			took := time.Since(began)
			if took >= d {
				return float64(took) / float64(operations), nil
			}
			if took < d/64 {
				batch *= 2
			}
		}
	}
}

// run measures the figures round by round.
func (b *bench) run(all []figure) ([]figures.Comparison, error) {
	if err := b.warmUp(); err != nil {
		return nil, err
	}
	type samples struct{ ours, theirs []float64 }
	collected := map[[2]int]*samples{} // by figure and peer
	for round := range b.options.Rounds {
		b.logf("round %d of %d", round+1, b.options.Rounds)
		for i, f := range all {
			if err := b.ctx.Err(); err != nil {
				return nil, err
			}
			runtime.GC() // what the last figure left is not this one's to clean
			ours, err := f.ours(b.options.Slice)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.name, err)
			}
			for j, s := range f.beside {
				c := collected[[2]int{i, j}]
				if c == nil {
					c = &samples{}
					collected[[2]int{i, j}] = c
				}
				c.ours = append(c.ours, f.value(ours))
				if s.subject == nil {
					continue
				}
				theirs, err := s.subject(b.options.Slice)
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", f.name, s.peer, err)
				}
				c.theirs = append(c.theirs, f.value(theirs))
			}
		}
	}
	var out []figures.Comparison
	for i, f := range all {
		for j, s := range f.beside {
			c := collected[[2]int{i, j}]
			out = append(out, figures.Comparison{
				Figure: f.name, Ours: figures.Of(f.unit, c.ours...), Peer: s.peer, Theirs: figures.Of(f.unit, c.theirs...),
				Target: s.target, Absent: s.absent,
			})
		}
	}
	return out, nil
}

// value turns nanoseconds of one operation into the unit of the figure.
func (f figure) value(ns float64) float64 {
	switch f.unit {
	case figures.BytesSecond:
		return float64(f.bytes) / ns * 1e9
	case figures.PerSecond:
		return 1e9 / ns
	}
	return ns
}

// warmUp lets Java compile what it is going to be asked.
func (b *bench) warmUp() error {
	if b.bc == nil {
		return nil
	}
	b.logf("BouncyCastle warms up")
	message := bytes.Repeat([]byte{1}, smallMessage)
	for _, question := range []string{"verify A", "verify-decoded A", verifyJCA(message), "sign A", fmt.Sprintf("hash %d", b.options.Large), fmt.Sprintf("hash %d", smallMessage)} {
		if _, err := b.bc.measure(b.options.WarmUp, question); err != nil {
			return err
		}
	}
	return nil
}

// allocations counts what one signature allocates.
func (b *bench) allocations() (figures.Comparison, error) {
	const signatures = 2000
	a := b.keys["A"]
	// The collector's own work would be counted too.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	var before, after runtime.MemStats
	var samples []float64
	for range max(b.options.Rounds, 1) {
		runtime.ReadMemStats(&before)
		for range signatures {
			if _, err := a.private.Sign(nil, a.digest[:], nil); err != nil {
				return figures.Comparison{}, err
			}
		}
		runtime.ReadMemStats(&after)
		samples = append(samples, float64((after.Mallocs-before.Mallocs)/signatures)) // whole ones
	}
	return figures.Comparison{
		Figure: "sign, heap allocations", Ours: figures.Of(figures.Count, samples...),
		Peer: "the signature", Theirs: figures.Of(figures.Count, 1), Target: figures.AtMost(1),
	}, nil
}

// p256Key is the yardstick: what Go's assembly makes of a curve of this size.
type p256Key struct {
	key       *ecdsa.PrivateKey
	digest    []byte
	signature []byte
}

func newP256(digest []byte) (*p256Key, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest)
	return &p256Key{key, digest, signature}, err
}

func (p *p256Key) sign() error {
	_, err := ecdsa.SignASN1(rand.Reader, p.key, p.digest)
	return err
}

func (p *p256Key) verify() error {
	if !ecdsa.VerifyASN1(&p.key.PublicKey, p.digest, p.signature) {
		return errWrong
	}
	return nil
}
