package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"imzo/internal/eimzo/agent/keyring"
	"imzo/internal/eimzo/agent/origin"
	"imzo/internal/eimzo/agent/prompt"
	"imzo/internal/secret"
	"imzo/pki/cert"
	"imzo/pki/keystore"
)

// maxTries is how often a password may be wrong before the call ends.
const maxTries = 3

// Texts of key files that have no number of their own.
var (
	textWrongPassword = text{
		ru: "Пароль ключа неверный или файл ключа поврежден",
		uz: "Kalit o’roni noto’g’ri yoki kalit fayli buzilgan",
		en: "The password of the key is wrong, or its file is damaged",
	}
	textUnreadablePFX = text{
		ru: "Ошибка при чтении PFX-файла",
		uz: "PFX-faylni o’qishda xatolik yuz berdi",
		en: "The PFX file cannot be read",
	}
	textUnreadableYKS = text{
		ru: "Ошибка при чтении YKS-файла",
		uz: "YKS-faylni o’qishda xatolik yuz berdi",
		en: "The YKS file cannot be read",
	}
)

// Why pages ask for a password when there is nothing to sign.
var (
	questionLaterUse = text{
		ru: "%s просит пароль ключа. Пока пароль запомнен, сайт может этим ключом и подписывать.",
		uz: "%s kalit parolini so‘ramoqda. Parol eslab qolingan vaqtda sayt shu kalit bilan imzolashi ham mumkin.",
		en: "%s asks for the password of the key. As long as the password is remembered, the site can sign with the key too.",
	}
	questionNewFile = text{
		ru: "%s записывает этот ключ с новыми сертификатами в новый файл %s. Пароль нового файла задаёт сайт.",
		uz: "%s bu kalitni yangi sertifikatlar bilan yangi %s fayliga yozadi. Yangi faylning parolini sayt belgilaydi.",
		en: "%s writes this key with new certificates into the new file %s. The site chooses the password of that file.",
	}
	questionReplaceFile = text{
		ru: "%s заменяет файл ключа %s: в нём будут новые сертификаты и новый пароль, который задаёт сайт.",
		uz: "%s %s kalit faylini almashtiradi: unda yangi sertifikatlar va sayt belgilagan yangi parol bo‘ladi.",
		en: "%s replaces the key file %s: it will have new certificates, and a new password that the site chooses.",
	}
)

// keyFiles are the types of keys in files.
var keyFiles = []keyring.Type{keyring.TypePFX, keyring.TypeYTKS}

// session finds what a page has loaded. Its type must be one of types, or the
// refusal is wrong.
func (a *Agent) session(c *call, id string, unknown, wrong error, types ...keyring.Type) (keyring.Session, error) {
	s, err := a.keys.Get(c.Origin, id)
	if err != nil {
		return s, unknown
	}
	for _, t := range types {
		if s.Type == t {
			return s, nil
		}
	}
	return s, wrong
}

// keyPair finds a new key of a page. done ends its use.
func (a *Agent) keyPair(c *call, id string) (s keyring.Session, done func(), ok bool) {
	s, done, err := a.keys.Use(c.Origin, id)
	if err != nil || s.Type != keyring.TypeKeyPair {
		done()
		return keyring.Session{}, func() {}, false
	}
	return s, done, true
}

// unlocked is an open key, which several signatures may share: it is wiped when
// the last of them, and what remembers the password, has let go.
type unlocked struct {
	users atomic.Int32
	keystore.Entry
	// data is the file as it was read, entries all keys in it, password what
	// opened it.
	data     []byte
	entries  []keystore.Entry
	password *secret.Secret
}

// hold takes part in the key; false when it is gone.
func (u *unlocked) hold() bool {
	for {
		n := u.users.Load()
		if n == 0 {
			return false
		}
		if u.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Wipe ends one use of the key.
func (u *unlocked) Wipe() {
	if u.users.Add(-1) > 0 {
		return
	}
	for _, e := range u.entries {
		e.Key.Wipe()
	}
	u.password.Wipe()
}

// unlock opens the key of a session: with the password that is remembered, or
// the one that the person types, with three tries. content is what will be
// signed, for the person to see. The caller wipes the result.
func (a *Agent) unlock(ctx context.Context, c *call, s keyring.Session, content *prompt.Content) (*unlocked, error) {
	remembers := a.remembers(c)
	if remembers {
		if u := a.kept(c, s); u != nil {
			return u, nil
		}
		if password, ok := a.keys.Remembered(c.Origin, s.ID); ok {
			u, err := a.open(s, password)
			if err == nil {
				a.keep(c, s, u)
				return u, nil
			}
			password.Wipe()
			a.keys.Forget(c.Origin, s.ID)
			if !errors.Is(err, keystore.ErrPassword) {
				return nil, err
			}
		}
	}
	why := text{}
	if content == nil && remembers {
		why = questionLaterUse
	}
	u, remember, err := a.askFor(ctx, c, s, content, remembers, why)
	if err != nil {
		return nil, err
	}
	if remembers {
		a.keys.Remember(c.Origin, s.ID, u.password, remember)
		a.keep(c, s, u)
	}
	return u, nil
}

// remembers tells whether what a person has typed for a page, or allowed it, may
// serve its next call. Frames without an origin of their own and pages from
// files all are "null": what one was given must not serve another.
func (a *Agent) remembers(c *call) bool {
	return !a.options.ConfirmEach && !nameless(c.Origin)
}

// nameless tells whether an Origin header names no page. Programs send none at
// all, which no browser does.
func nameless(header string) bool {
	header = strings.ToLower(strings.TrimSpace(header))
	return header != "" && origin.Domain(header) == origin.Null || strings.HasPrefix(header, "file:")
}

// keep keeps an open key for as long as its password is remembered: opening
// costs what the file asks for, some ten milliseconds, and pages sign many
// documents in a row.
func (a *Agent) keep(c *call, s keyring.Session, u *unlocked) {
	u.hold()
	a.keys.Keep(c.Origin, s.ID, u)
}

// kept is the open key of a session, if its file is still the same.
func (a *Agent) kept(c *call, s keyring.Session) *unlocked {
	u, ok := a.keys.Kept(c.Origin, s.ID).(*unlocked)
	if !ok || !u.hold() {
		return nil
	}
	if data, err := a.keys.Read(s.File); err != nil || !bytes.Equal(data, u.data) {
		u.Wipe()
		return nil
	}
	return u
}

// askFor asks for the password of a session's key until it opens the key. why,
// when not empty, tells what the page wants it for; offer offers to remember it.
func (a *Agent) askFor(ctx context.Context, c *call, s keyring.Session, content *prompt.Content, offer bool, why text, args ...any) (u *unlocked, remember bool, err error) {
	r := a.question(c, prompt.KindPassword)
	r.Key = a.describe(s)
	if why.ru != "" {
		r.Question = fmt.Sprintf(why.in(c.language), append([]any{c.Domain}, args...)...)
	}
	r.Content, r.Remember = content, offer
	for range maxTries {
		answer, err := a.prompter.Ask(ctx, r)
		if err != nil {
			a.log.Info("no password", "function", r.Function, "cause", err.Error())
			return nil, false, fail(-5000, textPasswordEnterCanceled)
		}
		u, err := a.open(s, answer.Secret)
		if err == nil {
			return u, answer.Remember, nil
		}
		answer.Secret.Wipe()
		if !errors.Is(err, keystore.ErrPassword) {
			return nil, false, err
		}
		r.Retry = textWrongPassword.in(c.language)
	}
	// Pages test for the number, or for the word in the text.
	return nil, false, fail(-5000, textPasswordEnterCanceled)
}

// describe tells people which key a session is of, from its alias: the
// certificate may be under the password still.
func (a *Agent) describe(s keyring.Session) *prompt.Key {
	k := &prompt.Key{
		// Aliases are in small letters.
		Owner: strings.ToUpper(aliasField(s.Alias, "cn")), Alias: s.Alias,
		File: strings.TrimSuffix(s.File.Name, ext(s.File.Name)), Serial: aliasField(s.Alias, "serialnumber"),
	}
	if until, err := time.ParseInLocation("2006.01.02 15:04:05", aliasField(s.Alias, "validto"), a.location); err == nil {
		k.Expiry = until
	}
	return k
}

func ext(name string) string {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return name[i:]
	}
	return ""
}

// question begins a question of a call.
func (a *Agent) question(c *call, k prompt.Kind) prompt.Request {
	return prompt.Request{
		Kind: k, Origin: c.Origin, Domain: c.Domain, Language: c.language,
		Function: strings.TrimPrefix(c.function.plugin+"."+c.function.name, "."),
	}
}

// open reads the file of a session and opens the key with the alias. A wrong
// password wraps keystore.ErrPassword, all else is a refusal.
func (a *Agent) open(s keyring.Session, password *secret.Secret) (*unlocked, error) {
	data, err := a.keys.Read(s.File)
	if err != nil {
		return nil, a.missingFile(s.Type)
	}
	openFile, unreadable := keystore.OpenPFX, textUnreadablePFX
	if s.Type == keyring.TypeYTKS {
		openFile, unreadable = keystore.OpenYKS, textUnreadableYKS
	}
	entries, err := openFile(data, password.Text())
	if err != nil {
		if errors.Is(err, keystore.ErrPassword) {
			return nil, err
		}
		a.log.Info("a key file does not open", "file", s.File.Name, "error", err.Error())
		return nil, fail(codeOther, unreadable)
	}
	u := &unlocked{data: data, entries: entries, password: password}
	u.users.Store(1)
	for _, e := range entries {
		// A YTKS file shows its certificates, of which one was chosen.
		chosen := s.Serial == "" || len(e.Chain) > 0 && strings.EqualFold(e.Chain[0].SerialHex(), s.Serial)
		if strings.EqualFold(e.Alias, s.Alias) && chosen {
			u.Entry = e
			return u, nil
		}
	}
	for _, e := range entries {
		e.Key.Wipe()
	}
	return nil, a.missingAlias(s.Type, s.Alias, s.File)
}

func (a *Agent) missingAlias(t keyring.Type, alias string, f keyring.File) error {
	if t == keyring.TypeYTKS {
		return fail(-2024, textCertificateSIsNotFoundInYksS, alias, f.Path())
	}
	return fail(-2006, textCertificateSIsNotFoundInPfxS, alias, f.Path())
}

func (a *Agent) missingFile(t keyring.Type) error {
	if t == keyring.TypeYTKS {
		return fail(-2010, textKeyFileIsMissing)
	}
	return fail(-2002, textKeyFileIsMissing)
}

// noteKey writes into the audit log which key was used.
func (c *call) noteKey(subject *cert.Certificate) {
	c.note(slog.String("serial", subject.SerialHex()))
}

// aliasField takes a field out of an alias, by its name in lower case: parts
// begin at commas that a name and "=" follow.
func aliasField(alias, name string) string {
	rest := alias
	for rest != "" {
		part := rest
		rest = ""
		for i := 0; i < len(part); i++ {
			if part[i] == ',' && startsField(part[i+1:]) {
				part, rest = part[:i], part[i+1:]
				break
			}
		}
		if n, value, ok := strings.Cut(strings.TrimLeft(part, " "), "="); ok && strings.EqualFold(n, name) {
			return value
		}
	}
	return ""
}

// startsField tells whether s begins with a name or a dotted number and "=".
func startsField(s string) bool {
	s = strings.TrimLeft(s, " ")
	name, _, ok := strings.Cut(s, "=")
	return ok && name != "" && strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789.") == ""
}
