package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/cliconfig"
	"lightd/cmd/lightd/command"
	"lightd/cmd/lightd/terminal"
	"lightd/observed"
	"lightd/observed/engine"
)

// execFlags are those of docker exec.
type execFlags struct {
	input, tty bool
	user, dir  string
	env        []string
}

func execCommand(env command.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "exec [-it] ID COMMAND [ARG...]",
		Short:   "Run a command in a container of this machine, as docker exec does",
		GroupID: command.GroupContainers,
		Long: `Runs a command in a running container beside its program, and ends with the command's exit code.
It is an operation of the machine that the containers run on: it asks the engine there, for which
it needs the right to use the engine's socket, and no token. No daemon and no client elsewhere can:
the HTTP interface has no such route, as whoever could call it could do whatever a container can. The
audit log has no line of it. What a command changes outside of the volume is lost when the container is
made anew. For the console of the program itself there is "lightd attach", from everywhere.`,
		Example: `  lightd exec -it web sh
  lightd exec web cat /etc/os-release
  lightd exec -i db psql < dump.sql`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 || args[0] == "" {
				return usageError{Text: `exec: an id and a command are needed, as in "lightd exec -it web sh"`}
			}
			return nil
		},
		ValidArgsFunction: command.CompleteOne(env),
	}
	cmd.Flags().SetInterspersed(false)
	var f execFlags
	cmd.Flags().BoolVarP(&f.input, "interactive", "i", false, "pass the standard input on")
	cmd.Flags().BoolVarP(&f.tty, "tty", "t", false, "give it a terminal")
	cmd.Flags().StringVarP(&f.user, "user", "u", "", "`user` to be, as in 1000:1000 (default: the container's)")
	cmd.Flags().StringVarP(&f.dir, "workdir", "w", "", "`directory` to be in (default: the container's)")
	cmd.Flags().StringArrayVarP(&f.env, "env", "e", nil, "an environment variable, as in `A=b`; may be repeated")
	s := newSettings(cmd.Flags(), env.Getenv, "docker-host")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		id := strings.TrimPrefix(args[0], "container/")
		if elsewhere := cliconfig.Elsewhere(env.Getenv); elsewhere != "" && !cmd.Flags().Changed("docker-host") {
			return usageError{Text: fmt.Sprintf("exec: commands talk to %s, and exec is an operation of that machine: run it there. "+
				`For the console of the program there is "lightd attach %s"`, elsewhere, id)}
		}
		if f.tty && !terminal.Is(env.Streams.In) {
			return usageError{Text: "exec: -t needs a terminal, and the standard input is none"}
		}
		cfg, err := s.loadForClient()
		if err != nil {
			return err
		}
		// Whatever else would end the program at once must leave the terminal as it was.
		ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGHUP, syscall.SIGQUIT)
		defer stop()
		e, err := engine.New(engine.Config{Host: cfg.DockerHost, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			return err
		}
		err = errors.Join(f.run(ctx, e, id, args[1:], env.Streams), e.Close())
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return command.WithSubject(id, err)
	}
	return cmd
}

// containerOf returns the id in Docker of the container that runs the program of an id.
func containerOf(ctx context.Context, e *engine.Engine, id string) (string, error) {
	all, err := e.ListAll(ctx)
	switch {
	case engine.Classify(err) == engine.Unavailable:
		return "", command.Coded(fmt.Errorf("exec needs the engine on the machine of the container, and the right to use its socket: %w", err), command.ExitUnreachable)
	case err != nil:
		return "", err
	}
	for _, c := range all {
		if c.Labels[observed.LabelID] == id && slices.Contains(c.Names, observed.RunName(id)) {
			return c.ContainerID, nil
		}
	}
	return "", command.Coded(errors.New("no container of that id is on the engine of this machine"), command.ExitNotFound)
}

// run runs a command with the streams of this program. Its exit code is the error's.
func (f execFlags) run(ctx context.Context, e *engine.Engine, id string, args []string, streams terminal.Streams) error {
	target, err := containerOf(ctx, e, id)
	if err != nil {
		return err
	}
	cols, rows := terminal.Size(streams.In)
	run, err := e.Run(ctx, target, engine.Command{
		Args: args, Env: f.env, User: f.user, Dir: f.dir, Input: f.input, TTY: f.tty, Cols: cols, Rows: rows,
	})
	switch {
	case engine.Classify(err) == engine.Conflict:
		return command.Coded(fmt.Errorf("the container does not run, or is paused: %w", err), command.ExitConflict)
	case err != nil:
		return err
	}
	if err := f.connect(ctx, run, streams); err != nil {
		return err
	}
	return exitOf(ctx, run)
}

// exitOf returns the exit code of a command whose output has ended as an error. The engine records it a
// moment after that.
func exitOf(ctx context.Context, run *engine.CommandRun) error {
	asking, cancel := context.WithTimeout(ctx, execEnd)
	defer cancel()
	for {
		code, ended, err := run.ExitCode(asking)
		switch {
		case err != nil && ctx.Err() == nil && asking.Err() != nil:
			return errors.New("the connection to the command ended, and the command goes on")
		case err != nil:
			return err
		case ended && code != 0:
			return command.Exit(code)
		case ended:
			return nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-asking.Done():
		}
	}
}

// execEnd bounds the wait for the exit code of a command whose output has ended.
const execEnd = 2 * time.Second

// connect passes input and output on until the command or its connection ends.
func (f execFlags) connect(ctx context.Context, run *engine.CommandRun, streams terminal.Streams) error {
	defer func() { _ = run.Close() }() // what it was for is over
	input, err := terminal.Interruptible(streams.In)
	if err != nil {
		return err
	}
	defer input.Close()
	if f.tty {
		restore, err := streams.Raw()
		if err != nil {
			return err
		}
		defer restore()
		defer terminal.FollowSize(ctx, streams.In, func(ctx context.Context, cols, rows int) {
			_ = run.Resize(ctx, cols, rows) // a command that has ended has no terminal
		})()
	}
	var feeding sync.WaitGroup
	if f.input {
		feeding.Go(func() {
			_, _ = io.Copy(run, input) // the output tells of what is wrong with the connection
			_ = run.CloseWrite()
		})
	}
	err = run.Output(streams.Out, streams.Err)
	input.Close()
	feeding.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
