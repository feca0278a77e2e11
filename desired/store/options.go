package store

import (
	"slices"

	"lightd/desired"
	"lightd/desired/kv"
)

// Options tunes a Store. The zero value of a field is its default.
type Options struct {
	// Rules are what specs are checked against.
	Rules desired.Rules
	// AllowedMounts, unless nil, returns those of Rules as of now.
	AllowedMounts func() []string
	// AllowedImages, unless nil, returns those of Rules as of now.
	AllowedImages func() []string
	// AllowedNetworks, unless nil, returns those of Rules as of now.
	AllowedNetworks func() []string
	// CheckMounts checks the mounts of a spec on the host whenever they change; nil
	// checks nothing. It runs in the committer and so must answer fast.
	CheckMounts func(desired.Spec) error
	// Reserved are endpoints that never go to a container: the daemon's own listener.
	Reserved []desired.Endpoint
	// instance returns the id of the database.
	instance func() string
	// Database tunes the database beneath. Its OnCommit is the store's own.
	Database kv.Options
}

// rules returns what specs are checked against now.
func (o *Options) rules() desired.Rules {
	rules := o.Rules
	if o.AllowedMounts != nil {
		rules.AllowedMounts = o.AllowedMounts()
	}
	if o.AllowedImages != nil {
		rules.AllowedImages = o.AllowedImages()
	}
	if o.AllowedNetworks != nil {
		rules.AllowedNetworks = o.AllowedNetworks()
	}
	if o.instance != nil {
		rules.Instance = o.instance()
	}
	return rules
}

// isReserved reports whether the daemon itself needs what e would bind.
func (o *Options) isReserved(e desired.Endpoint) bool {
	return slices.ContainsFunc(o.Reserved, e.Overlaps)
}
