package files

import (
	"maps"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"lightd/httpapi/rest"
	"lightd/observed/files"
)

// operationBody is a FileOperation as a client writes it.
type operationBody struct {
	Op        *string  `json:"op"`
	Path      *string  `json:"path"`
	Paths     []string `json:"paths"`
	Parents   *bool    `json:"parents"`
	From      *string  `json:"from"`
	To        *string  `json:"to"`
	Overwrite *bool    `json:"overwrite"`
	Format    *string  `json:"format"`
	Mode      *string  `json:"mode"`
}

// operation is what an op of a request does.
type operation struct {
	// needed are its members beside op, optional those that it can do without.
	needed, optional []string
	run              func(h *Handlers, c *gin.Context, tree *files.Tree, body operationBody) error
}

// operations are all, by their op.
var operations = map[string]operation{
	"mkdir":      {[]string{"path"}, []string{"parents"}, (*Handlers).makeDirectory},
	"rename":     {[]string{"from", "to"}, []string{"overwrite"}, (*Handlers).rename},
	"chmod":      {[]string{"path", "mode"}, nil, (*Handlers).chmod},
	"copy":       {[]string{"from", "to"}, nil, (*Handlers).copy},
	"compress":   {[]string{"paths", "to"}, []string{"format", "overwrite"}, (*Handlers).compress},
	"decompress": {[]string{"from", "to"}, nil, (*Handlers).decompress},
}

// check refuses an operation that is none, or has not the members that it needs and no others.
func (b operationBody) check() error {
	if b.Op == nil {
		return rest.Invalid(rest.Detail{Field: "op", Message: "is required"})
	}
	o, known := operations[*b.Op]
	if !known {
		return rest.Invalid(rest.Detail{Field: "op", Message: "must be one of " + strings.Join(slices.Sorted(maps.Keys(operations)), ", ")})
	}
	given := map[string]bool{
		"path": b.Path != nil, "paths": b.Paths != nil, "parents": b.Parents != nil, "from": b.From != nil, "to": b.To != nil,
		"overwrite": b.Overwrite != nil, "format": b.Format != nil, "mode": b.Mode != nil,
	}
	var details []rest.Detail
	for _, name := range o.needed {
		if !given[name] {
			details = append(details, rest.Detail{Field: name, Message: "is required"})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if given[name] && !slices.Contains(o.needed, name) && !slices.Contains(o.optional, name) {
			details = append(details, rest.Detail{Field: name, Message: "has no meaning for " + *b.Op})
		}
	}
	if len(details) > 0 {
		return rest.Invalid(details...)
	}
	return nil
}

// fromAndTo reads the two paths of an operation.
func (b operationBody) fromAndTo() (from, to files.Path, err error) {
	if from, err = clean("from", *b.From); err == nil {
		to, err = clean("to", *b.To)
	}
	return from, to, err
}
