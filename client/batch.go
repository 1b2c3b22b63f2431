package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// BatchDocument is a document of [Client.VerifyBatch].
type BatchDocument struct {
	// ID comes back with the result, at most 255 octets.
	ID string
	// PKCS7 is the document, base64.
	PKCS7 string
	// Data is what a detached document is over; nil for one with its content
	// inside. Of no data there is a slice that is empty and not nil.
	Data []byte
}

// MarshalJSON writes the document as the server reads it.
func (d BatchDocument) MarshalJSON() ([]byte, error) {
	v := struct {
		ID    string  `json:"id"`
		PKCS7 string  `json:"pkcs7"`
		Data  *[]byte `json:"document,omitempty"`
	}{ID: d.ID, PKCS7: d.PKCS7}
	if d.Data != nil {
		v.Data = &d.Data
	}
	return json.Marshal(v)
}

// BatchReply is the reply of [Client.VerifyBatch]. Its status is that of the
// first document that is not valid: 1 says that all are.
type BatchReply struct {
	// Results are in the order of the documents.
	Results []BatchResult `json:"results"`
	Reply
}

// BatchResult is the verdict on one document.
type BatchResult struct {
	ID string `json:"id"`
	VerifyReply
}

// Err is nil for a document whose signatures are all valid, and otherwise a
// [*StatusError].
func (r *BatchResult) Err() error {
	if r.Status == StatusOK {
		return nil
	}
	return &StatusError{Path: pathBatch, Reply: r.Reply, status: DocumentStatus(r.Status)}
}

const pathBatch = "/backend/pkcs7/verify/batch"

// VerifyBatch verifies many documents, at most a hundred. Without an error all
// are valid; a [*StatusError] is that of the first that is not, and
// [BatchResult.Err] tells of each. (Imzo only.)
func (c *Client) VerifyBatch(ctx context.Context, u User, documents []BatchDocument) (*BatchReply, error) {
	body, err := json.Marshal(map[string][]BatchDocument{"documents": documents})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", pathBatch, err)
	}
	reply := &BatchReply{}
	failure := callFor[DocumentStatus](ctx, c, request{method: http.MethodPost, path: pathBatch, user: u, contentType: typeJSON, body: body}, reply)
	if failure != nil && reply.Status == 0 { // there is no reply
		return reply, failure
	}
	if err := reply.consistent(documents); err != nil {
		return reply, err
	}
	return reply, failure
}

// consistent makes sure that every document has a result, and that none says
// more than is in it.
func (r *BatchReply) consistent(documents []BatchDocument) error {
	if len(r.Results) != len(documents) {
		return fmt.Errorf("%s: %w: %d results of %d documents", pathBatch, ErrAnswer, len(r.Results), len(documents))
	}
	good := true
	for i := range r.Results {
		result := &r.Results[i]
		if result.ID != documents[i].ID {
			return fmt.Errorf("%s: %w: result %d is of another document", pathBatch, ErrAnswer, i+1)
		}
		if result.Status != StatusOK {
			good = false
			continue
		}
		if err := result.consistent(pathBatch); err != nil {
			return err
		}
	}
	if good != (r.Status == StatusOK) {
		return fmt.Errorf("%s: %w: status %d is not that of the results", pathBatch, ErrAnswer, r.Status)
	}
	return nil
}
