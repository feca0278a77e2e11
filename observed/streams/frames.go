package streams

import (
	"encoding/binary"
	"fmt"
	"io"
)

// The streams that Docker multiplexes over one connection. Without a terminal each piece has a
// header: a byte for the stream, three that mean nothing, four for the length.
const (
	stdout = iota + 1
	stderr
	systemError // a message of the engine itself, which ends the output

	headerLen = 8
	// maxSystemError bounds how much of a message of the engine is kept.
	maxSystemError = 1024
)

// Sources is how many streams of a container Docker multiplexes: input, output and errors.
const Sources = stderr + 1

// Outputs is how many outputs a container has: standard output and standard error. With a
// terminal the second one is silent.
const Outputs = 2

// OutputOf returns which output a stream of Docker's is, from 0 to Outputs-1.
func OutputOf(source int) int { return max(source-stdout, 0) }

// Header is the header of a frame.
type Header struct {
	Source int
	Length uint32
}

// parseHeader reads the header at the beginning of b.
func parseHeader(b []byte) Header {
	return Header{Source: int(b[0]), Length: binary.BigEndian.Uint32(b[headerLen-4:])}
}

// EngineError is a message of the engine with which it ends an output.
type EngineError struct{ Message string }

// Error returns the message.
func (e *EngineError) Error() string { return "engine ended the output: " + e.Message }

// ReadHeader reads the header of the next frame from r, or io.EOF where the output ends. A message
// of the engine is an *EngineError, and what is no frame of an output another error.
func ReadHeader(r io.Reader) (Header, error) {
	var b [headerLen]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return Header{}, err
	}
	h := parseHeader(b[:])
	if h.Source == systemError {
		text, _ := io.ReadAll(io.LimitReader(r, int64(min(h.Length, maxSystemError))))
		return Header{}, &EngineError{Message: string(text)}
	}
	return h, h.check()
}

func (h Header) check() error {
	if h.Source >= Sources {
		return fmt.Errorf("frame of stream %d is no output", h.Source)
	}
	return nil
}

// Demuxer takes Docker's framing off an output that arrives in pieces of any length.
type Demuxer struct {
	// Raw is a terminal's output, which has no frames.
	Raw bool

	header [headerLen]byte
	have   int // so much of header was read
	source int
	remain uint32
}

// Feed calls fn with each piece of p and the stream that it belongs to. The pieces are parts of p.
func (d *Demuxer) Feed(p []byte, fn func(source int, piece []byte)) error {
	if d.Raw {
		fn(stdout, p)
		return nil
	}
	for len(p) > 0 {
		if d.remain == 0 {
			n := copy(d.header[d.have:], p)
			d.have += n
			p = p[n:]
			if d.have < headerLen {
				return nil
			}
			h := parseHeader(d.header[:])
			if err := h.check(); err != nil {
				return err
			}
			d.have, d.source, d.remain = 0, h.Source, h.Length
			continue
		}
		n := min(len(p), int(d.remain))
		fn(d.source, p[:n])
		d.remain -= uint32(n)
		p = p[n:]
	}
	return nil
}
