package ber

import (
	"bytes"
	"testing"
)

// FuzzParse checks on any input that reading never panics, that views stay
// inside the input, and that DER is a fixed point of itself.
func FuzzParse(f *testing.F) {
	for _, seed := range [][]byte{
		{0x30, 0x80, 0x02, 0x01, 0x05, 0x00, 0x00},
		{0x24, 0x80, 0x04, 0x01, 0x61, 0x04, 0x01, 0x62, 0x00, 0x00},
		{0x31, 0x06, 0x02, 0x01, 0x02, 0x01, 0x01, 0x01},
		{0xbf, 0x81, 0x48, 0x02, 0x05, 0x00},
		[]byte("\x17\x0d220927061753Z"),
		MustOID("1.2.860.3.15.1.1.2.2.2.2").DER(),
		bytes.Repeat([]byte{0x30, 0x80}, MaxDepth+1),
		append(bytes.Repeat([]byte{0x30, 0x80}, MaxDepth), make([]byte, 2*MaxDepth)...),
		append(append([]byte{0x30, 0x80}, bytes.Repeat([]byte{0x30, 0x80, 0x05, 0x00, 0x00, 0x00}, 20)...), 0, 0),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		e, err := Parse(in)
		if err != nil {
			return
		}
		if !bytes.Equal(e.Raw, in) {
			t.Fatal("raw differs from the input")
		}
		visit(t, e, 0)
		der, err := DER(e)
		if err != nil {
			return
		}
		again, err := Parse(der)
		if err != nil {
			t.Fatalf("own DER %x: %v", der, err)
		}
		if twice, err := DER(again); err != nil || !bytes.Equal(twice, der) {
			t.Fatalf("DER of DER differs: %x, %x, %v", der, twice, err)
		}
	})
}

func visit(t *testing.T, e Element, depth int) {
	if depth > MaxDepth {
		t.Fatal("deeper than the limit")
	}
	_, _ = e.Bool()
	_, _, _ = e.BitString()
	_, _ = e.OctetString()
	_, _ = e.Text()
	_, _ = e.Time()
	if v, err := e.Int(); err == nil && e.Tag == TagInteger && !bytes.Equal(Int(v), Tagged(TagInteger, e.Content)) {
		t.Fatalf("%x written back as %x", e.Raw, Int(v))
	}
	if o, err := e.OID(); err == nil {
		if back, err := ParseOID(o.String()); err != nil || back != o {
			t.Fatalf("%x printed as %s, read back %x, %v", e.Content, o, string(back), err)
		}
	}
	if !e.Constructed() {
		return
	}
	r := e.Children()
	for !r.Empty() {
		child, err := r.Next()
		if err != nil {
			t.Fatalf("a checked tree does not read: %v", err)
		}
		// What was remembered of the first walk is what another one finds.
		if end, _, err := walk(child.Raw); err != nil || end != len(child.Raw) {
			t.Fatalf("%x ends after %d octets: %v", child.Raw, end, err)
		}
		visit(t, child, depth+1)
	}
}
