package cert_test

import (
	"encoding/hex"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/internal/testpki/peer"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

func startBouncyCastle(t *testing.T) *peer.Proc {
	t.Helper()
	return peer.BouncyCastle(t).Start(t, "CertPeer", "testdata/CertPeer.java")
}

// ask returns the fields of a good answer; an error of BouncyCastle's is one
// here.
func ask(t *testing.T, bc *peer.Proc, words ...string) ([]string, error) {
	t.Helper()
	answer := strings.Split(bc.Ask(t, strings.Join(words, " ")), " ")
	if answer[0] != "ok" {
		return nil, fmt.Errorf("BouncyCastle: %s", strings.Join(answer, " "))
	}
	return answer[1:], nil
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// randomName returns a name of all string types and symbols, with everything
// in it that has to be escaped.
func randomName(r *mathrand.Rand) []byte {
	types := []string{
		"2.5.4.6", "2.5.4.10", "2.5.4.12", "2.5.4.11", "2.5.4.3", "2.5.4.7", "2.5.4.8", "2.5.4.5", "1.2.840.113549.1.9.1", "0.9.2342.19200300.100.1.25",
		"0.9.2342.19200300.100.1.1", "2.5.4.9", "2.5.4.4", "2.5.4.42", "2.5.4.43", "2.5.4.44", "2.5.4.45", "2.5.4.46", "2.5.4.65", "2.5.4.16", "2.5.4.41",
		"1.3.6.1.5.5.7.9.1", "1.3.6.1.5.5.7.9.2", "1.3.6.1.5.5.7.9.3", "1.3.6.1.5.5.7.9.4", "1.3.6.1.5.5.7.9.5", "1.3.36.8.3.14", "2.5.4.17", "2.5.4.15",
		"2.5.4.20", "1.2.840.113549.1.9.2", "1.2.840.113549.1.9.8", "1.2.860.3.16.1.1", "1.2.860.3.16.1.2", "1.2.3.4",
	}
	value := func() []byte {
		const ascii = ` ,"\+=<>;#aZ09.-`
		s := make([]rune, r.IntN(8))
		wide := r.IntN(2) == 0
		for i := range s {
			s[i] = rune(ascii[r.IntN(len(ascii))])
			if wide && r.IntN(3) == 0 {
				s[i] = []rune("ўЎқҒ‘é")[r.IntN(6)]
			}
		}
		// BouncyCastle loses a backslash at the start of a value, printing
		// (before "#") and parsing: two names become one. Ours do not.
		text := string(s)
		if strings.HasPrefix(text, `\`) {
			text = "x" + text
		}
		if wide {
			return [][]byte{ber.UTF8String(text), ber.BMPString(text)}[r.IntN(2)]
		}
		return [][]byte{
			ber.UTF8String(text), ber.PrintableString(text), ber.IA5String(text), ber.BMPString(text), ber.Tagged(ber.TagT61String, []byte(text)),
			ber.Tagged(ber.TagVisibleString, []byte(text)), ber.Tagged(ber.TagUniversalString, []byte{0, 0, 0, 'A'}), ber.Int64(5), ber.OctetString([]byte(text)),
		}[r.IntN(9)]
	}
	var rdns [][]byte
	for range r.IntN(5) {
		var attributes [][]byte
		for range 1 + r.IntN(5)/4 {
			attributes = append(attributes, ber.Sequence(ber.MustOID(types[r.IntN(len(types))]).DER(), value()))
		}
		rdns = append(rdns, ber.SetOf(attributes...))
	}
	return ber.Sequence(rdns...)
}

func TestBouncyCastlePrintsAndParsesNamesAlike(t *testing.T) {
	bc := startBouncyCastle(t)
	const seed = 20260103
	r := mathrand.New(mathrand.NewPCG(seed, seed))
	compared := 0
	for range 1500 {
		der := randomName(r)
		n := nameOf(t, der)
		theirs, err := ask(t, bc, "print", hex.EncodeToString(der))
		if err != nil {
			t.Fatal(err)
		}
		if want := string(unhex(t, theirs[0])); n.String() != want {
			t.Fatalf("%x\nprints as     %q\nBouncyCastle: %q", der, n, want)
		}

		// Both read the text back. BouncyCastle makes a GeneralizedTime of
		// DateOfBirth, where E-IMZO and we have text, and loses spaces
		// behind an escaped "#" at the start.
		text := n.String()
		if strings.Contains(text, "DateOfBirth") || strings.Contains(text, `=\# `) || text == "" {
			continue
		}
		back, err := cert.ParseName(text)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err = ask(t, bc, "parse", hex.EncodeToString([]byte(text)))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if misfit(back) {
			continue
		}
		if hex.EncodeToString(back.Raw) != theirs[0] {
			t.Fatalf("%q is\n%x, with BouncyCastle\n%s", text, back.Raw, theirs[0])
		}
		compared++
	}
	if compared < 500 {
		t.Errorf("only %d names compared", compared)
	}
}

// misfit tells whether some value does not fit the string type of its
// attribute: BouncyCastle writes that type nevertheless (a PrintableString with
// a letter of Uzbek, an IA5String with its low octet), we write UTF8String.
func misfit(n cert.Name) bool {
	for _, rdn := range n.RDNs {
		for _, a := range rdn {
			switch a.Type.String() {
			case "2.5.4.6", "2.5.4.5", "2.5.4.46", "2.5.4.20", "1.2.840.113549.1.9.1", "0.9.2342.19200300.100.1.25":
				if a.Raw.Tag == ber.TagUTF8String {
					return true
				}
			}
		}
	}
	return false
}

func TestBouncyCastleCertificatesParseAndVerify(t *testing.T) {
	bc := startBouncyCastle(t)
	at := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for _, spec := range []struct{ algorithm, parameter, signature string }{
		{"ECGOST3410", "GostR3410-2001-CryptoPro-A", "GOST3411withECGOST3410"},
		{"ECGOST3410", "GostR3410-2001-CryptoPro-B", "GOST3411withECGOST3410"},
		{"ECGOST3410", "GostR3410-2001-CryptoPro-C", "GOST3411withECGOST3410"},
		{"RSA", "2048", "SHA256withRSA"},
		{"RSA", "2048", "SHA384withRSAandMGF1"},
		{"EC", "secp256r1", "SHA256withECDSA"},
		{"EC", "secp521r1", "SHA512withECDSA"},
	} {
		t.Run(spec.parameter+" "+spec.signature, func(t *testing.T) {
			answer, err := ask(t, bc, "issue", spec.algorithm, spec.parameter, spec.signature)
			if err != nil {
				t.Fatal(err)
			}
			var certs []*cert.Certificate
			for _, s := range answer {
				c, err := cert.Parse(unhex(t, s))
				if err != nil {
					t.Fatalf("%v\n%s", err, s)
				}
				certs = append(certs, c)
			}
			user, ca, root := certs[0], certs[1], certs[2]
			if _, err := cert.BuildPath(user, cert.PathOptions{Anchors: cert.NewPool(root), Intermediates: certs, At: at}); err != nil {
				t.Fatal(err)
			}
			if user.Subject.String() != "CN=IVANOV IVAN,UID=400000000,1.2.860.3.16.1.2=30000000000000" || root.Subject.String() != "C=UZ,O=Ильдиз,CN=Root" {
				t.Errorf("subjects %s, %s", user.Subject, root.Subject)
			}
			if user.SerialHex() != "cfd4becd127e5063" || ca.SerialHex() != "-ff" {
				t.Errorf("serials %s, %s", user.SerialHex(), ca.SerialHex())
			}
			if user.KeyUsage != cert.KeyUsageDigitalSignature|cert.KeyUsageDecipherOnly || ca.BasicConstraints.MaxPathLen != 0 {
				t.Errorf("key usage %b, path length %d", user.KeyUsage, ca.BasicConstraints.MaxPathLen)
			}
			if string(ca.SubjectKeyID) != string(ca.PublicKey.KeyID()) || ca.AuthoritySerial.Cmp(root.Serial) != 0 || string(user.AuthorityKeyID) != string(ca.SubjectKeyID) {
				t.Error("key identifiers")
			}
			if len(user.OCSPServers) != 1 || user.OCSPServers[0] != "http://e-imzo.uz/cams/ocsp" || user.DNSNames[0] != "e-imzo.uz" {
				t.Errorf("addresses %v %v", user.OCSPServers, user.DNSNames)
			}
		})
	}
}

// bouncyDiffers lists the cases of path validation on which BouncyCastle
// judges otherwise, and why. It is only asked about paths that our search
// found, or the whole chain where it found none.
var bouncyDiffers = map[string]string{
	"leaf expired":                           "the leaf's time is for our callers to judge",
	"root expired":                           "an anchor is a name and a key to BouncyCastle",
	"root not valid yet":                     "an anchor is a name and a key to BouncyCastle",
	"root without basic constraints":         "an anchor is a name and a key to BouncyCastle",
	"root may not sign certificates":         "an anchor is a name and a key to BouncyCastle",
	"path length of the root exceeded":       "an anchor is a name and a key to BouncyCastle",
	"unknown critical extension in the root": "an anchor is a name and a key to BouncyCastle",
	"constraint of the root":                 "an anchor is a name and a key to BouncyCastle",
	"critical inhibitAnyPolicy":              "BouncyCastle has the policy tree",
	"eleven certificates":                    "BouncyCastle has no limit",
	"all DNS names excluded":                 "BouncyCastle takes the empty base for none",
	"mailbox not excluded":                   "BouncyCastle ignores the case of mailboxes, RFC 5280 7.5 does not",
	"constraint on addresses of sites":       "BouncyCastle processes URIs, and this leaf has none",
	"constraint with a minimum":              "BouncyCastle does not look at minimum",
	"constraint with a maximum":              "BouncyCastle does not look at maximum",
}

func TestBouncyCastleJudgesPathsAlike(t *testing.T) {
	bc := startBouncyCastle(t)
	for _, spec := range []string{"gost2001", "ecdsa:P-256"} {
		p := testpki.New(t, spec)
		for _, tc := range chainCases() {
			t.Run(spec+"/"+tc.name, func(t *testing.T) {
				c := tc.make(t, p)
				path, ours := c.build()
				if ours == nil && len(path.Certificates) < 2 {
					return // an anchor alone is no path to BouncyCastle
				}
				words := []string{"path", fmt.Sprint(c.at.UnixMilli())}
				if ours == nil {
					for _, x := range path.Certificates {
						words = append(words, hex.EncodeToString(x.Raw))
					}
				} else {
					if len(c.anchors) != 1 {
						return // BouncyCastle cannot be asked without an anchor
					}
					words = append(words, hex.EncodeToString(c.leaf.Raw))
					for _, x := range c.intermediates {
						if !x.Equal(c.leaf) && !x.Equal(c.anchors[0]) {
							words = append(words, hex.EncodeToString(x.Raw))
						}
					}
					words = append(words, hex.EncodeToString(c.anchors[0].Raw))
				}
				_, theirs := ask(t, bc, words...)
				compareVerdicts(t, "BouncyCastle", ours, theirs, bouncyDiffers[tc.name])
			})
		}
	}
}
