package controller

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	cerrdefs "github.com/containerd/errdefs"

	"lightd/controller/datadir"
	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed/engine"
	"lightd/observed/hostmount"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// errNoUser is the engine's error for a user that the image does not have.
var errNoUser = fmt.Errorf("%w: unable to find user x: no matching entries in passwd file", cerrdefs.ErrInternal)

// imagesStub records which images are inspected again.
type imagesStub struct {
	Images
	refreshed []string
}

func (i *imagesStub) Refresh(ref string) { i.refreshed = append(i.refreshed, ref) }

// TestFailureHasAClass: who can fix it decides when it is retried, and what is reported.
func TestFailureHasAClass(t *testing.T) {
	const (
		soon   = -1 // by the growing backoff
		slowly = plan.BlockedRetry
	)
	unanswered := fmt.Errorf("start: %w", engine.UnansweredError{Err: engine.ErrTimeout})
	busy := blockedError{status.ReasonPortUnavailable, errors.New("busy")}
	for name, c := range map[string]struct {
		kind      plan.Kind
		image     string
		err       error
		retry     time.Duration // 0 is never
		reason    status.Reason
		refused   bool
		unsure    bool
		refreshed bool
	}{
		"done":                            {kind: plan.StartContainer},
		"a busy port":                     {kind: plan.StartContainer, err: fmt.Errorf("start: %w", busy), retry: slowly, reason: status.ReasonPortUnavailable},
		"a missing mount":                 {kind: plan.CreateContainer, err: desired.Invalid("mount", "it is not there"), retry: slowly, reason: status.ReasonMountUnavailable},
		"an image that went":              {kind: plan.CreateContainer, image: "a:1", err: cerrdefs.ErrNotFound, retry: soon, refreshed: true},
		"a container that went":           {kind: plan.StartContainer, err: cerrdefs.ErrNotFound, retry: soon},
		"under way elsewhere":             {kind: plan.RemoveContainer, err: cerrdefs.ErrConflict, retry: soon},
		"a refused creation":              {kind: plan.CreateContainer, err: cerrdefs.ErrInvalidArgument, reason: status.ReasonRefused, refused: true},
		"a refused install creation":      {kind: plan.CreateInstallContainer, err: cerrdefs.ErrInvalidArgument, reason: status.ReasonRefused, refused: true},
		"a refused start":                 {kind: plan.StartContainer, err: errNoUser, reason: status.ReasonRefused, refused: true},
		"a refused install start":         {kind: plan.StartInstallScript, err: errNoUser, reason: status.ReasonRefused, refused: true},
		"a start refused for any reason":  {kind: plan.StartContainer, err: cerrdefs.ErrInvalidArgument, retry: soon, reason: status.ReasonStepFailed},
		"a creation that failed":          {kind: plan.CreateContainer, err: errNoUser, retry: soon, reason: status.ReasonStepFailed},
		"a missing directory of ours":     {kind: plan.WriteEntrypoint, err: fmt.Errorf("write: %w", datadir.ErrMissing), retry: slowly, reason: status.ReasonMountUnavailable},
		"a directory of ours by a link":   {kind: plan.WriteEntrypoint, err: fmt.Errorf("write: %w", datadir.ErrReplaced), retry: slowly, reason: status.ReasonMountUnavailable},
		"a refused update":                {kind: plan.UpdateLimits, err: cerrdefs.ErrInvalidArgument, retry: soon, reason: status.ReasonStepFailed},
		"an engine that fails":            {kind: plan.StartContainer, err: cerrdefs.ErrInternal, retry: soon, reason: status.ReasonStepFailed},
		"an engine that is silent":        {kind: plan.StartContainer, err: engine.ErrTimeout, retry: soon, reason: status.ReasonStepFailed},
		"a script that may have started":  {kind: plan.StartInstallScript, err: unanswered, retry: soon, reason: status.ReasonStepFailed, unsure: true},
		"a script that nobody started":    {kind: plan.StartInstallScript, err: engine.ErrTimeout, retry: soon, reason: status.ReasonStepFailed},
		"a script without its network":    {kind: plan.StartInstallScript, err: cerrdefs.ErrNotFound, retry: soon},
		"a script that has not for sure":  {kind: plan.StartInstallScript, err: cerrdefs.ErrInternal, retry: soon, reason: status.ReasonStepFailed},
		"files that cannot be written":    {kind: plan.WriteEntrypoint, err: errors.New("no"), retry: soon, reason: status.ReasonStepFailed},
		"an image that the engine minds":  {kind: plan.CreateContainer, image: "a:1", err: cerrdefs.ErrInternal, retry: soon, reason: status.ReasonStepFailed},
		"a container that waits for that": {kind: plan.RestoreSnapshot, image: "a:1", err: cerrdefs.ErrConflict, retry: soon},
	} {
		t.Run(name, func(t *testing.T) {
			images := &imagesStub{}
			ctrl := &executor{cfg: Config{Docker: Docker{Images: images}}, log: slog.New(slog.DiscardHandler)}
			a := &execution{executor: ctrl, log: slog.New(slog.DiscardHandler), step: plan.Step{Kind: c.kind, Image: c.image}, spec: desired.Container{Spec: desired.Spec{InternalID: "a"}, Generation: 3}}
			v := a.classify(c.err)
			if v.failed != (c.retry != 0) || v.retry != max(c.retry, 0) {
				t.Errorf("failed %t, retried after %s, want %s", v.failed, v.retry, c.retry)
			}
			if (len(images.refreshed) > 0) != c.refreshed {
				t.Errorf("refreshed %v", images.refreshed)
			}
			st := status.Status{InternalID: "a", State: status.StateStarting, Process: status.Process{Starting: &status.RunID{}}}
			emitted := ""
			if v.patch != nil {
				emitted = types(v.patch(&st))
			}
			if synced := st.Get(status.Synced); synced.Reason != c.reason || c.reason != "" && (synced.Status != status.False || synced.Message == "" || synced.ObservedGeneration != 3) {
				t.Errorf("synced %+v", synced)
			}
			notStarted := c.kind == plan.StartInstallScript && !c.refused && !c.unsure
			if st.Install.Unsure != c.unsure || st.Install.NotStarted != notStarted {
				t.Errorf("unsure: %v, not started: %v", st.Install.Unsure, st.Install.NotStarted)
			}
			given := st.FailedGeneration == 3 && st.FailedBy == status.FailedBySpec && st.InstallState == status.Failed && st.Starting == nil && st.State == status.StateOffline &&
				st.Get(status.Installed).Reason == status.ReasonRefused && emitted == "Exited Error"
			kept := st.FailedGeneration == 0 && st.InstallState == "" && st.Starting != nil && st.State == status.StateStarting && emitted == failureEventOf(c.reason)
			if c.refused != given || c.refused == kept {
				t.Errorf("events %q, status %+v", emitted, st)
			}
		})
	}
}

// failureEventOf is the event of a failure that is tried again.
func failureEventOf(reason status.Reason) string {
	switch reason {
	case "":
		return ""
	case status.ReasonStepFailed:
		return "StepFailed"
	}
	return "Blocked"
}

func types(events []journal.Event) string {
	var emitted []string
	for _, e := range events {
		emitted = append(emitted, string(e.Type))
	}
	return strings.Join(emitted, " ")
}

// TestRefusalLeavesAnInstallationThatIsDone: no script runs again, and the words agree that the
// operation failed.
func TestRefusalLeavesAnInstallationThatIsDone(t *testing.T) {
	a := &execution{executor: &executor{}, log: slog.New(slog.DiscardHandler), step: plan.Step{Kind: plan.StartContainer}}
	st := status.Status{Install: status.Install{Phase: status.InstallDone}}
	if emitted := types(a.classify(errNoUser).patch(&st)); emitted != "Error" {
		t.Errorf("events %q of what was not about to start", emitted)
	}
	if got := st.Get(status.Installed); st.Install.Phase != status.InstallDone || st.InstallState != status.Failed ||
		got.Status != status.False || got.Reason != status.ReasonRefused {
		t.Errorf("%s, %s beside %+v", st.Install.Phase, st.InstallState, got)
	}
}

// TestRefusalStartsAnInstallationOver unless its script may have run, or something was kept.
func TestRefusalStartsAnInstallationOver(t *testing.T) {
	a := &execution{executor: &executor{}, log: slog.New(slog.DiscardHandler), step: plan.Step{Kind: plan.StartInstallScript}}
	for _, c := range []struct {
		was  status.Install
		want status.InstallPhase
	}{
		{status.Install{Phase: status.InstallCreating}, status.InstallPreparing},
		{status.Install{Phase: status.InstallCreated}, status.InstallPreparing},
		{status.Install{Phase: status.InstallScript}, status.InstallPreparing},
		{status.Install{Phase: status.InstallScript, Unsure: true}, status.InstallScript},
		{status.Install{Phase: status.InstallEntrypoint}, status.InstallEntrypoint},
	} {
		c.was.Request = 7
		st := status.Status{Install: c.was}
		a.classify(errNoUser).patch(&st)
		if st.Install.Phase != c.want || st.Install.Request != 7 || c.want == c.was.Phase && st.Install != c.was {
			t.Errorf("%+v became %+v", c.was, st.Install)
		}
	}
}

// TestEscapeIsNoCrash: the kill of a process whose mount leads elsewhere is no crash, whether its
// end is observed before the kill is recorded or after.
func TestEscapeIsNoCrash(t *testing.T) {
	run := status.RunID{ContainerID: "c", StartedAt: time.Now()}
	a := &execution{step: plan.Step{Kind: plan.StartContainer}, spec: desired.Container{Spec: desired.Spec{InternalID: "a"}, Generation: 3}}
	for name, c := range map[string]struct {
		ended status.RunID
		want  status.Backoff
	}{
		"observed before": {run, status.Backoff{Restarts: 3}},
		"another run":     {status.RunID{ContainerID: "b"}, status.Backoff{Restarts: 3, Crashes: 3, NotBefore: run.StartedAt, Completed: true}},
	} {
		st := status.Status{
			Process: status.Process{Ended: c.ended},
			Backoff: status.Backoff{Restarts: 3, Crashes: 3, NotBefore: run.StartedAt, Completed: true},
		}
		events := a.escaped(run, &hostmount.EscapeError{})(&st)
		if st.Backoff != c.want || st.MountEscape == nil || len(events) != 1 {
			t.Errorf("%s: %+v, %v, %v", name, st.Backoff, st.MountEscape, events)
		}
	}
}
