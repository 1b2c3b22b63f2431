package cli

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/spf13/cobra"

	"imzo/internal/trust"
	"imzo/pki/alg"
	"imzo/pki/cms"
	"imzo/pki/tsp"
)

// stampFunc gets a token over a message.
type stampFunc func(ctx context.Context, d *alg.Digest, message []byte) (*tsp.Token, error)

type timestampFlags struct {
	url, dir, out, digest string
	text, data, asJSON    bool
}

func newTimestampCommand(e env) *cobra.Command {
	var t timestampFlags
	c := &cobra.Command{
		Use:   "timestamp (--tsa URL | --dir FOLDER) FILE|-",
		Short: "Add timestamps to a PKCS#7 document",
		Long: `Add an RFC 3161 timestamp token to every signature of a PKCS#7 document that
has none. The token comes from a timestamp authority, or without a network
from the hierarchy in a folder of 'imzo trust'. With --data FILE is any file,
and the result is a token over it.

The result goes to standard output, or to the file of -o, which may be FILE
itself. With -o, --json prints what was made.`,
		Example: `  imzo timestamp --tsa http://127.0.0.1:8090/cams/tst -o stamped.p7s contract.p7s
  imzo timestamp --dir imzo-trust --base64 contract.p7s
  imzo timestamp --tsa http://127.0.0.1:8090/cams/tst --data -o photo.tst photo.jpg`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return t.run(c.Context(), e, args[0]) },
	}
	f := c.Flags()
	f.StringVar(&t.url, "tsa", "", "`URL` of the timestamp authority")
	f.StringVar(&t.dir, "dir", "", "`FOLDER` of a hierarchy, to stamp without a network")
	f.BoolVar(&t.data, "data", false, "make a token over the file itself")
	f.StringVar(&t.digest, "alg", "OZDST-1106-2009-2-A", "with --data: `DIGEST` of the file")
	f.BoolVar(&t.text, "base64", false, "write base64 on one line")
	f.StringVarP(&t.out, "output", "o", "", "`FILE` to write, instead of standard output")
	f.BoolVar(&t.asJSON, "json", false, "with -o: print what was made as one JSON object")
	c.MarkFlagsMutuallyExclusive("tsa", "dir")
	c.MarkFlagsOneRequired("tsa", "dir")
	return c
}

func (t *timestampFlags) run(ctx context.Context, e env, name string) error {
	if err := jsonNeedsFile(t.asJSON, t.out); err != nil {
		return err
	}
	if t.data {
		if err := keepsFile(t.out, name); err != nil {
			return err
		}
	}
	stamp, err := t.authority(e)
	if err != nil {
		return err
	}
	input, err := e.readInput(name)
	if err != nil {
		return err
	}
	if t.data {
		return t.stampData(ctx, e, input, stamp)
	}
	document, err := e.stampDocument(ctx, name, input, stamp)
	if err != nil {
		return err
	}
	return e.writeDocument(document, t.out, t.text, t.asJSON)
}

// authority returns where tokens come from.
func (t *timestampFlags) authority(e env) (stampFunc, error) {
	if t.dir == "" {
		return func(ctx context.Context, d *alg.Digest, message []byte) (*tsp.Token, error) {
			return (&tsp.Client{Now: e.now}).Stamp(ctx, t.url, d, message)
		}, nil
	}
	authority, err := trust.Open(t.dir, trust.Options{Now: e.now})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, d *alg.Digest, message []byte) (*tsp.Token, error) {
		nonce, err := tsp.NewNonce(rand.Reader)
		if err != nil {
			return nil, err
		}
		request := tsp.NewRequest(d, d.Sum(message), nonce, true)
		response, err := tsp.ParseResponse(authority.Timestamp(ctx, request.Marshal()))
		if err != nil {
			return nil, err
		}
		return response.Check(request)
	}, nil
}

func (t *timestampFlags) stampData(ctx context.Context, e env, input []byte, stamp stampFunc) error {
	d, err := alg.DigestByName(t.digest)
	if err != nil {
		return usageError{err}
	}
	token, err := stamp(ctx, d, input)
	if err != nil {
		return err
	}
	b := token.Raw
	if t.text {
		b = base64Line(b)
	}
	if err := e.writeOutput(t.out, b, !t.text); err != nil || !t.asJSON {
		return err
	}
	return e.printJSON(struct {
		File         string `json:"file"`
		Size         int    `json:"size"`
		Base64       bool   `json:"base64"`
		Time         string `json:"time"`
		SerialNumber string `json:"serialNumber"`
		Policy       string `json:"policy"`
		Digest       string `json:"digest"`
	}{
		t.out, len(b), t.text, token.Info.GenTime.UTC().Format("2006-01-02T15:04:05.999999999Z07:00"),
		token.Info.Serial.Text(16), token.Info.Policy.String(), fmt.Sprintf("%x", token.Info.HashedMessage),
	})
}

// stampDocument stamps every signature without a token, and says which.
func (e env) stampDocument(ctx context.Context, name string, input []byte, stamp stampFunc) ([]byte, error) {
	signed, err := parseDocument(name, input)
	if err != nil {
		return nil, err
	}
	if len(signed.SignerInfos) == 0 {
		return nil, fmt.Errorf("%s: the document has no signatures", name)
	}
	for i, si := range signed.SignerInfos {
		tokens, err := si.TimeStampTokens()
		if err != nil {
			return nil, err
		}
		if len(tokens) > 0 {
			fmt.Fprintf(e.stderr, "signature %d has a timestamp already\n", i+1)
			continue
		}
		d, err := si.Digest()
		if err != nil {
			return nil, err
		}
		token, err := stamp(ctx, d, si.Signature)
		if err != nil {
			return nil, err
		}
		next, err := signed.AddUnsignedAttribute(i, cms.NewAttribute(cms.OIDTimeStampToken, token.Raw))
		if err != nil {
			return nil, err
		}
		if signed, err = cms.Parse(next); err != nil {
			return nil, err
		}
		fmt.Fprintf(e.stderr, "signature %d stamped at %s\n", i+1, localTime(token.Info.GenTime))
	}
	return signed.Raw, nil
}
