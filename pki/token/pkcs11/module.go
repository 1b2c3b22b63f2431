//go:build pkcs11

package pkcs11

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/miekg/pkcs11"

	"imzo/pki/token"
)

// loginPatience is how long Open waits for another session with the same token
// to be closed.
const loginPatience = 10 * time.Second

// cryptoki is what we call of a module; the tests put themselves in between.
type cryptoki interface {
	GetSlotList(tokenPresent bool) ([]uint, error)
	GetTokenInfo(slot uint) (pkcs11.TokenInfo, error)
	OpenSession(slot uint, flags uint) (pkcs11.SessionHandle, error)
	CloseSession(pkcs11.SessionHandle) error
	Login(s pkcs11.SessionHandle, user uint, pin string) error
	Logout(pkcs11.SessionHandle) error
	SetPIN(s pkcs11.SessionHandle, old, fresh string) error
	FindObjectsInit(pkcs11.SessionHandle, []*pkcs11.Attribute) error
	FindObjects(s pkcs11.SessionHandle, most int) ([]pkcs11.ObjectHandle, bool, error)
	FindObjectsFinal(pkcs11.SessionHandle) error
	GetAttributeValue(pkcs11.SessionHandle, pkcs11.ObjectHandle, []*pkcs11.Attribute) ([]*pkcs11.Attribute, error)
	SignInit(pkcs11.SessionHandle, []*pkcs11.Mechanism, pkcs11.ObjectHandle) error
	Sign(s pkcs11.SessionHandle, message []byte) ([]byte, error)
}

// module is an open module.
type module struct {
	options Options
	// close unloads the module.
	close func() error
	// calls is held around each group of calls that belong together: an object
	// search and a signature have a state in their session, and not every
	// module may be called from two threads (PKCS #11 base 6.6.2).
	calls chan cryptoki
	// logins has a lock for each token by its serial number. Being logged in
	// is a property of the program, not of a session (PKCS #11 base 6.7.4): a
	// second login would succeed with any PIN.
	logins chan map[string]chan struct{}
}

var (
	_ token.Provider = (*module)(nil)
	_ io.Closer      = (*module)(nil)
)

// Open loads a module. The provider is an io.Closer as well; Close unloads the
// module, after which its tokens and sessions give token.ErrMissing. A module
// can be open once at a time in a program.
func Open(modulePath string, o Options) (token.Provider, error) {
	lib := pkcs11.New(modulePath)
	if lib == nil {
		return nil, fmt.Errorf("%s is not there or is no PKCS#11 module", modulePath)
	}
	if err := lib.Initialize(); err != nil {
		// Not Destroy: another part of the program may have it open.
		return nil, fmt.Errorf("PKCS#11 module %s: %w", modulePath, err)
	}
	return newModule(lib, o, func() error {
		err := lib.Finalize()
		lib.Destroy()
		return err
	}), nil
}

func newModule(lib cryptoki, o Options, closed func() error) *module {
	m := &module{options: o, close: closed, calls: make(chan cryptoki, 1), logins: make(chan map[string]chan struct{}, 1)}
	m.calls <- lib
	m.logins <- map[string]chan struct{}{}
	return m
}

// do calls the module, alone.
func (m *module) do(ctx context.Context, call func(cryptoki) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case lib := <-m.calls:
		defer func() { m.calls <- lib }()
		if lib == nil {
			return fmt.Errorf("%w: the module is closed", token.ErrMissing)
		}
		return translate(call(lib))
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close unloads the module.
func (m *module) Close() error {
	lib := <-m.calls
	defer func() { m.calls <- nil }()
	if lib == nil {
		return nil
	}
	return m.close()
}

// login waits until no other session of this program has the token.
func (m *module) login(ctx context.Context, serial string) (release func(), err error) {
	all := <-m.logins
	lock := all[serial]
	if lock == nil {
		lock = make(chan struct{}, 1)
		all[serial] = lock
	}
	m.logins <- all
	patience := time.NewTimer(loginPatience)
	defer patience.Stop()
	select {
	case lock <- struct{}{}:
		return func() { <-lock }, nil
	case <-patience.C:
		return nil, fmt.Errorf("%w: another session is open", token.ErrBusy)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Tokens implements token.Provider.
func (m *module) Tokens(ctx context.Context) ([]token.Token, error) {
	var out []token.Token
	var errs []error
	err := m.do(ctx, func(lib cryptoki) error {
		slots, err := lib.GetSlotList(true)
		if err != nil {
			return err
		}
		seen := map[string]bool{}
		for _, slot := range slots {
			info, err := lib.GetTokenInfo(slot)
			if err != nil {
				errs = append(errs, translate(err))
				continue
			}
			if info.Flags&pkcs11.CKF_TOKEN_INITIALIZED == 0 || m.options.Label != "" && info.Label != m.options.Label {
				continue
			}
			d := &device{module: m, slot: slot, serial: info.SerialNumber, name: printable(info.Label)}
			if d.name == "" {
				d.name = printable(info.Model)
			}
			if seen[d.name] {
				d.name = fmt.Sprintf("%s (%s)", d.name, printable(info.SerialNumber))
			}
			for seen[d.name] {
				d.name = fmt.Sprintf("%s (%d)", d.name, slot)
			}
			seen[d.name] = true
			out = append(out, d)
		}
		return nil
	})
	return out, errors.Join(append(errs, err)...)
}

// printable drops what may do harm in logs and on terminals: labels are
// whatever somebody wrote there.
func printable(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, s))
}

// hexSerial returns a serial number, which is text in PKCS#11, in hexadecimal:
// as it is where it is that already, else its octets.
func hexSerial(s string) string {
	if _, err := hex.DecodeString(s); err == nil {
		return strings.ToLower(s)
	}
	return hex.EncodeToString([]byte(s))
}

// errPIN is a PIN that the token refused, before it is known how many tries
// are left.
var errPIN = errors.New("wrong PIN")

// translate turns return values into the errors of pki/token.
func translate(err error) error {
	var code pkcs11.Error
	if !errors.As(err, &code) {
		return err
	}
	switch code {
	case pkcs11.CKR_PIN_INCORRECT:
		return fmt.Errorf("%w: %w", errPIN, err)
	case pkcs11.CKR_PIN_LOCKED:
		return fmt.Errorf("%w: %w", token.ErrBlocked, err)
	case pkcs11.CKR_PIN_LEN_RANGE, pkcs11.CKR_PIN_INVALID:
		return fmt.Errorf("%w: %w", token.ErrPINLength, err)
	case pkcs11.CKR_USER_ALREADY_LOGGED_IN, pkcs11.CKR_USER_ANOTHER_ALREADY_LOGGED_IN, pkcs11.CKR_USER_TOO_MANY_TYPES,
		pkcs11.CKR_SESSION_COUNT, pkcs11.CKR_SESSION_EXISTS, pkcs11.CKR_SESSION_READ_ONLY_EXISTS:
		return fmt.Errorf("%w: %w", token.ErrBusy, err)
	case pkcs11.CKR_TOKEN_NOT_PRESENT, pkcs11.CKR_TOKEN_NOT_RECOGNIZED, pkcs11.CKR_DEVICE_REMOVED, pkcs11.CKR_SLOT_ID_INVALID,
		pkcs11.CKR_SESSION_HANDLE_INVALID, pkcs11.CKR_SESSION_CLOSED, pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED:
		// Sessions end with the token they are with.
		return fmt.Errorf("%w: %w", token.ErrMissing, err)
	case pkcs11.CKR_MECHANISM_INVALID, pkcs11.CKR_FUNCTION_NOT_SUPPORTED, pkcs11.CKR_KEY_FUNCTION_NOT_PERMITTED:
		return fmt.Errorf("%w: %w", token.ErrUnsupported, err)
	}
	return err
}
