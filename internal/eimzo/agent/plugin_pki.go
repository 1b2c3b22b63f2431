package agent

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"imzo/internal/eimzo/agent/keyring"
	"imzo/internal/eimzo/agent/prompt"
	"imzo/internal/secret"
	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/keystore"
)

// pkiPlugin gets a person a new key and its certificate: the first step makes
// the key and asks the CA, the second stores what the CA gave.
func pkiPlugin() plugin {
	return plugin{
		name:  "pki",
		about: text{ru: "Плагин для взаимодейтвия с ИОК", uz: "OKI bilan o‘zaro ishlash uchun plagin"},
		functions: []function{
			{name: "enroll_pfx_step1", about: text{ru: "Шаг №1 для получения ключа PFX"}, args: []argument{
				{name: "guid", about: "Идентификатор процесса GUID"},
				{name: "alg_name", about: "Название алгоритма"},
				{name: "seed", about: "Случайные данные для инициализации генератора случайных чисел"},
				{name: "subject_x500_name", about: "Имя субъекта в формате X.500"},
				{name: "cp_list", about: "OIDы политик применения сертификатов разделенных запятой"},
				{name: "file_name", about: "Имя файла без расширения (если тип носителя ключа - файл)"},
				{name: "data_64", about: "Данные в кодировке BASE64 (будут предваритьльно декодированы, подписаны и вложены в документ)"},
			}, run: enrollStep1},
			{name: "enroll_pfx_step2", about: text{ru: "Шаг №2 для получения ключа PFX"}, args: []argument{
				{name: "guid", about: "Идентификатор процесса GUID (полученный из Шага №1)"},
				{name: "subject_certificate_64", about: "Сертификат субъекта в кодировке BASE64"},
				{name: "ca_certificate_64", about: "Сертификат Центра Регистрации в кодировке BASE64"},
				{name: "root_certificate_64", about: "Корневой сертификат в кодировке BASE64"},
				{name: "data_64", about: "Данные в кодировке BASE64 (будут предваритьльно декодированы, подписаны и вложены в документ)"},
			}, run: enrollStep2},
		},
	}
}

const (
	enrolmentLife = time.Hour
	maxEnrolments = 64
)

// enrolments are those under way, by page and process.
type enrolments struct {
	mu   sync.Mutex
	kept map[[2]string]*enrolment
}

// enrolment is a key without a certificate.
type enrolment struct {
	since    time.Time
	busy     int // the status while a step is running
	key      *alg.PrivateKey
	password *secret.Secret
	disk     string
	name     string
}

func (e *enrolment) wipe() {
	if e.key != nil {
		e.key.Wipe()
	}
	e.password.Wipe()
}

// begin reserves a process for its first step.
func (s *enrolments) begin(key [2]string, now time.Time) (*enrolment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, e := range s.kept {
		if e.busy == 0 && now.Sub(e.since) >= enrolmentLife {
			e.wipe()
			delete(s.kept, k)
		}
	}
	if e, ok := s.kept[key]; ok {
		if e.busy != 0 {
			return nil, fail(e.busy, textWaitingUserInput)
		}
		return nil, fail(-2026, textProcessIdAlreadyExists)
	}
	if len(s.kept) >= maxEnrolments {
		return nil, fail(codeOther, textReasonTooManyEnrolments)
	}
	e := &enrolment{since: now, busy: -3001}
	if s.kept == nil {
		s.kept = map[[2]string]*enrolment{}
	}
	s.kept[key] = e
	return e, nil
}

// resume takes a process for its second step.
func (s *enrolments) resume(key [2]string, now time.Time) (*enrolment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.kept[key]
	switch {
	case !ok || e.busy == 0 && now.Sub(e.since) >= enrolmentLife:
		return nil, fail(-2025, textProcessIdentifierIsNotFound)
	case e.busy == -3001:
		return nil, fail(-3001, textWaitingUserInput)
	case e.busy != 0:
		return nil, fail(-3000, textInProcess)
	}
	e.busy = -3000
	return e, nil
}

// end closes a step; a process that has ended is forgotten.
func (s *enrolments) end(key [2]string, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.kept[key]
	e.busy = 0
	if over {
		e.wipe()
		delete(s.kept, key)
	}
}

func enrollStep1(ctx context.Context, a *Agent, c *call) (fields, error) {
	if strings.TrimSpace(c.arg(4)) == "" {
		return nil, fail(-1023, textCertificatePoliciesOidsAreNotPassed)
	}
	policies, err := parsePolicies(c.arg(4), true)
	if err != nil {
		return nil, err
	}
	process := [2]string{c.Origin, c.arg(0)}
	e, err := a.enrolments.begin(process, a.now())
	if err != nil {
		return nil, err
	}
	failed := true // also by a panic
	defer func() { a.enrolments.end(process, failed) }()
	reply, err := a.enroll(ctx, c, e, policies)
	failed = err != nil
	return reply, err
}

// enroll makes the key. Nothing is written yet.
func (a *Agent) enroll(ctx context.Context, c *call, e *enrolment, policies []ber.OID) (fields, error) {
	e.name = c.arg(5)
	if keyring.NewName(e.name) != nil {
		return nil, fail(-1003, textFileNameHasBadChars)
	}
	subject, err := parseName(c.arg(3))
	if err != nil {
		return nil, err
	}
	data, err := decode(c.arg(6))
	if err != nil {
		return nil, err
	}
	disks := a.newKeyDisks()
	if len(disks) == 0 {
		return nil, fail(-5003, textPlugInUsbDiskAndRetry)
	}
	key, err := a.newKey(ctx, c, c.arg(1))
	if err != nil {
		return nil, err
	}
	e.key = key
	r := a.question(c, prompt.KindNewKey)
	r.Disks, r.FileName = disks, e.name
	answer, err := a.prompter.Ask(ctx, r)
	if err != nil {
		return nil, fail(-5000, textPasswordEnterCanceled)
	}
	e.password, e.disk = answer.Secret, answer.Disk
	path := newKeyPath(e.disk)
	if a.keys.CheckFolder(e.disk, path) != nil {
		return nil, fail(-2011, textDiskIsNotFound)
	}
	if _, err := a.keys.Locate(keyring.PFX, e.disk, path, e.name); err == nil {
		return nil, fail(-2012, textKeyFileIsAlreadyExistsS, filepath.Join(e.disk, path, e.name+keyring.PFX.Extension))
	}
	request, err := cert.CreateRequest(a.rand, cert.RequestTemplate{Subject: subject, Policies: policies}, key)
	if err != nil {
		return nil, err
	}
	chain, err := a.temporaryChain(subject, key)
	if err != nil {
		return nil, err
	}
	document, err := cms.Sign(data, []cms.Signer{{Key: key, Chain: chain, SigningTime: a.signingTime()}}, cms.Options{Rand: a.rand})
	if err != nil {
		return nil, err
	}
	c.noteKey(chain[0])
	c.noteContent(prompt.NewContent(data))
	reply := fields{
		"guid": c.arg(0), "pkcs10_64": base64Text(request), "pkcs7_64": base64Text(document), "disk": e.disk,
		// The original tells the page the password that the person chose.
		"password": "",
	}
	if a.options.TellPassword {
		reply["password"] = e.password.Text()
	}
	if strings.Contains(c.arg(0), "test") {
		for i, name := range []string{"tempUserCertificate", "tempCACertificate", "tempRootCertificate"} {
			reply[name] = base64Text(chain[i].Raw)
		}
	}
	return reply, nil
}

// newKeyDisks are the disks that a new key can go to: DSKEYS folders are not
// offered beside the disks they are on.
func (a *Agent) newKeyDisks() []string {
	all := a.keys.Disks()
	offered := []string{}
	for _, d := range all {
		parent := filepath.Dir(filepath.Clean(d))
		if newKeyPath(d) == "" && a.keys.CheckFolder(parent, keyring.KeysFolder) == nil {
			continue
		}
		offered = append(offered, d)
	}
	return offered
}

// newKeyPath is the folder of a disk that a new key goes to.
func newKeyPath(disk string) string {
	if filepath.Base(filepath.Clean(disk)) == keyring.KeysFolder {
		return ""
	}
	return keyring.KeysFolder
}

func enrollStep2(_ context.Context, a *Agent, c *call) (fields, error) {
	process := [2]string{c.Origin, c.arg(0)}
	e, err := a.enrolments.resume(process, a.now())
	if err != nil {
		return nil, err
	}
	done := false // what failed may be tried again
	defer func() { a.enrolments.end(process, done) }()
	reply, err := a.complete(c, e)
	done = err == nil
	return reply, err
}

// complete stores the key with its certificates.
func (a *Agent) complete(c *call, e *enrolment) (fields, error) {
	chain, err := newChain(c.arg(1), c.arg(2), c.arg(3))
	if err != nil {
		return nil, err
	}
	if err := sameKey(e.key, chain[0]); err != nil {
		return nil, err
	}
	data, err := decode(c.arg(4))
	if err != nil {
		return nil, err
	}
	document, err := cms.Sign(data, []cms.Signer{{Key: e.key, Chain: chain, SigningTime: a.signingTime()}}, cms.Options{Rand: a.rand})
	if err != nil {
		return nil, err
	}
	alias := keystore.Alias(chain[0], a.location)
	file, err := keystore.CreatePFX(a.rand, []keystore.Entry{{Alias: alias, Key: e.key, Chain: chain, Created: a.now()}}, e.password.Text(), a.profile())
	if err != nil {
		a.log.Warn("a key file cannot be made", "error", err.Error())
		return nil, fail(codeOther, textReasonKeyFileNotMadeOf)
	}
	path := newKeyPath(e.disk)
	if err := a.createFile(keyring.PFX, e.disk, path, e.name, file); errors.Is(err, keyring.ErrExists) {
		return nil, fail(-2012, textKeyFileIsAlreadyExistsS, filepath.Join(e.disk, path, e.name+keyring.PFX.Extension))
	} else if err != nil {
		return nil, err
	}
	c.noteKey(chain[0])
	c.noteContent(prompt.NewContent(data))
	return fields{"guid": c.arg(0), "pkcs7_64": base64Text(document), "alias": alias}, nil
}
