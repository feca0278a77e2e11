package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"golang.org/x/time/rate"

	"lightd/hack/program"
	"lightd/httpapi/client"
)

// bearer is the token of a daemon that lives for one run.
const bearer = "lightd_soak_of_this_machine"

// patience bounds each wait for the daemon: a busy machine is no failure.
const patience = 5 * time.Minute

// chooseAddress finds a free address of the loopback device, on which each process of the daemon listens.
func chooseAddress() (string, error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find an address for the daemon: %w", err)
	}
	return free.Addr().String(), free.Close()
}

// connect makes the clients: one for the load, whose requests are bounded and judged, and one for what
// watches it.
func (r *run) connect() (err error) {
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	r.recorder = &recorder{
		next: transport, limiter: rate.NewLimiter(rate.Limit(r.options.rate), 1), away: r.disturbed,
		fail: r.fail, log: r.log, answers: map[string]int{},
	}
	cfg := client.Config{
		URL: "http://" + r.address, Token: bearer, HTTP: &http.Client{Transport: r.recorder}, Timeout: patience, Patience: patience,
	}
	if r.client, err = client.New(cfg); err != nil {
		return err
	}
	cfg.HTTP = &http.Client{Transport: transport}
	r.quiet, err = client.New(cfg)
	return err
}

// startDaemon runs the program on the data directory of this run, until it sees database and engine.
func (r *run) startDaemon(ctx context.Context) (err error) {
	r.daemon, err = program.Start(filepath.Join(r.options.out, "daemon.log"), []string{"LIGHTD_TOKEN=" + bearer, "LIGHTD_CONFIG="}, r.options.binary,
		"serve", "--listen", r.address, "--data-dir", filepath.Join(r.dir, "data"), "--docker-host", r.engine.DaemonHost())
	if err != nil {
		return err
	}
	if err := r.ready(ctx); err != nil {
		return fmt.Errorf("%w; its log ends:\n%s", err, r.daemon.Tail())
	}
	return nil
}

// ready waits until the daemon sees both its database and the engine.
func (r *run) ready(ctx context.Context) error {
	return await(ctx, "the daemon is not ready", func() error { return r.quiet.Ready(ctx) })
}

// await repeats a check until there is no error, for as long as patience allows.
func await(ctx context.Context, what string, check func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := check()
		if err == nil {
			return nil
		}
		if sleep(ctx, time.Second/2) != nil {
			return fmt.Errorf("%s: %w", what, errors.Join(err, context.Cause(ctx)))
		}
	}
}

// sleep waits, unless ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
