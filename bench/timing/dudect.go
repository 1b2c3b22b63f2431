package main

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"time"
)

// The method is that of Reparaz, Balasch and Verbauwhede, "Dude, is my code
// constant time?" (DATE 2017): two classes of inputs in random order, the time
// of every single operation, and Welch's t-test between the classes, over all
// times and over the times below percentiles of different height, since the
// upper tail is what else the machine does. A second-order test compares the
// spread as well.

const (
	// crops is how many percentiles there are; the paper's implementation has
	// as many.
	crops = 100
	// usual is the percentile, near the 90th, that means are taken below.
	usual = 32
	// enough is how many times of each class a test needs to count.
	enough = 1000

	// A machine without a leak stays below the first; beyond the second there
	// is one for certain. Between them the test is to be repeated.
	suspicious = 4.5
	leaking    = 10
)

// welch compares the means of two classes (B. L. Welch 1947), fed one by one
// (Welford's algorithm).
type welch struct{ n, mean, m2 [2]float64 }

func (w *welch) add(class int, x float64) {
	w.n[class]++
	d := x - w.mean[class]
	w.mean[class] += d / w.n[class]
	w.m2[class] += d * (x - w.mean[class])
}

// t returns Welch's statistic, and 0 as long as a class has not enough values.
func (w *welch) t() float64 {
	if w.n[0] < enough || w.n[1] < enough {
		return 0
	}
	v := w.m2[0]/(w.n[0]-1)/w.n[0] + w.m2[1]/(w.n[1]-1)/w.n[1]
	difference := w.mean[0] - w.mean[1]
	switch {
	case difference == 0:
		return 0
	case v == 0:
		return math.Copysign(math.Inf(1), difference)
	}
	return difference / math.Sqrt(v)
}

// tests are all comparisons of one subject.
type tests struct {
	thresholds []float64 // of times, ascending; nil until calibrate
	whole      welch
	cropped    [crops]welch
	second     welch // of squared distances to the class's mean
	secondCrop welch // the same of the times below the usual threshold
}

// calibrate sets the thresholds by a first batch of times, which is not used
// for anything else.
func (s *tests) calibrate(times []float64) {
	sorted := slices.Sorted(slices.Values(times))
	s.thresholds = make([]float64, crops)
	for i := range s.thresholds {
		// Dense at the top: from the 7th to the 99.9th percentile.
		p := 1 - math.Pow(0.5, 10*float64(i+1)/crops)
		s.thresholds[i] = sorted[int(p*float64(len(sorted)-1))]
	}
}

// add takes one time into every test it belongs to.
func (s *tests) add(class int, x float64) {
	s.whole.add(class, x)
	for i, threshold := range s.thresholds {
		if x < threshold {
			s.cropped[i].add(class, x)
		}
	}
	if s.whole.n[class] > enough {
		d := x - s.whole.mean[class]
		s.second.add(class, d*d)
	}
	if below := &s.cropped[usual]; x < s.thresholds[usual] && below.n[class] > enough {
		d := x - below.mean[class]
		s.secondCrop.add(class, d*d)
	}
}

// finding is what the tests of one subject say.
type finding struct {
	Subject string `json:"subject"`
	Samples int    `json:"samples"`
	// Mean is that of the times below the 90th percentile, Difference what
	// the class of fixed inputs takes more, both in nanoseconds.
	Mean       float64 `json:"mean_ns"`
	Difference float64 `json:"difference_ns"`
	// Whole is t of all times, Cropped the one farthest from 0 below a
	// percentile, Second the one farther from 0 of the second order.
	Whole   float64 `json:"t_whole"`
	Cropped float64 `json:"t_cropped"`
	Second  float64 `json:"t_second_order"`
}

// worst returns the largest distance of a t from 0.
func (f finding) worst() float64 {
	return max(math.Abs(f.Whole), math.Abs(f.Cropped), math.Abs(f.Second))
}

// verdict puts the worst t into words.
func (f finding) verdict() string {
	switch w := f.worst(); {
	case w < suspicious:
		return "no leak found"
	case w <= leaking:
		return "unclear, repeat"
	}
	return "LEAK"
}

func (s *tests) finding(subject string) finding {
	f := finding{Subject: subject, Samples: int(s.whole.n[0] + s.whole.n[1]), Whole: s.whole.t(), Second: s.second.t()}
	for i := range s.cropped {
		if t := s.cropped[i].t(); math.Abs(t) > math.Abs(f.Cropped) {
			f.Cropped = t
		}
	}
	if t := s.secondCrop.t(); math.Abs(t) > math.Abs(f.Second) {
		f.Second = t
	}
	below := &s.cropped[usual]
	f.Mean = (below.mean[0]*below.n[0] + below.mean[1]*below.n[1]) / max(below.n[0]+below.n[1], 1)
	f.Difference = below.mean[0] - below.mean[1]
	return f
}

// subject is an operation under test. prepare makes the input of one call, of
// class 0 (fixed) or 1 (random), by the same steps and in memory of its own
// for both, so that the classes differ in values only; what it returns is what
// is timed.
type subject struct {
	name    string
	prepare func(class int, random *rand.ChaCha8) (operation func() error, err error)
}

// examine times so many operations of a subject, batch by batch, after one
// batch that sets the thresholds.
func examine(ctx context.Context, s subject, samples, batch int, random *rand.ChaCha8) (finding, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))

	var all tests
	classes := make([]int, batch)
	operations := make([]func() error, batch)
	times := make([]float64, batch)
	bits := rand.New(random)
	for done := -batch; done < samples; done += batch {
		for i := range operations {
			classes[i] = int(bits.Uint64() & 1)
			operation, err := s.prepare(classes[i], random)
			if err != nil {
				return finding{}, err
			}
			operations[i] = operation
		}
		if err := ctx.Err(); err != nil {
			return finding{}, err
		}
		runtime.GC() // here, and not while the clock runs
		for i, operation := range operations {
			began := time.Now()
			err := operation()
			times[i] = float64(time.Since(began))
			if err != nil {
				return finding{}, err
			}
		}
		if done < 0 {
			all.calibrate(times)
			continue
		}
		for i, x := range times {
			all.add(classes[i], x)
		}
	}
	return all.finding(s.name), nil
}
