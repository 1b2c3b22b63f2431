package server

import (
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"

	"imzo/internal/httpx"
	"imzo/pki/alg"
	"imzo/pki/armor"
)

// digestView is the reply of /backend/digest.
type digestView struct {
	DigestHex string `json:"digestHex"`
	Algorithm string `json:"algorithm"`
	result
}

// digest hashes the body, so that nobody has to bring the hash of O'zDSt 1106
// along. The octets are hashed as they come and not kept, so the body may be
// as large as a multipart one; with ?encoding=base64 the body is the text that
// stands for them. ?algorithm= names another digest than that of E-IMZO's
// signatures.
func (s *Server) digest(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	name := query.Get("algorithm")
	if name == "" {
		name = dataDigest
	}
	d, err := alg.DigestByName(name)
	if err != nil {
		var names []string
		for _, d := range alg.Digests() {
			names = append(names, d.Name)
		}
		s.refuse(w, r, badRequestf("algorithm is one of %s", strings.Join(names, ", ")))
		return
	}
	var sum []byte
	switch query.Get("encoding") {
	case "", "raw":
		h := d.New()
		if _, err = io.CopyBuffer(s.gate.writer(r.Context(), h), r.Body, make([]byte, 128<<10)); err != nil {
			s.refuse(w, r, digestError(err))
			return
		}
		sum = h.Sum(nil)
	case "base64":
		text, err := httpx.ReadBody(r, s.config.Limits.Body)
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		data, err := armor.DecodeBase64InPlace(text)
		if err != nil {
			s.refuse(w, r, badRequestf("the body is not base64: %s", err))
			return
		}
		if err := s.gate.run(r.Context(), len(data), func() { sum = d.Sum(data) }); err != nil {
			s.refuse(w, r, err)
			return
		}
	default:
		s.refuse(w, r, badRequestf("encoding is raw or base64"))
		return
	}
	httpx.Annotate(r.Context(), slog.Int("status", statusOK))
	writeJSON(w, digestView{DigestHex: hex.EncodeToString(sum), Algorithm: d.Name, result: s.result(r, success, nil, nil)})
}

// digestError is a body that could not be read to its end.
func digestError(err error) error {
	var over *http.MaxBytesError
	switch {
	case errors.Is(err, errCrowded):
		return err
	case errors.As(err, &over):
		return &httpx.BodyError{Status: http.StatusRequestEntityTooLarge, Text: "the body is larger than the server allows", Err: err}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &httpx.BodyError{Status: http.StatusRequestTimeout, Text: "the body did not arrive in time", Err: err}
	}
	return &httpx.BodyError{Status: http.StatusBadRequest, Text: "the body could not be read", Err: err}
}
