package httpapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/desired/store"
	"lightd/desired/subscribe"
	"lightd/desired/token"
	"lightd/httpapi/socket"
	"lightd/observed"
	"lightd/observed/console"
	"lightd/observed/records"
	"lightd/observed/status"
	"lightd/observed/stdin"
	"lightd/observed/usage"
)

// engineSwitch is an engine that is there or not.
type engineSwitch struct {
	subscribe.Funcs[bool]
	down, hangs atomic.Bool
}

func (e *engineSwitch) Up() (bool, time.Time) { return !e.down.Load(), time.Time{} }

// Ping is answered by an engine that does not hang.
func (e *engineSwitch) Ping(ctx context.Context) error {
	if !e.hangs.Load() {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (e *engineSwitch) Subscribe(fn func(bool)) (cancel func()) { return e.Add(fn) }

// turn makes the engine go or come.
func (e *engineSwitch) turn(down bool) {
	e.down.Store(down)
	e.Notify(!down)
}

// fakeConsole prints what a test feeds it.
type fakeConsole struct {
	mu      sync.Mutex
	outputs map[string]chan console.Chunk
	figures map[string]chan observed.Stats
	written bytes.Buffer
	from    console.From
	history []console.Chunk
	failure error
	refusal error // of what is written
}

type fakeOutput struct{ c chan console.Chunk }
type fakeFigures struct{ c chan observed.Stats }

func (o fakeOutput) C() <-chan console.Chunk   { return o.c }
func (o fakeOutput) Close()                    {}
func (o fakeFigures) C() <-chan observed.Stats { return o.c }
func (o fakeFigures) Close()                   {}

func (f *fakeConsole) output(id string) chan console.Chunk {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.outputs[id] == nil {
		f.outputs[id] = make(chan console.Chunk)
		f.figures[id] = make(chan observed.Stats)
	}
	return f.outputs[id]
}

func (f *fakeConsole) Subscribe(id string, from console.From) socket.Output {
	f.mu.Lock()
	f.from = from
	f.mu.Unlock()
	return fakeOutput{f.output(id)}
}

// History hands out what a test has put there, and then fails if it is to.
func (f *fakeConsole) History(_ context.Context, id string, from console.From, fn func(console.Chunk) error) error {
	f.mu.Lock()
	f.from = from
	chunks, failure := f.history, f.failure
	f.mu.Unlock()
	if id == "web" && from.Lines == 13 {
		return errors.New("the engine went away")
	}
	for _, chunk := range chunks {
		if err := fn(chunk); err != nil {
			return err
		}
	}
	return failure
}

func (f *fakeConsole) SubscribeStats(id string) socket.Stats {
	f.output(id)
	f.mu.Lock()
	defer f.mu.Unlock()
	return fakeFigures{f.figures[id]}
}

func (f *fakeConsole) OpenInput(id string) socket.Input { return fakeInput{f, id} }

// fakeInput takes what is written to "web".
type fakeInput struct {
	*fakeConsole
	id string
}

func (f fakeInput) Close() {}

func (f fakeInput) Resize(_ context.Context, s stdin.Size) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	fmt.Fprintf(&f.written, "[%d by %d]", s.Cols, s.Rows)
	return nil
}

func (f fakeInput) Write(_ context.Context, data []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.id != "web" {
		return stdin.ErrNotRunning
	}
	if f.refusal != nil {
		return f.refusal
	}
	f.written.Write(data)
	return nil
}

// planner projects from what is recorded, of an engine that has nothing.
type planner struct {
	records *records.Statuses
	engine  *engineSwitch
}

// Stalled is never.
func (planner) Stalled() time.Duration { return 0 }

// NextAttempt is the start of what crashes.
func (p planner) NextAttempt(id string) plan.Attempt {
	st, _ := p.records.Get(id)
	return plan.Attempt{At: st.NotBefore, Number: st.Crashes}
}

func (p planner) Simulate(c desired.Container) plan.Simulation {
	st, _ := p.records.Get(c.InternalID)
	up, _ := p.engine.Up()
	return plan.Simulate(plan.Input{Spec: c, Status: st, Seen: observed.Snapshot{Known: up, EngineUp: up}, Now: time.Now()})
}

// controller is what the Server needs of one.
type controller struct {
	planner
	*fakeDrifts
	*fakeDrain
}

// fakeDrain is what a test says that a drain waits for.
type fakeDrain struct{ drain status.Drain }

func (f *fakeDrain) Drain() status.Drain { return f.drain }

// switchedDatabase is the store, with a ping that a test can break.
type switchedDatabase struct {
	*store.Store
	broken atomic.Bool
}

func (d *switchedDatabase) Ping(ctx context.Context) error {
	if d.broken.Load() {
		return desired.ErrUnavailable
	}
	return d.Store.Ping(ctx)
}

// agedTokens is the keeper of tokens in a later hour: what has expired by then is over, and
// no test waits for it.
type agedTokens struct {
	*token.Keeper
	ahead atomic.Int64
}

// pass lets time pass for the tokens.
func (a *agedTokens) pass(d time.Duration) { a.ahead.Add(int64(d)) }

func (a *agedTokens) Valid(g token.Grant) bool {
	late := !g.Master() && time.Now().Add(time.Duration(a.ahead.Load())).After(g.ExpiresAt)
	return !late && a.Keeper.Valid(g)
}

func (a *agedTokens) Lookup(text string) (token.Grant, error) {
	g, err := a.Keeper.Lookup(text)
	if err == nil && !a.Valid(g) {
		return token.Grant{}, token.ErrUnknown
	}
	return g, err
}

// figures measures the same of every container, and nothing of "web".
type figures struct{}

// Measure implements node.Measurer.
func (figures) Measure(_ context.Context, ids []string) map[string]usage.Figures {
	found := map[string]usage.Figures{}
	for _, id := range ids {
		if id != "web" {
			found[id] = usage.Figures{StartedAt: time.Now().Add(-time.Hour), At: time.Now(), Stats: observed.Stats{CPUUsage: 12.5}}
		}
	}
	return found
}

// metricsOfNobody is the answer of a daemon that counts nothing.
var metricsOfNobody = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, "# EOF\n")
})

// backupOfNothing is a backup that is not one.
func backupOfNothing(_ context.Context, to io.Writer, _ bool) error {
	_, err := io.WriteString(to, "a backup")
	return err
}
