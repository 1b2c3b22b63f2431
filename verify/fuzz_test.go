package verify

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/cms"
)

func fixture(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/cms-fixture.b64")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// FuzzDocument splices real documents with anything: octets are cut out at a
// place and others put in. Nothing may panic, the report must be consistent
// and can be rendered, and only the one document whose signer is trusted is
// valid. (Inputs are splices because the fuzzer takes minutes to minimize one
// that is a whole document.)
func FuzzDocument(f *testing.F) {
	known := fixture(f)
	sd := mustParse(f, known)
	anchors := cert.NewPool(sd.Certificates...)
	// Always the same octets: new keys would be new paths through the code,
	// and fuzzing would be busy with them alone.
	rec := loadRecording(f)
	tokens, err := mustParse(f, rec.doc).SignerInfos[0].TimeStampTokens()
	if err != nil {
		f.Fatal(err)
	}
	bases := [][]byte{
		known, rec.doc, tokens[0], nil,
		addUnsigned(f, known, 0, cms.OIDTimeStampToken, tokens[0]),
		addUnsigned(f, known, 0, cms.OIDTimeStampToken, known),
		addUnsigned(f, known, 0, ber.MustOID("1.2.840.113549.1.9.16.2.27"), tokens[0]),
	}
	for base := range bases {
		f.Add(uint8(base), uint16(0), uint16(0), []byte(nil), false)
	}
	f.Add(uint8(0), uint16(5), uint16(2), []byte{0x30, 0x80}, true)
	f.Add(uint8(3), uint16(0), uint16(0), []byte{0x30, 0x80, 0x30, 0x80, 0, 0, 0, 0}, false)
	f.Fuzz(func(t *testing.T, base uint8, at, cut uint16, patch []byte, isDetached bool) {
		doc := bases[int(base)%len(bases)]
		from := int(at) % (len(doc) + 1)
		doc = slices.Concat(doc[:from], patch, doc[min(len(doc), from+int(cut)):])
		var detached []byte
		if isDetached {
			detached = sd.Content()
		}
		r := mustVerify(t, doc, detached, Options{Anchors: anchors, Now: func() time.Time { return rec.now }})
		if r.Valid() {
			if content := sd.Content(); !bytes.Equal(r.Content, content) && !isDetached {
				t.Errorf("valid with another content: %x", doc)
			}
			for _, s := range r.Signers {
				if !anchors.Contains(s.Certificate) || !bytes.Equal(s.Signature, sd.SignerInfos[0].Signature) {
					t.Errorf("valid with another signature: %x", doc)
				}
			}
		}
		if _, err := json.Marshal(r); err != nil {
			t.Error(err)
		}
		if err := r.WriteText(io.Discard); err != nil {
			t.Error(err)
		}
	})
}

// FuzzDocumentChanged overwrites octets of a real document with its timestamp,
// which stays valid with its timestamp only when nothing changed. Two changes
// together may turn the token into an unsigned attribute that nobody knows,
// and leave what was signed valid without it. The changes are the input, not
// the document: triples of two octets for the place and one for the value.
func FuzzDocumentChanged(f *testing.F) {
	rec := loadRecording(f)
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0x30})
	f.Add([]byte{0, 20, 1, 15, 200, 0xff})
	f.Add([]byte{8, 0, 2, 8, 1, 3, 8, 2, 4})
	f.Add([]byte{0x08, 0x4c, 0xb0, 0x08, 0x64, 0x73, 0x0f, 0xb4, 0xff}) // no token any more
	original, err := rec.report(rec.doc, rec.responses)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, changes []byte) {
		doc := bytes.Clone(rec.doc)
		for ; len(changes) >= 3; changes = changes[3:] {
			at := int(changes[0])<<8 | int(changes[1])
			doc[at%len(doc)] = changes[2]
		}
		r, err := rec.report(doc, rec.responses)
		if err != nil {
			t.Fatal(err)
		}
		stamped := r.Valid() && r.Signers[0].TimeStamp != nil
		if same := bytes.Equal(doc, rec.doc); stamped != same {
			t.Errorf("valid with its timestamp %v, unchanged %v: %x", stamped, same, doc)
		}
		if r.Valid() && (!bytes.Equal(r.Content, original.Content) || len(r.Signers) != 1 ||
			!bytes.Equal(r.Signers[0].Signature, original.Signers[0].Signature) ||
			!bytes.Equal(r.Signers[0].Certificate.Raw, original.Signers[0].Certificate.Raw)) {
			t.Errorf("valid with something else signed: %x", doc)
		}
	})
}
