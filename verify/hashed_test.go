package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"imzo/pki/alg"
	"imzo/pki/cms"
)

func hashed(t testing.TB, content []byte, digests ...*alg.Digest) *cms.HashedContent {
	t.Helper()
	h := cms.NewHashedContent(digests...)
	if _, err := h.Write(content); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHashedContentGivesTheSameReport(t *testing.T) {
	for _, spec := range []string{"ozdst", "rsa:2048"} {
		w := newWorld(t, spec)
		doc := w.stamp(t, mustSign(t, content(), cms.Options{Detached: true}, signerOf(w.user)), 0, w.Now)
		o := w.options()
		want := mustBeValid(t, doc, content(), o)
		o.HashedContent = hashed(t, content(), alg.Digests()...)
		got := mustBeValid(t, doc, nil, o)
		if !bytes.Equal(got.Signers[0].Digest, want.Signers[0].Digest) || got.Detached != want.Detached || got.Content != nil {
			t.Errorf("%s: %+v", spec, got)
		}
	}
}

func TestHashedContentFails(t *testing.T) {
	w := newWorld(t, "ozdst")
	doc := mustSign(t, content(), cms.Options{Detached: true}, signerOf(w.user))
	for name, tt := range map[string]struct {
		hashed *cms.HashedContent
		want   wrong
	}{
		"another content":     {hashed(t, []byte("another"), alg.OZDST()), wrong{CheckDigest, Failed, HashFailure, cms.ErrDigestMismatch}},
		"not the digest":      {hashed(t, content(), alg.SHA256()), wrong{CheckSignature, Failed, CryptoConstraintsFailure, cms.ErrUnsupported}},
		"the digest of a kin": {hashed(t, content(), alg.OZMST()), wrong{CheckSignature, Failed, CryptoConstraintsFailure, cms.ErrUnsupported}},
	} {
		t.Run(name, func(t *testing.T) {
			o := w.options()
			o.HashedContent = tt.hashed
			mustFail(t, mustVerify(t, doc, nil, o), []wrong{tt.want}, nil)
		})
	}
}

func TestHashedContentOfAnAttachedDocument(t *testing.T) {
	w := newWorld(t, "ozdst")
	o := w.options()
	o.HashedContent = hashed(t, content(), alg.OZDST())
	r := mustVerify(t, w.document(t), nil, o)
	if !errors.Is(r.Format, cms.ErrAttached) {
		t.Errorf("%v", r.Format)
	}
	if _, err := Document(t.Context(), w.document(t), content(), o); !errors.Is(err, ErrTwoContents) {
		t.Errorf("two contents: %v", err)
	}
}

// Ed25519 without signed attributes signs the content itself.
func TestHashedContentIsNotEnoughForEd25519WithoutAttributes(t *testing.T) {
	w := newWorld(t, "ed25519")
	s := cms.Signer{Key: w.user.Key, Chain: w.user.Chain, NoSignedAttrs: true}
	doc := mustSign(t, content(), cms.Options{Detached: true}, s)
	mustBeValid(t, doc, content(), w.options())
	o := w.options()
	o.HashedContent = hashed(t, content(), alg.Digests()...)
	mustFail(t, mustVerify(t, doc, nil, o), []wrong{{CheckSignature, Failed, CryptoConstraintsFailure, alg.ErrNeedsMessage}}, nil)
}

func TestEvidenceKeepsAHashedContent(t *testing.T) {
	w := newWorld(t, "ozdst")
	o := w.options()
	o.HashedContent = hashed(t, content(), alg.Digests()...)
	doc := mustSign(t, content(), cms.Options{Detached: true}, signerOf(w.user))
	e, err := Collect(t.Context(), doc, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var stored Evidence
	if err := json.Unmarshal(text, &stored); err != nil {
		t.Fatal(err)
	}
	want, got := e.Judge(o.Policy()), stored.Judge(o.Policy())
	a, _ := json.Marshal(want)
	b, _ := json.Marshal(got)
	if !got.Valid() || !reflect.DeepEqual(a, b) {
		t.Errorf("%s\nwant\n%s", b, a)
	}
}
