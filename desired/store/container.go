package store

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"lightd/desired"
)

// Create stores a new container; see Tx.CreateContainer.
func (s *Store) Create(ctx context.Context, spec desired.Spec) (desired.Container, error) {
	var out desired.Container
	err := s.Update(ctx, func(tx *Tx) (err error) {
		out, err = tx.CreateContainer(spec)
		return err
	})
	if err != nil {
		return desired.Container{}, err // out may still be written to
	}
	return out, nil
}

// Change changes a container; see Tx.ChangeContainer.
func (s *Store) Change(ctx context.Context, id string, fn func(*desired.Container) error) (desired.Container, error) {
	var out desired.Container
	err := s.Update(ctx, func(tx *Tx) (err error) {
		out, err = tx.ChangeContainer(id, fn)
		return err
	})
	if err != nil {
		return desired.Container{}, err
	}
	return out, nil
}

// CreateContainer stores a new container with the ports that spec names, or asks to be
// assigned. It changes nothing when it returns an error: a *desired.ValidationError,
// ErrContainerExists, ErrMountOverlap, ErrVolumeNotFound, ErrPortNotInPool, ErrPortInUse or
// ErrNoPorts.
func (tx *Tx) CreateContainer(spec desired.Spec) (desired.Container, error) {
	spec = tx.begin(spec)
	if err := tx.check(spec, nil); err != nil {
		return desired.Container{}, err
	}
	switch _, err := tx.Container(spec.InternalID); {
	case err == nil:
		return desired.Container{}, fmt.Errorf("%w: %q", desired.ErrContainerExists, spec.InternalID)
	case !errors.Is(err, desired.ErrContainerNotFound):
		return desired.Container{}, err
	}
	if err := tx.checkSources(spec, nil); err != nil {
		return desired.Container{}, err
	}
	return tx.create(spec)
}

// create stores the first generation of a valid spec.
func (tx *Tx) create(spec desired.Spec) (desired.Container, error) {
	if err := tx.requireVolume(spec.VolumeID); err != nil {
		return desired.Container{}, err
	}
	if err := tx.checkCount(containerPrefix, "containers", tx.options.Rules.Limits.MaxContainers); err != nil {
		return desired.Container{}, err
	}
	c := desired.Container{
		Spec: spec, Generation: 1, CreatedAt: tx.Now(), UpdatedAt: tx.Now(),
		Requests: desired.Requests{Install: 1}, Releasing: []desired.Port{},
		Specs: []int64{1}, SpecAt: tx.Now(),
	}
	if err := tx.claim(&c, nil); err != nil {
		return desired.Container{}, err
	}
	return tx.putContainer(c, false)
}

// ChangeContainer lets fn change the spec, the requests and the marks of a container,
// and stores the result as the next generation; when nothing came out different, nothing
// is written. What fn does to the other fields is undone. A changed image raises the
// installation request by itself when there is an install script that runs in it; a kill ends when the
// process is wanted again. It changes nothing when it returns an error: fn's own, one of
// those of CreateContainer, ErrContainerNotFound, or ErrDeleting, before which fn is not
// called.
//
// A spec that was valid when it was stored, and is not changed, is not checked again: a
// container can be stopped and deleted on a node whose rules became stricter. What of a spec is not
// changed may be beyond what the operator allows now.
func (tx *Tx) ChangeContainer(id string, fn func(*desired.Container) error) (desired.Container, error) {
	old, err := tx.Container(id)
	if err != nil {
		return desired.Container{}, err
	}
	if old.Deleting {
		return desired.Container{}, fmt.Errorf("%w: %q", desired.ErrDeleting, id)
	}
	c := old.Clone()
	if err := fn(&c); err != nil {
		return desired.Container{}, err
	}
	if c.InternalID != id {
		return desired.Container{}, desired.Invalid("internal_id", "cannot be changed")
	}
	c.Spec = tx.inherit(c.Spec, old.Spec)
	if err := tx.check(c.Spec, &old.Spec); err != nil {
		return desired.Container{}, err
	}
	if err := tx.checkSources(c.Spec, &old.Spec); err != nil {
		return desired.Container{}, err
	}
	return tx.change(c, old)
}

// begin returns spec as that of a new container: without a power it is stopped.
func (tx *Tx) begin(spec desired.Spec) desired.Spec {
	spec = spec.Normalize()
	spec.Limits = tx.options.Rules.Limits.WithDefaults(spec.Limits)
	if spec.Power == "" {
		spec.Power = desired.PowerStopped
	}
	return spec
}

// inherit returns spec as the one that follows old: ports that are to be assigned keep what they
// had, and so does a power that the spec leaves out. The operator's defaults apply to limits that change.
func (tx *Tx) inherit(spec, old desired.Spec) desired.Spec {
	spec = spec.Normalize()
	if spec.Power == "" {
		spec.Power = old.Power
	}
	keepAssigned(spec.Ports, old.Ports)
	spec.Limits = tx.options.Rules.Limits.Following(spec.Limits, old.Limits)
	return spec
}

// onlyPower reports whether two specs differ in power, pause and suspension at most.
func onlyPower(spec, old desired.Spec) bool {
	spec.Power, spec.Paused, spec.Suspended = old.Power, old.Paused, old.Suspended
	return spec.Equal(old)
}

// change stores c, whose spec is valid, in the place of old.
func (tx *Tx) change(c, old desired.Container) (desired.Container, error) {
	c.Generation, c.Revision, c.CreatedAt, c.UpdatedAt = old.Generation, old.Revision, old.CreatedAt, old.UpdatedAt
	c.Releasing, c.Specs, c.SpecAt = slices.Clone(old.Releasing), slices.Clone(old.Specs), old.SpecAt
	if c.EffectivePower() == desired.PowerRunning {
		c.Kill = false
	}
	if c.Power != desired.PowerStopped {
		c.Grace = nil
	}
	if c.VolumeID != old.VolumeID {
		if err := tx.requireVolume(c.VolumeID); err != nil {
			return desired.Container{}, err
		}
	}
	if i := c.Installation(); c.Image != old.Image && i.Script != "" && i.Image == "" && c.Requests.Install == old.Requests.Install {
		c.Requests.Install++
	}
	if err := tx.claim(&c, &old); err != nil {
		return desired.Container{}, err
	}
	if reflect.DeepEqual(c, old) {
		return old, nil
	}
	c.Generation++
	c.UpdatedAt = tx.Now()
	if !c.SameButPower(old.Spec) {
		if err := tx.keepSpec(&c, old); err != nil {
			return desired.Container{}, err
		}
	}
	return tx.putContainer(c, frees(c, old))
}

// frees reports whether all that c changes of old powers off, suspends or deletes, which a full disk
// must not keep anybody from.
func frees(c, old desired.Container) bool {
	if c.EffectivePower() != desired.PowerStopped && !c.Deleting {
		return false
	}
	c.Power, c.Suspended, c.Kill, c.Grace, c.Deleting = old.Power, old.Suspended, old.Kill, old.Grace, old.Deleting
	c.Generation, c.UpdatedAt = old.Generation, old.UpdatedAt
	return reflect.DeepEqual(c, old)
}

// check validates spec as far as it differs from old, nil for a new one.
func (tx *Tx) check(spec desired.Spec, old *desired.Spec) error {
	err := error(nil)
	switch {
	case old == nil:
		err = spec.Validate(tx.options.rules())
	case onlyPower(spec, *old): // the rest is not checked again
		err = spec.Power.Validate()
	default:
		err = spec.ValidateChange(*old, tx.options.rules())
	}
	if err != nil {
		return err
	}
	checkMounts := tx.options.CheckMounts
	if checkMounts == nil || old != nil && reflect.DeepEqual(spec.Mount, old.Mount) {
		return nil
	}
	return checkMounts(spec)
}

// RemoveContainer removes a container that is marked deleted, and gives up all its
// ports. It is called when nothing of it is left in the engine.
func (tx *Tx) RemoveContainer(id string) error {
	c, err := tx.Container(id)
	if err != nil {
		return err
	}
	if !c.Deleting {
		return fmt.Errorf("remove %q: %w", id, desired.ErrNotDeleting)
	}
	if err := tx.releasePorts(id, slices.Concat(c.Ports, c.Releasing)); err != nil {
		return err
	}
	if err := tx.forgetSpecs(c); err != nil {
		return err
	}
	return tx.deleteContainer(id)
}

// ReleasePorts gives up ports that the spec names no longer, when no container binds
// them any more. Others of eps are left alone. The generation stays.
func (tx *Tx) ReleasePorts(id string, eps []desired.Endpoint) error {
	c, err := tx.Container(id)
	if err != nil {
		return err
	}
	keep, release := []desired.Port{}, []desired.Port(nil)
	for _, p := range c.Releasing {
		if slices.Contains(eps, p.Endpoint()) {
			release = append(release, p)
		} else {
			keep = append(keep, p)
		}
	}
	if len(release) == 0 {
		return nil
	}
	if err := tx.releasePorts(id, release); err != nil {
		return err
	}
	c.Releasing = keep
	_, err = tx.putContainer(c, true)
	return err
}
