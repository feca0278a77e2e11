package console

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"lightd/observed"
	"lightd/observed/stdin"
	"lightd/observed/usage"
)

func TestWrite(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		w.see(observed.Snapshot{})
		if err := w.writeAs(ctx, id, []byte("x")); !errors.Is(err, stdin.ErrNotRunning) {
			t.Errorf("got %v", err)
		}
		started := time.Now()
		w.see(up(started))
		none(t, w.pipes.inputs)
		done := make(chan error, 2)
		go func() { done <- w.writeAs(ctx, id, []byte("one\n")) }()
		c := end(t, w.pipes.inputs)
		buf := make([]byte, 8)
		if n, err := io.ReadFull(c, buf[:4]); err != nil || string(buf[:n]) != "one\n" {
			t.Errorf("got %q, %v", buf[:n], err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		go func() { done <- w.writeAs(ctx, id, []byte("two\n")) }()
		if n, err := io.ReadFull(c, buf[:4]); err != nil || string(buf[:n]) != "two\n" {
			t.Errorf("got %q, %v", buf[:n], err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		none(t, w.pipes.inputs)

		w.see(inPhase(observed.Exited, started))
		if !ended(c) {
			t.Error("the connection outlives the run")
		}
		w.see(up(started.Add(time.Minute)))
		none(t, w.pipes.inputs)
	})
}

// TestCommandWaitsForItsReaders: while the output that subscribers need is opened, nothing is written that could be
// answered before; without subscribers, and where it does not open, that costs nothing or little.
func TestCommandWaitsForItsReaders(t *testing.T) {
	for _, test := range []struct{ subscribed, opens bool }{{false, false}, {true, true}, {true, false}} {
		bubble(t, func(t *testing.T, w *world) {
			w.pipes.outputs = make(chan net.Conn) // a stream opens when the test takes its end
			w.see(up(time.Now()))
			if test.subscribed {
				sub(t, w)
			}
			began := time.Now()
			done := make(chan error, 1)
			go func() { done <- w.writeAs(context.Background(), id, []byte("one\n")) }()
			var output net.Conn
			c := end(t, w.pipes.inputs) // it is opened ahead
			want := time.Duration(0)
			if test.subscribed {
				want = time.Second
				_ = c.SetReadDeadline(began.Add(want)) // a pipe has deadlines
				if n, err := c.Read(make([]byte, 1)); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("%+v: %d bytes, %v, before the readers are there", test, n, err)
				}
				_ = c.SetReadDeadline(time.Time{})
				if test.opens {
					output = <-w.pipes.outputs
				} else {
					want = 5 * time.Second
				}
			}
			if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
				t.Error(err)
			}
			if err := <-done; err != nil || time.Since(began) != want {
				t.Errorf("%+v: %v after %v", test, err, time.Since(began))
			}
			if output == nil && test.subscribed {
				output = <-w.pipes.outputs
			}
			if output != nil {
				t.Cleanup(func() { _ = output.Close() })
			}
		})
	}
}

// TestInputIsOpenedAhead: the first write to a run finds the connection open, as long as a client has an input.
func TestInputIsOpenedAhead(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		in := w.OpenInput(id)
		none(t, w.pipes.inputs)
		started := time.Now()
		for range 2 {
			started = started.Add(time.Minute)
			w.see(up(started))
			c := end(t, w.pipes.inputs)
			w.see(up(started))
			none(t, w.pipes.inputs)
			done := make(chan error, 1)
			go func() { done <- in.Write(context.Background(), []byte("one\n")) }()
			reader{t, c}.wants("one\n")
			if err := <-done; err != nil {
				t.Error(err)
			}
			none(t, w.pipes.inputs)
			w.see(inPhase(observed.Exited, started))
			if !ended(c) {
				t.Error("the connection outlives the run")
			}
		}
		in.Close()
		w.see(up(started.Add(time.Minute)))
		none(t, w.pipes.inputs)

		in = w.OpenInput(id) // of a client that comes while the process runs, and goes
		c := end(t, w.pipes.inputs)
		w.Registry.Forget(id)
		in.Close()
		if !ended(c) {
			t.Error("the connection outlives its client")
		}
	})
}

func TestWriteTimesOut(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.see(up(time.Now()))
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 3)
		start := time.Now()
		go func() { done <- w.writeAs(ctx, id, []byte("one\n")) }()
		c := end(t, w.pipes.inputs)
		go func() { done <- w.writeAs(ctx, id, []byte("two\n")) }()
		cancel() // the first has begun, and goes on
		synctest.Wait()
		if err := <-done; !errors.Is(err, context.Canceled) || time.Since(start) != 0 {
			t.Errorf("waiting: got %v after %v", err, time.Since(start))
		}
		if err := <-done; !errors.Is(err, stdin.ErrTimeout) || time.Since(start) != 5*time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		if !ended(c) {
			t.Error("the connection was kept")
		}
		go func() { done <- w.writeAs(context.Background(), id, []byte("three\n")) }()
		// How much of the first arrived is not known.
		reader{t, end(t, w.pipes.inputs)}.wants("\x05\x15three\n")
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestWriteConnectsAgain(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.see(up(time.Now()))
		for range 3 {
			done := make(chan error, 1)
			go func() { done <- w.writeAs(context.Background(), id, []byte("one\n")) }()
			c := end(t, w.pipes.inputs)
			if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			c.Close()
			synctest.Wait()
		}
	})
}

func TestWriteToAnEngineThatHangs(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.pipes.hang = true
		w.see(up(time.Now()))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		start := time.Now()
		if err := w.writeAs(ctx, id, []byte("x")); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

func TestStats(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		started := time.Now()
		w.see(up(started))
		if w.pipes.followed != 0 {
			t.Fatal("followed without a subscriber")
		}
		a := w.SubscribeStats(id)
		defer a.Close()
		give := func(v observed.Stats) {
			w.pipes.figures <- v
			synctest.Wait()
		}
		get := func(s *usage.Subscription) (v observed.Stats) {
			synctest.Wait()
			select {
			case v = <-s.C():
			default:
			}
			return v
		}
		one, two := observed.Stats{MemoryUsage: 1}, observed.Stats{MemoryUsage: 2}
		give(one)
		b := w.SubscribeStats(id)
		if got := get(b); got != one {
			t.Errorf("the last ones did not come at once: %v", got)
		}
		if get(a) != one || w.pipes.followed != 1 {
			t.Errorf("%d streams", w.pipes.followed)
		}
		give(one)
		if got := get(a); got != (observed.Stats{}) {
			t.Errorf("sent though nothing changed: %v", got)
		}
		give(two)
		give(observed.Stats{MemoryUsage: 3})
		if got := get(a); got.MemoryUsage != 3 {
			t.Errorf("not the newest: %v", got)
		}
		w.see(inPhase(observed.Exited, started))
		if w.pipes.followed != 0 {
			t.Error("followed though it does not run")
		}
		w.see(up(started.Add(time.Minute)))
		c := w.SubscribeStats(id)
		if got := get(c); got != (observed.Stats{}) {
			t.Errorf("figures of the last run: %v", got)
		}
		give(two)
		for _, s := range []*usage.Subscription{a, b, c} {
			s.Close()
		}
		synctest.Wait()
		if w.pipes.followed != 0 || len(w.hubs) != 0 {
			t.Error("followed without a subscriber")
		}
	})
}
