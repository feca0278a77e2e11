package console

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"lightd/desired"
	"lightd/observed"
	"lightd/observed/stdin"
	"lightd/observed/streams"
)

// reader collects what a process reads.
type reader struct {
	t *testing.T
	c net.Conn
}

// wants checks what comes next on the input.
func (r reader) wants(text string) {
	r.t.Helper()
	buf := make([]byte, len(text))
	_ = r.c.SetReadDeadline(time.Now().Add(time.Second))
	if n, err := io.ReadFull(r.c, buf); err != nil || string(buf) != text {
		r.t.Fatalf("read %q, %v, want %q", buf[:n], err, text)
	}
	synctest.Wait()
}

// writes starts a write, which ends when it was read.
func (w *world) writes(t *testing.T, in *stdin.Input, text string) {
	t.Helper()
	go func() {
		if err := in.Write(context.Background(), []byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}()
}

// running makes the container one that runs, with a terminal or not, since after the console
// was made or, with old, before it.
func (w *world) running(tty, old bool) {
	s := up(time.Now())
	if old {
		s = up(w.created.Add(-time.Hour))
	}
	s.Run.TTY = tty
	w.see(s)
}

// TestLinesOfClientsAreKeptApart goes through what may stand on the open line when somebody
// else writes. The steps name who writes what and what the process then reads; "stop" is a
// line of its own.
func TestLinesOfClientsAreKeptApart(t *testing.T) {
	type step struct{ who, text, read string }
	for name, c := range map[string]struct {
		tty, old bool
		steps    []step
	}{
		"one client goes on": {tty: true, steps: []step{
			{"a", "say hal", "say hal"}, {"a", "lo\n", "lo\n"}, {"a", "list\n", "list\n"}, {"stop", "end", "end\n"},
		}},
		"a stop takes an open line back": {tty: true, steps: []step{
			{"a", "say hal", "say hal"}, {"stop", "stop", "\x05\x15stop\n"},
		}},
		"a stop ends an open line without a terminal": {steps: []step{
			{"a", "say hal", "say hal"}, {"stop", "stop", "\nstop\n"},
		}},
		"a line is typed again": {tty: true, steps: []step{
			{"a", "say haw\x7fl", "say haw\x7fl"}, {"b", "list\r\n", "\x05\x15list\n"}, {"a", "lo\r", "say hallo\r"},
		}},
		"two that type": {tty: true, steps: []step{
			{"a", "a", "a"}, {"b", "x", "\x05\x15x"}, {"a", "b", "\x05\x15ab"}, {"b", "y\n", "\x05\x15xy\n"}, {"a", "c\n", "abc\n"},
		}},
		"keys that edit are not typed again": {tty: true, steps: []step{
			{"a", "say\x1b[D", "say\x1b[D"}, {"b", "list\n", "\x05\x15list\n"}, {"a", "x", "x"},
		}},
		"a line that was cancelled": {tty: true, steps: []step{
			{"a", "say hal\x03", "say hal\x03"}, {"b", "list\n", "list\n"},
		}},
		"a carriage return ends no line without a terminal": {steps: []step{
			{"a", "50 %\r", "50 %\r"}, {"stop", "stop", "\nstop\n"},
		}},
		"an older run, with a terminal": {tty: true, old: true, steps: []step{
			{"stop", "stop", "\x05\x15stop\n"}, {"a", "list\n", "list\n"},
		}},
		"an older run": {old: true, steps: []step{{"a", "list\n", "\nlist\n"}, {"stop", "stop", "stop\n"}}},
		"CRLF is one line end": {steps: []step{
			{"a", "one\r\ntwo\r\n", "one\ntwo\n"}, {"stop", "three\r\nfour", "three\nfour\n"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.running(c.tty, c.old)
				clients := map[string]*stdin.Input{"a": w.OpenInput(id), "b": w.OpenInput(id)}
				defer clients["a"].Close()
				defer clients["b"].Close()
				var process *reader
				for _, s := range c.steps {
					if in := clients[s.who]; in != nil {
						w.writes(t, in, s.text)
					} else {
						go func() {
							if err := w.WriteLine(context.Background(), id, s.text); err != nil {
								t.Errorf("%q: %v", s.text, err)
							}
						}()
					}
					if process == nil {
						process = &reader{t, end(t, w.pipes.inputs)}
					}
					process.wants(s.read)
				}
			})
		})
	}
}

// TestRestOfALineThatWasEndedIsRefused: half of a command is no command.
func TestRestOfALineThatWasEndedIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.running(false, false)
		a, b := w.OpenInput(id), w.OpenInput(id)
		defer a.Close()
		defer b.Close()
		w.writes(t, a, "rm -rf tmp")
		process := reader{t, end(t, w.pipes.inputs)}
		process.wants("rm -rf tmp")
		w.writes(t, b, "list\n")
		process.wants("\nlist\n")
		if err := a.Write(context.Background(), []byte("/old\n")); !errors.Is(err, stdin.ErrLineTaken) {
			t.Errorf("got %v", err)
		}
		w.writes(t, a, "rm -rf tmp/old\n")
		process.wants("rm -rf tmp/old\n")
	})
}

// TestLineOfAClientThatLeft is nobody's, and of a run that is over none is open.
func TestLineOfAClientThatLeft(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.running(true, false)
		a, b := w.OpenInput(id), w.OpenInput(id)
		defer b.Close()
		w.writes(t, a, "say hal")
		c := end(t, w.pipes.inputs)
		reader{t, c}.wants("say hal")
		a.Close()
		a.Close()
		w.writes(t, b, "list\nsay ")
		reader{t, c}.wants("\x05\x15list\nsay ")
		w.see(inPhase(observed.Exited, time.Now()))
		time.Sleep(time.Second)
		w.running(true, false)
		w.writes(t, b, "list\n")
		reader{t, end(t, w.pipes.inputs)}.wants("list\n")
	})
}

// TestStateAfterAWriteThatTimedOut is unknown: how much of it arrived nobody knows.
func TestStateAfterAWriteThatTimedOut(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.running(true, false)
		a := w.OpenInput(id)
		defer a.Close()
		if err := a.Write(context.Background(), []byte("list\n")); !errors.Is(err, stdin.ErrTimeout) {
			t.Fatalf("got %v", err)
		}
		end(t, w.pipes.inputs)
		w.writes(t, a, "list\n")
		reader{t, end(t, w.pipes.inputs)}.wants("\x05\x15list\n")
	})
}

// TestLineThatATerminalWouldCut is refused, and nothing of it is written; the next one is not.
func TestLineThatATerminalWouldCut(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		longest := strings.Repeat("x", desired.MaxTerminalLine)
		w.running(true, false)
		in := w.OpenInput(id)
		defer in.Close()
		w.writes(t, in, "list\n"+longest+"\r\n")
		process := reader{t, end(t, w.pipes.inputs)}
		process.wants("list\n" + longest + "\n")
		for name, text := range map[string]string{"a line": longest + "x\n", "one of several": "list\n" + longest + "x", "an open line": longest + "x"} {
			if err := in.Write(ctx, []byte(text)); !errors.Is(err, stdin.ErrLineTooLong) {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if err := w.WriteLine(ctx, id, longest+"x"); !errors.Is(err, stdin.ErrLineTooLong) {
			t.Errorf("a stop command: got %v", err)
		}
		w.writes(t, in, longest[:3000])
		process.wants(longest[:3000])
		if err := in.Write(ctx, []byte(longest[:3000]+"\n")); !errors.Is(err, stdin.ErrLineTooLong) {
			t.Errorf("in two pieces: got %v", err)
		}
		w.writes(t, in, longest[:1095]+"\n")
		process.wants(longest[:1095] + "\n")
		for range 5000 { // keys, of which there may be any number
			w.writes(t, in, "j")
			process.wants("j")
		}
	})
	bubble(t, func(t *testing.T, w *world) {
		w.running(false, false)
		line := strings.Repeat("x", 10_000) + "\n"
		go func() {
			if err := w.writeAs(context.Background(), id, []byte(line)); err != nil {
				t.Error(err)
			}
		}()
		reader{t, end(t, w.pipes.inputs)}.wants(line)
	})
}

// TestSizeOfATerminal: the default at a start, what a client sets, and that again at each start for
// as long as it is there.
func TestSizeOfATerminal(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var mu sync.Mutex
		var set []stdin.Size
		w.pipes.resize = func(containerID string, s stdin.Size) {
			if containerID != target.ContainerID {
				t.Errorf("resizes %s", containerID)
			}
			mu.Lock()
			defer mu.Unlock()
			set = append(set, s)
		}
		sizes := func() []stdin.Size {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(set)
		}
		started := true // nothing is set within the first moment
		wants := func(what string, want ...stdin.Size) {
			t.Helper()
			time.Sleep(time.Second - time.Millisecond)
			if got := sizes(); len(got) > 0 && started {
				t.Errorf("%s: set %v too early", what, got)
			}
			time.Sleep(2 * time.Millisecond)
			if got := sizes(); !slices.Equal(got, want) {
				t.Errorf("%s: set %v, want %v", what, got, want)
			}
			mu.Lock()
			set = nil
			mu.Unlock()
		}
		ctx := context.Background()
		w.see(inPhase(observed.Created, time.Time{}))
		w.Started(id, target)
		time.Sleep(time.Second / 2)
		w.Started(id, target) // the first run has ended at once
		wants("a start", stdin.Size{Cols: 80, Rows: 24})
		w.running(true, false)
		in, other := w.OpenInput(id), w.OpenInput(id)
		defer other.Close()
		if err := in.Resize(ctx, stdin.Size{Cols: 120, Rows: 40}); err != nil {
			t.Error(err)
		}
		wants("a client", stdin.Size{Cols: 120, Rows: 40})
		w.see(inPhase(observed.Exited, time.Now()))
		time.Sleep(time.Second)
		wants("an end")
		w.running(true, false)
		wants("a start by somebody", stdin.Size{Cols: 120, Rows: 40})
		w.Started(id, target)
		wants("a start of ours", stdin.Size{Cols: 120, Rows: 40})
		started = false
		if err := other.Resize(ctx, stdin.Size{Cols: 100, Rows: 30}); err != nil {
			t.Error(err)
		}
		if got := sizes(); !slices.Equal(got, []stdin.Size{{Cols: 100, Rows: 30}}) {
			t.Errorf("later than its start: set %v", got)
		}
		in.Close()
		wants("another client", stdin.Size{Cols: 100, Rows: 30})
		other.Close()
		started = true
		w.Started(id, target)
		wants("a start without them", stdin.Size{Cols: 80, Rows: 24})
		w.running(false, false)
		w.Started(id, streams.Target{ContainerID: target.ContainerID})
		in = w.OpenInput(id)
		defer in.Close()
		if err := in.Resize(ctx, stdin.Size{Cols: 100, Rows: 30}); !errors.Is(err, stdin.ErrNoTerminal) {
			t.Errorf("without a terminal: %v", err)
		}
		wants("without a terminal")
	})
}

func TestSizesThatATerminalCanHave(t *testing.T) {
	for s, want := range map[stdin.Size]bool{{Cols: 1, Rows: 1}: true, {Cols: 1000, Rows: 1000}: true, {Cols: 0, Rows: 24}: false, {Cols: 80, Rows: 0}: false, {Cols: 1001, Rows: 24}: false, {Cols: 80, Rows: 1001}: false, {Cols: -1, Rows: 24}: false} {
		if s.Valid() != want {
			t.Errorf("%v is valid: %t", s, !want)
		}
	}
}
