package httpapi

import (
	"context"
	"fmt"
	"maps"
	"net/http"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/httpapi/api"
	"lightd/httpapi/strictjson"
	"lightd/httpapi/wait"
	"lightd/observed/status"
)

const (
	// maxApply bounds the body of an apply, in bytes, maxSpecs its specs.
	maxApply = 16 << 20
	maxSpecs = 2000
	// specsField is where they are in it.
	specsField = "containers"
)

// apply is POST /apply: many containers as they should be, in one transaction.
func (s *Server) apply(c *gin.Context) error {
	in, err := s.writeOptionsOf(c)
	if err != nil {
		return err
	}
	object, present, err := readObject(c.Request, maxApply, mediaJSON)
	if err == nil && !present {
		err = errNoBody
	}
	if err != nil {
		return err
	}
	l, err := bindList(object, s.defaults)
	if err != nil {
		return err
	}
	if in.pre.demands() {
		if err := l.checkChosen(); err != nil {
			return err
		}
	}
	written, wait, err := s.begin(c, in, func(tx *store.Tx) ([]store.Written, error) {
		if err := in.checkList(tx, l.selector); err != nil {
			return nil, err
		}
		written, err := tx.Apply(l.wanted())
		if err == nil {
			err = in.checkGoals(written)
		}
		return written, err
	})
	if err != nil {
		return err
	}
	answer := s.applied(in, written)
	if wait == nil {
		return ok(c, answer)
	}
	results, timedOut, err := s.await(c, wait, in.timeout)
	if err != nil {
		return err
	}
	reply(c.Writer, c.Request, s.waitedAll(c.Request.Context(), &answer, in.waiting, results, timedOut), answer)
	return nil
}

// checkGoals refuses a wait that one of the list would never end.
func (in writeOptions) checkGoals(written []store.Written) error {
	var faults desired.ErrorList
	for i, w := range written {
		if why := in.checkGoal(w.Container); why != "" {
			faults.Take(desired.Invalid(fmt.Sprintf("%s[%d].power", specsField, i), fmt.Sprintf("%s=%s %s", waitQuery, in.goal, why)))
		}
	}
	return faults.Err(specsField)
}

// waitedAll completes each receipt, and returns the status of the answer.
func (s *Server) waitedAll(ctx context.Context, answer *api.Applied, in waiting, results map[string]wait.Result, timedOut bool) int {
	status, unmet := http.StatusOK, 0
	for i := range answer.Containers {
		receipt := &answer.Containers[i]
		result, waited := results[receipt.InternalID]
		if waited && !s.waited(receipt, in, result, timedOut) {
			status = http.StatusAccepted
			if unmet++; unmet <= outputContainers {
				s.withOutput(ctx, receipt, result)
			}
		}
	}
	return status
}

// list is the body of an apply.
type list struct {
	specs    []desired.Spec
	prune    bool
	selector selector
}

// bindList reads it. A spec that leaves a field out has the default, as in a PUT.
func bindList(object strictjson.Object, defaults desired.Spec) (list, error) {
	elements, isList := object[specsField].([]any)
	switch {
	case object[specsField] == nil:
		return list{}, invalid(Detail{Field: specsField, Message: "is required"})
	case isList && len(elements) > maxSpecs:
		return list{}, invalid(Detail{Field: specsField, Message: fmt.Sprintf("has %d specs, at most %d are allowed", len(elements), maxSpecs)})
	}
	l := list{specs: make([]desired.Spec, len(elements))}
	err := object.BindList(specsField, func(i int) any {
		l.specs[i] = defaults.Clone()
		return &l.specs[i]
	}, readOnly...)
	if err != nil {
		return list{}, err
	}
	var faults desired.ErrorList
	for i, element := range elements {
		object, _ := element.(strictjson.Object) // else it was refused
		if err := leavePower(object, &l.specs[i]); err != nil {
			faults.Take(desired.AtField(fmt.Sprintf("%s[%d]", specsField, i), err))
		}
	}
	if err := faults.Err(specsField); err != nil {
		return list{}, err
	}
	var body struct {
		Prune    bool   `json:"prune"`
		Selector string `json:"selector"`
	}
	rest := maps.Clone(object)
	delete(rest, specsField)
	if err := rest.Bind(&body); err != nil {
		return list{}, err
	}
	l.prune = body.Prune
	if l.selector, err = parseSelector(body.Selector); err != nil {
		return list{}, err
	}
	return l, l.checkPrune()
}

// checkPrune refuses a prune of everything, which is what a forgotten selector would mean.
func (l list) checkPrune() error {
	if l.prune && len(l.selector) == 0 {
		return invalid(Detail{Field: "selector", Message: "is required with prune: without one all containers that the list lacks would be deleted"})
	}
	return nil
}

// checkChosen refuses specs that the selector does not choose: If-Match speaks of a list by
// that selector, and would guard nothing of them.
func (l list) checkChosen() error {
	var faults desired.ErrorList
	for i, spec := range l.specs {
		if !l.selector.matches(spec.Labels) {
			faults.Take(desired.Invalid(fmt.Sprintf("%s[%d].labels", specsField, i), "do not match the selector, whose list the request makes demands of"))
		}
	}
	return faults.Err(specsField)
}

// wanted is what l says to the store.
func (l list) wanted() store.List {
	wanted := store.List{Specs: l.specs}
	if l.prune {
		wanted.Prune = func(c desired.Container) bool { return l.selector.matches(c.Labels) }
	}
	return wanted
}

// checkList compares what the request demands with the containers that a selector chooses:
// the entity tag is that of their list.
func (in writeOptions) checkList(tx *store.Tx, s selector) error {
	if !in.pre.demands() {
		return nil
	}
	all, err := tx.Containers()
	if err != nil {
		return err
	}
	return in.pre.check(etagOfList(s.filter(all)))
}

// applied is the answer to an apply, or to one that was only tried.
func (s *Server) applied(in writeOptions, done []store.Written) api.Applied {
	a := api.Applied{Message: "Applied", Containers: make([]api.Receipt, 0, len(done))}
	if in.dryRun {
		a.Message = nothingWritten
	}
	counts := map[desired.Action]*int{
		desired.Created: &a.Created, desired.Updated: &a.Updated, desired.Unchanged: &a.Unchanged, desired.Deleted: &a.Deleted,
	}
	for _, w := range done {
		*counts[w.Action]++
		a.Containers = append(a.Containers, s.appliedOne(in, w))
	}
	return a
}

func (s *Server) appliedOne(in writeOptions, w store.Written) api.Receipt {
	if in.dryRun {
		return s.projected(w)
	}
	r := receiptOf("", w.Container)
	r.Warnings = warningsOf(w)
	if r.Action = w.Action; w.Action == desired.Created {
		r.State = status.Installing
	}
	return r
}
