package server

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"imzo/internal/httpx"
	"imzo/pki/armor"
)

// mobileForm is what a request of the mobile flow says: in the query, in a form of
// either kind, or the PKCS#7 alone as the body. Clients differ, the original
// reads what they send.
type mobileForm struct {
	fields url.Values
	// raw is a body that is no form.
	raw []byte
}

// maxFormFields bounds the fields of a form.
const maxFormFields = 64

// readForm reads a body of at most limit octets.
func (s *Server) readForm(r *http.Request, limit int64) (mobileForm, error) {
	f := mobileForm{fields: r.URL.Query()}
	body, err := httpx.ReadBody(r, limit)
	if err != nil {
		return mobileForm{}, err
	}
	kind, parameters, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind == "multipart/form-data" && parameters["boundary"] != "" {
		return f, f.readParts(multipart.NewReader(bytes.NewReader(body), parameters["boundary"]))
	}
	// Base64 has '=' at its end alone.
	if !bytes.Contains(bytes.TrimRight(body, "=\r\n\t "), []byte("=")) {
		f.raw = body
		return f, nil
	}
	fields, err := url.ParseQuery(string(body))
	if err != nil || len(fields) > maxFormFields {
		return mobileForm{}, badRequestf("the body is no form of at most %d fields", maxFormFields)
	}
	for name, values := range fields {
		f.fields[name] = append(f.fields[name], values...)
	}
	return f, nil
}

func (f *mobileForm) readParts(parts *multipart.Reader) error {
	for n := 0; ; n++ {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			return nil
		}
		var value []byte
		if err == nil {
			value, err = io.ReadAll(part)
		}
		if err != nil || n == maxFormFields {
			return badRequestf("the body is no multipart form of at most %d fields", maxFormFields)
		}
		f.fields.Add(part.FormName(), string(value))
	}
}

// get returns the first of the names that the form has.
func (f mobileForm) get(names ...string) string {
	for _, name := range names {
		if v := f.fields.Get(name); v != "" {
			return v
		}
	}
	return ""
}

// documentID returns the id of the form, in upper case.
func (f mobileForm) documentID() (string, error) {
	text := f.get("documentId", "document_id", "documentID")
	if text == "" {
		return "", badRequestf("the parameter documentId is missing")
	}
	id, ok := parseDocumentID(text)
	if !ok {
		return "", badRequestf("the parameter documentId is not 8 hexadecimal digits")
	}
	return id, nil
}

func parseDocumentID(text string) (string, bool) {
	text = strings.TrimSpace(text)
	if len(text) != 2*mobileIDSize || strings.Trim(text, "0123456789abcdefABCDEF") != "" {
		return "", false
	}
	return strings.ToUpper(text), true
}

// pkcs7 returns the document that is uploaded.
func (f mobileForm) pkcs7() ([]byte, error) {
	text := f.get("pkcs7_b64", "pkcs7", "pkcs7b64")
	if text == "" {
		text = string(f.raw)
	}
	if strings.TrimSpace(text) == "" {
		return nil, badRequestf("the parameter pkcs7_b64 is missing")
	}
	document, err := decodeFormBase64(text)
	if err != nil {
		return nil, badRequestf("the parameter pkcs7_b64 is not base64: %s", err)
	}
	return document, nil
}

// document returns the source document, which may be empty.
func (f mobileForm) document() ([]byte, error) {
	for _, name := range []string{"document", "Document64"} {
		if !f.fields.Has(name) {
			continue
		}
		content, err := decodeFormBase64(f.fields.Get(name))
		if err != nil {
			return nil, badRequestf("the parameter %s is not base64: %s", name, err)
		}
		if content == nil {
			content = []byte{}
		}
		return content, nil
	}
	return nil, badRequestf("the parameter document is missing")
}

// decodeFormBase64 decodes the base64 of a form, whose plus signs may have
// become spaces on the way. Line ends stay what they are.
func decodeFormBase64(text string) ([]byte, error) {
	return armor.DecodeBase64([]byte(strings.ReplaceAll(strings.Trim(text, " "), " ", "+")))
}
