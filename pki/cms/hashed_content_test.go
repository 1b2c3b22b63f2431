package cms

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"runtime"
	"testing"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/ber"
)

func TestHashedContentComputesAllDigests(t *testing.T) {
	content := bytes.Repeat([]byte("Shartnoma"), 10000)
	h := NewHashedContent(alg.Digests()...)
	for rest := content; len(rest) > 0; rest = rest[min(997, len(rest)):] {
		if _, err := h.Write(rest[:min(997, len(rest))]); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range alg.Digests() {
		if !bytes.Equal(h.Sum(d), d.Sum(content)) {
			t.Errorf("%s differs", d)
		}
	}
	if h.Size() != int64(len(content)) {
		t.Errorf("size %d", h.Size())
	}
	if _, err := h.Write(content); err == nil {
		t.Error("more came after the sums, and was taken")
	}
}

func TestHashedContentVerifies(t *testing.T) {
	for _, spec := range []string{"ozdst", "ozmst:C", "rsa:2048", "ecdsa:P-384", "ed25519"} {
		t.Run(spec, func(t *testing.T) {
			pki := testpki.New(t, spec)
			user := pki.User(t, testpki.Person)
			content := []byte("some document")
			doc, err := Sign(content, []Signer{{Key: user.Key, Chain: user.Chain, SigningTime: pki.Now}}, Options{Detached: true})
			if err != nil {
				t.Fatal(err)
			}
			sd, err := Parse(doc)
			if err != nil {
				t.Fatal(err)
			}
			h := NewHashedContent(sd.Digests()...)
			if _, err := h.Write(content); err != nil {
				t.Fatal(err)
			}
			si := sd.SignerInfos[0]
			digest, err := sd.HashedContentDigest(si, h)
			if err != nil {
				t.Fatal(err)
			}
			if err := si.Verify(user.Cert, sd.ContentType, digest); err != nil {
				t.Error(err)
			}
			if _, err := sd.HashedContentDigest(si, NewHashedContent()); !errors.Is(err, ErrUnsupported) {
				t.Errorf("without the digest: %v", err)
			}
		})
	}
}

func TestHashedContentIsForDetachedDocuments(t *testing.T) {
	pki := testpki.New(t, "ozdst")
	user := pki.User(t, testpki.Person)
	doc, err := Sign([]byte("x"), []Signer{{Key: user.Key, Chain: user.Chain}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	sd, err := Parse(doc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sd.HashedContentDigest(sd.SignerInfos[0], NewHashedContent(sd.Digests()...)); !errors.Is(err, ErrAttached) {
		t.Error(err)
	}
}

// A signature over signed attributes must not pass for one over a content,
// however the content came.
func TestHashedContentRefusesSignedAttributesAsContent(t *testing.T) {
	pki := testpki.New(t, "ozdst")
	user := pki.User(t, testpki.Person)
	signed, err := Sign([]byte("x"), []Signer{{Key: user.Key, Chain: user.Chain, SigningTime: pki.Now}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	sd, err := Parse(signed)
	if err != nil {
		t.Fatal(err)
	}
	attrs := sd.SignerInfos[0].RawSignedAttrs
	harmless := ber.Set(ber.Sequence(OIDData.DER()))
	large := append([]byte{ber.TagSet}, make([]byte, maxSignedAttrs)...)
	for name, tt := range map[string]struct {
		content []byte
		piece   int
		err     error
	}{
		"in one piece":         {attrs, len(attrs), ErrAttribute},
		"octet by octet":       {attrs, 1, ErrAttribute},
		"another set":          {harmless, 1, nil},
		"nothing":              {nil, 1, nil},
		"text":                 {[]byte("1 2 3"), 2, nil},
		"too large to look at": {large, 32 << 10, ErrAttribute},
	} {
		t.Run(name, func(t *testing.T) {
			doc, err := Sign(nil, []Signer{{Key: user.Key, Chain: user.Chain, NoSignedAttrs: true}}, Options{Detached: true})
			if err != nil {
				t.Fatal(err)
			}
			plain, err := Parse(doc)
			if err != nil {
				t.Fatal(err)
			}
			h := NewHashedContent(plain.Digests()...)
			for rest := tt.content; len(rest) > 0; rest = rest[min(tt.piece, len(rest)):] {
				if _, err := h.Write(rest[:min(tt.piece, len(rest))]); err != nil {
					t.Fatal(err)
				}
			}
			// Kept in JSON it is the same.
			text, err := json.Marshal(h)
			if err != nil {
				t.Fatal(err)
			}
			stored := new(HashedContent)
			if err := json.Unmarshal(text, stored); err != nil {
				t.Fatal(err)
			}
			for _, c := range []*HashedContent{h, stored} {
				digest, err := plain.HashedContentDigest(plain.SignerInfos[0], c)
				if !errors.Is(err, tt.err) {
					t.Errorf("%v, want %v", err, tt.err)
				}
				if want := user.Key.Digest().Sum(tt.content); tt.err == nil && !bytes.Equal(digest, want) {
					t.Errorf("digest %x, want %x", digest, want)
				}
				if c.Size() != int64(len(tt.content)) {
					t.Errorf("size %d", c.Size())
				}
			}
		})
	}
}

func TestStoredHashedContentIsChecked(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":         `{`,
		"unknown digest":  `{"digests":{"1.2.3":"00"}}`,
		"no hex":          `{"digests":{"SHA-256":"xx"}}`,
		"of another size": `{"digests":{"SHA-256":"00"}}`,
	} {
		if err := json.Unmarshal([]byte(text), new(HashedContent)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

type zeros struct{ n int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.n == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.n)
	clear(p[:n])
	z.n -= n
	return int(n), nil
}

func TestHashedContentKeepsNothing(t *testing.T) {
	h := NewHashedContent(alg.SHA256())
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	if _, err := io.Copy(h, &zeros{64 << 20}); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
		t.Errorf("%d octets allocated for 64 MiB", grown)
	}
	if h.Size() != 64<<20 {
		t.Errorf("size %d", h.Size())
	}
}
