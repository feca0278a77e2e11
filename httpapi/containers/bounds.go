package containers

import (
	"errors"
	"fmt"
	"net/http"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/httpapi/auth"
	"lightd/httpapi/rest"
)

// errOutside refuses a write that leaves a container with labels that the token is not for.
var errOutside = rest.NewError(http.StatusForbidden, "bound_token", "The token is not for containers with these labels")

// findIn returns the container of an id in a transaction. One that the caller's token is not for is
// refused as one that does not exist.
func findIn(tx *store.Tx, who *auth.Caller, id string) (desired.Container, error) {
	container, err := tx.Container(id)
	if err != nil {
		return desired.Container{}, err
	}
	if !who.Allows(container) {
		return desired.Container{}, notFound(id)
	}
	return container, nil
}

// notFound is what a transaction returns for an id that there is not.
func notFound(id string) error { return fmt.Errorf("%w: %q", desired.ErrContainerNotFound, id) }

// canPut refuses the whole spec of an id that the caller's token is not for.
func canPut(tx *store.Tx, who *auth.Caller, id string) error {
	container, err := tx.Container(id)
	switch {
	case errors.Is(err, desired.ErrContainerNotFound):
		return canCreate(who, id)
	case err != nil:
		return err
	case !who.Allows(container):
		return notFound(id)
	}
	return nil
}

// canCreate refuses a new container of an id that the caller's token is not for.
func canCreate(who *auth.Caller, id string) error {
	if !who.AllowsID(id) {
		return notFound(id)
	}
	return nil
}

// bounds are what a write of a caller whose token is for some containers must stay within.
type bounds struct {
	caller *auth.Caller
	// volumes are those of the containers before the write, by their ids. Those that the token has made
	// may be named besides.
	volumes map[string]bool
	// containers and ports are how many there are before the write.
	containers, ports int
}

// boundsOf returns the bounds of a caller, before anything is written in a transaction.
func boundsOf(tx *store.Tx, who *auth.Caller) (bounds, error) {
	b := bounds{caller: who}
	if !who.Bound() {
		return b, nil
	}
	all, err := tx.Containers()
	if err != nil {
		return b, err
	}
	b.volumes = map[string]bool{}
	for _, c := range all {
		if who.Allows(c) {
			b.volumes[c.VolumeID] = true
			b.containers++
			b.ports += len(c.Ports)
		}
	}
	return b, nil
}

// check refuses what was written if it has moved a container out of what the token is for, brought in a
// volume that is not, or exceeds the token's quota.
func (b bounds) check(tx *store.Tx, written []store.Written) error {
	if !b.caller.Bound() {
		return nil
	}
	for _, w := range written {
		if !b.caller.Allows(w.Container) {
			return errOutside
		}
		if b.volumes[w.VolumeID] {
			continue
		}
		made, err := tx.HasMadeVolume(b.caller.ID, w.VolumeID)
		if err != nil {
			return err
		}
		if !made {
			return desired.AtField("volume_id", fmt.Errorf("%w: %q", desired.ErrVolumeNotFound, w.VolumeID))
		}
	}
	return b.checkQuota(tx)
}

// checkQuota refuses more containers and ports than the token's quota allows.
func (b bounds) checkQuota(tx *store.Tx) error {
	quota := b.caller.Quota
	if quota.Containers == nil && quota.Ports == nil {
		return nil
	}
	after, err := boundsOf(tx, b.caller)
	if err != nil {
		return err
	}
	if err := desired.CheckQuota(quota.Containers, "containers", b.containers, after.containers); err != nil {
		return err
	}
	return desired.CheckQuota(quota.Ports, "ports", b.ports, after.ports)
}
