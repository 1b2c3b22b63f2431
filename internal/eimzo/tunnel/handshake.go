package tunnel

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"imzo/gost/gost3410"
	"imzo/gost/gost341194"
	"imzo/pki/cert"
)

// proofPrefix begins what is signed to prove the possession of a key. No
// document, certificate or CMS attribute begins so.
var proofPrefix = strings.Repeat(" ", 64) + label

func proofContent(end int, digest []byte) []byte {
	return append([]byte(proofPrefix+[...]string{"client", "server"}[end]+" proof\x00"), digest...)
}

// IsProof tells whether content is what an end of a tunnel signs to prove the
// possession of its key, which must not be signed for any other reason.
func IsProof(content []byte) bool { return strings.HasPrefix(string(content), proofPrefix) }

// handshake is what both ends have while they make a tunnel.
type handshake struct {
	*Conn
	schedule
	rand      io.Reader
	now       func() time.Time
	ephemeral *gost3410.PrivateKey
	keyed     bool // records are sealed both ways
}

// begin makes the time and the end of ctx those of conn.
func begin(ctx context.Context, conn net.Conn, random io.Reader, now func() time.Time, timeout time.Duration) (h *handshake, hctx context.Context, end func(error) error) {
	if random == nil {
		random = rand.Reader
	}
	if now == nil {
		now = time.Now
	}
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	parent := ctx
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, &Error{Alert: AlertTimeout})
	var mu sync.Mutex
	over := false
	stop := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		if !over { // else the deadline would be the tunnel's
			_ = conn.SetDeadline(time.Unix(1, 0))
		}
	})
	h = &handshake{Conn: &Conn{net: conn, stop: cancel}, rand: random, now: now}
	h.transcript = gost341194.New()
	return h, ctx, func(err error) error {
		stop()
		mu.Lock()
		over = true
		mu.Unlock()
		_ = conn.SetDeadline(time.Time{})
		h.schedule.wipe()
		if h.ephemeral != nil {
			h.ephemeral.Wipe()
		}
		if err == nil {
			return nil
		}
		if ctx.Err() != nil && parent.Err() == nil {
			err = context.Cause(ctx) // what the deadline has broken is no cause
		} else if parent.Err() != nil {
			err = parent.Err()
		}
		h.fail(err)
		cancel()
		return err
	}
}

// fail tells the other end, unless it told us, and closes.
func (h *handshake) fail(err error) {
	var e *Error
	alert := AlertInternal
	switch {
	case errors.As(err, &e):
		alert = e.Alert
	case errors.Is(err, context.Canceled):
		alert = AlertStopping
	case errors.Is(err, context.DeadlineExceeded):
		alert = AlertTimeout
	}
	switch {
	case e != nil && e.Remote, errors.Is(err, ErrTruncated):
		_ = h.net.Close()
	case h.keyed:
		_ = h.Abort(alert)
	default:
		_ = Refuse(h.net, alert)
	}
	h.read.wipe()
}

func (h *handshake) sayHello(b []byte) error {
	h.transcript.Write(b)
	_, err := h.net.Write(append([]byte{kindHello, byte(len(b) >> 8), byte(len(b))}, b...))
	return err
}

// hearHello gets the other end's first message, or the alert in its place,
// which nobody has authenticated.
func (h *handshake) hearHello() ([]byte, error) {
	kind, _, body, err := h.record()
	if err != nil {
		return nil, err
	}
	defer release(body)
	switch {
	case kind == kindHello:
		return append([]byte(nil), *body...), nil
	case kind == kindAlert && (*body)[0] != 0:
		return nil, &Error{Alert: Alert((*body)[0]), Remote: true}
	default:
		return nil, fault(AlertProtocol, "a record of kind %d where a hello is due", kind)
	}
}

// say sends a message of the handshake in a sealed record.
func (h *handshake) say(b []byte) error {
	h.transcript.Write(b)
	return h.seal(typeHandshake, b)
}

// hear gets the next message, which is in the transcript only when it was
// accepted.
func (h *handshake) hear() ([]byte, error) {
	typ, content, buffer, err := h.open()
	if err != nil {
		return nil, err
	}
	defer release(buffer)
	if typ != typeHandshake {
		return nil, fault(AlertProtocol, "a record of type %d within the handshake", typ)
	}
	return append([]byte(nil), content...), nil
}

// generate makes the key of this handshake.
func (h *handshake) generate(public *[gost3410.PublicKeySize]byte, random *[randomSize]byte) error {
	if _, err := io.ReadFull(h.rand, random[:]); err != nil {
		return err
	}
	key, err := gost3410.GenerateKey(gost3410.CryptoProA(), h.rand)
	if err != nil {
		return err
	}
	h.ephemeral = key
	copy(public[:], key.PublicKey().Bytes())
	return nil
}

// agree derives the keys of the handshake; both hellos are in the transcript.
func (h *handshake) agree(other []byte) error {
	peer, err := gost3410.ParsePublicKey(gost3410.CryptoProA(), other)
	if err != nil {
		return fault(AlertProtocol, "%w", err)
	}
	ukm := h.digest()[:8]
	ukm[0] |= 1 // never zero
	shared, err := h.ephemeral.VKO(peer, ukm)
	if err != nil {
		return fault(AlertProtocol, "%w", err)
	}
	h.ephemeral.Wipe()
	h.agreed(shared)
	return nil
}

// prove sends certificate, proof of possession and Finished.
func (h *handshake) prove(end int, id Identity, staple []byte) error {
	b, err := certificateMessage(id.Chain, staple)
	if err != nil {
		return err
	}
	if err := h.say(b); err != nil {
		return err
	}
	content := gost341194.Sum256(proofContent(end, h.digest()))
	signature, err := id.Key.Sign(h.rand, content[:], nil)
	if err != nil {
		return &Error{Alert: AlertInternal, Err: err}
	}
	if err := h.say(sized(msgProof, signature)); err != nil {
		return err
	}
	return h.say(sized(msgFinished, h.finish(end)))
}

// check takes the same messages of the other end. What comes back is proven, but
// not yet trusted.
func (h *handshake) checkProof(end int) (chain []*cert.Certificate, staple []byte, err error) {
	b, err := h.hear()
	if err != nil {
		return nil, nil, err
	}
	if chain, staple, err = parseCertificateMessage(b); err != nil {
		return nil, nil, err
	}
	key, ok := publicKey(chain[0])
	if !ok {
		return nil, nil, fault(AlertUntrusted, "the key is not of GOST R 34.10-2001")
	}
	h.transcript.Write(b)
	content := gost341194.Sum256(proofContent(end, h.digest()))
	if b, err = h.hear(); err != nil {
		return nil, nil, err
	}
	signature, ok := parseSized(b, msgProof, gost3410.SignatureSize)
	if !ok {
		return nil, nil, fault(AlertProtocol, "not a proof of possession")
	}
	if !key.Verify(content[:], signature) {
		return nil, nil, &Error{Alert: AlertProof}
	}
	h.transcript.Write(b)
	want := h.finish(end)
	if b, err = h.hear(); err != nil {
		return nil, nil, err
	}
	got, ok := parseSized(b, msgFinished, secretSize)
	if !ok {
		return nil, nil, fault(AlertProtocol, "not the end of a proof")
	}
	if !hmac.Equal(got, want) {
		return nil, nil, fault(AlertProof, "Finished does not fit")
	}
	h.transcript.Write(b)
	return chain, staple, nil
}

// usable tells whether an end has what it needs.
func (id Identity) usable() error {
	if id.Key == nil || len(id.Chain) == 0 {
		return fault(AlertInternal, "a tunnel needs a key and its certificate")
	}
	if _, ok := publicKey(id.Chain[0]); !ok {
		return fault(AlertInternal, "the key is not of GOST R 34.10-2001")
	}
	return nil
}

// Client makes the agent's end of a tunnel over conn, which it closes when that
// fails. Errors are *Error, those of ctx, or of the network.
func Client(ctx context.Context, conn net.Conn, c ClientConfig) (*Conn, error) {
	h, ctx, end := begin(ctx, conn, c.Rand, c.Now, c.Timeout)
	if err := end(h.client(ctx, c)); err != nil {
		return nil, err
	}
	return h.Conn, nil
}

func (h *handshake) client(ctx context.Context, c ClientConfig) error {
	if err := c.Identity.usable(); err != nil {
		return err
	}
	hello := clientHello{versions: []byte{version1}, suites: []uint16{suite1}, domain: c.Domain}
	if !validDomain(c.Domain) {
		return fault(AlertInternal, "%q is no domain", c.Domain)
	}
	if err := h.generate(&hello.ephemeral, &hello.random); err != nil {
		return err
	}
	if err := h.sayHello(hello.marshal()); err != nil {
		return err
	}
	b, err := h.hearHello()
	if err != nil {
		return err
	}
	answer, ok := parseServerHello(b)
	switch {
	case !ok:
		return fault(AlertProtocol, "not a ServerHello")
	case answer.version != version1:
		return fault(AlertVersion, "version %d was not offered", answer.version)
	case answer.suite != suite1:
		return fault(AlertSuite, "suite %d was not offered", answer.suite)
	}
	h.transcript.Write(b)
	if err := h.agree(answer.ephemeral[:]); err != nil {
		return err
	}
	h.key(h.schedule.client, h.schedule.server)

	chain, staple, err := h.checkProof(ofServer)
	if err != nil {
		return err
	}
	if err := c.Trust.check(ctx, chain, staple, c.Domain, h.now()); err != nil {
		return err
	}
	if err := h.say(sized(msgRequest, []byte{c.Destination})); err != nil {
		return err
	}
	if err := h.prove(ofClient, c.Identity, nil); err != nil {
		return err
	}
	client, server := h.traffic()
	h.write.start(client)
	if b, err = h.hear(); err != nil {
		return err
	}
	if _, ok := parseSized(b, msgReady, 0); !ok {
		return fault(AlertProtocol, "not the end of the handshake")
	}
	h.read.start(server)
	return nil
}

// key seals all that follows.
func (h *handshake) key(write, read []byte) {
	h.write.start(write)
	h.read.start(read)
	h.keyed = true
}

// Server makes the server's end of a tunnel over conn, which it closes when that
// fails. What it calls it calls in its own goroutine.
func Server(ctx context.Context, conn net.Conn, c ServerConfig) (*Conn, Peer, error) {
	h, ctx, end := begin(ctx, conn, c.Rand, c.Now, c.Timeout)
	var p Peer
	if err := end(h.server(ctx, c, &p)); err != nil {
		return nil, Peer{}, err
	}
	return h.Conn, p, nil
}

func (h *handshake) server(ctx context.Context, c ServerConfig, p *Peer) error {
	b, err := h.hearHello()
	if err != nil {
		return err
	}
	hello, ok := parseClientHello(b)
	switch {
	case !ok:
		return fault(AlertProtocol, "not a ClientHello")
	case !slices.Contains(hello.versions, version1):
		return &Error{Alert: AlertVersion}
	case !slices.Contains(hello.suites, suite1):
		return &Error{Alert: AlertSuite}
	}
	id, err := c.Identity(ctx, hello.domain)
	if err != nil {
		return asError(err, AlertInternal)
	}
	if id == nil {
		return fault(AlertDomain, "no key of %s", hello.domain)
	}
	if err := id.usable(); err != nil {
		return err
	}
	h.transcript.Write(b)
	answer := serverHello{version: version1, suite: suite1}
	if err := h.generate(&answer.ephemeral, &answer.random); err != nil {
		return err
	}
	if err := h.sayHello(answer.marshal()); err != nil {
		return err
	}
	if err := h.agree(hello.ephemeral[:]); err != nil {
		return err
	}
	h.key(h.schedule.server, h.schedule.client)
	if err := h.prove(ofServer, *id, id.Staple); err != nil {
		return err
	}

	if b, err = h.hear(); err != nil {
		return err
	}
	request, ok := parseSized(b, msgRequest, 1)
	if !ok {
		return fault(AlertProtocol, "not a request")
	}
	h.transcript.Write(b)
	chain, _, err := h.checkProof(ofClient)
	if err != nil {
		return err
	}
	client, server := h.traffic()
	h.read.start(client)
	if err := c.Trust.check(ctx, chain, nil, "", h.now()); err != nil {
		return err
	}
	*p = Peer{Certificate: chain[0], Domain: hello.domain, Destination: request[0]}
	if c.Connect != nil {
		if err := c.Connect(ctx, *p); err != nil {
			return asError(err, AlertUnreachable)
		}
	}
	if err := h.say(sized(msgReady, nil)); err != nil {
		return err
	}
	h.write.start(server)
	return nil
}
