//go:build !purego

package gost341194

import "testing"

// paths returns the paths that this processor can go.
func paths() []path {
	all := []path{goTables, goNibbles, asmCipher}
	if hasVector {
		all = append(all, asmTables, asmVector)
	}
	return all
}

// constantTime are the paths whose time does not depend on the message.
var constantTime = []path{goNibbles, asmVector}

func TestPathsAreChosenByTheProcessor(t *testing.T) {
	if public, secret := choosePaths(true); public != asmTables || secret != asmVector {
		t.Errorf("with vectors %s and %s", public, secret)
	}
	if public, secret := choosePaths(false); public != asmCipher || secret != goNibbles {
		t.Errorf("without vectors %s and %s", public, secret)
	}
}

// The maps behind the assembly's constants, against the Go code.
func TestWordMapsArePsi(t *testing.T) {
	r := newSource(t)
	for _, n := range []int{0, 1, 12, 61, 62, 74} {
		m := psiTimes(n)
		in := words{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()}
		want := in
		for range n {
			want.psi()
		}
		var got words
		for o, row := range m {
			for i := range 16 {
				if row>>i&1 == 1 {
					got[o/4] ^= in[i/4] >> (i % 4 * 16) & 0xffff << (o % 4 * 16)
				}
			}
		}
		if got != want {
			t.Errorf("psi^%d: %016x, want %016x", n, got, want)
		}
	}
}
