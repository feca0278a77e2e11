package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	startLimit = 15 * time.Second
	stopLimit  = 15 * time.Second
)

// daemon is the built binary as a child process.
type daemon struct {
	cmd   *exec.Cmd
	url   string
	token string
	said  string // its one line
	log   string // the file of its standard error
	ended chan error
}

// startDaemon returns when the daemon accepts requests.
func startDaemon(ctx context.Context, binary, dir, shared string) (*daemon, error) {
	config := filepath.Join(dir, "lightd.yaml")
	text := fmt.Sprintf("listen: 127.0.0.1:0\ndata_dir: %q\nmounts:\n  allowed: [%q]\n", filepath.Join(dir, "data"), shared)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	d := &daemon{log: filepath.Join(dir, "lightd.log"), ended: make(chan error, 1)}
	log, err := os.Create(d.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	d.cmd = exec.Command(binary, "serve", "--config", config)
	d.cmd.Stderr = log
	d.cmd.Env = environment()
	// An interrupt at the terminal is for the demo, which then stops its daemon.
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// Not StdoutPipe: Wait would close it before the line is read.
	stdout, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	d.cmd.Stdout = in
	err = d.cmd.Start()
	_ = in.Close() // the child has its own
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the daemon: %w (\"make build\" makes it)", err), stdout.Close())
	}
	first := make(chan string, 1)
	go func() { d.ended <- d.cmd.Wait() }()
	go func() {
		defer stdout.Close()
		line, _ := bufio.NewReader(stdout).ReadString('\n')
		first <- line
	}()
	if err := d.accepted(ctx, first); err != nil {
		return d, err
	}
	secret, err := os.ReadFile(filepath.Join(dir, "data", "token"))
	d.token = strings.TrimSpace(string(secret))
	return d, err
}

// accepted waits for the one line of a daemon that accepts requests.
func (d *daemon) accepted(ctx context.Context, first <-chan string) error {
	select {
	case line := <-first:
		_, url, found := strings.Cut(strings.TrimSpace(line), "accepts requests on ")
		if !found {
			return errors.New("the daemon did not start")
		}
		d.said, d.url = line, url
		return nil
	case <-time.After(startLimit):
		return fmt.Errorf("the daemon did not accept requests within %s", startLimit)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stop asks the daemon to end, and says so when it did not end well.
func (d *daemon) stop() error {
	_ = d.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case err := <-d.ended:
		if err != nil {
			return fmt.Errorf("the daemon ended badly: %w", err)
		}
		return nil
	case <-time.After(stopLimit):
		_ = d.cmd.Process.Kill()
		<-d.ended
		return fmt.Errorf("the daemon did not stop within %s", stopLimit)
	}
}

// tail returns the last lines of the daemon's log.
func (d *daemon) tail(lines int) string {
	text, err := os.ReadFile(d.log)
	if err != nil {
		return err.Error()
	}
	return lastLines(string(text), lines)
}

// environment is the demo's own without the settings of some other daemon.
func environment() []string {
	var kept []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "LIGHTD_") {
			kept = append(kept, v)
		}
	}
	return kept
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
