// Command timing looks for secrets in the time that operations with private
// keys take: signing, key agreement (VKO) and the public key of a private one.
// It times a fixed secret against random ones, a million times each, and prints
// Welch's t (see dudect.go). `make bench-timing` runs it; docs/security.md has
// the result.
//
// That nothing is found proves nothing for another processor or compiler; that
// something is found is proof. Verification works on public data and is not
// looked at.
package main

import (
	"context"
	crand "crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"imzo/bench/internal/figures"
	"imzo/gost/gost3410"
)

const usage = `Look for secrets in the time of operations with private keys.

Each subject is run with a fixed secret and with random ones, in random order,
and the times are compared by Welch's t-test, over all and below percentiles.
|t| < 4.5 is no leak found, |t| > 10 is a leak; the exit code is then 1.

usage: go run ./bench/timing [flags]          (or: make bench-timing)

  go run ./bench/timing                       a million samples each, some ten minutes
  go run ./bench/timing -samples 50000        a look
  go run ./bench/timing -run sign -curves A,B
  go run ./bench/timing -json

flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "timing:", err)
		stop()
		os.Exit(1)
	}
}

type settings struct {
	samples, batch int
	only           string
	curves         []*gost3410.Curve
	json           bool
}

var errLeak = errors.New("time depends on a secret")

func parse(args []string, stderr io.Writer) (settings, error) {
	var s settings
	f := flag.NewFlagSet("timing", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() {
		fmt.Fprint(stderr, usage)
		f.PrintDefaults()
	}
	curves := f.String("curves", "A", "curves of CryptoPro, with commas between: A, B, C")
	f.IntVar(&s.samples, "samples", 1_000_000, "how many operations are timed, both classes together")
	f.IntVar(&s.batch, "batch", 20_000, "how many inputs are made at once")
	f.StringVar(&s.only, "run", "", "only subjects with this `text` in their name")
	f.BoolVar(&s.json, "json", false, "print JSON, a line a subject")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	if f.NArg() > 0 {
		return s, fmt.Errorf("unexpected argument %q, see -help", f.Arg(0))
	}
	if s.batch < 2*enough || s.samples < s.batch {
		return s, fmt.Errorf("-batch is at least %d, and -samples at least -batch", 2*enough)
	}
	known := map[string]*gost3410.Curve{"A": gost3410.CryptoProA(), "B": gost3410.CryptoProB(), "C": gost3410.CryptoProC()}
	for name := range strings.SplitSeq(*curves, ",") {
		c, ok := known[strings.ToUpper(strings.TrimSpace(name))]
		if !ok {
			return s, fmt.Errorf("no curve %q: there are A, B and C", name)
		}
		s.curves = append(s.curves, c)
	}
	return s, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	s, err := parse(args, stderr)
	if err != nil {
		return err
	}
	var seed [32]byte
	if _, err := crand.Read(seed[:]); err != nil {
		return err
	}
	random := rand.NewChaCha8(seed) // the keys are for this test only
	if !s.json {
		fmt.Fprintf(stdout, "%s, %s/%s, %s\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, time.Now().UTC().Format("2006-01-02 15:04 UTC"))
	}
	rows := [][]string{{"fixed against random", "samples", "mean", "difference", "t, all", "t, cropped", "t, second order", ""}}
	found, ran := false, 0
	for _, c := range s.curves {
		all, err := subjects(c, random)
		if err != nil {
			return err
		}
		for _, subject := range all {
			if !strings.Contains(subject.name, s.only) {
				continue
			}
			ran++
			f, err := examine(ctx, subject, s.samples, s.batch, random)
			if err != nil {
				return fmt.Errorf("%s: %w", subject.name, err)
			}
			fmt.Fprintf(stderr, "%s: |t| <= %.2f\n", f.Subject, f.worst())
			found = found || f.worst() > leaking
			if s.json {
				if err := json.NewEncoder(stdout).Encode(f); err != nil {
					return err
				}
				continue
			}
			rows = append(rows, []string{
				f.Subject, fmt.Sprint(f.Samples), fmt.Sprintf("%.1f µs", f.Mean/1e3), fmt.Sprintf("%+.1f ns", f.Difference),
				fmt.Sprintf("%+.2f", f.Whole), fmt.Sprintf("%+.2f", f.Cropped), fmt.Sprintf("%+.2f", f.Second), f.verdict(),
			})
		}
	}
	if !s.json && ran > 0 {
		var b strings.Builder
		figures.WriteRows(&b, rows, []bool{1: true, 2: true, 3: true, 4: true, 5: true, 6: true, 7: false})
		if _, err := io.WriteString(stdout, b.String()); err != nil {
			return err
		}
	}
	switch {
	case ran == 0:
		return fmt.Errorf("no subject has %q in its name", s.only)
	case found:
		return errLeak
	}
	return nil
}
