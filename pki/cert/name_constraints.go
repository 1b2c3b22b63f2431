package cert

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"imzo/pki/ber"
)

// NameConstraints is the extension of RFC 5280 4.2.1.10: the names that
// certificates below a CA may have. It is enforced for directory names, DNS
// names, e-mail and IP addresses; a certificate that constrains other forms
// has the extension in UnhandledCritical.
type NameConstraints struct {
	// Permitted has an effect on a form of name only when it lists a
	// subtree of that form.
	Permitted, Excluded Subtrees
}

// Subtrees lists the bases of subtrees by form.
type Subtrees struct {
	Directory []Name
	DNS       []string
	Email     []string
	IP        []*net.IPNet
}

// errNameConstraint is the cause in a PathError with reason NameViolation.
var errNameConstraint = errors.New("name outside of what a CA may certify")

// maxConstraintChecks bounds names times subtrees for one pair of
// certificates, so that two large lists cannot cost quadratic time.
const maxConstraintChecks = 1 << 16

func parseNameConstraints(c *Certificate, value ber.Element) (bool, error) {
	if value.Tag != ber.TagSequence {
		return false, syntaxErrorf("name constraints with tag %#02x", value.Tag)
	}
	n := new(NameConstraints)
	handled := true
	r := value.Children()
	for i, subtrees := range []*Subtrees{&n.Permitted, &n.Excluded} {
		list, present, err := r.Optional(ber.ContextConstructed(i))
		if err != nil {
			return false, err
		}
		if !present {
			continue
		}
		if err := each(list, func(e ber.Element) error {
			known, err := subtrees.add(e)
			handled = handled && known
			return err
		}); err != nil {
			return false, err
		}
	}
	c.NameConstraints = n
	return handled, r.Done()
}

// add reads a GeneralSubtree and tells whether it can be enforced.
func (s *Subtrees) add(e ber.Element) (known bool, err error) {
	if e.Tag != ber.TagSequence {
		return false, syntaxErrorf("subtree with tag %#02x", e.Tag)
	}
	r := e.Children()
	base, err := r.Next()
	if err != nil {
		return false, err
	}
	if minimum, present, err := r.Optional(ber.Context(0)); err != nil {
		return false, err
	} else if present {
		// RFC 5280 has no other minimum than 0, its default, and no maximum.
		n, err := minimum.WithTag(ber.TagInteger).Int64()
		if err != nil {
			return false, err
		}
		if n != 0 {
			return false, nil
		}
	}
	if !r.Empty() {
		return false, nil
	}
	if base.Tag == ber.Context(7) {
		size := len(base.Content) / 2
		if len(base.Content) != 2*net.IPv4len && len(base.Content) != 2*net.IPv6len {
			return false, syntaxErrorf("address range of %d octets", len(base.Content))
		}
		ip := &net.IPNet{IP: net.IP(base.Content[:size]), Mask: net.IPMask(base.Content[size:])}
		if _, bits := ip.Mask.Size(); bits == 0 {
			return false, syntaxErrorf("address mask with holes")
		}
		s.IP = append(s.IP, ip)
		return true, nil
	}
	var names generalNames
	if err := names.add(base); err != nil {
		return false, err
	}
	s.Directory = append(s.Directory, names.directory...)
	s.DNS = append(s.DNS, names.dns...)
	s.Email = append(s.Email, names.email...)
	return len(names.directory)+len(names.dns)+len(names.email) > 0, nil
}

// check tells whether all names of c stay within the constraints.
func (n *NameConstraints) check(c *Certificate) error {
	directory := c.DirectoryNames
	if !c.Subject.Empty() {
		directory = append(directory[:len(directory):len(directory)], c.Subject)
	}
	email := c.EmailAddresses
	if len(email) == 0 {
		// RFC 5280 4.2.1.10: the attribute counts when there is no
		// alternative name of the form.
		for _, rdn := range c.Subject.RDNs {
			for _, a := range rdn {
				if a.Type == oidEmailAddress {
					email = append(email[:len(email):len(email)], a.Value)
				}
			}
		}
	}
	p, x := n.Permitted, n.Excluded
	cost := len(directory)*(len(p.Directory)+len(x.Directory)) + len(c.DNSNames)*(len(p.DNS)+len(x.DNS)) +
		len(email)*(len(p.Email)+len(x.Email)) + len(c.IPAddresses)*(len(p.IP)+len(x.IP))
	if cost > maxConstraintChecks {
		return fmt.Errorf("%w: too many names to compare", errNameConstraint)
	}
	return errors.Join(
		within(directory, p.Directory, x.Directory, Name.hasPrefix),
		within(c.DNSNames, p.DNS, x.DNS, dnsWithin),
		within(email, p.Email, x.Email, emailWithin),
		within(c.IPAddresses, p.IP, x.IP, func(ip net.IP, subtree *net.IPNet) bool { return subtree.Contains(ip) }),
	)
}

// work is what check costs at most: names of each form times subtrees, by
// their octets.
func (n *NameConstraints) work(c *Certificate) int {
	octets := func(size, names int, list []Name) int {
		for _, d := range list {
			size += len(d.Raw) * names
		}
		return size
	}
	text := func(size, names int, list []string) int {
		for _, d := range list {
			size += len(d) * names
		}
		return size
	}
	p, x := n.Permitted, n.Excluded
	trees := len(p.Directory) + len(x.Directory)
	names := len(c.DirectoryNames) + 1
	size := octets(len(c.RawSubject)*trees, trees, c.DirectoryNames)
	size = octets(octets(size, names, p.Directory), names, x.Directory)
	trees, names = len(p.DNS)+len(x.DNS), len(c.DNSNames)
	size = text(text(text(size, trees, c.DNSNames), names, p.DNS), names, x.DNS)
	trees, names = len(p.Email)+len(x.Email), len(c.EmailAddresses)
	if names == 0 { // those in the subject count
		names = min(maxAttributes, len(c.RawSubject))
		size += len(c.RawSubject) * trees
	}
	size = text(text(text(size, trees, c.EmailAddresses), names, p.Email), names, x.Email)
	size += 16 * len(c.IPAddresses) * (len(p.IP) + len(x.IP))
	return 1 + size/16
}

// within checks names of one form against subtrees of that form.
func within[N, S any](names []N, permitted, excluded []S, in func(N, S) bool) error {
	inAny := func(name N, subtrees []S) bool {
		for _, s := range subtrees {
			if in(name, s) {
				return true
			}
		}
		return false
	}
	for _, name := range names {
		if inAny(name, excluded) || len(permitted) > 0 && !inAny(name, permitted) {
			return errNameConstraint
		}
	}
	return nil
}

// dnsWithin tells whether the name is the base or has labels added to its
// left. The leading dot that some CAs write asks for at least one label. An
// empty base holds every name.
func dnsWithin(name, base string) bool {
	name, base = strings.ToLower(strings.TrimSuffix(name, ".")), strings.ToLower(strings.TrimSuffix(base, "."))
	if base == "" || name == base {
		return true
	}
	if !strings.HasPrefix(base, ".") {
		base = "." + base
	}
	return strings.HasSuffix(name, base)
}

// emailWithin compares with a mailbox (local part exact, host without regard
// to case), a host, or with a leading dot all hosts of a domain.
func emailWithin(address, base string) bool {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return false
	}
	local, host := address[:at], address[at+1:]
	if i := strings.LastIndexByte(base, '@'); i >= 0 {
		return local == base[:i] && strings.EqualFold(host, base[i+1:])
	}
	if strings.HasPrefix(base, ".") {
		return len(host) > len(base) && strings.EqualFold(host[len(host)-len(base):], base)
	}
	return strings.EqualFold(host, base)
}
