package store

import (
	"fmt"

	"lightd/desired"
)

// checkCount refuses one more of what is stored under a prefix where there are as many as the operator
// allows. What is being deleted counts, as it is still there; 0 is no bound.
func (tx *Tx) checkCount(prefix, what string, most int) error {
	if most <= 0 {
		return nil
	}
	n := 0
	err := tx.Scan([]byte(prefix), nil, func([]byte, []byte) bool {
		n++
		return true
	})
	switch {
	case err != nil:
		return fmt.Errorf("count %s: %w", what, err)
	case n >= most:
		return fmt.Errorf("%w: the operator's bound of %s is %d (containers.max_%s), and there are %d", desired.ErrQuotaExceeded, what, most, what, n)
	}
	return nil
}

// checkVolumes refuses one more volume where the node, or the token that makes it, has as many as it may.
func (tx *Tx) checkVolumes(by Creator) error {
	err := tx.checkCount(volumePrefix, "volumes", tx.options.Rules.Limits.MaxVolumes)
	if err != nil || by.MaxVolumes == nil {
		return err
	}
	all, err := tx.Containers()
	if err != nil {
		return err
	}
	named := map[string]bool{}
	for _, c := range all {
		if by.Allows(c) {
			named[c.VolumeID] = true
		}
	}
	n := 0
	err = tx.eachVolume(func(id string, record volumeRecord) {
		if named[id] || record.Creator == by.Token {
			n++
		}
	})
	if err != nil {
		return fmt.Errorf("count volumes of token %s: %w", by.Token, err)
	}
	return desired.CheckQuota(by.MaxVolumes, "volumes", n, n+1)
}
