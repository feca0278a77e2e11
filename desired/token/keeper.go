package token

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"lightd/desired"
	"lightd/desired/kv"
)

// The refusals of this package.
const (
	// ErrUnknown answers a token that is not valid: never was, is expired, revoked or used up.
	ErrUnknown desired.Error = "Invalid or expired token"
	// ErrTooMany answers the creation of one more token.
	ErrTooMany desired.Error = "Too many temporary tokens"
	// ErrNotFound answers the id of a token that does not exist.
	ErrNotFound desired.Error = "Token not found"
)

// EndedError is ErrUnknown for a token whose record is still there: it has expired, was used up, or has ended
// with its master token. It is for records of who came, and never for an answer.
type EndedError struct {
	// ID and Name are those of the token.
	ID, Name string
}

// Error says what ErrUnknown says.
func (*EndedError) Error() string { return ErrUnknown.Error() }

// Is reports whether target is ErrUnknown.
func (*EndedError) Is(target error) bool { return target == ErrUnknown }

const prefix = "t/"

func key(h hash) []byte { return append([]byte(prefix), h[:]...) }

// Keeper validates tokens. Its methods may be used by any number of
// goroutines.
type Keeper struct {
	db     *kv.DB
	master *Master

	mu     sync.RWMutex
	tokens map[hash]record // as of the last commit; guarded by mu

	usesMu sync.Mutex
	uses   map[hash]use // that are not in the database yet; guarded by usesMu
}

// Open reads the tokens of a database. Those of earlier versions go back to the present master token.
func Open(db *kv.DB, m *Master) (*Keeper, error) {
	k := &Keeper{db: db, master: m, tokens: map[hash]record{}, uses: map[hash]use{}}
	present, err := m.keys()
	if err != nil {
		return nil, err
	}
	err = db.View(func(tx *kv.Tx) error {
		var bad error
		err := tx.Scan([]byte(prefix), nil, func(key, value []byte) bool {
			var r record
			if r, bad = decode(value); bad != nil {
				return false
			}
			h := hash(key[len(prefix):])
			if r.Master == "" {
				r.Master = present[0].fingerprint
				k.uses[h] = use{} // the next Flush writes it
			}
			k.tokens[h] = r
			return true
		})
		return errors.Join(err, bad)
	})
	if err != nil {
		return nil, fmt.Errorf("open tokens: %w", err)
	}
	return k, nil
}

// Lookup returns what a token allows, or ErrUnknown: an EndedError where there is a record of it. It uses nothing up: see Use.
func (k *Keeper) Lookup(text string) (Grant, error) {
	// What is compared from here on is a hash: the common prefix of a guess's hash and a
	// token's hash reveals nothing about the token.
	h := hashOf(text)
	masters, _ := k.master.keys() // none holds that cannot be read
	isMaster := matches(masters, h)
	r, known := k.record(h)
	switch {
	case isMaster:
		return masterGrant(h, masters), nil
	case !known:
		return Grant{}, ErrUnknown
	case r.Used || !r.holds(time.Now(), masters):
		return Grant{}, &EndedError{ID: idOf(h), Name: r.Name}
	}
	return r.grant(h), nil
}

// Former returns until when the former master token holds, the zero time where none does, and how many tokens
// end with it.
func (k *Keeper) Former() (until time.Time, made int) {
	masters, _ := k.master.keys()
	if len(masters) < 2 {
		return time.Time{}, 0
	}
	return masters[1].until, k.MadeBy(masters[1].fingerprint)
}

// Masters returns the fingerprints of the master tokens that hold, the present one first: names that are of
// no other use. There are none while its file cannot be read.
func (k *Keeper) Masters() []string {
	masters, _ := k.master.keys()
	names := make([]string, len(masters))
	for i, m := range masters {
		names[i] = m.fingerprint
	}
	return names
}

// MadeBy returns how many tokens go back to the master token of a fingerprint, and could be used if that held.
func (k *Keeper) MadeBy(fingerprint string) (n int) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	now := time.Now()
	for _, r := range k.tokens {
		if r.Master == fingerprint && !r.Used && !r.expired(now) {
			n++
		}
	}
	return n
}

// Use records the use of a token from an address, before anything is done for who has it. That of a
// single-use token is on disk when Use returns, and is ErrUnknown for everybody but one. That of any
// other is written by the next Flush.
func (k *Keeper) Use(ctx context.Context, g Grant, from string) error {
	u := use{time.Now().UTC(), from}
	switch {
	case g.Master():
		return nil
	case g.SingleUse:
		return k.change(ctx, g.hash, func(r *record) error {
			if r.Used {
				return ErrUnknown
			}
			*r = r.noted(u)
			r.Used = true
			return nil
		})
	}
	k.usesMu.Lock()
	defer k.usesMu.Unlock()
	k.uses[g.hash] = u
	return nil
}

// Release takes the use of a single-use token back, after a request that was refused: it did nothing.
func (k *Keeper) Release(ctx context.Context, g Grant) error {
	if !g.SingleUse {
		return nil
	}
	return k.change(ctx, g.hash, func(r *record) error {
		r.Used = false
		return nil
	})
}

// change has fn change the record of a token; ErrUnknown where it was revoked.
func (k *Keeper) change(ctx context.Context, h hash, fn func(*record) error) error {
	return k.db.Update(ctx, func(tx *kv.Tx) error {
		r, err := k.stored(tx, h)
		if err != nil {
			return err
		}
		if err := fn(&r); err != nil {
			return err
		}
		return k.put(tx.SetEssential, tx, h, r)
	})
}

// stored returns the record of a token in a transaction; ErrUnknown where there is none.
func (k *Keeper) stored(tx *kv.Tx, h hash) (record, error) {
	data, err := tx.Get(key(h))
	if errors.Is(err, kv.ErrNotFound) {
		return record{}, ErrUnknown
	}
	if err != nil {
		return record{}, err
	}
	r, err := decode(data)
	if r.Master == "" { // one of an earlier version, until the first Flush
		known, _ := k.record(h)
		r.Master = known.Master
	}
	return r, err
}

// put stores a record by set: tx.Set for a new one, tx.SetEssential for one that takes the place of
// another, on a full disk too.
func (k *Keeper) put(set func(key, value []byte) error, tx *kv.Tx, h hash, r record) error {
	data, err := r.encode()
	if err != nil {
		return err
	}
	tx.AfterCommit(func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.tokens[h] = r
	})
	return set(key(h), data)
}

// Valid reports whether the token behind g would still be good, for connections that
// outlast the request that opened them. A single-use token, used up by that very
// request, is good until it ends.
func (k *Keeper) Valid(g Grant) bool {
	masters, _ := k.master.keys()
	if g.Master() {
		return matches(masters, g.hash)
	}
	r, known := k.record(g.hash)
	return known && r.holds(time.Now(), masters)
}

func (k *Keeper) record(h hash) (record, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	r, ok := k.tokens[h]
	return r, ok
}

// Flush writes the last uses, all of them in one transaction.
func (k *Keeper) Flush(ctx context.Context) error {
	k.usesMu.Lock()
	uses := k.uses
	k.uses = map[hash]use{}
	k.usesMu.Unlock()
	if len(uses) == 0 {
		return nil
	}
	err := k.db.Update(ctx, func(tx *kv.Tx) error {
		for h, u := range uses {
			r, err := k.stored(tx, h)
			if errors.Is(err, ErrUnknown) {
				continue // revoked or expired meanwhile
			}
			if err != nil {
				return err
			}
			if err := k.put(tx.SetEssential, tx, h, r.noted(u)); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		return nil
	}
	k.usesMu.Lock()
	defer k.usesMu.Unlock()
	for h, u := range uses {
		if _, later := k.uses[h]; !later {
			k.uses[h] = u
		}
	}
	return fmt.Errorf("write the last uses of tokens: %w", err)
}
