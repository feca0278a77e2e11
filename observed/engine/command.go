package engine

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// Command is a command for a running container, with the streams of whoever gives it.
type Command struct {
	Args []string
	// Env has "NAME=value"; User and Dir are the container's own where they are empty.
	Env       []string
	User, Dir string
	// Input is whether it has an input, TTY whether it has a terminal, of Cols by Rows where these are known.
	Input, TTY bool
	Cols, Rows int
}

// CommandRun is a Command that runs. Writes give it input. It ends with the context of its Run, or with
// Close; the process goes on then, as the engine can end none.
type CommandRun struct {
	*Conn
	e         *Engine
	container string
	id        string
	tty       bool
}

// Run runs a command in a running container. Conflict means that the container does not run, or is paused.
func (e *Engine) Run(ctx context.Context, containerID string, c Command) (*CommandRun, error) {
	options := container.ExecOptions{
		AttachStdin: c.Input, AttachStdout: true, AttachStderr: true, Tty: c.TTY, Cmd: c.Args, Env: c.Env, User: c.User, WorkingDir: c.Dir,
		// Docker would hold a Ctrl-P, which shells have a meaning for, and end the connection at a Ctrl-Q behind it.
		DetachKeys: "ctrl-@,ctrl-@,ctrl-@",
	}
	run := &CommandRun{e: e, container: containerID, tty: c.TTY}
	err := e.act(ctx, e.timeouts.Query, "prepare a command in container", containerID, func(ctx context.Context, s *session) error {
		made, err := s.ContainerExecCreate(ctx, containerID, options)
		run.id = made.ID
		return asConflict(err)
	})
	if err != nil {
		return nil, err
	}
	run.Conn, err = e.upgraded(ctx, func(ctx context.Context, version string) (*http.Request, error) {
		return execRequest(ctx, version, run.id, c.TTY)
	})
	if err != nil {
		return nil, fmt.Errorf("run a command in container %s: %w", containerID, asConflict(err))
	}
	if c.TTY && c.Cols > 0 && c.Rows > 0 {
		_ = run.Resize(ctx, c.Cols, c.Rows) // a command that has ended already has no terminal
	}
	return run, nil
}

// Output writes what the command prints, until it ends or the connection does. A terminal has one output.
func (r *CommandRun) Output(out, errOut io.Writer) error {
	var err error
	if r.tty {
		_, err = io.Copy(out, r.Conn)
	} else {
		_, err = stdcopy.StdCopy(out, errOut, r.Conn)
	}
	if err != nil {
		return fmt.Errorf("read what a command prints in container %s: %w", r.container, err)
	}
	return nil
}

// Resize sets the size of its terminal.
func (r *CommandRun) Resize(ctx context.Context, cols, rows int) error {
	return r.e.call(ctx, r.e.timeouts.Query, "resize the terminal of a command in container", r.container, func(ctx context.Context, s *session) error {
		return s.ContainerExecResize(ctx, r.id, container.ResizeOptions{Width: uint(cols), Height: uint(rows)})
	})
}

// ExitCode returns how the command ended; ended is false while it still runs.
func (r *CommandRun) ExitCode(ctx context.Context) (code int, ended bool, err error) {
	err = r.e.call(ctx, r.e.timeouts.Query, "inspect a command in container", r.container, func(ctx context.Context, s *session) error {
		found, err := s.ContainerExecInspect(ctx, r.id)
		code, ended = found.ExitCode, !found.Running
		return err
	})
	return code, ended, err
}
