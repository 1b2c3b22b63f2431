package reference

import (
	"math/big"
	"slices"
	"testing"
)

func TestBasePointsHaveOrderN(t *testing.T) {
	for _, c := range Curves() {
		if !c.OnCurve(c.G.X, c.G.Y) {
			t.Errorf("%s: G is not on the curve", c.Name)
		}
		if !c.P.ProbablyPrime(20) || !c.N.ProbablyPrime(20) {
			t.Errorf("%s: p or n is not prime", c.Name)
		}
		minus1 := new(big.Int).Sub(c.N, big.NewInt(1))
		if !c.Mul(minus1, c.G).Equal(c.Neg(c.G)) {
			t.Errorf("%s: (n-1)G is not -G", c.Name)
		}
		if !c.Add(c.Mul(minus1, c.G), c.G).Infinity() || !c.Mul(c.N, c.G).Infinity() {
			t.Errorf("%s: nG is not infinity", c.Name)
		}
	}
}

// RFC 5832 7.1.
func TestExampleOfTheStandard(t *testing.T) {
	c := Curves()[3]
	d := hex("7A929ADE789BB9BE10ED359DD39A72C11B60961F49397EEE1D19CE9891EC3B28")
	e := hex("2DFBC1B372D89A1188C09C52E0EEC61FCE52032AB1022E8E67ECE6672B043EE5")
	k := hex("77105C9B20BCD3122823C8CF6FCC7B956DE33814E95B7FE64FED924594DCEAB3")
	r, s := c.Sign(d, e, k)
	if r.Cmp(hex("41AA28D2F1AB148280CD9ED56FEDA41974053554A42767B83AD043FD39DC0493")) != 0 ||
		s.Cmp(hex("01456C64BA4642A1653C235A98A60249BCD6D3F746B631DF928014F6C5BF9C40")) != 0 {
		t.Fatalf("r, s = %x, %x", r, s)
	}
	q := c.Mul(d, c.G)
	if q.X.Cmp(hex("7F2B49E270DB6D90D8595BEC458B50C58585BA1D4E9B788F6689DBD8E56FD80B")) != 0 {
		t.Errorf("x = %x", q.X)
	}
	digest := e.FillBytes(make([]byte, 32))
	slices.Reverse(digest)
	sig := append(s.FillBytes(make([]byte, 32)), r.FillBytes(make([]byte, 32))...)
	x, y := q.X.FillBytes(make([]byte, 32)), q.Y.FillBytes(make([]byte, 32))
	if !c.VerifyBytes(x, y, digest, sig) {
		t.Error("signature does not verify")
	}
	sig[5] ^= 1
	if c.VerifyBytes(x, y, digest, sig) {
		t.Error("changed signature verifies")
	}
	if c.VerifyBytes(x, y, digest, sig[:63]) || c.VerifyBytes(y, x, digest, sig) {
		t.Error("wrong encoding verifies")
	}
}

func TestLiftGivesPointsOfTheCurve(t *testing.T) {
	for _, c := range Curves() {
		found := 0
		for x := int64(0); x < 40; x++ {
			if p, ok := c.Lift(big.NewInt(x)); ok {
				found++
				if !c.OnCurve(p.X, p.Y) {
					t.Errorf("%s: lifted %d is off the curve", c.Name, x)
				}
			}
		}
		if found < 5 || found > 35 { // about half of all x
			t.Errorf("%s: %d of 40 x lifted", c.Name, found)
		}
	}
}

func TestZeroDigestCountsAsOne(t *testing.T) {
	for _, c := range Curves() {
		n := c.N.FillBytes(make([]byte, 32))
		slices.Reverse(n)
		for _, digest := range [][]byte{make([]byte, 32), n} {
			if e := c.E(digest); e.Cmp(big.NewInt(1)) != 0 {
				t.Errorf("%s: E(%x) = %x", c.Name, digest, e)
			}
		}
	}
}

func TestScalarsActOnPointsAsNumbers(t *testing.T) {
	for _, c := range Curves() {
		src, again := NewSource(c.Name), NewSource(c.Name)
		for range 5 {
			a, b := src.Scalar(c.N), src.Scalar(c.N)
			if again.Scalar(c.N).Cmp(a) != 0 || again.Scalar(c.N).Cmp(b) != 0 || a.Cmp(b) == 0 {
				t.Fatalf("%s: the source repeats itself or does not", c.Name)
			}
			p, q := c.Mul(a, c.G), c.Mul(b, c.G)
			if !c.Add(p, q).Equal(c.Mul(new(big.Int).Add(a, b), c.G)) || !c.Add(p, p).Equal(c.Mul(big.NewInt(2), p)) {
				t.Errorf("%s: sums of points and of scalars differ for %x, %x", c.Name, a, b)
			}
			if zero := c.Add(p, c.Neg(p)); !zero.Infinity() || !zero.Equal(Point{}) || zero.Equal(p) || !c.Neg(zero).Infinity() {
				t.Errorf("%s: p - p = %v", c.Name, zero)
			}
		}
	}
}

func TestVerifyRefusesWhatIsOutOfRange(t *testing.T) {
	for _, c := range Curves() {
		src := NewSource("range " + c.Name)
		d, e, k := src.Scalar(c.N), src.Scalar(c.N), src.Scalar(c.N)
		q := c.Mul(d, c.G)
		r, s := c.Sign(d, e, k)
		if !c.Verify(q, e, r, s) {
			t.Fatalf("%s: signature does not verify", c.Name)
		}
		zero, above := new(big.Int), new(big.Int).Add(r, c.N)
		if c.Verify(q, e, zero, s) || c.Verify(q, e, r, zero) || c.Verify(q, e, above, s) || !c.VerifyUnchecked(q, e, above, s) {
			t.Errorf("%s: 0 or r + n is taken, or the range is not why", c.Name)
		}
		// s = rd makes the sum of the verification infinity.
		if rd := new(big.Int).Mul(r, d); c.Verify(q, e, r, rd.Mod(rd, c.N)) {
			t.Errorf("%s: infinity verifies", c.Name)
		}
		if c.OnCurve(new(big.Int).Add(q.X, c.P), q.Y) || c.OnCurve(new(big.Int).Neg(q.X), q.Y) {
			t.Errorf("%s: a coordinate that is not below p is taken", c.Name)
		}
	}
}
