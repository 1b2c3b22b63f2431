package gost341194

import (
	"encoding"
	"encoding/binary"
	"errors"

	"imzo/gost/gost28147"
)

var (
	_ encoding.BinaryMarshaler   = (*state)(nil)
	_ encoding.BinaryAppender    = (*state)(nil)
	_ encoding.BinaryUnmarshaler = (*state)(nil)
)

// Errors of UnmarshalBinary.
var (
	// ErrState tells that the bytes are no state of this hash.
	ErrState = errors.New("gost341194: not a hash state")
	// ErrStateSBox tells that the state is of a hash with another S-box.
	ErrStateSBox = errors.New("gost341194: hash state is of another S-box")
)

// The marshalled state is, in this order: stateMagic; the S-box, 64 bytes,
// two values a byte; the chain; the sum; the unfinished block filled up with
// zeros; the message length in bytes, big-endian.
const (
	stateMagic = "gost94\x01"
	packedSBox = 64
	stateSize  = len(stateMagic) + packedSBox + Size + Size + BlockSize + 8
)

// MarshalBinary returns the state, so that another process can go on with the
// message. For a keyed use such as HMAC the state is as secret as the key.
func (d *state) MarshalBinary() ([]byte, error) {
	return d.AppendBinary(make([]byte, 0, stateSize))
}

// AppendBinary appends the state to b; see MarshalBinary.
func (d *state) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, stateMagic...)
	b = appendSBox(b, d.sbox)
	for _, w := range d.h {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	for _, w := range d.sum {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	b = append(b, d.buf[:d.n]...)
	b = append(b, make([]byte, BlockSize-d.n)...)
	return binary.BigEndian.AppendUint64(b, d.length), nil
}

// UnmarshalBinary sets the state to one marshalled from a hash with the same
// S-box. On an error the hash is as before.
func (d *state) UnmarshalBinary(b []byte) error {
	if len(b) != stateSize || string(b[:len(stateMagic)]) != stateMagic {
		return ErrState
	}
	b = b[len(stateMagic):]
	if string(b[:packedSBox]) != string(appendSBox(nil, d.sbox)) {
		return ErrStateSBox
	}
	b = b[packedSBox:]

	s := state{sbox: d.sbox, t: d.t, path: d.path}
	for i := range s.h {
		s.h[i] = binary.LittleEndian.Uint64(b[8*i:])
		s.sum[i] = binary.LittleEndian.Uint64(b[Size+8*i:])
	}
	b = b[2*Size:]
	copy(s.buf[:], b)
	s.length = binary.BigEndian.Uint64(b[BlockSize:])
	s.n = int(s.length % BlockSize)

	// What no message leads to is refused: bytes after the end of the
	// unfinished block, and a chain or a sum before the first whole block.
	for _, x := range s.buf[s.n:] {
		if x != 0 {
			return ErrState
		}
	}
	if s.length < BlockSize && (s.h != words{} || s.sum != words{}) {
		return ErrState
	}
	*d = s
	return nil
}

// appendSBox appends the rows of the S-box, two values a byte, the first in
// the upper half.
func appendSBox(b []byte, s *gost28147.SBox) []byte {
	for _, row := range s.Rows() {
		for i := 0; i < len(row); i += 2 {
			b = append(b, row[i]<<4|row[i+1])
		}
	}
	return b
}
