package alg

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"

	"imzo/internal/testpki/peer"
	"imzo/pki/ber"
)

func writeFile(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestKeysAndSignaturesOfOpenSSLVerify(t *testing.T) {
	ossl := peer.OpenSSL(t)
	pss := func(d *Digest, salt int) AlgorithmIdentifier { return (&pssParams{d, salt}).identifier() }
	for name, tc := range map[string]struct {
		genpkey, sign []string
		id            AlgorithmIdentifier
	}{
		"rsa sha1":         {[]string{"-algorithm", "RSA"}, []string{"-sha1"}, NewNull(OIDSignatureSHA1WithRSA)},
		"rsa sha512":       {[]string{"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"}, []string{"-sha512"}, NewNull(OIDSignatureSHA512WithRSA)},
		"rsa 1024":         {[]string{"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"}, []string{"-sha256"}, NewNull(OIDSignatureSHA256WithRSA)},
		"rsa exponent 3":   {[]string{"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_pubexp:3"}, []string{"-sha256"}, NewNull(OIDSignatureSHA256WithRSA)},
		"pss sha256":       {[]string{"-algorithm", "RSA"}, []string{"-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"}, pss(digestSHA256, 32)},
		"pss sha1":         {[]string{"-algorithm", "RSA"}, []string{"-sha1", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:20"}, AlgorithmIdentifier{OID: OIDRSAPSS, Params: ber.Sequence()}},
		"pss key":          {[]string{"-algorithm", "RSA-PSS"}, []string{"-sha384", "-sigopt", "rsa_pss_saltlen:48"}, pss(digestSHA384, 48)},
		"pss key bound":    {[]string{"-algorithm", "RSA-PSS", "-pkeyopt", "rsa_pss_keygen_md:sha512", "-pkeyopt", "rsa_pss_keygen_mgf1_md:sha512", "-pkeyopt", "rsa_pss_keygen_saltlen:16"}, []string{"-sha512", "-sigopt", "rsa_pss_saltlen:20"}, pss(digestSHA512, 20)},
		"ecdsa p-224":      {[]string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-224"}, []string{"-sha224"}, New(OIDSignatureECDSAWithSHA224)},
		"ecdsa p-256":      {[]string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"}, []string{"-sha256"}, New(OIDSignatureECDSAWithSHA256)},
		"ecdsa p-384 sha1": {[]string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"}, []string{"-sha1"}, New(OIDSignatureECDSAWithSHA1)},
		"ecdsa p-521":      {[]string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"}, []string{"-sha512"}, New(OIDSignatureECDSAWithSHA512)},
		"ecdsa compressed": {[]string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt", "point-format:compressed"}, []string{"-sha256"}, New(OIDSignatureECDSAWithSHA256)},
	} {
		t.Run(name, func(t *testing.T) {
			key := writeFile(t, ossl.Run(t, nil, append([]string{"genpkey"}, tc.genpkey...)...))
			public := parseKey(t, ossl.Run(t, nil, "pkey", "-in", key, "-pubout", "-outform", "DER"))
			sig := ossl.Run(t, message, append([]string{"dgst", "-sign", key, "-binary"}, tc.sign...)...)
			s := resolve1(t, tc.id, nil)
			if err := s.Verify(public, message, sig); err != nil {
				t.Error(err)
			}
			sig[len(sig)-1] ^= 1
			if err := s.Verify(public, message, sig); err != ErrSignature {
				t.Errorf("changed: %v", err)
			}
		})
	}
}

func TestEd25519OfOpenSSLVerifies(t *testing.T) {
	ossl := peer.OpenSSL(t)
	key := writeFile(t, ossl.Run(t, nil, "genpkey", "-algorithm", "ED25519"))
	public := parseKey(t, ossl.Run(t, nil, "pkey", "-in", key, "-pubout", "-outform", "DER"))
	sig := ossl.Run(t, nil, "pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", writeFile(t, message))
	if err := resolve1(t, New(OIDEd25519), nil).Verify(public, message, sig); err != nil {
		t.Error(err)
	}
}

func TestGOSTEngineAndWeVerifyEachOther(t *testing.T) {
	ossl := peer.OpenSSLGOST(t)
	for name, set := range map[string]ber.OID{
		"0": OIDParamGOST2001Test, "A": OIDParamGOST2001A, "B": OIDParamGOST2001B, "C": OIDParamGOST2001C,
		"XA": OIDParamGOST2001XchA, "XB": OIDParamGOST2001XchB,
	} {
		t.Run(name, func(t *testing.T) {
			key := writeFile(t, ossl.Run(t, nil, "genpkey", "-algorithm", "gost2001", "-pkeyopt", "paramset:"+name))
			public := parseKey(t, ossl.Run(t, nil, "pkey", "-in", key, "-pubout", "-outform", "DER"))
			if public.ParamSet != set || public.Supported() != nil {
				t.Fatalf("set %s: %v", public.ParamSet, public.Supported())
			}
			sig := ossl.Run(t, message, "dgst", "-md_gost94", "-sign", key, "-binary")
			s := resolve1(t, New(OIDSignatureGOST2001), nil)
			if err := s.Verify(public, message, sig); err != nil {
				t.Error(err)
			}
			if err := s.Verify(public, message[1:], sig); err != ErrSignature {
				t.Errorf("another message: %v", err)
			}
		})
	}
	for _, spec := range []string{"gost2001:A", "gost2001:B", "gost2001:C"} {
		k := generate1(t, spec)
		sig, err := k.SignMessage(rand.Reader, message)
		if err != nil {
			t.Fatal(err)
		}
		public := writeFile(t, ossl.Run(t, k.PublicKey().Raw, "pkey", "-pubin", "-inform", "DER", "-pubout"))
		ossl.Run(t, message, "dgst", "-md_gost94", "-verify", public, "-signature", writeFile(t, sig))
		if _, err := ossl.TryRun(t, message[1:], "dgst", "-md_gost94", "-verify", public, "-signature", writeFile(t, sig)); err == nil {
			t.Errorf("%s: openssl verifies another message", spec)
		}
	}
}
