package server

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"sync"

	"imzo/internal/httpx"
	"imzo/pki/armor"
	"imzo/pki/cms"
)

// A large document is decoded and hashed while it comes: what takes longest,
// the hash of its content, is then nearly done when the last octet is there.
// That is for a body that is base64 and nothing else, as clients send it; any
// other one is read as ever. Small documents are not worth it.

// window is how much text is decoded at a time, and tail how much of it is left
// for the end, where there may be padding and a line end.
const (
	window = 192 << 10
	tail   = 8
)

// streamedDocument reads a body that is one PKCS#7 document. The digest is nil
// where the document was not hashed as it came.
func (s *Server) streamedDocument(r *http.Request) (document []byte, digest *earlyDigest, err error) {
	if r.ContentLength < largeDocument {
		document, err = s.document(r)
		return document, nil, err
	}
	body, err := httpx.OpenBody(r, s.config.Limits.Body)
	if err != nil {
		return nil, nil, err
	}
	early := startEarlyDigest(r.Context(), s.gate)
	defer func() {
		if digest == nil {
			early.abandon()
		}
	}()
	text, pending := make([]byte, window), 0
	var der []byte
	for ended := false; !ended; {
		n, err := body.Read(text[pending:])
		pending += n
		if ended = err == io.EOF; err != nil && !ended {
			return nil, nil, err
		}
		// A certificate, a form or PEM begins otherwise.
		plain := text[0] == 'M' || len(der) > 0
		whole := max(0, pending-tail) &^ 3
		if der, err = growDocument(body, r.ContentLength, der); err != nil {
			return nil, nil, err
		}
		if plain && isBase64(text[:whole]) {
			n, err := base64.StdEncoding.Decode(der[len(der):cap(der)], text[:whole])
			plain = err == nil
			if plain {
				der = der[:len(der)+n]
				pending = copy(text, text[whole:pending])
			}
		} else {
			plain = false
		}
		if plain && ended {
			var last []byte
			if last, plain = decodeTail(text[:pending]); plain {
				der = append(der, last...)
			}
		}
		if !plain {
			// Not what was hoped for: the text as it was, and the rest of it.
			early.abandon()
			document, err = otherDocument(body, der, text[:pending])
			return document, nil, err
		}
		early.offer(der)
	}
	early.end()
	return der, early, nil
}

// growDocument makes room for what a window decodes to.
func growDocument(body *httpx.Body, length int64, der []byte) ([]byte, error) {
	const room = window / 4 * 3
	if cap(der)-len(der) >= room {
		return der, nil
	}
	return body.Grow(der, room, length/4*3+2*room)
}

// otherDocument goes on with a body of which some was decoded, and some was
// not.
func otherDocument(body *httpx.Body, der, rest []byte) ([]byte, error) {
	size := base64.StdEncoding.EncodedLen(len(der)) + len(rest)
	if err := body.Hold(int64(size)); err != nil {
		return nil, err
	}
	text := append(base64.StdEncoding.AppendEncode(make([]byte, 0, size), der), rest...)
	text, err := body.All(text)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, errEmptyBody()
	}
	return decodeDocument(text, "PKCS#7 document")
}

// isBase64 tells whether all of text are digits of the usual alphabet.
// encoding/base64 would pass over line ends.
func isBase64(text []byte) bool {
	return bytes.IndexByte(text, '\n') < 0 && bytes.IndexByte(text, '\r') < 0
}

// decodeTail decodes the end of a text: some digits, padding or not, and white
// space after them. Of what is anything else it says so.
func decodeTail(text []byte) (last []byte, ok bool) {
	digits := bytes.TrimRight(text, " \t\r\n")
	for _, c := range digits {
		if !('A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '+' || c == '/' || c == '=') {
			return nil, false
		}
	}
	if len(digits) == 0 {
		return nil, true
	}
	last, err := armor.DecodeBase64(digits)
	return last, err == nil
}

// earlyDigest hashes a document in a goroutine of its own, a piece whenever it
// is that piece's turn. A nil one does nothing.
type earlyDigest struct {
	hasher cms.ContentHasher
	wake   chan struct{}
	done   chan struct{}

	mu    sync.Mutex
	der   []byte // what there is
	ended bool   // there will be no more
	lost  bool   // it is of no use
}

// earlyPiece is what is hashed in one turn: in half a millisecond.
const earlyPiece = 128 << 10

func startEarlyDigest(ctx context.Context, g *gate) *earlyDigest {
	e := &earlyDigest{wake: make(chan struct{}, 1), done: make(chan struct{})}
	go func() {
		defer close(e.done)
		defer func() {
			if r := recover(); r != nil { // the content is hashed later, then
				e.tell(func() { e.lost = true })
			}
		}()
		for at := 0; ; {
			e.mu.Lock()
			piece, ended, lost := e.der[at:], e.ended, e.lost
			e.mu.Unlock()
			switch {
			case lost:
				return
			case len(piece) == 0 && ended:
				return
			case len(piece) == 0:
				<-e.wake // abandon and end send, too
				continue
			}
			piece = piece[:min(len(piece), earlyPiece)]
			if g.run(ctx, 0, func() { e.hasher.Write(piece) }) != nil {
				e.tell(func() { e.lost = true })
				return
			}
			at += len(piece)
		}
	}()
	return e
}

func (e *earlyDigest) tell(change func()) {
	if e == nil {
		return
	}
	e.mu.Lock()
	change()
	e.mu.Unlock()
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// offer tells how much of the document there is. Its octets do not change any
// more.
func (e *earlyDigest) offer(der []byte) { e.tell(func() { e.der = der }) }

// end tells that there is all, and abandon that nobody wants the digest.
func (e *earlyDigest) end()     { e.tell(func() { e.ended = true }) }
func (e *earlyDigest) abandon() { e.tell(func() { e.lost = true }) }

// wait returns what hashed the whole document, or nil.
func (e *earlyDigest) wait() *cms.ContentHasher {
	if e == nil {
		return nil
	}
	<-e.done
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.lost {
		return nil
	}
	return &e.hasher
}
