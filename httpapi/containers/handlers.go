package containers

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/desired/store"
	"lightd/httpapi/auth"
	"lightd/httpapi/rest"
	"lightd/httpapi/view"
	"lightd/httpapi/wait"
	"lightd/observed/console"
)

// Store reads specs from memory.
type Store interface {
	Container(id string) (desired.Container, bool)
	Containers() []desired.Container
	// AtSnapshot runs fn while no commit changes what the others return.
	AtSnapshot(fn func(store.Snapshot))
	// Cordon is that of the node, nil for none.
	Cordon() *desired.Cordon
}

// Planner simulates what the controller would do if a spec were as given; it does not call Docker.
type Planner interface {
	Simulate(spec desired.Container) plan.Simulation
}

// Output reads the recent output of a container.
type Output interface {
	// History hands what lies behind From to fn, and ends where that ends.
	History(ctx context.Context, id string, from console.From, fn func(console.Chunk) error) error
}

// InstallLog opens the kept output of a container's last installation; the error is
// fs.ErrNotExist when there is none.
type InstallLog func(id string) (io.ReadCloser, error)

// Volumes makes the directories of volumes that a transaction records.
type Volumes interface {
	Prepare(ctx context.Context, wants []store.VolumeRequest, dryRun bool) (*store.NewVolumes, error)
}

// Sources are what the handlers work with.
type Sources struct {
	Store        Store
	Volumes      Volumes
	Transactions rest.Transactions
	Views        *view.Viewer
	Planner      Planner
	Output       Output
	InstallLog   InstallLog
	// History returns the specs of a container that are kept, the newest first.
	History func(id string) ([]store.Version, error)
	Auth    *auth.Authenticator
}

// Options are the settings of the handlers. One that is zero takes its default.
type Options struct {
	// StopTimeout is the grace of a stop in specs that name none (default 10 s).
	StopTimeout time.Duration
	// Cores is how many the host has: a write of a limit of more has a warning. 0 is unknown.
	Cores int
	// DeleteWait bounds what a deletion waits for its end (default 30 s).
	DeleteWait time.Duration
	// MaxWaits bounds how many requests wait at once (default 1,000).
	MaxWaits int
	// CheckEvery is how often a wait checks that the token that began it is still valid
	// (default 2 s).
	CheckEvery time.Duration
}

// Handlers answer the routes. Their methods may be used by any number of goroutines.
type Handlers struct {
	store        Store
	volumes      Volumes
	transactions rest.Transactions
	views        *view.Viewer
	planner      Planner
	output       lastOutput
	waits        *waits
	history      func(id string) ([]store.Version, error)
	defaults     desired.Spec
	cores        int
	log          *slog.Logger
}

// New returns the handlers. Close them.
func New(s Sources, o Options, log *slog.Logger) *Handlers {
	h := &Handlers{
		store: s.Store, volumes: s.Volumes, transactions: s.Transactions, views: s.Views, planner: s.Planner,
		output: lastOutput{console: s.Output, installLog: s.InstallLog, log: log}, history: s.History, defaults: desired.DefaultSpec(), cores: o.Cores, log: log,
	}
	if o.StopTimeout != 0 {
		h.defaults.Stop.Timeout = desired.Duration(o.StopTimeout)
	}
	h.waits = &waits{
		Registry: wait.NewRegistry(cmp.Or(o.MaxWaits, 1000), h.observe), auth: s.Auth, containers: s.Store,
		deleteWait: cmp.Or(o.DeleteWait, 30*time.Second), checkEvery: cmp.Or(o.CheckEvery, 2*time.Second), closing: make(chan struct{}),
	}
	return h
}

// Changed evaluates the waits for a container, of which something has changed.
func (h *Handlers) Changed(id string) { h.waits.Evaluate(id) }

// EngineChanged evaluates all waits, when Docker has gone or come back.
func (h *Handlers) EngineChanged(bool) { h.waits.EvaluateAll() }

// Waiting returns how many requests wait for a container.
func (h *Handlers) Waiting(id string) int { return h.waits.Waiting(id) }

// Close ends every wait; it is called once. Requests that come later are still answered.
func (h *Handlers) Close() { close(h.waits.closing) }

// observe is what waits are evaluated by.
func (h *Handlers) observe(id string) wait.Observation {
	container, found := h.store.Container(id)
	return wait.Observation{
		Container: container, Found: found, Status: h.views.Status(id), EngineUp: h.views.EngineStatus().Up,
		Cordoned: h.store.Cordon() != nil, Now: time.Now(),
	}
}
