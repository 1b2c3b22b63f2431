package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// sbomSuffix follows the name of the binary; .cdx.json is how CycloneDX files
// are recognised.
const sbomSuffix = ".cdx.json"

// bom is the part of CycloneDX 1.6 that we fill; names and order are those of
// its JSON schema.
type bom struct {
	Schema       string       `json:"$schema"`
	Format       string       `json:"bomFormat"`
	SpecVersion  string       `json:"specVersion"`
	SerialNumber string       `json:"serialNumber"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Timestamp string    `json:"timestamp,omitempty"`
	Component component `json:"component"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	Scope      string     `json:"scope,omitempty"`
	Hashes     []hash     `json:"hashes,omitempty"`
	Licenses   []license  `json:"licenses,omitempty"`
	PURL       string     `json:"purl"`
	Properties []property `json:"properties,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type license struct {
	License struct {
		ID string `json:"id"`
	} `json:"license"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type dependency struct {
	Ref       string   `json:"ref"`
	DependsOn []string `json:"dependsOn"`
}

// describe returns the SBOM of a Go binary, from the list of modules that the
// linker put into it: what is really inside, not what go.mod allows.
func describe(binary, version string, made time.Time) ([]byte, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	sum, err := sha256File(binary)
	if err != nil {
		return nil, err
	}
	main := component{
		Type: "application", Name: "imzo", Version: version, PURL: "pkg:generic/imzo@" + version,
		Hashes: []hash{{"SHA-256", sum}},
		Properties: []property{
			{"imzo:file", filepath.Base(binary)},
			{"imzo:go", info.GoVersion},
		},
	}
	main.Ref = main.PURL
	main.Licenses = make([]license, 1)
	main.Licenses[0].License.ID = "Apache-2.0"
	for _, s := range info.Settings {
		main.Properties = append(main.Properties, property{"imzo:build:" + s.Key, s.Value})
	}
	list := bom{
		Schema:       "http://cyclonedx.org/schema/bom-1.6.schema.json",
		Format:       "CycloneDX",
		SpecVersion:  "1.6",
		SerialNumber: "urn:uuid:" + uuidOf(sum),
		Version:      1,
		Metadata:     metadata{Component: main},
		Components:   []component{library("std", strings.TrimPrefix(info.GoVersion, "go"), "")},
	}
	if !made.IsZero() {
		list.Metadata.Timestamp = made.Format(time.RFC3339)
	}
	modules := slices.Clone(info.Deps)
	slices.SortFunc(modules, func(a, b *debug.Module) int { return strings.Compare(a.Path, b.Path) })
	for _, m := range modules {
		if m.Replace != nil {
			m = m.Replace
		}
		list.Components = append(list.Components, library(m.Path, m.Version, m.Sum))
	}
	all := dependency{Ref: main.Ref}
	for _, c := range list.Components {
		all.DependsOn = append(all.DependsOn, c.Ref)
	}
	list.Dependencies = []dependency{all}

	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(list); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// library is a Go module as a component. Its checksum is that of go.sum, which
// is no hash of one file and therefore not in hashes.
func library(path, version, sum string) component {
	c := component{Type: "library", Scope: "required", Name: path, Version: version, PURL: "pkg:golang/" + path + "@" + version}
	if sum != "" {
		c.Properties = []property{{"imzo:go.sum", sum}}
	}
	c.Ref = c.PURL
	return c
}

// uuidOf makes the serial number of the list from the binary it describes, so
// that the same binary has the same list: a UUID of version 8, free for such
// use (RFC 9562 5.8).
func uuidOf(text string) string {
	b := sha256.Sum256([]byte("imzo sbom " + text))
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
