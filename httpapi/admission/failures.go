package admission

import (
	"crypto/sha256"
	"sync"
	"time"
)

// The limit of failed authentication, by address: a burst as of a client that has not noticed that its
// token was revoked, then one a second. Nobody guesses a token at that pace.
const (
	failureBurst = 30
	failureEvery = time.Second
)

// maxRemembered bounds each of the two generations of a record.
const maxRemembered = 4096

// recent is a record of bounded size. It has two generations: what is used moves to the newer one, and when
// that is full the older one is dropped.
type recent[K comparable, V any] struct{ now, before map[K]V }

func newRecent[K comparable, V any]() recent[K, V] { return recent[K, V]{now: map[K]V{}} }

func (r *recent[K, V]) get(k K) (V, bool) {
	if v, found := r.now[k]; found {
		return v, true
	}
	v, found := r.before[k]
	return v, found
}

func (r *recent[K, V]) put(k K, v V) {
	if _, found := r.now[k]; !found && len(r.now) >= maxRemembered {
		r.now, r.before = map[K]V{}, r.now
	}
	r.now[k] = v
}

// failures limits failed authentication.
type failures struct {
	now func() time.Time
	// burst is how many may fail at once.
	burst int

	mu sync.Mutex
	// debts are the times at which the failures of an address are forgiven: the record of a token bucket
	// in one number (GCRA). accepted are the credentials that were accepted lately.
	debts    recent[string, time.Time] // guarded by mu
	accepted recent[client, struct{}]  // guarded by mu
}

func newFailures(burst int, now func() time.Time) *failures {
	return &failures{now: now, burst: burst, debts: newRecent[string, time.Time](), accepted: newRecent[client, struct{}]()}
}

// blocked returns how long an address has to wait before another credential of it is checked; 0 for not at
// all. One that was accepted lately is checked in any case.
func (f *failures) blocked(address string, c client) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	debt, found := f.debts.get(address)
	if !found {
		return 0
	}
	wait := debt.Sub(f.now()) - time.Duration(f.burst-1)*failureEvery
	if wait <= 0 {
		return 0
	}
	if _, known := f.accepted.get(c); known {
		return 0
	}
	return wait
}

// failed records a failure of an address, and reports whether the limit is reached by it.
func (f *failures) failed(address string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	debt, _ := f.debts.get(address)
	if debt.Before(now) {
		debt = now
	}
	free := now.Add(time.Duration(f.burst-1) * failureEvery)
	reached := !debt.After(free)
	if debt = debt.Add(failureEvery); debt.After(free.Add(failureEvery)) {
		debt = free.Add(failureEvery) // one that was accepted lately failed: others wait no longer for it
	}
	reached = reached && debt.After(free)
	f.debts.put(address, debt)
	return reached
}

// succeeded records a credential that was accepted.
func (f *failures) succeeded(c client) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.accepted.put(c, struct{}{})
}

// client identifies who sent a request to limits: the sum of its credential, or of its address where it has
// none. The credential itself is kept nowhere.
type client [sha256.Size]byte
