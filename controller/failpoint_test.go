package controller_test

import (
	"net/http"
	"strings"
	"sync"
)

// failpoints let a daemon crash at its nth point: right before or after an effect, which is a
// commit of the database, a call that changes something in Docker, or a change of a file.
// It can also have something done while a call of the daemon is on its way.
type failpoints struct {
	mu           sync.Mutex
	at           int
	count        int
	armed        bool // not while the daemon opens its files
	crashed      bool
	where        string
	fired        chan struct{}
	interruption *interruption
}

// interruption is what is done at the nth moment at which a call of the daemon was done by the
// engine and is not yet answered, or is one that changes something and was not yet done.
type interruption struct {
	at, count int
	started   func() bool // whether moments count already
	do        func()
	done      chan struct{}
	over      bool
}

func newFailpoints(at int) *failpoints { return &failpoints{at: at, fired: make(chan struct{})} }

func (p *failpoints) arm() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = true
}

// reset counts from here on.
func (p *failpoints) reset(at int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at, p.count = at, 0
}

// point counts, and reports whether the daemon is crashed.
func (p *failpoints) point(where string) (crashed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.armed {
		return false
	}
	p.count++
	if p.count == p.at {
		p.crash(where)
	}
	return p.crashed
}

// crash is called with the lock held.
func (p *failpoints) crash(where string) {
	if !p.crashed {
		p.crashed, p.where = true, where
		close(p.fired)
	}
}

// freeSpace is called before each commit: a crashed daemon commits nothing.
func (p *failpoints) freeSpace(string) (uint64, error) {
	if p.point("before a commit") {
		return 0, nil
	}
	return 1 << 40, nil
}

// wrap stands before the engine: a request of a crashed daemon has no effect, and no event of what
// happened while it died is delivered.
func (p *failpoints) wrap(engine http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		what := r.Method + " " + r.URL.Path
		if strings.HasSuffix(what, "/attach") || strings.HasSuffix(what, "/events") {
			engine.ServeHTTP(w, r)
			return
		}
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead
		if !reads {
			p.pass("before " + what)
			if p.point("before " + what) {
				panic(http.ErrAbortHandler)
			}
		}
		engine.ServeHTTP(w, r)
		p.pass("after " + what)
		if !reads && p.point("after "+what) {
			panic(http.ErrAbortHandler)
		}
	})
}

// interruptAt has do called at the nth moment once started reports true; crashes has the daemon
// crash then.
func (p *failpoints) interruptAt(at int, crashes bool, started func() bool, do func()) {
	s := &interruption{at: at, started: started, done: make(chan struct{})}
	s.do = func() {
		do()
		p.mu.Lock()
		defer p.mu.Unlock()
		if crashes {
			p.crash("while a write was acknowledged " + p.where)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.interruption = s
}

// pass is a moment for an interruption.
func (p *failpoints) pass(where string) {
	p.mu.Lock()
	s := p.interruption
	if s == nil || s.over || p.crashed || !s.started() {
		p.mu.Unlock()
		return
	}
	s.count++
	if s.count < s.at {
		p.mu.Unlock()
		return
	}
	s.over, p.where = true, where
	p.mu.Unlock()
	s.do()
	close(s.done)
}

// interrupting reports whether the interruption has started.
func (p *failpoints) interrupting() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.interruption == nil || p.interruption.over
}

// interrupted reports whether the interruption has happened, in which case it is over by then. If it
// has not, it never will.
func (p *failpoints) interrupted() bool {
	p.mu.Lock()
	s := p.interruption
	began := s.over
	s.over = true
	p.mu.Unlock()
	if began {
		<-s.done
	}
	return began
}
