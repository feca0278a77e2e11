package admission

import (
	"net/http"
	"time"
)

// A reader of an answer must take a part of it every stallAfter, and all of it within answerWithin.
const (
	answerPart   = 128 << 10
	stallAfter   = 20 * time.Second
	answerWithin = 2 * time.Minute
)

// answer is a ResponseWriter whose body counts against the budget while it is written. Where there is no
// room, the answer of a read becomes a refusal; a write has happened, and is answered in any case.
type answer struct {
	http.ResponseWriter
	request *http.Request
	budget  *budget
	client  client
	stall   time.Duration // how long the reader may take for a part
	// made is called once, when the body is complete in memory.
	made func()

	status  int
	begun   bool
	refused bool
	held    int64
}

// WriteHeader keeps the status back until there is room for the body.
func (a *answer) WriteHeader(status int) {
	switch {
	case a.begun || a.status != 0:
	case status < http.StatusOK:
		a.ResponseWriter.WriteHeader(status)
	default:
		a.status = status
	}
}

// Write sends a part of the body. net/http does not write the body of a HEAD.
func (a *answer) Write(data []byte) (int, error) {
	a.made()
	if a.refused {
		return len(data), nil
	}
	n := int64(len(data))
	if a.request.Method == http.MethodGet && !a.begun {
		if !a.budget.take(a.client, n) {
			a.refused = true
			h := a.Header()
			for _, name := range []string{"Content-Encoding", "Content-Length", "Content-Type", "ETag"} {
				h.Del(name)
			}
			a.begun = true
			errAnswers.Write(a.ResponseWriter, a.request)
			return len(data), nil
		}
	} else {
		a.budget.add(a.client, n)
	}
	a.held += n
	a.begin()
	return a.send(data)
}

func (a *answer) begin() {
	if !a.begun {
		a.begun = true
		if a.status != 0 {
			a.ResponseWriter.WriteHeader(a.status)
		}
	}
}

// send writes data in parts, each of which the reader must take in time.
func (a *answer) send(data []byte) (sent int, err error) {
	control := http.NewResponseController(a.ResponseWriter)
	last := time.Now().Add(answerWithin)
	for len(data) > answerPart {
		a.extend(control, last)
		n, err := a.ResponseWriter.Write(data[:answerPart])
		sent += n
		if err != nil {
			return sent, err
		}
		data = data[answerPart:]
	}
	if sent > 0 {
		a.extend(control, last)
	}
	n, err := a.ResponseWriter.Write(data)
	return sent + n, err
}

// extend gives the reader time for the next part, and never beyond last.
func (a *answer) extend(control *http.ResponseController, last time.Time) {
	deadline := time.Now().Add(a.stall)
	if deadline.After(last) {
		deadline = last
	}
	_ = control.SetWriteDeadline(deadline) // a recorder of a test has none
}

// end gives back what the answer held.
func (a *answer) end() {
	a.made()
	a.begin()
	a.budget.give(a.client, a.held)
}

// Flush implements http.Flusher, which the router expects.
func (a *answer) Flush() {
	a.begin()
	_ = http.NewResponseController(a.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
