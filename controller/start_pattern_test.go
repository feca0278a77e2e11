package controller

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"lightd/desired"
	"lightd/observed"
	"lightd/observed/startpattern"
	"lightd/observed/status"
	"lightd/observed/streams"
)

// watched is a console in which the pattern of a run has matched once it is expected.
type watched struct {
	Console
	err      error
	expected []startpattern.Run
}

func (w *watched) Expect(_ string, _ streams.Target, run startpattern.Run, _ string) error {
	w.expected = append(w.expected, run)
	return w.err
}

func (w *watched) Matched(_, _ string, startedAt time.Time) bool {
	return len(w.expected) > 0 && w.expected[0].StartedAt.Equal(startedAt)
}

// TestPatternIsWatchedFor where there is one, in the present run, until its match is
// recorded.
func TestPatternIsWatchedFor(t *testing.T) {
	began := time.Now()
	up := observed.Container{ContainerID: "c", State: observed.State{Phase: observed.Running, StartedAt: began}}
	ended := up
	ended.Phase = observed.Exited
	for name, c := range map[string]struct {
		run      *observed.Container
		pattern  string
		recorded status.RunID
		err      error
		expected bool
		matched  bool
	}{
		"no container":           {nil, "up", status.RunID{}, nil, false, false},
		"ended":                  {&ended, "up", status.RunID{}, nil, false, false},
		"no pattern":             {&up, "", status.RunID{}, nil, false, false},
		"running":                {&up, "up", status.RunID{}, nil, true, true},
		"cannot be watched now":  {&up, "up", status.RunID{}, errors.New("no"), true, true}, // and was before
		"matched":                {&up, "up", status.RunID{ContainerID: "c", StartedAt: began}, nil, false, true},
		"matched in another run": {&up, "up", status.RunID{ContainerID: "c", StartedAt: began.Add(-time.Hour)}, nil, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := &watched{err: c.err}
			ctrl := &Controller{executor: &executor{cfg: Config{Docker: Docker{Console: w}}, log: slog.New(slog.DiscardHandler)}}
			spec := desired.Container{Spec: desired.Spec{InternalID: "a", StartPattern: c.pattern}}
			if got, _ := ctrl.ensureStartupProbe(spec, status.Status{Process: status.Process{Matched: c.recorded}}, c.run); got != c.matched || (len(w.expected) > 0) != c.expected {
				t.Errorf("matched: %t, expected in %v", got, w.expected)
			}
		})
	}
}
