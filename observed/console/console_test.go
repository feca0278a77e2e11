package console

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lightd/observed"
	"lightd/observed/replay"
	"lightd/observed/startpattern"
	"lightd/observed/streams"
)

func TestLinesLeaveAtOnceAndFloodsInBatches(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.see(up(time.Now()))
		s := sub(t, w)
		c := end(t, w.pipes.outputs)
		start := time.Now()
		want := func(text string, after time.Duration) {
			t.Helper()
			if got := next(s, time.Second).Text; got != text || time.Since(start) != after {
				t.Errorf("got %q after %v, want %q after %v", got, time.Since(start), text, after)
			}
		}
		for range batchBurst - 1 {
			say(t, c, "one\n")
			want("one\n", 0)
		}
		say(t, c, "thr")
		say(t, c, "ee\n> ") // the open line before it delays no line
		want("three\n", 0)
		say(t, c, "four\n")
		say(t, c, "five\n")
		want("> four\nfive\n", batchTime)
		time.Sleep(3 * batchTime) // three more may leave at once
		start = time.Now()
		for range 3 {
			say(t, c, "six\n")
			want("six\n", 0)
		}
		say(t, c, "end> ")
		want("end> ", batchTime)
		long := strings.Repeat("é", replay.MaxChunk)
		go func() { _, _ = c.Write([]byte(long + "\n")) }()
		var got strings.Builder
		for got.Len() <= len(long) {
			text := next(s, time.Second).Text
			if text == "" || len(text) > replay.MaxChunk {
				t.Fatalf("a chunk of %d bytes", len(text))
			}
			got.WriteString(text)
		}
		if got.String() != long+"\n" {
			t.Error("a long line was altered")
		}
	})
}

func TestSlowSubscriberLosesTextAndDelaysNobody(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.see(up(time.Now()))
		slow, fast := sub(t, w), sub(t, w)
		c := end(t, w.pipes.outputs)
		got := make(chan int64)
		go func() {
			var n, lost int64
			for chunk := range fast.C() {
				n += int64(len(chunk.Text))
				lost += chunk.Lost
			}
			got <- n - 1e12*lost
		}()
		line := strings.Repeat("x", 999) + "\n"
		const lines = 4000
		for range lines {
			say(t, c, line)
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		var text, lost int64
		for {
			chunk := next(slow, time.Second)
			if chunk == (Chunk{}) {
				break
			}
			if len(chunk.Text)%len(line) != 0 {
				t.Fatalf("a chunk of %d bytes does not end at a line end", len(chunk.Text))
			}
			text += int64(len(chunk.Text))
			lost += chunk.Lost
		}
		if text+lost != lines*1000 || lost == 0 || text > maxQueue+replay.MaxChunk {
			t.Errorf("slow: %d bytes and %d lost of %d", text, lost, lines*1000)
		}
		if n := w.Dropped(); n != lost {
			t.Errorf("%d bytes are counted as dropped, %d were", n, lost)
		}
		fast.Close()
		if n := <-got; n != lines*1000 {
			t.Errorf("fast: %d", n)
		}
		if w.pipes.attached != 1 {
			t.Errorf("%d streams", w.pipes.attached)
		}
	})
}

func TestOutputStreamIsOpenWhileNeeded(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.see(up(time.Now()))
		none(t, w.pipes.outputs)
		a, b := sub(t, w), sub(t, w)
		c := end(t, w.pipes.outputs)
		none(t, w.pipes.outputs)
		a.Close()
		if ended(c) {
			t.Fatal("closed while somebody listens")
		}
		b.Close()
		b.Close()
		if ended(c) {
			t.Fatal("closed though the subscriber may be on the way back")
		}
		time.Sleep(lingerTime)
		if !ended(c) {
			t.Fatal("open while nobody listens")
		}
		if _, ok := <-b.C(); ok {
			t.Error("channel open after Close")
		}
		if len(w.hubs) != 0 {
			t.Error("an id that nobody uses is kept")
		}
	})
}

func TestOutputStreamIsOpenedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		first := time.Now()
		w.see(up(first))
		s := sub(t, w)
		c := end(t, w.pipes.outputs)
		say(t, c, "tail \xc3")
		c.Close()
		if got := next(s, time.Second).Text; got != "tail \uFFFD" {
			t.Errorf("got %q", got)
		}
		time.Sleep(streams.MinRetry)
		c = end(t, w.pipes.outputs) // the process lives
		say(t, c, "more\n")
		w.pipes.set(func() { w.pipes.log = time.Now().UTC().Format(stampForm) + " tail \uFFFDmore\n" })
		if got := next(s, time.Second).Text; got != "more\n" {
			t.Errorf("got %q", got)
		}

		w.see(inPhase(observed.Exited, first))
		c.Close()
		time.Sleep(time.Minute)
		none(t, w.pipes.outputs)

		w.see(up(time.Now()))
		end(t, w.pipes.outputs)
	})
}

func TestRetriesBackOff(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.pipes.refuse = true
		w.see(up(time.Now()))
		s := sub(t, w)
		for range 50 { // notices of the same thing change nothing
			w.Notify(id)
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		w.pipes.set(func() {
			if w.pipes.attached < 10 || w.pipes.attached > 25 {
				t.Errorf("%d attempts in a minute", w.pipes.attached)
			}
			w.pipes.refuse = false
		})
		time.Sleep(streams.MaxRetry)
		say(t, end(t, w.pipes.outputs), "there\n")
		if got := next(s, time.Second).Text; got != "there\n" {
			t.Errorf("got %q", got)
		}
	})
}

func TestInstallOutputComesFirst(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		s := sub(t, w)
		none(t, w.pipes.outputs)
		install := &observed.Container{ContainerID: "i1", Role: observed.RoleInstall,
			State: observed.State{Phase: observed.Running}, Config: observed.Config{TTY: true}}
		w.see(observed.Snapshot{Install: install})
		c := end(t, w.pipes.outputs)
		say(t, c, "installing\n")
		if got := next(s, time.Second).Text; got != "installing\n" {
			t.Errorf("got %q", got)
		}
		w.see(up(time.Now()))
		say(t, c, "last words\n")
		if got := next(s, time.Second).Text; got != "last words\n" {
			t.Errorf("got %q", got)
		}
		end(t, w.pipes.outputs)
		time.Sleep(drainTime)
		if !ended(c) {
			t.Error("the old stream is never closed")
		}
	})
}

func TestEngineAwayChangesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.see(up(time.Now()))
		sub(t, w)
		c := end(t, w.pipes.outputs)
		away := func() {
			w.mu.Lock()
			w.now.EngineUp = false
			w.mu.Unlock()
			w.Notify(id)
		}
		away()
		if ended(c) {
			t.Fatal("a stream that works was closed")
		}
		c.Close()
		time.Sleep(time.Minute)
		none(t, w.pipes.outputs)
		w.see(w.Get(id))
		end(t, w.pipes.outputs)
	})
}

// TestPrepare: the output stream is open before the start, within a bounded time.
func TestPrepare(t *testing.T) {
	for name, test := range map[string]func(t *testing.T, w *world){
		"nobody needs it":                           prepareNobodyNeeds,
		"open before the start":                     prepareOpensBeforeTheStart,
		"what is left of the last run comes before": prepareDrainsTheLastRun,
		"refused":                 prepareRefused,
		"no answer":               prepareWithoutAnswer,
		"the start never happens": prepareWithoutStart,
		"somebody else was first": prepareAfterTheStart,
	} {
		t.Run(name, func(t *testing.T) { bubble(t, test) })
	}
}

func prepareNobodyNeeds(t *testing.T, w *world) {
	w.see(inPhase(observed.Created, time.Time{}))
	if err := w.Prepare(t.Context(), id, target); err != nil {
		t.Error(err)
	}
	none(t, w.pipes.outputs)
}

func prepareOpensBeforeTheStart(t *testing.T, w *world) {
	w.see(inPhase(observed.Created, time.Time{}))
	s := sub(t, w)
	if err := w.Prepare(t.Context(), id, target); err != nil {
		t.Fatal(err)
	}
	c := end(t, w.pipes.outputs)
	say(t, c, "first\n")
	w.see(up(time.Now()))
	say(t, c, "second\n")
	if a, b := next(s, time.Second).Text, next(s, time.Second).Text; a+b != "first\nsecond\n" {
		t.Errorf("got %q and %q", a, b)
	}
	none(t, w.pipes.outputs)
}

func prepareDrainsTheLastRun(t *testing.T, w *world) {
	w.see(up(time.Now()))
	s := sub(t, w)
	old := end(t, w.pipes.outputs)
	w.see(inPhase(observed.Exited, time.Now()))
	done := make(chan error)
	go func() { done <- w.Prepare(t.Context(), id, target) }()
	none(t, w.pipes.outputs)
	say(t, old, "last\n")
	old.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	say(t, end(t, w.pipes.outputs), "first\n")
	if a, b := next(s, time.Second).Text, next(s, time.Second).Text; a+b != "last\nfirst\n" {
		t.Errorf("got %q and %q", a, b)
	}
}

// prepareAfterTheStart is a "docker restart": the stream of the run before is opened again before its end is
// observed, so that it leads into the next run, which is observed before Lightd's own start.
func prepareAfterTheStart(t *testing.T, w *world) {
	w.see(up(time.Now()))
	s := sub(t, w)
	end(t, w.pipes.outputs).Close()
	time.Sleep(time.Second)
	again := end(t, w.pipes.outputs)
	w.see(inPhase(observed.Exited, time.Now()))
	w.pipes.set(func() { w.pipes.log = time.Now().UTC().Format(stampForm) + " first\n" })
	w.see(up(time.Now()))
	run := end(t, w.pipes.outputs)
	if err := w.Prepare(t.Context(), id, target); err != nil {
		t.Fatal(err)
	}
	none(t, w.pipes.outputs)
	if !ended(again) {
		t.Error("two streams of one run are read")
	}
	say(t, run, "first\n")
	if got := next(s, time.Minute).Text; got != "first\n" { // the log is read for what came before
		t.Errorf("got %q", got)
	}
}

func prepareRefused(t *testing.T, w *world) {
	w.see(inPhase(observed.Created, time.Time{}))
	sub(t, w)
	w.pipes.set(func() { w.pipes.refuse = true })
	if err := w.Prepare(t.Context(), id, target); !errors.Is(err, errRefused) {
		t.Errorf("got %v", err)
	}
	w.pipes.set(func() { w.pipes.refuse = false })
	w.see(up(time.Now()))
	end(t, w.pipes.outputs)
}

func prepareWithoutAnswer(t *testing.T, w *world) {
	w.see(inPhase(observed.Created, time.Time{}))
	sub(t, w)
	w.pipes.set(func() { w.pipes.hang = true })
	start := time.Now()
	if err := w.Prepare(t.Context(), id, target); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != prepareTime {
		t.Errorf("got %v after %v", err, time.Since(start))
	}
}

func prepareWithoutStart(t *testing.T, w *world) {
	w.see(inPhase(observed.Created, time.Time{}))
	sub(t, w)
	if err := w.Prepare(t.Context(), id, target); err != nil {
		t.Fatal(err)
	}
	c := end(t, w.pipes.outputs)
	time.Sleep(time.Second)
	w.see(observed.Snapshot{})
	time.Sleep(drainTime)
	if !ended(c) {
		t.Error("the stream of a container that is gone is kept")
	}
}

func TestCloseEndsEverything(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		started := time.Now()
		w.see(up(started))
		s, f := sub(t, w), w.SubscribeStats(id)
		defer f.Close()
		c := end(t, w.pipes.outputs)
		w.pipes.set(func() { w.pipes.logErr = errRefused })
		expect(t, w, startpattern.Run{StartedAt: started}, "Done")
		go func() { _ = w.writeAs(context.Background(), id, []byte("x")) }()
		in := end(t, w.pipes.inputs)
		w.Close()
		if !ended(c) || !ended(in) {
			t.Error("a stream is open")
		}
		if _, ok := <-s.C(); ok {
			t.Error("a subscription is open")
		}
		if _, ok := <-f.C(); ok {
			t.Error("a subscription to figures is open")
		}
		if _, ok := <-w.Subscribe(id, From{}).C(); ok {
			t.Error("a subscription was opened")
		}
		if _, ok := <-w.SubscribeStats(id).C(); ok {
			t.Error("a subscription to figures was opened")
		}
		if err := w.writeAs(context.Background(), id, []byte("x")); err == nil {
			t.Error("input was taken")
		}
		w.Close()
	})
}
