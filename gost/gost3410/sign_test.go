package gost3410_test

import (
	"bytes"
	"crypto"
	"errors"
	"io"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/iotest"

	"imzo/gost/gost3410"
	"imzo/gost/gost3410/internal/reference"
)

// zeros is a random source that is as broken as can be.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestSignaturesVerifyHereAndByTheReference(t *testing.T) {
	rounds := 200
	if testing.Short() {
		rounds = 30
	}
	for _, c := range curves() {
		r := refCurve(t, c)
		src := reference.NewSource("sign " + c.Name())
		for i := range rounds {
			key, err := gost3410.NewPrivateKey(c, bytes32(src.Scalar(r.N)))
			if err != nil {
				t.Fatal(err)
			}
			digest := src.Bytes()
			sig, err := key.Sign(nil, digest, crypto.Hash(0))
			if err != nil {
				t.Fatal(err)
			}
			pub := key.PublicKey()
			if len(sig) != 64 || !verifies(t, pub, digest, sig) {
				t.Fatalf("%s %d: own signature %x does not verify", c.Name(), i, sig)
			}
			if !r.VerifyBytes(pub.X(), pub.Y(), digest, sig) {
				t.Fatalf("%s %d: the reference rejects %x", c.Name(), i, sig)
			}
			// And the reference's signature here, with our own fixed-nonce
			// path giving the same bytes.
			k := src.Scalar(r.N)
			rr, ss := r.Sign(new(big.Int).SetBytes(key.Bytes()), r.E(digest), k)
			want := append(bytes32(ss), bytes32(rr)...)
			if got := key.SignWithNonce(digest, bytes32(k)); !bytes.Equal(got, want) {
				t.Fatalf("%s %d: nonce %x gives %x, want %x", c.Name(), i, k, got, want)
			}
			if !verifies(t, pub, digest, want) {
				t.Fatalf("%s %d: the reference's signature does not verify", c.Name(), i)
			}
		}
	}
}

func TestSignRejectsDigestsOfOtherLengths(t *testing.T) {
	key := newKey(t, gost3410.CryptoProA())
	for _, n := range []int{0, 1, 20, 31, 33, 64} {
		if sig, err := key.Sign(nil, make([]byte, n), nil); !errors.Is(err, gost3410.ErrInvalidLength) || sig != nil {
			t.Errorf("%d bytes: %x, %v", n, sig, err)
		}
	}
}

func TestSignReportsABrokenReader(t *testing.T) {
	key := newKey(t, gost3410.CryptoProA())
	boom := errors.New("boom")
	if sig, err := key.Sign(iotest.ErrReader(boom), make([]byte, 32), nil); !errors.Is(err, boom) || sig != nil {
		t.Errorf("%x, %v", sig, err)
	}
	if _, err := key.Sign(bytes.NewReader(make([]byte, 31)), make([]byte, 32), nil); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("short reader: %v", err)
	}
	if _, err := key.Sign(iotest.OneByteReader(zeros{}), make([]byte, 32), nil); err != nil {
		t.Errorf("one byte a read: %v", err)
	}
}

// With e = 0 the nonce would drop out of s = r*d + k*e and give d away.
func TestZeroHashSignature(t *testing.T) {
	for _, c := range curves() {
		key := newKey(t, c)
		n := new(big.Int).SetBytes(c.Params().N)
		nLE := bytes32(n)
		slices.Reverse(nLE)
		for _, digest := range [][]byte{make([]byte, 32), nLE} {
			sig, err := key.Sign(nil, digest, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !verifies(t, key.PublicKey(), digest, sig) {
				t.Errorf("%s: signature of digest %x does not verify", c.Name(), digest)
			}
			s, r := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
			leak := new(big.Int).Mul(s, new(big.Int).ModInverse(r, n))
			if bytes.Equal(bytes32(leak.Mod(leak, n)), key.Bytes()) {
				t.Fatalf("%s: s/r is the private key", c.Name())
			}
			if verifies(t, key.PublicKey(), digest, make([]byte, 64)) {
				t.Errorf("%s: r = s = 0 verifies", c.Name())
			}
		}
	}
}

// r + n and s + n are the same numbers modulo n; taking them would make
// signatures malleable. They fit into 256 bits where n is near 2^255.
func TestRPlusNSignature(t *testing.T) {
	for _, c := range []*gost3410.Curve{gost3410.CryptoProB(), gost3410.CryptoProC(), gost3410.TestCurve()} {
		key := newKey(t, c)
		n := new(big.Int).SetBytes(c.Params().N)
		tried := 0
		for range 200 {
			digest := bytes.Repeat([]byte{byte(tried + 1)}, 32)
			sig, err := key.Sign(nil, digest, nil)
			if err != nil {
				t.Fatal(err)
			}
			for half := range 2 {
				v := new(big.Int).SetBytes(sig[32*half:][:32])
				if v.Add(v, n).BitLen() > 256 {
					continue
				}
				bad := slices.Clone(sig)
				copy(bad[32*half:], bytes32(v))
				if verifies(t, key.PublicKey(), digest, bad) {
					t.Fatalf("%s: half %d plus n verifies", c.Name(), half)
				}
				tried++
			}
			if tried >= 20 {
				break
			}
		}
		if tried < 20 {
			t.Errorf("%s: only %d cases fitted", c.Name(), tried)
		}
	}
}

// nonceOf recovers the nonce of a signature from the private key.
func nonceOf(key *gost3410.PrivateKey, digest, sig []byte, c *reference.Curve) *big.Int {
	d, e := new(big.Int).SetBytes(key.Bytes()), c.E(digest)
	s, r := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
	k := new(big.Int).Sub(s, r.Mul(r, d))
	k.Mul(k, new(big.Int).ModInverse(e, c.N))
	return k.Mod(k, c.N)
}

func TestNoncesDifferWithABrokenReader(t *testing.T) {
	for _, c := range curves() {
		ref := refCurve(t, c)
		seen := make(map[string]string)
		add := func(what string, key *gost3410.PrivateKey, digest []byte) {
			t.Helper()
			sig, err := key.Sign(zeros{}, digest, nil)
			if err != nil {
				t.Fatal(err)
			}
			k := nonceOf(key, digest, sig, ref).Text(16)
			if before, ok := seen[k]; ok {
				t.Fatalf("%s: %s has the nonce of %s", c.Name(), what, before)
			}
			seen[k] = what
		}
		a, b := newKey(t, c), newKey(t, c)
		for i := range 100 {
			digest := make([]byte, 32)
			digest[i%32] = byte(i + 1)
			add("first key", a, digest)
			add("second key", b, digest)
		}
	}
}

func TestNoncesDifferForOneDigestWithGoodRandomness(t *testing.T) {
	key := newKey(t, gost3410.CryptoProA())
	digest := bytes.Repeat([]byte{7}, 32)
	seen := make(map[string]bool)
	for range 100 {
		sig, err := key.Sign(nil, digest, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r := string(sig[32:]); seen[r] {
			t.Fatal("a nonce came twice")
		} else {
			seen[r] = true
		}
	}
}

// A nonce of 256 bits reduced modulo n would come below 2^256 - n twice as
// often, which on CryptoPro-C is 39 % of all; a few bits of bias are enough to
// find the key. The reader is fixed, so that the figures are too.
func TestNoncesAreUniformBelowTheOrder(t *testing.T) {
	const buckets, signatures = 64, 64 * 200
	for _, c := range curves() {
		ref := refCurve(t, c)
		key, err := gost3410.NewPrivateKey(c, bytes.Repeat([]byte{5}, 32))
		if err != nil {
			t.Fatal(err)
		}
		random := rand.NewChaCha8([32]byte{1})
		var high, low [buckets]int
		for range signatures {
			digest := make([]byte, 32)
			random.Read(digest)
			sig, err := key.Sign(random, digest, nil)
			if err != nil {
				t.Fatal(err)
			}
			k := nonceOf(key, digest, sig, ref)
			low[k.Uint64()%buckets]++
			high[k.Mul(k, big.NewInt(buckets)).Div(k, ref.N).Uint64()]++
		}
		for name, counts := range map[string][buckets]int{"highest": high, "lowest": low} {
			chi := 0.0
			for _, n := range counts {
				d := float64(n) - signatures/buckets
				chi += d * d / (signatures / buckets)
			}
			// 63 degrees of freedom: above 120 once in 50,000 times.
			if chi > 120 {
				t.Errorf("%s: the %s bits of the nonces are biased: chi-squared is %.0f", c.Name(), name, chi)
			}
		}
	}
}

func TestOneScalarOnTwoCurvesHasDifferentNonces(t *testing.T) {
	d := bytes32(big.NewInt(0x1234567))
	digest := bytes.Repeat([]byte{9}, 32)
	seen := make(map[string]bool)
	for _, c := range curves() {
		key, err := gost3410.NewPrivateKey(c, d)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := key.Sign(zeros{}, digest, nil)
		if err != nil {
			t.Fatal(err)
		}
		k := nonceOf(key, digest, sig, refCurve(t, c)).Text(16)
		if seen[k] {
			t.Errorf("%s: nonce %s was used before", c.Name(), k)
		}
		seen[k] = true
	}
}

func TestUnfitNoncesAreRefused(t *testing.T) {
	for _, c := range curves() {
		ref := refCurve(t, c)
		key := newKey(t, c)
		digest := bytes.Repeat([]byte{3}, 32)
		if sig := key.SignWithNonce(digest, make([]byte, 32)); sig != nil {
			t.Errorf("%s: nonce 0 gives %x", c.Name(), sig)
		}
		if sig := key.SignWithNonce(digest, bytes32(ref.N)); sig != nil {
			t.Errorf("%s: nonce n gives %x", c.Name(), sig)
		}
		// On curve C the point G has x = 0, so nonce 1 gives r = 0.
		sig := key.SignWithNonce(digest, bytes32(big.NewInt(1)))
		if (sig == nil) != (ref.G.X.Sign() == 0) {
			t.Errorf("%s: nonce 1 gives %x", c.Name(), sig)
		}
		// s = 0 for k = -r*d/e with r = x(kG): solve for d.
		k := big.NewInt(12345)
		r := new(big.Int).Mod(ref.Mul(k, ref.G).X, ref.N)
		d := new(big.Int).Mul(k, ref.E(digest))
		d.Mul(d, new(big.Int).ModInverse(r, ref.N)).Neg(d).Mod(d, ref.N)
		unlucky, err := gost3410.NewPrivateKey(c, bytes32(d))
		if err != nil {
			t.Fatal(err)
		}
		if sig := unlucky.SignWithNonce(digest, bytes32(k)); sig != nil {
			t.Errorf("%s: s = 0 gives %x", c.Name(), sig)
		}
	}
}

func TestVerifyIsSafeForConcurrentUse(t *testing.T) {
	c := gost3410.CryptoProC()
	key := newKey(t, c)
	digest := bytes.Repeat([]byte{5}, 32)
	done := make(chan error)
	for range 8 {
		go func() {
			for range 20 {
				sig, err := key.Sign(nil, digest, nil)
				if err == nil && !verifies(t, key.PublicKey(), digest, sig) {
					err = errors.New("does not verify")
				}
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func FuzzVerifyAgainstReference(f *testing.F) {
	for i, v := range wycheproofCases(f) {
		if i%100 == 0 { // the reference is slow under the fuzzer
			f.Add(uint8(slices.Index(curves(), v.curve)), v.x, v.y, v.msg, v.sig)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, x, y, msg, sig []byte) {
		c := curves()[int(which)%len(curves())]
		ref := refCurve(t, c)
		key, err := gost3410.NewPublicKey(c, x, y)
		if err == nil {
			if got, want := verifies(t, key, msg, sig), ref.VerifyBytes(x, y, msg, sig); got != want {
				t.Fatalf("%s: Verify = %v, reference %v", c.Name(), got, want)
			}
			return
		}
		// Random bytes are no key: x becomes a scalar then, so that the fuzzer
		// reaches the arithmetic.
		if len(msg) != 32 || len(x) != 32 {
			return
		}
		d := new(big.Int).Mod(new(big.Int).SetBytes(x), ref.N)
		priv, err := gost3410.NewPrivateKey(c, bytes32(d))
		if err != nil {
			return
		}
		pub := priv.PublicKey()
		if verifies(t, pub, msg, sig) {
			t.Fatalf("%s: a stranger's signature verifies", c.Name())
		}
		made, err := priv.Sign(zeros{}, msg, nil)
		if err != nil || !verifies(t, pub, msg, made) || !ref.VerifyBytes(pub.X(), pub.Y(), msg, made) {
			t.Fatalf("%s: own signature %x, %v", c.Name(), made, err)
		}
	})
}
