package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"strings"
	"time"

	"lightd/controller/datadir"
	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed"
	"lightd/observed/blueprint"
	"lightd/observed/cgroup"
	"lightd/observed/engine"
	"lightd/observed/journal"
	"lightd/observed/replay"
	"lightd/observed/status"
	"lightd/observed/streams"
)

// outputTimeout bounds the reading of what a script printed, which may be as much as Docker
// is set to keep.
const outputTimeout = 10 * time.Minute

// createInstall makes the container that runs the install script: no ports, no startup
// command, and as root, which installing packages needs, unless the spec has another user for it.
func (a *execution) createInstall(ctx context.Context) error {
	if err := a.checkHostPaths(a.spec.Spec); err != nil {
		return err
	}
	image, err := a.cfg.Engine.Image(ctx, a.step.Image)
	if err != nil {
		return err
	}
	separate, server := a.st.Install.Separate, image
	if separate {
		if server, err = a.cfg.Engine.Image(ctx, a.spec.Image); err != nil {
			return err
		}
	}
	if err := engine.CheckUser(server.User); err != nil && !separate {
		return &unsuitableError{image.ImageID, fmt.Errorf("the image %s cannot keep an installation: %w", a.step.Image, err)}
	}
	who, err := a.installIdentity(ctx, server)
	if err != nil {
		return err
	}
	if err := a.cfg.Data.WriteInstaller(a.spec.Spec, who); err != nil {
		return err
	}
	b := blueprint.Install(a.spec, a.hostPaths(a.spec.Spec), a.step.Image, a.st.Install.Request)
	if image.User != "" {
		b.User = cmp.Or(b.User, "0:0")
	}
	if separate {
		image.Volumes = nil
	}
	return a.createFrom(ctx, b, image)
}

// installIdentity returns whose the installer's own files are, and to whom the script's are to be given: to
// the user of the server, by a script that is root. A name that the image of the server alone knows
// is left to its first start.
func (a *execution) installIdentity(ctx context.Context, server observed.Image) (who datadir.Identity, err error) {
	if who.UID, who.GID, err = a.rootIDs(ctx); err != nil {
		return who, err
	}
	uid, gid, _ := desired.InstallUser(a.spec.Installation().User)
	owner := cmp.Or(a.spec.User, server.User)
	if _, _, numeric := desired.NumericUser(owner); uid == 0 && (numeric || !a.st.Install.Separate) {
		who.Owner = owner
	}
	who.UID, who.GID = who.UID+int(uid), who.GID+int(gid)
	return who, nil
}

// measureInstall measures what the script's container has written outside of its mounts. A measurement
// that fails holds nothing up: the next one is made at its pace, and after the last one the
// installation is kept. One that takes too long is counted, and that of a script that has ended is repeated.
func (a *execution) measureInstall(ctx context.Context) {
	size, err := a.cfg.Engine.LayerSize(ctx, a.step.Target)
	if err != nil {
		level := slog.LevelWarn
		if a.step.Repeats {
			level = slog.LevelDebug // the first failure and that of the last measurement are in the log
		}
		a.log.Log(ctx, level, "what the installation wrote is not measured", "container", a.spec.InternalID, "docker_id", a.step.Target, "error", err)
	}
	request, ended := a.st.Install.Request, !a.seen.Install.Running()
	tooMuch := errors.Is(err, engine.ErrTimeout) || errors.Is(err, cgroup.ErrTooManyOpen)
	a.patch = func(st *status.Status) []journal.Event {
		in := &st.Install
		if in.Request != request {
			return nil
		}
		if tooMuch {
			in.Unmeasurable++
		} else {
			in.Unmeasurable = 0
		}
		again := tooMuch && in.Unmeasurable < plan.UnmeasurableMost
		in.MeasuredAt, in.Measured = time.Now(), ended && !again
		if err == nil {
			in.LayerBytes = size
		}
		return nil
	}
}

// keepInstall keeps what the script printed and what it changed. It may be repeated:
// the image gets the same name.
func (a *execution) keepInstall(ctx context.Context) error {
	if err := a.saveOutput(ctx); err != nil {
		return err
	}
	changed, err := a.changedImage(ctx)
	if err != nil {
		return err
	}
	snapshot := ""
	if changed {
		image, err := a.cfg.Engine.Image(ctx, a.st.Install.Image)
		if err != nil {
			return err
		}
		snapshot = desired.SnapshotRef(a.cfg.Engine.Instance(), a.spec.InternalID, a.st.Install.Request)
		// A copy under this name is of an earlier container of this id, or from after a database was restored.
		if err := a.cfg.Snapshots.Remove(snapshot); err != nil {
			return err
		}
		if _, err := a.cfg.Engine.Commit(ctx, a.step.Target, snapshot, image.User); err != nil {
			return err
		}
		a.cfg.Images.Refresh(snapshot)
	}
	if err := a.cfg.Data.ClearInstaller(a.spec.InternalID, !a.startHandsOver()); err != nil {
		return err
	}
	request := a.st.Install.Request
	a.patch = func(st *status.Status) []journal.Event {
		if st.Install.Request == request && st.Install.Phase == status.InstallScripted {
			st.Install.Phase, st.Install.OutputSaved, st.Install.Snapshot = status.InstallKept, true, snapshot
		}
		return nil
	}
	return nil
}

// saveOutput keeps what the script printed. Output that cannot be had holds nothing up:
// an installation always ends in a word.
func (a *execution) saveOutput(ctx context.Context) error {
	switch err := a.copyOutput(ctx); {
	case engine.Classify(err) == engine.Unavailable:
		return err
	case err != nil:
		a.log.Warn("output of the install script is lost", "container", a.spec.InternalID, "error", err)
	}
	missing, err := a.missingInterpreter(ctx)
	if err != nil {
		return err
	}
	request := a.st.Install.Request
	a.patch = func(st *status.Status) []journal.Event {
		if st.Install.Request == request {
			st.Install.OutputSaved, st.Install.MissingInterpreter = true, missing
		}
		return nil
	}
	return nil
}

// The exit codes of a shell for what it could not run.
const (
	exitNotExecutable = 126
	exitNotFound      = 127
)

// missingInterpreter returns the interpreter of a script that could not be run for lack of it,
// and "" where that is not why it failed.
func (a *execution) missingInterpreter(ctx context.Context) (string, error) {
	c := a.seen.Install
	if c == nil || c.ExitCode != exitNotFound && c.ExitCode != exitNotExecutable {
		return "", nil
	}
	interpreter, lookup := datadir.Interpreter(a.spec.Spec)
	if interpreter != "" {
		found, err := a.cfg.Engine.HasFile(ctx, a.step.Target, interpreter)
		switch {
		case err != nil:
			return "", onlyUnavailable(err)
		case !found:
			return interpreter, nil
		}
	}
	if lookup == "" {
		return "", nil
	}
	for _, dir := range strings.Split(searchPath(c.Env), ":") {
		found, err := a.cfg.Engine.HasFile(ctx, a.step.Target, path.Join("/", dir, lookup))
		if err != nil || found {
			return "", onlyUnavailable(err)
		}
	}
	return lookup, nil
}

// onlyUnavailable drops an error that will be the same when it is tried again: the reason of a
// failure is not worth holding it up.
func onlyUnavailable(err error) error {
	if engine.Classify(err) == engine.Unavailable {
		return err
	}
	return nil
}

// searchPath is the PATH of a container.
func searchPath(env []string) string {
	for _, pair := range env {
		if value, is := strings.CutPrefix(pair, "PATH="); is {
			return value
		}
	}
	return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
}

// copyOutput streams the output into the data directory, within the deadline of a snapshot.
func (a *execution) copyOutput(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, outputTimeout, engine.ErrTimeout)
	defer cancel()
	logs, err := replay.LogText(ctx, streams.NewDocker(a.cfg.Engine), streams.Target{ContainerID: a.step.Target})
	if err != nil {
		return err
	}
	defer logs.Close()
	return a.cfg.Data.SaveInstallLog(a.spec.InternalID, logs)
}

// dockersOwn are paths that Docker itself puts into every container.
var dockersOwn = []string{
	"/.dockerenv", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab",
	"/dev/console", "/dev/pts", "/dev/shm", "/sbin/docker-init", "/proc", "/sys",
}

// changedImage reports whether there is something to be kept of the file system of the script's container: of
// an image of its own there is not.
func (a *execution) changedImage(ctx context.Context) (changed bool, err error) {
	if a.st.Install.Separate {
		return false, nil
	}
	byScript := a.changedByScript()
	err = a.cfg.Engine.Changes(ctx, a.step.Target, func(c engine.Change) bool {
		changed = byScript(c)
		return !changed
	})
	return changed, err
}

// changedByScript returns the test that separates what a script changed in the image's file system
// from what differs anyway: mount points, what Docker adds, and the directories above them.
func (a *execution) changedByScript() func(engine.Change) bool {
	own := append([]string{blueprint.Home, blueprint.Data}, dockersOwn...)
	for target := range a.spec.Mount {
		own = append(own, target)
	}
	if a.seen.Install != nil { // as it was made, whatever the spec says by now
		for _, m := range a.seen.Install.Mounts {
			own = append(own, m.Target)
		}
	}
	expected := map[string]bool{}
	for _, p := range own {
		for ; p != "/"; p = path.Dir(p) {
			expected[p] = true
		}
	}
	return func(c engine.Change) bool { return c.Kind == engine.Deleted || !expected[c.Path] }
}
