package owner

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lightd/desired/kv"
	"lightd/observed/engine"
)

// Mode is the operator's setting for a directory that is a copy, or was copied.
type Mode string

// The modes.
const (
	// Unsaid: the daemon is refused where it is not clear which directory is the node.
	Unsaid Mode = ""
	// NewInstance makes the directory an instance of its own.
	NewInstance Mode = "new-instance"
	// TakeOver makes the directory the node; the other one is refused from then on.
	TakeOver Mode = "take-over"
)

// Record is what a database holds of the directory that it is in.
type Record struct {
	Identity Identity `json:"identity"`
	// Epoch marks what is made from here, Former are those that were taken over.
	Epoch  string   `json:"epoch"`
	Former []string `json:"former,omitempty"`
	// TakeOver is set by a restore that was told that its directory is the node from now on: the first start
	// takes over, and drops this.
	TakeOver bool `json:"take_over,omitempty"`
}

// includes reports whether what carries an epoch is ours. Revisions before carried none.
func (r Record) includes(epoch string) bool {
	return epoch == "" || epoch == r.Epoch || slices.Contains(r.Former, epoch)
}

var recordKey = []byte("m/owner")

func load(db *kv.DB) (r Record, found bool, err error) {
	err = db.View(func(tx *kv.Tx) error {
		data, err := tx.Get(recordKey)
		if errors.Is(err, kv.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		found = true
		return json.Unmarshal(data, &r)
	})
	if err != nil {
		return Record{}, false, fmt.Errorf("read the owner record: %w", err)
	}
	return r, found, nil
}

// save writes the record, on a full disk too: without it the daemon does not start.
func save(ctx context.Context, db *kv.DB, r Record) error {
	data, err := json.Marshal(r)
	if err == nil {
		err = db.Update(ctx, func(tx *kv.Tx) error { return tx.SetEssential(recordKey, data) })
	}
	if err != nil {
		return fmt.Errorf("write the owner record: %w", err)
	}
	return nil
}

// RequestTakeOver has the first start on a database take its instance over, as with the mode TakeOver.
func RequestTakeOver(ctx context.Context, db *kv.DB) error {
	r, found, err := load(db)
	if err != nil || !found { // no directory was ever recorded that it could be taken over from
		return err
	}
	r.TakeOver = true
	return save(ctx, db, r)
}

// Observe returns what an engine shows of an instance.
type Observe func(ctx context.Context, instance string) (engine.Presence, error)

// observeTimeout bounds the query of an engine before a start.
const observeTimeout = 10 * time.Second

// Settle decides whether the database in dir may be used for its instance, and returns its
// record; dir is in the data directory. An error is a sentence with the finding and the operator's choices.
func Settle(ctx context.Context, db *kv.DB, dir string, mode Mode, observe Observe) (Record, error) {
	here, err := Identify(dir)
	if err != nil {
		return Record{}, err
	}
	r, found, err := load(db)
	if err != nil {
		return Record{}, err
	}
	if !found { // a new database, or one of a revision that kept none
		r = Record{Identity: here, Epoch: rand.Text()}
		return r, save(ctx, db, r)
	}
	if mode == Unsaid && r.TakeOver {
		mode = TakeOver
	}
	same := r.Identity.Is(here)
	if same && mode == Unsaid {
		return r, nil
	}
	within, cancel := context.WithTimeout(ctx, observeTimeout)
	defer cancel()
	seen, err := observe(within, db.Instance())
	switch {
	case err != nil && same:
		return r, nil // the guard checks again once the engine is reachable
	case err != nil:
		return Record{}, fmt.Errorf("data directory %s is not the one where instance %s was last started (it was copied, restored or moved to another disk), and the engine does not answer whether that one is in use: %w",
			filepath.Dir(dir), db.Instance(), err)
	}
	return r.settle(ctx, db, dir, here, mode, seen)
}

// settle decides on what the engine shows.
func (r Record) settle(ctx context.Context, db *kv.DB, dir string, here Identity, mode Mode, seen engine.Presence) (Record, error) {
	foreign := slices.DeleteFunc(slices.Clone(seen.Epochs), r.includes)
	contested := len(foreign) > 0 || !r.Identity.Is(here) && !seen.Empty()
	switch {
	case !contested && r.Identity.Is(here) && !r.TakeOver:
		return r, nil // a flag that stays in the unit is handled already
	case !contested && r.Identity.Is(here):
		r.TakeOver = false
	case !contested:
		r = Record{Epoch: rand.Text()}
	case mode == NewInstance:
		if err := db.RenewInstance(ctx); err != nil {
			return Record{}, err
		}
		r = Record{Epoch: rand.Text()}
	case mode == TakeOver:
		former := append(slices.Clone(r.Former), r.Epoch)
		r = Record{Epoch: rand.Text(), Former: append(former, foreign...)}
	default:
		return Record{}, fmt.Errorf("data directory %s is not the one where instance %s was last started (it was copied, restored or moved to another disk), and the engine has %s of it. "+
			"Nothing was touched. Start with --take-over to make this directory the node (the other one then refuses to run), or with --new-instance to make it an instance of its own",
			filepath.Dir(dir), db.Instance(), seen)
	}
	r.Identity = here
	return r, save(ctx, db, r)
}

// TakenOverError means that another daemon acts for our instance.
type TakenOverError struct {
	Instance, Epoch, Found string
}

// Error describes the finding and the operator's choices.
func (e *TakenOverError) Error() string {
	return fmt.Sprintf("instance %s was taken over by a daemon with another data directory, a copy of this one or this one of it: the engine shows its epoch %s, and ours is %s. "+
		"This daemon ends, and touches nothing more. Start with --take-over to take the node back, or with --new-instance to go on as an instance of your own",
		e.Instance, short(e.Found), short(e.Epoch))
}

// Conflict implements the interface of errdefs: a call that gets this error has not failed, its
// container belongs to another daemon.
func (*TakenOverError) Conflict() {}

func short(epoch string) string { return strings.ToLower(fmt.Sprintf("%.8s", epoch)) }
