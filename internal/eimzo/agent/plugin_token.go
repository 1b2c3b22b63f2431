package agent

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"imzo/internal/eimzo/agent/prompt"
	"imzo/internal/secret"
	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/token"
)

// The ids that stand for tokens wherever an id of a key is taken. They need no
// load_key; "ckc" is whatever token there is.
const (
	idIDCard = "idcard"
	idBAIK   = "baikey"
	idCKC    = "ckc"
)

// tokenKinds are the kinds of tokens that ids stand for.
var tokenKinds = map[string][]token.Kind{
	idIDCard: {token.KindIDCard},
	idBAIK:   {token.KindBAIK},
	idCKC:    {token.KindIDCard, token.KindBAIK, token.KindUZGUARD, token.KindPKCS11},
}

// pinPrefix begins what PINs are remembered under.
const pinPrefix = "pin:"

// tokenRole is what a plugin of one kind of token says of it.
type tokenRole struct {
	kind        token.Kind
	missing     text // no such token is there
	length      text // a PIN that cannot be one
	personalize text
}

var (
	textReaderIsNotFound = text{
		ru: "Считыватель не найден. Обновите список.",
		uz: "ID-karta topilmadi. Ro‘yxatni yangilang.",
		en: "No reader with a card was found. Refresh the list.",
	}
	textTokenIsNotFound = text{
		ru: "USB-токен не найден",
		uz: "USB-token topilmadi",
		en: "No USB token was found",
	}
	textDeviceIsNotFound = text{
		ru: "Устройство не найдено",
		uz: "Qurilma topilmadi",
		en: "No device was found",
	}
	textPINIsBlocked = text{
		ru: "PIN-код заблокирован.",
		uz: "PIN-kod bloklangan.",
		en: "The PIN is blocked.",
	}
	textPINIsIncorrect = text{
		ru: "PIN-код неправильный.\nОсталось %d попыток.",
		uz: "PIN-kod noto’g’ri.\nSizda %d ta urinish qoldi.",
		en: "The PIN is wrong.\nTries left: %d.",
	}
	textPINLengthIDCard = text{
		ru: "PIN-код ID-карты должен состоять из цифр длинной от 1 до 8 (включительно)",
		uz: "ID-kartaning PIN-kod uzunligi 1 dan 8 gacha hamda raqamlardan iborat bo‘lishi kerak",
		en: "The PIN of an ID card has 1 to 8 digits",
	}
	textPINLengthBAIK = text{
		ru: "PIN-код BAIK-Token должен состоять из цифр длинной от 1 до 8 (включительно)",
		uz: "BAIK-token PIN-kodi uzunligi 1 dan 8 gacha hamda raqamlardan iborat bo‘lishi kerak",
		en: "The PIN of a BAIK-Token has 1 to 8 digits",
	}
	textPINLengthUZGUARD = text{
		ru: "PIN-код UZGUARD-Token должен состоять из цифр длинной от 1 до %d (включительно)",
		uz: "UZGUARD-token PIN-kodi uzunligi 1 dan %d gacha hamda raqamlardan iborat bo‘lishi kerak",
		en: "The PIN of a UZGUARD-Token has 1 to %d digits",
	}
	textTokenCannot = text{
		ru: "Устройство не поддерживает эту операцию",
		uz: "Qurilma bu amalni qo‘llab-quvvatlamaydi",
		en: "The device cannot do this",
	}
	textTokenIsEmpty = text{
		ru: "На устройстве нет сертификатов",
		uz: "Qurilmada sertifikatlar yo‘q",
		en: "The device has no certificates",
	}
)

// What a page wants of a token beside a signature.
var (
	questionNewKey = text{
		ru: "Сайт %s создаёт на устройстве новую ключевую пару.",
		uz: "%s sayti qurilmada yangi kalit juftligini yaratmoqda.",
		en: "The site %s makes a new key pair on the device.",
	}
	questionPersonalize = text{
		ru: "Сайт %s записывает на устройство новые сертификаты и устанавливает новый PIN-код. Введите прежний PIN-код.",
		uz: "%s sayti qurilmaga yangi sertifikatlarni yozmoqda va yangi PIN-kod o‘rnatmoqda. Avvalgi PIN-kodni kiriting.",
		en: "The site %s writes new certificates to the device and sets a new PIN. Type the one before it.",
	}
)

// The texts of appendix B have no number but the length of a PIN.
const codePINLength = -1019

var roles = map[token.Kind]tokenRole{
	token.KindIDCard: {token.KindIDCard, textReaderIsNotFound, textPINLengthIDCard, text{
		ru: "Персонализировать ID-карту записав новые сертификаты и установив PIN-код"}},
	token.KindBAIK: {token.KindBAIK, textTokenIsNotFound, textPINLengthBAIK, text{
		ru: "Персонализировать BAIK-Token записав новые сертификаты и установив PIN-код"}},
	token.KindUZGUARD: {token.KindUZGUARD, textTokenIsNotFound, textPINLengthUZGUARD, text{
		ru: "Персонализировать UZGUARD-Token записав новые сертификаты и установив PIN-код"}},
}

var aboutClearPINs = text{ru: "Стереть сохраненые PIN-коды"}

func idcardPlugin() plugin {
	return plugin{
		name:  string(token.KindIDCard),
		about: text{ru: "Плагин для работы с ID-картой E-IMZO", uz: "E-IMZO ID-karta bilan ishlash uchun plagin"},
		functions: []function{
			{name: "clear_saved_pin_codes", about: aboutClearPINs, run: clearPINs},
			{name: "list_readers", about: text{ru: "Получить список считывателей"}, run: listTokens("readers", token.KindIDCard)},
			{
				name: "get_encrypted_signed_cplc", about: text{ru: "Получить зашифрованный и подписанный заводской номер USB-токена"},
				args: []argument{{name: "nonce", about: "Значение NONCE"}}, run: getCPLC,
			},
			personalizeFunction(token.KindIDCard),
		},
	}
}

func baikeyPlugin() plugin {
	return plugin{
		name:      string(token.KindBAIK),
		about:     text{ru: "Плагин для работы с BAIK-Token", uz: "BAIK-token bilan ishlash uchun plagin"},
		functions: usbFunctions(token.KindBAIK, "Получить список BAIK-Token ов"),
	}
}

func uzgrdPlugin() plugin {
	return plugin{
		name:      string(token.KindUZGUARD),
		about:     text{ru: "Плагин для работы с UZGUARD-Token", uz: "UZGUARD-token bilan ishlash uchun plagin"},
		functions: usbFunctions(token.KindUZGUARD, "Получить список UZGUARD-Token ов"),
	}
}

func usbFunctions(k token.Kind, list string) []function {
	return []function{
		{name: "clear_saved_pin_codes", about: aboutClearPINs, run: clearPINs},
		{name: "list_tokens", about: text{ru: list}, run: listTokens("tokens", k)},
		personalizeFunction(k),
	}
}

func ckcPlugin() plugin {
	return plugin{
		name:  idCKC,
		about: text{ru: "Плагин для работы с Крипто Контейнерами Ключа", uz: "Kripto kalit konteynerlari bilan ishlash uchun plagin"},
		functions: []function{
			{name: "supported_ckc", about: text{ru: "Получить список типов поддерживаемых Крипто Контейнеров Ключа"}, run: func(context.Context, *Agent, *call) (fields, error) {
				return fields{"list": []token.Kind{token.KindIDCard, token.KindBAIK, token.KindUZGUARD}}, nil
			}},
			{name: "list_ckc", about: text{ru: "Получить список Крипто Контейнеров Ключа"}, run: listTokens("devices", tokenKinds[idCKC]...)},
			{name: "clear_saved_pin_codes", about: aboutClearPINs, run: clearPINs},
		},
	}
}

func personalizeFunction(k token.Kind) function {
	return function{
		name: "personalize", about: roles[k].personalize,
		args: []argument{{name: "pincode", about: "PIN-код"},
			{name: "subject_certificate_64", about: "Сертификат субъекта в кодировке BASE64"},
			{name: "ca_certificate_64", about: "Сертификат Центра Регистрации в кодировке BASE64"},
			{name: "root_certificate_64", about: "Корневой сертификат в кодировке BASE64"},
		},
		run: func(ctx context.Context, a *Agent, c *call) (fields, error) {
			return a.personalize(ctx, c, k)
		},
	}
}

// listTokens answers with the names of readers and tokens: pages look at how
// many there are.
func listTokens(field string, kinds ...token.Kind) func(context.Context, *Agent, *call) (fields, error) {
	return func(ctx context.Context, a *Agent, _ *call) (fields, error) {
		names := []string{}
		for _, d := range a.devices(ctx, kinds) {
			names = append(names, d.info.Name)
		}
		return fields{field: names}, nil
	}
}

// device is a token that was there a moment ago.
type device struct {
	token.Token
	info token.Info
}

// devices lists the tokens of kinds, in the order of the kinds.
func (a *Agent) devices(ctx context.Context, kinds []token.Kind) []device {
	if a.options.Tokens == nil {
		return nil
	}
	var all []device
	for _, t := range a.options.Tokens.Tokens(ctx, kinds...) {
		info, err := t.Info(ctx)
		if err != nil {
			a.log.Info("a token cannot be read", "cause", err.Error())
			continue
		}
		all = append(all, device{t, info})
	}
	slices.SortStableFunc(all, func(x, y device) int {
		return slices.Index(kinds, x.info.Kind) - slices.Index(kinds, y.info.Kind)
	})
	return all
}

// device finds the token that an id stands for. Where there are several, one
// with certificates comes first: which of two cards with certificates is meant
// nobody can tell but the person, who takes the other one out.
func (a *Agent) device(ctx context.Context, id string) (device, error) {
	all := a.devices(ctx, tokenKinds[id])
	if len(all) == 0 {
		missing := textDeviceIsNotFound
		if id != idCKC {
			missing = roles[tokenKinds[id][0]].missing
		}
		return device{}, fail(codeOther, missing)
	}
	if i := slices.IndexFunc(all, func(d device) bool { return d.info.Personalized }); i > 0 {
		return all[i], nil
	}
	return all[0], nil
}

// isToken tells whether an id stands for a token.
func isToken(id string) bool { return tokenKinds[id] != nil }

// pinID is what the PIN of a token is remembered under: another card in the
// same reader must not lose a try to it.
func (d device) pinID() string {
	return pinPrefix + string(d.info.Kind) + ":" + d.info.Name + ":" + d.info.Serial
}

// lengthError is the refusal of a PIN that cannot be one.
func (d device) lengthError() *statusError {
	e := &statusError{code: codePINLength, text: textPINLengthIDCard}
	if r, ok := roles[d.info.Kind]; ok {
		e.text = r.length
	}
	if d.info.Kind == token.KindUZGUARD || d.info.Kind == token.KindPKCS11 {
		e.text, e.args = textPINLengthUZGUARD, []any{d.info.MaxPIN}
	}
	return e
}

// openToken opens a token with the PIN that is remembered, or the one that the
// person types. content is what will be signed, nil for nothing; why tells what
// else the page wants, and asks even where a PIN is remembered.
func (a *Agent) openToken(ctx context.Context, c *call, d device, content *prompt.Content, why text, args ...any) (token.Session, error) {
	remembers := a.remembers(c) && why.ru == ""
	if remembers {
		if pin, ok := a.keys.Remembered(c.Origin, d.pinID()); ok {
			session, err := openWith(ctx, d, pin)
			pin.Wipe()
			if err == nil {
				return session, nil
			}
			// Another try with it would bring the card nearer to its block.
			a.keys.Forget(c.Origin, d.pinID())
			if !errors.Is(err, token.ErrPINLength) && !isPINError(err) {
				return nil, a.tokenError(d, err)
			}
		}
	}
	r := a.question(c, prompt.KindPIN)
	r.Key = &prompt.Key{File: d.info.Name, Serial: d.info.Serial}
	if chain, err := d.Chain(ctx); err == nil && len(chain) > 0 {
		r.Key.Owner, r.Key.Serial, r.Key.Expiry = chain[0].Subject.Map()["CN"], chain[0].SerialHex(), chain[0].NotAfter
	}
	r.Content, r.Remember = content, remembers
	if why.ru == "" && content == nil && remembers {
		why = questionLaterUse
	}
	if why.ru != "" {
		r.Question = fmt.Sprintf(why.in(c.language), append([]any{c.Domain}, args...)...)
	}
	for range maxTries {
		answer, err := a.prompter.Ask(ctx, r)
		if err != nil {
			a.log.Info("no PIN", "function", r.Function, "cause", err.Error())
			return nil, fail(-5000, textPasswordEnterCanceled)
		}
		session, err := openWith(ctx, d, answer.Secret)
		if err == nil {
			if remembers {
				a.keys.Remember(c.Origin, d.pinID(), answer.Secret, answer.Remember)
			}
			answer.Secret.Wipe()
			return session, nil
		}
		answer.Secret.Wipe()
		var wrong *token.PINError
		switch {
		case errors.Is(err, token.ErrBlocked):
			return nil, a.tokenError(d, err)
		case errors.As(err, &wrong):
			r.Retry = fmt.Sprintf(textPINIsIncorrect.in(c.language), max(wrong.TriesLeft, 0))
		case errors.Is(err, token.ErrPINLength):
			e := d.lengthError()
			r.Retry = e.text.in(c.language)
			if len(e.args) > 0 {
				r.Retry = fmt.Sprintf(r.Retry, e.args...)
			}
		default:
			return nil, a.tokenError(d, err)
		}
	}
	return nil, fail(-5000, textPasswordEnterCanceled)
}

func isPINError(err error) bool {
	var wrong *token.PINError
	return errors.As(err, &wrong) && !errors.Is(err, token.ErrBlocked)
}

func openWith(ctx context.Context, d device, pin *secret.Secret) (session token.Session, err error) {
	pin.Use(func(text []byte) { session, err = d.Open(ctx, text) })
	return session, err
}

// tokenError is the refusal that an error of a token comes to.
func (a *Agent) tokenError(d device, err error) error {
	a.log.Info("a token refuses", "token", d.info.Name, "cause", err.Error())
	switch {
	case errors.Is(err, token.ErrBlocked):
		return fail(codeOther, textPINIsBlocked)
	case errors.Is(err, token.ErrPINLength):
		return d.lengthError()
	case errors.Is(err, token.ErrMissing):
		missing := textDeviceIsNotFound
		if r, ok := roles[d.info.Kind]; ok {
			missing = r.missing
		}
		return fail(codeOther, missing)
	case errors.Is(err, token.ErrEmpty):
		return fail(codeOther, textTokenIsEmpty)
	case errors.Is(err, token.ErrUnsupported):
		return fail(codeOther, textTokenCannot)
	case errors.Is(err, token.ErrKeyMismatch):
		return fail(-2021, textPublicKeyDoesNotMatchToPrivateKey)
	}
	return err
}

// tokenSigner opens the key of a token for one signature; done ends its use.
// content and why are as for openToken.
func (a *Agent) tokenSigner(ctx context.Context, c *call, id string, content *prompt.Content, why text, args ...any) (key *alg.PrivateKey, chain []*cert.Certificate, done func(), err error) {
	d, err := a.device(ctx, id)
	if err != nil {
		return nil, nil, nil, err
	}
	if _, err := d.Chain(ctx); err != nil { // before the person types for nothing
		return nil, nil, nil, a.tokenError(d, err)
	}
	session, err := a.openToken(ctx, c, d, content, why, args...)
	if err != nil {
		return nil, nil, nil, err
	}
	if key, chain, err = session.Key(ctx); err != nil {
		a.closeToken(d, session)
		return nil, nil, nil, a.tokenError(d, err)
	}
	c.noteKey(chain[0])
	c.note(slog.String("token", d.info.Name))
	return key, chain, func() { a.closeToken(d, session) }, nil
}

func (a *Agent) closeToken(d device, s token.Session) {
	if err := s.Close(); err != nil {
		a.log.Info("a token does not close", "token", d.info.Name, "cause", err.Error())
	}
}

// tokenRequest makes a key on a token, and a request for its certificate. The
// key that the token has stays in use until it is personalized.
func (a *Agent) tokenRequest(ctx context.Context, c *call, id string, t cert.RequestTemplate) (fields, error) {
	d, err := a.device(ctx, id)
	if err != nil {
		return nil, err
	}
	session, err := a.openToken(ctx, c, d, nil, questionNewKey)
	if err != nil {
		return nil, err
	}
	defer a.closeToken(d, session)
	key, err := session.GenerateKey(ctx, tokenKey)
	if err != nil {
		return nil, a.tokenError(d, err)
	}
	request, err := cert.CreateRequest(a.rand, t, key)
	if err != nil {
		return nil, err
	}
	c.note(slog.String("token", d.info.Name))
	return fields{"pkcs10_64": base64Text(request)}, nil
}

// tokenKey is the algorithm of keys on tokens: theirs are on curve C.
const tokenKey = "ozdst:C"

// personalize writes certificates and the PIN that the page gives. The person
// types the one before it.
func (a *Agent) personalize(ctx context.Context, c *call, k token.Kind) (fields, error) {
	all := a.devices(ctx, []token.Kind{k})
	if len(all) == 0 {
		return nil, fail(codeOther, roles[k].missing)
	}
	d := all[0]
	pin := secret.New([]byte(c.arg(0)))
	defer pin.Wipe()
	if !d.takesPIN(c.arg(0)) {
		return nil, d.lengthError()
	}
	chain, err := newChain(c.arg(1), c.arg(2), c.arg(3))
	if err != nil {
		return nil, err
	}
	session, err := a.openToken(ctx, c, d, nil, questionPersonalize)
	if err != nil {
		return nil, err
	}
	defer a.closeToken(d, session)
	pin.Use(func(text []byte) { err = session.Personalize(ctx, chain, text) })
	if err != nil {
		return nil, a.tokenError(d, err)
	}
	a.keys.ForgetPrefix(d.pinID())
	c.noteKey(chain[0])
	c.note(slog.String("token", d.info.Name))
	return fields{}, nil
}

func (d device) takesPIN(pin string) bool {
	if len(pin) < max(d.info.MinPIN, 1) || len(pin) > d.info.MaxPIN {
		return false
	}
	return !slices.ContainsFunc([]byte(pin), func(b byte) bool { return b < '0' || b > '9' })
}

// clearPINs forgets all PINs, for every page.
func clearPINs(_ context.Context, a *Agent, _ *call) (fields, error) {
	a.keys.ForgetPrefix(pinPrefix)
	return fields{}, nil
}

// getCPLC answers in message, as functions that return one text do: the field
// of the original is not known.
func getCPLC(ctx context.Context, a *Agent, c *call) (fields, error) {
	d, err := a.device(ctx, idIDCard)
	if err != nil {
		return nil, err
	}
	number, err := d.CPLC(ctx, []byte(c.arg(0)))
	if err != nil {
		return nil, a.tokenError(d, err)
	}
	return fields{"message": base64.StdEncoding.EncodeToString(number)}, nil
}
