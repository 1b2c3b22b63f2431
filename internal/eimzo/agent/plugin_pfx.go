package agent

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"imzo/gost/gost3410"
	"imzo/internal/eimzo/agent/keyring"
	"imzo/internal/eimzo/agent/prompt"
	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/keystore"
)

// Arguments that several functions of key files have.
var (
	argDisk  = argument{name: "disk", about: "Диск"}
	argPath  = argument{name: "path", optional: true, about: "Путь (должна быть пустой или 'DSKEYS')"}
	argName  = argument{name: "name", about: "Имя файла без расширения"}
	argAlias = argument{name: "alias", about: "Алиас ключа"}
	argsSave = []argument{
		argDisk, argPath, argName, argAlias,
		{name: "id", about: "Идентификатор новой ключевой пары или существующего хранилища ключей (для обновления сертификатов)"},
		{name: "new_key_password", about: "Пароль для нового ключа"},
		{name: "subject_certificate_64", about: "Сертификат субъекта в кодировке BASE64"},
		{name: "ca_certificate_64", about: "Сертификат Центра Регистрации в кодировке BASE64"},
		{name: "root_certificate_64", about: "Корневой сертификат в кодировке BASE64"},
	}
)

func pfxPlugin() plugin {
	id := argument{name: "pfxId", about: "Идентификатор ключа"}
	return plugin{
		name:  "pfx",
		about: text{ru: "Плагин для работы с файлами хранилища ключей формата PFX", uz: "PFX formatidagi kalitlar ombori fayllari bilan ishlash uchun plagin"},
		functions: []function{
			{name: "change_password", about: text{ru: "Изменить пароль хранилища ключей"}, args: []argument{id}, run: pfxFiles.changePassword},
			{name: "load_key", about: text{ru: "Загрузить ключ и получить идентификатор ключа. Ключ будет доступен определенное время"}, args: []argument{argDisk, argPath, argName, argAlias}, exact: true, run: loadPFX},
			{name: "unload_key", about: text{ru: "Удалить загруженные ключи по идентификатору"}, args: []argument{id}, run: pfxFiles.unload},
			{name: "list_disks", about: text{ru: "Получить список дисков"}, run: listDisks},
			{name: "save_temporary_pfx", about: text{ru: "Сохранить ключевую пару и самоподписанный сертификат во временный файл формата PFX"}, args: []argument{
				argDisk, argPath, argName, argAlias,
				{name: "id", about: "Идентификатор новой ключевой пары"},
				{name: "password", about: "Пароль для временного ключа"},
				{name: "subject_x500_name", about: "Имя субъекта в формате X.500"},
			}, exact: true, run: saveTemporaryPFX},
			{name: "list_certificates", about: text{ru: "Получить список сертификатов пользователя"}, args: []argument{argDisk}, run: func(_ context.Context, a *Agent, c *call) (fields, error) {
				return a.listKeys(keyring.PFX, c.arg(0), true)
			}},
			{name: "save_pfx", about: text{ru: "Сохранить ключевую пару или существующий ключ и новые сертификаты в новый файл формата PFX"}, args: argsSave, exact: true, run: pfxFiles.save},
			{name: "verify_password", about: text{ru: "Проверить пароль хранилища ключей"}, args: []argument{id}, run: pfxFiles.verifyPassword},
			{name: "list_all_certificates", about: text{ru: "Получить список всех сертификатов пользователя"}, run: func(_ context.Context, a *Agent, _ *call) (fields, error) {
				return a.listKeys(keyring.PFX, "", false)
			}},
		},
	}
}

// keyView is a key of a list. Pages send disk, path and name back to load_key
// as they are.
type keyView struct {
	Disk  string `json:"disk"`
	Path  string `json:"path"`
	Name  string `json:"name"`
	Alias string `json:"alias"`
}

func listDisks(_ context.Context, a *Agent, _ *call) (fields, error) {
	return fields{"disks": a.keys.Disks()}, nil
}

func (a *Agent) listKeys(k *keyring.Kind, disk string, one bool) (fields, error) {
	if one && disk == "" {
		return nil, fail(-2011, textDiskIsNotFound)
	}
	items, err := a.keys.List(k, disk)
	if err != nil {
		return nil, fail(-2011, textDiskIsNotFound)
	}
	views := []keyView{}
	for _, i := range items {
		views = append(views, keyView{i.Disk, i.Path, i.Name, i.Alias})
	}
	return fields{"certificates": views}, nil
}

// locate finds the file of a call that has disk, path and name first.
func (a *Agent) locate(c *call, k *keyring.Kind, t keyring.Type) (keyring.File, error) {
	f, err := a.keys.Locate(k, c.arg(0), c.arg(1), c.arg(2))
	switch {
	case errors.Is(err, keyring.ErrPath):
		return f, fail(-1002, textInvalidArgPath)
	case errors.Is(err, keyring.ErrDisk):
		return f, fail(-2011, textDiskIsNotFound)
	case errors.Is(err, keyring.ErrName):
		return f, fail(-1003, textFileNameHasBadChars)
	case err != nil:
		return f, a.missingFile(t)
	}
	return f, nil
}

// fileKind is what differs between PFX and YKS files.
type fileKind struct {
	files  *keyring.Kind
	kind   keyring.Type
	noID   int // statuses that differ
	exists int
	create func(a *Agent, entries []keystore.Entry, password string) ([]byte, error)
}

var pfxFiles = &fileKind{
	files: keyring.PFX, kind: keyring.TypePFX, noID: -1014, exists: -1004,
	create: func(a *Agent, entries []keystore.Entry, password string) ([]byte, error) {
		return keystore.CreatePFX(a.rand, entries, password, a.profile())
	},
}

// loadPFX opens nothing: it looks that file and alias are there. The password
// is asked for when the key is used.
func loadPFX(_ context.Context, a *Agent, c *call) (fields, error) {
	f, err := a.locate(c, keyring.PFX, keyring.TypePFX)
	if err != nil {
		return nil, err
	}
	data, err := a.keys.Read(f)
	if err != nil {
		return nil, a.missingFile(keyring.TypePFX)
	}
	alias := c.arg(3)
	aliases, err := keystore.ListPFX(data)
	if err != nil {
		a.log.Info("a key file cannot be read", "file", f.Name, "error", err.Error())
	}
	for _, has := range aliases {
		if strings.EqualFold(has, alias) {
			id := a.keys.Add(keyring.Session{Type: keyring.TypePFX, Origin: c.Origin, File: f, Alias: has})
			return fields{"keyId": id, "type": string(keyring.TypePFX)}, nil
		}
	}
	return nil, fail(-2006, textCertificateSIsNotFoundInPfxS, alias, f.Path())
}

// session is that of an id, which is the first argument.
func (k *fileKind) session(a *Agent, c *call) (keyring.Session, error) {
	unknown := fail(k.noID, textKeyIdOfTypeSIsNotFound, string(k.kind))
	return a.session(c, c.arg(0), unknown, unknown, k.kind)
}

func (k *fileKind) unload(_ context.Context, a *Agent, c *call) (fields, error) {
	s, err := k.session(a, c)
	if err != nil {
		return nil, err
	}
	return fields{}, a.keys.Remove(c.Origin, s.ID)
}

// verifyPassword always asks, and what was typed is not remembered.
func (k *fileKind) verifyPassword(ctx context.Context, a *Agent, c *call) (fields, error) {
	s, err := k.session(a, c)
	if err != nil {
		return nil, err
	}
	u, _, err := a.askFor(ctx, c, s, nil, false, text{})
	if err != nil {
		return nil, err
	}
	u.Wipe()
	return fields{}, nil
}

// changePassword writes all keys of the file anew under a new password.
func (k *fileKind) changePassword(ctx context.Context, a *Agent, c *call) (fields, error) {
	s, err := k.session(a, c)
	if err != nil {
		return nil, err
	}
	u, _, err := a.askFor(ctx, c, s, nil, false, text{})
	if err != nil {
		return nil, err
	}
	defer u.Wipe()
	answer, err := a.prompter.Ask(ctx, a.question(c, prompt.KindNewPassword))
	switch {
	case errors.Is(err, prompt.ErrMismatch):
		return nil, fail(-5004, textNewPasswordsDoNotMatch)
	case err != nil:
		return nil, fail(-5000, textPasswordEnterCanceled)
	}
	defer answer.Secret.Wipe()
	changed, err := k.create(a, u.entries, answer.Secret.Text())
	if err != nil {
		a.log.Warn("a key file cannot be written anew", "file", s.File.Name, "error", err.Error())
		return nil, fail(codeOther, textReasonKeyFileNotRenewed)
	}
	if err := a.keys.Replace(s.File, u.data, changed); err != nil {
		a.log.Warn("a key file is not replaced", "file", s.File.Name, "error", err.Error())
		return nil, fail(codeOther, textReasonKeyFileNotReplaced)
	}
	a.keys.ForgetFile(s.File)
	if len(u.Chain) > 0 {
		c.noteKey(u.Chain[0])
	}
	return fields{}, nil
}

// profile is what key files are written in.
func (a *Agent) profile() keystore.Profile {
	if a.options.ModernPFX {
		return keystore.ProfileModern
	}
	return keystore.ProfileJava8
}

// save makes a key file of a new key pair, or of a loaded key with new
// certificates.
func (k *fileKind) save(ctx context.Context, a *Agent, c *call) (fields, error) {
	if err := a.checkNewFile(c); err != nil {
		return nil, err
	}
	chain, err := newChain(c.arg(6), c.arg(7), c.arg(8))
	if err != nil {
		return nil, err
	}
	if pair, done, ok := a.keyPair(c, c.arg(4)); ok {
		defer done()
		if err := sameKey(pair.Key, chain[0]); err != nil {
			return nil, err
		}
		err := k.createKey(a, c, []keystore.Entry{a.newEntry(c, pair.Key, chain)}, chain[0])
		if errors.Is(err, keyring.ErrExists) {
			err = fail(k.exists, textFileExistsChooseOtherName)
		}
		return fields{}, err
	}
	s, err := a.keys.Get(c.Origin, c.arg(4))
	if err != nil {
		return nil, fail(-1010, textKeyIdIsNotFound)
	}
	if s.Type != keyring.TypePFX && s.Type != keyring.TypeYTKS {
		return nil, fail(-1015, textKeyIdIsNotSupported)
	}
	return fields{}, k.saveLoaded(ctx, a, c, s, chain)
}

// saveLoaded writes a key that is loaded with new certificates, into a new file
// or into its own, where other keys stay as they are. No other file is
// replaced, and the person is asked each time: the page chooses the password.
func (k *fileKind) saveLoaded(ctx context.Context, a *Agent, c *call, s keyring.Session, chain []*cert.Certificate) error {
	if c.arg(5) == "" {
		return fail(codeOther, text{
			ru: "Новый пароль ключа не может быть пустым",
			uz: "Kalitning yangi paroli bo‘sh bo‘lishi mumkin emas",
			en: "The new password of the key must not be empty",
		})
	}
	old, err := a.keys.Locate(k.files, c.arg(0), c.arg(1), c.arg(2))
	exists := err == nil
	if exists && old != s.File {
		return fail(k.exists, textFileExistsChooseOtherName)
	}
	why, name := questionNewFile, c.arg(2)
	if exists {
		why, name = questionReplaceFile, old.Name
	}
	u, _, err := a.askFor(ctx, c, s, nil, false, why, name)
	if err != nil {
		return err
	}
	defer u.Wipe()
	if err := sameKey(u.Key, chain[0]); err != nil {
		return err
	}
	renewed := a.newEntry(c, u.Key, chain)
	if !exists {
		err := k.createKey(a, c, []keystore.Entry{renewed}, chain[0])
		if errors.Is(err, keyring.ErrExists) { // since we looked
			err = fail(k.exists, textFileExistsChooseOtherName)
		}
		return err
	}
	entries := slices.Clone(u.entries)
	for i, e := range entries {
		if e.Key == u.Key {
			entries[i] = renewed
		}
	}
	data, err := k.create(a, entries, c.arg(5))
	if err != nil {
		a.log.Warn("a key file cannot be made", "error", err.Error())
		return fail(codeOther, textReasonKeyFileNotMadeOf)
	}
	c.noteKey(chain[0])
	if err := a.keys.Replace(old, u.data, data); err != nil {
		a.log.Warn("a key file is not replaced", "file", old.Name, "error", err.Error())
		return fail(codeOther, textReasonKeyFileNotReplaced)
	}
	a.keys.ForgetFile(old)
	return nil
}

func (a *Agent) newEntry(c *call, key *alg.PrivateKey, chain []*cert.Certificate) keystore.Entry {
	return keystore.Entry{Alias: strings.ToLower(c.arg(3)), Key: key, Chain: chain, Created: a.now()}
}

// createKey makes a file of entries. The error is a refusal, or wraps
// keyring.ErrExists.
func (k *fileKind) createKey(a *Agent, c *call, entries []keystore.Entry, subject *cert.Certificate) error {
	data, err := k.create(a, entries, c.arg(5))
	if err != nil {
		a.log.Warn("a key file cannot be made", "error", err.Error())
		return fail(codeOther, textReasonKeyFileNotMadeOf)
	}
	c.noteKey(subject)
	return a.createFile(k.files, c.arg(0), c.arg(1), c.arg(2), data)
}

// checkNewFile looks at disk, path and name of a call that makes a file.
func (a *Agent) checkNewFile(c *call) error {
	if keyring.NewName(c.arg(2)) != nil {
		return fail(-1003, textFileNameHasBadChars)
	}
	if err := a.keys.CheckFolder(c.arg(0), c.arg(1)); errors.Is(err, keyring.ErrPath) {
		return fail(-1002, textInvalidArgPath)
	} else if err != nil {
		return fail(-2011, textDiskIsNotFound)
	}
	return nil
}

// createFile makes a new key file. The error is a refusal, or wraps
// keyring.ErrExists.
func (a *Agent) createFile(k *keyring.Kind, disk, path, name string, data []byte) error {
	f, err := a.keys.Create(k, disk, path, name, data)
	switch {
	case errors.Is(err, keyring.ErrExists):
		return err
	case errors.Is(err, keyring.ErrFolder):
		return fail(-9000, textFailedToCreateDir)
	case err != nil:
		a.log.Warn("a key file is not written", "error", err.Error())
		return fail(codeOther, textReasonKeyFileNotWritten)
	}
	a.log.Info("a key file is made", "file", f.Name)
	return nil
}

// newChain reads the certificates of a new key: each must be signed by the
// next, and the root by itself.
func newChain(subject, ca, root string) ([]*cert.Certificate, error) {
	var chain []*cert.Certificate
	for _, text := range []string{subject, ca, root} {
		c, err := parseCertificate(text)
		if err != nil {
			return nil, err
		}
		chain = append(chain, c)
	}
	for i, c := range chain {
		issuer := chain[min(i+1, len(chain)-1)]
		if c.CheckSignatureFrom(issuer) != nil {
			return nil, fail(codeOther, text{
				ru: "Сертификаты не составляют цепочку: субъект, Центр Регистрации, корневой",
				uz: "Sertifikatlar zanjir hosil qilmaydi: subyekt, Ro‘yxatga olish markazi, ildiz",
				en: "The certificates are no chain of subject, CA and root",
			})
		}
	}
	return chain, nil
}

// sameKey checks that a certificate is of a key. Two points of one curve are
// shown to the page, as the original does: they are public.
func sameKey(key *alg.PrivateKey, c *cert.Certificate) error {
	if key.PublicKey().SameKey(c.PublicKey) {
		return nil
	}
	want, ok := c.PublicKey.Key.(*gost3410.PublicKey)
	have, same := key.PublicKey().Key.(*gost3410.PublicKey)
	if !ok || !same || want.Curve() != have.Curve() {
		return fail(-2021, textPublicKeyDoesNotMatchToPrivateKey)
	}
	return fail(-2020, textPublicKeyDoesNotMatch,
		hex.EncodeToString(want.X()), hex.EncodeToString(want.Y()), hex.EncodeToString(have.X()), hex.EncodeToString(have.Y()))
}

// signingTime is now, in the whole seconds that a document has.
func (a *Agent) signingTime() time.Time { return a.now().Truncate(time.Second) }

// noteContent writes into the audit log what was signed: never the content.
func (c *call) noteContent(content *prompt.Content) {
	c.note(slog.Int("size", content.Size), slog.String("digest", hex.EncodeToString(content.Digest)))
}
