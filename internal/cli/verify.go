package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"imzo/internal/revocation"
	"imzo/internal/roots"
	"imzo/pki/armor"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/verify"
)

type verifyFlags struct {
	contentFile, extract    string
	ocspURLs                []string
	trustFiles              []string
	offline, strict, asJSON bool
}

func newVerifyCommand(e env) *cobra.Command {
	var v verifyFlags
	c := &cobra.Command{
		Use:   "verify FILE|-",
		Short: "Check a PKCS#7 document",
		Long: `Check every signature of a PKCS#7 document: digest, signature, certificate
chain, validity, timestamp and revocation. Exits 0 only when the document is
valid, and 1 when it is not or cannot be checked.

Certificates are trusted up to the root of Uzbekistan's production hierarchy,
or up to the ones given with --trust. Revocation is asked by OCSP at the
address in the certificates or at --ocsp; without an answer the document is
not valid. --offline leaves revocation out, and the report says so.`,
		Example: `  imzo verify contract.p7s
  imzo verify --content contract.pdf contract.pdf.p7s
  imzo verify --trust root.pem --offline --json contract.p7s
  imzo verify --extract contract.pdf contract.p7s`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return v.run(c.Context(), e, args[0]) },
	}
	f := c.Flags()
	f.StringVar(&v.contentFile, "content", "", "`FILE` with the content of a detached document")
	f.StringArrayVar(&v.trustFiles, "trust", nil, "`FILE` with trusted root certificates, PEM or DER (may be repeated; default: Uzbekistan's production root)")
	f.StringArrayVar(&v.ocspURLs, "ocsp", nil, "`URL` of an OCSP responder, instead of those in the certificates; may be repeated, for when one does not answer")
	f.BoolVar(&v.offline, "offline", false, "do not check revocation")
	f.BoolVar(&v.strict, "strict", false, "a certificate revoked after its timestamp does not count either")
	f.StringVar(&v.extract, "extract", "", "write the content of a valid document to `FILE`")
	f.BoolVar(&v.asJSON, "json", false, "print the report as JSON")
	c.MarkFlagsMutuallyExclusive("offline", "ocsp")
	c.MarkFlagsMutuallyExclusive("offline", "strict")
	return c
}

func (v *verifyFlags) run(ctx context.Context, e env, name string) error {
	if err := oneStdin(append([]string{name, v.contentFile}, v.trustFiles...)...); err != nil {
		return err
	}
	if err := keepsFile(v.extract, append([]string{name, v.contentFile}, v.trustFiles...)...); err != nil {
		return err
	}
	anchors, err := e.loadAnchors(v.trustFiles)
	if err != nil {
		return err
	}
	input, err := e.readInput(name)
	if err != nil {
		return err
	}
	document, decodeErr := armor.Decode(input)
	if decodeErr == nil {
		if err := v.checkContent(name, document); err != nil {
			return err
		}
	}
	var content []byte
	if v.contentFile != "" {
		if content, err = e.readInput(v.contentFile); err != nil {
			return err
		}
	}
	o := verify.Options{Anchors: anchors, Now: e.now, StrictRevocation: v.strict, SkipRevocation: v.offline}
	if !v.offline {
		o.Revocation = revocation.New(revocation.Options{URLs: v.ocspURLs, Now: e.now})
	}
	report := &verify.Report{Indication: verify.TotalFailed, SubIndication: verify.FormatFailure, At: e.now(), Format: decodeErr}
	if decodeErr == nil {
		if report, err = verify.Document(ctx, document, content, o); err != nil {
			return err
		}
	}
	if err := v.print(e, name, report); err != nil {
		return err
	}
	if !report.Valid() {
		return errSilent
	}
	if v.extract != "" {
		return e.writeOutput(v.extract, report.Content, true)
	}
	return nil
}

// checkContent refuses a call that cannot lead to a verdict: content that is
// missing, or content given twice. A document that cannot be read is left to
// the report.
func (v *verifyFlags) checkContent(name string, document []byte) error {
	signed, err := cms.Parse(document)
	if err != nil {
		return nil // the report says it
	}
	switch {
	case signed.Detached() && v.contentFile == "":
		return usagef("%s is detached, the signed content is in a file of its own: give it with --content %s", name, guessContent(name))
	case !signed.Detached() && v.contentFile != "":
		return usagef("%s has its content inside: leave --content out, or take the content out with --extract and compare", name)
	case signed.Detached() && v.extract != "":
		return usagef("%s is detached: there is no content in it to extract", name)
	}
	return nil
}

// guessContent finds the file that a detached signature is probably of:
// contract.pdf of contract.pdf.p7s.
func guessContent(name string) string {
	for _, suffix := range []string{".p7s", ".p7b", ".p7", ".pkcs7", ".sig", ".sign"} {
		if stem, ok := strings.CutSuffix(name, suffix); ok {
			if info, err := os.Stat(stem); err == nil && info.Mode().IsRegular() {
				return stem
			}
		}
	}
	return "FILE"
}

func (v *verifyFlags) print(e env, name string, report *verify.Report) error {
	if v.extract == stdio {
		e.stdout = e.stderr // standard output is the content's
	}
	if v.asJSON {
		return e.printJSON(report)
	}
	fmt.Fprintf(e.stdout, "%s\n\n", headline(name, report))
	if err := report.WriteText(e.stdout); err != nil {
		return err
	}
	return writeAdvice(e.stdout, v.advise(report))
}

func writeAdvice(w io.Writer, advice []string) error {
	if len(advice) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "\nwhat to do:\n  - %s\n", strings.Join(advice, "\n  - "))
	return err
}

func (e env) loadAnchors(files []string) (*cert.Pool, error) {
	if len(files) == 0 {
		return roots.Production()
	}
	pool := cert.NewPool()
	for _, name := range files {
		b, err := e.readInput(name)
		if err != nil {
			return nil, err
		}
		certs, err := cert.ParseAll(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, c := range certs {
			pool.Add(c)
		}
	}
	return pool, nil
}
