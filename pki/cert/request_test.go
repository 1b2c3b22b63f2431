package cert_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"imzo/gost/gost3410"
	"imzo/internal/testpki"
	"imzo/internal/testpki/peer"
	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

// requestPolicies are two of the purposes of E-IMZO's certificates.
var requestPolicies = []ber.OID{ber.MustOID("1.2.860.3.2.2.1.2.1"), ber.MustOID("1.2.860.3.2.2.1.2.5")}

func createRequest(t testing.TB, key *alg.PrivateKey, subject string, policies ...ber.OID) []byte {
	t.Helper()
	der, err := cert.CreateRequest(rand.Reader, cert.RequestTemplate{Subject: testpki.Name(t, subject), Policies: policies}, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func parseRequest(t testing.TB, data []byte) *cert.Request {
	t.Helper()
	r, err := cert.ParseRequest(data)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// katKey is the key of crypto.md's vectors: d = 0102...20 on curve A.
func katKey(t testing.TB) *alg.PrivateKey {
	t.Helper()
	d := make([]byte, 32)
	for i := range d {
		d[i] = byte(i + 1)
	}
	s, err := gost3410.NewPrivateKey(gost3410.CryptoProA(), d)
	if err != nil {
		t.Fatal(err)
	}
	key, err := alg.NewPrivateKey(s, alg.FamilyOZDST)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestRequestsHaveTheOctetsOfEIMZO(t *testing.T) {
	const (
		name = "30123110300e06035504030c07534f4d454f4e45" // CN=SOMEONE
		spki = "3060301906092a865c030f01010201300c060a2a865c030f010102010103430004401b7beeb499fdd7d3f3f629c2be4c5d0321b6549889c499c3b082f7a269ef35aa" +
			"88260cc8ff05621f0f09335c6616eb006c19d0eef4a42f09b7e173662a1a9cff"
		algorithm = "300f060b2a865c030f0101020202020500"

		// One policy, 1.2.860.3.2.10.2, from the inside out.
		notice      = "3012" + "0c10312e322e3836302e332e322e31302e32"
		qualifier   = "301e" + "06082b06010505070202" + notice
		information = "302b" + "06072a865c03020a02" + "3020" + qualifier
		extension   = "3039" + "0603551d20" + "0101ff" + "042f" + "302d" + information
		attribute   = "304a" + "06092a864886f70d01090e" + "313d" + "303b" + extension
	)
	key := katKey(t)

	plain := parseRequest(t, createRequest(t, key, "CN=SOMEONE"))
	info := "307b" + "020100" + name + spki + "a000"
	if got := hex.EncodeToString(plain.RawInfo); got != info {
		t.Errorf("signed part\n got %s\nwant %s", got, info)
	}
	if got := hex.EncodeToString(plain.Raw); !strings.HasPrefix(got, "3081d1"+info+algorithm+"034100") || len(plain.Raw) != 3+0xd1 {
		t.Errorf("request %s", got)
	}

	noticed := parseRequest(t, createRequest(t, key, "CN=SOMEONE", ber.MustOID("1.2.860.3.2.10.2")))
	info = "3081c7" + "020100" + name + spki + "a04c" + attribute
	if got := hex.EncodeToString(noticed.RawInfo); got != info {
		t.Errorf("signed part\n got %s\nwant %s", got, info)
	}
}

// forms are the encodings a request comes in.
func forms(der []byte) map[string][]byte {
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	return map[string][]byte{
		"DER":                    der,
		"PEM":                    text,
		"PEM with Windows lines": bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")),
		"PEM of Microsoft":       pem.EncodeToMemory(&pem.Block{Type: "NEW CERTIFICATE REQUEST", Bytes: der}),
		"base64 of PEM":          []byte(base64.StdEncoding.EncodeToString(text)),
		"base64 of DER":          []byte(base64.StdEncoding.EncodeToString(der)),
	}
}

func TestRequestsComeInEveryForm(t *testing.T) {
	der := createRequest(t, katKey(t), testpki.Organisation, requestPolicies...)
	for name, data := range forms(der) {
		r, err := cert.ParseRequest(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !bytes.Equal(r.Raw, der) || !slices.Equal(r.Policies, requestPolicies) || r.Subject.String() != testpki.Organisation || r.CheckSignature() != nil {
			t.Errorf("%s: another request", name)
		}
	}
}

func TestRequestsOfEveryKindOfKeyBringBackWhatWasAsked(t *testing.T) {
	for _, spec := range []string{"ozdst", "ozdst:C", "ozmst", "ozmst:B", "gost2001", "rsa:2048", "ecdsa:P-256", "ed25519"} {
		key := testpki.Key(t, spec)
		r := parseRequest(t, createRequest(t, key, testpki.Person, requestPolicies...))
		if err := r.CheckSignature(); err != nil {
			t.Errorf("%s: %v", spec, err)
		}
		if !r.PublicKey.SameKey(key.PublicKey()) || r.SignatureAlgorithm.OID != key.SignatureAlgorithm().OID {
			t.Errorf("%s: another key or algorithm", spec)
		}
		if r.Subject.String() != testpki.Person || !slices.Equal(r.Policies, requestPolicies) {
			t.Errorf("%s: %s, %v", spec, r.Subject, r.Policies)
		}
		if len(r.Extensions) != 1 || !r.Extensions[0].Critical || r.Extensions[0].OID != cert.OIDCertificatePolicies {
			t.Errorf("%s: extensions %v", spec, r.Extensions)
		}
		if bare := parseRequest(t, createRequest(t, key, testpki.Person)); bare.Policies != nil || bare.Extensions != nil || bare.CheckSignature() != nil {
			t.Errorf("%s: asks for %v", spec, bare.Policies)
		}
	}
}

func TestRequestsCannotChangeUnnoticed(t *testing.T) {
	der := createRequest(t, katKey(t), "CN=SOMEONE,C=UZ", requestPolicies...)
	for i := range der {
		for _, bit := range []byte{0x01, 0x80} {
			changed := bytes.Clone(der)
			changed[i] ^= bit
			r, err := cert.ParseRequest(changed)
			if err == nil && r.CheckSignature() == nil {
				t.Errorf("octet %d with %#02x is another request with a good signature", i, bit)
			}
		}
	}
	r := parseRequest(t, der)
	r.PublicKey = testpki.Key(t, "ozdst").PublicKey()
	if err := r.CheckSignature(); !errors.Is(err, alg.ErrSignature) {
		t.Errorf("another's key: %v", err)
	}
}

// requestOf is a request with these parts and a signature over them that is
// not looked at.
func requestOf(parts ...[]byte) []byte {
	return ber.Sequence(ber.Sequence(parts...), alg.NewNull(alg.OIDKeyOZDST).Marshal(), ber.BitString(make([]byte, 64)))
}

func TestParseRequestRefusesWhatIsNone(t *testing.T) {
	key := katKey(t)
	good := createRequest(t, key, "CN=A", requestPolicies...)
	version, name, spki := ber.Int64(0), testpki.Name(t, "CN=A").Raw, key.PublicKey().Raw
	extensionRequest := ber.MustOID("1.2.840.113549.1.9.14").DER()
	attributes := func(list ...[]byte) []byte { return ber.Tagged(ber.ContextConstructed(0), list...) }
	policies := ber.Sequence(cert.OIDCertificatePolicies.DER(), ber.OctetString(cert.NoticedPolicies(requestPolicies...).Value))
	asked := ber.Sequence(extensionRequest, ber.Set(ber.Sequence(policies)))
	challenge := ber.Sequence(ber.MustOID("1.2.840.113549.1.9.7").DER(), ber.Set(ber.UTF8String("secret")))

	for what, der := range map[string][]byte{
		"no attributes":     requestOf(version, name, spki),
		"another attribute": requestOf(version, name, spki, attributes(challenge, asked)),
	} {
		if _, err := cert.ParseRequest(der); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, data := range map[string][]byte{
		"nothing":                    nil,
		"text":                       []byte("a request"),
		"PEM of no base64":           []byte("-----BEGIN CERTIFICATE REQUEST-----\n****\n-----END CERTIFICATE REQUEST-----\n"),
		"a certificate":              load(t, "uz-production-root.pem").Raw,
		"cut off":                    good[:len(good)-1],
		"goes on":                    append(bytes.Clone(good), 0),
		"too long":                   bytes.Repeat([]byte("A"), 1<<20),
		"too long in DER":            requestOf(version, name, spki, attributes(ber.OctetString(make([]byte, 70_000)))),
		"an integer":                 ber.Int64(5),
		"version 1":                  requestOf(ber.Int64(1), name, spki),
		"no name":                    requestOf(version, spki),
		"no key":                     requestOf(version, name),
		"more behind the attributes": requestOf(version, name, spki, attributes(), ber.Null()),
		"an attribute without a set": requestOf(version, name, spki, attributes(ber.Sequence(extensionRequest))),
		"an attribute with two sets": requestOf(version, name, spki, attributes(ber.Sequence(extensionRequest, ber.Set(), ber.Set()))),
		"two values":                 requestOf(version, name, spki, attributes(ber.Sequence(extensionRequest, ber.Set(ber.Sequence(policies), ber.Sequence(policies))))),
		"two requests":               requestOf(version, name, spki, attributes(asked, asked)),
		"one extension twice":        requestOf(version, name, spki, attributes(ber.Sequence(extensionRequest, ber.Set(ber.Sequence(policies, policies))))),
		"no extension":               requestOf(version, name, spki, attributes(ber.Sequence(extensionRequest, ber.Set(ber.Sequence())))),
		"many attributes":            requestOf(version, name, spki, attributes(bytes.Repeat(challenge, 33))),
		"indefinite length":          append(append([]byte{0x30, 0x80}, bytes.TrimPrefix(good, good[:len(good)-len(contentOf(t, good))])...), 0, 0),
		"unused bits": ber.Sequence(ber.Sequence(version, name, spki, attributes()), alg.NewNull(alg.OIDKeyOZDST).Marshal(),
			ber.Tagged(ber.TagBitString, []byte{1}, make([]byte, 64))),
	} {
		if r, err := cert.ParseRequest(data); !errors.Is(err, cert.ErrRequest) {
			t.Errorf("%s: %v, %v", what, r, err)
		}
	}
}

func contentOf(t testing.TB, der []byte) []byte {
	t.Helper()
	e, err := ber.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	return e.Content
}

func TestCreateRequestRefusesWhatItCannotAskFor(t *testing.T) {
	key := katKey(t)
	policy := requestPolicies[0]
	for what, template := range map[string]cert.RequestTemplate{
		"no subject":       {},
		"no policy":        {Subject: testpki.Name(t, "CN=A"), Policies: []ber.OID{""}},
		"one policy twice": {Subject: testpki.Name(t, "CN=A"), Policies: []ber.OID{policy, policy}},
		"too many":         {Subject: testpki.Name(t, "CN=A"), Policies: slices.Repeat([]ber.OID{policy}, 3000)},
	} {
		if der, err := cert.CreateRequest(rand.Reader, template, key); !errors.Is(err, cert.ErrRequest) {
			t.Errorf("%s: %x, %v", what, der, err)
		}
	}
	key.Wipe()
	if _, err := cert.CreateRequest(rand.Reader, cert.RequestTemplate{Subject: testpki.Name(t, "CN=A")}, key); !errors.Is(err, alg.ErrWiped) {
		t.Errorf("a wiped key: %v", err)
	}
}

func TestNoticedPoliciesStandInCertificates(t *testing.T) {
	want := cert.NoticedPolicies(ber.MustOID("1.2.860.3.2.10.2"))
	p := testpki.New(t, "ozdst")
	c := p.User(t, testpki.Person, func(tm *cert.Template) { tm.Extra = []cert.Extension{want} }).Cert
	x, ok := c.Extension(cert.OIDCertificatePolicies)
	if !ok || x.Critical || !bytes.Equal(x.Value, want.Value) || len(c.PolicyIdentifiers) != 1 || c.PolicyIdentifiers[0].String() != "1.2.860.3.2.10.2" {
		t.Errorf("%v, %v", x, c.PolicyIdentifiers)
	}
	if _, err := cert.BuildPath(c, cert.PathOptions{Anchors: p.Anchors(), Intermediates: []*cert.Certificate{p.CA.Cert}, At: p.Now}); err != nil {
		t.Error(err)
	}
}

// TestCertificatesUnderAVersion1RootNameItsKey: the shape of E-IMZO's temporary
// chains, whose root has no extensions.
func TestCertificatesUnderAVersion1RootNameItsKey(t *testing.T) {
	now := testpki.DefaultNow()
	create := func(template cert.Template, issuer *cert.Certificate, key *alg.PrivateKey) *cert.Certificate {
		t.Helper()
		template.NotBefore, template.NotAfter = now, now.AddDate(0, 0, 7)
		c, err := cert.Create(rand.Reader, &template, issuer, key)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	rootKey, caKey := testpki.Key(t, "ozdst"), testpki.Key(t, "ozdst")
	root := create(cert.Template{Subject: testpki.Name(t, "CN=Temporary Root,L=Tashkent,C=UZ"), Version1: true}, nil, rootKey)
	ca := create(cert.Template{
		Subject: testpki.Name(t, "CN=Temporary CA,L=Tashkent,C=UZ"), PublicKey: caKey.PublicKey(),
		BasicConstraints: &cert.BasicConstraints{IsCA: true}, KeyUsage: cert.KeyUsageCertSign,
	}, root, rootKey)
	if root.Version != 1 || len(root.Extensions) != 0 || !bytes.Equal(ca.AuthorityKeyID, rootKey.PublicKey().KeyID()) {
		t.Errorf("the authority key identifier is %x", ca.AuthorityKeyID)
	}
	if _, err := cert.BuildPath(ca, cert.PathOptions{Anchors: cert.NewPool(root), At: now}); err != nil {
		t.Error(err)
	}
}

func TestBouncyCastleReadsOurRequestsAndWritesTheSame(t *testing.T) {
	bc := peer.BouncyCastle(t).Start(t, "RequestPeer", "testdata/RequestPeer.java", "../ocsp/testdata/Family.java")
	b64 := base64.StdEncoding.EncodeToString
	for _, family := range []string{"ozdst", "ozmst"} {
		key := testpki.Key(t, family)
		for _, subject := range []string{
			testpki.Person, testpki.Organisation, `c=UZ,serialnumber=AB12,telephonenumber=\+998 71,emailaddress=a@b.uz,dc=uz,dn=x`,
			`CN=O\,B \"Z\" №1,o=А+OU=Б,1.2.860.3.16.1.1=123456789,t=#0c0161`,
		} {
			for _, policies := range [][]ber.OID{nil, requestPolicies} {
				der := createRequest(t, key, subject, policies...)
				ours := parseRequest(t, der)
				answer, err := ask(t, bc, "read", family, b64(der))
				if err != nil {
					t.Fatal(err)
				}
				list, critical, attributes, oids := "-", "-", "0", "."
				if len(policies) > 0 {
					list, critical, attributes = "1.2.860.3.2.2.1.2.1=1.2.860.3.2.2.1.2.1,1.2.860.3.2.2.1.2.5=1.2.860.3.2.2.1.2.5", "true", "1"
					oids = "1.2.860.3.2.2.1.2.1,1.2.860.3.2.2.1.2.5"
				}
				want := []string{"true", b64([]byte(ours.Subject.String())), b64(key.PublicKey().Raw), attributes, critical, list}
				if !slices.Equal(answer, want) {
					t.Errorf("%s, %s:\n got %q\nwant %q", family, subject, answer, want)
				}

				d := key.Signer().(*gost3410.PrivateKey).Bytes()
				answer, err = ask(t, bc, "make", family, b64(d), b64([]byte(subject)), b64(key.PublicKey().Raw), oids)
				if err != nil {
					t.Fatal(err)
				}
				theirDER, err := base64.StdEncoding.DecodeString(answer[0])
				if err != nil {
					t.Fatal(err)
				}
				theirs := parseRequest(t, theirDER)
				if err := theirs.CheckSignature(); err != nil {
					t.Error(err)
				}
				if !bytes.Equal(theirs.RawInfo, ours.RawInfo) || !bytes.Equal(theirs.SignatureAlgorithm.Marshal(), ours.SignatureAlgorithm.Marshal()) {
					t.Errorf("%s:\nwe sign            %x\nBouncyCastle signs %x", subject, ours.RawInfo, theirs.RawInfo)
				}
			}
		}
	}
}

// verifiesRequest asks openssl, whose exit code says nothing (3.0).
func verifiesRequest(t *testing.T, ossl *peer.OpenSSLPeer, der []byte) bool {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), ossl.Path(), "req", "-inform", "DER", "-in", write(t, "request.der", der), "-noout", "-verify")
	cmd.Env = ossl.Env()
	out, _ := cmd.CombinedOutput() // later releases exit with an error
	good, bad := bytes.Contains(out, []byte("verify OK")), bytes.Contains(out, []byte("verify failure"))
	if good == bad {
		t.Fatalf("openssl req -verify: %s", out)
	}
	return good
}

func TestOpenSSLChecksOurRequestsAndWritesItsOwn(t *testing.T) {
	ossl := peer.OpenSSLGOST(t)
	for _, spec := range []string{"gost2001", "gost2001:B", "rsa:2048", "ecdsa:P-384", "ed25519"} {
		der := createRequest(t, testpki.Key(t, spec), "CN=SOMEONE,C=UZ", requestPolicies...)
		file := write(t, "request.der", der)
		out := ossl.Run(t, nil, "req", "-inform", "DER", "-in", file, "-noout", "-text")
		for _, want := range []string{"CN = SOMEONE, C = UZ", "X509v3 Certificate Policies: critical", "Policy: 1.2.860.3.2.2.1.2.1", "Policy: 1.2.860.3.2.2.1.2.5"} {
			if !bytes.Contains(out, []byte(want)) {
				t.Errorf("%s: no %q in\n%s", spec, want, out)
			}
		}
		forged := bytes.Clone(der)
		forged[bytes.Index(forged, []byte("SOMEONE"))] = 'X'
		if !verifiesRequest(t, ossl, der) || verifiesRequest(t, ossl, forged) {
			t.Errorf("%s: openssl does not verify the request, or verifies one with another name too", spec)
		}
	}
	for name, args := range map[string][]string{
		"gost":  {"-newkey", "gost2001", "-pkeyopt", "paramset:A", "-md_gost94"},
		"rsa":   {"-newkey", "rsa:2048"},
		"names": {"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-addext", "subjectAltName=DNS:e-imzo.uz", "-addext", "certificatePolicies=1.2.860.3.2.10.2"},
	} {
		text := ossl.Run(t, nil, append([]string{"req", "-new", "-nodes", "-keyout", write(t, "key.pem", nil), "-subj", "/CN=Engine/C=UZ"}, args...)...)
		r := parseRequest(t, text)
		if err := r.CheckSignature(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if r.Subject.String() != "CN=Engine,C=UZ" {
			t.Errorf("%s: %s", name, r.Subject)
		}
		if name == "names" && (len(r.Extensions) != 2 || len(r.Policies) != 1 || r.Policies[0].String() != "1.2.860.3.2.10.2") {
			t.Errorf("%s: %v, %v", name, r.Extensions, r.Policies)
		}
	}
}

// A request that reads has its octets, the same in every form, and a changed
// signature fits none.
func FuzzParseRequest(f *testing.F) {
	key := katKey(f)
	for _, der := range [][]byte{
		createRequest(f, key, testpki.Organisation, requestPolicies...),
		createRequest(f, key, "CN=A"),
		createRequest(f, testpki.Key(f, "ecdsa:P-256"), "CN=A"),
	} {
		f.Add(der)
		f.Add(forms(der)["PEM"])
		f.Add(forms(der)["base64 of PEM"])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := cert.ParseRequest(data)
		if err != nil {
			if !errors.Is(err, cert.ErrRequest) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		if r.PublicKey == nil || r.Subject.Raw == nil || !bytes.Contains(r.Raw, r.RawInfo) || len(r.Policies) > 0 && len(r.Extensions) == 0 {
			t.Fatal("a part is missing")
		}
		for name, form := range forms(r.Raw) {
			again, err := cert.ParseRequest(form)
			if err != nil || !bytes.Equal(again.Raw, r.Raw) {
				t.Fatalf("%s does not bring it back: %v", name, err)
			}
		}
		if r.CheckSignature() == nil && len(r.Signature) > 0 {
			r.Signature = bytes.Clone(r.Signature)
			r.Signature[len(r.Signature)/2] ^= 1
			if r.CheckSignature() == nil {
				t.Fatal("a changed signature is good")
			}
		}
	})
}
