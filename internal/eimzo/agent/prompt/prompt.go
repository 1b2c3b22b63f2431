// Package prompt asks the person: for a password or PIN, for a new password,
// whether a page may call, whether to go on.
//
//	answer, err := prompter.Ask(ctx, prompt.Request{
//		Kind: prompt.KindPassword, Domain: "example.uz", Key: key, Content: prompt.NewContent(document),
//	})
//	if errors.Is(err, prompt.ErrCancelled) { ... }
//	defer answer.Secret.Wipe()
//
// The forms are [Headless], which takes passwords from files and the
// environment, [Terminal] and [Web]; a [Queue] in front shows one at a time and
// keeps pages from flooding the person.
package prompt

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"imzo/internal/i18n"
	"imzo/internal/secret"
	"imzo/pki/alg"
)

// Why there is no answer. Pages take all of them for "cancelled".
var (
	ErrCancelled   = errors.New("cancelled by the person")
	ErrTimeout     = errors.New("nobody answered in time")
	ErrUnavailable = errors.New("nobody can be asked here")
	ErrBusy        = errors.New("too many questions are waiting")
	// ErrMismatch is for new passwords: the person typed two that differ.
	ErrMismatch = errors.New("the new passwords differ")
)

// Kind is what is asked for.
type Kind string

// The kinds there are.
const (
	KindPassword    Kind = "password"    // of a key file
	KindPIN         Kind = "pin"         // of a token
	KindNewPassword Kind = "newPassword" // typed twice
	KindNewKey      Kind = "newKey"      // a disk and a new password
	KindPermission  Kind = "permission"  // for a page to call at all
	KindConfirm     Kind = "confirm"     // a question with yes and no
)

// Timeout is how long a person has to answer.
const Timeout = 60 * time.Second

// Request is a question. What comes from pages and certificates is shown as
// text, without characters that only seem.
type Request struct {
	Kind     Kind
	Origin   string // the Origin header of the page, "" when it has none
	Domain   string
	Function string // such as "pkcs7.create_pkcs7"
	Key      *Key   // nil where there is none
	Content  *Content
	Question string // what the page wants, in Language; "" when the facts say it
	Retry    string // why it is asked again, in Language; "" the first time
	// Remember offers to keep the password for six hours.
	Remember bool
	Disks    []string // of KindNewKey
	FileName string   // of KindNewKey
	Language i18n.Language
}

// Key tells people which key is meant.
type Key struct {
	Owner  string // the name in the certificate, or in the alias
	Alias  string
	File   string
	Serial string
	Expiry time.Time // zero when it is not known
}

// Content is what is to be signed.
type Content struct {
	Size       int // octets; -1 where only the digest is known
	Digest     []byte
	DigestName string
	Preview    string // the beginning, "" when it is no text
	Detached   bool
}

// maxPreview bounds a preview, in characters.
const maxPreview = 500

// NewContent describes what is to be signed.
func NewContent(data []byte) *Content {
	d := alg.OZDST()
	c := &Content{Size: len(data), Digest: d.Sum(data), DigestName: d.Name}
	if head := data[:min(len(data), 4*maxPreview)]; isText(head, len(data) > len(head)) {
		c.Preview = Visible(string(head), maxPreview)
	}
	return c
}

// isText tells whether b is UTF-8 that can be read; cut says that it may end
// within a character.
func isText(b []byte, cut bool) bool {
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size <= 1 {
			return cut && len(b) < utf8.UTFMax && !utf8.FullRune(b)
		}
		if unicode.IsControl(r) && !strings.ContainsRune("\t\r\n", r) {
			return false
		}
		b = b[size:]
	}
	return true
}

// Visible is text without what misleads the eye, and of at most so many
// characters: control characters, those that turn the direction of writing and
// those that show nothing are replaced (Unicode Technical Report 36, 2.6).
func Visible(text string, most int) string {
	var b strings.Builder
	n := 0
	for _, r := range strings.ToValidUTF8(text, "\uFFFD") {
		if n == most {
			b.WriteString("…")
			break
		}
		n++
		switch {
		case r == '\n' || r == '\t':
		case r == '\r':
			continue
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Cs):
			r = '\uFFFD'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// visibleLine is [Visible] in one line: a value must not look like several facts.
func visibleLine(text string, most int) string {
	return strings.NewReplacer("\n", "\uFFFD", "\t", "\uFFFD").Replace(Visible(text, most))
}

// Answer is what the person said. Whoever asked wipes the secret.
type Answer struct {
	Secret   *secret.Secret // of the password kinds
	Remember bool
	Allowed  bool // of KindPermission and KindConfirm
	Always   bool // of KindPermission
	Disk     string
}

// Prompter asks one question at a time or several, as it says.
type Prompter interface {
	// Ask returns the answer, or why there is none: an error that wraps one
	// of this package's.
	Ask(ctx context.Context, r Request) (Answer, error)
}

// CheckNew tells what a new password lacks, by the rules of the original: ten
// characters, two small and two capital letters, and digits. "" is well.
func CheckNew(password []byte, l i18n.Language) string {
	small, capital, digits, all := 0, 0, 0, 0
	for _, r := range string(password) {
		all++
		switch {
		case unicode.IsLower(r):
			small++
		case unicode.IsUpper(r):
			capital++
		case r >= '0' && r <= '9':
			digits++
		}
	}
	if all >= 10 && small >= 2 && capital >= 2 && digits >= 1 {
		return ""
	}
	return say(l, "rules")
}
