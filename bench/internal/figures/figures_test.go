package figures

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

func TestMedianIsTheMiddle(t *testing.T) {
	for _, test := range []struct {
		samples []float64
		want    float64
	}{
		{[]float64{3}, 3},
		{[]float64{9, 1, 5}, 5},
		{[]float64{4, 1, 3, 2}, 2.5},
		{[]float64{1, 1, 1, 1, 1000}, 1},
	} {
		if got := Median(test.samples); got != test.want {
			t.Errorf("median of %v is %v, want %v", test.samples, got, test.want)
		}
	}
	if got := Median(nil); !math.IsNaN(got) {
		t.Errorf("median of nothing is %v", got)
	}
	samples := []float64{2, 1}
	Median(samples)
	if samples[0] != 2 {
		t.Error("Median puts the samples of others in order")
	}
}

func TestPercentilesAreExact(t *testing.T) {
	var l Latencies
	for i := 1000; i >= 1; i-- {
		l = append(l, time.Duration(i))
	}
	l.Sort()
	for p, want := range map[float64]time.Duration{0.01: 1, 50: 500, 90: 900, 99: 990, 99.9: 999, 100: 1000} {
		if got := l.Percentile(p); got != want {
			t.Errorf("p%v is %d, want %d", p, got, want)
		}
	}
	if got := (Latencies{7}).Percentile(99); got != 7 {
		t.Errorf("p99 of one latency is %d", got)
	}
	if got := (Latencies{}).Percentile(99); got != 0 {
		t.Errorf("p99 of none is %d", got)
	}
}

func TestVerdicts(t *testing.T) {
	ns := func(v float64) Value { return Of(Nanoseconds, v) }
	rate := func(v float64) Value { return Of(PerSecond, v) }
	for _, test := range []struct {
		name  string
		c     Comparison
		ratio float64
		want  Verdict
	}{
		{"twice as soon", Comparison{Ours: ns(10), Peer: "p", Theirs: ns(20), Target: AtLeast(2)}, 2, Met},
		{"not quite twice as soon", Comparison{Ours: ns(10), Peer: "p", Theirs: ns(19), Target: AtLeast(2)}, 1.9, NotMet},
		{"three times the rate", Comparison{Ours: rate(30), Peer: "p", Theirs: rate(10), Target: AtLeast(2)}, 3, Met},
		{"half the rate", Comparison{Ours: rate(5), Peer: "p", Theirs: rate(10), Target: AtLeast(1)}, .5, NotMet},
		{"on the bound", Comparison{Ours: ns(13), Peer: "p", Theirs: ns(10), Target: AtMost(1.3)}, 1.3, Met},
		{"above the bound", Comparison{Ours: ns(14), Peer: "p", Theirs: ns(10), Target: AtMost(1.3)}, 1.4, NotMet},
		{"not below", Comparison{Ours: ns(10), Peer: "p", Theirs: ns(10), Target: Below(1)}, 1, NotMet},
		{"below", Comparison{Ours: ns(9), Peer: "p", Theirs: ns(10), Target: Below(1)}, .9, Met},
		{"nothing asked", Comparison{Ours: ns(9), Peer: "p", Theirs: ns(18)}, 2, NoTarget},
		{"alone", Comparison{Ours: ns(9)}, math.NaN(), NoTarget},
		{"absent", Comparison{Ours: ns(9), Peer: "p", Target: AtLeast(1), Absent: "not installed"}, math.NaN(), NoPeer},
		{"without samples", Comparison{Ours: ns(9), Peer: "p", Theirs: Of(Nanoseconds), Target: AtLeast(1)}, math.NaN(), NotMet},
		{"without samples of ours", Comparison{Ours: Of(Nanoseconds), Peer: "p", Theirs: ns(1), Target: AtMost(1)}, math.NaN(), NotMet},
	} {
		if got := test.c.Ratio(); math.Abs(got-test.ratio) > 1e-9 || math.IsNaN(got) != math.IsNaN(test.ratio) {
			t.Errorf("%s: ratio %v, want %v", test.name, got, test.ratio)
		}
		if got := test.c.Verdict(); got != test.want {
			t.Errorf("%s: verdict %q, want %q", test.name, got, test.want)
		}
	}
}

func TestValuesPrintInTheirUnits(t *testing.T) {
	for _, test := range []struct {
		v    Value
		want string
	}{
		{Of(Nanoseconds, 52_400), "52.4 µs"},
		{Of(Nanoseconds, 5_240_000), "5.2 ms"},
		{Of(Nanoseconds, 5_240_000_000), "5.24 s"},
		{Of(PerSecond, 1234.5), "1234 /s"},
		{Of(BytesSecond, 129e6), "129.0 MB/s"},
		{Of(Bytes, 40<<20), "40.0 MiB"},
		{Of(Count, 1), "1"},
		{Of(Count, 1471.25), "1471.3"},
		{Of(Count), "-"},
	} {
		if got := test.v.String(); got != test.want {
			t.Errorf("%v prints as %q, want %q", test.v, got, test.want)
		}
	}
}

func sample() Report {
	return Report{
		Started: time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC), Took: "1m", Machine: "processor", Versions: []string{"go", "java"}, Rounds: 3,
		Comparisons: []Comparison{
			{
				Figure: "verify", Ours: Of(Nanoseconds, 50_000, 51_000, 49_000), Peer: "engine", Theirs: Of(Nanoseconds, 150_000, 100_000, 200_000), Target: AtLeast(2.5),
				Details: []Detail{{"p99", Of(Nanoseconds, 60_000)}}, TheirDetails: []Detail{{"p99", Of(Nanoseconds, 70_000)}},
			},
			{Figure: "verify", Ours: Of(Nanoseconds, 50_000), Peer: "java", Target: AtLeast(18), Absent: "no program javac"},
			{Figure: "hash", Ours: Of(BytesSecond, 100e6), Peer: "rhash", Theirs: Of(BytesSecond, 90e6), Target: AtLeast(2)},
			{Figure: "alone", Ours: Of(PerSecond, 10)},
		},
	}
}

func TestTheTableShowsEveryRow(t *testing.T) {
	var b strings.Builder
	if err := sample().WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	want := `processor
go, java
2026-01-02 03:04 UTC, took 1m, medians of 3

| figure |       ours | beside |    theirs | ratio |  target |         |
|--------|-----------:|--------|----------:|------:|--------:|---------|
| verify |    50.0 µs | engine |  150.0 µs | 3.00x | >= 2.5x | met     |
| verify |    50.0 µs | java   |    absent |       |  >= 18x | absent  |
| hash   | 100.0 MB/s | rhash  | 90.0 MB/s | 1.11x |   >= 2x | NOT MET |
| alone  |      10 /s |        |           |       |         |         |

samples differ by 35 % in the middle and 67 % at most

verify: p99 60.0 µs
verify, engine: p99 70.0 µs

1 targets met, 1 not met, 1 without a peer
absent: java: no program javac
`
	if got := b.String(); got != want {
		t.Errorf("the table is\n%s\nwant\n%s", got, want)
	}
}

func TestJSONHasEverySampleAndNoNaN(t *testing.T) {
	var b strings.Builder
	if err := sample().WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Machine     string
		Comparisons []struct {
			Figure  string
			Ratio   *float64
			Verdict Verdict
			Absent  string
			Ours    struct {
				Samples []float64
				Median  float64
			}
		}
	}
	if err := json.Unmarshal([]byte(b.String()), &got); err != nil {
		t.Fatalf("%v in\n%s", err, b.String())
	}
	if got.Machine != "processor" || len(got.Comparisons) != 4 {
		t.Fatalf("read back %+v", got)
	}
	first, second := got.Comparisons[0], got.Comparisons[1]
	if len(first.Ours.Samples) != 3 || first.Ours.Median != 50_000 || first.Ratio == nil || *first.Ratio != 3 || first.Verdict != Met {
		t.Errorf("the first is %+v", first)
	}
	if second.Ratio != nil || second.Verdict != NoPeer || second.Absent == "" {
		t.Errorf("the absent one is %+v", second)
	}
}
