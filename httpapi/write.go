package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/desired/store"
	"lightd/httpapi/api"
	"lightd/httpapi/wait"
)

// nothingWritten is the message of a dry run.
const nothingWritten = "Nothing was written"

// writeOptions is what a write says beside its path and its body.
type writeOptions struct {
	pre    precondition
	dryRun bool
	waiting
}

// writeOptionsOf reads it. A container that is not what the request demands is refused here,
// before anything else of the request is judged, and once more in the transaction: what is
// stale stays so.
func (s *Server) writeOptionsOf(c *gin.Context) (writeOptions, error) {
	var in writeOptions
	var err error
	if in.dryRun, err = dryRunOf(c); err != nil {
		return writeOptions{}, err
	}
	if in.waiting, err = s.waitingOf(c.Request, in.dryRun); err != nil {
		return writeOptions{}, err
	}
	if in.pre, err = preconditionOf(c.Request.Header); err != nil {
		return writeOptions{}, err
	}
	if container, found := s.specs.Container(c.Param("id")); found {
		return in, in.pre.check(etag(container))
	}
	return in, nil
}

// dryVerb reads a write that has neither a body nor preconditions.
func (s *Server) dryVerb(c *gin.Context) (dryRun bool, err error) {
	if err := s.noBody(c); err != nil {
		return false, err
	}
	return dryRunOf(c)
}

func dryRunOf(c *gin.Context) (bool, error) { return flag(c.Request.URL.Query(), dryRunQuery) }

// transaction is what writes a container, and tells what it did.
type transaction func(*store.Tx) (store.Written, error)

// transact runs fn in a transaction, or only tries it.
func (s *Server) transact(c *gin.Context, dryRun bool, fn func(*store.Tx) error) error {
	if dryRun {
		return s.specs.DryRun(fn)
	}
	ctx, cancel := s.databaseTime(c)
	defer cancel()
	return s.specs.Update(ctx, fn)
}

// current returns the container of id as fn of a transaction finds it, if it is what the
// request demands.
func (in writeOptions) current(tx *store.Tx, id string) (desired.Container, error) {
	container, err := tx.Container(id)
	if err != nil {
		return desired.Container{}, err
	}
	return container, in.pre.check(etag(container))
}

// absent does so for an id that need not be there.
func (in writeOptions) absent(tx *store.Tx, id string) error {
	_, err := in.current(tx, id)
	if isError(err, desired.ErrContainerNotFound) {
		return in.pre.check("")
	}
	return err
}

// changing is the transaction that changes the container of id by fn.
func (in writeOptions) changing(id string, fn func(*desired.Container) error) transaction {
	return func(tx *store.Tx) (store.Written, error) {
		old, err := in.current(tx, id)
		if err != nil {
			return store.Written{}, err
		}
		container, err := tx.ChangeContainer(id, fn)
		return store.Compare(old, container), err
	}
}

// change runs fn in the transaction that writes the container of the path, under the
// request's preconditions, and answers with the receipt.
func (s *Server) change(c *gin.Context, in writeOptions, message string, fn func(*desired.Container) error) error {
	return s.write(c, in, in.changing(c.Param("id"), fn), func(w store.Written) (int, api.Receipt) {
		return http.StatusOK, receiptOf(message, w.Container)
	})
}

// write runs fn, and answers with what receipt makes of it, after the wait that was asked for;
// or, where that is what was asked, with what would follow from it.
func (s *Server) write(c *gin.Context, in writeOptions, fn transaction, receipt func(store.Written) (int, api.Receipt)) error {
	written, wait, err := s.begin(c, in, func(tx *store.Tx) ([]store.Written, error) {
		w, err := fn(tx)
		if why := in.checkGoal(w.Container); err == nil && why != "" {
			err = invalid(Detail{Field: waitQuery, Message: why})
		}
		return []store.Written{w}, err
	})
	if err != nil {
		return err
	}
	done := written[0]
	if in.dryRun {
		projected := s.projected(done)
		projected.Message = nothingWritten
		return ok(c, projected)
	}
	c.Header("ETag", etag(done.Container))
	status, body := receipt(done)
	body.Warnings = warningsOf(done)
	if wait != nil {
		results, timedOut, err := s.await(c, wait, in.timeout)
		if err != nil {
			return err
		}
		if !s.waited(&body, in.waiting, results[done.InternalID], timedOut) {
			status = http.StatusAccepted
			s.withOutput(c.Request.Context(), &body, results[done.InternalID])
		}
	}
	reply(c.Writer, c.Request, status, body)
	return nil
}

// begin runs fn in a transaction, and begins to wait for what the request waits for of what
// was written. The wait is nil when it waits for nothing; else await must follow.
func (s *Server) begin(c *gin.Context, in writeOptions, fn func(*store.Tx) ([]store.Written, error)) ([]store.Written, *wait.Wait, error) {
	wait, err := s.enter(in.waiting)
	if err != nil {
		return nil, nil, err
	}
	var done []store.Written
	err = s.transact(c, in.dryRun, func(tx *store.Tx) (err error) {
		if done, err = fn(tx); err != nil || wait == nil {
			return err
		}
		targets := in.targets(done)
		tx.AfterCommit(func() { wait.For(targets...) })
		return nil
	})
	if err == nil {
		if !in.dryRun {
			s.logWrites(c, done)
		}
		return done, wait, nil
	}
	if wait != nil {
		wait.Cancel()
	}
	return nil, nil, err // done may still be written to
}

func receiptOf(message string, c desired.Container) api.Receipt {
	return api.Receipt{Message: message, InternalID: c.InternalID, Generation: c.Generation}
}

// projected is the receipt of a write that was only tried.
func (s *Server) projected(w store.Written) api.Receipt {
	projection := s.planner.Simulate(w.Container)
	spec := w.Spec
	return api.Receipt{
		InternalID: w.InternalID, Action: w.Action, Generation: w.Generation, Spec: &spec, Warnings: warningsOf(w), Plan: &projection,
	}
}

// noPlan answers the dry run of what no step follows from; loses names the data that would go.
func noPlan(c *gin.Context, loses ...string) error {
	return ok(c, api.Plan{Steps: []plan.Step{}, Keeps: []string{}, Loses: orEmpty(loses)})
}

// planContainer is GET /containers/:id/plan.
func (s *Server) planContainer(c *gin.Context) error {
	container, found := s.specs.Container(c.Param("id"))
	if !found {
		return desired.ErrContainerNotFound
	}
	c.Header("ETag", etag(container))
	return ok(c, s.planner.Simulate(container))
}
