package gost341194

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"imzo/gost/gost28147"
)

func checkMany(t *testing.T, messages [][]byte) {
	t.Helper()
	digests := make([][Size]byte, len(messages))
	SumMany(digests, messages)
	for i, m := range messages {
		want := state{t: cryptoProTables, path: goTables}
		want.write(m)
		if w := want.digest(); digests[i] != w {
			t.Errorf("message %d of %d, %d bytes: %x, want %x", i, len(messages), len(m), digests[i], w)
		}
	}
}

func TestSumManyIsSum256OfEach(t *testing.T) {
	r := newSource(t)
	for count := range 70 {
		for _, longest := range []int{0, 1, 32, 100, 3000} {
			messages := make([][]byte, count)
			for i := range messages {
				messages[i] = r.bytes(r.IntN(longest + 1))
			}
			checkMany(t, messages)
			// All alike.
			for i := range messages {
				messages[i] = r.bytes(longest)
			}
			checkMany(t, messages)
		}
	}
}

func TestSumManyOfALongMessageAmongShortOnes(t *testing.T) {
	r := newSource(t)
	for _, count := range []int{1, 2, 5, 6, 16, 17, 40} {
		messages := make([][]byte, count)
		for i := range messages {
			messages[i] = r.bytes(r.IntN(200))
		}
		messages[r.IntN(count)] = r.bytes(2*maxBlocks*BlockSize + 17)
		checkMany(t, messages)
	}
}

func TestSumManyTakesAMessageSeveralTimes(t *testing.T) {
	m := []byte("one message")
	checkMany(t, [][]byte{m, m, nil, m, m[:3], m, {}, m})
}

func TestSumManyCarriesTheSumsOfEachMessage(t *testing.T) {
	var messages [][]byte
	for i := range 20 {
		messages = append(messages, bytes.Repeat([]byte{0xff}, 32*i+i))
	}
	checkMany(t, messages)
}

func TestSumManyRefusesTooFewDigests(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	SumMany(make([][Size]byte, 1), make([][]byte, 2))
}

func TestSumManyOfFewAllocatesNothing(t *testing.T) {
	messages := make([][]byte, 16)
	for i := range messages {
		messages[i] = make([]byte, 100*i)
	}
	digests := make([][Size]byte, len(messages))
	if n := testing.AllocsPerRun(20, func() { SumMany(digests, messages) }); n != 0 {
		t.Errorf("SumMany allocates %v times", n)
	}
}

// FuzzSumManyIsSum256OfEach cuts data into messages at the given lengths.
func FuzzSumManyIsSum256OfEach(f *testing.F) {
	f.Add([]byte("some data to cut"), []byte{0, 1, 2, 3, 200, 0})
	f.Add(bytes.Repeat([]byte{0xff}, 3000), bytes.Repeat([]byte{31, 32, 33, 64, 97}, 10))
	f.Fuzz(func(t *testing.T, data, lengths []byte) {
		var messages [][]byte
		for _, n := range lengths[:min(len(lengths), 100)] {
			n := min(int(n), len(data))
			messages = append(messages, data[:n])
			data = data[n:]
		}
		checkMany(t, messages)
	})
}

func BenchmarkSumMany(b *testing.B) {
	for _, count := range []int{1, 2, 4, 5, 6, 8, 16, 64} {
		for _, n := range []int{64, 1 << 10, 64 << 10} {
			b.Run(fmt.Sprintf("%dx%dB", count, n), func(b *testing.B) {
				messages := make([][]byte, count)
				for i := range messages {
					messages[i] = make([]byte, n)
				}
				digests := make([][Size]byte, count)
				b.SetBytes(int64(count * n))
				b.ReportAllocs()
				for b.Loop() {
					SumMany(digests, messages)
				}
			})
		}
	}
}

// A new goroutine has a small stack, which grows, and so moves, on entry to
// the assembly.
func TestStacksMayGrowWhileHashing(t *testing.T) {
	var messages [][]byte
	for i := range 16 {
		messages = append(messages, bytes.Repeat([]byte{byte(i)}, 40*i))
	}
	want := make([][Size]byte, len(messages))
	SumMany(want, messages)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			var got [16][Size]byte // on the stack
			SumMany(got[:], messages)
			for i, d := range got {
				if d != want[i] {
					t.Errorf("message %d: %x, want %x", i, d, want[i])
				}
			}
		})
		for _, p := range paths() {
			wg.Go(func() {
				d := state{sbox: gost28147.SBoxHashCryptoPro(), t: cryptoProTables, path: p}
				d.write(messages[9])
				if got := d.digest(); got != want[9] {
					t.Errorf("%s: %x, want %x", p, got, want[9])
				}
			})
		}
	}
	wg.Wait()
}
