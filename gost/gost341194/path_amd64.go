//go:build !purego

package gost341194

import "golang.org/x/sys/cpu"

// The paths with assembly.
const (
	// asmCipher has the cipher with tables in assembly.
	asmCipher path = 2 + iota
	// asmTables has all in assembly, the cipher with tables.
	asmTables
	// asmVector has all in assembly, with the S-boxes in registers.
	asmVector
)

// hasVector tells that the processor and the system have what asmTables and
// asmVector use; asmCipher needs no more than any amd64 has.
var hasVector = cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ &&
	cpu.X86.HasAVX512VL && cpu.X86.HasAVX512VBMI && cpu.X86.HasAVX512GFNI

// The paths for public and for secret messages.
var publicPath, secretPath = choosePaths(hasVector)

func choosePaths(vector bool) (public, secret path) {
	if vector {
		return asmTables, asmVector
	}
	return asmCipher, goNibbles
}

// assembly takes whole blocks, one at least, into the chain and the sum, if
// the path has assembly for it.
func (d *state) assembly(p []byte) bool {
	n := len(p) / BlockSize
	switch d.path {
	case asmTables:
		tableBlocks(&d.h, &d.sum, &p[0], n, d.t, vectorConstants)
	case asmVector:
		// The other three places of the quad do the same.
		q := quad{sum: [4]words{d.sum}}
		for i := range 4 {
			q.setChain(i, d.h)
		}
		quadBlocks(&q, &[4]*byte{&p[0], &p[0], &p[0], &p[0]}, n, d.t, vectorConstants)
		d.h, d.sum = q.chain(0), q.sum[0]
	default:
		return false
	}
	return true
}

// cipher is the cipher of a step.
func (d *state) cipher(k *keys) words {
	switch d.path {
	case asmCipher:
		s := d.h
		encryptBlocks(&s, k, d.t)
		return s
	case goNibbles:
		return encryptConstantTime(d.sbox, k, &d.h)
	}
	return d.t.encrypt(k, &d.h)
}
