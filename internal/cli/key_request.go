package cli

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/pem"
	"fmt"

	"github.com/spf13/cobra"

	"imzo/pki/ber"
	"imzo/pki/cert"
)

type keyRequestFlags struct {
	key               keyFlags
	subject, out      string
	policies          []string
	der, text, asJSON bool
}

// madeRequest is what `imzo key request --json` prints.
type madeRequest struct {
	File     string   `json:"file,omitempty"`
	Subject  string   `json:"subject"`
	Key      string   `json:"key"`
	KeyID    string   `json:"keyId"`
	Policies []string `json:"policies"`
	// Request is the DER in base64 where it is written to no file.
	Request string `json:"request,omitempty"`
}

func newKeyRequest(e env) *cobra.Command {
	var k keyRequestFlags
	c := &cobra.Command{
		Use:   "request FILE|- [-o OUT]",
		Short: "Make a request for a certificate (PKCS#10)",
		Long: `Make a request for a certificate of a key (PKCS#10, RFC 2986), as E-IMZO writes
it, to be sent to a certification authority. It is signed with the key and
holds no secret.

The name is that of the key's certificate unless --subject gives another. Each
--policy asks for a purpose. 'imzo inspect' shows a request.`,
		Example: `  imzo key request ivanov.pfx -o ivanov.p10
  imzo key request --subject 'CN=IVANOV IVAN,1.2.860.3.16.1.2=30000000000000' --policy 1.2.860.3.2.2.1.2.1 key.yks
  imzo key request --base64 key.pfx | curl -d @- http://ca.example.uz/request`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			k.key.file = args[0]
			return k.run(e)
		},
	}
	f := c.Flags()
	f.StringVar(&k.key.passwordFile, "password-file", "", passwordFileHelp)
	f.StringVar(&k.key.alias, "alias", "", "which key, when the file holds several: the `ALIAS` or a part of it")
	f.StringVar(&k.subject, "subject", "", "distinguished `NAME` to ask for, such as CN=IVANOV IVAN,C=UZ")
	f.StringArrayVar(&k.policies, "policy", nil, "`OID` of a certificate policy to ask for; may be repeated")
	f.StringVarP(&k.out, "output", "o", "", "`FILE` for the request (default standard output)")
	f.BoolVar(&k.der, "der", false, "write binary DER, not PEM")
	f.BoolVar(&k.text, "base64", false, "write the DER in base64 on one line, as E-IMZO gives it to sites")
	f.BoolVar(&k.asJSON, "json", false, "print one JSON object")
	c.MarkFlagsMutuallyExclusive("der", "base64")
	return c
}

func (k *keyRequestFlags) run(e env) error {
	if err := oneStdin(k.key.file, k.key.passwordFile); err != nil {
		return err
	}
	if err := keepsFile(k.out, k.key.file, k.key.passwordFile); err != nil {
		return err
	}
	template, err := k.template()
	if err != nil {
		return err
	}
	file, err := k.key.openFile(e)
	if err != nil {
		return err
	}
	defer file.wipe()
	entry, err := k.key.choose(file.entries)
	if err != nil {
		return err
	}
	if k.subject == "" {
		if len(entry.Chain) == 0 {
			return usagef("%s: the key has no certificate to take the name from; give --subject", k.key.file)
		}
		template.Subject = entry.Chain[0].Subject
	}
	der, err := cert.CreateRequest(rand.Reader, template, entry.Key)
	if err != nil {
		return err
	}
	toFile := k.out != "" && k.out != stdio
	if toFile || !k.asJSON {
		if err := e.writeOutput(k.out, k.encode(der), k.der); err != nil {
			return err
		}
	}
	if !k.asJSON {
		return nil
	}
	public := entry.Key.PublicKey()
	made := madeRequest{Subject: template.Subject.String(), Key: public.Name(), KeyID: fmt.Sprintf("%x", public.KeyID()), Policies: []string{}}
	made.Policies = append(made.Policies, k.policies...)
	if toFile {
		made.File = k.out
	} else {
		made.Request = base64.StdEncoding.EncodeToString(der)
	}
	return e.printJSON(made)
}

// template reads what the flags ask for.
func (k *keyRequestFlags) template() (cert.RequestTemplate, error) {
	var t cert.RequestTemplate
	for _, p := range k.policies {
		oid, err := ber.ParseOID(p)
		if err != nil {
			return t, usageError{fmt.Errorf("--policy %s: %w", p, err)}
		}
		t.Policies = append(t.Policies, oid)
	}
	if k.subject == "" {
		return t, nil
	}
	name, err := cert.ParseName(k.subject)
	if err != nil {
		return t, usageError{fmt.Errorf("--subject: %w", err)}
	}
	t.Subject = name
	return t, nil
}

func (k *keyRequestFlags) encode(der []byte) []byte {
	switch {
	case k.der:
		return der
	case k.text:
		return base64Line(der)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}
