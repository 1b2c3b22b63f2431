package verify

import (
	"context"
	"errors"
	"time"
)

// ErrTwoContents tells that a content was given as it is and hashed as well.
var ErrTwoContents = errors.New("content given twice, as it is and hashed")

// Document verifies a CMS document, DER or BER. content is the content of a
// detached one, and nil otherwise; an empty detached content is not nil. One
// that is too large for memory goes into [Options].HashedContent instead.
//
// The error is for what is not the document's fault: ctx ended, there are no
// anchors ([ErrNoAnchors]), two contents ([ErrTwoContents]), or Options.Compute
// gave one. Whatever is wrong with the document, also that
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
	if o.Anchors.Len() == 0 && !o.NoAnchors {
		return nil, ErrNoAnchors
	}
	if content != nil && o.HashedContent != nil {
		return nil, ErrTwoContents
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
		Hashed:   o.HashedContent,
		Anchors:  o.Anchors.Certificates(),
		At:       now(),
	}
	examineAll := func() {
		e.facts = examine(ctx, subject{document, content, o.HashedContent, o.ContentHasher}, o.Anchors, e.At, o.memory())
		if !o.OmitContent {
			e.facts.keepContent()
		}
	}
	if o.Compute == nil {
		examineAll()
	} else if err := o.Compute(ctx, len(document)+len(content), examineAll); err != nil {
		return nil, err
	}
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
