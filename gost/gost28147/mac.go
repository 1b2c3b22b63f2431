package gost28147

import (
	"encoding/binary"
	"errors"
	"hash"
)

const (
	// MACSize is the tag size of the standard and of every protocol on top
	// of it, in bytes.
	MACSize = 4
	// MaxMACSize is the largest tag size [NewMAC] gives.
	MaxMACSize = 8
)

// ErrMACSize tells of a tag size out of range.
var ErrMACSize = errors.New("gost28147: MAC size is not 1 to 8 bytes")

// MACOptions changes details of [NewMAC]. The zero value is the MAC of the
// standard.
type MACOptions struct {
	// Size is the size of the tag in bytes, 1 to 8; 0 means MACSize. The
	// standard takes up to 32 bits. Sizes from 5 on, like those of other
	// implementations, show more of the register than it foresees. The tag
	// is the beginning of the register.
	Size int
	// IV is the initial content of the register, 8 bytes; nil means zeros,
	// as in the standard. RFC 4357 section 6 sets it to the UKM.
	IV []byte
	// Meshing changes the key every 1024 bytes.
	Meshing Meshing
}

// MAC is the message authentication code of GOST 28147-89, "IMIT" (RFC 5830
// section 8). It implements hash.Hash. Compare tags with
// crypto/subtle.ConstantTimeCompare.
//
// The standard defines the code for two blocks or more. A shorter message is
// filled up with zeros to two blocks, as OpenSSL's GOST engine does
// (BouncyCastle and UAPKI fill up to one). Only for the empty message OpenSSL
// has another code, zero whatever the key; it is not followed.
//
// A last part shorter than 8 bytes is filled up with zeros, so the code does
// not tell messages apart that differ in zero bytes at the end: their length
// must be known from elsewhere.
type MAC struct {
	secret
	start, c Cipher
	iv, reg  block
	mesh     mesher
	size     int

	buf  [BlockSize]byte
	n    int  // bytes in buf, up to a whole block
	long bool // a block has been processed before buf
}

var _ hash.Hash = (*MAC)(nil)

// NewMAC returns a MAC that uses a copy of the cipher's key.
func NewMAC(c *Cipher, o MACOptions) (*MAC, error) {
	m := &MAC{start: *c, size: o.Size, mesh: mesher{mode: o.Meshing}}
	if m.size == 0 {
		m.size = MACSize
	}
	if m.size < 1 || m.size > MaxMACSize {
		return nil, ErrMACSize
	}
	if o.IV != nil {
		if len(o.IV) != BlockSize {
			return nil, ErrIVSize
		}
		m.iv = loadBlock(o.IV)
	}
	m.Reset()
	return m, nil
}

// Reset makes the MAC as new.
func (m *MAC) Reset() {
	m.c = m.start
	m.reg = m.iv
	m.mesh.blocks = 0
	m.buf, m.n, m.long = [BlockSize]byte{}, 0, false
}

// Size returns the size of the tag in bytes.
func (m *MAC) Size() int { return m.size }

// BlockSize returns 8.
func (m *MAC) BlockSize() int { return BlockSize }

// Write adds data to the message; it never fails. The last block is held back
// until more follows, for the message may prove to have one block only.
func (m *MAC) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		if m.n == BlockSize {
			m.process()
		}
		n := copy(m.buf[m.n:], p)
		m.n += n
		p = p[n:]
	}
	return total, nil
}

// process takes the whole buffer, whatever of it is filled, into the
// register.
func (m *MAC) process() {
	// The register is not encrypted with the new key: RFC 4357 section 2.3.2
	// speaks of an initialisation vector, which a MAC has not.
	m.mesh.next(&m.c)
	b := loadBlock(m.buf[:])
	m.reg.n1, m.reg.n2 = m.c.imit(m.reg.n1^b.n1, m.reg.n2^b.n2)
	m.buf, m.n, m.long = [BlockSize]byte{}, 0, true
}

// Sum appends the tag of what was written so far to b. It does not change the
// state.
func (m *MAC) Sum(b []byte) []byte {
	end := *m
	if !end.long {
		end.process()
		end.process()
	} else if end.n > 0 {
		end.process()
	}
	var tag [BlockSize]byte
	binary.LittleEndian.PutUint32(tag[:], end.reg.n1)
	binary.LittleEndian.PutUint32(tag[4:], end.reg.n2)
	return append(b, tag[:m.size]...)
}
