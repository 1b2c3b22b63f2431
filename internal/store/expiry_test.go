package store

import (
	"maps"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"
)

// TestTheQueueOfLivesSweepsWhatIsOverAndNothingElse: after any adding, moving
// and removing, compared with a map.
func TestTheQueueOfLivesSweepsWhatIsOverAndNothingElse(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var c clock
	var q expiryQueue
	alive := map[string]*expiry{}
	soon := func() time.Time { return c.now().Add(time.Duration(1 + random.IntN(50))) }
	for i := range 20_000 {
		switch random.IntN(5) {
		case 0, 1:
			e := &expiry{at: soon(), id: strconv.Itoa(i)}
			alive[e.id] = e
			q.add(e)
		case 2:
			for _, e := range alive { // one of them
				q.move(e, soon())
				break
			}
		case 3:
			for id, e := range alive {
				delete(alive, id)
				q.remove(e)
				break
			}
		case 4:
			c.advance(time.Duration(random.IntN(10)))
			want := maps.Clone(alive)
			maps.DeleteFunc(want, func(_ string, e *expiry) bool { return e.over(c.now()) })
			last := time.Time{}
			q.sweep(c.now(), func(id string) {
				if e := alive[id]; e == nil || e.at.Before(last) {
					t.Fatalf("step %d: swept %s out of turn", i, id)
				} else {
					last = e.at
				}
				delete(alive, id)
			})
			if !maps.Equal(alive, want) || q.len() != len(want) {
				t.Fatalf("step %d: %d are left and %d queued of %d", i, len(alive), q.len(), len(want))
			}
		}
	}
}
