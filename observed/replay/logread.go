package replay

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"strings"

	"lightd/observed/engine"
	"lightd/observed/streams"
)

const (
	// firstTail is how many lines the search for the undamaged end of a log begins with.
	firstTail = 16
	// growth is by how many lines a log may grow between two reads for the second one to
	// contain the first without a search.
	growth = 64
	// entryOverhead is what an entry takes in memory beside its text.
	entryOverhead = 80
	// maxHeld bounds what is kept of a log until it is verified, in bytes.
	maxHeld = 4 << 20
)

// LogReader reads a container's log, also one that a power cut has damaged. Docker's decoder
// ends the log at such a place, or skips an unknown number of lines behind it, and answers in
// either case as if that was the end; or, as 26.1 does now and then, it ends the log with an error, ahead
// of some lines before the place. The last lines alone are still right: Docker counts their
// line ends from the end of the file, so that as many entries as were requested mean that no
// damage is among them.
type LogReader struct {
	Target streams.Target
	Source LogSource
	// Hold bounds how much of the log is kept until it is verified, in bytes. With 0 nothing is kept:
	// the entries behind a damaged place come last, together with some that were fed already.
	Hold int
}

// LogSource reads Docker's logs, as Docker frames them.
type LogSource interface {
	Logs(ctx context.Context, containerID string, r streams.Range) (io.ReadCloser, error)
}

// LogText returns the text of a container's log, of both outputs, up to its present end. A line of
// its own stands where the log is damaged. Close it.
func LogText(ctx context.Context, source LogSource, t streams.Target) (io.ReadCloser, error) {
	r, w := io.Pipe()
	go func() { _ = w.CloseWithError(writeLog(ctx, LogReader{Target: t, Source: source, Hold: maxHeld}, w)) }()
	text := bufio.NewReader(r)
	if _, err := text.Peek(1); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{text, r}, nil
}

// writeLog writes the text of a log until its end, or until w fails.
func writeLog(ctx context.Context, log LogReader, w io.Writer) error {
	var failed error
	noticed, open := false, false
	write := func(text []byte) bool {
		if failed == nil {
			_, failed = w.Write(text)
		}
		return failed == nil
	}
	notice := func() {
		if open {
			write([]byte("\n"))
		}
		write([]byte(NoticeDamaged + "\n"))
		noticed = true
	}
	damagedEnd, err := log.Read(ctx, streams.Range{}, func(e Entry) bool {
		if e.damaged && !noticed {
			notice()
		}
		open = !e.whole()
		return write(e.text)
	})
	if damagedEnd {
		notice()
	}
	return cmp.Or(failed, err)
}

// logPart is what a read of a log has returned.
type logPart struct {
	held        []Entry // not fed yet
	size        int     // of held
	n           int
	first, last Entry
	fed         bool // some of it was fed already
	stopped     bool // by the consumer
}

// Read feeds a part of the log until its end or until feed returns false. The first entries
// behind a damaged place are marked. The log may also be damaged behind its last entry, which
// the result reports. An undamaged log costs one request of a single entry beyond the read
// itself, and none where the read returned as many lines as were requested.
func (l LogReader) Read(ctx context.Context, part streams.Range, feed func(Entry) bool) (damagedEnd bool, err error) {
	part.Timestamps = true
	var p logPart
	cut, err := l.each(ctx, part, func(e Entry) bool { return p.add(e, l.Hold, feed) })
	if err != nil {
		// What came before the error counts, as it does without verification.
		p.flush(feed)
		return false, err
	}
	if p.stopped || part.Lines > 0 && p.n >= part.Lines {
		p.flush(feed)
		return false, nil
	}
	intact, err := l.verify(ctx, &p, part)
	if err != nil || intact {
		p.flush(feed)
		return cut && err == nil, unlessRemoved(err)
	}
	tail, damaged, whole, err := l.intactTail(ctx, &p, part)
	if err != nil {
		p.flush(feed)
		return false, unlessRemoved(err)
	}
	damagedEnd = p.join(tail, damaged || cut && !whole, part, l.Hold == 0, feed)
	return damagedEnd || cut && whole, nil
}

// unlessRemoved returns err, but nil where the container went after the log was read.
func unlessRemoved(err error) error {
	if Removed(err) {
		return nil
	}
	return err
}

// each calls fn with the entries of a part until fn returns false. It reports whether the engine cut the part off at a
// damaged place.
func (l LogReader) each(ctx context.Context, part streams.Range, fn func(Entry) bool) (cut bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := l.Source.Logs(ctx, l.Target.ContainerID, part)
	if err != nil {
		return false, err
	}
	defer r.Close()
	log := newEntries(r, l.Target.TTY)
	for {
		e, err := log.next()
		switch {
		case errors.Is(err, io.EOF):
			return false, nil
		case undecodable(err):
			return true, nil
		case err != nil || !fn(e):
			return false, err
		}
	}
}

// undecodable reports whether the engine ended a log at bytes that its decoder of JSON does not take.
func undecodable(err error) bool {
	var ended *streams.EngineError
	return errors.As(err, &ended) && strings.HasPrefix(ended.Message, grabbing+"invalid character")
}

func (p *logPart) add(e Entry, hold int, feed func(Entry) bool) bool {
	if p.n++; p.n == 1 {
		p.first = e.clone()
	}
	text := append(p.last.text[:0], e.text...)
	p.last = e
	p.last.text = text
	if !p.fed && p.size+len(e.text)+entryOverhead <= hold {
		p.held = append(p.held, e.clone())
		p.size += len(e.text) + entryOverhead
		return true
	}
	p.flush(feed)
	p.fed = true
	p.stopped = p.stopped || !feed(e)
	return !p.stopped
}

// flush feeds what is held.
func (p *logPart) flush(feed func(Entry) bool) {
	for _, e := range p.held {
		if p.stopped = p.stopped || !feed(e); p.stopped {
			break
		}
	}
	p.held = nil
}

// verify reports whether a read has all lines of its part: the last n lines of the log then begin
// as its n entries do. A log that has grown since does not.
func (l LogReader) verify(ctx context.Context, p *logPart, part streams.Range) (bool, error) {
	e, found, err := l.firstOf(ctx, max(p.n, 1))
	switch {
	case err != nil:
		return false, err
	case p.n == 0:
		return !found || e.at.Before(part.Since), nil
	}
	return found && e.equal(p.first), nil
}

// firstOf returns the first one of the last n lines.
func (l LogReader) firstOf(ctx context.Context, n int) (first Entry, found bool, err error) {
	_, err = l.each(ctx, streams.Range{Lines: n, Timestamps: true}, func(e Entry) bool {
		first, found = e.clone(), true
		return false
	})
	return first, found, err
}

// tail returns the last n lines, or what there is of them. It is exact when they were all
// there and not too large to hold.
func (l LogReader) tail(ctx context.Context, n int) (got []Entry, exact bool, err error) {
	size := 0
	_, err = l.each(ctx, streams.Range{Lines: n, Timestamps: true}, func(e Entry) bool {
		size += len(e.text) + entryOverhead
		got = append(got, e.clone())
		return size <= maxHeld
	})
	return got, len(got) >= n && size <= maxHeld, err
}

// intactTail returns the longest undamaged end of the log, or as much of it as contains p or may
// be held, whether there is damage before it in the part that was read, and whether it contains p.
func (l LogReader) intactTail(ctx context.Context, p *logPart, part streams.Range) (best []Entry, damaged, whole bool, err error) {
	covers := func(got []Entry) bool {
		switch {
		case len(got) == 0:
			return false
		case p.n == 0:
			return got[0].at.Before(part.Since)
		}
		return got[0].at.Before(p.first.at) || got[0].equal(p.first)
	}
	if got, exact, err := l.tail(ctx, p.n+growth); err != nil || exact && covers(got) {
		return got, false, true, err
	}
	low, high := 0, 0
	for n := firstTail; high-low != 1; {
		got, exact, err := l.tail(ctx, n)
		switch {
		case err != nil:
			return nil, false, false, err
		case exact && covers(got):
			return got, false, true, nil
		case exact:
			best, low = got, n
		default:
			high = n
		}
		if n = 2 * low; high > 0 {
			n = (low + high) / 2
		}
	}
	if len(best) == 0 {
		return nil, true, false, nil
	}
	// Rotation may have dropped what was read before: the log then begins with the tail.
	e, found, err := l.firstOf(ctx, low+p.n+growth)
	return best, found && e.at.Before(best[0].at), false, err
}

// join feeds what is held up to an undamaged tail of the log, and the tail. It reports damage
// behind which nothing was fed.
func (p *logPart) join(tail []Entry, damaged bool, part streams.Range, repeat bool, feed func(Entry) bool) (damagedEnd bool) {
	if len(tail) > 0 {
		for i, e := range p.held {
			if e.at.After(tail[0].at) || e.equal(tail[0]) {
				p.held = p.held[:i]
				break
			}
		}
	}
	p.flush(feed)
	if p.fed && !repeat {
		tail = behind(tail, p.last)
	}
	var marked [streams.Outputs]bool
	for _, e := range tail {
		if e.at.Before(part.Since) {
			continue
		}
		e.damaged, marked[e.out] = damaged && !marked[e.out], true
		if p.stopped = p.stopped || !feed(e); p.stopped {
			return false
		}
	}
	return damaged && marked == [streams.Outputs]bool{}
}

// behind returns what of a tail comes after an entry.
func behind(tail []Entry, last Entry) []Entry {
	for i := len(tail) - 1; i >= 0; i-- {
		if tail[i].equal(last) || tail[i].at.Before(last.at) {
			return tail[i+1:]
		}
	}
	return tail
}

// Removed reports whether a log could not be read because the container was removed, or Docker is
// removing it, which it answers with a conflict. The observation follows a moment later.
func Removed(err error) bool {
	class := engine.Classify(err)
	return class == engine.NotFound || class == engine.Conflict
}
