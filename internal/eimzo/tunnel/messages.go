package tunnel

import (
	"encoding/binary"

	"imzo/gost/gost3410"
	"imzo/pki/cert"
)

// Types of messages of the handshake, their first octet.
const (
	msgClientHello = 1
	msgServerHello = 2
	msgCertificate = 3
	msgProof       = 4
	msgFinished    = 5
	msgRequest     = 6
	msgReady       = 7
)

const (
	version1 = 1
	// suite1 is VKO GOST R 34.10-2001 over CryptoPro-A, HKDF with HMAC of GOST R
	// 34.11-94, and GOST 28147-89 (param-Z) in the mode MGM.
	suite1 = 1

	randomSize     = 32
	maxDomain      = 253
	maxCertificate = 8 << 10
	maxStaple      = 8 << 10
)

// clientHello offers versions and suites; what is in it besides is for suite1.
type clientHello struct {
	versions  []byte
	suites    []uint16
	random    [randomSize]byte
	ephemeral [gost3410.PublicKeySize]byte
	domain    string
}

func (m clientHello) marshal() []byte {
	b := append([]byte{msgClientHello, byte(len(m.versions))}, m.versions...)
	b = append(b, byte(len(m.suites)))
	for _, s := range m.suites {
		b = binary.BigEndian.AppendUint16(b, s)
	}
	b = append(append(b, m.random[:]...), m.ephemeral[:]...)
	return append(append(b, byte(len(m.domain))), m.domain...)
}

// reader takes a message apart; ok becomes false at the first lack.
type reader struct {
	b  []byte
	ok bool
}

func (r *reader) take(n int) []byte {
	if !r.ok || len(r.b) < n {
		r.ok = false
		return make([]byte, n)
	}
	taken := r.b[:n:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) octet() int  { return int(r.take(1)[0]) }
func (r *reader) number() int { return int(binary.BigEndian.Uint16(r.take(2))) }

// message begins to read a message of a type.
func message(b []byte, typ byte) *reader {
	r := &reader{b: b, ok: true}
	r.ok = r.octet() == int(typ) && r.ok
	return r
}

// end tells whether all was there and nothing more.
func (r *reader) end() bool { return r.ok && len(r.b) == 0 }

func parseClientHello(b []byte) (m clientHello, ok bool) {
	r := message(b, msgClientHello)
	m.versions = r.take(r.octet())
	for range r.octet() {
		m.suites = append(m.suites, uint16(r.number()))
	}
	copy(m.random[:], r.take(randomSize))
	copy(m.ephemeral[:], r.take(gost3410.PublicKeySize))
	m.domain = string(r.take(r.octet()))
	return m, r.end() && validDomain(m.domain)
}

// validDomain lets through what a host name or an address can look like: it goes
// to logs.
func validDomain(s string) bool {
	if s == "" || len(s) > maxDomain {
		return false
	}
	for _, c := range []byte(s) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_' || c == ':') {
			return false
		}
	}
	return true
}

type serverHello struct {
	version   byte
	suite     uint16
	random    [randomSize]byte
	ephemeral [gost3410.PublicKeySize]byte
}

func (m serverHello) marshal() []byte {
	b := binary.BigEndian.AppendUint16([]byte{msgServerHello, m.version}, m.suite)
	return append(append(b, m.random[:]...), m.ephemeral[:]...)
}

func parseServerHello(b []byte) (m serverHello, ok bool) {
	r := message(b, msgServerHello)
	m.version, m.suite = byte(r.octet()), uint16(r.number())
	copy(m.random[:], r.take(randomSize))
	copy(m.ephemeral[:], r.take(gost3410.PublicKeySize))
	return m, r.end()
}

func certificateMessage(chain []*cert.Certificate, staple []byte) ([]byte, error) {
	if len(chain) == 0 || len(chain) > MaxChain {
		return nil, fault(AlertInternal, "a chain of %d certificates", len(chain))
	}
	b := []byte{msgCertificate, byte(len(chain))}
	for _, c := range chain {
		if len(c.Raw) > maxCertificate {
			return nil, fault(AlertInternal, "a certificate of %d octets", len(c.Raw))
		}
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(c.Raw))), c.Raw...)
	}
	if len(staple) > maxStaple {
		staple = nil // the other end may ask itself
	}
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(staple))), staple...)
	if len(b) > maxHandshake {
		return nil, fault(AlertInternal, "certificates of %d octets", len(b))
	}
	return b, nil
}

func parseCertificateMessage(b []byte) (chain []*cert.Certificate, staple []byte, err error) {
	r := message(b, msgCertificate)
	n := r.octet()
	if !r.ok || n == 0 || n > MaxChain {
		return nil, nil, fault(AlertProtocol, "not a chain of certificates")
	}
	for range n {
		size := r.number()
		der := r.take(min(size, maxCertificate+1))
		if !r.ok || size > maxCertificate {
			return nil, nil, fault(AlertProtocol, "not a chain of certificates")
		}
		c, err := cert.Parse(append([]byte(nil), der...))
		if err != nil {
			return nil, nil, fault(AlertProtocol, "%w", err)
		}
		chain = append(chain, c)
	}
	size := r.number()
	if staple = r.take(min(size, maxStaple+1)); !r.end() || size > maxStaple {
		return nil, nil, fault(AlertProtocol, "not a chain of certificates")
	}
	return chain, append([]byte(nil), staple...), nil
}

// sized are the messages with one field: Proof, Finished, Request, Ready.
func sized(typ byte, field []byte) []byte { return append([]byte{typ}, field...) }

func parseSized(b []byte, typ byte, size int) ([]byte, bool) {
	r := message(b, typ)
	field := r.take(size)
	return field, r.end()
}
