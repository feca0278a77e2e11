package console

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lightd/observed"
)

// past is what History hands out.
func past(t testing.TB, c *Console, from From) string {
	t.Helper()
	var text strings.Builder
	err := c.History(context.Background(), id, from, func(chunk Chunk) error {
		if chunk.Notice != "" {
			fmt.Fprintf(&text, "[%s]", chunk.Notice)
		}
		text.WriteString(chunk.Text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// taped runs fn with a running container on a tape.
func taped(t *testing.T, x *tape, fn func(t *testing.T, w *watched)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		none := func() time.Duration { return 0 }
		if x.streamLag == nil {
			x.streamLag = none
		}
		if x.logLag == nil {
			x.logLag = none
		}
		w := &watched{t: t, tape: x}
		time.Sleep(time.Hour)
		w.boot()
		defer w.c.Close()
		defer w.disconnect()
		w.see(w.container(observed.Running, time.Now(), time.Time{}))
		fn(t, w)
	})
}

func numberedLines(from, to int) string {
	var b strings.Builder
	for i := from; i <= to; i++ {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	return b.String()
}

// TestHistoryHasWhatWasSeen: the log is half a second behind what subscribers have seen.
func TestHistoryHasWhatWasSeen(t *testing.T) {
	slow := func() time.Duration { return 500 * time.Millisecond }
	for name, c := range map[string]struct {
		before, after int // lines, before the container is followed and then
		from          func(w *watched) From
		want          string
	}{
		"last lines in memory":              {10, 10, func(*watched) From { return From{Lines: 3} }, numberedLines(18, 20) + "open"},
		"all lines in memory":               {10, 10, func(*watched) From { return From{Lines: 9} }, numberedLines(12, 20) + "open"},
		"from the log and memory":           {10, 10, func(*watched) From { return From{Lines: 12} }, numberedLines(9, 20) + "open"},
		"all":                               {10, 10, func(*watched) From { return From{Lines: 5000} }, numberedLines(1, 20) + "open"},
		"behind a position":                 {10, 10, func(w *watched) From { return w.from }, numberedLines(12, 20) + "open"},
		"since a time":                      {10, 10, func(*watched) From { return From{Since: At(time.Now().Add(-2 * time.Second))} }, numberedLines(11, 20) + "open"},
		"many, of which few are in memory":  {3000, 3000, func(*watched) From { return From{Lines: 5000} }, numberedLines(1001, 6000) + "open"},
		"a flood that memory does not hold": {10, 60_000, func(*watched) From { return From{Lines: 5000} }, numberedLines(55_011, 60_010) + "open"},
	} {
		for _, tty := range []bool{true, false} {
			t.Run(fmt.Sprint(name, " ", tty), func(t *testing.T) {
				taped(t, &tape{tty: tty, logLag: slow}, func(t *testing.T, w *watched) {
					w.tape.print(0, numberedLines(1, c.before))
					time.Sleep(time.Minute)
					w.connect()
					time.Sleep(time.Second)
					w.tape.print(0, numberedLines(c.before+1, c.before+1))
					time.Sleep(time.Second)
					w.read()
					from := c.from(w)
					w.tape.print(0, numberedLines(c.before+2, c.before+c.after)+"open")
					time.Sleep(2 * batchTime)
					w.read()
					if !strings.HasSuffix(w.got.String(), "open") {
						t.Fatalf("seen was %q", w.got.String())
					}
					if got := past(t, w.c, from); got != c.want {
						t.Errorf("got %d bytes, %.30q... to %q", len(got), got, got[max(0, len(got)-30):])
					}
				})
			})
		}
	}
}

// TestHistoryOfAMatch: the log lacks the line that a pattern has just matched, and nobody else
// listens.
func TestHistoryOfAMatch(t *testing.T) {
	taped(t, &tape{tty: true, logLag: func() time.Duration { return 500 * time.Millisecond }}, func(t *testing.T, w *watched) {
		run := Run{StartedAt: w.now.Run.StartedAt}
		if err := w.c.Expect(id, Target{ContainerID: "c1", TTY: true}, run, "^line 20$"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.tape.print(0, numberedLines(1, 20))
		synctest.Wait()
		if !w.c.Matched(id, "c1", run.StartedAt) {
			t.Fatal("not matched")
		}
		if got, want := past(t, w.c, From{Lines: 3}), numberedLines(18, 20); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		time.Sleep(logDelay)
		synctest.Wait()
		if n := len(w.tape.attached); n != 0 {
			t.Errorf("%d streams are open after the match", n)
		}
		if got, want := past(t, w.c, From{Lines: 3}), numberedLines(18, 20); got != want {
			t.Errorf("later: got %q, want %q", got, want)
		}
	})
}

// TestHistoryOfNothing: no lines are none, and where there is no container, or no log, that
// is an error.
func TestHistoryOfNothing(t *testing.T) {
	taped(t, &tape{tty: true}, func(t *testing.T, w *watched) {
		w.tape.print(0, numberedLines(1, 20))
		time.Sleep(time.Minute)
		if got := past(t, w.c, From{}); got != "" {
			t.Errorf("got %q", got)
		}
		fails := func(want error) {
			t.Helper()
			err := w.c.History(context.Background(), id, From{Lines: 1}, func(Chunk) error { return nil })
			if !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		}
		w.tape.logErr = errRefused
		fails(errRefused)
		w.mu.Lock()
		w.now.Run = nil
		w.mu.Unlock()
		fails(ErrNoContainer)
		w.mu.Lock()
		w.now.Known = false
		w.mu.Unlock()
		fails(errUnseen)
	})
}

// TestRingLines: the last lines are there or they are not.
func TestRingLines(t *testing.T) {
	const mine, other = 1, 2
	text := func(s string) Chunk { return Chunk{Text: s, Position: s} }
	for name, c := range map[string]struct {
		items []item
		lines int
		want  []string // nil: they are not all there
	}{
		"nothing":              {nil, 1, nil},
		"a beginning unknown":  {[]item{{Chunk: text("a\n"), container: mine}}, 1, nil},
		"one":                  {[]item{{Chunk: text("a\nb\n"), container: mine}}, 1, []string{"b\n"}},
		"one and its rest":     {[]item{{Chunk: text("a\nb\nc"), container: mine}}, 1, []string{"b\nc"}},
		"over chunks":          {[]item{{Chunk: text("a\nb"), container: mine}, {Chunk: text("b\nc"), container: mine}, {Chunk: text("c\n"), container: mine}}, 2, []string{"b", "b\nc", "c\n"}},
		"whole chunks":         {[]item{{Chunk: text("a\n"), container: mine}, {Chunk: text("b\n"), container: mine}}, 1, []string{"b\n"}},
		"too many":             {[]item{{Chunk: text("a\nb\nc\n"), container: mine}}, 3, nil},
		"another container":    {[]item{{Chunk: text("a\nb\n"), container: other}, {Chunk: text("c\n"), container: mine}}, 1, nil},
		"behind a gap":         {[]item{{Chunk: text("a\nb\n"), container: mine}, {Chunk: Chunk{Notice: "gap"}, container: mine}, {Chunk: text("c\nd\n"), container: mine}}, 1, []string{"d\n"}},
		"across a gap":         {[]item{{Chunk: text("a\nb\n"), container: mine}, {Chunk: Chunk{Notice: "gap"}, container: mine}, {Chunk: text("c\n"), container: mine}}, 1, nil},
		"no line end anywhere": {[]item{{Chunk: text("abc"), container: mine}}, 1, nil},
	} {
		r := ring{id: 1, items: c.items}
		chunks, ok := r.lines(c.lines, mine)
		var got []string
		for _, chunk := range chunks {
			got = append(got, chunk.Text)
		}
		if ok != (c.want != nil) || ok && !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, %v, want %q", name, got, ok, c.want)
		}
	}
}
