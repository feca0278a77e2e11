package cache

import "lightd/observed/engine"

// Summary is for tests.
var Summary = summary

// CompareAgain compares a list with what is known, as a resync does, and forgets what is to be inspected.
// It returns how many that are.
func (c *Cache) CompareAgain(list []engine.Listed) int {
	stale := c.compare(list)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range stale {
		c.entries[id].due = false
	}
	return len(stale)
}
