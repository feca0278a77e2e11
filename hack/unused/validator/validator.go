// Package validator takes the place of go-playground's in the build. Gin imports it for the
// validation of what it binds, which lightd never calls: package strictjson reads all bodies.
package validator

import "errors"

// Validate validates nothing.
type Validate struct{}

// New returns a Validate.
func New() *Validate { return &Validate{} }

// SetTagName has no effect.
func (*Validate) SetTagName(name string) {}

// Struct returns errors.ErrUnsupported.
func (*Validate) Struct(s any) error { return errors.ErrUnsupported }
