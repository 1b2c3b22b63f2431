package ber

// Reader reads the elements of a constructed one in order. The zero Reader is
// empty.
type Reader struct {
	rest []byte
	err  error

	at   int // offset of rest in what was parsed, for ends
	ends *ends
}

// Children returns a reader of the elements inside e. When e is primitive
// every read of it fails with [ErrSyntax].
func (e Element) Children() Reader {
	if !e.Constructed() {
		return Reader{err: syntaxErrorf("tag %#02x has no elements inside", e.Tag)}
	}
	return Reader{rest: e.Content, at: e.at, ends: e.ends}
}

// Empty tells that no element is left (or that the reader cannot be read).
func (r *Reader) Empty() bool { return r.err != nil || len(r.rest) == 0 }

// Rest returns the octets not read yet.
func (r *Reader) Rest() []byte { return r.rest }

// Peek returns the identifier octet of the next element, 0 when there is none.
func (r *Reader) Peek() byte {
	if r.Empty() {
		return 0
	}
	return r.rest[0]
}

// Next reads the next element, whatever its tag.
func (r *Reader) Next() (Element, error) {
	if r.err != nil {
		return Element{}, r.err
	}
	if len(r.rest) == 0 {
		return Element{}, syntaxErrorf("an element is missing")
	}
	h, err := readHeader(r.rest)
	if err != nil {
		return Element{}, err
	}
	end := h.size + h.length
	if h.indefinite {
		// Only the walk knows where an indefinite length ends.
		if known, ok := r.ends.of(r.at); ok {
			end = known - r.at
		} else if end, _, err = walk(r.rest); err != nil {
			return Element{}, err
		}
	}
	e := h.element(r.rest, end)
	e.at, e.ends = r.at+h.size, r.ends
	r.rest, r.at = r.rest[end:], r.at+end
	return e, nil
}

// Read reads the next element, which must have the identifier octet tag. A
// string type is also read in its constructed form.
func (r *Reader) Read(tag byte) (Element, error) {
	if r.err == nil && len(r.rest) > 0 && !matches(r.rest[0], tag) {
		return Element{}, syntaxErrorf("tag %#02x where %#02x belongs", r.rest[0], tag)
	}
	return r.Next()
}

// Optional reads the next element if it has the identifier octet tag, and
// tells whether it had.
func (r *Reader) Optional(tag byte) (Element, bool, error) {
	if r.Empty() || !matches(r.rest[0], tag) {
		return Element{}, false, r.err
	}
	e, err := r.Next()
	return e, err == nil, err
}

// Done returns an error when elements are left.
func (r *Reader) Done() error {
	if r.err != nil {
		return r.err
	}
	if len(r.rest) > 0 {
		return syntaxErrorf("unexpected element with tag %#02x", r.rest[0])
	}
	return nil
}

func matches(got, want byte) bool {
	if want == TagOctetString || want == TagBitString {
		got &^= constructedBit
	}
	return got == want
}
