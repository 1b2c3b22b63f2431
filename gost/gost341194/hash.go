package gost341194

import (
	"hash"

	"imzo/gost/gost28147"
)

const (
	// Size is the size of a digest in bytes.
	Size = 32
	// BlockSize is the size of a block in bytes.
	BlockSize = 32
)

// The tables of the two S-boxes named in the standards; read only.
var (
	cryptoProTables = expand(gost28147.SBoxHashCryptoPro())
	testTables      = expand(gost28147.SBoxHashTest())
)

// state is a hash at work.
type state struct {
	sbox *gost28147.SBox
	t    *tables
	path path

	h   words // the chain
	sum words // sum of the message blocks as numbers, modulo 2^256

	// length counts the bytes of the message. The standard's 256-bit count of
	// bits therefore is right up to 2^64-1 bytes, more than can be hashed.
	length uint64
	buf    [BlockSize]byte
	n      int // bytes in buf
}

var _ hash.Cloner = (*state)(nil)

// New returns the hash with the S-box of CryptoPro
// (id-GostR3411-94-CryptoProParamSet, "D-A"). What it and the other
// constructors return also implements hash.Cloner,
// encoding.BinaryMarshaler, BinaryAppender and BinaryUnmarshaler.
func New() hash.Hash {
	return &state{sbox: gost28147.SBoxHashCryptoPro(), t: cryptoProTables, path: publicPath}
}

// NewConstantTime returns the hash of New for messages that are secret: it
// reads memory and branches independently of what is hashed. On processors
// with AVX-512 VBMI and GFNI, where the S-boxes are in registers and the index
// of a look-up is no address, it has three quarters of the speed of New;
// elsewhere it is several times slower.
func NewConstantTime() hash.Hash {
	return &state{sbox: gost28147.SBoxHashCryptoPro(), t: cryptoProTables, path: secretPath}
}

// NewTest returns the hash with the S-box of the examples in RFC 5831
// (id-GostR3411-94-TestParamSet). It is not for real data.
func NewTest() hash.Hash {
	return &state{sbox: gost28147.SBoxHashTest(), t: testTables, path: publicPath}
}

// NewWithSBox returns the hash with another S-box, which must not be nil. For
// an S-box other than those of New and NewTest this prepares tables of 4 KiB;
// Clone shares them.
func NewWithSBox(s *gost28147.SBox) hash.Hash {
	switch s.Rows() {
	case gost28147.SBoxHashCryptoPro().Rows():
		return &state{sbox: s, t: cryptoProTables, path: publicPath}
	case gost28147.SBoxHashTest().Rows():
		return &state{sbox: s, t: testTables, path: publicPath}
	}
	return &state{sbox: s, t: expand(s), path: publicPath}
}

// Sum256 returns the digest of data with the S-box of CryptoPro.
func Sum256(data []byte) [Size]byte {
	d := state{t: cryptoProTables, path: publicPath}
	d.write(data)
	return d.digest()
}

// Reset makes the hash as new, with the same S-box.
func (d *state) Reset() {
	*d = state{sbox: d.sbox, t: d.t, path: d.path}
}

// Size returns 32.
func (d *state) Size() int { return Size }

// BlockSize returns 32.
func (d *state) BlockSize() int { return BlockSize }

// Clone returns a copy that goes on independently.
func (d *state) Clone() (hash.Cloner, error) {
	c := *d
	return &c, nil
}

// Write adds data to the message; it never fails.
func (d *state) Write(p []byte) (int, error) {
	d.write(p)
	return len(p), nil
}

func (d *state) write(p []byte) {
	d.length += uint64(len(p))
	if d.n > 0 {
		n := copy(d.buf[d.n:], p)
		d.n += n
		p = p[n:]
		if d.n < BlockSize {
			return
		}
		d.blocks(d.buf[:])
		d.n = 0
	}
	whole := len(p) &^ (BlockSize - 1)
	d.blocks(p[:whole])
	d.n = copy(d.buf[:], p[whole:])
}

// Sum appends the digest of what was written so far to b. It does not change
// the state.
func (d *state) Sum(b []byte) []byte {
	end := *d
	digest := end.digest()
	return append(b, digest[:]...)
}

// digest finishes the message; the state is of no use any more.
func (d *state) digest() [Size]byte {
	var buf lastBlocks
	d.blocks(buf.fill(d.buf[:d.n], d.length, d.sum))
	return d.h.bytes()
}

// lastBlocks has room for the end of a message.
type lastBlocks [3 * BlockSize]byte

// fill returns what the chain has to take after the whole blocks of a message
// (RFC 5831 section 6): the rest of the message, filled up with zeros, the
// length in bits and the sum of the blocks, which is given without the rest.
// An empty rest is no block.
func (b *lastBlocks) fill(rest []byte, length uint64, sum words) []byte {
	n := 0
	if len(rest) > 0 {
		n = BlockSize
		clear(b[copy(b[:n], rest):n])
		m := wordsOf(b[:n])
		sum.add(&m)
	}
	m := words{length << 3, length >> 61}.bytes()
	n += copy(b[n:], m[:])
	m = sum.bytes()
	n += copy(b[n:], m[:])
	return b[:n]
}
