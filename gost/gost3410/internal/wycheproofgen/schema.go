package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"imzo/gost/gost3410/internal/reference"
)

// file is one vector file; the names are those of Wycheproof's
// ecdsa_p1363_verify_schema.
type file struct {
	Algorithm     string          `json:"algorithm"`
	NumberOfTests int             `json:"numberOfTests"`
	Header        []string        `json:"header"`
	Notes         map[string]note `json:"notes"`
	TestGroups    []*group        `json:"testGroups"`
}

type note struct {
	BugType     string `json:"bugType"`
	Description string `json:"description"`
}

type group struct {
	Type      string    `json:"type"`
	PublicKey publicKey `json:"publicKey"`
	Tests     []*test   `json:"tests"`
}

type publicKey struct {
	Type         string `json:"type"`
	Curve        string `json:"curve"`
	KeySize      int    `json:"keySize"`
	Uncompressed string `json:"uncompressed"`
	Wx           string `json:"wx"`
	Wy           string `json:"wy"`
}

type test struct {
	TcID    int      `json:"tcId"`
	Comment string   `json:"comment"`
	Flags   []string `json:"flags"`
	Msg     string   `json:"msg"`
	Sig     string   `json:"sig"`
	Result  string   `json:"result"`
}

var header = []string{
	"Test vectors for the verification of GOST R 34.10-2001 signatures (RFC 5832).",
	"msg is the 32-byte digest as a hash prints it, read as a little-endian integer; no hash is applied to it.",
	"sig is s || r, 32 bytes big-endian each. A digest that is 0 modulo n counts as 1.",
	"All tests of a group whose publicKey is not a point of the curve are invalid.",
}

// The flags, and what an implementation that fails such a test has wrong.
const (
	flagValid        = "ValidSignature"
	flagModified     = "ModifiedSignature"
	flagRange        = "RangeCheck"
	flagArithmetic   = "ArithmeticError"
	flagEncoding     = "InvalidEncoding"
	flagZeroDigest   = "ZeroDigest"
	flagInfinity     = "PointAtInfinity"
	flagDuplication  = "PointDuplication"
	flagShamir       = "EdgeCaseShamirMultiplication"
	flagInverse      = "ModularInverse"
	flagSpecialHash  = "SpecialCaseHash"
	flagEdgeKey      = "EdgeCasePublicKey"
	flagInvalidKey   = "InvalidPublicKey"
	flagSmallRS      = "SmallRandS"
	flagLargeX       = "XAboveOrder"
	flagWrongFormula = "WrongFormula"
	flagWrongKey     = "WrongKey"
)

var notes = map[string]note{
	flagValid:        {"BASIC", "An ordinary valid signature."},
	flagModified:     {"AUTH_BYPASS", "A valid signature or its digest with a bit changed."},
	flagRange:        {"CAN_OF_WORMS", "r or s is not in 1..n-1. Some of these would verify without the range check."},
	flagArithmetic:   {"EDGE_CASE", "r and s have values where arithmetic is likely to go wrong."},
	flagEncoding:     {"MALLEABILITY", "The signature is not exactly s || r of 32 bytes each, big-endian."},
	flagZeroDigest:   {"EDGE_CASE", "The digest is 0 modulo n and must be replaced by 1."},
	flagInfinity:     {"AUTH_BYPASS", "z1*G + z2*Q is the point at infinity, which has no x."},
	flagDuplication:  {"EDGE_CASE", "z1*G = z2*Q or z1*G = -z2*Q: an incomplete addition formula fails."},
	flagShamir:       {"EDGE_CASE", "Keys and scalars for which a joint ladder adds equal or opposite points on its way."},
	flagInverse:      {"EDGE_CASE", "The inverse of the digest modulo n is an edge case of inversion algorithms."},
	flagSpecialHash:  {"EDGE_CASE", "The digest has a special value."},
	flagEdgeKey:      {"EDGE_CASE", "The public key is a valid point with special coordinates, or G or -G."},
	flagInvalidKey:   {"CAN_OF_WORMS", "The public key is not a point of the curve, or its coordinates are not below p."},
	flagSmallRS:      {"EDGE_CASE", "r or s is small; the sum with n is another, invalid, encoding where it fits."},
	flagLargeX:       {"EDGE_CASE", "The x coordinate is not below n and must be reduced for the comparison."},
	flagWrongFormula: {"AUTH_BYPASS", "The signature fits another equation than that of GOST R 34.10."},
	flagWrongKey:     {"AUTH_BYPASS", "The signature is valid under another key."},
}

// fileName returns the name of a curve's vector file.
func fileName(c *reference.Curve) string {
	name := strings.ReplaceAll(strings.ToLower(c.Name), "-", "_")
	return "gost3410_2001_" + name + ".json"
}

// generate returns the vector file of one curve.
func generate(c *reference.Curve) ([]byte, error) {
	s := newSuite(c)
	s.all()
	if s.err != nil {
		return nil, s.err
	}
	f := file{
		Algorithm: "GOST3410-2001", NumberOfTests: s.count, Header: header,
		Notes: make(map[string]note), TestGroups: s.groups,
	}
	for _, g := range s.groups {
		for _, t := range g.Tests {
			for _, flag := range t.Flags {
				f.Notes[flag] = notes[flag]
			}
		}
	}
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(f); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// put adds a test, after checking with the reference that the result is the
// expected one.
func (s *suite) put(x, y, msg, sig []byte, valid bool, comment string, flags ...string) {
	if got := s.c.VerifyBytes(x, y, msg, sig); got != valid && s.err == nil {
		s.err = fmt.Errorf("%s: %s: the reference says %v, want %v", s.c.Name, comment, got, valid)
	}
	full := fmt.Sprintf("%x %x %x %x", x, y, msg, sig)
	if s.seen[full] {
		return // two ideas, one signature
	}
	s.seen[full] = true
	id := string(x) + string(y)
	g := s.byKey[id]
	if g == nil {
		g = &group{Type: "Gost3410Verify", PublicKey: publicKey{
			Type: "GostPublicKey", Curve: s.c.Name, KeySize: 256,
			Uncompressed: "04" + hex.EncodeToString(x) + hex.EncodeToString(y),
			Wx:           hex.EncodeToString(x),
			Wy:           hex.EncodeToString(y),
		}}
		s.byKey[id] = g
		s.groups = append(s.groups, g)
	}
	result := "invalid"
	if valid {
		result = "valid"
	}
	g.Tests = append(g.Tests, &test{
		Comment: comment, Flags: flags,
		Msg: hex.EncodeToString(msg), Sig: hex.EncodeToString(sig), Result: result,
	})
	s.count++
}

// number gives the tests their ids, in the order of the file.
func (s *suite) number() {
	id := 0
	for _, g := range s.groups {
		for _, t := range g.Tests {
			id++
			t.TcID = id
		}
	}
}
