package tunnel

import (
	"context"
	"io"
	"time"

	"imzo/pki/alg"
	"imzo/pki/cert"
)

// Identity is what an end proves to be.
type Identity struct {
	// Key signs once for each handshake: a GOST R 34.10-2001 key in memory or
	// in a card.
	Key *alg.PrivateKey
	// Chain begins with the certificate of Key; CA certificates may follow, at
	// most MaxChain in all. The root need not be there.
	Chain []*cert.Certificate
	// Staple is a DER OCSPResponse about the first certificate, and may be nil.
	Staple []byte
}

// ClientConfig is what the agent's end needs.
type ClientConfig struct {
	Identity    Identity // of the user; Staple is not sent
	Domain      string   // whose certificate the server has to have: a host name in ASCII, or an IP address
	Destination uint8    // dst_id
	Trust       Trust    // for the server's certificate
	Rand        io.Reader
	Now         func() time.Time
	// Timeout bounds the handshake; 0 is DefaultTimeout.
	Timeout time.Duration
}

// Peer is what a server knows of a client when its certificate has been
// verified and it has proven to have the key.
type Peer struct {
	Certificate *cert.Certificate // of the user
	Domain      string
	Destination uint8
}

// ServerConfig is what the server's end needs.
type ServerConfig struct {
	// Identity finds the key of a domain. nil without an error, which ends the
	// handshake with AlertDomain, is for a domain that is not served.
	Identity func(ctx context.Context, domain string) (*Identity, error)
	// Trust is for users' certificates.
	Trust Trust
	// Connect is called once for each verified client, within the time of the
	// handshake, and connects to its destination. Its error, an *Error to choose
	// the alert, refuses the client. What it has opened it must close when the
	// handshake fails later, which its context tells by ending.
	Connect func(ctx context.Context, p Peer) error
	Rand    io.Reader
	Now     func() time.Time
	Timeout time.Duration // of the handshake; 0 is DefaultTimeout
}

const (
	// DefaultTimeout is how long a handshake may take, which includes asking
	// for the status of a certificate and connecting to a destination.
	DefaultTimeout = 15 * time.Second
	// MaxChain is how many certificates an end may send.
	MaxChain = 4
)

// Trust judges certificates of the other end. The zero value trusts nobody.
type Trust struct {
	Anchors *cert.Pool
	// Status finds out the status of a certificate with a valid path, by asking.
	// Without it only a stapled answer counts. It fits a
	// verify.RevocationSource's Status through a small func.
	Status func(ctx context.Context, c, issuer *cert.Certificate) (revoked bool, err error)
	// Staples tells whether a stapled answer is enough; otherwise Status is
	// asked. When there is neither, the handshake ends with AlertStatus.
	Staples bool
}
