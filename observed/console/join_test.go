package console

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	cerrdefs "github.com/containerd/errdefs"

	"lightd/observed"
	"lightd/observed/replay"
	"lightd/observed/streams"
)

// watched is a container on a tape, a daemon that may be restarted and a client that comes
// and goes, with the position of the last message that it got. It lives in a bubble.
type watched struct {
	t    testing.TB
	rng  *rand.Rand
	tape *tape
	c    *rooms
	sub  *Subscription

	mu   sync.Mutex
	now  observed.Snapshot
	from From
	log  observed.Log

	printed [streams.Outputs]strings.Builder
	lines   int
	got     strings.Builder
	notices []string
	lost    int64
}

func (w *watched) Get(string) observed.Snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *watched) see(c observed.Container) {
	w.mu.Lock()
	w.now = observed.Snapshot{Known: true, EngineUp: true, At: time.Now(), Run: &c}
	w.mu.Unlock()
	w.c.Notify(id)
}

func (w *watched) boot() {
	w.c = newRooms(w.tape, w, func(string) {})
}

func (w *watched) connect() {
	w.sub = w.c.Subscribe(id, w.from)
}

// read takes what has come.
func (w *watched) read() {
	if w.sub == nil {
		return
	}
	for {
		synctest.Wait()
		select {
		case c, ok := <-w.sub.C():
			if !ok {
				w.sub = nil
				return
			}
			p, err := replay.ParsePosition(c.Position)
			if err != nil {
				w.t.Fatalf("position %q of %+v", c.Position, c)
			}
			w.from = From{Since: p}
			w.lost += c.Lost
			if c.Notice != "" {
				w.notices = append(w.notices, c.Notice)
			}
			w.got.WriteString(c.Text)
			continue
		default:
		}
		return
	}
}

func (w *watched) disconnect() {
	if w.sub != nil {
		w.sub.Close()
		w.sub = nil
	}
}

func (w *watched) container(p observed.Phase, started, finished time.Time) observed.Container {
	return observed.Container{ContainerID: "c1", Role: observed.RoleRun,
		State: observed.State{Phase: p, StartedAt: started, FinishedAt: finished}, Config: observed.Config{TTY: w.tape.tty, Log: w.log}}
}

// print prints a few lines; each output has its own letters.
func (w *watched) print(out int) {
	var b strings.Builder
	word := func() string {
		w.lines++
		text := strings.Map(func(r rune) rune { return r - '0' + 'a' }, fmt.Sprint(w.lines))
		switch w.rng.IntN(12) {
		case 0:
			text = strings.Repeat("q", w.rng.IntN(3000)) + text
		case 1:
			text += "é" + "\x1b[1m"
		case 2:
			text = "tick"
		case 3:
			text = strings.Repeat("z", part-1+w.rng.IntN(3)-len(text)) + text
		}
		return text
	}
	for range 1 + w.rng.IntN(4) {
		b.WriteString(word())
		b.WriteString("\n")
	}
	text := b.String()
	if out == 1 {
		text = strings.ToUpper(text)
	}
	w.printed[out].WriteString(text)
	w.tape.print(out, text)
}

// only returns the letters of one output.
func only(out int, text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' && out == 0 || r >= 'A' && r <= 'Z' && out == 1 || r == 'é' && out == 0 || r == 'É' && out == 1 {
			return r
		}
		return -1
	}, text)
}

func (w *watched) check(what string) {
	w.t.Helper()
	for out := range streams.Outputs {
		got, want := only(out, w.got.String()), only(out, w.printed[out].String())
		if got == want {
			continue
		}
		at := 0
		for at < min(len(got), len(want)) && got[at] == want[at] {
			at++
		}
		w.t.Fatalf("%s: output %d has %d letters of %d, differs at %d:\ngot  %.60q\nwant %.60q", what, out, len(got), len(want), at, got[max(0, at-20):], want[max(0, at-20):])
	}
	got := strings.Count(w.got.String(), "\n")
	if want := strings.Count(w.printed[0].String()+w.printed[1].String(), "\n"); got != want {
		w.t.Fatalf("%s: %d lines of %d", what, got, want)
	}
}

// life is a random life of a container, its daemon and a client.
type life struct {
	*watched
	tty, up           bool
	started, finished time.Time
	trace             []string
}

func (l *life) did(what string) {
	l.trace = append(l.trace, fmt.Sprint(what, "@", time.Now().Format("05.000")))
}

// start starts the process, with the output attached before or found later.
func (l *life) start(prepare bool) {
	l.did(fmt.Sprint("start ", prepare))
	if prepare {
		_ = l.c.Prepare(context.Background(), id, streams.Target{ContainerID: "c1", TTY: l.tty})
	}
	time.Sleep(time.Millisecond)
	l.started, l.up = time.Now(), true
	if l.rng.IntN(2) == 0 {
		l.print(0)
	}
	time.Sleep(time.Millisecond)
	l.see(l.container(observed.Running, l.started, l.finished))
}

func (l *life) exit() {
	l.did("exit")
	time.Sleep(50 * time.Millisecond)
	l.tape.exit()
	time.Sleep(20 * time.Millisecond)
	l.finished, l.up = time.Now(), false
	l.see(l.container(observed.Exited, l.started, l.finished))
	time.Sleep(200 * time.Millisecond)
}

// reboot ends the daemon, and starts another one some time later.
func (l *life) reboot() {
	l.did("reboot")
	l.read()
	l.c.Close()
	l.read()
	l.disconnect()
	time.Sleep(time.Duration(l.rng.IntN(2000)) * time.Millisecond)
	l.boot()
}

// next lets one thing happen.
func (l *life) next() {
	switch n := l.rng.IntN(20); {
	case !l.up:
		l.start(l.rng.IntN(3) > 0)
	case n < 10:
		out := 0
		if !l.tty && l.rng.IntN(3) == 0 {
			out = 1
		}
		l.did(fmt.Sprint("print ", out))
		l.print(out)
	case n == 10:
		l.did("cut")
		l.tape.cut()
	case n == 11 && l.sub != nil:
		l.did("leave")
		l.disconnect()
	case n <= 14 && l.sub == nil:
		l.did("return")
		l.connect()
	case n == 15:
		l.reboot()
	case n == 16:
		l.exit()
	case n == 17:
		time.Sleep(time.Duration(l.rng.IntN(60)) * time.Second)
	default:
		time.Sleep(time.Duration(l.rng.IntN(200)) * time.Millisecond)
	}
}

// liveThrough a random life: whatever happens, the client's text is what was printed.
func liveThrough(t *testing.T, seed uint64, rotate bool) {
	rng := rand.New(rand.NewPCG(seed, 1))
	tty := rng.IntN(2) == 0
	lag := func(limit int) func() time.Duration {
		return func() time.Duration { return time.Duration(rng.IntN(limit*1000)) * time.Microsecond }
	}
	w := &watched{t: t, rng: rng, tape: &tape{tty: tty, streamLag: lag(5), logLag: lag(20)}}
	if rotate {
		w.tape.keep, w.log = 40<<10, observed.Log{MaxSize: "20k", MaxFile: "2"}
	}
	l := &life{watched: w, tty: tty}
	time.Sleep(time.Hour)
	w.boot()
	defer func() {
		if t.Failed() {
			t.Log(strings.Join(l.trace, " "), w.notices)
		}
	}()
	w.see(w.container(observed.Created, time.Time{}, time.Time{}))
	w.from = From{Since: replay.At(time.Now())}
	w.connect()
	for range 40 {
		w.read()
		l.next()
		time.Sleep(time.Duration(rng.IntN(3000)) * time.Microsecond)
	}
	l.did("end")
	if w.sub == nil {
		w.connect()
	}
	for range 60 {
		w.read()
		time.Sleep(100 * time.Millisecond)
	}
	w.read()
	defer w.c.Close()
	defer w.disconnect()
	if len(w.notices) == 0 && w.lost == 0 {
		w.check(fmt.Sprint("seed ", seed))
	} else if !rotate {
		t.Errorf("seed %d: a gap was reported: %q, %d bytes", seed, w.notices, w.lost)
	}
}

func TestTextIsCompleteWhateverHappens(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) { liveThrough(t, seed, false) })
		if t.Failed() {
			return
		}
	}
}

// TestTextIsCompleteOrTheGapIsTold lets the log rotate so fast that much of it is gone
// before it is read.
func TestTextIsCompleteOrTheGapIsTold(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) { liveThrough(t, seed, true) })
		if t.Failed() {
			return
		}
	}
}

// TestTextWhileAStreamOpens: a client has what is printed from its subscription on, as the answer to a command
// that it sends at once, however long the engine takes to open the stream, or refuses to, as that of a container
// that is paused.
func TestTextWhileAStreamOpens(t *testing.T) {
	for _, tty := range []bool{true, false} {
		for _, late := range []struct{ refused, attachTime time.Duration }{
			{0, 30 * time.Millisecond}, {0, time.Second}, {0, 3 * time.Second}, {10 * time.Second, 0}, {time.Minute, time.Second},
		} {
			synctest.Test(t, func(t *testing.T) {
				none := func() time.Duration { return 0 }
				attachTime := late.attachTime
				w := &watched{t: t, rng: rand.New(rand.NewPCG(1, 1)), tape: &tape{tty: tty, streamLag: none, logLag: none, attachTime: attachTime}}
				w.boot()
				defer w.c.Close()
				w.see(w.container(observed.Running, time.Now(), time.Time{}))
				time.Sleep(time.Hour)
				w.tape.print(0, "before\n")
				time.Sleep(time.Millisecond)
				w.tape.refused(late.refused > 0)
				w.connect()
				defer w.disconnect()
				time.Sleep(late.refused / 2)
				w.print(0)
				time.Sleep(late.refused / 2)
				w.tape.refused(false)
				time.Sleep(attachTime / 2)
				w.print(0)
				time.Sleep(attachTime)
				w.print(0)
				time.Sleep(10 * time.Second)
				w.read()
				w.check(fmt.Sprint(tty, late))
				if len(w.notices) > 0 {
					t.Errorf("%q", w.notices)
				}
			})
		}
	}
}

// TestRunWhoseLogCannotBeRead: an output that was silent until the end has its rest in the
// log, and so has one whose stream broke what was printed until there was another. That it
// cannot be read is told, but not of a container that is removed just then.
func TestRunWhoseLogCannotBeRead(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{errRefused, replay.NoticeNoLog},
		{fmt.Errorf("read logs: %w", cerrdefs.ErrNotFound), ""},
		{fmt.Errorf("read logs: %w", cerrdefs.ErrConflict), ""},
	} {
		for _, phase := range []observed.Phase{observed.Exited, observed.Running} {
			bubble(t, func(t *testing.T, w *world) {
				started := time.Now()
				w.see(up(started))
				time.Sleep(time.Minute)
				s := sub(t, w)
				c1 := end(t, w.pipes.outputs)
				w.pipes.set(func() { w.pipes.logErr = c.err })
				if err := c1.Close(); err != nil {
					t.Fatal(err)
				}
				w.see(inPhase(phase, started))
				if got := next(s, time.Minute).Notice; got != c.want {
					t.Errorf("%v of a container that is %s: the notice is %q, want %q", c.err, phase, got, c.want)
				}
			})
		}
	}
}
