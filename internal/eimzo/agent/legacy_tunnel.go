package agent

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strconv"
	"time"

	"imzo/gost/gost3410"
	"imzo/internal/eimzo/agent/origin"
	"imzo/internal/eimzo/tunnel"
	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/ocsp"
)

// tunnelDial bounds how long connecting to the server of a tunnel takes.
const tunnelDial = 10 * time.Second

// tunnelPlugin makes tunnels to the server of the page's domain (guide 4.2), as
// 4.42 to 5.x did.
func tunnelPlugin() plugin {
	return plugin{
		name: "tunnel", about: text{ru: "Плагин для создания шифрованного туннеля"},
		functions: []function{{
			name: "create_tunnel", about: text{ru: "Создать шифрованный (по алгоритму ГОСТ-28147) туннель к серверу домена и получить его локальный адрес"},
			args: []argument{
				{name: "dst_id", about: "Идентификатор адреса назначения (настраивается на сервере), от 0 до 255"},
				{name: "id", about: "Идентификатор ключа (полученный из фукнции других плагинов)"},
			},
			legacy: true, run: createTunnel,
		}},
	}
}

// The key proves to the server who the person is.
var questionTunnel = text{
	ru: "Сайт %s открывает с этим ключом шифрованный туннель к домену %s (%s). Сервер узнает, чей это ключ.",
	uz: "%s sayti shu kalit bilan %s domeniga (%s) shifrlangan tunnel ochmoqda. Server kalit kimniki ekanini biladi.",
	en: "The site %s opens an encrypted tunnel to the domain %s (%s) with this key. The server learns whose key it is.",
}

// createTunnel answers when the server has reached the destination. Each tunnel
// asks the person: a password that was remembered for signatures opens none.
func createTunnel(ctx context.Context, a *Agent, c *call) (fields, error) {
	destination, err := strconv.ParseUint(c.arg(0), 10, 8)
	if err != nil {
		return nil, fail(codeOther, textTunnelDestination)
	}
	if c.Domain == origin.Null {
		return nil, fail(codeOther, textDomainIsNotKnown)
	}
	server, ok := a.options.Tunnels[c.Domain]
	if !ok {
		return nil, fail(codeOther, textTunnelNoAddress, c.Domain)
	}
	c.note(slog.String("domain", c.Domain), slog.Uint64("dst_id", destination), slog.String("server", server))
	if a.options.Anchors == nil {
		return nil, c.tunnelFailed(textTunnelNoAnchors)
	}
	if !a.tunnels.take(c.Origin) {
		return nil, c.tunnelFailed(textTunnelTooMany)
	}
	kept := false
	defer func() {
		if !kept {
			a.tunnels.give(c.Origin)
		}
	}()

	key, chain, done, err := a.tunnelSigner(ctx, c, c.arg(1), server)
	if err != nil {
		return nil, err
	}
	defer done()
	if _, ok := key.PublicKey().Key.(*gost3410.PublicKey); !ok {
		return nil, fail(codeOther, textReasonKeyIsForeign)
	}
	ctx, cancel := a.running(ctx)
	defer cancel()
	dialer := net.Dialer{Timeout: tunnelDial}
	conn, err := dialer.DialContext(ctx, "tcp", server)
	if err != nil {
		a.log.Info("the server of a tunnel does not answer", "domain", c.Domain, "server", server, "cause", err.Error())
		return nil, c.tunnelFailed(textTunnelNoServer)
	}
	end, err := tunnel.Client(ctx, conn, tunnel.ClientConfig{
		Identity: tunnel.Identity{Key: key, Chain: shortChain(chain)},
		Domain:   c.Domain, Destination: uint8(destination),
		Trust: tunnel.Trust{Anchors: a.options.Anchors, Status: a.tunnelStatus(), Staples: true},
		Rand:  a.rand, Now: a.now,
	})
	if err != nil {
		a.log.Info("no tunnel", "domain", c.Domain, "server", server, "cause", err.Error())
		return nil, c.tunnelRefusal(err)
	}
	l := &localTunnel{agent: a, end: end, origin: c.Origin, domain: c.Domain, destination: destination, serial: chain[0].SerialHex(), made: time.Now()}
	address, err := l.listen()
	if err != nil {
		a.log.Warn("no port for a tunnel", "cause", err.Error())
		_ = end.Abort(tunnel.AlertInternal)
		return nil, c.tunnelFailed(textTunnelNoPort)
	}
	kept = true
	a.sockets.Go(func() {
		defer a.tunnels.give(c.Origin)
		l.serve(a.ctx)
	})
	return fields{"address": address}, nil
}

// tunnelSigner opens the key of an id for one handshake; done ends its use. The
// person is asked each time, and told what for.
func (a *Agent) tunnelSigner(ctx context.Context, c *call, id, server string) (key *alg.PrivateKey, chain []*cert.Certificate, done func(), err error) {
	if isToken(id) {
		return a.tokenSigner(ctx, c, id, nil, questionTunnel, c.Domain, server)
	}
	s, err := a.signingSession(c, id)
	if err != nil {
		return nil, nil, nil, err
	}
	u, _, err := a.askFor(ctx, c, s, nil, false, questionTunnel, c.Domain, server)
	if err != nil {
		return nil, nil, nil, err
	}
	if len(u.Chain) == 0 {
		u.Wipe()
		return nil, nil, nil, fail(codeOther, textReasonNoCertificate)
	}
	c.noteKey(u.Chain[0])
	return u.Key, u.Chain, u.Wipe, nil
}

// shortChain is as much of a chain as a tunnel sends; the server has the root.
func shortChain(chain []*cert.Certificate) []*cert.Certificate {
	return chain[:min(len(chain), tunnel.MaxChain)]
}

// tunnelStatus asks the agent's source for the status of a server's
// certificate; nil where there is none, so that only a stapled answer counts.
func (a *Agent) tunnelStatus() func(ctx context.Context, c, issuer *cert.Certificate) (revoked bool, err error) {
	source := a.options.Revocation
	if source == nil {
		return nil
	}
	return func(ctx context.Context, c, issuer *cert.Certificate) (bool, error) {
		status, err := source.Status(ctx, c, issuer)
		switch {
		case err != nil:
			return false, err
		case status.ThisUpdate.IsZero():
			return false, errors.New("a status without a date")
		case status.Status == ocsp.Revoked:
			return true, nil
		case status.Status != ocsp.Good:
			return false, errors.New("the status is not known")
		}
		return false, nil
	}
}

// tunnelFailed is the refusal of a tunnel for a reason.
func (c *call) tunnelFailed(reason text) error {
	return fail(codeOther, textTunnelFailed, reason.in(c.language))
}

// tunnelRefusal is the refusal that a failed handshake comes to.
func (c *call) tunnelRefusal(err error) error {
	var e *tunnel.Error
	if errors.As(err, &e) {
		return c.alerted(e)
	}
	var network net.Error
	timeout := errors.As(err, &network) && network.Timeout()
	switch {
	case timeout, errors.Is(err, context.DeadlineExceeded):
		return c.tunnelFailed(tunnelAlerts[tunnel.AlertTimeout].found)
	case errors.Is(err, context.Canceled):
		return c.tunnelFailed(tunnelAlerts[tunnel.AlertStopping].found)
	case network != nil, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, tunnel.ErrTruncated):
		return c.tunnelFailed(textTunnelBroken)
	}
	return c.tunnelFailed(tunnelAlerts[tunnel.AlertInternal].found)
}

// alerted is the refusal that an alert comes to.
func (c *call) alerted(e *tunnel.Error) error {
	known, ok := tunnelAlerts[e.Alert]
	switch {
	case !ok:
		return c.tunnelFailed(tunnelAlerts[tunnel.AlertProtocol].told)
	case e.Remote:
		return c.tunnelFailed(known.told)
	case e.Alert == tunnel.AlertName:
		return fail(codeOther, textTunnelForeignCertificate, c.Domain)
	}
	return c.tunnelFailed(known.found)
}
