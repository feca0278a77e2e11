package console

import (
	"context"
	"log/slog"
	"time"

	"lightd/observed/startpattern"
	"lightd/observed/stdin"
	"lightd/observed/streams"
	"lightd/observed/usage"
)

// rooms is a Console with the input and the figures beside it, as a daemon has them.
type rooms struct {
	*Console
	*stdin.Registry
	probes   *startpattern.Registry
	figures  *usage.Registry
	group    *streams.Group
	notifier *streams.Notifier
}

// allSources opens every kind of stream.
type allSources interface {
	Source
	stdin.Source
	usage.Source
}

func newRooms(source allSources, targets streams.Targets, changed func(id string)) *rooms {
	log := slog.New(slog.DiscardHandler)
	r := &rooms{group: streams.NewGroup()}
	r.probes = startpattern.New(startpattern.Config{Source: source, Changed: changed, Log: log})
	r.Console = New(Config{Source: source, Targets: targets, Tap: r.probes, Log: log})
	r.probes.ReadFrom(r.Console)
	r.Registry = stdin.New(stdin.Config{Source: source, Targets: targets, AwaitOutput: r.Console.AwaitOpen, Typed: r.probes.Typed, Log: log})
	r.figures = usage.New(source, targets)
	r.notifier = streams.NewNotifier(r.group, func(id string) {
		r.Console.Reconcile(id)
		r.Registry.Reconcile(id)
		r.figures.Reconcile(id)
	})
	return r
}

func (r *rooms) Notify(id string) { r.notifier.Notify(id) }

func (r *rooms) SubscribeStats(id string) *usage.Subscription { return r.figures.SubscribeStats(id) }

func (r *rooms) Expect(id string, t streams.Target, run startpattern.Run, pattern string) error {
	return r.probes.Expect(id, t, run, pattern)
}

func (r *rooms) Matched(id, containerID string, startedAt time.Time) bool {
	return r.probes.Matched(id, containerID, startedAt)
}

func (r *rooms) Forget(id string) {
	r.probes.Forget(id)
	r.Console.Forget(id)
	r.Registry.Forget(id)
	r.figures.Forget(id)
}

func (r *rooms) Close() {
	r.group.Close()
	r.Registry.Close()
	r.probes.Close()
	r.Console.Close()
	r.figures.Close()
}

// writeAs writes as a client that comes for this alone.
func (r *rooms) writeAs(ctx context.Context, id string, data []byte) error {
	in := r.OpenInput(id)
	defer in.Close()
	return in.Write(ctx, data)
}

// The times of start patterns, the form of a time in Docker's log, and where Docker splits a line.
const (
	quiet     = 50 * time.Millisecond
	patience  = 500 * time.Millisecond
	overdue   = 10 * time.Second
	logDelay  = time.Second
	logSlack  = 2 * time.Second
	stampForm = "2006-01-02T15:04:05.000000000Z07:00"
	part      = 16 << 10
)

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
