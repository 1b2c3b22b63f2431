package agent

import (
	"context"
	"errors"

	"imzo/pki/cert"
	"imzo/pki/crl"
	"imzo/pki/ocsp"
	"imzo/verify"
)

// trustStore is an opened trust store.
type trustStore struct{ anchors *cert.Pool }

// trustPlugins open what certificates are checked with. The original opens
// truststore.jks in the person's home; we open what the agent is set to trust,
// so that a page never chooses.
func trustPlugins() []plugin {
	crlID := argument{name: "crl_id", about: "Идентификатор списка отозванных сертификатов"}
	certificate := argument{name: "certificate_64", about: "Сертификат в кодировке BASE64"}
	return []plugin{
		{
			name: "truststore", about: text{ru: "Плагин для работы с хранилищами доверенных сертификатов"},
			functions: []function{{name: "list_truststore", about: text{ru: "Получить список хранилищ доверенных сертификатов"}, legacy: true, run: listTrustStores}},
		},
		{
			name: "truststore-jks", about: text{ru: "Плагин для работы с хранилищем доверенных сертификатов формата JKS"},
			functions: []function{{name: "open_truststore", about: text{ru: "Открыть хранилище доверенных сертификатов и получить идентификатор"}, legacy: true, run: openTrustStore}},
		},
		{
			name: "crl", about: text{ru: "Плагин для работы со списками отозванных сертификатов (CRL)"},
			functions: []function{
				{name: "open_crl", about: text{ru: "Открыть список и получить идентификатор"}, args: []argument{{name: "crl_64", about: "Список в кодировке BASE64"}}, legacy: true, run: openCRL},
				{name: "open_crl_file", about: text{ru: "Открыть файл списка и получить идентификатор"}, args: []argument{{name: "path", about: "Путь к файлу"}}, legacy: true, run: openCRLFile},
				{name: "get_crl_info", about: text{ru: "Получить информацию о списке"}, args: []argument{crlID}, legacy: true, run: crlInfo},
				{name: "verify_crl", about: text{ru: "Верификация подписи списка сертификатом издателя"}, args: []argument{crlID, certificate}, legacy: true, run: verifyCRL},
				{name: "check_certificate", about: text{ru: "Проверить, есть ли сертификат в списке"}, args: []argument{crlID, certificate}, legacy: true, run: checkCertificate},
			},
		},
	}
}

func listTrustStores(_ context.Context, a *Agent, _ *call) (fields, error) {
	stores := []string{}
	if a.options.Anchors.Len() > 0 {
		stores = append(stores, "truststore-jks")
	}
	return fields{"truststores": stores}, nil
}

func openTrustStore(_ context.Context, a *Agent, c *call) (fields, error) {
	if a.options.Anchors.Len() == 0 {
		return nil, fail(codeOther, text{
			ru: "Не найден провайдер доверенных сертификатов",
			en: "No trusted certificates are set: see --trust",
		})
	}
	return fields{"tsId": a.handles.add(c.Origin, a.now(), trustStore{a.options.Anchors})}, nil
}

// anchors are those of an opened trust store, or none for "".
func (a *Agent) anchors(c *call, id string) (*cert.Pool, error) {
	if id == "" {
		return nil, nil
	}
	store, ok := opened[trustStore](&a.handles, c.Origin, id, a.now())
	if !ok {
		return nil, fail(codeOther, text{
			ru: "Хранилище доверенных сертификатов по идентификатору не найден",
			en: "There is no trust store with this id",
		})
	}
	return store.anchors, nil
}

func openCRL(_ context.Context, a *Agent, c *call) (fields, error) {
	der, err := decode(c.arg(0))
	if err != nil {
		return nil, err
	}
	list, err := crl.Parse(der)
	if err != nil {
		return nil, fail(codeOther, textReasonNotCRL)
	}
	return fields{"crlId": a.handles.add(c.Origin, a.now(), list)}, nil
}

// openCRLFile is refused: it would let a page ask which files there are.
func openCRLFile(context.Context, *Agent, *call) (fields, error) {
	return nil, fail(codeOther, text{
		ru: "В данной версии E-IMZO функция отключена",
		uz: "E-IMZO’ning ushbu versiyasida funksiya o‘chirilgan",
		en: "This function is switched off: give the list to open_crl",
	})
}

// list is an opened CRL.
func (a *Agent) list(c *call, id string) (*crl.CRL, error) {
	l, ok := opened[*crl.CRL](&a.handles, c.Origin, id, a.now())
	if !ok {
		return nil, fail(codeOther, textReasonCRLNotFound)
	}
	return l, nil
}

type crlView struct {
	IssuerName string `json:"issuerName"`
	ThisUpdate string `json:"thisUpdate"`
	NextUpdate string `json:"nextUpdate,omitempty"`
	Number     string `json:"crlNumber,omitempty"`
	Revoked    int    `json:"revoked"` // how many certificates are on it
}

func crlInfo(_ context.Context, a *Agent, c *call) (fields, error) {
	l, err := a.list(c, c.arg(0))
	if err != nil {
		return nil, err
	}
	v := crlView{IssuerName: l.Issuer.String(), ThisUpdate: a.date(l.ThisUpdate)}
	if !l.NextUpdate.IsZero() {
		v.NextUpdate = a.date(l.NextUpdate)
	}
	if l.Number != nil {
		v.Number = l.Number.Text(16)
	}
	if err := l.Each(func(crl.Entry) bool { v.Revoked++; return true }); err != nil {
		return nil, fail(codeOther, textReasonNotCRL)
	}
	return fields{"crl_info": v}, nil
}

func verifyCRL(_ context.Context, a *Agent, c *call) (fields, error) {
	l, err := a.list(c, c.arg(0))
	if err != nil {
		return nil, err
	}
	issuer, err := parseCertificate(c.arg(1))
	if err != nil {
		return nil, err
	}
	if err := l.CheckSignatureFrom(issuer); err != nil {
		return nil, fail(codeOther, text{ru: "Список не подписан этим издателем", uz: "Ro‘yxat bu nashriyotchi tomonidan imzolanmagan", en: "The CRL is not signed by this issuer"})
	}
	return fields{}, nil
}

// checkCertificate says what the list says; who signed it is for verify_crl.
func checkCertificate(_ context.Context, a *Agent, c *call) (fields, error) {
	l, err := a.list(c, c.arg(0))
	if err != nil {
		return nil, err
	}
	certificate, err := parseCertificate(c.arg(1))
	if err != nil {
		return nil, err
	}
	status, err := statusOn(l, certificate, a)
	if err != nil {
		return nil, fail(codeOther, textReasonCRLTellsNothing, err)
	}
	if status.Status == ocsp.Revoked {
		v := fields{"revoked": true, "crlReason": ocsp.ReasonName(max(status.Reason, 0))}
		if !status.RevokedAt.IsZero() {
			v["revocationTime"] = a.date(status.RevokedAt)
		}
		return v, nil
	}
	return fields{"revoked": false}, nil
}

// statusOn is the status of a certificate on a fresh list of its issuer.
func statusOn(l *crl.CRL, c *cert.Certificate, a *Agent) (*verify.RevocationStatus, error) {
	if err := errors.Join(l.Covers(c), l.Fresh(a.now())); err != nil {
		return nil, err
	}
	entry, revoked, err := l.Lookup(c.Serial)
	if err != nil {
		return nil, err
	}
	status := &verify.RevocationStatus{Status: ocsp.Good, Reason: -1, ThisUpdate: l.ThisUpdate, NextUpdate: l.NextUpdate, Source: "CRL"}
	if revoked {
		status.Status, status.RevokedAt, status.Reason = ocsp.Revoked, entry.RevokedAt, entry.Reason
	}
	return status, nil
}

// listSource answers from one list.
type listSource struct {
	list  *crl.CRL
	agent *Agent
}

// Status implements verify.RevocationSource.
func (s listSource) Status(_ context.Context, c, issuer *cert.Certificate) (*verify.RevocationStatus, error) {
	if err := s.list.CheckSignatureFrom(issuer); err != nil {
		return nil, err
	}
	return statusOn(s.list, c, s.agent)
}
