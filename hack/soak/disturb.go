package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"lightd/observed/status"
)

// disturbPause is the mean time between two disturbances of the whole node; calm is how long before the
// end of the load the last one begins, and how long one is thought to have an effect.
const (
	disturbPause = 3 * time.Minute
	calm         = 30 * time.Second
)

// disturb restarts the engine that this run has started, and kills the daemon where that is asked for,
// until ctx ends.
func (r *run) disturb(ctx context.Context) {
	var kinds []func(context.Context) error
	if r.engine.dir != "" && r.options.restarts {
		kinds = append(kinds, r.restartEngine)
	}
	if r.options.kills {
		kinds = append(kinds, r.killDaemon)
	}
	if len(kinds) == 0 {
		return
	}
	random := rand.New(rand.NewPCG(r.options.seed, 1<<32))
	for {
		mean := min(disturbPause, r.options.duration/3)
		pause := mean/2 + time.Duration(random.Int64N(int64(mean)))
		kind := kinds[random.IntN(len(kinds))]
		if time.Since(r.samples.began)+pause+calm > r.options.duration || sleep(ctx, pause) != nil {
			return
		}
		// One that has begun is ended: the rest of the run needs both.
		if err := kind(context.WithoutCancel(ctx)); err != nil {
			r.fail("%v", err)
			return
		}
	}
}

// restartEngine restarts the engine when it starts, stops and installs nothing: one that is stopped in the middle of
// a start loses track of ports and tasks (moby/moby#20486), which no daemon can put right.
func (r *run) restartEngine(ctx context.Context) error {
	r.gate.Lock()
	defer r.gate.Unlock()
	if err := await(ctx, "the node does not come to rest", func() error { return r.quiescent(ctx) }); err != nil {
		return err
	}
	r.beginDisturbance("the engine restarts")
	defer r.endDisturbance("the engine is back")
	return r.engine.restart(ctx)
}

// quiescent returns which container the engine has to do with.
func (r *run) quiescent(ctx context.Context) error {
	all, err := r.quiet.List(ctx, "")
	for _, c := range all.Containers {
		if c.State == status.StateStarting || c.State == status.StateStopping || c.InstallState == status.Installing {
			return fmt.Errorf("%s is %s and %s", c.InternalID, c.State, c.InstallState)
		}
	}
	return err
}

func (r *run) killDaemon(ctx context.Context) error {
	r.beginDisturbance("the daemon is killed")
	defer r.endDisturbance("the daemon is back")
	r.daemon.Kill()
	return r.startDaemon(ctx)
}

func (r *run) beginDisturbance(what string) {
	r.samples.mark(what)
	r.log("%s", what)
	r.disturbances.Add(1)
	r.underway.Store(true)
}

func (r *run) endDisturbance(what string) {
	r.log("%s", what)
	r.calmAt.Store(time.Now().Add(calm).UnixNano())
	r.underway.Store(false)
}

// disturbed reports whether engine or daemon is away, or was a moment ago.
func (r *run) disturbed() bool { return r.underway.Load() || time.Now().UnixNano() < r.calmAt.Load() }
