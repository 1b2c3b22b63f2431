package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"imzo/bench/internal/figures"
)

func TestFlagsAreChecked(t *testing.T) {
	for _, args := range [][]string{{"-only", "all"}, {"-rounds", "0"}, {"-users", "0"}, {"-slice", "0s"}, {"-load", "-1s"}, {"more"}, {"-unknown"}} {
		if _, err := parse(args, io.Discard); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
	s, err := parse([]string{"-only", "crypto", "-rounds", "3"}, io.Discard)
	if err != nil || s.only != "crypto" || s.rounds != 3 || s.slice <= 0 || s.load <= 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestHelpShowsExamplesAndFlags(t *testing.T) {
	var help bytes.Buffer
	if err := run(t.Context(), []string{"-help"}, io.Discard, &help); !errors.Is(err, flag.ErrHelp) {
		t.Fatal(err)
	}
	for _, want := range []string{"go run ./bench -only crypto", "-rounds", "-json"} {
		if !strings.Contains(help.String(), want) {
			t.Errorf("the help lacks %q:\n%s", want, help.String())
		}
	}
}

func TestSamplesGoToAFileBesideTheTable(t *testing.T) {
	r := figures.Report{Machine: machine(), Comparisons: []figures.Comparison{{Figure: "verify", Ours: figures.Of(figures.Nanoseconds, 1, 2, 3)}}}
	file := filepath.Join(t.TempDir(), "out.json")
	var table, only bytes.Buffer
	if err := write(r, file, &table); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(table.String(), "| verify |") {
		t.Errorf("no table: %s", table.String())
	}
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := write(r, "-", &only); err != nil || !bytes.Equal(only.Bytes(), written) {
		t.Errorf("JSON alone differs from the file, %v:\n%s\n%s", err, only.Bytes(), written)
	}
	var back figures.Report
	if err := json.Unmarshal(written, &back); err != nil || len(back.Comparisons) != 1 || len(back.Comparisons[0].Ours.Samples) != 3 {
		t.Errorf("read back %+v, %v", back, err)
	}
	if err := write(r, filepath.Join(file, "below"), io.Discard); err == nil {
		t.Error("a file that cannot be written is no error")
	}
	if !strings.Contains(r.Machine, "cores") {
		t.Errorf("the machine is %q", r.Machine)
	}
}

// Nothing is installed here, so it ends soon: cryptography without peers.
func TestARunPrintsTheTable(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	args := []string{"-only", "crypto", "-rounds", "1", "-slice", "1ms", "-users", "5", "-quiet"}
	var table bytes.Buffer
	if err := run(t.Context(), append(args, "-require"), &table, io.Discard); !errors.Is(err, errTargets) {
		t.Errorf("without peers the targets are met: %v", err)
	}
	for _, want := range []string{"verify, CryptoPro-A, any key", "Go P-256", "absent: rhash: not installed", "cores"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, table.String())
		}
	}
}
