package simengine

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// logFilter is which lines of a log are wanted.
type logFilter struct {
	since, until time.Time
	tail         int // -1 is all
	stamps       bool
	retries      bool // decoding continues behind damage
}

func (c *call) logFilter() (logFilter, error) {
	f := logFilter{tail: -1, stamps: c.flag("timestamps")}
	if !c.flag("stdout") && !c.flag("stderr") {
		return f, refuse(http.StatusBadRequest, "Bad parameters: you must choose at least one stream")
	}
	var err error
	if f.since, err = instant(c.query.Get("since")); err != nil {
		return f, err
	}
	if f.until, err = instant(c.query.Get("until")); err != nil {
		return f, err
	}
	if n, err := strconv.Atoi(c.query.Get("tail")); err == nil && n >= 0 {
		f.tail = n
	}
	return f, nil
}

// instant reads "seconds.nanoseconds" of the query; nothing and 0 are no time.
func instant(text string) (time.Time, error) {
	if text == "" || text == "0" {
		return time.Time{}, nil
	}
	whole, part, _ := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return time.Time{}, refuse(http.StatusBadRequest, "%v", err)
	}
	nanos, _ := strconv.ParseInt((part + "000000000")[:9], 10, 64)
	return time.Unix(seconds, nanos), nil
}

// choose returns the lines that are wanted of those kept.
func (f logFilter) choose(c *call, lines []chunk) []chunk {
	if slices.ContainsFunc(lines, chunk.isDamage) {
		lines = readDamaged(lines, f.tail, f.retries)
		f.tail = -1
	}
	var chosen []chunk
	for _, l := range lines {
		if c.wants(l.stream) && f.within(l) {
			chosen = append(chosen, l)
		}
	}
	if f.tail >= 0 && len(chosen) > f.tail {
		chosen = chosen[len(chosen)-f.tail:]
	}
	return chosen
}

func (f logFilter) within(l chunk) bool {
	return !l.at.Before(f.since) && (f.until.IsZero() || !l.at.After(f.until))
}

func (f logFilter) text(l chunk) []byte {
	if !f.stamps {
		return l.data
	}
	return bytes.Join([][]byte{[]byte(l.at.UTC().Format("2006-01-02T15:04:05.000000000Z")), l.data}, []byte(" "))
}

func (s *Sim) containerLogs(c *call) (answer, error) {
	f, err := c.logFilter()
	s.mu.Lock()
	target, missing := s.findLocked(c.id)
	if missing != nil || err != nil {
		s.mu.Unlock()
		if missing != nil && err == nil {
			err = missing
		}
		return answer{}, err
	}
	out, tty := s.outLocked(target), target.config.Tty
	f.retries = !s.sinceLocked(endsAtDamage)
	s.mu.Unlock()
	kept, follow, leave := out.follow(true, true)
	defer leave()
	st, release := s.openStream(c, nil)
	defer release()
	c.w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(c.w).Flush
	_ = flush() // the client has gone, which a write detects as well
	write := func(l chunk) error {
		if err := frame(c.w, tty, l.stream, f.text(l)); err != nil {
			return err
		}
		return flush()
	}
	for _, l := range f.choose(c, kept) {
		if write(l) != nil {
			return streamed, nil
		}
	}
	if c.flag("follow") && follow != nil {
		follow.each(st.ctx, func(l chunk) error {
			if !c.wants(l.stream) || !f.within(l) {
				return nil
			}
			return write(l)
		})
		s.breakIfCut(st)
	}
	return streamed, nil
}
