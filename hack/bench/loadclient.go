package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// loadClient is one connection that repeats requests and costs little beside the server: it reads
// answers and decodes nothing.
type loadClient struct {
	conn net.Conn
	r    *bufio.Reader
}

func dialLoad(ctx context.Context, address string) (*loadClient, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	return &loadClient{conn, bufio.NewReaderSize(conn, 64<<10)}, nil
}

func (c *loadClient) do(method, path string, body []byte) error {
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
		method, path, c.conn.RemoteAddr(), bearer, len(body))
	if _, err := c.conn.Write(append([]byte(head), body...)); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	answer, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if answer.StatusCode >= 300 {
		return fmt.Errorf("%s %s: status %d", method, path, answer.StatusCode)
	}
	return nil
}

// rateOf makes n requests to a server by so many clients, and returns how many it answers in a second.
func rateOf(ctx context.Context, address string, clients, n int, request func(c *loadClient, i int) error) (float64, error) {
	all := make([]*loadClient, clients)
	for i := range all {
		c, err := dialLoad(ctx, address)
		if err != nil {
			return 0, err
		}
		defer c.conn.Close()
		all[i] = c
	}
	return ratePer(ctx, clients, n, func(client, i int) error { return request(all[client], i) })
}

// ratePer has so many workers do n things, and returns how many are done in a second.
func ratePer(ctx context.Context, workers, n int, do func(worker, i int) error) (float64, error) {
	var next atomic.Int64
	began := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	for worker := range workers {
		group.Go(func() error {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := do(worker, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := group.Wait()
	return float64(n) / time.Since(began).Seconds(), err
}
