package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errhttp"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
)

// AttachOptions are the streams of a container that a connection carries.
type AttachOptions struct {
	// Input is the standard input, Output both outputs from now on.
	Input, Output bool
	// Logs begins with what was written before.
	Logs bool
}

// Conn is a connection to the streams of a container. It is closed when the context of
// its Attach ends. Reads give the output as Merged reads it.
type Conn struct {
	conn   net.Conn
	reader *bufio.Reader
	stop   func() bool
}

// Read reads output.
func (c *Conn) Read(p []byte) (int, error) { return c.reader.Read(p) }

// Write writes input.
func (c *Conn) Write(p []byte) (int, error) { return c.conn.Write(p) }

// SetWriteDeadline bounds writes from now on.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.conn.SetWriteDeadline(t) }

// CloseWrite ends the input, while output can still be read.
func (c *Conn) CloseWrite() error {
	half, ok := c.conn.(interface{ CloseWrite() error })
	if !ok {
		return fmt.Errorf("end input: %w", errors.ErrUnsupported)
	}
	return half.CloseWrite()
}

// Close ends the connection, and with it a Read and a Write that wait.
func (c *Conn) Close() error {
	c.stop()
	return c.conn.Close()
}

// Resize sets the size of the terminal of a running container.
func (e *Engine) Resize(ctx context.Context, containerID string, cols, rows int) error {
	return e.act(ctx, e.timeouts.Query, "resize terminal of container", containerID, func(ctx context.Context, s *session) error {
		return s.ContainerResize(ctx, containerID, container.ResizeOptions{Width: uint(cols), Height: uint(rows)})
	})
}

// Attach connects to the streams of a container. When it returns, the engine delivers
// all output from then on. An open output without a reader blocks the container in the end.
// On a Podman it fails with ErrNotRunning where the container does not run, also before its first start.
func (e *Engine) Attach(ctx context.Context, containerID string, o AttachOptions) (*Conn, error) {
	err := e.attachable(ctx, containerID)
	var conn *Conn
	if err == nil {
		conn, err = e.upgraded(ctx, func(ctx context.Context, version string) (*http.Request, error) {
			return attachRequest(ctx, version, containerID, o)
		})
	}
	if err != nil {
		return nil, fmt.Errorf("attach to container %s: %w", containerID, err)
	}
	return conn, nil
}

// upgrading makes the request that opens streams, for a version of the API.
type upgrading func(ctx context.Context, version string) (*http.Request, error)

// upgraded does what the Docker client would, which loses the status of a refusal and
// waits without a deadline.
func (e *Engine) upgraded(ctx context.Context, ask upgrading) (*Conn, error) {
	opening, cancel := context.WithTimeoutCause(ctx, e.timeouts.Query, ErrTimeout)
	defer cancel()
	conn, err := e.connect(opening, ask)
	if err != nil {
		if cause := causeOf(opening); cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		return nil, err
	}
	conn.stop = context.AfterFunc(ctx, func() { _ = conn.conn.Close() })
	return conn, nil
}

// connect opens the connection within the deadline of its context.
func (e *Engine) connect(opening context.Context, ask upgrading) (*Conn, error) {
	s, err := e.session(opening)
	if err != nil {
		return nil, err
	}
	conn, err := e.dial(opening)
	if err != nil {
		e.current.CompareAndSwap(s, nil)
		return nil, err
	}
	stop := context.AfterFunc(opening, func() { _ = conn.Close() })
	reader, err := upgrade(opening, conn, s.ClientVersion(), ask)
	if !stop() && err == nil {
		err = context.Cause(opening)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &Conn{conn: conn, reader: reader}, nil
}

// attachRequest asks for the streams of a container.
func attachRequest(ctx context.Context, version, containerID string, o AttachOptions) (*http.Request, error) {
	// Docker would take Ctrl-P Ctrl-Q out of the input of a TTY and end the connection.
	// NUL is never in the input: the API refuses it.
	query := url.Values{"stream": {"1"}, "detachKeys": {"ctrl-@"}}
	set := func(name string, on bool) {
		if on {
			query.Set(name, "1")
		}
	}
	set("stdin", o.Input)
	set("stdout", o.Output)
	set("stderr", o.Output)
	set("logs", o.Logs)
	target := url.URL{
		Scheme: "http", Host: client.DummyHost,
		Path: "/v" + version + "/containers/" + containerID + "/attach", RawQuery: query.Encode(),
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "text/plain")
	return request, nil
}

// upgrade requests streams and reads the head of the response.
func upgrade(ctx context.Context, conn net.Conn, version string, ask upgrading) (*bufio.Reader, error) {
	request, err := ask(ctx, version)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", cerrdefs.ErrInvalidArgument, err)
	}
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", "tcp")
	if err := request.Write(conn); err != nil {
		return nil, err
	}
	reader := bufio.NewReaderSize(conn, 32<<10)
	answer, err := http.ReadResponse(reader, request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode == http.StatusSwitchingProtocols {
		return reader, nil
	}
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 1024))
	return nil, fmt.Errorf("%w: the engine answered %s: %s", errhttp.ToNative(answer.StatusCode), answer.Status, text)
}
