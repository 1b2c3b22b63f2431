package inspect

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"imzo/pki/ber"
)

// FuzzDescribe holds that any file is described or refused, within the bounds
// and without a character that drives a terminal.
func FuzzDescribe(f *testing.F) {
	names, err := filepath.Glob("testdata/*")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		if info, err := os.Stat(name); err != nil || info.IsDir() || strings.HasSuffix(name, ".txt") {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, read := range []func() (*Node, error){
			func() (*Node, error) { return Describe(data, "") },
			func() (*Node, error) { return ASN1(data) },
		} {
			n, err := read()
			if err != nil {
				if n != nil {
					t.Fatalf("a tree beside the error %v", err)
				}
				continue
			}
			if count := countNodes(n); count > maxNodes+maxDepthOfTree {
				t.Fatalf("%d nodes", count)
			}
			out := text(t, n)
			if i := strings.IndexFunc(out, func(r rune) bool { return r != '\n' && Unsafe(r) }); i >= 0 {
				t.Fatalf("unsafe character at %d", i)
			}
		}
	})
}

// maxDepthOfTree bounds how many "the rest is left out" one tree holds: one a
// level.
const maxDepthOfTree = ber.MaxDepth*(maxOpened+1) + 16

// FuzzPrivateKeysStayHidden holds that the key octets of a PrivateKeyInfo, an
// ECPrivateKey or a PEM block that calls itself a private key are never shown,
// whatever stands around them.
func FuzzPrivateKeysStayHidden(f *testing.F) {
	f.Add([]byte{0x2a, 0x86, 0x5c}, []byte{0x05, 0x00}, []byte("0123456789abcdefghijklmnopqrstuv"), byte(0))
	f.Add([]byte{0x2b, 0x65, 0x70}, []byte(nil), []byte("\x04\x1e0123456789abcdefghijklmnopqr"), byte(1))
	f.Add([]byte{0x2a, 0x03}, []byte{0x30, 0x00}, []byte("a secret that is a little bit longer than most are"), byte(2))
	f.Fuzz(func(t *testing.T, oid, params, secret []byte, version byte) {
		if len(secret) < 16 || !strings.ContainsFunc(string(secret[:16]), func(r rune) bool { return r != rune(secret[0]) }) {
			t.Skip("no secret one could tell from other octets")
		}
		// What stands around the key is BER, or the file is none.
		if _, err := ber.Parse(params); err != nil {
			params = ber.Null()
		}
		id := ber.OID(oid)
		if id == "" {
			id = "\x2a"
		}
		algorithm := ber.Sequence(id.DER(), params)
		pkcs8 := ber.Sequence(ber.Int64(int64(version)), algorithm, ber.OctetString(secret))
		sec1 := ber.Sequence(ber.Int64(1), ber.OctetString(secret), ber.Tagged(ber.ContextConstructed(0), params))
		for _, file := range [][]byte{
			pkcs8, sec1,
			ber.Sequence(pkcs8, ber.Set(sec1)),
			ber.Sequence(ber.OctetString(pkcs8), ber.OctetString(ber.OctetString(sec1))),
			pemBlock("PRIVATE KEY", pkcs8), pemBlock("EC PRIVATE KEY", sec1), pemBlock("GOST PRIVATE KEY", secret),
			pemBlock("X PRIVATE KEY", ber.Sequence(ber.OctetString(secret), ber.Tagged(ber.TagInteger, secret))),
		} {
			for _, read := range []func([]byte) (*Node, error){ASN1, func(b []byte) (*Node, error) { return Describe(b, "") }} {
				n, err := read(file)
				if err != nil {
					continue
				}
				// What the file says outside of the key it may show.
				if out := text(t, n); shows(out, secret) && !shows(text(t, &Node{Value: hexValue(params) + hexValue(oid)}), secret) {
					t.Fatalf("shown:\n%s", out)
				}
			}
		}
	})
}

func pemBlock(label string, b []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: b})
}
