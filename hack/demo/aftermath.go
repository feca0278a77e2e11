package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// stuck reports what a container waits for that nobody is going to give it here.
func (s *story) stuck(ctx context.Context) error {
	now, err := s.api.container(ctx, s.id)
	if err != nil {
		return err
	}
	for _, c := range now.Conditions {
		switch c.Reason {
		case "ImageUnavailable", "PortUnavailable", "MountUnavailable", "NameTaken", "InstallationLost", "RefusedByEngine", "EngineUnavailable":
			return fmt.Errorf("%s: %s", c.Reason, c.Message)
		}
	}
	return nil
}

// explain adds what helps to understand a failure.
func (s *story) explain(ctx context.Context) {
	if s.daemon == nil {
		return
	}
	if s.watch != nil {
		s.out.more("The last words on the console:", strings.Join(s.watch.last, "\n"))
		if now, err := s.api.container(ctx, s.id); err == nil {
			text := fmt.Sprintf("install_state %s, state %s\n", now.InstallState, now.State)
			for _, c := range now.Conditions {
				text += strings.TrimRight(fmt.Sprintf("%-10s %-8s %s %s", c.Type, c.Status, c.Reason, c.Message), " ") + "\n"
			}
			s.out.more("The container as the daemon sees it:", text)
		}
	}
	s.out.more("The end of the daemon's log:", s.daemon.tail(10))
}

// clear stops the daemon and removes what is left.
func (s *story) clear(ctx context.Context) error {
	var errs []error
	if s.daemon != nil {
		errs = append(errs, s.daemon.stop())
	}
	if s.id != "" {
		errs = append(errs, s.docker.remove(ctx, s.id, s.dir, s.instance))
	}
	return errors.Join(errs...)
}
