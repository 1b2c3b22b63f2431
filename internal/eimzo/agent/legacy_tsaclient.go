package agent

import (
	"context"
	"encoding/hex"

	"imzo/pki/alg"
	"imzo/pki/tsp"
)

// tsaclientPlugin makes timestamp requests (RFC 3161) and, where the agent has
// a client for it, gets tokens, as 3.x to 5.x did.
func tsaclientPlugin() plugin {
	signature := argument{name: "signature_hex", about: "Подпись (HEX)"}
	data := argument{name: "data_64", about: "Данные в кодировке BASE64"}
	url := argument{name: "tsa_url", about: "Адрес службы штампов времени"}
	return plugin{
		name: "tsaclient", about: text{ru: "Плагин для работы со службой штампов времени"},
		functions: []function{
			requestForSignature(signature),
			{name: "get_timestamp_token_request_for_data", about: text{ru: "Сформировать запрос на штамп времени для данных"}, args: []argument{data}, legacy: true, run: func(_ context.Context, a *Agent, c *call) (fields, error) {
				b, err := decode(c.arg(0))
				if err != nil {
					return nil, err
				}
				return a.timestampRequest(b)
			}},
			{name: "get_timestamp_token_for_signature", about: text{ru: "Получить штамп времени для подписи"}, args: []argument{signature, url}, legacy: true, run: func(ctx context.Context, a *Agent, c *call) (fields, error) {
				b, err := decodeHex(c.arg(0))
				if err != nil {
					return nil, err
				}
				return a.timestamp(ctx, c.arg(1), b)
			}},
			{name: "get_timestamp_token_for_data", about: text{ru: "Получить штамп времени для данных"}, args: []argument{data, url}, legacy: true, run: func(ctx context.Context, a *Agent, c *call) (fields, error) {
				b, err := decode(c.arg(0))
				if err != nil {
					return nil, err
				}
				return a.timestamp(ctx, c.arg(1), b)
			}},
			{name: "get_timestamp_token_info", about: text{ru: "Получить информацию о штампе времени"}, args: []argument{{name: "timestamp_token_64", about: "Штамп времени в кодировке BASE64"}}, legacy: true, run: timestampInfo},
		},
	}
}

// requestForSignature is called with the plugin tsaclient and without any.
func requestForSignature(signature argument) function {
	return function{name: "get_timestamp_token_request_for_signature", about: text{ru: "Сформировать запрос на штамп времени для подписи"}, args: []argument{signature}, legacy: true, run: func(_ context.Context, a *Agent, c *call) (fields, error) {
		b, err := decodeHex(c.arg(0))
		if err != nil {
			return nil, err
		}
		return a.timestampRequest(b)
	}}
}

// timestampRequest asks for a token over message, with the certificate of the
// authority in it.
func (a *Agent) timestampRequest(message []byte) (fields, error) {
	nonce, err := tsp.NewNonce(a.rand)
	if err != nil {
		return nil, err
	}
	d := alg.OZDST()
	return fields{"timestamp_request_64": base64Text(tsp.NewRequest(d, d.Sum(message), nonce, true).Marshal())}, nil
}

// timestamp gets a token from the authority of the options. A page does not
// choose whom the program of a person calls: another address is refused.
func (a *Agent) timestamp(ctx context.Context, url string, message []byte) (fields, error) {
	if a.options.Stamp == nil {
		return nil, fail(codeOther, textReasonNoTimeStampAuthority)
	}
	if url != "" && url != a.options.TSAURL {
		return nil, fail(codeOther, textReasonForeignTimeStampAuthority)
	}
	token, err := a.options.Stamp(ctx, alg.OZDST(), message)
	if err != nil {
		a.log.Warn("no timestamp", "error", err.Error())
		return nil, fail(codeOther, textReasonNoTimeStamp)
	}
	return fields{"timestamp_token_64": base64Text(token)}, nil
}

// tokenInfo has the names of a timeStampInfo (guide 2.2.4).
type tokenInfo struct {
	SerialNumber         string            `json:"serialNumber"`
	Time                 string            `json:"time"`
	TSAPolicy            string            `json:"tsaPolicy"`
	TSA                  string            `json:"tsa,omitempty"`
	MessageImprintAlgOID string            `json:"messageImprintAlgOID"`
	MessageImprintDigest string            `json:"messageImprintDigest"`
	Certificate          []certificateInfo `json:"certificate"`
	// Verified is about the signature alone: whether the authority is to be
	// trusted is for a server to say.
	Verified bool `json:"verified"`
}

func timestampInfo(_ context.Context, a *Agent, c *call) (fields, error) {
	b, err := decode(c.arg(0))
	if err != nil {
		return nil, err
	}
	token, err := tsp.ParseToken(b)
	if err != nil {
		return nil, fail(codeOther, textReasonNotTimeStampToken)
	}
	info := tokenInfo{
		SerialNumber:         token.Info.Serial.Text(16),
		Time:                 a.date(token.Info.GenTime),
		TSAPolicy:            token.Info.Policy.String(),
		TSA:                  token.TSAString(),
		MessageImprintAlgOID: token.Info.HashAlgorithm.OID.String(),
		MessageImprintDigest: hex.EncodeToString(token.Info.HashedMessage),
		Certificate:          []certificateInfo{},
		Verified:             token.VerifySignature() == nil,
	}
	if si, _, err := token.Signer(); err == nil {
		for _, c := range token.SignedData.SignerCertificates(si) {
			info.Certificate = append(info.Certificate, a.certificateInfo(c))
		}
	}
	return fields{"timestamp_token_info": info}, nil
}
