package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"lightd/httpapi/api"
	"lightd/httpapi/client"
	"lightd/observed/status"
)

// spare is by how much goroutines and open files may exceed what they were before the load: connections
// that are kept for later, and workers that were started at need.
const spare = 10

// inspect waits until each container is as it was acknowledged, and fails the run for one that is not.
func (r *run) inspect(ctx context.Context) {
	r.say("waiting until all containers are as specified")
	var all sync.WaitGroup
	for _, s := range r.slots {
		all.Go(func() {
			if err := s.compareAcknowledged(ctx); err != nil {
				r.fail("%v", err)
				return
			}
			if err := await(ctx, fmt.Sprintf("slot %d", s.number), func() error { return s.settled(ctx) }); err != nil {
				r.fail("%v", err)
			}
		})
	}
	all.Wait()
	drift, err := r.quiet.NodeDrift(ctx, "")
	if err != nil || drift.InSync != len(r.slots)-r.empty() || len(drift.Containers) > 0 {
		text, _ := json.Marshal(drift)
		r.fail("the drift at the end is %s, %v", text, err)
	}
}

func (r *run) empty() (n int) {
	for _, s := range r.slots {
		if !s.exists {
			n++
		}
	}
	return n
}

// compareAcknowledged holds files and spec against what was acknowledged.
func (s *slot) compareAcknowledged(ctx context.Context) error {
	if s.volume != "" {
		if err := s.compareAll(ctx); err != nil {
			return err
		}
	}
	if !s.exists {
		return nil
	}
	now, err := s.quiet.Get(ctx, s.spec.InternalID)
	if err != nil {
		return err
	}
	if now.Generation != s.generation {
		return fmt.Errorf("%s has generation %d, and %d was acknowledged", s.spec.InternalID, now.Generation, s.generation)
	}
	if got, want := now.Spec().Normalize(), s.spec.Normalize(); !got.Equal(want) {
		return fmt.Errorf("%s has the spec %+v, and %+v was acknowledged", s.spec.InternalID, got, want)
	}
	return nil
}

// settled returns what has not come about. It ends a backoff, and installs again what the engine has
// interrupted.
func (s *slot) settled(ctx context.Context) error {
	for _, id := range s.gone {
		if _, err := s.quiet.Get(ctx, id); !errors.Is(err, client.ErrNotFound) && (!s.exists || id != s.spec.InternalID) {
			return fmt.Errorf("%s is not gone: %w", id, err)
		}
	}
	if !s.exists {
		return nil
	}
	now, err := s.quiet.Get(ctx, s.spec.InternalID)
	if err != nil {
		return err
	}
	switch {
	case now.InstallState == status.Failed && now.ObservedGeneration == now.Generation:
		if now.Condition(status.Installed).Reason != status.ReasonInstallInterrupted {
			return fmt.Errorf("%s: the installation failed: %+v", s.spec.InternalID, now.Conditions)
		}
		return errors.Join(errors.New("installed again"), s.reinstall(ctx))
	case now.State == status.StateBackOff:
		return errors.Join(errors.New("started again"), s.start(ctx))
	}
	return s.converged(ctx, now)
}

// converged returns how a container differs from its spec.
func (s *slot) converged(ctx context.Context, now client.Container) error {
	want := status.StateOffline
	if s.spec.Power == "running" {
		want = status.StateRunning
	}
	plan, err := s.quiet.Plan(ctx, s.spec.InternalID)
	if err != nil {
		return err
	}
	drift, err := s.quiet.Drift(ctx, s.spec.InternalID)
	if err != nil {
		return err
	}
	if now.State != want || now.ObservedGeneration != now.Generation || len(plan.Steps) > 0 || plan.Waits != nil || !drift.InSync {
		return fmt.Errorf("%s is %s: %s; plan %+v, drift %+v", now.InternalID, now.State, now.Summary, plan.Steps, drift.Fields)
	}
	return s.countScripts(ctx)
}

// countScripts holds that no installation ran more often than it was requested.
func (s *slot) countScripts(ctx context.Context) error {
	text, err := s.contents(ctx, s.quiet, "installs")
	if errors.Is(err, client.ErrNotFound) {
		return nil
	}
	if ran := strings.Count(text, "\n"); err == nil && ran > s.scripts {
		s.fail("%s: the install script ran %d times, and was requested %d times", s.spec.InternalID, ran, s.scripts)
	}
	return err
}

// compareJournal holds what was followed against what can be read now.
func (r *run) compareJournal(ctx context.Context, unfollow func(), followers *sync.WaitGroup, m *mirror, f *feed) {
	var last uint64
	var err error
	for e, readErr := range r.quiet.Events(ctx, "", 0) {
		last, err = e.Seq, readErr
	}
	list, listErr := r.quiet.ListFull(ctx, "")
	if err = errors.Join(err, listErr); err != nil {
		r.fail("read what was followed: %v", err)
	}
	// What is followed arrives a moment after it can be read.
	_ = sleep(ctx, interval)
	unfollow()
	followers.Wait()
	if err := errors.Join(f.err, m.err); err != nil {
		r.fail("follow events and changes: %v", err)
	}
	if f.last < last {
		r.fail("events until %d were followed, and there are some until %d", f.last, last)
	}
	r.compareMirror(m, list.Containers)
	for id, seqs := range f.seqs {
		if _, there := m.containers[id]; there {
			r.compareEvents(ctx, id, seqs)
		}
	}
}

func (r *run) compareMirror(m *mirror, list []api.Container) {
	if len(list) != len(m.containers) {
		r.fail("the watch knows %d containers, and there are %d", len(m.containers), len(list))
	}
	for _, c := range list {
		if seen := m.containers[c.InternalID]; seen.Generation != c.Generation || seen.State != c.State || seen.ObservedGeneration != c.ObservedGeneration {
			r.fail("the watch has %s as %s in generation %d (%d observed), and it is %s in %d (%d)", c.InternalID,
				seen.State, seen.Generation, seen.ObservedGeneration, c.State, c.Generation, c.ObservedGeneration)
		}
	}
}

// compareEvents holds that the journal has the newest events of a container that were followed, without a gap.
func (r *run) compareEvents(ctx context.Context, id string, followed []uint64) {
	const kept = 1000
	var have []uint64
	for e, err := range r.quiet.Events(ctx, id, 0) {
		if err != nil {
			r.fail("read the events of %s: %v", id, err)
			return
		}
		have = append(have, e.Seq)
	}
	if len(have) < min(len(followed), kept) || len(have) > len(followed) || !slices.Equal(have, followed[len(followed)-len(have):]) {
		r.fail("the journal has other events of %s than were followed: %d and %d", id, len(have), len(followed))
	}
}

// discard deletes all containers and volumes.
func (r *run) discard(ctx context.Context) {
	r.say("deleting all containers and volumes")
	var all sync.WaitGroup
	for _, s := range r.slots {
		all.Go(func() {
			if s.exists {
				if _, err := s.quiet.Delete(ctx, s.spec.InternalID, client.Write{}); err != nil {
					r.fail("%v", err)
				}
			}
		})
	}
	all.Wait()
	err := await(ctx, "volumes are left", func() error {
		volumes, err := r.quiet.Volumes(ctx)
		for _, v := range volumes {
			err = errors.Join(err, r.quiet.DeleteVolume(ctx, v.VolumeID))
		}
		return err
	})
	if err != nil {
		r.fail("%v", err)
	}
}

// inspectEmpty holds that nothing is left of a node without containers, neither in the engine nor on disk nor in
// the daemon, whose goroutines and open files are as before the load.
func (r *run) inspectEmpty(ctx context.Context, instance string, before []string, rest map[string]float64) {
	r.quiet.Close()
	r.client.Close()
	err := await(ctx, "something is left", func() error {
		left, err := r.engine.mine(ctx, instance)
		if err != nil {
			return err
		}
		after, err := r.engine.resources(ctx)
		if err != nil {
			return err
		}
		for _, name := range after {
			if !slices.Contains(before, name) && name != sharedNetwork {
				left = append(left, name)
			}
		}
		files, err := r.leftFiles()
		if err != nil {
			return err
		}
		left = append(left, files...)
		if len(left) > 0 {
			return errors.New(strings.Join(left, ", "))
		}
		return nil
	})
	if err != nil {
		r.fail("%v", err)
	}
	if err := await(ctx, "the daemon is not at rest", func() error { return r.atRest(ctx, rest) }); err != nil {
		r.fail("%v", err)
	}
}

// leftFiles returns what is in the directories of containers and volumes, and in their trash.
func (r *run) leftFiles() ([]string, error) {
	const trash = ".trash"
	var left []string
	for _, dir := range []string{"containers", "volumes", filepath.Join("containers", trash), filepath.Join("volumes", trash)} {
		entries, err := os.ReadDir(filepath.Join(r.dir, "data", dir))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			if e.Name() != trash {
				left = append(left, filepath.Join(dir, e.Name()))
			}
		}
	}
	return left, nil
}

// atRest returns which figures of the daemon exceed what they were before the load.
func (r *run) atRest(ctx context.Context, before map[string]float64) error {
	now, err := r.read(ctx)
	if err != nil {
		return err
	}
	for _, metric := range []string{"go_goroutines", "process_open_fds"} {
		if now[metric] > before[metric]+spare {
			err = errors.Join(err, fmt.Errorf("%s is %.0f, and was %.0f before the load", metric, now[metric], before[metric]))
		}
	}
	return err
}
