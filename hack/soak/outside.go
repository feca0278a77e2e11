package main

import (
	"context"
	"time"

	"github.com/docker/docker/api/types/container"

	"lightd/hack/harness"
	"lightd/observed"
	"lightd/observed/blueprint"
)

// outside changes the container through the engine, as somebody does by hand. What the engine refuses was
// not changed: the daemon may be recreating the container, and the engine may be away.
func (s *slot) outside(ctx context.Context) error {
	name := observed.RunName(s.spec.InternalID)
	changes := []struct {
		name   string
		change func() error
	}{
		{"kill", func() error { return s.engine.ContainerKill(ctx, name, "SIGKILL") }},
		{"stop", func() error { return s.engine.ContainerStop(ctx, name, container.StopOptions{}) }},
		{"start", func() error { return s.engine.ContainerStart(ctx, name, container.StartOptions{}) }},
		{"remove", func() error { return s.engine.ContainerRemove(ctx, name, container.RemoveOptions{Force: true}) }},
		{"rename", func() error { return s.engine.ContainerRename(ctx, name, "stray-"+s.spec.InternalID) }},
		{"update", func() error { return s.update(ctx, name) }},
		{"disconnect", func() error { return s.engine.NetworkDisconnect(ctx, blueprint.DefaultNetwork.Name, name, true) }},
		{"pause", func() error { return s.pause(ctx, name) }},
	}
	c := changes[s.random.IntN(len(changes))]
	err := c.change()
	s.log("%s of %s through the engine: %v", c.name, name, err)
	return nil
}

func (s *slot) update(ctx context.Context, name string) error {
	memory := s.memory()
	_, err := s.engine.ContainerUpdate(ctx, name, container.UpdateConfig{Resources: container.Resources{Memory: memory, MemorySwap: memory}})
	return err
}

// pause pauses the container for a second, as a backup tool does, or leaves it to the daemon to unpause it.
func (s *slot) pause(ctx context.Context, name string) error {
	if err := harness.Pause(func() error { return s.engine.ContainerPause(ctx, name) }); err != nil {
		return err
	}
	if err := sleep(ctx, time.Second); err != nil || s.random.IntN(2) == 0 {
		return err
	}
	return s.engine.ContainerUnpause(ctx, name)
}
