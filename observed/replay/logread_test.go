package replay

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"lightd/observed/streams"
)

// damagedLog is a log of numbered lines with a place that cannot be decoded: a read that contains
// it lacks that line and what the decoder drops behind it.
type damagedLog struct {
	lines, bad, drops int  // bad: 0 is none
	grows             int  // lines that are printed between two requests
	rotated           int  // so many lines are gone from the third request on
	cuts              bool // the bad line is answered with an error, ahead of the overtaken lines before it
	overtaken         int
	requests          int
	entries           int
}

// logBegin is when line 1 was printed; each other one comes a second after the one before.
var logBegin = time.Date(2026, 1, 1, 0, 0, 1, 0, time.UTC)

func (d *damagedLog) Logs(_ context.Context, _ string, r streams.Range) (io.ReadCloser, error) {
	first := 1
	if r.Lines > 0 {
		first = max(1, d.lines-r.Lines+1)
	}
	if d.requests > 1 {
		first = max(first, d.rotated+1)
	}
	var b bytes.Buffer
	for n := first; n <= max(d.lines, d.bad); n++ {
		if n > d.lines && r.Lines > 0 {
			break // what is behind the last line end is in no read of last lines
		}
		if d.cuts && d.bad >= first && n >= d.bad-d.overtaken && (d.bad <= d.lines || r.Lines == 0) {
			b.WriteString("Error grabbing logs: invalid character '\\x00' looking for beginning of value\n")
			break
		}
		at := logBegin.Add(time.Duration(n-1) * time.Second)
		if d.bad >= first && n >= d.bad && n <= d.bad+d.drops || at.Before(r.Since) {
			continue
		}
		fmt.Fprintf(&b, "%s line %d\n", at.Format(stampForm), n)
		d.entries++
	}
	d.requests++
	d.lines += d.grows
	return io.NopCloser(&b), nil
}

// numbers returns what a read feeds: line numbers, and 0 for a mark of damage.
func (d *damagedLog) numbers(t *testing.T, part streams.Range, hold int) (got []int, damagedEnd bool) {
	t.Helper()
	l := LogReader{Target: streams.Target{ContainerID: "c", TTY: true}, Source: d, Hold: hold}
	damagedEnd, err := l.Read(t.Context(), part, func(e Entry) bool {
		if e.damaged {
			got = append(got, 0)
		}
		var n int
		if _, err := fmt.Sscanf(string(e.text), "line %d\n", &n); err != nil {
			t.Fatalf("%q: %v", e.text, err)
		}
		got = append(got, n)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return got, damagedEnd
}

func sequence(from, to int) (all []int) {
	for n := from; n <= to; n++ {
		all = append(all, n)
	}
	return all
}

func at(line int) time.Time { return logBegin.Add(time.Duration(line-1) * time.Second) }

// TestDamagedLogIsReadToItsEnd: all that Docker can still read is fed once and in order, with a
// mark where lines are gone.
func TestDamagedLogIsReadToItsEnd(t *testing.T) {
	for name, c := range map[string]struct {
		log  damagedLog
		part streams.Range
		want []int
		end  bool
	}{
		"all that follows is dropped": {
			damagedLog{lines: 300, bad: 290, drops: 1000}, streams.Range{}, slices.Concat(sequence(1, 289), []int{0}, sequence(291, 300)), false},
		"one line follows": {
			damagedLog{lines: 300, bad: 299, drops: 1000}, streams.Range{}, slices.Concat(sequence(1, 298), []int{0, 300}), false},
		"many lines follow": {
			damagedLog{lines: 3000, bad: 100, drops: 500}, streams.Range{}, slices.Concat(sequence(1, 99), []int{0}, sequence(101, 3000)), false},
		"only the line is lost": {
			damagedLog{lines: 300, bad: 200}, streams.Range{}, slices.Concat(sequence(1, 199), []int{0}, sequence(201, 300)), false},
		"the last line": {
			damagedLog{lines: 300, bad: 300}, streams.Range{}, sequence(1, 299), true},
		"last lines with damage among them": {
			damagedLog{lines: 3000, bad: 2500, drops: 800}, streams.Range{Lines: 1024}, slices.Concat(sequence(1977, 2499), []int{0}, sequence(2501, 3000)), false},
		"last lines behind damage": {
			damagedLog{lines: 3000, bad: 1000, drops: 800}, streams.Range{Lines: 1024}, sequence(1977, 3000), false},
		"since a time before damage": {
			damagedLog{lines: 3000, bad: 2500, drops: 800}, streams.Range{Since: at(2400)}, slices.Concat(sequence(2400, 2499), []int{0}, sequence(2501, 3000)), false},
		"since a time in what is dropped": {
			damagedLog{lines: 3000, bad: 2500, drops: 800}, streams.Range{Since: at(2600)}, sequence(2600, 3000), false},
		"since a time behind what is dropped": {
			damagedLog{lines: 3000, bad: 2500, drops: 100}, streams.Range{Since: at(2900)}, sequence(2900, 3000), false},
		"an error in the middle": {
			damagedLog{lines: 300, bad: 200, cuts: true}, streams.Range{}, slices.Concat(sequence(1, 199), []int{0}, sequence(201, 300)), false},
		"an error that comes early": {
			damagedLog{lines: 300, bad: 200, cuts: true, overtaken: 3}, streams.Range{}, slices.Concat(sequence(1, 196), []int{0}, sequence(201, 300)), false},
		"an error at the last line": {
			damagedLog{lines: 300, bad: 300, cuts: true}, streams.Range{}, sequence(1, 299), true},
		"an error behind the last line": {
			damagedLog{lines: 300, bad: 301, cuts: true}, streams.Range{}, sequence(1, 300), true},
		"an early error behind the last line": {
			damagedLog{lines: 300, bad: 301, cuts: true, overtaken: 3}, streams.Range{}, sequence(1, 300), true},
		"an error at the first line": {
			damagedLog{lines: 300, bad: 1, cuts: true}, streams.Range{}, slices.Concat([]int{0}, sequence(2, 300)), false},
		"an error among the last lines": {
			damagedLog{lines: 3000, bad: 2500, cuts: true}, streams.Range{Lines: 1024}, slices.Concat(sequence(1977, 2499), []int{0}, sequence(2501, 3000)), false},
		"an error since a time": {
			damagedLog{lines: 3000, bad: 2500, cuts: true}, streams.Range{Since: at(2400)}, slices.Concat(sequence(2400, 2499), []int{0}, sequence(2501, 3000)), false},
		"in a log that grows": {
			damagedLog{lines: 300, bad: 290, drops: 1000, grows: 3}, streams.Range{}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, end := c.log.numbers(t, c.part, maxHeld)
			if c.want == nil { // as it grows, some lines behind the mark may be left out, and more come
				begin := got[slices.Index(got, 0)+1]
				c.want = slices.Concat(sequence(1, 289), []int{0}, sequence(begin, got[len(got)-1]))
				if begin > 300 {
					t.Errorf("only from line %d on", begin)
				}
			}
			if !slices.Equal(got, c.want) || end != c.end {
				t.Errorf("%d lines, %v; damaged at the end: %t", len(got), brief(got), end)
			}
			if c.log.requests > 50 {
				t.Errorf("%d requests", c.log.requests)
			}
		})
	}
}

// brief writes where a sequence of numbers jumps.
func brief(all []int) (text string) {
	for i, n := range all {
		if i == 0 || i == len(all)-1 || n != all[i-1]+1 || all[i+1] != n+1 {
			text += fmt.Sprint(n, " ")
		}
	}
	return text
}

// TestDamagedLogLargerThanMemory: what was fed before the damage was found is not fed again.
func TestDamagedLogLargerThanMemory(t *testing.T) {
	log := damagedLog{lines: 3000, bad: 2990, drops: 1000}
	if got, _ := log.numbers(t, streams.Range{}, 1000); !slices.Equal(got, slices.Concat(sequence(1, 2989), []int{0}, sequence(2991, 3000))) {
		t.Error(brief(got))
	}
	log = damagedLog{lines: 3000, bad: 2990, drops: 3}
	if got, end := log.numbers(t, streams.Range{}, 1000); !slices.Equal(got, slices.Concat(sequence(1, 2989), sequence(2994, 3000))) || !end {
		t.Error(brief(got), "without a report of damage")
	}
}

// TestIntactLogCostsOneRequest: verification is one request of one entry, and none where as many
// lines came as were requested.
func TestIntactLogCostsOneRequest(t *testing.T) {
	for name, c := range map[string]struct {
		log      damagedLog
		part     streams.Range
		want     []int
		requests int
	}{
		"all":        {damagedLog{lines: 3000}, streams.Range{}, sequence(1, 3000), 2},
		"since":      {damagedLog{lines: 3000}, streams.Range{Since: at(2000)}, sequence(2000, 3000), 2},
		"nothing":    {damagedLog{lines: 3000}, streams.Range{Since: at(3001)}, nil, 2},
		"empty":      {damagedLog{}, streams.Range{}, nil, 2},
		"last lines": {damagedLog{lines: 3000}, streams.Range{Lines: 1000}, sequence(2001, 3000), 1},
		"few lines":  {damagedLog{lines: 30}, streams.Range{Lines: 1000}, sequence(1, 30), 2},
		"it grows":   {damagedLog{lines: 3000, grows: 5}, streams.Range{Since: at(2000)}, sequence(2000, 3010), 3},
	} {
		t.Run(name, func(t *testing.T) {
			got, end := c.log.numbers(t, c.part, maxHeld)
			if !slices.Equal(got, c.want) || end || c.log.requests != c.requests {
				t.Errorf("%v, damaged at the end: %t, in %d requests", brief(got), end, c.log.requests)
			}
		})
	}
}
