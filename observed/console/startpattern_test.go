package console

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"lightd/observed"
	"lightd/observed/startpattern"
	"lightd/observed/streams"
)

func expect(t *testing.T, w *world, run startpattern.Run, pattern string) {
	t.Helper()
	if err := w.Expect(id, target, run, pattern); err != nil {
		t.Fatal(err)
	}
}

func TestPatternOfAStart(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		w.see(inPhase(observed.Created, time.Time{}))
		var c interface{ Close() error }
		for range 3 { // each start is its own
			expect(t, w, startpattern.Run{}, "^Done")
			if err := w.Prepare(ctx, id, target); err != nil {
				t.Fatal(err)
			}
			conn := end(t, w.pipes.outputs)
			c = conn
			started := time.Now()
			before := w.changes()
			say(t, conn, "first Done\nDo")
			w.see(up(started))
			expect(t, w, startpattern.Run{StartedAt: started}, "^Done")
			expect(t, w, startpattern.Run{StartedAt: started}, "^Done")
			if w.Matched(id, target.ContainerID, started) {
				t.Fatal("matched too early")
			}
			say(t, conn, "ne\n")
			if !w.Matched(id, target.ContainerID, started) || w.changes() != before+1 {
				t.Fatalf("not matched, or told %d times", w.changes()-before)
			}
			if w.Matched(id, target.ContainerID, started.Add(1)) || w.Matched(id, "other", started) {
				t.Error("matched in a run that it was not expected of")
			}
			time.Sleep(logDelay)
			if !ended(conn) {
				t.Error("the stream is open after the match")
			}
			time.Sleep(time.Minute)
			w.see(inPhase(observed.Exited, started))
		}
		c.Close()
		if len(w.pipes.since) != 0 {
			t.Error("the log was read, and nothing was missed")
		}
		w.Forget(id)
		if len(w.hubs) != 0 {
			t.Error("an id that was forgotten is kept")
		}
	})
}

func TestPatternMatchedBeforeTheStartIsSeen(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.see(inPhase(observed.Created, time.Time{}))
		expect(t, w, startpattern.Run{}, "Done")
		if err := w.Prepare(context.Background(), id, target); err != nil {
			t.Fatal(err)
		}
		started := time.Now()
		say(t, end(t, w.pipes.outputs), "Done\n")
		if w.Matched(id, target.ContainerID, started) || w.Matched(id, target.ContainerID, time.Time{}) {
			t.Fatal("matched in a run that is not known")
		}
		w.see(up(started))
		expect(t, w, startpattern.Run{StartedAt: started}, "Done")
		if !w.Matched(id, target.ContainerID, started) {
			t.Error("not matched")
		}
		none(t, w.pipes.outputs)
	})
}

func TestPromptMatches(t *testing.T) {
	started := time.Now()
	run := startpattern.Run{StartedAt: started}
	t.Run("quiet", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.see(up(started))
			expect(t, w, run, "> $")
			c := end(t, w.pipes.outputs)
			say(t, c, "hello\n>")
			time.Sleep(quiet / 2)
			say(t, c, " ")
			if w.Matched(id, target.ContainerID, started) {
				t.Fatal("did not wait for more")
			}
			time.Sleep(quiet)
			synctest.Wait()
			if !w.Matched(id, target.ContainerID, started) {
				t.Error("not matched")
			}
		})
	})
	t.Run("never quiet", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.see(up(started))
			expect(t, w, run, "ready")
			c := end(t, w.pipes.outputs)
			say(t, c, "ready ")
			begin := time.Now()
			for !w.Matched(id, target.ContainerID, started) {
				if time.Since(begin) > 2*patience {
					t.Fatal("not matched")
				}
				say(t, c, "\r|")
				time.Sleep(quiet / 2)
			}
		})
	})
}

func TestPatternOfARunThatIsUpAlready(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		started := time.Now()
		since := started.Add(-time.Minute)
		w.see(up(started))
		w.pipes.set(func() { w.pipes.logErr = errRefused })
		expect(t, w, startpattern.Run{StartedAt: started, Since: since}, "^Done$")
		c := end(t, w.pipes.outputs)
		time.Sleep(time.Second)
		w.pipes.set(func() {
			if len(w.pipes.since) == 0 || !w.pipes.since[0].Equal(since) {
				t.Errorf("read the log since %v", w.pipes.since)
			}
			w.pipes.logErr, w.pipes.log = nil, "hello\r\n\x1b[1mDone\x1b[m\r\n"
		})
		time.Sleep(streams.MaxRetry)
		synctest.Wait()
		if !w.Matched(id, target.ContainerID, started) || w.changes() != 1 {
			t.Fatalf("not matched, or told %d times", w.changes())
		}
		if !ended(c) {
			t.Error("the stream is open after the match")
		}
		w.pipes.set(func() { w.pipes.since = nil })
		time.Sleep(time.Minute)
		expect(t, w, startpattern.Run{StartedAt: started, Since: since}, "^Done$")
		if !w.Matched(id, target.ContainerID, started) || len(w.pipes.since) != 0 {
			t.Error("the match was not kept")
		}
	})
}

// TestPatternIsFoundThoughTheClockWasSetBack: the run before may have ended after this one began.
func TestPatternIsFoundThoughTheClockWasSetBack(t *testing.T) {
	for name, back := range map[string]time.Duration{"by an hour": time.Hour, "not at all": -time.Minute} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				started := time.Now()
				ended := started.Add(back)
				since := ended
				if ended.After(started) {
					since = started.Add(-logSlack)
				}
				w.see(up(started))
				w.pipes.set(func() { w.pipes.log = "Done\n" })
				expect(t, w, startpattern.Run{StartedAt: started, Since: ended}, "^Done$")
				end(t, w.pipes.outputs)
				time.Sleep(time.Second)
				synctest.Wait()
				if !w.Matched(id, target.ContainerID, started) {
					t.Error("not matched")
				}
				w.pipes.set(func() {
					if len(w.pipes.since) == 0 || !w.pipes.since[0].Equal(since) {
						t.Errorf("read the log since %v, not %v", w.pipes.since, since)
					}
				})
			})
		})
	}
}

func TestLogIsReadForWhatABrokenStreamMissed(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.see(inPhase(observed.Created, time.Time{}))
		expect(t, w, startpattern.Run{}, "Done")
		if err := w.Prepare(context.Background(), id, target); err != nil {
			t.Fatal(err)
		}
		started := time.Now()
		w.see(up(started))
		expect(t, w, startpattern.Run{StartedAt: started}, "Done")
		time.Sleep(overdue - time.Millisecond)
		if len(w.pipes.since) != 0 {
			t.Fatal("the log was read, and nothing was missed")
		}
		w.pipes.set(func() { w.pipes.log = "Done\n" })
		end(t, w.pipes.outputs).Close()
		time.Sleep(time.Second)
		synctest.Wait()
		if !w.Matched(id, target.ContainerID, started) {
			t.Error("not matched")
		}
		if want := started.Add(-logSlack); !w.pipes.since[0].Equal(want) {
			t.Errorf("read the log since %v, want %v", w.pipes.since[0], want)
		}
	})
}

// TestLogIsReadWhereSomebodyElseWasFirst: the start that was prepared found the container
// running, and its first lines went by before the stream was open. The clock of the engine
// may be ahead of ours or behind.
func TestLogIsReadWhereSomebodyElseWasFirst(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"ahead": time.Hour, "behind": -time.Hour, "the same": 0} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.see(inPhase(observed.Created, time.Time{}))
				expect(t, w, startpattern.Run{}, "Done")
				started := time.Now().Add(ahead)
				if err := w.Prepare(context.Background(), id, target); err != nil {
					t.Fatal(err)
				}
				w.pipes.set(func() { w.pipes.log = "Done\n" })
				w.see(up(started))
				expect(t, w, startpattern.Run{StartedAt: started}, "Done")
				time.Sleep(overdue)
				synctest.Wait()
				if !w.Matched(id, target.ContainerID, started) {
					t.Error("not matched")
				}
			})
		})
	}
}

// TestNextRunDoesNotMatchForTheLast: a container that Docker started again by itself.
func TestNextRunDoesNotMatchForTheLast(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		first := time.Now()
		w.see(up(first))
		sub(t, w)
		expect(t, w, startpattern.Run{StartedAt: first}, "Done")
		end(t, w.pipes.outputs).Close()
		w.see(inPhase(observed.Exited, first))
		second := first.Add(time.Minute)
		w.see(up(second))
		c := end(t, w.pipes.outputs)
		say(t, c, "Done\n")
		if w.Matched(id, target.ContainerID, first) {
			t.Error("matched in a run that is over")
		}
		w.pipes.set(func() { w.pipes.log = "Done\n" })
		expect(t, w, startpattern.Run{StartedAt: second}, "Done")
		synctest.Wait()
		if !w.Matched(id, target.ContainerID, second) {
			t.Error("not matched")
		}
	})
}

func TestExpectNothing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		started := time.Now()
		w.see(up(started))
		expect(t, w, startpattern.Run{StartedAt: started}, "Done")
		c := end(t, w.pipes.outputs)
		expect(t, w, startpattern.Run{StartedAt: started}, "")
		if !ended(c) {
			t.Error("the stream is open though nothing is expected")
		}
		if err := w.Expect(id, target, startpattern.Run{}, "("); err == nil {
			t.Error("no error for a bad pattern")
		}
	})
}

// TestWhatIsTypedIsNoMatch, live and in the log; what the program prints is one, also where it is
// the same text.
func TestWhatIsTypedIsNoMatch(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.running(true, false)
		started := w.Get(id).Run.StartedAt
		in := w.OpenInput(id)
		defer in.Close()
		w.writes(t, in, "Do")
		process := reader{t, end(t, w.pipes.inputs)}
		process.wants("Do")
		expect(t, w, startpattern.Run{StartedAt: started}, "Done$")
		c := end(t, w.pipes.outputs)
		say(t, c, "> Do")
		w.writes(t, in, "ne")
		process.wants("ne")
		say(t, c, "ne")
		time.Sleep(time.Second) // and it is quiet
		w.writes(t, in, "\n")
		process.wants("\n")
		say(t, c, "\r\n> ")
		w.pipes.set(func() { w.pipes.log, w.pipes.since = "> Done\r\n", nil })
		c.Close()
		time.Sleep(2 * overdue) // the stream is opened again, and the log read
		c = end(t, w.pipes.outputs)
		if w.pipes.set(func() {
			if len(w.pipes.since) == 0 {
				t.Error("the log was not read")
			}
		}); w.Matched(id, target.ContainerID, started) {
			t.Fatal("an echo matched")
		}
		say(t, c, "\r\x1b[KDone\r\n> ")
		if !w.Matched(id, target.ContainerID, started) {
			t.Error("the answer does not match")
		}
	})
}
