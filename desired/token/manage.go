package token

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"lightd/desired"
	"lightd/desired/kv"
)

const (
	// maxTokens bounds the tokens that exist at one time.
	maxTokens = 10000
	// maxIDs bounds the containers that a token names.
	maxIDs = 1000
	// sweepChunk bounds the tokens that one transaction removes.
	sweepChunk = 1000
)

// namePattern keeps names of tokens fit for a line of a log.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._:/@-]{0,62}$`)

// Create makes a token for who has g, which must have ScopeAdmin. It gives no more than g has: no
// other scopes, no other containers, no longer life; and it ends with the master token that g goes back to.
func (k *Keeper) Create(ctx context.Context, g Grant, s Spec) (string, Info, error) {
	text := generate()
	h := hashOf(text)
	r, err := g.give(s)
	if err != nil {
		return "", Info{}, err
	}
	err = k.db.Update(ctx, func(tx *kv.Tx) error {
		if r.Master, err = k.rootOf(tx, g); err != nil {
			return err
		}
		if err := k.makeRoom(tx); err != nil {
			return err
		}
		r.CreatedAt, r.ExpiresAt = tx.Now(), tx.Now().Add(s.TTL)
		if !g.ExpiresAt.IsZero() && r.ExpiresAt.After(g.ExpiresAt) {
			return desired.Invalid("ttl", "must not outlast the token that makes it, which ends at "+g.ExpiresAt.UTC().Format(time.RFC3339))
		}
		return k.put(tx.Set, tx, h, r)
	})
	if err != nil {
		return "", Info{}, fmt.Errorf("create token: %w", err)
	}
	masters, _ := k.master.keys()
	return text, r.info(h, masters), nil
}

// give returns the record of a token that is to be as s says and has no more than g.
func (g Grant) give(s Spec) (record, error) {
	if len(s.Scopes) == 0 {
		s.Scopes = Unprivileged
	}
	switch {
	case s.TTL <= 0 || s.TTL > MaxTTL:
		return record{}, desired.Invalid("ttl", "must be from 1s to 30d")
	case s.Name != "" && !namePattern.MatchString(s.Name):
		return record{}, desired.Invalid("name", `must be at most 63 letters, digits, blanks and . _ : / @ -, and begin with a letter or a digit`)
	case len(s.Containers.IDs) > maxIDs:
		return record{}, desired.Invalid("containers", fmt.Sprintf("must be at most %d; a selector chooses more", maxIDs))
	}
	for _, scope := range s.Scopes {
		if !g.Scopes.Allow(scope) {
			return record{}, desired.Invalid("scopes", fmt.Sprintf("has %s, which the token that makes it lacks", scope))
		}
	}
	containers, err := g.Containers.narrow(s.Containers)
	if err != nil {
		return record{}, err
	}
	if err := s.Quota.check(containers, s.Scopes); err != nil {
		return record{}, err
	}
	return record{Name: s.Name, Scopes: s.Scopes, Containers: containers, Quota: s.Quota, SingleUse: s.SingleUse, Creator: g.ID}, nil
}

// narrow returns those of c that are also in other.
func (c Containers) narrow(other Containers) (Containers, error) {
	both := Containers{IDs: slices.Compact(slices.Sorted(slices.Values(other.IDs))), Selector: other.Selector}
	if len(both.IDs) == 0 {
		both.IDs = c.IDs
	}
	for _, id := range both.IDs {
		if !c.AllowsID(id) {
			return Containers{}, desired.Invalid("containers", fmt.Sprintf("has %.80q, which the token that makes it is not for", id))
		}
	}
	switch {
	case both.Selector == "":
		both.Selector = c.Selector
	case c.Selector != "" && c.Selector != other.Selector:
		both.Selector = c.Selector + "," + other.Selector // a comma is "and"
	}
	return both, nil
}

// rootOf returns the fingerprint of the master token that g goes back to, if g holds: who was revoked
// leaves no token behind.
func (k *Keeper) rootOf(tx *kv.Tx, g Grant) (string, error) {
	if g.Master() {
		if masters, _ := k.master.keys(); !matches(masters, g.hash) {
			return "", ErrUnknown
		}
		return keyOf(g.hash).fingerprint, nil
	}
	r, err := k.stored(tx, g.hash)
	return r.Master, err
}

// makeRoom makes room for one more token: what can be used no more gives way.
func (k *Keeper) makeRoom(tx *kv.Tx) error {
	n := 0
	err := tx.ScanKeys([]byte(prefix), nil, func([]byte) bool { n++; return n < maxTokens })
	if err != nil || n < maxTokens {
		return err
	}
	h, found := k.leastUseful()
	if !found {
		return ErrTooMany
	}
	return k.remove(tx, h)
}

// leastUseful returns the token that ends first among those that no request can use any more.
func (k *Keeper) leastUseful() (least hash, found bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	var end time.Time
	now := time.Now()
	masters, _ := k.master.keys()
	for h, r := range k.tokens {
		if (r.Used || !r.holds(now, masters)) && (!found || r.ExpiresAt.Before(end)) {
			least, end, found = h, r.ExpiresAt, true
		}
	}
	return least, found
}

// List returns the tokens that hold, sorted by id. Who is not for all containers gets its own and those
// that go back to it.
func (k *Keeper) List(g Grant) []Info {
	all := []Info{}
	found, masters := k.visible(g)
	for h, r := range found {
		all = append(all, k.noted(h, r).info(h, masters))
	}
	slices.SortFunc(all, func(a, b Info) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// Get returns the token of an id out of those that List returns, or ErrNotFound.
func (k *Keeper) Get(g Grant, id string) (Info, error) {
	found, masters := k.visible(g)
	for h, r := range found {
		if idOf(h) == id {
			return k.noted(h, r).info(h, masters), nil
		}
	}
	return Info{}, ErrNotFound
}

// noted returns a record with the last use that is not in the database yet.
func (k *Keeper) noted(h hash, r record) record {
	k.usesMu.Lock()
	defer k.usesMu.Unlock()
	return r.noted(k.uses[h])
}

// visible returns the tokens that hold and that who has g may manage, and the master tokens that they go
// back to.
func (k *Keeper) visible(g Grant) (map[hash]record, []masterKey) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	own := map[string]bool{g.ID: true}
	if !g.Containers.All() {
		own = k.descendantsLocked(g.ID)
	}
	found, now := map[hash]record{}, time.Now()
	masters, _ := k.master.keys()
	for h, r := range k.tokens {
		if (g.Containers.All() || own[idOf(h)]) && r.holds(now, masters) {
			found[h] = r
		}
	}
	return found, masters
}

// descendantsLocked returns the id of a token and those of the tokens that go back to it. The caller
// holds mu.
func (k *Keeper) descendantsLocked(id string) map[string]bool {
	made := map[string][]string{}
	for h, r := range k.tokens {
		made[r.Creator] = append(made[r.Creator], idOf(h))
	}
	found, todo := map[string]bool{}, []string{id}
	for len(todo) > 0 {
		next := todo[0]
		todo = todo[1:]
		if !found[next] {
			found[next] = true
			todo = append(todo, made[next]...)
		}
	}
	return found
}

// Revoke ends the token of an id, one of those that List returns, and all that go back to it. It is
// ErrNotFound where there is none.
func (k *Keeper) Revoke(ctx context.Context, g Grant, id string) error {
	if _, err := k.Get(g, id); err != nil {
		return err
	}
	err := k.db.Update(ctx, func(tx *kv.Tx) error {
		// Those made in a transaction of the same commit are in the database alone.
		found, todo := map[string]hash{}, map[string][]string{}
		var bad error
		err := tx.Scan([]byte(prefix), nil, func(key, value []byte) bool {
			var r record
			if r, bad = decode(value); bad != nil {
				return false
			}
			h := hash(key[len(prefix):])
			found[idOf(h)] = h
			todo[r.Creator] = append(todo[r.Creator], idOf(h))
			return true
		})
		if err := errors.Join(err, bad); err != nil {
			return err
		}
		return k.removeTree(tx, id, found, todo)
	})
	if err != nil {
		return fmt.Errorf("revoke token: %w", err)
	}
	return nil
}

// removeTree removes a token and those that it made.
func (k *Keeper) removeTree(tx *kv.Tx, id string, hashes map[string]hash, made map[string][]string) error {
	h, there := hashes[id]
	if !there {
		return ErrNotFound
	}
	delete(hashes, id)
	if err := k.remove(tx, h); err != nil {
		return err
	}
	for _, child := range made[id] {
		if err := k.removeTree(tx, child, hashes, made); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}

// Sweep removes the tokens that have expired.
func (k *Keeper) Sweep(ctx context.Context) error {
	for {
		old := k.expired(sweepChunk)
		if len(old) == 0 {
			return nil
		}
		err := k.db.Update(ctx, func(tx *kv.Tx) error {
			for _, h := range old {
				if err := k.remove(tx, h); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("sweep tokens: %w", err)
		}
	}
}

func (k *Keeper) remove(tx *kv.Tx, h hash) error {
	tx.AfterCommit(func() {
		k.mu.Lock()
		delete(k.tokens, h)
		k.mu.Unlock()
		k.usesMu.Lock()
		delete(k.uses, h)
		k.usesMu.Unlock()
	})
	return tx.Delete(key(h))
}

func (k *Keeper) expired(limit int) []hash {
	k.mu.RLock()
	defer k.mu.RUnlock()
	var out []hash
	now := time.Now()
	for h, r := range k.tokens {
		if r.expired(now) && len(out) < limit {
			out = append(out, h)
		}
	}
	return out
}
