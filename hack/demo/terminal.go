package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"lightd/httpapi/api"
	"lightd/httpapi/client"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// wish is what changes in the file during the story.
type wish struct {
	port   int
	paused bool
}

// manifest is the page's example, with a program that listens and takes commands in the
// place of its endless loop.
func (s *story) manifest(w wish) string {
	return fmt.Sprintf(`internal_id: %s
image: %s
volume_id: %s
startup_command: bash -c 'perl hello.pl & while read -r line; do eval "$line"; done'
start_pattern: Hello
ports:
  - {ip: 0.0.0.0, port: %d, protocol: tcp, container_port: %d}
limits: {memory: 536870912, cpu: 1.0}
mount: {/custom/path: %q}
install_script: |
  #!/bin/bash
  set -e
  apt-get update
  apt-get install -y curl
  cp /custom/path/hello.pl .
power: running
paused: %t
`, s.id, s.image, s.volume.VolumeID, w.port, inside, filepath.Join(s.dir, "shared"), w.paused)
}

// write writes the file.
func (s *story) write(w wish) error {
	return os.WriteFile(filepath.Join(s.dir, file), []byte(s.manifest(w)), 0o644)
}

// edit writes the file anew, which shows as the command that makes the same of the last.
func (s *story) edit(w wish, change string) error {
	s.out.command("sed -i '" + change + "' " + file)
	return s.write(w)
}

// stuck are the reasons for which a container waits for what nobody is going to give it here.
var stuck = []status.Reason{
	status.ReasonImageUnavailable, status.ReasonPortUnavailable, status.ReasonMountUnavailable, status.ReasonNameTaken,
	status.ReasonPortNotPublished, status.ReasonLimitNotEnforced, status.ReasonInstallLost, status.ReasonRefused, status.ReasonImageUnsuitable, status.ReasonEngineDown,
}

// unlessStuck returns a context that ends when the container waits in vain.
func (s *story) unlessStuck(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		for e, err := range s.client.Watch(ctx, client.Watch{}) {
			if err != nil {
				cancel(err)
				return
			}
			if e.Container == nil {
				continue
			}
			if c := e.Container.Condition(status.Synced); slices.Contains(stuck, c.Reason) {
				cancel(fmt.Errorf("%s: %s", c.Reason, c.Message))
				return
			}
		}
	})
	return ctx, func() { cancel(nil); done.Wait() }
}

// lightd runs the program as a person would, and shows what it prints.
func (s *story) lightd(ctx context.Context, args ...string) error {
	ctx, stop := s.unlessStuck(ctx)
	defer stop()
	s.out.command("lightd " + strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, s.binary, args...)
	cmd.Dir = s.dir
	cmd.Env = append(environment(), "LIGHTD_URL="+s.daemon.url, "LIGHTD_TOKEN="+s.daemon.token)
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd.Stdout, cmd.Stderr = w, w
	err = cmd.Start()
	_ = w.Close() // the child has its own
	if err != nil {
		return err
	}
	s.printed = nil
	for lines := bufio.NewScanner(r); lines.Scan(); {
		s.printed = append(s.printed, lines.Text())
		s.out.output(lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("lightd %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// saw reports whether the last command printed a text.
func (s *story) saw(text string) bool {
	return slices.ContainsFunc(s.printed, func(line string) bool { return strings.Contains(line, text) })
}

// until shows the events after one of number after until one of a kind comes, and returns
// when it did.
func (s *story) until(ctx context.Context, after uint64, kind journal.Type, limit time.Duration) (time.Time, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the event %s did not come within %s", kind, limit))
	defer cancel()
	for e, err := range s.client.FollowEvents(ctx, s.id, after) {
		if err != nil {
			return time.Time{}, err
		}
		s.out.output(strings.TrimSpace(fmt.Sprintf("%-16s %s", e.Type, e.Message)))
		switch e.Type {
		case kind:
			return time.Now(), nil
		case journal.Error:
			return time.Time{}, fmt.Errorf("the daemon reports an error: %s", e.Message)
		}
	}
	return time.Time{}, errors.New("the container was deleted")
}

// says sends a line to the program and waits for an answer that begins with one of the
// prefixes.
func (s *story) says(ctx context.Context, line string, prefixes ...string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, consoleLimit, fmt.Errorf("no line that begins with %q came within %s", prefixes, consoleLimit))
	defer cancel()
	k, err := s.client.Console(ctx, s.id, client.From{After: client.Now})
	if err != nil {
		return err
	}
	defer k.Close()
	asked, partial := false, ""
	for m, err := range k.Messages() {
		switch {
		case err != nil:
			return err
		case m.Kind == api.MessageWord && !asked: // the greeting: what comes from now on is heard
			asked = true
			s.out.prompt("console> ", line)
			err = k.SendCommand(ctx, line+"\n")
		case m.Kind == api.MessageDaemon && strings.HasPrefix(m.Text, "Error: "):
			err = errors.New("the console answers: " + m.Text)
		case m.Kind == api.MessageConsole:
			lines := strings.Split(partial+m.Text, "\n")
			partial = lines[len(lines)-1]
			for _, l := range lines[:len(lines)-1] {
				if l = strings.TrimSpace(l); startsWith(l, prefixes) {
					l, _, _ = strings.Cut(l, " (") // curl goes on with all its libraries
					s.out.output(l)
					return nil
				}
			}
		}
		if err != nil {
			return err
		}
	}
	return errors.New("the container was deleted")
}

func startsWith(line string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(line, p) })
}

// installLog is the end of what the installation printed.
func (s *story) installLog(ctx context.Context) string {
	log, err := s.client.InstallLog(ctx, s.id)
	if err != nil {
		return err.Error()
	}
	defer log.Close()
	text, err := io.ReadAll(log)
	if err != nil {
		return err.Error()
	}
	return lastLines(string(text), 10)
}

// listens reads over a port what the program answers, which is the volume's note.
func (s *story) listens(ctx context.Context, p int) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	s.out.command(fmt.Sprintf("curl http://%s", loopback(p)))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+loopback(p)+"/", nil)
	if err != nil {
		return err
	}
	// The port is on this machine: no proxy of the environment stands in between.
	alone := &http.Transport{DisableKeepAlives: true}
	response, err := alone.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("connect to the container: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("read from the container: %w", err)
	}
	s.out.output(strings.TrimSpace(string(text)))
	return nil
}

// silent makes sure that nobody listens on a port.
func (s *story) silent(p int) error {
	conn, err := net.DialTimeout("tcp", loopback(p), callLimit)
	if err == nil {
		return errors.Join(fmt.Errorf("port %d still answers", p), conn.Close())
	}
	return nil
}

// freePorts returns two ports that nobody on this machine listens on, the lowest from
// first up.
func freePorts(first int) (ports [2]int, err error) {
	n := 0
	for p := first; p <= 65535; p++ {
		listener, err := net.Listen("tcp", fmt.Sprintf("0.0.0.0:%d", p))
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			return ports, err
		}
		if ports[n], n = p, n+1; n == len(ports) {
			return ports, nil
		}
	}
	return ports, fmt.Errorf("no two free ports from %d up", first)
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
