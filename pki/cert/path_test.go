package cert_test

import (
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
)

// chain is a case of path building.
type chain struct {
	leaf          *cert.Certificate
	intermediates []*cert.Certificate
	anchors       []*cert.Certificate
	at            time.Time
}

func (c chain) build() (*cert.Path, error) {
	return cert.BuildPath(c.leaf, cert.PathOptions{Anchors: cert.NewPool(c.anchors...), Intermediates: c.intermediates, At: c.at})
}

// accept marks a case that has a valid path.
const accept = cert.Reason("")

type chainCase struct {
	name string
	make func(t *testing.T, p *testpki.PKI) chain
	want cert.Reason
	// differs tells why crypto/x509 judges otherwise; empty where it must
	// agree.
	differs string
}

// below issues root, CA, leaf, with changes to the two CA certificates.
func below(t *testing.T, p *testpki.PKI, root, ca func(*cert.Template)) chain {
	t.Helper()
	r := p.SelfSigned(t, root, p.KeySpec)
	c := p.Issue(t, r, func(tm *cert.Template) {
		testpki.CATemplate(t, tm, "CN=TestCA,O=test.e-imzo.uz")
		ca(tm)
	}, p.KeySpec)
	return leafOf(t, p, c)
}

// leafOf issues a leaf of the CA, with the root of its chain as the anchor.
func leafOf(t *testing.T, p *testpki.PKI, ca testpki.Entity, mods ...func(*cert.Template)) chain {
	t.Helper()
	leaf := p.Issue(t, ca, func(tm *cert.Template) {
		tm.Subject = testpki.Name(t, "CN=leaf")
		tm.KeyUsage = testpki.UserKeyUsage
		for _, mod := range mods {
			mod(tm)
		}
	}, p.KeySpec)
	n := len(leaf.Chain)
	return chain{leaf.Cert, leaf.Chain[1 : n-1], leaf.Chain[n-1:], p.Now}
}

// deeper issues a CA below another.
func deeper(t *testing.T, p *testpki.PKI, issuer testpki.Entity, subject string, mods ...func(*cert.Template)) testpki.Entity {
	t.Helper()
	return p.Issue(t, issuer, func(tm *cert.Template) {
		testpki.CATemplate(t, tm, subject)
		for _, mod := range mods {
			mod(tm)
		}
	}, p.KeySpec)
}

func unchanged(*cert.Template) {}

func pathLen(n int) func(*cert.Template) {
	return func(tm *cert.Template) { tm.BasicConstraints.MaxPathLen = n }
}

func critical(oid string) func(*cert.Template) {
	return func(tm *cert.Template) {
		tm.Extra = append(tm.Extra, cert.Extension{OID: ber.MustOID(oid), Critical: true, Value: ber.Null()})
	}
}

func constrained(n cert.NameConstraints) func(*cert.Template) {
	return func(tm *cert.Template) { tm.NameConstraints = &n }
}

// named is a CA template change plus leaf names, for name constraints.
func named(n cert.NameConstraints, leaf func(*cert.Template)) func(t *testing.T, p *testpki.PKI) chain {
	return func(t *testing.T, p *testpki.PKI) chain {
		t.Helper()
		return leafOf(t, p, deeper(t, p, p.Root, "CN=TestCA", constrained(n)), leaf)
	}
}

func dns(names ...string) func(*cert.Template) {
	return func(tm *cert.Template) { tm.DNSNames = names }
}

func email(names ...string) func(*cert.Template) {
	return func(tm *cert.Template) { tm.EmailAddresses = names }
}

func name(text string) cert.Name {
	n, err := cert.ParseName(text)
	if err != nil {
		panic(err)
	}
	return n
}

func subnet(s string) *net.IPNet {
	_, n, err := net.ParseCIDR(s)
	if err != nil {
		panic(err)
	}
	return n
}

func chainCases() []chainCase {
	return []chainCase{
		{"good", func(t *testing.T, p *testpki.PKI) chain { return below(t, p, unchanged, unchanged) }, accept, ""},
		{"leaf of the root", func(t *testing.T, p *testpki.PKI) chain { return leafOf(t, p, p.Root) }, accept, ""},
		{"CA as anchor", func(t *testing.T, p *testpki.PKI) chain {
			c := below(t, p, unchanged, unchanged)
			c.anchors, c.intermediates = c.intermediates, nil
			return c
		}, accept, ""},
		{"leaf as anchor", func(t *testing.T, p *testpki.PKI) chain {
			c := below(t, p, unchanged, unchanged)
			c.anchors, c.intermediates = []*cert.Certificate{c.leaf}, nil
			return c
		}, accept, ""},
		{"no anchors", func(t *testing.T, p *testpki.PKI) chain {
			c := below(t, p, unchanged, unchanged)
			c.intermediates, c.anchors = append(slices.Clone(c.intermediates), c.anchors...), nil
			return c
		}, cert.NoPath, ""},
		{"CA missing", func(t *testing.T, p *testpki.PKI) chain {
			c := below(t, p, unchanged, unchanged)
			c.intermediates = nil
			return c
		}, cert.NoPath, ""},
		{"another root", func(t *testing.T, p *testpki.PKI) chain {
			c := below(t, p, unchanged, unchanged)
			c.anchors = p.SelfSigned(t, func(tm *cert.Template) { tm.Subject = testpki.Name(t, "CN=Other") }, p.KeySpec).Chain
			return c
		}, cert.NoPath, ""},
		{"another root of the same name", func(t *testing.T, p *testpki.PKI) chain {
			c := below(t, p, unchanged, unchanged)
			c.anchors = p.SelfSigned(t, unchanged, p.KeySpec).Chain
			return c
		}, cert.BadSignature, ""},
		{"both roots of the same name", func(t *testing.T, p *testpki.PKI) chain {
			c := below(t, p, unchanged, unchanged)
			c.anchors = append(p.SelfSigned(t, unchanged, p.KeySpec).Chain, c.anchors...)
			return c
		}, accept, ""},
		{"self-signed leaf", func(t *testing.T, p *testpki.PKI) chain {
			e := p.SelfSigned(t, func(tm *cert.Template) { tm.Subject = testpki.Name(t, "CN=self") }, p.KeySpec)
			return chain{e.Cert, []*cert.Certificate{e.Cert}, p.Root.Chain, p.Now}
		}, cert.NoPath, ""},
		{"self-signed leaf as anchor", func(t *testing.T, p *testpki.PKI) chain {
			e := p.SelfSigned(t, func(tm *cert.Template) { tm.Subject = testpki.Name(t, "CN=self") }, p.KeySpec)
			return chain{e.Cert, nil, e.Chain, p.Now}
		}, accept, ""},

		{"CA expired", func(t *testing.T, p *testpki.PKI) chain {
			return below(t, p, unchanged, func(tm *cert.Template) { tm.NotAfter = p.Now.Add(-time.Second) })
		}, cert.Expired, ""},
		{"CA not valid yet", func(t *testing.T, p *testpki.PKI) chain {
			return below(t, p, unchanged, func(tm *cert.Template) { tm.NotBefore = p.Now.Add(time.Second) })
		}, cert.NotYetValid, ""},
		{"root expired", func(t *testing.T, p *testpki.PKI) chain {
			return below(t, p, func(tm *cert.Template) { tm.NotAfter = p.Now.Add(-time.Second) }, unchanged)
		}, cert.Expired, ""},
		{"root not valid yet", func(t *testing.T, p *testpki.PKI) chain {
			return below(t, p, func(tm *cert.Template) { tm.NotBefore = p.Now.Add(time.Second) }, unchanged)
		}, cert.NotYetValid, ""},
		{"leaf expired", func(t *testing.T, p *testpki.PKI) chain {
			return leafOf(t, p, p.CA, func(tm *cert.Template) { tm.NotAfter = p.Now.Add(-time.Hour) })
		}, accept, "the leaf's time is for our callers to judge"},

		{"no CA bit", func(t *testing.T, p *testpki.PKI) chain {
			return below(t, p, unchanged, func(tm *cert.Template) { tm.BasicConstraints = &cert.BasicConstraints{MaxPathLen: -1} })
		}, cert.NotCA, ""},
		{"no basic constraints", func(t *testing.T, p *testpki.PKI) chain {
			return below(t, p, unchanged, func(tm *cert.Template) { tm.BasicConstraints = nil })
		}, cert.NotCA, ""},
		{"root without basic constraints", func(t *testing.T, p *testpki.PKI) chain {
			return below(t, p, func(tm *cert.Template) { tm.BasicConstraints = nil }, unchanged)
		}, cert.NotCA, ""},
		{"version 1 CA", func(t *testing.T, p *testpki.PKI) chain {
			return below(t, p, unchanged, func(tm *cert.Template) { tm.Version1 = true })
		}, cert.NotCA, ""},
		{"version 1 root", func(t *testing.T, p *testpki.PKI) chain {
			return below(t, p, func(tm *cert.Template) { tm.Version1 = true }, unchanged)
		}, accept, ""},
		{"user as CA", func(t *testing.T, p *testpki.PKI) chain {
			return leafOf(t, p, p.User(t, testpki.Person))
		}, cert.NotCA, ""},
		{"CA may not sign certificates", func(t *testing.T, p *testpki.PKI) chain {
			return below(t, p, unchanged, func(tm *cert.Template) { tm.KeyUsage = cert.KeyUsageCRLSign })
		}, cert.NoCertSign, ""},
		{"root may not sign certificates", func(t *testing.T, p *testpki.PKI) chain {
			return below(t, p, func(tm *cert.Template) { tm.KeyUsage = cert.KeyUsageCRLSign }, unchanged)
		}, cert.NoCertSign, ""},
		{"CA without key usage", func(t *testing.T, p *testpki.PKI) chain {
			return below(t, p, unchanged, func(tm *cert.Template) { tm.KeyUsage = 0 })
		}, accept, ""},

		{"path length 0 kept", func(t *testing.T, p *testpki.PKI) chain { return below(t, p, unchanged, pathLen(0)) }, accept, ""},
		{"path length 0 exceeded", func(t *testing.T, p *testpki.PKI) chain {
			return leafOf(t, p, deeper(t, p, deeper(t, p, p.Root, "CN=CA1", pathLen(0)), "CN=CA2"))
		}, cert.PathLenExceeded, ""},
		{"path length 1 kept", func(t *testing.T, p *testpki.PKI) chain {
			return leafOf(t, p, deeper(t, p, deeper(t, p, p.Root, "CN=CA1", pathLen(1)), "CN=CA2", pathLen(0)))
		}, accept, ""},
		{"path length of the root exceeded", func(t *testing.T, p *testpki.PKI) chain { return below(t, p, pathLen(0), unchanged) }, cert.PathLenExceeded, ""},
		{"path length widened by a CA below", func(t *testing.T, p *testpki.PKI) chain {
			return leafOf(t, p, deeper(t, p, deeper(t, p, deeper(t, p, p.Root, "CN=CA1", pathLen(1)), "CN=CA2", pathLen(5)), "CN=CA3"))
		}, cert.PathLenExceeded, ""},
		{"self-issued CA does not count", func(t *testing.T, p *testpki.PKI) chain {
			return leafOf(t, p, deeper(t, p, deeper(t, p, p.Root, "CN=CA1", pathLen(0)), "CN=CA1", pathLen(0)))
		}, accept, "crypto/x509 counts self-issued certificates, RFC 5280 6.1.4 (l) does not"},

		{"wrong issuer name", func(t *testing.T, p *testpki.PKI) chain {
			c := leafOf(t, p, p.CA)
			renamed := p.Issue(t, p.Root, func(tm *cert.Template) {
				testpki.CATemplate(t, tm, "CN=Renamed")
				tm.PublicKey = p.CA.Key.PublicKey()
			}, p.KeySpec)
			c.intermediates = []*cert.Certificate{renamed.Cert}
			return c
		}, cert.NoPath, ""},
		{"issuer name in another case and string type", func(t *testing.T, p *testpki.PKI) chain {
			c := leafOf(t, p, p.CA)
			name := testpki.Name(t, "CN=#1306746573746361,O=TEST.e-imzo.uz")
			c.intermediates = []*cert.Certificate{p.Issue(t, p.Root, func(tm *cert.Template) {
				testpki.CATemplate(t, tm, "CN=x")
				tm.Subject, tm.PublicKey = name, p.CA.Key.PublicKey()
			}, p.KeySpec).Cert}
			return c
		}, accept, "crypto/x509 compares names octet by octet"},
		{"wrong signature", func(t *testing.T, p *testpki.PKI) chain {
			c := leafOf(t, p, p.CA)
			c.intermediates = []*cert.Certificate{deeper(t, p, p.Root, "CN=TestCA,O=test.e-imzo.uz").Cert}
			return c
		}, cert.BadSignature, ""},
		{"same key under two names", func(t *testing.T, p *testpki.PKI) chain {
			c := leafOf(t, p, p.CA)
			c.intermediates = append(p.Issue(t, p.Root, func(tm *cert.Template) {
				testpki.CATemplate(t, tm, "CN=Renamed")
				tm.PublicKey = p.CA.Key.PublicKey()
			}, p.KeySpec).Chain[:1:1], c.intermediates...)
			return c
		}, accept, ""},
		{"wrong authority key identifier", func(t *testing.T, p *testpki.PKI) chain {
			return leafOf(t, p, p.CA, func(tm *cert.Template) {
				tm.Extra = []cert.Extension{{OID: cert.OIDAuthorityKeyID, Value: ber.Sequence(ber.Tagged(ber.Context(0), []byte{1, 2, 3}))}}
			})
		}, accept, ""},

		{"unknown critical extension in the leaf", func(t *testing.T, p *testpki.PKI) chain {
			return leafOf(t, p, p.CA, critical("1.2.3.4"))
		}, cert.UnhandledCritical, ""},
		{"unknown critical extension in the CA", func(t *testing.T, p *testpki.PKI) chain {
			return below(t, p, unchanged, critical("1.2.3.4"))
		}, cert.UnhandledCritical, ""},
		{"unknown critical extension in the root", func(t *testing.T, p *testpki.PKI) chain {
			return below(t, p, critical("1.2.3.4"), unchanged)
		}, cert.UnhandledCritical, ""},
		{"critical policy constraints", func(t *testing.T, p *testpki.PKI) chain {
			return below(t, p, unchanged, func(tm *cert.Template) {
				tm.Extra = []cert.Extension{{OID: ber.MustOID("2.5.29.36"), Critical: true, Value: ber.Sequence(ber.Tagged(ber.Context(0), []byte{0}))}}
			})
		}, cert.UnhandledCritical, ""},
		{"critical inhibitAnyPolicy", func(t *testing.T, p *testpki.PKI) chain {
			return below(t, p, unchanged, func(tm *cert.Template) {
				tm.Extra = []cert.Extension{{OID: ber.MustOID("2.5.29.54"), Critical: true, Value: ber.Int64(0)}}
			})
		}, cert.UnhandledCritical, "crypto/x509 has the policy tree"},

		{"loop without an anchor", func(t *testing.T, p *testpki.PKI) chain {
			a := p.SelfSigned(t, func(tm *cert.Template) { tm.Subject = testpki.Name(t, "CN=A") }, p.KeySpec)
			b := deeper(t, p, a, "CN=B")
			back := p.Issue(t, b, func(tm *cert.Template) {
				testpki.CATemplate(t, tm, "CN=A")
				tm.PublicKey = a.Key.PublicKey()
			}, p.KeySpec)
			c := leafOf(t, p, b)
			c.intermediates = []*cert.Certificate{b.Cert, back.Cert, a.Cert}
			c.anchors = p.Root.Chain
			return c
		}, cert.NoPath, ""},
		{"cross-signed by an expired and a valid root", func(t *testing.T, p *testpki.PKI) chain {
			old := p.SelfSigned(t, func(tm *cert.Template) {
				tm.Subject, tm.NotAfter = testpki.Name(t, "CN=Old"), p.Now.Add(-time.Hour)
			}, p.KeySpec)
			cross := p.Issue(t, old, func(tm *cert.Template) {
				testpki.CATemplate(t, tm, "CN=TestCA,O=test.e-imzo.uz")
				tm.PublicKey = p.CA.Key.PublicKey()
			}, p.KeySpec)
			c := leafOf(t, p, p.CA)
			c.intermediates = []*cert.Certificate{cross.Cert, p.CA.Cert}
			c.anchors = []*cert.Certificate{old.Cert, p.Root.Cert}
			return c
		}, accept, ""},
		{"cross-signed by an unknown and a known root", func(t *testing.T, p *testpki.PKI) chain {
			unknown := p.SelfSigned(t, func(tm *cert.Template) { tm.Subject = testpki.Name(t, "CN=Unknown") }, p.KeySpec)
			cross := p.Issue(t, unknown, func(tm *cert.Template) {
				testpki.CATemplate(t, tm, "CN=TestCA,O=test.e-imzo.uz")
				tm.PublicKey = p.CA.Key.PublicKey()
			}, p.KeySpec)
			c := leafOf(t, p, p.CA)
			c.intermediates = []*cert.Certificate{cross.Cert, unknown.Cert, p.CA.Cert, p.Root.Cert}
			return c
		}, accept, ""},
		{"new root certificate for the same key", func(t *testing.T, p *testpki.PKI) chain {
			renewed, err := cert.Create(rand.Reader, &cert.Template{
				Subject: p.Root.Cert.Subject, NotBefore: p.Now, NotAfter: p.Now.AddDate(1, 0, 0),
				BasicConstraints: &cert.BasicConstraints{IsCA: true, MaxPathLen: -1},
			}, nil, p.Root.Key)
			if err != nil {
				t.Fatal(err)
			}
			c := leafOf(t, p, p.CA)
			c.anchors = []*cert.Certificate{renewed}
			return c
		}, accept, ""},
		{"ten certificates", func(t *testing.T, p *testpki.PKI) chain { return leafOf(t, p, tower(t, p, 8)) }, accept, ""},
		{"eleven certificates", func(t *testing.T, p *testpki.PKI) chain { return leafOf(t, p, tower(t, p, 9)) }, cert.LimitExceeded, "crypto/x509 has no limit of depth"},

		{"DNS name permitted", named(cert.NameConstraints{Permitted: cert.Subtrees{DNS: []string{"e-imzo.uz"}}}, dns("test.e-imzo.uz", "E-IMZO.uz")), accept, ""},
		{"DNS name not permitted", named(cert.NameConstraints{Permitted: cert.Subtrees{DNS: []string{"e-imzo.uz"}}}, dns("test.e-imzo.uz", "bad-e-imzo.uz")), cert.NameViolation, ""},
		{"DNS name excluded", named(cert.NameConstraints{Excluded: cert.Subtrees{DNS: []string{"bad.uz"}}}, dns("a.bad.uz")), cert.NameViolation, ""},
		{"DNS name not excluded", named(cert.NameConstraints{Excluded: cert.Subtrees{DNS: []string{"bad.uz"}}}, dns("good.uz")), accept, ""},
		{"all DNS names excluded", named(cert.NameConstraints{Excluded: cert.Subtrees{DNS: []string{""}}}, dns("good.uz")), cert.NameViolation, ""},
		{"DNS constraint without DNS names", named(cert.NameConstraints{Permitted: cert.Subtrees{DNS: []string{"e-imzo.uz"}}}, unchanged), accept, ""},
		{"e-mail host permitted", named(cert.NameConstraints{Permitted: cert.Subtrees{Email: []string{"e-imzo.uz"}}}, email("a@E-imzo.uz")), accept, ""},
		{"e-mail host not permitted", named(cert.NameConstraints{Permitted: cert.Subtrees{Email: []string{"e-imzo.uz"}}}, email("a@x.e-imzo.uz")), cert.NameViolation, "crypto/x509 lets a host name stand for its domain"},
		{"e-mail domain permitted", named(cert.NameConstraints{Permitted: cert.Subtrees{Email: []string{".e-imzo.uz"}}}, email("a@x.e-imzo.uz")), accept, ""},
		{"e-mail domain not permitted", named(cert.NameConstraints{Permitted: cert.Subtrees{Email: []string{".e-imzo.uz"}}}, email("a@e-imzo.uz")), cert.NameViolation, ""},
		{"mailbox excluded", named(cert.NameConstraints{Excluded: cert.Subtrees{Email: []string{"a@e-imzo.uz"}}}, email("a@e-imzo.uz")), cert.NameViolation, ""},
		{"mailbox not excluded", named(cert.NameConstraints{Excluded: cert.Subtrees{Email: []string{"a@e-imzo.uz"}}}, email("A@e-imzo.uz", "b@e-imzo.uz")), accept, ""},
		{"e-mail address in the subject", named(cert.NameConstraints{Permitted: cert.Subtrees{Email: []string{"e-imzo.uz"}}}, func(tm *cert.Template) {
			tm.Subject = name("E=a@other.uz")
		}), cert.NameViolation, "crypto/x509 looks at alternative names only"},
		{"address permitted", named(cert.NameConstraints{Permitted: cert.Subtrees{IP: []*net.IPNet{subnet("10.0.0.0/8")}}}, func(tm *cert.Template) { tm.IPAddresses = []net.IP{net.IPv4(10, 1, 2, 3)} }), accept, ""},
		{"address not permitted", named(cert.NameConstraints{Permitted: cert.Subtrees{IP: []*net.IPNet{subnet("10.0.0.0/8")}}}, func(tm *cert.Template) { tm.IPAddresses = []net.IP{net.IPv4(11, 1, 2, 3)} }), cert.NameViolation, ""},
		{"IPv6 address excluded", named(cert.NameConstraints{Excluded: cert.Subtrees{IP: []*net.IPNet{subnet("fd00::/8")}}}, func(tm *cert.Template) { tm.IPAddresses = []net.IP{net.ParseIP("fd00::1")} }), cert.NameViolation, ""},
		{"subject permitted", named(cert.NameConstraints{Permitted: cert.Subtrees{Directory: []cert.Name{name("O=Bank")}}}, func(tm *cert.Template) {
			tm.Subject = name("O=BANK,CN=a")
		}), accept, "crypto/x509 does not process directory names"},
		{"subject not permitted", named(cert.NameConstraints{Permitted: cert.Subtrees{Directory: []cert.Name{name("O=Bank")}}}, unchanged), cert.NameViolation, ""},
		{"subject excluded", named(cert.NameConstraints{Excluded: cert.Subtrees{Directory: []cert.Name{name("CN=leaf")}}}, unchanged), cert.NameViolation, ""},
		{"constraint of the root", func(t *testing.T, p *testpki.PKI) chain {
			r := p.SelfSigned(t, constrained(cert.NameConstraints{Permitted: cert.Subtrees{DNS: []string{"e-imzo.uz"}}}), p.KeySpec)
			return leafOf(t, p, deeper(t, p, r, "CN=CA"), dns("other.uz"))
		}, cert.NameViolation, ""},
		{"constraint on addresses of sites", func(t *testing.T, p *testpki.PKI) chain {
			return below(t, p, unchanged, func(tm *cert.Template) {
				subtree := ber.Sequence(ber.Tagged(ber.Context(6), []byte(".uz")))
				tm.Extra = []cert.Extension{{OID: cert.OIDNameConstraints, Critical: true, Value: ber.Sequence(ber.Tagged(0xa0, subtree))}}
			})
		}, cert.UnhandledCritical, "crypto/x509 processes URIs"},
		{"constraint with a minimum", func(t *testing.T, p *testpki.PKI) chain {
			return below(t, p, unchanged, func(tm *cert.Template) {
				subtree := ber.Sequence(ber.Tagged(ber.Context(2), []byte("uz")), ber.Tagged(ber.Context(0), []byte{1}))
				tm.Extra = []cert.Extension{{OID: cert.OIDNameConstraints, Value: ber.Sequence(ber.Tagged(0xa0, subtree))}}
			})
		}, cert.UnhandledCritical, "crypto/x509 does not look at minimum"},
		{"constraint with a maximum", func(t *testing.T, p *testpki.PKI) chain {
			return below(t, p, unchanged, func(tm *cert.Template) {
				subtree := ber.Sequence(ber.Tagged(ber.Context(2), []byte("uz")), ber.Tagged(ber.Context(0), []byte{0}), ber.Tagged(ber.Context(1), []byte{1}))
				tm.Extra = []cert.Extension{{OID: cert.OIDNameConstraints, Value: ber.Sequence(ber.Tagged(0xa0, subtree))}}
			})
		}, cert.UnhandledCritical, "crypto/x509 does not look at maximum"},
	}
}

// tower stacks n CAs on the root.
func tower(t *testing.T, p *testpki.PKI, n int) testpki.Entity {
	t.Helper()
	e := p.Root
	for i := range n {
		e = deeper(t, p, e, fmt.Sprintf("CN=CA%d", i))
	}
	return e
}

func TestPathsAreJudged(t *testing.T) {
	for _, spec := range []string{"ozdst", "ecdsa:P-256"} {
		p := testpki.New(t, spec)
		for _, tc := range chainCases() {
			t.Run(spec+"/"+tc.name, func(t *testing.T) {
				c := tc.make(t, p)
				path, err := c.build()
				if tc.want == accept {
					if err != nil {
						t.Fatal(err)
					}
					checkPath(t, c, path)
				} else if failure := new(cert.PathError); !errors.As(err, &failure) || failure.Reason != tc.want {
					t.Fatalf("%v, want %s", err, tc.want)
				}
				if spec == "ecdsa:P-256" {
					compareVerdicts(t, "crypto/x509", err, askX509(t, c), tc.differs)
				}
			})
		}
	}
}

// compareVerdicts asks for the same verdict, or for another where a reason is
// given: a list of differences that have gone is as wrong as a missing one.
func compareVerdicts(t *testing.T, who string, ours, theirs error, differs string) {
	t.Helper()
	switch same := (ours == nil) == (theirs == nil); {
	case !same && differs == "":
		t.Errorf("%s says %v, we say %v", who, theirs, ours)
	case same && differs != "":
		t.Errorf("%s is said to differ (%s), and says the same: %v", who, differs, theirs)
	}
}

// checkPath checks what must hold of any path, by other means than BuildPath.
func checkPath(t *testing.T, c chain, path *cert.Path) {
	t.Helper()
	if path.Leaf() != c.leaf {
		t.Error("the path does not begin with the leaf")
	}
	if !cert.NewPool(c.anchors...).Contains(path.Anchor()) {
		t.Error("the path does not end at an anchor")
	}
	for i, child := range path.Certificates[:len(path.Certificates)-1] {
		issuer := path.Certificates[i+1]
		if !child.Issuer.Equal(issuer.Subject) {
			t.Errorf("certificate %d: names do not chain", i)
		}
		if err := child.CheckSignatureFrom(issuer); err != nil {
			t.Errorf("certificate %d: %v", i, err)
		}
		if !issuer.ValidAt(c.at) {
			t.Errorf("certificate %d is not valid", i+1)
		}
	}
}

func toX509(t testing.TB, c *cert.Certificate) *x509.Certificate {
	t.Helper()
	x, err := x509.ParseCertificate(c.Raw)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func askX509(t *testing.T, c chain) error {
	t.Helper()
	o := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: c.at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	for _, a := range c.anchors {
		o.Roots.AddCert(toX509(t, a))
	}
	for _, i := range c.intermediates {
		o.Intermediates.AddCert(toX509(t, i))
	}
	_, err := toX509(t, c.leaf).Verify(o)
	return err
}

func TestPathErrorNamesTheCertificateAtFault(t *testing.T) {
	p := testpki.New(t, "ecdsa:P-256")
	c := below(t, p, unchanged, func(tm *cert.Template) { tm.NotAfter = p.Now.Add(-time.Second) })
	_, err := c.build()
	failure := new(cert.PathError)
	if !errors.As(err, &failure) || failure.Certificate != c.intermediates[0] {
		t.Fatalf("at fault: %v", err)
	}
	if want := fmt.Sprintf("certificate %s: CA certificate expired", c.intermediates[0].SerialHex()); err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	c = leafOf(t, p, p.CA)
	c.intermediates = []*cert.Certificate{deeper(t, p, p.Root, "CN=TestCA,O=test.e-imzo.uz").Cert}
	if _, err = c.build(); !errors.Is(err, alg.ErrSignature) {
		t.Errorf("the cause is lost: %v", err)
	}
	if _, err := cert.BuildPath(nil, cert.PathOptions{}); err == nil {
		t.Error("nil has a path")
	}
}

func TestPathWithAnUnknownAlgorithmIsUnsupported(t *testing.T) {
	p := testpki.New(t, "ecdsa:P-256")
	leaf := leafOf(t, p, p.CA).leaf
	parts := takeApart(t, leaf)
	parts.inner = ber.Sequence(ber.MustOID("1.2.3.4").DER())
	parts.outer = parts.inner
	strange, err := cert.Parse(parts.der())
	if err != nil {
		t.Fatal(err)
	}
	_, err = cert.BuildPath(strange, cert.PathOptions{Anchors: p.Anchors(), Intermediates: p.CA.Chain, At: p.Now})
	if failure := new(cert.PathError); !errors.As(err, &failure) || failure.Reason != cert.UnsupportedAlgorithm {
		t.Error(err)
	}
}

func TestPathUsesTheSignatureSeam(t *testing.T) {
	p := testpki.New(t, "ecdsa:P-256")
	c := leafOf(t, p, p.CA)
	var asked []string
	refuse := errors.New("refused")
	o := cert.PathOptions{Anchors: p.Anchors(), Intermediates: c.intermediates, At: p.Now, CheckSignature: func(child, issuer *cert.Certificate) error {
		asked = append(asked, child.Subject.Get("CN")+" by "+issuer.Subject.Get("CN"))
		return child.CheckSignatureFrom(issuer)
	}}
	if _, err := cert.BuildPath(c.leaf, o); err != nil {
		t.Fatal(err)
	}
	if want := []string{"leaf by TestCA", "TestCA by TestRoot"}; !slices.Equal(asked, want) {
		t.Errorf("asked for %q", asked)
	}
	o.CheckSignature = func(_, _ *cert.Certificate) error { return refuse }
	if _, err := cert.BuildPath(c.leaf, o); !errors.Is(err, refuse) {
		t.Error(err)
	}
}

// sameNamed returns n CA certificates with the name of the test CA and keys of
// their own, without key identifiers, so that nothing tells them apart.
func sameNamed(t *testing.T, p *testpki.PKI, n int) []*cert.Certificate {
	t.Helper()
	key := testpki.Key(t, p.KeySpec)
	list := make([]*cert.Certificate, n)
	for i := range list {
		list[i] = p.Issue(t, p.Root, func(tm *cert.Template) {
			testpki.CATemplate(t, tm, "CN=TestCA,O=test.e-imzo.uz")
			tm.PublicKey = key.PublicKey()
			tm.Extra = []cert.Extension{{OID: cert.OIDSubjectKeyID, Value: ber.OctetString([]byte{byte(i >> 8), byte(i)})}}
		}, p.KeySpec).Cert
	}
	return list
}

func TestSearchIsBoundedAmongAThousandOfOneName(t *testing.T) {
	p := testpki.New(t, "ecdsa:P-256")
	crowd := sameNamed(t, p, 1000)
	checks := 0
	count := func(child, issuer *cert.Certificate) error { checks++; return child.CheckSignatureFrom(issuer) }

	// The right one is last, but its key identifier tells.
	c := leafOf(t, p, p.CA)
	o := cert.PathOptions{Anchors: p.Anchors(), Intermediates: append(slices.Clone(crowd), p.CA.Cert), At: p.Now, CheckSignature: count}
	start := time.Now()
	if _, err := cert.BuildPath(c.leaf, o); err != nil {
		t.Error(err)
	}
	if checks != 2 {
		t.Errorf("%d signatures checked where key identifiers lead the way", checks)
	}

	// Nothing tells, so the search ends at its limit.
	blind := leafOf(t, p, p.CA, func(tm *cert.Template) {
		tm.Extra = []cert.Extension{{OID: cert.OIDAuthorityKeyID, Value: ber.Sequence()}}
	})
	checks = 0
	_, err := cert.BuildPath(blind.leaf, o)
	if failure := new(cert.PathError); !errors.As(err, &failure) || failure.Reason != cert.LimitExceeded {
		t.Errorf("blind search: %v", err)
	}
	if checks != 64 {
		t.Errorf("%d signatures checked", checks)
	}
	// Twice the work of a slow machine under the race detector.
	if spent := time.Since(start); spent > 5*time.Second {
		t.Errorf("took %v", spent)
	}
}

func TestSearchIsBoundedInAMesh(t *testing.T) {
	// Layers of CAs that each certify all of the next layer: the number of
	// paths is exponential in the layers, and none reaches an anchor.
	p := testpki.New(t, "ecdsa:P-256")
	const layers, width = 9, 4
	var mesh []*cert.Certificate
	previous := []testpki.Entity{p.SelfSigned(t, func(tm *cert.Template) { tm.Subject = testpki.Name(t, "CN=Nowhere") }, p.KeySpec)}
	for layer := range layers {
		var next []testpki.Entity
		for i := range width {
			key := testpki.Key(t, p.KeySpec)
			for _, issuer := range previous {
				c := p.Issue(t, issuer, func(tm *cert.Template) {
					testpki.CATemplate(t, tm, fmt.Sprintf("CN=Layer%d", layer))
					tm.PublicKey = key.PublicKey()
					tm.Extra = []cert.Extension{{OID: cert.OIDAuthorityKeyID, Value: ber.Sequence()}}
				}, p.KeySpec)
				mesh = append(mesh, c.Cert)
				if len(next) == i {
					next = append(next, testpki.Entity{Cert: c.Cert, Key: key, Chain: c.Chain})
				}
			}
		}
		previous = next
	}
	leaf := leafOf(t, p, previous[0]).leaf
	for name, check := range map[string]func(child, issuer *cert.Certificate) error{
		"real signatures": (*cert.Certificate).CheckSignatureFrom,
		"every signature": func(_, _ *cert.Certificate) error { return nil },
	} {
		start := time.Now()
		_, err := cert.BuildPath(leaf, cert.PathOptions{Anchors: p.Anchors(), Intermediates: mesh, At: p.Now, CheckSignature: check})
		if failure := new(cert.PathError); !errors.As(err, &failure) || failure.Reason != cert.LimitExceeded {
			t.Errorf("%s: %v", name, err)
		}
		if spent := time.Since(start); spent > 5*time.Second {
			t.Errorf("%s: took %v", name, spent)
		}
	}
}

func TestNameConstraintsCostIsBounded(t *testing.T) {
	p := testpki.New(t, "ecdsa:P-256")
	var many []string
	for i := range 300 {
		many = append(many, fmt.Sprintf("h%d.e-imzo.uz", i))
	}
	c := named(cert.NameConstraints{Permitted: cert.Subtrees{DNS: many}}, dns(many...))(t, p)
	_, err := c.build()
	if failure := new(cert.PathError); !errors.As(err, &failure) || failure.Reason != cert.NameViolation {
		t.Error(err)
	}
}

func TestBagWithoutStrangersPasses(t *testing.T) {
	p := testpki.New(t, "ozdst")
	u := p.User(t, testpki.Person)
	stranger := testpki.New(t, "ecdsa:P-256")
	strangersUser := stranger.User(t, testpki.Person)
	for name, tc := range map[string]struct{ bag, known []*cert.Certificate }{
		"empty":                       {nil, nil},
		"chain known":                 {u.Chain, u.Chain},
		"chain with itself":           {u.Chain, nil},
		"user under a known CA":       {u.Chain[:1], u.Chain[1:]},
		"twice the same":              {append(slices.Clone(u.Chain), u.Chain...), nil},
		"an unrelated hierarchy":      {append(slices.Clone(u.Chain), strangersUser.Chain...), u.Chain},
		"the CA of a new key as well": {append(slices.Clone(u.Chain), deeper(t, p, p.Root, "CN=TestCA,O=test.e-imzo.uz").Cert), nil},
	} {
		if err := cert.CheckBag(tc.bag, tc.known); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBagIsRefusedForAnythingUnverified(t *testing.T) {
	p := testpki.New(t, "ecdsa:P-256")
	u := p.User(t, testpki.Person)
	other := testpki.New(t, "ecdsa:P-256")
	orphan := leafOf(t, p, deeper(t, p, p.Root, "CN=Absent")).leaf
	for name, tc := range map[string]struct {
		bag  []*cert.Certificate
		want cert.Reason
	}{
		"issuer absent":        {append(slices.Clone(u.Chain), orphan), cert.NoPath},
		"CA of the name only":  {append(slices.Clone(u.Chain), other.User(t, "CN=x").Cert), cert.BadSignature},
		"one issuer too few":   {u.Chain[:2], cert.NoPath},
		"user without his CA":  {u.Chain[:1], cert.NoPath},
		"two roots, one wrong": {[]*cert.Certificate{p.CA.Cert, other.Root.Cert}, cert.BadSignature},
	} {
		err := cert.CheckBag(tc.bag, nil)
		if failure := new(cert.PathError); !errors.As(err, &failure) || failure.Reason != tc.want {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
	// Whatever bit of whatever certificate changes, it is noticed, also with
	// the true ones known.
	for i, c := range u.Chain {
		bag := slices.Clone(u.Chain)
		testpki.EachBitFlip(c.Raw, func(bit int, mutated []byte) {
			if bit%5 != 0 {
				return // a fifth of the walk; the whole one is with Parse
			}
			changed, err := cert.Parse(mutated)
			if err != nil {
				return
			}
			bag[i] = changed
			if cert.CheckBag(bag, u.Chain) == nil {
				t.Errorf("certificate %d, bit %d changed: the bag passes", i, bit)
			}
		})
	}
}

func TestBagOfAThousandOfOneNameIsBounded(t *testing.T) {
	p := testpki.New(t, "ecdsa:P-256")
	crowd := sameNamed(t, p, 1000)
	leaf := leafOf(t, p, p.CA, func(tm *cert.Template) {
		tm.Extra = []cert.Extension{{OID: cert.OIDAuthorityKeyID, Value: ber.Sequence()}}
	}).leaf
	var bag []*cert.Certificate
	for range 3 {
		bag = append(bag, leaf)
	}
	start := time.Now()
	err := cert.CheckBag(append(bag, crowd...), []*cert.Certificate{p.Root.Cert})
	if failure := new(cert.PathError); !errors.As(err, &failure) || failure.Reason != cert.LimitExceeded && failure.Reason != cert.BadSignature {
		t.Error(err)
	}
	if spent := time.Since(start); spent > 10*time.Second {
		t.Errorf("took %v", spent)
	}
	if err := cert.CheckBag(crowd, []*cert.Certificate{p.Root.Cert}); err != nil {
		t.Errorf("a thousand honest certificates: %v", err)
	}
}
