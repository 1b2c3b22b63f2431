package testpki

import (
	"bytes"
	"slices"
	"testing"

	"imzo/pki/ber"
	"imzo/pki/cert"
)

func TestHierarchiesAreValidInEveryFamily(t *testing.T) {
	for _, spec := range []string{"ozdst", "ozmst", "gost2001", "ecdsa:P-256", "rsa:2048", "ed25519"} {
		t.Run(spec, func(t *testing.T) {
			p := New(t, spec)
			for name, e := range map[string]Entity{
				"person":       p.User(t, Person),
				"organisation": p.User(t, Organisation),
				"TSA":          p.TSA,
				"OCSP":         p.OCSP,
			} {
				path, err := cert.BuildPath(e.Cert, cert.PathOptions{Anchors: p.Anchors(), Intermediates: e.Chain, At: p.Clock()()})
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				if !slices.EqualFunc(path.Certificates, e.Chain, (*cert.Certificate).Equal) {
					t.Errorf("%s: the path is not the entity's chain", name)
				}
				if !e.Cert.ValidAt(p.Now) {
					t.Errorf("%s is not valid at Now", name)
				}
				if !bytes.Equal(e.Cert.PublicKey.Raw, e.Key.PublicKey().Raw) {
					t.Errorf("%s: key and certificate do not belong together", name)
				}
			}
		})
	}
}

func TestServicesHaveTheirPurposes(t *testing.T) {
	p := New(t, "ecdsa:P-256")
	if c := p.TSA.Cert; !slices.Equal(c.ExtKeyUsage, []ber.OID{cert.OIDTimeStamping}) || !c.ExtKeyUsageCritical {
		t.Errorf("TSA purposes: %v, critical %v", c.ExtKeyUsage, c.ExtKeyUsageCritical)
	}
	if c := p.OCSP.Cert; !slices.Equal(c.ExtKeyUsage, []ber.OID{cert.OIDOCSPSigning}) || !c.OCSPNoCheck {
		t.Errorf("OCSP purposes: %v, no check %v", c.ExtKeyUsage, c.OCSPNoCheck)
	}
	u := p.User(t, Organisation).Cert
	if u.KeyUsage != UserKeyUsage || !slices.Equal(u.PolicyIdentifiers, Policies()) || !u.ExtKeyUsageCritical {
		t.Errorf("user: usage %b, policies %v", u.KeyUsage, u.PolicyIdentifiers)
	}
	if got := u.Subject.Get("1.2.860.3.16.1.1"); got != "200000000" {
		t.Errorf("TIN %q", got)
	}
}

func TestProductionEncodingIsNotDER(t *testing.T) {
	p := NewProduction(t, "ozdst")
	for _, c := range []*cert.Certificate{p.Root.Cert, p.CA.Cert} {
		if !bytes.Contains(c.Raw, []byte{0x30, 0x03, 0x01, 0x01, 0x01}) {
			t.Error("basicConstraints without TRUE as 01")
		}
		if x, _ := c.Extension(cert.OIDKeyUsage); x.Critical || c.KeyUsage != CAKeyUsage {
			t.Errorf("keyUsage critical %v, bits %b", x.Critical, c.KeyUsage)
		}
		if c.AuthoritySerial.Cmp(p.Root.Cert.Serial) != 0 {
			t.Error("authority key identifier without the root's serial number")
		}
	}
	u := p.User(t, Person)
	if _, err := cert.BuildPath(u.Cert, cert.PathOptions{Anchors: p.Anchors(), Intermediates: u.Chain, At: p.Now}); err != nil {
		t.Error(err)
	}
}

func TestMutationsChangeWhatTheySay(t *testing.T) {
	data := []byte{0x00, 0x01, 0x80, 0xff, 0x7e}
	seen := make(map[string]bool)
	EachByteChange(data, func(offset int, mutated []byte) {
		for i := range data {
			if (mutated[i] != data[i]) != (i == offset) {
				t.Fatalf("offset %d: %x", offset, mutated)
			}
		}
		if seen[string(mutated)] {
			t.Fatalf("%x twice", mutated)
		}
		seen[string(mutated)] = true
		clear(mutated) // must not disturb the next call
	})
	if len(seen) < 4*len(data) {
		t.Errorf("only %d changes", len(seen))
	}
	flips := 0
	EachBitFlip(data, func(bit int, mutated []byte) {
		if mutated[bit/8]^data[bit/8] != 1<<(bit%8) || bytes.Equal(mutated, data) {
			t.Fatalf("bit %d: %x", bit, mutated)
		}
		flips++
	})
	if flips != 8*len(data) {
		t.Errorf("%d flips", flips)
	}
	n := 0
	EachTruncation(data, func(prefix []byte) {
		if len(prefix) != n || !bytes.HasPrefix(data, prefix) {
			t.Fatalf("prefix %d: %x", n, prefix)
		}
		n++
	})
	if n != len(data) {
		t.Errorf("%d prefixes", n)
	}
}
