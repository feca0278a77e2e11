package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"lightd/hack/simengine"
)

// measureReads measures GET beside a handler that answers a constant of the same size, in turn. That
// is a process of its own, as the daemon is.
func (l *lab) measureReads(ctx context.Context) error {
	return l.simulated(func(_ *simengine.Sim, p *proxy) error {
		if err := l.populate(ctx, p); err != nil {
			return err
		}
		mark := p.mark()
		return l.with(ctx, p.host(), func(d *daemon) error {
			if err := l.awaitAll(ctx, d, p, mark, 0); err != nil {
				return err
			}
			if err := settle(ctx, p); err != nil {
				return err
			}
			one, n := "/containers/"+l.crowd()[0], l.size.requests
			return errors.Join(
				l.compareGets(ctx, d, one, "GET /containers/:id", 1, 5*n),
				l.compareGets(ctx, d, one, "GET /containers/:id", manyClients, 20*n),
				l.compareGets(ctx, d, "/containers", fmt.Sprintf("GET /containers, a list of %d", l.size.known), manyClients, n),
			)
		})
	})
}

func (l *lab) compareGets(ctx context.Context, d *daemon, path, what string, clients, n int) error {
	size, err := d.sizeOf(ctx, path)
	if err != nil {
		return err
	}
	floor, stop, err := startConstant(ctx, size)
	if err != nil {
		return err
	}
	get := func(c *loadClient, _ int) error { return c.do(http.MethodGet, path, nil) }
	c := &comparison{what: what + ", " + counted(clients, "client"), beside: fmt.Sprintf("a constant of %d bytes", size), unit: "/s", target: atLeast(floorRate)}
	err = l.inTurn(ctx, func(int) error {
		raw, err := rateOf(ctx, floor, clients, n, get)
		if err != nil {
			return fmt.Errorf("get a constant: %w", err)
		}
		ours, err := rateOf(ctx, strings.TrimPrefix(d.base, "http://"), clients, n, get)
		c.add(raw, ours)
		return err
	}, c)
	return errors.Join(err, stop())
}

// sizeOf is that of an answer.
func (d *daemon) sizeOf(ctx context.Context, path string) (int, error) {
	var answer rawAnswer
	err := d.must(ctx, http.MethodGet, path, nil, &answer)
	return len(answer), err
}

// rawAnswer is an answer as it came.
type rawAnswer []byte

// UnmarshalJSON implements json.Unmarshaler.
func (a *rawAnswer) UnmarshalJSON(data []byte) error {
	*a = bytes.Clone(data)
	return nil
}

// startConstant starts this program as the server of a constant, and returns its address.
func startConstant(ctx context.Context, size int) (address string, stop func() error, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, fmt.Errorf("find this program: %w", err)
	}
	server := exec.CommandContext(ctx, self, "-constant", strconv.Itoa(size))
	out, err := server.StdoutPipe()
	if err == nil {
		err = server.Start()
	}
	if err != nil {
		return "", nil, fmt.Errorf("start the server of a constant: %w", err)
	}
	stop = func() error {
		killed := server.Process.Kill()
		_ = server.Wait() // it was killed
		return killed
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("start the server of a constant: %w", err), stop())
	}
	return strings.TrimSpace(line), stop, nil
}

// serveConstant serves an answer of so many bytes until the process ends, and prints its address.
func serveConstant(size int) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	fmt.Println(l.Addr())
	body := bytes.Repeat([]byte("x"), size)
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	})}
	return server.Serve(l)
}
