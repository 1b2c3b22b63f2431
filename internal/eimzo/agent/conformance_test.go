package agent

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"imzo/internal/eimzo/agent/keyring"
	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/crl"
	"imzo/pki/keystore"
	"imzo/pki/token"
	"imzo/pki/tsp"
)

// The pages of the conformance test. Two have their API keys, one has none.
const (
	pageOne     = "http://localhost:3000"
	pageTwo     = "http://127.0.0.1"
	pageForeign = "https://stranger.uz:8443"
)

// scenery is what all stages share, as it takes time to make.
type scenery struct {
	pki         *testpki.PKI
	user        testpki.Entity
	alias       string
	pfx, yks    []byte
	document    []byte // attached
	detached    []byte
	list, token []byte
	digest      []byte
	signature   []byte
}

var makeScenery = sync.OnceValue(func() *scenery {
	t := &testing.T{}
	pki := testpki.New(t, "ozdst")
	user := pki.User(t, testpki.Person)
	s := &scenery{pki: pki, user: user, alias: keystore.Alias(user.Cert, time.UTC)}
	entries := []keystore.Entry{{Alias: s.alias, Key: user.Key, Chain: user.Chain}}
	var err error
	must := func(b []byte, e error) []byte {
		if e != nil {
			panic(e)
		}
		return b
	}
	s.pfx = must(keystore.CreatePFX(rand.Reader, entries, "Abc12345", keystore.ProfileJava8))
	s.yks = must(keystore.CreateYKS(rand.Reader, entries, "Abc12345"))
	signer := []cms.Signer{{Key: user.Key, Chain: user.Chain, SigningTime: pki.Now}}
	s.document = must(cms.Sign([]byte("some document"), signer, cms.Options{}))
	s.detached = must(cms.Sign([]byte("some document"), signer, cms.Options{Detached: true}))
	s.list = must(crl.Create(nil, &crl.Template{ThisUpdate: pki.Now, NextUpdate: pki.Now.Add(time.Hour), Number: big.NewInt(1)}, pki.CA.Cert, pki.CA.Key))
	s.digest = alg.OZDST().Sum([]byte("some document"))
	s.signature = must(user.Key.Sign(rand.Reader, s.digest, nil))
	sd, err := cms.Parse(s.document)
	if err != nil {
		panic(err)
	}
	authority := &tsp.Authority{Key: pki.TSA.Key, Chain: pki.TSA.Chain, Policy: alg.OZDST().OID, Now: pki.Clock(), Serial: func() (*big.Int, error) { return big.NewInt(5), nil }}
	request := tsp.NewRequest(alg.OZDST(), alg.OZDST().Sum(sd.SignerInfos[0].Signature), big.NewInt(7), true)
	response, err := tsp.ParseResponse(authority.Respond(context.Background(), request.Marshal()))
	if err != nil {
		panic(err)
	}
	granted, err := response.Check(request)
	if err != nil {
		panic(err)
	}
	s.token = granted.Raw
	return s
})

// stage is an agent on its port with a stick, cards and a person, as a call
// finds it.
type stage struct {
	*scenery
	t       *testing.T
	service *Service
	stick   string
	person  *types
	cards   map[token.Kind]*card
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{scenery: makeScenery(), t: t, stick: t.TempDir(), person: &types{t: t}, cards: map[token.Kind]*card{}}
	for name, b := range map[string][]byte{"DS1.pfx": s.pfx, "DS2.yks": s.yks} {
		if err := os.WriteFile(filepath.Join(s.stick, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var all slot
	for _, k := range []token.Kind{token.KindIDCard, token.KindBAIK, token.KindUZGUARD} {
		c := &card{info: token.Info{Kind: k, Name: "Device " + string(k), Serial: "01", MinPIN: 1, MaxPIN: 8, TriesLeft: 3}, pin: "71829", key: s.user.Key, chain: s.user.Chain}
		s.cards[k] = c
		all = append(all, c)
	}
	tunnels := map[string]string{}
	s.service, _ = run(t, ServiceOptions{
		Options: Options{
			Tunnels: tunnels, Prompter: s.person, Now: func() time.Time { return s.pki.Now }, Location: time.UTC, Anchors: cert.NewPool(s.pki.Root.Cert),
			Revocation: good{s.pki.Now}, Tokens: token.NewSet(nil, all), TSAURL: "http://tsa.uz",
			Stamp:    func(context.Context, *alg.Digest, []byte) ([]byte, error) { return s.token, nil },
			ShowMenu: func(context.Context) {},
		},
		StateDir: t.TempDir(), Dirs: []string{s.stick}, WSSPort: NoPort,
	})
	far := newFarEnd(t, s.pki, &statuses{now: s.pki.Now}, newEcho(t), map[string]testpki.Entity{"localhost": domainEntity(t, s.pki, "localhost"), "127.0.0.1": domainEntity(t, s.pki, "127.0.0.1")})
	tunnels["localhost"], tunnels["127.0.0.1"] = far.ln.Addr().String(), far.ln.Addr().String()
	keys := []string{"localhost", publicKey, "127.0.0.1", "A7BCFA5D490B351BE0754130DF03A068F855DB4333D43921125B9CF2670EF6A40370C646B90401955E1F7BC9CDBF59CE0B2C5467D820BE189C845D0B79CFC96F"}
	if reply := s.call(pageOne, "apikey", keys...); reply["success"] != true {
		t.Fatal(reply)
	}
	return s
}

// call calls "plugin.name" or "name" over a socket of its own.
func (s *stage) call(origin, function string, args ...string) map[string]any {
	s.t.Helper()
	plugin, name, ok := strings.Cut(function, ".")
	if !ok {
		plugin, name = "", function
	}
	return s.service.call(s.t, origin, plugin, name, args...)
}

func (s *stage) disk() string { return s.stick + "/" }

func (s *stage) loadPFX() string {
	return fmt.Sprint(s.call(pageOne, "pfx.load_key", s.disk(), "", "DS1", s.alias)["keyId"])
}

func (s *stage) loadYKS() string {
	return fmt.Sprint(s.call(pageOne, "ytks.load_key", s.disk(), "", "DS2", s.alias, s.user.Cert.SerialHex())["keyId"])
}

func (s *stage) pair() string {
	return s.service.keys.Add(keyring.Session{Type: keyring.TypeKeyPair, Origin: pageOne, Key: s.key()})
}

// key is a new one: a session wipes its own.
func (s *stage) key() *alg.PrivateKey {
	s.t.Helper()
	k, err := alg.GenerateKey("ozdst:A", rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	return k
}

// certified is a chain for a key.
func (s *stage) certified(k *alg.PrivateKey) []string {
	s.t.Helper()
	c, err := cert.Create(rand.Reader, &cert.Template{
		Subject: s.user.Cert.Subject, NotBefore: s.pki.Now.Add(-time.Hour), NotAfter: s.pki.Now.Add(time.Hour), PublicKey: k.PublicKey(), KeyUsage: testpki.UserKeyUsage,
	}, s.pki.CA.Cert, s.pki.CA.Key)
	if err != nil {
		s.t.Fatal(err)
	}
	return []string{b64(c.Raw), b64(s.pki.CA.Cert.Raw), b64(s.pki.Root.Cert.Raw)}
}

func (s *stage) opened(function, field string, args ...string) string {
	return fmt.Sprint(s.call(pageOne, function, args...)[field])
}

// refusal is what a wrong argument comes to.
type refusal struct {
	status int
	reason string
}

var (
	unknownID    = refusal{-1010, "Ключ по идентификатору не найден"}
	unknownPFX   = refusal{-1014, "Идентификатор ключа типа 'PFX_KEY_STORE' не найден"}
	unknownYTKS  = refusal{-1013, "Идентификатор ключа типа 'YTKS_KEY_STORE' не найден"}
	unknownPair  = refusal{-1011, "Ключевая пара по идентификатору не найдена"}
	unknownStore = refusal{-9999, "Хранилище доверенных сертификатов по идентификатору не найден"}
	unknownCRL   = refusal{-9999, "Список отозванных сертификатов (CRL) по идентификатору не найден"}
	unknownGUID  = refusal{-2025, "Идентификатор процесса GUID не найден"}
	noFunctionIs = refusal{0, "Функция не найдена или версия E-IMZO устарела. Обновите E-IMZO."}
	isCancelled  = refusal{-5000, "Ввод пароля отменен"}
)

// Matchers of values that differ from call to call.
var (
	anID     = regexp.MustCompile(`^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$`)
	inBase64 = regexp.MustCompile(`^[A-Za-z0-9+/]+=*$`)
	in128Hex = regexp.MustCompile(`^[0-9a-f]{128}$`)
	anyText  = regexp.MustCompile(`.`)

	localAddress = regexp.MustCompile(`^127\.0\.0\.1:\d+$`)
)

// there matches whatever is there.
type there struct{}

// conformance is a row: one function, how it is called well and what comes
// back, which of its arguments are ids, and whether it asks for a password.
type conformance struct {
	function string
	args     func(s *stage) []string
	typed    []string
	want     map[string]any
	list     bool // the reply is a bare array
	ids      map[int]refusal
	asks     string // "password", "new" or "PIN"; "" asks for none
	before   string // what the person answers before that
	refused  *refusal
}

func texts(args ...string) func(*stage) []string {
	return func(*stage) []string { return args }
}

func none(*stage) []string { return nil }

// signed is the reply of functions that sign.
func signed(s *scenery) map[string]any {
	return map[string]any{"pkcs7_64": inBase64, "signer_serial_number": s.user.Cert.SerialHex(), "signature_hex": in128Hex}
}

func conformanceTable(s *scenery) []conformance {
	serial, data := s.user.Cert.SerialHex(), b64([]byte("some document"))
	chain := []string{b64(s.user.Cert.Raw), b64(s.pki.CA.Cert.Raw), b64(s.pki.Root.Cert.Raw)}
	signature, digest := hex.EncodeToString(s.signature), hex.EncodeToString(s.digest)
	publicKey := func(c *cert.Certificate) map[string]any {
		return map[string]any{"keyAlgName": "OZDST-1092-2009-2", "publicKey": b64(c.PublicKey.Raw)}
	}
	password := []string{"Abc12345"}
	twice := []string{"Abc12345", "NEWpass12345"}
	store := func(st *stage) string { return st.opened("truststore-jks.open_truststore", "tsId") }
	openCRL := func(st *stage) string { return st.opened("crl.open_crl", "crlId", b64(s.list)) }
	ok := map[string]any{}
	noKey := &refusal{-1010, "Ключ по идентификатору не найден"}
	saved := func(id func(*stage) string, name string) func(*stage) []string {
		return func(st *stage) []string {
			return append([]string{st.disk(), "", name, "cn=x", id(st), "NEWpass12345"}, chain...)
		}
	}
	personalize := func(k token.Kind) func(*stage) []string {
		return func(st *stage) []string {
			st.cards[k].pending = st.key()
			return append([]string{"4321"}, st.certified(st.cards[k].pending)...)
		}
	}
	return []conformance{
		{function: "version", args: none, want: map[string]any{"major": "6", "minor": "4", "patch": "7", "edition": "Standard"}},
		{function: "apikey", args: texts("localhost", publicKeyOfLocalhost), want: map[string]any{"message": pageOne}},
		{function: "apidoc", args: none, list: true},
		{function: "get_timestamp_token_request_for_signature", args: texts(signature), want: map[string]any{"timestamp_request_64": inBase64}},

		{function: "app.get_jvm_version", args: none, want: map[string]any{"message": anyText}},
		{function: "app.change_ui_lang", args: texts("uz"), want: map[string]any{"message": "uz_UZ"}},
		{function: "app.show_menu", args: none, want: ok},

		{function: "pfx.change_password", args: func(st *stage) []string { return []string{st.loadPFX()} }, typed: twice, want: ok, ids: map[int]refusal{0: unknownPFX}, asks: "password"},
		{function: "pfx.load_key", args: func(st *stage) []string { return []string{st.disk(), "", "DS1", s.alias} }, want: map[string]any{"keyId": anID, "type": "PFX_KEY_STORE"}},
		{function: "pfx.unload_key", args: func(st *stage) []string { return []string{st.loadPFX()} }, want: ok, ids: map[int]refusal{0: unknownPFX}},
		{function: "pfx.list_disks", args: none, want: map[string]any{"disks": func(st *stage) any { return []any{st.disk()} }}},
		{function: "pfx.save_temporary_pfx", args: func(st *stage) []string { return []string{st.disk(), "", "TMP1", "x", st.pair(), "pw", newName} }, want: ok, ids: map[int]refusal{4: unknownPair}},
		{function: "pfx.list_certificates", args: func(st *stage) []string { return []string{st.disk()} }, want: map[string]any{"certificates": func(st *stage) any {
			return []any{map[string]any{"disk": st.disk(), "path": "", "name": "DS1", "alias": s.alias}}
		}}},
		{function: "pfx.save_pfx", args: saved((*stage).loadPFX, "DS7"), typed: password, want: ok, ids: map[int]refusal{4: unknownID}, asks: "password"},
		{function: "pfx.verify_password", args: func(st *stage) []string { return []string{st.loadPFX()} }, typed: password, want: ok, ids: map[int]refusal{0: unknownPFX}, asks: "password"},
		{function: "pfx.list_all_certificates", args: none, want: map[string]any{"certificates": func(st *stage) any {
			return []any{map[string]any{"disk": st.disk(), "path": "", "name": "DS1", "alias": s.alias}}
		}}},

		{function: "pki.enroll_pfx_step1", args: texts("g", "OZMST-286-2024-2", "", newName, "1.2.3", "DS9", data), typed: []string{"NEWpass12345"}, want: map[string]any{"guid": "g", "pkcs10_64": inBase64, "pkcs7_64": inBase64, "password": "", "disk": func(st *stage) any { return st.disk() }}, asks: "new"},
		{function: "pki.enroll_pfx_step2", args: func(st *stage) []string {
			st.person.passwords = []string{"NEWpass12345"}
			request := st.opened("pki.enroll_pfx_step1", "pkcs10_64", "g", "OZMST-286-2024-2", "", newName, "1.2.3", "DS9", data)
			r, err := cert.ParseRequest([]byte(request))
			if err != nil {
				st.t.Fatal(err)
			}
			c, err := cert.Create(rand.Reader, &cert.Template{Subject: r.Subject, NotBefore: s.pki.Now, NotAfter: s.pki.Now.Add(time.Hour), PublicKey: r.PublicKey, KeyUsage: testpki.UserKeyUsage}, s.pki.CA.Cert, s.pki.CA.Key)
			if err != nil {
				st.t.Fatal(err)
			}
			return []string{"g", b64(c.Raw), chain[1], chain[2], data}
		}, want: map[string]any{"guid": "g", "pkcs7_64": inBase64, "alias": regexp.MustCompile(`^cn=petrov petr,c=uz,.*serialnumber=[0-9a-f]+,validfrom=`)}, ids: map[int]refusal{0: unknownGUID}},

		{function: "pkcs7.create_pkcs7", args: func(st *stage) []string { return []string{data, st.loadPFX(), "yes"} }, typed: password, want: signed(s), ids: map[int]refusal{1: unknownID}, asks: "password"},

		{function: "x509.get_certificate_chain", args: func(st *stage) []string { return []string{st.loadPFX()} }, typed: password, want: map[string]any{"certificates": []any{chain[0], chain[1], chain[2]}}, ids: map[int]refusal{0: unknownID}, asks: "password"},
		{function: "x509.get_certificate_info", args: texts(chain[0]), want: map[string]any{"certificate_info": map[string]any{
			"serialNumber": serial, "subjectName": s.user.Cert.Subject.String(), "issuerName": s.pki.CA.Cert.Subject.String(),
			"validFrom": s.user.Cert.NotBefore.UTC().Format("2006.01.02 15:04:05"), "validTo": s.user.Cert.NotAfter.UTC().Format("2006.01.02 15:04:05"),
			"publicKey": publicKey(s.user.Cert), "signature": map[string]any{"signAlgName": "OZDST-1106-2009-2-AwithOZDST-1092-2009-2", "signature": hex.EncodeToString(s.user.Cert.Signature)},
		}}},
		{function: "x509.verify_certificate", args: texts(chain[0], chain[1]), want: ok},

		{function: "baikey.clear_saved_pin_codes", args: none, want: ok},
		{function: "baikey.list_tokens", args: none, want: map[string]any{"tokens": []any{"Device baikey"}}},
		{function: "baikey.personalize", args: personalize(token.KindBAIK), typed: []string{"71829"}, want: ok, asks: "PIN"},
		{function: "idcard.clear_saved_pin_codes", args: none, want: ok},
		{function: "idcard.list_readers", args: none, want: map[string]any{"readers": []any{"Device idcard"}}},
		{function: "idcard.get_encrypted_signed_cplc", args: texts("n"), want: map[string]any{"message": b64([]byte("number n"))}},
		{function: "idcard.personalize", args: personalize(token.KindIDCard), typed: []string{"71829"}, want: ok, asks: "PIN"},
		{function: "ckc.supported_ckc", args: none, want: map[string]any{"list": []any{"idcard", "baikey", "uzgrd"}}},
		{function: "ckc.list_ckc", args: none, want: map[string]any{"devices": []any{"Device idcard", "Device baikey", "Device uzgrd"}}},
		{function: "ckc.clear_saved_pin_codes", args: none, want: ok},

		{function: "pkcs10.create_pkcs10_from_key", args: func(st *stage) []string { return []string{st.loadPFX(), "", "1.2.3"} }, typed: password, want: map[string]any{"pkcs10_64": inBase64}, ids: map[int]refusal{0: unknownID}, asks: "password"},
		{function: "pkcs10.get_pkcs10_info", args: func(st *stage) []string {
			return []string{st.opened("pkcs10.create_pkcs10", "pkcs10_64", st.pair(), newName)}
		}, want: map[string]any{"pkcs10_info": there{}, "pkcs10_64": inBase64}},
		{function: "pkcs10.create_pkcs10", args: func(st *stage) []string { return []string{st.pair(), newName, "1.2.3"} }, want: map[string]any{"pkcs10_64": inBase64}, ids: map[int]refusal{0: unknownPair}},
		{function: "pkcs10.generate_keypair", args: texts("OZMST-286-2024-2", "seed"), want: map[string]any{"kpId": anID, "type": "KEY_PAIR"}},

		{function: "ytks.change_password", args: func(st *stage) []string { return []string{st.loadYKS()} }, typed: twice, want: ok, ids: map[int]refusal{0: unknownYTKS}, asks: "password"},
		{function: "ytks.load_key", args: func(st *stage) []string { return []string{st.disk(), "", "DS2", s.alias, serial} }, want: map[string]any{"keyId": anID, "ytksId": anID, "type": "YTKS_KEY_STORE"}},
		{function: "ytks.unload_key", args: func(st *stage) []string { return []string{st.loadYKS()} }, want: ok, ids: map[int]refusal{0: unknownYTKS}},
		{function: "ytks.list_disks", args: none, want: map[string]any{"disks": func(st *stage) any { return []any{st.disk()} }}},
		{function: "ytks.save_ytks", args: saved((*stage).loadYKS, "DS8"), typed: password, want: ok, ids: map[int]refusal{4: unknownID}, asks: "password"},
		{function: "ytks.list_certificates", args: func(st *stage) []string { return []string{st.disk()} }, want: map[string]any{"certificates": there{}}},
		{function: "ytks.verify_password", args: func(st *stage) []string { return []string{st.loadYKS()} }, typed: password, want: ok, ids: map[int]refusal{0: unknownYTKS}, asks: "password"},
		{function: "ytks.list_all_certificates", args: none, want: map[string]any{"certificates": there{}}},
		{function: "uzgrd.clear_saved_pin_codes", args: none, want: ok},
		{function: "uzgrd.list_tokens", args: none, want: map[string]any{"tokens": []any{"Device uzgrd"}}},
		{function: "uzgrd.personalize", args: personalize(token.KindUZGUARD), typed: []string{"71829"}, want: ok, asks: "PIN"},

		{function: "randseed.get", args: texts("netconf"), typed: []string{"yes"}, want: map[string]any{"seed": inBase64}},

		{function: "certkey.list_disks", args: none, want: map[string]any{"disks": []any{}}},
		{function: "certkey.list_certificates", args: texts("/"), want: map[string]any{"certificates": []any{}}},
		{function: "certkey.list_all_certificates", args: none, want: map[string]any{"certificates": []any{}}},
		{function: "certkey.load_key", args: texts("/", "", "x", "1"), refused: noKey},
		{function: "certkey.unload_key", args: texts("x"), refused: noKey},
		{function: "ftjc.list_all_keys", args: texts(""), want: map[string]any{"tokens": []any{}}},
		{function: "ftjc.list_tokens", args: none, want: map[string]any{"tokens": []any{}}},
		{function: "ftjc.load_key", args: texts("x"), refused: noKey},
		{function: "ftjc.unload_key", args: texts("x"), refused: noKey},
		{function: "ftjc.verify_pin", args: texts("x", "1"), refused: noKey},
		{function: "ftjc.change_pin", args: texts("x", "1"), refused: noKey},
		{function: "ftjc.set_name", args: texts("x", "n"), refused: noKey},
		{function: "ftjc.store_certificates", args: texts("x", chain[0], chain[1], chain[2]), refused: noKey},
		{function: "ftjc.get_user_data", args: texts("x"), refused: noKey},
		{function: "ftjc.set_user_data", args: texts("x", data), refused: noKey},
		{function: "ftjc.get_random_data", args: texts("x"), refused: noKey},
		{function: "ftjc.install_applet", args: texts("x", data, "00"), refused: noKey},

		{function: "pkcs7.append_pkcs7_attached", args: func(st *stage) []string { return []string{b64(s.document), st.loadPFX()} }, typed: password, want: signed(s), ids: map[int]refusal{1: unknownID}, asks: "password"},
		{function: "pkcs7.append_pkcs7_detached", args: func(st *stage) []string { return []string{data, b64(s.detached), st.loadPFX()} }, typed: password, want: signed(s), ids: map[int]refusal{2: unknownID}, asks: "password"},
		{function: "pkcs7.attach_timestamp_token_pkcs7", args: texts(b64(s.document), serial, b64(s.token)), want: map[string]any{"pkcs7_64": inBase64, "signer_serial_number": serial}},
		{function: "pkcs7.get_pkcs7_attached_info", args: func(st *stage) []string { return []string{b64(s.document), store(st)} }, want: map[string]any{"pkcs7Info": there{}}, ids: map[int]refusal{1: unknownStore}},
		{function: "pkcs7.get_pkcs7_detached_info", args: func(st *stage) []string { return []string{data, b64(s.detached), store(st)} }, want: map[string]any{"pkcs7Info": there{}}, ids: map[int]refusal{2: unknownStore}},
		{function: "pkcs7.verify_pkcs7_attached", args: func(st *stage) []string { return []string{b64(s.document), store(st), "r"} }, want: map[string]any{"pkcs7Info": there{}}, ids: map[int]refusal{1: unknownStore}},
		{function: "pkcs7.verify_pkcs7_detached", args: func(st *stage) []string { return []string{data, b64(s.detached), store(st), "r"} }, want: map[string]any{"pkcs7Info": there{}}, ids: map[int]refusal{2: unknownStore}},
		{function: "pkcs7.verify_pkcs7_attached_crl", args: func(st *stage) []string { return []string{b64(s.document), store(st), openCRL(st)} }, want: map[string]any{"pkcs7Info": there{}}, ids: map[int]refusal{1: unknownStore, 2: unknownCRL}},
		{function: "pkcs7.verify_pkcs7_detached_crl", args: func(st *stage) []string { return []string{data, b64(s.detached), store(st), openCRL(st)} }, want: map[string]any{"pkcs7Info": there{}}, ids: map[int]refusal{2: unknownStore, 3: unknownCRL}},

		{function: "cryptoauth.get_digest_hex", args: texts(data), want: map[string]any{"digest_hex": digest}},
		{function: "cryptoauth.get_signature", args: func(st *stage) []string { return []string{data, st.loadPFX()} }, typed: password, want: map[string]any{"signature_hex": in128Hex, "signer_serial_number": serial}, ids: map[int]refusal{1: unknownID}, asks: "password"},
		{function: "cryptoauth.get_digest_hex_signature", args: func(st *stage) []string { return []string{digest, st.loadPFX()} }, typed: []string{"yes", "Abc12345"}, before: "yes", want: map[string]any{"signature_hex": in128Hex, "signer_serial_number": serial}, ids: map[int]refusal{1: unknownID}, asks: "password"},
		{function: "cryptoauth.verify_signature_with_id", args: func(st *stage) []string { return []string{data, signature, st.loadPFX()} }, typed: password, want: ok, ids: map[int]refusal{2: unknownID}, asks: "password"},
		{function: "cryptoauth.verify_digest_hex_signature_with_id", args: func(st *stage) []string { return []string{digest, signature, st.loadPFX()} }, typed: password, want: ok, ids: map[int]refusal{2: unknownID}, asks: "password"},
		{function: "cryptoauth.verify_signature_with_certificate", args: texts(data, signature, chain[0]), want: ok},
		{function: "cryptoauth.verify_digest_hex_signature_with_certificate", args: texts(digest, signature, chain[0]), want: ok},

		{function: "tunnel.create_tunnel", args: func(st *stage) []string { return []string{"0", st.loadPFX()} }, typed: password, want: map[string]any{"address": localAddress}, ids: map[int]refusal{1: unknownID}, asks: "password"},

		{function: "tsaclient.get_timestamp_token_request_for_signature", args: texts(signature), want: map[string]any{"timestamp_request_64": inBase64}},
		{function: "tsaclient.get_timestamp_token_request_for_data", args: texts(data), want: map[string]any{"timestamp_request_64": inBase64}},
		{function: "tsaclient.get_timestamp_token_for_signature", args: texts(signature, "http://tsa.uz"), want: map[string]any{"timestamp_token_64": b64(s.token)}},
		{function: "tsaclient.get_timestamp_token_for_data", args: texts(data, ""), want: map[string]any{"timestamp_token_64": b64(s.token)}},
		{function: "tsaclient.get_timestamp_token_info", args: texts(b64(s.token)), want: map[string]any{"timestamp_token_info": there{}}},

		{function: "truststore.list_truststore", args: none, want: map[string]any{"truststores": []any{"truststore-jks"}}},
		{function: "truststore-jks.open_truststore", args: none, want: map[string]any{"tsId": anID}},
		{function: "crl.open_crl", args: texts(b64(s.list)), want: map[string]any{"crlId": anID}},
		{function: "crl.open_crl_file", args: texts("/etc/passwd"), refused: &refusal{-9999, "В данной версии E-IMZO функция отключена"}},
		{function: "crl.get_crl_info", args: func(st *stage) []string { return []string{openCRL(st)} }, want: map[string]any{"crl_info": there{}}, ids: map[int]refusal{0: unknownCRL}},
		{function: "crl.verify_crl", args: func(st *stage) []string { return []string{openCRL(st), chain[1]} }, want: ok, ids: map[int]refusal{0: unknownCRL}},
		{function: "crl.check_certificate", args: func(st *stage) []string { return []string{openCRL(st), chain[0]} }, want: map[string]any{"revoked": false}, ids: map[int]refusal{0: unknownCRL}},
	}
}

const publicKeyOfLocalhost = publicKey

// TestEveryFunctionAnswersAsDocumented calls each function over a socket: well,
// with too few and too many arguments, by pages without an API key and without
// an origin, with ids that are unknown or another page's, with wrong passwords
// and when the person cancels. Replies are compared field by field.
func TestEveryFunctionAnswersAsDocumented(t *testing.T) {
	rows := conformanceTable(makeScenery())
	functions := newTable(allPlugins(), CompatAll)
	var named []string
	for _, r := range rows {
		named = append(named, r.function)
	}
	for _, p := range functions.plugins {
		for _, f := range p.functions {
			if name := strings.TrimPrefix(p.name+"."+f.name, "."); !slices.Contains(named, name) {
				t.Errorf("%s is not in the table", name)
			}
		}
	}
	for _, r := range rows {
		t.Run(r.function, func(t *testing.T) {
			plugin, name, ok := strings.Cut(r.function, ".")
			if !ok {
				plugin, name = "", r.function
			}
			f := functions.find(plugin, name)
			if f == nil {
				t.Fatal("no such function")
			}
			s := newStage(t)
			args := r.args(s)
			s.refuses("no argument", noFunctionIs, pageOne, r.function, f, args[:fewest(f)])
			if !f.variadic {
				s.refusal("one argument too many", noFunctionIs, pageOne, r.function, append(slices.Clone(args), make([]string, len(f.args)-len(args)+1)...)...)
			}
			if f.open {
				if !r.list && r.function != "apikey" {
					s.wants(r, s.call(pageForeign, r.function, args...))
					s.wants(r, s.call("", r.function, args...))
				}
			} else {
				s.refusal("no API key", refusal{-1022, "API-key для домена stranger.uz недействителен."}, pageForeign, r.function, args...)
				for _, origin := range []string{"", "null", "file://"} {
					s.refusal("no origin", refusal{-1022, "API-key для домена null недействителен."}, origin, r.function, args...)
				}
			}
			for i, want := range r.ids {
				wrong := slices.Clone(args)
				wrong[i] = strings.Repeat("0", 32)
				s.refusal("unknown id", want, pageOne, r.function, wrong...)
			}
			if len(r.ids) > 0 {
				// All ids are the first page's; the last is looked at first.
				last := slices.Max(slices.Collect(maps.Keys(r.ids)))
				s.refusal("another page's id", r.ids[last], pageTwo, r.function, args...)
			}
			types := func(passwords ...string) {
				if r.before != "" {
					passwords = append([]string{r.before}, passwords...)
				}
				s.person.passwords = passwords
			}
			if r.asks != "" {
				types("cancel")
				s.refusal("cancelled", isCancelled, pageOne, r.function, args...)
				types("timeout")
				s.refusal("nobody answers", isCancelled, pageOne, r.function, args...)
			}
			switch r.asks {
			case "password":
				types("wrong", "wrong", "wrong")
				s.refusal("wrong password", isCancelled, pageOne, r.function, args...)
			case "PIN":
				types("1", "2", "3")
				s.refusal("wrong PIN", refusal{-9999, "PIN-код заблокирован."}, pageOne, r.function, args...)
				for _, c := range s.cards {
					c.info.TriesLeft = 3
				}
			}
			s.person.passwords = slices.Clone(r.typed)
			if r.list {
				var doc []map[string]any
				b := s.raw(pageOne, r.function)
				if err := json.Unmarshal(b, &doc); err != nil || len(doc) < 11 {
					t.Errorf("%.200s: %v", b, err)
				}
				return
			}
			s.wants(r, s.call(pageOne, r.function, args...))
			if len(s.person.passwords) > 0 {
				t.Errorf("not asked for %q", s.person.passwords)
			}
		})
	}
}

// fewest is how many arguments are one too few, or -1.
func fewest(f *function) int {
	required := 0
	for _, a := range f.args {
		if !a.optional || f.exact {
			required++
		}
	}
	return max(required-1, 0)
}

// refuses checks that too few arguments are refused, where there can be.
func (s *stage) refuses(what string, want refusal, origin, name string, f *function, args []string) {
	s.t.Helper()
	if !f.takes(len(args)) || f.variadic {
		s.refusal(what, want, origin, name, args...)
	}
}

func (s *stage) refusal(what string, want refusal, origin, name string, args ...string) {
	s.t.Helper()
	reply := s.call(origin, name, args...)
	if full := (map[string]any{"success": false, "status": float64(want.status), "reason": want.reason}); !reflect.DeepEqual(reply, full) {
		s.t.Errorf("%s: %v, want %v", what, reply, full)
	}
}

// wants compares a reply with a row: no field more, none less.
func (s *stage) wants(r conformance, reply map[string]any) {
	s.t.Helper()
	if r.refused != nil {
		if full := (map[string]any{"success": false, "status": float64(r.refused.status), "reason": r.refused.reason}); !reflect.DeepEqual(reply, full) {
			s.t.Errorf("%v, want %v", reply, full)
		}
		return
	}
	want := map[string]any{"success": true, "status": 1.0}
	maps.Copy(want, r.want)
	if r.function == "apikey" {
		want["message"] = pageOne
	}
	if got, all := slices.Sorted(maps.Keys(reply)), slices.Sorted(maps.Keys(want)); !slices.Equal(got, all) {
		s.t.Errorf("fields %v, want %v: %v", got, all, reply)
		return
	}
	for name, w := range want {
		got := reply[name]
		var same bool
		switch w := w.(type) {
		case there:
			same = got != nil
		case *regexp.Regexp:
			same = w.MatchString(fmt.Sprint(got))
		case func(*stage) any:
			same = reflect.DeepEqual(got, w(s))
		default:
			same = reflect.DeepEqual(got, w)
		}
		if !same {
			s.t.Errorf("%s is %v, want %v", name, got, w)
		}
	}
}

// raw is the reply as it is on the wire.
func (s *stage) raw(origin, name string) []byte {
	s.t.Helper()
	c, _, err := websocket.DefaultDialer.Dial("ws://"+s.service.WSAddress()+SocketPath, map[string][]string{"Origin": {origin}})
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	if err := c.WriteJSON(map[string]any{"name": name}); err != nil {
		s.t.Fatal(err)
	}
	_, b, err := c.ReadMessage()
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

// Programs have no origin. With the key of "null", which E-IMZO gives everybody,
// they sign as pages do.
func TestProgramsWithoutAnOriginSignWithTheNullKey(t *testing.T) {
	s := newStage(t)
	const nullKey = "E0A205EC4E7B78BBB56AFF83A733A1BB9FD39D562E67978CC5E7D73B0951DB1954595A20672A63332535E13CC6EC1E1FC8857BB09E0855D7E76E411B6FA16E9D"
	if reply := s.call("", "apikey", "null", nullKey); reply["success"] != true || reply["message"] != "" {
		t.Fatal(reply)
	}
	id := fmt.Sprint(s.call("", "pfx.load_key", s.disk(), "", "DS1", s.alias)["keyId"])
	s.person.passwords = []string{"Abc12345"}
	if reply := s.call("", "pkcs7.create_pkcs7", "AAAA", id); reply["success"] != true {
		t.Error(reply)
	}
	if got := s.person.asked[0]; got.Domain != "null" || got.Origin != "" {
		t.Errorf("%+v", got)
	}
	s.refusal("a page's with the same id", unknownID, pageOne, "pkcs7.create_pkcs7", "AAAA", id)
}
