package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"lightd/desired/store"
	"lightd/httpapi/api"
)

// pingKept is for how long the answer to a ping counts.
const pingKept = time.Second

func (s *Server) ping(c *gin.Context) error {
	return ok(c, map[string]string{"message": "pong"})
}

func (s *Server) healthz(c *gin.Context) error {
	return ok(c, map[string]string{"status": "ok"})
}

// readyz is GET /readyz.
func (s *Server) readyz(c *gin.Context) error {
	missing := []Detail{}
	if err := s.databaseHealth.check(); err != nil {
		missing = append(missing, Detail{Field: "database", Message: "does not take writes"})
	}
	if up, _ := s.engine.Up(); !up || s.engineHealth.check() != nil {
		missing = append(missing, Detail{Field: "engine", Message: "does not answer"})
	}
	space := s.database.Space()
	left := fmt.Sprintf("%d MiB are free, %d MiB are needed", space.Free>>20, space.Needed>>20)
	if space.Level == store.SpaceFull {
		missing = append(missing, Detail{Field: "disk", Message: "full: " + left})
	}
	if len(missing) == 0 {
		answer := api.Ready{Status: "ready"}
		if space.Level == store.SpaceLow {
			answer.Warnings = []Detail{{Field: "disk", Message: "low: " + left}}
		}
		return ok(c, answer)
	}
	p := fail(http.StatusServiceUnavailable, "not_ready", "Not ready: "+missing[0].Field+" "+missing[0].Message)
	for _, m := range missing[1:] {
		p.Sentence += ", " + m.Field + " " + m.Message
	}
	p.Details = missing
	return p.with("Retry-After", "5")
}

// cachedCheck asks something whether it is there, at most once in pingKept however many ask: the
// route is open to everybody.
type cachedCheck struct {
	ping     func(context.Context) error
	patience time.Duration

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
	ctx, cancel := context.WithTimeout(context.Background(), p.patience)
	defer cancel()
	p.err = p.ping(ctx)
	p.at, p.done = time.Now(), true
	return p.err
}
