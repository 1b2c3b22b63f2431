package trust

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"imzo/pki/cert"
	"imzo/pki/keystore"
)

// ErrLinkKey is why the key of a client of the link is turned away.
var ErrLinkKey = errors.New("key not accepted")

// pathPing tells what the services see of whoever asks (guide 2.1).
const pathPing = "/ping"

const (
	// linkFile has the key that the link is served with, below keys/.
	linkFile = "link.pfx"
	// linkRenewal is how long before its end the certificate in it is
	// replaced. A service is restarted more often than that.
	linkRenewal = 90 * 24 * time.Hour
)

// pingAnswer is the reply to a ping. The client is internal/trustlink.
type pingAnswer struct {
	ServerTime time.Time `json:"serverTime"`
	YourIP     string    `json:"yourIP"`
	Key        []byte    `json:"key,omitempty"` // the client's certificate, DER
}

// ping answers with our time and what is seen of the client from here.
func (a *Authority) ping(w http.ResponseWriter, r *http.Request) {
	answer := pingAnswer{ServerTime: a.now().UTC().Truncate(time.Millisecond)}
	answer.YourIP, _, _ = net.SplitHostPort(r.RemoteAddr)
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		answer.Key = r.TLS.PeerCertificates[0].Raw
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(answer) // a client that is gone needs no answer
}

// LinkHandler serves what [Authority.Handler] does and nothing else, to clients
// of the link only. A key that is revoked, suspended or out of date while its
// connection is open gets 403 from the next request on.
func (a *Authority) LinkHandler() http.Handler {
	services := a.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
			http.Error(w, "a client key is needed here", http.StatusForbidden)
			return
		}
		if err := a.checkLinkKey(r.TLS.PeerCertificates[0]); err != nil {
			w.Header().Set("Connection", "close")
			if !errors.Is(err, ErrLinkKey) {
				http.Error(w, "the ledger cannot be read", http.StatusServiceUnavailable)
				return
			}
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		services.ServeHTTP(w, r)
	})
}

// checkLinkKey looks a client's certificate up in the ledger. That it is the
// VPN CA's is known already.
func (a *Authority) checkLinkKey(c *x509.Certificate) error {
	if err := a.ledger.refresh(); err != nil {
		return err
	}
	serial := c.SerialNumber.Text(16)
	a.mu.RLock()
	r := a.bySN[entityVPN+"/"+serial]
	a.mu.RUnlock()
	now := a.now()
	switch {
	case r == nil || !slices.Equal(r.Cert.Raw, c.Raw):
		return fmt.Errorf("%w: certificate %s is not in the ledger", ErrLinkKey, serial)
	case r.Profile != ProfileVPN:
		return fmt.Errorf("%w: certificate %s is no client's", ErrLinkKey, serial)
	case r.Status != StatusGood:
		return fmt.Errorf("%w: certificate %s is %s", ErrLinkKey, serial, r.Status)
	case !r.Cert.ValidAt(now):
		return fmt.Errorf("%w: certificate %s is valid from %s to %s", ErrLinkKey, serial, r.NotBefore.Format(time.RFC3339), r.NotAfter.Format(time.RFC3339))
	}
	return nil
}

// LinkConfig returns how the link is served: TLS 1.3 with a client key of the
// VPN CA that is not revoked. Clients may know the server by the host of the
// hierarchy's address or by one of hosts, which are DNS names or IP addresses.
//
// The server's key is in keys/link.pfx. It is made anew when it is absent, near
// its end, revoked, or lacks one of the hosts.
func (a *Authority) LinkConfig(password string, hosts ...string) (*tls.Config, error) {
	u, err := url.Parse(a.settings.BaseURL)
	if err != nil {
		return nil, err
	}
	hosts, err = linkHosts(append([]string{u.Hostname()}, hosts...))
	if err != nil {
		return nil, err
	}
	if password == "" {
		if password, err = readKeysPassword(a.dir); err != nil {
			return nil, err
		}
	}
	e, err := a.linkEntry(password, hosts)
	if err != nil {
		return nil, err
	}
	pair := tls.Certificate{PrivateKey: e.Key.Signer()}
	for _, c := range e.Chain {
		pair.Certificate = append(pair.Certificate, c.Raw)
	}
	ca, err := x509.ParseCertificate(a.entities[entityVPN].Chain[0].Raw)
	if err != nil {
		return nil, err
	}
	clients := x509.NewCertPool()
	clients.AddCert(ca)
	config := &tls.Config{
		MinVersion:   tls.VersionTLS13,
		NextProtos:   []string{"http/1.1"},
		Certificates: []tls.Certificate{pair},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    clients,
		Time:         a.now,
		// A key revoked yesterday must not come in by a ticket of last week.
		SessionTicketsDisabled: true,
	}
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		own := config.Clone()
		own.GetConfigForClient = nil
		own.VerifyConnection = func(s tls.ConnectionState) error {
			if err := a.checkLinkKey(s.PeerCertificates[0]); err != nil {
				return err
			}
			if c, ok := hello.Conn.(*lingeringConn); ok {
				c.accepted.Store(true)
			}
			return nil
		}
		return own, nil
	}
	return config, nil
}

// linkHosts checks and sorts out names of the server.
func linkHosts(hosts []string) ([]string, error) {
	var out []string
	for _, h := range hosts {
		h = strings.ToLower(strings.TrimSpace(h))
		switch ip := net.ParseIP(h); {
		case ip != nil && ip.IsUnspecified(), h == "":
			continue // an address to listen on, not to connect to
		case ip == nil && !isHostName(h):
			return nil, fmt.Errorf("%w: %q is neither a host name nor an IP address", ErrAddress, h)
		}
		if !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: no name that clients could connect to", ErrAddress)
	}
	return out, nil
}

// isHostName tells whether s may be a host name (RFC 1123 2.1).
func isHostName(s string) bool {
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(strings.ToLower(label), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}

// linkEntry returns the key that the link is served with.
func (a *Authority) linkEntry(password string, hosts []string) (keystore.Entry, error) {
	path := filepath.Join(a.dir, "keys", linkFile)
	switch data, err := os.ReadFile(path); {
	case err == nil:
		entries, err := keystore.OpenPFX(data, password)
		if err != nil {
			return keystore.Entry{}, fmt.Errorf("%s: %w", path, err)
		}
		if len(entries) == 1 && a.servesLink(entries[0], hosts) {
			return entries[0], nil
		}
	case !errors.Is(err, fs.ErrNotExist):
		return keystore.Entry{}, err
	}
	subject, err := cert.ParseName("CN=" + escape(hosts[0]) + ",O=" + escape(a.settings.Organisation))
	if err != nil {
		return keystore.Entry{}, err
	}
	e, err := a.issue(certificateOrder{issuer: entityVPN, ledger: entityVPN, subject: subject, profile: profileLink, keySpec: "ecdsa:P-256", hosts: hosts})
	if err != nil {
		return keystore.Entry{}, err
	}
	e.Alias = "link"
	pfx, err := keystore.CreatePFX(a.rand, []keystore.Entry{e}, password, keystore.ProfileModern)
	if err != nil {
		return keystore.Entry{}, err
	}
	return e, replaceSynced(path, pfx)
}

// servesLink tells whether a key is still good to serve the link with.
func (a *Authority) servesLink(e keystore.Entry, hosts []string) bool {
	if len(e.Chain) == 0 {
		return false
	}
	c := e.Chain[0]
	a.mu.RLock()
	r := a.bySN[entityVPN+"/"+c.SerialHex()]
	a.mu.RUnlock()
	if r == nil || r.Status != StatusGood || !r.Cert.Equal(c) || !c.ValidAt(a.now()) || !c.ValidAt(a.now().Add(linkRenewal)) {
		return false
	}
	parsed, err := x509.ParseCertificate(c.Raw)
	return err == nil && !slices.ContainsFunc(hosts, func(h string) bool { return parsed.VerifyHostname(h) != nil })
}

// replaceSynced puts a file in the place of another one, whole or not at all.
func replaceSynced(path string, b []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".link-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone after the rename
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// LinkListener wraps the listener below the link's TLS, so that a client that
// is turned away learns why.
func LinkListener(ln net.Listener) net.Listener { return lingeringListener{ln} }

type lingeringListener struct{ net.Listener }

// Accept implements net.Listener.
func (l lingeringListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &lingeringConn{Conn: c}, nil
}

// lingeringConn reads on for a moment before it closes a connection whose
// handshake did not succeed. A client of TLS 1.3 sends its request before it
// knows that its key is refused; closing with that request unread makes the
// system send a reset, which overtakes the alert.
type lingeringConn struct {
	net.Conn
	accepted atomic.Bool
}

const (
	lingerTime  = 250 * time.Millisecond
	lingerBytes = 64 << 10
)

// Close implements net.Conn.
func (c *lingeringConn) Close() error {
	tcp, ok := c.Conn.(*net.TCPConn)
	if c.accepted.Load() || !ok || tcp.CloseWrite() != nil {
		return c.Conn.Close()
	}
	if err := c.SetReadDeadline(time.Now().Add(lingerTime)); err == nil {
		_, _ = io.CopyN(io.Discard, c.Conn, lingerBytes) // what it was does not matter
	}
	return c.Conn.Close()
}
