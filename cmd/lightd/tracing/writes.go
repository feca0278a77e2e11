package tracing

import (
	"sync"

	"go.opentelemetry.io/otel/trace"

	"lightd/desired"
)

// write is the newest of a container that was traced.
type write struct {
	by         trace.SpanContext
	generation int64
}

// writes are the writes whose generations are not observed yet, by container. They are hints: what is lost of
// them is a link.
type writes struct {
	mu   sync.Mutex
	kept map[string]write
}

// maxWrites bounds the containers whose writes are kept.
const maxWrites = 1024

func (w *writes) add(id string, one write) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.kept == nil {
		w.kept = map[string]write{}
	}
	if _, known := w.kept[id]; !known && len(w.kept) >= maxWrites {
		for other := range w.kept {
			delete(w.kept, other)
			break
		}
	}
	w.kept[id] = one
}

// of returns the request whose write a reconcile of spec serves, and forgets the write that is observed by then.
func (w *writes) of(spec desired.Container, observed int64) (by trace.SpanContext, known bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	one, known := w.kept[spec.InternalID]
	if !known || spec.Generation < one.generation {
		return trace.SpanContext{}, false
	}
	if observed >= one.generation && !spec.Deleting {
		delete(w.kept, spec.InternalID)
	}
	return one.by, true
}
