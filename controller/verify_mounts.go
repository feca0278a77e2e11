package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/engine"
	"lightd/observed/hostmount"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// MountPins hold mount sources as they were before a start; see package hostmount.
type MountPins interface {
	Verify(pid int) error
	// Own are the identities of our own directories, by their targets.
	Own() map[string]observed.FileID
	Close()
}

// Pauses after a start whose mounts led elsewhere.
const (
	escapeFirst = 15 * time.Second
	escapeMost  = 5 * time.Minute
)

func ownTarget(target string) bool { return target == blueprint.Home || target == blueprint.Data }

// pin pins the mount sources of a container; nil when they cannot be compared from here.
func (a *execution) pin(c *observed.Container) (MountPins, error) {
	if a.cfg.PinMounts == nil || c == nil {
		return nil, nil
	}
	pins, err := a.cfg.PinMounts(c.Mounts)
	if err != nil {
		return nil, blockedError{status.ReasonMountUnavailable, err}
	}
	return pins, nil
}

// verifyMounts compares the mounts of a container that runs.
func (a *execution) verifyMounts(ctx context.Context) error {
	pins, err := a.pin(a.seen.Run)
	var gone *hostmount.PinError
	if errors.As(err, &gone) {
		// It was mounted, and the path leads nowhere that it may: what was mounted cannot be determined.
		return a.killEscaped(ctx, status.RunOf(a.seen.Run), &hostmount.EscapeError{Mount: gone.Mount, Found: gone.Found()})
	}
	if err != nil {
		return err
	}
	if pins == nil {
		a.patch = verified(status.RunOf(a.seen.Run), nil)
		return nil
	}
	defer pins.Close()
	return a.verify(ctx, pins)
}

// verify compares what is mounted in the process of the step's container with what was pinned,
// and kills the process when something else is.
func (a *execution) verify(ctx context.Context, pins MountPins) error {
	pid, startedAt, err := a.cfg.Engine.Process(ctx, a.step.Target)
	if err != nil {
		return err
	}
	run := status.RunID{ContainerID: a.step.Target, StartedAt: startedAt}
	var escape *hostmount.EscapeError
	switch err := pins.Verify(pid); {
	case errors.As(err, &escape):
		return a.killEscaped(ctx, run, escape)
	case errors.Is(err, hostmount.ErrUnverifiable):
		a.log.Debug("mounts cannot be verified", "container", a.spec.InternalID, "error", err)
		a.patch = verified(run, nil)
	case err != nil:
		return err
	default:
		a.patch = verified(run, pins.Own())
	}
	return nil
}

// killEscaped ends a process that has another place of the host mounted than its spec names.
func (a *execution) killEscaped(ctx context.Context, run status.RunID, escape *hostmount.EscapeError) error {
	a.log.Error("a mount leads elsewhere; the container is killed", "container", a.spec.InternalID, "docker_id", a.step.Target,
		"target", escape.Target, "source", escape.Source, "found", escape.Found)
	err := a.cfg.Engine.Kill(ctx, a.step.Target, "SIGKILL")
	if class := engine.Classify(err); class != engine.None && class != engine.Conflict && class != engine.NotFound {
		return fmt.Errorf("kill a container with a mount that leads elsewhere: %w", err)
	}
	a.patch, a.killed = a.escaped(run, escape), true
	return nil
}

// verified records the run whose mounts were compared, and which directories of ours it has.
func verified(run status.RunID, own map[string]observed.FileID) func(*status.Status) []journal.Event {
	return func(st *status.Status) []journal.Event {
		st.MountsVerified, st.MountedDirs, st.MountsUnverified, st.MountEscape = run, own, nil, nil
		return nil
	}
}

// escaped records a mount that led elsewhere. Another start waits ever longer.
func (a *execution) escaped(run status.RunID, escape *hostmount.EscapeError) func(*status.Status) []journal.Event {
	return func(st *status.Status) []journal.Event {
		now, count := time.Now(), 1
		if st.MountEscape != nil {
			count += st.MountEscape.Count
		}
		pause := escapeMost
		if count < 10 {
			pause = min(escapeFirst<<(count-1), escapeMost)
		}
		st.MountsVerified, st.MountedDirs, st.MountsUnverified = run, nil, nil
		if st.Ended.Is(run) { // its end was observed before this, and counted as a crash
			st.Backoff.Reset()
			st.EarlyExit = 0
		}
		message := escape.Error()
		if a.step.Kind == plan.StartInstallScript {
			st.Install.Phase = status.InstallFailed
			st.Set(status.Condition{Type: status.Installed, Status: status.False, Reason: status.ReasonMountEscaped,
				Message: message, ObservedGeneration: a.spec.Generation}, now)
		} else {
			st.MountEscape = &status.MountEscape{Run: run, Generation: a.spec.Generation, Target: escape.Target,
				Source: escape.Source, Found: escape.Found, Count: count, NotBefore: now.Add(pause)}
		}
		return []journal.Event{{InternalID: a.spec.InternalID, Type: journal.MountEscaped, Generation: a.spec.Generation, Message: message}}
	}
}

// replacedMounts are the directories of ours that a running container has mounted and that are
// not at their paths any more. A path that the container has for another one is drift of its own.
func (e *executor) replacedMounts(spec desired.Spec, st status.Status, run *observed.Container) []plan.ReplacedMount {
	if !run.Running() || len(st.MountedDirs) == 0 || !st.MountsVerified.Is(status.RunOf(run)) {
		return nil
	}
	at := e.hostPaths(spec)
	paths := map[string]string{blueprint.Home: at.Volume, blueprint.Data: at.Data}
	var found []plan.ReplacedMount
	for _, m := range run.Mounts {
		id, mounted := st.MountedDirs[m.Target]
		if !mounted {
			continue
		}
		if now := hostmount.Replaced(paths[m.Target], id); now != "" && hostmount.Replaced(m.Source, id) != "" {
			found = append(found, plan.ReplacedMount{Run: st.MountsVerified, Mount: m, Found: now})
		}
	}
	return found
}
