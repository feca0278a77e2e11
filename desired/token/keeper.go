package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"lightd/desired"
	"lightd/desired/kv"
)

// The refusals of this package.
const (
	// ErrUnknown answers a token that is not valid: never was, is expired, or used up.
	ErrUnknown desired.Error = "Invalid or expired token"
	// ErrTooMany answers the creation of one more temporary token.
	ErrTooMany desired.Error = "Too many temporary tokens"
)

// maxTokens bounds the temporary tokens that exist at one time.
const maxTokens = 10000

// sweepChunk bounds the tokens that one transaction removes.
const sweepChunk = 1000

// record is what is stored of a temporary token, under its hash.
type record struct {
	ExpiresAt time.Time `json:"expires_at"`
	SingleUse bool      `json:"single_use,omitempty"`
}

func (r record) expired(now time.Time) bool { return !now.Before(r.ExpiresAt) }

const prefix = "t/"

func key(h hash) []byte { return append([]byte(prefix), h[:]...) }

// Keeper validates tokens. Its methods may be used by any number of
// goroutines.
type Keeper struct {
	db     *kv.DB
	master *Master

	mu     sync.RWMutex
	tokens map[hash]record // as of the last commit; guarded by mu
}

// Open reads the temporary tokens of a database.
func Open(db *kv.DB, m *Master) (*Keeper, error) {
	k := &Keeper{db: db, master: m, tokens: map[hash]record{}}
	err := db.View(func(tx *kv.Tx) error {
		var bad error
		err := tx.Scan([]byte(prefix), nil, func(key, value []byte) bool {
			var r record
			if err := json.Unmarshal(value, &r); err != nil {
				bad = fmt.Errorf("decode record of a token: %w", err)
				return false
			}
			k.tokens[hash(key[len(prefix):])] = r
			return true
		})
		return errors.Join(err, bad)
	})
	if err != nil {
		return nil, fmt.Errorf("open tokens: %w", err)
	}
	return k, nil
}

// Grant is what a token that was accepted allows.
type Grant struct {
	// Master is true for the master token, which alone may create tokens.
	Master bool
	// ExpiresAt is the end of a temporary token; zero for the master token.
	ExpiresAt time.Time

	hash      hash
	singleUse bool
}

// ID names the token for a log: "master", or of a temporary one the first digits of its hash, which
// distinguish it from others and are of no use for anything else.
func (g Grant) ID() string {
	if g.Master {
		return "master"
	}
	return fmt.Sprintf("temporary-%x", g.hash[:4])
}

// Authenticate accepts or refuses a token: ErrUnknown, or the error that kept a
// single-use token from being consumed, which then is not used up as far as is known.
func (k *Keeper) Authenticate(ctx context.Context, text string) (Grant, error) {
	// What is compared from here on is a hash: the common prefix of a guess's hash and a
	// token's hash reveals nothing about the token.
	h := hashOf(text)
	isMaster := k.master.is(h)
	r, known := k.record(h)
	switch {
	case isMaster:
		return Grant{Master: true, hash: h}, nil
	case !known || r.expired(time.Now()):
		return Grant{}, ErrUnknown
	}
	if r.SingleUse {
		if err := k.consume(ctx, h); err != nil {
			return Grant{}, err
		}
	}
	return Grant{ExpiresAt: r.ExpiresAt, hash: h, singleUse: r.SingleUse}, nil
}

// Valid reports whether the token behind g would still be good, for connections that
// outlast the request that opened them. A single-use token, used up by that very
// request, is good until it expires.
func (k *Keeper) Valid(g Grant) bool {
	if g.Master {
		return k.master.is(g.hash)
	}
	_, known := k.record(g.hash)
	return (known || g.singleUse) && time.Now().Before(g.ExpiresAt)
}

// Create makes a temporary token. ttl must be positive and at most MaxTTL.
func (k *Keeper) Create(ctx context.Context, ttl time.Duration, singleUse bool) (string, time.Time, error) {
	if ttl <= 0 || ttl > MaxTTL {
		return "", time.Time{}, desired.Invalid("ttl", "must be from 1s to 30d")
	}
	text := generate()
	h := hashOf(text)
	var r record
	err := k.db.Update(ctx, func(tx *kv.Tx) error {
		n := 0
		err := tx.ScanKeys([]byte(prefix), nil, func([]byte) bool { n++; return n < maxTokens })
		if err != nil {
			return err
		}
		if n >= maxTokens {
			return ErrTooMany
		}
		r = record{ExpiresAt: tx.Now().Add(ttl), SingleUse: singleUse}
		data, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("encode record of a token: %w", err)
		}
		tx.AfterCommit(func() {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.tokens[h] = r
		})
		return tx.Set(key(h), data)
	})
	if err != nil {
		return "", time.Time{}, fmt.Errorf("create token: %w", err)
	}
	return text, r.ExpiresAt, nil
}

// consume removes a single-use token; whoever comes second finds nothing.
func (k *Keeper) consume(ctx context.Context, h hash) error {
	return k.db.Update(ctx, func(tx *kv.Tx) error {
		if _, err := tx.Get(key(h)); errors.Is(err, kv.ErrNotFound) {
			return ErrUnknown
		} else if err != nil {
			return err
		}
		return k.remove(tx, h)
	})
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
		defer k.mu.Unlock()
		delete(k.tokens, h)
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

func (k *Keeper) record(h hash) (record, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	r, ok := k.tokens[h]
	return r, ok
}
