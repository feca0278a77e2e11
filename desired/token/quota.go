package token

import (
	"fmt"

	"lightd/desired"
)

// maxQuota bounds the figures of a quota.
const maxQuota = 1_000_000

// Quota is the most that a token lets there be. A figure that is nil is no bound, and 0 is none at all.
type Quota struct {
	// Containers are those that the token is for, and Ports the ports of their specs.
	Containers *int `json:"containers,omitempty"`
	Ports      *int `json:"ports,omitempty"`
	// Volumes are those that the containers name, and those that the token has made.
	Volumes *int `json:"volumes,omitempty"`
}

// check refuses a quota that could be evaded: by a token for all containers, whose quota would count
// those of others, and by one that makes tokens, each of which could have as much again.
func (q Quota) check(c Containers, scopes Scopes) error {
	if q == (Quota{}) {
		return nil
	}
	for _, figure := range []struct {
		field string
		n     *int
	}{{"containers", q.Containers}, {"ports", q.Ports}, {"volumes", q.Volumes}} {
		if figure.n != nil && (*figure.n < 0 || *figure.n > maxQuota) {
			return desired.Invalid("quota."+figure.field, fmt.Sprintf("must be from 0 to %d", maxQuota))
		}
	}
	switch {
	case c.All():
		return desired.Invalid("quota", "needs containers or a selector: it is of a token for some containers")
	case scopes.Allow(ScopeAdmin):
		return desired.Invalid("quota", "cannot be of a token with the scope admin, which could make others without one")
	}
	return nil
}
