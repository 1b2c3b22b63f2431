package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"imzo/internal/eimzo/agent/keyring"
	"imzo/internal/eimzo/agent/origin"
	"imzo/internal/eimzo/agent/prompt"
	"imzo/internal/i18n"
)

// site is a page that has its API key; stranger has none.
var (
	site     = Caller{"https://example.uz", "example.uz"}
	stranger = Caller{"https://stranger.uz", "stranger.uz"}
)

// newAgent makes an agent that site may call and stranger may not.
func newAgent(t testing.TB, options ...func(*Options)) *Agent {
	t.Helper()
	o := Options{
		Allow: func(_ context.Context, from Caller) error {
			if from == stranger {
				return fail(-1022, textApiKeyForDomainSIsInvalid, from.Domain)
			}
			return nil
		},
		Register: func(pairs []string) error {
			for i := 0; i < len(pairs); i += 2 {
				if pairs[i+1] != "key of "+pairs[i] {
					return &origin.KeyError{Domain: pairs[i]}
				}
			}
			return nil
		},
		Audit:    func([]slog.Attr) {},
		Prompter: &prompt.Headless{},
	}
	for _, f := range options {
		f(&o)
	}
	if o.Keys == nil {
		o.Keys = keyring.New(keyring.Options{Now: o.Now})
	}
	t.Cleanup(func() { _ = o.Keys.Close() })
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// ask sends a request and compares the reply with want, field by field.
func ask(t *testing.T, a *Agent, from Caller, request, want string) {
	t.Helper()
	reply := a.answer(t.Context(), from, []byte(request))
	var got, wanted any
	if err := json.Unmarshal(reply, &got); err != nil {
		t.Fatalf("%s: %v: %s", request, err, reply)
	}
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(want, err)
	}
	if !reflect.DeepEqual(got, wanted) {
		t.Errorf("%s\n got %s\nwant %s", request, reply, want)
	}
}

const noFunction = `{"success":false,"status":0,"reason":"Функция не найдена или версия E-IMZO устарела. Обновите E-IMZO."}`

func TestRequestsAreToldApartAsTheOriginalDoes(t *testing.T) {
	a := newAgent(t)
	const (
		version = `{"success":true,"status":1,"major":"6","minor":"4","patch":"7","edition":"Standard"}`
		russian = `{"success":true,"status":1,"message":"ru_RU"}`
	)
	for request, want := range map[string]string{
		`{"name":"version"}`: version,
		`{"plugin":null,"name":" version ","arguments":null}`:  version,
		`{"plugin":"","name":"version","arguments":[],"x":{}}`: version,
		`{"name":"version","arguments":["x"]}`:                 noFunction,
		`{"Name":"version"}`:                                   noFunction,
		`{"name":"no"}`:                                        noFunction,
		`{"plugin":"no","name":"version"}`:                     noFunction,
		`{"name":{}}`:                                          noFunction,
		`{"name":"version"`:                                    noFunction,
		`[]`:                                                   noFunction,
		``:                                                     noFunction,
		`null`:                                                 noFunction,
		`{"plugin":"app","name":"change_ui_lang","arguments":["ru"]}`:      russian,
		`{"plugin":"app","name":"change_ui_lang","arguments":[]}`:          noFunction,
		`{"plugin":"app","name":"change_ui_lang","arguments":["ru","uz"]}`: noFunction,
		`{"plugin":"app","name":"change_ui_lang","arguments":["de"]}`:      `{"success":false,"status":-1005,"reason":"Недействительный код языка"}`,
		`{"plugin":"app","name":"change_ui_lang","arguments":[7]}`:         `{"success":false,"status":-1005,"reason":"Недействительный код языка"}`,
		`{"plugin":"app","name":"change_ui_lang","arguments":[null]}`:      `{"success":false,"status":-1005,"reason":"Недействительный код языка"}`,
		`{"plugin":"app","name":"change_ui_lang","arguments":[["ru"]]}`:    noFunction,
		`{"plugin":"app","name":"change_ui_lang","arguments":"ru"}`:        noFunction,
		`{"plugin":"app","name":"show_menu"}`:                              `{"success":true,"status":1}`,
	} {
		ask(t, a, site, request, want)
	}
}

func TestEachPageHasItsOwnLanguage(t *testing.T) {
	a := newAgent(t)
	other := Caller{"https://other.uz", "other.uz"}
	ask(t, a, site, `{"plugin":"app","name":"change_ui_lang","arguments":["uz"]}`, `{"success":true,"status":1,"message":"uz_UZ"}`)
	ask(t, a, site, `{"name":"no"}`, `{"success":false,"status":0,"reason":"Funktsiya topilmadi yoki E-IMZO versiyasi eski. Yangi versiyani o‘rnating."}`)
	ask(t, a, other, `{"name":"no"}`, noFunction)
	ask(t, a, site, `{"plugin":"app","name":"change_ui_lang","arguments":["en"]}`, `{"success":true,"status":1,"message":"en_US"}`)
	ask(t, a, site, `{"name":"no"}`, `{"success":false,"status":0,"reason":"There is no such function, or E-IMZO is out of date. Update E-IMZO."}`)
	for i := range 3 * maxLanguages {
		a.setLanguage(Caller{Origin: fmt.Sprint(i)}, i18n.Uzbek)
	}
	if len(a.languages) > maxLanguages {
		t.Errorf("%d pages have a language", len(a.languages))
	}
}

func TestPagesWithoutAKeyAreRefusedAllButTheProgramsOwn(t *testing.T) {
	a := newAgent(t)
	ask(t, a, stranger, `{"plugin":"app","name":"show_menu"}`, `{"success":false,"status":-1022,"reason":"API-key для домена stranger.uz недействителен."}`)
	ask(t, a, stranger, `{"name":"apikey","arguments":["a","key of a","b","key of b"]}`, `{"success":true,"status":1,"message":"https://stranger.uz"}`)
	ask(t, a, Caller{Domain: "null"}, `{"name":"apikey","arguments":["a","key of a"]}`, `{"success":true,"status":1,"message":""}`)
	ask(t, a, stranger, `{"name":"apikey","arguments":["a","key of a","b","x"]}`, `{"success":false,"status":-1020,"reason":"API-key для домена b недействителен."}`)
	for _, arguments := range []string{`[]`, `["a"]`, `["a","key of a","b"]`} {
		ask(t, a, stranger, `{"name":"apikey","arguments":`+arguments+`}`, noFunction)
	}
}

// What nobody foresaw reaches the log and not the page.
func TestUnforeseenFailuresTellThePageNothing(t *testing.T) {
	var logs bytes.Buffer
	audited := ""
	a := newAgent(t, func(o *Options) {
		o.Logger = slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
		o.Audit = func(attrs []slog.Attr) { audited = fmt.Sprint(attrs) }
		o.Register = func([]string) error { return errors.New("/home/somebody/keys") }
	})
	const internal = `{"success":false,"status":-9999,"reason":"Внутренняя ошибка, подробности в журнале программы"}`
	ask(t, a, site, `{"name":"apikey","arguments":["a","b"]}`, internal)
	if !strings.Contains(logs.String(), "/home/somebody/keys") || !strings.Contains(audited, "function=apikey status=-9999") || !strings.Contains(audited, site.Origin) {
		t.Errorf("logged %s, audited %s", &logs, audited)
	}
	a.table.find("app", "show_menu").run = func(context.Context, *Agent, *call) (fields, error) { panic("/home/somebody") }
	ask(t, a, site, `{"plugin":"app","name":"show_menu"}`, internal)
	ask(t, a, site, `{"plugin":"app","name":"change_ui_lang","arguments":["`+strings.Repeat("a", maxArgument+1)+`"]}`,
		`{"success":false,"status":-9999,"reason":"Аргумент длиннее 33554432 символов"}`)
}

func TestRepliesLeaveOutNullAndKeepLetters(t *testing.T) {
	a := newAgent(t)
	a.table.find("app", "show_menu").run = func(context.Context, *Agent, *call) (fields, error) {
		return fields{"gone": nil, "kept": "<&>"}, nil
	}
	if got := string(a.answer(t.Context(), site, []byte(`{"plugin":"app","name":"show_menu"}`))); got != `{"kept":"<&>","status":1,"success":true}` {
		t.Error(got)
	}
}

// Every text has its verbs in each language, in the same order.
func TestApidocDescribesWhatCanBeCalled(t *testing.T) {
	a := newAgent(t)
	var doc []struct {
		Name, Description string
		Functions         []struct {
			Plugin, Name, Description string
			Arguments                 []struct {
				Name, Description string
				Optional          bool
			}
		}
	}
	if err := json.Unmarshal(a.answer(t.Context(), stranger, []byte(`{"name":"apidoc"}`)), &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc) == 0 || doc[0].Name != "app" || len(doc[0].Functions) != 3 {
		t.Fatalf("%+v", doc)
	}
	if f := doc[0].Functions[1]; f.Name != "change_ui_lang" || f.Plugin != "app" || len(f.Arguments) != 1 || f.Arguments[0].Name != "lang" || f.Arguments[0].Optional {
		t.Errorf("%+v", f)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(`{"plugin":"app","name":"change_ui_lang","arguments":["ru"]}`)
	f.Add(`{"name":"version","arguments":[1,null,true,-1e9]}`)
	f.Add(`{"name":"apidoc"}`)
	f.Add(`{"name":"\ud800","plugin":{}}`)
	a := newAgent(f)
	f.Fuzz(func(t *testing.T, message string) {
		var reply any
		if err := json.Unmarshal(a.answer(t.Context(), site, []byte(message)), &reply); err != nil {
			t.Fatal(err)
		}
		switch v := reply.(type) {
		case map[string]any:
			ok, _ := v["success"].(bool)
			status, _ := v["status"].(float64)
			if ok != (status == 1) || !ok && v["reason"] == "" {
				t.Fatalf("%v", v)
			}
		case []any:
		default:
			t.Fatalf("%T", v)
		}
	})
}

// TestAMessageCostsNoMoreThanItSays: whoever sends one may have no key yet.
func TestAMessageCostsNoMoreThanItSays(t *testing.T) {
	const size = 4 << 20
	for name, message := range map[string]string{
		"many arguments": `{"plugin":"pkcs7","name":"create_pkcs7","arguments":[` + strings.Repeat("1,", size/2) + `1]}`,
		"many members":   `{` + strings.Repeat(`"a":1,`, size/6) + `"name":"version"}`,
		"other members":  `{"other":[` + strings.Repeat("[],", size/3) + `[]],"name":"nothing"}`,
		"deep":           `{"other":` + strings.Repeat("[", size) + `}`,
		"an array":       `[` + strings.Repeat("1,", size/2) + `1]`,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := parseRequest([]byte(message))
		runtime.ReadMemStats(&after)
		if err == nil && r.name != "nothing" {
			t.Errorf("%s: %v", name, r.name)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 8*size {
			t.Errorf("%s: %d octets for a message of %d", name, took, len(message))
		}
	}
}

func TestMessagesThatAreNoCallsAreRefused(t *testing.T) {
	for _, message := range []string{``, `null`, `1`, `"x"`, `[]`, `{`, `{"name":"version"}x`, `{"name":"version"}{}`, `{"name":["version"]}`, `{"name":"version","arguments":{}}`, `{"name":"version","arguments":"x"}`, `{"name":"version","arguments":[[]]}`, `{"name":"version","arguments":[}`} {
		if r, err := parseRequest([]byte(message)); err == nil {
			t.Errorf("%s gives %+v", message, r)
		}
	}
	for message, args := range map[string]int{`{"name":" version "}`: 0, `{"name":"version","arguments":null,"x":{"y":[1]}} `: 0, `{"arguments":[1,true,null,"x"],"name":"version"}`: 4, `{"arguments":[1],"name":"version","arguments":[2,3]}`: 2} {
		if r, err := parseRequest([]byte(message)); err != nil || r.name != "version" || len(r.args) != args {
			t.Errorf("%s gives %+v, %v", message, r, err)
		}
	}
}
