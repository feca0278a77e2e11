package containers

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/httpapi/api"
	"lightd/httpapi/auth"
	"lightd/httpapi/rest"
	"lightd/httpapi/selector"
	"lightd/httpapi/strictjson"
	"lightd/observed/status"
)

const (
	// MaxApply bounds the body of an apply, in bytes, MaxSpecs its specs.
	MaxApply = 16 << 20
	MaxSpecs = 2000
	// specsField is where they are in it.
	specsField = "containers"
)

// Apply is POST /apply: many containers as they should be, in one transaction.
func (h *Handlers) Apply(c *gin.Context) error {
	w, err := h.newWrite(c)
	if err != nil {
		return err
	}
	object, err := rest.LargeObject(c, MaxApply)
	if err != nil {
		return err
	}
	l, err := bindList(object, h.defaults)
	if err != nil {
		return err
	}
	if w.pre.demands() {
		if err := l.checkSelected(); err != nil {
			return err
		}
	}
	if len(l.ports) > 0 {
		if err := w.caller.RequireNode(); err != nil {
			return err
		}
	}
	ctx, cancel := h.transactions.Context(c)
	defer cancel()
	volumes, err := h.volumes.Prepare(ctx, l.volumes, w.dryRun || len(l.volumes) == 0)
	if err != nil {
		return err
	}
	var made resources
	err = h.update(w, func(tx *store.Tx) ([]store.Written, error) {
		var err error
		if made, err = l.ensure(tx, volumes, w.caller); err != nil {
			return nil, err
		}
		if err := w.checkList(tx, l); err != nil {
			return nil, err
		}
		for i, spec := range l.specs {
			if err := canPut(tx, w.caller, spec.InternalID); err != nil {
				return nil, desired.AtField(fmt.Sprintf("%s[%d]", specsField, i), err)
			}
		}
		written, err := tx.Apply(l.wanted(w.caller))
		if err != nil {
			return nil, err
		}
		return written, w.goal.checkAll(written)
	})
	if err = volumes.Close(err); err != nil {
		return err
	}
	return h.replyApplied(w, l.report(made))
}

// replyApplied answers an apply with the receipts of its containers, after the wait that was asked
// for.
func (h *Handlers) replyApplied(w *write, about api.Applied) error {
	answer := h.applied(w)
	answer.Volumes, answer.Ports = about.Volumes, about.Ports
	if w.pending == nil {
		return rest.OK(w.c, answer)
	}
	results, timedOut, err := h.waits.await(w)
	if err != nil {
		return err
	}
	status, unmet := http.StatusOK, 0
	for i := range answer.Containers {
		receipt := &answer.Containers[i]
		result, waited := results[receipt.InternalID]
		if !waited || h.completeReceipt(receipt, w.goal, result, timedOut) {
			continue
		}
		status = http.StatusAccepted
		if unmet++; unmet <= outputContainers {
			h.addOutput(w, receipt, result)
		}
	}
	rest.Reply(w.c.Writer, w.c.Request, status, answer)
	return nil
}

// checkAll refuses a goal that one of a list cannot reach.
func (g goal) checkAll(written []store.Written) error {
	var faults desired.ErrorList
	for i, w := range written {
		if why := g.unreachable(w.Container); why != "" {
			faults.Take(desired.Invalid(fmt.Sprintf("%s[%d].power", specsField, i), fmt.Sprintf("%s=%s %s", rest.QueryWait, g.name, why)))
		}
	}
	return faults.Err(specsField)
}

// list is the body of an apply.
type list struct {
	specs    []desired.Spec
	prune    bool
	selector selector.Selector
	// volumes and ports of the pool are made where there are none.
	volumes []store.VolumeRequest
	ports   []desired.Endpoint
}

// bindList reads it. A spec that leaves a field out has the default, as in a PUT.
func bindList(object strictjson.Object, defaults desired.Spec) (list, error) {
	var body struct {
		Volumes    []jsontext.Value    `json:"volumes"`
		Ports      []desired.PortRange `json:"ports"`
		Containers []jsontext.Value    `json:"containers"`
		Prune      bool                `json:"prune"`
		Selector   string              `json:"selector"`
	}
	if err := object.Bind(&body); err != nil {
		return list{}, err
	}
	switch {
	case body.Containers == nil && (body.Prune || len(body.Volumes)+len(body.Ports) == 0):
		return list{}, rest.Invalid(rest.Detail{Field: specsField, Message: "is required"})
	case len(body.Containers) > MaxSpecs:
		return list{}, rest.Invalid(rest.Detail{Field: specsField, Message: fmt.Sprintf("has %d specs, at most %d are allowed", len(body.Containers), MaxSpecs)})
	}
	l := list{specs: make([]desired.Spec, len(body.Containers)), prune: body.Prune}
	var refused strictjson.Error
	for i, text := range body.Containers {
		l.specs[i] = defaults.Clone()
		refused.AddAt(fmt.Sprintf("%s[%d]", specsField, i), bindSpec(strictjson.Object(text), &l.specs[i]))
	}
	volumes := make([]api.ApplyVolume, len(body.Volumes))
	for i, text := range body.Volumes {
		refused.AddAt(fmt.Sprintf("volumes[%d]", i), bindVolume(strictjson.Object(text), &volumes[i]))
	}
	if err := refused.OrNil(); err != nil {
		return list{}, err
	}
	var err error
	if l.selector, err = selector.Parse(body.Selector); err != nil {
		return list{}, err
	}
	if err := l.bindResources(volumes, body.Ports); err != nil {
		return list{}, err
	}
	return l, l.checkPrune()
}

// checkPrune refuses a prune of everything, which is what a forgotten selector would mean.
func (l list) checkPrune() error {
	if l.prune && len(l.selector) == 0 {
		return rest.Invalid(rest.Detail{Field: "selector", Message: "is required with prune: without one all containers that the list lacks would be deleted"})
	}
	return nil
}

// checkSelected refuses specs that the selector does not select: If-Match speaks of a list by
// that selector, and would guard nothing of them.
func (l list) checkSelected() error {
	var faults desired.ErrorList
	for i, spec := range l.specs {
		if !l.selector.Matches(spec.Labels) {
			faults.Take(desired.Invalid(fmt.Sprintf("%s[%d].labels", specsField, i), "do not match the selector, whose list the request makes demands of"))
		}
	}
	return faults.Err(specsField)
}

// wanted is what l says to the store. It prunes nothing that the caller's token is not for.
func (l list) wanted(who *auth.Caller) store.List {
	wanted := store.List{Specs: l.specs}
	if l.prune {
		wanted.Prune = func(c desired.Container) bool { return l.selector.Matches(c.Labels) && who.Allows(c) }
	}
	return wanted
}

// checkList compares what the request demands with the containers that a selector chooses: the entity
// tag is that of their list. If-None-Match: * demands that none of the specs has a container.
func (w *write) checkList(tx *store.Tx, l list) error {
	if !w.pre.demands() {
		return nil
	}
	all, err := tx.Containers()
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(c desired.Container) bool { return !w.caller.Allows(c) })
	pre := w.pre
	if pre.creates() {
		for i, spec := range l.specs {
			if slices.ContainsFunc(all, func(c desired.Container) bool { return c.InternalID == spec.InternalID && !c.Deleting }) {
				stale := *errStale
				stale.Details = []rest.Detail{{Field: fmt.Sprintf("%s[%d]", specsField, i), Message: "is there already"}}
				return &stale
			}
		}
		pre.noneMatch = nil
	}
	return pre.check(etagOfList(l.selector.Filter(all)))
}

// applied is the answer to an apply, or to one that was only tried.
func (h *Handlers) applied(w *write) api.Applied {
	a := api.Applied{Message: "Applied", Containers: make([]api.Receipt, 0, len(w.written))}
	if w.dryRun {
		a.Message = nothingWritten
	}
	counts := map[desired.Action]*int{
		desired.Created: &a.Created, desired.Updated: &a.Updated, desired.Unchanged: &a.Unchanged, desired.Deleted: &a.Deleted,
	}
	for _, written := range w.written {
		*counts[written.Action]++
		if w.dryRun {
			a.Containers = append(a.Containers, h.simulated(w, written))
		} else {
			a.Containers = append(a.Containers, h.appliedReceipt(written))
		}
	}
	return a
}

func (h *Handlers) appliedReceipt(w store.Written) api.Receipt {
	r := receiptOf("", w.Container)
	r.Warnings = h.warningsOf(w)
	if r.Action = w.Action; w.Action == desired.Created {
		r.State = status.Installing
	}
	return r
}
