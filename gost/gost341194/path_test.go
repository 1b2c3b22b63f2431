package gost341194

import (
	"bytes"
	"encoding"
	"hash"
	"math/big"
	"testing"

	"imzo/gost/gost28147"
)

func (p path) String() string {
	return [...]string{"Go", "Go without look-ups", "assembly for the cipher", "assembly with tables", "assembly with vectors"}[p]
}

// on makes a new hash go by a path.
func on(p path, h hash.Hash) hash.Hash {
	h.(*state).path = p
	return h
}

// moved carries the state of a hash over to another path.
func moved(t testing.TB, h hash.Hash, to path) hash.Hash {
	t.Helper()
	next := on(to, NewWithSBox(h.(*state).sbox))
	if err := next.(encoding.BinaryUnmarshaler).UnmarshalBinary(marshal(t, h)); err != nil {
		t.Fatal(err)
	}
	if got := next.(*state).path; got != to {
		t.Fatalf("the state went on by %s, not %s", got, to)
	}
	return next
}

func TestStatesMoveBetweenPaths(t *testing.T) {
	r, all := newSource(t), paths()
	for i := range 300 {
		s, msg := r.sbox(), r.bytes(r.length(i))
		h := on(all[i%len(all)], NewWithSBox(s))
		for rest := msg; len(rest) > 0; {
			n := r.IntN(len(rest) + 1)
			r.write(t, h, rest[:n])
			rest = rest[n:]
			h = moved(t, h, all[r.IntN(len(all))])
		}
		want := on(goTables, NewWithSBox(s))
		r.write(t, want, msg)
		if got, want := h.Sum(nil), want.Sum(nil); !bytes.Equal(got, want) {
			t.Fatalf("S-box %x, %d bytes: %x, want %x", s.Rows(), len(msg), got, want)
		}
	}
}

func TestResetAndCloneKeepThePath(t *testing.T) {
	for _, p := range paths() {
		h := on(p, New())
		clone, err := h.(hash.Cloner).Clone()
		if err != nil {
			t.Fatal(err)
		}
		h.Reset()
		for _, h := range []hash.Hash{h, clone} {
			if got := h.(*state).path; got != p {
				t.Errorf("%s became %s", p, got)
			}
		}
	}
}

// Runs longer than the assembly takes at once go on where it left off.
func TestPathsAgreeOnLongMessages(t *testing.T) {
	r := newSource(t)
	for _, n := range []int{maxBlocks*BlockSize - 1, maxBlocks * BlockSize, 3*maxBlocks*BlockSize + 33} {
		msg := r.bytes(n)
		want := on(goTables, New())
		r.write(t, want, msg)
		for _, p := range paths() {
			if p == goNibbles && testing.Short() {
				continue
			}
			h := on(p, New())
			if _, err := h.Write(msg); err != nil {
				t.Fatal(err)
			}
			if got, want := h.Sum(nil), want.Sum(nil); !bytes.Equal(got, want) {
				t.Errorf("%s, %d bytes: %x, want %x", p, n, got, want)
			}
		}
	}
}

// FuzzPathsAgreeWithTheTextbook starts anywhere, with any S-box and sum.
func FuzzPathsAgreeWithTheTextbook(f *testing.F) {
	ones := bytes.Repeat([]byte{0xff}, 2*Size)
	f.Add([]byte{}, []byte{}, []byte{}, uint16(0))
	f.Add([]byte("sbox"), ones, bytes.Repeat([]byte{0xff}, 97), uint16(33))
	f.Add([]byte{}, ones[:Size], []byte("This is message, length=32 bytes"), uint16(32))
	f.Add([]byte("another"), []byte("chain"), make([]byte, 200), uint16(64))
	f.Fuzz(func(t *testing.T, box, start, msg []byte, cut uint16) {
		s := shuffledSBox(t, box)
		var from [2 * Size]byte
		copy(from[:], start)
		h, sum := wordsOf(from[:Size]), wordsOf(from[Size:])
		msg = msg[:min(len(msg), 600)]
		at := min(int(cut), len(msg))
		want := textbookHash(t, s, from[:Size], number(from[Size:]), big.NewInt(64), msg)
		for _, p := range paths() {
			d := &state{sbox: s, t: expand(s), path: p, h: h, sum: sum, length: 64}
			for _, part := range [][]byte{msg[:at], msg[at:]} {
				if n, err := d.Write(part); n != len(part) || err != nil {
					t.Fatalf("Write returned %d, %v", n, err)
				}
			}
			if got := d.Sum(nil); !bytes.Equal(got, want) {
				t.Errorf("%s: %x, want %x", p, got, want)
			}
		}
	})
}

// shuffledSBox makes an S-box of any bytes: they tell which values of
// CryptoPro's rows change places.
func shuffledSBox(t testing.TB, b []byte) *gost28147.SBox {
	t.Helper()
	rows := gost28147.SBoxHashCryptoPro().Rows()
	for i, x := range b {
		row := &rows[i%8]
		row[x&15], row[x>>4] = row[x>>4], row[x&15]
	}
	s, err := gost28147.NewSBox(rows)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
