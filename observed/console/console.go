package console

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"lightd/observed"
)

// Errors that callers decide by.
var (
	// ErrNotRunning: the container has no process that could read.
	ErrNotRunning = errors.New("container is not running")
	// ErrTimeout: the program did not read its input in time. How much of it arrived
	// is not known.
	ErrTimeout = errors.New("program does not read its input")
	// ErrNoContainer: there is no container to read from.
	ErrNoContainer = errors.New("no container exists")
	// ErrClosed: the console was closed.
	ErrClosed = errors.New("console is closed")
)

// Targets tells which containers an id has now; the live cache does.
type Targets interface {
	Get(id string) observed.Snapshot
}

// Config is what a Console works with.
type Config struct {
	Streams Streams
	Targets Targets
	// Changed is called, without any lock held, when Matched has news of an id. It must
	// not block.
	Changed func(id string)
	Log     *slog.Logger
}

// Target names one container, and how its output is framed.
type Target struct {
	ContainerID string
	TTY         bool
}

// Run names one life of a container.
type Run struct {
	// StartedAt is zero before the start; the expectation is then bound to the run
	// when a later call brings its time.
	StartedAt time.Time
	// Since is where the output of this run begins in the log: the end of the run
	// before it. When zero, shortly before StartedAt.
	Since time.Time
}

// Console is the hub of all streams of a node's containers.
type Console struct {
	cfg Config
}

// New returns a Console that has no stream open. Close it.
func New(cfg Config) *Console { return &Console{cfg: cfg} }

// Close ends every stream, subscription and goroutine, and returns when they are gone.
func (c *Console) Close() {}

// Notify says that the observation of id has changed. It never blocks, and may be called
// from within the cache's callback.
func (c *Console) Notify(id string) {}

// Forget drops what is kept of id: streams, the input connection and the expected pattern.
// Subscriptions stay until they are closed, and see a container that is made anew.
func (c *Console) Forget(id string) {}

// Prepare is called right before container t of id is started. When somebody needs its
// output, Prepare returns once the output stream is open, so that the first byte is not
// missed; it takes at most 5 s. An error is worth a log line and no more: output is then
// followed from the moment the container is seen up, and a pattern is looked for in the log.
func (c *Console) Prepare(ctx context.Context, id string, t Target) error { return nil }

// Expect says that pattern (RE2) is to be looked for in the output of one run of t. It is
// idempotent. With a zero StartedAt it comes before Prepare and the start; the first call
// with the StartedAt of that start binds it. An empty pattern expects nothing.
func (c *Console) Expect(id string, t Target, run Run, pattern string) error { return nil }

// Matched reports whether the expected pattern was seen in that run.
func (c *Console) Matched(id, containerID string, startedAt time.Time) bool { return false }

// Write sends data to the standard input of the runtime container of id, whole and in
// order: what others write comes before or after it. The context bounds the wait for its
// turn and for the connection. Once begun it is carried through, or ends as ErrTimeout, so
// that no half line is left behind by a client that goes away.
func (c *Console) Write(ctx context.Context, id string, data []byte) error { return nil }

// Tail returns the last lines that the container of id wrote, as Docker's log has them: of
// the install container while it runs, else of the runtime container. Zero lines are the
// default of 200; more than 5,000 are 5,000.
func (c *Console) Tail(ctx context.Context, id string, lines int) (string, error) { return "", nil }
