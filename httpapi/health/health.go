package health

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"lightd/desired/kv"
	"lightd/httpapi/api"
	"lightd/httpapi/rest"
)

// pingKept is for how long the answer to a ping counts.
const pingKept = time.Second

// Handlers answer the routes of health.
type Handlers struct {
	database, engine *cachedCheck
	engineUp         func() bool
	space            func() kv.Space
	auditLost        func() uint64
	stalled          func() time.Duration
	firewall         func() (missing string, since time.Time)
}

// Checks are what readiness depends on. Ping of either must return when its context ends.
type Checks struct {
	PingDatabase, PingEngine func(context.Context) error
	// EngineUp reports from memory whether Docker can be seen.
	EngineUp func() bool
	// Space is what is left on the disk.
	Space func() kv.Space
	// AuditLost is how many lines of the audit were lost since one could be written.
	AuditLost func() uint64
	// Stalled is for how long no container was reconciled though some wait for it; 0 while all is well.
	Stalled func() time.Duration
	// Firewall is why the firewall of containers is missing; empty while it is in place.
	Firewall func() (missing string, since time.Time)
}

// New returns the handlers.
func New(c Checks) *Handlers {
	return &Handlers{
		database: &cachedCheck{ping: c.PingDatabase, timeout: 500 * time.Millisecond},
		engine:   &cachedCheck{ping: c.PingEngine, timeout: time.Second},
		engineUp: c.EngineUp, space: c.Space, auditLost: c.AuditLost, stalled: c.Stalled, firewall: c.Firewall,
	}
}

// Ping is GET /api/v1/public/ping.
func (h *Handlers) Ping(c *gin.Context) error {
	return rest.OK(c, map[string]any{"status": "ok", "message": "Lightd is running", "pong": true})
}

// Healthz is GET /healthz.
func (h *Handlers) Healthz(c *gin.Context) error {
	return rest.OK(c, map[string]string{"status": "ok"})
}

// Readyz is GET /readyz.
func (h *Handlers) Readyz(c *gin.Context) error {
	missing := []rest.Detail{}
	if err := h.database.check(); err != nil {
		missing = append(missing, rest.Detail{Field: "database", Message: "does not take writes"})
	}
	if !h.engineUp() || h.engine.check() != nil {
		missing = append(missing, rest.Detail{Field: "engine", Message: "does not answer"})
	}
	space := h.space()
	left := fmt.Sprintf("%d MiB are free, %d MiB are needed", space.Free>>20, space.Needed>>20)
	if space.Level == kv.SpaceFull {
		missing = append(missing, rest.Detail{Field: "disk", Message: "full: " + left})
	}
	if stalled := h.stalled(); stalled > 0 {
		missing = append(missing, rest.Detail{Field: "controller", Message: fmt.Sprintf("has not reconciled any container for %s, and some wait for it", stalled)})
	}
	if len(missing) == 0 {
		answer := api.Ready{Status: "ready"}
		if space.Level == kv.SpaceLow {
			answer.Warnings = []rest.Detail{{Field: "disk", Message: "low: " + left}}
		}
		if h.auditLost() > 0 {
			answer.Warnings = append(answer.Warnings, rest.Detail{Field: "audit", Message: "cannot be written: lines are lost"})
		}
		if missing, _ := h.firewall(); missing != "" {
			answer.Warnings = append(answer.Warnings, rest.Detail{Field: "firewall", Message: "missing, so that containers reach the ports of the host: " + missing})
		}
		return rest.OK(c, answer)
	}
	p := rest.NewError(http.StatusServiceUnavailable, "not_ready", "Not ready: "+missing[0].Field+" "+missing[0].Message)
	for _, m := range missing[1:] {
		p.Sentence += ", " + m.Field + " " + m.Message
	}
	p.Details = missing
	return p.With("Retry-After", "5")
}

// cachedCheck pings something, at most once in pingKept however many requests come: the
// route is open to everybody.
type cachedCheck struct {
	ping    func(context.Context) error
	timeout time.Duration

	mu   sync.Mutex
	at   time.Time // guarded by mu, like err
	err  error
	done bool
}

func (p *cachedCheck) check() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done && time.Since(p.at) < pingKept {
		return p.err
	}
	ctx, cancel := context.WithTimeout(context.Background(), p.timeout)
	defer cancel()
	p.err = p.ping(ctx)
	p.at, p.done = time.Now(), true
	return p.err
}
