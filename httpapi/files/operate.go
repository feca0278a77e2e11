package files

import (
	"context"
	"errors"
	"fmt"

	"github.com/gin-gonic/gin"

	"lightd/httpapi/api"
	"lightd/httpapi/rest"
	"lightd/observed/files"
)

// maxDeletions bounds the paths of one request.
const maxDeletions = 1000

// operationBody is a FileOperation as a client writes it.
type operationBody struct {
	Op        *string `json:"op"`
	Path      *string `json:"path"`
	Parents   *bool   `json:"parents"`
	From      *string `json:"from"`
	To        *string `json:"to"`
	Overwrite *bool   `json:"overwrite"`
	Mode      *string `json:"mode"`
}

// fields are the members of each operation beside op.
var fields = map[string][]string{
	"mkdir": {"path", "parents"}, "rename": {"from", "to", "overwrite"}, "chmod": {"path", "mode"},
}

// needed are those that an operation cannot do without.
var needed = map[string][]string{"mkdir": {"path"}, "rename": {"from", "to"}, "chmod": {"path", "mode"}}

// check refuses an operation that is none, or has not the members that it needs and no others.
func (b operationBody) check() error {
	if b.Op == nil {
		return rest.Invalid(rest.Detail{Field: "op", Message: "is required"})
	}
	allowed, known := fields[*b.Op]
	if !known {
		return rest.Invalid(rest.Detail{Field: "op", Message: "must be mkdir, rename or chmod"})
	}
	given := map[string]bool{
		"path": b.Path != nil, "parents": b.Parents != nil, "from": b.From != nil, "to": b.To != nil, "overwrite": b.Overwrite != nil, "mode": b.Mode != nil,
	}
	var details []rest.Detail
	for _, name := range needed[*b.Op] {
		if !given[name] {
			details = append(details, rest.Detail{Field: name, Message: "is required"})
		}
	}
	for _, name := range allowed {
		delete(given, name)
	}
	for _, name := range []string{"path", "parents", "from", "to", "overwrite", "mode"} {
		if given[name] {
			details = append(details, rest.Detail{Field: name, Message: "has no meaning for " + *b.Op})
		}
	}
	if len(details) > 0 {
		return rest.Invalid(details...)
	}
	return nil
}

// Operate is POST /volumes/:id/files.
func (h *Handlers) Operate(c *gin.Context) error {
	tree, err := h.open(c)
	if err != nil {
		return err
	}
	defer tree.Close()
	object, err := rest.Object(c)
	if err != nil {
		return err
	}
	var body operationBody
	if err := object.Bind(&body); err != nil {
		return err
	}
	if err := body.check(); err != nil {
		return err
	}
	leave, err := h.others.enter(c)
	if err != nil {
		return err
	}
	defer leave()
	switch *body.Op {
	case "mkdir":
		return h.makeDirectory(c, tree, body)
	case "rename":
		return h.rename(c, tree, body)
	}
	return h.chmod(c, tree, body)
}

func isTrue(b *bool) bool { return b != nil && *b }

func (h *Handlers) makeDirectory(c *gin.Context, tree *files.Tree, body operationBody) error {
	p, err := clean("path", *body.Path)
	if err != nil {
		return err
	}
	record(c, "mkdir", p)
	made, err := tree.MakeDirectory(p, isTrue(body.Parents))
	if err != nil {
		return problem(err)
	}
	e, err := tree.Stat(p)
	switch {
	case err != nil:
		return problem(err)
	case made:
		return rest.Created(c, fileView(e))
	}
	return rest.OK(c, fileView(e))
}

func (h *Handlers) rename(c *gin.Context, tree *files.Tree, body operationBody) error {
	from, err := clean("from", *body.From)
	if err != nil {
		return err
	}
	to, err := clean("to", *body.To)
	if err != nil {
		return err
	}
	record(c, "rename", from).To = shown(to)
	if err := tree.Rename(from, to, isTrue(body.Overwrite)); err != nil {
		return problem(err)
	}
	return h.entry(c, tree, to)
}

func (h *Handlers) chmod(c *gin.Context, tree *files.Tree, body operationBody) error {
	p, err := clean("path", *body.Path)
	if err != nil {
		return err
	}
	record(c, "chmod", p)
	mode, err := modeOf(*body.Mode)
	if err != nil {
		return err
	}
	if err := tree.Chmod(p, mode); err != nil {
		return problem(err)
	}
	return h.entry(c, tree, p)
}

// entry answers with what is at a path.
func (h *Handlers) entry(c *gin.Context, tree *files.Tree, p files.Path) error {
	e, err := tree.Stat(p)
	if err != nil {
		return problem(err)
	}
	return rest.OK(c, fileView(e))
}

// Delete is DELETE /volumes/:id/files. A client that goes away does not cut it short.
func (h *Handlers) Delete(c *gin.Context) error {
	tree, err := h.open(c)
	if err != nil {
		return err
	}
	defer tree.Close()
	object, err := rest.Object(c)
	if err != nil {
		return err
	}
	var body struct {
		Paths []string `json:"paths"`
	}
	if err := object.Bind(&body); err != nil {
		return err
	}
	if n := len(body.Paths); n == 0 || n > maxDeletions {
		return rest.Invalid(rest.Detail{Field: "paths", Message: fmt.Sprintf("must have 1 to %d paths", maxDeletions)})
	}
	paths := make([]files.Path, len(body.Paths))
	for i, text := range body.Paths {
		field := fmt.Sprintf("paths[%d]", i)
		if paths[i], err = clean(field, text); err != nil {
			return err
		}
		if paths[i] == files.Top {
			return rest.Invalid(rest.Detail{Field: field, Message: "must not be the volume itself"})
		}
	}
	if audit := record(c, "delete", paths[0]); len(paths) > 1 {
		audit.Paths = len(paths)
	}
	leave, err := h.others.enter(c)
	if err != nil {
		return err
	}
	defer leave()
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(c.Request.Context()), operateWithin, files.ErrBusy)
	defer cancel()
	answer := api.FilesDeleted{Message: "Files deleted", Missing: []string{}}
	for _, p := range paths {
		switch err := tree.Delete(ctx, p); {
		case err == nil:
			answer.Deleted++
		case errors.Is(err, files.ErrNotFound), errors.Is(err, files.ErrNotDirectory):
			answer.Missing = append(answer.Missing, shown(p))
		default:
			return problem(err)
		}
	}
	return rest.OK(c, answer)
}
