//go:build pkcs11

package pkcs11

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/miekg/pkcs11"

	"imzo/pki/cert"
	"imzo/pki/token"
)

const (
	// An HSM may serve a whole house, but not with this.
	maxObjects     = 256
	maxCertificate = 64 << 10
	maxChain       = 8
	// findAtOnce is how many handles are fetched by one call.
	findAtOnce = 32
)

// device is a token in a slot.
type device struct {
	module *module
	slot   uint
	serial string
	name   string
}

var _ token.Token = (*device)(nil)

// state asks for the token's information, and whether it is still the same one
// in the slot.
func (d *device) state(lib cryptoki) (pkcs11.TokenInfo, error) {
	info, err := lib.GetTokenInfo(d.slot)
	if err != nil {
		// Modules find many words for a token that does not even tell its name;
		// SoftHSM's is a general error.
		return info, fmt.Errorf("%w: %w", token.ErrMissing, err)
	}
	if info.SerialNumber != d.serial || info.Flags&pkcs11.CKF_TOKEN_INITIALIZED == 0 {
		return info, fmt.Errorf("%w: another token is in the slot", token.ErrMissing)
	}
	return info, nil
}

func triesLeft(flags uint) int {
	switch {
	case flags&pkcs11.CKF_USER_PIN_LOCKED != 0:
		return 0
	case flags&pkcs11.CKF_USER_PIN_FINAL_TRY != 0:
		return 1
	}
	return -1
}

// Info implements token.Token.
func (d *device) Info(ctx context.Context) (token.Info, error) {
	var out token.Info
	err := d.module.do(ctx, func(lib cryptoki) error {
		info, err := d.state(lib)
		if err != nil {
			return err
		}
		out = token.Info{
			Kind: token.KindPKCS11, Name: d.name, Serial: hexSerial(d.serial),
			MinPIN: int(info.MinPinLen), MaxPIN: int(info.MaxPinLen), TriesLeft: triesLeft(info.Flags),
		}
		chain, err := d.readChain(lib)
		out.Personalized = len(chain) > 0
		if errors.Is(err, token.ErrEmpty) {
			err = nil
		}
		return err
	})
	return out, err
}

// Chain implements token.Token.
func (d *device) Chain(ctx context.Context) ([]*cert.Certificate, error) {
	var out []*cert.Certificate
	err := d.module.do(ctx, func(lib cryptoki) error {
		if _, err := d.state(lib); err != nil {
			return err
		}
		chain, err := d.readChain(lib)
		for _, c := range chain {
			out = append(out, c.Certificate)
		}
		return err
	})
	return out, err
}

// CPLC returns an error that wraps token.ErrUnsupported.
func (d *device) CPLC(context.Context, []byte) ([]byte, error) {
	return nil, fmt.Errorf("%w: PKCS#11 has no factory number of a card", token.ErrUnsupported)
}

// Open implements token.Token. A token has one session at a time; the next one
// waits for its end, for ten seconds at most.
func (d *device) Open(ctx context.Context, pin []byte) (token.Session, error) {
	release, err := d.module.login(ctx, d.serial)
	if err != nil {
		return nil, err
	}
	s := &session{device: d, release: release, pin: bytes.Clone(pin)}
	err = d.module.do(ctx, func(lib cryptoki) error { return s.login(lib) })
	if err != nil {
		clear(s.pin)
		release()
		return nil, err
	}
	return s, nil
}

// found is a certificate with its CKA_ID.
type found struct {
	*cert.Certificate
	id []byte
}

// readChain reads the certificates in a session of its own.
func (d *device) readChain(lib cryptoki) ([]found, error) {
	s, err := lib.OpenSession(d.slot, pkcs11.CKF_SERIAL_SESSION)
	if err != nil {
		return nil, err
	}
	defer lib.CloseSession(s)
	return d.readChainIn(lib, s)
}

func (d *device) readChainIn(lib cryptoki, s pkcs11.SessionHandle) ([]found, error) {
	all, err := certificates(lib, s)
	if err != nil {
		return nil, err
	}
	user, ok := choose(all, d.module.options.KeyID)
	if !ok {
		return nil, token.ErrEmpty
	}
	return chainOf(user, all), nil
}

func certificates(lib cryptoki, s pkcs11.SessionHandle) ([]found, error) {
	handles, err := find(lib, s,
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_CERTIFICATE),
		pkcs11.NewAttribute(pkcs11.CKA_CERTIFICATE_TYPE, pkcs11.CKC_X_509))
	if err != nil {
		return nil, err
	}
	var out []found
	for _, h := range handles {
		values, err := lib.GetAttributeValue(s, h, []*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_VALUE, nil), pkcs11.NewAttribute(pkcs11.CKA_ID, nil),
		})
		if err != nil {
			return nil, err
		}
		if len(values[0].Value) > maxCertificate {
			continue
		}
		// A token may hold what others put there; what we cannot read is not
		// what we sign with.
		if c, err := cert.Parse(values[0].Value); err == nil {
			out = append(out, found{c, values[1].Value})
		}
	}
	return out, nil
}

// choose returns the certificate of the user: the one under id, else the one of
// an end entity that has an id and is valid longest.
func choose(all []found, id []byte) (found, bool) {
	var fit []found
	for _, c := range all {
		ca := c.BasicConstraints != nil && c.BasicConstraints.IsCA
		if id != nil && bytes.Equal(c.id, id) || id == nil && len(c.id) > 0 && !ca {
			fit = append(fit, c)
		}
	}
	if len(fit) == 0 {
		return found{}, false
	}
	return slices.MinFunc(fit, func(a, b found) int {
		return cmp.Or(b.NotAfter.Compare(a.NotAfter), bytes.Compare(a.id, b.id), bytes.Compare(a.Raw, b.Raw))
	}), true
}

// chainOf follows the issuers as far as the token has them.
func chainOf(user found, all []found) []found {
	chain := []found{user}
	for len(chain) < maxChain {
		last := chain[len(chain)-1]
		if last.SelfIssued() {
			break
		}
		i := slices.IndexFunc(all, func(c found) bool {
			return c.Subject.Equal(last.Issuer) && last.CheckSignatureFrom(c.Certificate) == nil
		})
		if i < 0 {
			break
		}
		chain = append(chain, all[i])
	}
	return chain
}

// find returns the objects with the attributes.
func find(lib cryptoki, s pkcs11.SessionHandle, attributes ...*pkcs11.Attribute) (out []pkcs11.ObjectHandle, err error) {
	if err := lib.FindObjectsInit(s, attributes); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lib.FindObjectsFinal(s)) }()
	for {
		more, _, err := lib.FindObjects(s, findAtOnce)
		if err != nil {
			return nil, err
		}
		if len(more) == 0 {
			return out, nil
		}
		if out = append(out, more...); len(out) > maxObjects {
			return nil, fmt.Errorf("more than %d objects of one kind on the token", maxObjects)
		}
	}
}
