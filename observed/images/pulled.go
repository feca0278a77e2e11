package images

import (
	"context"
	"time"

	"github.com/distribution/reference"

	"lightd/observed/engine"
)

// Pulled is what is recorded of the images that this daemon brings; see records.Pulled.
type Pulled interface {
	// Add records that a pull of ref has led to an image, and whether the engine did not have it before.
	Add(ctx context.Context, ref, imageID string, brought bool, now time.Time) error
	// Disown records that somebody else has pulled ref.
	Disown(ctx context.Context, ref string) error
}

// Lister lists the images of the engine.
type Lister interface {
	AllImages(ctx context.Context) (map[string]engine.ListedImage, error)
}

// recordTime bounds a record of a pull.
const recordTime = 10 * time.Second

// before returns the images that are there before a pull; nil where that is not known, so that what the
// pull brings counts as somebody else's.
func (i *Images) before(ctx context.Context) map[string]engine.ListedImage {
	if i.config.Pulled == nil {
		return nil
	}
	all, err := i.config.List.AllImages(ctx)
	if err != nil {
		i.config.Log.Debug("images not listed before a pull", "error", err)
		return nil
	}
	return all
}

// recordPulled records what a pull has brought.
func (i *Images) recordPulled(ctx context.Context, ref, imageID string, before map[string]engine.ListedImage) {
	if i.config.Pulled == nil || before == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, recordTime)
	defer cancel()
	_, was := before[imageID]
	if err := i.config.Pulled.Add(ctx, Canonical(ref), imageID, !was, time.Now()); err != nil {
		i.config.Log.Warn("pulled image not recorded; it is never removed as unused", "image", ref, "error", err)
	}
}

// observePull disowns an image when the event is that of a pull by somebody else: it happened while no
// pull of the daemon's own was under way, by the clock of the machine that engine and daemon share.
func (i *Images) observePull(ctx context.Context, ev engine.Event) {
	ref := Canonical(ev.ID)
	if ev.Action != "pull" || ref == "" || i.config.Pulled == nil {
		return
	}
	i.mu.Lock()
	own := false
	for name, e := range i.entries {
		underway := e.pullEnded.Before(e.pullBegan)
		if Canonical(name) == ref && !ev.Time.Before(e.pullBegan) && (underway || !ev.Time.After(e.pullEnded)) {
			own = true
		}
	}
	i.mu.Unlock()
	if own {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, recordTime)
	defer cancel()
	if err := i.config.Pulled.Disown(ctx, ref); err != nil {
		i.config.Log.Warn("pull by somebody else not recorded", "image", ref, "error", err)
	}
}

// Repository returns the repository of a reference in full, and "" for what is none.
func Repository(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ""
	}
	return named.Name()
}
