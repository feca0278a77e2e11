package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"lightd/observed"
)

const (
	defaultLines = 200
	maxLines     = 5000
	// maxTail bounds what Tail returns, in bytes.
	maxTail = 4 << 20
)

// Tail returns the last lines that the container of id wrote, as Docker's log has them: of
// the install container while it runs, else of the runtime container, else of the install
// container that is left. Zero lines are the default of 200; more than 5,000 are 5,000.
// Of very long lines only the last 4 MiB are returned.
func (c *Console) Tail(ctx context.Context, id string, lines int) (string, error) {
	if lines <= 0 {
		lines = defaultLines
	}
	from := toTail(c.cfg.Targets.Get(id))
	if from == nil {
		return "", fmt.Errorf("read log of %q: %w", id, ErrNoContainer)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := c.cfg.Streams.Logs(ctx, from.ContainerID, Range{Lines: min(lines, maxLines)})
	if err != nil {
		return "", fmt.Errorf("read log of %q: %w", id, err)
	}
	defer r.Close()
	text, err := readTail(r, from.TTY)
	if err != nil {
		return "", fmt.Errorf("read log of %q: %w", id, err)
	}
	return text, nil
}

// toTail returns the container whose last lines are of interest, nil when there is none.
func toTail(s observed.Snapshot) *observed.Container {
	if s.Install.Up() || s.Run == nil {
		return s.Install
	}
	return s.Run
}

// readTail reads r to its end and returns the last maxTail bytes of its text, from the
// beginning of a line if there is one.
func readTail(r io.Reader, tty bool) (string, error) {
	var text []byte
	var decoders [outputs]decoder
	frames := demux{raw: tty}
	clipped := false
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		ferr := frames.feed(buf[:n], func(source int, p []byte) {
			text = decoders[outputOf(source)].append(text, p)
		})
		if len(text) > 2*maxTail {
			text = text[:copy(text, text[len(text)-maxTail:])]
			clipped = true
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err = errors.Join(err, ferr); err != nil {
			return "", err
		}
	}
	for i := range decoders {
		text = decoders[i].flush(text)
	}
	if len(text) > maxTail {
		text = text[len(text)-maxTail:]
		clipped = true
	}
	if clipped {
		text = fromLineStart(text)
	}
	return string(text), nil
}

// fromLineStart drops the cut-off line, or at least the cut-off character, at the beginning.
func fromLineStart(text []byte) []byte {
	if at := bytes.IndexByte(text, '\n'); at >= 0 && at+1 < len(text) {
		return text[at+1:]
	}
	for len(text) > 0 && !utf8.RuneStart(text[0]) {
		text = text[1:]
	}
	return text
}
