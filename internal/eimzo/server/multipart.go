package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"

	"imzo/internal/httpx"
	"imzo/pki/alg"
	"imzo/pki/cms"
)

// submission is what a request gives to verify: a document and, when that is
// detached, its content in one of two forms.
type submission struct {
	document []byte
	content  []byte             // nil unless given apart
	hashed   *cms.HashedContent // of a content that was not kept
	early    *earlyDigest       // of a content that was hashed as it came
}

// The parts of a multipart/form-data body (RFC 7578).
const (
	partDocument = "document" // octets as they are
	partPKCS7    = "pkcs7"    // base64, PEM or DER
)

// maxParts bounds the parts of a body; forms have other fields beside the two.
const maxParts = 16

// multipartReader returns a reader of the body's parts, and nil when it is
// not sent in parts. A Content-Type without the boundary that it must have is
// taken for one of those that clients of the original make up.
func multipartReader(w http.ResponseWriter, r *http.Request, limit int64) (*multipart.Reader, error) {
	kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || parameters["boundary"] == "" {
		return nil, nil
	}
	if r.ContentLength > limit {
		return nil, multipartTooLarge(limit, nil)
	}
	return multipart.NewReader(http.MaxBytesReader(w, r.Body, limit), parameters["boundary"]), nil
}

// submission reads the parts of a body. The document is hashed as it comes and
// not kept, so that its size costs no memory. When the PKCS#7 comes first it
// says with what to hash; otherwise all digests there are are computed, which
// takes up to twice as long.
func (s *Server) submission(r *http.Request, parts *multipart.Reader) (submission, error) {
	var sub submission
	havePKCS7, digests := false, alg.Digests()
	for n := 0; ; n++ {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			break
		}
		if err == nil && n == maxParts {
			err = badRequestf("the multipart body has more than %d parts", maxParts)
		}
		if err != nil {
			return sub, s.multipartError(err)
		}
		switch part.FormName() {
		case partPKCS7:
			if havePKCS7 {
				return sub, badRequestf("the multipart body has two parts named %s", partPKCS7)
			}
			if sub.document, err = s.pkcs7Part(r, part); err != nil {
				return sub, err
			}
			havePKCS7, digests = true, digestsOf(sub.document)
		case partDocument:
			if sub.hashed != nil {
				return sub, badRequestf("the multipart body has two parts named %s", partDocument)
			}
			if err := rawPart(part); err != nil {
				return sub, err
			}
			sub.hashed = cms.NewHashedContent(digests...)
			if _, err := io.CopyBuffer(s.gate.writer(r.Context(), sub.hashed), part, make([]byte, 128<<10)); err != nil {
				return sub, s.multipartError(err)
			}
		}
	}
	if !havePKCS7 {
		return sub, badRequestf("the multipart body has no part named %s", partPKCS7)
	}
	return sub, nil
}

// pkcs7Part reads the document that is to be verified, which is kept.
func (s *Server) pkcs7Part(r *http.Request, part *multipart.Part) ([]byte, error) {
	if err := rawPart(part); err != nil {
		return nil, err
	}
	body := (&http.Request{Body: io.NopCloser(part), ContentLength: -1}).WithContext(r.Context())
	text, err := httpx.ReadBody(body, s.config.Limits.Body)
	if err != nil {
		var over *http.MaxBytesError
		if errors.As(err, &over) {
			return nil, s.multipartError(err)
		}
		return nil, err
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, badRequestf("the part named %s is empty", partPKCS7)
	}
	return decodeDocument(text, "part named "+partPKCS7)
}

// rawPart refuses a part that is encoded: RFC 7578 4.7 abolished that, and to
// hash the code instead of the document would be an error hard to find.
func rawPart(part *multipart.Part) error {
	switch encoding := part.Header.Get("Content-Transfer-Encoding"); encoding {
	case "", "binary", "8bit", "7bit":
		return nil
	default:
		return badRequestf("the part named %s has Content-Transfer-Encoding %.40q: send it as it is", part.FormName(), encoding)
	}
}

// digestsOf lists what the signers of a document use. There are none when it
// cannot be read; what there is to say about it is said when it is verified.
func digestsOf(document []byte) []*alg.Digest {
	sd, err := cms.Parse(document)
	if err != nil {
		return nil
	}
	return sd.Digests()
}

// multipartError says why the parts could not be read, and how to answer.
func (s *Server) multipartError(err error) error {
	var over *http.MaxBytesError
	var bad *badRequest
	switch {
	case errors.As(err, &bad), errors.Is(err, errCrowded):
		return err
	case errors.As(err, &over):
		// What the server allows there is the smaller of two limits.
		return multipartTooLarge(over.Limit, err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &httpx.BodyError{Status: http.StatusRequestTimeout, Text: "the body did not arrive in time", Err: err}
	}
	return &httpx.BodyError{Status: http.StatusBadRequest, Text: "the multipart body is damaged or cut short", Err: err}
}

func multipartTooLarge(limit int64, err error) error {
	return &httpx.BodyError{Status: http.StatusRequestEntityTooLarge, Text: fmt.Sprintf("the multipart body is larger than the allowed %d bytes", limit), Err: err}
}
