package client

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
)

// The calls of this file send data as it comes, so that documents of any size
// take little memory. They cannot be sent again, and only their context ends
// them.

// Digest hashes data on the server, which saves a site the hash functions of
// E-IMZO. algorithm is a name as replies have it, such as
// "OZDST-1106-2009-2-A"; "" is that one. (Imzo only.)
func (c *Client) Digest(ctx context.Context, algorithm string, data io.Reader) (*DigestReply, error) {
	r := request{method: http.MethodPost, path: "/backend/digest", contentType: typeBinary, stream: data}
	if algorithm != "" {
		r.query = url.Values{"algorithm": {algorithm}}
	}
	reply := &DigestReply{}
	return reply, callFor[DocumentStatus](ctx, c, r, reply)
}

// VerifyDetachedStream is [Client.VerifyDetached] for data that need not be in
// memory, here or on the server. (Imzo only.)
func (c *Client) VerifyDetachedStream(ctx context.Context, u User, data io.Reader, pkcs7 string) (*VerifyReply, error) {
	r, err := multipartRequest("/backend/pkcs7/verify/detached", u, data, pkcs7)
	if err != nil {
		return nil, err
	}
	reply := &VerifyReply{}
	if err := callFor[DocumentStatus](ctx, c, r, reply); err != nil {
		return reply, err
	}
	return reply, reply.consistent(r.path)
}

// multipartRequest has the parts pkcs7 and document (RFC 7578). The document
// comes last, so that the server knows what to hash it with when it comes.
func multipartRequest(path string, u User, data io.Reader, pkcs7 string) (request, error) {
	if strings.TrimSpace(pkcs7) == "" {
		return request{}, fmt.Errorf("%s: the document is %w: it is empty", path, ErrNotBase64)
	}
	var head, tail bytes.Buffer
	w := multipart.NewWriter(&head)
	err := w.WriteField("pkcs7", pkcs7)
	if err == nil {
		_, err = w.CreateFormFile("document", "document")
	}
	if err != nil {
		return request{}, fmt.Errorf("%s: %w", path, err)
	}
	fmt.Fprintf(&tail, "\r\n--%s--\r\n", w.Boundary())
	return request{
		method: http.MethodPost, path: path, user: u, contentType: w.FormDataContentType(),
		stream: io.MultiReader(&head, data, &tail),
	}, nil
}
