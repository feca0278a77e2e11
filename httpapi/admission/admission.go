package admission

import (
	"cmp"
	"context"
	"crypto/sha256"
	"io"
	"log/slog"
	"math"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"lightd/httpapi/peer"
	"lightd/httpapi/rest"
)

// Config are the limits; a number that is zero takes its default.
type Config struct {
	// Hosts are the hosts that are served; nil for any.
	Hosts *Hosts
	// Proxies finds clients behind trusted proxies.
	Proxies peer.Resolver
	// PerToken is how many requests of one token may be under way (default 1,500: 1,000 may wait).
	PerToken int
	// Memory is how many bytes the bodies that are under way may hold, and the answers that are (default 64 MiB).
	Memory int64
	// FailureBurst is how many authentications of an address may fail at once (default 30).
	FailureBurst int
	// IsStream reports whether a request is answered by a stream, IsLarge whether by what can be long, such as
	// a list, IsSocket whether a path is that of a WebSocket.
	IsStream, IsLarge func(*http.Request) bool
	IsSocket          func(path string) bool
	Log               *slog.Logger
}

// Admission holds the limits. Its methods may be used by any number of goroutines.
type Admission struct {
	cfg             Config
	failures        *failures
	bodies, answers *budget
	public          *budget       // of answers to requests without a token, which take nothing from others
	stall           time.Duration // see stallAfter
	// making has a place for each long answer that is being made: that takes processor time and several times
	// the memory of the answer, so that more at once only take more.
	making chan struct{}

	mu     sync.Mutex
	under  map[client]int // requests under way; guarded by mu
	logged time.Time      // guarded by mu
}

// New returns an Admission.
func New(cfg Config) *Admission {
	cfg.PerToken, cfg.Memory, cfg.FailureBurst = cmp.Or(cfg.PerToken, 1500), cmp.Or(cfg.Memory, 64<<20), cmp.Or(cfg.FailureBurst, failureBurst)
	return &Admission{
		cfg: cfg, failures: newFailures(cfg.FailureBurst, time.Now), bodies: newBudget(cfg.Memory), answers: newBudget(cfg.Memory), public: newBudget(publicMemory), stall: stallAfter,
		making: make(chan struct{}, min(4, max(2, runtime.NumCPU()))), under: map[client]int{},
	}
}

// publicMemory is what answers to requests without a token may hold.
const publicMemory = 8 << 20

// makeWithin is how long a request waits for a place to make a long answer.
const makeWithin = 10 * time.Second

var (
	errRequests = rest.NewError(http.StatusTooManyRequests, "too_many_requests", "Too many requests of this token are under way").With("Retry-After", "1")
	// 429 also says that nothing was done, so that a client may send a write again; a 503 leaves that open.
	errBodies  = rest.NewError(http.StatusTooManyRequests, "too_many_requests", "Too much is being sent to the daemon").With("Retry-After", "2").With("Connection", "close")
	errUnread  = rest.NewError(http.StatusTooManyRequests, "too_many_requests", "Too many answers to this client wait to be read").With("Retry-After", "2")
	errAnswers = rest.NewError(http.StatusServiceUnavailable, "overloaded", "Too many answers wait to be read").With("Retry-After", "2")
)

// Resolve finds who sends a request. It stands before everything that logs.
func (a *Admission) Resolve(next http.Handler) http.Handler { return a.cfg.Proxies.Middleware(next) }

type clientKey struct{}

// Screen refuses requests for other hosts, and those of addresses whose authentication failed too often. It
// stands before authentication.
func (a *Admission) Screen(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !a.cfg.Hosts.permits(r) {
			refuse(w, r, errHost(r.Host))
			return
		}
		who, has := a.clientOf(r)
		if has {
			if wait := a.failures.blocked(peer.From(r.Context()).Key(), who); wait > 0 {
				seconds := strconv.Itoa(int(math.Ceil(wait.Seconds())))
				refuse(w, r, rest.NewError(http.StatusTooManyRequests, "too_many_failures", "Too many requests of this address had no valid token").With("Retry-After", seconds))
				return
			}
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), clientKey{}, who)))
	})
}

// refuse answers without reading a body, for which the connection is not kept.
func refuse(w http.ResponseWriter, r *http.Request, err *rest.Error) {
	closeUnread(w, r)
	err.Write(w, r)
}

// unreadWithin is how long the server goes on reading a body that nobody wants: long enough for a client that is
// still sending to read the answer.
const unreadWithin = 2 * time.Second

// closeUnread has the connection closed after an answer to a request whose body nobody reads: else the server
// would wait a minute for it, from a client without a token.
func closeUnread(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 && r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(unreadWithin)) // a recorder of a test has none
	}
}

// clientOf returns who sends r; has is false where it has no credential.
func (a *Admission) clientOf(r *http.Request) (who client, has bool) {
	credentials := append(append([]string{}, r.Header.Values("Authorization")...), r.Header.Values("Sec-WebSocket-Protocol")...)
	if r.URL.RawQuery != "" && a.cfg.IsSocket(r.URL.Path) {
		credentials = append(credentials, r.URL.Query()[rest.QueryToken]...)
	}
	text := strings.Join(credentials, "\n")
	if text == "" {
		return sha256.Sum256([]byte("address\n" + peer.From(r.Context()).Key())), false
	}
	return sha256.Sum256([]byte(text)), true
}

// Refused records that authentication failed, and has next answer.
func (a *Admission) Refused(next func(http.ResponseWriter, *http.Request, error)) func(http.ResponseWriter, *http.Request, error) {
	return func(w http.ResponseWriter, r *http.Request, err error) {
		closeUnread(w, r)
		from := peer.From(r.Context())
		if p, _ := rest.ErrorOf(err); p.Status == http.StatusUnauthorized && r.Context().Err() == nil {
			if _, has := a.clientOf(r); has && a.failures.failed(from.Key()) {
				a.logLimited(from)
			}
		}
		next(w, r, err)
	}
}

// logEvery bounds the lines about addresses that are limited.
const logEvery = 10 * time.Second

func (a *Admission) logLimited(from peer.Peer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cfg.Log != nil && time.Since(a.logged) >= logEvery {
		a.logged = time.Now()
		a.cfg.Log.Warn("authentication fails too often; unknown tokens from this address are refused for a while", "remote", from.String())
	}
}

// Bound limits the requests that were let in. It stands behind authentication, before the routes; known
// reports whether a request came with a token.
func (a *Admission) Bound(known func(*http.Request) bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _ := r.Context().Value(clientKey{}).(client)
		answers := a.public
		if known(r) {
			a.failures.succeeded(who)
			answers = a.answers
		} else if !a.cfg.IsStream(r) {
			closeUnread(w, r)
		}
		if a.cfg.IsStream(r) {
			next.ServeHTTP(w, r)
			return
		}
		if err := a.enter(who, answers); err != nil {
			refuse(w, r, err)
			return
		}
		defer a.leave(who)
		a.bound(w, r, who, answers, next)
	})
}

// enter counts a request of a client.
func (a *Admission) enter(who client, answers *budget) *rest.Error {
	if answers.exhausted(who) {
		return errUnread
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.under[who] >= a.cfg.PerToken {
		return errRequests
	}
	a.under[who]++
	return nil
}

func (a *Admission) leave(who client) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.under[who]--; a.under[who] == 0 {
		delete(a.under, who)
	}
}

// bound serves a request within the budgets.
func (a *Admission) bound(w http.ResponseWriter, r *http.Request, who client, answers *budget, next http.Handler) {
	made := func() {}
	if a.cfg.IsLarge(r) {
		timer := time.NewTimer(makeWithin)
		defer timer.Stop()
		select {
		case a.making <- struct{}{}:
			made = sync.OnceFunc(func() { <-a.making })
		case <-timer.C:
			refuse(w, r, errAnswers)
			return
		case <-r.Context().Done():
			return
		}
	}
	out := &answer{ResponseWriter: w, request: r, budget: answers, client: who, stall: a.stall, made: made}
	defer out.end()
	if r.ContentLength != 0 {
		in := &body{ReadCloser: r.Body, budget: a.bodies, client: who}
		defer in.release()
		r = r.WithContext(rest.WithRelease(r.Context(), in.release))
		r.Body = in
	}
	next.ServeHTTP(out, r)
}

// body is the body of a request, which counts against the budget from its first byte on until the request
// ends, or until its handler keeps nothing of it.
type body struct {
	io.ReadCloser
	budget *budget
	client client

	mu       sync.Mutex
	held     int64 // guarded by mu
	released bool  // guarded by mu
}

// Read reads what there is room for.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	if n == 0 || b.released {
		return n, err
	}
	if !b.budget.take(b.client, int64(n)) {
		return 0, errBodies
	}
	b.held += int64(n)
	return n, err
}

// release gives back what the body held; a second time it does nothing.
func (b *body) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.released = true
	b.budget.give(b.client, b.held)
	b.held = 0
}
