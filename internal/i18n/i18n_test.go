package i18n

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode"
)

var verb = regexp.MustCompile(`%[^%]`)

var fullVerb = regexp.MustCompile(`%\[\d\][sd]`)

// verbs lists the arguments of a sentence in an order that does not depend on
// the words.
func verbs(text string) []string {
	found := fullVerb.FindAllString(text, -1)
	slices.Sort(found)
	return found
}

func TestEverySentenceIsThereInEveryLanguageWithTheSameArguments(t *testing.T) {
	want := slices.Sorted(maps.Keys(catalogue[Russian]))
	if len(want) < 60 {
		t.Fatalf("%d sentences", len(want))
	}
	for _, l := range Languages() {
		if got := slices.Sorted(maps.Keys(catalogue[l])); !slices.Equal(got, want) {
			t.Errorf("%s has other sentences than Russian: %v, %v", l, got, want)
		}
		for id, text := range catalogue[l] {
			if strings.TrimSpace(text) != text || text == "" {
				t.Errorf("%s %s: %q", l, id, text)
			}
			if n := len(verb.FindAllString(text, -1)); n != len(verbs(text)) {
				t.Errorf("%s %s: arguments are written %%[1]s or %%[1]d, so that words can change their order: %q", l, id, text)
			}
			if !slices.Equal(verbs(text), verbs(catalogue[Russian][id])) {
				t.Errorf("%s %s: arguments %v, in Russian %v", l, id, verbs(text), verbs(catalogue[Russian][id]))
			}
			if strings.ContainsAny(text, "\"\r\n\t<>&") {
				t.Errorf("%s %s: signs that JSON or HTML escape: %q", l, id, text)
			}
		}
	}
}

// TestSentencesAreInTheirScript finds a sentence left in another language, or
// letters of one alphabet that look like those of another.
func TestSentencesAreInTheirScript(t *testing.T) {
	for _, l := range Languages() {
		for id, text := range catalogue[l] {
			cyrillic := strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Cyrillic, r) })
			if format := strings.HasPrefix(id, "who.timestamp"); cyrillic != (l == Russian) && !format {
				t.Errorf("%s %s: %q", l, id, text)
			}
			for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return !unicode.IsLetter(r) }) {
				latin := strings.ContainsFunc(word, func(r rune) bool { return unicode.Is(unicode.Latin, r) })
				if latin && strings.ContainsFunc(word, func(r rune) bool { return unicode.Is(unicode.Cyrillic, r) }) {
					t.Errorf("%s %s: %q mixes alphabets", l, id, word)
				}
			}
		}
	}
	// The letters o‘ and g‘ of Uzbek are written with U+2018, as the guide
	// does; an apostrophe (ʼ) is U+2019.
	for id, text := range catalogue[Uzbek] {
		if strings.ContainsAny(text, "'`ʻʼ") {
			t.Errorf("%s: %q", id, text)
		}
	}
}

func TestStatusesHaveTheWordsOfTheGuide(t *testing.T) {
	for id, want := range map[string][2]string{
		"status.statusUnknown":    {"Sertifikat holatini tekshirib bo‘lmadi. E-IMZO-SERVER loglarini tekshiring.", "Не удалось проверить статус сертификата. Посмотрите лог E-IMZO-SERVER."},
		"status.signingTime":      {"Imzo vaqti yaroqsiz. Foydalanuvchi kompyuterining sana va vaqtini tekshiring.", "Время подписи недействительна. Проверьте дату и время компьютера пользователя."},
		"status.signature":        {"Elektron raqamli imzo (ERI) yaroqsiz", "ЭЦП недействительна"},
		"status.certificate":      {"Sertifikat yaroqsiz", "Сертификат недействителен"},
		"status.validity":         {"Sertifikat imzolash sanasida yaroqsiz", "Сертификат недействителен на дату подписи"},
		"status.challenge":        {"Challenge topilmadi yoki muddati o‘tib ketdi. Qayta urinib ko‘ring.", "Не найден challenge или срок его истек. Повторите заново."},
		"status.tsaSignature":     {"ERI yoki Timestamp hash yaroqsiz", "ЭЦП или хеш Timestamp недействительна"},
		"status.tsaCertificate":   {"Timestamp sertifikati yaroqsiz", "Сертификат Timestamp недействителен"},
		"status.tsaValidity":      {"Timestamp sertifikati imzo sanasida yaroqsiz", "Сертификат Timestamp недействителен на дату подписи"},
		"status.tsaStatusUnknown": {"Timestamp sertifikati holatini tekshirib bo‘lmadi. E-IMZO-SERVER loglarini tekshiring.", "Не удалось проверить статус сертификата Timestamp. Посмотрите лог E-IMZO-SERVER."},
	} {
		for i, l := range []Language{Uzbek, Russian} {
			if got := Text(l, id); got != want[i] {
				t.Errorf("%s %s: %q, want %q", l, id, got, want[i])
			}
		}
	}
}

func TestMatchTakesTheLanguageTheReaderLikesBest(t *testing.T) {
	for header, want := range map[string]Language{
		"":   Russian,
		"*":  Russian,
		"uz": Uzbek, "UZ": Uzbek, "uz-UZ": Uzbek, "uz-Latn-UZ": Uzbek, "uz-Cyrl": Uzbek, "uz_UZ": Uzbek,
		"en-US,en;q=0.9": English, "ru-RU,ru;q=0.9,en-US;q=0.8,en;q=0.7": Russian,
		"en;q=0.5, uz;q=0.9, ru;q=0.7":         Uzbek,
		"de,fr;q=0.9,en;q=0.1":                 English,
		"uk,kk;q=0.9,en;q=0.5":                 English, // not Russian, which nobody asked for
		"uk":                                   Russian, // the fallback
		"en;q=0,uz":                            Uzbek,
		"x y z":                                Russian,
		"uz;q=x":                               Russian,
		strings.Repeat("de,", 60) + "uz":       Uzbek,
		strings.Repeat("de,", 1000) + "uz":     Russian, // beyond what is read
		strings.Repeat("d", 1000) + ",uz":      Russian,
		"uz," + strings.Repeat("x", 5000):      Uzbek,
		"uz;" + strings.Repeat("q=0.1;", 5000): Russian,
		"\x00\xff":                             Russian,
	} {
		if got := Match(header, Russian); got != want {
			t.Errorf("%.60q: %s, want %s", header, got, want)
		}
	}
	if got := Match("de", English); got != English {
		t.Errorf("fallback %s", got)
	}
}

func TestTextPutsArgumentsIn(t *testing.T) {
	for l, want := range map[Language]string{
		Uzbek: "2-imzo (IVANOV, sertifikat 1a)", Russian: "Подпись 2 (IVANOV, сертификат 1a)", English: "Signature 2 (IVANOV, certificate 1a)",
		"de": "Подпись 2 (IVANOV, сертификат 1a)",
	} {
		if got := Text(l, "who.signature", 2, "IVANOV", "1a"); got != want {
			t.Errorf("%s: %q, want %q", l, got, want)
		}
	}
	if got := Text(English, "no such sentence"); got != "no such sentence" || Has(got) {
		t.Errorf("%q", got)
	}
	if !Has("status.certificate") || !slices.Contains(IDs(), "status.certificate") || !slices.IsSorted(IDs()) {
		t.Error("a sentence is missing")
	}
}

func TestABrokenCatalogueIsNotLoaded(t *testing.T) {
	good := &fstest.MapFile{Data: []byte(`{"a":"b"}`)}
	for name, files := range map[string]fstest.MapFS{
		"no JSON":          {"catalogue/x.ru.json": {Data: []byte("{")}},
		"other language":   {"catalogue/x.de.json": good},
		"no language":      {"catalogue/x.json": good},
		"twice in a part":  {"catalogue/x.ru.json": good, "catalogue/y.ru.json": good},
		"not a text":       {"catalogue/x.ru.json": {Data: []byte(`{"a":1}`)}},
		"a folder instead": {"catalogue/x.ru.json/y": good},
	} {
		if c, err := load(files); err == nil {
			t.Errorf("%s: %v", name, c)
		}
	}
	c, err := load(fstest.MapFS{"catalogue/x.ru.json": good, "catalogue/x.uz.json": good, "catalogue/y.ru.json": {Data: []byte(`{"c":"d"}`)}})
	if err != nil || len(c) != 2 || len(c[Russian]) != 2 {
		t.Errorf("%v, %v", c, err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		must(load(fstest.MapFS{"catalogue/x.de.json": good}))
	}()
}

// FuzzMatch checks that whatever a client sends gives a language there is.
func FuzzMatch(f *testing.F) {
	for _, s := range []string{"", "uz", "ru-RU,ru;q=0.9", "*;q=0", "en;q=1e9", ",,,,"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if l := Match(header, English); !slices.Contains(Languages(), l) {
			t.Errorf("%q", l)
		}
	})
}
