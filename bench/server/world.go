package server

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"imzo/internal/trust"
	"imzo/pki/cert"
	"imzo/pki/cms"
	"imzo/pki/keystore"
)

// world is what stands around the servers: trust services in this process, and
// people with keys. The keys have the identifiers of GOST R 34.10-2001, which
// BouncyCastle knows; the curve and the mathematics are those of Uzbekistan's.
type world struct {
	dir       string
	program   string // the binary of the server
	authority *trust.Authority
	services  *http.Server
	root      string // path of the root certificate as PEM
	people    []keystore.Entry
}

const (
	keySpec = "gost2001"

	pathChallenge = "/frontend/challenge"
	pathAuth      = "/backend/auth"
	pathVerify    = "/backend/pkcs7/verify/attached"
	pathStamp     = "/frontend/timestamp/pkcs7"
)

func newWorld(dir, program string, people int) (*world, error) {
	w := &world{dir: dir, program: program}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w.authority, err = trust.Init(filepath.Join(dir, "trust"), trust.InitOptions{BaseURL: "http://" + listener.Addr().String(), KeySpec: keySpec})
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	w.services = &http.Server{Handler: w.authority.Handler(), ReadHeaderTimeout: time.Minute}
	go func() { _ = w.services.Serve(listener) }() // ends with close
	if err := w.fill(people); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *world) fill(people int) error {
	w.root = filepath.Join(w.dir, "root.pem")
	if err := os.WriteFile(w.root, cert.EncodePEM(w.authority.Root()), 0o600); err != nil {
		return err
	}
	for i := range people {
		e, err := w.authority.Issue(trust.Request{Profile: trust.ProfileUser, Subject: trust.Subject{
			CommonName: fmt.Sprintf("USER %d", i), PINFL: fmt.Sprintf("3%013d", i),
		}}, time.UTC)
		if err != nil {
			return err
		}
		w.people = append(w.people, e)
	}
	return nil
}

func (w *world) close() { _ = w.services.Close() }

// sign returns the document of a person over the content, in base64.
func (w *world) sign(person int, content []byte) ([]byte, error) {
	p := w.people[person%len(w.people)]
	der, err := cms.Sign(content, []cms.Signer{{Key: p.Key, Chain: p.Chain, SigningTime: time.Now()}}, cms.Options{})
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.AppendEncode(nil, der), nil
}

// stamped returns documents with timestamps over so many octets, one of each
// person, made with a server.
func (w *world) stamped(ctx context.Context, s *process, size int) ([][]byte, error) {
	c, err := dial(ctx, s.address)
	if err != nil {
		return nil, err
	}
	defer c.close()
	var out [][]byte
	for i := range w.people {
		plain, err := w.sign(i, bytes.Repeat([]byte("0123456789abcdef"), (size+15)/16)[:size])
		if err != nil {
			return nil, err
		}
		if _, err := c.ask(request("POST", pathStamp, plain)); err != nil {
			return nil, err
		}
		var answer struct {
			PKCS7 string `json:"pkcs7b64"`
		}
		if err := json.Unmarshal(c.body, &answer); err != nil || answer.PKCS7 == "" {
			return nil, fmt.Errorf("no timestamp: %w: %.300s", err, c.body)
		}
		out = append(out, []byte(answer.PKCS7))
	}
	return out, nil
}

// getChallenge asks for a challenge.
var getChallenge = request("GET", pathChallenge, nil)

// logIn fetches a challenge, signs it and answers it; the answer to the last
// is what is timed.
func (w *world) logIn(c *connection, n int) (time.Duration, error) {
	if _, err := c.ask(getChallenge); err != nil {
		return 0, err
	}
	var answer struct {
		Challenge string `json:"challenge"`
	}
	if err := json.Unmarshal(c.body, &answer); err != nil {
		return 0, err
	}
	body, err := w.sign(c.number+n, []byte(answer.Challenge))
	if err != nil {
		return 0, err
	}
	return c.ask(request("POST", pathAuth, body))
}
