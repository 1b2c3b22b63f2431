package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// platform is what Go calls GOOS and GOARCH.
type platform struct{ os, arch string }

// platforms returns all that a release is for.
func platforms() []platform {
	return []platform{
		{"linux", "amd64"}, {"linux", "arm64"},
		{"darwin", "amd64"}, {"darwin", "arm64"},
		{"windows", "amd64"}, {"windows", "arm64"},
	}
}

func (p platform) String() string { return p.os + "/" + p.arch }

// file is the name of the platform's binary.
func (p platform) file() string {
	name := "imzo-" + p.os + "-" + p.arch
	if p.os == "windows" {
		name += ".exe"
	}
	return name
}

// parsePlatforms reads a list of platforms; an empty one means all.
func parsePlatforms(list string) ([]platform, error) {
	if list == "" {
		return platforms(), nil
	}
	var out []platform
	for entry := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(platforms(), func(p platform) bool { return p.String() == strings.TrimSpace(entry) })
		if i < 0 {
			return nil, fmt.Errorf("%q is none of %v", entry, platforms())
		}
		out = append(out, platforms()[i])
	}
	return out, nil
}

type buildOrder struct {
	goTool, source, version string
	platform                platform
	out                     string // absolute
}

// build makes one binary. What could make its bytes depend on anything but
// source, version and toolchain is switched off: paths (-trimpath), the state
// of a repository that an unpacked archive has not (-buildvcs), the build id,
// which adds nothing to what is in it, and variables that tune the compiler.
func build(ctx context.Context, o buildOrder, stderr io.Writer) error {
	cmd := exec.CommandContext(ctx, o.goTool, "build", "-trimpath", "-buildvcs=false",
		"-ldflags=-s -w -buildid= -X imzo/internal/cli.version="+o.version,
		"-o", o.out, "./cmd/imzo")
	cmd.Dir = o.source
	cmd.Env = append(os.Environ(),
		"CGO_ENABLED=0", "GOOS="+o.platform.os, "GOARCH="+o.platform.arch,
		"GOFLAGS=-mod=readonly", "GOWORK=off", "GOEXPERIMENT=", "GOAMD64=v1", "GOARM64=v8.0", "GOFIPS140=off",
	)
	cmd.Stderr = stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build for %s: %w", o.platform, err)
	}
	return nil
}

// writeSums writes SHA256SUMS over the files of the folder, in the form that
// sha256sum -c reads.
func writeSums(dir string, files []string) error {
	var sums bytes.Buffer
	slices.Sort(files)
	for _, name := range files {
		sum, err := sha256File(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%s  %s\n", sum, name)
	}
	return os.WriteFile(filepath.Join(dir, "SHA256SUMS"), sums.Bytes(), 0o644)
}

// sha256File returns a file's SHA-256 in hex.
func sha256File(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}
