package agent

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imzo/internal/eimzo/agent/keyring"
	"imzo/internal/eimzo/agent/prompt"
	"imzo/internal/secret"
	"imzo/internal/testpki"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/keystore"
)

// octets are those of a field in base64.
func octets(t *testing.T, reply map[string]any, field string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(fmt.Sprint(reply[field]))
	if err != nil || len(b) == 0 {
		t.Fatalf("%s: %v in %v", field, err, reply)
	}
	return b
}

// certify issues a certificate for a request.
func (d *desk) certify(t *testing.T, request []byte) testpki.Entity {
	t.Helper()
	r, err := cert.ParseRequest(request)
	if err != nil || r.CheckSignature() != nil {
		t.Fatal(err)
	}
	c, err := cert.Create(rand.Reader, &cert.Template{
		Subject: r.Subject, NotBefore: d.now.Add(-time.Hour), NotAfter: d.now.Add(time.Hour), PublicKey: r.PublicKey, KeyUsage: testpki.UserKeyUsage,
	}, d.CA.Cert, d.CA.Key)
	if err != nil {
		t.Fatal(err)
	}
	return testpki.Entity{Cert: c, Chain: []*cert.Certificate{c, d.CA.Cert, d.Root.Cert}}
}

const newName = "CN=PETROV PETR,C=UZ,1.2.860.3.16.1.2=30000000000001"

func TestKeyPairsAndRequestsAreMade(t *testing.T) {
	d := newDesk(t)
	d.types("no")
	reply := callFunction(t, d.agent, "pkcs10", "generate_keypair", "ozdst-1092-2009-2")
	wantFields(t, reply, map[string]any{"success": true, "type": "KEY_PAIR"})
	if q := d.person.asked[0]; q.Kind != prompt.KindConfirm || !strings.Contains(q.Question, "OZMST-286-2024-2") {
		t.Errorf("%+v", q)
	}
	pair := fmt.Sprint(reply["kpId"])
	d.types("yes")
	newer := fmt.Sprint(callFunction(t, d.agent, "pkcs10", "generate_keypair", "OZDST-1092-2009-2", "seed")["kpId"])
	d.types()
	newest := fmt.Sprint(callFunction(t, d.agent, "pkcs10", "generate_keypair", "OZMST-286-2024-2")["kpId"])
	d.types("cancel")
	d.refused(t, site, "pkcs10", "generate_keypair", -5001, "Операция отменена", "OZDST-1092-2009-2")
	d.refused(t, site, "pkcs10", "generate_keypair", -9999, "Неподдерживаемый алгоритм", "RSA")

	for id, name := range map[string]string{pair: "OZDST-1092-2009-2", newer: "OZMST-286-2024-2", newest: "OZMST-286-2024-2"} {
		reply := callFunction(t, d.agent, "pkcs10", "create_pkcs10", id, newName, "1.2.860.3.2.2.1.2.1,1.2.860.3.2.2.1.2.2")
		request, err := cert.ParseRequest(octets(t, reply, "pkcs10_64"))
		if err != nil || request.CheckSignature() != nil || len(request.Policies) != 2 {
			t.Fatal(err, request)
		}
		for _, form := range []string{b64(request.Raw), "-----BEGIN CERTIFICATE REQUEST-----\n" + b64(request.Raw) + "\n-----END CERTIFICATE REQUEST-----\n"} {
			reply := callFunction(t, d.agent, "pkcs10", "get_pkcs10_info", form)
			wantFields(t, reply, map[string]any{"success": true, "pkcs10_64": b64(request.Raw)})
			info := reply["pkcs10_info"].(map[string]any)
			wantFields(t, info, map[string]any{"subjectName": newName, "verified": true})
			wantFields(t, info["publicKey"].(map[string]any), map[string]any{"keyAlgName": name, "publicKey": b64(request.PublicKey.Raw)})
			wantFields(t, info["signature"].(map[string]any), map[string]any{"signature": hex.EncodeToString(request.Signature)})
		}
		broken := append([]byte{}, request.Raw...)
		broken[len(broken)-1] ^= 1
		wantFields(t, callFunction(t, d.agent, "pkcs10", "get_pkcs10_info", b64(broken))["pkcs10_info"].(map[string]any), map[string]any{"verified": false})
	}
	for _, bad := range []string{"", "AA==", b64(d.user.Cert.Raw), strings.Repeat("A", maxCertificate+1)} {
		d.refused(t, site, "pkcs10", "get_pkcs10_info", -1028, "Не удалось открыть запрос PKCS#10, требуется передать запрос в формате PEM или BASE64", bad)
	}
	key := d.load(t)
	d.refused(t, site, "pkcs10", "create_pkcs10", -1011, "Ключевая пара по идентификатору не найдена", "x", newName)
	d.refused(t, site, "pkcs10", "create_pkcs10", -1016, "Несоответствующий идентификатор ключа", key, newName)
	d.refused(t, site, "pkcs10", "create_pkcs10", -2023, "Передан недействительный OID политики применения сертификатов", pair, newName, "1.2.3, 1.2.4")
	wantFields(t, callFunction(t, d.agent, "pkcs10", "create_pkcs10", pair, "no name"), map[string]any{"success": false, "status": -9999})

	for name, want := range map[string]string{"": d.user.Cert.Subject.String(), newName: newName} {
		d.keys.Forget(site.Origin, key)
		d.types("Abc12345")
		reply := callFunction(t, d.agent, "pkcs10", "create_pkcs10_from_key", key, name, " 1.2.3 , 1.2.4")
		request, err := cert.ParseRequest(octets(t, reply, "pkcs10_64"))
		if err != nil || request.CheckSignature() != nil || request.Subject.String() != want || len(request.Policies) != 2 || !request.PublicKey.SameKey(d.user.Cert.PublicKey) {
			t.Error(err, request)
		}
	}
	d.refused(t, site, "pkcs10", "create_pkcs10_from_key", -1010, noKeyID, "x")
	d.refused(t, site, "pkcs10", "create_pkcs10_from_key", -1015, "Несоответствующий ключу идентификатор", pair)
	d.refused(t, site, "pkcs10", "create_pkcs10_from_key", -2023, "Передан недействительный OID политики применения сертификатов", key, "", "x")
}

func TestTemporaryKeysAreKeptForAWeek(t *testing.T) {
	d := newDesk(t)
	d.types()
	pair := fmt.Sprint(callFunction(t, d.agent, "pkcs10", "generate_keypair", "OZMST-286-2024-2")["kpId"])
	args := []string{d.stick, "", "TEMP1", "CN=Temporary", pair, "x", newName}
	wantFields(t, callFunction(t, d.agent, "pfx", "save_temporary_pfx", args...), map[string]any{"success": true, "status": 1})
	d.refused(t, site, "pfx", "save_temporary_pfx", -2009, "Файл уже существует, выберите другое имя файла", args...)
	data, err := os.ReadFile(filepath.Join(d.stick, "TEMP1.pfx"))
	if err != nil {
		t.Fatal(err)
	}
	entries, err := keystore.OpenPFX(data, "x")
	if err != nil || len(entries) != 1 || entries[0].Alias != "cn=temporary" {
		t.Fatal(entries, err)
	}
	chain := entries[0].Chain
	if len(chain) != 3 || chain[0].Subject.String() != newName || chain[1].Subject.String() != "CN=Temporary CA,L=Tashkent,C=UZ" || chain[2].Subject.String() != "CN=Temporary Root,L=Tashkent,C=UZ" {
		t.Fatalf("%v", chain)
	}
	for i, c := range chain {
		if err := c.CheckSignatureFrom(chain[min(i+1, 2)]); err != nil || !c.NotBefore.Equal(d.now) || !c.NotAfter.Equal(d.now.Add(7*24*time.Hour)) {
			t.Errorf("%d: %v, %s to %s", i, err, c.NotBefore, c.NotAfter)
		}
	}
	if c := chain[0]; c.KeyUsage != cert.KeyUsageKeyAgreement || len(c.PolicyIdentifiers) != 1 || c.PolicyIdentifiers[0].String() != "1.2.860.3.2.10.2" || chain[2].Version != 1 ||
		chain[1].BasicConstraints.MaxPathLen != 0 || chain[1].KeyUsage&cert.KeyUsageCertSign == 0 {
		t.Errorf("%+v", c)
	}
	for i, c := range []struct {
		at     int
		value  string
		status int
		reason string
	}{
		{2, "temp", -1003, "Имя файла содержит неразрешенные символы"}, {1, "x", -1002, "Аргумент path недействителен"},
		{0, "/nowhere", -2011, "Диск не найден"}, {4, "x", -1011, "Ключевая пара по идентификатору не найдена"}, {4, d.load(t), -1011, "Ключевая пара по идентификатору не найдена"},
	} {
		bad := append([]string{}, args...)
		bad[2] = fmt.Sprint("OTHER", i)
		bad[c.at] = c.value
		d.refused(t, site, "pfx", "save_temporary_pfx", c.status, c.reason, bad...)
	}
}

// fills answers for a new key: the first disk and a password.
func (d *desk) fills(t *testing.T, password string) *[]prompt.Request {
	asked := &[]prompt.Request{}
	d.agent.prompter = person(func(r prompt.Request) (prompt.Answer, error) {
		*asked = append(*asked, r)
		if r.Kind != prompt.KindNewKey {
			return prompt.Answer{}, prompt.ErrUnavailable
		}
		return prompt.Answer{Disk: r.Disks[0], Secret: secret.New([]byte(password))}, nil
	})
	return asked
}

func TestAPersonGetsAKeyInTwoSteps(t *testing.T) {
	d := newDesk(t)
	asked := d.fills(t, "NEwpass1234")
	step1 := func(guid string) []string {
		return []string{guid, "OZDST-1092-2009-2", "", newName, "1.2.860.3.2.2.1.2.1", "DS9", b64([]byte("application"))}
	}
	reply := callFunction(t, d.agent, "pki", "enroll_pfx_step1", step1("test-1")...)
	wantFields(t, reply, map[string]any{"success": true, "guid": "test-1", "disk": d.stick + "/", "password": ""})
	if q := (*asked)[len(*asked)-1]; q.FileName != "DS9" || len(q.Disks) != 1 {
		t.Errorf("%+v", q)
	}
	if _, err := os.Stat(filepath.Join(d.stick, "DSKEYS")); err == nil {
		t.Error("something is written before there is a certificate")
	}
	application, err := cms.Parse(octets(t, reply, "pkcs7_64"))
	if err != nil || string(application.Content()) != "application" || application.Certificates[0].Subject.String() != newName ||
		application.Verify(application.SignerInfos[0], application.Certificates[0], nil) != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"tempUserCertificate", "tempCACertificate", "tempRootCertificate"} {
		if got := octets(t, reply, name); string(got) != string(application.Certificates[i].Raw) {
			t.Error(name)
		}
	}
	d.refused(t, site, "pki", "enroll_pfx_step1", -2026, "Идентификатор процесса GUID уже существует", step1("test-1")...)
	user := d.certify(t, octets(t, reply, "pkcs10_64"))
	step2 := func(guid string, subject testpki.Entity) []string {
		return []string{guid, b64(subject.Cert.Raw), b64(d.CA.Cert.Raw), b64(d.Root.Cert.Raw), b64([]byte("received"))}
	}
	d.refused(t, site, "pki", "enroll_pfx_step2", -2025, "Идентификатор процесса GUID не найден", step2("other", user)...)
	d.refused(t, Caller{"https://other.uz", "other.uz"}, "pki", "enroll_pfx_step2", -2025, "Идентификатор процесса GUID не найден", step2("test-1", user)...)
	if wrong := callFunction(t, d.agent, "pki", "enroll_pfx_step2", step2("test-1", d.user)...); wrong["status"] != -2020.0 {
		t.Error(wrong)
	}
	reply = callFunction(t, d.agent, "pki", "enroll_pfx_step2", step2("test-1", user)...)
	alias := keystore.Alias(user.Cert, time.UTC)
	wantFields(t, reply, map[string]any{"success": true, "guid": "test-1", "alias": alias})
	received, err := cms.Parse(octets(t, reply, "pkcs7_64"))
	if err != nil || received.Verify(received.SignerInfos[0], user.Cert, nil) != nil {
		t.Error(err)
	}
	d.refused(t, site, "pki", "enroll_pfx_step2", -2025, "Идентификатор процесса GUID не найден", step2("test-1", user)...)
	loaded := callFunction(t, d.agent, "pfx", "load_key", d.stick, "DSKEYS", "DS9", alias)
	wantFields(t, loaded, map[string]any{"success": true})
	data, err := os.ReadFile(filepath.Join(d.stick, "DSKEYS", "DS9.pfx"))
	if err != nil {
		t.Fatal(err)
	}
	if entries, err := keystore.OpenPFX(data, "NEwpass1234"); err != nil || len(entries) != 1 || len(entries[0].Chain) != 3 {
		t.Error(entries, err)
	}
	d.refused(t, site, "pki", "enroll_pfx_step1", -2012, "Файл ключа уже существует: "+filepath.Join(d.stick, "DSKEYS", "DS9.pfx"), step1("2")...)

	// What is refused before anybody is asked.
	before := len(*asked)
	for i, c := range []struct {
		at     int
		value  string
		status int
		reason string
	}{
		{4, " ", -1023, "OIDы политик применения сертификатов не переданы"}, {4, "x", -2023, "Передан недействительный OID политики применения сертификатов"},
		{5, "ds 9", -1003, "Имя файла содержит неразрешенные символы"},
	} {
		args := step1(fmt.Sprint("refused", i))
		args[c.at] = c.value
		d.refused(t, site, "pki", "enroll_pfx_step1", c.status, c.reason, args...)
	}
	if len(*asked) != before {
		t.Error("somebody was asked")
	}
	args := step1("named")
	args[3] = "no name"
	wantFields(t, callFunction(t, d.agent, "pki", "enroll_pfx_step1", args...), map[string]any{"status": -9999})
	if err := os.RemoveAll(d.stick); err != nil {
		t.Fatal(err)
	}
	d.refused(t, site, "pki", "enroll_pfx_step1", -5003, "Присоедините USB-диск и повторите попытку", step1("3")...)
}

func TestAnEnrolmentEnds(t *testing.T) {
	d := newDesk(t, func(o *Options) { o.TellPassword = true })
	d.fills(t, "NEwpass1234")
	args := []string{"a", "OZMST-286-2024-2", "", newName, "1.2.3", "DS9", "AAAA"}
	reply := callFunction(t, d.agent, "pki", "enroll_pfx_step1", args...)
	wantFields(t, reply, map[string]any{"success": true, "password": "NEwpass1234"})
	user := d.certify(t, octets(t, reply, "pkcs10_64"))
	d.now = d.now.Add(enrolmentLife)
	d.refused(t, site, "pki", "enroll_pfx_step2", -2025, "Идентификатор процесса GUID не найден", "a", b64(user.Cert.Raw), b64(d.CA.Cert.Raw), b64(d.Root.Cert.Raw), "AAAA")
	wantFields(t, callFunction(t, d.agent, "pki", "enroll_pfx_step1", args...), map[string]any{"success": true})
	d.agent.prompter = person(func(prompt.Request) (prompt.Answer, error) { return prompt.Answer{}, prompt.ErrCancelled })
	args[0] = "b"
	d.refused(t, site, "pki", "enroll_pfx_step1", -5000, cancelled, args...)
	d.refused(t, site, "pki", "enroll_pfx_step1", -5000, cancelled, args...) // and not -2026
	// While the person is asked, others hear so.
	started, release := make(chan struct{}), make(chan struct{})
	d.agent.prompter = person(func(prompt.Request) (prompt.Answer, error) {
		close(started)
		<-release
		return prompt.Answer{}, prompt.ErrCancelled
	})
	ended := make(chan []byte)
	go func() {
		request, _ := json.Marshal(map[string]any{"plugin": "pki", "name": "enroll_pfx_step1", "arguments": args})
		ended <- d.agent.answer(context.Background(), site, request)
	}()
	<-started
	d.refused(t, site, "pki", "enroll_pfx_step1", -3001, "В ожидании ввода пользователя", args...)
	d.refused(t, site, "pki", "enroll_pfx_step2", -3001, "В ожидании ввода пользователя", "b", b64(user.Cert.Raw), b64(d.CA.Cert.Raw), b64(d.Root.Cert.Raw), "AAAA")
	close(release)
	<-ended
}

func TestYTKSFilesAreListedLoadedAndSaved(t *testing.T) {
	d := newDesk(t)
	id := d.load(t)
	d.types("Abc12345")
	save := []string{d.stick, "", "YKS1", d.alias, id, "NEwpass1234", b64(d.user.Cert.Raw), b64(d.CA.Cert.Raw), b64(d.Root.Cert.Raw)}
	wantFields(t, callFunction(t, d.agent, "ytks", "save_ytks", save...), map[string]any{"success": true, "status": 1})
	reply := callFunction(t, d.agent, "ytks", "list_all_certificates")
	list, _ := reply["certificates"].([]any)
	if len(list) != 1 {
		t.Fatal(reply)
	}
	wantFields(t, list[0].(map[string]any), map[string]any{
		"disk": d.stick + "/", "path": "", "name": "YKS1", "alias": d.alias, "serialNumber": d.user.Cert.SerialHex(), "subjectName": d.user.Cert.Subject.String(),
		"issuerName": d.CA.Cert.Subject.String(), "publicKeyAlgName": "OZDST-1092-2009-2",
		"validFrom": float64(d.user.Cert.NotBefore.UnixMilli()), "validTo": float64(d.user.Cert.NotAfter.UnixMilli()),
	})
	wantFields(t, callFunction(t, d.agent, "ytks", "list_certificates", d.stick), map[string]any{"certificates": list})
	d.refused(t, site, "ytks", "list_certificates", -2011, "Диск не найден", "/nowhere")
	load := func(disk, path, name, alias, serial string) []string {
		return []string{disk, path, name, alias, serial}
	}
	serial := d.user.Cert.SerialHex()
	file := filepath.Join(d.stick, "YKS1.yks")
	d.refused(t, site, "ytks", "load_key", -2024, "Сертификат с именем ["+d.alias+"] не найден в YKS-файле "+file, load(d.stick, "", "YKS1", d.alias, "1")...)
	d.refused(t, site, "ytks", "load_key", -2024, "Сертификат с именем [x] не найден в YKS-файле "+file, load(d.stick, "", "YKS1", "x", serial)...)
	d.refused(t, site, "ytks", "load_key", -2010, "Файл ключа не существует", load(d.stick, "", "DS1", d.alias, serial)...)
	d.refused(t, site, "ytks", "load_key", -1002, "Аргумент path недействителен", load(d.stick, "x", "YKS1", d.alias, serial)...)
	loaded := callFunction(t, d.agent, "ytks", "load_key", load(d.stick, "", "YKS1", d.alias, serial)...)
	wantFields(t, loaded, map[string]any{"success": true, "type": "YTKS_KEY_STORE"})
	key := fmt.Sprint(loaded["keyId"])
	if loaded["ytksId"] != key {
		t.Error(loaded)
	}
	d.types("wrong", "NEwpass1234")
	signed := callFunction(t, d.agent, "pkcs7", "create_pkcs7", "AAAA", key)
	wantFields(t, signed, map[string]any{"success": true, "signer_serial_number": serial})
	d.types("NEwpass1234", "Changed12345")
	wantFields(t, callFunction(t, d.agent, "ytks", "change_password", key), map[string]any{"success": true})
	d.refused(t, site, "ytks", "verify_password", -1013, "Идентификатор ключа типа 'YTKS_KEY_STORE' не найден", key)
	key = fmt.Sprint(callFunction(t, d.agent, "ytks", "load_key", load(d.stick, "", "YKS1", d.alias, serial)...)["keyId"])
	d.types("Changed12345")
	wantFields(t, callFunction(t, d.agent, "ytks", "verify_password", key), map[string]any{"success": true})
	d.refused(t, site, "pfx", "unload_key", -1014, noPFXID, key)
	wantFields(t, callFunction(t, d.agent, "ytks", "unload_key", key), map[string]any{"success": true})
	// A new key takes the place of no file.
	d.types()
	pair := d.keys.Add(keyring.Session{Type: keyring.TypeKeyPair, Origin: site.Origin, Key: d.user.Key})
	save[4] = pair
	d.refused(t, site, "ytks", "save_ytks", -2009, "Файл уже существует, выберите другое имя файла", save...)
}

// The first entries of apidoc are those of 6.4.7, in its order, with its
// functions and their arguments.
func TestApidocEqualsTheOriginals(t *testing.T) {
	text, err := os.ReadFile("testdata/apidoc-6.4.7.txt")
	if err != nil {
		t.Fatal(err)
	}
	var doc []struct {
		Name      string
		Functions []struct {
			Plugin, Name string
			Arguments    []struct {
				Name     string
				Optional bool
			}
		}
	}
	if err := json.Unmarshal(newAgent(t).answer(t.Context(), site, []byte(`{"name":"apidoc"}`)), &doc); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, p := range doc {
		for _, f := range p.Functions {
			args := []string{}
			for _, a := range f.Arguments {
				if a.Optional {
					a.Name += "?"
				}
				args = append(args, a.Name)
			}
			lines = append(lines, f.Plugin+"."+f.Name+"("+strings.Join(args, ",")+")")
		}
	}
	want := strings.Fields(string(text))
	for i, line := range want {
		if i >= len(lines) || lines[i] != line {
			t.Errorf("function %d is %v, want %s", i, lines[min(i, len(lines)-1)], line)
			break
		}
	}
}
