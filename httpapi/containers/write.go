package containers

import (
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/desired/token"
	"lightd/httpapi/api"
	"lightd/httpapi/auth"
	"lightd/httpapi/rest"
	"lightd/httpapi/wait"
)

// write is a request that writes containers: what it says beside its path and its body, and what it
// has written.
type write struct {
	c      *gin.Context
	caller *auth.Caller
	pre    precondition
	dryRun bool
	goal   goal

	// written is what update has written, and pending the wait for it; nil when the request
	// waits for nothing.
	written []store.Written
	pending *wait.Wait
}

// newWrite reads the query and the preconditions of a write. A container that is not in the state
// that the request demands is refused here, before anything else of the request is checked, and once
// more in the transaction.
func (h *Handlers) newWrite(c *gin.Context) (*write, error) {
	w := &write{c: c, caller: auth.CallerOf(c.Request.Context())}
	var err error
	if w.dryRun, err = rest.DryRun(c); err != nil {
		return nil, err
	}
	if w.goal, err = h.waits.goalOf(c.Request, w.dryRun); err != nil {
		return nil, err
	}
	if w.pre, err = preconditionOf(c.Request.Header); err != nil {
		return nil, err
	}
	if container, found := w.caller.Find(h.store, c.Param("id")); found {
		return w, w.pre.check(etag(container))
	}
	return w, nil
}

// current returns the container of id in a transaction, if it is in the state that the request
// demands.
func (w *write) current(tx *store.Tx, id string) (desired.Container, error) {
	container, err := findIn(tx, w.caller, id)
	if err != nil {
		return desired.Container{}, err
	}
	return container, w.pre.check(etag(container))
}

// checkPrecondition is current for a container that need not exist.
func (w *write) checkPrecondition(tx *store.Tx, id string) error {
	_, err := w.current(tx, id)
	if rest.IsError(err, desired.ErrContainerNotFound) {
		return w.pre.check("")
	}
	return err
}

// update runs fn in the transaction of w, or only tries it; fn returns what it has written. The wait
// that the request asks for begins with the commit; reply or await must follow.
func (h *Handlers) update(w *write, fn func(*store.Tx) ([]store.Written, error)) error {
	pending, err := h.waits.register(w.goal)
	if err != nil {
		return err
	}
	var written []store.Written
	err = h.transactions.Run(w.c.Request.Context(), w.dryRun, func(tx *store.Tx) (err error) {
		bounds, err := boundsOf(tx, w.caller)
		if err != nil {
			return err
		}
		if written, err = fn(tx); err != nil {
			return err
		}
		if err := bounds.check(tx, written); err != nil || pending == nil {
			return err
		}
		targets := w.goal.targets(written)
		tx.AfterCommit(func() { pending.For(targets...) })
		return nil
	})
	if err != nil {
		if pending != nil {
			pending.Cancel()
		}
		return err // the transaction may still be running, and change written
	}
	w.written, w.pending = written, pending
	request := auth.RequestOf(w.c.Request.Context())
	for _, one := range written {
		if w.dryRun {
			request.RecordChange(one)
		} else {
			request.LogWrite(w.c.Request.Context(), h.log, w.c.Request.Method, w.c.FullPath(), one)
		}
	}
	return nil
}

// one makes the result of a transaction that writes one container. It refuses a goal that cannot be
// reached from what was written.
func (w *write) one(written store.Written, err error) ([]store.Written, error) {
	if err != nil {
		return nil, err
	}
	if why := w.goal.unreachable(written.Container); why != "" {
		return nil, rest.Invalid(rest.Detail{Field: rest.QueryWait, Message: why})
	}
	return []store.Written{written}, nil
}

// change has fn change the container of the path, and answers with the receipt.
func (h *Handlers) change(w *write, message string, fn func(*desired.Container) error) error {
	err := h.update(w, func(tx *store.Tx) ([]store.Written, error) {
		old, err := w.current(tx, w.c.Param("id"))
		if err != nil {
			return nil, err
		}
		container, err := tx.ChangeContainer(old.InternalID, fn)
		return w.one(store.Compare(old, container), err)
	})
	if err != nil {
		return err
	}
	return h.reply(w, http.StatusOK, receiptOf(message, w.written[0].Container))
}

// reply answers a write of one container with its receipt, after the wait that was asked for; a dry
// run with what would follow from it.
func (h *Handlers) reply(w *write, status int, receipt api.Receipt) error {
	written := w.written[0]
	if w.dryRun {
		receipt = h.simulated(w, written)
		receipt.Message = nothingWritten
		return rest.OK(w.c, receipt)
	}
	w.c.Header("ETag", etag(written.Container))
	if status == http.StatusCreated {
		w.c.Header("Location", location(written.InternalID))
	}
	receipt.Warnings = h.warningsOf(written)
	if w.pending != nil {
		results, timedOut, err := h.waits.await(w)
		if err != nil {
			return err
		}
		result := results[written.InternalID]
		if !h.completeReceipt(&receipt, w.goal, result, timedOut) {
			status = http.StatusAccepted
			h.addOutput(w, &receipt, result)
		}
	}
	rest.Reply(w.c.Writer, w.c.Request, status, receipt)
	return nil
}

// completeReceipt adds how the wait ended to a receipt, and reports whether its goal was met.
func (h *Handlers) completeReceipt(receipt *api.Receipt, g goal, r wait.Result, timedOut bool) bool {
	receipt.Wait = g.outcome(r, timedOut)
	if r.Reason != "" && r.Status.InternalID != "" {
		receipt.Conditions = h.views.Conditions(r.Status)
	}
	return r.Met
}

// nothingWritten is the message of a dry run.
const nothingWritten = "Nothing was written"

func receiptOf(message string, c desired.Container) api.Receipt {
	return api.Receipt{Message: message, InternalID: c.InternalID, Generation: c.Generation}
}

// simulated is the receipt of a write that was only tried. It has the spec, with the values of its
// environment, for who may write that.
func (h *Handlers) simulated(w *write, tried store.Written) api.Receipt {
	simulation := h.planner.Simulate(tried.Container)
	receipt := api.Receipt{
		InternalID: tried.InternalID, Action: tried.Action, Generation: tried.Generation, Warnings: h.warningsOf(tried), Plan: &simulation,
	}
	if w.caller.May(token.ScopeWrite) {
		receipt.Spec = &tried.Spec
	}
	return receipt
}

// addOutput adds to a receipt what the container printed last, for who may see that.
func (h *Handlers) addOutput(w *write, receipt *api.Receipt, r wait.Result) {
	if w.caller.May(token.ScopeConsole) {
		h.output.addTo(w.c.Request.Context(), receipt, r)
	}
}

func location(id string) string { return "/containers/" + url.PathEscape(id) }
