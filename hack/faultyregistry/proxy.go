package faultyregistry

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"
)

// Kind is what a request is for.
type Kind string

// The kinds of requests of a pull. Ping is what a pull begins with, and names no repository.
const (
	Ping     Kind = "ping"
	Manifest Kind = "manifest"
	Config   Kind = "config"
	Layer    Kind = "layer"
)

// paths are the requests of a pull.
var paths = regexp.MustCompile(`^/v2/(?:([a-z0-9/._-]+)/(manifests|blobs)/([^/]+))?$`)

// Request is one that a proxy was sent.
type Request struct {
	At         time.Time
	Repository string
	Kind       Kind
	Method     string
	// Path is that of the URL.
	Path string
	// Bytes is how long the body of its answer was.
	Bytes int64
	// Partial is true where it asked for a part of a blob.
	Partial bool
	// Authorized is true where it had credentials.
	Authorized bool
}

// Options are how a Proxy serves.
type Options struct {
	// Listener is where it serves; nil stands for a port of this machine's loopback.
	Listener net.Listener
	// TLS is its certificate; nil for plain HTTP.
	TLS *tls.Config
	// Open is true for one that asks for no password.
	Open bool
}

// Proxy passes requests on to a Registry, but for what faults do to them. It is safe for concurrent use.
type Proxy struct {
	// Address is what references begin with.
	Address string

	next http.Handler
	// configs has the digests of those of images.
	configs *sync.Map
	open    bool
	serving sync.WaitGroup

	mu       sync.Mutex
	faults   map[string]Fault
	requests []Request
	// pulling counts, and most is how many layers were under way at once at most, of different repositories.
	pulling map[string]int
	most    int
}

// Proxy starts a proxy before the registry, which ends with the test.
func (r *Registry) Proxy(o Options) *Proxy {
	r.t.Helper()
	return serve(r.t, o, r.handler(), &r.configs)
}

// Trap starts a server that is no registry: it answers all requests with an empty page, and counts them.
func Trap(t testing.TB, o Options) *Proxy {
	t.Helper()
	return serve(t, o, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), &sync.Map{})
}

func serve(t testing.TB, o Options, next http.Handler, configs *sync.Map) *Proxy {
	t.Helper()
	if o.Listener == nil {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		o.Listener = l
	}
	p := &Proxy{Address: o.Listener.Addr().String(), next: next, configs: configs, open: o.Open, faults: map[string]Fault{}, pulling: map[string]int{}}
	if o.TLS != nil {
		o.Listener = tls.NewListener(o.Listener, o.TLS)
	}
	ctx, cancel := context.WithCancel(context.Background())
	server := &http.Server{Handler: p, ErrorLog: discard, BaseContext: func(net.Listener) context.Context { return ctx }}
	p.serving.Go(func() { _ = server.Serve(o.Listener) })
	t.Cleanup(func() {
		cancel()
		_ = server.Close()
		p.serving.Wait()
	})
	return p
}

// Break has the requests for a repository go through a fault from now on; nil ends that.
func (p *Proxy) Break(repository string, f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults[repository] = f
}

// Requests returns those for a repository so far, in their order; those that name none for "".
func (p *Proxy) Requests(repository string) []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.requests), func(r Request) bool { return r.Repository != repository })
}

// Login returns a configuration file of Docker's command line that has the registry's password for its proxies.
func Login(proxies ...*Proxy) []byte {
	auths := map[string]map[string]string{}
	for _, p := range proxies {
		auths[p.Address] = map[string]string{"auth": Auth}
	}
	text, _ := json.Marshal(map[string]any{"auths": auths}) // of strings alone
	return text
}

// MostAtOnce returns from how many repositories layers were being read at once at most.
func (p *Proxy) MostAtOnce() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.most
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.serving.Add(1)
	defer p.serving.Done()
	request := Request{At: time.Now(), Method: r.Method, Path: r.URL.Path, Partial: r.Header.Get("Range") != "", Authorized: r.Header.Get("Authorization") != ""}
	if parts := paths.FindStringSubmatch(r.URL.Path); parts != nil {
		request.Repository = parts[1]
		request.Kind = map[string]Kind{"": Ping, "manifests": Manifest, "blobs": Layer}[parts[2]]
		if _, is := p.configs.Load(parts[3]); is {
			request.Kind = Config
		}
	}
	fault, done := p.begin(request)
	counted := &counter{ResponseWriter: w}
	defer func() { done(counted.bytes) }() // also where a fault cuts the connection
	if p.open {
		r.SetBasicAuth(User, Password)
	}
	if fault == nil {
		p.next.ServeHTTP(counted, r)
		return
	}
	fault(counted, r, request.Kind, p.next)
}

// begin records a request. Done records how much it was answered with.
func (p *Proxy) begin(request Request) (f Fault, done func(bytes int64)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.requests)
	p.requests = append(p.requests, request)
	if request.Kind == Layer {
		p.pulling[request.Repository]++
		p.most = max(p.most, len(p.pulling))
	}
	return p.faults[request.Repository], func(bytes int64) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.requests[n].Bytes = bytes
		if request.Kind != Layer {
			return
		}
		if p.pulling[request.Repository]--; p.pulling[request.Repository] == 0 {
			delete(p.pulling, request.Repository)
		}
	}
}

// counter counts the bytes of an answer.
type counter struct {
	http.ResponseWriter
	bytes int64
}

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (c *counter) Unwrap() http.ResponseWriter { return c.ResponseWriter }
