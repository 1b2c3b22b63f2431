package cms

import (
	"fmt"
	"testing"

	"imzo/internal/testpki"
	"imzo/pki/alg"
)

var benchSizes = []int{100, 1 << 20}

func benchDocuments(b *testing.B, f func(b *testing.B, user testpki.Entity, content []byte)) {
	user := testpki.New(b, "ozdst").User(b, testpki.Person)
	for _, n := range benchSizes {
		b.Run(fmt.Sprintf("%d", n), func(b *testing.B) {
			content := make([]byte, n)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			f(b, user, content)
		})
	}
}

func BenchmarkParse(b *testing.B) {
	benchDocuments(b, func(b *testing.B, user testpki.Entity, content []byte) {
		doc := mustSign(b, content, Options{}, signerOf(user))
		for b.Loop() {
			mustParse(b, doc)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	benchDocuments(b, func(b *testing.B, user testpki.Entity, content []byte) {
		s := mustParse(b, mustSign(b, content, Options{}, signerOf(user)))
		for b.Loop() {
			if err := s.Verify(s.SignerInfos[0], user.Cert, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSign(b *testing.B) {
	benchDocuments(b, func(b *testing.B, user testpki.Entity, content []byte) {
		for b.Loop() {
			mustSign(b, content, Options{}, signerOf(user))
		}
	})
}

func BenchmarkHashedContent(b *testing.B) {
	piece := make([]byte, 1<<20)
	for name, digests := range map[string][]*alg.Digest{"OZDST": {alg.OZDST()}, "all": alg.Digests()} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(piece)))
			h := NewHashedContent(digests...)
			for b.Loop() {
				if _, err := h.Write(piece); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
