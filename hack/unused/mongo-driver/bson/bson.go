// Package bson takes the place of the MongoDB driver's in the build. Gin imports it for its
// binding and rendering of BSON, which lightd never calls: no client chooses a decoder.
package bson

import "errors"

// Marshal returns errors.ErrUnsupported.
func Marshal(val any) ([]byte, error) { return nil, errors.ErrUnsupported }

// Unmarshal returns errors.ErrUnsupported and leaves val as it is.
func Unmarshal(data []byte, val any) error { return errors.ErrUnsupported }
