package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind is the type of a key's value.
type Kind int

const (
	String   Kind = iota // any text, kept as it is
	Path                 // a file or folder; white space around it is dropped
	Bool                 // yes or no (also true or false, on or off)
	Int                  // a whole number within Min and Max
	IP                   // an IPv4 or IPv6 address
	URL                  // an absolute http or https URL
	Enum                 // one of Values
	TimeZone             // a name of the IANA database, such as Asia/Tashkent
	URLs                 // URLs with commas between them
	List                 // words with commas between them, at least one
	Networks             // IP addresses and networks in CIDR notation with commas between them
)

// Key describes one key of a table.
type Key struct {
	// Name is the key. One part may be "N", which stands for any number, as
	// in tunnel.destination.N.host.
	Name string
	Kind Kind
	// Default is the value when the file has none, in the syntax of the file.
	Default  string
	Min, Max int64    // for Int
	Values   []string // for Enum
	// Secret keeps the value out of messages.
	Secret bool
	// Unsupported is not empty when this version does not use the key. It
	// completes the warning "... is not supported by this version; ...".
	Unsupported string
	// Refused lists values of an unsupported key that must not be ignored,
	// since the program would then do something else than the file says;
	// "*" is any value. They are errors instead of warnings.
	Refused []string
	// Own says that the key is ours and not one of the original program's.
	Own bool
	// Group is the heading under which the documentation shows the key.
	Group string
	// Doc says in one sentence what the key does.
	Doc string
}

// Table is a list of keys.
type Table []Key

// Error is one mistake in a file.
type Error struct {
	File   string
	Line   int // 0 when it belongs to no line
	Key    string
	Reason string
	// Source is where the value comes from when it is not the file.
	Source string
}

// Error gives "file:line: key: reason".
func (e *Error) Error() string {
	place := e.File
	if e.Source != "" {
		place = e.Source
	} else if e.Line > 0 {
		place += ":" + strconv.Itoa(e.Line)
	}
	return place + ": " + e.Key + ": " + e.Reason
}

// Values are the checked values of a file together with the defaults of the
// table. The typed getters panic on a key that the table has not with this
// kind: that is a mistake of the program, not of the file.
type Values struct {
	file  *File
	table Table
	set   map[string]value
}

type value struct {
	entry Entry
	typed any
}

// Check compares a file with the table. The warnings are worth a line in the
// log each; the error joins an [*Error] for every mistake.
func (t Table) Check(f *File) (v *Values, warnings []string, err error) {
	v = &Values{file: f, table: t, set: map[string]value{}}
	var faults []error
	fail := func(e Entry, reason string) {
		faults = append(faults, f.fault(e, reason))
	}
	warn := func(e Entry, reason string) {
		warnings = append(warnings, f.fault(e, reason).Error())
	}
	first := map[string]int{}
	for e := range f.Entries() {
		if line, ok := first[e.Key]; ok && e.Source == "" {
			warn(e, fmt.Sprintf("given twice; this line replaces line %d", line))
		}
		first[e.Key] = e.Line
		key, ok := t.find(e.Key)
		if !ok {
			warn(e, "unknown key, ignored"+t.suggest(e.Key))
			continue
		}
		typed, reason := key.parse(e.Value)
		if reason != "" {
			fail(e, key.shown(e.Value)+" is not allowed: "+reason)
			continue
		}
		if key.Unsupported != "" {
			if key.refuses(e.Value) {
				fail(e, fmt.Sprintf("%s is not supported by this version; %s", key.shown(e.Value), key.Unsupported))
			} else {
				warn(e, "is not supported by this version; "+key.Unsupported)
			}
		} else if key.refuses(e.Value) {
			fail(e, fmt.Sprintf("%s is not supported by this version", key.shown(e.Value)))
		}
		v.set[e.Key] = value{entry: e, typed: typed}
	}
	return v, warnings, errors.Join(faults...)
}

func (t Table) find(name string) (Key, bool) {
	for _, k := range t {
		if k.matches(name) {
			return k, true
		}
	}
	return Key{}, false
}

// matches compares a name with the key, whose part "N" is any number.
func (k Key) matches(name string) bool {
	if k.Name == name {
		return true
	}
	if !strings.Contains(k.Name, ".N.") {
		return false
	}
	want, have := strings.Split(k.Name, "."), strings.Split(name, ".")
	return slices.EqualFunc(want, have, func(w, h string) bool {
		if w == "N" {
			_, err := strconv.ParseUint(h, 10, 16)
			return err == nil
		}
		return w == h
	})
}

// suggest names the nearest key when it is near enough to be a slip of the
// pen.
func (t Table) suggest(name string) string {
	best, distance := "", len(name)/4+2
	for _, k := range t {
		if d := editDistance(strings.ToLower(name), strings.ToLower(k.Name)); d < distance {
			best, distance = k.Name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

// editDistance is Levenshtein's: the least number of characters to insert,
// delete or replace.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func (k Key) shown(value string) string {
	if k.Secret {
		return "the value"
	}
	return strconv.Quote(value)
}

func (k Key) refuses(value string) bool {
	return slices.ContainsFunc(k.Refused, func(r string) bool {
		return r == "*" || strings.EqualFold(r, strings.TrimSpace(value)) || k.Kind == Bool && sameBool(r, value)
	})
}

func sameBool(a, b string) bool {
	x, okX := parseBool(a)
	y, okY := parseBool(b)
	return okX && okY && x == y
}

// parse returns the typed value, or the reason why there is none, which says
// what is allowed.
func (k Key) parse(text string) (typed any, reason string) {
	if k.Kind == String {
		return text, ""
	}
	text = strings.TrimSpace(text)
	switch k.Kind {
	case Path:
		if text == "" {
			return nil, "it must name a file"
		}
		return text, ""
	case Bool:
		if b, ok := parseBool(text); ok {
			return b, ""
		}
		return nil, "it must be yes or no"
	case Int:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= k.Min && n <= k.Max {
			return n, ""
		}
		return nil, fmt.Sprintf("it must be a whole number from %d to %d", k.Min, k.Max)
	case IP:
		if a, err := netip.ParseAddr(text); err == nil {
			return a, ""
		}
		return nil, "it must be an IP address, such as 0.0.0.0 or 127.0.0.1"
	case URL:
		if u, err := url.Parse(text); err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" {
			return text, ""
		}
		return nil, "it must be a URL that begins with http:// or https://"
	case Enum:
		for _, v := range k.Values {
			if strings.EqualFold(v, text) {
				return v, ""
			}
		}
		return nil, "it must be one of " + strings.Join(k.Values, ", ")
	case URLs:
		urls, reason := eachOf(text, func(s string) (string, bool) {
			_, reason := Key{Kind: URL}.parse(s)
			return s, reason == ""
		})
		if reason != "" {
			return nil, "it must be URLs that begin with http:// or https://, with commas between them"
		}
		return urls, ""
	case List:
		words, reason := eachOf(text, func(s string) (string, bool) { return s, s != "" })
		if reason != "" {
			return nil, "it must be words with commas between them, and none empty"
		}
		return words, ""
	case Networks:
		networks, reason := eachOf(text, parseNetwork)
		if reason != "" {
			return nil, "it must be IP addresses or networks such as 10.0.0.0/8, with commas between them"
		}
		return networks, ""
	case TimeZone:
		// LoadLocation takes "" for UTC and "Local" for the machine's own
		// zone, which is what a fixed setting has to be independent of.
		if loc, err := time.LoadLocation(text); err == nil && text != "" && text != "Local" {
			return loc, ""
		}
		return nil, "it must be the name of a time zone, such as Asia/Tashkent or UTC"
	}
	panic(fmt.Sprintf("config: key %s has no kind", k.Name))
}

// eachOf parses what stands between commas. The reason is not empty when a
// part is not what it has to be.
func eachOf[T any](text string, parse func(string) (T, bool)) (parts []T, reason string) {
	for part := range strings.SplitSeq(text, ",") {
		p, ok := parse(strings.TrimSpace(part))
		if !ok {
			return nil, "a part is wrong"
		}
		parts = append(parts, p)
	}
	return parts, ""
}

func parseNetwork(text string) (netip.Prefix, bool) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), true
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err == nil
}

func parseBool(text string) (value, ok bool) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "yes", "true", "on":
		return true, true
	case "no", "false", "off":
		return false, true
	}
	return false, false
}

// Has tells whether the file, or what overrides it, sets the key.
func (v *Values) Has(name string) bool {
	_, ok := v.set[name]
	return ok
}

// Fail makes an [*Error] at the line of the key, for a mistake that only the
// owner of the table can see.
func (v *Values) Fail(name, reason string) error {
	e := v.set[name].entry
	e.Key = name
	return v.file.fault(e, reason)
}

// String returns the text of a String, Path, URL or Enum.
func (v *Values) String(name string) string {
	return get[string](v, name)
}

// Secret returns the value of a key that is Secret.
func (v *Values) Secret(name string) Secret { return Secret{get[string](v, name)} }

// Strings returns the value of a List or of URLs.
func (v *Values) Strings(name string) []string { return get[[]string](v, name) }

// Networks returns the value of Networks.
func (v *Values) Networks(name string) []netip.Prefix { return get[[]netip.Prefix](v, name) }

// Bool returns the value of a Bool.
func (v *Values) Bool(name string) bool { return get[bool](v, name) }

// Int returns the value of an Int.
func (v *Values) Int(name string) int64 { return get[int64](v, name) }

// Addr returns the value of an IP.
func (v *Values) Addr(name string) netip.Addr { return get[netip.Addr](v, name) }

// Location returns the value of a TimeZone.
func (v *Values) Location(name string) *time.Location { return get[*time.Location](v, name) }

// get returns the value of a key, or its default. A key without either is
// the zero value.
func get[T any](v *Values, name string) (zero T) {
	key, ok := v.table.find(name)
	if !ok {
		panic("config: the table has no key " + name)
	}
	typed := v.set[name].typed
	if typed == nil {
		if key.Default == "" {
			return zero
		}
		var reason string
		if typed, reason = key.parse(key.Default); reason != "" {
			panic("config: default of " + name + ": " + reason)
		}
	}
	return typed.(T)
}
