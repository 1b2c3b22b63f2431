//go:build pkcs11

package pkcs11

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/miekg/pkcs11"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/token"
)

// signer is a private key on a token.
type signer struct {
	session *session
	handle  pkcs11.ObjectHandle
	public  crypto.PublicKey
	// always tells that the key wants the PIN for each signature.
	always bool
}

var _ crypto.Signer = (*signer)(nil)

// hashes are those we let a token sign.
var hashes = map[crypto.Hash]struct {
	oid       ber.OID
	hash, mgf uint
}{
	crypto.SHA256: {alg.OIDDigestSHA256, pkcs11.CKM_SHA256, pkcs11.CKG_MGF1_SHA256},
	crypto.SHA384: {alg.OIDDigestSHA384, pkcs11.CKM_SHA384, pkcs11.CKG_MGF1_SHA384},
	crypto.SHA512: {alg.OIDDigestSHA512, pkcs11.CKM_SHA512, pkcs11.CKG_MGF1_SHA512},
}

func (k *signer) Public() crypto.PublicKey { return k.public }

// Sign is crypto.Signer over a digest of SHA-256, 384 or 512. The token has its
// own randomness. A signature that does not verify with the certificate is not
// given out: the error wraps token.ErrKeyMismatch.
func (k *signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	h, ok := hashes[opts.HashFunc()]
	if !ok || len(digest) != opts.HashFunc().Size() {
		return nil, fmt.Errorf("%w: a digest of %d octets by %v", token.ErrUnsupported, len(digest), opts.HashFunc())
	}
	switch public := k.public.(type) {
	case *ecdsa.PublicKey:
		return k.signECDSA(public, digest)
	case *rsa.PublicKey:
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			salt := pss.SaltLength
			if salt <= 0 { // PSSSaltLengthAuto, PSSSaltLengthEqualsHash
				salt = len(digest)
			}
			sig, err := k.call(pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS_PSS, pkcs11.NewPSSParams(h.hash, h.mgf, uint(salt))), digest)
			if err != nil {
				return nil, err
			}
			return verified(sig, rsa.VerifyPSS(public, opts.HashFunc(), digest, sig, &rsa.PSSOptions{SaltLength: salt}) == nil)
		}
		// DigestInfo (RFC 8017 9.2), which CKM_RSA_PKCS leaves to the caller.
		info := ber.Sequence(alg.NewNull(h.oid).Marshal(), ber.OctetString(digest))
		sig, err := k.call(pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS, nil), info)
		if err != nil {
			return nil, err
		}
		return verified(sig, rsa.VerifyPKCS1v15(public, opts.HashFunc(), digest, sig) == nil)
	}
	return nil, fmt.Errorf("%w: keys of type %T", token.ErrUnsupported, k.public)
}

func (k *signer) signECDSA(public *ecdsa.PublicKey, digest []byte) ([]byte, error) {
	size := (public.Curve.Params().BitSize + 7) / 8
	// Of a longer digest ECDSA takes the left part (FIPS 186-5 6.4.1); not all
	// tokens do that themselves.
	raw, err := k.call(pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil), digest[:min(size, len(digest))])
	if err != nil {
		return nil, err
	}
	// r ‖ s, each as long as the order (PKCS #11 mechanisms 2.3.1).
	if len(raw) != 2*size {
		return nil, fmt.Errorf("token made an ECDSA signature of %d octets", len(raw))
	}
	r, s := new(big.Int).SetBytes(raw[:size]), new(big.Int).SetBytes(raw[size:])
	sig := ber.Sequence(ber.Int(r), ber.Int(s))
	return verified(sig, ecdsa.VerifyASN1(public, digest, sig))
}

// verified keeps back a signature of another key, and one that a fault spoiled,
// which would give an RSA key away.
func verified(sig []byte, ok bool) ([]byte, error) {
	if !ok {
		return nil, fmt.Errorf("%w: the signature does not verify", token.ErrKeyMismatch)
	}
	return sig, nil
}

func (k *signer) call(mechanism *pkcs11.Mechanism, data []byte) ([]byte, error) {
	var sig []byte
	err := k.session.do(context.Background(), func(lib cryptoki) error {
		err := lib.SignInit(k.session.handle, []*pkcs11.Mechanism{mechanism}, k.handle)
		if err != nil {
			return err
		}
		if k.always {
			if err := lib.Login(k.session.handle, pkcs11.CKU_CONTEXT_SPECIFIC, string(k.session.pin)); err != nil {
				return k.session.wrong(lib, translate(err))
			}
		}
		sig, err = lib.Sign(k.session.handle, data)
		return err
	})
	if errors.Is(err, ErrClosed) {
		err = fmt.Errorf("%w: %w", alg.ErrWiped, err)
	}
	return sig, err
}
