package stdin

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"lightd/observed/streams"
)

// Errors that callers decide by.
var (
	// ErrNotRunning: the container has no process that could read.
	ErrNotRunning = errors.New("container is not running")
	// ErrPaused: Docker gives no input of a container that somebody has paused.
	ErrPaused = errors.New("container is paused in Docker")
	// ErrTimeout: the program did not read its input in time. How much of it arrived
	// is not known.
	ErrTimeout = errors.New("program does not read its input")

	errUnknown = errors.New("the engine has not shown yet whether the container runs")
)

// Source opens the input of a container; Docker does.
type Source interface {
	// AttachInput opens the standard input. The context bounds the connection too.
	AttachInput(ctx context.Context, containerID string) (streams.Conn, error)
	// Resize sets the size of a terminal.
	Resize(ctx context.Context, containerID string, cols, rows int) error
}

// Config is what a Registry works with.
type Config struct {
	Source  Source
	Targets streams.Targets
	// AwaitOutput is called before something is written. It returns once those who read the output of the
	// container get what it prints from then on, or ctx has ended.
	AwaitOutput func(ctx context.Context, id string)
	// Typed is called with what is about to be written to a terminal, which may echo it.
	Typed func(id string, run streams.Run, data []byte)
	Log   *slog.Logger
}

// Registry has the inputs of all ids.
type Registry struct {
	cfg     Config
	created time.Time
	group   *streams.Group

	mu     sync.Mutex // a leaf: nothing is called with it held
	inputs map[string]*input
	sizes  map[string]*pendingSize
}

// input is what there is of the input of one id.
type input struct {
	r     *Registry
	id    string
	users int  // under the registry's lock
	kept  bool // has a use of its own, until Forget; under the registry's lock

	turn chan struct{} // capacity 1: who holds it may write
	line openLine      // belongs to whoever holds the turn

	mu         sync.Mutex
	connection *connection
	news       chan struct{} // closed when the container may have changed

	sizing sync.Mutex // held while the terminal is resized, before mu
	size   Size       // what sizer has set
	sizer  *Input     // nil: no client that is there
	sized  streams.Run
}

// New returns a Registry that has no connection open. Close it.
func New(cfg Config) *Registry {
	return &Registry{
		cfg: cfg, created: time.Now(), group: streams.NewGroup(),
		inputs: make(map[string]*input), sizes: make(map[string]*pendingSize),
	}
}

// Close ends all connections, and returns when their goroutines have ended.
func (r *Registry) Close() { r.group.Close() }

// get returns the input of id, or nil.
func (r *Registry) get(id string) *input {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.inputs[id]
}

// acquire begins a use of the input of id.
func (r *Registry) acquire(id string) *input {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.inputs[id]
	if i == nil {
		i = &input{r: r, id: id, turn: make(chan struct{}, 1), news: make(chan struct{})}
		r.inputs[id] = i
	}
	i.users++
	return i
}

// use begins another use of i, if it has one.
func (r *Registry) use(i *input) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i.users == 0 {
		return false
	}
	i.users++
	return true
}

// release ends a use of i, and drops it when it has none.
func (r *Registry) release(i *input) {
	r.mu.Lock()
	i.users--
	drop := i.users == 0 && !i.kept
	if drop && r.inputs[i.id] == i {
		delete(r.inputs, i.id)
	}
	r.mu.Unlock()
	if drop {
		i.disconnect()
	}
}

// keep holds i until Forget: the state of its line outlives its clients.
func (r *Registry) keep(i *input) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i.kept = true
}

// Forget drops the connection of id, and what is kept for it. The inputs of clients stay until
// they are closed, and write to a container that is recreated.
func (r *Registry) Forget(id string) {
	r.mu.Lock()
	i := r.inputs[id]
	if i != nil {
		i.kept = false
		if i.users == 0 {
			delete(r.inputs, id)
		}
	}
	r.mu.Unlock()
	if i != nil {
		i.disconnect()
	}
}

// Reconcile closes the connection of a run that has ended, opens one to the run that has begun if a client may
// write to it, sets the size of a terminal that was started, and lets what waits for news of the container look again.
func (r *Registry) Reconcile(id string) {
	i := r.get(id)
	if i == nil || r.group.Context().Err() != nil {
		return
	}
	s := r.cfg.Targets.Get(id)
	i.mu.Lock()
	close(i.news)
	i.news = make(chan struct{})
	i.reconcileConnectionLocked(s)
	i.reconcileSizeLocked(s)
	i.mu.Unlock()
	i.openAhead()
}
