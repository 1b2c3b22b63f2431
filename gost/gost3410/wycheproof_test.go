package gost3410_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"imzo/gost/gost3410"
)

// wycheproofCase is one test of testdata/wycheproof with its key.
type wycheproofCase struct {
	curve    *gost3410.Curve
	id       int
	comment  string
	x, y     []byte
	msg, sig []byte
	valid    bool
}

// wycheproofCases reads the vectors of all curves. The files are written by
// internal/wycheproofgen.
func wycheproofCases(t testing.TB) []wycheproofCase {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "wycheproof", "*.json"))
	if err != nil || len(files) != len(curves()) {
		t.Fatalf("vector files %v, %v", files, err)
	}
	var out []wycheproofCase
	for _, name := range files {
		var f struct {
			NumberOfTests int `json:"numberOfTests"`
			TestGroups    []struct {
				PublicKey struct{ Curve, Wx, Wy string } `json:"publicKey"`
				Tests     []struct {
					TcID    int `json:"tcId"`
					Comment string
					Msg     string
					Sig     string
					Result  string
				} `json:"tests"`
			} `json:"testGroups"`
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &f); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		before := len(out)
		for _, g := range f.TestGroups {
			curve := curveNamed(t, g.PublicKey.Curve)
			for _, v := range g.Tests {
				if v.Result != "valid" && v.Result != "invalid" {
					t.Fatalf("%s %d: result %q", name, v.TcID, v.Result)
				}
				out = append(out, wycheproofCase{
					curve: curve, id: v.TcID, comment: v.Comment,
					x: unhex(t, g.PublicKey.Wx), y: unhex(t, g.PublicKey.Wy),
					msg: unhex(t, v.Msg), sig: unhex(t, v.Sig), valid: v.Result == "valid",
				})
			}
		}
		if len(out)-before != f.NumberOfTests {
			t.Fatalf("%s: %d tests, want %d", name, len(out)-before, f.NumberOfTests)
		}
	}
	return out
}

func TestWycheproofVectors(t *testing.T) {
	negative := 0
	for _, v := range wycheproofCases(t) {
		key, err := gost3410.NewPublicKey(v.curve, v.x, v.y)
		got := err == nil && verifies(t, key, v.msg, v.sig)
		if got != v.valid {
			t.Errorf("%s %d (%s): valid = %v, want %v (key: %v)", v.curve.Name(), v.id, v.comment, got, v.valid, err)
		}
		// The little-endian form of the key must give the same.
		xr, yr := slices.Clone(v.x), slices.Clone(v.y)
		slices.Reverse(xr)
		slices.Reverse(yr)
		raw, err2 := gost3410.ParsePublicKey(v.curve, append(xr, yr...))
		if (err == nil) != (err2 == nil) || err == nil && !raw.Equal(key) {
			t.Errorf("%s %d (%s): key by coordinates %v, raw %v", v.curve.Name(), v.id, v.comment, err, err2)
		}
		if !v.valid {
			negative++
		}
	}
	if negative < 400 {
		t.Errorf("%d negative cases, want at least 400", negative)
	}
}
