package httpapi

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/desired/kv"
	"lightd/desired/store"
	"lightd/httpapi/admission"
	"lightd/httpapi/api"
	"lightd/httpapi/audit"
	"lightd/httpapi/auth"
	"lightd/httpapi/containers"
	"lightd/httpapi/files"
	"lightd/httpapi/health"
	"lightd/httpapi/node"
	"lightd/httpapi/rest"
	"lightd/httpapi/socket"
	"lightd/httpapi/streams"
	"lightd/httpapi/view"
	"lightd/httpapi/watch"
	observedfiles "lightd/observed/files"
	"lightd/observed/status"
)

// Store is the database as the routes need it.
type Store interface {
	watch.Store
	node.Pool
	Update(ctx context.Context, fn func(*store.Tx) error) error
	// DryRun runs fn and discards what it wrote.
	DryRun(fn func(*store.Tx) error) error
	// History returns the specs of a container that are kept, the newest first.
	History(id string) ([]store.Version, error)
	// Ping returns when the database takes writes.
	Ping(ctx context.Context) error
	Subscribe(fn func(id string)) (cancel func())
	// Space is what is left on the disk.
	Space() kv.Space
	// Cordon is that of the node, nil for none.
	Cordon() *desired.Cordon
}

// Volumes are the directories that outlive containers.
type Volumes interface {
	node.Store
	node.Sizes
	containers.Volumes
}

// Statuses are what the controller recorded.
type Statuses interface {
	view.Statuses
	// Subscribe calls fn after each record that was written or deleted, when Get shows it.
	Subscribe(fn func(id string)) (cancel func())
	// Sight is whether Docker could be seen, in the order of what else was recorded.
	EngineStatus() status.EngineStatus
	// Node is what the controller has recorded of the node.
	Node() status.NodeStatus
}

// Engine reports whether Docker can be seen now, from memory, and when that changes.
type Engine interface {
	view.Engine
	Subscribe(fn func(up bool)) (cancel func())
}

// Controller is what the controller would do, and what of a container differs from its spec.
type Controller interface {
	containers.Planner
	node.Comparer
	// NextAttempt is when what has failed, or is blocked, is tried again.
	NextAttempt(id string) plan.Attempt
	// Stalled is for how long no container was reconciled though some wait for it.
	Stalled() time.Duration
	// Drain is what a drain waits for, or would wait for.
	Drain() status.Drain
}

// State is what is desired and what is recorded.
type State struct {
	Store   Store
	Volumes Volumes
	// Files are the trees of Volumes.
	Files    *observedfiles.Trees
	Tokens   auth.Tokens
	Statuses Statuses
	Journal  socket.Journal
}

// Node is what runs beside the interface.
type Node struct {
	Engine Engine
	// PingEngine returns when Docker answers: a Docker that hangs breaks no connection, and
	// from memory all is well.
	PingEngine     func(context.Context) error
	Controller     Controller
	OtherInstances node.OtherInstances
	// Firewall is why the firewall of containers is missing, and since when; empty while it is in
	// place. Nil is always.
	Firewall func() (missing string, since time.Time)
	Console  socket.Console
	// Measurer measures what containers use, and Host describes the machine.
	Measurer node.Measurer
	Host     func(context.Context) api.Node
	// Webhooks returns the state of the webhooks. Nil is none.
	Webhooks func() []api.Webhook
	// RetryWebhook has the webhook of a name that fails try at once. It is there with Webhooks.
	RetryWebhook func(name string) (state api.Webhook, found bool)
	// Backup writes a backup, with the volumes or without. Nil is one that is not to be had.
	Backup func(ctx context.Context, to io.Writer, volumes bool) error
	// Metrics answers with the metrics of the daemon. Nil is none.
	Metrics http.Handler
	// InstallLog opens the kept output of an installation.
	InstallLog containers.InstallLog
}

// Options are the settings of a Server.
type Options struct {
	streams.Limits
	containers.Options
	// DatabaseTimeout bounds what a request waits for the database (default 5 s).
	DatabaseTimeout time.Duration
	// Admission are the limits of requests. Those of its functions are set here.
	Admission admission.Config
	// Audit records who changes what; nil for nothing.
	Audit *audit.Log
	// Tracer traces requests; nil for none.
	Tracer Tracer
}

// Tracer traces requests. Its methods must not block.
type Tracer interface {
	// StartRequest returns the context of a request that arrives, and what is called with the status of its
	// answer: at its end, or where it is a stream at its beginning. 0 is an answer that was cut short.
	StartRequest(r *http.Request) (context.Context, func(status int))
	// Wrote is called with the context of a request that has written a container, before the controller is
	// notified.
	Wrote(ctx context.Context, id string, generation int64)
}

// Server answers HTTP requests. Its methods may be used by any number of goroutines.
type Server struct {
	auth       *auth.Authenticator
	containers *containers.Handlers
	streams    *streams.Handlers
	ports      *node.Ports
	volumes    *node.Volumes
	files      *files.Handlers
	drift      *node.Drift
	webhooks   *node.Webhooks
	stats      *node.Stats
	process    *node.Process
	backup     *node.Backup
	cordon     *node.Cordon
	health     *health.Handlers
	audit      *audit.Log
	tracer     Tracer
	log        *slog.Logger

	handler       http.Handler
	table         []route
	subscriptions []func()
	once          sync.Once
	// unlistedLogged is when an origin that is not listed was logged last, since 1970 in nanoseconds.
	unlistedLogged atomic.Int64
}

// New returns a Server that listens nowhere yet. Close it. log receives what is not sent to a client.
func New(state State, n Node, o Options, log *slog.Logger) (*Server, error) {
	transactions := rest.Transactions{Store: state.Store, Timeout: cmp.Or(o.DatabaseTimeout, 5*time.Second)}
	if o.Tracer != nil {
		transactions.Wrote = func(ctx context.Context, id string) {
			written, _ := state.Store.Container(id)
			o.Tracer.Wrote(ctx, id, written.Generation)
		}
	}
	revision := func() (revision uint64) {
		state.Store.AtSnapshot(func(at store.Snapshot) { revision = at.Revision })
		return revision
	}
	if n.Webhooks == nil {
		n.Webhooks = func() []api.Webhook { return nil }
		n.RetryWebhook = func(string) (none api.Webhook, found bool) { return none, false }
	}
	if n.Backup == nil {
		n.Backup = func(context.Context, io.Writer, bool) error { return errors.ErrUnsupported }
	}
	if n.Metrics == nil {
		n.Metrics = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	}
	if n.Firewall == nil {
		n.Firewall = func() (string, time.Time) { return "", time.Time{} }
	}
	views := &view.Viewer{Statuses: state.Statuses, Engine: n.Engine, Space: state.Store.Space, NextAttempt: n.Controller.NextAttempt}
	s := &Server{
		auth:     &auth.Authenticator{Tokens: state.Tokens, Timeout: transactions.Timeout, IsPublic: publicRoutes((&Server{}).routes()), IsSocket: isSocket},
		ports:    &node.Ports{Pool: state.Store, Containers: state.Store, Transactions: transactions, Revision: revision},
		volumes:  &node.Volumes{Store: state.Volumes, Containers: state.Store, Transactions: transactions, Revision: revision, Log: log},
		drift:    &node.Drift{Containers: state.Store, Comparer: n.Controller, OtherInstances: n.OtherInstances, Firewall: n.Firewall, Revision: revision},
		stats:    &node.Stats{Containers: state.Store, Views: views, Measurer: n.Measurer, Sizes: state.Volumes, Host: n.Host, Desired: state.Store.Cordon, Recorded: state.Statuses.Node, Drain: n.Controller.Drain},
		process:  &node.Process{Metrics: n.Metrics},
		backup:   &node.Backup{Write: n.Backup, Log: log},
		webhooks: &node.Webhooks{Webhooks: n.Webhooks, TryAgain: n.RetryWebhook},
		health: health.New(health.Checks{
			PingDatabase: state.Store.Ping, PingEngine: n.PingEngine, Space: state.Store.Space, Stalled: n.Controller.Stalled,
			EngineUp: func() bool { return views.EngineStatus().Up }, AuditLost: o.Audit.Lost, Firewall: n.Firewall,
		}),
		audit: o.Audit, tracer: o.Tracer, log: log,
	}
	s.cordon = &node.Cordon{Transactions: transactions, Stats: s.stats}
	s.files = files.New(files.Sources{Volumes: state.Volumes, Containers: state.Store, Trees: state.Files, Links: state.Tokens}, log)
	s.containers = containers.New(containers.Sources{
		Store: state.Store, Volumes: state.Volumes, Transactions: transactions, Views: views, Planner: n.Controller,
		Output: n.Console, InstallLog: n.InstallLog, History: state.Store.History, Auth: s.auth,
	}, o.Options, log)
	var err error
	s.streams, err = streams.New(streams.Sources{
		Store: state.Store, Journal: state.Journal, Console: n.Console, Views: views, Engine: state.Statuses.EngineStatus,
		Power: s.containers.RunPower, Ping: state.Store.Ping, Audit: o.Audit,
	}, o.Limits, s.auth, log)
	if err != nil {
		return nil, err
	}
	s.subscriptions = []func(){
		state.Store.Subscribe(s.containers.Changed), state.Statuses.Subscribe(s.containers.Changed),
		n.Engine.Subscribe(s.containers.EngineChanged),
	}
	o.Admission.IsStream, o.Admission.IsLarge, o.Admission.IsSocket, o.Admission.Log = isStream, isLarge, isSocket, log
	limits := admission.New(o.Admission)
	authenticated := func(r *http.Request) bool { return !s.auth.IsPublic(r) }
	s.table = s.routes()
	inner := s.auth.Middleware(limits.Bound(authenticated, s.router()), limits.Refused(s.writeError))
	s.handler = limits.Resolve(auth.Identify(s.allowOrigins(s.audited(limits.Screen(headAsGet(s.recovering(endAfterChunks(inner))))))))
	return s, nil
}

// Handler returns the handler of all routes.
func (s *Server) Handler() http.Handler { return s.handler }

// Clients returns how many clients have a WebSocket open, or follow logs.
func (s *Server) Clients() int { return s.streams.Clients() }

// Reconfigure changes the limits for connections to come. After an error nothing has changed.
func (s *Server) Reconfigure(l streams.Limits) error { return s.streams.Reconfigure(l) }

// CheckOrigins returns what is wrong with a list of origins that browsers may call from.
func CheckOrigins(list []string) error { return streams.CheckOrigins(list) }

// Close ends every WebSocket and every wait, and returns when they are gone. Requests
// that come later are still answered, but for WebSockets.
func (s *Server) Close() {
	s.once.Do(func() {
		s.containers.Close()
		for _, cancel := range s.subscriptions {
			cancel()
		}
		s.streams.Close()
		s.files.Close()
	})
}

// NewHTTPServer returns a server for h whose limits keep slow and greedy clients from
// holding connections. WebSockets and waits set limits of their own.
func NewHTTPServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h,
		// "OPTIONS *" is answered as every other request is.
		DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout:            10 * time.Second,
		ReadTimeout:                  60 * time.Second,
		WriteTimeout:                 2 * time.Minute,
		IdleTimeout:                  2 * time.Minute,
		MaxHeaderBytes:               64 << 10,
		// Go does not advertise Extended CONNECT (RFC 8441), nor does the WebSocket library speak it: clients
		// open a WebSocket over HTTP/1.1, also beside an HTTP/2 connection. A client may send ahead of the
		// handler into these buffers, also without a token.
		HTTP2:    &http.HTTP2Config{MaxConcurrentStreams: 100, MaxReceiveBufferPerConnection: 256 << 10, MaxReceiveBufferPerStream: 128 << 10},
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// router makes the routes out of the table.
func (s *Server) router() http.Handler {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.RedirectTrailingSlash = false
	engine.HandleMethodNotAllowed = true
	// The error can only be a malformed address, of which there is none.
	_ = engine.SetTrustedProxies(nil)
	for _, r := range s.table {
		engine.Handle(r.method, r.path, s.adapt(r.checked(s.auth)))
	}
	engine.NoRoute(s.adapt(func(*gin.Context) error { return errNoRoute }))
	engine.NoMethod(s.adapt(func(c *gin.Context) error {
		if h := c.Writer.Header(); !isEndless(c.Request) {
			h.Set("Allow", strings.Replace(h.Get("Allow"), http.MethodGet, http.MethodGet+", "+http.MethodHead, 1))
		}
		return errNoMethod
	}))
	return engine
}

var (
	errNoRoute  = rest.NewError(http.StatusNotFound, "not_found", "Route not found")
	errNoMethod = rest.NewError(http.StatusMethodNotAllowed, "method_not_allowed", "Method not allowed")
)
