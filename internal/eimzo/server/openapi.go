package server

import (
	_ "embed"
	"net/http"
	"strconv"
)

// description is the OpenAPI 3.0 description of the endpoints. It is kept by
// hand, and true by a test that holds real answers against it.
//
//go:embed openapi.json
var description []byte

// openapi shows the description of the endpoints.
func (s *Server) openapi(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=UTF-8")
	h.Set("Content-Length", strconv.Itoa(len(description)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(description) // a client that is gone needs no answer
}
