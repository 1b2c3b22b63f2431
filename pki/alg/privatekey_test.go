package alg

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"imzo/gost/gost3410"
	"imzo/pki/ber"
)

func TestKeysSignWithTheAlgorithmOfTheirKind(t *testing.T) {
	for spec, want := range map[string]struct {
		family    Family
		key       ber.OID
		set       ber.OID
		signature ber.OID
		digest    *Digest
		null      bool
	}{
		"ozdst":       {FamilyOZDST, OIDKeyOZDST, OIDParamOZDSTA, OIDSignatureOZDST, digestOZDST, true},
		"ozdst:b":     {FamilyOZDST, OIDKeyOZDST, OIDParamOZDSTB, OIDSignatureOZDST, digestOZDST, true},
		"ozdst:C":     {FamilyOZDST, OIDKeyOZDST, OIDParamOZDSTC, OIDSignatureOZDST, digestOZDST, true},
		"ozmst":       {FamilyOZMST, OIDKeyOZMST, OIDParamOZMSTA, OIDSignatureOZMST, digestOZMST, true},
		"ozmst:B":     {FamilyOZMST, OIDKeyOZMST, OIDParamOZMSTB, OIDSignatureOZMST, digestOZMST, true},
		"ozmst:C":     {FamilyOZMST, OIDKeyOZMST, OIDParamOZMSTC, OIDSignatureOZMST, digestOZMST, true},
		"gost2001":    {FamilyGOST2001, OIDKeyGOST2001, OIDParamGOST2001A, OIDSignatureGOST2001, digestGOST94, false},
		"rsa":         {FamilyRSA, OIDKeyRSA, "", OIDSignatureSHA256WithRSA, digestSHA256, true},
		"ecdsa:P-224": {FamilyECDSA, OIDKeyEC, OIDCurveP224, OIDSignatureECDSAWithSHA256, digestSHA256, false},
		"ecdsa:p-256": {FamilyECDSA, OIDKeyEC, OIDCurveP256, OIDSignatureECDSAWithSHA256, digestSHA256, false},
		"ecdsa:P-384": {FamilyECDSA, OIDKeyEC, OIDCurveP384, OIDSignatureECDSAWithSHA384, digestSHA384, false},
		"ecdsa:P-521": {FamilyECDSA, OIDKeyEC, OIDCurveP521, OIDSignatureECDSAWithSHA512, digestSHA512, false},
		"ed25519":     {FamilyEd25519, OIDEd25519, "", OIDEd25519, digestSHA512, false},
	} {
		k := generate1(t, spec)
		if k.Family() != want.family || k.PublicKey().Algorithm.OID != want.key || k.PublicKey().ParamSet != want.set ||
			k.SignatureAlgorithm().OID != want.signature || k.Digest() != want.digest || (k.SignatureAlgorithm().Params != nil) != want.null {
			t.Errorf("%s: %s, %s, %s, %+v, %s", spec, k.Family(), k.PublicKey().Algorithm.OID, k.PublicKey().ParamSet, k.SignatureAlgorithm(), k.Digest())
		}
		if k.Signer() == nil || k.Public() == nil {
			t.Errorf("%s: incomplete", spec)
		}
	}
}

func TestGenerateKeyRefusesUnknownKinds(t *testing.T) {
	for _, spec := range []string{
		"", "dsa", "ozdst:D", "ozdst:test", "OZDST", "rsa:1024", "rsa:20480", "rsa:many", "ecdsa:P-192", "ecdsa:256", "ed25519:1", ":", "rsa:-1",
	} {
		if k, err := GenerateKey(spec, rand.Reader); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%q: %v, %v", spec, k, err)
		}
	}
	for _, spec := range []string{"ozdst", "ozmst:C", "gost2001"} {
		if _, err := GenerateKey(spec, bytes.NewReader(make([]byte, 8))); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s with 8 octets of randomness: %v", spec, err)
		}
	}
}

func TestIdentityFollowsTheCertificate(t *testing.T) {
	s, err := gost3410.GenerateKey(gost3410.CryptoProC(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// A card key under the 2024 XchB set, with three parameters.
	public := spki(OIDKeyOZMST, ber.Sequence(OIDParamOZMSTXchB.DER(), OIDDigestOZMST.DER(), OIDDigestOZMST.DER()), ber.OctetString(s.PublicKey().Bytes()))
	k, err := NewPrivateKeyWithSPKI(s, parseKey(t, public))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(k.PublicKey().Raw, public) || k.Family() != FamilyOZMST || k.PublicKey().ParamSet != OIDParamOZMSTXchB {
		t.Errorf("identity %x", k.PublicKey().Raw)
	}
	if _, err := NewPrivateKeyWithSPKI(s, generate1(t, "ozmst:C").PublicKey()); !errors.Is(err, ErrKeyMismatch) {
		t.Errorf("another's certificate: %v", err)
	}
	if _, err := NewPrivateKeyWithSPKI(s, generate1(t, "rsa").PublicKey()); !errors.Is(err, ErrKeyMismatch) {
		t.Errorf("an RSA certificate: %v", err)
	}
	if _, err := NewPrivateKeyWithSPKI(s, &PublicKey{Algorithm: New(OIDKeyOZDST1)}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("an obsolete certificate: %v", err)
	}
	if _, err := NewPrivateKey(s, ""); !errors.Is(err, ErrKeyMismatch) {
		t.Errorf("GOST key without family: %v", err)
	}
	if k, err := NewPrivateKey(generate1(t, "ecdsa").Signer(), ""); err != nil || k.Family() != FamilyECDSA {
		t.Errorf("EC key without family: %v", err)
	}
}

func TestPrivateKeyIsACryptoSigner(t *testing.T) {
	for _, spec := range []string{"ozdst", "rsa", "ecdsa:P-384"} {
		k := generate1(t, spec)
		var signer crypto.Signer = k
		var opts crypto.SignerOpts
		if spec == "rsa" {
			opts = crypto.SHA256
		}
		sig, err := signer.Sign(rand.Reader, k.Digest().Sum(message), opts)
		if err != nil {
			t.Fatal(err)
		}
		if err := resolve1(t, k.SignatureAlgorithm(), nil).Verify(k.PublicKey(), message, sig); err != nil {
			t.Errorf("%s: %v", spec, err)
		}
	}
}

func TestPrivateKeyShowsNoSecret(t *testing.T) {
	for _, spec := range allSpecs {
		k := generate1(t, spec)
		var secret string
		switch s := k.Signer().(type) {
		case *gost3410.PrivateKey:
			secret = hex.EncodeToString(s.Bytes())
		case ed25519.PrivateKey:
			secret = hex.EncodeToString(s.Seed())
		case *rsa.PrivateKey:
			secret = s.Primes[0].Text(16)
		default:
			secret = "unknown"
		}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("key", "key", k, "list", []*PrivateKey{k})
		slog.New(slog.NewTextHandler(&log, nil)).Info("key", "key", k)
		text, err := json.Marshal(map[string]any{"key": k})
		if err != nil {
			t.Fatal(err)
		}
		all := fmt.Sprintf("%v %+v %#v %s %q %x %d %v %s %s", k, k, k, k, k, k, k, []any{k, struct{ K *PrivateKey }{k}}, &log, text)
		// fmt cannot call the methods of what is copied or not exported.
		type owner struct{ k PrivateKey }
		copies := []any{*k, owner{*k}, &owner{*k}}
		all += fmt.Sprintf("%x %#v", copies, copies)
		if strings.Contains(strings.ToLower(all), secret[:min(16, len(secret))]) {
			t.Errorf("%s: %s", spec, all)
		}
		if !strings.Contains(k.String(), "[redacted]") || !strings.Contains(string(text), "[redacted]") || !strings.Contains(log.String(), "[redacted]") {
			t.Errorf("%s: printed as %s, %s, %s", spec, k, text, &log)
		}
	}
	var none *PrivateKey
	if got := none.String(); got != "private key [redacted]" {
		t.Errorf("nil key: %q", got)
	}
}

func TestWipedKeySignsNoMore(t *testing.T) {
	for _, spec := range []string{"ozdst", "ozmst:B", "gost2001", "rsa", "ecdsa", "ed25519"} {
		k := generate1(t, spec)
		signer := k.Signer()
		k.Wipe()
		if _, err := k.SignMessage(rand.Reader, message); !errors.Is(err, ErrWiped) {
			t.Errorf("%s: %v", spec, err)
		}
		if _, err := k.Sign(rand.Reader, k.Digest().Sum(message), nil); !errors.Is(err, ErrWiped) {
			t.Errorf("%s as crypto.Signer: %v", spec, err)
		}
		if k.Public() == nil || k.Signer().Public() == nil {
			t.Errorf("%s: the public key is gone", spec)
		}
		switch s := signer.(type) {
		case *gost3410.PrivateKey:
			if s.Bytes() != nil {
				t.Errorf("%s: the scalar is still there", spec)
			}
		case ed25519.PrivateKey:
			if !bytes.Equal(s, make([]byte, len(s))) {
				t.Errorf("%s: the seed is still there", spec)
			}
		}
		k.Wipe()
	}
}
