package records

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"lightd/desired/kv"
	"lightd/desired/subscribe"
	"lightd/observed/journal"
)

const (
	// keepCount is how many events a container keeps, keepTime for how long.
	keepCount = 1000
	keepTime  = 7 * 24 * time.Hour
	// keepGone is how many events all containers together keep that are deleted: their number has no
	// other bound.
	keepGone = 20_000
	// pruneChunk bounds the events that one transaction removes.
	pruneChunk = 500
	// maxMessage bounds the text of an external error that an event carries, in bytes.
	maxMessage = 4 << 10
)

// Journal is the record of what happened. Its methods may be used by any number of
// goroutines.
type Journal struct {
	db       *kv.DB
	appended subscribe.Funcs[journal.Event]

	mu     sync.Mutex
	counts map[string]int // events a container; guarded by mu
	last   uint64         // guarded by mu
}

// OpenJournal opens the journal of a database.
func OpenJournal(db *kv.DB) (*Journal, error) {
	j := &Journal{db: db, counts: map[string]int{}}
	err := db.View(func(tx *kv.Tx) error {
		j.last = tx.LastSeq()
		return tx.ScanKeys([]byte(indexPrefix), nil, func(k []byte) bool {
			j.counts[idOf(k)]++
			return true
		})
	})
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	return j, nil
}

// An event is stored under its number. The index holds, for each container, the
// numbers of its events, so that a page of one container reads nothing else.
const (
	eventPrefix = "e/s/"
	indexPrefix = "e/c/"
)

func eventKey(seq uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte(eventPrefix), seq)
}

// containerPrefix ends in a character that no id contains.
func containerPrefix(id string) []byte { return []byte(indexPrefix + id + "/") }

func indexKey(id string, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(containerPrefix(id), seq)
}

func seqOf(key []byte) uint64 { return binary.BigEndian.Uint64(key[len(key)-8:]) }

func idOf(indexKey []byte) string {
	return string(indexKey[len(indexPrefix) : len(indexKey)-len("/")-8])
}

// Append writes e, with the next number and the time of the transaction, and returns
// the number. When the transaction fails the event never was.
func (j *Journal) Append(tx *kv.Tx, e journal.Event) (uint64, error) {
	e.Message = clip(e.Message)
	e.Seq, e.Time = tx.NextSeq(), tx.Now()
	data, err := json.Marshal(e)
	if err != nil {
		return 0, fmt.Errorf("encode event %s of %q: %w", e.Type, e.InternalID, err)
	}
	if err := tx.SetEssential(eventKey(e.Seq), data); err != nil {
		return 0, err
	}
	if err := tx.SetEssential(indexKey(e.InternalID, e.Seq), nil); err != nil {
		return 0, err
	}
	tx.AfterCommit(func() {
		j.mu.Lock()
		j.counts[e.InternalID]++
		j.last = e.Seq
		j.mu.Unlock()
		j.appended.Notify(e)
	})
	return e.Seq, nil
}

// Subscribe makes the committer call fn with every event once it is on disk, in the
// order of their numbers. fn must not block. It may still be called once while cancel
// returns.
func (j *Journal) Subscribe(fn func(journal.Event)) (cancel func()) { return j.appended.Add(fn) }

// LastSeq returns the number of the last event, 0 when there never was one.
func (j *Journal) LastSeq() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last
}

// Page returns at most limit events after a number, oldest first, of one container or,
// for the id "", of all; and the number to go on after: that of the last event of a
// page that is full, else that of the journal, so that nothing is read or missed twice.
func (j *Journal) Page(id string, after uint64, limit int) (events []journal.Event, last uint64, err error) {
	events = []journal.Event{}
	if limit < 1 {
		return events, after, nil
	}
	err = j.db.View(func(tx *kv.Tx) error {
		last = tx.LastSeq()
		// After the last number there is nothing; one more would wrap around.
		if after >= last {
			return nil
		}
		if id != "" {
			events, err = pageOf(tx, id, after, limit)
		} else {
			events, err = pageOfAll(tx, after, limit)
		}
		if len(events) == limit {
			last = events[limit-1].Seq
		}
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("read journal after %d: %w", after, err)
	}
	return events, last, nil
}

func pageOfAll(tx *kv.Tx, after uint64, limit int) ([]journal.Event, error) {
	events := []journal.Event{}
	var bad error
	err := tx.Scan([]byte(eventPrefix), eventKey(after+1), func(k, v []byte) bool {
		var e journal.Event
		if e, bad = decode(seqOf(k), v); bad == nil {
			events = append(events, e)
		}
		return bad == nil && len(events) < limit
	})
	return events, errors.Join(err, bad)
}

func pageOf(tx *kv.Tx, id string, after uint64, limit int) ([]journal.Event, error) {
	var seqs []uint64
	err := tx.ScanKeys(containerPrefix(id), indexKey(id, after+1), func(k []byte) bool {
		seqs = append(seqs, seqOf(k))
		return len(seqs) < limit
	})
	if err != nil {
		return nil, err
	}
	events := make([]journal.Event, 0, len(seqs))
	for _, seq := range seqs {
		data, err := tx.Get(eventKey(seq))
		if err != nil {
			return nil, fmt.Errorf("read event %d of %q: %w", seq, id, err)
		}
		e, err := decode(seq, data)
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}

func decode(seq uint64, data []byte) (journal.Event, error) {
	var e journal.Event
	if err := json.Unmarshal(data, &e); err != nil {
		return e, fmt.Errorf("decode event %d: %w", seq, err)
	}
	return e, nil
}

// Prune removes what is older than seven days, of each container all but the newest 1,000 events, and
// of all those together that do not exist any more all but the newest 20,000. It works in small
// transactions, so that writers wait for none.
func (j *Journal) Prune(ctx context.Context, exists func(id string) bool) error {
	for done := false; !done; {
		var err error
		if done, err = j.pruneOld(ctx); err != nil {
			return fmt.Errorf("prune journal: %w", err)
		}
	}
	for _, id := range j.crowded() {
		for done := false; !done; {
			var err error
			if done, err = j.pruneMany(ctx, id); err != nil {
				return fmt.Errorf("prune journal of %q: %w", id, err)
			}
		}
	}
	gone := func(id string) bool { return id != "" && !exists(id) }
	for after, done := uint64(0), false; !done; {
		var err error
		if after, done, err = j.pruneGone(ctx, gone, after); err != nil {
			return fmt.Errorf("prune journal of deleted containers: %w", err)
		}
	}
	return nil
}

// pruneGone removes a chunk of the oldest events after a number that the containers which are gone
// have too many of, and returns the number to go on after.
func (j *Journal) pruneGone(ctx context.Context, gone func(id string) bool, after uint64) (next uint64, done bool, err error) {
	surplus := j.countOf(gone) - keepGone
	if surplus <= 0 {
		return after, true, nil
	}
	err = j.db.Update(ctx, func(tx *kv.Tx) error {
		events, err := pageOfAll(tx, after, pruneChunk)
		if err != nil {
			return err
		}
		next, done = after, len(events) < pruneChunk
		for _, e := range events {
			next = e.Seq
			if !gone(e.InternalID) {
				continue
			}
			if err := j.remove(tx, e.InternalID, e.Seq); err != nil {
				return err
			}
			if surplus--; surplus == 0 {
				done = true
				break
			}
		}
		return nil
	})
	if err != nil {
		return after, false, err // what fn has set may still be written to
	}
	return next, done, nil
}

// pruneOld removes a chunk of the events that are too old.
func (j *Journal) pruneOld(ctx context.Context) (done bool, err error) {
	var last bool
	err = j.db.Update(ctx, func(tx *kv.Tx) error {
		cutoff := tx.Now().Add(-keepTime)
		var old []journal.Event
		var bad error
		err := tx.Scan([]byte(eventPrefix), nil, func(k, v []byte) bool {
			var e journal.Event
			if e, bad = decode(seqOf(k), v); bad != nil || !e.Time.Before(cutoff) {
				return false
			}
			old = append(old, e)
			return len(old) < pruneChunk
		})
		if err := errors.Join(err, bad); err != nil {
			return err
		}
		last = len(old) < pruneChunk
		for _, e := range old {
			if err := j.remove(tx, e.InternalID, e.Seq); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return false, err // last may still be written to
	}
	return last, nil
}

// pruneMany removes a chunk of the oldest events that a container has too many of.
func (j *Journal) pruneMany(ctx context.Context, id string) (done bool, err error) {
	var last bool
	err = j.db.Update(ctx, func(tx *kv.Tx) error {
		surplus := j.count(id) - keepCount
		chunk := min(surplus, pruneChunk)
		last = surplus <= pruneChunk
		if surplus <= 0 {
			return nil
		}
		var seqs []uint64
		err := tx.ScanKeys(containerPrefix(id), nil, func(k []byte) bool {
			seqs = append(seqs, seqOf(k))
			return len(seqs) < chunk
		})
		if err != nil {
			return err
		}
		for _, seq := range seqs {
			if err := j.remove(tx, id, seq); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return false, err // last may still be written to
	}
	return last, nil
}

func (j *Journal) remove(tx *kv.Tx, id string, seq uint64) error {
	if err := tx.Delete(eventKey(seq)); err != nil {
		return err
	}
	if err := tx.Delete(indexKey(id, seq)); err != nil {
		return err
	}
	tx.AfterCommit(func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		if j.counts[id]--; j.counts[id] <= 0 {
			delete(j.counts, id)
		}
	})
	return nil
}

// countOf returns how many events the containers have that fn selects.
func (j *Journal) countOf(fn func(id string) bool) (total int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for id, n := range j.counts {
		if fn(id) {
			total += n
		}
	}
	return total
}

func (j *Journal) count(id string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.counts[id]
}

// crowded returns the containers with more events than they keep.
func (j *Journal) crowded() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var ids []string
	for id, n := range j.counts {
		if n > keepCount {
			ids = append(ids, id)
		}
	}
	return ids
}

func clip(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage], "") + "…"
}
