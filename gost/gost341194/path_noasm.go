//go:build !amd64 || purego

package gost341194

// The paths for public and for secret messages.
const (
	publicPath = goTables
	secretPath = goNibbles
)

// assembly tells that there is none.
func (*state) assembly([]byte) bool { return false }

// cipher is the cipher of a step.
func (d *state) cipher(k *keys) words {
	if d.path == goNibbles {
		return encryptConstantTime(d.sbox, k, &d.h)
	}
	return d.t.encrypt(k, &d.h)
}

// sumMany hashes no message: one after the other is best.
func sumMany([][Size]byte, [][]byte) bool { return false }
