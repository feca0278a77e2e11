package owner

import (
	"cmp"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	cerrdefs "github.com/containerd/errdefs"

	"lightd/observed/engine"
)

// marks is the engine's side of the mark.
type marks struct {
	epoch string
	// next, when not empty, is who takes over right after a replacement.
	next string
	// read and claimed count the calls.
	read, claimed int
	// slow delays the answers, which are as of the call.
	slow time.Duration
	// behind, unless nil, is called behind each reading.
	behind func()
	// unreadable, full and fixed are the errors of Owner, ClaimOwner and ReplaceOwner.
	unreadable, full, fixed error
}

func (m *marks) Owner(context.Context) (string, error) {
	m.read++
	epoch := m.epoch
	time.Sleep(m.slow)
	if m.behind != nil {
		m.behind()
	}
	switch {
	case m.unreadable != nil:
		return "", m.unreadable
	case epoch == "":
		return "", cerrdefs.ErrNotFound
	}
	return epoch, nil
}

func (m *marks) ClaimOwner(_ context.Context, epoch string) (string, error) {
	m.claimed++
	if m.full != nil {
		return "", m.full
	}
	m.epoch = cmp.Or(m.epoch, epoch)
	return m.epoch, nil
}

func (m *marks) ReplaceOwner(_ context.Context, epoch string) error {
	if m.fixed != nil {
		return m.fixed
	}
	m.epoch = cmp.Or(m.next, epoch)
	return nil
}

func successor(m *marks) *Guard {
	return &Guard{Record: Record{Epoch: "second", Former: []string{"first"}}, Instance: "i", Engine: m, Handover: time.Minute}
}

// TestHandover: the first claim of a take-over lasts until the calls of the other daemon have ended,
// and no later one does; a daemon that is taken over meanwhile is refused.
func TestHandover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &marks{epoch: "first"}
		second := successor(m)
		for _, want := range []time.Duration{time.Minute, 0} {
			began := time.Now()
			if err := second.Claim(t.Context()); err != nil || time.Since(began) != want || m.epoch != "second" {
				t.Errorf("%v after %s, want %s; the mark is %q", err, time.Since(began), want, m.epoch)
			}
		}
		m.epoch, m.next = "first", "third"
		var taken *TakenOverError
		if err := second.Claim(t.Context()); !errors.As(err, &taken) || m.epoch != "third" {
			t.Errorf("%v, the mark is %q", err, m.epoch)
		}
	})
}

// TestHandoverThatWasInterrupted, by the end of a stream of events, allows nothing, and goes on
// with the next claim.
func TestHandoverThatWasInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &marks{epoch: "first"}
		second, began := successor(m), time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Second, cancel)
		if err := second.Claim(ctx); !errors.Is(err, context.Canceled) || !errors.Is(err, ErrHandover) {
			t.Errorf("the claim: %v", err)
		}
		if err := second.Confirm(t.Context()); !errors.Is(err, ErrHandover) || engine.Classify(err) != engine.Conflict {
			t.Errorf("an act: %v", err)
		}
		if err := second.Claim(t.Context()); err != nil || time.Since(began) != time.Minute {
			t.Errorf("the next claim: %v after %s", err, time.Since(began))
		}
		if err := second.Confirm(t.Context()); err != nil {
			t.Errorf("an act after it: %v", err)
		}
	})
}

// TestHandoverThatCannotBegin allows nothing: the mark is still the other one's.
func TestHandoverThatCannotBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &marks{epoch: "first", fixed: cerrdefs.ErrInternal}
		second := successor(m)
		for range 2 {
			if err := second.Claim(t.Context()); !errors.Is(err, ErrHandover) || !errors.Is(err, m.fixed) {
				t.Errorf("the claim: %v", err)
			}
			if err := second.Confirm(t.Context()); !errors.Is(err, ErrHandover) {
				t.Errorf("an act: %v", err)
			}
			time.Sleep(2 * second.Handover)
		}
	})
}

// TestConfirm reads the mark for each act.
func TestConfirm(t *testing.T) {
	timeout := engine.ErrTimeout
	for name, c := range map[string]struct {
		marks marks
		err   error
		taken bool
	}{
		"ours":                            {marks: marks{epoch: "first"}},
		"pruned":                          {marks: marks{}},
		"pruned, and no room for another": {marks: marks{full: cerrdefs.ErrInternal}},
		"pruned, and the engine became unreachable": {marks: marks{full: timeout}, err: timeout},
		"not readable":                       {marks: marks{unreadable: cerrdefs.ErrInternal, full: cerrdefs.ErrInternal}, err: cerrdefs.ErrInternal},
		"not readable, and taken over":       {marks: marks{epoch: "second", unreadable: cerrdefs.ErrInternal}, taken: true},
		"taken over":                         {marks: marks{epoch: "second"}, taken: true},
		"ours, by an engine that takes long": {marks: marks{epoch: "first", slow: time.Minute}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first := &Guard{Record: Record{Epoch: "first"}, Instance: "i", Engine: &c.marks}
				err := first.Confirm(t.Context())
				var taken *TakenOverError
				if errors.As(err, &taken) != c.taken || !c.taken && !errors.Is(err, c.err) {
					t.Errorf("%v", err)
				}
				if c.taken && engine.Classify(err) != engine.Conflict {
					t.Errorf("the step counts as %s", engine.Classify(err))
				}
			})
		})
	}
}

// TestConfirmOfAProcessThatWasStopped behind the answer that the mark is its own: by the time that it
// goes on, the mark is another one's.
func TestConfirmOfAProcessThatWasStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &marks{epoch: "first", slow: 10 * time.Second}
		first := &Guard{Record: Record{Epoch: "first"}, Instance: "i", Engine: m}
		m.behind = func() { m.epoch, m.slow = "second", 0 }
		var taken *TakenOverError
		if err := first.Confirm(t.Context()); !errors.As(err, &taken) || m.read != 2 {
			t.Errorf("%v after %d readings", err, m.read)
		}
	})
}

// TestMarkThatIsThereIsRead and not made again: Docker reports that as an event, upon which the mark
// is claimed.
func TestMarkThatIsThereIsRead(t *testing.T) {
	m := &marks{}
	g := &Guard{Record: Record{Epoch: "first"}, Instance: "i", Engine: m}
	for range 3 {
		if err := errors.Join(g.Claim(t.Context()), g.Confirm(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	if m.claimed != 1 {
		t.Errorf("it was made %d times", m.claimed)
	}
}
