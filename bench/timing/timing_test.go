package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"imzo/gost/gost3410"
)

// seeded is the same in every run: what these tests say does not change.
func seeded() *rand.ChaCha8 { return rand.NewChaCha8([32]byte{1}) }

func TestWelchGivesTheTextbookValue(t *testing.T) {
	// Two classes with means 10 and 12, and of 1000 values each a half one
	// below and a half one above: variances 1000/999.
	var w welch
	for i := range 2 * enough {
		class, sign := i&1, float64(i&2)-1
		w.add(class, 10+2*float64(class)+sign)
	}
	want := -2 / math.Sqrt(2*(1000.0/999)/1000)
	if got := w.t(); math.Abs(got-want) > 1e-9 {
		t.Errorf("t = %v, want %v", got, want)
	}
}

func TestWelchSaysNothingTooEarly(t *testing.T) {
	var w welch
	for i := range 2*enough - 1 {
		w.add(i&1, float64(i&1))
	}
	if got := w.t(); got != 0 {
		t.Errorf("t = %v with too few values", got)
	}
	w.add(1, 1)
	if got := w.t(); !math.IsInf(got, -1) {
		t.Errorf("t = %v of two constants that differ, want -Inf", got)
	}
}

// synthetic feeds made-up times: class by class from a function.
func synthetic(n int, f func(class int, r *rand.Rand) float64) finding {
	r := rand.New(seeded())
	var s tests
	first := make([]float64, 5000)
	for i := range first {
		first[i] = f(r.IntN(2), r)
	}
	s.calibrate(first)
	for range n {
		class := r.IntN(2)
		s.add(class, f(class, r))
	}
	return s.finding("synthetic")
}

// noise is what times look like: most near 10 µs, some far above.
func noise(r *rand.Rand) float64 {
	x := 10_000 + 200*r.NormFloat64()
	if r.IntN(100) == 0 {
		x += 50_000 * r.Float64()
	}
	return x
}

func TestEqualDistributionsPass(t *testing.T) {
	f := synthetic(200_000, func(_ int, r *rand.Rand) float64 { return noise(r) })
	if f.worst() >= suspicious || f.verdict() != "no leak found" || f.Samples != 200_000 {
		t.Errorf("%+v: %s", f, f.verdict())
	}
}

func TestASmallShiftIsFoundUnderTheNoise(t *testing.T) {
	// 20 ns of 10 µs: lost among all times, plain below the percentiles.
	f := synthetic(200_000, func(class int, r *rand.Rand) float64 { return noise(r) + 20*float64(class) })
	if math.Abs(f.Cropped) <= leaking || f.verdict() != "LEAK" || math.Abs(f.Cropped) <= math.Abs(f.Whole) {
		t.Errorf("%+v: %s", f, f.verdict())
	}
	if f.Difference > -10 || f.Difference < -30 {
		t.Errorf("the difference is %v ns, want about -20", f.Difference)
	}
}

func TestADifferentSpreadIsFound(t *testing.T) {
	f := synthetic(200_000, func(class int, r *rand.Rand) float64 { return 10_000 + (200+20*float64(class))*r.NormFloat64() })
	if math.Abs(f.Second) <= leaking {
		t.Errorf("%+v: %s", f, f.verdict())
	}
}

func TestThresholdsRiseAndLeaveTheTopOut(t *testing.T) {
	times := make([]float64, 10_001)
	for i := range times {
		times[len(times)-1-i] = float64(i)
	}
	var s tests
	s.calibrate(times)
	for i := 1; i < len(s.thresholds); i++ {
		if s.thresholds[i] < s.thresholds[i-1] {
			t.Fatalf("threshold %d is below the one before", i)
		}
	}
	if low, high := s.thresholds[0], s.thresholds[crops-1]; math.Abs(low-670) > 5 || math.Abs(high-9990) > 5 {
		t.Errorf("thresholds from %v to %v, want 6.7 and 99.9 percent of 10000", low, high)
	}
}

// The harness itself is tested by what it must find: an exponentiation of
// math/big, whose time goes with the bits of the secret, and a comparison that
// ends at the first difference.
func TestLeakyFunctionsAreFound(t *testing.T) {
	modulus := new(big.Int).SetBytes(gost3410.CryptoProA().Params().P)
	secret := make([]byte, 4096)
	for name, s := range map[string]subject{
		"exponentiation": {"", func(class int, random *rand.ChaCha8) (func() error, error) {
			smallest := make([]byte, gost3410.ScalarSize)
			smallest[31] = 1
			e := new(big.Int).SetBytes(scalar(class, smallest, random))
			return func() error {
				if new(big.Int).Exp(big.NewInt(3), e, modulus).Sign() == 0 {
					return errors.New("3 to some power is 0")
				}
				return nil
			}, nil
		}},
		"comparison": {"", func(class int, random *rand.ChaCha8) (func() error, error) {
			guess := make([]byte, len(secret))
			if class == 1 {
				_, _ = random.Read(guess)
			}
			return func() error {
				equal := 0
				for equal < len(secret) && secret[equal] == guess[equal] {
					equal++
				}
				if equal == len(secret) == (class == 1) {
					return errors.New("wrong comparison")
				}
				return nil
			}, nil
		}},
	} {
		f, err := examine(t.Context(), s, 3*2*enough, 2*enough+500, seeded())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if f.verdict() != "LEAK" {
			t.Errorf("%s: not found: %+v", name, f)
		}
	}
}

// The same loop without the early end passes: the classes themselves do not
// make a difference.
func TestAConstantFunctionIsNotALeak(t *testing.T) {
	secret := make([]byte, 4096)
	s := subject{"", func(class int, random *rand.ChaCha8) (func() error, error) {
		guess := make([]byte, len(secret))
		_, _ = random.Read(guess)
		if class == 0 {
			clear(guess)
		}
		return func() error {
			var differ byte
			for i := range secret {
				differ |= secret[i] ^ guess[i]
			}
			if (differ == 0) != (class == 0) {
				return errors.New("wrong comparison")
			}
			return nil
		}, nil
	}}
	f, err := examine(t.Context(), s, 10*enough, 5*enough, seeded())
	if err != nil {
		t.Fatal(err)
	}
	if f.worst() > leaking {
		t.Errorf("a leak is found where none is: %+v", f)
	}
}

func TestAllSubjectsRun(t *testing.T) {
	random := seeded()
	for _, c := range []*gost3410.Curve{gost3410.CryptoProA(), gost3410.CryptoProB(), gost3410.CryptoProC()} {
		all, err := subjects(c, random)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) != 8 {
			t.Errorf("%s has %d subjects, want 8", c.Name(), len(all))
		}
		for _, s := range all {
			for class := range 2 {
				operation, err := s.prepare(class, random)
				if err != nil {
					t.Fatalf("%s: %v", s.name, err)
				}
				if err := operation(); err != nil {
					t.Errorf("%s: %v", s.name, err)
				}
			}
		}
	}
}

func TestScalarsAreFixedOrRandom(t *testing.T) {
	random := seeded()
	fixed := scalar(1, nil, random)
	seen := map[string]bool{}
	for range 100 {
		if got := scalar(0, fixed, random); string(got) != string(fixed) {
			t.Fatalf("a fixed scalar is %x, want %x", got, fixed)
		}
		d := scalar(1, fixed, random)
		if seen[string(d)] || string(d) == string(fixed) {
			t.Fatalf("a random scalar comes twice: %x", d)
		}
		seen[string(d)] = true
	}
}

func TestTheReaderGivesItsOctetsOnce(t *testing.T) {
	r := new(reader)
	if b, err := io.ReadAll(io.LimitReader(r, 64)); err != nil || len(b) != 64 {
		t.Errorf("%d octets, %v", len(b), err)
	}
	if _, err := r.Read(make([]byte, 1)); err == nil {
		t.Error("it gives more than it has")
	}
}

func TestTheCommandPrintsATableOrJSON(t *testing.T) {
	args := []string{"-samples", "2000", "-batch", "2000", "-run", "nonce", "-curves", "a,C"}
	var out strings.Builder
	if err := run(t.Context(), args, &out, io.Discard); err != nil && !errors.Is(err, errLeak) {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "\n| sign, nonce, CryptoPro-"); n != 2 {
		t.Errorf("%d rows, want 2:\n%s", n, out.String())
	}
	out.Reset()
	if err := run(t.Context(), append(args, "-json"), &out, io.Discard); err != nil && !errors.Is(err, errLeak) {
		t.Fatal(err)
	}
	var f finding
	if err := json.NewDecoder(strings.NewReader(out.String())).Decode(&f); err != nil || f.Samples != 2000 || f.Mean <= 0 {
		t.Errorf("read back %+v, %v from\n%s", f, err, out.String())
	}
}

func TestTheCommandRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, args := range [][]string{
		{"-curves", "D"}, {"-batch", "10"}, {"-samples", "100"}, {"more"}, {"-unknown"},
		{"-samples", "2000", "-batch", "2000", "-run", "nothing like it"},
	} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, nil, io.Discard, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
