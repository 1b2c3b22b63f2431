package cms

import (
	"bytes"
	"runtime"
	"slices"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

// hostileSize is the size of each input below.
const hostileSize = 64 << 20

// fill repeats unit up to n octets.
func fill(unit []byte, n int) []byte { return bytes.Repeat(unit, n/len(unit)) }

// TestHostileInputIsCheap feeds 64 MiB of what makes other parsers recurse,
// allocate or run on: each is refused within a second and for less memory, in
// all, than twice its own size.
func TestHostileInputIsCheap(t *testing.T) {
	if testing.Short() {
		t.Skip("needs hundreds of megabytes")
	}
	pki := testpki.New(t, "ozdst")
	user := pki.User(t, testpki.Person)
	s := mustParse(t, mustSign(t, []byte("x"), Options{}, signerOf(user)))
	si := s.SignerInfos[0]
	attr := NewAttribute(OIDTimeStampToken, ber.Null()).Raw
	signer := func(parts ...[]byte) []byte { return ber.Sequence(parts...) }
	head := [][]byte{ber.Int64(1), si.SID.marshal(), si.DigestAlgorithm.Raw}
	tail := [][]byte{si.SignatureAlgorithm.Raw, ber.OctetString(si.Signature)}
	rdn := ber.Set(ber.Sequence(ber.MustOID("2.5.4.3").DER(), ber.UTF8String("")))
	deep := func(content []byte) []byte {
		for range 20 {
			content = ber.Indefinite(ber.TagSequence, content)
		}
		return content
	}
	encap := func(octets []byte) func(*document) {
		return func(d *document) {
			d.encap = encoded(ber.Sequence(OIDData.DER(), ber.Tagged(0xa0, octets)))
		}
	}
	// Few elements for their size, so that it is the limits of this package
	// that end it, not the one on elements.
	filler := ber.OctetString(make([]byte, 60<<10))
	fat := pki.User(t, testpki.Person, func(c *cert.Template) {
		c.Extra = []cert.Extension{{OID: ber.MustOID("1.2.3.4"), Value: filler}}
	})
	fatAttr := NewAttribute(OIDTimeStampToken, filler).Raw
	bag := func(unit []byte) func(*document) {
		return func(d *document) { d.certificates = [][]byte{fill(unit, hostileSize)} }
	}
	for _, tt := range []struct {
		name string
		make func() []byte
	}{
		{"nesting", func() []byte { return fill([]byte{0x30, 0x80}, hostileSize) }},
		{"nesting in a document", func() []byte {
			return slices.Concat([]byte{0x30, 0x80}, OIDSignedData.DER(), []byte{0xa0, 0x80}, fill([]byte{0x30, 0x80}, hostileSize))
		}},
		{"nested strings as content", func() []byte { return change(s, encap(fill([]byte{0x24, 0x80}, hostileSize))) }},
		{"content of one-octet segments", func() []byte {
			return change(s, encap(ber.Indefinite(0x24, fill([]byte{4, 1, 'x'}, hostileSize))))
		}},
		{"content of empty segments", func() []byte {
			return change(s, encap(ber.Indefinite(0x24, fill([]byte{4, 0}, hostileSize))))
		}},
		{"empty sets", func() []byte { return append([]byte{0x31, 0x80}, fill([]byte{0x31, 0x00}, hostileSize)...) }},
		{"empty sets as certificates", func() []byte { return change(s, bag([]byte{0x31, 0x00})) }},
		{"empty sets as digests", func() []byte {
			return change(s, func(d *document) { d.digests = [][]byte{fill([]byte{0x31, 0x00}, hostileSize)} })
		}},
		{"digests", func() []byte {
			return change(s, func(d *document) { d.digests = [][]byte{fill(si.DigestAlgorithm.Raw, hostileSize)} })
		}},
		{"certificates", func() []byte { return change(s, bag(user.Cert.Raw)) }},
		{"large certificates", func() []byte { return change(s, bag(fat.Cert.Raw)) }},
		{"empty certificates", func() []byte { return change(s, bag([]byte{0x30, 0})) }},
		{"CRLs", func() []byte {
			return change(s, func(d *document) { d.crls = [][]byte{fill(crl(ber.UTCTime(pki.Now)), hostileSize)} })
		}},
		{"signers", func() []byte {
			return change(s, func(d *document) { d.signers = [][]byte{fill(si.Raw, hostileSize)} })
		}},
		{"large signers", func() []byte {
			return change(s, func(d *document) {
				d.signers = [][]byte{fill(signer(si.signed, ber.Tagged(0xa1, fatAttr)), hostileSize)}
			})
		}},
		{"empty signers", func() []byte {
			return change(s, func(d *document) { d.signers = [][]byte{fill([]byte{0x30, 0}, hostileSize)} })
		}},
		{"unsigned attributes", func() []byte {
			return change(s, func(d *document) {
				d.signers = [][]byte{signer(si.signed, ber.Tagged(0xa1, fill(attr, hostileSize)))}
			})
		}},
		{"large unsigned attributes", func() []byte {
			return change(s, func(d *document) {
				d.signers = [][]byte{signer(si.signed, ber.Tagged(0xa1, fill(fatAttr, hostileSize)))}
			})
		}},
		{"values of an attribute", func() []byte {
			return change(s, func(d *document) {
				d.signers = [][]byte{signer(si.signed, ber.Tagged(0xa1, ber.Sequence(OIDData.DER(), ber.Tagged(ber.TagSet, fill(ber.Null(), hostileSize)))))}
			})
		}},
		{"deep and large signed attribute", func() []byte {
			large := NewAttribute(OIDData, deep(ber.OctetString(make([]byte, hostileSize))))
			return change(s, func(d *document) {
				d.signers = [][]byte{signer(slices.Concat(slices.Concat(head...), ber.Tagged(0xa0, large.Raw), slices.Concat(tail...)))}
			})
		}},
		{"name of a signer", func() []byte {
			return change(s, func(d *document) {
				name := ber.Tagged(ber.TagSequence, fill(rdn, hostileSize))
				d.signers = [][]byte{signer(slices.Concat(head[0], ber.Sequence(name, ber.Int64(1)), head[2], slices.Concat(tail...)))}
			})
		}},
		{"name of a signer below the limit of elements", func() []byte {
			return change(s, func(d *document) {
				name := ber.Tagged(ber.TagSequence, fill(rdn, len(rdn)*(ber.MaxElements/4-200)))
				d.signers = [][]byte{signer(slices.Concat(head[0], ber.Sequence(name, ber.Int64(1)), head[2], slices.Concat(tail...)))}
			})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := tt.make()
			runtime.GC()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, err := Parse(in)
			elapsed := time.Since(start)
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Error("accepted")
			}
			if elapsed > time.Second {
				t.Errorf("took %v", elapsed)
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > 2*uint64(len(in)) {
				t.Errorf("allocated %d octets for %d", got, len(in))
			}
			t.Logf("%v after %v, %d octets allocated", err, elapsed, after.TotalAlloc-before.TotalAlloc)
		})
	}
}

// TestLargeDocumentsAreNotCopied bounds the memory of honest work on 100 MB:
// the result of signing, and nothing of size for reading and verifying.
func TestLargeDocumentsAreNotCopied(t *testing.T) {
	if testing.Short() {
		t.Skip("needs hundreds of megabytes")
	}
	user := testpki.New(t, "ecdsa:P-256").User(t, testpki.Person)
	content := make([]byte, 100_000_000)
	for _, o := range []Options{{}, {DER: true}} {
		var doc []byte
		signing := allocated(func() { doc = mustSign(t, content, o, signerOf(user)) })
		if signing > uint64(len(doc))+1<<20 {
			t.Errorf("DER %v: signing allocated %d octets", o.DER, signing)
		}
		var s *SignedData
		reading := allocated(func() { s = mustParse(t, doc) })
		verifying := allocated(func() {
			if err := verifyAll(s, nil); err != nil {
				t.Error(err)
			}
		})
		if reading+verifying > 1<<20 {
			t.Errorf("DER %v: reading allocated %d octets, verifying %d", o.DER, reading, verifying)
		}
		rewriting := allocated(func() {
			if _, err := s.AddUnsignedAttribute(0, NewAttribute(OIDTimeStampToken, ber.Null())); err != nil {
				t.Error(err)
			}
		})
		if rewriting > uint64(len(doc))+1<<20 {
			t.Errorf("DER %v: rewriting allocated %d octets", o.DER, rewriting)
		}
	}
}

func allocated(f func()) uint64 {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
