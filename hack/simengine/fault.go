package simengine

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
)

// Rule selects calls and decides what happens to them. Fields that are empty match all.
type Rule struct {
	Method string
	// Route is a template as in Call, or a pattern of package path over it.
	Route string
	// Target is the name or the id of a container, or the name of an image, as it was
	// called; a container is met by either.
	Target string
	// Query is the name of a parameter that the query of the call has; empty for any query.
	Query string
	// Skip lets so many calls through first; Times ends the rule after so many, 0 never.
	Skip, Times int
	// Chance is between 0 and 1; 0 is always. The seed of the Sim decides.
	Chance float64

	// Delay holds the call for a time, Hang until Release or until the client goes.
	Delay time.Duration
	Hang  bool
	// After lets Delay and Hang hold the answer rather than the call: it was done. It has
	// no meaning for answers that go on, as events do.
	After bool
	// Status refuses the call with a status, and Message if there is one.
	Status  int
	Message string
	// Cut breaks the connection: the call is not done. With After it was done, and the
	// answer is lost. On a connection that it used before, Go's transport repeats a GET
	// that was cut by itself, which is another call.
	Cut bool
}

// LoseAnswer makes a rule of calls that are done and whose answer is lost.
func LoseAnswer(method, route string) Rule {
	return Rule{Method: method, Route: route, Cut: true, After: true}
}

// Injected is a rule that is in force.
type Injected struct {
	sim     *Sim
	rule    Rule
	met     int // how many calls it chose, those that it skipped too
	hits    int
	release chan struct{}
	hit     chan struct{} // closed and replaced with every hit
}

// Inject puts a rule in force, until its Times are over or it is released. Of several
// that meet a call the first counts.
func (s *Sim) Inject(r Rule) *Injected {
	i := &Injected{sim: s, rule: r, release: make(chan struct{}), hit: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = append(s.rules, i)
	return i
}

// Release ends a rule, and lets go what it holds.
func (i *Injected) Release() {
	i.sim.mu.Lock()
	defer i.sim.mu.Unlock()
	for n, other := range i.sim.rules {
		if other == i {
			i.sim.rules = append(i.sim.rules[:n:n], i.sim.rules[n+1:]...)
			break
		}
	}
	select {
	case <-i.release:
	default:
		close(i.release)
	}
}

// Hits returns how many calls it has struck.
func (i *Injected) Hits() int {
	i.sim.mu.Lock()
	defer i.sim.mu.Unlock()
	return i.hits
}

// Await waits until it has struck n calls.
func (i *Injected) Await(ctx context.Context, n int) error {
	for {
		i.sim.mu.Lock()
		hits, next := i.hits, i.hit
		i.sim.mu.Unlock()
		if hits >= n {
			return nil
		}
		select {
		case <-next:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// meetsLocked reports whether a rule chooses a call. The caller holds the lock.
func (s *Sim) meetsLocked(r Rule, method, route, target string, query url.Values) bool {
	if r.Query != "" && !query.Has(r.Query) {
		return false
	}
	if r.Method != "" && r.Method != method {
		return false
	}
	if matched, err := path.Match(r.Route, route); r.Route != "" && r.Route != route && (err != nil || !matched) {
		return false
	}
	if r.Target == "" || r.Target == target {
		return true
	}
	if c, err := s.findLocked(target); err == nil {
		return r.Target == c.name || r.Target == c.id
	}
	return false
}

// strike returns the rule that strikes a call, or nil.
func (s *Sim) strike(c *call) *Injected {
	s.mu.Lock()
	defer s.mu.Unlock()
	target := c.id
	if c.route == "/containers/create" {
		target = c.query.Get("name")
	}
	for _, i := range s.rules {
		if !s.meetsLocked(i.rule, c.r.Method, c.route, target, c.query) {
			continue
		}
		i.met++
		if i.met <= i.rule.Skip || i.rule.Times > 0 && i.hits >= i.rule.Times ||
			i.rule.Chance > 0 && s.random.Float64() >= i.rule.Chance {
			continue
		}
		i.hits++
		close(i.hit)
		i.hit = make(chan struct{})
		return i
	}
	return nil
}

// perform answers a call, with what the rules do to it.
func (s *Sim) perform(c *call, do handler) {
	if strings.HasPrefix(c.route, "/containers/{id}") && !streams(c.route) {
		s.awaitPorts(c)
	}
	i := s.strike(c)
	if i == nil {
		s.answerWith(c, do)
		return
	}
	r := i.rule
	if r.After && !streams(c.route) {
		to := c.w
		kept := &keptAnswer{header: to.Header(), status: http.StatusOK}
		c.w = kept
		s.answerWith(c, do)
		s.hold(c, i)
		if r.Cut {
			panic(http.ErrAbortHandler)
		}
		to.WriteHeader(kept.status)
		_, _ = to.Write(kept.body.Bytes()) // the client has gone
		return
	}
	s.hold(c, i)
	switch {
	case r.Cut:
		panic(http.ErrAbortHandler)
	case r.Status != 0:
		s.answerWith(c, func(*Sim, *call) (answer, error) { return answer{}, refusal{r.Status, r.Message} })
	default:
		s.answerWith(c, do)
	}
}

// streams reports whether the answer of a route is a stream that has no end of its own.
func streams(route string) bool {
	switch route {
	case "/events", "/containers/{id}/attach", "/containers/{id}/logs", "/containers/{id}/stats", "/exec/{id}/start":
		return true
	}
	return false
}

// hold holds a call as its rule demands. When the client goes meanwhile, so does the call.
func (s *Sim) hold(c *call, i *Injected) {
	ctx, cancel := s.ends(c)
	defer cancel()
	s.sleep(ctx, i.rule.Delay)
	if i.rule.Hang {
		select {
		case <-i.release:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		panic(http.ErrAbortHandler)
	}
}

// keptAnswer holds an answer back.
type keptAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (k *keptAnswer) Header() http.Header { return k.header }

// WriteHeader implements http.ResponseWriter.
func (k *keptAnswer) WriteHeader(status int) { k.status = status }

// Write implements http.ResponseWriter.
func (k *keptAnswer) Write(b []byte) (int, error) { return k.body.Write(b) }
