package simengine

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"slices"
	"sync"
	"time"
)

// streamID is the number of a stream in Docker's frames.
type streamID byte

const (
	stdout streamID = 1
	stderr streamID = 2
)

// chunk is output that was written at once.
type chunk struct {
	stream streamID
	data   []byte
	at     time.Time
}

// output is what a container prints: the kept lines, and who reads along.
type output struct {
	limit int

	mu      sync.Mutex
	lines   []chunk
	size    int
	partial [3][]byte // lines that are not complete
	running bool
	readers map[*reader]struct{}
}

// reader reads along. Its channel is small: a reader that does not read holds the
// program, as it does with a real engine.
type reader struct {
	chunks chan chunk
	gone   chan struct{} // closed by the reader
	ended  chan struct{} // closed when the run is over
	lines  bool          // whole lines only, as from the log
}

// begin opens it for a run.
func (o *output) begin() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.running = true
}

// write keeps data and passes it to all readers. It fails with io.ErrClosedPipe when the
// run is over.
func (o *output) write(ctx context.Context, to streamID, data []byte, at time.Time) error {
	data = bytes.Clone(data)
	o.mu.Lock()
	if !o.running || ctx.Err() != nil {
		o.mu.Unlock()
		return io.ErrClosedPipe
	}
	raw := chunk{to, data, at}
	kept := o.keep(raw)
	readers := make([]*reader, 0, len(o.readers))
	for r := range o.readers {
		readers = append(readers, r)
	}
	o.mu.Unlock()
	for _, r := range readers {
		pass := kept
		if !r.lines {
			pass = []chunk{raw}
		}
		for _, p := range pass {
			select {
			case r.chunks <- p:
			case <-r.gone:
			case <-ctx.Done():
				return io.ErrClosedPipe
			}
		}
	}
	return nil
}

// keep adds what became a whole line to the log, and returns it.
func (o *output) keep(c chunk) []chunk {
	o.partial[c.stream] = append(o.partial[c.stream], c.data...)
	var made []chunk
	for {
		line, rest, found := bytes.Cut(o.partial[c.stream], []byte("\n"))
		if !found {
			break
		}
		made = append(made, chunk{c.stream, append(bytes.Clone(line), '\n'), c.at})
		o.partial[c.stream] = rest
	}
	o.add(made...)
	return made
}

func (o *output) add(lines ...chunk) {
	for _, l := range lines {
		o.size += len(l.data)
	}
	o.lines = append(o.lines, lines...)
	drop := 0
	for o.size > o.limit && drop < len(o.lines)-1 {
		o.size -= len(o.lines[drop].data)
		drop++
	}
	if drop > 0 {
		o.lines = slices.Clone(o.lines[drop:])
	}
}

// end ends the run: what is left of lines is kept, and all readers come to an end.
func (o *output) end(at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.running = false
	for _, id := range []streamID{stdout, stderr} {
		if rest := o.partial[id]; len(rest) > 0 {
			o.add(chunk{id, bytes.Clone(rest), at})
		}
		o.partial[id] = nil
	}
	for r := range o.readers {
		close(r.ended)
		delete(o.readers, r)
	}
}

// follow returns the kept lines and a reader of what comes next; close releases it. With
// whenRunning there is none unless a run is on.
func (o *output) follow(lines, whenRunning bool) (kept []chunk, r *reader, release func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	kept = slices.Clone(o.lines)
	if whenRunning && !o.running {
		return kept, nil, func() {}
	}
	r = &reader{
		chunks: make(chan chunk, 16), gone: make(chan struct{}), ended: make(chan struct{}), lines: lines,
	}
	o.readers[r] = struct{}{}
	return kept, r, sync.OnceFunc(func() {
		o.mu.Lock()
		delete(o.readers, r)
		o.mu.Unlock()
		close(r.gone)
	})
}

// each passes chunks to fn until the run is over, fn fails or ctx ends.
func (r *reader) each(ctx context.Context, fn func(chunk) error) {
	for {
		select {
		case c := <-r.chunks:
			if fn(c) != nil {
				return
			}
			continue
		case <-ctx.Done():
			return
		case <-r.ended:
		}
		for {
			select {
			case c := <-r.chunks:
				if fn(c) != nil {
					return
				}
				continue
			default:
			}
			return
		}
	}
}

// frame writes data as Docker sends it: as it is with a TTY, else with a head.
func frame(w io.Writer, tty bool, to streamID, data []byte) error {
	if tty {
		_, err := w.Write(data)
		return err
	}
	head := make([]byte, 8, 8+len(data))
	head[0] = byte(to)
	binary.BigEndian.PutUint32(head[4:], uint32(len(data)))
	_, err := w.Write(append(head, data...))
	return err
}
