package auth

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/desired/token"
	"lightd/httpapi/rest"
	"lightd/httpapi/selector"
)

// Caller is who sent a request that was let in, and what it may do. It is never changed.
type Caller struct {
	token.Grant
	// Protocol is the subprotocol that brought the token; empty when another way did.
	Protocol string

	selector selector.Selector
}

// callerOf returns who has a grant.
func callerOf(g token.Grant, protocol string) (*Caller, error) {
	chosen, err := selector.Parse(g.Containers.Selector)
	if err != nil {
		return nil, fmt.Errorf("read the selector of token %s: %v", g.ID, err) // no refusal of this request's selector
	}
	return &Caller{Grant: g, Protocol: protocol, selector: chosen}, nil
}

// CallerOf returns who sent the request that ctx belongs to: somebody without a scope where nobody was
// let in.
func CallerOf(ctx context.Context) *Caller {
	if who := RequestOf(ctx).caller.Load(); who != nil {
		return who
	}
	return &Caller{}
}

// May reports whether the caller has a scope.
func (who *Caller) May(need token.Scope) bool { return who.Scopes.Allow(need) }

// Bound reports whether the caller's token is for some containers only.
func (who *Caller) Bound() bool { return !who.Containers.All() }

// AllowsID reports whether the caller's token may be for the container of an id, whatever its labels.
func (who *Caller) AllowsID(id string) bool { return who.Containers.AllowsID(id) }

// AllowsLabels reports whether the caller's token is for the container of an id with such labels.
func (who *Caller) AllowsLabels(id string, labels map[string]string) bool {
	return who.AllowsID(id) && who.selector.Matches(labels)
}

// Allows reports whether the caller's token is for a container.
func (who *Caller) Allows(c desired.Container) bool { return who.AllowsLabels(c.InternalID, c.Labels) }

// Containers are read from memory.
type Containers interface {
	Container(id string) (desired.Container, bool)
	Containers() []desired.Container
}

// Find returns the container of an id, if there is one that the caller's token is for.
func (who *Caller) Find(all Containers, id string) (desired.Container, bool) {
	c, found := all.Container(id)
	if !found || !who.Allows(c) {
		return desired.Container{}, false
	}
	return c, true
}

// List returns the containers that the caller's token is for.
func (who *Caller) List(all Containers) []desired.Container {
	list := all.Containers()
	if !who.Bound() {
		return list
	}
	own := make([]desired.Container, 0, len(list))
	for _, c := range list {
		if who.Allows(c) {
			own = append(own, c)
		}
	}
	return own
}

// OfVolume returns those of the containers of a volume, by their ids, that the caller's token is for.
func (who *Caller) OfVolume(all Containers, users []string) []string {
	return slices.DeleteFunc(users, func(id string) bool { _, found := who.Find(all, id); return !found })
}

// SeesVolume reports whether a volume exists for the caller: a token for some containers has those that they
// name, which users are, and those that it has made itself.
func (who *Caller) SeesVolume(v store.Volume, users []string) bool {
	return !who.Bound() || len(users) > 0 || v.Creator == who.ID
}

// errScope refuses a token that lacks a scope (RFC 6750, section 3.1).
func errScope(need token.Scope) error {
	return rest.NewError(http.StatusForbidden, "insufficient_scope", "The token lacks the scope "+string(need)).
		With("WWW-Authenticate", fmt.Sprintf(`Bearer realm="lightd", error="insufficient_scope", scope=%q`, need))
}

var errBound = rest.NewError(http.StatusForbidden, "bound_token", "The token is for some containers only")

// Require refuses a caller without a scope.
func (who *Caller) Require(need token.Scope) error {
	if !who.May(need) {
		return errScope(need)
	}
	return nil
}

// RequireNode refuses a caller whose token is for some containers only.
func (who *Caller) RequireNode() error {
	if who.Bound() {
		return errBound
	}
	return nil
}

// Creator is the caller as the creator of a volume.
func (c *Caller) Creator() store.Creator {
	if c.Master() {
		return store.Creator{}
	}
	return store.Creator{Token: c.ID, MaxVolumes: c.Quota.Volumes, Allows: c.Allows, Bound: c.Bound()}
}
