package agent

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"

	"imzo/internal/eimzo/agent/keyring"
	"imzo/internal/eimzo/agent/prompt"
	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

func pkcs10Plugin() plugin {
	policies := argument{name: "cp_list", optional: true, about: "OIDы политик применения сертификатов разделенных запятой"}
	return plugin{
		name:  "pkcs10",
		about: text{ru: "Плагин для генерации ключевой пары и формирования запроса на сертификат формата PKCS#10", uz: "Kalit juftligini yaratish va PKCS#10 formatidagi sertifikat so‘rovini shakllantirish uchun plagin"},
		functions: []function{
			{name: "create_pkcs10_from_key", about: text{ru: "Формировать запрос на сертификат формата PKCS#10 из существующего ключа"}, args: []argument{
				{name: "id", about: "Идентификато ключа"},
				{name: "replacement_x500_name", optional: true, about: "Имя субъекта в формате X.500 или '' если нужно получить имя из сертификата по идентификатору ключа"},
				policies,
			}, run: createPKCS10FromKey},
			{name: "get_pkcs10_info", about: text{ru: "Получить информацию о запросе PKCS#10"}, args: []argument{{name: "pkcs10", about: "Сертификат в кодировке BASE64 или PEM"}}, run: getPKCS10Info},
			{name: "create_pkcs10", about: text{ru: "Формировать запрос на сертификат формата PKCS#10"}, args: []argument{
				{name: "id", about: "Идентификатор ключевой пары"}, {name: "subject_x500_name", about: "Имя субъекта в формате X.500"}, policies,
			}, run: createPKCS10},
			{name: "generate_keypair", about: text{ru: "Сгенерировать ключевую пару"}, args: []argument{
				{name: "alg_name", about: "Название алгоритма"},
				{name: "seed", optional: true, about: "Случайные данные для инициализации генератора случайных чисел"},
			}, run: generateKeyPair},
		},
	}
}

// parsePolicies reads OIDs between commas; none for "".
func parsePolicies(s string, trim bool) ([]ber.OID, error) {
	if s == "" {
		return nil, nil
	}
	var oids []ber.OID
	for part := range strings.SplitSeq(s, ",") {
		if trim {
			part = strings.TrimSpace(part)
		}
		oid, err := ber.ParseOID(part)
		if err != nil {
			return nil, fail(-2023, textInvalidCertificatePolicyOidPassed)
		}
		oids = append(oids, oid)
	}
	return oids, nil
}

// createPKCS10FromKey asks for a new certificate of a key that there is.
func createPKCS10FromKey(ctx context.Context, a *Agent, c *call) (fields, error) {
	policies, err := parsePolicies(c.arg(2), true)
	if err != nil {
		return nil, err
	}
	var subject cert.Name
	if c.arg(1) != "" {
		if subject, err = parseName(c.arg(1)); err != nil {
			return nil, err
		}
	}
	if isToken(c.arg(0)) {
		return nil, fail(-1015, textKeyIdIsNotSupported)
	}
	s, err := a.signingSession(c, c.arg(0))
	if err != nil {
		return nil, err
	}
	u, err := a.unlock(ctx, c, s, nil)
	if err != nil {
		return nil, err
	}
	defer u.Wipe()
	if subject.Raw == nil {
		if len(u.Chain) == 0 {
			return nil, fail(codeOther, textReasonNoSubject)
		}
		subject = u.Chain[0].Subject
	}
	request, err := cert.CreateRequest(a.rand, cert.RequestTemplate{Subject: subject, Policies: policies}, u.Key)
	if err != nil {
		return nil, err
	}
	return fields{"pkcs10_64": base64Text(request)}, nil
}

// createPKCS10 asks for the first certificate of a new key. Unlike above, the
// original takes no spaces between OIDs here.
func createPKCS10(ctx context.Context, a *Agent, c *call) (fields, error) {
	policies, err := parsePolicies(c.arg(2), false)
	if err != nil {
		return nil, err
	}
	if isToken(c.arg(0)) {
		subject, err := parseName(c.arg(1))
		if err != nil {
			return nil, err
		}
		return a.tokenRequest(ctx, c, c.arg(0), cert.RequestTemplate{Subject: subject, Policies: policies})
	}
	if _, err := a.session(c, c.arg(0), fail(-1011, textKeyPairByIdIsNotFound), fail(-1016, textKeyIdDoesNotMatch), keyring.TypeKeyPair); err != nil {
		return nil, err
	}
	s, done, ok := a.keyPair(c, c.arg(0))
	if !ok { // since we looked
		return nil, fail(-1011, textKeyPairByIdIsNotFound)
	}
	defer done()
	subject, err := parseName(c.arg(1))
	if err != nil {
		return nil, err
	}
	request, err := cert.CreateRequest(a.rand, cert.RequestTemplate{Subject: subject, Policies: policies}, s.Key)
	if err != nil {
		return nil, err
	}
	return fields{"pkcs10_64": base64Text(request)}, nil
}

type requestInfo struct {
	SubjectName string        `json:"subjectName"`
	PublicKey   publicKeyInfo `json:"publicKey"`
	Signature   signatureInfo `json:"signature"`
	Verified    bool          `json:"verified"`
}

func getPKCS10Info(_ context.Context, _ *Agent, c *call) (fields, error) {
	unreadable := fail(-1028, textFailedToOpenPkcs10)
	if len(c.arg(0)) > maxCertificate {
		return nil, unreadable
	}
	r, err := cert.ParseRequest([]byte(c.arg(0)))
	if err != nil {
		return nil, unreadable
	}
	return fields{
		"pkcs10_info": requestInfo{
			SubjectName: r.Subject.String(),
			PublicKey:   publicKeyOf(r.PublicKey),
			Signature:   signatureInfo{alg.SignatureName(r.SignatureAlgorithm.OID), hex.EncodeToString(r.Signature)},
			Verified:    r.CheckSignature() == nil,
		},
		"pkcs10_64": base64Text(r.Raw),
	}, nil
}

// The algorithms of new keys.
const (
	nameOZDST = "OZDST-1092-2009-2"
	nameOZMST = "OZMST-286-2024-2"
)

var questionAlgorithm = text{
	ru: "Выбранный алгоритм " + nameOZDST + " устарел, создать ключ ЭЦП с новым алгоритмом " + nameOZMST + "?",
	uz: "Tanlangan " + nameOZDST + " algoritmi eskirgan, ERI kaliti yangi " + nameOZMST + " algoritmi bilan yaratilsinmi?",
	en: "The algorithm " + nameOZDST + " is out of date. Make the key with the new one, " + nameOZMST + "?",
}

// newKey makes a key of the algorithm that a page names, or of the new one
// where the person prefers it. Where nobody can be asked it is the page's. A
// seed is not used: the system has random numbers, and a page's are no secret.
func (a *Agent) newKey(ctx context.Context, c *call, name string) (*alg.PrivateKey, error) {
	spec := ""
	switch strings.ToUpper(strings.TrimSpace(name)) {
	case nameOZMST:
		spec = "ozmst:A"
	case nameOZDST:
		spec = "ozdst:A"
		r := a.question(c, prompt.KindConfirm)
		r.Question = questionAlgorithm.in(c.language)
		answer, err := a.prompter.Ask(ctx, r)
		switch {
		case errors.Is(err, prompt.ErrUnavailable):
		case err != nil:
			return nil, fail(-5001, textOperationCanceled)
		case answer.Allowed:
			spec = "ozmst:A"
		}
	default:
		return nil, fail(codeOther, text{ru: "Неподдерживаемый алгоритм", uz: "Qo‘llab-quvvatlanmaydigan algoritm", en: "Unsupported algorithm"})
	}
	return alg.GenerateKey(spec, a.rand)
}

func generateKeyPair(ctx context.Context, a *Agent, c *call) (fields, error) {
	key, err := a.newKey(ctx, c, c.arg(0))
	if err != nil {
		return nil, err
	}
	id := a.keys.Add(keyring.Session{Type: keyring.TypeKeyPair, Origin: c.Origin, Key: key})
	return fields{"kpId": id, "type": string(keyring.TypeKeyPair)}, nil
}
