package httpapi

import (
	"context"
	"io"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/desired/store"
	"lightd/desired/token"
	"lightd/observed"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// Specs is where containers are written and read; the store.
type Specs interface {
	SpecReader
	// Update runs fn in a transaction, Try does so and throws away what it wrote.
	Update(ctx context.Context, fn func(*store.Tx) error) error
	DryRun(fn func(*store.Tx) error) error
}

// SpecReader reads containers from memory.
type SpecReader interface {
	Container(id string) (desired.Container, bool)
	Containers() []desired.Container
}

// Planner tells what the controller would do if a spec were as given; it asks Docker
// nothing.
type Planner interface {
	Simulate(spec desired.Container) plan.Simulation
	// NextAttempt is when what has failed, or waits for somebody else, is tried again.
	NextAttempt(id string) plan.Attempt
}

// Database tells of the store as a whole.
type Database interface {
	Ping(ctx context.Context) error
	Subscribe(fn func(id string)) (cancel func())
	// SubscribeCommits and Still are for who follows all changes in their order.
	SubscribeCommits(fn func(store.Commit)) (cancel func())
	AtSnapshot(fn func(store.Snapshot))
	// Space is what is left on the disk.
	Space() store.Space
}

// Statuses are what the controller recorded.
type Statuses interface {
	Get(id string) (status.Status, bool)
	// Held reports whether what Get returns could not be recorded.
	Held(id string) bool
	// Subscribe tells of every record that was written or deleted, when Get shows it.
	Subscribe(fn func(id string)) (cancel func())
	// Sight is whether Docker could be seen, in the order of what else was recorded.
	Sight() status.EngineStatus
}

// Journal is the record of lifecycle events.
type Journal interface {
	Page(id string, after uint64, limit int) ([]journal.Event, uint64, error)
	LastSeq() uint64
	Subscribe(fn func(journal.Event)) (cancel func())
}

// Engine tells whether Docker can be seen now, from memory, and when that changes.
type Engine interface {
	Up() (up bool, since time.Time)
	Subscribe(fn func(up bool)) (cancel func())
}

// Drifts compares a container with what Docker shows of it, from memory. known is false
// while Docker cannot be seen.
type Drifts interface {
	Drift(c desired.Container) (fields []plan.Field, known bool)
}

// OtherInstances are the containers of other Lightd instances on the same engine.
type OtherInstances interface {
	Foreign() []observed.Foreign
}

// InstallLog opens the kept output of a container's last installation; the error is
// fs.ErrNotExist when there is none.
type InstallLog func(id string) (io.ReadCloser, error)

// Ports reads the network pool.
type Ports interface {
	Ports() ([]desired.PoolPort, error)
	Port(e desired.Endpoint) (desired.PoolPort, error)
	RandomPort(p desired.Protocol) (desired.PoolPort, error)
}

// Volumes are the directories that outlive containers.
type Volumes interface {
	VolumeReader
	Create(ctx context.Context) (store.Volume, error)
	Delete(ctx context.Context, id string) error
	VolumeTrier
}

// VolumeTrier tells what would keep a volume from being made or removed.
type VolumeTrier interface {
	TryCreate() error
	TryDelete(id string) error
}

// VolumeReader looks at volumes.
type VolumeReader interface {
	Get(id string) (store.Volume, error)
	List() ([]store.Volume, error)
	Users(id string) []string
	Size(ctx context.Context, id string) (int64, error)
}

// Tokens tells who may come in.
type Tokens interface {
	// Authenticate returns what a token allows. A single-use token is used up by it.
	Authenticate(ctx context.Context, text string) (token.Grant, error)
	// Valid reports whether a grant still holds.
	Valid(g token.Grant) bool
	// Create makes a temporary token.
	Create(ctx context.Context, ttl time.Duration, singleUse bool) (text string, expires time.Time, err error)
}
