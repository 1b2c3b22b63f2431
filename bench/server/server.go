// Package server measures the server under load, beside a stand-in that a Java
// programmer would write with BouncyCastle.
//
//	comparisons, versions, err := server.Measure(ctx, server.Options{Dir: dir, Rounds: 5, Slice: time.Second})
//
// It builds and starts the real binary, with trust services in this process,
// and sends the same documents to both. Client and servers share the cores of
// the machine; while one server is measured the other waits. Figures of
// processes come from /proc, so it needs Linux.
package server

import (
	"context"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"time"

	"imzo/bench/internal/figures"
	"imzo/bench/internal/outside"
	"imzo/gost/gost341194"
)

// Options say what to measure, and how long.
type Options struct {
	Dir     string        // for programs, keys and logs; theirs to fill
	Program string        // imzo; built from this tree when empty
	Rounds  int           // samples of each figure
	Slice   time.Duration // time of each sample
	WarmUp  time.Duration // of the stand-in, at most
	// Signers and Many are from how many people the documents are: those
	// whose keys the server knows, and more than it keeps. Zero means 16 and
	// 1500.
	Signers, Many int
	// Connections are how many there are at the same time, ascending; nil
	// means 1, 8 and 64. Targets are for the last.
	Connections []int
	// Large is the size of the large document; zero means 50 MiB.
	Large int
	Log   io.Writer // what goes on; nil for silence
}

const (
	documentSize = 1 << 10
	nameStandIn  = "Java stand-in"
	// idleFor is how long a server is left alone before its memory counts as
	// that of an idle one.
	idleFor = 700 * time.Millisecond
	// limits of the idle server.
	idleMemory = 40 << 20
	readyTime  = 150 * time.Millisecond
)

//go:embed harness/StandIn.java
var standInSource string

// Measure runs everything and returns the comparisons in the order of the
// table, and the versions of the peers.
func Measure(ctx context.Context, o Options) ([]figures.Comparison, []string, error) {
	if runtime.GOOS != "linux" {
		return nil, nil, errors.New("the server's figures come from /proc: they need Linux")
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	if o.Signers == 0 {
		o.Signers, o.Many = 16, 1500
	}
	if o.Connections == nil {
		o.Connections = []int{1, 8, 64}
	}
	if o.Large == 0 {
		o.Large = 50 << 20
	}
	b := &bench{Options: o}
	if o.Program == "" {
		b.logf("building the server")
		program, err := build(ctx, o.Dir)
		if err != nil {
			return nil, nil, err
		}
		b.Program = program
	}
	b.logf("trust services and %d people", max(o.Many, o.Signers))
	w, err := newWorld(o.Dir, b.Program, max(o.Many, o.Signers))
	if err != nil {
		return nil, nil, err
	}
	defer w.close()
	b.world = w
	comparisons, err := b.measureLoad(ctx)
	if err != nil {
		return nil, nil, err
	}
	alone, err := b.measureAlone(ctx)
	return append(comparisons, alone...), b.versions, err
}

// bench is one run.
type bench struct {
	Options
	world    *world
	versions []string
}

func (b *bench) logf(format string, args ...any) { fmt.Fprintf(b.Log, format+"\n", args...) }

// standIn is the server in Java.
type standIn struct {
	program *outside.Program
	address string
}

// startStandIn compiles and starts it. Its options are those a careful
// operator sets: without TCP_NODELAY its answers wait for 40 ms.
func (b *bench) startStandIn(ctx context.Context) (*standIn, error) {
	java, err := outside.FindBouncyCastle()
	if err != nil {
		return nil, err
	}
	argv, err := java.Compile(ctx, b.Dir, "StandIn", standInSource, "-Dsun.net.httpserver.nodelay=true", "-Xms256m")
	if err != nil {
		return nil, err
	}
	program, err := outside.Start(ctx, append(argv, b.world.root))
	if err != nil {
		return nil, err
	}
	port, err := program.Answer("port")
	if err == nil {
		var version string
		version, err = program.Answer("version")
		b.versions = append(b.versions, version)
	}
	if err != nil {
		program.Close()
		return nil, err
	}
	number, err := strconv.Atoi(strings.TrimPrefix(port, "port "))
	if err != nil {
		program.Close()
		return nil, fmt.Errorf("stand-in: %q: %w", port, err)
	}
	return &standIn{program, fmt.Sprintf("127.0.0.1:%d", number)}, nil
}

// scenario is one row: what is sent to ours, and the same to the stand-in.
type scenario struct {
	name        string
	connections int
	ours        step
	theirs      map[string]step // by the name of the peer
	peers       []string        // their order
	target      figures.Target
	warmUp      int // slices of time
}

// replay sends the documents in turn, each connection from its own place on.
func replay(path string, documents [][]byte) step {
	requests := make([][]byte, len(documents))
	for i, d := range documents {
		requests[i] = request("POST", path, d)
	}
	return func(c *connection, n int) (time.Duration, error) {
		return c.ask(requests[(c.number*len(requests)/64+n)%len(requests)])
	}
}

func (b *bench) scenarios(documents [][]byte) []scenario {
	known, most := documents[:b.Signers], b.Connections[len(b.Connections)-1]
	var out []scenario
	for _, n := range b.Connections {
		out = append(out, scenario{name: "challenge", connections: n, ours: func(c *connection, _ int) (time.Duration, error) { return c.ask(getChallenge) }})
	}
	for _, n := range b.Connections {
		out = append(out, scenario{name: "auth, with its challenge", connections: n, ours: b.world.logIn})
	}
	for _, n := range b.Connections {
		s := scenario{
			name: "verify attached, timestamped 1 KiB", connections: n, ours: replay(pathVerify, known),
			theirs: map[string]step{nameStandIn: replay("/verify", known)}, peers: []string{nameStandIn},
		}
		if n == most {
			s.target = figures.AtLeast(6)
			const cached = nameStandIn + ", chains cached"
			s.theirs[cached] = replay("/verify?chains=cached", known)
			s.peers = append(s.peers, cached)
		}
		out = append(out, s)
	}
	if b.Many > b.Signers {
		out = append(out, scenario{name: fmt.Sprintf("verify attached, %d signers", b.Many), connections: most, ours: replay(pathVerify, documents), warmUp: 4})
	}
	return out
}

// samples are the figures of one side of a scenario, a sample a round.
type samples struct {
	rate, p50, p90, p99, most, cpu, allocations, memory []float64
}

func (s *samples) add(l load) {
	s.rate = append(s.rate, l.perSecond())
	for p, to := range map[float64]*[]float64{50: &s.p50, 90: &s.p90, 99: &s.p99, 100: &s.most} {
		*to = append(*to, float64(l.latencies.Percentile(p)))
	}
}

func (s *samples) details() []figures.Detail {
	ns := figures.Nanoseconds
	out := []figures.Detail{
		{Name: "p50", Value: figures.Of(ns, s.p50...)}, {Name: "p90", Value: figures.Of(ns, s.p90...)},
		{Name: "p99", Value: figures.Of(ns, s.p99...)}, {Name: "max", Value: figures.Of(ns, s.most...)},
		{Name: "server's processor time", Value: figures.Of(ns, s.cpu...)},
	}
	if s.allocations != nil {
		out = append(out, figures.Detail{Name: "allocations", Value: figures.Of(figures.Count, s.allocations...)})
	}
	return append(out, figures.Detail{Name: "RSS", Value: figures.Of(figures.Bytes, s.memory...)})
}

// measureLoad runs all scenarios, round by round.
func (b *bench) measureLoad(ctx context.Context) ([]figures.Comparison, error) {
	ours, err := b.world.start(ctx)
	if err != nil {
		return nil, err
	}
	defer ours.stop()
	documents, err := b.world.stamped(ctx, ours, documentSize)
	if err != nil {
		return nil, err
	}
	java, err := b.startStandIn(ctx)
	absent := ""
	if err != nil {
		absent = err.Error()
		b.logf("%s is absent: %v", nameStandIn, err)
	} else {
		defer java.program.Close()
	}
	all := b.scenarios(documents)
	if err := b.warmUp(ctx, ours, java, all); err != nil {
		return nil, err
	}

	mine, theirs := make([]samples, len(all)), make([]map[string]*samples, len(all))
	for round := range b.Rounds {
		b.logf("server, round %d of %d", round+1, b.Rounds)
		for i, s := range all {
			if err := b.sampleOurs(ctx, ours, s, &mine[i]); err != nil {
				return nil, fmt.Errorf("%s, %d connections: %w", s.name, s.connections, err)
			}
			if theirs[i] == nil {
				theirs[i] = map[string]*samples{}
			}
			for _, peer := range s.peers {
				if theirs[i][peer] == nil {
					theirs[i][peer] = &samples{}
				}
				if java == nil {
					continue
				}
				if err := b.sampleTheirs(ctx, java, s, s.theirs[peer], theirs[i][peer]); err != nil {
					return nil, fmt.Errorf("%s, %s, %d connections: %w", s.name, peer, s.connections, err)
				}
			}
		}
	}
	polling, err := b.measurePolling(ctx, ours)
	if err != nil {
		return nil, fmt.Errorf("polling: %w", err)
	}
	return append(loadComparisons(all, mine, theirs, absent), polling), nil
}

// warmUp fills the caches of ours, and lets Java compile what it runs.
func (b *bench) warmUp(ctx context.Context, ours *process, java *standIn, all []scenario) error {
	for _, s := range all {
		if _, err := run(ctx, ours.address, s.connections, b.Slice*time.Duration(max(s.warmUp, 1)), s.ours); err != nil {
			return fmt.Errorf("%s, %d connections: %w", s.name, s.connections, err)
		}
	}
	if java == nil {
		return nil
	}
	for _, s := range all {
		if s.target.Factor == 0 {
			continue
		}
		patience := b.WarmUp
		for _, peer := range s.peers {
			if err := b.warmUpJava(ctx, java, s, peer, patience); err != nil {
				return fmt.Errorf("%s, %s: %w", s.name, peer, err)
			}
			patience = b.WarmUp / 2 // most of it is the same code
		}
	}
	return nil
}

// warmUpJava runs a step of the stand-in for as long as it still gets faster:
// its compiler takes half a minute on a small machine.
func (b *bench) warmUpJava(ctx context.Context, java *standIn, s scenario, peer string, patience time.Duration) error {
	const (
		slices = 8    // of the time to warm up
		better = 1.03 // what still counts as faster
		idle   = 3    // slices without
	)
	began, best, since := time.Now(), 0.0, 0
	for since < idle && time.Since(began) < patience {
		l, err := run(ctx, java.address, s.connections, b.WarmUp/slices, s.theirs[peer])
		if err != nil {
			return err
		}
		since++
		if l.perSecond() > best*better {
			best, since = l.perSecond(), 0
		}
	}
	b.logf("%s warmed up for %v, %.0f /s", peer, time.Since(began).Round(time.Second), best)
	return nil
}

func (b *bench) sampleOurs(ctx context.Context, p *process, s scenario, to *samples) error {
	before, err := p.usage()
	if err != nil {
		return err
	}
	l, err := run(ctx, p.address, s.connections, b.Slice, s.ours)
	if err != nil {
		return err
	}
	after, err := p.usage()
	if err != nil {
		return err
	}
	n := float64(len(l.latencies))
	to.add(l)
	to.cpu = append(to.cpu, float64(after.cpu-before.cpu)/n)
	to.allocations = append(to.allocations, (after.allocations-before.allocations)/n)
	now, _, err := memory(p.cmd.Process.Pid)
	to.memory = append(to.memory, now)
	return err
}

func (b *bench) sampleTheirs(ctx context.Context, java *standIn, s scenario, do step, to *samples) error {
	before, err := cpuTime(java.program.Pid())
	if err != nil {
		return err
	}
	l, err := run(ctx, java.address, s.connections, b.Slice, do)
	if err != nil {
		return err
	}
	after, err := cpuTime(java.program.Pid())
	if err != nil {
		return err
	}
	to.add(l)
	to.cpu = append(to.cpu, float64(after-before)/float64(len(l.latencies)))
	now, _, err := memory(java.program.Pid())
	to.memory = append(to.memory, now)
	return err
}

// loadComparisons makes the rows of the scenarios.
func loadComparisons(all []scenario, mine []samples, theirs []map[string]*samples, absent string) []figures.Comparison {
	var out []figures.Comparison
	for i, s := range all {
		name := fmt.Sprintf("%s, %d connections", s.name, s.connections)
		if s.connections == 1 {
			name = strings.TrimSuffix(name, "s")
		}
		row := figures.Comparison{Figure: name, Ours: figures.Of(figures.PerSecond, mine[i].rate...), Details: mine[i].details()}
		if len(s.peers) == 0 {
			out = append(out, row)
			continue
		}
		for n, peer := range s.peers {
			r := row
			r.Peer, r.Theirs, r.Absent = peer, figures.Of(figures.PerSecond, theirs[i][peer].rate...), absent
			if absent == "" {
				r.TheirDetails = theirs[i][peer].details()
			}
			if n == 0 {
				r.Target = s.target
			}
			out = append(out, r)
		}
		if s.target.Factor > 0 {
			peer := s.peers[0]
			row := figures.Comparison{
				Figure: name + ", p99", Ours: figures.Of(figures.Nanoseconds, mine[i].p99...),
				Peer: peer + ", p50", Theirs: figures.Of(figures.Nanoseconds, theirs[i][peer].p50...), Target: figures.Below(1), Absent: absent,
			}
			out = append(out, row)
		}
	}
	return out
}

// measureAlone measures servers that are started for the purpose: how soon they
// are ready, what they take idle, and what a large document takes.
func (b *bench) measureAlone(ctx context.Context) ([]figures.Comparison, error) {
	b.logf("idle server and document of %d MiB", b.Large>>20)
	small, err := b.world.sign(0, make([]byte, documentSize))
	if err != nil {
		return nil, err
	}
	content := make([]byte, b.Large)
	for i := range content {
		content[i] = byte(i)
	}
	large, err := b.world.sign(0, content)
	if err != nil {
		return nil, err
	}
	warm, ask := request("POST", pathVerify, small), request("POST", pathVerify, large)
	var ready, idle, took, floor, peak, grown []float64
	for range b.Rounds {
		one := func() error {
			p, err := b.world.start(ctx)
			if err != nil {
				return err
			}
			defer p.stop()
			time.Sleep(idleFor)
			now, _, err := memory(p.cmd.Process.Pid)
			if err != nil {
				return err
			}
			c, err := dial(ctx, p.address)
			if err != nil {
				return err
			}
			defer c.close()
			if _, err := c.ask(warm); err != nil {
				return err
			}
			if _, err := c.ask(ask); err != nil {
				return err
			}
			d, err := c.ask(ask) // the one that counts finds memory that was used before
			if err != nil {
				return err
			}
			_, most, err := memory(p.cmd.Process.Pid)
			if err != nil {
				return err
			}
			base, err := hashAndBase64(large, content)
			if err != nil {
				return err
			}
			ready, idle = append(ready, float64(p.ready)), append(idle, now)
			took, floor = append(took, float64(d)), append(floor, float64(base))
			peak, grown = append(peak, most), append(grown, most-now)
			return nil
		}
		if err := one(); err != nil {
			return nil, fmt.Errorf("server of its own: %w", err)
		}
	}
	ns, bytes := figures.Nanoseconds, figures.Bytes
	name := fmt.Sprintf("%d MiB attached document", b.Large>>20)
	return []figures.Comparison{
		{Figure: name, Ours: figures.Of(ns, took...), Peer: "hash + base64", Theirs: figures.Of(ns, floor...), Target: figures.AtMost(1.3)},
		{
			Figure: name + ", peak RSS", Ours: figures.Of(bytes, peak...), Peer: "the document", Theirs: figures.Of(bytes, float64(b.Large)), Target: figures.Below(3),
			Details: []figures.Detail{{Name: "above the idle server", Value: figures.Of(bytes, grown...)}},
		},
		{Figure: "idle server, RSS", Ours: figures.Of(bytes, idle...), Peer: "limit", Theirs: figures.Of(bytes, idleMemory), Target: figures.Below(1)},
		{Figure: "start to ready", Ours: figures.Of(ns, ready...), Peer: "limit", Theirs: figures.Of(ns, float64(readyTime)), Target: figures.Below(1)},
	}, nil
}

// hashAndBase64 returns the time of decoding a document and hashing its
// content, on one thread: what nobody can do without.
func hashAndBase64(document, content []byte) (time.Duration, error) {
	out := make([]byte, base64.StdEncoding.DecodedLen(len(document)))
	for i := 0; i < len(out); i += 4096 {
		out[i] = 1 // memory that is there, as the server's is
	}
	began := time.Now()
	if _, err := base64.StdEncoding.Decode(out, document); err != nil {
		return 0, err
	}
	gost341194.Sum256(content)
	return time.Since(began), nil
}
