package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"

	"lightd/httpapi/api"
	"lightd/httpapi/client"
	"lightd/observed/journal"
	"lightd/observed/status"
)

//go:embed hello.pl
var program []byte

const (
	file   = "server.yaml"
	note   = "written before the kill"
	inside = 25565 // where the program listens in its container
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
	client   *client.Client
	id       string
	instance string // the daemon's label in Docker; empty until a container showed it
	image    string
	volume   api.Volume
	ports    [2]int // before and after they change
	printed  []string
}

func (s *story) play(ctx context.Context) error {
	for _, act := range []func(context.Context) error{
		s.begin, s.prepare, s.apply, s.console, s.kill, s.lose, s.drift, s.plan, s.remember, s.delete,
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
	s.out.command("lightd serve --config lightd.yaml &")
	if s.daemon, err = startDaemon(ctx, s.binary, s.dir, shared); err != nil {
		return err
	}
	s.out.output(s.daemon.said)
	if s.client, err = client.New(client.Config{URL: s.daemon.url, Token: s.daemon.token}); err != nil {
		return err
	}
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
		err := s.client.Ready(ctx)
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
	if s.ports[0] != inside {
		s.out.remark("port %d is taken on this machine, so %d is used", inside, s.ports[0])
	}
	if err := s.lightd(ctx, "port", "add", fmt.Sprint(s.ports[0]), fmt.Sprint(s.ports[1])); err != nil {
		return err
	}
	if err := s.lightd(ctx, "volume", "create"); err != nil {
		return err
	}
	volumes, err := s.client.Volumes(ctx)
	if err != nil {
		return err
	}
	if len(volumes) != 1 {
		return fmt.Errorf("there are %d volumes", len(volumes))
	}
	s.volume = volumes[0]
	return nil
}

func (s *story) apply(ctx context.Context) error {
	s.out.chapter("Say what should be", "a file, and one command that waits until it is so: installed, started, and its start pattern seen")
	if err := s.write(wish{port: s.ports[0]}); err != nil {
		return err
	}
	s.out.command("cat " + file)
	s.out.output(s.manifest(wish{port: s.ports[0]}))
	began := time.Now()
	if err := s.lightd(ctx, "apply", "-f", file, "--wait=running", "--timeout="+installLimit.String()); err != nil {
		return err
	}
	s.out.figure("apply to running, the apt-get runs included", time.Since(began))
	if err := s.identify(ctx); err != nil {
		return err
	}
	if err := s.listens(ctx, s.ports[0]); err != nil {
		return err
	}
	if err := s.lightd(ctx, "apply", "-f", file); err != nil {
		return err
	}
	if !s.saw("unchanged") {
		return errors.New("the same file again changed something")
	}
	s.out.proved("saying it again changes nothing")
	return s.lightd(ctx, "get")
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

func (s *story) console(ctx context.Context) error {
	s.out.chapter("Talk to it", "lines to the program's standard input, its output back over the WebSocket")
	if err := s.curl(ctx); err != nil {
		return err
	}
	return s.says(ctx, fmt.Sprintf("echo %s > notes.txt; echo saved: $(cat notes.txt)", note), "saved: "+note)
}

// curl runs what the install script has installed.
func (s *story) curl(ctx context.Context) error {
	return s.says(ctx, "curl --version | head -n 1", "curl 7", "curl 8")
}

func (s *story) kill(ctx context.Context) error {
	s.out.chapter("Kill it behind the daemon's back", "through Docker: the daemon was not asked, and puts it right")
	before, err := s.client.Get(ctx, s.id)
	if err != nil {
		return err
	}
	err = s.heals(ctx, "killed from outside to running again", "docker kill lightd-"+s.id, func() error {
		return s.docker.ContainerKill(ctx, "lightd-"+s.id, "KILL")
	})
	if err != nil {
		return err
	}
	after, err := s.client.Get(ctx, s.id)
	if err != nil {
		return err
	}
	if after.ContainerID != before.ContainerID {
		return errors.New("a killed container was replaced, which it need not be")
	}
	s.out.proved("the same container runs again")
	return s.listens(ctx, s.ports[0])
}

func (s *story) lose(ctx context.Context) error {
	s.out.chapter("Remove it behind the daemon's back", "the container is gone, the spec is not")
	err := s.heals(ctx, "removed to running again", "docker rm --force lightd-"+s.id, func() error {
		return s.docker.ContainerRemove(ctx, "lightd-"+s.id, container.RemoveOptions{Force: true})
	})
	if err != nil {
		return err
	}
	s.out.proved("a new container runs in its place")
	return s.listens(ctx, s.ports[0])
}

// heals does what is wrong, and waits until the daemon has put it right.
func (s *story) heals(ctx context.Context, figure, command string, wrong func() error) error {
	_, last, err := s.client.EventPage(ctx, "", client.Now, 1)
	if err != nil {
		return err
	}
	began := time.Now()
	s.out.command(command)
	if err := wrong(); err != nil {
		return err
	}
	event, err := s.until(ctx, last, journal.Running, healLimit)
	if err != nil {
		return err
	}
	s.out.figure(figure, event.Sub(began))
	return nil
}

func (s *story) drift(ctx context.Context) error {
	s.out.chapter("Look at drift, and have it mended", "paused, the daemon keeps its hands off and tells what it would do")
	if err := s.edit(wish{port: s.ports[0], paused: true}, "s/paused: false/paused: true/"); err != nil {
		return err
	}
	if err := s.lightd(ctx, "apply", "-f", file); err != nil {
		return err
	}
	name := "lightd-" + s.id
	s.out.command("docker update --memory 256m --memory-swap 256m " + name)
	smaller := container.UpdateConfig{Resources: container.Resources{Memory: 256 << 20, MemorySwap: 256 << 20}}
	if _, err := s.docker.ContainerUpdate(ctx, name, smaller); err != nil {
		return err
	}
	s.out.command("docker stop " + name)
	if err := s.docker.ContainerStop(ctx, name, container.StopOptions{}); err != nil {
		return err
	}
	if err := s.drifted(ctx, "limits.memory", "power"); err != nil {
		return err
	}
	if err := s.lightd(ctx, "drift", s.id); err != nil {
		return err
	}
	if err := s.edit(wish{port: s.ports[0]}, "s/paused: true/paused: false/"); err != nil {
		return err
	}
	began := time.Now()
	if err := s.lightd(ctx, "apply", "-f", file, "--wait=running"); err != nil {
		return err
	}
	s.out.figure("unpaused to mended and running", time.Since(began))
	if err := s.lightd(ctx, "drift", s.id); err != nil {
		return err
	}
	if err := s.drifted(ctx); err != nil {
		return err
	}
	s.out.proved("mended: nothing differs any more")
	return nil
}

// drifted waits until the daemon reports drift of these fields, and no others.
func (s *story) drifted(ctx context.Context, paths ...string) error {
	ctx, cancel := context.WithTimeout(ctx, healLimit)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		d, err := s.client.Drift(ctx, s.id)
		if err != nil {
			return err
		}
		var have []string
		for _, f := range d.Fields {
			have = append(have, f.Path)
		}
		if fmt.Sprint(have) == fmt.Sprint(paths) {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("the daemon reports drift of %v, not of %v", have, paths)
		}
	}
}

func (s *story) plan(ctx context.Context) error {
	s.out.chapter("Ask what a change would do, and make it", "another port: only a new container can have it")
	if err := s.edit(wish{port: s.ports[1]}, fmt.Sprintf("s/port: %d,/port: %d,/", s.ports[0], s.ports[1])); err != nil {
		return err
	}
	if err := s.lightd(ctx, "plan", "-f", file); err != nil {
		return err
	}
	if !s.saw("recreate, because") || !s.saw("ports") {
		return errors.New("the plan does not say that the ports call for a new container")
	}
	began := time.Now()
	if err := s.lightd(ctx, "apply", "-f", file, "--wait=running"); err != nil {
		return err
	}
	s.out.figure("another port to running on it", time.Since(began))
	if err := s.listens(ctx, s.ports[1]); err != nil {
		return err
	}
	if err := s.silent(s.ports[0]); err != nil {
		return err
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
	if err := s.lightd(ctx, "delete", s.id); err != nil {
		return err
	}
	s.out.figure("delete, with a graceful stop", time.Since(began))
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
	pool, err := s.client.Ports(ctx)
	if err != nil {
		return err
	}
	for _, p := range pool {
		if p.InUse {
			return fmt.Errorf("port %d is still in use", p.Port)
		}
	}
	s.out.proved("the volume's data is there, and both ports are free")
	return nil
}

// explain adds what helps to understand a failure.
func (s *story) explain(ctx context.Context) {
	if s.daemon == nil {
		return
	}
	if s.client != nil && s.id != "" {
		if now, err := s.client.Get(ctx, s.id); err == nil {
			text := fmt.Sprintf("install_state %s, state %s\n", now.InstallState, now.State)
			for _, c := range now.Conditions {
				text += strings.TrimRight(fmt.Sprintf("%-10s %-8s %s %s", c.Type, c.Status, c.Reason, c.Message), " ") + "\n"
			}
			s.out.more("The container as the daemon sees it:", text)
			if now.InstallState == status.Failed {
				s.out.more("The end of its installation:", s.installLog(ctx))
			}
		}
	}
	s.out.more("The end of the daemon's log:", s.daemon.tail(10))
}

// clear stops the daemon and removes what is left.
func (s *story) clear(ctx context.Context) error {
	var errs []error
	if s.client != nil {
		s.client.Close()
	}
	if s.daemon != nil {
		errs = append(errs, s.daemon.stop())
	}
	if s.id != "" {
		errs = append(errs, s.docker.remove(ctx, s.id, s.dir, s.instance))
	}
	return errors.Join(errs...)
}
