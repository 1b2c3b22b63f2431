package gost28147

import "errors"

// ErrSBox tells that an S-box is missing or that a row of it is not a
// permutation of 0..15.
var ErrSBox = errors.New("gost28147: no S-box, or one with a row that is not a permutation of 0..15")

// SBox is a substitution box: eight rows that each replace four bits of a
// 32-bit word. It is immutable.
type SBox struct {
	name, oid string
	rows      [8][16]byte

	// anf holds the rows as Boolean polynomials (algebraic normal form).
	// Bits 4i..4i+3 of anf[m] are the coefficients of monomial m in the four
	// output bits of row i; bit j of m tells whether input bit j is a factor.
	anf [16]uint32
}

// NewSBox makes an S-box of its rows: rows[i][x] replaces the value x of the
// bits 4i..4i+3, bit 0 being the least significant. Every row must be a
// permutation of 0..15, as the standard's substitution is.
func NewSBox(rows [8][16]byte) (*SBox, error) {
	s := &SBox{rows: rows}
	for i, row := range rows {
		var seen uint16
		for _, y := range row {
			if y > 15 {
				return nil, ErrSBox
			}
			seen |= 1 << y
		}
		if seen != 0xffff {
			return nil, ErrSBox
		}
		// The Moebius transform turns the table of values into coefficients:
		// coefficient m is the sum of the values at all x within m.
		for bit := 1; bit < 16; bit <<= 1 {
			for m := range row {
				if m&bit != 0 {
					row[m] ^= row[m^bit]
				}
			}
		}
		for m, c := range row {
			s.anf[m] |= uint32(c) << (4 * i)
		}
	}
	return s, nil
}

// mustSBox is NewSBox for the tables of this package.
func mustSBox(name, oid string, rows [8][16]byte) *SBox {
	s, err := NewSBox(rows)
	if err != nil {
		panic(name + ": " + err.Error())
	}
	s.name, s.oid = name, oid
	return s
}

// Name returns the name the S-box has in its standard, such as
// "id-Gost28147-89-CryptoPro-A-ParamSet"; empty for one made by NewSBox.
func (s *SBox) Name() string { return s.name }

// OID returns the object identifier in dotted form; empty for one made by
// NewSBox.
func (s *SBox) OID() string { return s.oid }

// Rows returns the rows as NewSBox takes them.
func (s *SBox) Rows() [8][16]byte { return s.rows }

// substitute replaces the eight nibbles of x. It evaluates the polynomials of
// all rows and output bits at once by Horner's rule, one input bit after the
// other, and so reads memory and branches independently of x.
func (s *SBox) substitute(x uint32) uint32 {
	const lane = 0x11111111
	// Input bit j of each nibble, copied to all four bits of that nibble.
	b0 := (x & lane) * 15
	b1 := (x >> 1 & lane) * 15
	b2 := (x >> 2 & lane) * 15
	b3 := (x >> 3 & lane) * 15

	a := &s.anf
	h0 := a[0] ^ a[1]&b0 ^ (a[2]^a[3]&b0)&b1
	h1 := a[4] ^ a[5]&b0 ^ (a[6]^a[7]&b0)&b1
	h2 := a[8] ^ a[9]&b0 ^ (a[10]^a[11]&b0)&b1
	h3 := a[12] ^ a[13]&b0 ^ (a[14]^a[15]&b0)&b1
	return h0 ^ h1&b2 ^ (h2^h3&b2)&b3
}
