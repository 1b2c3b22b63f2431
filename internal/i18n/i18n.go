// Package i18n holds the sentences that people read, in Uzbek (Latin script),
// Russian and English, and finds out which of these a request asks for.
//
//	l := i18n.Match(r.Header.Get("Accept-Language"), i18n.Russian)
//	text := i18n.Text(l, "status.certificate")
//
// The sentences are in the files of the folder catalogue, one for each part of
// the product and language, named PART.LANGUAGE.json. Base texts of statuses
// are those of the E-IMZO guide, sections 2.2.2 and 2.2.4. Every sentence is
// there in every language, with the same arguments; a test holds that.
//
// The package knows no plural forms and formats no dates or numbers: sentences
// are worded so that they need none.
package i18n

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"golang.org/x/text/language"
)

// Language is one of the languages there are, as BCP 47 names it.
type Language string

// The languages.
const (
	Uzbek   Language = "uz" // Latin script
	Russian Language = "ru"
	English Language = "en"
)

// Languages lists them.
func Languages() []Language { return []Language{Uzbek, Russian, English} }

//go:embed catalogue/*.json
var files embed.FS

// catalogue has the sentences by language and id.
var catalogue = must(load(files))

func must(c map[Language]map[string]string, err error) map[Language]map[string]string {
	if err != nil {
		panic(err) // the files are part of the program
	}
	return c
}

// load reads the files of a catalogue. An id may stand once in a language.
func load(files fs.FS) (map[Language]map[string]string, error) {
	out := make(map[Language]map[string]string)
	names, err := fs.Glob(files, "catalogue/*.json")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		var part map[string]string
		if err := json.Unmarshal(data, &part); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		_, l, _ := strings.Cut(strings.TrimSuffix(path.Base(name), ".json"), ".")
		if !slices.Contains(Languages(), Language(l)) {
			return nil, fmt.Errorf("%s: %q is no language of the catalogue", name, l)
		}
		if out[Language(l)] == nil {
			out[Language(l)] = make(map[string]string)
		}
		for id, text := range part {
			if _, ok := out[Language(l)][id]; ok {
				return nil, fmt.Errorf("%s: %s stands there twice", name, id)
			}
			out[Language(l)][id] = text
		}
	}
	return out, nil
}

// maxHeader bounds what is read of Accept-Language. Browsers send some fifty
// octets.
const maxHeader = 256

// Match returns the language of the list in the header Accept-Language (RFC
// 9110 12.5.4) that its sender likes best and that there is, or fallback.
//
// Only the language itself is compared, not region or script: who reads
// uz-Cyrl is better off with Uzbek than with the next of his list. Nor does a
// language stand for another, though the matcher of x/text would give Russian
// to readers of Ukrainian or Kazakh: the list may name what they prefer to it.
func Match(acceptLanguage string, fallback Language) Language {
	if len(acceptLanguage) > maxHeader {
		// Up to the last whole entry.
		acceptLanguage = acceptLanguage[:strings.LastIndexByte(acceptLanguage[:maxHeader], ',')+1]
		acceptLanguage = strings.TrimSuffix(acceptLanguage, ",")
	}
	tags, _, err := language.ParseAcceptLanguage(acceptLanguage)
	if err != nil {
		return fallback
	}
	for _, tag := range tags { // the best first
		base, _ := tag.Base()
		if l := Language(base.String()); slices.Contains(Languages(), l) {
			return l
		}
	}
	return fallback
}

// Text returns a sentence with its arguments put in, as package fmt does. In a
// language there is not it is Russian, the one the product is from. An id there
// is not comes back as it is, which is for a test to find.
func Text(l Language, id string, args ...any) string {
	text, ok := catalogue[l][id]
	if !ok {
		if text, ok = catalogue[Russian][id]; !ok {
			return id
		}
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// IDs lists the ids of all sentences, sorted.
func IDs() []string { return slices.Sorted(maps.Keys(catalogue[Russian])) }

// Has tells whether there is a sentence of this id.
func Has(id string) bool {
	_, ok := catalogue[Russian][id]
	return ok
}
