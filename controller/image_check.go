package controller

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"lightd/observed"
	"lightd/observed/engine"
)

// unsuitableError is the refusal of an image that no container can run from: that changes with
// the image alone.
type unsuitableError struct {
	imageID string
	err     error
}

func (e *unsuitableError) Error() string { return e.err.Error() }
func (e *unsuitableError) Unwrap() error { return e.err }

// shell is what runs the entry scripts of both containers.
const shell = "/bin/sh"

// checkImage finds an image without a shell before a container is started: with an init process
// in front the engine starts it, and it ends at once, again and again. One check for each image
// is enough, unless a mount of the spec might be what provides the shell. Where the engine does
// not answer, the start itself finds out.
func (a *execution) checkImage(ctx context.Context, c *observed.Container) error {
	if c == nil {
		return nil
	}
	if err := a.checkStartedImage(ctx, c); err != nil {
		return err
	}
	if err := a.checkArchitecture(ctx, c); err != nil {
		return err
	}
	if _, known := a.shells.Load(c.ImageID); known && len(a.spec.Mount) == 0 {
		return nil
	}
	e := a.cfg.Engine
	found, err := e.HasFile(ctx, a.step.Target, shell)
	if err != nil || found {
		if found && len(a.spec.Mount) == 0 {
			a.shells.Store(c.ImageID, nil)
		}
		return nil
	}
	// A container that is gone has no shell either.
	if root, err := e.HasFile(ctx, a.step.Target, "/"); err != nil || !root {
		return nil
	}
	return &unsuitableError{c.ImageID, fmt.Errorf("the image %s has no %s, which runs the startup command and the install script", c.Image, shell)}
}

// checkArchitecture finds an image of another architecture by the end of the last run: docker-init, or
// runc, starts everywhere and prints within a moment that the kernel does not execute the shell of the
// image. An emulator of the host may execute it all the same, so that the architecture
// that the image names decides nothing.
func (a *execution) checkArchitecture(ctx context.Context, c *observed.Container) error {
	if !execFailure(c) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, execOutputTime)
	defer cancel()
	output, err := a.cfg.Engine.Logs(ctx, c.ContainerID, engine.LogsOptions{Tail: 5})
	if err != nil {
		return nil
	}
	defer func() { _ = output.Close() }() // it was only read
	text, _ := io.ReadAll(io.LimitReader(output, 4<<10))
	if !execFailed.Match(text) {
		return nil
	}
	return &unsuitableError{c.ImageID, fmt.Errorf("the image %s is of another architecture than this machine: exec format error of its %s", c.Image, shell)}
}

// execFailure reports whether the last run of a container may have ended because the kernel does not execute
// its shell. Such a run exits with 1 by tini and catatonit, the init processes of Docker and Podman, and
// without them by crun and by runc before 1.2, and with 255 by runc since. The shell's own 126 and 127, and the
// codes of signals, are those of a shell that was executed.
func execFailure(c *observed.Container) bool {
	return (c.ExitCode == 1 || c.ExitCode == 255) &&
		!c.FinishedAt.Before(c.StartedAt) && c.FinishedAt.Sub(c.StartedAt) <= execFailsWithin
}

// execFailsWithin is how long a run may last whose output is read for execFailed: such a run ends at
// once, but for a busy machine.
const execFailsWithin = 10 * time.Second

// execOutputTime bounds the reading of that output.
const execOutputTime = 5 * time.Second

// execFailed is what tini, runc 1.0 and runc 1.1 print when the kernel does not execute the shell.
var execFailed = regexp.MustCompile(`(?i)(\[FATAL tini \(\d+\)\] exec ` + shell + ` failed: |exec user process caused: |exec ` + shell + `: )exec format error`)

// unsuitable returns the error of a start as one of the image where the engine blames the image
// and the host is not at fault.
func unsuitable(c *observed.Container, err error) error {
	var blocked blockedError
	if c == nil || errors.As(err, &blocked) || !engine.ImageUnsuitable(err) {
		return err
	}
	return &unsuitableError{c.ImageID, fmt.Errorf("the image %s cannot run on this machine: %w", c.Image, err)}
}
