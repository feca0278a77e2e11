package simengine

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"time"
)

// DamageLog leaves n NUL bytes at the end of a container's log, as a power cut does of which the
// file system wrote the file's length and not its content. What is printed from then on follows.
func (s *Sim) DamageLog(name string, n int) error {
	return s.with("damage the log of", name, func(c *box) {
		out := s.outLocked(c)
		out.mu.Lock()
		defer out.mu.Unlock()
		out.lines = append(out.lines, chunk{data: make([]byte, n)})
	})
}

// isDamage reports whether a chunk of a log is no line but a damaged place.
func (c chunk) isDamage() bool { return c.stream == 0 }

// jsonLine is a line of Docker's json-file.
type jsonLine struct {
	Log    string    `json:"log,omitempty"`
	Stream string    `json:"stream,omitempty"`
	Time   time.Time `json:"time"`
}

// readDamaged returns of a log with damaged places what Docker does: it takes the last lines by the
// line ends of the file, and decodes them with a buffered decoder. At bytes that are no JSON, 20.10
// drops what is buffered and begins again behind it, and later releases end the file.
func readDamaged(lines []chunk, tail int, again bool) []chunk {
	var file bytes.Buffer
	for _, l := range lines {
		if l.isDamage() {
			file.Write(l.data)
			continue
		}
		_ = json.NewEncoder(&file).Encode(jsonLine{string(l.data), streamNames[l.stream], l.at.UTC()}) // a buffer takes all
	}
	r := bytes.NewReader(lastLines(file.Bytes(), tail))
	var read []chunk
	for decoder := json.NewDecoder(r); ; {
		var l jsonLine
		err := decoder.Decode(&l)
		var syntax *json.SyntaxError
		switch {
		case err == nil:
			read = append(read, chunk{streamOf(l.Stream), []byte(l.Log), l.Time})
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), !again:
			return read
		case errors.As(err, &syntax):
			decoder = json.NewDecoder(r)
		}
	}
}

// lastLines returns the last n lines of a file; -1 is all.
func lastLines(file []byte, n int) []byte {
	end := bytes.LastIndexByte(file, '\n') + 1
	switch {
	case n < 0:
		return file
	case n == 0 || end == 0:
		return nil
	}
	file = file[:end]
	start := end - 1
	for ; n > 0 && start >= 0; n-- {
		start = bytes.LastIndexByte(file[:start], '\n')
	}
	return file[start+1:]
}

var streamNames = map[streamID]string{stdout: "stdout", stderr: "stderr"}

func streamOf(name string) streamID {
	if name == streamNames[stderr] {
		return stderr
	}
	return stdout
}
