package ocsp

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"math/big"
	"net/url"
	"strings"
	"testing"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/ber"
)

func testCertID(serial int64) CertID {
	return CertID{
		HashAlgorithm:  alg.New(alg.OIDDigestSHA1),
		IssuerNameHash: bytes.Repeat([]byte{1}, 20),
		IssuerKeyHash:  bytes.Repeat([]byte{2}, 20),
		Serial:         big.NewInt(serial),
	}
}

func TestRequestsComeBackAsTheyWere(t *testing.T) {
	w := newWorld(t, "ecdsa:P-256")
	other := w.User(t, testpki.Organisation)
	for _, name := range digestsOfCertIDs {
		d := digest(t, name)
		for _, nonce := range [][]byte{nil, {7}, testNonce, bytes.Repeat([]byte{9}, maxNonceSize)} {
			r := Request{CertIDs: []CertID{NewCertID(d, w.user.Cert, w.CA.Cert), NewCertID(d, other.Cert, w.CA.Cert)}, Nonce: nonce}
			got, err := ParseRequest(r.Marshal())
			if err != nil {
				t.Fatal(err)
			}
			if len(got.CertIDs) != 2 || !got.CertIDs[0].Equal(r.CertIDs[0]) || !got.CertIDs[1].Equal(r.CertIDs[1]) {
				t.Errorf("%s: %+v", name, got.CertIDs)
			}
			if got.CertIDs[0].Equal(got.CertIDs[1]) {
				t.Errorf("%s: two certificates with one name", name)
			}
			if !bytes.Equal(got.Nonce, nonce) || (got.Nonce == nil) != (nonce == nil) {
				t.Errorf("%s: nonce %x, want %x", name, got.Nonce, nonce)
			}
			if !bytes.Equal(got.Raw, r.Marshal()) {
				t.Errorf("%s: Raw differs", name)
			}
		}
	}
}

func TestNewNonceHas32RandomOctets(t *testing.T) {
	a, err := NewNonce(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewNonce(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if len(a) != 32 || bytes.Equal(a, b) {
		t.Errorf("%x, %x", a, b)
	}
	if _, err := NewNonce(bytes.NewReader(make([]byte, 31))); err == nil {
		t.Error("a nonce without enough randomness")
	}
}

// request builds an OCSPRequest from its parts.
func request(tbs [][]byte, outer ...[]byte) []byte {
	return ber.Sequence(append([][]byte{ber.Sequence(tbs...)}, outer...)...)
}

func TestParseRequest(t *testing.T) {
	one := ber.Sequence(testCertID(1).marshal())
	list := ber.Sequence(one)
	nonce := func(value []byte) []byte {
		return ber.Tagged(ber.ContextConstructed(2), ber.Sequence(extension("1.3.6.1.5.5.7.48.1.2", false, value)))
	}
	name := ber.Tagged(ber.ContextConstructed(1), ber.Tagged(ber.Context(6), []byte("http://x")))
	signature := func(parts ...[]byte) []byte {
		return ber.Tagged(ber.ContextConstructed(0), ber.Sequence(parts...))
	}
	algorithm, bits := alg.NewNull(alg.OIDSignatureSHA256WithRSA).Marshal(), ber.BitString([]byte{1, 2})
	id := testCertID(1)
	withHash := func(n int) []byte {
		id := id
		id.IssuerKeyHash = make([]byte, n)
		return ber.Sequence(ber.Sequence(ber.Sequence(id.marshal())))
	}
	many := func(n int) []byte { return request([][]byte{ber.Sequence(bytes.Repeat(one, n))}) }
	for _, tt := range []struct {
		name string
		der  []byte
		want error // nil: accepted
	}{
		{"plain", request([][]byte{list}), nil},
		{"explicit version 1", request([][]byte{ber.Tagged(ber.ContextConstructed(0), ber.Int64(0)), list}), nil},
		{"requestorName", request([][]byte{name, list}), nil},
		{"signed", request([][]byte{name, list}, signature(algorithm, bits)), nil},
		{"signed with certificates", request([][]byte{name, list}, signature(algorithm, bits, ber.Tagged(ber.ContextConstructed(0), ber.Sequence()))), nil},
		{"16 certificates", many(16), nil},
		{"nonce of 1", request([][]byte{list, nonce(ber.OctetString([]byte{1}))}), nil},
		{"nonce of 128", request([][]byte{list, nonce(ber.OctetString(make([]byte, 128)))}), nil},
		{"nonce without inner string", request([][]byte{list, nonce([]byte{0xff, 2, 3})}), nil},
		{"unknown extension", request([][]byte{list, ber.Tagged(ber.ContextConstructed(2), ber.Sequence(extension("1.2.3", false, nil)))}), nil},
		{"preferred signature algorithms", request([][]byte{list, ber.Tagged(ber.ContextConstructed(2), ber.Sequence(extension("1.3.6.1.5.5.7.48.1.8", false, ber.Sequence())))}), nil},
		{"service locator", request([][]byte{ber.Sequence(ber.Sequence(id.marshal(), ber.Tagged(ber.ContextConstructed(0), ber.Sequence(extension("1.3.6.1.5.5.7.48.1.7", false, ber.Sequence())))))}), nil},

		{"nothing", nil, ErrFormat},
		{"no sequence", ber.Set(), ErrFormat},
		{"empty", ber.Sequence(), ErrFormat},
		{"no list", request(nil), ErrFormat},
		{"no certificate", request([][]byte{ber.Sequence()}), ErrFormat},
		{"17 certificates", many(17), ErrFormat},
		{"version 2", request([][]byte{ber.Tagged(ber.ContextConstructed(0), ber.Int64(1)), list}), ErrFormat},
		{"version without number", request([][]byte{ber.Tagged(ber.ContextConstructed(0)), list}), ErrFormat},
		{"two versions", request([][]byte{ber.Tagged(ber.ContextConstructed(0), ber.Int64(0), ber.Int64(0)), list}), ErrFormat},
		{"more after the list", request([][]byte{list, list}), ErrFormat},
		{"more after the request", request([][]byte{list}, ber.Null()), ErrFormat},
		{"trailing octets", append(request([][]byte{list}), 0), ErrFormat},
		{"nonce of 0", request([][]byte{list, nonce(ber.OctetString(nil))}), ErrFormat},
		{"nonce of 129", request([][]byte{list, nonce(ber.OctetString(make([]byte, 129)))}), ErrFormat},
		{"two nonces", request([][]byte{list, ber.Tagged(ber.ContextConstructed(2), ber.Sequence(nonceExtension(testNonce), nonceExtension(testNonce)))}), ErrFormat},
		{"unknown critical extension", request([][]byte{list, ber.Tagged(ber.ContextConstructed(2), ber.Sequence(extension("1.2.3", true, nil)))}), ErrExtension},
		{"unknown critical extension of one", request([][]byte{ber.Sequence(ber.Sequence(id.marshal(), ber.Tagged(ber.ContextConstructed(0), ber.Sequence(extension("1.2.3", true, nil)))))}), ErrExtension},
		{"extensions without list", request([][]byte{list, ber.Tagged(ber.ContextConstructed(2))}), ErrFormat},
		{"two lists of extensions", request([][]byte{list, ber.Tagged(ber.ContextConstructed(2), ber.Sequence(), ber.Sequence())}), ErrFormat},
		{"extension is no sequence", request([][]byte{list, ber.Tagged(ber.ContextConstructed(2), ber.Sequence(ber.Null()))}), ErrFormat},
		{"extension without value", request([][]byte{list, ber.Tagged(ber.ContextConstructed(2), ber.Sequence(ber.Sequence(oidNonce.DER())))}), ErrFormat},
		{"extension without type", request([][]byte{list, ber.Tagged(ber.ContextConstructed(2), ber.Sequence(ber.Sequence()))}), ErrFormat},
		{"extension with more", request([][]byte{list, ber.Tagged(ber.ContextConstructed(2), ber.Sequence(ber.Sequence(oidNonce.DER(), ber.OctetString(ber.OctetString([]byte{1})), ber.Null())))}), ErrFormat},
		{"extension with bad boolean", request([][]byte{list, ber.Tagged(ber.ContextConstructed(2), ber.Sequence(ber.Sequence(oidNonce.DER(), ber.Tagged(ber.TagBoolean), ber.OctetString(nil))))}), ErrFormat},
		{"signature without algorithm", request([][]byte{list}, signature(bits)), ErrFormat},
		{"signature without value", request([][]byte{list}, signature(algorithm)), ErrFormat},
		{"signature with bad algorithm", request([][]byte{list}, signature(ber.Sequence(), bits)), ErrFormat},
		{"signature with more", request([][]byte{list}, signature(algorithm, bits, ber.Null())), ErrFormat},
		{"signature is empty", request([][]byte{list}, ber.Tagged(ber.ContextConstructed(0))), ErrFormat},
		{"two signatures", request([][]byte{list}, ber.Tagged(ber.ContextConstructed(0), ber.Sequence(algorithm, bits), ber.Sequence(algorithm, bits))), ErrFormat},
		{"hash of 65", request([][]byte{withHash(65)}), ErrFormat},
		{"serial of 65", request([][]byte{ber.Sequence(ber.Sequence(CertID{id.HashAlgorithm, id.IssuerNameHash, id.IssuerKeyHash, new(big.Int).Lsh(big.NewInt(1), 512)}.marshal()))}), ErrFormat},
		{"name without parts", request([][]byte{ber.Sequence(ber.Sequence(ber.Sequence()))}), ErrFormat},
		{"name with bad algorithm", request([][]byte{ber.Sequence(ber.Sequence(ber.Sequence(ber.Sequence())))}), ErrFormat},
		{"name with one hash", request([][]byte{ber.Sequence(ber.Sequence(ber.Sequence(algorithm, ber.OctetString(nil))))}), ErrFormat},
		{"name without serial", request([][]byte{ber.Sequence(ber.Sequence(ber.Sequence(algorithm, ber.OctetString(nil), ber.OctetString(nil))))}), ErrFormat},
		{"name with more", request([][]byte{ber.Sequence(ber.Sequence(ber.Sequence(algorithm, ber.OctetString(nil), ber.OctetString(nil), ber.Int64(1), ber.Null())))}), ErrFormat},
		{"too large", request([][]byte{list, nonce(make([]byte, maxRequest))}), ErrFormat},
		{"nested too deep", bytes.Repeat([]byte{0x30, 0x80}, 20000), ErrFormat},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := ParseRequest(tt.der)
			if !errors.Is(err, tt.want) {
				t.Fatalf("error %v, want %v", err, tt.want)
			}
			if (r == nil) != (tt.want != nil) {
				t.Errorf("request %v beside error %v", r, err)
			}
		})
	}
}

func TestRequestsTravelInPaths(t *testing.T) {
	// Serial numbers such that the base64 has each character to escape.
	escaped := ""
	for serial := range int64(200) {
		r := Request{CertIDs: []CertID{testCertID(serial << 20)}, Nonce: bytes.Repeat([]byte{byte(serial), 0xfb}, 8)}
		address := r.GetURL("http://ocsp.example/cams/ocsp/")
		rest, ok := strings.CutPrefix(address, "http://ocsp.example/cams/ocsp/")
		if !ok || strings.ContainsAny(rest, "+/=") {
			t.Fatalf("address %s", address)
		}
		escaped += rest
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		path := strings.TrimPrefix(u.EscapedPath(), "/cams/ocsp/")
		// Also as clients send it that escape nothing.
		for _, path := range []string{path, base64.StdEncoding.EncodeToString(r.Marshal())} {
			der, err := ParseGetPath(path)
			if err != nil || !bytes.Equal(der, r.Marshal()) {
				t.Fatalf("%s: %x, %v", path, der, err)
			}
		}
	}
	for _, c := range []string{"%2B", "%2F", "%3D"} {
		if !strings.Contains(escaped, c) {
			t.Errorf("no address has %s", c)
		}
	}
	for _, bad := range []string{"%zz", "MA", "*", "MB==MB==", strings.Repeat("A", 4*maxRequest+4)} {
		if der, err := ParseGetPath(bad); !errors.Is(err, ErrFormat) || der != nil {
			t.Errorf("%.20s: %x, %v", bad, der, err)
		}
	}
}

func TestCertIDsDifferInEveryPart(t *testing.T) {
	a := testCertID(1)
	for name, change := range map[string]func(*CertID){
		"algorithm": func(id *CertID) { id.HashAlgorithm = alg.New(alg.OIDDigestSHA256) },
		"name":      func(id *CertID) { id.IssuerNameHash = bytes.Repeat([]byte{3}, 20) },
		"key":       func(id *CertID) { id.IssuerKeyHash = id.IssuerKeyHash[:19] },
		"serial":    func(id *CertID) { id.Serial = big.NewInt(2) },
	} {
		b := a
		change(&b)
		if a.Equal(b) || b.Equal(a) {
			t.Errorf("equal with another %s", name)
		}
	}
	b := a
	b.HashAlgorithm = alg.NewNull(alg.OIDDigestSHA1) // absent and NULL are one
	if !a.Equal(b) {
		t.Error("NULL parameters make a difference")
	}
}

func TestNewCertIDUsesTheNameAsTheCertificateHasIt(t *testing.T) {
	w := newWorld(t, "ecdsa:P-256")
	id := w.id()
	if !bytes.Equal(id.IssuerNameHash, alg.SHA1().Sum(w.CA.Cert.RawSubject)) || !bytes.Equal(id.IssuerKeyHash, w.CA.Cert.PublicKey.KeyID()) || id.Serial.Cmp(w.user.Cert.Serial) != 0 {
		t.Errorf("%+v", id)
	}
	if !w.responder().Answers(id) {
		t.Error("the issuer's responder does not know its own")
	}
	if w.responder().Answers(NewCertID(nil, w.user.Cert, w.Root.Cert)) {
		t.Error("it answers for another key")
	}
	id.HashAlgorithm = alg.New(ber.MustOID("1.2.3"))
	if w.responder().Answers(id) || id.names(w.user.Cert, w.CA.Cert) {
		t.Error("an unknown digest names a certificate")
	}
}
