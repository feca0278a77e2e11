package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// call is one request that went through a proxy.
type call struct {
	at           time.Time
	method, path string
}

// proxy passes the bytes of connections to an engine on, unaltered, and notes each request.
type proxy struct {
	listener net.Listener
	upstream string
	work     sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	shut  bool
	calls []call
	news  chan struct{} // closed and replaced at each request
}

// listen puts a proxy before the engine at host, on a unix socket.
func listen(socket, host string) (*proxy, error) {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("listen before the engine: %w", err)
	}
	p := &proxy{listener: l, upstream: host, conns: map[net.Conn]struct{}{}, news: make(chan struct{})}
	p.work.Go(p.accept)
	return p, nil
}

func (p *proxy) host() string { return "unix://" + p.listener.Addr().String() }

// close ends all connections, and returns when nothing works any more.
func (p *proxy) close() {
	p.mu.Lock()
	p.shut = true
	for c := range p.conns {
		c.Close()
	}
	p.mu.Unlock()
	p.listener.Close()
	p.work.Wait()
}

func (p *proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		network, address, _ := strings.Cut(p.upstream, "://")
		engine, err := net.Dial(network, address)
		if err != nil {
			conn.Close()
			continue
		}
		p.work.Go(func() { p.serve(conn, engine) })
	}
}

// serve carries one connection until either side ends it.
func (p *proxy) serve(conn, engine net.Conn) {
	defer conn.Close()
	defer engine.Close()
	if !p.hold(conn, engine) {
		return
	}
	defer p.let(conn, engine)
	var answers sync.WaitGroup
	answers.Go(func() {
		_, _ = io.Copy(conn, engine)
		conn.Close()
	})
	p.read(conn, engine)
	if half, ok := engine.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	answers.Wait()
}

// read reads the requests of a connection, and sends what it reads on to the engine.
func (p *proxy) read(conn io.Reader, engine io.Writer) {
	came := &arrivals{from: conn}
	from := bufio.NewReader(io.TeeReader(came, engine))
	for {
		r, err := http.ReadRequest(from)
		if err != nil {
			return
		}
		p.note(call{came.last, r.Method, r.URL.Path})
		if r.Header.Get("Upgrade") != "" {
			_, _ = io.Copy(io.Discard, from)
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
	}
}

// arrivals notes when bytes came.
type arrivals struct {
	from io.Reader
	last time.Time
}

func (a *arrivals) Read(b []byte) (int, error) {
	n, err := a.from.Read(b)
	a.last = time.Now()
	return n, err
}

func (p *proxy) hold(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.conns[c] = struct{}{}
	}
	return !p.shut
}

func (p *proxy) let(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
	}
}

func (p *proxy) note(c call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, c)
	close(p.news)
	p.news = make(chan struct{})
}

// mark returns how many requests there were until now.
func (p *proxy) mark() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.calls)
}

// since returns the requests after a mark, and a channel that closes at the next one.
func (p *proxy) since(mark int) ([]call, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls[mark:]), p.news
}

var startPath = regexp.MustCompile(`^(?:/v[0-9.]+)?/containers/([0-9a-f]{64})/start$`)

// starts returns the id of the container that c starts, empty for any other call.
func (c call) starts() string {
	m := startPath.FindStringSubmatch(c.path)
	if c.method != http.MethodPost || m == nil {
		return ""
	}
	return m[1]
}

var (
	versionPath = regexp.MustCompile(`^/v[0-9.]+`)
	installPath = regexp.MustCompile(`^/containers/lightd_install-[^/]*`)
	imagePath   = regexp.MustCompile(`^/images/.+/json$`)
	ownerPath   = regexp.MustCompile(`^/volumes/lightd-owner-[^/]*`)
	runPath     = regexp.MustCompile(`^/containers/(?:[0-9a-f]{64}|lightd-[^/]*)`)
)

// kind is the call without what differs from container to container.
func (c call) kind() string {
	path := versionPath.ReplaceAllString(c.path, "")
	path = installPath.ReplaceAllString(path, "/containers/:install")
	path = ownerPath.ReplaceAllString(imagePath.ReplaceAllString(path, "/images/:ref/json"), "/volumes/:owner")
	return c.method + " " + runPath.ReplaceAllString(path, "/containers/:run")
}

// freePorts returns the first of n ports in a row that nobody holds on this host, below
// those that the kernel gives to outgoing connections.
func freePorts(n int) (int, error) {
	for first := 20000; first+n < 32000; first += n {
		if free(first, n) {
			return first, nil
		}
	}
	return 0, fmt.Errorf("find %d free ports: %w", n, os.ErrNotExist)
}

func free(first, n int) bool {
	for port := first; port < first+n; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}
