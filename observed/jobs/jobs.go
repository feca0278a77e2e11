package jobs

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
)

// State is how far a job is.
type State string

// The states.
const (
	Queued    State = "queued"
	Running   State = "running"
	Done      State = "done"
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

// Ended reports whether it is the last state of a job.
func (s State) Ended() bool { return s != Queued && s != Running }

// Progress is what a job has done so far.
type Progress struct {
	// Entries and Bytes are done; TotalBytes is what there is to do, 0 while that is not known.
	Entries, Bytes, TotalBytes int64
	// Skipped counts what was passed over, and First has the first of them.
	Skipped int64
	First   []string
}

// firstSkipped is how many names of what was passed over are kept.
const firstSkipped = 10

// Spec is what a job is for.
type Spec struct {
	// Volume is whose files the job changes; Op, Path and To are as the request named them.
	Volume, Op, Path, To string
	// Run does the work. It ends with its context.
	Run func(ctx context.Context, j *Reporter) error
}

// Job is a job as it was when it was looked at.
type Job struct {
	ID string
	Spec
	State State
	Progress
	// Err is why it has failed.
	Err                           error
	CreatedAt, StartedAt, EndedAt time.Time
}

// The bounds of a Registry.
const (
	maxRunning = 2
	// maxWaiting is for the jobs in the queue and those that run, maxOfVolume for those of one volume.
	maxWaiting  = 32
	maxOfVolume = 8
	// maxEnded is how many that have ended are kept.
	maxEnded = 200
)

// ErrTooMany refuses one more job.
var ErrTooMany = errors.New("too many jobs are under way")

// ErrClosed refuses a job of a Registry that is closed.
var ErrClosed = errors.New("the jobs have ended")

// errCancelled ends a job that was cancelled.
var errCancelled = errors.New("the job was cancelled")

// Registry runs jobs. Its methods may be used by any number of goroutines.
type Registry struct {
	ctx     context.Context
	end     context.CancelCauseFunc
	workers sync.WaitGroup

	mu      sync.Mutex
	jobs    []*job // guarded by mu: in the order in which they were made
	running int    // guarded by mu
	closed  bool   // guarded by mu
}

// job is guarded by the mutex of its registry.
type job struct {
	Job
	cancel context.CancelCauseFunc // nil until it runs
}

// New returns a Registry without jobs. The caller must Close it.
func New() *Registry {
	r := &Registry{}
	r.ctx, r.end = context.WithCancelCause(context.Background())
	return r
}

// Close cancels all jobs, and returns when they have ended.
func (r *Registry) Close() {
	r.mu.Lock()
	r.closed = true
	for _, j := range r.jobs {
		if j.State == Queued {
			j.endLocked(errCancelled)
		}
	}
	r.mu.Unlock()
	r.end(errCancelled)
	r.workers.Wait()
}

// Start queues a job. Its error is ErrTooMany or ErrClosed.
func (r *Registry) Start(s Spec) (Job, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return Job{}, ErrClosed
	}
	waiting, ofVolume := 0, 0
	for _, j := range r.jobs {
		if !j.State.Ended() {
			waiting++
			if j.Volume == s.Volume {
				ofVolume++
			}
		}
	}
	if waiting >= maxWaiting || ofVolume >= maxOfVolume {
		return Job{}, ErrTooMany
	}
	j := &job{Job: Job{ID: strings.ToLower(rand.Text()), Spec: s, State: Queued, CreatedAt: time.Now()}}
	r.jobs = append(r.jobs, j)
	r.forgetLocked()
	r.beginLocked()
	return j.copyLocked(), nil
}

// forgetLocked drops the oldest of too many jobs that have ended.
func (r *Registry) forgetLocked() {
	ended := 0
	for _, j := range r.jobs {
		if j.State.Ended() {
			ended++
		}
	}
	r.jobs = slices.DeleteFunc(r.jobs, func(j *job) bool {
		if ended <= maxEnded || !j.State.Ended() {
			return false
		}
		ended--
		return true
	})
}

// beginLocked begins as many of the jobs that wait as may run, the oldest first.
func (r *Registry) beginLocked() {
	for _, j := range r.jobs {
		if r.closed || r.running == maxRunning {
			return
		}
		if j.State != Queued {
			continue
		}
		r.running++
		j.State, j.StartedAt = Running, time.Now()
		ctx, cancel := context.WithCancelCause(r.ctx)
		j.cancel = cancel
		r.workers.Go(func() { r.work(ctx, j) })
	}
}

// work runs a job, and then begins the next one.
func (r *Registry) work(ctx context.Context, j *job) {
	err := j.Run(ctx, &Reporter{r, j})
	if ctx.Err() != nil && err != nil {
		err = context.Cause(ctx)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	j.cancel(nil)
	j.endLocked(err)
	r.running--
	r.beginLocked()
}

// endLocked records the end of a job.
func (j *job) endLocked(err error) {
	switch j.EndedAt = time.Now(); {
	case err == nil:
		j.State = Done
	case errors.Is(err, errCancelled):
		j.State = Cancelled
	default:
		j.State, j.Err = Failed, err
	}
}

// List returns the jobs of a volume, the oldest first.
func (r *Registry) List(volume string) []Job {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []Job
	for _, j := range r.jobs {
		if j.Volume == volume {
			list = append(list, j.copyLocked())
		}
	}
	return list
}

func (j *job) copyLocked() Job {
	copied := j.Job
	copied.First = slices.Clone(j.First)
	return copied
}

// Get returns a job of a volume.
func (r *Registry) Get(volume, id string) (Job, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, j := range r.jobs {
		if j.Volume == volume && j.ID == id {
			return j.copyLocked(), true
		}
	}
	return Job{}, false
}

// Cancel ends a job of a volume that has not ended; one that has is dropped from the list. It returns the job
// as it was.
func (r *Registry) Cancel(volume, id string) (Job, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, j := range r.jobs {
		if j.Volume != volume || j.ID != id {
			continue
		}
		was := j.copyLocked()
		switch j.State {
		case Queued:
			j.endLocked(errCancelled)
		case Running:
			j.cancel(errCancelled)
		default:
			r.jobs = slices.Delete(r.jobs, i, i+1)
		}
		return was, true
	}
	return Job{}, false
}

// Reporter records the progress of a job.
type Reporter struct {
	registry *Registry
	job      *job
}

func (r *Reporter) change(fn func()) {
	r.registry.mu.Lock()
	defer r.registry.mu.Unlock()
	fn()
}

// Add records what was done.
func (r *Reporter) Add(entries, bytes int64) {
	r.change(func() {
		r.job.Entries += entries
		r.job.Bytes += bytes
	})
}

// Total records what there is to do.
func (r *Reporter) Total(bytes int64) {
	r.change(func() { r.job.TotalBytes = bytes })
}

// Skip records what was passed over.
func (r *Reporter) Skip(name string) {
	r.change(func() {
		if r.job.Skipped++; len(r.job.First) < firstSkipped {
			r.job.First = append(r.job.First, strings.ToValidUTF8(name, "\uFFFD"))
		}
	})
}
