package agent

import (
	"context"
	"encoding/hex"

	"imzo/gost/gost3410"
	"imzo/internal/eimzo/agent/prompt"
	"imzo/internal/eimzo/tunnel"
	"imzo/pki/alg"
	"imzo/pki/cert"
)

// cryptoauthPlugin signs and checks bare data, as 3.x to 5.x did. Only names
// and first arguments of its functions are known; the fields of its replies
// are named for what they hold.
func cryptoauthPlugin() plugin {
	data := argument{name: "data_64", about: "Данные в кодировке BASE64"}
	digest := argument{name: "digest_hex", about: "Хеш OZDST-1106-2009-2-A (HEX)"}
	signature := argument{name: "signature_hex", about: "Подпись (HEX)"}
	certificate := argument{name: "certificate_64", about: "Сертификат в кодировке BASE64"}
	return plugin{
		name: "cryptoauth", about: text{ru: "Плагин для подписи и проверки подписи данных"},
		functions: []function{
			{name: "get_digest_hex", about: text{ru: "Вычислить хеш данных"}, args: []argument{data}, legacy: true, run: func(_ context.Context, _ *Agent, c *call) (fields, error) {
				b, err := decode(c.arg(0))
				if err != nil {
					return nil, err
				}
				return fields{"digest_hex": hex.EncodeToString(alg.OZDST().Sum(b))}, nil
			}},
			{name: "get_signature", about: text{ru: "Подписать данные"}, args: []argument{data, argSigner}, legacy: true, run: func(ctx context.Context, a *Agent, c *call) (fields, error) {
				b, err := decode(c.arg(0))
				if err != nil {
					return nil, err
				}
				if tunnel.IsProof(b) {
					return nil, fail(codeOther, textReasonTunnelProof)
				}
				return a.signBare(ctx, c, c.arg(1), prompt.NewContent(b), alg.OZDST().Sum(b))
			}},
			{name: "get_digest_hex_signature", about: text{ru: "Подписать хеш данных"}, args: []argument{digest, argSigner}, legacy: true, run: func(ctx context.Context, a *Agent, c *call) (fields, error) {
				b, err := decodeDigest(c.arg(0))
				if err != nil {
					return nil, err
				}
				if !isToken(c.arg(1)) {
					if _, err := a.signingSession(c, c.arg(1)); err != nil {
						return nil, err
					}
				}
				// Nobody can show what a digest is of.
				if err := a.confirmAlways(ctx, c, questionDigest); err != nil {
					return nil, err
				}
				return a.signBare(ctx, c, c.arg(1), &prompt.Content{Digest: b, DigestName: alg.OZDST().Name, Size: -1}, b)
			}},
			{name: "verify_signature_with_id", about: text{ru: "Проверить подпись данных ключом по идентификатору"}, args: []argument{data, signature, argSigner}, legacy: true, run: func(ctx context.Context, a *Agent, c *call) (fields, error) {
				b, err := decode(c.arg(0))
				if err != nil {
					return nil, err
				}
				return a.verifyWithID(ctx, c, alg.OZDST().Sum(b), c.arg(1), c.arg(2))
			}},
			{name: "verify_digest_hex_signature_with_id", about: text{ru: "Проверить подпись хеша ключом по идентификатору"}, args: []argument{digest, signature, argSigner}, legacy: true, run: func(ctx context.Context, a *Agent, c *call) (fields, error) {
				b, err := decodeDigest(c.arg(0))
				if err != nil {
					return nil, err
				}
				return a.verifyWithID(ctx, c, b, c.arg(1), c.arg(2))
			}},
			{name: "verify_signature_with_certificate", about: text{ru: "Проверить подпись данных сертификатом"}, args: []argument{data, signature, certificate}, legacy: true, run: func(_ context.Context, _ *Agent, c *call) (fields, error) {
				b, err := decode(c.arg(0))
				if err != nil {
					return nil, err
				}
				return verifyBare(alg.OZDST().Sum(b), c.arg(1), c.arg(2))
			}},
			{name: "verify_digest_hex_signature_with_certificate", about: text{ru: "Проверить подпись хеша сертификатом"}, args: []argument{digest, signature, certificate}, legacy: true, run: func(_ context.Context, _ *Agent, c *call) (fields, error) {
				b, err := decodeDigest(c.arg(0))
				if err != nil {
					return nil, err
				}
				return verifyBare(b, c.arg(1), c.arg(2))
			}},
		},
	}
}

var questionDigest = text{
	ru: "Сайт %s просит подписать хеш, не показывая документ. Разрешить?",
	uz: "%s sayti hujjatni ko‘rsatmasdan xeshni imzolashni so‘ramoqda. Ruxsat berilsinmi?",
	en: "The site %s asks to sign a digest without showing the document. Allow?",
}

// signBare signs a digest as it is.
func (a *Agent) signBare(ctx context.Context, c *call, id string, content *prompt.Content, digest []byte) (fields, error) {
	key, chain, done, err := a.signer(ctx, c, id, content)
	if err != nil {
		return nil, err
	}
	defer done()
	if _, ok := key.PublicKey().Key.(*gost3410.PublicKey); !ok {
		return nil, fail(codeOther, textReasonKeyIsForeign)
	}
	signature, err := key.Sign(a.rand, digest, nil)
	if err != nil {
		return nil, err
	}
	return fields{"signature_hex": hex.EncodeToString(signature), "signer_serial_number": chain[0].SerialHex()}, nil
}

func (a *Agent) verifyWithID(ctx context.Context, c *call, digest []byte, signatureHex, id string) (fields, error) {
	signature, err := decodeHex(signatureHex)
	if err != nil {
		return nil, err
	}
	if isToken(id) {
		d, err := a.device(ctx, id)
		if err != nil {
			return nil, err
		}
		chain, err := d.Chain(ctx)
		if err != nil {
			return nil, a.tokenError(d, err)
		}
		return verifyDigest(digest, signature, chain[0])
	}
	s, err := a.signingSession(c, id)
	if err != nil {
		return nil, err
	}
	u, err := a.unlock(ctx, c, s, nil)
	if err != nil {
		return nil, err
	}
	defer u.Wipe()
	if len(u.Chain) == 0 {
		return nil, fail(codeOther, textReasonNoCertificate)
	}
	return verifyDigest(digest, signature, u.Chain[0])
}

func decodeDigest(s string) ([]byte, error) {
	b, err := decodeHex(s)
	if err != nil {
		return nil, err
	}
	if len(b) != alg.OZDST().Size {
		return nil, fail(codeOther, textReasonWrongDigest, alg.OZDST().Size, len(b))
	}
	return b, nil
}

func verifyBare(digest []byte, signatureHex, certificate64 string) (fields, error) {
	signature, err := decodeHex(signatureHex)
	if err != nil {
		return nil, err
	}
	c, err := parseCertificate(certificate64)
	if err != nil {
		return nil, err
	}
	return verifyDigest(digest, signature, c)
}

// verifyDigest succeeds when signature is the certificate's over digest.
func verifyDigest(digest, signature []byte, c *cert.Certificate) (fields, error) {
	key, ok := c.PublicKey.Key.(*gost3410.PublicKey)
	if !ok {
		return nil, fail(codeOther, textReasonCertificateKeyIsForeign)
	}
	if !key.Verify(digest, signature) {
		return nil, fail(codeOther, text{ru: "Подпись неверна", uz: "Imzo noto‘g‘ri", en: "The signature is not valid"})
	}
	return fields{}, nil
}
