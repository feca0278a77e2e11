package admission

import "sync"

// budget is bytes that requests hold. No client holds more than its share.
type budget struct {
	total, share int64

	mu   sync.Mutex
	used int64            // guarded by mu
	by   map[client]int64 // guarded by mu
}

func newBudget(total int64) *budget {
	return &budget{total: total, share: total * 3 / 4, by: map[client]int64{}}
}

// take reserves n bytes for a client, if there are so many. What is larger than the share is for a client
// that holds nothing else.
func (b *budget) take(c client, n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if held := b.by[c]; held > 0 && held+n > b.share || b.used > 0 && b.used+n > b.total {
		return false
	}
	b.addLocked(c, n)
	return true
}

// add reserves n bytes for a client, whether there are so many or not.
func (b *budget) add(c client, n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.addLocked(c, n)
}

// give returns n bytes of a client.
func (b *budget) give(c client, n int64) { b.add(c, -n) }

func (b *budget) addLocked(c client, n int64) {
	b.used += n
	if b.by[c] += n; b.by[c] == 0 {
		delete(b.by, c)
	}
}

// exhausted reports whether a client holds its share already.
func (b *budget) exhausted(c client) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.by[c] >= b.share
}
