package engine

import (
	"context"
	"fmt"
	"maps"
	"net/http/httptrace"
	"regexp"
	"strconv"
	"sync/atomic"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"lightd/desired"
	"lightd/observed"
	"lightd/observed/blueprint"
)

// Create creates a container and returns its id, and the warnings of the engine. NotFound means that the image is missing,
// Conflict that the name is in use, Refused that Docker will never create it so.
func (e *Engine) Create(ctx context.Context, b blueprint.Blueprint) (containerID string, warnings []string, err error) {
	config, host := configs(b)
	if e.epoch != "" {
		config.Labels = maps.Clone(config.Labels)
		config.Labels[observed.LabelOwnerEpoch] = e.epoch
	}
	err = e.act(ctx, e.timeouts.Create, "create container", b.Name, func(ctx context.Context, s *session) error {
		if err := s.forCreation(config, host); err != nil {
			return err
		}
		made, err := s.ContainerCreate(ctx, config, host, nil, nil, b.Name)
		containerID, warnings = made.ID, made.Warnings
		if len(made.Warnings) > 0 {
			e.log.Warn("engine warning at a creation", "container", b.Name, "warnings", made.Warnings)
		}
		return err
	})
	return containerID, warnings, err
}

// UnansweredError is the error of a start that was sent to an engine, which did not respond: the container may have
// been started.
type UnansweredError struct{ Err error }

// Error implements error.
func (e UnansweredError) Error() string { return e.Err.Error() }

// Unwrap returns what Err is.
func (e UnansweredError) Unwrap() error { return e.Err }

// Start starts a container; one that runs already is no error.
// An UnansweredError is in the chain of its error where the container may have been started.
func (e *Engine) Start(ctx context.Context, containerID string) error {
	return e.portAct(ctx, e.timeouts.Start, "start container", containerID, func(ctx context.Context, s *session) error {
		var connected atomic.Bool
		traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
		err := s.ContainerStart(traced, containerID, container.StartOptions{})
		if connected.Load() && Classify(err) == Unavailable {
			return UnansweredError{err}
		}
		if cerrdefs.IsPermissionDenied(err) {
			// "endpoint with name ... already exists": an earlier start or end is not over.
			return fmt.Errorf("%w: %v", cerrdefs.ErrInternal, err)
		}
		return err
	})
}

// Process returns the first process of a container as the engine's host numbers it, 0 when
// there is none, and when it was started.
func (e *Engine) Process(ctx context.Context, containerID string) (pid int, startedAt time.Time, err error) {
	err = e.call(ctx, e.timeouts.Query, "inspect the process of container", containerID, func(ctx context.Context, s *session) error {
		found, err := s.ContainerInspect(ctx, containerID)
		if err != nil {
			return err
		}
		if found.ContainerJSONBase == nil || found.State == nil {
			return fmt.Errorf("%w: half of an answer", cerrdefs.ErrInternal)
		}
		pid, startedAt = found.State.Pid, instant(found.State.StartedAt)
		return nil
	})
	return pid, startedAt, err
}

// Kill sends a signal to the first process. Conflict means that it does not run. With
// SIGKILL the engine answers after the end of the process. On a Podman all others get the signal too: Docker's
// init passes one on to them, and Podman's does not.
func (e *Engine) Kill(ctx context.Context, containerID, signal string) error {
	if err := e.kill(ctx, containerID, signal); err != nil {
		return err
	}
	if number, ok := desired.SignalNumber(signal); ok && e.podman.Load() && signal != "SIGKILL" {
		e.signalOthers(ctx, containerID, number)
	}
	return nil
}

func (e *Engine) kill(ctx context.Context, containerID, signal string) error {
	return e.portAct(ctx, e.timeouts.Kill, operation("send "+signal+" to container"), containerID,
		func(ctx context.Context, s *session) error { return s.ContainerKill(ctx, containerID, signal) })
}

// Signal sends a signal to every process of a container that has no init in front: to the
// first one, where there may be only a shell that passes nothing on, and then to all others by
// means of a shell in the container. Where there is no shell the first process gets it alone.
// The shell runs as the container's own user: it is the container's file, and must have no right
// that the container lacks.
//
// A container that shares the PID namespace of the host or of another container has no shell run
// in it: "kill -1" there would end the processes of the host. None of ours does; one that somebody
// else created under its name may.
//
// The first process comes first: a shell whose foreground command has died of the signal would
// otherwise go on, and may end the container before it has the signal itself. Conflict means
// that the container does not run.
func (e *Engine) Signal(ctx context.Context, containerID, signal string) error {
	number, ok := desired.SignalNumber(signal)
	if !ok {
		return fmt.Errorf("send signal %q: %w: not the name of a signal", signal, cerrdefs.ErrInvalidArgument)
	}
	if err := e.kill(ctx, containerID, signal); err != nil {
		return err
	}
	e.signalOthers(ctx, containerID, number)
	return nil
}

// signalOthers sends a signal, by number, to all processes of a container by means of a shell in it.
func (e *Engine) signalOthers(ctx context.Context, containerID string, number int) {
	err := e.portAct(ctx, e.timeouts.Kill, "signal all processes of container", containerID,
		func(ctx context.Context, s *session) error {
			// By number: not every shell has names for the real-time signals.
			return s.shell(ctx, containerID, `kill -s "$0" -1`, strconv.Itoa(number))
		})
	if err != nil {
		e.log.Debug("only the first process gets the signal", "docker_id", containerID, "error", err)
	}
}

// Unpause lets a paused container continue. Conflict means that it is not paused: it continues already,
// or does not run.
func (e *Engine) Unpause(ctx context.Context, containerID string) error {
	return e.portAct(ctx, e.timeouts.Kill, "unpause container", containerID, func(ctx context.Context, s *session) error {
		err := s.ContainerUnpause(ctx, containerID)
		if Classify(err) != Other {
			return err
		}
		// Whatever the words of a refusal, the state that is shown counts.
		found, failed := s.ContainerInspect(ctx, containerID)
		if failed == nil && found.ContainerJSONBase != nil && found.State != nil && !found.State.Paused {
			return fmt.Errorf("%w: %w", cerrdefs.ErrConflict, err)
		}
		return asConflict(err)
	})
}

// inNoState matches the error, with status 500, of Docker or of containerd behind it for a process in the
// wrong state for a call. The state that Docker shows may lag behind: it records a pause once more
// when containerd reports it, which may be after the container was unpaused.
var inNoState = regexp.MustCompile(`is not paused|cannot (pause|resume|update|kill|exec in|start) an? (running|paused|stopped|deleted) `)

// asConflict gives an error of a process in the wrong state for the call the class Conflict.
func asConflict(err error) error {
	if Classify(err) == Other && inNoState.MatchString(err.Error()) {
		return fmt.Errorf("%w: %w", cerrdefs.ErrConflict, err)
	}
	return err
}

// Rename gives a container another name. Conflict means that the name is in use.
func (e *Engine) Rename(ctx context.Context, containerID, name string) error {
	return e.portAct(ctx, e.timeouts.Kill, "rename container", containerID, func(ctx context.Context, s *session) error {
		return s.ContainerRename(ctx, containerID, name)
	})
}

// Remove removes a container and its anonymous volumes, whatever it does at the time.
// NotFound means that it is gone already, Conflict that another removal is in progress.
func (e *Engine) Remove(ctx context.Context, containerID string) error {
	return e.portAct(ctx, e.timeouts.Remove, "remove container", containerID, func(ctx context.Context, s *session) error {
		return s.ContainerRemove(ctx, containerID, container.RemoveOptions{Force: true, RemoveVolumes: true})
	})
}

// UpdateLimits changes the limits of a container in place, memory and swap in one call, and
// removes Docker's own restart policy if another client has set one. Limits but that of processes that are 0 or
// empty are not changed: Docker cannot remove one. It returns the warnings of the engine, as one about a limit
// that its kernel does not support.
func (e *Engine) UpdateLimits(ctx context.Context, containerID string, l desired.Limits) (warnings []string, err error) {
	config := container.UpdateConfig{
		Resources:     resources(l),
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyMode(blueprint.RestartPolicy)},
	}
	err = e.portAct(ctx, e.timeouts.Kill, "update limits of container", containerID,
		func(ctx context.Context, s *session) error {
			s.forLimits(&config.Resources)
			answer, err := s.ContainerUpdate(ctx, containerID, config)
			if warnings = answer.Warnings; len(warnings) > 0 {
				e.log.Warn("engine warning at a change of limits", "docker_id", containerID, "warnings", warnings)
			}
			return asConflict(err)
		})
	return warnings, err
}
