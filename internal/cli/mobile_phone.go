package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"imzo/client/deeplink"
	"imzo/internal/eimzo/mobile/phone"
	"imzo/internal/inspect"
	"imzo/internal/secret"
	"imzo/pki/token"
	"imzo/pki/token/soft"
)

type mobilePhoneFlags struct {
	link, gateway, card, pinFile string
	pinStdin, asJSON             bool
}

// phoneResult is what `imzo mobile phone --json` prints.
type phoneResult struct {
	Accepted bool `json:"accepted"`
	// Code is that of the gateway's outcome, or of what went wrong before:
	// code, unknownSite, gateway, pin, blocked, pinLength, card.
	Code       string            `json:"code"`
	Message    string            `json:"message"`
	TriesLeft  *int              `json:"triesLeft,omitempty"` // of the PIN, after a wrong one
	Site       *phone.Site       `json:"site,omitempty"`
	DocumentID string            `json:"documentId,omitempty"`
	Hash       []string          `json:"hash,omitempty"` // in four groups
	Answer     *phone.SiteAnswer `json:"siteAnswer,omitempty"`
}

func newMobilePhone(e env) *cobra.Command {
	var m mobilePhoneFlags
	c := &cobra.Command{
		Use:   "phone --link LINK --card FILE",
		Short: "Sign what a link or QR code asks for, as a phone does",
		Long: `Sign what a link or QR code asks for with a virtual card, as the application
E-IMZO ID-CARD does with the card behind the phone: it shows who asks and the
hash, takes the PIN, has the card sign and hands the signature to the gateway.

It exits 0 when the site has the signature, 1 when it has not (a wrong PIN, a
refusal of the gateway or the site) and 2 when it was called wrongly, which
includes a link whose check sum is wrong. With --json the field "code" tells
what happened; a wrong PIN has "triesLeft" beside it.`,
		Example: `  imzo mobile phone --link 'eimzo://sign?qc=20e2850FF727...' --card ali.card
  imzo mobile phone --link "$LINK" --gateway http://127.0.0.1:8070 --card ali.card --pin-file pin --json
  echo 1234 | imzo mobile phone --link "$LINK" --card ali.card --pin-stdin`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return m.run(c.Context(), e) },
	}
	f := c.Flags()
	f.StringVar(&m.link, "link", "", "`LINK`, or the 84 characters of the QR code")
	f.StringVar(&m.gateway, "gateway", defaultMobileGateway, "`URL` of the gateway")
	f.StringVar(&m.card, "card", "", "`FILE` of the card")
	f.StringVar(&m.pinFile, "pin-file", "", pinFileHelp)
	f.BoolVar(&m.pinStdin, "pin-stdin", false, "take the PIN from the first line of standard input")
	f.BoolVar(&m.asJSON, "json", false, "print one JSON object")
	_ = c.MarkFlagRequired("link")
	_ = c.MarkFlagRequired("card")
	c.MarkFlagsMutuallyExclusive("pin-file", "pin-stdin")
	return c
}

func (m *mobilePhoneFlags) run(ctx context.Context, e env) error {
	if err := phone.CheckURL(m.gateway); err != nil {
		return usageError{fmt.Errorf("--gateway: %w", err)}
	}
	card, err := soft.Open(m.card)
	if err != nil {
		return err
	}
	p := &phone.Phone{Gateway: &phone.Client{URL: m.gateway}, Now: e.now}
	request, err := p.Open(ctx, m.link)
	if err != nil {
		return m.failed(e, phoneResult{}, err)
	}
	groups := request.Code.Groups()
	result := phoneResult{Site: &request.Site, DocumentID: request.Code.DocumentID, Hash: groups[:]}
	if !m.asJSON {
		site := request.Site
		// Before the PIN: the person decides by it.
		if _, err := fmt.Fprintf(e.stdout, "site      %s\ndomain    %s\nSiteID    %s\ndocument  %s\nhash      %s %s %s %s\n",
			inspect.Printable(site.Name), inspect.Printable(site.Domain), inspect.Printable(site.SiteID), result.DocumentID, groups[0], groups[1], groups[2], groups[3]); err != nil {
			return err
		}
	}
	pin, err := m.pin(e)
	if err != nil {
		return err
	}
	defer secret.Wipe(pin)
	outcome, err := p.Sign(ctx, request, card, pin)
	if err != nil {
		return m.failed(e, result, err)
	}
	result.Accepted, result.Code, result.Message, result.Answer = outcome.Accepted, string(outcome.Code), outcome.Message, outcome.Site
	return m.print(e, result)
}

func (m *mobilePhoneFlags) pin(e env) ([]byte, error) {
	if m.pinStdin {
		return e.readPIN(stdio, "")
	}
	return e.readPIN(m.pinFile, "PIN of the card")
}

// failed tells what went wrong before the gateway had the signature.
func (m *mobilePhoneFlags) failed(e env, result phoneResult, err error) error {
	var wrong *token.PINError
	switch {
	case errors.Is(err, deeplink.ErrCode):
		result.Code = "code"
	case errors.Is(err, phone.ErrUnknownSite):
		result.Code = string(phone.UnknownSite)
	case errors.Is(err, phone.ErrGateway):
		result.Code = "gateway"
	case errors.Is(err, token.ErrBlocked):
		result.Code = "blocked"
	case errors.As(err, &wrong):
		if result.Code = "pin"; wrong.TriesLeft >= 0 {
			result.TriesLeft = &wrong.TriesLeft
		}
	case errors.Is(err, token.ErrPINLength):
		result.Code = "pinLength"
	default:
		result.Code = "card"
	}
	if result.Code == "code" {
		err = usageError{err}
	}
	if !m.asJSON {
		return cardError(err)
	}
	result.Message = err.Error()
	if err := e.printJSON(result); err != nil {
		return err
	}
	if result.Code == "code" {
		return err
	}
	return errSilent
}

func (m *mobilePhoneFlags) print(e env, r phoneResult) error {
	if m.asJSON {
		if err := e.printJSON(r); err != nil {
			return err
		}
	} else {
		out, text := e.stdout, r.Message
		if !r.Accepted {
			out, text = e.stderr, r.Code+": "+r.Message
			if r.Answer != nil && r.Answer.Message != "" {
				text += ": " + r.Answer.Message
			}
		}
		if _, err := io.WriteString(out, "result    "+inspect.Printable(text)+"\n"); err != nil {
			return err
		}
	}
	if !r.Accepted {
		return errSilent
	}
	return nil
}
