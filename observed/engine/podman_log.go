package engine

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"time"
)

// dockerStamp is how Docker writes the time before each entry of a log. Podman writes whole seconds, in the
// time zone of its host.
const dockerStamp = "2006-01-02T15:04:05.000000000Z07:00"

// dockerLog writes the times of a log of the engine of s as Docker does.
func (s *session) dockerLog(body io.ReadCloser) io.ReadCloser {
	if !s.podman {
		return body
	}
	return &podmanLog{ReadCloser: body, from: bufio.NewReaderSize(body, 64<<10)}
}

// podmanLog is a log of Podman with Docker's times. That of a terminal is lines; the other one has frames, of
// one entry each, as Merged reads them.
type podmanLog struct {
	io.ReadCloser
	from  *bufio.Reader
	ready bytes.Buffer
	// middle is true within a line of a terminal that is longer than the reader's buffer.
	middle bool
}

// frameHead is the length of the header of a frame, whose last four bytes are that of the entry.
const frameHead = 8

// maxFrame bounds an entry: Podman splits lines into entries of 16 KiB.
const maxFrame = 1 << 20

// Read implements io.Reader.
func (l *podmanLog) Read(p []byte) (int, error) {
	for l.ready.Len() == 0 {
		if err := l.next(); err != nil && l.ready.Len() == 0 {
			return 0, err
		}
	}
	return l.ready.Read(p)
}

// next reads an entry.
func (l *podmanLog) next() error {
	head, err := l.from.Peek(frameHead)
	if err != nil && len(head) == 0 {
		return err
	}
	if len(head) < frameHead || head[0] > 2 || head[1]+head[2]+head[3] != 0 {
		return l.line()
	}
	length := binary.BigEndian.Uint32(head[4:])
	if length > maxFrame {
		return io.ErrUnexpectedEOF
	}
	var frame [frameHead]byte
	copy(frame[:], head)
	entry := make([]byte, frameHead+length)
	if _, err := io.ReadFull(l.from, entry); err != nil {
		return io.ErrUnexpectedEOF
	}
	entry = restamp(entry[frameHead:])
	binary.BigEndian.PutUint32(frame[4:], uint32(len(entry)))
	l.ready.Write(frame[:])
	l.ready.Write(entry)
	return nil
}

// line reads a line of a terminal, or a part of a long one.
func (l *podmanLog) line() error {
	line, err := l.from.ReadSlice('\n')
	if !l.middle {
		l.ready.Write(restamp(line))
	} else {
		l.ready.Write(line)
	}
	l.middle = err == bufio.ErrBufferFull
	if l.middle {
		return nil
	}
	return err
}

// restamp returns an entry with Docker's form of its time, if it begins with one.
func restamp(entry []byte) []byte {
	stamp, text, found := bytes.Cut(entry, []byte{' '})
	if !found {
		return entry
	}
	at, err := time.Parse(time.RFC3339, string(stamp))
	if err != nil {
		return entry
	}
	return append(append(at.UTC().AppendFormat(nil, dockerStamp), ' '), text...)
}
