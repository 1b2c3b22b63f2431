// Command wycheproofgen writes the test vectors in
// gost3410/testdata/wycheproof: signatures that must and must not verify, in
// the JSON shape of the Wycheproof project (C2SP/wycheproof, ecdsa).
//
//	go run ./gost/gost3410/internal/wycheproofgen -out gost/gost3410/testdata/wycheproof
//
// It uses the math/big arithmetic of package reference and none of package
// gost3410. The output is the same on every run.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"imzo/gost/gost3410/internal/reference"
)

func main() {
	out := flag.String("out", "testdata/wycheproof", "directory to write to")
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintln(os.Stderr, "wycheproofgen:", err)
		os.Exit(1)
	}
}

// run writes the files of all curves into the directory.
func run(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, c := range reference.Curves() {
		data, err := generate(c)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, fileName(c)), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
