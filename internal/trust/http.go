package trust

import (
	"context"
	"errors"
	"io"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"time"

	"imzo/pki/ber"
	"imzo/pki/cert"
	"imzo/pki/crl"
	"imzo/pki/ocsp"
)

// Paths of the services. The first two are the ones of E-IMZO.
const (
	pathOCSP = "/cams/ocsp"
	pathTSA  = "/cams/tst"
	pathRoot = "/cams/root.pem"
)

func pathCert(issuer string) string { return "/cams/" + issuer + ".cer" }
func pathCRL(issuer string) string  { return "/cams/" + issuer + ".crl" }

const (
	// ocspValidity is nextUpdate minus thisUpdate, 60 s in the guide's example.
	ocspValidity = time.Minute
	// crlValidity bounds how long a client may go on with a list; a list is
	// made anew at half of it and at every change.
	crlValidity = 24 * time.Hour
	// maxRequest bounds OCSP and timestamp requests, which take 200 octets.
	maxRequest = 16 << 10
)

// Handler serves OCSP (GET and POST, RFC 6960 A.1), timestamps (RFC 3161
// 3.4), CRLs, certificates and pings.
func (a *Authority) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+pathTSA, func(w http.ResponseWriter, r *http.Request) {
		a.answer(w, r, "application/timestamp-query", "application/timestamp-reply", a.tsa.Respond)
	})
	mux.HandleFunc("POST "+pathOCSP, func(w http.ResponseWriter, r *http.Request) {
		a.answer(w, r, "application/ocsp-request", "application/ocsp-response", a.respondOCSP)
	})
	for _, issuer := range []string{entityRoot, entityCA, entityVPN} {
		mux.HandleFunc("GET "+pathCert(issuer), func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/pkix-cert")
			w.Write(a.entities[issuer].Chain[0].Raw)
		})
		mux.HandleFunc("GET "+pathCRL(issuer), func(w http.ResponseWriter, _ *http.Request) {
			list, err := a.CRL(issuer)
			if err != nil {
				http.Error(w, "the list cannot be made", http.StatusServiceUnavailable)
				return
			}
			w.Header().Set("Content-Type", "application/pkix-crl")
			w.Write(list)
		})
	}
	mux.HandleFunc("GET "+pathPing, a.ping)
	mux.HandleFunc("GET "+pathRoot, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-pem-file")
		w.Write(cert.EncodePEM(a.Root()))
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, "Imzo trust services\n\nOCSP        "+pathOCSP+"\ntimestamps  "+pathTSA+
			"\nroot        "+pathRoot+"\nCRL         "+pathCRL(entityRoot)+" "+pathCRL(entityCA)+" "+pathCRL(entityVPN)+"\n")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// ServeMux redirects paths with "//", which base64 may contain.
		if request, ok := strings.CutPrefix(r.URL.EscapedPath(), pathOCSP+"/"); ok && r.Method == http.MethodGet {
			a.getOCSP(w, r, request)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (a *Authority) answer(w http.ResponseWriter, r *http.Request, takes, gives string, respond func(context.Context, []byte) []byte) {
	// Names of media types know no case (RFC 9110 8.3.1).
	if media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(media), takes) {
		http.Error(w, "send "+takes, http.StatusUnsupportedMediaType)
		return
	}
	request, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		http.Error(w, "request too large", http.StatusRequestEntityTooLarge)
		return
	case err != nil:
		http.Error(w, "the request did not arrive whole", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", gives)
	w.Header().Set("Cache-Control", "no-store")
	w.Write(respond(r.Context(), request))
}

func (a *Authority) getOCSP(w http.ResponseWriter, r *http.Request, escaped string) {
	request, err := ocsp.ParseGetPath(escaped)
	if err != nil {
		http.Error(w, "the path is no OCSP request in base64", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/ocsp-response")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(a.respondOCSP(r.Context(), request))
}

// respondOCSP lets the responder of the issuer that is asked about answer.
func (a *Authority) respondOCSP(ctx context.Context, request []byte) []byte {
	if q, err := ocsp.ParseRequest(request); err == nil && len(q.CertIDs) > 0 {
		for _, r := range a.responders {
			if r.Answers(q.CertIDs[0]) {
				return r.Respond(ctx, request)
			}
		}
	}
	// The first one has the right error for what none of them knows.
	return a.responders[0].Respond(ctx, request)
}

// lookup returns the status source of one issuer's responder.
func (a *Authority) lookup(issuer string) func(context.Context, *big.Int) (ocsp.StatusInfo, error) {
	return func(_ context.Context, serial *big.Int) (ocsp.StatusInfo, error) {
		// What another process wrote must count at once. A damaged ledger
		// makes the responder answer internalError.
		if err := a.ledger.refresh(); err != nil {
			return ocsp.StatusInfo{}, err
		}
		a.mu.RLock()
		defer a.mu.RUnlock()
		r := a.bySN[issuer+"/"+serial.Text(16)]
		switch {
		case r == nil:
			return ocsp.StatusInfo{Status: ocsp.Unknown}, nil
		case r.Status == StatusGood:
			return ocsp.StatusInfo{Status: ocsp.Good}, nil
		}
		return ocsp.StatusInfo{Status: ocsp.Revoked, RevokedAt: earlier(r.ChangedAt, a.now().UTC().Truncate(time.Second)), Reason: r.reason}, nil
	}
}

// crlCache keeps the current list of each issuer.
type crlCache struct {
	mu     sync.Mutex
	lists  map[string]cachedCRL
	number int64 // of the last list, and no less than the time of the last entry
}

type cachedCRL struct {
	der         []byte
	made, fresh time.Time // from when and until when it is handed out
}

// note forgets the list that an entry of the ledger changes.
func (c *crlCache) note(e entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.Event != eventIssue {
		delete(c.lists, e.Issuer)
	}
	c.number = max(c.number, e.Time.UnixNano())
}

// CRL returns the current list of an issuer ("root", "ca" or "vpn") as DER.
func (a *Authority) CRL(issuer string) ([]byte, error) {
	e, ok := a.entities[issuer]
	if !ok {
		return nil, errors.New("no such issuer")
	}
	if err := a.ledger.refresh(); err != nil {
		return nil, err
	}
	a.crls.mu.Lock()
	defer a.crls.mu.Unlock()
	now := a.now().UTC().Truncate(time.Second)
	// A clock that was set back finds a list of the future, which nobody takes.
	if c, ok := a.crls.lists[issuer]; ok && !now.Before(c.made) && now.Before(c.fresh) {
		return c.der, nil
	}
	t := &crl.Template{ThisUpdate: now, NextUpdate: now.Add(crlValidity)}
	// The number has to grow with every list (RFC 5280 5.2.3), also across a
	// restart: nanoseconds of the clock need no state. Where the clock is set
	// back the number goes on from the last list, and after a restart, when
	// that is not known, from the last entry of the ledger.
	number := max(a.now().UnixNano(), a.crls.number+1)
	t.Number = big.NewInt(number)
	a.mu.RLock()
	for _, r := range a.records {
		if r.Issuer == issuer && r.Status != StatusGood {
			t.Entries = append(t.Entries, crl.Entry{Serial: r.Cert.Serial, RevokedAt: earlier(r.ChangedAt, now), Reason: r.reason})
		}
	}
	a.mu.RUnlock()
	der, err := crl.Create(a.rand, t, e.Chain[0], e.Key)
	if err != nil {
		return nil, err
	}
	if a.crls.lists == nil {
		a.crls.lists = map[string]cachedCRL{}
	}
	a.crls.lists[issuer] = cachedCRL{der: der, made: now, fresh: now.Add(crlValidity / 2)}
	a.crls.number = number
	return der, nil
}

// earlier returns the earlier of two times. A revocation made before the clock
// was set back would be one of the future, which clients refuse to believe or
// take for none yet.
func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func oids(o ...ber.OID) []ber.OID { return o }
