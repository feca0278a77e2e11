package httpapi

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/httpapi/socket"
	"lightd/httpapi/wait"
	"lightd/httpapi/watch"
)

// Config is what a Server works with. Everything without a default is required.
type Config struct {
	Specs    Specs
	Database Database
	Ports    Ports
	Volumes  Volumes
	Tokens   Tokens
	Statuses Statuses
	Journal  Journal
	Engine   Engine
	// PingEngine asks Docker whether it answers: one that hangs breaks no connection, and
	// from memory all is well.
	PingEngine func(context.Context) error
	Planner    Planner
	Drifts     Drifts
	// OtherInstances tells of other instances.
	OtherInstances OtherInstances
	Console        socket.Console
	// InstallLog opens the kept output of an installation.
	InstallLog InstallLog
	// Origins are the foreign origins that may open a WebSocket, as in
	// "https://panel.example.com"; "*" is any.
	Origins []string
	// ConsolesPerContainer and Consoles bound how many clients may be connected to consoles
	// (default 64 and 4,096).
	ConsolesPerContainer, Consoles int
	// StopTimeout is the grace of a stop in specs that name none (default 10 s).
	StopTimeout time.Duration
	// DatabaseTimeout bounds what a request waits for the database (default 5 s).
	DatabaseTimeout time.Duration
	// DeleteWait bounds what a deletion waits for its end (default 30 s).
	DeleteWait time.Duration
	// MaxWaits bounds how many requests wait at once (default 1,000).
	MaxWaits int
	// Log receives what no client is told (default: nothing).
	Log *slog.Logger
}

// Server answers HTTP requests. Its methods may be used by any number of goroutines.
type Server struct {
	specs           Specs
	ports           Ports
	volumes         Volumes
	tokens          Tokens
	statuses        Statuses
	journal         Journal
	engine          Engine
	planner         Planner
	database        Database
	drifts          Drifts
	otherInstances  OtherInstances
	installLog      InstallLog
	console         socket.Console
	defaults        desired.Spec
	databaseTimeout time.Duration
	deleteWait      time.Duration
	log             *slog.Logger

	waits          *wait.Registry
	tokenCheck     time.Duration
	subscriptions  []func()
	databaseHealth *cachedCheck
	engineHealth   *cachedCheck
	sockets        *socket.Hub
	watches        *watch.Hub
	origins        atomic.Pointer[origins]
	handler        http.Handler

	closing chan struct{}
	once    sync.Once
}

// New returns a Server that listens nowhere yet. Close it.
func New(cfg Config) (*Server, error) {
	if cfg.Specs == nil || cfg.Database == nil || cfg.Ports == nil || cfg.Volumes == nil || cfg.Tokens == nil ||
		cfg.Statuses == nil || cfg.Journal == nil || cfg.Engine == nil || cfg.PingEngine == nil || cfg.Planner == nil || cfg.Drifts == nil ||
		cfg.OtherInstances == nil || cfg.Console == nil || cfg.InstallLog == nil {
		return nil, errors.New("make HTTP interface: a required part is missing")
	}
	origins, err := parseOrigins(cfg.Origins)
	if err != nil {
		return nil, err
	}
	s := &Server{
		specs: cfg.Specs, ports: cfg.Ports, volumes: cfg.Volumes, tokens: cfg.Tokens,
		statuses: cfg.Statuses, journal: cfg.Journal, engine: cfg.Engine, planner: cfg.Planner,
		database: cfg.Database, drifts: cfg.Drifts, otherInstances: cfg.OtherInstances, installLog: cfg.InstallLog, console: cfg.Console,
		databaseTimeout: orDefault(cfg.DatabaseTimeout, 5*time.Second),
		deleteWait:      orDefault(cfg.DeleteWait, 30*time.Second),
		log:             cfg.Log,
		defaults:        desired.DefaultSpec(),
		tokenCheck:      tokenCheck,
		databaseHealth:  &cachedCheck{ping: cfg.Database.Ping, patience: 500 * time.Millisecond},
		engineHealth:    &cachedCheck{ping: cfg.PingEngine, patience: time.Second},
		closing:         make(chan struct{}),
	}
	s.origins.Store(&origins)
	if cfg.StopTimeout != 0 {
		s.defaults.Stop.Timeout = desired.Duration(cfg.StopTimeout)
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.waits = wait.NewRegistry(cmp.Or(cfg.MaxWaits, maxWaits), s.look)
	s.subscriptions = []func(){
		cfg.Database.Subscribe(s.waits.Evaluate), cfg.Statuses.Subscribe(s.waits.Evaluate),
		cfg.Engine.Subscribe(func(bool) { s.waits.EvaluateAll() }),
	}
	s.sockets = socket.New(socket.Config{
		Journal: cfg.Journal, Console: cfg.Console, Settle: cfg.Database.Ping,
		IDs: s.ids, Exists: s.exists, View: s.socketView, Power: s.power, Explain: s.explain, Log: s.log,
		PerContainer: cfg.ConsolesPerContainer, Total: cfg.Consoles,
	})
	s.watches = watch.New(watch.Config{Store: source{cfg.Specs, cfg.Database}, Show: s.capture})
	s.handler = identifying(headAsGet(s.recovering(endAfterChunks(s.authenticating(s.router())))))
	return s, nil
}

// Handler returns the handler of all routes.
func (s *Server) Handler() http.Handler { return s.handler }

// Reconfigure changes, for connections to come, which foreign origins may open a WebSocket and how
// many clients may be connected to consoles; see Config. After an error nothing has changed.
func (s *Server) Reconfigure(origins []string, perContainer, total int) error {
	allowed, err := parseOrigins(origins)
	if err != nil {
		return err
	}
	s.origins.Store(&allowed)
	s.sockets.SetLimits(perContainer, total)
	return nil
}

// Close ends every WebSocket and every wait, and returns when they are gone. Requests
// that come later are still answered, but for WebSockets.
func (s *Server) Close() {
	s.once.Do(func() {
		close(s.closing)
		for _, cancel := range s.subscriptions {
			cancel()
		}
		s.sockets.Close()
		s.watches.Close()
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
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelDebug),
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
	for _, r := range s.routes() {
		engine.Handle(r.method, r.path, s.adapt(r.checked()))
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
	errNoRoute  = fail(http.StatusNotFound, "not_found", "Route not found")
	errNoMethod = fail(http.StatusMethodNotAllowed, "method_not_allowed", "Method not allowed")
)

func orDefault(d, absent time.Duration) time.Duration {
	if d == 0 {
		return absent
	}
	return d
}

// isError reports whether err is, or wraps, one of package desired's refusals.
func isError(err error, want desired.Error) bool { return errors.Is(err, want) }
