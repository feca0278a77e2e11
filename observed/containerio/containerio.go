// Package containerio joins the packages for what passes between clients and the processes of
// containers: output (console), start patterns (startpattern), input (stdin) and resource usage
// (usage). Each of them has state of its own for an id; a change of an observation reaches all of
// them here, and all of them forget an id.
package containerio

import (
	"log/slog"

	"lightd/observed/console"
	"lightd/observed/startpattern"
	"lightd/observed/stdin"
	"lightd/observed/streams"
	"lightd/observed/usage"
)

// Source opens the streams of containers; streams.Docker does.
type Source interface {
	console.Source
	stdin.Source
	usage.Source
}

// Config is what an IO works with.
type Config struct {
	Source  Source
	Targets streams.Targets
	// Changed is called, without any lock held, when Matched has news of an id. It must
	// not block.
	Changed func(id string)
	Log     *slog.Logger
}

// The names of the rooms in an IO.
type (
	output   = console.Console
	patterns = startpattern.Registry
	input    = stdin.Registry
	figures  = usage.Registry
)

// IO has the streams of a node's containers.
type IO struct {
	*output
	*patterns
	*input
	*figures

	group    *streams.Group
	notifier *streams.Notifier
}

// New returns an IO that has no stream open. Close it.
func New(cfg Config) *IO {
	io := &IO{group: streams.NewGroup()}
	io.patterns = startpattern.New(startpattern.Config{Source: cfg.Source, Changed: cfg.Changed, Log: cfg.Log})
	io.output = console.New(console.Config{Source: cfg.Source, Targets: cfg.Targets, Tap: io.patterns, Log: cfg.Log})
	io.patterns.ReadFrom(io.output)
	io.input = stdin.New(stdin.Config{
		Source: cfg.Source, Targets: cfg.Targets, AwaitOutput: io.output.AwaitOpen, Typed: io.patterns.Typed, Log: cfg.Log,
	})
	io.figures = usage.New(cfg.Source, cfg.Targets)
	io.notifier = streams.NewNotifier(io.group, io.Reconcile)
	return io
}

// Usage returns the registry of the figures of what containers use.
func (io *IO) Usage() *usage.Registry { return io.figures }

// Notify reports that the observation of id has changed. It never blocks, and may be called from
// within the cache's callback.
func (io *IO) Notify(id string) { io.notifier.Notify(id) }

// Reconcile opens and closes the streams of id as its observation demands.
func (io *IO) Reconcile(id string) {
	io.output.Reconcile(id)
	io.input.Reconcile(id)
	io.figures.Reconcile(id)
}

// Forget drops what is kept of id: streams, the input connection and the expected pattern.
// Subscriptions stay until they are closed, and follow a container that is recreated.
func (io *IO) Forget(id string) {
	io.patterns.Forget(id)
	io.output.Forget(id)
	io.input.Forget(id)
	io.figures.Forget(id)
}

// Close ends every stream, subscription and goroutine, and returns when they have ended.
func (io *IO) Close() {
	io.group.Close()
	io.input.Close()
	io.patterns.Close()
	io.output.Close()
	io.figures.Close()
}
