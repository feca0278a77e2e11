package controller

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"lightd/controller/datadir"
	"lightd/desired"
	"lightd/desired/store"
	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/journal"
	"lightd/observed/startpattern"
	"lightd/observed/status"
	"lightd/observed/streams"
)

// hostPaths is what this host has for a container.
func (e *executor) hostPaths(s desired.Spec) blueprint.HostPaths {
	return blueprint.HostPaths{
		Instance: e.cfg.Engine.Instance(), Volume: e.cfg.VolumePath(s.VolumeID), Data: e.cfg.Data.Path(s.InternalID),
		ImageVolumes: e.cfg.Data.ImageVolumes(s.InternalID), Log: e.logFiles(),
	}
}

// logFiles is how Docker keeps the output of a container that is made now.
func (e *executor) logFiles() observed.Log {
	if logs := e.logs.Load(); logs != nil {
		return *logs
	}
	return e.cfg.Logs
}

// SetLogs changes how Docker keeps the output of the containers that are made from now on.
func (c *Controller) SetLogs(logs observed.Log) { c.logs.Store(&logs) }

// hostPathsOf is place in the words of a container: where two paths lead to one directory, that
// of the container counts. One that leads elsewhere was left behind when the data directory
// was renamed, or copied.
func (e *executor) hostPathsOf(s desired.Spec, run *observed.Container) blueprint.HostPaths {
	at := e.hostPaths(s)
	if run == nil {
		return at
	}
	ours := map[string]*string{blueprint.Home: &at.Volume, blueprint.Data: &at.Data}
	for _, m := range run.Mounts {
		if path := ours[m.Target]; path != nil && *path != m.Source && sameFile(*path, m.Source) {
			*path = m.Source
		}
	}
	return at
}

// sameFile reports whether two paths lead to one file, by a link for instance.
func sameFile(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

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
	b = b.WithImageVolumes(a.hostPaths(a.spec.Spec), image.Volumes)
	if err := a.makeImageVolumes(ctx, b.Volumes); err != nil {
		return err
	}
	_, warnings, err := a.cfg.Engine.Create(ctx, b)
	if err == nil && len(warnings) > 0 {
		a.patch = a.creationWarning(warnings)
	}
	return a.explain(err)
}

// creationWarning reports what the engine warned of at a creation.
func (a *execution) creationWarning(warnings []string) func(*status.Status) []journal.Event {
	e := journal.Event{InternalID: a.spec.InternalID, Type: journal.CreationWarning, Generation: a.spec.Generation,
		Message: messageOf(errors.New(strings.Join(warnings, "; ")))}
	return func(*status.Status) []journal.Event { return []journal.Event{e} }
}

// makeImageVolumes makes the directories of volumes where they are missing.
func (a *execution) makeImageVolumes(ctx context.Context, volumes []blueprint.Volume) error {
	if len(volumes) == 0 {
		return nil
	}
	var who datadir.Identity
	var err error
	if who.UID, who.GID, err = a.cfg.Engine.RootIDs(ctx); err != nil {
		return err
	}
	for _, v := range volumes {
		if err := a.cfg.Data.MakeImageVolume(a.spec.InternalID, v.Directory, who); err != nil {
			return err
		}
	}
	return nil
}

// start starts the run container, with its output attached before the first byte.
func (a *execution) start(ctx context.Context) error {
	t := streams.Target{ContainerID: a.step.Target, TTY: a.spec.TTY}
	if err := a.cfg.Console.Expect(a.spec.InternalID, t, startpattern.Run{}, a.spec.StartPattern); err != nil {
		a.log.Warn("start pattern cannot be watched", "container", a.spec.InternalID, "error", err)
	}
	return a.startOf(ctx, a.seen.Run, t)
}

// prepare opens the output before a start. Without it the first lines come from the log.
func (a *execution) prepare(ctx context.Context, t streams.Target) {
	if err := a.cfg.Console.Prepare(ctx, a.spec.InternalID, t); err != nil {
		a.log.Warn("cannot attach before start; early output is read from the log", "container", a.spec.InternalID, "error", err)
	}
}

// stop executes the rung of the stop that was decided on and recorded. A command that cannot be
// written is no failure of the step: the next rung replaces it.
func (a *execution) stop(ctx context.Context) error {
	run, ask := runIDOf(a.seen.Run), a.st.Stopping
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
			if st.Stopping != nil && st.Stopping.Run.Is(run) && st.Stopping.Rung == ask.Rung {
				change(st.Stopping)
			}
			return nil
		}
	}
	a.patch = patch(func(ask *status.StopRequest) { ask.Sent = true })
	if ask.Signal == "" {
		err := a.cfg.Console.WriteLine(ctx, a.spec.InternalID, a.spec.Stop.Line())
		if err != nil {
			a.log.Warn("stop command not consumed; sending signal", "container", a.spec.InternalID, "error", err)
			a.patch = patch(func(ask *status.StopRequest) { ask.Unread = true })
		}
		return nil
	}
	signal := a.cfg.Engine.Kill
	if !a.spec.Init {
		signal = a.cfg.Engine.Signal
	}
	return signal(ctx, a.step.Target, ask.Signal)
}

// kill ends the process at once.
func (a *execution) kill(ctx context.Context) error {
	if err := a.cfg.Engine.Kill(ctx, a.step.Target, "SIGKILL"); err != nil {
		return err
	}
	run := runIDOf(a.seen.Run)
	a.patch = func(st *status.Status) []journal.Event {
		if st.Stopping != nil && st.Stopping.Run.Is(run) {
			st.Stopping.KilledAt = time.Now()
		}
		return nil
	}
	return nil
}

func (a *execution) updateLimits(ctx context.Context) error {
	if err := a.cfg.Engine.UpdateLimits(ctx, a.step.Target, a.spec.Limits); err != nil {
		return err
	}
	if u := a.st.LimitUpdates; u != nil && u.Count > 1 {
		return nil // the first one was reported
	}
	a.patch = func(*status.Status) []journal.Event {
		return []journal.Event{{InternalID: a.spec.InternalID, Type: journal.LimitsUpdated,
			Generation: a.spec.Generation, Message: a.step.Reason}}
	}
	return nil
}

// finalize deletes the spec and the state of a container of which the engine has nothing left.
func (a *execution) finalize(ctx context.Context) error {
	id := a.spec.InternalID
	if err := a.cfg.Data.Remove(id); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.DatabaseTimeout)
	defer cancel()
	err := a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		return errors.Join(
			tx.RemoveContainer(id),
			a.cfg.Statuses.Delete(tx.Tx, id),
			a.append(tx.Tx, []journal.Event{{InternalID: id, Type: journal.Deleted, Generation: a.spec.Generation}}),
		)
	})
	if err != nil {
		return fmt.Errorf("forget container %s: %w", id, err)
	}
	a.gone = true
	return nil
}

// portHeldBy reports whether the container itself binds what overlaps e now.
func portHeldBy(run *observed.Container, e desired.Endpoint) bool {
	if !run.Running() {
		return false
	}
	return slices.ContainsFunc(run.Binds, func(p desired.Port) bool { return p.Endpoint().Overlaps(e) })
}

// probePort binds e for a moment. Only what is certainly in the way is an error: what this
// process may not bind, the engine may.
func probePort(e desired.Endpoint) error {
	ip, err := netip.ParseAddr(e.IP)
	if err != nil {
		return fmt.Errorf("read address of %s: %w", e, err)
	}
	address := netip.AddrPortFrom(ip, uint16(e.Port))
	switch e.Protocol {
	case desired.UDP:
		var conn *net.UDPConn
		if conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(address)); err == nil {
			return conn.Close()
		}
	default:
		var listener *net.TCPListener
		if listener, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(address)); err == nil {
			return listener.Close()
		}
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("port %s is in use on this host by another program", e)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("port %s: this host does not have that address", e)
	}
	return nil
}

func runIDOf(c *observed.Container) status.RunID {
	return status.RunID{ContainerID: c.ContainerID, StartedAt: c.StartedAt}
}
