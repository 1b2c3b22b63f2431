package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("release", flag.ContinueOnError)
	f.SetOutput(stderr)
	version := f.String("version", "dev", "version that the binaries name")
	out := f.String("out", "dist", "folder for the files")
	source := f.String("source", ".", "folder of the module")
	only := f.String("platform", "", "only these, such as linux/amd64,darwin/arm64")
	goTool := f.String("go", "go", "the go command")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	wanted, err := parsePlatforms(*only)
	if err != nil {
		return err
	}
	made, err := sourceDate(ctx, *source)
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(*out)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var files []string
	for _, p := range wanted {
		binary := filepath.Join(dir, p.file())
		if err := build(ctx, buildOrder{goTool: *goTool, source: *source, version: *version, platform: p, out: binary}, stderr); err != nil {
			return err
		}
		list, err := describe(binary, *version, made)
		if err != nil {
			return err
		}
		if err := os.WriteFile(binary+sbomSuffix, list, 0o644); err != nil {
			return err
		}
		fmt.Fprintln(stdout, binary)
		files = append(files, p.file(), p.file()+sbomSuffix)
	}
	return writeSums(dir, files)
}

// sourceDate is when the source was made, for the SBOM: SOURCE_DATE_EPOCH
// (reproducible-builds.org), or the time of the last commit, or unknown: a
// time of the build would make every build different.
func sourceDate(ctx context.Context, source string) (time.Time, error) {
	text, ok := os.LookupEnv("SOURCE_DATE_EPOCH")
	if !ok {
		cmd := exec.CommandContext(ctx, "git", "log", "-1", "--format=%ct")
		cmd.Dir = source
		b, err := cmd.Output()
		if err != nil {
			return time.Time{}, nil // no repository: an unpacked archive
		}
		text = string(b)
	}
	seconds, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH is no number of seconds: %q", text)
	}
	return time.Unix(seconds, 0).UTC(), nil
}
