package simengine

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/volume"
)

// Options configures a Sim. The zero value is usable.
type Options struct {
	// APIVersion is the newest version of the API that it has, and selects the release of Docker
	// whose behaviour it has; empty is "1.41", which is 20.10.
	APIVersion string
	// Seed decides ids and the chances of rules.
	Seed uint64
	// AnyMounts lets bind mounts name sources that do not exist.
	AnyMounts bool
	// LogBytes is how much output is kept for each container; 0 is 1 MiB.
	LogBytes int
	// Before, unless nil, is made to stand before the engine wherever it is reached.
	Before func(engine http.Handler) http.Handler
}

// Sim is a simulated engine. It is safe for concurrent use.
type Sim struct {
	options Options
	front   http.Handler // itself, with what stands before it
	ctx     context.Context
	cancel  context.CancelFunc
	work    sync.WaitGroup // programs and calls
	clock   atomic.Int64   // what it is off by, in nanoseconds

	mu         sync.Mutex
	random     *rand.Rand
	apiVersion string
	mode       mode
	modeChange chan struct{} // closed and replaced when mode changes
	containers map[string]*box
	byName     map[string]*box
	execs      map[string]*execution
	networks   map[string]*segment
	images     map[string]*picture
	refs       map[string]*picture
	volumes    map[string]*volume.Volume
	remotes    map[string]Remote
	ports      map[portKey]string // what is bound, by container id; "" is another process of the host
	unbridged  bool
	root       string // the engine's directory
	security   []string
	portTime   time.Duration
	unlimited  bool
	pids       int
	removal    time.Duration
	full       bool
	warnings   []string // of each creation
	programs   []programRule
	bus        bus
	rules      []*Injected
	calls      []Call
	streams    map[*stream]struct{}
	listeners  map[*endpoint]struct{}
	pipes      *pipeListener
	pipeServer *http.Server
}

// New returns an engine that is up and empty, but for the networks that every engine has.
// It is reached through Serve, Dial, or as an http.Handler.
func New(o Options) *Sim {
	o.APIVersion = cmp.Or(o.APIVersion, "1.41")
	o.LogBytes = cmp.Or(o.LogBytes, 1<<20)
	ctx, cancel := context.WithCancel(context.Background())
	s := &Sim{
		options: o, ctx: ctx, cancel: cancel,
		random:     rand.New(rand.NewPCG(o.Seed, 0x51e)),
		apiVersion: o.APIVersion,
		modeChange: make(chan struct{}),
		containers: map[string]*box{},
		byName:     map[string]*box{},
		execs:      map[string]*execution{},
		networks:   map[string]*segment{},
		images:     map[string]*picture{},
		refs:       map[string]*picture{},
		volumes:    map[string]*volume.Volume{},
		remotes:    map[string]Remote{},
		ports:      map[portKey]string{},
		pids:       1000,
		root:       "/var/lib/docker",
		streams:    map[*stream]struct{}{},
		listeners:  map[*endpoint]struct{}{},
	}
	s.bus.subscribers = map[*subscriber]struct{}{}
	s.front = s
	if o.Before != nil {
		s.front = o.Before(s)
	}
	for name, driver := range map[string]string{"bridge": "bridge", "host": "host", "none": "null"} {
		s.addNetwork(name, driver)
	}
	return s
}

// Close ends all programs, calls, streams and listeners, and waits for them.
func (s *Sim) Close() error {
	s.mu.Lock()
	s.cancel()
	for e := range s.listeners {
		if e.server != nil {
			_ = e.server.Close()
		}
	}
	if s.pipeServer != nil {
		_ = s.pipeServer.Close()
	}
	s.cutStreamsLocked(func(*stream) bool { return true })
	for _, c := range s.containers {
		if c.process != nil {
			c.process.cancel()
		}
	}
	s.mu.Unlock()
	s.work.Wait()
	return nil
}

// SetAPIVersion makes it another release of Docker from now on, as an engine that was replaced.
func (s *Sim) SetAPIVersion(version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apiVersion = version
}

// SetClock sets the clock of the engine's host off by so much: what happens from now on
// carries its time. What happened before keeps the time that it had.
func (s *Sim) SetClock(off time.Duration) { s.clock.Store(int64(off)) }

// now reads the clock of the engine's host.
func (s *Sim) now() time.Time { return time.Now().Add(time.Duration(s.clock.Load())) }

// SetRemovalTime makes each removal of a container take so long; meanwhile the name is
// taken and another removal is refused.
func (s *Sim) SetRemovalTime(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removal = d
}

// SetDiskFull makes everything fail that writes to the engine's disk.
func (s *Sim) SetDiskFull(full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = full
}

// WarnAtCreation makes the engine warn of something at each creation, as it does of limits that
// its kernel does not support.
func (s *Sim) WarnAtCreation(warnings ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.warnings = warnings
}

// newIDLocked returns 64 hexadecimal digits. The caller holds the lock.
func (s *Sim) newIDLocked() string {
	var b [32]byte
	for i := range b {
		b[i] = byte(s.random.Uint32())
	}
	return hex.EncodeToString(b[:])
}

// findLocked returns the container with a name, an id or the beginning of one. The caller holds
// the lock.
func (s *Sim) findLocked(ref string) (*box, error) {
	if c := s.containers[ref]; c != nil {
		return c, nil
	}
	if c := s.byName[strings.TrimPrefix(ref, "/")]; c != nil {
		return c, nil
	}
	if strings.Trim(ref, "0123456789abcdef") == "" && ref != "" {
		for id, c := range s.containers {
			if strings.HasPrefix(id, ref) {
				return c, nil
			}
		}
	}
	return nil, refusal{http.StatusNotFound, "No such container: " + ref}
}

// sleep waits for d, or until the call or the engine ends.
func (s *Sim) sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-s.ctx.Done():
	}
}

// refusal is an answer that is an error.
type refusal struct {
	status  int
	message string
}

// Error implements error.
func (r refusal) Error() string { return fmt.Sprintf("%d: %s", r.status, r.message) }

func refuse(status int, format string, args ...any) error {
	return refusal{status, fmt.Sprintf(format, args...)}
}

// errNoSpace is what a full disk makes of a call.
func errNoSpace(path string) error {
	return refuse(http.StatusInternalServerError, "mkdir /var/lib/docker/%s: no space left on device", path)
}

// Message is an event as the engine emits it.
type Message = events.Message
