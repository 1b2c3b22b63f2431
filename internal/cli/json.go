package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf16"

	"imzo/internal/inspect"
)

// printJSON writes one indented JSON value to standard output. Characters that
// could drive the terminal are written as JSON's own escapes, so that the value
// stays what it is; encoding/json does so for some of them only.
func (e env) printJSON(v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	var out bytes.Buffer
	for _, r := range b.String() {
		// Below space are only the line breaks of the layout.
		if r < ' ' || !inspect.Unsafe(r) {
			out.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&out, `\u%04x`, unit)
		}
	}
	_, err := e.stdout.Write(out.Bytes())
	return err
}
