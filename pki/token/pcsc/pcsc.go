// Package pcsc lists the smart card readers that pcscd serves, the PC/SC daemon
// of Linux and the BSDs:
//
//	tokens, err := pcsc.Readers("").Tokens(ctx)
//	info, err := tokens[0].Info(ctx) // Name: "ACS ACR38U-CCID 00 00"
//
// It talks to the daemon's socket and needs neither cgo nor libpcsclite. On
// macOS and Windows, where PC/SC is a part of the system without such a socket,
// [Readers] has nothing to ask and tells [ErrNoService].
//
// Names are all there is: which commands (APDUs) the ID cards, BAIK and UZGUARD
// tokens of Uzbekistan take is not public, so Chain, Open and CPLC give
// token.ErrUnsupported, and every reader counts as token.KindIDCard, whose
// list_readers of E-IMZO asks for readers. Whether a card is in the reader is
// not looked at.
package pcsc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/gballet/go-libpcsclite"

	"imzo/pki/cert"
	"imzo/pki/token"
)

// ErrNoService tells that no pcscd answers: none is installed or running, or
// this user may not speak to it.
var ErrNoService = errors.New("no PC/SC daemon (pcscd) answers")

const (
	// patience is for a list of names from a daemon on the same machine.
	patience = 3 * time.Second

	// minPIN and maxPIN are what E-IMZO allows for ID cards.
	minPIN, maxPIN = 1, 8
)

// Readers is a provider of the readers of the daemon at a socket; "" is the
// usual one, /run/pcscd/pcscd.comm on Linux. The connection is made when it is
// first needed, kept, and made anew after a failure.
func Readers(socket string) token.Provider {
	d := &daemon{socket: socket, client: make(chan *pcsc.Client, 1)}
	d.client <- nil
	return d
}

type daemon struct {
	socket string
	// client is the connection, nil when there is none. Whoever asks takes it
	// out: a daemon that hangs keeps one goroutine and no more.
	client chan *pcsc.Client
}

type answer struct {
	names []string
	err   error
}

// names asks the daemon, for a while: the library knows no deadlines.
func (d *daemon) names(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("%w in %v", ErrNoService, patience))
	defer cancel()
	select {
	case client := <-d.client:
		answers := make(chan answer, 1)
		go func() {
			client, names, err := d.ask(client)
			d.client <- client
			answers <- answer{names, err}
		}()
		select {
		case a := <-answers:
			return a.names, a.err
		case <-ctx.Done():
		}
	case <-ctx.Done():
	}
	return nil, context.Cause(ctx)
}

// ask lists the readers, once more over a new connection when the old one is of
// no use: daemons leave when nobody needs them.
func (d *daemon) ask(client *pcsc.Client) (*pcsc.Client, []string, error) {
	if client != nil {
		if names, err := client.ListReaders(); err == nil {
			return client, clean(names), nil
		}
	}
	if d.socket == "" && pcsc.PCSCDSockName == "" {
		return nil, nil, fmt.Errorf("%w: this system has none", ErrNoService)
	}
	client, err := pcsc.EstablishContext(d.socket, pcsc.ScopeSystem)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrNoService, err)
	}
	names, err := client.ListReaders()
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrNoService, err)
	}
	return client, clean(names), nil
}

// clean cuts the names at their end and drops what may do harm in logs and on
// terminals: a reader is what somebody plugged in. A name that comes twice is
// numbered.
func clean(names []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, raw := range names {
		raw, _, _ = strings.Cut(raw, "\x00")
		name := strings.TrimSpace(strings.Map(func(r rune) rune {
			if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
				return -1
			}
			return r
		}, raw))
		if name == "" {
			name = "reader"
		}
		unique := name
		for n := 2; seen[unique]; n++ {
			unique = fmt.Sprintf("%s (%d)", name, n)
		}
		seen[unique] = true
		out = append(out, unique)
	}
	return out
}

// Tokens implements token.Provider. The error wraps [ErrNoService].
func (d *daemon) Tokens(ctx context.Context) ([]token.Token, error) {
	names, err := d.names(ctx)
	if err != nil {
		return nil, err
	}
	var out []token.Token
	for _, name := range names {
		out = append(out, reader{d, name})
	}
	return out, nil
}

// reader is a reader whose card we cannot talk to.
type reader struct {
	daemon *daemon
	name   string
}

var _ token.Token = reader{}

// Info implements token.Token.
func (r reader) Info(ctx context.Context) (token.Info, error) {
	names, err := r.daemon.names(ctx)
	if err != nil {
		return token.Info{}, err
	}
	for _, name := range names {
		if name == r.name {
			return token.Info{Kind: token.KindIDCard, Name: r.name, MinPIN: minPIN, MaxPIN: maxPIN, TriesLeft: -1}, nil
		}
	}
	return token.Info{}, fmt.Errorf("%w: reader %s", token.ErrMissing, r.name)
}

// Chain returns an error that wraps token.ErrUnsupported.
func (r reader) Chain(context.Context) ([]*cert.Certificate, error) { return nil, r.unsupported() }

// Open returns an error that wraps token.ErrUnsupported. No PIN goes anywhere.
func (r reader) Open(context.Context, []byte) (token.Session, error) { return nil, r.unsupported() }

// CPLC returns an error that wraps token.ErrUnsupported.
func (r reader) CPLC(context.Context, []byte) ([]byte, error) { return nil, r.unsupported() }

func (r reader) unsupported() error {
	return fmt.Errorf("%w: the commands of the card in %s are not public", token.ErrUnsupported, r.name)
}
