package agent

import (
	"context"
	"encoding/hex"

	"imzo/internal/eimzo/agent/keyring"
	"imzo/internal/eimzo/agent/prompt"
	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/cms"
)

var argSigner = argument{name: "id", about: "Идентификатор ключа подписывающего лица (полученный из фукнции других плагинов)"}

func pkcs7Plugin() plugin {
	return plugin{
		name:  "pkcs7",
		about: text{ru: "Плагин для работы с форматом PKCS#7/CMS", uz: "PKCS#7/CMS formati bilan ishlash uchun plagin"},
		functions: []function{{
			name: "create_pkcs7", about: text{ru: "Создать PKCS#7/CMS документ подписав ключем задаваемым идентификатором"},
			args: []argument{
				{name: "data_64", about: "Данные в кодировке BASE64 (будут предваритьльно декодированы, подписаны и вложены в документ)"},
				argSigner,
				{name: "detached", optional: true, about: "Возможные значения: 'yes' - будет создан PKCS#7/CMS документ без вложения исходных данных, 'no' или '' - будет создан PKCS#7/CMS документ с вложением исходных данных"},
			},
			run: createPKCS7,
		}},
	}
}

// createPKCS7 signs. Only "yes" makes a detached document.
func createPKCS7(ctx context.Context, a *Agent, c *call) (fields, error) {
	data, err := decode(c.arg(0))
	if err != nil {
		return nil, err
	}
	detached := c.arg(2) == "yes"
	content := prompt.NewContent(data)
	content.Detached = detached
	key, chain, done, err := a.signer(ctx, c, c.arg(1), content)
	if err != nil {
		return nil, err
	}
	defer done()
	document, err := cms.Sign(data, []cms.Signer{{Key: key, Chain: chain, SigningTime: a.signingTime()}}, cms.Options{Detached: detached, Rand: a.rand})
	if err != nil {
		return nil, err
	}
	return signedReply(document, chain[0])
}

// signer opens the key of an id for one signature; done ends its use.
func (a *Agent) signer(ctx context.Context, c *call, id string, content *prompt.Content) (key *alg.PrivateKey, chain []*cert.Certificate, done func(), err error) {
	if isToken(id) {
		key, chain, done, err := a.tokenSigner(ctx, c, id, content, text{})
		if err == nil {
			c.noteContent(content)
		}
		return key, chain, done, err
	}
	s, err := a.signingSession(c, id)
	if err != nil {
		return nil, nil, nil, err
	}
	u, err := a.unlock(ctx, c, s, content)
	if err != nil {
		return nil, nil, nil, err
	}
	if len(u.Chain) == 0 {
		u.Wipe()
		return nil, nil, nil, fail(codeOther, textReasonNoCertificate)
	}
	c.noteKey(u.Chain[0])
	c.noteContent(content)
	return u.Key, u.Chain, u.Wipe, nil
}

// signingSession is that of a key that can sign.
func (a *Agent) signingSession(c *call, id string) (keyring.Session, error) {
	return a.session(c, id, fail(-1010, textKeyIdIsNotFound), fail(-1015, textKeyIdIsNotSupported), keyFiles...)
}

// signedReply is the reply of functions that sign: the document, and of the
// signature by c its number and value.
func signedReply(document []byte, c *cert.Certificate) (fields, error) {
	sd, err := cms.Parse(document)
	if err != nil {
		return nil, err
	}
	for i := len(sd.SignerInfos) - 1; i >= 0; i-- {
		if si := sd.SignerInfos[i]; si.SID.Matches(c) {
			return fields{
				"pkcs7_64":             base64Text(document),
				"signer_serial_number": c.SerialHex(),
				"signature_hex":        hex.EncodeToString(si.Signature),
			}, nil
		}
	}
	return nil, fail(codeOther, textReasonNoOwnSignature)
}
