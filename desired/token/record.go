package token

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// MasterID is the id of the master token.
const MasterID = "master"

// Containers are those that a token is for: those of the ids, if there are any, whose labels match the
// selector, if there is one. The zero value is all containers.
type Containers struct {
	IDs      []string `json:"containers,omitempty"`
	Selector string   `json:"selector,omitempty"`
}

// All reports whether a token is for all containers.
func (c Containers) All() bool { return len(c.IDs) == 0 && c.Selector == "" }

// AllowsID reports whether a token may be for the container of an id, whatever its labels.
func (c Containers) AllowsID(id string) bool { return len(c.IDs) == 0 || slices.Contains(c.IDs, id) }

// Spec is what a token is to be.
type Spec struct {
	// Name is for people; it may be empty.
	Name string
	// TTL must be positive and at most MaxTTL.
	TTL time.Duration
	// Scopes are Unprivileged where none is given.
	Scopes     Scopes
	Containers Containers
	// Quota is for a token for some containers without ScopeAdmin.
	Quota     Quota
	SingleUse bool
}

// Info is what is known of a token, which is everything but the token itself.
type Info struct {
	// ID names the token, and is of no other use.
	ID, Name   string
	Scopes     Scopes
	Containers Containers
	Quota      Quota
	SingleUse  bool
	CreatedAt  time.Time
	// ExpiresAt is when it ends: with its master token, where that ends before.
	ExpiresAt time.Time
	// Creator is the id of the token that made it; empty in records of earlier versions.
	Creator string
	// LastUsedAt and LastUsedFrom are the time and the address of the last use. What they were is
	// lost where the daemon is killed within a minute of it.
	LastUsedAt   time.Time
	LastUsedFrom string
	// Used reports that a single-use token was used.
	Used bool
}

// Grant is what a token that was accepted allows.
type Grant struct {
	// ID and Name are those of the token.
	ID, Name   string
	Scopes     Scopes
	Containers Containers
	Quota      Quota
	SingleUse  bool
	// ExpiresAt is the end of the token; zero for the master token.
	ExpiresAt time.Time

	hash hash
}

// Master reports whether the token is the operator's.
func (g Grant) Master() bool { return g.ID == MasterID }

// FormerMasterName is the name of the master token that was replaced and still holds. No other token can have it.
const FormerMasterName = MasterID + " (former)"

// masterGrant returns what the master token of a hash allows, which is one of masters.
func masterGrant(h hash, masters []masterKey) Grant {
	name := MasterID
	if masters[0].hash != h {
		name = FormerMasterName
	}
	return Grant{ID: MasterID, Name: name, Scopes: AllScopes, hash: h}
}

// record is what is stored of a token, under its hash.
type record struct {
	Name string `json:"name,omitempty"`
	// Scopes are Unprivileged in records of earlier versions, which have none.
	Scopes Scopes `json:"scopes,omitempty"`
	Containers
	Quota     Quota     `json:"quota,omitzero"`
	SingleUse bool      `json:"single_use,omitempty"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	ExpiresAt time.Time `json:"expires_at"`
	// Creator is the id of the token that made this one, and Master the fingerprint of the master
	// token that it goes back to, with which it ends.
	Creator string `json:"creator,omitempty"`
	Master  string `json:"master,omitempty"`

	Used         bool      `json:"used,omitempty"`
	LastUsedAt   time.Time `json:"last_used_at,omitzero"`
	LastUsedFrom string    `json:"last_used_from,omitempty"`
}

func decode(value []byte) (record, error) {
	var r record
	if err := json.Unmarshal(value, &r); err != nil {
		return r, fmt.Errorf("decode record of a token: %w", err)
	}
	if len(r.Scopes) == 0 {
		r.Scopes = Unprivileged
	}
	return r, nil
}

func (r record) encode() ([]byte, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode record of a token: %w", err)
	}
	return data, nil
}

func (r record) expired(now time.Time) bool { return !now.Before(r.ExpiresAt) }

// holds reports whether the token is neither expired nor ended with its master token.
func (r record) holds(now time.Time, masters []masterKey) bool { return now.Before(r.end(masters)) }

// end is when the token ends: at the end of its life, or before with its master token. It is the zero time
// where that has ended already.
func (r record) end(masters []masterKey) time.Time {
	i := slices.IndexFunc(masters, func(m masterKey) bool { return m.fingerprint == r.Master })
	switch {
	case i < 0:
		return time.Time{}
	case !masters[i].until.IsZero() && masters[i].until.Before(r.ExpiresAt):
		return masters[i].until
	}
	return r.ExpiresAt
}

// use is when a token was used, and from where.
type use struct {
	at   time.Time
	from string
}

// noted returns r with its last use.
func (r record) noted(u use) record {
	if u.at.After(r.LastUsedAt) {
		r.LastUsedAt, r.LastUsedFrom = u.at, u.from
	}
	return r
}

func (r record) grant(h hash) Grant {
	return Grant{
		ID: idOf(h), Name: r.Name, Scopes: r.Scopes, Containers: r.Containers, Quota: r.Quota, SingleUse: r.SingleUse,
		ExpiresAt: r.ExpiresAt, hash: h,
	}
}

func (r record) info(h hash, masters []masterKey) Info {
	return Info{
		ID: idOf(h), Name: r.Name, Scopes: r.Scopes, Containers: r.Containers, Quota: r.Quota, SingleUse: r.SingleUse,
		CreatedAt: r.CreatedAt, ExpiresAt: r.end(masters), Creator: r.Creator,
		LastUsedAt: r.LastUsedAt, LastUsedFrom: r.LastUsedFrom, Used: r.Used,
	}
}

// idOf is the public name of a token: digits of its hash, which distinguish it from others and are of
// no use for anything else.
func idOf(h hash) string { return hex.EncodeToString(h[:8]) }
