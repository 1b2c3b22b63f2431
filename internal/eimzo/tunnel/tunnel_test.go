package tunnel_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"imzo/internal/eimzo/tunnel"
	"imzo/internal/testpki"
	"imzo/pki/cert"
)

const domain = "example.uz"

// world is a PKI with a user and a domain.
type world struct {
	*testpki.PKI
	user, site testpki.Entity
}

func newWorld(t testing.TB) *world {
	p := testpki.New(t, "ozdst")
	return &world{PKI: p, user: p.User(t, "CN=USER"), site: site(t, p, domain)}
}

// site issues a certificate of a domain.
func site(t testing.TB, p *testpki.PKI, names ...string) testpki.Entity {
	return p.User(t, "CN="+names[0], func(c *cert.Template) {
		c.DNSNames = names
		c.ExtKeyUsage = nil
		c.ExtKeyUsage = append(c.ExtKeyUsage, cert.OIDServerAuth)
	})
}

func good(context.Context, *cert.Certificate, *cert.Certificate) (bool, error) { return false, nil }

func (w *world) client() tunnel.ClientConfig {
	return tunnel.ClientConfig{
		Identity: tunnel.Identity{Key: w.user.Key, Chain: w.chain(w.user)}, Domain: domain, Destination: 7,
		Trust: tunnel.Trust{Anchors: w.Anchors(), Status: good}, Now: w.Clock(), Timeout: 5 * time.Second,
	}
}

func (w *world) server() tunnel.ServerConfig {
	return tunnel.ServerConfig{
		Identity: func(_ context.Context, d string) (*tunnel.Identity, error) {
			if d != domain {
				return nil, nil
			}
			return &tunnel.Identity{Key: w.site.Key, Chain: w.chain(w.site)}, nil
		},
		Trust: tunnel.Trust{Anchors: w.Anchors(), Status: good}, Now: w.Clock(), Timeout: 5 * time.Second,
	}
}

// pipe is a TCP connection.
func pipe(t testing.TB) (client, server net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

type ends struct {
	client, server       *tunnel.Conn
	clientErr, serverErr error
	peer                 tunnel.Peer
}

func connect(t testing.TB, cc tunnel.ClientConfig, sc tunnel.ServerConfig) (e ends) {
	c, s := pipe(t)
	return connectOver(t, c, s, cc, sc)
}

func connectOver(t testing.TB, c, s net.Conn, cc tunnel.ClientConfig, sc tunnel.ServerConfig) (e ends) {
	done := make(chan struct{})
	go func() {
		e.server, e.peer, e.serverErr = tunnel.Server(t.Context(), s, sc)
		close(done)
	}()
	e.client, e.clientErr = tunnel.Client(t.Context(), c, cc)
	<-done
	return e
}

func (w *world) tunnel(t testing.TB) ends {
	e := connect(t, w.client(), w.server())
	if e.clientErr != nil || e.serverErr != nil {
		t.Fatal(e.clientErr, e.serverErr)
	}
	return e
}

func TestTunnel(t *testing.T) {
	w := newWorld(t)
	e := w.tunnel(t)
	if !e.peer.Certificate.Equal(w.user.Cert) || e.peer.Domain != domain || e.peer.Destination != 7 {
		t.Errorf("peer %+v", e.peer)
	}
	// Beyond several changes of keys, both ways at once.
	message := make([]byte, 20<<20)
	_, _ = rand.Read(message)
	for _, way := range [][2]*tunnel.Conn{{e.client, e.server}, {e.server, e.client}} {
		go func() {
			_, _ = way[0].Write(message)
			_ = way[0].CloseWrite()
		}()
	}
	for _, end := range []*tunnel.Conn{e.client, e.server} {
		got, err := io.ReadAll(end)
		if err != nil || !bytes.Equal(got, message) {
			t.Errorf("%d octets, %v", len(got), err)
		}
	}
	if _, err := e.client.Write([]byte("x")); err == nil {
		t.Error("written after the end")
	}
	if err := errors.Join(e.client.Close(), e.server.Close(), e.client.Close()); err != nil {
		t.Error(err)
	}
}

func (w *world) chain(e testpki.Entity) []*cert.Certificate {
	return []*cert.Certificate{e.Cert, w.CA.Cert}
}
