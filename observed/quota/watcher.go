package quota

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"lightd/desired"
	"lightd/desired/subscribe"
	"lightd/observed"
)

// How often what is done.
const (
	countEvery = 10 * time.Second
	markEvery  = time.Hour
	// A volume is measured again after walkFactor times as long as that takes, within these bounds.
	walkFactor                = 200
	measureMost, measureLeast = time.Minute, 10 * time.Second
	// restFactor is how many times as long as a walk takes it is rested for afterwards, maxRest how long at most.
	restFactor = 9
	maxRest    = time.Minute
	// askedMost is how long a measurement that a write asks for may take.
	askedMost = 2 * time.Second
)

// Volumes are the volumes of the node.
type Volumes interface {
	// Quotas returns the quotas in bytes, by volume, Quota that of one volume; 0 is none, or no longer one.
	Quotas() (map[string]int64, error)
	Quota(id string) (int64, error)
	// Use returns what a volume takes of the disk, and Enforce has the kernel enforce its quota where it can.
	Use(ctx context.Context, id string) (desired.VolumeUse, error)
	Enforce(ctx context.Context, id string) error
}

// Config is what a Watcher works with.
type Config struct {
	Volumes Volumes
	// Changed is called, without any lock held, when Of has news of a volume. It must not block.
	Changed func(volume string)
	Log     *slog.Logger
}

// Watcher measures the volumes that have quotas. Run it once; its other methods may be used by any number of
// goroutines.
type Watcher struct {
	cfg  Config
	wake chan struct{} // capacity 1

	mu      sync.Mutex
	loaded  bool                // guarded by mu, as is the rest: whether targets has all volumes with a quota
	noted   map[string]struct{} // volumes whose quota may have changed
	targets map[string]*target

	asking    sync.Mutex // held by the one who measures for a write
	restUntil time.Time  // guarded by asking: until when no write has a volume measured
}

// target is a volume with a quota.
type target struct {
	quota int64
	// use is the last measurement, measured whether there is one. written is what was ever written through Lightd,
	// and counted how much of that the measurement has.
	use              desired.VolumeUse
	measured         bool
	written, counted int64
	// walkAt is when the files are next walked through.
	walkAt time.Time
	// failed is the last failure, which is logged once.
	failed string
}

// New returns a Watcher that knows nothing until it is Run.
func New(cfg Config) *Watcher {
	return &Watcher{cfg: cfg, wake: make(chan struct{}, 1), noted: map[string]struct{}{}, targets: map[string]*target{}}
}

// Notify reports that the quota of a volume may have changed, or that the volume is gone. It never blocks.
func (w *Watcher) Notify(volume string) {
	w.mu.Lock()
	w.noted[volume] = struct{}{}
	w.mu.Unlock()
	w.poke()
}

func (w *Watcher) poke() {
	subscribe.Wake(w.wake)
}

// Of returns what is known of a volume.
func (w *Watcher) Of(volume string) observed.VolumeQuota {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ofLocked(volume)
}

func (w *Watcher) ofLocked(volume string) observed.VolumeQuota {
	known := observed.VolumeQuota{Known: w.loaded}
	if t := w.targets[volume]; t != nil && w.loaded {
		known.Bytes, known.Used, known.Use = t.quota, t.use.Bytes, t.level()
	}
	return known
}

// level compares the use of a volume with its quota.
func (t *target) level() observed.QuotaUse {
	full := t.quota + 1
	if t.use.Enforced {
		// The kernel refuses what needs more than is left: a full volume is rarely full to the byte.
		full = t.quota - min(256<<10, t.quota/100)
	}
	switch used := t.use.Bytes; {
	case !t.measured:
		return observed.QuotaNotMeasured
	case t.use.AtLeast, used >= full:
		return observed.OverQuota
	case used < t.quota-t.quota/20:
		return observed.BelowQuota
	}
	return observed.NearQuota
}

// Left returns how many bytes may still be written to a volume; limited is false of one without a quota. Where the
// kernel does not count, what Wrote has reported since the last measurement is taken off. If that leaves less than
// wanted, the volume is measured again first, as something may have been deleted or replaced since, or soon
// where other such measurements have had their share of the time.
func (w *Watcher) Left(volume string, wanted int64) (bytes int64, limited bool) {
	if w.enforced(volume) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = w.measure(ctx, volume) // else the last count is the best that is known
	}
	left, limited, enforced := w.left(volume)
	if left >= wanted || !limited || enforced {
		return left, limited
	}
	w.measureFor(volume, wanted)
	left, limited, _ = w.left(volume)
	return left, limited
}

// left returns what the last measurement leaves, and has a volume that is nearly full measured soon.
func (w *Watcher) left(volume string) (bytes int64, limited, enforced bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.targets[volume]
	if t == nil {
		return 0, false, false
	}
	bytes = max(0, t.quota-t.use.Bytes-(t.written-t.counted))
	if soon := time.Now().Add(countEvery); bytes < t.quota/100 && !t.use.Enforced && t.walkAt.After(soon) {
		t.walkAt = soon // what was deleted since makes room
		w.poke()
	}
	return bytes, true, t.use.Enforced
}

// measureFor measures a volume for a write that finds less than wanted left, unless another one has done it
// meanwhile. All such measurements together take a tenth of the time of one core at most.
func (w *Watcher) measureFor(volume string, wanted int64) {
	w.asking.Lock()
	defer w.asking.Unlock()
	began := time.Now()
	if left, _, _ := w.left(volume); left >= wanted || began.Before(w.restUntil) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), askedMost)
	defer cancel()
	_ = w.measure(ctx, volume) // the next walk reports what fails
	now := time.Now()
	w.restUntil = now.Add(restFactor * now.Sub(began))
}

// measure keeps what a volume takes now.
func (w *Watcher) measure(ctx context.Context, volume string) error {
	w.mu.Lock()
	var counted int64 // what is written from here on may be missed
	if t := w.targets[volume]; t != nil {
		counted = t.written
	}
	w.mu.Unlock()
	use, err := w.cfg.Volumes.Use(ctx, volume)
	if err == nil {
		w.take(volume, use, counted)
	}
	return err
}

func (w *Watcher) enforced(volume string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.targets[volume]
	return t != nil && t.use.Enforced
}

// Wrote reports that so many bytes were written to a volume from here; see Left.
func (w *Watcher) Wrote(volume string, bytes int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t := w.targets[volume]; t != nil {
		t.written += bytes
	}
}

// Run measures until ctx ends.
func (w *Watcher) Run(ctx context.Context) error {
	for w.load() != nil {
		if sleep(ctx, countEvery) != nil {
			return context.Cause(ctx)
		}
	}
	var counting sync.WaitGroup
	defer counting.Wait()
	counting.Go(func() {
		for sleep(ctx, countEvery) == nil {
			w.countAll(ctx)
		}
	})
	for {
		w.reloadNoted(ctx)
		id, wait := w.nextWalk(time.Now())
		if id != "" {
			began := time.Now()
			w.walk(ctx, id)
			if sleep(ctx, min(restFactor*time.Since(began), maxRest)) != nil {
				return context.Cause(ctx)
			}
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-w.wake:
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// load reads all quotas.
func (w *Watcher) load() error {
	quotas, err := w.cfg.Volumes.Quotas()
	if err != nil {
		w.cfg.Log.Warn("cannot read the quotas of volumes", "error", err, "retry", countEvery)
		return fmt.Errorf("read the quotas of volumes: %w", err)
	}
	w.mu.Lock()
	for id, quota := range quotas {
		if quota > 0 {
			w.targets[id] = &target{quota: quota}
		} else {
			w.noted[id] = struct{}{}
		}
	}
	w.loaded = true
	w.mu.Unlock()
	for id := range quotas {
		w.cfg.Changed(id)
	}
	return nil
}

// reloadNoted reads the quotas that may have changed.
func (w *Watcher) reloadNoted(ctx context.Context) {
	w.mu.Lock()
	noted := w.noted
	w.noted = map[string]struct{}{}
	w.mu.Unlock()
	for id := range noted {
		quota, err := w.cfg.Volumes.Quota(id)
		if err != nil {
			w.cfg.Log.Warn("cannot read the quota of a volume", "volume", id, "error", err)
			continue
		}
		w.setQuota(id, quota)
		if quota > 0 {
			continue
		}
		if err := w.cfg.Volumes.Enforce(ctx, id); err != nil && ctx.Err() == nil { // the end of it
			w.cfg.Log.Warn("the quota of a volume may still be enforced", "volume", id, "error", err)
		}
	}
}

// setQuota takes a quota that may be another one than before.
func (w *Watcher) setQuota(id string, quota int64) {
	w.mu.Lock()
	t := w.targets[id]
	switch {
	case t == nil && quota == 0, t != nil && t.quota == quota:
		w.mu.Unlock()
		return
	case t == nil:
		w.targets[id] = &target{quota: quota}
	case quota == 0:
		delete(w.targets, id)
	default:
		t.quota, t.walkAt = quota, time.Time{}
	}
	w.mu.Unlock()
	w.cfg.Changed(id)
}

// nextWalk returns the volume whose files are to be walked through now, or how long none is.
func (w *Watcher) nextWalk(now time.Time) (id string, wait time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var first *target
	for volume, t := range w.targets {
		if first == nil || t.walkAt.Before(first.walkAt) {
			id, first = volume, t
		}
	}
	switch {
	case first == nil:
		return "", time.Hour
	case first.walkAt.After(now):
		return "", first.walkAt.Sub(now)
	}
	return id, 0
}

// walk has a quota enforced, and measures its volume.
func (w *Watcher) walk(ctx context.Context, id string) {
	began := time.Now()
	err := w.cfg.Volumes.Enforce(ctx, id)
	failed := w.measure(ctx, id)
	enforced := err == nil && failed == nil && w.enforced(id)
	err = errors.Join(err, failed)
	if ctx.Err() != nil {
		return
	}
	w.mu.Lock()
	t := w.targets[id]
	if t == nil {
		w.mu.Unlock()
		return
	}
	wait := min(max(walkFactor*time.Since(began), measureLeast), measureMost)
	if enforced {
		wait = markEvery
	}
	t.walkAt = time.Now().Add(wait)
	w.mu.Unlock()
	w.report(id, err)
}

// report logs a failure that was not the last one of its volume too.
func (w *Watcher) report(id string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	w.mu.Lock()
	t := w.targets[id]
	news := t != nil && t.failed != text
	if news {
		t.failed = text
	}
	w.mu.Unlock()
	if news && err != nil {
		w.cfg.Log.Warn("the quota of a volume is not measured, or not enforced", "volume", id, "error", err)
	}
}

// countAll reads what the kernel counts.
func (w *Watcher) countAll(ctx context.Context) {
	var counted []string
	w.mu.Lock()
	for id, t := range w.targets {
		if t.use.Enforced {
			counted = append(counted, id)
		}
	}
	w.mu.Unlock()
	for _, id := range counted {
		_ = w.measure(ctx, id) // the next walk reports what fails
	}
}

// take keeps a measurement that has counted so many of the bytes of Wrote, and tells of it where it means something else than the one before.
func (w *Watcher) take(id string, use desired.VolumeUse, counted int64) {
	w.mu.Lock()
	t := w.targets[id]
	if t == nil {
		w.mu.Unlock()
		return
	}
	before := w.ofLocked(id)
	t.use, t.measured, t.counted = use, true, max(t.counted, counted)
	if use.Enforced {
		t.counted = t.written // the kernel has counted all
	}
	news := w.ofLocked(id).Use != before.Use
	w.mu.Unlock()
	if news {
		w.cfg.Changed(id)
	}
}
