package cli

import (
	"context"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"imzo/internal/inspect"
	"imzo/internal/secret"
	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/token"
	"imzo/pki/token/soft"
)

const pinFileHelp = "`FILE` whose first line is the PIN (else it is asked for)"

func newCardCommand(e env) *cobra.Command {
	c := &cobra.Command{
		Use:   "card",
		Short: "Make and use virtual ID cards and tokens",
		Long: `Make and use ID cards and tokens in software: files that behave as real ones
do, with a PIN, a counter of tries, a PUK and certificates. 'imzo agent --cards'
signs with those in a folder.

A card that is made is empty. 'imzo trust issue --card' puts a test certificate
on it; with another authority, 'imzo card request' makes a key on the card and a
request for its certificate, and 'imzo card load' puts the certificates on it.`,
		Example: `  imzo card create --pin-file pin cards/ali.card
  imzo trust issue --cn 'ALIYEV ALI' --pinfl 30000000000000 --card cards/ali.card --pin-file pin
  imzo card show cards/ali.card
  imzo agent --cards cards`,
	}
	c.AddCommand(newCardCreate(e), newCardShow(e), newCardPIN(e), newCardUnblock(e), newCardRequest(e), newCardLoad(e))
	return c
}

// readPIN takes a PIN from the first line of a file or from the person.
func (e env) readPIN(file, prompt string) ([]byte, error) {
	if file == "" {
		text, err := e.ask(prompt)
		return []byte(text), err
	}
	b, err := e.readInput(file)
	if err != nil {
		return nil, err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	secret.Wipe(b)
	return []byte(strings.TrimSuffix(line, "\r")), nil
}

// readNewPIN is readPIN for one that is being set: typed twice.
func (e env) readNewPIN(file, prompt string) ([]byte, error) {
	pin, err := e.readPIN(file, prompt)
	if err != nil || file != "" {
		return pin, err
	}
	again, err := e.readPIN("", "Once more")
	if err != nil {
		return nil, err
	}
	if string(pin) != string(again) {
		return nil, errors.New("the two differ")
	}
	return pin, nil
}

// cardError says what an error of a card means.
func cardError(err error) error {
	if errors.Is(err, token.ErrBlocked) {
		return fmt.Errorf("%w: 'imzo card unblock' sets a new one with the PUK", err)
	}
	return err
}

func newCardCreate(e env) *cobra.Command {
	var o soft.Options
	var kind, pinFile, pukFile string
	var asJSON bool
	c := &cobra.Command{
		Use:   "create FILE" + soft.Extension,
		Short: "Make an empty card",
		Example: `  imzo card create ali.card
  imzo card create --kind baikey --name 'BAIK 7' --pin-file pin --puk-file puk token.card`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if o.Kind = token.Kind(kind); !slices.Contains([]token.Kind{token.KindIDCard, token.KindBAIK, token.KindUZGUARD}, o.Kind) {
				return usagef("--kind is idcard, baikey or uzgrd, not %q", kind)
			}
			if filepath.Ext(args[0]) != soft.Extension {
				return usagef("%s: name it with %s at its end, by which the agent knows cards", args[0], soft.Extension)
			}
			var err error
			if o.PIN, err = e.readNewPIN(pinFile, "PIN of the card"); err != nil {
				return err
			}
			defer secret.Wipe(o.PIN)
			if pukFile != "" {
				if o.PUK, err = e.readPIN(pukFile, ""); err != nil {
					return err
				}
				defer secret.Wipe(o.PUK)
			}
			o.Now = e.now
			card, err := soft.Create(args[0], o)
			if err != nil {
				return err
			}
			return e.showCard(c.Context(), card, asJSON)
		},
	}
	f := c.Flags()
	f.StringVar(&kind, "kind", string(token.KindIDCard), "`KIND`: idcard, baikey or uzgrd")
	f.StringVar(&o.Name, "name", "", "`NAME` of the reader, as sites see it (default: that of the file)")
	f.StringVar(&o.Serial, "serial", "", "serial `NUMBER` of the card, hexadecimal")
	f.StringVar(&pinFile, "pin-file", "", pinFileHelp)
	f.StringVar(&pukFile, "puk-file", "", "`FILE` whose first line is the PUK, 8 to 16 digits; without one a blocked card stays blocked")
	f.IntVar(&o.MaxTries, "tries", 0, "wrong PINs in a row that block the card (default 5)")
	f.BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

// shownCard is what `imzo card show --json` prints.
type shownCard struct {
	File      string   `json:"file"`
	Kind      string   `json:"kind"`
	Name      string   `json:"name"`
	Serial    string   `json:"serial,omitempty"`
	TriesLeft int      `json:"triesLeft"`
	Subject   string   `json:"subject,omitempty"`
	Number    string   `json:"certificate,omitempty"` // serial number
	Until     string   `json:"until,omitempty"`
	Chain     []string `json:"chain"` // subjects
}

func (e env) showCard(ctx context.Context, card *soft.Card, asJSON bool) error {
	info, err := card.Info(ctx)
	if err != nil {
		return err
	}
	s := shownCard{File: card.Path(), Kind: string(info.Kind), Name: info.Name, Serial: info.Serial, TriesLeft: info.TriesLeft, Chain: []string{}}
	chain, err := card.Chain(ctx)
	if err != nil && !errors.Is(err, token.ErrEmpty) {
		return err
	}
	for i, c := range chain {
		if i == 0 {
			s.Subject, s.Number, s.Until = c.Subject.String(), c.SerialHex(), c.NotAfter.UTC().Format("2006-01-02")
		}
		s.Chain = append(s.Chain, c.Subject.String())
	}
	if asJSON {
		return e.printJSON(s)
	}
	lines := [][2]string{{"file", s.File}, {"kind", s.Kind}, {"name", s.Name}, {"serial", s.Serial}, {"tries left", fmt.Sprint(s.TriesLeft)}, {"certificate", s.Number}, {"until", s.Until}, {"subject", s.Subject}}
	if len(chain) == 0 {
		lines = append(lines, [2]string{"certificate", "none yet"})
	}
	for _, line := range lines {
		if line[1] == "" {
			continue
		}
		if _, err := fmt.Fprintf(e.stdout, "%-12s %s\n", line[0], inspect.Printable(line[1])); err != nil {
			return err
		}
	}
	return nil
}

func newCardShow(e env) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "show FILE", Short: "Show what a card tells without its PIN", Args: cobra.ExactArgs(1),
		Example: "  imzo card show --json ali.card",
		RunE: func(c *cobra.Command, args []string) error {
			card, err := soft.Open(args[0])
			if err != nil {
				return err
			}
			return e.showCard(c.Context(), card, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

// openCard unlocks a card with its PIN.
func (e env) openCard(ctx context.Context, file, pinFile string) (*soft.Card, token.Session, error) {
	card, err := soft.Open(file)
	if err != nil {
		return nil, nil, err
	}
	pin, err := e.readPIN(pinFile, "PIN of the card")
	if err != nil {
		return nil, nil, err
	}
	defer secret.Wipe(pin)
	session, err := card.Open(ctx, pin)
	return card, session, cardError(err)
}

func newCardPIN(e env) *cobra.Command {
	var pinFile, newFile string
	c := &cobra.Command{
		Use: "pin FILE", Short: "Change the PIN of a card", Args: cobra.ExactArgs(1),
		Example: "  imzo card pin ali.card\n  imzo card pin --pin-file old --new-pin-file new ali.card",
		RunE: func(c *cobra.Command, args []string) error {
			_, session, err := e.openCard(c.Context(), args[0], pinFile)
			if err != nil {
				return err
			}
			defer session.Close()
			pin, err := e.readNewPIN(newFile, "New PIN")
			if err != nil {
				return err
			}
			defer secret.Wipe(pin)
			return session.ChangePIN(c.Context(), pin)
		},
	}
	c.Flags().StringVar(&pinFile, "pin-file", "", pinFileHelp)
	c.Flags().StringVar(&newFile, "new-pin-file", "", "`FILE` whose first line is the new PIN (else it is asked for)")
	return c
}

func newCardUnblock(e env) *cobra.Command {
	var pukFile, newFile string
	c := &cobra.Command{
		Use: "unblock FILE", Short: "Set a new PIN with the PUK", Args: cobra.ExactArgs(1),
		Example: "  imzo card unblock --puk-file puk --new-pin-file new ali.card",
		RunE: func(c *cobra.Command, args []string) error {
			card, err := soft.Open(args[0])
			if err != nil {
				return err
			}
			puk, err := e.readPIN(pukFile, "PUK of the card")
			if err != nil {
				return err
			}
			defer secret.Wipe(puk)
			pin, err := e.readNewPIN(newFile, "New PIN")
			if err != nil {
				return err
			}
			defer secret.Wipe(pin)
			return card.Unblock(c.Context(), puk, pin)
		},
	}
	c.Flags().StringVar(&pukFile, "puk-file", "", "`FILE` whose first line is the PUK (else it is asked for)")
	c.Flags().StringVar(&newFile, "new-pin-file", "", "`FILE` whose first line is the new PIN (else it is asked for)")
	return c
}

func newCardRequest(e env) *cobra.Command {
	var pinFile, subject, out, parameters string
	var policies []string
	c := &cobra.Command{
		Use: "request FILE --subject NAME", Short: "Make a key on the card, and a request for its certificate", Args: cobra.ExactArgs(1),
		Long: `Make a key on the card, and a request for its certificate (PKCS#10, PEM). The
key that the card has stays in use until 'imzo card load' brings the certificate
of the new one.`,
		Example: "  imzo card request --subject 'CN=ALIYEV ALI,C=UZ' -o ali.p10 ali.card",
		RunE: func(c *cobra.Command, args []string) error {
			t := cert.RequestTemplate{}
			var err error
			if t.Subject, err = cert.ParseName(subject); err != nil {
				return usageError{fmt.Errorf("--subject: %w", err)}
			}
			for _, p := range policies {
				oid, err := ber.ParseOID(p)
				if err != nil {
					return usageError{fmt.Errorf("--policy %s: %w", p, err)}
				}
				t.Policies = append(t.Policies, oid)
			}
			_, session, err := e.openCard(c.Context(), args[0], pinFile)
			if err != nil {
				return err
			}
			defer session.Close()
			key, err := session.GenerateKey(c.Context(), parameters)
			if err != nil {
				return err
			}
			der, err := cert.CreateRequest(rand.Reader, t, key)
			if err != nil {
				return err
			}
			return e.writeOutput(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), false)
		},
	}
	f := c.Flags()
	f.StringVar(&pinFile, "pin-file", "", pinFileHelp)
	f.StringVar(&subject, "subject", "", "distinguished `NAME` to ask for")
	f.StringArrayVar(&policies, "policy", nil, "`OID` of a certificate policy to ask for; may be repeated")
	f.StringVar(&parameters, "alg", cardKey, "key: ozdst:C or ozmst:C")
	f.StringVarP(&out, "output", "o", "", "`FILE` for the request (default standard output)")
	_ = c.MarkFlagRequired("subject")
	return c
}

// cardKey is the algorithm of keys on cards: theirs are on curve C.
const cardKey = "ozdst:C"

func newCardLoad(e env) *cobra.Command {
	var pinFile string
	var asJSON bool
	c := &cobra.Command{
		Use: "load FILE CERTIFICATE...", Short: "Put certificates on the card", Args: cobra.MinimumNArgs(2),
		Long:    "Put certificates on the card: that of its key, of the CA and of the root, in files of PEM or DER, in this order.",
		Example: "  imzo card load --pin-file pin ali.card chain.pem\n  imzo card load ali.card ali.cer ca.cer root.cer",
		RunE: func(c *cobra.Command, args []string) error {
			var chain []*cert.Certificate
			for _, name := range args[1:] {
				b, err := os.ReadFile(name)
				if err != nil {
					return err
				}
				all, err := cert.ParseAll(b)
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				chain = append(chain, all...)
			}
			card, err := soft.Open(args[0])
			if err != nil {
				return err
			}
			pin, err := e.readPIN(pinFile, "PIN of the card")
			if err != nil {
				return err
			}
			defer secret.Wipe(pin)
			if err := loadCard(c.Context(), card, pin, func(token.Session) ([]*cert.Certificate, error) { return chain, nil }); err != nil {
				return err
			}
			return e.showCard(c.Context(), card, asJSON)
		},
	}
	c.Flags().StringVar(&pinFile, "pin-file", "", pinFileHelp)
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

// loadCard puts the certificates on a card that get brings for it. The PIN
// stays.
func loadCard(ctx context.Context, card *soft.Card, pin []byte, get func(token.Session) ([]*cert.Certificate, error)) error {
	session, err := card.Open(ctx, pin)
	if err != nil {
		return cardError(err)
	}
	defer session.Close()
	chain, err := get(session)
	if err != nil {
		return err
	}
	return session.Personalize(ctx, chain, pin)
}
