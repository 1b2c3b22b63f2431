package tunnel

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"imzo/gost/magma"
)

// Kinds of records, in their headers.
const (
	kindHello  = 1 // ClientHello or ServerHello, in the clear
	kindSealed = 2
	kindAlert  = 3 // in the clear, before there are keys
)

// Types of what is in a sealed record: the last octet of its plaintext.
const (
	typeHandshake = 1
	typeData      = 2
	typeAlert     = 3
	typeEnd       = 4 // nothing more follows in this direction
)

const (
	headerSize   = 3
	maxHello     = 512
	maxData      = 1<<14 - 1 // octets of data in a record
	maxHandshake = 1<<15 - 1 // octets of a message
	maxSealed    = 1<<15 + magma.TagSize
	// grace is how long an alert may take to leave when a tunnel ends.
	grace = time.Second
)

// buffers are for one record each, so that a tunnel that waits holds none.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, headerSize+maxSealed); return &b }}

func release(b *[]byte) {
	clear((*b)[:cap(*b)])
	buffers.Put(b)
}

// Conn is an end of a tunnel: a stream like a TCP connection. Read and Write may
// run beside each other, and Close and Abort beside both. An error of Read or
// Write that is no time-out is for good.
type Conn struct {
	net  net.Conn
	stop func() // of the context of the handshake

	read struct {
		sync.Mutex
		half
		buffer *[]byte // of pending
		left   []byte  // data that has come and was not read
		err    error
	}
	write struct {
		sync.Mutex
		half
		err error
	}
	closing sync.Once
	closed  atomic.Bool
}

var _ net.Conn = (*Conn)(nil)

// header and body of the next record. A time-out before its first octet
// changes nothing.
func (c *Conn) record() (kind byte, header [headerSize]byte, body *[]byte, err error) {
	if n, err := io.ReadFull(c.net, header[:]); err != nil {
		if n > 0 || errors.Is(err, io.EOF) {
			err = broken(err)
		}
		return 0, header, nil, err
	}
	n := int(binary.BigEndian.Uint16(header[1:]))
	if header[0] < kindHello || header[0] > kindAlert || n > maxSealed || (header[0] == kindHello && n > maxHello) || (header[0] == kindAlert && n != 1) {
		return 0, header, nil, fault(AlertProtocol, "a record of kind %d with %d octets", header[0], n)
	}
	body = buffers.Get().(*[]byte)
	*body = (*body)[:n]
	if _, err := io.ReadFull(c.net, *body); err != nil {
		release(body)
		return 0, header, nil, broken(err)
	}
	return header[0], header, body, nil
}

// broken is an error within a record or in the place of one.
func broken(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrTruncated
	}
	return &brokenError{err}
}

// brokenError is a failure of the network, after which a stream cannot go on.
type brokenError struct{ err error }

func (e *brokenError) Error() string { return e.err.Error() }
func (e *brokenError) Unwrap() error { return e.err }

// open gets the content of the next sealed record. It is in buffer, which has
// to be released.
func (c *Conn) open() (typ byte, content []byte, buffer *[]byte, err error) {
	kind, header, body, err := c.record()
	if err != nil {
		return 0, nil, nil, err
	}
	if kind != kindSealed {
		release(body)
		return 0, nil, nil, fault(AlertProtocol, "a record of kind %d where a sealed one is due", kind)
	}
	plain, err := c.read.aead.Open((*body)[:0], c.read.use(), *body, header[:])
	if err != nil {
		release(body)
		return 0, nil, nil, &Error{Alert: AlertRecord, Err: err}
	}
	if len(plain) == 0 {
		release(body)
		return 0, nil, nil, fault(AlertProtocol, "an empty record")
	}
	typ, content = plain[len(plain)-1], plain[:len(plain)-1]
	if typ == typeAlert {
		alert := Alert(0)
		if len(content) == 1 {
			alert = Alert(content[0])
		}
		release(body)
		if alert == 0 {
			return 0, nil, nil, fault(AlertProtocol, "an alert of %d octets", len(content))
		}
		return 0, nil, nil, &Error{Alert: alert, Remote: true}
	}
	return typ, content, body, nil
}

// seal sends one record. The lock of writing must be held.
func (c *Conn) seal(typ byte, content []byte) error {
	if c.write.err != nil {
		return c.write.err
	}
	buffer := buffers.Get().(*[]byte)
	defer release(buffer)
	b := append((*buffer)[:0], kindSealed, 0, 0)
	binary.BigEndian.PutUint16(b[1:], uint16(len(content)+1+magma.TagSize))
	b = append(append(b, content...), typ)
	b = c.write.aead.Seal(b[:headerSize], c.write.use(), b[headerSize:], b[:headerSize])
	if _, err := c.net.Write(b); err != nil {
		// Part of the record may have left.
		c.write.err = err
	}
	return c.write.err
}

// Read reads data. The end of what the other end has to say is io.EOF, an alert
// of it an *Error, and the end of the connection without either ErrTruncated.
func (c *Conn) Read(p []byte) (int, error) {
	c.read.Lock()
	defer c.read.Unlock()
	if len(p) == 0 {
		return 0, c.read.err
	}
	for len(c.read.left) == 0 {
		if c.read.err != nil {
			return 0, c.read.err
		}
		if err := c.more(); err != nil {
			var timeout net.Error
			var broke *brokenError
			if errors.As(err, &timeout) && timeout.Timeout() && !errors.As(err, &broke) {
				return 0, err // between records: reading may go on
			}
			if c.closed.Load() {
				err = net.ErrClosed // whatever the rest looked like
			}
			c.read.err = err
			var e *Error
			if errors.As(err, &e) && !e.Remote {
				_ = c.Abort(e.Alert)
			}
			c.read.wipe()
			return 0, err
		}
	}
	n := copy(p, c.read.left)
	if c.read.left = c.read.left[n:]; len(c.read.left) == 0 {
		release(c.read.buffer)
		c.read.buffer = nil
	}
	return n, nil
}

// more gets the next record of data.
func (c *Conn) more() error {
	typ, content, buffer, err := c.open()
	if err != nil {
		return err
	}
	switch {
	case typ == typeData && len(content) > 0 && len(content) <= maxData:
		c.read.left, c.read.buffer = content, buffer
		return nil
	case typ == typeEnd && len(content) == 0:
		err = io.EOF
	default:
		err = fault(AlertProtocol, "a record of type %d with %d octets", typ, len(content))
	}
	release(buffer)
	return err
}

// Write sends data.
func (c *Conn) Write(p []byte) (n int, err error) {
	c.write.Lock()
	defer c.write.Unlock()
	for len(p) > 0 {
		part := p[:min(len(p), maxData)]
		if err := c.seal(typeData, part); err != nil {
			return n, err
		}
		n, p = n+len(part), p[len(part):]
	}
	return n, c.write.err
}

// CloseWrite tells the other end that nothing more follows; its Read returns
// io.EOF after what was sent before. Reading goes on.
func (c *Conn) CloseWrite() error {
	c.write.Lock()
	defer c.write.Unlock()
	return c.last(typeEnd, nil)
}

// last sends the last record of this direction. After another one that is no
// error.
func (c *Conn) last(typ byte, content []byte) error {
	if errors.Is(c.write.err, net.ErrClosed) {
		return nil
	}
	err := c.seal(typ, content)
	if err == nil {
		c.write.err = net.ErrClosed
	}
	c.write.wipe()
	return err
}

// Close ends the tunnel. Without a CloseWrite before, the other end gets one;
// what it still sends is lost.
func (c *Conn) Close() error { return c.end(typeEnd, nil) }

// Abort ends the tunnel with an alert, which the other end's Read returns.
func (c *Conn) Abort(a Alert) error { return c.end(typeAlert, []byte{byte(a)}) }

func (c *Conn) end(typ byte, content []byte) (err error) {
	c.closing.Do(func() {
		c.closed.Store(true)
		// Frees a Write that waits, and with it the lock.
		_ = c.net.SetWriteDeadline(time.Now().Add(grace))
		c.write.Lock()
		_ = c.last(typ, content)
		c.write.Unlock()
		err = part(c.net)
		if c.stop != nil {
			c.stop()
		}
	})
	return err
}

// part closes a connection so that what was sent last arrives: closed with
// octets unread, it would be reset, and the other end lose them.
func part(conn net.Conn) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_ = conn.SetReadDeadline(time.Now().Add(grace / 10))
		var scrap [512]byte
		for range 128 {
			if _, err := conn.Read(scrap[:]); err != nil {
				break
			}
		}
	}
	return conn.Close()
}

// LocalAddr and RemoteAddr are those of the connection below.
func (c *Conn) LocalAddr() net.Addr  { return c.net.LocalAddr() }
func (c *Conn) RemoteAddr() net.Addr { return c.net.RemoteAddr() }

// SetDeadline is SetReadDeadline and SetWriteDeadline.
func (c *Conn) SetDeadline(t time.Time) error { return c.net.SetDeadline(t) }

// SetReadDeadline bounds Read. A time-out between records leaves the tunnel
// whole.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.net.SetReadDeadline(t) }

// SetWriteDeadline bounds Write. After a time-out nothing can be written.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.net.SetWriteDeadline(t) }

// Refuse answers a connection with an alert before any cryptography, and closes
// it. It takes a second at most.
func Refuse(conn net.Conn, a Alert) error {
	_ = conn.SetWriteDeadline(time.Now().Add(grace))
	_, err := conn.Write([]byte{kindAlert, 0, 1, byte(a)})
	return errors.Join(err, part(conn))
}
