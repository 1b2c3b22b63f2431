package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// documentPrefix keeps documents apart from the keys of others in the same
// database.
const documentPrefix = "imzo:document:"

// RedisDocuments is a [Documents] that several servers share: a phone's
// signature may be uploaded to one while the page polls another. What is said at
// [Redis] of one that is down, and of answers that are lost, holds here as well;
// and of one that forgets: it will take a second upload for the first.
//
// A document is one key. Every write is one command that sets the value with
// its life, so that none can be left behind without. The user needs the rights
// to SET, GET, GETRANGE, EVALSHA, EVAL and PING.
type RedisDocuments struct{ *connection }

var _ Documents = (*RedisDocuments)(nil)

// NewRedisDocuments makes a store of documents. It does not connect: a server
// may start before its Redis does.
func NewRedisDocuments(o RedisOptions) (*RedisDocuments, error) {
	c, err := newConnection(o, documentPrefix)
	if err != nil {
		return nil, err
	}
	return &RedisDocuments{c}, nil
}

// A value is its state, which polls fetch alone; a line of JSON about the
// document; and when it is signed a line about the signature, and the PKCS#7:
//
//	w{"kind":"signing","created":"2026-11-23T10:00:00Z"}
//	s{"kind":"signing","created":"2026-11-23T10:00:00Z"}
//	{"serialNumber":"7700000","address":"1.2.3.4","at":"2026-11-23T10:00:09Z"}
//	0...
const (
	stateWaiting = "w"
	stateSigned  = "s"
)

// documentLine and signatureLine are the lines of JSON.
type (
	documentLine struct {
		Kind      DocumentKind `json:"kind"`
		Challenge string       `json:"challenge,omitempty"`
		Created   time.Time    `json:"created"`
	}
	signatureLine struct {
		SerialNumber string    `json:"serialNumber"`
		Address      string    `json:"address"`
		At           time.Time `json:"at"`
	}
)

// uploadDocument is Upload: of a key, the line about the signature, the PKCS#7,
// and the lifetime in milliseconds. It answers with one of the words below.
var uploadDocument = newScript(`
local document = redis.call('get', KEYS[1])
if not document then
	return 'unknown'
end
local state = string.sub(document, 1, 1)
if state == 's' then
	local first = string.find(document, '\n', 1, true) or 0
	local second = string.find(document, '\n', first + 1, true) or 0
	if string.sub(document, second + 1) == ARGV[2] then
		return 'stored'
	end
	return 'other'
end
if state ~= 'w' then
	return 'foreign'
end
redis.call('set', KEYS[1], 's' .. string.sub(document, 2) .. ARGV[1] .. ARGV[2], 'px', ARGV[3])
return 'stored'
`)

// Create implements [Documents].
func (r *RedisDocuments) Create(ctx context.Context, id string, d Document, ttl time.Duration) error {
	if ttl < minLifetime {
		return errLifetime
	}
	d, err := d.normal()
	if err != nil {
		return err
	}
	line, err := json.Marshal(documentLine{d.Kind, d.Challenge, d.Created})
	if err != nil {
		return err
	}
	key := r.key(id)
	_, err = r.run(ctx, "create", key, "set", key, stateWaiting+string(line)+"\n", "px", ttl.Milliseconds(), "nx")
	if errors.Is(err, redis.Nil) {
		return ErrExists
	}
	return err
}

// Upload implements [Documents].
func (r *RedisDocuments) Upload(ctx context.Context, id string, s Signed, ttl time.Duration) error {
	if ttl < minLifetime {
		return errLifetime
	}
	s, err := s.normal()
	if err != nil {
		return err
	}
	line, err := json.Marshal(signatureLine{s.SerialNumber, s.Address, s.At})
	if err != nil {
		return err
	}
	answer, err := r.runScript(ctx, "upload", uploadDocument, r.key(id), string(line)+"\n", s.PKCS7, ttl.Milliseconds())
	if err != nil {
		return err
	}
	switch answer {
	case "stored":
		return nil
	case "other":
		return ErrUploaded
	case "unknown":
		return ErrNotFound
	}
	return errForeign
}

// Uploaded implements [Documents].
func (r *RedisDocuments) Uploaded(ctx context.Context, id string) (bool, error) {
	key := r.key(id)
	answer, err := r.run(ctx, "poll", key, "getrange", key, 0, 0)
	if err != nil {
		return false, err
	}
	switch answer {
	case stateSigned:
		return true, nil
	case stateWaiting:
		return false, nil
	case "":
		return false, ErrNotFound
	}
	return false, errForeign
}

// Document implements [Documents].
func (r *RedisDocuments) Document(ctx context.Context, id string) (Document, error) {
	key := r.key(id)
	answer, err := r.run(ctx, "read", key, "get", key)
	if errors.Is(err, redis.Nil) {
		return Document{}, ErrNotFound
	}
	if err != nil {
		return Document{}, err
	}
	value, _ := answer.(string)
	return decodeDocument(value)
}

// errForeign says that somebody else has written where our documents are.
var errForeign = fmt.Errorf("%w: it holds something else under the key of a document", ErrUnavailable)

func decodeDocument(value string) (Document, error) {
	first, rest, ok := strings.Cut(value, "\n")
	if !ok || first == "" {
		return Document{}, errForeign
	}
	state, first := first[:1], first[1:]
	var line documentLine
	if json.Unmarshal([]byte(first), &line) != nil {
		return Document{}, errForeign
	}
	d, err := Document{Kind: line.Kind, Challenge: line.Challenge, Created: line.Created}.normal()
	if err != nil {
		return Document{}, errForeign
	}
	switch {
	case state == stateWaiting && rest == "":
		return d, nil
	case state != stateSigned:
		return Document{}, errForeign
	}
	second, pkcs7, ok := strings.Cut(rest, "\n")
	var told signatureLine
	if !ok || json.Unmarshal([]byte(second), &told) != nil {
		return Document{}, errForeign
	}
	s, err := Signed{[]byte(pkcs7), told.SerialNumber, told.Address, told.At}.normal()
	if err != nil {
		return Document{}, errForeign
	}
	d.Signed = &s
	return d, nil
}
