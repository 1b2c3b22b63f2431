package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"

	"imzo/pki/armor"
	"imzo/verify"
)

const (
	// maxBatch bounds the documents of one request. More would not be faster:
	// all share the time there is for questions about revocation.
	maxBatch = 100
	// batchWorkers is how many documents are verified at the same time, so
	// that one request does not take the machine from all others.
	batchWorkers = 4
	// maxBatchID bounds what is sent back as it came.
	maxBatchID = 255
)

// batchRequest is the body of /backend/pkcs7/verify/batch.
type batchRequest struct {
	Documents []batchDocument `json:"documents"`
}

type batchDocument struct {
	ID    string `json:"id"`
	PKCS7 string `json:"pkcs7"`
	// Document is the content of a detached document, in base64; absent for
	// an attached one.
	Document *string `json:"document"`
}

// batchResult is one of the results: a reply of verify with the id of the
// document.
type batchResult struct {
	ID string `json:"id"`
	verifyView
}

// verifyBatch verifies many documents. The results are in the order of the
// request. The status at the end is that of the first document that is not
// valid, so that status 1 says that all are.
func (s *Server) verifyBatch(w http.ResponseWriter, r *http.Request) {
	ids, subs, err := s.batch(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	source, cancel := s.budget(r.Context(), s.deps.Revocation)
	defer cancel()
	ctx, stop := context.WithCancel(r.Context())
	b := s.startBatch(ctx, source, subs)
	defer b.wait.Wait()
	defer stop()

	overall := s.result(r, success, nil, nil)
	var out *gsonWriter
	for i := range subs {
		done := <-b.results[i]
		switch {
		case done.panicked != nil:
			panic(done.panicked) // where it is caught and logged
		case done.err != nil && out == nil:
			s.refuse(w, r, done.err)
			return
		case done.err != nil:
			panic(http.ErrAbortHandler) // nobody must take the half for the whole
		}
		j := done.judged
		s.logVerdict(r, j.outcome, audited{document: subs[i].document, serials: signerSerials(j.report)}, j.failure)
		result := batchResult{ids[i], s.verifyView(r, j)}
		if overall.Status == statusOK && result.Status != statusOK {
			overall = result.result
		}
		// Each is sent when it is there: all together may be large.
		if out == nil {
			jsonHeader(w)
			out = newGsonWriter(w)
			defer out.free()
			out.text(`{"results":[`)
		} else {
			out.text(",")
		}
		text := newVerifyText(result, result.verifyView, j.report)
		text.writeTo(out)
		text.free()
		subs[i] = submission{}
		<-b.slots
	}
	out.text(`],`)
	text := newText()
	defer text.free()
	text.encode(overall) // an object that is never empty
	out.escape(text.Bytes()[1:])
	out.flush()
}

// batch is the work on the documents of one request.
type batch struct {
	results []chan batchDone // one value each
	slots   chan struct{}    // taken by what is verified and not sent yet
	wait    sync.WaitGroup
}

type batchDone struct {
	judged
	err      error
	panicked any
}

// startBatch verifies in the background until ctx ends. Whoever takes a result
// gives its slot back.
func (s *Server) startBatch(ctx context.Context, source verify.RevocationSource, subs []submission) *batch {
	b := &batch{slots: make(chan struct{}, batchWorkers)}
	for range subs {
		b.results = append(b.results, make(chan batchDone, 1))
	}
	b.wait.Go(func() {
		for i := range subs {
			select {
			case b.slots <- struct{}{}:
			case <-ctx.Done():
				b.results[i] <- batchDone{err: ctx.Err()}
				continue
			}
			sub := subs[i]
			b.wait.Go(func() {
				var done batchDone
				defer func() {
					done.panicked = recover()
					b.results[i] <- done
				}()
				done.judged, done.err = s.judge(ctx, source, sub)
			})
		}
	})
	return b
}

// batch reads the documents of a request.
func (s *Server) batch(r *http.Request) (ids []string, subs []submission, err error) {
	text, err := s.body(r)
	if err != nil {
		return nil, nil, err
	}
	var request batchRequest
	if err := json.Unmarshal(text, &request); err != nil {
		return nil, nil, badRequestf("the body is not the JSON of a batch: %s", clip(err.Error(), maxHeaderText))
	}
	switch n := len(request.Documents); {
	case n == 0:
		return nil, nil, badRequestf("the batch has no documents")
	case n > maxBatch:
		return nil, nil, badRequestf("the batch has %d documents, allowed are %d", n, maxBatch)
	}
	for i, d := range request.Documents {
		where := fmt.Sprintf("documents[%d]", i)
		if len(d.ID) > maxBatchID {
			return nil, nil, badRequestf("%s.id is longer than %d bytes", where, maxBatchID)
		}
		var sub submission
		if sub.document, err = decodeDocument([]byte(d.PKCS7), where+".pkcs7"); err != nil {
			return nil, nil, err
		}
		if d.Document != nil {
			if sub.content, err = armor.DecodeBase64([]byte(*d.Document)); err != nil {
				return nil, nil, badRequestf("%s.document is not base64: %s", where, err)
			}
		}
		ids, subs = append(ids, d.ID), append(subs, sub)
	}
	return ids, subs, nil
}
