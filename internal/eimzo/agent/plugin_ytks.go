package agent

import (
	"context"

	"imzo/internal/eimzo/agent/keyring"
	"imzo/pki/alg"
	"imzo/pki/keystore"
)

var ytksFiles = &fileKind{
	files: keyring.YKS, kind: keyring.TypeYTKS, noID: -1013, exists: -2009,
	create: func(a *Agent, entries []keystore.Entry, password string) ([]byte, error) {
		return keystore.CreateYKS(a.rand, entries, password)
	},
}

func ytksPlugin() plugin {
	id := argument{name: "ytksId", about: "Идентификатор ключа"}
	return plugin{
		name:  "ytks",
		about: text{ru: "Плагин для работы с файлами хранилища ключей формата YTKS", uz: "YTKS formatidagi kalitlar ombori fayllari bilan ishlash uchun plagin"},
		functions: []function{
			{name: "change_password", about: text{ru: "Изменить пароль хранилища ключей"}, args: []argument{id}, run: ytksFiles.changePassword},
			{name: "load_key", about: text{ru: "Загрузить ключ и получить идентификатор ключа. Ключ будет доступен определенное время"}, args: []argument{argDisk, argPath, argName, argAlias, {name: "serialNumber", about: "Серийный номер сертификата (HEX)"}}, exact: true, run: loadYTKS},
			{name: "unload_key", about: text{ru: "Удалить загруженные ключи по идентификатору"}, args: []argument{id}, run: ytksFiles.unload},
			{name: "list_disks", about: text{ru: "Получить список дисков"}, run: listDisks},
			{name: "save_ytks", about: text{ru: "Сохранить ключевую пару или существующий ключ и новые сертификаты в новый файл формата YTKS"}, args: argsSave, exact: true, run: ytksFiles.save},
			{name: "list_certificates", about: text{ru: "Получить список сертификатов пользователя"}, args: []argument{argDisk}, run: func(_ context.Context, a *Agent, c *call) (fields, error) {
				return a.listYTKS(c.arg(0), true)
			}},
			{name: "verify_password", about: text{ru: "Проверить пароль хранилища ключей"}, args: []argument{id}, run: ytksFiles.verifyPassword},
			{name: "list_all_certificates", about: text{ru: "Получить список всех сертификатов пользователя"}, run: func(_ context.Context, a *Agent, _ *call) (fields, error) {
				return a.listYTKS("", false)
			}},
		},
	}
}

// ytksView is a key of a list; dates are milliseconds since 1970.
type ytksView struct {
	keyView
	SerialNumber     string `json:"serialNumber,omitempty"`
	SubjectName      string `json:"subjectName,omitempty"`
	ValidFrom        int64  `json:"validFrom,omitempty"`
	ValidTo          int64  `json:"validTo,omitempty"`
	IssuerName       string `json:"issuerName,omitempty"`
	PublicKeyAlgName string `json:"publicKeyAlgName,omitempty"`
}

func (a *Agent) listYTKS(disk string, one bool) (fields, error) {
	if one && disk == "" {
		return nil, fail(-2011, textDiskIsNotFound)
	}
	items, err := a.keys.List(keyring.YKS, disk)
	if err != nil {
		return nil, fail(-2011, textDiskIsNotFound)
	}
	views := []ytksView{}
	for _, i := range items {
		v := ytksView{keyView: keyView{i.Disk, i.Path, i.Name, i.Alias}}
		if c := i.Certificate; c != nil {
			v.SerialNumber, v.SubjectName, v.IssuerName = c.SerialHex(), c.Subject.String(), c.Issuer.String()
			v.ValidFrom, v.ValidTo = c.NotBefore.UnixMilli(), c.NotAfter.UnixMilli()
			v.PublicKeyAlgName = alg.KeyName(c.PublicKey.Algorithm.OID)
		}
		views = append(views, v)
	}
	return fields{"certificates": views}, nil
}

// loadYTKS gives the id as ytksId, as the original does, and as keyId, which
// pages read.
func loadYTKS(_ context.Context, a *Agent, c *call) (fields, error) {
	f, err := a.locate(c, keyring.YKS, keyring.TypeYTKS)
	if err != nil {
		return nil, err
	}
	data, err := a.keys.Read(f)
	if err != nil {
		return nil, a.missingFile(keyring.TypeYTKS)
	}
	items, err := keystore.ListYKS(data)
	if err != nil {
		a.log.Info("a key file cannot be read", "file", f.Name, "error", err.Error())
	}
	for _, i := range items {
		if i.Alias == c.arg(3) && len(i.Chain) > 0 && i.Chain[0].SerialHex() == c.arg(4) {
			id := a.keys.Add(keyring.Session{Type: keyring.TypeYTKS, Origin: c.Origin, File: f, Alias: i.Alias, Serial: c.arg(4)})
			return fields{"ytksId": id, "keyId": id, "type": string(keyring.TypeYTKS)}, nil
		}
	}
	return nil, a.missingAlias(keyring.TypeYTKS, c.arg(3), f)
}
