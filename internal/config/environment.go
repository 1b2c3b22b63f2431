package config

import (
	"fmt"
	"slices"
	"strings"
)

// Override returns the file with what environment variables set instead: each
// name is the prefix and then a key of the table with '_' for '.', in letters
// of any case. So EIMZO_CFG_LISTEN_PORT=80 with the prefix "EIMZO_CFG_" sets
// listen.port. environ is what os.Environ returns. A variable that fits no key
// is a warning; an empty one counts as not set, since compose files and unit
// files have no other way to leave one out.
func (f *File) Override(environ []string, prefix string, t Table) (overridden *File, warnings []string) {
	overridden = &File{Name: f.Name, entries: slices.Clone(f.entries)}
	environ = slices.Clone(environ)
	slices.Sort(environ) // the same order, and warnings, at every start
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok || value == "" {
			continue
		}
		e := Entry{Value: value, Source: "environment variable " + name}
		if e.Key, ok = t.keyOfVariable(rest); !ok {
			e.Key = strings.ToLower(strings.ReplaceAll(rest, "_", "."))
			warnings = append(warnings, f.fault(e, "unknown key, ignored"+t.suggest(e.Key)).Error())
			continue
		}
		overridden.entries = append(overridden.entries, e)
	}
	return overridden, warnings
}

// keyOfVariable finds the key that a variable without its prefix names.
func (t Table) keyOfVariable(name string) (string, bool) {
	for _, k := range t {
		if strings.EqualFold(name, strings.ReplaceAll(k.Name, ".", "_")) {
			return k.Name, true
		}
	}
	dotted := strings.ToLower(strings.ReplaceAll(name, "_", "."))
	if _, ok := t.find(dotted); ok {
		return dotted, true // with a number for N
	}
	return "", false
}

// Variable is the name of the environment variable that overrides the key.
func (k Key) Variable(prefix string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(k.Name, ".", "_"))
}

// Markdown is the documentation of the table: a heading and a table for each
// group, in their order.
func (t Table) Markdown() string {
	var b strings.Builder
	var groups []string
	for _, k := range t {
		if !slices.Contains(groups, k.Group) {
			groups = append(groups, k.Group)
		}
	}
	for _, group := range groups {
		fmt.Fprintf(&b, "\n## %s\n\n| key | values | default | meaning |\n|---|---|---|---|\n", group)
		for _, k := range t {
			if k.Group != group {
				continue
			}
			meaning := k.Doc
			if k.Unsupported != "" {
				meaning += " Known, not used: " + k.Unsupported + "."
			}
			if k.Own {
				meaning += " (Imzo's own)"
			}
			value := k.Default
			if value != "" {
				value = "`" + value + "`"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.Name, k.allowed(), value, meaning)
		}
	}
	return b.String()
}

// allowed says what values a key may have.
func (k Key) allowed() string {
	switch k.Kind {
	case Path:
		return "path"
	case Bool:
		return "`yes`, `no`"
	case Int:
		return fmt.Sprintf("%d to %d", k.Min, k.Max)
	case IP:
		return "IP address"
	case URL:
		return "URL"
	case URLs:
		return "URLs, comma between"
	case List:
		return "words, comma between"
	case Networks:
		return "addresses and networks, comma between"
	case Enum:
		return "`" + strings.Join(k.Values, "`, `") + "`"
	case TimeZone:
		return "time zone"
	}
	if k.Secret {
		return "secret"
	}
	return "text"
}
