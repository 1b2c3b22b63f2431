package tunnel

import (
	"context"
	"io"
	"net"
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

// Client makes the agent's end of a tunnel over conn, which it closes when that
// fails. Errors are *Error, those of ctx, or of the network.
func Client(ctx context.Context, conn net.Conn, c ClientConfig) (*Conn, error) {
	panic("not yet")
}

// Server makes the server's end of a tunnel over conn, which it closes when that
// fails.
func Server(ctx context.Context, conn net.Conn, c ServerConfig) (*Conn, Peer, error) {
	panic("not yet")
}

// Conn is an end of a tunnel: a stream like a TCP connection. Read and Write
// may run beside each other, and Close beside both. It has deadlines as net.Conn.
type Conn struct {
	net.Conn
}

// CloseWrite tells the other end that nothing more follows; its Read returns
// io.EOF after what was sent before. Reading goes on.
func (c *Conn) CloseWrite() error { panic("not yet") }

// Abort closes the tunnel with an alert, for the other end's Read to return.
func (c *Conn) Abort(a Alert) error { panic("not yet") }

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

// SpliceOptions bound a spliced tunnel.
type SpliceOptions struct {
	Idle time.Duration // without an octet either way; 0 is for ever
	// Sent and Received, when not nil, are told of octets as they go to and come
	// from the tunnel.
	Sent, Received func(n int)
}

// Splice copies between a tunnel and a connection until both directions have
// ended, and closes both. The end of one direction is passed on (half-close).
// The result is nil when both ended well; ctx's end aborts with AlertStopping.
func Splice(ctx context.Context, t *Conn, c net.Conn, o SpliceOptions) error {
	panic("not yet")
}

// Refuse answers a connection with an alert before any cryptography, and
// closes it.
func Refuse(conn net.Conn, a Alert) error { panic("not yet") }

// IsProof tells whether content is what an end of a tunnel signs to prove the
// possession of its key, which must not be signed for any other reason.
func IsProof(content []byte) bool { panic("not yet") }
