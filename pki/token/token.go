package token

import (
	"context"
	"errors"
	"fmt"

	"imzo/pki/alg"
	"imzo/pki/cert"
)

// Kind is what sort of device a token is.
type Kind string

// The kinds, in the words of E-IMZO's supported_ckc list.
const (
	KindIDCard  Kind = "idcard" // ID card or EIMZO token
	KindBAIK    Kind = "baikey" // BAIK-Token
	KindUZGUARD Kind = "uzgrd"  // UZGUARD-Token
	KindPKCS11  Kind = "pkcs11" // what a PKCS#11 module shows
)

// Info describes a token without its PIN.
type Info struct {
	Kind Kind
	// Name is that of the reader or the label of the token. No two tokens of a
	// provider have the same.
	Name string
	// Serial is hexadecimal, "" when it is not known.
	Serial string
	// MinPIN and MaxPIN are how many digits a PIN has.
	MinPIN, MaxPIN int
	// TriesLeft is how many wrong PINs in a row the token still takes, -1 when
	// it does not tell.
	TriesLeft int
	// Personalized tells that the token has certificates.
	Personalized bool
}

// Token is a device that is there, or was a moment ago. Its methods may be
// called from several goroutines; those of one device wait for each other.
//
// When the device has gone, every method's error wraps [ErrMissing].
type Token interface {
	// Info describes the token as it is now.
	Info(ctx context.Context) (Info, error)
	// Chain returns the certificates of the user, of the CA and of the root, in
	// this order, without a PIN. The error wraps [ErrEmpty] when there are none.
	Chain(ctx context.Context) ([]*cert.Certificate, error)
	// Open unlocks the token. A wrong PIN gives a [*PINError], one that cannot
	// be a PIN [ErrPINLength] without using up a try, and a token that takes no
	// more PINs [ErrBlocked]. The PIN stays the caller's, who wipes it.
	Open(ctx context.Context, pin []byte) (Session, error)
	// CPLC returns the factory number (card production life cycle data) of the
	// card, encrypted and signed for nonce. The error wraps [ErrUnsupported]
	// where the device cannot do that.
	CPLC(ctx context.Context, nonce []byte) ([]byte, error)
}

// Session is an unlocked token. Its keys sign until Close, after which they and
// all other methods fail.
type Session interface {
	// Key returns the key that belongs to the chain, and the chain. The error
	// wraps [ErrEmpty] when there is no key or no certificate, [ErrKeyMismatch]
	// when they do not belong together.
	Key(ctx context.Context) (*alg.PrivateKey, []*cert.Certificate, error)
	// GenerateKey makes a key pair that is pending until Personalize brings a
	// certificate for it; the present key stays in use until then. parameters
	// are those of alg.GenerateKey; the error wraps [ErrUnsupported] when the
	// token has no such keys.
	GenerateKey(ctx context.Context, parameters string) (*alg.PrivateKey, error)
	// Personalize writes the chain (user, CA, root), puts the key of the user's
	// certificate in use, be it the pending or the present one, and sets the
	// PIN. The error wraps [ErrKeyMismatch] when the token has no such key.
	Personalize(ctx context.Context, chain []*cert.Certificate, newPIN []byte) error
	// ChangePIN sets the PIN. The error wraps [ErrPINLength] when it cannot be
	// one.
	ChangePIN(ctx context.Context, newPIN []byte) error
	// Close locks the token and wipes what the session knew. It may be called
	// twice.
	Close() error
}

// Provider finds tokens.
type Provider interface {
	// Tokens returns the tokens there are. With an error it may return those it
	// could still find.
	Tokens(ctx context.Context) ([]Token, error)
}

// Errors that the methods of tokens and sessions wrap.
var (
	// ErrBlocked tells that the token takes no PIN any more.
	ErrBlocked = errors.New("PIN is blocked")
	// ErrPINLength tells that a PIN is too short, too long or has something
	// else than digits.
	ErrPINLength = errors.New("PIN has a wrong length or other characters than digits")
	// ErrEmpty tells that the token has no certificates.
	ErrEmpty = errors.New("token has no certificates")
	// ErrKeyMismatch tells that no key of the token belongs to the certificate.
	ErrKeyMismatch = errors.New("certificate belongs to no key of the token")
	// ErrUnsupported tells that the device cannot do this.
	ErrUnsupported = errors.New("token does not support this")
	// ErrMissing tells that the device has gone.
	ErrMissing = errors.New("token is not there")
	// ErrBusy tells that another program kept the device for too long.
	ErrBusy = errors.New("token is in use")
)

// PINError tells that a PIN was wrong.
type PINError struct {
	// TriesLeft is how many more wrong PINs the token takes; with 0 the error
	// is an [ErrBlocked] as well. It is -1 when the token does not tell.
	TriesLeft int
}

func (e *PINError) Error() string {
	if e.TriesLeft < 0 {
		return "wrong PIN"
	}
	return fmt.Sprintf("wrong PIN, tries left: %d", e.TriesLeft)
}

// Is makes the wrong PIN that blocked the token an ErrBlocked.
func (e *PINError) Is(target error) bool { return target == ErrBlocked && e.TriesLeft == 0 }
