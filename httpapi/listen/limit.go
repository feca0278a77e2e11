package listen

import (
	"container/list"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"lightd/httpapi/peer"
)

// Limits bound the connections of all listeners together.
type Limits struct {
	// Total bounds all connections, PerPeer those of one peer.Peer.Key.
	Total, PerPeer int
	// Exempt reports whether an address stands for many clients, as a proxy's does: PerPeer does not bound it.
	Exempt func(netip.Addr) bool
	Log    *slog.Logger
}

// MaxConnections is how many connections leave half of the files that the process may open to everything
// else: the database, the engine, the output of containers.
func MaxConnections() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur/2 > math.MaxInt32 {
		return math.MaxInt32
	}
	return max(1, int(limit.Cur/2))
}

// Limiter counts connections. Where there are too many it closes the one that has gone longest without a
// request, so that idle connections keep nobody out; where each has one, the new one is refused.
type Limiter struct {
	limits Limits

	mu     sync.Mutex
	peers  map[string]*group // guarded by mu, like what follows
	idle   *list.List        // of *conn, oldest first
	total  int
	logged time.Time
	closed int // idle connections that were closed since logged
	denied int // connections that were refused since logged
}

// group is the connections of one peer.
type group struct {
	total int
	idle  *list.List // of *conn, oldest first
}

// NewLimiter returns a Limiter without connections.
func NewLimiter(l Limits) *Limiter {
	return &Limiter{limits: l, peers: map[string]*group{}, idle: list.New()}
}

// errTotal and errPeer refuse a connection.
var (
	errTotal = errors.New("too many connections")
	errPeer  = errors.New("too many connections from this address")
)

// enter counts c, and returns the idle connection that makes room for it, if one does.
func (l *Limiter) enter(c *conn) (evicted *conn, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := c.peer.Key()
	g := l.peers[key]
	if g == nil {
		g = &group{idle: list.New()}
	}
	exempt := c.peer.Addr.IsLoopback() || l.limits.Exempt != nil && l.limits.Exempt(c.peer.Addr)
	switch {
	case !exempt && g.total >= l.limits.PerPeer:
		evicted, err = oldest(g.idle), errPeer
	case l.total >= l.limits.Total:
		evicted, err = oldest(l.idle), errTotal
	}
	switch {
	case evicted != nil:
		l.closed++
		l.leaveLocked(evicted)
	case err != nil:
		l.denied++
		return nil, err
	}
	l.peers[key] = g
	g.total++
	l.total++
	c.limiter, c.group = l, g
	l.setIdleLocked(c, true)
	return evicted, nil
}

func oldest(idle *list.List) *conn {
	if first := idle.Front(); first != nil {
		return first.Value.(*conn)
	}
	return nil
}

// leave ends the count of c; a second time it does nothing.
func (l *Limiter) leave(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leaveLocked(c)
}

func (l *Limiter) leaveLocked(c *conn) {
	if c.group == nil {
		return
	}
	l.setIdleLocked(c, false)
	l.total--
	if c.group.total--; c.group.total == 0 {
		delete(l.peers, c.peer.Key())
	}
	c.group = nil
}

func (l *Limiter) setIdleLocked(c *conn, idle bool) {
	if c.group == nil || idle == (c.inAll != nil) {
		return
	}
	if idle {
		c.inAll, c.inGroup = l.idle.PushBack(c), c.group.idle.PushBack(c)
		return
	}
	l.idle.Remove(c.inAll)
	c.group.idle.Remove(c.inGroup)
	c.inAll, c.inGroup = nil, nil
}

// ConnState is for http.Server: it notes which connections have a request under way. Until the header of
// one is complete, a connection has none.
func (l *Limiter) ConnState(accepted net.Conn, state http.ConnState) {
	if wrapped, ok := accepted.(*tls.Conn); ok {
		accepted = wrapped.NetConn()
	}
	c, ok := accepted.(*conn)
	if !ok {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch state {
	case http.StateActive, http.StateHijacked:
		l.setIdleLocked(c, false)
	case http.StateIdle:
		l.setIdleLocked(c, true)
	case http.StateNew, http.StateClosed:
	}
}

// Total returns how many connections there are.
func (l *Limiter) Total() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

// logEvery is how often refusals are logged, however many there are.
const logEvery = 10 * time.Second

// report logs what was closed and refused, at most every logEvery.
func (l *Limiter) report(from peer.Peer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.logged) < logEvery || l.closed+l.denied == 0 || l.limits.Log == nil {
		return
	}
	l.limits.Log.Warn("too many connections", "connections", l.total, "limit", l.limits.Total, "limit_per_address", l.limits.PerPeer,
		"idle_closed", l.closed, "refused", l.denied, "last_from", from.String())
	l.logged, l.closed, l.denied = time.Now(), 0, 0
}

// Wrap returns a listener whose connections are counted.
func (l *Limiter) Wrap(inner *Listener) net.Listener { return &limited{inner, l} }

type limited struct {
	*Listener
	limiter *Limiter
}

// Accept returns the next connection that there is room for.
func (l *limited) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := accepted.(*conn) // as Listener.Accept makes them
		evicted, err := l.limiter.enter(c)
		if evicted != nil {
			_ = evicted.Conn.Close()
		}
		if err == nil && evicted == nil {
			return c, nil
		}
		l.limiter.report(c.peer)
		if err == nil {
			return c, nil
		}
		l.refuse(c, err)
	}
}

// refuse answers in the clear what can be answered so, and closes c. Nothing here waits: a connection that
// was just accepted takes so few bytes at once.
func (l *limited) refuse(c *conn, reason error) {
	if !l.TLS {
		status, code := http.StatusServiceUnavailable, "overloaded"
		if errors.Is(reason, errPeer) {
			status, code = http.StatusTooManyRequests, "too_many_requests"
		}
		body := fmt.Sprintf("{\"error\":\"Daemon has %s\",\"code\":%q}\n", reason, code)
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = fmt.Fprintf(c, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s",
			status, http.StatusText(status), len(body), body)
		_ = c.CloseWrite()
	}
	_ = c.Conn.Close()
}
