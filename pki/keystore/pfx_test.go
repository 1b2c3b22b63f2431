package keystore

import (
	"errors"
	"testing"

	"imzo/internal/testpki"
)

func TestPFXComesBackAsItWasWritten(t *testing.T) {
	for _, spec := range allSpecs {
		want := entryOf(t, spec, testpki.Person)
		for name, p := range map[string]Profile{"java8": ProfileJava8, "modern": ProfileModern} {
			t.Run(spec+"/"+name, func(t *testing.T) {
				data := createPFX(t, "Abc12345", p, want)
				aliases, err := ListPFX(data)
				if err != nil {
					t.Fatal(err)
				}
				if len(aliases) != 1 || aliases[0] != want.Alias {
					t.Errorf("aliases %q, want %q", aliases, want.Alias)
				}
				got, err := OpenPFX(data, "Abc12345")
				if err != nil {
					t.Fatal(err)
				}
				if len(got) != 1 {
					t.Fatalf("%d entries", len(got))
				}
				checkSameEntry(t, got[0], want)
				if !got[0].Created.Equal(want.Chain[0].NotBefore) {
					t.Errorf("created %s, want %s", got[0].Created, want.Chain[0].NotBefore)
				}
				if _, err := OpenPFX(data, "abc12345"); !errors.Is(err, ErrPassword) || errors.Is(err, ErrFormat) {
					t.Errorf("wrong password: %v", err)
				}
			})
		}
	}
}
