//go:build pkcs11

package pkcs11

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"sync"

	"github.com/miekg/pkcs11"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/token"
)

// ErrClosed tells that a session was closed.
var ErrClosed = errors.New("session with the token is closed")

// session is a logged in token.
type session struct {
	device  *device
	release func()

	mu     sync.Mutex
	handle pkcs11.SessionHandle
	// pin is for ChangePIN and for keys that ask before each signature.
	pin    []byte
	closed bool
}

var _ token.Session = (*session)(nil)

// Format prints no secret.
func (s *session) Format(f fmt.State, _ rune) { io.WriteString(f, "session with a token [redacted]") }

// LogValue prints no secret.
func (s *session) LogValue() slog.Value { return slog.StringValue("session with a token [redacted]") }

// login opens the session and gives the PIN.
func (s *session) login(lib cryptoki) error {
	info, err := s.device.state(lib)
	if err != nil {
		return err
	}
	switch {
	case info.Flags&pkcs11.CKF_USER_PIN_LOCKED != 0:
		return token.ErrBlocked
	case info.Flags&pkcs11.CKF_PROTECTED_AUTHENTICATION_PATH != 0:
		return fmt.Errorf("%w: the PIN is entered at the reader", token.ErrUnsupported)
	}
	if err := pinLength(s.pin, info); err != nil {
		return err
	}
	// Read and write, which changing the PIN needs.
	s.handle, err = lib.OpenSession(s.device.slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	if err != nil {
		return err
	}
	if err := translate(lib.Login(s.handle, pkcs11.CKU_USER, string(s.pin))); err != nil {
		err = s.wrong(lib, err)
		return errors.Join(err, lib.CloseSession(s.handle))
	}
	return nil
}

// wrong tells with a wrong PIN how many tries are left.
func (s *session) wrong(lib cryptoki, err error) error {
	if !errors.Is(err, errPIN) {
		return err
	}
	left := -1
	if info, err := lib.GetTokenInfo(s.device.slot); err == nil {
		left = triesLeft(info.Flags)
	}
	return &token.PINError{TriesLeft: left}
}

func pinLength(pin []byte, info pkcs11.TokenInfo) error {
	if n := uint(len(pin)); n < max(1, info.MinPinLen) || info.MaxPinLen > 0 && n > info.MaxPinLen {
		return fmt.Errorf("%w: want %d to %d characters", token.ErrPINLength, info.MinPinLen, info.MaxPinLen)
	}
	return nil
}

// Close implements token.Session.
func (s *session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	defer s.release()
	clear(s.pin)
	err := s.device.module.do(context.Background(), func(lib cryptoki) error {
		return errors.Join(translate(lib.Logout(s.handle)), translate(lib.CloseSession(s.handle)))
	})
	if errors.Is(err, token.ErrMissing) {
		return nil // the device has gone, and its sessions with it
	}
	return err
}

// do calls the module in the session.
func (s *session) do(ctx context.Context, call func(cryptoki) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	return s.device.module.do(ctx, func(lib cryptoki) error {
		if _, err := s.device.state(lib); err != nil {
			return err
		}
		return call(lib)
	})
}

// GenerateKey returns an error that wraps token.ErrUnsupported.
func (s *session) GenerateKey(context.Context, string) (*alg.PrivateKey, error) {
	return nil, fmt.Errorf("%w: keys of PKCS#11 tokens are made with their own tools", token.ErrUnsupported)
}

// Personalize returns an error that wraps token.ErrUnsupported.
func (s *session) Personalize(context.Context, []*cert.Certificate, []byte) error {
	return fmt.Errorf("%w: PKCS#11 tokens are personalized with their own tools", token.ErrUnsupported)
}

// ChangePIN implements token.Session.
func (s *session) ChangePIN(ctx context.Context, newPIN []byte) error {
	return s.do(ctx, func(lib cryptoki) error {
		info, err := s.device.state(lib)
		if err != nil {
			return err
		}
		if err := pinLength(newPIN, info); err != nil {
			return err
		}
		if err := lib.SetPIN(s.handle, string(s.pin), string(newPIN)); err != nil {
			return s.wrong(lib, translate(err))
		}
		clear(s.pin)
		s.pin = bytes.Clone(newPIN)
		return nil
	})
}

// Key implements token.Session.
func (s *session) Key(ctx context.Context) (*alg.PrivateKey, []*cert.Certificate, error) {
	var key *alg.PrivateKey
	var out []*cert.Certificate
	err := s.do(ctx, func(lib cryptoki) error {
		chain, err := s.device.readChainIn(lib, s.handle)
		if err != nil {
			return err
		}
		k, err := s.key(lib, chain[0])
		if err != nil {
			return err
		}
		if key, err = alg.NewPrivateKeyWithSPKI(k, chain[0].PublicKey); err != nil {
			return err
		}
		for _, c := range chain {
			out = append(out, c.Certificate)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return key, out, nil
}

// key finds the private key that belongs to the certificate.
func (s *session) key(lib cryptoki, c found) (*signer, error) {
	var kind uint
	switch public := c.PublicKey.Key.(type) {
	case *rsa.PublicKey:
		kind = pkcs11.CKK_RSA
	case *ecdsa.PublicKey:
		kind = pkcs11.CKK_EC
		if public.Curve != elliptic.P256() && public.Curve != elliptic.P384() {
			return nil, fmt.Errorf("%w: keys on %s", token.ErrUnsupported, public.Curve.Params().Name)
		}
	default:
		return nil, fmt.Errorf("%w: keys %s", token.ErrUnsupported, c.PublicKey.Name())
	}
	of := func(class uint) ([]pkcs11.ObjectHandle, error) {
		return find(lib, s.handle,
			pkcs11.NewAttribute(pkcs11.CKA_CLASS, class), pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, kind), pkcs11.NewAttribute(pkcs11.CKA_ID, c.id))
	}
	private, err := of(pkcs11.CKO_PRIVATE_KEY)
	if err != nil {
		return nil, err
	}
	if len(private) == 0 {
		return nil, fmt.Errorf("%w for a key: none has the certificate's CKA_ID", token.ErrEmpty)
	}
	public, err := of(pkcs11.CKO_PUBLIC_KEY)
	if err != nil {
		return nil, err
	}
	for _, h := range public {
		if err := belongs(lib, s.handle, h, c.PublicKey.Key); err != nil {
			return nil, err
		}
	}
	k := &signer{session: s, handle: private[0], public: c.PublicKey.Key}
	// Many tokens do not know the attribute, and answer with an error.
	always, err := lib.GetAttributeValue(s.handle, k.handle, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_ALWAYS_AUTHENTICATE, nil)})
	k.always = err == nil && bytes.Equal(always[0].Value, []byte{1})
	return k, nil
}

// belongs tells whether a public key object is the key of the certificate.
// Whatever it says, each signature is verified before it is given out.
func belongs(lib cryptoki, s pkcs11.SessionHandle, h pkcs11.ObjectHandle, key crypto.PublicKey) error {
	attribute, want := uint(pkcs11.CKA_MODULUS), []byte(nil)
	switch key := key.(type) {
	case *rsa.PublicKey:
		want = key.N.Bytes()
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		if err != nil {
			return err
		}
		attribute, want = pkcs11.CKA_EC_POINT, ber.OctetString(point)
	}
	got, err := lib.GetAttributeValue(s, h, []*pkcs11.Attribute{pkcs11.NewAttribute(attribute, nil)})
	if err != nil {
		return err
	}
	value := got[0].Value
	if attribute == pkcs11.CKA_MODULUS {
		value = new(big.Int).SetBytes(value).Bytes() // without leading zeros
	}
	if !bytes.Equal(value, want) {
		return token.ErrKeyMismatch
	}
	return nil
}
