package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"
)

const (
	// announced runs a command behind a line with its process id, as the container counts: the engine can end no
	// exec, but a shell in the container can. An exec leads a session and a process group of its own.
	announced = `echo $$; exec "$@"`
	// maxFirstLine bounds what is read of that line.
	maxFirstLine = 32
	// killTime bounds what killing an exec takes.
	killTime = 2 * time.Second
)

// Exec runs a command in a running container, as the container's own user and without its input, and returns
// its exit code. Where ctx ends first, the process group of the command is killed, and ended is false. An error
// says nothing of the command: the engine did not start it in time, or does not answer any more.
// Conflict means that the container does not run, or is paused. The container needs /bin/sh.
func (e *Engine) Exec(ctx context.Context, containerID string, command ...string) (exitCode int, ended bool, err error) {
	var id string
	err = e.act(ctx, e.timeouts.Query, "prepare a command in container", containerID, func(ctx context.Context, s *session) error {
		made, err := s.ContainerExecCreate(ctx, containerID, container.ExecOptions{
			AttachStdout: true, AttachStderr: true, Cmd: append([]string{"/bin/sh", "-c", announced, "sh"}, command...),
		})
		id = made.ID
		return asConflict(err)
	})
	if err != nil {
		return 0, false, err
	}
	if ended, err = e.runExec(ctx, containerID, id); err != nil {
		return 0, false, fmt.Errorf("run a command in container %s: %w", containerID, err)
	}
	if !ended {
		return 0, false, e.answers(ctx, containerID)
	}
	err = e.call(context.WithoutCancel(ctx), e.timeouts.Query, "inspect a command in container", containerID, func(ctx context.Context, s *session) error {
		found, err := s.ContainerExecInspect(ctx, id)
		exitCode = found.ExitCode
		return err
	})
	return exitCode, true, err
}

// answers returns an error where the engine does not answer now: a command whose output ends no more may have ended.
func (e *Engine) answers(ctx context.Context, containerID string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), killTime)
	defer cancel()
	if err := e.Ping(ctx); err != nil {
		return fmt.Errorf("run a command in container %s: the engine has stopped to answer: %w", containerID, err)
	}
	return nil
}

// errSlowStart: an exec did not begin before its time was over.
var errSlowStart = errors.New("the engine did not start it in time")

// runExec starts an exec, and returns when its output ends. One that outlives ctx is killed, and one that is
// slow to start has killTime more to tell its process id.
func (e *Engine) runExec(ctx context.Context, containerID, id string) (ended bool, err error) {
	linger, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(killTime, cancel) })()
	attached, err := e.upgraded(linger, func(ctx context.Context, version string) (*http.Request, error) {
		return execRequest(ctx, version, id, false)
	})
	if err != nil {
		return false, asConflict(err)
	}
	out := &firstLine{done: make(chan struct{})}
	end := make(chan error, 1)
	go func() {
		_, err := stdcopy.StdCopy(out, io.Discard, attached)
		end <- err
	}()
	defer func() { _ = attached.Close() }()
	select {
	case err := <-end:
		return err == nil, err
	case <-ctx.Done():
	}
	select {
	case <-out.done:
		e.killExec(context.WithoutCancel(ctx), containerID, out)
		return false, nil
	default:
	}
	select {
	case <-out.done:
		e.killExec(context.WithoutCancel(ctx), containerID, out)
	case <-linger.Done():
	case <-end:
	}
	return false, errSlowStart
}

// execRequest starts an exec and asks for its streams.
func execRequest(ctx context.Context, version, id string, tty bool) (*http.Request, error) {
	target := url.URL{Scheme: "http", Host: client.DummyHost, Path: "/v" + version + "/exec/" + id + "/start"}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), strings.NewReader(fmt.Sprintf(`{"Detach":false,"Tty":%t}`, tty)))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	return request, nil
}

// shell begins a script with an argument in a container that has a PID namespace of its own, as in Signal.
func (s *session) shell(ctx context.Context, containerID, script, argument string) error {
	found, err := s.ContainerInspect(ctx, containerID)
	switch {
	case err != nil:
		return err
	case found.ContainerJSONBase == nil || found.HostConfig == nil || !found.HostConfig.PidMode.IsPrivate():
		return fmt.Errorf("%w: it has no PID namespace of its own", cerrdefs.ErrPermissionDenied)
	}
	made, err := s.ContainerExecCreate(ctx, containerID, container.ExecOptions{Cmd: []string{"/bin/sh", "-c", script, argument}})
	if err != nil {
		return err
	}
	return s.ContainerExecStart(ctx, made.ID, container.ExecStartOptions{Detach: true})
}

// killExec kills the process group of an exec, where its process id is known.
func (e *Engine) killExec(ctx context.Context, containerID string, out *firstLine) {
	err := e.act(ctx, killTime, "kill a command in container", containerID, func(ctx context.Context, s *session) error {
		pid, err := out.pid()
		if err != nil {
			return err
		}
		return s.shell(ctx, containerID, `kill -9 "-$0"`, strconv.Itoa(pid))
	})
	if err != nil {
		e.log.Debug("a command in a container outlives its time", "docker_id", containerID, "error", err)
	}
}

// firstLine keeps the beginning of a text, up to its first line break, and drops the rest.
type firstLine struct {
	text []byte
	done chan struct{} // closed when text is complete
}

// Write implements io.Writer.
func (f *firstLine) Write(p []byte) (int, error) {
	select {
	case <-f.done:
		return len(p), nil
	default:
	}
	line, _, complete := bytes.Cut(p, []byte("\n"))
	f.text = append(f.text, line[:min(len(line), maxFirstLine)]...)
	if complete || len(f.text) >= maxFirstLine {
		close(f.done)
	}
	return len(p), nil
}

// errNoPID: the text is none of announced's.
var errNoPID = errors.New("its process id is not known")

// pid is the process id in the line, which is complete.
func (f *firstLine) pid() (int, error) {
	pid, err := strconv.Atoi(strings.TrimSpace(string(f.text)))
	if err != nil || pid < 2 {
		return 0, errNoPID
	}
	return pid, nil
}
