package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/httpapi/client"
	"lightd/observed/status"
)

// pause is the mean time between two operations on a container.
const pause = 2 * time.Second

// slot is a place for one container at a time. One goroutine chooses what happens to it, and keeps what was
// acknowledged, so that each slot has an expectation without a race. What it chooses depends on the seed and on
// what was acknowledged.
type slot struct {
	*run
	number int
	random *rand.Rand

	volume string
	files  map[string]string // of the volume, by path: the content that was acknowledged
	ports  [2]int
	made   int // how many containers have been here

	exists     bool
	spec       desired.Spec // as acknowledged
	generation int64
	gone       []string // ids of containers whose deletion was acknowledged
	scripts    int      // installations that were acknowledged, or may have been, since the volume was made
}

// live plays operations until ctx ends.
func (s *slot) live(ctx context.Context) {
	for ctx.Err() == nil {
		op := s.choose()
		s.gate.RLock()
		if ctx.Err() == nil { // it may have ended during a restart
			s.perform(ctx, fmt.Sprintf("%s of %s", op.name, s.spec.InternalID), op.name, func() error { return op.do(s, ctx) })
		}
		s.gate.RUnlock()
		_ = sleep(ctx, time.Duration(s.random.Int64N(int64(2*pause)))) // the loop ends with ctx
	}
}

// perform logs one operation and judges its error: a refusal was judged by the transport already.
func (r *run) perform(ctx context.Context, what, name string, do func() error) {
	began := time.Now()
	err := do()
	r.mu.Lock()
	r.counts[name]++
	r.mu.Unlock()
	outcome := "done"
	if err != nil {
		outcome = err.Error()
	}
	r.log("%s: %s, after %s", what, outcome, time.Since(began).Round(time.Millisecond))
	var refused *client.Error
	var unmet *client.WaitError
	switch {
	case err == nil, ctx.Err() != nil, errors.As(err, &refused):
	case errors.As(err, &unmet) && (unmet.TimedOut() || unmet.Reason == status.ReasonExited || r.disturbed()):
		// A busy machine, a process that the load has ended in its first second, or an installation that ended with
		// the engine. The end of the run waits for all.
	case r.options.kills && (errors.Is(err, client.ErrUnknownOutcome) || errors.Is(err, client.ErrUnreachable)):
	default:
		r.fail("%s: %v", what, err)
	}
}

// write makes a write of the container and keeps what it has acknowledged. One whose outcome is unknown is looked
// up. change makes of the spec what the write says.
func (s *slot) write(ctx context.Context, do func() (client.Receipt, error), change func(*desired.Spec)) error {
	before := s.generation
	receipt, err := do()
	var unmet *client.WaitError
	switch {
	case err == nil || errors.As(err, &unmet):
		if receipt.Generation < before {
			return fmt.Errorf("generation %d was acknowledged after %d", receipt.Generation, before)
		}
		s.generation = receipt.Generation
		change(&s.spec)
		return errors.Join(err, receipt.Unmet())
	case errors.Is(err, client.ErrUnknownOutcome) || ctx.Err() != nil:
		return errors.Join(err, s.resolve(before, change))
	}
	return err
}

// resolve finds out whether a write has happened whose answer was lost.
func (s *slot) resolve(before int64, change func(*desired.Spec)) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	now, err := s.quiet.Get(ctx, s.spec.InternalID)
	switch {
	case errors.Is(err, client.ErrNotFound) && before == 0:
		return nil
	case err != nil:
		s.fail("read %s after a write without an answer: %v", s.spec.InternalID, err)
		return nil
	case now.Generation == before:
		return nil
	case now.Generation > before+1:
		s.fail("%s: generation %d after one write of %d", s.spec.InternalID, now.Generation, before)
	}
	s.exists = true
	s.generation = now.Generation
	change(&s.spec)
	return nil
}

// create makes a container, of an id that was here before or of a new one.
func (s *slot) create(ctx context.Context) error {
	if s.volume == "" {
		v, err := s.client.CreateVolume(ctx)
		if err != nil {
			return err
		}
		s.volume, s.files, s.scripts = v.VolumeID, map[string]string{}, 0
	}
	if s.spec.InternalID == "" || s.random.IntN(2) == 0 {
		s.made++
	}
	spec := s.newSpec(fmt.Sprintf("soak-%d-%d", s.number, s.made))
	s.spec, s.generation = spec, 0
	goal := s.goal(api.UntilInstalled)
	if spec.InstallScript != "" {
		s.scripts++
	}
	return s.write(ctx, func() (client.Receipt, error) {
		return s.client.Create(ctx, spec, waiting(goal))
	}, func(*desired.Spec) { s.exists = true })
}

// The program answers each line but "crash", at which it ends with an error.
const startup = `echo up; while read -r line; do case $line in crash*) exit 3;; *) echo "pong $line";; esac; done; exec sleep 1000000`

// script leaves a line in the volume for each time it has run, and a file outside, for which a snapshot is kept.
const script = "echo ran >>installs; echo tool >/usr/tool"

func (s *slot) newSpec(id string) desired.Spec {
	spec := desired.DefaultSpec()
	spec.InternalID, spec.Image, spec.VolumeID = id, s.options.image, s.volume
	spec.StartupCommand, spec.StartPattern = startup, "^up"
	spec.Power = desired.PowerRunning
	if s.random.IntN(5) == 0 {
		spec.Power = desired.PowerStopped
	}
	if s.random.IntN(2) == 0 {
		spec.InstallScript = script
	}
	spec.Ports = []desired.Port{s.port()}
	spec.Limits.Memory = s.memory()
	spec.Labels = map[string]string{"slot": fmt.Sprint(s.number)}
	spec.Stop.Timeout = desired.Duration(2 * time.Second)
	return spec
}

func (s *slot) port() desired.Port {
	return desired.Port{IP: "127.0.0.1", Port: s.ports[s.random.IntN(2)], Protocol: desired.TCP, ContainerPort: 7777}
}

func (s *slot) memory() int64 { return int64(32+s.random.IntN(64)) << 20 }

// goal has one write in two wait.
func (s *slot) goal(g api.Goal) api.Goal {
	if s.random.IntN(2) == 0 {
		return ""
	}
	return g
}
