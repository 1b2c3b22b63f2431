package gost28147

import "encoding/binary"

// Meshing tells whether a mode changes its key while it works. It goes with the
// S-box: where Russian protocols name a CryptoPro set or TC 26's set Z for
// feedback, counter mode or MAC, the key is meshed (RFC 4357 section 11);
// Ukrainian protocols and the key wraps do not mesh.
type Meshing int

const (
	// NoMeshing keeps the key (RFC 4357 section 2.3.1).
	NoMeshing Meshing = iota
	// CryptoProMeshing derives a new key after every 1024 bytes (RFC 4357
	// section 2.3.2).
	CryptoProMeshing
)

// meshingBlocks is the number of blocks one key is used for: 1024 bytes.
const meshingBlocks = 1024 / BlockSize

// meshingConstant is the value C of RFC 4357 section 2.3.2.
var meshingConstant = [KeySize]byte{
	0x69, 0x00, 0x72, 0x22, 0x64, 0xc9, 0x04, 0x23,
	0x8d, 0x3a, 0xdb, 0x96, 0x46, 0xe9, 0x2a, 0xc4,
	0x18, 0xfe, 0xac, 0x94, 0x00, 0xed, 0x07, 0x12,
	0xc0, 0x86, 0xdc, 0xc2, 0xef, 0x4c, 0xa9, 0x2b,
}

// mesher counts the blocks a mode has used a key for.
type mesher struct {
	mode   Meshing
	blocks int
}

// next is called before each block. It replaces the key of c when it is due
// and reports whether it did: the caller then encrypts its register with the
// new key, if it has one.
func (m *mesher) next(c *Cipher) bool {
	if m.mode != CryptoProMeshing {
		return false
	}
	if m.blocks < meshingBlocks {
		m.blocks++
		return false
	}
	m.blocks = 1
	c.mesh()
	return true
}

// mesh replaces the key by the decryption of meshingConstant under it.
func (c *Cipher) mesh() {
	var key [8]uint32
	for i := 0; i < 8; i += 2 {
		key[i], key[i+1] = c.decrypt(
			binary.LittleEndian.Uint32(meshingConstant[4*i:]),
			binary.LittleEndian.Uint32(meshingConstant[4*i+4:]))
	}
	c.key = key
}
