package agent

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"imzo/gost/gost3410"
	"imzo/internal/eimzo/agent/keyring"
	"imzo/internal/eimzo/agent/origin"
	"imzo/internal/eimzo/agent/prompt"
	"imzo/internal/secret"
	"imzo/internal/testpki"
	"imzo/internal/testpki/peer"
	"imzo/pki/alg"
	"imzo/pki/armor"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/keystore"
)

// person answers questions.
type person func(prompt.Request) (prompt.Answer, error)

func (p person) Ask(_ context.Context, r prompt.Request) (prompt.Answer, error) { return p(r) }

// types are passwords that a person types one after the other.
type types struct {
	t         *testing.T
	passwords []string
	remember  bool
	asked     []prompt.Request
}

func (p *types) Ask(_ context.Context, r prompt.Request) (prompt.Answer, error) {
	p.asked = append(p.asked, r)
	if len(p.passwords) == 0 {
		p.t.Errorf("asked for %s once too often", r.Kind)
		return prompt.Answer{}, prompt.ErrCancelled
	}
	next := p.passwords[0]
	p.passwords = p.passwords[1:]
	switch next {
	case "cancel":
		return prompt.Answer{}, prompt.ErrCancelled
	case "timeout":
		return prompt.Answer{}, prompt.ErrTimeout
	case "differ":
		return prompt.Answer{}, prompt.ErrMismatch
	case "yes", "no":
		return prompt.Answer{Allowed: next == "yes"}, nil
	}
	answer := prompt.Answer{Secret: secret.New([]byte(next)), Remember: p.remember}
	if len(r.Disks) > 0 {
		answer.Disk = r.Disks[0]
	}
	return answer, nil
}

// desk is an agent with a stick that has a key on it, and its person.
type desk struct {
	documents
	stick, alias string
	person       *types
	now          time.Time
	audited      *bytes.Buffer
	keys         *keyring.Ring
}

func newDesk(t *testing.T, options ...func(*Options)) *desk {
	t.Helper()
	pki := testpki.New(t, "ozdst")
	d := &desk{stick: t.TempDir(), person: &types{t: t}, now: pki.Now, audited: &bytes.Buffer{}}
	d.PKI, d.user = pki, pki.User(t, testpki.Person)
	d.alias = d.store(t, "DS1", d.user, "Abc12345")
	d.keys = keyring.New(keyring.Options{Dirs: []string{d.stick}, Now: func() time.Time { return d.now }})
	d.agent = newAgent(t, append([]func(*Options){func(o *Options) {
		o.Now = func() time.Time { return d.now }
		o.Keys, o.Prompter = d.keys, d.person
		o.Anchors, o.Revocation = cert.NewPool(pki.Root.Cert), good{pki.Now}
		o.Location = time.UTC
		var mu sync.Mutex
		o.Audit = func(attrs []slog.Attr) {
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintln(d.audited, attrs)
		}
	}}, options...)...)
	return d
}

// store puts a key on the stick and returns its alias.
func (d *desk) store(t *testing.T, name string, who testpki.Entity, password string) string {
	t.Helper()
	alias := keystore.Alias(who.Cert, time.UTC)
	data, err := keystore.CreatePFX(rand.Reader, []keystore.Entry{{Alias: alias, Key: who.Key, Chain: who.Chain}}, password, keystore.ProfileJava8)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.stick, name+".pfx"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	return alias
}

// types says what the person types next.
func (d *desk) types(passwords ...string) { d.person.passwords, d.person.asked = passwords, nil }

// load loads the key and gives its id.
func (d *desk) load(t *testing.T) string {
	t.Helper()
	reply := callFunction(t, d.agent, "pfx", "load_key", d.stick+"/", "", "DS1", d.alias)
	wantFields(t, reply, map[string]any{"success": true, "status": 1, "type": "PFX_KEY_STORE"})
	return fmt.Sprint(reply["keyId"])
}

// refused asks and compares the refusal.
func (d *desk) refused(t *testing.T, from Caller, plugin, name string, status int, reason string, args ...string) {
	t.Helper()
	request, err := json.Marshal(map[string]any{"plugin": plugin, "name": name, "arguments": args})
	if err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(map[string]any{"success": false, "status": status, "reason": reason})
	if err != nil {
		t.Fatal(err)
	}
	ask(t, d.agent, from, string(request), string(want))
}

const (
	noKeyID   = "Ключ по идентификатору не найден"
	noPFXID   = "Идентификатор ключа типа 'PFX_KEY_STORE' не найден"
	cancelled = "Ввод пароля отменен"
)

func TestKeysAreListedAndLoaded(t *testing.T) {
	d := newDesk(t)
	item := map[string]any{"disk": d.stick + "/", "path": "", "name": "DS1", "alias": d.alias}
	for _, reply := range []map[string]any{
		callFunction(t, d.agent, "pfx", "list_all_certificates"),
		callFunction(t, d.agent, "pfx", "list_certificates", d.stick+"/"),
	} {
		wantFields(t, reply, map[string]any{"success": true, "status": 1, "certificates": []any{item}})
	}
	wantFields(t, callFunction(t, d.agent, "pfx", "list_disks"), map[string]any{"success": true, "disks": []any{d.stick + "/"}})
	d.refused(t, site, "pfx", "list_certificates", -2011, "Диск не найден", "/nowhere/")
	d.refused(t, site, "pfx", "list_certificates", -2011, "Диск не найден", "")
	d.refused(t, site, "pfx", "load_key", -1002, "Аргумент path недействителен", d.stick, "x", "DS1", d.alias)
	d.refused(t, site, "pfx", "load_key", -2011, "Диск не найден", "/nowhere", "", "DS1", d.alias)
	d.refused(t, site, "pfx", "load_key", -2002, "Файл ключа не существует", d.stick, "", "DS2", d.alias)
	d.refused(t, site, "pfx", "load_key", -2002, "Файл ключа не существует", d.stick, "DSKEYS", "DS1", d.alias)
	d.refused(t, site, "pfx", "load_key", -1003, "Имя файла содержит неразрешенные символы", d.stick, "", "../DS1", d.alias)
	d.refused(t, site, "pfx", "load_key", -2006, "Сертификат с именем [cn=x] не найден в PFX-файле "+filepath.Join(d.stick, "DS1.pfx"), d.stick, "", "DS1", "cn=x")
	ask(t, d.agent, site, `{"plugin":"pfx","name":"load_key","arguments":["a","b","c"]}`, noFunction)
	id := d.load(t)
	if upper := callFunction(t, d.agent, "pfx", "load_key", d.stick, "", "DS1", strings.ToUpper(d.alias)); upper["success"] != true {
		t.Error(upper)
	}
	other := Caller{"https://other.uz", "other.uz"}
	d.refused(t, other, "pfx", "unload_key", -1014, noPFXID, id)
	wantFields(t, callFunction(t, d.agent, "pfx", "unload_key", id), map[string]any{"success": true, "status": 1})
	d.refused(t, site, "pfx", "unload_key", -1014, noPFXID, id)
	d.refused(t, site, "pfx", "verify_password", -1014, noPFXID, id)
	d.refused(t, site, "pfx", "change_password", -1014, noPFXID, id)
	d.refused(t, site, "x509", "get_certificate_chain", -1010, noKeyID, id)
	d.refused(t, site, "pkcs7", "create_pkcs7", -1010, noKeyID, "AAAA", id, "")
	d.refused(t, stranger, "pfx", "list_disks", -1022, "API-key для домена stranger.uz недействителен.")
}

func TestADocumentIsSignedAndItsSignatureHolds(t *testing.T) {
	d := newDesk(t)
	id, data := d.load(t), b64([]byte("some document"))
	for _, c := range []struct {
		args     []string
		detached bool
	}{
		{[]string{data, id, "yes"}, true}, {[]string{data, id, "no"}, false}, {[]string{data, id, ""}, false}, {[]string{data, id}, false},
		{[]string{data, id, "YES"}, false}, {[]string{data + "\n", id}, false},
	} {
		d.keys.Forget(site.Origin, id)
		d.types("Abc12345")
		reply := callFunction(t, d.agent, "pkcs7", "create_pkcs7", c.args...)
		wantFields(t, reply, map[string]any{"success": true, "status": 1, "signer_serial_number": d.user.Cert.SerialHex()})
		document, err := base64.StdEncoding.DecodeString(fmt.Sprint(reply["pkcs7_64"]))
		if err != nil {
			t.Fatal(err, reply)
		}
		sd, err := cms.Parse(document)
		if err != nil || sd.Detached() != c.detached || hex.EncodeToString(sd.SignerInfos[0].Signature) != reply["signature_hex"] {
			t.Error(reply, err)
		}
		name, args := "verify_pkcs7_attached", []string{b64(document), d.open(t)}
		if c.detached {
			name, args = "verify_pkcs7_detached", append([]string{data}, args...)
		}
		wantFields(t, callFunction(t, d.agent, "pkcs7", name, args...), map[string]any{"success": true})
		shown := d.person.asked[0]
		if shown.Kind != prompt.KindPassword || shown.Domain != "example.uz" || shown.Function != "pkcs7.create_pkcs7" || shown.Content.Preview != "some document" ||
			shown.Content.Detached != c.detached || shown.Key.Owner != "IVANOV IVAN IVANOVICH" || shown.Key.File != "DS1" || !shown.Remember {
			t.Errorf("the person saw %+v %+v %+v", shown, shown.Content, shown.Key)
		}
	}
	d.refused(t, site, "pkcs7", "create_pkcs7", -1010, noKeyID, data, strings.Repeat("0", 32))
	wantFields(t, callFunction(t, d.agent, "pkcs7", "create_pkcs7", "*", id), map[string]any{"success": false, "status": -9999})
	if log := d.audited.String(); !strings.Contains(log, "digest=3369cd520c8e556502b9bc0ac34ca69cafee96f2f4a8371a63d4dd7d3a458d05") || !strings.Contains(log, "serial="+d.user.Cert.SerialHex()) ||
		strings.Contains(log, "some document") || strings.Contains(log, data) || strings.Contains(log, "Abc12345") {
		t.Error(log)
	}
}

// The document is the fixture's, octet for octet, but for the signature, which
// is another each time.
// BouncyCastle reads and verifies what pages get.
func TestBouncyCastleVerifiesWhatIsSigned(t *testing.T) {
	bc := peer.BouncyCastle(t).Start(t, "CMSPeer", "../../../pki/cms/testdata/CMSPeer.java")
	d := newDesk(t)
	id := d.load(t)
	for _, content := range []string{"some document", "", strings.Repeat("long ", 100_000)} {
		for _, detached := range []string{"no", "yes"} {
			d.types("Abc12345")
			d.keys.Forget(site.Origin, id)
			reply := callFunction(t, d.agent, "pkcs7", "create_pkcs7", b64([]byte(content)), id, detached)
			field := b64([]byte(content))
			if field == "" {
				field = "."
			}
			apart := "-"
			if detached == "yes" {
				apart = field
			}
			if got, want := bc.Ask(t, fmt.Sprintf("verify %s %s", apart, reply["pkcs7_64"])), "ok 1 "+field; got != want {
				t.Errorf("%.20q detached %s: BouncyCastle says %.100q", content, detached, got)
			}
		}
	}
}

func TestTheLayoutIsThatOfTheOriginal(t *testing.T) {
	text, err := os.ReadFile("testdata/cms-fixture.b64")
	if err != nil {
		t.Fatal(err)
	}
	fixture, err := armor.DecodeBase64(text)
	if err != nil {
		t.Fatal(err)
	}
	sd, err := cms.Parse(fixture)
	if err != nil {
		t.Fatal(err)
	}
	scalar := make([]byte, 32)
	for i := range scalar {
		scalar[i] = byte(i + 1)
	}
	private, err := gost3410.NewPrivateKey(gost3410.CryptoProA(), scalar)
	if err != nil {
		t.Fatal(err)
	}
	key, err := alg.NewPrivateKeyWithSPKI(private, sd.Certificates[0].PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	d := newDesk(t)
	d.user = testpki.Entity{Cert: sd.Certificates[0], Key: key, Chain: sd.Certificates}
	d.alias = d.store(t, "DS1", d.user, "Abc12345")
	d.now = time.Date(2026, 1, 1, 12, 0, 0, 999, time.UTC)
	d.types("Abc12345")
	reply := callFunction(t, d.agent, "pkcs7", "create_pkcs7", b64([]byte("Salom, E-IMZO")), d.load(t), "no")
	wantFields(t, reply, map[string]any{"success": true, "signer_serial_number": "77010203"})
	document, err := base64.StdEncoding.DecodeString(fmt.Sprint(reply["pkcs7_64"]))
	if err != nil {
		t.Fatal(err)
	}
	signature, err := hex.DecodeString(fmt.Sprint(reply["signature_hex"]))
	if err != nil || len(signature) != 64 || len(document) != len(fixture) {
		t.Fatal(len(document), len(fixture), err)
	}
	at := bytes.LastIndex(fixture, sd.SignerInfos[0].Signature)
	if !bytes.Equal(document[:at], fixture[:at]) || !bytes.Equal(document[at:at+64], signature) || !bytes.Equal(document[at+64:], fixture[at+64:]) {
		t.Errorf("got  %x\nwant %x", document, fixture)
	}
}

func TestPasswordsAreAskedForAndRemembered(t *testing.T) {
	d := newDesk(t)
	id := d.load(t)
	sign := func(want bool, typed ...string) {
		t.Helper()
		d.types(typed...)
		reply := callFunction(t, d.agent, "pkcs7", "create_pkcs7", "AAAA", id)
		if reply["success"] != want {
			t.Error(reply)
		}
		if !want {
			wantFields(t, reply, map[string]any{"status": -5000, "reason": cancelled})
		}
		if len(d.person.passwords) != 0 {
			t.Errorf("not asked for %q", d.person.passwords)
		}
	}
	sign(false, "cancel")
	sign(false, "timeout")
	sign(false, "wrong", "cancel")
	if last := d.person.asked[1]; last.Retry != "Пароль ключа неверный или файл ключа поврежден" || d.person.asked[0].Retry != "" {
		t.Errorf("%+v", last)
	}
	sign(false, "wrong", "", "again wrong")
	sign(true, "wrong", "Abc12345")
	sign(true) // within a minute
	d.now = d.now.Add(time.Minute)
	d.person.remember = true
	sign(true, "Abc12345")
	d.now = d.now.Add(6*time.Hour - 1)
	sign(true)
	d.now = d.now.Add(1)
	sign(true, "Abc12345")
	// The check of a password asks always, and what is typed counts for it alone.
	d.types("Abc12345")
	wantFields(t, callFunction(t, d.agent, "pfx", "verify_password", id), map[string]any{"success": true})
	if d.person.asked[0].Remember || d.person.asked[0].Content != nil {
		t.Errorf("%+v", d.person.asked[0])
	}
	d.types("wrong", "wrong", "wrong")
	d.refused(t, site, "pfx", "verify_password", -5000, cancelled, id)
	// The file changes under the remembered password.
	d.store(t, "DS1", d.user, "Another1")
	sign(true, "Another1")
	if err := os.Remove(filepath.Join(d.stick, "DS1.pfx")); err != nil {
		t.Fatal(err)
	}
	d.types()
	d.refused(t, site, "pkcs7", "create_pkcs7", -2002, "Файл ключа не существует", "AAAA", id)
	if err := os.WriteFile(filepath.Join(d.stick, "DS1.pfx"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.types("Another1")
	d.refused(t, site, "pkcs7", "create_pkcs7", -9999, "Ошибка при чтении PFX-файла", "AAAA", id)
}

func TestEachSignatureCanBeConfirmed(t *testing.T) {
	d := newDesk(t, func(o *Options) { o.ConfirmEach = true })
	id := d.load(t)
	for range 3 {
		d.types("Abc12345")
		wantFields(t, callFunction(t, d.agent, "pkcs7", "create_pkcs7", "AAAA", id), map[string]any{"success": true})
		if len(d.person.asked) != 1 || d.person.asked[0].Remember {
			t.Error("not asked, or offered to remember")
		}
	}
	d.types("cancel")
	d.refused(t, site, "x509", "get_certificate_chain", -5000, cancelled, id)
}

func TestTheChainNeedsThePassword(t *testing.T) {
	d := newDesk(t)
	id := d.load(t)
	d.types("cancel")
	d.refused(t, site, "x509", "get_certificate_chain", -5000, cancelled, id)
	d.types("Abc12345")
	want := []any{}
	for _, c := range d.user.Chain {
		want = append(want, b64(c.Raw))
	}
	wantFields(t, callFunction(t, d.agent, "x509", "get_certificate_chain", id), map[string]any{"success": true, "certificates": want})
}

func TestThePasswordOfAFileIsChanged(t *testing.T) {
	d := newDesk(t)
	id := d.load(t)
	path := filepath.Join(d.stick, "DS1.pfx")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d.types("cancel")
	d.refused(t, site, "pfx", "change_password", -5000, cancelled, id)
	d.types("Abc12345", "cancel")
	d.refused(t, site, "pfx", "change_password", -5000, cancelled, id)
	d.types("Abc12345", "differ")
	d.refused(t, site, "pfx", "change_password", -5004, "Новые пароли не соответствуют", id)
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, before) {
		t.Fatal("changed before its time", err)
	}
	d.types("Abc12345", "NEwpass1234")
	wantFields(t, callFunction(t, d.agent, "pfx", "change_password", id), map[string]any{"success": true, "status": 1})
	if d.person.asked[1].Kind != prompt.KindNewPassword {
		t.Errorf("%+v", d.person.asked[1])
	}
	// The session ended with the old file.
	d.refused(t, site, "pkcs7", "create_pkcs7", -1010, noKeyID, "AAAA", id)
	now, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := keystore.OpenPFX(now, "NEwpass1234")
	if err != nil || len(entries) != 1 || entries[0].Alias != d.alias || len(entries[0].Chain) != 3 || !entries[0].Key.PublicKey().SameKey(d.user.Cert.PublicKey) {
		t.Errorf("%+v %v", entries, err)
	}
	if _, err := keystore.OpenPFX(now, "Abc12345"); err == nil {
		t.Error("the old password opens it")
	}
}

func TestAKeyIsSavedWithNewCertificates(t *testing.T) {
	d := newDesk(t)
	id := d.load(t)
	renewed := d.Issue(t, d.CA, func(tmpl *cert.Template) {
		d.UserTemplate(t, tmpl, testpki.Person)
		tmpl.PublicKey = d.user.Cert.PublicKey
	}, "ozdst")
	_ = renewed
	subject, ca, root := b64(d.user.Cert.Raw), b64(d.CA.Cert.Raw), b64(d.Root.Cert.Raw)
	other := d.User(t, testpki.Person)
	foreign := testpki.New(t, "ozdst")
	args := func(name, id, subject, ca, root string) []string {
		return []string{d.stick, "DSKEYS", name, "CN=X,SERIALNUMBER=1", id, "NEwpass1234", subject, ca, root}
	}
	d.refused(t, site, "pfx", "save_pfx", -1003, "Имя файла содержит неразрешенные символы", args("ds2", id, subject, ca, root)...)
	d.refused(t, site, "pfx", "save_pfx", -1010, noKeyID, args("DS2", "x", subject, ca, root)...)
	bad := args("DS2", id, subject, ca, root)
	bad[1] = "x"
	d.refused(t, site, "pfx", "save_pfx", -1002, "Аргумент path недействителен", bad...)
	bad[0], bad[1] = "/nowhere", ""
	d.refused(t, site, "pfx", "save_pfx", -2011, "Диск не найден", bad...)
	for _, chain := range [][3]string{{subject, root, ca}, {subject, b64(foreign.CA.Cert.Raw), b64(foreign.Root.Cert.Raw)}, {subject, ca, ca}, {"AA==", ca, root}} {
		wantFields(t, callFunction(t, d.agent, "pfx", "save_pfx", args("DS2", id, chain[0], chain[1], chain[2])...), map[string]any{"success": false, "status": -9999})
	}
	d.types("cancel")
	d.refused(t, site, "pfx", "save_pfx", -5000, cancelled, args("DS2", id, subject, ca, root)...)
	d.types("Abc12345")
	xy := func(e testpki.Entity) string {
		k := e.Cert.PublicKey.Key.(*gost3410.PublicKey)
		return "X:0x" + hex.EncodeToString(k.X()) + ",Y:0x" + hex.EncodeToString(k.Y())
	}
	d.refused(t, site, "pfx", "save_pfx", -2020, "Открытый ключ сертификата не подходит для закрытого ключа. Требуется "+xy(other)+" получено "+xy(d.user),
		args("DS2", id, b64(other.Cert.Raw), ca, root)...)
	rsa := testpki.New(t, "ecdsa:P-256")
	d.types("Abc12345")
	d.refused(t, site, "pfx", "save_pfx", -2021, "Открытый ключ сертификата не подходит для закрытого ключа.",
		args("DS2", id, b64(rsa.User(t, testpki.Person).Cert.Raw), b64(rsa.CA.Cert.Raw), b64(rsa.Root.Cert.Raw))...)
	empty := args("DS2", id, subject, ca, root)
	empty[5] = ""
	d.refused(t, site, "pfx", "save_pfx", -9999, "Новый пароль ключа не может быть пустым", empty...)
	// The person is asked although the password is remembered, and told why.
	d.types("Abc12345", "Abc12345")
	wantFields(t, callFunction(t, d.agent, "pkcs7", "create_pkcs7", "AAAA", id), map[string]any{"success": true})
	wantFields(t, callFunction(t, d.agent, "pfx", "save_pfx", args("DS2", id, subject, ca, root)...), map[string]any{"success": true, "status": 1})
	if q := d.person.asked[1].Question; !strings.Contains(q, "DS2") || !strings.Contains(q, site.Domain) || d.person.asked[1].Remember {
		t.Errorf("%q", q)
	}
	// A loaded key takes the place of no other file.
	d.types()
	d.refused(t, site, "pfx", "save_pfx", -1004, "Файл уже существует, выберите другое имя файла", args("DS2", id, subject, ca, root)...)
	data, err := os.ReadFile(filepath.Join(d.stick, "DSKEYS", "DS2.pfx"))
	if err != nil {
		t.Fatal(err)
	}
	entries, err := keystore.OpenPFX(data, "NEwpass1234")
	if err != nil || len(entries) != 1 || entries[0].Alias != "cn=x,serialnumber=1" || len(entries[0].Chain) != 3 {
		t.Errorf("%+v %v", entries, err)
	}
	// A new key may not.
	pair := d.keys.Add(keyring.Session{Type: keyring.TypeKeyPair, Origin: site.Origin, Key: other.Key})
	d.refused(t, site, "pfx", "save_pfx", -1004, "Файл уже существует, выберите другое имя файла", args("DS2", pair, b64(other.Cert.Raw), ca, root)...)
	wantFields(t, callFunction(t, d.agent, "pfx", "save_pfx", args("DS3", pair, b64(other.Cert.Raw), ca, root)...), map[string]any{"success": true, "status": 1})
	d.refused(t, site, "pkcs7", "create_pkcs7", -1015, "Несоответствующий ключу идентификатор", "AAAA", pair)
	d.refused(t, site, "x509", "get_certificate_chain", -1018, "Несоответствующий сертификату идентификатор", pair)
}

// TestAKeyIsRenewedInItsOwnFile: other keys in it stay, under the new password.
func TestAKeyIsRenewedInItsOwnFile(t *testing.T) {
	d := newDesk(t)
	second := d.User(t, "CN=SECOND,SERIALNUMBER=2")
	two, err := keystore.CreatePFX(rand.Reader, []keystore.Entry{
		{Alias: "cn=second,serialnumber=2", Key: second.Key, Chain: second.Chain}, {Alias: d.alias, Key: d.user.Key, Chain: d.user.Chain},
	}, "Abc12345", keystore.ProfileJava8)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(d.stick, "DS1.pfx")
	if err := os.WriteFile(file, two, 0o600); err != nil {
		t.Fatal(err)
	}
	id := d.load(t)
	save := []string{d.stick, "", "DS1", "CN=NEW,SERIALNUMBER=3", id, "NEwpass1234", b64(d.user.Cert.Raw), b64(d.CA.Cert.Raw), b64(d.Root.Cert.Raw)}
	d.types("cancel")
	d.refused(t, site, "pfx", "save_pfx", -5000, cancelled, save...)
	if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, two) {
		t.Fatal("the file has changed", err)
	}
	d.types("Abc12345")
	wantFields(t, callFunction(t, d.agent, "pfx", "save_pfx", save...), map[string]any{"success": true, "status": 1})
	if q := d.person.asked[0].Question; !strings.Contains(q, "заменяет файл ключа DS1") {
		t.Errorf("%q", q)
	}
	now, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := keystore.OpenPFX(now, "NEwpass1234")
	if err != nil || len(entries) != 2 || entries[0].Alias != "cn=second,serialnumber=2" || entries[1].Alias != "cn=new,serialnumber=3" {
		t.Errorf("%+v %v", entries, err)
	}
}

// TestWhatOneNamelessPageIsGivenServesNoOther: hidden frames of all sites, and
// pages from files, have the origin null.
func TestWhatOneNamelessPageIsGivenServesNoOther(t *testing.T) {
	d := newDesk(t)
	for header, asked := range map[string]int{"null": 2, "file://": 2, "https://example.uz": 1, "": 1} {
		from := Caller{header, origin.Domain(header)}
		id := d.keys.Add(keyring.Session{Type: keyring.TypePFX, Origin: header, Alias: d.alias, File: d.located(t)})
		d.types("Abc12345", "Abc12345")
		for range 2 {
			request, err := json.Marshal(map[string]any{"plugin": "pkcs7", "name": "create_pkcs7", "arguments": []string{"AAAA", id}})
			if err != nil {
				t.Fatal(err)
			}
			if reply := d.agent.answer(t.Context(), from, request); !bytes.Contains(reply, []byte(`"success":true`)) {
				t.Errorf("%q: %s", header, reply)
			}
		}
		if len(d.person.asked) != asked {
			t.Errorf("%q: asked %d times, want %d", header, len(d.person.asked), asked)
		}
		if asked > 1 && d.person.asked[0].Remember {
			t.Errorf("%q: the question offers to remember", header)
		}
	}
}

// located is the file of the key.
func (d *desk) located(t *testing.T) keyring.File {
	t.Helper()
	f, err := d.keys.Locate(keyring.PFX, d.stick, "", "DS1")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestSignaturesAreAddedToDocuments(t *testing.T) {
	d := newDesk(t)
	second := d.User(t, testpki.Person)
	sign := func(detached bool) []byte {
		b, err := cms.Sign([]byte("some document"), []cms.Signer{{Key: second.Key, Chain: second.Chain, SigningTime: d.now}}, cms.Options{Detached: detached})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	id, data, ts := d.load(t), b64([]byte("some document")), d.open(t)
	d.types("Abc12345")
	reply := callFunction(t, d.agent, "pkcs7", "append_pkcs7_attached", b64(sign(false)), id)
	wantFields(t, reply, map[string]any{"success": true, "signer_serial_number": d.user.Cert.SerialHex()})
	info := callFunction(t, d.agent, "pkcs7", "verify_pkcs7_attached", fmt.Sprint(reply["pkcs7_64"]), ts)
	if signers, _ := info["pkcs7Info"].(map[string]any)["signers"].([]any); info["success"] != true || len(signers) != 2 {
		t.Error(info)
	}
	if d.person.asked[0].Content.Preview != "some document" {
		t.Errorf("%+v", d.person.asked[0].Content)
	}
	reply = callFunction(t, d.agent, "pkcs7", "append_pkcs7_detached", data, b64(sign(true)), id)
	wantFields(t, reply, map[string]any{"success": true})
	wantFields(t, callFunction(t, d.agent, "pkcs7", "verify_pkcs7_detached", data, fmt.Sprint(reply["pkcs7_64"]), ts), map[string]any{"success": true})
	for name, args := range map[string][]string{
		"detached where attached":  {"append_pkcs7_attached", b64(sign(true)), id},
		"attached where detached":  {"append_pkcs7_detached", data, b64(sign(false)), id},
		"other data":               {"append_pkcs7_detached", "AAAA", b64(sign(true)), id},
		"no document":              {"append_pkcs7_attached", "AA==", id},
		"no document and its data": {"append_pkcs7_detached", data, "*", id},
		"data that is no base64":   {"append_pkcs7_detached", "*", b64(sign(true)), id},
	} {
		if reply := callFunction(t, d.agent, "pkcs7", args[0], args[1:]...); reply["success"] != false || reply["status"] != -9999.0 {
			t.Errorf("%s: %v", name, reply)
		}
	}
	d.refused(t, site, "pkcs7", "append_pkcs7_attached", -1010, noKeyID, b64(sign(false)), "x")
}

func TestBareDataIsSigned(t *testing.T) {
	d := newDesk(t)
	id, data := d.load(t), b64([]byte("some document"))
	const digest = "3369cd520c8e556502b9bc0ac34ca69cafee96f2f4a8371a63d4dd7d3a458d05"
	certificate := b64(d.user.Cert.Raw)
	d.types("Abc12345")
	reply := callFunction(t, d.agent, "cryptoauth", "get_signature", data, id)
	wantFields(t, reply, map[string]any{"success": true, "signer_serial_number": d.user.Cert.SerialHex()})
	signature := fmt.Sprint(reply["signature_hex"])
	wantFields(t, callFunction(t, d.agent, "cryptoauth", "verify_signature_with_certificate", data, signature, certificate), map[string]any{"success": true})
	wantFields(t, callFunction(t, d.agent, "cryptoauth", "verify_signature_with_id", data, signature, id), map[string]any{"success": true})
	wantFields(t, callFunction(t, d.agent, "cryptoauth", "verify_digest_hex_signature_with_id", digest, signature, id), map[string]any{"success": true})
	wantFields(t, callFunction(t, d.agent, "cryptoauth", "verify_signature_with_id", "AAAA", signature, id), map[string]any{"success": false, "status": -9999, "reason": "Подпись неверна"})
	d.refused(t, site, "cryptoauth", "verify_signature_with_id", -1010, noKeyID, data, signature, "x")
	// A digest shows nobody what it is of: the person is asked every time.
	for range 2 {
		d.types("no")
		d.refused(t, site, "cryptoauth", "get_digest_hex_signature", -5001, "Операция отменена", digest, id)
		d.types("yes")
		reply = callFunction(t, d.agent, "cryptoauth", "get_digest_hex_signature", digest, id)
		wantFields(t, reply, map[string]any{"success": true})
		wantFields(t, callFunction(t, d.agent, "cryptoauth", "verify_signature_with_certificate", data, fmt.Sprint(reply["signature_hex"]), certificate), map[string]any{"success": true})
	}
	wantFields(t, callFunction(t, d.agent, "cryptoauth", "get_digest_hex_signature", digest[2:], id), map[string]any{"success": false, "status": -9999})
}

func TestFieldsAreTakenOutOfAliases(t *testing.T) {
	const alias = `cn=ivanov, ivan,o=a,b,uid=1,1.2.860.3.16.1.2=30000000000000,serialnumber=785d0338,validfrom=2024.05.01 17:49:48`
	for name, want := range map[string]string{"cn": "ivanov, ivan", "CN": "ivanov, ivan", "o": "a,b", "1.2.860.3.16.1.2": "30000000000000", "serialnumber": "785d0338", "validfrom": "2024.05.01 17:49:48", "x": ""} {
		if got := aliasField(alias, name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
