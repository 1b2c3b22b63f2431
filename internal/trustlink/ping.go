package trustlink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"time"
	"unicode"

	"imzo/pki/cert"
)

// pathPing is where the other end answers pings.
const pathPing = "/ping"

// maxPing bounds the answer, which is a certificate and two short texts.
const maxPing = 64 << 10

// PingReply is what the other end sees of us (guide 2.1).
type PingReply struct {
	ServerTime time.Time         // the clock there
	YourIP     string            // our address as seen there
	Key        *cert.Certificate // our key as seen there; nil without TLS
}

// pingAnswer is PingReply in JSON, as it goes over the link.
type pingAnswer struct {
	ServerTime time.Time `json:"serverTime"`
	YourIP     string    `json:"yourIP"`
	Key        []byte    `json:"key,omitempty"` // DER
}

// Ping asks the other end for its time and what it sees of us. The time it may
// take is ctx's.
func (l *Link) Ping(ctx context.Context) (PingReply, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+l.address+pathPing, nil)
	if err != nil {
		return PingReply{}, err
	}
	response, err := l.send(r)
	if err != nil {
		return PingReply{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxPing+1))
	reply := PingReply{}
	switch {
	case err != nil:
	case refuses(response):
		err = fmt.Errorf("%w: %s", ErrRefused, firstLine(body))
	case response.StatusCode != http.StatusOK:
		err = fmt.Errorf("%s is answered with HTTP status %d", pathPing, response.StatusCode)
	default:
		reply, err = parsePing(body)
	}
	if err != nil {
		err = fmt.Errorf("trust link %s: %w", l.address, err)
		l.down(err)
		return PingReply{}, err
	}
	l.up()
	return reply, nil
}

func parsePing(body []byte) (PingReply, error) {
	var a pingAnswer
	if len(body) > maxPing {
		return PingReply{}, errors.New("answer to a ping too large")
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return PingReply{}, fmt.Errorf("answer to a ping: %w", err)
	}
	if a.ServerTime.IsZero() {
		return PingReply{}, errors.New("answer to a ping without the time")
	}
	if _, err := netip.ParseAddr(a.YourIP); err != nil {
		return PingReply{}, errors.New("answer to a ping without our address")
	}
	reply := PingReply{ServerTime: a.ServerTime, YourIP: a.YourIP}
	if len(a.Key) > 0 {
		c, err := cert.Parse(a.Key)
		if err != nil {
			return PingReply{}, fmt.Errorf("key in the answer to a ping: %w", err)
		}
		reply.Key = c
	}
	return reply, nil
}

// firstLine is what of a stranger's text goes into an error.
func firstLine(body []byte) string {
	line, _, _ := strings.Cut(strings.ToValidUTF8(string(body), "?"), "\n")
	line = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, line)
	if len(line) > 120 {
		line = line[:120]
	}
	return strings.ToValidUTF8(line, "")
}
