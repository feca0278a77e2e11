package console

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"lightd/observed/replay"
)

// ringBytes is how much of the latest output is kept of a container whose output stream is
// open, in bytes of text.
const ringBytes = 256 << 10

// Chunk is a piece of output.
type Chunk struct {
	// Lost is how many bytes were dropped before Text, because the subscriber was slow.
	Lost int64
	// Notice, where it is not empty, says what is missing here. There is no Text then.
	Notice string
	// Text is valid UTF-8. It ends at a line end, unless the program left its line open
	// or the line is very long.
	Text string
	// Position is behind Text, in the words of Position.String.
	Position string

	encoded *encoding
}

// encoding is a form of a chunk that all its subscribers share.
type encoding struct {
	once sync.Once
	data []byte
}

// Encoded returns what encode makes of c. It is called once for all subscribers that a
// chunk goes to, which must all ask for the same, and must not alter it.
func (c Chunk) Encoded(encode func(Chunk) []byte) []byte {
	if c.encoded == nil {
		return encode(c)
	}
	c.encoded.once.Do(func() { c.encoded.data = encode(c) })
	return c.encoded.data
}

// ring is the latest output of an id, over all runs and containers for as long as it is
// followed.
type ring struct {
	id    uint64 // zero: nothing is kept
	items []item // oldest first
	size  int
	end   int64
}

// item is a chunk, where it ends, and of which container it is.
type item struct {
	Chunk
	end       int64
	container uint64
}

// begin begins to keep.
func (r *ring) begin() { *r = ring{id: rand.Uint64() | 1} }

func (r *ring) add(c Chunk, container uint64) {
	r.size += len(c.Text)
	r.items = append(r.items, item{c, r.end, container})
	n := 0
	for r.size > ringBytes && n < len(r.items)-1 {
		r.size -= len(r.items[n].Text)
		r.items[n] = item{}
		n++
	}
	r.items = r.items[n:]
}

// after returns what lies behind an offset, and how many bytes before that are not kept any
// more. There may be notices among it that lie at the offset.
func (r *ring) after(offset int64) (chunks []Chunk, lost int64) {
	begin := r.end
	for i := len(r.items) - 1; i >= 0; i-- {
		at := r.items[i].end - int64(len(r.items[i].Text))
		if at < offset {
			break
		}
		begin = at
		chunks = append(chunks, r.items[i].Chunk)
	}
	slices.Reverse(chunks)
	return chunks, begin - offset
}

// since returns what lies behind p, if all of it is kept.
func (r *ring) since(p replay.Position) (chunks []Chunk, ok bool) {
	if r.id == 0 || p.Ring != r.id || p.Offset > r.end {
		return nil, false
	}
	chunks, lost := r.after(p.Offset)
	return chunks, lost == 0
}

// lines returns the last lines of a container, and what is behind them without a line end,
// if all of that is kept and nothing is missing in it.
func (r *ring) lines(n int, container uint64) (chunks []Chunk, ok bool) {
	for i := len(r.items) - 1; i >= 0 && !ok; i-- {
		c := r.items[i].Chunk
		if c.Notice != "" || r.items[i].container != container {
			return nil, false
		}
		for end := len(c.Text); ; n-- {
			end = strings.LastIndexByte(c.Text[:end], '\n')
			if end < 0 {
				break
			}
			if ok = n == 0; ok {
				c.Text, c.encoded = c.Text[end+1:], nil
				break
			}
		}
		if c.Text != "" {
			chunks = append(chunks, c)
		}
	}
	slices.Reverse(chunks)
	return chunks, ok
}
