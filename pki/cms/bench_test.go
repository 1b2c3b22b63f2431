package cms

import (
	"fmt"
	"testing"

	"imzo/internal/testpki"
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
