package agent

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"imzo/gost/gost3410"
	"imzo/internal/eimzo/agent/prompt"
	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/token"
)

// card is a token in memory.
type card struct {
	info    token.Info
	pin     string
	key     *alg.PrivateKey
	pending *alg.PrivateKey
	chain   []*cert.Certificate
	opened  int
	closed  int
	gone    bool
}

func (c *card) Info(context.Context) (token.Info, error) {
	c.info.Personalized = len(c.chain) > 0
	if c.gone {
		return token.Info{}, token.ErrMissing
	}
	return c.info, nil
}

func (c *card) Chain(context.Context) ([]*cert.Certificate, error) {
	if len(c.chain) == 0 {
		return nil, token.ErrEmpty
	}
	return c.chain, nil
}

func (c *card) Open(_ context.Context, pin []byte) (token.Session, error) {
	switch {
	case len(pin) == 0 || len(pin) > c.info.MaxPIN:
		return nil, token.ErrPINLength
	case c.info.TriesLeft == 0:
		return nil, token.ErrBlocked
	case string(pin) != c.pin:
		c.info.TriesLeft--
		return nil, &token.PINError{TriesLeft: c.info.TriesLeft}
	}
	c.info.TriesLeft = 3
	c.opened++
	return cardSession{c}, nil
}

func (c *card) CPLC(_ context.Context, nonce []byte) ([]byte, error) {
	if c.info.Serial == "" {
		return nil, token.ErrUnsupported
	}
	return append([]byte("number "), nonce...), nil
}

type cardSession struct{ *card }

func (s cardSession) Key(context.Context) (*alg.PrivateKey, []*cert.Certificate, error) {
	if s.key == nil {
		return nil, nil, token.ErrEmpty
	}
	return s.key, s.chain, nil
}

func (s cardSession) GenerateKey(_ context.Context, parameters string) (*alg.PrivateKey, error) {
	var err error
	s.pending, err = alg.GenerateKey(parameters, nil)
	return s.pending, err
}

func (s cardSession) Personalize(_ context.Context, chain []*cert.Certificate, newPIN []byte) error {
	if s.pending == nil || !s.pending.PublicKey().SameKey(chain[0].PublicKey) {
		return token.ErrKeyMismatch
	}
	s.key, s.chain, s.pending, s.pin = s.pending, chain, nil, string(newPIN)
	return nil
}

func (s cardSession) ChangePIN(context.Context, []byte) error { return nil }

func (s cardSession) Close() error { s.closed++; return nil }

type slot []*card

func (s slot) Tokens(context.Context) ([]token.Token, error) {
	var all []token.Token
	for _, c := range s {
		all = append(all, c)
	}
	return all, nil
}

// newCards makes a desk with an empty ID card and a BAIK token that has a key.
func newCards(t *testing.T, options ...func(*Options)) (d *desk, id, baik *card) {
	t.Helper()
	id = &card{info: token.Info{Kind: token.KindIDCard, Name: "Reader 0", Serial: "0A0B", MinPIN: 1, MaxPIN: 8, TriesLeft: 3}, pin: "111111"}
	baik = &card{info: token.Info{Kind: token.KindBAIK, Name: "BAIK 1", MinPIN: 1, MaxPIN: 8, TriesLeft: 3}, pin: "71829"}
	d = newDesk(t, append(options, func(o *Options) { o.Tokens = token.NewSet(nil, slot{baik, id}) })...)
	baik.key, baik.chain = d.user.Key, d.user.Chain
	return d, id, baik
}

func TestTokensAreListed(t *testing.T) {
	d, id, _ := newCards(t)
	for _, c := range []struct {
		plugin, name, field string
		want                []any
	}{
		{"idcard", "list_readers", "readers", []any{"Reader 0"}},
		{"baikey", "list_tokens", "tokens", []any{"BAIK 1"}},
		{"uzgrd", "list_tokens", "tokens", []any{}},
		{"ckc", "list_ckc", "devices", []any{"Reader 0", "BAIK 1"}},
		{"ckc", "supported_ckc", "list", []any{"idcard", "baikey", "uzgrd"}},
	} {
		wantFields(t, callFunction(t, d.agent, c.plugin, c.name), map[string]any{"success": true, c.field: c.want})
	}
	wantFields(t, callFunction(t, d.agent, "idcard", "get_encrypted_signed_cplc", "n1"), map[string]any{"success": true, "message": b64([]byte("number n1"))})
	id.info.Serial = ""
	d.refused(t, site, "idcard", "get_encrypted_signed_cplc", -9999, "Устройство не поддерживает эту операцию", "n1")
	id.gone = true
	d.refused(t, site, "idcard", "get_encrypted_signed_cplc", -9999, "Считыватель не найден. Обновите список.", "n1")
	wantFields(t, callFunction(t, d.agent, "idcard", "list_readers"), map[string]any{"readers": []any{}})
}

func TestWithoutTokensTheListsAreEmpty(t *testing.T) {
	d := newDesk(t)
	wantFields(t, callFunction(t, d.agent, "idcard", "list_readers"), map[string]any{"success": true, "readers": []any{}})
	for id, reason := range map[string]string{"idcard": "Считыватель не найден. Обновите список.", "baikey": "USB-токен не найден", "ckc": "Устройство не найдено"} {
		d.refused(t, site, "pkcs7", "create_pkcs7", -9999, reason, "AAAA", id)
		d.refused(t, site, "x509", "get_certificate_chain", -9999, reason, id)
		d.refused(t, site, "pkcs10", "create_pkcs10", -9999, reason, id, "CN=A")
		d.refused(t, site, "pkcs10", "create_pkcs10_from_key", -1015, "Несоответствующий ключу идентификатор", id)
		d.refused(t, site, "cryptoauth", "verify_signature_with_id", -9999, reason, "AAAA", "00", id)
	}
	for plugin, reason := range map[string]string{"idcard": "Считыватель не найден. Обновите список.", "baikey": "USB-токен не найден", "uzgrd": "USB-токен не найден"} {
		d.refused(t, site, plugin, "personalize", -9999, reason, "1", "AA==", "AA==", "AA==")
		wantFields(t, callFunction(t, d.agent, plugin, "clear_saved_pin_codes"), map[string]any{"success": true})
	}
}

func TestATokenSignsWithItsPIN(t *testing.T) {
	d, _, baik := newCards(t)
	data := b64([]byte("some document"))
	want := []any{}
	for _, c := range d.user.Chain {
		want = append(want, b64(c.Raw))
	}
	d.types("71829")
	wantFields(t, callFunction(t, d.agent, "x509", "get_certificate_chain", "ckc"), map[string]any{"success": true, "certificates": want})
	if q := d.person.asked[0].Question; !strings.Contains(q, "подписывать") {
		t.Errorf("nobody is told that the page may sign now: %q", q)
	}

	wantFields(t, callFunction(t, d.agent, "ckc", "clear_saved_pin_codes"), map[string]any{"success": true})

	// "ckc" takes the token that can sign.
	for _, id := range []string{"ckc", "baikey"} {
		d.types("71829")
		if id == "baikey" {
			d.types() // remembered
		}
		reply := callFunction(t, d.agent, "pkcs7", "create_pkcs7", data, id)
		wantFields(t, reply, map[string]any{"success": true, "signer_serial_number": d.user.Cert.SerialHex()})
		document := octets(t, reply, "pkcs7_64")
		sd, err := cms.Parse(document)
		if err != nil {
			t.Fatal(err)
		}
		if err := sd.Verify(sd.SignerInfos[0], d.user.Cert, nil); err != nil {
			t.Error(err)
		}
		if id == "ckc" {
			asked := d.person.asked[0]
			if asked.Kind != prompt.KindPIN || asked.Key.Owner != "IVANOV IVAN IVANOVICH" || asked.Key.File != "BAIK 1" || asked.Content.Preview != "some document" || !asked.Remember {
				t.Errorf("%+v %+v", asked, asked.Key)
			}
		}
	}
	wantFields(t, callFunction(t, d.agent, "ckc", "clear_saved_pin_codes"), map[string]any{"success": true})
	d.types("cancel")
	d.refused(t, site, "pkcs7", "create_pkcs7", -5000, cancelled, data, "baikey")
	d.types("123456789", "1", "71829")
	wantFields(t, callFunction(t, d.agent, "pkcs7", "create_pkcs7", data, "baikey"), map[string]any{"success": true})
	if d.person.asked[1].Retry != "PIN-код BAIK-Token должен состоять из цифр длинной от 1 до 8 (включительно)" || d.person.asked[2].Retry != "PIN-код неправильный.\nОсталось 2 попыток." {
		t.Errorf("%+v", d.person.asked)
	}
	// A PIN that has changed is asked for, and tried once only.
	baik.pin = "33"
	d.types("4", "5")
	d.refused(t, site, "pkcs7", "create_pkcs7", -9999, "PIN-код заблокирован.", data, "baikey")
	if baik.opened != baik.closed || baik.info.TriesLeft != 0 {
		t.Errorf("opened %d, closed %d, %d tries", baik.opened, baik.closed, baik.info.TriesLeft)
	}
	for _, never := range []string{"71829", "123456789"} {
		if strings.Contains(d.audited.String(), never) {
			t.Errorf("the audit log has a PIN: %s", d.audited)
		}
	}
	if !strings.Contains(d.audited.String(), "token=BAIK 1") {
		t.Error(d.audited)
	}
	d.refused(t, site, "pkcs7", "create_pkcs7", -9999, "На устройстве нет сертификатов", data, "idcard")
}

func TestAPINIsRememberedForItsPageAlone(t *testing.T) {
	d, _, _ := newCards(t)
	d.types("71829")
	wantFields(t, callFunction(t, d.agent, "pkcs7", "create_pkcs7", "AAAA", "baikey"), map[string]any{"success": true})
	d.types("cancel")
	d.refused(t, Caller{"https://other.uz", "other.uz"}, "pkcs7", "create_pkcs7", -5000, cancelled, "AAAA", "baikey")
	if len(d.person.asked) != 1 {
		t.Error("another page signs with the PIN")
	}
}

func TestACardIsPersonalized(t *testing.T) {
	d, id, _ := newCards(t)
	d.types("111111")
	reply := callFunction(t, d.agent, "pkcs10", "create_pkcs10", "idcard", "CN=CARD OWNER,C=UZ", "1.2.3")
	wantFields(t, reply, map[string]any{"success": true})
	if asked := d.person.asked[0]; asked.Question != "Сайт example.uz создаёт на устройстве новую ключевую пару." || asked.Remember {
		t.Errorf("%+v", asked)
	}
	r, err := cert.ParseRequest(octets(t, reply, "pkcs10_64"))
	if err != nil || r.CheckSignature() != nil || r.Subject.String() != "CN=CARD OWNER,C=UZ" {
		t.Fatalf("%v %+v", err, r)
	}
	// Curve C, as on real cards.
	if key, ok := r.PublicKey.Key.(*gost3410.PublicKey); !ok || key.Curve() != gost3410.CryptoProC() {
		t.Errorf("%v", r.PublicKey.Name())
	}
	made := d.certify(t, r.Raw)
	args := []string{"4321"}
	for _, c := range made.Chain {
		args = append(args, b64(c.Raw))
	}
	for _, pin := range []string{"", "123456789", "12a", "١"} {
		d.types()
		d.refused(t, site, "idcard", "personalize", -1019, "PIN-код ID-карты должен состоять из цифр длинной от 1 до 8 (включительно)", slices.Concat([]string{pin}, args[1:])...)
	}
	d.types("111111")
	other := d.PKI.User(t, testpki.Person)
	d.refused(t, site, "idcard", "personalize", -2021, "Открытый ключ сертификата не подходит для закрытого ключа.", "1", b64(other.Chain[0].Raw), b64(other.Chain[1].Raw), b64(other.Chain[2].Raw))
	d.types("111111")
	wantFields(t, callFunction(t, d.agent, "idcard", "personalize", args...), map[string]any{"success": true})
	if id.pin != "4321" {
		t.Error(id.pin)
	}
	// The old PIN is forgotten.
	d.types("4321")
	wantFields(t, callFunction(t, d.agent, "pkcs7", "create_pkcs7", "AAAA", "idcard"), map[string]any{"success": true, "signer_serial_number": made.Cert.SerialHex()})
	if len(d.person.asked) != 1 {
		t.Error(fmt.Sprint(len(d.person.asked)))
	}
	wantFields(t, callFunction(t, d.agent, "uzgrd", "list_tokens"), map[string]any{"tokens": []any{}})
}
