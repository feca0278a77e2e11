package controller_test

import (
	"errors"
	"sync"
	"time"
)

// disk is what the commits of a database go through. Its zero value is in order.
type disk struct {
	mu         sync.Mutex
	skip, left int
	hangs      time.Duration
	happens    bool
}

// fail has as many commits fail, after those that it skips. Each hangs for so long first, and
// happens all the same if happens is set.
func (d *disk) fail(skip, commits int, hangs time.Duration, happens bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.skip, d.left, d.hangs, d.happens = skip, commits, hangs, happens
}

// next returns what becomes of the next commit.
func (d *disk) next() (bad bool, hangs time.Duration, happens bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.skip > 0:
		d.skip--
	case d.left > 0:
		d.left--
		return true, d.hangs, d.happens
	}
	return false, 0, false
}

// around makes a commit, or has it fail.
func (d *disk) around(commit func() error) error {
	bad, hangs, happens := d.next()
	if !bad {
		return commit()
	}
	time.Sleep(hangs)
	failed := errors.New("the disk does not answer")
	if happens {
		return errors.Join(commit(), failed)
	}
	return failed
}
