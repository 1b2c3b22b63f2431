package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"unicode/utf16"
	"unicode/utf8"
)

// maxSize bounds a file: a configuration is a page of text, and a mistaken
// path to something large must not fill the memory.
const maxSize = 1 << 20

// ErrSyntax is wrapped by the errors of files that are no properties.
var ErrSyntax = errors.New("syntax error")

// Entry is one key with its value, and the line where its text begins,
// counted from 1.
type Entry struct {
	Key, Value string
	Line       int
	// Source is "" for what stands in the file, and otherwise says where the
	// entry comes from.
	Source string
}

// File is a parsed file.
type File struct {
	// Name is the path as it was given; error messages begin with it.
	Name    string
	entries []Entry
}

// Load reads the file at path.
func Load(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, err
	}
	return Parse(path, data)
}

// Parse reads the text of a file; name stands in error messages.
func Parse(name string, data []byte) (*File, error) {
	if len(data) > maxSize {
		return nil, fmt.Errorf("%s: larger than %d bytes, which no configuration is", name, maxSize)
	}
	f := &File{Name: name}
	lines := lineReader{rest: decode(data)}
	for {
		line, number, ok := lines.next()
		if !ok {
			return f, nil
		}
		rawKey, rawValue := split(line)
		key, err := unescape(rawKey)
		if err == nil {
			var value string
			value, err = unescape(rawValue)
			f.entries = append(f.entries, Entry{Key: key, Value: value, Line: number})
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, number, err)
		}
	}
}

// Entries yields every entry in the order of the file, also those that a
// later one of the same key replaces.
func (f *File) Entries() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for _, e := range f.entries {
			if !yield(e) {
				return
			}
		}
	}
}

// Lookup returns the entry of a key; of several, the last.
func (f *File) Lookup(key string) (Entry, bool) {
	for i := len(f.entries) - 1; i >= 0; i-- {
		if f.entries[i].Key == key {
			return f.entries[i], true
		}
	}
	return Entry{}, false
}

// decode turns the octets of a file into text.
func decode(data []byte) []rune {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if utf8.Valid(data) {
		return []rune(string(data))
	}
	text := make([]rune, len(data))
	for i, b := range data {
		text[i] = rune(b) // ISO-8859-1
	}
	return text
}

// lineReader joins natural lines to logical ones.
type lineReader struct {
	rest []rune
	line int // natural lines read so far
}

// natural takes one natural line off the rest.
func (r *lineReader) natural() []rune {
	r.line++
	for i, c := range r.rest {
		if c != '\n' && c != '\r' {
			continue
		}
		line := r.rest[:i:i]
		if c == '\r' && i+1 < len(r.rest) && r.rest[i+1] == '\n' {
			i++
		}
		r.rest = r.rest[i+1:]
		return line
	}
	line := r.rest
	r.rest = nil
	return line
}

// next returns the next logical line that is neither blank nor a comment,
// without its leading white space, and the number of its first natural line.
//
// A line is a comment by its first character, also when only a continued line
// without text stands before it; so Java does it.
func (r *lineReader) next() (line []rune, number int, ok bool) {
	for len(r.rest) > 0 {
		part := trimLeft(r.natural())
		if len(line) == 0 {
			if len(part) == 0 || part[0] == '#' || part[0] == '!' {
				continue
			}
			number = r.line
		}
		if !continued(part) {
			return append(line, part...), number, true
		}
		line = append(line, part[:len(part)-1]...)
	}
	return line, number, len(line) > 0
}

// continued tells whether a natural line ends in an odd number of
// backslashes.
func continued(line []rune) bool {
	n := 0
	for n < len(line) && line[len(line)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

func trimLeft(line []rune) []rune {
	for len(line) > 0 && isSpace(line[0]) {
		line = line[1:]
	}
	return line
}

func isSpace(c rune) bool { return c == ' ' || c == '\t' || c == '\f' }

// split parts a logical line at its first separator that no backslash
// precedes. White space around one '=' or ':' belongs to it.
func split(line []rune) (key, value []rune) {
	end := 0
	for end < len(line) && line[end] != '=' && line[end] != ':' && !isSpace(line[end]) {
		if line[end] == '\\' {
			end++
		}
		end++
	}
	end = min(end, len(line))
	value = trimLeft(line[end:])
	if len(value) > 0 && (value[0] == '=' || value[0] == ':') {
		value = trimLeft(value[1:])
	}
	return line[:end], value
}

// unescape undoes the backslash escapes. \uXXXX stands for a UTF-16 unit;
// surrogate pairs are joined.
func unescape(text []rune) (string, error) {
	var out bytes.Buffer
	var units []uint16 // \u escapes that follow each other
	flush := func() {
		out.WriteString(string(utf16.Decode(units)))
		units = units[:0]
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '\\' && i+1 < len(text) {
			i++
			switch c = text[i]; c {
			case 'u':
				unit, err := hexUnit(text[i+1:])
				if err != nil {
					return "", err
				}
				units = append(units, unit)
				i += 4
				continue
			case 't':
				c = '\t'
			case 'n':
				c = '\n'
			case 'r':
				c = '\r'
			case 'f':
				c = '\f'
			}
		} else if c == '\\' {
			break // a lone backslash at the very end of a file
		}
		flush()
		out.WriteRune(c)
	}
	flush()
	return out.String(), nil
}

// hexUnit reads the four digits of a \u escape.
func hexUnit(text []rune) (uint16, error) {
	if len(text) < 4 {
		return 0, fmt.Errorf(`%w: \u needs four hexadecimal digits`, ErrSyntax)
	}
	var v uint16
	for _, c := range text[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c += 10 - 'a'
		case 'A' <= c && c <= 'F':
			c += 10 - 'A'
		default:
			return 0, fmt.Errorf(`%w: \u needs four hexadecimal digits; write a backslash in a Windows path as \\`, ErrSyntax)
		}
		v = v<<4 | uint16(c)
	}
	return v, nil
}

// fault is a mistake in an entry of the file.
func (f *File) fault(e Entry, reason string) *Error {
	return &Error{File: f.Name, Line: e.Line, Key: e.Key, Reason: reason, Source: e.Source}
}
