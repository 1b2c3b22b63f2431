//go:build !purego

package gost341194

// The assembly of step_amd64.s computes a step as follows, with four messages
// a register of 512 bits, one in each lane of 128 bits. A message alone has
// three lanes idle: what takes time is the latency of the 32 rounds.
//
// Cipher: the lower words of the four blocks that a step encrypts are in one
// register, the upper ones in another. One VPERMB with a table of 64 bytes
// substitutes the lower nibbles of all words through their four S-boxes, the
// index being the nibble and, above it, the place of the byte in its word;
// a second one does the upper nibbles. No memory is read at a place that
// depends on the message. For a public message alone, tableBlocks has the
// cipher in general registers instead, with a table for each byte of a word:
// there a round has some two thirds of the latency.
//
// Shuffle and keys: the linear maps of linear_amd64.go act alike on each of the 16
// bits of a word. A value is kept as four planes of 64 bits: A, the lower
// bytes of words 0 to 7; B, those of words 8 to 15; C and D, the upper bytes
// of the same. A plane is an 8x8 matrix of bits, transposed, to which
// GF2P8AFFINEQB applies eight rows of a map in one instruction; another form
// of the same instruction leaves the planes and gives eight bytes in the
// order asked for. Since
//
//	psi^61(H + psi(M + psi^12(S))) = psi^74(S) + psi^62(M) + psi^61(H)
//
// only psi^74 has to wait for the ciphertext S. The next keys are P(U + V),
// with U of H and V of M, of which M's part too is made during the cipher.

// constants are what the assembly reads besides its arguments, in its order.
type constants struct {
	identity [16]byte // a matrix, twice
	even     [16]byte // numbers of the even bytes of a lane, twice
	odd      [16]byte
	position [16]byte // of a byte in its word, times 16
	mask     [16]byte

	// Rows of psi^n: those of words 0 to 7, acting on the first and the last
	// eight words, and those of words 8 to 15.
	psi74, psi62, psi61 [2][2][8]byte

	// chain gives the lower and then the upper words of the four blocks of H.
	chain [2][16]byte

	// keysH and keysM give words 2w and 2w+1 of the four keys of H and of M,
	// keysC is what C3 adds to each word.
	keysH, keysM [4][2][16]byte
	keysC        [8][4]uint32
}

var vectorConstants = makeConstants()

func makeConstants() *constants {
	c := new(constants)
	for i := range 8 {
		c.identity[i], c.identity[8+i] = 0x80>>i, 0x80>>i
		c.even[i], c.even[8+i] = byte(2*i), byte(2*i)
		c.odd[i], c.odd[8+i] = byte(2*i+1), byte(2*i+1)
	}
	for i := range 16 {
		c.position[i] = byte(i % 4 * 16)
		c.mask[i] = 0x0f
	}
	for _, p := range []struct {
		times int
		out   *[2][2][8]byte
	}{{74, &c.psi74}, {62, &c.psi62}, {61, &c.psi61}} {
		m := psiTimes(p.times)
		for half := range 2 {
			p.out[half][0], p.out[half][1] = matrices([8]uint16(m[8*half:]))
		}
	}

	var rows [16]uint16
	for i := range 4 {
		q := quarterWords(i)
		rows[2*i], rows[2*i+1], rows[8+2*i], rows[9+2*i] = q[0], q[1], q[2], q[3]
	}
	c.chain = matrixPair(rows)

	var u, v [4][16]uint16 // rows of the keys' words, by w
	for key := range 4 {
		for j := range 4 {
			hq, mq := quarterWords(key+j), quarterWords(2*key+j)
			for w := range 4 {
				u[w][4*key+j], v[w][4*key+j] = hq[w], mq[w]
			}
		}
	}
	for w := range 4 {
		c.keysH[w], c.keysM[w] = matrixPair(u[w]), matrixPair(v[w])
	}
	var k keys
	k.set(2, c3[0], c3[1], c3[2], c3[3])
	k.set(3, c3[1], c3[2], c3[3], c3[0]^c3[1])
	c.keysC = k
	return c
}

// matrixPair returns the matrices of sixteen rows acting on the first and on
// the last eight words.
func matrixPair(rows [16]uint16) (p [2][16]byte) {
	for half := range 2 {
		first, last := matrices([8]uint16(rows[8*half:]))
		copy(p[0][8*half:], first[:])
		copy(p[1][8*half:], last[:])
	}
	return p
}

// quad is four messages at work, in the assembly's order.
type quad struct {
	low, high [4][2]uint64 // the halves of the chains
	sum       [4]words
}

func (q *quad) chain(i int) words {
	return words{q.low[i][0], q.low[i][1], q.high[i][0], q.high[i][1]}
}

func (q *quad) setChain(i int, h words) {
	q.low[i], q.high[i] = [2]uint64{h[0], h[1]}, [2]uint64{h[2], h[3]}
}

// quadBlocks takes the n > 0 blocks at each pointer into the chain and the sum
// of the same number.
//
//go:noescape
func quadBlocks(q *quad, p *[4]*byte, n int, t *tables, c *constants)

// fourQuadBlocks is quadBlocks for sixteen messages.
//
//go:noescape
func fourQuadBlocks(q *[4]quad, p *[16]*byte, n int, t *tables, c *constants)

// tableBlocks takes the n > 0 blocks at p into the chain and the sum, with
// tables for the cipher and vectors for all else.
//
//go:noescape
func tableBlocks(h, sum *words, p *byte, n int, t *tables, c *constants)

// encryptBlocks encrypts the four blocks of s with the four keys.
//
//go:noescape
func encryptBlocks(s *words, k *keys, t *tables)
