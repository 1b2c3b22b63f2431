package soft

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"imzo/pki/cert"
	"imzo/pki/token"
)

// Options describe a card that is to be made. PIN and PUK stay the caller's,
// who wipes them; printed, the options show neither.
type Options struct {
	// Kind is token.KindIDCard, KindBAIK or KindUZGUARD.
	Kind token.Kind
	// Name is printed as the name of the reader; "" takes the file's name.
	Name string
	// Serial is hexadecimal, "" when there is none.
	Serial string
	// PIN has 1 to MaxPIN digits.
	PIN []byte
	// PUK has 8 to 16 digits; nil makes a card that cannot be unblocked.
	PUK []byte
	// MaxTries is how many wrong PINs in a row block the card: 1 to 15, and 0
	// is 5.
	MaxTries int
	// MaxPIN is how many digits a PIN may have: 1 to 8, for UZGUARD tokens to
	// 16, and 0 is 8.
	MaxPIN int
	// Rand is for keys, salts and nonces and must not repeat itself; nil is
	// crypto/rand.
	Rand io.Reader
	// Now tells the time of creation; nil is time.Now.
	Now func() time.Time

	// cost replaces usualKDF in tests, which open cards by the hundred.
	cost *kdf
}

// Format prints no secret.
func (o Options) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "card %q of kind %s, PIN and PUK [redacted]", o.Name, o.Kind)
}

// LogValue prints no secret.
func (o Options) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(o)) }

const usualTries = 5

// Card is a card in a file. It holds nothing of the file's content, so that
// every method sees the card as it is. Its methods may be called from several
// goroutines and processes.
type Card struct {
	store store
	rand  io.Reader
	cost  kdf
	// name stands for the one in the file, when it is not "".
	name string
	// counted is called between the count of a try and its answer, in tests.
	counted func()
}

var _ token.Token = (*Card)(nil)

// Create makes an empty card in a new file. The error wraps fs.ErrExist when
// there is one already, token.ErrPINLength when PIN or PUK cannot be one,
// [ErrFormat] when other options cannot be.
func Create(path string, o Options) (*Card, error) {
	c := &Card{store: store{path}, rand: o.Rand, cost: usualKDF()}
	if c.rand == nil {
		c.rand = crand.Reader
	}
	if o.cost != nil {
		c.cost = *o.cost
	}
	now := o.Now
	if now == nil {
		now = time.Now
	}
	content := &card{
		Format: format, Version: version, ID: make([]byte, idSize),
		Kind: o.Kind, Name: o.Name, Serial: strings.ToLower(o.Serial), Created: now().UTC().Truncate(time.Second),
		MaxPIN: o.MaxPIN, MaxTries: o.MaxTries,
	}
	if content.Name == "" {
		content.Name = strings.TrimSuffix(filepath.Base(path), Extension)
	}
	if content.MaxPIN == 0 {
		content.MaxPIN = devicePIN
	}
	if content.MaxTries == 0 {
		content.MaxTries = usualTries
	}
	if err := content.checkOptions(); err != nil {
		return nil, err
	}
	if err := digits(o.PIN, minPIN, content.MaxPIN); err != nil {
		return nil, err
	}
	if err := c.fill(content, o); err != nil {
		return nil, err
	}
	if err := c.store.create(context.Background(), content); err != nil {
		return nil, err
	}
	return c, nil
}

// fill gives a new card its identity and its key under PIN and PUK.
func (c *Card) fill(content *card, o Options) error {
	if _, err := io.ReadFull(c.rand, content.ID); err != nil {
		return fmt.Errorf("reading randomness: %w", err)
	}
	key := make([]byte, keySize)
	defer clear(key)
	if _, err := io.ReadFull(c.rand, key); err != nil {
		return fmt.Errorf("reading randomness: %w", err)
	}
	if err := c.setPIN(content, o.PIN, key); err != nil {
		return err
	}
	if o.PUK == nil {
		return nil
	}
	if err := digits(o.PUK, minPUK, maxPUK); err != nil {
		return fmt.Errorf("PUK: %w", err)
	}
	var err error
	content.PUK, err = newLock(c.rand, c.cost, "puk", content.ID, o.PUK, key, pukTries)
	return err
}

// setPIN puts the card key under a new PIN, with all tries.
func (c *Card) setPIN(content *card, pin, key []byte) error {
	l, err := newLock(c.rand, c.cost, "pin", content.ID, pin, key, content.MaxTries)
	if err == nil {
		content.PIN = *l
	}
	return err
}

// Open returns the card in a file. The error wraps token.ErrMissing when there
// is none, [ErrFormat] when the file is no card, or is a link.
func Open(path string) (*Card, error) {
	c := &Card{store: store{path}, rand: crand.Reader, cost: usualKDF()}
	if _, err := c.store.read(); err != nil {
		return nil, err
	}
	return c, nil
}

// Path returns the name of the file.
func (c *Card) Path() string { return c.store.path }

// Info implements token.Token.
func (c *Card) Info(ctx context.Context) (token.Info, error) {
	content, err := c.read(ctx)
	if err != nil {
		return token.Info{}, err
	}
	info := content.info()
	if c.name != "" {
		info.Name = c.name
	}
	return info, nil
}

// Chain implements token.Token.
func (c *Card) Chain(ctx context.Context) ([]*cert.Certificate, error) {
	content, err := c.read(ctx)
	if err != nil {
		return nil, err
	}
	chain, err := content.chain()
	if err == nil && len(chain) == 0 {
		err = token.ErrEmpty
	}
	return chain, err
}

// CPLC returns an error that wraps token.ErrUnsupported.
func (c *Card) CPLC(context.Context, []byte) ([]byte, error) {
	return nil, fmt.Errorf("%w: factory number of a card in software", token.ErrUnsupported)
}

// Open implements token.Token. The PIN costs one Argon2id, during which ctx is
// not looked at: the try is counted already.
func (c *Card) Open(ctx context.Context, pin []byte) (token.Session, error) {
	var s *session
	err := c.store.change(ctx, func(content *card, save func() error) error {
		if content.PIN.TriesLeft == 0 {
			return token.ErrBlocked
		}
		if err := digits(pin, minPIN, content.MaxPIN); err != nil {
			return err
		}
		content.PIN.TriesLeft--
		if err := save(); err != nil {
			return err
		}
		c.wasCounted()
		key, err := content.PIN.open("pin", content.ID, pin)
		if err != nil {
			return wrong(err, content.PIN.TriesLeft)
		}
		content.PIN.TriesLeft = content.MaxTries
		if err := save(); err != nil {
			clear(key)
			return err
		}
		s = newSession(c, content.ID, key)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Unblock sets a new PIN with all its tries. A wrong PUK gives a
// *token.PINError with the tries left for the PUK; after the tenth in a row the
// card is dead: it takes neither PIN nor PUK any more, and the error wraps
// token.ErrBlocked. A card without a PUK gives token.ErrUnsupported, a PIN or
// PUK that cannot be one token.ErrPINLength.
func (c *Card) Unblock(ctx context.Context, puk, newPIN []byte) error {
	return c.store.change(ctx, func(content *card, save func() error) error {
		if content.PUK == nil {
			return fmt.Errorf("%w: the card has no PUK", token.ErrUnsupported)
		}
		if content.PUK.TriesLeft == 0 {
			return token.ErrBlocked
		}
		if err := digits(puk, minPUK, maxPUK); err != nil {
			return fmt.Errorf("PUK: %w", err)
		}
		if err := digits(newPIN, minPIN, content.MaxPIN); err != nil {
			return err
		}
		// Should this be the last, the card is to be dead whatever happens to
		// the program now.
		if content.PUK.TriesLeft--; content.PUK.TriesLeft == 0 {
			content.PIN.TriesLeft = 0
		}
		if err := save(); err != nil {
			return err
		}
		c.wasCounted()
		key, err := content.PUK.open("puk", content.ID, puk)
		if err != nil {
			return wrong(err, content.PUK.TriesLeft)
		}
		defer clear(key)
		content.PUK.TriesLeft = pukTries
		if err := c.setPIN(content, newPIN, key); err != nil {
			return err
		}
		return save()
	})
}

func (c *Card) read(ctx context.Context) (*card, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return c.store.read()
}

func (c *Card) wasCounted() {
	if c.counted != nil {
		c.counted()
	}
}

// wrong turns a seal that does not open into a wrong PIN.
func wrong(err error, left int) error {
	if errors.Is(err, errSeal) {
		return &token.PINError{TriesLeft: left}
	}
	return err
}

// digits checks the form of a PIN or PUK.
func digits(pin []byte, shortest, longest int) error {
	ok := len(pin) >= shortest && len(pin) <= longest
	for _, b := range pin {
		ok = ok && b >= '0' && b <= '9'
	}
	if !ok {
		return fmt.Errorf("%w: want %d to %d digits", token.ErrPINLength, shortest, longest)
	}
	return nil
}
