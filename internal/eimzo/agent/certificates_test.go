package agent

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/tsp"
)

// call asks as site and gives the fields of the reply.
func callFunction(t *testing.T, a *Agent, plugin, name string, args ...string) map[string]any {
	t.Helper()
	request, err := json.Marshal(map[string]any{"plugin": plugin, "name": name, "arguments": args})
	if err != nil {
		t.Fatal(err)
	}
	var reply map[string]any
	if err := json.Unmarshal(a.answer(t.Context(), site, request), &reply); err != nil {
		t.Fatal(err)
	}
	return reply
}

func wantFields(t *testing.T, reply map[string]any, want map[string]any) {
	t.Helper()
	for key, value := range want {
		if got := reply[key]; fmt.Sprint(got) != fmt.Sprint(value) {
			t.Errorf("%s is %v, want %v in %v", key, got, value, reply)
		}
	}
}

func TestCertificateInfoIsAsPagesReadIt(t *testing.T) {
	pki := testpki.New(t, "ozdst")
	user := pki.User(t, testpki.Person)
	tashkent := time.FixedZone("Asia/Tashkent", 5*3600)
	a := newAgent(t, func(o *Options) { o.Location = tashkent })
	der := user.Cert.Raw
	pem := "-----BEGIN CERTIFICATE-----\n" + base64.StdEncoding.EncodeToString(der) + "\n-----END CERTIFICATE-----\n"
	for name, form := range map[string]string{
		"base64 of DER": base64.StdEncoding.EncodeToString(der),
		"PEM":           pem,
		"base64 of PEM": base64.StdEncoding.EncodeToString([]byte(pem)),
	} {
		reply := callFunction(t, a, "x509", "get_certificate_info", form)
		wantFields(t, reply, map[string]any{"success": true, "status": 1})
		info, ok := reply["certificate_info"].(map[string]any)
		if !ok {
			t.Fatalf("%s: %v", name, reply)
		}
		wantFields(t, info, map[string]any{
			"serialNumber": user.Cert.SerialHex(),
			"subjectName":  "CN=IVANOV IVAN IVANOVICH,Name=IVAN,SURNAME=IVANOV,L=YUNUSOBOD TUMANI,ST=TOSHKENT SHAHRI,C=UZ,UID=400000000,1.2.860.3.16.1.2=30000000000000",
			"issuerName":   user.Cert.Issuer.String(),
			"validFrom":    user.Cert.NotBefore.In(tashkent).Format("2006.01.02 15:04:05"),
			"validTo":      user.Cert.NotAfter.In(tashkent).Format("2006.01.02 15:04:05"),
		})
		wantFields(t, info["publicKey"].(map[string]any), map[string]any{
			"keyAlgName": "OZDST-1092-2009-2", "publicKey": base64.StdEncoding.EncodeToString(user.Cert.PublicKey.Raw),
		})
		wantFields(t, info["signature"].(map[string]any), map[string]any{
			"signAlgName": "OZDST-1106-2009-2-AwithOZDST-1092-2009-2", "signature": hex.EncodeToString(user.Cert.Signature),
		})
	}
	for _, form := range []string{"", "AA==", "!", "null", strings.Repeat("A", maxCertificate+1), pem + pem} {
		reply := callFunction(t, a, "x509", "get_certificate_info", form)
		wantFields(t, reply, map[string]any{"success": false, "status": -9999})
	}
}

func TestACertificateIsItsIssuersOrNot(t *testing.T) {
	pki := testpki.New(t, "ozdst")
	user := pki.User(t, testpki.Person)
	stranger := testpki.New(t, "ozdst")
	a := newAgent(t)
	b64 := func(e testpki.Entity) string { return base64.StdEncoding.EncodeToString(e.Cert.Raw) }
	verify := func(subject, issuer testpki.Entity, want bool) {
		t.Helper()
		reply := callFunction(t, a, "x509", "verify_certificate", b64(subject), b64(issuer))
		wantFields(t, reply, map[string]any{"success": want})
		if !want {
			wantFields(t, reply, map[string]any{"status": -9999, "reason": "Сертификат субъекта не подписан этим издателем"})
		}
	}
	verify(user, pki.CA, true)
	verify(pki.CA, pki.Root, true)
	verify(pki.Root, pki.Root, true)
	verify(user, pki.Root, false)
	verify(user, stranger.CA, false)
	wantFields(t, callFunction(t, a, "x509", "verify_certificate", b64(user), "AA=="), map[string]any{"success": false, "status": -9999})
	wantFields(t, callFunction(t, a, "x509", "verify_certificate", "AA==", b64(user)), map[string]any{"success": false, "status": -9999})
}

func TestBareSignaturesAreChecked(t *testing.T) {
	pki := testpki.New(t, "ozdst")
	user := pki.User(t, testpki.Person)
	other := pki.User(t, testpki.Person)
	a := newAgent(t)
	message := base64.StdEncoding.EncodeToString([]byte("some document"))
	const digest = "3369cd520c8e556502b9bc0ac34ca69cafee96f2f4a8371a63d4dd7d3a458d05" // guide 2.2.4
	wantFields(t, callFunction(t, a, "cryptoauth", "get_digest_hex", message), map[string]any{"success": true, "digest_hex": digest})
	wantFields(t, callFunction(t, a, "cryptoauth", "get_digest_hex", "*"), map[string]any{"success": false, "status": -9999})
	signature, err := user.Key.SignMessage(nil, []byte("some document"))
	if err != nil {
		t.Fatal(err)
	}
	certificate := base64.StdEncoding.EncodeToString(user.Cert.Raw)
	elses := base64.StdEncoding.EncodeToString(other.Cert.Raw)
	rsa := base64.StdEncoding.EncodeToString(testpki.New(t, "ecdsa:P-256").Root.Cert.Raw)
	good := hex.EncodeToString(signature)
	for _, c := range []struct {
		name string
		args []string
		want bool
	}{
		{"verify_signature_with_certificate", []string{message, good, certificate}, true},
		{"verify_signature_with_certificate", []string{message, strings.ToUpper(good), certificate}, true},
		{"verify_signature_with_certificate", []string{"AAAA", good, certificate}, false},
		{"verify_signature_with_certificate", []string{message, good, elses}, false},
		{"verify_signature_with_certificate", []string{message, good, rsa}, false},
		{"verify_signature_with_certificate", []string{message, good[2:], certificate}, false},
		{"verify_signature_with_certificate", []string{message, "x", certificate}, false},
		{"verify_signature_with_certificate", []string{"*", good, certificate}, false},
		{"verify_digest_hex_signature_with_certificate", []string{digest, good, certificate}, true},
		{"verify_digest_hex_signature_with_certificate", []string{strings.Repeat("0", 64), good, certificate}, false},
		{"verify_digest_hex_signature_with_certificate", []string{digest[2:], good, certificate}, false},
		{"verify_digest_hex_signature_with_certificate", []string{digest, good, "AA=="}, false},
	} {
		reply := callFunction(t, a, "cryptoauth", c.name, c.args...)
		wantFields(t, reply, map[string]any{"success": c.want})
		if !c.want {
			wantFields(t, reply, map[string]any{"status": -9999})
		}
	}
}

func TestTimestampRequestsAskForTheImprint(t *testing.T) {
	a := newAgent(t)
	// The imprint of the guide's example (2.2.4).
	const signature = "a88ab92b3eed2221925a8532a88ff52d94fc7fa2d0b3579f614822f0723395ee4727de2ed694a21715879637b3181febb94da9016f5a1737d7e9f9920719e90d"
	const imprint = "e96377344d7bab212bcb6c6b82c25fb61600bb4d3f9645aa40c3ec51e4827605"
	raw, _ := hex.DecodeString(signature)
	for _, c := range []struct{ plugin, name, arg string }{
		{"tsaclient", "get_timestamp_token_request_for_signature", signature},
		{"", "get_timestamp_token_request_for_signature", signature},
		{"tsaclient", "get_timestamp_token_request_for_data", base64.StdEncoding.EncodeToString(raw)},
	} {
		reply := callFunction(t, a, c.plugin, c.name, c.arg)
		b, err := base64.StdEncoding.DecodeString(fmt.Sprint(reply["timestamp_request_64"]))
		if err != nil {
			t.Fatalf("%v: %v", reply, err)
		}
		r, err := tsp.ParseRequest(b)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(r.HashedMessage); got != imprint || r.HashAlgorithm.OID != alg.OZDST().OID || r.Nonce == nil || !r.CertReq {
			t.Errorf("%+v", r)
		}
		wantFields(t, callFunction(t, a, c.plugin, c.name, "*"), map[string]any{"success": false, "status": -9999})
	}
	ask(t, a, stranger, `{"name":"get_timestamp_token_request_for_signature","arguments":["00"]}`, `{"success":false,"status":-1022,"reason":"API-key для домена stranger.uz недействителен."}`)
}

func TestTimestampsComeFromTheAuthorityThatIsSet(t *testing.T) {
	wantFields(t, callFunction(t, newAgent(t), "tsaclient", "get_timestamp_token_for_data", "AAAA", ""), map[string]any{"success": false, "status": -9999})
	asked := ""
	a := newAgent(t, func(o *Options) {
		o.TSAURL = "http://tsa.uz/"
		o.Stamp = func(_ context.Context, d *alg.Digest, message []byte) ([]byte, error) {
			asked = d.Name + " " + hex.EncodeToString(message)
			if message[0] == 0xff {
				return nil, errors.New("at http://10.0.0.7/")
			}
			return []byte{1, 2, 3}, nil
		}
	})
	for _, c := range []struct{ name, arg, url string }{
		{"get_timestamp_token_for_signature", "00aa", "http://tsa.uz/"},
		{"get_timestamp_token_for_data", "AKo=", ""},
	} {
		wantFields(t, callFunction(t, a, "tsaclient", c.name, c.arg, c.url), map[string]any{"success": true, "timestamp_token_64": "AQID"})
		if asked != "OZDST-1106-2009-2-A 00aa" {
			t.Error(asked)
		}
		wantFields(t, callFunction(t, a, "tsaclient", c.name, c.arg, "http://127.0.0.1/"), map[string]any{"success": false, "status": -9999})
		wantFields(t, callFunction(t, a, "tsaclient", c.name, "*", ""), map[string]any{"success": false, "status": -9999})
	}
	wantFields(t, callFunction(t, a, "tsaclient", "get_timestamp_token_for_data", "/w==", ""), map[string]any{"status": -9999, "reason": "Служба меток времени не выдала токен"})
}

func TestTokensAreDescribed(t *testing.T) {
	token, err := os.ReadFile("testdata/token.der")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := tsp.ParseToken(token)
	if err != nil {
		t.Fatal(err)
	}
	a := newAgent(t)
	reply := callFunction(t, a, "tsaclient", "get_timestamp_token_info", base64.StdEncoding.EncodeToString(token))
	info, ok := reply["timestamp_token_info"].(map[string]any)
	if !ok {
		t.Fatal(reply)
	}
	wantFields(t, info, map[string]any{
		"serialNumber": parsed.Info.Serial.Text(16), "verified": true, "tsaPolicy": parsed.Info.Policy.String(),
		"messageImprintDigest": hex.EncodeToString(parsed.Info.HashedMessage),
	})
	if certs, ok := info["certificate"].([]any); !ok || len(certs) == 0 {
		t.Error(info)
	}
	for _, bad := range []string{"", "AA==", "*"} {
		wantFields(t, callFunction(t, a, "tsaclient", "get_timestamp_token_info", bad), map[string]any{"success": false, "status": -9999})
	}
}

func TestKeysOfFormerKindsAreNone(t *testing.T) {
	a := newAgent(t)
	for _, c := range []struct{ plugin, name, field string }{
		{"certkey", "list_disks", "disks"}, {"certkey", "list_all_certificates", "certificates"},
		{"ftjc", "list_all_keys", "tokens"}, {"ftjc", "list_tokens", "tokens"},
	} {
		ask(t, a, site, `{"plugin":"`+c.plugin+`","name":"`+c.name+`"}`, `{"success":true,"status":1,"`+c.field+`":[]}`)
	}
	ask(t, a, site, `{"plugin":"ftjc","name":"list_all_keys","arguments":[""]}`, `{"success":true,"status":1,"tokens":[]}`)
	ask(t, a, site, `{"plugin":"ftjc","name":"load_key","arguments":["x"]}`, `{"success":false,"status":-1010,"reason":"Ключ по идентификатору не найден"}`)
	six := newAgent(t, func(o *Options) { o.Compat = Compat6 })
	ask(t, six, site, `{"plugin":"ftjc","name":"list_all_keys"}`, noFunction)
	ask(t, six, site, `{"name":"get_timestamp_token_request_for_signature","arguments":["00"]}`, noFunction)
	ask(t, six, site, `{"plugin":"app","name":"show_menu"}`, `{"success":true,"status":1}`)
}
