package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"lightd/controller/datadir"
	"lightd/controller/plan"
	"lightd/desired/store"
	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/engine"
	"lightd/observed/journal"
	"lightd/observed/startpattern"
	"lightd/observed/status"
	"lightd/observed/streams"
)

// create makes the runtime container.
func (a *execution) create(ctx context.Context) error {
	if err := errors.Join(a.checkHostPaths(a.spec.Spec), a.cfg.Data.Make(a.spec.InternalID)); err != nil {
		return err
	}
	image := a.cfg.Images.Known(a.step.Image)
	if !image.Present {
		var err error
		if image, err = a.cfg.Engine.Image(ctx, a.step.Image); err != nil {
			return err
		}
	}
	return a.createFrom(ctx, blueprint.Run(a.spec, a.hostPaths(a.spec.Spec), a.step.Image, a.st.Install.Request), image)
}

// createFrom creates a container with the volumes that its image declares.
func (a *execution) createFrom(ctx context.Context, b blueprint.Blueprint, image observed.Image) error {
	if err := errors.Join(a.checkReference(b.Image), a.checkImageOwner(image)); err != nil {
		return err
	}
	b = b.WithImageVolumes(a.hostPaths(a.spec.Spec), image.Volumes).WithCreationMark(a.st.CreationMark)
	if err := a.makeImageVolumes(ctx, b.Volumes); err != nil {
		return err
	}
	if _, err := a.networkOf(ctx, b.NetworkMode); err != nil {
		return err
	}
	if err := a.checkCordon(); err != nil {
		return err
	}
	_, warnings, err := a.cfg.Engine.Create(ctx, b)
	if err == nil {
		a.warn(warnings)
	}
	return a.explain(err)
}

// warn leaves behind what the engine warned of.
func (a *execution) warn(warnings []string) {
	if len(warnings) > 0 {
		a.event(journal.CreationWarning, messageOf(errors.New(strings.Join(warnings, "; "))))
	}
}

// makeImageVolumes makes the directories of volumes where they are missing.
func (a *execution) makeImageVolumes(ctx context.Context, volumes []blueprint.Volume) error {
	if len(volumes) == 0 {
		return nil
	}
	var who datadir.Identity
	var err error
	if who.UID, who.GID, err = a.rootIDs(ctx); err != nil {
		return err
	}
	for _, v := range volumes {
		if err := a.cfg.Data.MakeImageVolume(a.spec.InternalID, v.Directory, who); err != nil {
			return err
		}
	}
	return nil
}

// start makes Docker start a container, the run container or that of the install script. Before it the
// volume is given to its user, the paths of the host and the image are checked, and the output is attached;
// after it what was really mounted is compared with what was checked.
func (a *execution) start(ctx context.Context, c *observed.Container) error {
	id, run, t := a.spec.InternalID, a.step.Kind == plan.StartContainer, streams.Target{ContainerID: a.step.Target}
	if run {
		t.TTY = a.spec.TTY
		if err := a.cfg.Console.Expect(id, t, startpattern.Run{}, a.spec.StartPattern); err != nil {
			a.log.Warn("start pattern cannot be watched", "container", id, "error", err)
		}
	}
	if err := errors.Join(a.chownVolume(ctx), a.handOver(ctx)); err != nil {
		return err
	}
	// Directly before the sources are pinned: what comes before may take long.
	if err := a.checkHostPaths(a.spec.Spec); err != nil {
		return err
	}
	pins, err := a.pin(c)
	if err != nil {
		return err
	}
	if pins != nil {
		defer pins.Close()
	}
	if err := a.checkImage(ctx, c); err != nil {
		return err
	}
	network := a.knownNetwork(c)
	if err := a.connectable(ctx, c, network); err != nil {
		return err
	}
	if err := a.cfg.Console.Prepare(ctx, id, t); err != nil {
		level := slog.LevelWarn
		if errors.Is(err, engine.ErrNotRunning) { // a Podman has no attach before a start
			level = slog.LevelDebug
		}
		a.log.Log(ctx, level, "cannot attach before start; early output is read from the log", "container", id, "error", err)
	}
	if err := a.startOn(ctx, c, network); err != nil {
		return err
	}
	if run {
		a.cfg.Console.Started(id, t)
	}
	if pins == nil {
		return nil
	}
	if err := a.verify(ctx, pins); err != nil {
		// The start is done. The container is verified again for as long as it is not.
		a.log.Warn("mounts not verified", "container", id, "error", err)
	}
	return nil
}

// startOn has the engine start a container. Where that fails because something is gone, and that may be the network,
// which was known and not listed, the network is made again and the start repeated.
func (a *execution) startOn(ctx context.Context, c *observed.Container, network *observed.Network) error {
	if err := a.checkCordon(); err != nil {
		return err
	}
	err := a.cfg.Engine.Start(ctx, a.step.Target)
	if network == nil || engine.Classify(err) != engine.NotFound {
		return unsuitable(c, a.explain(err))
	}
	a.fitting.CompareAndSwap(network, nil)
	if err := a.connectable(ctx, c, nil); err != nil {
		return err
	}
	return a.startOn(ctx, c, nil)
}

// stop executes the rung of the stop that was decided on and recorded. A command that cannot be
// written is no failure of the step: the next rung replaces it.
func (a *execution) stop(ctx context.Context) error {
	run, request := status.RunOf(a.seen.Run), a.st.Stopping
	if unverified := a.st.MountsUnverified; unverified != nil && unverified.Is(run) {
		// It was started outside of Lightd: where its mounts lead elsewhere it gets no time to end by itself.
		if err := a.verifyMounts(ctx); err != nil {
			a.log.Debug("mounts not verified before the stop", "container", a.spec.InternalID, "error", err)
		}
		if a.killed {
			return nil
		}
	}
	patch := func(change func(*status.StopRequest)) func(*status.Status) []journal.Event {
		return func(st *status.Status) []journal.Event {
			if st.Stopping != nil && st.Stopping.Run.Is(run) && st.Stopping.Rung == request.Rung {
				change(st.Stopping)
			}
			return nil
		}
	}
	a.patch = patch(func(request *status.StopRequest) { request.Sent = true })
	if request.Signal == "" {
		err := a.cfg.Console.WriteLine(ctx, a.spec.InternalID, a.spec.Stop.Line())
		if err != nil {
			a.log.Warn("stop command not consumed; sending signal", "container", a.spec.InternalID, "error", err)
			a.patch = patch(func(request *status.StopRequest) { request.Unread = true })
		}
		return nil
	}
	signal := a.cfg.Engine.Kill
	if !a.spec.Init {
		signal = a.cfg.Engine.Signal
	}
	return signal(ctx, a.step.Target, request.Signal)
}

// kill ends the process at once.
func (a *execution) kill(ctx context.Context) error {
	if err := a.cfg.Engine.Kill(ctx, a.step.Target, "SIGKILL"); err != nil {
		return err
	}
	run := status.RunOf(a.seen.Run)
	a.patch = func(st *status.Status) []journal.Event {
		if st.Stopping != nil && st.Stopping.Run.Is(run) {
			st.Stopping.KilledAt = time.Now()
		}
		return nil
	}
	return nil
}

func (a *execution) updateLimits(ctx context.Context) error {
	warnings, err := a.cfg.Engine.UpdateLimits(ctx, a.step.Target, a.spec.Limits)
	if err != nil {
		return err
	}
	if u := a.st.LimitUpdates; u == nil || u.Count <= 1 { // only the first one is reported
		a.event(journal.LimitsUpdated, a.step.Reason)
		a.warn(warnings)
	}
	return nil
}

// finalize deletes the spec and the state of a container of which the engine has nothing left.
func (a *execution) finalize(ctx context.Context) error {
	id := a.spec.InternalID
	if err := a.cfg.Data.Remove(ctx, id); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.DatabaseTimeout)
	defer cancel()
	err := a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		return errors.Join(
			tx.RemoveContainer(id),
			a.cfg.Statuses.Delete(tx.Tx, id),
			a.append(tx.Tx, []journal.Event{{InternalID: id, Type: journal.Deleted, Generation: a.spec.Generation, Labels: a.spec.Labels}}),
		)
	})
	if err != nil {
		return fmt.Errorf("forget container %s: %w", id, err)
	}
	a.gone = true
	return nil
}
