package stdin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
	"unicode/utf8"

	"lightd/desired"
	"lightd/observed/streams"
)

// ErrLineTaken: the line that a text would go on with is over, because other input came
// between and there was no way to take the line back. Nothing of the text was written.
var ErrLineTaken = errors.New("other input ended the line that this text goes on with: send the whole line again")

// ErrLineTooLong: a terminal would cut the line and hand over its beginning as a line. Nothing was
// written.
var ErrLineTooLong = fmt.Errorf("a line for a terminal may have at most %d bytes", desired.MaxTerminalLine)

// Keys of a terminal, as its line discipline has them from the start.
const (
	keyInterrupt = 0x03 // ^C
	keyEOF       = 0x04 // ^D
	keyLineEnd   = 0x05 // ^E, for programs that edit lines themselves
	keyBackspace = 0x08 // ^H
	keyKill      = 0x15 // ^U: takes the open line back
	keyWordErase = 0x17 // ^W
	keySuspend   = 0x1a // ^Z
	keyQuit      = 0x1c // ^\
	keyErase     = 0x7f
)

var (
	// takeBack makes a terminal forget its open line. The kill character alone does so for
	// the line discipline of the kernel. ^E before it ends a pending quotation (^V) or escape
	// there, and moves the cursor of a program with a line editor of its own to the end, up
	// to which its kill character removes.
	takeBack = []byte{keyLineEnd, keyKill}
	// endLine is all that can be done about an open line without a terminal.
	endLine = []byte{'\n'}
)

// maxOpenInput bounds what is kept of the open line of a client.
const maxOpenInput = 4 << 10

// openLine is what is known of the end of the input of one run. It belongs to whoever holds
// the turn.
type openLine struct {
	streams.Run
	// open is true when the last byte that was written ends no line. Owner is the client that
	// wrote it; nil where that is not known, as after a restart of the daemon.
	open  bool
	owner *Input
}

// Input is one client's way to the standard input of the runtime container of an id. Close it.
type Input struct {
	to *input

	once sync.Once

	// These belong to whoever holds the turn. open is what the client wrote since its last
	// line end, in run; partial is true when it is more than that.
	run     streams.Run
	open    []byte
	partial bool
}

// OpenInput returns an input of a client of its own. While one is open, so is the connection to the process that
// runs: the first write need not wait for that.
func (r *Registry) OpenInput(id string) *Input {
	in := &Input{to: r.acquire(id)}
	in.to.openAhead()
	return in
}

// Close ends the input. A line that the client left open stays open, and is nobody's.
func (in *Input) Close() {
	in.once.Do(func() {
		i := in.to
		i.mu.Lock()
		if i.sizer == in {
			i.sizer = nil
		}
		i.mu.Unlock()
		i.r.release(i)
	})
}

// Write sends data to the standard input of the process that runs, whole and in order, as
// text of this client: it goes on with the line that the client left open, and with no other
// one. CRLF becomes one line end. The context bounds the wait for its turn and for the
// connection. Once begun it is carried through, or ends as ErrTimeout, so that no half line
// is left behind by a client that goes away.
func (in *Input) Write(ctx context.Context, data []byte) error {
	return in.to.write(ctx, in, data)
}

// WriteLine sends a command to the standard input of the runtime container of id as a line of
// its own: what a client left open is taken back with a terminal, and ended without one.
func (r *Registry) WriteLine(ctx context.Context, id, command string) error {
	i := r.acquire(id)
	defer r.release(i)
	return i.write(ctx, nil, []byte(command+"\n"))
}

func (i *input) write(ctx context.Context, in *Input, data []byte) error {
	if err := i.writeInTurn(ctx, in, bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))); err != nil {
		return fmt.Errorf("write to input of %q: %w", i.id, err)
	}
	return nil
}

// awaitReaders waits until the answer of the program will be read, for writeTime at most: what is printed while
// their stream opens later still is read from the log.
func (r *Registry) awaitReaders(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	r.cfg.AwaitOutput(ctx, id)
}

// awaitKnown waits until the container is known, which it is not for a moment after a start of the daemon.
func (i *input) awaitKnown(ctx context.Context) error {
	timer := time.NewTimer(writeTime)
	defer timer.Stop()
	for {
		i.mu.Lock()
		news := i.news
		i.mu.Unlock()
		if s := i.r.cfg.Targets.Get(i.id); s.Known || s.Run != nil {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			return errUnknown
		case <-i.r.group.Context().Done():
			return streams.ErrClosed
		}
	}
}

func (i *input) writeInTurn(ctx context.Context, in *Input, data []byte) error {
	if err := i.awaitKnown(ctx); err != nil {
		return err
	}
	if !i.r.cfg.Targets.Get(i.id).Run.Running() {
		return ErrNotRunning
	}
	if len(data) == 0 {
		return nil
	}
	i.r.awaitReaders(ctx, i.id)
	i.r.keep(i)
	if err := i.lockInput(ctx); err != nil {
		return err
	}
	defer func() { <-i.turn }()
	c, fresh, err := i.connect(ctx)
	if err != nil {
		return err
	}
	n, err := i.writeLine(c, in, data)
	if err == nil || fresh || n > 0 || errors.Is(err, ErrTimeout) || errors.Is(err, ErrLineTaken) || errors.Is(err, ErrLineTooLong) {
		return err
	}
	// The connection had ended, and nothing of data is on its way.
	if c, _, err = i.connect(ctx); err != nil {
		return err
	}
	_, err = i.writeLine(c, in, data)
	return err
}

// lockInput waits until no other write is under way.
func (i *input) lockInput(ctx context.Context) error {
	timer := time.NewTimer(writeTime)
	defer timer.Stop()
	select {
	case i.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return ErrTimeout
	case <-i.r.group.Context().Done():
		return streams.ErrClosed
	}
}

// writeLine writes data as text of a client, or as a line of its own for nil, behind what
// separates it from the lines of others. The caller has the turn.
func (i *input) writeLine(c *connection, in *Input, data []byte) (int, error) {
	i.line.enter(c.Run, i.r.created)
	in.enter(c.Run)
	if c.TTY && in.tooLong(data) {
		return 0, ErrLineTooLong
	}
	before, err := i.separator(c.TTY, in)
	if err != nil {
		return 0, err
	}
	n, err := i.send(c, append(before, data...))
	switch {
	case err != nil && n == 0 && !errors.Is(err, ErrTimeout):
	case err != nil: // how much of it arrived is not known
		i.line.open, i.line.owner = true, nil
		in.reset()
	default:
		i.line.open, i.line.owner = in.add(c.TTY, data), in
	}
	return n, err
}

// separator returns what is to be written before text of in, so that it is on no line of
// another: what takes the open line back, or ends it, and what in itself had taken back.
func (i *input) separator(tty bool, in *Input) ([]byte, error) {
	switch {
	case !i.line.open && (in == nil || len(in.open) == 0):
		return nil, nil
	case i.line.open && i.line.owner == in && in != nil:
		return nil, nil
	case !tty && in != nil && len(in.open) > 0:
		in.reset()
		return nil, ErrLineTaken
	}
	var before []byte
	switch {
	case i.line.open && tty:
		before = append(before, takeBack...)
	case i.line.open:
		before = append(before, endLine...)
	}
	if in != nil {
		again := in.typedAgain()
		in.reset()
		in.open = again
		before = append(before, again...)
	}
	return before, nil
}

// enter begins a run. Of one that is older than this daemon it is not known what was written to
// it: that it has an open line is the assumption that does no harm.
func (l *openLine) enter(run streams.Run, created time.Time) {
	if !l.Run.Equal(run) {
		*l = openLine{Run: run, open: !run.StartedAt.After(created)}
	}
}

func (in *Input) enter(run streams.Run) {
	if in != nil && !in.run.Equal(run) {
		in.reset()
		in.run = run
	}
}

func (in *Input) reset() {
	if in != nil {
		in.open, in.partial = nil, false
	}
}

// maxKeys is how long a text is at most that is no more than keys. Those are passed on: a person
// sees where the line ends, and a terminal without a line discipline has no lines.
const maxKeys = 16

// tooLong reports whether data makes a line longer than a terminal can hand over.
func (in *Input) tooLong(data []byte) bool {
	before := 0
	if in != nil {
		before = len(in.open)
	}
	for len(data) > 0 {
		n := firstLineEnd(data)
		if n > maxKeys && before+n > desired.MaxTerminalLine {
			return true
		}
		before = 0
		data = data[min(n+1, len(data)):]
	}
	return false
}

// add takes note of what was written, and reports whether that leaves a line open.
func (in *Input) add(tty bool, data []byte) bool {
	end := lastLineEnd(tty, data)
	if in == nil {
		return end < len(data)
	}
	if end > 0 {
		in.reset()
	}
	data = data[end:]
	room := min(maxOpenInput-len(in.open), len(data))
	in.partial = in.partial || room < len(data)
	in.open = append(in.open, data[:room]...)
	return len(in.open) > 0
}

// lastLineEnd returns where the last line of data begins that is open.
func lastLineEnd(tty bool, data []byte) int {
	if !tty {
		return bytes.LastIndexByte(data, '\n') + 1
	}
	return bytes.LastIndexAny(data, lineEnds) + 1
}

// firstLineEnd returns where the first line of data ends that is written to a terminal.
func firstLineEnd(data []byte) int {
	if n := bytes.IndexAny(data, lineEnds); n >= 0 {
		return n
	}
	return len(data)
}

// lineEnds are what ends the open line of a terminal.
var lineEnds = string([]byte{'\n', '\r', keyInterrupt, keyEOF, keyKill, keySuspend, keyQuit})

// typedAgain returns the open line as it is to be typed again after it was taken back: as it
// was edited. A line with other keys in it is not typed again, nor one that is not known.
func (in *Input) typedAgain() []byte {
	if in.partial {
		return nil
	}
	var line []byte
	for _, b := range in.open {
		switch {
		case b == keyErase, b == keyBackspace:
			_, size := utf8.DecodeLastRune(line)
			line = line[:len(line)-size]
		case b == keyWordErase:
			line = bytes.TrimRight(line, " ")
			line = line[:bytes.LastIndexByte(line, ' ')+1]
		case b < ' ':
			return nil
		default:
			line = append(line, b)
		}
	}
	return line
}
