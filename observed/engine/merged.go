package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Merged returns the output of a container as one stream, both of its outputs in the
// order in which Docker sent them. With a TTY there is only one, which needs no reading
// of frames.
func Merged(r io.Reader, tty bool) io.Reader {
	if tty {
		return r
	}
	return &merged{from: r}
}

// The frames of Docker: a byte for the stream, three that mean nothing, four for the length.
const (
	frameHead      = 8
	frameLength    = 4
	streamStdout   = 1
	streamStderr   = 2
	streamOfEngine = 3
)

// merged takes the heads out of a stream of frames.
type merged struct {
	from io.Reader
	left uint32
}

// Read implements io.Reader. A stream that breaks off within a frame is io.ErrUnexpectedEOF.
func (m *merged) Read(p []byte) (int, error) {
	for m.left == 0 {
		if err := m.next(); err != nil {
			return 0, err
		}
	}
	if uint64(len(p)) > uint64(m.left) {
		p = p[:m.left]
	}
	n, err := m.from.Read(p)
	m.left -= uint32(n)
	if errors.Is(err, io.EOF) && m.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// next reads a head.
func (m *merged) next() error {
	var head [frameHead]byte
	if _, err := io.ReadFull(m.from, head[:]); err != nil {
		return err
	}
	length := binary.BigEndian.Uint32(head[frameLength:])
	switch head[0] {
	case 0, streamStdout, streamStderr:
		m.left = length
		return nil
	case streamOfEngine:
		text, _ := io.ReadAll(io.LimitReader(m.from, int64(min(length, 1024))))
		return fmt.Errorf("the engine broke off the output: %s", text)
	default:
		return fmt.Errorf("the output is not framed: a frame of stream %d", head[0])
	}
}
