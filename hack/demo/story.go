package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
)

//go:embed hello.pl
var program []byte

// The page's example, with a program that listens and takes commands in the place of
// its endless loop.
const (
	startup = `bash -c 'perl hello.pl & while read -r line; do eval "$line"; done'`
	script  = "#!/bin/bash\nset -e\napt-get update\napt-get install -y curl\ncp /custom/path/hello.pl ."
	inside  = 25565 // where the program listens in its container
	note    = "written before the kill"
)

// How long each part may take before the demo calls it a failure.
const (
	installLimit = 3 * time.Minute
	healLimit    = 30 * time.Second
	consoleLimit = 20 * time.Second
)

// story is the demo while it plays.
type story struct {
	out    *report
	docker engine
	dir    string // everything on disk is below it
	binary string

	daemon   *daemon
	api      *api
	watch    *watch
	id       string
	instance string // the daemon's label in Docker; empty until a container showed it
	image    string
	volume   struct {
		ID   string `json:"volume_id"`
		Path string
	}
	ports [2]int // before and after the rebind
}

type port struct {
	IP       string `json:"ip"`
	Port     int    `json:"port"`
	Protocol string `json:"protocol"`
	Inside   int    `json:"container_port,omitempty"`
}

func (s *story) play(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the WebSocket's reader
	for _, act := range []func(context.Context) error{
		s.begin, s.prepare, s.install, s.start, s.console, s.kill, s.lose, s.rebind, s.remember, s.delete,
	} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) begin(ctx context.Context) (err error) {
	s.out.chapter("Start a daemon", "one binary on an empty directory, ready when the database and the engine answer")
	if s.image, err = s.docker.image(ctx); err != nil {
		return err
	}
	if s.id, err = s.docker.freeID(ctx); err != nil {
		return err
	}
	shared := filepath.Join(s.dir, "shared")
	if err := os.Mkdir(shared, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(shared, "hello.pl"), program, 0o644); err != nil {
		return err
	}
	began := time.Now()
	if s.daemon, err = startDaemon(ctx, s.binary, s.dir, shared); err != nil {
		return err
	}
	s.api = newAPI(s.daemon)
	s.out.did("lightd serve", s.daemon.url)
	if err := s.ready(ctx); err != nil {
		return err
	}
	took := time.Since(began)
	s.out.figure("daemon started to ready", took)
	s.out.proved("ready after %.3fs", took.Seconds())
	return nil
}

// ready asks until the daemon has looked at the engine.
func (s *story) ready(ctx context.Context) error {
	deadline := time.Now().Add(startLimit)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		err := s.api.call(ctx, "GET /readyz", nil, nil)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		select {
		case err := <-s.daemon.ended:
			s.daemon.ended <- err
			return errors.New("the daemon has ended")
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *story) prepare(ctx context.Context) error {
	s.out.chapter("Two ports and a volume", "containers get what the pool holds, and nothing else")
	var err error
	if s.ports, err = freePorts(25565); err != nil {
		return err
	}
	for _, p := range s.ports {
		if err := s.api.call(ctx, "POST /network/ports", port{IP: "0.0.0.0", Port: p, Protocol: "tcp"}, nil); err != nil {
			return err
		}
		s.out.did("port to the pool", fmt.Sprintf("0.0.0.0:%d/tcp", p))
	}
	if s.ports[0] != inside {
		s.out.did("note", fmt.Sprintf("port %d is taken on this machine, so %d is used", inside, s.ports[0]))
	}
	if err := s.api.call(ctx, "POST /volumes", nil, &s.volume); err != nil {
		return err
	}
	s.out.did("volume", s.volume.ID)
	return nil
}

func (s *story) install(ctx context.Context) error {
	s.out.chapter("Create the container "+s.id, "the page's own example: image "+s.image+", its install script, its limits")
	began := time.Now()
	err := s.api.call(ctx, "POST /containers", map[string]any{
		"internal_id": s.id, "image": s.image, "volume_id": s.volume.ID,
		"startup_command": startup, "start_pattern": "Hello",
		"ports":  []port{{"0.0.0.0", s.ports[0], "tcp", inside}},
		"limits": map[string]any{"memory": 536870912, "cpu": 1.0},
		"mount":  map[string]string{"/custom/path": filepath.Join(s.dir, "shared")}, "install_script": script,
	}, nil)
	if err != nil {
		return err
	}
	s.out.did("POST /containers", "startup command: "+startup)
	conn, messages, err := s.api.follow(ctx, s.id)
	if err != nil {
		return err
	}
	s.watch = &watch{out: s.out, conn: conn, messages: messages, stuck: s.stuck}
	if _, err := s.watch.event(ctx, "ContainerCreated", installLimit); err != nil {
		return err
	}
	if err := s.identify(ctx); err != nil {
		return err
	}
	if _, err := s.watch.event(ctx, "Ready", installLimit); err != nil {
		return err
	}
	s.out.figure("create to Ready, the apt-get runs included", time.Since(began))
	log, err := s.api.send(ctx, "GET /containers/"+s.id+"/install-log", nil)
	if err != nil {
		return err
	}
	s.out.proved("the script's output is kept: %d lines of install-log", strings.Count(string(log), "\n"))
	return nil
}

// identify learns the label under which this daemon's things can be found in Docker.
func (s *story) identify(ctx context.Context) error {
	ours, err := s.docker.containers(ctx, s.id, s.dir)
	if err != nil {
		return err
	}
	if len(ours) == 0 {
		return errors.New("the daemon has created a container, and Docker has none")
	}
	s.instance = ours[0].instance
	return nil
}

func (s *story) start(ctx context.Context) error {
	s.out.chapter("Start it", "running is said when the program printed its start pattern, not before")
	began := time.Now()
	if err := s.api.call(ctx, "POST /containers/"+s.id+"/start", nil, nil); err != nil {
		return err
	}
	s.out.did("POST .../start", "")
	if err := s.running(ctx, "start to running", began); err != nil {
		return err
	}
	s.out.proved("its state is running")
	return s.listens(ctx, s.ports[0])
}

// running waits for the event, notes how long that took and checks that the state says
// the same.
func (s *story) running(ctx context.Context, figure string, began time.Time) error {
	event, err := s.watch.event(ctx, "Running", healLimit)
	if err != nil {
		return err
	}
	s.out.figure(figure, event.at.Sub(began))
	now, err := s.api.container(ctx, s.id)
	if err != nil {
		return err
	}
	if now.State != "running" {
		return fmt.Errorf("the event Running came, and the state is %s", now.State)
	}
	return nil
}

func (s *story) console(ctx context.Context) error {
	s.out.chapter("Send console commands", "lines to the program's standard input, its output back over the WebSocket")
	if err := s.curl(ctx); err != nil {
		return err
	}
	line := fmt.Sprintf("echo %s > notes.txt; echo saved: $(cat notes.txt)", note)
	return s.command(ctx, line, "saved: "+note)
}

// curl runs what the install script has installed.
func (s *story) curl(ctx context.Context) error {
	return s.command(ctx, "curl --version | head -n 1", "curl 7", "curl 8")
}

// command sends a line and waits for an answer that begins with one of the prefixes.
func (s *story) command(ctx context.Context, line string, prefixes ...string) error {
	if err := say(ctx, s.watch.conn, line); err != nil {
		return err
	}
	s.out.did("send_command", line)
	answer, err := s.watch.console(ctx, prefixes, consoleLimit)
	if err != nil {
		return err
	}
	answer, _, _ = strings.Cut(answer, " (") // curl goes on with all its libraries
	s.out.proved("it answers: %s", answer)
	return nil
}

func (s *story) kill(ctx context.Context) error {
	s.out.chapter("Kill it behind the daemon's back", "through Docker: the daemon was not asked, and puts it right")
	now, err := s.api.container(ctx, s.id)
	if err != nil {
		return err
	}
	s.out.did("docker kill", "lightd-"+s.id)
	began := time.Now()
	if err := s.docker.ContainerKill(ctx, "lightd-"+s.id, "KILL"); err != nil {
		return err
	}
	if err := s.running(ctx, "killed from outside to running again", began); err != nil {
		return err
	}
	healed, err := s.api.container(ctx, s.id)
	if err != nil {
		return err
	}
	if healed.ContainerID != now.ContainerID {
		return errors.New("a killed container was replaced, which it need not be")
	}
	s.out.proved("the same container runs again")
	return s.listens(ctx, s.ports[0])
}

func (s *story) lose(ctx context.Context) error {
	s.out.chapter("Remove it behind the daemon's back", "the container is gone, the spec is not")
	s.out.did("docker rm --force", "lightd-"+s.id)
	began := time.Now()
	if err := s.docker.ContainerRemove(ctx, "lightd-"+s.id, container.RemoveOptions{Force: true}); err != nil {
		return err
	}
	if err := s.running(ctx, "removed to running again", began); err != nil {
		return err
	}
	s.out.proved("a new container runs in its place")
	return s.listens(ctx, s.ports[0])
}

func (s *story) rebind(ctx context.Context) error {
	s.out.chapter("Rebind to another port", "checked first, then a new container of the same installation")
	began := time.Now()
	body := map[string]any{"ports": []port{{"0.0.0.0", s.ports[1], "tcp", inside}}}
	if err := s.api.call(ctx, "POST /containers/"+s.id+"/rebind-network", body, nil); err != nil {
		return err
	}
	s.out.did("POST .../rebind-network", fmt.Sprintf("0.0.0.0:%d", s.ports[1]))
	if _, err := s.watch.event(ctx, "RebindStarted", healLimit); err != nil {
		return err
	}
	if err := s.running(ctx, "rebind to running on the other port", began); err != nil {
		return err
	}
	if err := s.listens(ctx, s.ports[1]); err != nil {
		return err
	}
	conn, err := net.DialTimeout("tcp", loopback(s.ports[0]), callLimit)
	if err == nil {
		return errors.Join(fmt.Errorf("the old port %d still answers", s.ports[0]), conn.Close())
	}
	s.out.proved("port %d is free again", s.ports[0])
	return nil
}

func (s *story) remember(ctx context.Context) error {
	s.out.chapter("See what is still there", "after a kill, a removal and a recreation")
	if err := s.curl(ctx); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(s.volume.Path, "notes.txt"))
	if err != nil {
		return err
	}
	if string(text) != note+"\n" {
		return fmt.Errorf("the volume holds %q", text)
	}
	s.out.proved("the volume's notes.txt: %s", text)
	return nil
}

func (s *story) delete(ctx context.Context) error {
	s.out.chapter("Delete it", "from Docker and from the database; the volume's data stays")
	// Listening comes before the request, so that no removal is missed.
	changes, broken := s.docker.imageEvents(ctx)
	began := time.Now()
	if err := s.api.call(ctx, "DELETE /containers/"+s.id, nil, nil); err != nil {
		return err
	}
	s.out.figure("delete, with a graceful stop", time.Since(began))
	s.out.did("DELETE .../"+s.id, "answered when it was gone")
	ours, err := s.docker.containers(ctx, s.id, s.dir)
	if err != nil {
		return err
	}
	if len(ours) > 0 {
		return errors.New("the container is deleted, and Docker still has it")
	}
	deadline := time.After(healLimit)
	for {
		refs, err := s.docker.images(ctx, s.instance)
		if err != nil {
			return err
		}
		if len(refs) == 0 {
			break
		}
		select {
		case <-changes:
		case err := <-broken:
			return fmt.Errorf("follow Docker's events: %w", err)
		case <-deadline:
			return fmt.Errorf("image %s of the deleted container is still there after %s", refs[0], healLimit)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.out.proved("no container and no image of it is left in Docker")
	return s.afterwards(ctx)
}

// afterwards checks what a deletion leaves: the volume, and free ports.
func (s *story) afterwards(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(s.volume.Path, "notes.txt")); err != nil {
		return fmt.Errorf("the volume's data is gone: %w", err)
	}
	var pool struct {
		Ports []struct {
			Port  int
			InUse bool `json:"in_use"`
		}
	}
	if err := s.api.call(ctx, "GET /network/ports", nil, &pool); err != nil {
		return err
	}
	for _, p := range pool.Ports {
		if p.InUse {
			return fmt.Errorf("port %d is still in use", p.Port)
		}
	}
	s.out.proved("the volume's data is there, and both ports are free")
	return nil
}

// listens reads over a port what the program answers, which is the volume's note.
func (s *story) listens(ctx context.Context, p int) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+loopback(p)+"/", nil)
	if err != nil {
		return err
	}
	response, err := s.api.http.Do(req)
	if err != nil {
		return fmt.Errorf("connect to the container: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("read from the container: %w", err)
	}
	if answer := strings.TrimSpace(string(text)); answer != "" {
		s.out.proved("http://%s answers: %s", loopback(p), answer)
	} else {
		s.out.proved("http://%s answers", loopback(p))
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
