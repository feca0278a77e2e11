package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	dockerapi "github.com/docker/docker/api"
	"github.com/docker/docker/client"

	"lightd/observed"
)

// NewestAPI is the newest version of the engine's API that is spoken. A newer engine is spoken to in this one.
const NewestAPI = dockerapi.DefaultVersion

// Timeouts are the deadlines of the kinds of call. A zero one stands for its default.
type Timeouts struct {
	// Query bounds whatever only reads, and the opening of a stream: 10 s.
	Query time.Duration
	// Create bounds the creation of a container: 60 s.
	Create time.Duration
	// Start bounds a start: 60 s. This one, Kill and Remove are longer under WithPorts.
	Start time.Duration
	// Kill bounds a signal, an unpause and a change of limits: 10 s.
	Kill time.Duration
	// Remove bounds the removal of a container or an image: 30 s.
	Remove time.Duration
	// Measure bounds the measurement of a container's layer, all of whose files are counted: 60 s.
	Measure time.Duration
	// Commit bounds the making of a snapshot, and the listing of changes: 10 min.
	Commit time.Duration
}

// withDefaults returns t with the defaults in place of zeros.
func (t Timeouts) withDefaults() Timeouts {
	return Timeouts{
		Query:   cmp.Or(t.Query, 10*time.Second),
		Create:  cmp.Or(t.Create, 60*time.Second),
		Start:   cmp.Or(t.Start, 60*time.Second),
		Kill:    cmp.Or(t.Kill, 10*time.Second),
		Remove:  cmp.Or(t.Remove, 30*time.Second),
		Measure: cmp.Or(t.Measure, 60*time.Second),
		Commit:  cmp.Or(t.Commit, 10*time.Minute),
	}
}

// Config is which engine to call, and for which instance.
type Config struct {
	// Host is "unix:///path" or "tcp://host:port"; empty stands for $DOCKER_HOST, and
	// then for the Docker client's own default.
	Host string
	// Dial opens the connections; nil dials Host.
	Dial func(ctx context.Context) (net.Conn, error)
	// Instance is the UUID that marks the containers of this data directory.
	Instance string
	// OwnerEpoch is a label of the containers that are made, unless it is empty. It is no part of
	// what they are compared by.
	OwnerEpoch string
	Timeouts   Timeouts
	// ReadLimits reads the limits of a process of this machine that is a container's; nil where the
	// engine's processes are not this machine's.
	ReadLimits func(pid int, containerID string) *observed.Enforced
	// ReadUnlinked measures the open files without a name of such a container; nil as well.
	ReadUnlinked func(pid int, containerID string) (int64, error)
	// Credentials, unless nil, returns the credentials for the registry of an image, as the header
	// X-Registry-Auth has them; empty for none.
	Credentials func(ctx context.Context, ref string) (string, error)
	// Called, unless nil, is called after each call: how long the engine took to answer, and the error.
	Called func(op string, took time.Duration, err error)
	// Calling, unless nil, is called before each call, and the function that it returns after it. The call
	// gets the context that is returned. The op is one of few, target names what it is about.
	Calling func(ctx context.Context, op, target string) (context.Context, func(error))
	// Log takes what is not worth an error; nil stands for slog.Default().
	Log *slog.Logger
}

// Engine is a client of one Docker Engine. It is safe for concurrent use.
type Engine struct {
	host        string
	dial        dialer
	transport   *http.Transport
	fresh       *http.Transport
	instance    string
	epoch       string
	guard       func(context.Context) error
	timeouts    Timeouts
	readLimits  func(pid int, containerID string) *observed.Enforced
	unlinked    func(pid int, containerID string) (int64, error)
	credentials func(ctx context.Context, ref string) (string, error)
	called      func(op string, took time.Duration, err error)
	calling     func(ctx context.Context, op, target string) (context.Context, func(error))
	log         *slog.Logger

	// current is the version agreed on, nil until then; gate lets one call at a time
	// agree, and is a channel so that those who wait keep to their deadlines.
	current atomic.Pointer[session]
	gate    chan struct{}
	// own is the engine's own version, agreed that of the API.
	own, agreed atomic.Pointer[string]
	// podman is whether the last answer was a Podman's.
	podman atomic.Bool
	// clean is shared by all sessions with a Podman.
	clean cleanRuns
	// marks are the readings of the owner's mark, places those of Directories, and networks those of Network, by
	// names: *shared[namedNetwork].
	marks    shared[string]
	places   shared[[]string]
	networks sync.Map
}

// errNoVersion marks an engine that is too ill, or something that is none.
var errNoVersion = errors.New("no API version in the answer")

// session is a Docker client with the version that was negotiated with an engine.
type session struct {
	*client.Client
	// announced is the newest version that the engine announced.
	announced string
	// podman is true for a Podman, see podman.go.
	podman bool
	// cgroupV1 is true for a Podman on cgroup v1.
	cgroupV1 bool
	clean    *cleanRuns
}

// New returns an Engine. It makes no call: an error is one of the configuration.
func New(c Config) (*Engine, error) {
	host, dial, err := parseHost(c.Host)
	if err != nil {
		return nil, err
	}
	if c.Dial != nil {
		dial = c.Dial
	}
	e := &Engine{
		host: host, dial: dial, instance: c.Instance, epoch: c.OwnerEpoch,
		timeouts:    c.Timeouts.withDefaults(),
		readLimits:  c.ReadLimits,
		unlinked:    c.ReadUnlinked,
		called:      c.Called,
		calling:     c.Calling,
		credentials: c.Credentials,
		log:         c.Log,
		gate:        make(chan struct{}, 1),
		clean:       cleanRuns{startedAt: map[string]string{}},
	}
	if e.log == nil {
		e.log = slog.Default()
	}
	if e.credentials == nil {
		e.credentials = func(context.Context, string) (string, error) { return "", nil }
	}
	if e.called == nil {
		e.called = func(string, time.Duration, error) {}
	}
	e.transport, e.fresh = newTransport(dial, true), newTransport(dial, false)
	if _, err := e.newClient(); err != nil {
		return nil, fmt.Errorf("engine at %q: %w", host, err)
	}
	return e, nil
}

// Close closes the idle connections. Calls and streams in progress are their owners'.
func (e *Engine) Close() error {
	e.transport.CloseIdleConnections()
	return nil
}

// Guard has fn called before each act, which fails with its error: right before the request, behind
// all that an act may wait for. It is set before the first call.
func (e *Engine) Guard(fn func(context.Context) error) { e.guard = fn }

// act is call for what changes something of our instance in Docker.
func (e *Engine) act(ctx context.Context, limit time.Duration, op operation, target string,
	fn func(context.Context, *session) error,
) error {
	return e.call(ctx, limit, op, target, func(ctx context.Context, s *session) error {
		if e.guard != nil {
			if err := e.guard(ctx); err != nil {
				return err
			}
		}
		return fn(ctx, s)
	})
}

// Instance returns the UUID that marks our containers.
func (e *Engine) Instance() string { return e.instance }

// portTime is what the deadlines of a start, an end and a removal allow for each published port: the
// engine takes 50 to 300 ms for one, and gives no other call of the container an answer meanwhile.
const portTime = time.Second

// portsKey is the key of the number of ports in a context.
type portsKey struct{}

// WithPorts returns a context for the calls of a container that publishes n ports: the deadlines of
// those that bind or release them are longer by what that may take.
func WithPorts(ctx context.Context, n int) context.Context {
	return context.WithValue(ctx, portsKey{}, n)
}

// portAct is act for what has to wait for the ports of a container.
func (e *Engine) portAct(ctx context.Context, limit time.Duration, op operation, target string,
	fn func(context.Context, *session) error,
) error {
	n, _ := ctx.Value(portsKey{}).(int)
	return e.act(ctx, limit+time.Duration(n)*portTime, op, target, fn)
}

// Ping checks that the engine responds, and detects when it is another one.
func (e *Engine) Ping(ctx context.Context) error {
	return e.call(ctx, e.timeouts.Query, "ping", e.host, func(ctx context.Context, s *session) error {
		answer, err := s.Ping(ctx)
		if err == nil && answer.APIVersion == "" {
			return fmt.Errorf("%w: %w", cerrdefs.ErrUnavailable, errNoVersion)
		}
		return err
	})
}

// call runs one question and answer within its deadline, and wraps its error.
func (e *Engine) call(ctx context.Context, limit time.Duration, op operation, target string,
	fn func(context.Context, *session) error,
) error {
	return e.observe(ctx, op, target, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeoutCause(ctx, limit, ErrTimeout)
		defer cancel()
		err := e.try(ctx, fn)
		if err != nil && errors.Is(causeOf(ctx), ErrTimeout) && !errors.Is(err, ErrTimeout) {
			err = fmt.Errorf("%w (%v): %w", ErrTimeout, limit, err)
		}
		return err
	})
}

// operation names what is asked of the engine. It is one of few: what it is about is the target of a call, and
// only text of the program becomes an operation without a conversion.
type operation string

// CallPull is the operation that fetches an image.
const CallPull = "pull image"

// observe runs one call, has it counted and traced, and wraps its error.
func (e *Engine) observe(ctx context.Context, op operation, target string, fn func(context.Context) error) (err error) {
	began := time.Now()
	defer func() { e.called(string(op), time.Since(began), err) }()
	if e.calling != nil {
		var ended func(error)
		ctx, ended = e.calling(ctx, string(op), target)
		defer func() { ended(err) }()
	}
	if err = fn(ctx); err != nil {
		return fmt.Errorf("%s %s: %w", op, target, err)
	}
	return nil
}

// try runs fn on the present session. An engine that was replaced by another one may
// refuse the version that was agreed on with its predecessor; it then did nothing, and
// fn is run again on a new session.
func (e *Engine) try(ctx context.Context, fn func(context.Context, *session) error) error {
	s, err := e.session(ctx)
	if err != nil {
		return err
	}
	err = fn(ctx, s)
	if cerrdefs.IsInvalidArgument(err) && e.current.Load() != s {
		if s, err = e.session(ctx); err != nil {
			return err
		}
		err = fn(ctx, s)
	}
	if err != nil && unreachable(err) && !givenUp(ctx) {
		e.current.CompareAndSwap(s, nil)
	}
	if missingRoute(err) {
		return fmt.Errorf("%w: the engine's API has no such call: %v", cerrdefs.ErrNotImplemented, err)
	}
	return err
}

// missingRoute reports whether an engine answered that it knows no such path, which tells nothing of a container. Docker
// and Podman have the text of net/http for that, in JSON or plain.
func missingRoute(err error) bool {
	return cerrdefs.IsNotFound(err) && strings.HasSuffix(strings.TrimSpace(err.Error()), "page not found")
}

// givenUp reports whether a caller has canceled ctx, which says nothing of the engine.
func givenUp(ctx context.Context) bool {
	return errors.Is(ctx.Err(), context.Canceled) && !errors.Is(context.Cause(ctx), ErrTimeout)
}

// session returns the present session, after agreeing on one if there is none.
func (e *Engine) session(ctx context.Context) (*session, error) {
	if s := e.current.Load(); s != nil {
		return s, nil
	}
	select {
	case e.gate <- struct{}{}:
		defer func() { <-e.gate }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s := e.current.Load(); s != nil {
		return s, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, e.timeouts.Query, ErrTimeout)
	defer cancel()
	s, err := e.negotiate(ctx)
	if err != nil {
		var class error = cerrdefs.ErrUnavailable
		if errors.Is(causeOf(ctx), ErrTimeout) {
			class = ErrTimeout
		}
		// Whatever status a ping gave, it is not the answer to the question that waits.
		return nil, fmt.Errorf("agree on a version of the API: %w: %v", class, err)
	}
	e.current.Store(s)
	return s, nil
}

// negotiate negotiates the API version. The Docker client could do it by itself, but holds a
// lock meanwhile for which others wait without their deadlines, and continues with a guess
// when it fails.
func (e *Engine) negotiate(ctx context.Context) (*session, error) {
	c, err := e.newClient()
	if err != nil {
		return nil, err
	}
	answer, err := c.Ping(ctx)
	if err != nil {
		return nil, err
	}
	if answer.APIVersion == "" {
		return nil, errNoVersion
	}
	c.NegotiateAPIVersionPing(answer)
	level, version := slog.LevelDebug, c.ClientVersion()
	if before := e.agreed.Swap(&version); before == nil || *before != version {
		level = slog.LevelInfo // another engine, or the first one
	}
	own, _ := e.Version()
	e.log.Log(ctx, level, "negotiated API version", "host", e.host, "engine_version", own, "engine_api_version", version)
	made := &session{Client: c, announced: answer.APIVersion, podman: e.podman.Load(), clean: &e.clean}
	return made, made.learn(ctx)
}

// newClient returns a Docker client on the shared connections that has agreed on nothing.
func (e *Engine) newClient() (*client.Client, error) {
	return client.NewClientWithOpts(
		client.WithHost(e.host),
		client.WithHTTPClient(&http.Client{
			Transport:     &headerReader{next: e.transport, fresh: e.fresh, header: e.inspectHeader},
			CheckRedirect: client.CheckRedirect,
		}),
		client.WithAPIVersionNegotiation(),
	)
}

// inspectHeader keeps the engine's own version, and drops the session when the engine announces another
// version of the API than at its start.
func (e *Engine) inspectHeader(answer http.Header) {
	if own, is := isPodman(answer); is {
		e.own.Store(&own)
		e.podman.Store(true)
	} else if _, own, found := strings.Cut(answer.Get("Server"), "Docker/"); found {
		own, _, _ = strings.Cut(own, " ")
		e.own.Store(&own)
		e.podman.Store(false)
	}
	version := answer.Get("Api-Version")
	if s := e.current.Load(); version != "" && s != nil && s.announced != version {
		e.current.CompareAndSwap(s, nil)
	}
}

// Version returns the engine's own version and that of the API that is spoken with it, as of its
// last answer; empty while there was none.
func (e *Engine) Version() (own, api string) {
	if v := e.own.Load(); v != nil {
		own = *v
	}
	if v := e.agreed.Load(); v != nil {
		api = *v
	}
	return own, api
}
