package simengine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"syscall"

	"github.com/docker/docker/client"
)

// mode is how the engine meets those who call.
type mode int

const (
	modeUp      mode = iota
	modeRefuse       // connections are refused
	modeSilence      // connections are accepted, and never answered
)

// endpoint is a unix socket that the engine listens on.
type endpoint struct {
	path   string
	server *http.Server
}

// Serve listens on a unix socket until Close.
func (s *Sim) Serve(path string) error {
	e := &endpoint{path: path}
	if err := s.listen(e); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners[e] = struct{}{}
	return nil
}

// listen starts a server on the socket of e.
func (s *Sim) listen(e *endpoint) error {
	if err := os.Remove(e.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("listen on %s: %w", e.path, err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: e.path, Net: "unix"})
	if err != nil {
		return fmt.Errorf("listen on %s: %w", e.path, err)
	}
	// The file stays when the engine goes down: those who dial are refused, as they are
	// by a daemon that died.
	l.SetUnlinkOnClose(false)
	server := &http.Server{Handler: s.front}
	e.server = server
	s.work.Go(func() { _ = server.Serve(l) })
	return nil
}

// Dial connects to the engine in memory. It can be given to client.WithDialContext. What stands before
// the engine sees name as the remote address of a request.
func (s *Sim) Dial(ctx context.Context, _, name string) (net.Conn, error) {
	s.mu.Lock()
	if s.mode == modeRefuse || s.ctx.Err() != nil {
		s.mu.Unlock()
		return nil, &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	if s.pipes == nil {
		s.pipes = &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
		s.pipeServer = &http.Server{Handler: s.front}
		server, pipes := s.pipeServer, s.pipes
		s.work.Go(func() { _ = server.Serve(pipes) })
	}
	pipes := s.pipes
	s.mu.Unlock()
	ours, theirs := net.Pipe()
	select {
	case pipes.conns <- namedConn{ours, name}:
		return theirs, nil
	case <-pipes.done:
	case <-ctx.Done():
	}
	return nil, &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
}

// Client returns a Docker client that reaches the engine through Dial. It is the caller's
// to close.
func (s *Sim) Client() (*client.Client, error) {
	return client.NewClientWithOpts(
		client.WithHost("http://simengine"),
		client.WithHTTPClient(&http.Client{Transport: &http.Transport{}}),
		client.WithDialContext(s.Dial),
		client.WithAPIVersionNegotiation(),
	)
}

// namedConn is the engine's end of a connection in memory.
type namedConn struct {
	net.Conn
	name string
}

func (c namedConn) RemoteAddr() net.Addr { return &net.UnixAddr{Name: c.name, Net: "unix"} }

// pipeListener accepts the connections that Dial made.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

// Accept implements net.Listener.
func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. A server calls it once.
func (l *pipeListener) Close() error {
	close(l.done)
	return nil
}

// Addr implements net.Listener.
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "simengine", Net: "pipe"} }

// Refuse takes the engine down: connections end and new ones are refused. Containers live
// on, and are found as they are when it is up again.
func (s *Sim) Refuse() { s.change(modeRefuse) }

// Silence makes the engine take connections and never answer.
func (s *Sim) Silence() { s.change(modeSilence) }

// Up ends Refuse and Silence. Calls that waited in silence are cut.
func (s *Sim) Up() error {
	s.change(modeUp)
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := range s.listeners {
		if e.server != nil {
			continue
		}
		if err := s.listen(e); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sim) change(to mode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mode = to
	close(s.modeChange)
	s.modeChange = make(chan struct{})
	if to == modeUp {
		return
	}
	s.cutStreamsLocked(func(*stream) bool { return true })
	if to == modeSilence {
		return
	}
	if s.pipeServer != nil {
		_ = s.pipeServer.Close()
		s.pipeServer, s.pipes = nil, nil
	}
	for e := range s.listeners {
		if e.server != nil {
			_ = e.server.Close()
			e.server = nil
		}
	}
}

// waitClosed returns at once unless the engine is silent; then it never returns, and the
// connection is cut when the silence or the call ends.
func (s *Sim) waitClosed(ctx context.Context) {
	s.mu.Lock()
	silent, changed := s.mode == modeSilence, s.modeChange
	s.mu.Unlock()
	if !silent {
		return
	}
	select {
	case <-changed:
	case <-ctx.Done():
	case <-s.ctx.Done():
	}
	panic(http.ErrAbortHandler)
}
