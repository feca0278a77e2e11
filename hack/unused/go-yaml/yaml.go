// Package yaml takes the place of goccy's in the build. Gin imports it for its binding and
// rendering of YAML, which lightd never calls: go.yaml.in/yaml reads its manifests.
package yaml

import (
	"errors"
	"io"
)

// Decoder decodes nothing.
type Decoder struct{}

// NewDecoder returns a Decoder, and reads nothing of r.
func NewDecoder(r io.Reader) *Decoder { return &Decoder{} }

// Decode returns errors.ErrUnsupported and leaves v as it is.
func (*Decoder) Decode(v any) error { return errors.ErrUnsupported }

// Marshal returns errors.ErrUnsupported.
func Marshal(v any) ([]byte, error) { return nil, errors.ErrUnsupported }
