package owner

import (
	"context"
	"fmt"
	"sync"
	"time"

	cerrdefs "github.com/containerd/errdefs"

	"lightd/observed/engine"
)

// Engine is where the mark is kept.
type Engine interface {
	// Owner returns the epoch of the mark of our instance; the class of its error is NotFound when
	// there is none.
	Owner(ctx context.Context) (epoch string, err error)
	// ClaimOwner makes the mark unless there is one, and returns its epoch.
	ClaimOwner(ctx context.Context, epoch string) (holder string, err error)
	// ReplaceOwner puts another mark in its place.
	ReplaceOwner(ctx context.Context, epoch string) error
}

// Guard detects that the instance was taken over. It is safe for concurrent use.
type Guard struct {
	Record   Record
	Instance string
	Engine   Engine
	// Handover is how long the calls may take that the former daemon has in flight. A Claim
	// that replaces a mark lasts that long.
	Handover time.Duration

	mu sync.Mutex
	// handedOver is when the calls of the former daemon have ended; zero when none was taken over.
	handedOver time.Time
}

// ErrHandover is in the chain of an error while a former daemon may still have calls in flight.
var ErrHandover = fmt.Errorf("the daemon that was taken over may still act: %w", cerrdefs.ErrConflict)

// Check returns a *TakenOverError for the epoch of a container that another daemon made.
func (g *Guard) Check(epoch string) error {
	if g.Record.includes(epoch) {
		return nil
	}
	return &TakenOverError{Instance: g.Instance, Epoch: g.Record.Epoch, Found: epoch}
}

// Claim ensures that the mark exists and is ours, whoever has removed it. Its error is a
// *TakenOverError, has ErrHandover in its chain, or is one of the engine.
func (g *Guard) Claim(ctx context.Context) error {
	holder, _, err := g.holder(ctx)
	if err != nil {
		return err
	}
	if err := g.Check(holder); err != nil {
		return err
	}
	if holder != g.Record.Epoch {
		g.startHandover() // before the mark is replaced: Confirm allows nothing from now on
		if err := g.Engine.ReplaceOwner(ctx, g.Record.Epoch); err != nil {
			return fmt.Errorf("%w: %w", ErrHandover, err)
		}
		g.startHandover()
	}
	return g.awaitHandover(ctx)
}

// holder returns the epoch of the mark, which it makes when there is none. Absent reports that
// there was none, which is all that is known where it cannot be made.
func (g *Guard) holder(ctx context.Context) (epoch string, absent bool, err error) {
	epoch, err = g.Engine.Owner(ctx)
	if err == nil {
		return epoch, false, nil
	}
	absent = engine.Classify(err) == engine.NotFound
	epoch, err = g.Engine.ClaimOwner(ctx, g.Record.Epoch)
	return epoch, absent, err
}

func (g *Guard) startHandover() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.handedOver = time.Now().Add(g.Handover)
}

func (g *Guard) handoverLeft() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Until(g.handedOver)
}

// awaitHandover waits until the former daemon has no calls in flight, and returns an error if
// the instance was taken over again meanwhile.
func (g *Guard) awaitHandover(ctx context.Context) error {
	left := g.handoverLeft()
	if left <= 0 {
		return nil
	}
	ended := time.NewTimer(left)
	defer ended.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrHandover, context.Cause(ctx))
	case <-ended.C:
	}
	holder, _, err := g.holder(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrHandover, err)
	}
	return g.allows(holder)
}

// allows returns an error unless the mark is ours.
func (g *Guard) allows(holder string) error {
	if err := g.Check(holder); err != nil {
		return err
	}
	if holder != g.Record.Epoch {
		return fmt.Errorf("%w: the mark in Docker is its own", ErrHandover)
	}
	return nil
}

// A reading of the mark that took longer than staleAfter is repeated, up to readings times: this
// process may have been stopped behind the answer, and the mark was replaced meanwhile.
const (
	staleAfter = time.Second
	readings   = 3
)

// Confirm returns nil when the mark is ours, or there is none. It is for right before an act: the
// take-over by another daemon makes it fail, whenever this one was last scheduled. Its error is
// like that of Claim.
func (g *Guard) Confirm(ctx context.Context) error {
	for range readings {
		began := time.Now()
		if g.handoverLeft() > 0 {
			return ErrHandover
		}
		holder, absent, err := g.holder(ctx)
		switch {
		case absent && err != nil && engine.Classify(err) != engine.Unavailable:
			return nil // there was no takeover, and there is no room for the mark
		case err != nil:
			return err
		}
		if err := g.allows(holder); err != nil {
			return err
		}
		if time.Since(began) < staleAfter {
			return nil
		}
	}
	return nil // an engine as slow as that: the last reading counts
}
