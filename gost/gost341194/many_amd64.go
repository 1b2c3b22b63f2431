//go:build !purego

package gost341194

import "slices"

// How many messages make the assembly for sixteen, and for four, faster than
// taking some of them first with the one for fewer.
const (
	enoughForSixteen = 5
	enoughForFour    = 2
)

// lane is a message at its place of a quad. What it takes at a time is a part:
// the whole blocks of the message or, after them, what lastBlocks makes.
type lane struct {
	number int  // of the message
	ended  bool // the part is the last
	at     int  // first byte of the part that is to be taken
	left   int  // blocks left of the part
	last   lastBlocks
}

// lanes are the messages at work, the first of them all busy.
type lanes struct {
	lane  [16]lane
	quads [4]quad
	busy  int
}

// sumMany hashes messages side by side, if the processor can.
func sumMany(digests [][Size]byte, messages [][]byte) bool {
	if !hasVector || len(messages) < enoughForFour {
		return false
	}
	var l lanes
	if len(messages) <= len(l.lane) {
		for i, m := range messages {
			l.start(i, m)
		}
	} else {
		// The longest first, so that they do not remain alone at the end.
		order := make([]int, len(messages))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return len(messages[b]) - len(messages[a]) })
		for _, i := range order {
			if l.busy == len(l.lane) {
				l.run(digests, messages)
			}
			l.start(i, messages[i])
		}
	}
	for l.busy > 0 {
		l.run(digests, messages)
	}
	return true
}

// start puts a message on the first idle lane.
func (l *lanes) start(number int, message []byte) {
	i := l.busy
	l.busy++
	l.quads[i/4].setChain(i%4, words{})
	l.quads[i/4].sum[i%4] = words{}
	a := &l.lane[i]
	a.number, a.ended, a.at, a.left = number, false, 0, len(message)/BlockSize
	if a.left == 0 {
		l.end(i, message)
	}
}

// end puts the end of its message on a lane, whose whole blocks are done.
func (l *lanes) end(i int, message []byte) {
	a := &l.lane[i]
	rest := message[len(message)&^(BlockSize-1):]
	part := a.last.fill(rest, uint64(len(message)), l.quads[i/4].sum[i%4])
	a.ended, a.at, a.left = true, 0, len(part)/BlockSize
}

// run goes on with the busy lanes until a message, at least, is done.
func (l *lanes) run(digests [][Size]byte, messages [][]byte) {
	for done := false; !done; {
		l.step(messages)
		for i := l.busy - 1; i >= 0; i-- {
			a := &l.lane[i]
			switch {
			case a.left > 0:
			case !a.ended:
				l.end(i, messages[a.number])
			default:
				done = true
				digests[a.number] = l.quads[i/4].chain(i % 4).bytes()
				l.remove(i)
			}
		}
	}
}

// remove makes a lane idle; the last busy one takes its place.
func (l *lanes) remove(i int) {
	l.busy--
	j := l.busy
	if i == j {
		return
	}
	from, to := &l.quads[j/4], &l.quads[i/4]
	to.setChain(i%4, from.chain(j%4))
	to.sum[i%4] = from.sum[j%4]
	l.lane[i] = l.lane[j]
}

// step takes as many blocks from the busy lanes as the shortest part has.
func (l *lanes) step(messages [][]byte) {
	width, taken := 16, l.busy
	switch {
	case l.busy < enoughForFour:
		width = 1
	case l.busy < enoughForSixteen:
		width, taken = 4, min(l.busy, 4)
	}
	n := maxBlocks
	for i := range taken {
		n = min(n, l.lane[i].left)
	}
	var p [16]*byte
	for i := range taken {
		a := &l.lane[i]
		if a.ended {
			p[i] = &a.last[a.at]
		} else {
			p[i] = &messages[a.number][a.at]
		}
		a.at += n * BlockSize
		a.left -= n
	}
	for i := taken; i < width; i++ {
		p[i] = p[0] // an idle lane repeats the work of the first
	}
	switch width {
	case 16:
		fourQuadBlocks(&l.quads, &p, n, cryptoProTables, vectorConstants)
	case 4:
		quadBlocks(&l.quads[0], (*[4]*byte)(p[:]), n, cryptoProTables, vectorConstants)
	default:
		q := &l.quads[0]
		h := q.chain(0)
		tableBlocks(&h, &q.sum[0], p[0], n, cryptoProTables, vectorConstants)
		q.setChain(0, h)
	}
}
