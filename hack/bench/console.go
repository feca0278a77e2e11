package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
)

// stage is a daemon with containers that print when they are told to.
type stage struct {
	*lab
	d     *daemon
	bytes int64 // of a flood
}

// onStage measures what a client gets of what a container prints, beside what the Docker client
// alone gets of the same container.
func (l *lab) onStage(ctx context.Context, flood bool, measure func(s *stage) error) error {
	l.config = filepath.Join(l.dir, "config.yaml") // which lets enough clients in
	if err := os.WriteFile(l.config, fmt.Appendf(nil, "consoles: {per_container: %d}\n", 2*crowdSize), 0o600); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return l.with(ctx, l.docker.DaemonHost(), func(d *daemon) error {
		s := &stage{lab: l, d: d}
		if err := s.set(ctx, flood); err != nil {
			return err
		}
		return measure(s)
	})
}

// The containers of a stage: one without a start pattern, one with a pattern that it never
// prints.
func (s *stage) plain() string   { return s.run + "-console-plain" }
func (s *stage) waiting() string { return s.run + "-console-waiting" }

// set makes the containers, and the flood if it is wanted. They print it for each line that they are
// sent, or with "ping" that line.
func (s *stage) set(ctx context.Context, flood bool) error {
	var volume struct {
		VolumeID string `json:"volume_id"`
		Path     string
	}
	if err := s.d.must(ctx, http.MethodPost, "/volumes", nil, &volume); err != nil {
		return err
	}
	if flood {
		if err := s.writeFlood(filepath.Join(volume.Path, "flood")); err != nil {
			return fmt.Errorf("write the flood: %w", err)
		}
	}
	mark := s.d.events.mark()
	for id, pattern := range map[string]string{s.plain(): "", s.waiting(): `^\d+ .*never printed \d+$`} {
		spec := s.spec(id, volume.VolumeID, "running", 0)
		spec["startup_command"] = `while read x; do case $x in ping*) echo $x;; *) cat flood; date +%s%N >>done;; esac; done`
		spec["tty"], spec["limits"] = false, map[string]any{"memory": 64 << 20}
		if pattern != "" {
			spec["start_pattern"] = pattern
		}
		if err := s.d.must(ctx, http.MethodPost, "/containers", spec, nil); err != nil {
			return err
		}
	}
	if _, err := s.d.await(ctx, mark, "Running", []string{s.plain()}); err != nil {
		return err
	}
	_, err := s.d.await(ctx, mark, "Starting", []string{s.waiting()})
	return err
}

// attach attaches the Docker client to a container.
func (s *stage) attach(ctx context.Context, id string, output bool) (types.HijackedResponse, error) {
	return s.docker.ContainerAttach(ctx, "lightd-"+id, container.AttachOptions{Stream: true, Stdin: true, Stdout: output, Stderr: output})
}

// order sends a line to a container with the Docker client, on no output stream.
func (s *stage) order(ctx context.Context, id, line string) error {
	conn, err := s.attach(ctx, id, false)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = io.WriteString(conn.Conn, line+"\n")
	return err
}

// settled waits until no output stream lingers.
func (s *stage) settled(ctx context.Context) error { return sleep(ctx, lingerTime) }

// lingerTime is a little more than the daemon keeps an output stream open that nobody
// follows any more.
const lingerTime = 11 * time.Second

// grows returns by how much the memory of the daemon grew at most while fn ran.
func (s *stage) grows(ctx context.Context, fn func() error) (int64, error) {
	before, err := s.d.resident()
	if err != nil {
		return 0, err
	}
	done, ended := make(chan struct{}), make(chan struct{})
	most := before
	go func() {
		defer close(ended)
		for {
			if now, err := s.d.resident(); err == nil {
				most = max(most, now)
			}
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	err = fn()
	close(done)
	<-ended
	return most - before, err
}
