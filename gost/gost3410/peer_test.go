package gost3410_test

import (
	"bytes"
	"crypto/rand"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"imzo/gost/gost3410"
	"imzo/gost/gost341194"
	"imzo/internal/testpki/peer"
)

// --- DER, as RFC 4491 has it ---

var (
	oidGOST2001       = asn1.ObjectIdentifier{1, 2, 643, 2, 2, 19}
	oidGOST94WithGOST = asn1.ObjectIdentifier{1, 2, 643, 2, 2, 3}
	oidGOST94Params   = asn1.ObjectIdentifier{1, 2, 643, 2, 2, 30, 1}
	oidCommonName     = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidBasic          = asn1.ObjectIdentifier{2, 5, 29, 19}
)

type algorithm struct {
	Algorithm  asn1.ObjectIdentifier
	Parameters asn1.RawValue `asn1:"optional"`
}

type spki struct {
	Algorithm algorithm
	Key       asn1.BitString
}

type pkcs8 struct {
	Version   int
	Algorithm algorithm
	Key       []byte
}

type gostParams struct{ Curve, Digest asn1.ObjectIdentifier }

// paramSet returns the object identifier of a curve (RFC 4357 10.8).
func paramSet(c *gost3410.Curve) asn1.ObjectIdentifier {
	last := map[string]int{"test": 0, "CryptoPro-A": 1, "CryptoPro-B": 2, "CryptoPro-C": 3}[c.Name()]
	return asn1.ObjectIdentifier{1, 2, 643, 2, 2, 35, last}
}

func mustMarshal(t testing.TB, v any) []byte {
	t.Helper()
	der, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func keyAlgorithm(t testing.TB, c *gost3410.Curve) algorithm {
	t.Helper()
	params := mustMarshal(t, gostParams{paramSet(c), oidGOST94Params})
	return algorithm{oidGOST2001, asn1.RawValue{FullBytes: params}}
}

func publicDER(t testing.TB, k *gost3410.PublicKey) []byte {
	t.Helper()
	bits := mustMarshal(t, k.Bytes())
	return mustMarshal(t, spki{keyAlgorithm(t, k.Curve()), asn1.BitString{Bytes: bits, BitLength: 8 * len(bits)}})
}

// privateDER is the form of the engine: d little-endian in the OCTET STRING.
func privateDER(t testing.TB, k *gost3410.PrivateKey) []byte {
	t.Helper()
	d := k.Bytes()
	slices.Reverse(d)
	return mustMarshal(t, pkcs8{0, keyAlgorithm(t, k.PublicKey().Curve()), d})
}

type attribute struct {
	Type  asn1.ObjectIdentifier
	Value string `asn1:"utf8"`
}

func name(t testing.TB, cn string) asn1.RawValue {
	t.Helper()
	type rdn []attribute
	set, err := asn1.MarshalWithParams(rdn{{oidCommonName, cn}}, "set")
	if err != nil {
		t.Fatal(err)
	}
	return asn1.RawValue{FullBytes: mustMarshal(t, []asn1.RawValue{{FullBytes: set}})}
}

// signed wraps the DER of something to be signed, the signature algorithm and
// the signature: the shape of certificates and requests alike.
type signed struct {
	Content   asn1.RawValue
	Algorithm algorithm
	Signature asn1.BitString
}

func sign(t testing.TB, key *gost3410.PrivateKey, content []byte) []byte {
	t.Helper()
	digest := gost341194.Sum256(content)
	sig, err := key.Sign(nil, digest[:], nil)
	if err != nil {
		t.Fatal(err)
	}
	return mustMarshal(t, signed{asn1.RawValue{FullBytes: content}, algorithm{Algorithm: oidGOST94WithGOST}, asn1.BitString{Bytes: sig, BitLength: 8 * len(sig)}})
}

// request is a PKCS#10 request for the key, signed by it.
func request(t testing.TB, key *gost3410.PrivateKey, cn string) []byte {
	t.Helper()
	return sign(t, key, mustMarshal(t, struct {
		Version    int
		Subject    asn1.RawValue
		Key        asn1.RawValue
		Attributes []asn1.RawValue `asn1:"tag:0,set"`
	}{0, name(t, cn), asn1.RawValue{FullBytes: publicDER(t, key.PublicKey())}, nil}))
}

// certificate is issued by the issuer's key; a CA's own when they are the
// same.
func certificate(t testing.TB, serial *big.Int, subject string, key *gost3410.PublicKey, issuer string, issuerKey *gost3410.PrivateKey) []byte {
	t.Helper()
	type extension struct {
		ID       asn1.ObjectIdentifier
		Critical bool
		Value    []byte
	}
	ext := []extension{{oidBasic, true, mustMarshal(t, struct{ CA bool }{subject == issuer})}}
	if subject != issuer {
		ext[0].Value = mustMarshal(t, struct{}{})
	}
	return sign(t, issuerKey, mustMarshal(t, struct {
		Version    int `asn1:"tag:0,explicit"`
		Serial     *big.Int
		Algorithm  algorithm
		Issuer     asn1.RawValue
		Validity   struct{ NotBefore, NotAfter time.Time }
		Subject    asn1.RawValue
		Key        asn1.RawValue
		Extensions []extension `asn1:"tag:3,explicit"`
	}{
		2, serial, algorithm{Algorithm: oidGOST94WithGOST}, name(t, issuer),
		struct{ NotBefore, NotAfter time.Time }{time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2049, 1, 1, 0, 0, 0, 0, time.UTC)},
		name(t, subject), asn1.RawValue{FullBytes: publicDER(t, key)}, ext,
	}))
}

func writePEM(t testing.TB, path, kind string, blocks ...[]byte) string {
	t.Helper()
	var buf bytes.Buffer
	for _, b := range blocks {
		if err := pem.Encode(&buf, &pem.Block{Type: kind, Bytes: b}); err != nil {
			t.Fatal(err)
		}
	}
	return writeFile(t, path, buf.Bytes())
}

func writeFile(t testing.TB, path string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func cryptoProCurves() []*gost3410.Curve { return curves()[:3] }

func randomBytes(t testing.TB, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}

// --- OpenSSL's gost engine ---

func TestOpenSSLReadsAndWritesOurKeys(t *testing.T) {
	ossl := peer.OpenSSLGOST(t)
	for i, c := range cryptoProCurves() {
		dir := t.TempDir()
		der := ossl.Run(t, nil, "genpkey", "-engine", "gost", "-algorithm", "gost2001",
			"-pkeyopt", "paramset:"+string("ABC"[i]), "-outform", "DER")
		var p8 pkcs8
		if _, err := asn1.Unmarshal(der, &p8); err != nil {
			t.Fatal(err)
		}
		slices.Reverse(p8.Key)
		key, err := gost3410.NewPrivateKey(c, p8.Key)
		if err != nil {
			t.Fatal(err)
		}
		file := writeFile(t, filepath.Join(dir, "key.der"), der)
		theirs := ossl.Run(t, nil, "pkey", "-inform", "DER", "-in", file, "-pubout", "-outform", "DER")
		if ours := publicDER(t, key.PublicKey()); !bytes.Equal(ours, theirs) {
			t.Errorf("%s: public key %x, OpenSSL has %x", c.Name(), ours, theirs)
		}
		// And a key of ours, whose public half the engine computes.
		key = newKey(t, c)
		file = writeFile(t, filepath.Join(dir, "ours.der"), privateDER(t, key))
		theirs = ossl.Run(t, nil, "pkey", "-inform", "DER", "-in", file, "-pubout", "-outform", "DER")
		if ours := publicDER(t, key.PublicKey()); !bytes.Equal(ours, theirs) {
			t.Errorf("%s: public key %x, OpenSSL has %x", c.Name(), ours, theirs)
		}
	}
}

func TestOpenSSLDigestSignaturesBothWays(t *testing.T) {
	ossl := peer.OpenSSLGOST(t)
	for _, c := range cryptoProCurves() {
		dir := t.TempDir()
		for i := range 5 {
			key := newKey(t, c)
			message := randomBytes(t, 10+31*i)
			digest := gost341194.Sum256(message)
			priv := writePEM(t, filepath.Join(dir, "key.pem"), "PRIVATE KEY", privateDER(t, key))
			pub := writePEM(t, filepath.Join(dir, "pub.pem"), "PUBLIC KEY", publicDER(t, key.PublicKey()))

			theirs := ossl.Run(t, message, "dgst", "-md_gost94", "-sign", priv, "-binary")
			if !verifies(t, key.PublicKey(), digest[:], theirs) {
				t.Errorf("%s: OpenSSL's signature %x does not verify", c.Name(), theirs)
			}
			ours, err := key.Sign(nil, digest[:], nil)
			if err != nil {
				t.Fatal(err)
			}
			sig := writeFile(t, filepath.Join(dir, "sig"), ours)
			ossl.Run(t, message, "dgst", "-md_gost94", "-verify", pub, "-signature", sig)
			message[0] ^= 1
			if out, err := ossl.TryRun(t, message, "dgst", "-md_gost94", "-verify", pub, "-signature", sig); err == nil {
				t.Errorf("%s: OpenSSL takes our signature for another message: %s", c.Name(), out)
			}
		}
	}
}

// The ca command checks the signature of every request and signs every
// certificate in one process: thousands of random keys and signatures both
// ways in a few seconds.
func TestOpenSSLAuthorityTakesOurRequestsAndWeItsCertificates(t *testing.T) {
	ossl := peer.OpenSSLGOST(t)
	runs, requests := 7, 100
	if testing.Short() {
		runs, requests = 1, 50
	}
	for _, c := range cryptoProCurves() {
		t.Run(c.Name(), func(t *testing.T) {
			for range runs {
				ca := newKey(t, c)
				keys := make([]*gost3410.PrivateKey, requests)
				files := make([]string, requests)
				open := make([][]byte, requests) // public keys still without a certificate
				dir := t.TempDir()
				for i := range keys {
					keys[i] = newKey(t, c)
					open[i] = publicDER(t, keys[i].PublicKey())
					files[i] = writePEM(t, filepath.Join(dir, fmt.Sprintf("%d.csr", i)), "CERTIFICATE REQUEST",
						request(t, keys[i], fmt.Sprintf("user %d", i)))
				}
				writePEM(t, filepath.Join(dir, "ca.key"), "PRIVATE KEY", privateDER(t, ca))
				caFile := writePEM(t, filepath.Join(dir, "ca.pem"), "CERTIFICATE",
					certificate(t, big.NewInt(1), "Test CA", ca.PublicKey(), "Test CA", ca))
				writeFile(t, filepath.Join(dir, "index.txt"), nil)
				config := writeFile(t, filepath.Join(dir, "ca.cnf"), []byte(strings.ReplaceAll(caConfig, "DIR", dir)))
				certs := filepath.Join(dir, "certs")
				if err := os.Mkdir(certs, 0o700); err != nil {
					t.Fatal(err)
				}
				ossl.Run(t, nil, append([]string{"ca", "-config", config, "-batch", "-notext", "-md", "md_gost94",
					"-outdir", certs, "-infiles"}, files...)...)

				issued, err := filepath.Glob(filepath.Join(certs, "*.pem"))
				if err != nil {
					t.Fatal(err)
				}
				for _, file := range issued {
					data, err := os.ReadFile(file)
					if err != nil {
						t.Fatal(err)
					}
					block, _ := pem.Decode(data)
					var s signed
					if _, err := asn1.Unmarshal(block.Bytes, &s); err != nil {
						t.Fatal(err)
					}
					digest := gost341194.Sum256(s.Content.FullBytes)
					if !verifies(t, ca.PublicKey(), digest[:], s.Signature.Bytes) {
						t.Fatalf("OpenSSL's signature %x of %x does not verify", s.Signature.Bytes, s.Content.FullBytes)
					}
					// The files are named for serial numbers.
					at := slices.IndexFunc(open, func(spki []byte) bool { return bytes.Contains(s.Content.FullBytes, spki) })
					if at < 0 {
						t.Fatalf("a certificate is for none of the keys: %x", s.Content.FullBytes)
					}
					open = slices.Delete(open, at, at+1)
				}
				if len(open) > 0 {
					t.Fatalf("%d of %d requests gave no certificate", len(open), requests)
				}

				// Certificates of ours, several in one run of verify.
				args := []string{"verify", "-CAfile", caFile}
				for i, k := range keys {
					args = append(args, writePEM(t, filepath.Join(dir, fmt.Sprintf("%d.pem", i)), "CERTIFICATE",
						certificate(t, big.NewInt(int64(i+2)), "user", k.PublicKey(), "Test CA", ca)))
				}
				ossl.Run(t, nil, args...)

				// Broken ones must be seen, or the above tells nothing.
				bad := request(t, keys[0], "user")
				bad[len(bad)-1] ^= 1
				file := writePEM(t, filepath.Join(dir, "bad.csr"), "CERTIFICATE REQUEST", bad)
				// The ca command may end with status 0 and no certificate then.
				_, _ = ossl.TryRun(t, nil, "ca", "-config", config, "-batch", "-md", "md_gost94", "-infiles", file)
				after, err := filepath.Glob(filepath.Join(certs, "*.pem"))
				if err != nil || len(after) != len(issued) {
					t.Errorf("OpenSSL takes a broken request: %d certificates, then %d, %v", len(issued), len(after), err)
				}
				bad = certificate(t, big.NewInt(99), "user", keys[0].PublicKey(), "Test CA", ca)
				bad[len(bad)-1] ^= 1
				file = writePEM(t, filepath.Join(dir, "bad.pem"), "CERTIFICATE", bad)
				if out, err := ossl.TryRun(t, nil, "verify", "-CAfile", caFile, file); err == nil {
					t.Errorf("OpenSSL takes a broken certificate: %s", out)
				}
			}
		})
	}
}

const caConfig = `openssl_conf = openssl_init
[openssl_init]
engines = engines
[engines]
gost = gost
[gost]
engine_id = gost
default_algorithms = ALL
[ca]
default_ca = test
[test]
database = DIR/index.txt
new_certs_dir = DIR/certs
certificate = DIR/ca.pem
private_key = DIR/ca.key
rand_serial = yes
unique_subject = no
default_days = 30
policy = any
[any]
commonName = supplied
`

func TestOpenSSLAgreesOnKeys(t *testing.T) {
	ossl := peer.OpenSSLGOST(t)
	for _, c := range cryptoProCurves() {
		dir := t.TempDir()
		for range 12 {
			a, b := newKey(t, c), newKey(t, c)
			ukm := randomBytes(t, 8)
			priv := writePEM(t, filepath.Join(dir, "key.pem"), "PRIVATE KEY", privateDER(t, a))
			pub := writePEM(t, filepath.Join(dir, "pub.pem"), "PUBLIC KEY", publicDER(t, b.PublicKey()))
			theirs := ossl.Run(t, nil, "pkeyutl", "-derive", "-inkey", priv, "-peerkey", pub,
				"-pkeyopt", "ukmhex:"+hex.EncodeToString(ukm))
			ours, err := b.VKO(a.PublicKey(), ukm)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(ours, theirs) {
				t.Errorf("%s, UKM %x: %x, OpenSSL has %x", c.Name(), ukm, ours, theirs)
			}
		}
	}
}

// Where the engine judges a vector otherwise than the vector says, that is
// logged; our own verdict is tested in TestWycheproofVectors.
func TestOpenSSLOnWycheproofVectors(t *testing.T) {
	ossl := peer.OpenSSLGOST(t)
	cases := wycheproofCases(t)
	if testing.Short() {
		cases = slices.DeleteFunc(cases, func(v wycheproofCase) bool { return v.id%10 != 0 })
	}
	dir := t.TempDir()
	tally := newTally()
	var wg sync.WaitGroup
	work := make(chan wycheproofCase)
	for w := range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			key := filepath.Join(dir, fmt.Sprintf("key%d", w))
			sig := filepath.Join(dir, fmt.Sprintf("sig%d", w))
			for v := range work {
				x, y := slices.Clone(v.x), slices.Clone(v.y)
				slices.Reverse(x)
				slices.Reverse(y)
				bits := mustMarshal(t, append(x, y...))
				der := mustMarshal(t, spki{keyAlgorithm(t, v.curve), asn1.BitString{Bytes: bits, BitLength: 8 * len(bits)}})
				if os.WriteFile(key, der, 0o600) != nil || os.WriteFile(sig, v.sig, 0o600) != nil {
					t.Error("cannot write the test's files")
					continue
				}
				out, err := ossl.TryRun(t, v.msg, "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", key, "-sigfile", sig)
				tally.add(v, err == nil && bytes.Contains(out, []byte("Verified Successfully")))
			}
		})
	}
	for _, v := range cases {
		work <- v
	}
	close(work)
	wg.Wait()
	tally.log(t, "OpenSSL gost engine")
}

// tally collects where a peer judges otherwise than the vectors.
type tally struct {
	mu          sync.Mutex
	agree       int
	differences []string
}

func newTally() *tally { return new(tally) }

func (ta *tally) add(v wycheproofCase, valid bool) {
	ta.mu.Lock()
	defer ta.mu.Unlock()
	if valid == v.valid {
		ta.agree++
		return
	}
	verdict := map[bool]string{true: "takes", false: "rejects"}[valid]
	ta.differences = append(ta.differences, fmt.Sprintf("%s %d %s: %s", v.curve.Name(), v.id, verdict, v.comment))
}

// log writes the differences, and fails the test when the peer agrees so
// seldom that the comparison itself must be broken.
func (ta *tally) log(t testing.TB, who string) {
	t.Helper()
	slices.Sort(ta.differences)
	t.Logf("%s agrees on %d vectors and differs on %d", who, ta.agree, len(ta.differences))
	for _, d := range ta.differences {
		t.Log("  " + d)
	}
	if ta.agree < 9*len(ta.differences) {
		t.Errorf("%s differs on %d of %d vectors", who, len(ta.differences), ta.agree+len(ta.differences))
	}
}

// --- BouncyCastle ---

func bouncyCastle(t *testing.T) *peer.Proc {
	t.Helper()
	return peer.BouncyCastle(t).Start(t, "GostPeer", filepath.Join("testdata", "java", "GostPeer.java"))
}

func TestBouncyCastleAgreesBothWaysOnRandomKeys(t *testing.T) {
	bc := bouncyCastle(t)
	rounds := 600
	if testing.Short() {
		rounds = 60
	}
	for _, c := range curves() {
		for i := range rounds {
			key := newKey(t, c)
			pub := key.PublicKey()
			digest := randomBytes(t, 32)
			ours, err := key.Sign(nil, digest, nil)
			if err != nil {
				t.Fatal(err)
			}
			ask := fmt.Sprintf("verify %s %x %x %x %x", c.Name(), pub.X(), pub.Y(), digest, ours)
			if got := bc.Ask(t, ask); got != "true" {
				t.Fatalf("%s: BouncyCastle on our signature: %s\n%s", c.Name(), got, ask)
			}
			theirs := unhex(t, bc.Ask(t, fmt.Sprintf("sign %s %x %x", c.Name(), key.Bytes(), digest)))
			if !verifies(t, pub, digest, theirs) {
				t.Fatalf("%s: BouncyCastle's signature %x of %x by %x does not verify", c.Name(), theirs, digest, key.Bytes())
			}
			if i%4 != 0 {
				continue
			}
			peerKey, ukm := newKey(t, c), randomBytes(t, 8)
			ukm[i/4%8] |= 1
			agreed, err := key.VKO(peerKey.PublicKey(), ukm)
			if err != nil {
				t.Fatal(err)
			}
			got := bc.Ask(t, fmt.Sprintf("vko %s %x %x %x %x", c.Name(), peerKey.Bytes(), pub.X(), pub.Y(), ukm))
			if got != hex.EncodeToString(agreed) {
				t.Fatalf("%s: VKO with UKM %x = %x, BouncyCastle has %s", c.Name(), ukm, agreed, got)
			}
		}
	}
}

func TestBouncyCastleProviderTakesOurKeysAndSignatures(t *testing.T) {
	bc := bouncyCastle(t)
	for _, c := range cryptoProCurves() {
		for i := range 30 {
			key := newKey(t, c)
			message := randomBytes(t, i*7)
			if i == 0 {
				message = []byte{0}
			}
			digest := gost341194.Sum256(message)
			sig, err := key.Sign(nil, digest[:], nil)
			if err != nil {
				t.Fatal(err)
			}
			spki := publicDER(t, key.PublicKey())
			if got := bc.Ask(t, fmt.Sprintf("jca %x %x %x", spki, message, sig)); got != "true" {
				t.Errorf("%s: the provider on our signature: %s", c.Name(), got)
			}
			sig[i] ^= 1
			if got := bc.Ask(t, fmt.Sprintf("jca %x %x %x", spki, message, sig)); got == "true" {
				t.Errorf("%s: the provider takes a changed signature", c.Name())
			}
		}
	}
}

// As TestOpenSSLOnWycheproofVectors. BouncyCastle's signer takes r and s as
// numbers, so signatures of other lengths count as rejected.
func TestBouncyCastleOnWycheproofVectors(t *testing.T) {
	bc := bouncyCastle(t)
	tally := newTally()
	for _, v := range wycheproofCases(t) {
		ask := fmt.Sprintf("verify %s %x %x %x %x", v.curve.Name(), v.x, v.y, v.msg, v.sig)
		tally.add(v, len(v.msg) > 0 && bc.Ask(t, ask) == "true")
	}
	tally.log(t, "BouncyCastle")
}
