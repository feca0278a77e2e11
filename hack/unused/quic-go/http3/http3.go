// Package http3 takes the place of quic-go's in the build. Gin imports it for Engine.RunQUIC,
// which lightd never calls: what listens on the internet links no QUIC stack.
package http3

import (
	"errors"
	"net/http"
)

// ListenAndServeQUIC returns errors.ErrUnsupported at once.
func ListenAndServeQUIC(addr, certFile, keyFile string, handler http.Handler) error {
	return errors.ErrUnsupported
}
