package console

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	cerrdefs "github.com/containerd/errdefs"

	"lightd/observed"
	"lightd/observed/replay"
	"lightd/observed/startpattern"
	"lightd/observed/streams"
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
		defer func() {
			w.disconnect()
			w.c.Close()
		}()
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
		"since a time":                      {10, 10, func(*watched) From { return From{Since: replay.At(time.Now().Add(-2 * time.Second))} }, numberedLines(11, 20) + "open"},
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
					if got := past(t, w.c.Console, from); got != c.want {
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
		run := startpattern.Run{StartedAt: w.now.Run.StartedAt}
		if err := w.c.Expect(id, streams.Target{ContainerID: "c1", TTY: true}, run, "^line 20$"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.tape.print(0, numberedLines(1, 20))
		synctest.Wait()
		if !w.c.Matched(id, "c1", run.StartedAt) {
			t.Fatal("not matched")
		}
		if got, want := past(t, w.c.Console, From{Lines: 3}), numberedLines(18, 20); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		time.Sleep(logDelay)
		synctest.Wait()
		if n := len(w.tape.attached); n != 0 {
			t.Errorf("%d streams are open after the match", n)
		}
		if got, want := past(t, w.c.Console, From{Lines: 3}), numberedLines(18, 20); got != want {
			t.Errorf("later: got %q, want %q", got, want)
		}
	})
}

// TestHistoryWithTimes: each line begins with its time in the log, and all else is as without: the text, and
// the position behind it.
func TestHistoryWithTimes(t *testing.T) {
	for _, tty := range []bool{true, false} {
		taped(t, &tape{tty: tty}, func(t *testing.T, w *watched) {
			w.connect()
			w.tape.print(0, numberedLines(1, 20))
			time.Sleep(time.Minute)
			w.tape.print(0, numberedLines(21, 3000)+"open")
			time.Sleep(time.Minute)
			read := func(from From) (text, position string) {
				if err := w.c.History(t.Context(), id, from, func(c Chunk) error {
					text, position = text+c.Text, c.Position
					return nil
				}); err != nil {
					t.Fatal(err)
				}
				return text, position
			}
			for _, lines := range []int{3, 2990} {
				plain, behind := read(From{Lines: lines})
				stamped, position := read(From{Lines: lines, Stamps: true})
				stamp := regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z `)
				if got := stamp.ReplaceAllString(stamped, ""); got != plain || len(stamp.FindAllString(stamped, -1)) != strings.Count(plain, "\n")+1 {
					t.Errorf("tty %t, %d lines: %.80q, without times %.80q", tty, lines, stamped, plain)
				}
				since, err := replay.ParsePosition(position)
				if err != nil {
					t.Fatal(err)
				}
				if got, _ := read(From{Since: since}); got != "" || behind == "" {
					t.Errorf("tty %t, %d lines: behind the position there is %.80q", tty, lines, got)
				}
			}
		})
	}
}

// TestHistoryOfNothing: no lines are none, and where there is no container, or no log, that
// is an error.
func TestHistoryOfNothing(t *testing.T) {
	taped(t, &tape{tty: true}, func(t *testing.T, w *watched) {
		w.tape.print(0, numberedLines(1, 20))
		time.Sleep(time.Minute)
		if got := past(t, w.c.Console, From{}); got != "" {
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
		w.tape.logErr = fmt.Errorf("read logs of a container that is being removed: %w", cerrdefs.ErrConflict)
		fails(ErrNoContainer)
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

// TestRotationIsTold: behind a time there is nothing to know the text by, and so it counts how
// much log there is.
func TestRotationIsTold(t *testing.T) {
	limits := observed.Log{MaxSize: "20k", MaxFile: "2"}
	hour := func(w *watched) From { return From{Since: replay.At(time.Now().Add(-time.Hour))} }
	for name, c := range map[string]struct {
		lines int
		log   observed.Log
		from  func(w *watched) From
		told  bool
	}{
		"rotated":              {1000, limits, hour, true},
		"not rotated":          {100, limits, hour, false},
		"not limited":          {1000, observed.Log{}, hour, false},
		"last lines":           {1000, limits, func(*watched) From { return From{Lines: 1000} }, false},
		"since the first line": {1000, limits, func(w *watched) From { return From{Since: replay.At(w.tape.found()[0].at)} }, false},
	} {
		taped(t, &tape{tty: true}, func(t *testing.T, w *watched) {
			w.log = c.log
			w.see(w.container(observed.Running, time.Now(), time.Time{}))
			if c.log != (observed.Log{}) {
				w.tape.keep = 30_000 // so many bytes of text are more in the file
			}
			for i := range c.lines {
				w.tape.print(0, fmt.Sprintf("line %d, and then some more text of which there is enough\n", i))
				time.Sleep(time.Second)
			}
			if c.told {
				time.Sleep(40 * time.Minute) // the first ones that are kept are from before
			}
			got := past(t, w.c.Console, c.from(w))
			if told := strings.HasSuffix(got, "Z: Docker's log no longer holds all that was printed]"); told != c.told {
				t.Errorf("%s: it ends with %q", name, got[len(got)-100:])
			}
			if n := strings.Count(got, "\n"); n == 0 || !strings.Contains(got, fmt.Sprintf("line %d,", c.lines-1)) {
				t.Errorf("%s: %d lines", name, n)
			}
		})
	}
}

// TestHistoryComesInChunks: of bounded size, whole lines and characters, each with a position
// behind which exactly the rest comes.
func TestHistoryComesInChunks(t *testing.T) {
	for name, text := range map[string]string{
		"short lines":    strings.Repeat("a line of text\n", 10_000),
		"long lines":     strings.Repeat(strings.Repeat("e", 40_000)+"\n", 8),
		"one line":       strings.Repeat("e", 240_000) + "\n",
		"without an end": strings.Repeat("a line of text é\n", 10_000) + strings.Repeat("é", 3*part),
	} {
		for _, tty := range []bool{true, false} {
			t.Run(fmt.Sprint(name, tty), func(t *testing.T) {
				taped(t, &tape{tty: tty}, func(t *testing.T, w *watched) {
					since := replay.At(time.Now())
					// No more than a program can write at once.
					for rest := text; rest != ""; {
						n := min(len(rest), 4096)
						w.tape.print(0, rest[:n])
						rest = rest[n:]
						time.Sleep(time.Millisecond)
					}
					w.tape.exit()
					time.Sleep(time.Minute)
					var got strings.Builder
					var last []Chunk
					err := w.c.History(context.Background(), id, From{Since: since}, func(c Chunk) error {
						if len(c.Text) == 0 || len(c.Text) > replay.MaxChunk || !utf8.ValidString(c.Text) || c.Notice != "" {
							t.Fatalf("a chunk of %d bytes, %q", len(c.Text), c.Notice)
						}
						if !strings.HasSuffix(c.Text, "\n") && strings.Contains(c.Text, "\n") && got.Len()+len(c.Text) < len(text) {
							t.Errorf("a chunk of %d bytes ends within a line, and has whole ones", len(c.Text))
						}
						got.WriteString(c.Text)
						last = append(last, c)
						return nil
					})
					if err != nil || got.String() != text {
						t.Fatalf("%d bytes of %d, %v", got.Len(), len(text), err)
					}
					told := 0
					for _, c := range last {
						told += len(c.Text)
						p, err := replay.ParsePosition(c.Position)
						if err != nil {
							t.Fatal(err)
						}
						if rest := past(t, w.c.Console, From{Since: p}); rest != text[told:] {
							t.Fatalf("behind byte %d of %d come %d bytes, %.40q", told, len(text), len(rest), rest)
						}
					}
				})
			})
		}
	}
}

// TestHistoryEndsWhereItsReaderDoes: what is not wanted is not read.
func TestHistoryEndsWhereItsReaderDoes(t *testing.T) {
	taped(t, &tape{tty: true}, func(t *testing.T, w *watched) {
		w.tape.print(0, strings.Repeat("a line of text\n", 50_000))
		enough := errors.New("enough")
		calls := 0
		err := w.c.History(context.Background(), id, From{Lines: replay.MaxLines}, func(Chunk) error { calls++; return enough })
		if !errors.Is(err, enough) || calls != 1 {
			t.Errorf("got %v after %d calls", err, calls)
		}
	})
}

// TestOpenLineAcrossADaemon: a line that is open when a daemon ends goes on where it was told
// to, though the next daemon has not seen its beginning, and something was printed to nobody.
func TestOpenLineAcrossADaemon(t *testing.T) {
	for _, tty := range []bool{true, false} {
		taped(t, &tape{tty: tty}, func(t *testing.T, w *watched) {
			said := func(want string) {
				t.Helper()
				time.Sleep(time.Second)
				w.read()
				if got := w.got.String(); got != want || len(w.notices) > 0 {
					t.Fatalf("tty=%v: got %q, want %q, %q", tty, got, want, w.notices)
				}
				w.got.Reset()
			}
			reboot := func() {
				w.c.Close()
				w.read()
				w.disconnect()
				w.boot()
			}
			w.connect()
			time.Sleep(time.Second)
			w.tape.print(0, "before\nLoading")
			said("before\nLoading")
			reboot()
			w.tape.print(0, " (unseen)")
			w.connect()
			time.Sleep(time.Second)
			w.tape.print(0, "...")
			said("...")
			reboot()
			time.Sleep(time.Minute)
			w.tape.print(0, " done\nafter\n")
			time.Sleep(time.Second)
			w.connect()
			said(" done\nafter\n")
			reboot()
			w.tape.print(0, "more\n")
			w.connect()
			said("more\n")
		})
	}
}

// TestOpenLineOfASilentOutput: of two outputs one has a line open, and is silent; a long line
// that it printed before is not taken for a part of that.
func TestOpenLineOfASilentOutput(t *testing.T) {
	taped(t, &tape{logLag: func() time.Duration { return 20 * time.Millisecond }}, func(t *testing.T, w *watched) {
		w.connect()
		time.Sleep(time.Second)
		w.tape.print(1, strings.Repeat("e", part+10)+"\nopen")
		time.Sleep(time.Minute)
		w.tape.print(0, "out\n")
		time.Sleep(time.Second)
		w.read()
		w.disconnect()
		w.got.Reset()
		time.Sleep(time.Minute)
		w.tape.exit()
		time.Sleep(time.Second)
		w.connect()
		time.Sleep(5 * time.Second)
		w.read()
		if got := w.got.String(); got != "" || len(w.notices) > 0 {
			t.Errorf("%d bytes are told again, to %.20q, %q", len(got), got, w.notices)
		}
	})
}
