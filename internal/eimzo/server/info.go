package server

import (
	"context"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"time"

	"imzo/internal/httpx"
	"imzo/pki/cert"
)

// challengeTTL is how long a challenge may be answered; its reply says so.
const challengeTTL = 120 * time.Second

// ping tells that the server is there (guide 2.1). With a trust link the
// answer comes from its other end, as the original has it: the time there, and
// the server's address and key as they are seen from there. Without one the
// answer is our own.
func (s *Server) ping(w http.ResponseWriter, r *http.Request) {
	if s.link == nil {
		writeJSON(w, pingView{
			ServerDateTime: s.render.Date(s.deps.Now()),
			YourIP:         userIP(r),
			VPNKeyInfo:     s.render.vpnKey(s.vpnKey()),
		})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.patience)
	defer cancel()
	reply, err := s.link.Ping(ctx)
	if err != nil {
		s.refuse(w, r, &unavailable{"the trust link does not answer, see the log of the server", err})
		return
	}
	writeJSON(w, pingView{
		ServerDateTime: s.render.Date(reply.ServerTime),
		YourIP:         reply.YourIP,
		VPNKeyInfo:     s.render.vpnKey(reply.Key),
	})
}

// vpnKey is the certificate of the key for the trust link, nil without one.
func (s *Server) vpnKey() *cert.Certificate {
	if s.deps.VPNKey == nil && s.link != nil {
		return s.link.Certificate()
	}
	return s.deps.VPNKey
}

// info tells what the server trusts. Nobody is asked, so that it can serve as
// a health check.
func (s *Server) info(w http.ResponseWriter, _ *http.Request) {
	v := infoView{
		Version:             s.deps.Version,
		ServerTime:          s.render.infoDate(s.deps.Now()),
		TrustedCertificates: []infoCertificateView{},
	}
	if c := s.vpnKey(); c != nil {
		key := s.render.infoCertificate(c)
		v.VPNKeyInfo = &key
	}
	for _, c := range s.anchors().Certificates() {
		v.TrustedCertificates = append(v.TrustedCertificates, s.render.infoCertificate(c))
	}
	writeJSON(w, v)
}

// challenge issues a random value to be signed (guide 2.2.1). Whatever comes
// in the query is there to get past caches.
func (s *Server) challenge(w http.ResponseWriter, r *http.Request) {
	id, err := randomUUID(s.deps.Rand)
	if err == nil {
		err = s.deps.Challenges.Issue(r.Context(), id, s.lifetime())
	}
	if err != nil {
		s.refuse(w, r, &unavailable{"no challenge can be issued now, see the log of the server", err})
		return
	}
	httpx.Annotate(r.Context(), slog.Int("status", statusOK))
	writeJSON(w, challengeView{Challenge: id, TTL: int(challengeTTL / time.Second), result: s.result(r, success, nil, nil)})
}

// lifetime is how long a challenge may be answered: as long as the reply says,
// unless the configuration of the local cache says otherwise.
func (s *Server) lifetime() time.Duration {
	if s.config.Cache.Redis {
		return challengeTTL
	}
	return s.config.Cache.LocalTTL
}

// randomUUID returns a UUID of version 4 (RFC 9562 5.4): 122 random bits.
func randomUUID(random io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", err
	}
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:], nil
}
