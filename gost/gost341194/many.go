package gost341194

// SumMany sets each digest to Sum256 of the message of the same number. It
// panics if there are not as many digests as messages.
//
// Where the processor has AVX-512 VBMI, up to sixteen messages go through it
// side by side, which pays from two messages on: four take some 1.3 times as
// long as one, sixteen twice as long. Messages may have any lengths; those of
// about the same length, and many short ones beside a long one, gain most,
// while a message that outlasts all others goes on at the speed of one. On
// other processors they are hashed one after the other.
//
// Like New, it is meant for public data.
func SumMany(digests [][Size]byte, messages [][]byte) {
	if len(digests) != len(messages) {
		panic("gost341194: not as many digests as messages")
	}
	if sumMany(digests, messages) {
		return
	}
	for i, m := range messages {
		digests[i] = Sum256(m)
	}
}
