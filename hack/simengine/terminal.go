package simengine

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"unicode/utf8"
)

// maxTerminalLine is how much of a line the kernel keeps; what comes behind it is dropped.
const maxTerminalLine = 4095

// lineDiscipline is what the kernel has between the input of a terminal and the program: it
// delivers whole lines, echoes what is typed, and handles the keys that erase. Programs of the
// simulation do not turn it off, and its keys for signals are plain characters here.
type lineDiscipline struct {
	line       []byte
	cols, rows int
}

// input takes what was typed, and returns what the program gets to read and what is echoed.
func (l *lineDiscipline) input(data []byte) (read, echo []byte) {
	for _, b := range data {
		switch b {
		case '\r', '\n':
			read = append(append(read, l.line...), '\n')
			echo = append(echo, "\r\n"...)
			l.line = nil
		case 0x04: // ^D delivers what there is
			read = append(read, l.line...)
			l.line = nil
		case 0x15: // ^U
			for len(l.line) > 0 {
				echo = append(echo, l.erase()...)
			}
		case 0x7f:
			echo = append(echo, l.erase()...)
		default:
			if len(l.line) < maxTerminalLine {
				l.line = append(l.line, b)
				echo = append(echo, echoOf(b)...)
			}
		}
	}
	return read, echo
}

// erase takes the last character back.
func (l *lineDiscipline) erase() (echo []byte) {
	_, size := utf8.DecodeLastRune(l.line)
	if size == 0 {
		return nil
	}
	last := l.line[len(l.line)-size:]
	l.line = l.line[:len(l.line)-size]
	return bytes.Repeat([]byte("\b \b"), utf8.RuneCount(echoOf(last[0])))
}

// echoOf is how a character shows: a control character as ^ and a letter.
func echoOf(b byte) []byte {
	if b < ' ' && b != '\t' {
		return []byte{'^', b + '@'}
	}
	return []byte{b}
}

// resizeContainer keeps the size of the terminal.
func (s *Sim) resizeContainer(c *call) (answer, error) {
	rows, err := strconv.Atoi(c.query.Get("h"))
	if err != nil {
		return answer{}, refuse(http.StatusBadRequest, "%v", err)
	}
	cols, err := strconv.Atoi(c.query.Get("w"))
	if err != nil {
		return answer{}, refuse(http.StatusBadRequest, "%v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	target, err := s.findLocked(c.id)
	if err != nil {
		return answer{}, err
	}
	if !target.running {
		return answer{}, refuse(http.StatusConflict, "Container %s is not running", target.id)
	}
	target.terminal.cols, target.terminal.rows = cols, rows
	s.emitLocked(target, "resize", map[string]string{"height": strconv.Itoa(rows), "width": strconv.Itoa(cols)})
	return answer{status: http.StatusOK}, nil
}

// TerminalSize returns how large the terminal of a container is; in 20.10 a new run begins with 0 by 0.
func (s *Sim) TerminalSize(name string) (cols, rows int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.findLocked(name)
	if err != nil {
		return 0, 0, fmt.Errorf("size of terminal: %w", err)
	}
	return c.terminal.cols, c.terminal.rows, nil
}
