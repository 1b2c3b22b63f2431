package gost3410

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"imzo/gost/gost3410/internal/field"
	"imzo/gost/gost3410/internal/reference"
)

// tracer notes the operations of both fields of a curve in their order, as a
// hash, and counts them.
type tracer struct {
	hash   uint64
	counts map[string]int
}

func (tr *tracer) reset() { tr.hash, tr.counts = 14695981039346656037, make(map[string]int) }

func (tr *tracer) note(op string, n int) {
	tr.counts[op]++
	for i := range len(op) { // FNV-1a
		tr.hash = (tr.hash ^ uint64(op[i])) * 1099511628211
	}
	tr.hash = (tr.hash ^ uint64(n)) * 1099511628211
}

func (tr *tracer) String() string { return fmt.Sprintf("%016x %v", tr.hash, tr.counts) }

// traced is a field that notes what is asked of it. The operations it passes
// on are straight-line code in package field.
type traced struct {
	field.Field
	name string
	tr   *tracer
}

func (f *traced) Add(x, y field.Element) field.Element {
	f.tr.note(f.name+".Add", 0)
	return f.Field.Add(x, y)
}

func (f *traced) Sub(x, y field.Element) field.Element {
	f.tr.note(f.name+".Sub", 0)
	return f.Field.Sub(x, y)
}

func (f *traced) Mul(x, y field.Element) field.Element {
	f.tr.note(f.name+".Mul", 0)
	return f.Field.Mul(x, y)
}

func (f *traced) Square(x field.Element) field.Element {
	f.tr.note(f.name+".Square", 0)
	return f.Field.Square(x)
}

func (f *traced) Invert(x field.Element) field.Element {
	f.tr.note(f.name+".Invert", 0)
	return f.Field.Invert(x)
}

func (f *traced) IsZero(x field.Element) uint64 {
	f.tr.note(f.name+".IsZero", 0)
	return f.Field.IsZero(x)
}

func (f *traced) Select(mask uint64, x, y field.Element) field.Element {
	f.tr.note(f.name+".Select", 0)
	return f.Field.Select(mask, x, y)
}

func (f *traced) Lookup(table []field.Pair, index uint64) field.Pair {
	f.tr.note(f.name+".Lookup", len(table))
	return f.Field.Lookup(table, index)
}

func (f *traced) FromLimbs(v field.Limbs) field.Element {
	f.tr.note(f.name+".FromLimbs", 0)
	return f.Field.FromLimbs(v)
}

func (f *traced) Limbs(x field.Element) field.Limbs {
	f.tr.note(f.name+".Limbs", 0)
	return f.Field.Limbs(x)
}

// tracedCurve returns a curve like c whose fields write to the tracer.
func tracedCurve(c *Curve, tr *tracer) *Curve {
	tr.reset()
	p := c.Params()
	names := []string{"p", "n"}
	t := newCurve(c.name, hexParams{
		p: fmt.Sprintf("%x", p.P), a: fmt.Sprintf("%x", p.A), b: fmt.Sprintf("%x", p.B),
		n: fmt.Sprintf("%x", p.N), gx: fmt.Sprintf("%x", p.Gx), gy: fmt.Sprintf("%x", p.Gy),
	}, func(f field.Field) field.Field {
		name := names[0]
		names = names[1:]
		return &traced{f, name, tr}
	})
	t.base() // its tables are made once and are no part of a trace
	return t
}

// traceKeys gives random scalars and, among them, ones that a careless
// implementation treats differently.
func traceKeys(c *Curve, n int) [][]byte {
	r := reference.Curves()[0]
	for _, v := range reference.Curves() {
		if v.Name == c.name {
			r = v
		}
	}
	src := reference.NewSource("trace " + c.name)
	var out [][]byte
	for _, k := range edgeScalars(r.N) {
		if k.Sign() > 0 && k.Cmp(r.N) < 0 {
			out = append(out, k.FillBytes(make([]byte, 32)))
		}
	}
	for len(out) < n {
		out = append(out, src.Scalar(r.N).FillBytes(make([]byte, 32)))
	}
	return out[:n]
}

// 1,000 keys on the curve of production and some on the others: sign, key
// generation, key import and VKO must do the same operations in the same order
// for each.
func TestSecretOperationsLeaveTheSameTraceForEveryKey(t *testing.T) {
	for _, plain := range allCurves() {
		keys := 200
		if plain == cryptoProA && !testing.Short() {
			keys = 1000
		}
		t.Run(plain.name, func(t *testing.T) {
			tr := new(tracer)
			c := tracedCurve(plain, tr)
			first := make(map[string]string)
			check := func(what string, key []byte) {
				t.Helper()
				got := tr.String()
				want, ok := first[what]
				if !ok {
					first[what] = got
					if tr.counts["p.Mul"] < 500 || tr.counts["p.Lookup"] != windows {
						t.Fatalf("%s: implausible trace %s", what, got)
					}
				} else if got != want {
					t.Fatalf("%s with key %x:\n %s, want\n %s", what, key, got, want)
				}
			}
			rng := rand.NewChaCha8([32]byte{1})
			peer, err := GenerateKey(c, rng)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range traceKeys(plain, keys) {
				tr.reset()
				key, err := NewPrivateKey(c, d)
				if err != nil {
					t.Fatal(err)
				}
				check("NewPrivateKey", d)

				tr.reset()
				if _, err := GenerateKey(c, rng); err != nil {
					t.Fatal(err)
				}
				check("GenerateKey", d)

				digest := make([]byte, DigestSize)
				rng.Read(digest)
				tr.reset()
				if _, err := key.Sign(rng, digest, nil); err != nil {
					t.Fatal(err)
				}
				check("Sign", d)

				// The scalar as the nonce, edge values included. One whose r
				// is 0 leaves the same trace and no signature.
				tr.reset()
				sig := make([]byte, SignatureSize)
				peer.signWithNonce(sig, digest, c.fn.FromLimbs(field.FromBytes(d)))
				check("signWithNonce", d)

				tr.reset()
				if _, err := key.VKO(peer.PublicKey(), []byte{1, 2, 3, 4, 5, 6, 7, 8}); err != nil {
					t.Fatal(err)
				}
				check("VKO", d)
			}
		})
	}
}
