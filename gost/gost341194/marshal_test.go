package gost341194

import (
	"bytes"
	"encoding"
	"errors"
	"hash"
	"testing"

	"imzo/gost/gost28147"
)

func marshal(t testing.TB, h hash.Hash) []byte {
	t.Helper()
	b, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestMarshalledStateGoesOn(t *testing.T) {
	r := newSource(t)
	for i := range 200 {
		s, head, tail := r.sbox(), r.bytes(r.length(i)), r.bytes(r.IntN(100))
		h := NewWithSBox(s)
		r.write(t, h, head)

		b := marshal(t, h)
		appended, err := h.(encoding.BinaryAppender).AppendBinary([]byte("state"))
		if err != nil || string(appended) != "state"+string(b) {
			t.Fatalf("AppendBinary gives %x, %v, want %x at the end", appended, err, b)
		}

		other := NewWithSBox(s)
		r.write(t, other, r.bytes(r.IntN(100))) // to be forgotten
		if err := other.(encoding.BinaryUnmarshaler).UnmarshalBinary(b); err != nil {
			t.Fatal(err)
		}
		if again := marshal(t, other); !bytes.Equal(again, b) {
			t.Fatalf("marshalled again %x, want %x", again, b)
		}
		r.write(t, h, tail)
		r.write(t, other, tail)
		if !bytes.Equal(h.Sum(nil), other.Sum(nil)) {
			t.Fatalf("%d and %d bytes: the digests differ", len(head), len(tail))
		}
	}
}

func TestMarshalledBufferEndsWhereTheMessageEnds(t *testing.T) {
	h := New()
	if _, err := h.Write(bytes.Repeat([]byte{0xaa}, BlockSize-1)); err != nil {
		t.Fatal(err)
	}
	// Two bytes finish the block; behind the second, which starts the next
	// block, the buffer still has the old bytes.
	if _, err := h.Write([]byte{1, 2}); err != nil {
		t.Fatal(err)
	}
	b := marshal(t, h)
	want := append([]byte{2}, make([]byte, BlockSize-1)...)
	if got := b[len(b)-8-BlockSize : len(b)-8]; !bytes.Equal(got, want) {
		t.Errorf("buffer is %x, want %x", got, want)
	}

	h.Reset()
	if !bytes.Equal(marshal(t, h), marshal(t, New())) {
		t.Error("a reset hash is not as a new one")
	}
}

func TestUnmarshalRefusesWhatIsNoState(t *testing.T) {
	r := newSource(t)
	h := New()
	r.write(t, h, r.bytes(70)) // two blocks and 6 bytes
	good := marshal(t, h)
	short := New()
	r.write(t, short, r.bytes(6))
	early := marshal(t, short) // no block yet

	buffer := len(stateMagic) + packedSBox + 2*Size
	for name, tc := range map[string]struct {
		state []byte
		want  error
	}{
		"nothing":                   {nil, ErrState},
		"one byte less":             {good[:len(good)-1], ErrState},
		"one byte more":             {append(bytes.Clone(good), 0), ErrState},
		"another identifier":        {spoiled(good, 0), ErrState},
		"another version":           {spoiled(good, len(stateMagic)-1), ErrState},
		"another S-box":             {marshal(t, NewTest()), ErrStateSBox},
		"a changed S-box":           {spoiled(good, len(stateMagic)+5), ErrStateSBox},
		"a byte behind the buffer":  {spoiled(good, buffer+6), ErrState},
		"the last byte of a buffer": {spoiled(good, buffer+BlockSize-1), ErrState},
		"a chain without a block":   {spoiled(early, buffer-Size-1), ErrState},
		"a sum without a block":     {spoiled(early, buffer-1), ErrState},
	} {
		before := h.Sum(nil)
		if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(tc.state); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
		if !bytes.Equal(h.Sum(nil), before) {
			t.Errorf("%s: the refused state changed the hash", name)
		}
	}
}

// spoiled returns b with a bit of byte i changed.
func spoiled(b []byte, i int) []byte {
	c := bytes.Clone(b)
	c[i] ^= 1
	return c
}

func FuzzUnmarshalBinary(f *testing.F) {
	h := New()
	f.Add(marshal(f, h))
	for _, n := range []int{1, 31, 1, 40} {
		if _, err := h.Write(make([]byte, n)); err != nil {
			f.Fatal(err)
		}
		f.Add(marshal(f, h))
	}
	f.Add(marshal(f, NewWithSBox(gost28147.SBoxTC26Z())))
	f.Add([]byte(stateMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		h := New()
		if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(b); err != nil {
			if want := Sum256(nil); !bytes.Equal(h.Sum(nil), want[:]) {
				t.Error("a refused state changed the hash")
			}
			return
		}
		if again := marshal(t, h); !bytes.Equal(again, b) {
			t.Errorf("accepted %x, marshals %x", b, again)
		}
		if _, err := h.Write(make([]byte, 40)); err != nil {
			t.Error(err)
		}
		h.Sum(nil)
	})
}
