package console

import "time"

// lingerTime is how long output is still followed after its last subscriber has left, who may
// reconnect.
const lingerTime = 10 * time.Second

// Reconcile opens and closes streams of id as its observation demands.
func (c *Console) Reconcile(id string) {
	if h := c.get(id); h != nil {
		h.Reconcile()
	}
}

// Keep has the output of id read while the tap needs it, until Forget.
func (c *Console) Keep(id string) {
	h := c.hub(id)
	h.mu.Lock()
	h.reconcileLocked()
	kept := h.keepLocked()
	h.mu.Unlock()
	if !kept {
		c.release(h)
	}
}

// keepLocked holds the hub until Forget. The caller has a use of the hub; it
// reports whether that use was taken over, and must not be released.
func (h *hub) keepLocked() bool {
	if h.kept {
		return false
	}
	h.kept = true
	return true
}

// Linger has the output of id read for d longer, if it is read, and then while it is needed.
func (c *Console) Linger(id string, d time.Duration) {
	h := c.get(id)
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if d > 0 && !h.hasSubscribersLocked() && h.output.Current() != nil {
		c.retain(h)
		h.keepAliveLocked(d)
	}
	h.reconcileLocked()
}

// keepAliveLocked makes the hub linger, with a use of its own.
func (h *hub) keepAliveLocked(d time.Duration) { h.linger = time.AfterFunc(d, h.lingerDue) }

func (h *hub) lingerDue() {
	h.mu.Lock()
	over := len(h.subs) == 0 && h.endLingerLocked()
	if over {
		h.reconcileLocked()
	}
	h.mu.Unlock()
	if over {
		h.c.release(h)
	}
}

// Forget drops what is kept of id.
// Subscriptions stay until they are closed, and see a container that is made anew.
func (c *Console) Forget(id string) {
	if h := c.get(id); h != nil {
		h.forget()
	}
}

// forget drops everything but the subscriptions.
func (h *hub) forget() {
	h.mu.Lock()
	lingered := h.endLingerLocked()
	release := h.kept
	h.kept = false
	h.prepared = nil
	h.reconcileLocked()
	h.mu.Unlock()
	for _, use := range []bool{release, lingered} {
		if use {
			h.c.release(h)
		}
	}
}
