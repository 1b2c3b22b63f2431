package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"imzo/gost/gost3410/internal/reference"
)

func TestCommittedVectorsAreWhatTheGeneratorWrites(t *testing.T) {
	if testing.Short() {
		// One file takes a second or two; C has the widest gap between n and p.
		compare(t, reference.Curves()[2:3], generate)
		return
	}
	dir := t.TempDir()
	if err := run(dir); err != nil {
		t.Fatal(err)
	}
	compare(t, reference.Curves(), func(c *reference.Curve) ([]byte, error) {
		return os.ReadFile(filepath.Join(dir, fileName(c)))
	})
}

func compare(t *testing.T, curves []*reference.Curve, made func(*reference.Curve) ([]byte, error)) {
	t.Helper()
	for _, c := range curves {
		got, err := made(c)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join("..", "..", "testdata", "wycheproof", fileName(c)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs: run the generator again", fileName(c))
		}
	}
}

func TestEveryVectorIsDescribedAndDistinct(t *testing.T) {
	negative := 0
	for _, c := range reference.Curves() {
		data, err := os.ReadFile(filepath.Join("..", "..", "testdata", "wycheproof", fileName(c)))
		if err != nil {
			t.Fatal(err)
		}
		var f file
		if err := json.Unmarshal(data, &f); err != nil {
			t.Fatal(err)
		}
		seen := make(map[string]string)
		count := 0
		for _, g := range f.TestGroups {
			for _, v := range g.Tests {
				count++
				if v.TcID != count {
					t.Errorf("%s: test %d has number %d", c.Name, count, v.TcID)
				}
				if v.Comment == "" || len(v.Flags) == 0 {
					t.Errorf("%s %d: no comment or flag", c.Name, v.TcID)
				}
				for _, flag := range v.Flags {
					if f.Notes[flag].Description == "" {
						t.Errorf("%s %d: flag %s is not described", c.Name, v.TcID, flag)
					}
				}
				id := g.PublicKey.Uncompressed + v.Msg + "/" + v.Sig
				if before, ok := seen[id]; ok {
					t.Errorf("%s %d: same as %q: %s", c.Name, v.TcID, before, v.Comment)
				}
				seen[id] = v.Comment
				if v.Result == "invalid" {
					negative++
				}
			}
		}
		if count != f.NumberOfTests {
			t.Errorf("%s: %d tests, numberOfTests %d", c.Name, count, f.NumberOfTests)
		}
	}
	if negative < 400 {
		t.Errorf("%d negative tests, want at least 400", negative)
	}
}

func TestGeneratorRefusesAWrongExpectation(t *testing.T) {
	s := newSuite(reference.Curves()[0])
	s.at(s.q, s.digest, s.r, s.s, false, "valid signature called invalid", flagModified)
	if s.err == nil {
		t.Error("no error")
	}
}

func TestRunReportsADirectoryItCannotMake(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(file); err == nil {
		t.Error("no error")
	}
}
