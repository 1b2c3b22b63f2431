package gost3410

import (
	"encoding/hex"
	"sync"

	"imzo/gost/gost3410/internal/field"
)

// Sizes in bytes.
const (
	// ScalarSize is the length of a private key, and of one coordinate.
	ScalarSize = 32
	// PublicKeySize is the length of an encoded public key, x ‖ y.
	PublicKeySize = 64
	// DigestSize is the length of the digest that is signed.
	DigestSize = 32
	// SignatureSize is the length of a signature, s ‖ r.
	SignatureSize = 64
)

// Curve is one of the curves y² = x³ + ax + b over a 256-bit prime field. All
// have a prime order n, so the cofactor is 1 and every point but infinity
// generates the group. A Curve is immutable and safe for concurrent use.
type Curve struct {
	name   string
	params Params

	fp field.Field // coordinates, modulo p
	fn field.Field // scalars, modulo n

	p, n    field.Limbs
	a, b    field.Element
	b3      field.Element // 3b
	aMinus3 bool          // a = p - 3, as for all CryptoPro curves
	gx, gy  field.Element

	asm assembly

	// The multiples of G are computed when first needed: 60 kB a curve and a
	// fraction of a millisecond that a program using one curve should not
	// spend on four.
	tablesOnce sync.Once
	tables     *baseTables
	// As many again, for precomputed keys.
	verifyOnce sync.Once
	verifyComb *comb

	inverter *field.Inverter // modulo n, of public scalars
}

// Params are the numbers that define a curve, each 32 bytes big-endian.
type Params struct {
	P  []byte // modulus of the coordinate field
	A  []byte // coefficients of y² = x³ + ax + b
	B  []byte
	N  []byte // order of the group
	Gx []byte // base point
	Gy []byte
}

type hexParams struct{ p, a, b, n, gx, gy string }

// RFC 4357 11.4, and RFC 5832 7.1 for the example curve.
var (
	cryptoProA = newCurve("CryptoPro-A", hexParams{
		p:  "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffd97",
		a:  "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffd94",
		b:  "00000000000000000000000000000000000000000000000000000000000000a6",
		n:  "ffffffffffffffffffffffffffffffff6c611070995ad10045841b09b761b893",
		gx: "0000000000000000000000000000000000000000000000000000000000000001",
		gy: "8d91e471e0989cda27df505a453f2b7635294f2ddf23e3b122acc99c9e9f1e14",
	}, unchanged)
	cryptoProB = newCurve("CryptoPro-B", hexParams{
		p:  "8000000000000000000000000000000000000000000000000000000000000c99",
		a:  "8000000000000000000000000000000000000000000000000000000000000c96",
		b:  "3e1af419a269a5f866a7d3c25c3df80ae979259373ff2b182f49d4ce7e1bbc8b",
		n:  "800000000000000000000000000000015f700cfff1a624e5e497161bcc8a198f",
		gx: "0000000000000000000000000000000000000000000000000000000000000001",
		gy: "3fa8124359f96680b83d1c3eb2c070e5c545c9858d03ecfb744bf8d717717efc",
	}, unchanged)
	cryptoProC = newCurve("CryptoPro-C", hexParams{
		p:  "9b9f605f5a858107ab1ec85e6b41c8aacf846e86789051d37998f7b9022d759b",
		a:  "9b9f605f5a858107ab1ec85e6b41c8aacf846e86789051d37998f7b9022d7598",
		b:  "000000000000000000000000000000000000000000000000000000000000805a",
		n:  "9b9f605f5a858107ab1ec85e6b41c8aa582ca3511eddfb74f02f3a6598980bb9",
		gx: "0000000000000000000000000000000000000000000000000000000000000000",
		gy: "41ece55743711a8c3cbf3783cd08c0ee4d4dc440d4641a8f366e550dfdb3bb67",
	}, unchanged)
	testCurve = newCurve("test", hexParams{
		p:  "8000000000000000000000000000000000000000000000000000000000000431",
		a:  "0000000000000000000000000000000000000000000000000000000000000007",
		b:  "5fbff498aa938ce739b8e022fbafef40563f6e6a3472fc2a514c0ce9dae23b7e",
		n:  "8000000000000000000000000000000150fe8a1892976154c59cfc193accf5b3",
		gx: "0000000000000000000000000000000000000000000000000000000000000002",
		gy: "08e2a8a0e65147d4bd6316030e16d19c85c97f0a9ca267122b96abbcea7e8fc8",
	}, unchanged)
)

// CryptoProA returns id-GostR3410-2001-CryptoPro-A-ParamSet (RFC 4357 11.4),
// the curve of Uzbekistan's production keys. Each call returns the same
// pointer; this holds for all four curves.
func CryptoProA() *Curve { return cryptoProA }

// CryptoProB returns id-GostR3410-2001-CryptoPro-B-ParamSet (RFC 4357 11.4).
func CryptoProB() *Curve { return cryptoProB }

// CryptoProC returns id-GostR3410-2001-CryptoPro-C-ParamSet (RFC 4357 11.4).
func CryptoProC() *Curve { return cryptoProC }

// TestCurve returns the curve of the example in RFC 5832 7.1,
// id-GostR3410-2001-TestParamSet. It is as sound as the others and meant for
// tests: E-IMZO has no identifier for it.
func TestCurve() *Curve { return testCurve }

// Name returns "CryptoPro-A", "CryptoPro-B", "CryptoPro-C" or "test".
func (c *Curve) Name() string { return c.name }

// Params returns copies of the curve's numbers, for display and tests.
func (c *Curve) Params() Params {
	dup := func(b []byte) []byte { return append([]byte(nil), b...) }
	return Params{
		P: dup(c.params.P), A: dup(c.params.A), B: dup(c.params.B),
		N: dup(c.params.N), Gx: dup(c.params.Gx), Gy: dup(c.params.Gy),
	}
}

// newCurve builds a curve. wrap is applied to both fields; tests use it to
// count operations.
func newCurve(name string, h hexParams, wrap func(field.Field) field.Field) *Curve {
	c := &Curve{name: name, params: Params{
		P: mustHex(h.p), A: mustHex(h.a), B: mustHex(h.b),
		N: mustHex(h.n), Gx: mustHex(h.gx), Gy: mustHex(h.gy),
	}}
	c.p, c.n = field.FromBytes(c.params.P), field.FromBytes(c.params.N)
	c.fp, c.fn = wrap(coordinateField(c.p)), wrap(field.NewMontgomery(c.n))
	c.inverter = field.NewInverter(c.n)
	c.a, c.b = c.element(c.params.A), c.element(c.params.B)
	c.b3 = c.fp.Add(c.fp.Add(c.b, c.b), c.b)
	three := c.fp.FromLimbs(field.Limbs{3})
	c.aMinus3 = c.fp.IsZero(c.fp.Add(c.a, three)) != 0
	c.gx, c.gy = c.element(c.params.Gx), c.element(c.params.Gy)
	c.asm = newAssembly(c)
	return c
}

func unchanged(f field.Field) field.Field { return f }

// coordinateField picks the fastest arithmetic for p.
func coordinateField(p field.Limbs) field.Field {
	if f := field.CryptoProA(); f.Modulus() == p {
		return f
	}
	return field.NewMontgomery(p)
}

// element reads a coordinate that is known to be below p.
func (c *Curve) element(b []byte) field.Element {
	return c.fp.FromLimbs(field.FromBytes(b))
}

// onCurve reports whether y² = x³ + ax + b.
func (c *Curve) onCurve(x, y field.Element) bool {
	f := c.fp
	right := f.Add(f.Mul(f.Add(f.Square(x), c.a), x), c.b)
	return f.IsZero(f.Sub(f.Square(y), right)) != 0
}

func mustHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic("gost3410: " + err.Error())
	}
	return b
}
