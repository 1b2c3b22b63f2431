package cli

import (
	"encoding/hex"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"imzo/client/deeplink"
	"imzo/gost/gost341194"
	"imzo/internal/qr"
)

type mobileLinkFlags struct {
	site, document, text, challenge, hash, png string
	scale                                      int
	qr, asJSON                                 bool
}

// madeLink is what `imzo mobile link --json` prints.
type madeLink struct {
	Code       string   `json:"code"`
	Link       string   `json:"link"`
	SiteID     string   `json:"siteId"`
	DocumentID string   `json:"documentId"`
	Hash       string   `json:"hash"`
	Groups     []string `json:"groups"`
	File       string   `json:"file,omitempty"` // of the image
}

func newMobileLink(e env) *cobra.Command {
	var m mobileLinkFlags
	c := &cobra.Command{
		Use:   "link --site SITEID --document DOCUMENTID [FILE|-]",
		Short: "Make the code, the link and the QR code of a document",
		Long: `Make the code, the link and the QR code that a site shows for a document, which
POST /frontend/mobile/sign has given a DocumentID, or for the challenge of a
log-in by /frontend/mobile/auth, of which the text is signed.`,
		Example: `  imzo mobile link --site 20e2 --document 850FF727 contract.pdf
  imzo mobile link --site 20e2 --document 850FF727 --text 'some document' --qr
  imzo mobile link --site 20e2 --document B7735734 --challenge AB8C2ED52B12DCBA --png qr.png`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			given := len(args)
			for _, name := range []string{"text", "challenge", "hash"} {
				if c.Flags().Changed(name) {
					given++
				}
			}
			if given != 1 {
				return usagef("one document is needed: FILE, --text, --challenge or --hash")
			}
			hash, err := m.digest(e, c, args)
			if err != nil {
				return err
			}
			code, err := deeplink.WithHash(m.site, m.document, hash)
			if err != nil {
				return usageError{err}
			}
			return m.print(e, code)
		},
	}
	f := c.Flags()
	f.StringVar(&m.site, "site", "", "`SITEID` of the site, four hexadecimal digits")
	f.StringVar(&m.document, "document", "", "`DOCUMENTID`, eight hexadecimal digits")
	f.StringVar(&m.text, "text", "", "`TEXT` of the document, as UTF-8")
	f.StringVar(&m.challenge, "challenge", "", "`CHALLENGE` of a log-in, as the server gave it")
	f.StringVar(&m.hash, "hash", "", "`HASH` of the document, 64 hexadecimal digits (as 'imzo hash' prints it)")
	f.BoolVar(&m.qr, "qr", false, "draw the QR code on the terminal too")
	f.StringVar(&m.png, "png", "", "draw the QR code into this PNG `FILE` too")
	f.IntVar(&m.scale, "scale", 8, "pixels of a module of that image, 1 to 64")
	f.BoolVar(&m.asJSON, "json", false, "print one JSON object")
	_ = c.MarkFlagRequired("site")
	_ = c.MarkFlagRequired("document")
	c.MarkFlagsMutuallyExclusive("qr", "json")
	return c
}

func (m *mobileLinkFlags) digest(e env, c *cobra.Command, args []string) (hash [gost341194.Size]byte, err error) {
	switch {
	case c.Flags().Changed("text"):
		return gost341194.Sum256([]byte(m.text)), nil
	case c.Flags().Changed("challenge"):
		if _, err := hex.DecodeString(m.challenge); err != nil || m.challenge == "" {
			return hash, usagef("--challenge is hexadecimal, as the server gave it")
		}
		return gost341194.Sum256([]byte(m.challenge)), nil
	case c.Flags().Changed("hash"):
		raw, err := hex.DecodeString(m.hash)
		if err != nil || copy(hash[:], raw) != len(hash) || len(raw) != len(hash) {
			return hash, usagef("--hash is %d hexadecimal digits", 2*len(hash))
		}
		return hash, nil
	}
	in, err := e.openInput(args[0])
	if err != nil {
		return hash, err
	}
	defer in.Close()
	h := gost341194.New()
	if _, err := io.Copy(h, in); err != nil {
		return hash, fmt.Errorf("%s: %w", args[0], err)
	}
	h.Sum(hash[:0])
	return hash, nil
}

func (m *mobileLinkFlags) print(e env, code deeplink.Code) error {
	groups := code.Groups()
	made := madeLink{
		Code: code.String(), Link: code.URL(), SiteID: code.SiteID, DocumentID: code.DocumentID,
		Hash: hex.EncodeToString(code.Hash[:]), Groups: groups[:], File: m.png,
	}
	drawn, err := qr.Encode(made.Code)
	if err != nil {
		return err
	}
	if m.png != "" {
		image, err := drawn.PNG(m.scale)
		if err != nil {
			return usageError{fmt.Errorf("--scale: %w", err)}
		}
		if err := e.writeOutput(m.png, image, true); err != nil {
			return err
		}
	}
	switch {
	case m.png == stdio:
		return nil
	case m.asJSON:
		return e.printJSON(made)
	}
	if _, err := fmt.Fprintf(e.stdout, "code   %s\nlink   %s\nhash   %s %s %s %s\n", made.Code, made.Link, groups[0], groups[1], groups[2], groups[3]); err != nil || !m.qr {
		return err
	}
	picture := drawn.Text()
	if f, ok := e.stdout.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		picture = drawn.ANSI()
	}
	_, err = fmt.Fprint(e.stdout, "\n"+picture)
	return err
}
