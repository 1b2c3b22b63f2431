package agent

import (
	"context"
	"log/slog"

	"imzo/internal/i18n"
)

// text is a sentence in the languages there are. What has no translation is
// Russian, as in the original.
type text struct{ ru, uz, en string }

func (t text) in(l i18n.Language) string {
	switch {
	case l == i18n.Uzbek && t.uz != "":
		return t.uz
	case l == i18n.English && t.en != "":
		return t.en
	}
	return t.ru
}

// Compat tells which generations of the original are answered for.
type Compat string

// The values of Compat.
const (
	CompatAll Compat = "all"
	Compat6   Compat = "6" // only what 6.x has
	Compat5   Compat = "5" // what 3.x to 5.x had; functions of 6.x that these lack stay, since pages test for them
)

// argument describes one argument. The descriptions are Russian in every
// language, as the original's are.
type argument struct {
	name     string
	optional bool
	about    string
}

// function is one function that pages can call.
type function struct {
	plugin, name string // plugin is "" for those of the program itself
	about        text
	args         []argument
	variadic     bool                                                         // any number, which run checks
	exact        bool                                                         // all arguments must be there, the optional ones too
	open         bool                                                         // needs no API key
	hidden       bool                                                         // not in apidoc
	legacy       bool                                                         // of 3.x to 5.x, see [Compat]
	run          func(ctx context.Context, a *Agent, c *call) (fields, error) // nil for apidoc, whose reply is a bare array
}

// takes tells whether the function can be called with n arguments.
func (f *function) takes(n int) bool {
	if f.variadic {
		return true
	}
	required := len(f.args)
	if !f.exact {
		required = 0
		for _, a := range f.args {
			if !a.optional {
				required++
			}
		}
	}
	return n >= required && n <= len(f.args)
}

// plugin is a group of functions with its description.
type plugin struct {
	name      string
	about     text
	functions []function
}

// fields are those of a reply beside success and status. A nil value is left
// out, as the original does.
type fields map[string]any

// list is a reply that is a bare array.
type list []any

// Caller is who calls: the Origin header as it came, and the domain in it that
// API keys are for ("null" where there is none).
type Caller struct{ Origin, Domain string }

// call is one call of a function.
type call struct {
	Caller
	function *function
	args     []string
	language i18n.Language
	// noted is what the audit log says of the call beside who called what.
	noted []slog.Attr
}

// arg is argument i, or "" where it was left out.
func (c *call) arg(i int) string {
	if i < len(c.args) {
		return c.args[i]
	}
	return ""
}

// note adds to the line of the audit log; never content, never a secret.
func (c *call) note(attrs ...slog.Attr) { c.noted = append(c.noted, attrs...) }
