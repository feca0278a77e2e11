package webhook

import (
	"fmt"
	"slices"

	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/httpapi/selector"
	"lightd/observed/journal"
)

const (
	// maxBatch is how many events of the journal one delivery covers at most, and maxBatchSize how large
	// they are together, in bytes, unless one alone is larger: receivers refuse what is beyond a bound of
	// their own, and a delivery is repeated as it was.
	maxBatch     = 100
	maxBatchSize = 256 << 10
	// maxKept is more than the journal keeps of one container.
	maxKept = 2000
)

// batch is what one delivery covers: the events after one position up to another one.
type batch struct {
	events []journal.Event
	missed *api.Missed
	// first is the oldest event that it covers, selected or not; last the number of the newest.
	first journal.Event
	last  uint64
}

// empty reports whether there is nothing to deliver.
func (b *batch) empty() bool { return len(b.events) == 0 && b.missed == nil }

// advance moves the end of the batch to an event. Numbers have no holes when they are given out: one
// that is not there any more was dropped.
func (b *batch) advance(seq uint64) {
	if dropped := seq - b.last - 1; dropped > 0 {
		if b.missed == nil {
			b.missed = &api.Missed{First: b.last + 1}
		}
		b.missed.Count += dropped
		b.missed.Last = seq - 1
	}
	b.last = seq
}

// reader reads what a webhook selects out of the journal.
type reader struct {
	journal    Journal
	containers Containers
	types      []journal.Type
	selector   selector.Selector
}

// next returns the batch after a position. end is true where the journal has nothing behind it.
func (r *reader) next(after uint64) (b batch, end bool, err error) {
	page, last, err := r.journal.Page("", after, maxBatch)
	if err != nil {
		return batch{}, false, err
	}
	b.last = after
	if len(page) > 0 {
		b.first = page[0]
	}
	ended, size := map[string]journal.Event{}, 0
	for _, e := range page {
		selected, err := r.selects(e, ended)
		if err != nil {
			return batch{}, false, err
		}
		if selected {
			if size += sizeOf(e); size > maxBatchSize && len(b.events) > 0 {
				return b, false, nil
			}
			b.events = append(b.events, e)
		}
		b.advance(e.Seq)
	}
	if end = len(page) < maxBatch; end && last > b.last {
		b.advance(last + 1) // the newest are dropped too
		b.last = last
	}
	return b, end, nil
}

// sizeOf is about how large an event is in a delivery, in bytes.
func sizeOf(e journal.Event) int {
	size := len(e.InternalID) + len(e.Message) + 200
	for k, v := range e.Labels {
		size += len(k) + len(v)
	}
	return size
}

func (r *reader) selects(e journal.Event, ended map[string]journal.Event) (bool, error) {
	switch {
	case len(r.types) > 0 && !slices.Contains(r.types, e.Type):
		return false, nil
	case len(r.selector) == 0:
		return true, nil
	case e.InternalID == "":
		return false, nil
	}
	labels, found, err := r.labels(e, ended)
	return found && r.selector.Matches(labels), err
}

// labels returns the labels of the container that an event is about: those of now, or those that it was deleted
// with. ended has the events Deleted that were looked up before.
func (r *reader) labels(e journal.Event, ended map[string]journal.Event) (labels map[string]string, found bool, err error) {
	if e.Type == journal.Deleted {
		return e.Labels, true, nil
	}
	if c, found := r.containers.Container(e.InternalID); found && !e.Time.Before(c.CreatedAt) {
		return c.Labels, true, nil
	}
	if end, known := ended[e.InternalID]; known && end.Seq > e.Seq {
		return end.Labels, true, nil
	}
	later, _, err := r.journal.Page(e.InternalID, e.Seq, maxKept)
	if err != nil {
		return nil, false, fmt.Errorf("find the labels of %s: %w", e.InternalID, err)
	}
	i := slices.IndexFunc(later, func(l journal.Event) bool { return l.Type == journal.Deleted })
	if i < 0 {
		return nil, false, nil
	}
	ended[e.InternalID] = later[i]
	return later[i].Labels, true, nil
}

// Journal is the record of events, in the order of their numbers.
type Journal interface {
	// Page returns at most limit events after a number, of one container or, for "", of all; and the
	// number to go on after.
	Page(id string, after uint64, limit int) (events []journal.Event, last uint64, err error)
	// Subscribe calls fn with every event that is added, on the committer: fn must not block.
	Subscribe(fn func(journal.Event)) (cancel func())
	LastSeq() uint64
}

// Containers are the specs that are in force.
type Containers interface {
	Container(id string) (desired.Container, bool)
}
