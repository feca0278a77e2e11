package files

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gin-gonic/gin"

	"lightd/httpapi/api"
	"lightd/httpapi/rest"
	"lightd/observed/files"
)

// maxPaths bounds the paths of one request.
const maxPaths = 1000

// Operate is POST /volumes/:id/files.
func (h *Handlers) Operate(c *gin.Context) error {
	tree, err := h.open(c)
	if err != nil {
		return err
	}
	defer tree.Close()
	var body operationBody
	if err := rest.Bind(c, &body); err != nil {
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
	return operations[*body.Op].run(h, c, tree, body)
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
	from, to, err := body.fromAndTo()
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
	var body struct {
		Paths []string `json:"paths"`
	}
	if err := rest.Bind(c, &body); err != nil {
		return err
	}
	paths, err := cleanAll(body.Paths)
	if err != nil {
		return err
	}
	if i := slices.Index(paths, files.Top); i >= 0 {
		return rest.Invalid(rest.Detail{Field: fmt.Sprintf("paths[%d]", i), Message: "must not be the volume itself"})
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

// cleanAll reads the member paths of a body.
func cleanAll(texts []string) ([]files.Path, error) {
	if n := len(texts); n == 0 || n > maxPaths {
		return nil, rest.Invalid(rest.Detail{Field: "paths", Message: fmt.Sprintf("must have 1 to %d paths", maxPaths)})
	}
	paths := make([]files.Path, len(texts))
	for i, text := range texts {
		var err error
		if paths[i], err = clean(fmt.Sprintf("paths[%d]", i), text); err != nil {
			return nil, err
		}
	}
	return paths, nil
}
