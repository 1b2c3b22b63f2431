package prompt

import (
	"encoding/hex"
	"strings"
	"time"

	"imzo/internal/i18n"
)

// say is a sentence of the catalogue.
func say(l i18n.Language, id string, args ...any) string {
	return i18n.Text(l, "prompt."+id, args...)
}

// Bounds of what is shown, in characters.
const (
	maxShown    = 300 // of a name
	maxQuestion = 1000
)

// fact is something the person should know before answering.
type fact struct{ Label, Value string }

// title says what is asked for.
func (r *Request) title() string { return say(r.Language, "title."+string(r.Kind)) }

// facts tells who asks, with which key, and for what.
func (r *Request) facts() []fact {
	var all []fact
	add := func(label, value string) {
		if value != "" {
			all = append(all, fact{say(r.Language, label), visibleLine(value, maxShown)})
		}
	}
	site := r.Origin
	switch {
	case site == "":
		site = say(r.Language, "program")
	case strings.EqualFold(site, "null"), strings.HasPrefix(strings.ToLower(site), "file:"):
		site = say(r.Language, "nameless")
	}
	add("site", site)
	if k := r.Key; k != nil {
		owner := k.Owner
		if owner == "" {
			owner = k.Alias
		}
		add("key", owner)
		add("serial", k.Serial)
		add("file", k.File)
		if !k.Expiry.IsZero() {
			add("until", k.Expiry.In(time.Local).Format("2006-01-02"))
		}
	}
	add("function", r.Function)
	if r.Kind == KindNewKey {
		add("file", r.FileName)
	}
	if c := r.Content; c != nil {
		if c.Size >= 0 {
			add("size", say(r.Language, "octets", c.Size))
			form := "attached"
			if c.Detached {
				form = "detached"
			}
			add("document", say(r.Language, form))
		}
		digest := hex.EncodeToString(c.Digest)
		if c.DigestName != "" {
			digest = c.DigestName + " " + digest
		}
		add("digest", digest)
	}
	return all
}

// preview is the beginning of what is signed, or why it is not shown; "" where
// nothing is signed.
func (r *Request) preview() string {
	switch c := r.Content; {
	case c == nil:
		return ""
	case c.Size < 0:
		return say(r.Language, "rawDigest")
	case c.Preview == "":
		return say(r.Language, "noText")
	default:
		return c.Preview
	}
}

// agree is what the button says that goes on.
func (r *Request) agree() string {
	switch {
	case r.Kind == KindPermission:
		return say(r.Language, "once")
	case r.Kind == KindConfirm:
		return say(r.Language, "yes")
	case r.Content != nil:
		return say(r.Language, "sign")
	}
	return say(r.Language, "ok")
}

// refuse is what the button says that does not.
func (r *Request) refuse() string {
	switch r.Kind {
	case KindPermission:
		return say(r.Language, "deny")
	case KindConfirm:
		return say(r.Language, "no")
	}
	return say(r.Language, "cancel")
}

// asksSecret tells whether a password or PIN is typed, asksNew whether it is a
// new one.
func (r *Request) asksSecret() bool { return r.Kind != KindPermission && r.Kind != KindConfirm }

func (r *Request) asksNew() bool { return r.Kind == KindNewPassword || r.Kind == KindNewKey }

// secretLabel stands beside where the secret is typed.
func (r *Request) secretLabel() string {
	switch {
	case r.asksNew():
		return say(r.Language, "new")
	case r.Kind == KindPIN:
		return say(r.Language, "pin")
	}
	return say(r.Language, "password")
}

// wrong tells what is wrong with what was typed; "" is well.
func (r *Request) wrong(typed, again []byte) string {
	switch {
	case len(typed) == 0:
		return say(r.Language, "empty")
	case !r.asksNew():
		return ""
	case string(typed) != string(again):
		return say(r.Language, "mismatch")
	}
	return CheckNew(typed, r.Language)
}
