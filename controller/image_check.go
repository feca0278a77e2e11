package controller

import (
	"context"
	"errors"
	"fmt"

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
func (a *act) checkImage(ctx context.Context, c *observed.Container) error {
	if c == nil {
		return nil
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

// unsuitable returns the error of a start as one of the image where the engine says so, and the
// host is not at fault.
func unsuitable(c *observed.Container, err error) error {
	var blocked waiting
	if c == nil || errors.As(err, &blocked) || !engine.ImageUnsuitable(err) {
		return err
	}
	return &unsuitableError{c.ImageID, fmt.Errorf("the image %s cannot run on this machine: %w", c.Image, err)}
}
