// Command bench measures Imzo beside its peers and prints one table with the
// ratios and whether each target is met. `make bench` runs it. README.md says
// what each figure includes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"imzo/bench/crypto"
	"imzo/bench/internal/figures"
	"imzo/bench/server"
)

const usage = `Measure Imzo beside its peers and print one table with the ratios.

Cryptography, on one thread: OpenSSL's GOST engine (a harness in C), BouncyCastle
(a harness in Java), rhash, and Go's own P-256. The server, on all cores with the
client: the same documents through a server of Java's HttpServer and
BouncyCastle's CMS. A peer that is not installed is a row that says "absent".

usage: go run ./bench [flags]          (or: make bench)

  go run ./bench                       everything, about five minutes
  go run ./bench -only crypto          cryptography alone, about one minute
  go run ./bench -only server -rounds 3
  go run ./bench -json out/bench.json  every sample as well
  go run ./bench -require              fail when a target is not met

flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// settings are the flags.
type settings struct {
	only    string
	json    string
	imzo    string
	rounds  int
	users   int
	slice   time.Duration
	load    time.Duration
	require bool
	quiet   bool
}

var errTargets = errors.New("not every target is met")

func parse(args []string, stderr io.Writer) (settings, error) {
	var s settings
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() {
		fmt.Fprint(stderr, usage)
		f.PrintDefaults()
	}
	f.StringVar(&s.only, "only", "", "measure one `part`: crypto or server")
	f.StringVar(&s.json, "json", "", "also write all samples to this `file`; - prints JSON instead of the table")
	f.StringVar(&s.imzo, "imzo", "", "`program` to measure as the server; built from this tree when empty")
	f.IntVar(&s.rounds, "rounds", 5, "how often everything is measured; the table shows medians")
	f.IntVar(&s.users, "users", 1100, "how many people sign the documents of CMS; above 1024 none of their keys gets a table")
	f.DurationVar(&s.slice, "slice", 200*time.Millisecond, "time of one sample of cryptography")
	f.DurationVar(&s.load, "load", 1200*time.Millisecond, "time of one sample of the server")
	f.BoolVar(&s.require, "require", false, "end with an error unless every target is met")
	f.BoolVar(&s.quiet, "quiet", false, "do not tell what goes on")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	switch {
	case f.NArg() > 0:
		return s, fmt.Errorf("unexpected argument %q, see -help", f.Arg(0))
	case s.only != "" && s.only != "crypto" && s.only != "server":
		return s, fmt.Errorf("-only is crypto or server, not %q", s.only)
	case s.rounds < 1 || s.users < 1 || s.slice <= 0 || s.load <= 0:
		return s, errors.New("-rounds, -users, -slice and -load must be above 0")
	}
	return s, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	s, err := parse(args, stderr)
	if err != nil {
		return err
	}
	log := stderr
	if s.quiet {
		log = io.Discard
	}
	dir, err := os.MkdirTemp("", "imzo-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	report := figures.Report{Started: time.Now(), Machine: machine(), Versions: []string{runtime.Version()}, Rounds: s.rounds}
	if s.only != "server" {
		comparisons, versions, err := crypto.Measure(ctx, crypto.Options{Dir: dir, Rounds: s.rounds, Slice: s.slice, WarmUp: 4 * time.Second, Users: s.users, Log: log})
		if err != nil {
			return err
		}
		report.Comparisons, report.Versions = comparisons, append(report.Versions, versions...)
	}
	if s.only != "crypto" {
		comparisons, versions, err := server.Measure(ctx, server.Options{Dir: dir, Program: s.imzo, Rounds: s.rounds, Slice: s.load, WarmUp: 30 * time.Second, Log: log})
		if err != nil {
			return err
		}
		report.Comparisons = append(report.Comparisons, comparisons...)
		for _, v := range versions {
			if !slices.Contains(report.Versions, v) {
				report.Versions = append(report.Versions, v)
			}
		}
	}
	report.Took = time.Since(report.Started).Round(time.Second).String()
	if err := write(report, s.json, stdout); err != nil {
		return err
	}
	if s.require && slices.ContainsFunc(report.Comparisons, func(c figures.Comparison) bool {
		return c.Verdict() == figures.NotMet || c.Verdict() == figures.NoPeer && c.Target.Factor > 0
	}) {
		return errTargets
	}
	return nil
}

// write prints the table, and writes the samples where they are asked for.
func write(r figures.Report, file string, stdout io.Writer) error {
	if file == "-" {
		return r.WriteJSON(stdout)
	}
	if file != "" {
		f, err := os.Create(file)
		if err != nil {
			return err
		}
		if err := errors.Join(r.WriteJSON(f), f.Close()); err != nil {
			return err
		}
	}
	return r.WriteTable(stdout)
}

// machine names processor, cores and system.
func machine() string {
	name := runtime.GOARCH
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				name = strings.TrimSpace(value)
				break
			}
		}
	}
	load := ""
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		if fields := strings.Fields(string(b)); len(fields) > 0 {
			load = ", load before " + fields[0]
		}
	}
	return fmt.Sprintf("%s, %d cores, %s/%s%s", name, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, load)
}
