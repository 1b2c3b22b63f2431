package gost341194

// path is a way to compute the steps. All have the same results; tests run
// each that the machine has.
type path uint8

// The paths of every machine.
const (
	// goTables is the Go code with tables.
	goTables path = iota
	// goNibbles is the Go code of the constant-time hash.
	goNibbles
)

// maxBlocks is how many blocks are hashed in one call of the assembly, in
// which the goroutine can not be preempted: some 60 us, and 120 us where
// sixteen messages go side by side.
const maxBlocks = 512

// blocks takes whole blocks of the message into the chain and the sum.
func (d *state) blocks(p []byte) {
	for len(p) > 0 {
		n := min(len(p), maxBlocks*BlockSize)
		if !d.assembly(p[:n]) {
			d.steps(p[:n])
		}
		p = p[n:]
	}
}

// steps is blocks in Go.
func (d *state) steps(p []byte) {
	for ; len(p) > 0; p = p[BlockSize:] {
		m := wordsOf(p)
		d.sum.add(&m)
		d.step(&m)
	}
}
