package agent

import (
	"context"

	"imzo/pki/cert"
)

func x509Plugin() plugin {
	return plugin{
		name:  "x509",
		about: text{ru: "Плагин для работы с сертификатами X.509", uz: "X.509 sertifikatlari bilan ishlash uchun plagin"},
		functions: []function{
			{
				name: "get_certificate_chain", about: text{ru: "Получить цепочку сертификатов в кодировке BASE64 по идентификатору ключа"},
				args: []argument{{name: "certId", about: "Идентификатор ключа"}}, run: getCertificateChain,
			},
			{
				name: "get_certificate_info", about: text{ru: "Получить информацию о сертификате"},
				args: []argument{{name: "certificate_64", about: "Сертификат в кодировке BASE64"}}, run: getCertificateInfo,
			},
			{
				name: "verify_certificate", about: text{ru: "Верификация подписи сертификата субъектка сертификатом издателя"},
				args: []argument{
					{name: "subject_certificate_64", about: "Сертификат субъекта в кодировке BASE64"},
					{name: "issuer_certificate_64", about: "Сертификат издателя в кодировке BASE64"},
				}, run: verifyCertificate,
			},
		},
	}
}

// getCertificateChain asks for the password or the PIN, also where a token would
// show its certificates without: they tell who the person is.
func getCertificateChain(ctx context.Context, a *Agent, c *call) (fields, error) {
	if isToken(c.arg(0)) {
		d, err := a.device(ctx, c.arg(0))
		if err != nil {
			return nil, err
		}
		certificates, err := d.Chain(ctx)
		if err != nil {
			return nil, a.tokenError(d, err)
		}
		session, err := a.openToken(ctx, c, d, nil, text{})
		if err != nil {
			return nil, err
		}
		a.closeToken(d, session)
		return chainReply(certificates), nil
	}
	s, err := a.session(c, c.arg(0), fail(-1010, textKeyIdIsNotFound), fail(-1018, textKeyIdIsNotSupportedForCertificate), keyFiles...)
	if err != nil {
		return nil, err
	}
	u, err := a.unlock(ctx, c, s, nil)
	if err != nil {
		return nil, err
	}
	defer u.Wipe()
	return chainReply(u.Chain), nil
}

func chainReply(certificates []*cert.Certificate) fields {
	chain := []string{}
	for _, certificate := range certificates {
		chain = append(chain, base64Text(certificate.Raw))
	}
	return fields{"certificates": chain}
}

func getCertificateInfo(_ context.Context, a *Agent, c *call) (fields, error) {
	certificate, err := parseCertificate(c.arg(0))
	if err != nil {
		return nil, err
	}
	return fields{"certificate_info": a.certificateInfo(certificate)}, nil
}

// verifyCertificate looks at the signature alone, as its name says.
func verifyCertificate(_ context.Context, a *Agent, c *call) (fields, error) {
	subject, err := parseCertificate(c.arg(0))
	if err != nil {
		return nil, err
	}
	issuer, err := parseCertificate(c.arg(1))
	if err != nil {
		return nil, err
	}
	if err := subject.CheckSignatureFrom(issuer); err != nil {
		a.log.Debug("a certificate is not its issuer's", "error", err.Error())
		return nil, fail(codeOther, text{
			ru: "Сертификат субъекта не подписан этим издателем",
			uz: "Subyekt sertifikati bu nashriyotchi tomonidan imzolanmagan",
			en: "The certificate of the subject is not signed by this issuer",
		})
	}
	return fields{}, nil
}
