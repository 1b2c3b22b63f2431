package trust

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/keystore"
)

// Profile is a kind of certificate.
type Profile string

const (
	ProfileUser         Profile = "user"         // a person
	ProfileOrganisation Profile = "organisation" // a person acting for an organisation
	ProfileVPN          Profile = "vpn"          // a client key of the VPN: TLS, ECDSA
	ProfileDomain       Profile = "domain"       // a site's end of the tunnel: GOST

	profileRoot Profile = "root"
	profileCA   Profile = "ca"
	profileTSA  Profile = "tsa"
	profileOCSP Profile = "ocsp"
	profileLink Profile = "link" // the server's side of the link
)

// Request asks for a key and its certificate.
type Request struct {
	Profile Profile
	Subject Subject
	KeySpec string // default: the hierarchy's for users, ECDSA P-256 for the VPN
	Days    int    // validity; default two years
	// Names are the host names and IP addresses of a domain; none is the common
	// name alone. Other profiles have none.
	Names []string
	// PublicKey is of a key that is elsewhere, as on a card; nil makes one.
	PublicKey *alg.PublicKey
}

// Issue makes a key and its certificate, records it and returns both with the
// chain. The alias is the one E-IMZO writes (see keystore.Alias), with times
// in loc. Of a key that is elsewhere the entry has only the chain.
func (a *Authority) Issue(r Request, loc *time.Location) (keystore.Entry, error) {
	issuer, keySpec := entityCA, r.KeySpec
	switch r.Profile {
	case ProfileUser:
		if r.Subject.Organisation != "" || r.Subject.TIN != "" {
			return keystore.Entry{}, fmt.Errorf("%w: a person's certificate names no organisation; use the profile %s", ErrSubject, ProfileOrganisation)
		}
	case ProfileOrganisation:
		if r.Subject.Organisation == "" || r.Subject.TIN == "" {
			return keystore.Entry{}, fmt.Errorf("%w: an organisation's certificate needs its name and TIN", ErrSubject)
		}
	case ProfileVPN:
		if issuer = entityVPN; keySpec == "" {
			keySpec = "ecdsa:P-256"
		}
	case ProfileDomain:
		if keySpec == "" && !isGOST(a.settings.KeySpec) {
			keySpec = "ozdst"
		}
		if err := r.checkDomain(keySpec); err != nil {
			return keystore.Entry{}, err
		}
	default:
		return keystore.Entry{}, fmt.Errorf("unknown profile %q; use %s, %s, %s or %s", r.Profile, ProfileUser, ProfileOrganisation, ProfileVPN, ProfileDomain)
	}
	if len(r.Names) > 0 && r.Profile != ProfileDomain {
		return keystore.Entry{}, fmt.Errorf("%w: only the profile %s has names of hosts", ErrSubject, ProfileDomain)
	}
	subject, err := r.Subject.name()
	if err != nil {
		return keystore.Entry{}, err
	}
	if r.Days < 0 || r.Days > 366*rootYears {
		return keystore.Entry{}, fmt.Errorf("%w: %d days", ErrValidity, r.Days)
	}
	e, err := a.issue(certificateOrder{issuer: issuer, ledger: issuer, subject: subject, profile: r.Profile, keySpec: keySpec, days: r.Days, hosts: r.hosts(), publicKey: r.PublicKey})
	if err != nil {
		return keystore.Entry{}, err
	}
	e.Alias = keystore.Alias(e.Chain[0], loc)
	return e, nil
}

// checkDomain refuses a domain that agents would refuse.
func (r Request) checkDomain(keySpec string) error {
	if keySpec != "" && !isGOST(keySpec) {
		return fmt.Errorf("%w: the tunnel takes a GOST key of a domain (ozdst, ozmst, gost2001), not %s", ErrKeySpec, keySpec)
	}
	for _, name := range r.hosts() {
		if !isHost(name) {
			return fmt.Errorf("%w: %q is no domain and no IP address, such as example.uz, with other letters written as xn--abc", ErrSubject, name)
		}
	}
	return nil
}

// hosts are the names of a domain's certificate, the common name among them.
func (r Request) hosts() []string {
	if r.Profile != ProfileDomain {
		return nil
	}
	names := slices.Clone(r.Names)
	if isHost(r.Subject.CommonName) || len(names) == 0 {
		names = append([]string{r.Subject.CommonName}, names...)
	}
	for i, n := range names {
		names[i] = strings.ToLower(n)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func isGOST(keySpec string) bool {
	return slices.Contains([]string{string(alg.FamilyOZDST), string(alg.FamilyOZMST), string(alg.FamilyGOST2001)}, strings.SplitN(keySpec, ":", 2)[0])
}

// isHost tells whether text is an IP address or a host name as certificates
// have them (RFC 1034 3.5).
func isHost(text string) bool {
	if net.ParseIP(text) != nil {
		return true
	}
	if len(text) > 253 {
		return false
	}
	for label := range strings.SplitSeq(text, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(strings.ToLower(label), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}

// certificateOrder is a certificate to be made.
type certificateOrder struct {
	issuer  string // entity that signs; "" is self-signed
	ledger  string // issuer as the ledger names it
	subject cert.Name
	profile Profile
	keySpec string   // "" is the hierarchy's
	days    int      // 0 is the profile's own validity
	hosts   []string // names of a TLS server
	// publicKey is of a key that is elsewhere; nil makes one.
	publicKey *alg.PublicKey
}

// issue makes a key and its certificate, and records it in the ledger before
// anyone can use it.
func (a *Authority) issue(o certificateOrder) (keystore.Entry, error) {
	key, public := (*alg.PrivateKey)(nil), o.publicKey
	var err error
	if public == nil {
		if key, err = a.generate(o.keySpec); err != nil {
			return keystore.Entry{}, err
		}
		public = key.PublicKey()
	}
	signer, parent := key, (*cert.Certificate)(nil)
	var chain []*cert.Certificate
	if o.issuer != "" {
		e := a.entities[o.issuer]
		signer, parent, chain = e.Key, e.Chain[0], e.Chain
	}
	var c *cert.Certificate
	err = a.ledger.transact(func() (entry, error) {
		t, err := a.template(o, public)
		if err != nil {
			return entry{}, err
		}
		if parent != nil && t.NotAfter.After(parent.NotAfter) {
			t.NotAfter = parent.NotAfter
		}
		if c, err = cert.Create(a.rand, t, parent, signer); err != nil {
			return entry{}, err
		}
		// The ledger could not be read any more with a number in it twice.
		if r, _ := a.find(c.SerialHex()); r != nil {
			return entry{}, fmt.Errorf("serial number %s has been used", c.SerialHex())
		}
		return entry{Event: eventIssue, Time: a.now().UTC().Truncate(time.Second), Issuer: o.ledger, Serial: c.SerialHex(), Profile: o.profile, Cert: c.Raw}, nil
	})
	if err != nil {
		return keystore.Entry{}, err
	}
	return keystore.Entry{Key: key, Chain: append([]*cert.Certificate{c}, chain...)}, nil
}

func (a *Authority) template(o certificateOrder, key *alg.PublicKey) (*cert.Template, error) {
	serial, err := a.randomSerial()
	if err != nil {
		return nil, err
	}
	// A clock a little behind ours must not find the certificate not yet valid.
	start := a.now().UTC().Truncate(time.Second).Add(-time.Minute)
	t := &cert.Template{Serial: serial, Subject: o.subject, PublicKey: key, NotBefore: start}
	years := serviceYears
	switch o.profile {
	case profileRoot:
		years = rootYears
		t.BasicConstraints = &cert.BasicConstraints{IsCA: true, MaxPathLen: -1}
		t.KeyUsage = cert.KeyUsageCertSign | cert.KeyUsageCRLSign | cert.KeyUsageDigitalSignature
	case profileCA:
		t.BasicConstraints = &cert.BasicConstraints{IsCA: true, MaxPathLen: 0}
		t.KeyUsage = cert.KeyUsageCertSign | cert.KeyUsageCRLSign | cert.KeyUsageDigitalSignature
	case profileTSA:
		t.KeyUsage = cert.KeyUsageDigitalSignature | cert.KeyUsageContentCommitment
		t.ExtKeyUsage, t.ExtKeyUsageCritical = oids(cert.OIDTimeStamping), true
		// The tsa field of a token must be one of the certificate's names
		// (RFC 3161 2.4.2).
		t.Extra = []cert.Extension{{OID: cert.OIDSubjectAltName, Value: ber.Sequence(ber.Tagged(ber.Context(6), []byte(a.TSAURL())))}}
	case profileOCSP:
		t.KeyUsage = cert.KeyUsageDigitalSignature
		t.ExtKeyUsage, t.OCSPNoCheck = oids(cert.OIDOCSPSigning), true
	case ProfileUser, ProfileOrganisation:
		years = userYears
		t.KeyUsage = cert.KeyUsageDigitalSignature | cert.KeyUsageContentCommitment | cert.KeyUsageKeyEncipherment | cert.KeyUsageDataEncipherment | cert.KeyUsageKeyAgreement
		t.ExtKeyUsage, t.ExtKeyUsageCritical = oids(cert.OIDClientAuth, cert.OIDEmailProtection), true
		t.Policies = userPolicies
	case ProfileVPN:
		years = userYears
		t.KeyUsage = cert.KeyUsageDigitalSignature
		t.ExtKeyUsage = oids(cert.OIDClientAuth)
	case profileLink, ProfileDomain:
		if o.profile == ProfileDomain {
			years = userYears
		}
		t.KeyUsage = cert.KeyUsageDigitalSignature
		t.ExtKeyUsage = oids(cert.OIDServerAuth)
		for _, h := range o.hosts {
			if ip := net.ParseIP(h); ip != nil {
				t.IPAddresses = append(t.IPAddresses, ip)
			} else {
				t.DNSNames = append(t.DNSNames, h)
			}
		}
	}
	t.NotAfter = start.AddDate(years, 0, 0)
	if o.days > 0 {
		t.NotAfter = start.AddDate(0, 0, o.days)
	}
	if o.issuer != "" {
		t.CAIssuers = []string{a.settings.BaseURL + pathCert(o.issuer)}
		t.CRLDistributionPoints = []string{a.settings.BaseURL + pathCRL(o.issuer)}
		// The root answers by CRL only, so that its key may be kept away.
		if o.issuer != entityRoot && o.profile != profileOCSP {
			t.OCSPServers = []string{a.OCSPURL()}
		}
	}
	return t, nil
}
