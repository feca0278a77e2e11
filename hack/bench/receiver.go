package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// receiver is a client of a WebSocket that costs as little as can be: what is measured is
// the daemon, not the client. It reads frames of RFC 6455 and decodes nothing.
type receiver struct {
	conn net.Conn
	r    *bufio.Reader
	buf  []byte
}

// receive opens the WebSocket of a container.
func (d *daemon) receive(ctx context.Context, id string) (*receiver, error) {
	address := strings.TrimPrefix(d.base, "http://")
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("open WebSocket of %s: %w", id, err)
	}
	request := "GET /ws/" + id + " HTTP/1.1\r\nHost: " + address + "\r\nAuthorization: Bearer " + bearer +
		"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
	r := bufio.NewReaderSize(conn, 256<<10)
	var answer *http.Response
	if _, err = io.WriteString(conn, request); err == nil {
		answer, err = http.ReadResponse(r, nil)
	}
	if err == nil && answer.StatusCode != http.StatusSwitchingProtocols {
		err = errors.New(answer.Status)
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("open WebSocket of %s: %w", id, err)
	}
	return &receiver{conn: conn, r: r}, nil
}

func (c *receiver) close() { c.conn.Close() }

const (
	frameText, frameClose, framePing, framePong = 1, 8, 9, 10
)

// next returns the next message, which holds until the call after it.
func (c *receiver) next() ([]byte, error) {
	c.buf = c.buf[:0]
	for {
		kind, final, payload, err := c.frame()
		switch {
		case err != nil:
			return nil, err
		case kind == framePing:
			err = c.pong(payload)
		case kind == frameClose:
			return nil, fmt.Errorf("the daemon closed the connection: %q", payload)
		case final:
			c.buf = append(c.buf, payload...)
			return c.buf, nil
		default:
			c.buf = append(c.buf, payload...)
		}
		if err != nil {
			return nil, err
		}
	}
}

func (c *receiver) frame() (kind byte, final bool, payload []byte, err error) {
	head, err := c.r.Peek(2)
	if err != nil {
		return 0, false, nil, err
	}
	kind, final = head[0]&0xf, head[0]&0x80 != 0
	length, size := int(head[1]), 2
	switch length {
	case 126:
		size = 4
		if head, err = c.r.Peek(size); err == nil {
			length = int(binary.BigEndian.Uint16(head[2:]))
		}
	case 127:
		size = 10
		if head, err = c.r.Peek(size); err == nil {
			length = int(binary.BigEndian.Uint64(head[2:]))
		}
	}
	if err != nil {
		return 0, false, nil, err
	}
	_, _ = c.r.Discard(size)
	payload = make([]byte, length)
	_, err = io.ReadFull(c.r, payload)
	return kind, final, payload, err
}

// pong answers a ping.
func (c *receiver) pong(payload []byte) error { return c.write(framePong, payload) }

// send sends a message of less than 126 bytes.
func (c *receiver) send(message string) error { return c.write(frameText, []byte(message)) }

// write writes one short frame; what a client sends is masked, here with zeros.
func (c *receiver) write(kind byte, payload []byte) error {
	_, err := c.conn.Write(append([]byte{0x80 | kind, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...))
	return err
}

// tally follows the numbered lines of a flood.
type tally struct {
	lines int64
	last  int64  // the number of the last one
	lost  string // what was told to be missing, or seen
}

// count takes text in which line ends are written as end; each line begins with its number.
func (t *tally) count(text, end []byte) {
	if first := number(text); first >= 0 && first != t.lines && t.lost == "" {
		t.lost = fmt.Sprintf("line %d follows line %d", first, t.lines-1)
	}
	t.lines += int64(bytes.Count(text, end))
	if text, ok := bytes.CutSuffix(text, end); ok {
		t.last = max(t.last, number(text[max(bytes.LastIndex(text, end)+len(end), 0):]))
	}
}

// over reports whether the last line has come.
func (t *tally) over() bool { return t.lines >= floodLines || t.last == floodLines-1 }

// complete reports whether all lines have come.
func (t *tally) complete() bool { return t.lines == floodLines && t.lost == "" }

// number reads the number that a line of a flood begins with, -1 where there is none.
func number(text []byte) int64 {
	if len(text) < numberLen {
		return -1
	}
	n := int64(0)
	for _, b := range text[:numberLen] {
		if b < '0' || b > '9' {
			return -1
		}
		n = 10*n + int64(b-'0')
	}
	return n
}

var (
	consoleHead = []byte(`{"event":"console","data":"`)
	consoleTail = []byte(`","position":"`)
	noticeHead  = []byte(`{"event":"daemon_message","data":"`)
	escapedEnd  = []byte(`\n`)
)

// flood reads the console until the last line has come.
func (c *receiver) flood(t *tally) error {
	for !t.over() {
		message, err := c.next()
		if err != nil {
			return fmt.Errorf("after line %d: %w", t.lines, err)
		}
		if text, ok := bytes.CutPrefix(message, consoleHead); ok {
			if i := bytes.LastIndex(text, consoleTail); i >= 0 {
				text = text[:i]
			}
			t.count(text, escapedEnd)
		} else if bytes.HasPrefix(message, noticeHead) {
			t.lost = string(message)
		}
	}
	return nil
}

// within bounds a flood in time.
func (c *receiver) within(d time.Duration) { _ = c.conn.SetReadDeadline(time.Now().Add(d)) }
