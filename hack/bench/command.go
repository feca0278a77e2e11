package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/docker/docker/api/types/container"
)

const (
	// commands are sent in one round, with a pause before each.
	commands      = 30
	commandPause  = 20 * time.Millisecond
	commandTarget = 1.3
)

// measureCommand measures how long the answer to a command takes, with and without a terminal, beside
// attach alone: the first one after a start and later ones.
func (l *lab) measureCommand(ctx context.Context) error {
	return l.with(ctx, l.docker.DaemonHost(), func(d *daemon) error {
		return errors.Join(l.measureCommands(ctx, d, false), l.measureCommands(ctx, d, true))
	})
}

func (l *lab) measureCommands(ctx context.Context, d *daemon, tty bool) error {
	kind := "without a terminal"
	if tty {
		kind = "with a terminal"
	}
	volumes, err := d.furnish(ctx, 1)
	if err != nil {
		return err
	}
	id, mark := fmt.Sprintf("%s-command-%t", l.run, tty), d.events.mark()
	spec := l.spec(id, volumes[0], "running", 0)
	// The answer differs from the echo of a terminal.
	spec["startup_command"], spec["tty"] = `while read x; do echo "answer-$x"; done`, tty
	if err := d.must(ctx, http.MethodPost, "/containers", spec, nil); err != nil {
		return err
	}
	if _, err := d.await(ctx, mark, "Running", []string{id}); err != nil {
		return err
	}
	first := &comparison{what: "first command after a start to its answer, " + kind, beside: "raw, attach and write", unit: "s", target: atMost(commandTarget)}
	later := &comparison{what: "later commands to their answers, " + kind, beside: "raw, write to attach", unit: "s", target: atMost(commandTarget)}
	return l.inTurn(ctx, func(int) error {
		rawFirst, rawLater, err := l.rawCommands(ctx, d, id)
		if err != nil {
			return fmt.Errorf("raw: %w", err)
		}
		ourFirst, ourLater, err := l.clientCommands(ctx, d, id)
		if err != nil {
			return err
		}
		first.add(rawFirst.Seconds(), ourFirst.Seconds())
		later.add(rawLater.Seconds(), ourLater.Seconds())
		return nil
	}, first, later)
}

// rawCommands starts the container again and sends commands by the Docker client. It returns how long
// the first answer took, attach included, and the median of the others.
func (l *lab) rawCommands(ctx context.Context, d *daemon, id string) (first, later time.Duration, err error) {
	if err := d.killAndStart(ctx, []string{id}); err != nil {
		return 0, 0, err
	}
	return l.asked(ctx, func() (talker, error) {
		conn, err := l.docker.ContainerAttach(ctx, "lightd-"+id, container.AttachOptions{Stream: true, Stdin: true, Stdout: true, Stderr: true})
		if err != nil {
			return talker{}, err
		}
		send := func(n int) error {
			_, err := fmt.Fprintf(conn.Conn, "%d\n", n)
			return err
		}
		return talker{send, arrivalsAtAttach(conn.Reader, "answer-"), conn.Close}, nil
	})
}

// clientCommands is the same with a WebSocket client, which was there before the start.
func (l *lab) clientCommands(ctx context.Context, d *daemon, id string) (first, later time.Duration, err error) {
	c, err := d.receive(ctx, id)
	if err != nil {
		return 0, 0, err
	}
	send := func(n int) error { return c.send(fmt.Sprintf(`{"event":"send_command","command":"%d\n"}`, n)) }
	t := talker{send, c.arrivals("answer-"), c.close}
	if err := d.killAndStart(ctx, []string{id}); err != nil {
		t.close()
		return 0, 0, err
	}
	return l.asked(ctx, func() (talker, error) { return t, nil })
}

// talker is a client that sends commands and sees when their answers come.
type talker struct {
	send    func(n int) error
	answers <-chan time.Time
	close   func()
}

// asked sends commands, each after the answer to the one before. What it takes to open the client counts
// for the first.
func (l *lab) asked(ctx context.Context, open func() (talker, error)) (first, later time.Duration, err error) {
	if err := sleep(ctx, commandPause); err != nil {
		return 0, 0, err
	}
	var took []time.Duration
	began := time.Now()
	t, err := open()
	if err != nil {
		return 0, 0, fmt.Errorf("open the input: %w", err)
	}
	defer t.close()
	for n := range commands {
		if err := t.send(n); err != nil {
			return 0, 0, fmt.Errorf("send a command: %w", err)
		}
		select {
		case at, ok := <-t.answers:
			if !ok {
				return 0, 0, errors.New("wait for an answer: the stream ended")
			}
			took = append(took, at.Sub(began))
		case <-time.After(patience):
			return 0, 0, errors.New("wait for an answer: none came")
		}
		if err := sleep(ctx, commandPause); err != nil {
			return 0, 0, err
		}
		began = time.Now()
	}
	return took[0], median(took[1:]), nil
}
