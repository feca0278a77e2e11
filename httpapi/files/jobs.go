package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"lightd/httpapi/api"
	"lightd/httpapi/auth"
	"lightd/httpapi/rest"
	"lightd/observed/archive"
	"lightd/observed/files"
	"lightd/observed/jobs"
)

// Close ends transfers and cancels all jobs, and returns when the jobs have ended.
func (h *Handlers) Close() {
	h.end()
	h.jobs.Close()
}

var (
	errTooManyJobs = rest.NewError(http.StatusTooManyRequests, "too_many_jobs", "Too many jobs are under way").With("Retry-After", "10")
	errNoJob       = rest.NewError(http.StatusNotFound, "job_not_found", "Job not found")
)

// work is what a job does to the tree of its volume.
type work func(ctx context.Context, tree *files.Tree, j *jobs.Reporter) error

// start answers with a job that does work, which is made when that can begin.
func (h *Handlers) start(c *gin.Context, s jobs.Spec, do work) error {
	s.Volume = c.Param("id")
	attrs := append(auth.RequestOf(c.Request.Context()).Attrs(), "volume", s.Volume, "op", s.Op)
	s.Run = func(ctx context.Context, j *jobs.Reporter) error {
		tree, err := h.Trees.Open(ctx, s.Volume)
		if err != nil {
			return err
		}
		defer tree.Close()
		err = do(ctx, tree, j)
		if _, known := rest.ErrorOf(problem(err)); err != nil && !known && ctx.Err() == nil {
			h.log.Error("job failed", append(attrs, "error", err)...)
		}
		return err
	}
	j, err := h.jobs.Start(s)
	switch {
	case errors.Is(err, jobs.ErrTooMany):
		return errTooManyJobs
	case err != nil:
		return rest.ErrStopping
	}
	c.Header("Location", fmt.Sprintf("/volumes/%s/jobs/%s", s.Volume, j.ID))
	rest.Reply(c.Writer, c.Request, http.StatusAccepted, jobView(j))
	return nil
}

func jobView(j jobs.Job) api.FileJob {
	v := api.FileJob{
		ID: j.ID, Op: j.Op, Path: j.Path, To: j.To, State: string(j.State), Entries: j.Entries, Bytes: j.Bytes, Skipped: j.Skipped,
		SkippedFirst: rest.OrEmpty(j.First), CreatedAt: j.CreatedAt.UTC(), StartedAt: moment(j.StartedAt), EndedAt: moment(j.EndedAt),
	}
	if j.TotalBytes > 0 {
		v.TotalBytes = &j.TotalBytes
	}
	if j.Err != nil {
		p, _ := rest.ErrorOf(problem(j.Err))
		v.Error = &p.Problem
	}
	return v
}

// moment is nil for no time.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// copy starts a job that copies a file or a directory.
func (h *Handlers) copy(c *gin.Context, tree *files.Tree, body operationBody) error {
	from, to, err := body.fromAndTo()
	if err != nil {
		return err
	}
	record(c, "copy", from).To = shown(to)
	if _, err := tree.Stat(from); err != nil {
		return problem(err)
	}
	if err := tree.Free(to); err != nil {
		return problem(err)
	}
	return h.start(c, jobs.Spec{Op: "copy", Path: shown(from), To: shown(to)}, func(ctx context.Context, tree *files.Tree, j *jobs.Reporter) error {
		_, bytes, err := tree.Weigh(ctx, from)
		if err != nil {
			return err
		}
		j.Total(bytes)
		if err := tree.CheckRoom(bytes); err != nil {
			return err
		}
		return tree.Copy(ctx, from, to, j.Add, j.Skip)
	})
}

// compress starts a job that packs an archive.
func (h *Handlers) compress(c *gin.Context, tree *files.Tree, body operationBody) error {
	to, err := clean("to", *body.To)
	if err != nil {
		return err
	}
	paths, err := cleanAll(body.Paths)
	if err != nil {
		return err
	}
	audit := record(c, "compress", paths[0])
	if audit.To = shown(to); len(paths) > 1 {
		audit.Paths = len(paths)
	}
	format, err := formatOf(body, to)
	if err != nil {
		return err
	}
	for _, p := range paths {
		if _, err := tree.Stat(p); err != nil {
			return problem(err)
		}
	}
	if !isTrue(body.Overwrite) {
		if err := tree.Free(to); err != nil {
			return problem(err)
		}
	}
	w := files.Write{Size: -1, New: !isTrue(body.Overwrite)}
	return h.start(c, jobs.Spec{Op: "compress", Path: audit.Path, To: audit.To}, func(ctx context.Context, tree *files.Tree, j *jobs.Reporter) error {
		return pack(ctx, tree, paths, to, format, w, j)
	})
}

// formatOf reads the format of an archive, or takes that of its name.
func formatOf(body operationBody, to files.Path) (archive.Format, error) {
	if body.Format == nil {
		if format, ok := archive.OfName(to.Base()); ok {
			return format, nil
		}
	}
	for _, format := range archive.Formats {
		if body.Format != nil && *body.Format == string(format) {
			return format, nil
		}
	}
	field := "format"
	if body.Format == nil {
		field = "to"
	}
	return "", rest.Invalid(rest.Detail{Field: field, Message: fmt.Sprintf("must be one of %v", archive.Formats)})
}

// pack writes an archive while it is made.
func pack(ctx context.Context, tree *files.Tree, paths []files.Path, to files.Path, format archive.Format, w files.Write, j *jobs.Reporter) error {
	var total int64
	for _, p := range paths {
		_, bytes, err := tree.Weigh(ctx, p)
		if err != nil {
			return err
		}
		total += bytes
	}
	j.Total(total)
	from, into := io.Pipe()
	packed := make(chan struct{})
	go func() {
		defer close(packed)
		into.CloseWithError(archive.Pack(ctx, tree, paths, into, format, j.Add, j.Skip))
	}()
	_, _, err := tree.Write(ctx, to, from, w)
	_ = from.CloseWithError(err) // which ends the packing, if it has not ended
	<-packed
	return err
}

// decompress starts a job that unpacks an archive.
func (h *Handlers) decompress(c *gin.Context, tree *files.Tree, body operationBody) error {
	from, to, err := body.fromAndTo()
	if err != nil {
		return err
	}
	record(c, "decompress", from).To = shown(to)
	f, _, err := tree.Open(from)
	if err != nil {
		return problem(err)
	}
	_ = f.Close() // it was only looked at
	return h.start(c, jobs.Spec{Op: "decompress", Path: shown(from), To: shown(to)}, func(ctx context.Context, tree *files.Tree, j *jobs.Reporter) error {
		return unpack(ctx, tree, from, to, j)
	})
}

// unpack unpacks an archive into a directory, which is made where it is missing.
func unpack(ctx context.Context, tree *files.Tree, from, to files.Path, j *jobs.Reporter) error {
	f, e, err := tree.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	s, err := tree.Stage(to, j.Add)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := archive.Unpack(ctx, f, e.Size, s, j.Skip); err != nil {
		return err
	}
	if err := tree.Free(to); errors.Is(err, files.ErrExists) {
		return s.Merge(to)
	}
	return s.Place(to)
}

// Jobs is GET /volumes/:id/jobs.
func (h *Handlers) Jobs(c *gin.Context) error {
	tree, err := h.open(c)
	if err != nil {
		return err
	}
	defer tree.Close()
	list := []api.FileJob{}
	for _, j := range h.jobs.List(c.Param("id")) {
		list = append(list, jobView(j))
	}
	return rest.OK(c, map[string]any{"jobs": list})
}

// Job is GET /volumes/:id/jobs/:job.
func (h *Handlers) Job(c *gin.Context) error {
	tree, err := h.open(c)
	if err != nil {
		return err
	}
	defer tree.Close()
	j, found := h.jobs.Get(c.Param("id"), c.Param("job"))
	if !found {
		return errNoJob
	}
	return rest.OK(c, jobView(j))
}

// CancelJob is DELETE /volumes/:id/jobs/:job: it ends a job, or drops one that has ended from the list.
func (h *Handlers) CancelJob(c *gin.Context) error {
	tree, err := h.open(c)
	if err != nil {
		return err
	}
	defer tree.Close()
	if err := rest.NoBody(c); err != nil {
		return err
	}
	was, found := h.jobs.Cancel(c.Param("id"), c.Param("job"))
	if !found {
		return errNoJob
	}
	message := "Job cancelled"
	if was.State.Ended() {
		message = "Job deleted"
	}
	return rest.OK(c, map[string]string{"message": message})
}
