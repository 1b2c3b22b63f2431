package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"

	"imzo/gost/gost3410"
)

// reader gives the same octets to whoever reads, once: the randomness of one
// signature, made before the clock runs.
type reader struct {
	octets [64]byte
	read   int
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	if r.read == len(r.octets) {
		return 0, io.ErrUnexpectedEOF
	}
	n := copy(p, r.octets[r.read:])
	r.read += n
	return n, nil
}

// scalar returns 32 octets of a private key. Random ones are drawn for either
// class.
func scalar(class int, fixed []byte, random *rand.ChaCha8) []byte {
	d := make([]byte, gost3410.ScalarSize)
	_, _ = random.Read(d) // never fails
	// Below every n, which begin with 0x80 or more, and above 0.
	d[0] &= 0x7f
	d[31] |= 1
	if class == 0 {
		copy(d, fixed)
	}
	return d
}

// subjects returns what is tested of a curve. Class 0 has a fixed secret, and
// class 1 a random one for each call. The fixed one is, in the subjects that
// say so, the smallest key there is: what depends on leading zeros or on
// neutral elements shows with it first.
func subjects(c *gost3410.Curve, random *rand.ChaCha8) ([]subject, error) {
	ordinary := scalar(1, nil, random)
	smallest := make([]byte, gost3410.ScalarSize)
	smallest[31] = 1

	key, err := gost3410.NewPrivateKey(c, scalar(1, nil, random))
	if err != nil {
		return nil, err
	}
	peer := key.PublicKey().Bytes()
	digest := bytes.Repeat([]byte{0x5a}, gost3410.DigestSize)
	ukm := []byte{1, 2, 3, 4, 5, 6, 7, 8}

	var out []subject
	add := func(name string, prepare func(class int, random *rand.ChaCha8) (func() error, error)) {
		out = append(out, subject{fmt.Sprintf("%s, %s", name, c.Name()), prepare})
	}
	for _, fixed := range []struct {
		name string
		d    []byte
	}{{"key", ordinary}, {"smallest key", smallest}} {
		add("sign, "+fixed.name, func(class int, random *rand.ChaCha8) (func() error, error) {
			k, err := gost3410.NewPrivateKey(c, scalar(class, fixed.d, random))
			r := new(reader)
			_, _ = random.Read(r.octets[:])
			return func() error {
				_, err := k.Sign(r, digest, nil)
				return err
			}, err
		})
	}
	// The nonce is made of key, digest and randomness: with all three fixed it
	// is fixed.
	fixedNonce := new(reader)
	_, _ = random.Read(fixedNonce.octets[:])
	add("sign, nonce", func(class int, random *rand.ChaCha8) (func() error, error) {
		k, err := gost3410.NewPrivateKey(c, ordinary)
		r := new(reader)
		_, _ = random.Read(r.octets[:])
		if class == 0 {
			*r = *fixedNonce
		}
		return func() error {
			_, err := k.Sign(r, digest, nil)
			return err
		}, err
	})
	for _, fixed := range []struct {
		name string
		d    []byte
	}{{"key", ordinary}, {"smallest key", smallest}} {
		add("VKO, "+fixed.name, func(class int, random *rand.ChaCha8) (func() error, error) {
			k, err := gost3410.NewPrivateKey(c, scalar(class, fixed.d, random))
			if err != nil {
				return nil, err
			}
			p, err := gost3410.ParsePublicKey(c, peer)
			return func() error {
				_, err := k.VKO(p, ukm)
				return err
			}, err
		})
	}
	add("VKO, other's point", func(class int, random *rand.ChaCha8) (func() error, error) {
		k, err := gost3410.NewPrivateKey(c, ordinary)
		if err != nil {
			return nil, err
		}
		other, err := gost3410.NewPrivateKey(c, scalar(1, nil, random))
		if err != nil {
			return nil, err
		}
		raw := other.PublicKey().Bytes()
		if class == 0 {
			copy(raw, peer)
		}
		p, err := gost3410.ParsePublicKey(c, raw)
		return func() error {
			_, err := k.VKO(p, ukm)
			return err
		}, err
	})
	for _, fixed := range []struct {
		name string
		d    []byte
	}{{"key", ordinary}, {"smallest key", smallest}} {
		add("public key, "+fixed.name, func(class int, random *rand.ChaCha8) (func() error, error) {
			d := scalar(class, fixed.d, random)
			return func() error {
				_, err := gost3410.NewPrivateKey(c, d)
				return err
			}, nil
		})
	}
	return out, nil
}
