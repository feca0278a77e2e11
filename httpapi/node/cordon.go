package node

import (
	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/httpapi/api"
	"lightd/httpapi/auth"
	"lightd/httpapi/rest"
	"lightd/observed/status"
)

// Cordon answers the routes that put the node out of service, and back.
type Cordon struct {
	Transactions rest.Transactions
	Stats        *Stats
}

// cordonBody is a cordon as a client writes it. What a GET of the node shows besides is passed over.
type cordonBody struct {
	Drain     bool           `json:"drain"`
	Parallel  *int           `json:"parallel"`
	Reason    string         `json:"reason"`
	Since     jsontext.Value `json:"since"`
	Drained   jsontext.Value `json:"drained"`
	Running   jsontext.Value `json:"running"`
	Held      jsontext.Value `json:"held"`
	Remaining jsontext.Value `json:"remaining"`
}

// Put is PUT /node/cordon.
func (h *Cordon) Put(c *gin.Context) error {
	var body cordonBody
	if err := rest.BindOptional(c, &body); err != nil {
		return err
	}
	dryRun, err := rest.DryRun(c)
	if err != nil {
		return err
	}
	want := desired.Cordon{Drain: body.Drain, Reason: body.Reason, Parallel: desired.DefaultDrainParallel}
	if body.Parallel != nil {
		want.Parallel = *body.Parallel
	}
	record := &auth.RequestOf(c.Request.Context()).Audit
	if record.Op = "cordon"; want.Drain {
		record.Op = "drain"
	}
	var written desired.Cordon
	err = h.Transactions.Run(c.Request.Context(), dryRun, func(tx *store.Tx) (err error) {
		written, err = tx.PutCordon(want)
		return err
	})
	switch {
	case err != nil:
		return err
	case dryRun:
		return noPlan(c)
	}
	return rest.OK(c, h.Stats.cordon(&written))
}

// Delete is DELETE /node/cordon. A node that is in service stays so.
func (h *Cordon) Delete(c *gin.Context) error {
	dryRun, err := rest.BareWrite(c)
	if err != nil {
		return err
	}
	auth.RequestOf(c.Request.Context()).Audit.Op = "uncordon"
	was := false
	err = h.Transactions.Run(c.Request.Context(), dryRun, func(tx *store.Tx) (err error) {
		was, err = tx.DeleteCordon()
		return err
	})
	switch {
	case err != nil:
		return err
	case dryRun:
		return noPlan(c)
	case !was:
		return rest.OK(c, map[string]string{"message": "Node was not cordoned"})
	}
	return rest.OK(c, map[string]string{"message": "Node uncordoned"})
}

// cordon shows a cordon of the node; nil for none.
func (h *Stats) cordon(c *desired.Cordon) *api.Cordon {
	if c == nil {
		return nil
	}
	shown := &api.Cordon{Cordon: *c}
	recorded := h.Recorded()
	shown.Drained = c.Drain && recorded.Drained && recorded.Cordon != nil && recorded.Cordon.Since.Equal(c.Since)
	for _, container := range h.Containers.Containers() {
		if h.Views.Status(container.InternalID).Get(status.Synced).Reason.HeldByNode() {
			shown.Held++
		}
	}
	drain := h.Drain()
	shown.Running = drain.Running
	shown.Remaining = api.Remaining{Count: len(drain.Remaining), Containers: append([]status.DrainHolder{}, drain.Remaining[:min(len(drain.Remaining), api.MaxRemaining)]...)}
	return shown
}
