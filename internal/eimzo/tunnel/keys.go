package tunnel

import (
	"crypto/hkdf"
	"crypto/hmac"
	"encoding/binary"
	"hash"

	"imzo/gost/gost341194"
	"imzo/gost/magma"
)

// recordsPerKey is how many records a key protects: 512 of at most 16 KiB are
// 2^20 blocks, far below the 2^32 at which blocks of 64 bits collide.
const recordsPerKey = 512

const (
	secretSize = gost341194.Size
	label      = "imzo tunnel 1 "
)

// secretHash is the hash for all that is secret.
func secretHash() hash.Hash { return gost341194.NewConstantTime() }

func extract(secret, salt []byte) []byte {
	prk, err := hkdf.Extract(secretHash, secret, salt)
	if err != nil {
		panic(err) // of modes without GOST only
	}
	return prk
}

// expand derives n octets of a name, bound to context.
func expand(secret []byte, name string, context []byte, n int) []byte {
	b, err := hkdf.Expand(secretHash, secret, label+name+"\x00"+string(context), n)
	if err != nil {
		panic(err)
	}
	return b
}

// half protects the records of one direction.
type half struct {
	secret  []byte // of the keys to come
	aead    *magma.MGM
	iv      uint64 // 63 bits
	count   uint32 // records under this key
	nonce   [magma.NonceSize]byte
	started bool
}

// start begins with the keys of a secret, which it takes over.
func (h *half) start(secret []byte) {
	h.wipe()
	h.secret, h.started = secret, true
	h.next()
}

// next changes the key. The secret of the last one cannot be computed from the
// new one.
func (h *half) next() {
	key := expand(h.secret, "key", nil, magma.KeySize)
	aead, err := magma.NewMGM(key)
	if err != nil {
		panic(err) // the size is right
	}
	iv := expand(h.secret, "iv", nil, magma.NonceSize)
	following := expand(h.secret, "next", nil, secretSize)
	if h.aead != nil {
		h.aead.Wipe()
	}
	clear(h.secret)
	clear(key)
	h.aead, h.iv, h.secret, h.count = aead, binary.BigEndian.Uint64(iv)&^(1<<63), following, 0
}

// use returns the nonce of the next record.
func (h *half) use() []byte {
	if h.count == recordsPerKey {
		h.next()
	}
	binary.BigEndian.PutUint64(h.nonce[:], h.iv^uint64(h.count))
	h.count++
	return h.nonce[:]
}

func (h *half) wipe() {
	if h.aead != nil {
		h.aead.Wipe()
		h.aead = nil
	}
	clear(h.secret)
	h.secret, h.iv, h.started = nil, 0, false
}

// schedule is the keys of a handshake.
type schedule struct {
	transcript     hash.Hash // of all messages; they are public
	client, server []byte    // secrets of the records of the handshake
	finished       [2][]byte // keys of Finished: of the client and of the server
	master         []byte
}

const (
	ofClient = 0
	ofServer = 1
)

func (s *schedule) digest() []byte { return s.transcript.Sum(nil) }

// agreed takes the result of VKO, which it overwrites.
func (s *schedule) agreed(shared []byte) {
	th := s.digest()
	prk := extract(shared, th)
	clear(shared)
	s.client, s.server = expand(prk, "handshake client", th, secretSize), expand(prk, "handshake server", th, secretSize)
	s.finished[ofClient], s.finished[ofServer] = expand(prk, "finished client", th, secretSize), expand(prk, "finished server", th, secretSize)
	s.master = expand(prk, "master", th, secretSize)
	clear(prk)
}

// finish is the content of Finished over what was said so far.
func (s *schedule) finish(end int) []byte {
	m := hmac.New(secretHash, s.finished[end])
	m.Write(s.digest())
	return m.Sum(nil)
}

// traffic is the secrets of data, when all of the handshake is in the
// transcript.
func (s *schedule) traffic() (client, server []byte) {
	th := s.digest()
	return expand(s.master, "data client", th, secretSize), expand(s.master, "data server", th, secretSize)
}

func (s *schedule) wipe() {
	for _, b := range [][]byte{s.client, s.server, s.finished[0], s.finished[1], s.master} {
		clear(b)
	}
}
