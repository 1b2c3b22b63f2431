package inspect

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Printable returns s with every character escaped that could drive a
// terminal or reorder what is read: controls of C0 and C1, format characters
// (bidirectional marks and overrides, joiners, tags), line and paragraph
// separators. A name in a certificate is chosen by a stranger.
func Printable(s string) string {
	if strings.IndexFunc(s, Unsafe) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case !Unsafe(r):
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}

// Unsafe tells which characters [Printable] escapes.
func Unsafe(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

func hexValue(b []byte) string {
	if len(b) > shownBytes {
		return fmt.Sprintf("%s... (%d bytes)", hex.EncodeToString(b[:64]), len(b))
	}
	return hex.EncodeToString(b)
}

func when(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func size(n int) string {
	if n == 1 {
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", n)
}
