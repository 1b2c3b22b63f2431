package verify

import (
	"context"
	"time"
)

// Document verifies a CMS document, DER or BER. content is the content of a
// detached one, and nil otherwise; an empty detached content is not nil.
//
// The error is for what is not the document's fault: ctx ended, or there are
// no anchors ([ErrNoAnchors]). Whatever is wrong with the document, also that
// it is no document at all, is in the [Report].
func Document(ctx context.Context, document, content []byte, o Options) (*Report, error) {
	e, err := Collect(ctx, document, content, o)
	if err != nil {
		return nil, err
	}
	return e.Judge(o.Policy()), nil
}

// Collect is the first half of [Document]: it examines the document, asks the
// revocation source, and returns all that the verdict depends on. Which
// questions are asked is up to SkipRevocation and CheckCARevocation.
func Collect(ctx context.Context, document, content []byte, o Options) (*Evidence, error) {
	if o.Anchors.Len() == 0 {
		return nil, ErrNoAnchors
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	now := o.Now
	if now == nil {
		now = time.Now
	}
	e := &Evidence{
		Document: document,
		Content:  content,
		Anchors:  o.Anchors.Certificates(),
		At:       now(),
	}
	e.facts = examine(ctx, document, content, o.Anchors, e.At, o.CheckSignature)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	questions := e.facts.questions(o.Policy())
	answers := ask(ctx, o.Revocation, questions)
	// What a source says after its time is over is no finding about the
	// document.
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for i, a := range answers {
		e.Statuses = append(e.Statuses, newStatusAnswer(questions[i], a))
	}
	return e, nil
}
