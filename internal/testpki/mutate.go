package testpki

import "slices"

// EachByteChange calls f with data changed in one octet, for every octet and
// several changes of it: the lowest bit, the highest bit and all bits
// inverted, zero, all ones, one more. Values that are equal to the original or
// to an earlier change are left out. The mutated slice is used again: f must
// copy what it keeps.
func EachByteChange(data []byte, f func(offset int, mutated []byte)) {
	m := slices.Clone(data)
	for i, old := range data {
		tried := []byte{old}
		for _, changed := range []byte{old ^ 0x01, old ^ 0x80, ^old, 0x00, 0xff, old + 1} {
			if slices.Contains(tried, changed) {
				continue
			}
			tried = append(tried, changed)
			m[i] = changed
			f(i, m)
			// f may have written elsewhere too.
			copy(m, data)
		}
	}
}

// EachBitFlip calls f with data changed in one bit, for every bit; bit 0 is
// the lowest of the first octet. The mutated slice is used again.
func EachBitFlip(data []byte, f func(bit int, mutated []byte)) {
	m := slices.Clone(data)
	for bit := range len(data) * 8 {
		m[bit/8] ^= 1 << (bit % 8)
		f(bit, m)
		copy(m, data)
	}
}

// EachTruncation calls f with every proper prefix of data, the empty one
// included. The slice has no room behind it.
func EachTruncation(data []byte, f func(prefix []byte)) {
	for n := range len(data) {
		f(slices.Clone(data[:n:n]))
	}
}
