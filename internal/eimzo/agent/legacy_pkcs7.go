package agent

import (
	"context"

	"imzo/internal/eimzo/agent/prompt"
	"imzo/internal/eimzo/pkcs7info"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/tsp"
	"imzo/verify"
)

// legacyPKCS7 are the functions of pkcs7 that 6.x has no more: those that show
// and check documents and put timestamps into them.
func legacyPKCS7() plugin {
	data := argument{name: "data_64", about: "Данные в кодировке BASE64"}
	document := argument{name: "pkcs7_64", about: "Документ PKCS#7 в кодировке BASE64"}
	tsid := argument{name: "truststore_id", about: "Идентификатор хранилища доверенных сертификатов (полученный из фукнции других плагинов), если требуется верификация сертификатов, иначе может быть пустым"}
	requester := argument{name: "requester_id", optional: true, about: "Идентификатор ключа запрашивающего"}
	crlID := argument{name: "crl_id", about: "Идентификатор списка отозванных сертификатов"}
	info := func(ctx context.Context, a *Agent, c *call, data, document, tsid string) (fields, error) {
		r, err := a.examine(ctx, c, data, document, tsid, verify.Options{SkipRevocation: true})
		if err != nil {
			return nil, err
		}
		return fields{"pkcs7Info": pkcs7info.Renderer{Location: a.location}.Report(r)}, nil
	}
	check := func(ctx context.Context, a *Agent, c *call, data, document, tsid string, source verify.RevocationSource) (fields, error) {
		if tsid == "" {
			return nil, fail(codeOther, textReasonNeedsTrustStore)
		}
		r, err := a.examine(ctx, c, data, document, tsid, verify.Options{Revocation: source}) // without one nothing is valid
		if err != nil {
			return nil, err
		}
		view := pkcs7info.Renderer{Location: a.location}.Report(r)
		if r.Indication != verify.TotalPassed {
			return nil, fail(codeOther, text{ru: "Документ недействителен: %s", uz: "Hujjat haqiqiy emas: %s", en: "The document is not valid: %s"}, whyNot(r))
		}
		return fields{"pkcs7Info": view}, nil
	}
	return plugin{
		name: "pkcs7", about: text{ru: "Плагин для работы с форматом PKCS#7/CMS", uz: "PKCS#7/CMS formati bilan ishlash uchun plagin"},
		functions: []function{
			{name: "append_pkcs7_attached", about: text{ru: "Добавить подпись в документ PKCS#7 с вложенными данными"}, args: []argument{document, argSigner}, legacy: true, run: func(ctx context.Context, a *Agent, c *call) (fields, error) {
				return a.appendSigner(ctx, c, nil, c.arg(0), c.arg(1))
			}},
			{name: "append_pkcs7_detached", about: text{ru: "Добавить подпись в документ PKCS#7 без вложенных данных"}, args: []argument{data, document, argSigner}, legacy: true, run: func(ctx context.Context, a *Agent, c *call) (fields, error) {
				b, err := decode(c.arg(0))
				if err != nil {
					return nil, err
				}
				return a.appendSigner(ctx, c, append([]byte{}, b...), c.arg(1), c.arg(2))
			}},
			{name: "attach_timestamp_token_pkcs7", about: text{ru: "Вложить штамп времени в документ PKCS#7"}, args: []argument{document, {name: "signer_serial_number", about: "Серийный номер сертификата подписавшего (HEX)"}, {name: "timestamp_token_64", about: "Штамп времени в кодировке BASE64"}}, legacy: true, run: attachTimestamp},
			{name: "get_pkcs7_attached_info", about: text{ru: "Получить информацию о документе PKCS#7 с вложенными данными"}, args: []argument{document, tsid}, legacy: true, run: func(ctx context.Context, a *Agent, c *call) (fields, error) {
				return info(ctx, a, c, "", c.arg(0), c.arg(1))
			}},
			{name: "get_pkcs7_detached_info", about: text{ru: "Получить информацию о документе PKCS#7 без вложенных данных"}, args: []argument{data, document, tsid}, legacy: true, run: func(ctx context.Context, a *Agent, c *call) (fields, error) {
				return info(ctx, a, c, c.arg(0), c.arg(1), c.arg(2))
			}},
			{name: "verify_pkcs7_attached", about: text{ru: "Проверить документ PKCS#7 с вложенными данными"}, args: []argument{document, tsid, requester}, legacy: true, run: func(ctx context.Context, a *Agent, c *call) (fields, error) {
				return check(ctx, a, c, "", c.arg(0), c.arg(1), a.options.Revocation)
			}},
			{name: "verify_pkcs7_detached", about: text{ru: "Проверить документ PKCS#7 без вложенных данных"}, args: []argument{data, document, tsid, requester}, legacy: true, run: func(ctx context.Context, a *Agent, c *call) (fields, error) {
				return check(ctx, a, c, c.arg(0), c.arg(1), c.arg(2), a.options.Revocation)
			}},
			{name: "verify_pkcs7_attached_crl", about: text{ru: "Проверить документ PKCS#7 с вложенными данными по списку отозванных сертификатов"}, args: []argument{document, tsid, crlID}, legacy: true, run: func(ctx context.Context, a *Agent, c *call) (fields, error) {
				l, err := a.list(c, c.arg(2))
				if err != nil {
					return nil, err
				}
				return check(ctx, a, c, "", c.arg(0), c.arg(1), listSource{l, a})
			}},
			{name: "verify_pkcs7_detached_crl", about: text{ru: "Проверить документ PKCS#7 без вложенных данных по списку отозванных сертификатов"}, args: []argument{data, document, tsid, crlID}, legacy: true, run: func(ctx context.Context, a *Agent, c *call) (fields, error) {
				l, err := a.list(c, c.arg(3))
				if err != nil {
					return nil, err
				}
				return check(ctx, a, c, c.arg(0), c.arg(1), c.arg(2), listSource{l, a})
			}},
		},
	}
}

// appendSigner adds a signature to a document. The others in it must be over
// the same content: the person signs what is shown and nothing else.
func (a *Agent) appendSigner(ctx context.Context, c *call, data []byte, document64, id string) (fields, error) {
	document, err := decode(document64)
	if err != nil {
		return nil, err
	}
	sd, err := cms.Parse(document)
	if err != nil {
		return nil, fail(codeOther, text{ru: "Документ не является документом PKCS#7", uz: "Hujjat PKCS#7 hujjati emas", en: "This is no PKCS#7 document"})
	}
	if sd.Detached() != (data != nil) {
		return nil, fail(codeOther, textReasonWrongDocumentKind)
	}
	signed := data
	if data == nil {
		signed = sd.Content()
	}
	content := prompt.NewContent(signed)
	content.Detached = data != nil
	key, chain, done, err := a.signer(ctx, c, id, content)
	if err != nil {
		return nil, err
	}
	defer done()
	added, err := sd.AddSigner(data, cms.Signer{Key: key, Chain: chain, SigningTime: a.signingTime()}, a.rand)
	if err != nil {
		a.log.Info("no signature can be added", "error", err.Error())
		return nil, fail(codeOther, textReasonCannotAddSignature)
	}
	return signedReply(added, chain[0])
}

// examine reports on a document: with the anchors of a trust store, or on its
// signatures alone. What o says of revocation holds.
func (a *Agent) examine(ctx context.Context, c *call, data64, document64, tsid string, o verify.Options) (*verify.Report, error) {
	anchors, err := a.anchors(c, tsid)
	if err != nil {
		return nil, err
	}
	o.Anchors, o.NoAnchors, o.Now = anchors, anchors.Len() == 0, a.now
	document, err := decode(document64)
	if err != nil {
		return nil, err
	}
	var data []byte
	if data64 != "" || c.function.args[0].name == "data_64" {
		if data, err = decode(data64); err != nil {
			return nil, err
		}
		if data == nil {
			data = []byte{}
		}
	}
	r, err := verify.Document(ctx, document, data, o)
	if err != nil {
		return nil, err
	}
	if r.Format != nil {
		return nil, fail(codeOther, text{ru: "Документ не является документом PKCS#7", uz: "Hujjat PKCS#7 hujjati emas", en: "This is no PKCS#7 document"})
	}
	return r, nil
}

// whyNot names the first check that a document failed.
func whyNot(r *verify.Report) string {
	for _, s := range r.Signers {
		if c, failed := s.FirstFailure(); failed {
			return pkcs7info.Exception(verify.Check{Name: c.Name, SubIndication: c.SubIndication})
		}
		if s.TimeStamp != nil {
			if c, failed := s.TimeStamp.FirstFailure(); failed {
				return "timestamp " + pkcs7info.Exception(verify.Check{Name: c.Name, SubIndication: c.SubIndication})
			}
		}
	}
	return string(r.Indication)
}

// attachTimestamp puts a token into the document. It must be about the
// signature it is put beside: what is wrong would only show at the server.
func attachTimestamp(_ context.Context, _ *Agent, c *call) (fields, error) {
	document, err := decode(c.arg(0))
	if err != nil {
		return nil, err
	}
	sd, err := cms.Parse(document)
	if err != nil {
		return nil, fail(codeOther, text{ru: "Документ не является документом PKCS#7", uz: "Hujjat PKCS#7 hujjati emas", en: "This is no PKCS#7 document"})
	}
	raw, err := decode(c.arg(2))
	if err != nil {
		return nil, err
	}
	token, err := tsp.ParseToken(raw)
	if err != nil {
		return nil, fail(codeOther, textReasonNotTimeStampToken)
	}
	for i, si := range sd.SignerInfos {
		if !signedBy(sd, si, c.arg(1)) {
			continue
		}
		if err := token.CheckImprint(si.Signature); err != nil {
			return nil, fail(codeOther, textReasonForeignTimeStamp)
		}
		stamped, err := sd.AddUnsignedAttribute(i, cms.NewAttribute(cms.OIDTimeStampToken, token.Raw))
		if err != nil {
			return nil, fail(codeOther, textReasonCannotAddTimeStamp)
		}
		return fields{"pkcs7_64": base64Text(stamped), "signer_serial_number": c.arg(1)}, nil
	}
	return nil, fail(codeOther, textReasonNoSuchSigner)
}

// signedBy tells whether the signer's certificate has the serial number, in
// hexadecimal digits of either case.
func signedBy(sd *cms.SignedData, si *cms.SignerInfo, serial string) bool {
	for _, c := range sd.SignerCertificates(si) {
		if sameSerial(c, serial) {
			return true
		}
	}
	return si.SID.Serial != nil && equalHex(si.SID.Serial.Text(16), serial)
}

func sameSerial(c *cert.Certificate, serial string) bool { return equalHex(c.SerialHex(), serial) }
