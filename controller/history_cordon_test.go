package controller_test

import (
	"context"
	"net/http"
	"strings"

	"lightd/desired"
	"lightd/desired/store"
)

// changeCordon cordons the node, drains it, or puts it back into service.
func (h *history) changeCordon() {
	h.fixDisk()
	if !h.up {
		h.boot()
		h.settle()
	}
	if h.store.Cordon() != nil && h.chance("uncordon", 50) {
		h.endCordon()
		return
	}
	c := desired.Cordon{Drain: h.chance("drain", 50), Parallel: 1 + h.number("at once", 3)}
	h.outOfService = true
	for _, b := range h.models {
		b.causes++ // what a drain stops is started afterwards
	}
	err := h.store.Update(context.Background(), func(tx *store.Tx) error {
		_, err := tx.PutCordon(c)
		return err
	})
	h.note("cordon, drain %t, %d at once: %v", c.Drain, c.Parallel, err)
}

// endCordon puts the node back into service.
func (h *history) endCordon() {
	h.cordoned.Store(false)
	if h.store.Cordon() == nil {
		return
	}
	err := h.store.Update(context.Background(), func(tx *store.Tx) error {
		_, err := tx.DeleteCordon()
		return err
	})
	h.note("uncordon: %v", err)
	if err != nil && h.store.Cordon() != nil {
		h.fail("a node stays cordoned", "%v", err)
	}
}

// checkCordoned holds that a daemon begins nothing while its node is cordoned.
func (h *history) checkCordoned(r *http.Request) {
	if !h.cordoned.Load() || r.Method != http.MethodPost || !strings.HasPrefix(r.RemoteAddr, "daemon ") {
		return
	}
	if path := r.URL.Path; strings.HasSuffix(path, "/start") || strings.HasSuffix(path, "/containers/create") || strings.HasSuffix(path, "/images/create") {
		h.problem("%s on a cordoned node", path)
	}
}
