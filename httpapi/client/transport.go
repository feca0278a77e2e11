package client

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
)

// idleConnections is how many are kept for later requests.
const idleConnections = 16

// newTransport returns what connects as cfg says: to a unix socket if there is one, and over TLS to the
// certificate that is pinned.
func newTransport(cfg Config, socket string) (http.RoundTripper, error) {
	t := &http.Transport{Proxy: http.ProxyFromEnvironment}
	if usual, ok := http.DefaultTransport.(*http.Transport); ok {
		t = usual.Clone()
	}
	t.MaxIdleConnsPerHost = idleConnections
	if socket != "" {
		t.Proxy = nil
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.Certificate != nil {
		config.Certificates = []tls.Certificate{*cfg.Certificate}
	}
	if cfg.Pin != "" {
		if err := pin(config, cfg.Pin); err != nil {
			return nil, err
		}
	}
	t.TLSClientConfig = config
	return t, nil
}

// ErrPin is a daemon that shows another certificate than the one that is pinned.
var ErrPin = errors.New("the daemon's certificate is not the one that is pinned")

// pin makes one certificate the only one that is accepted. Its names and its end do not count: whoever
// wrote the fingerprint down has chosen this very certificate.
func pin(config *tls.Config, fingerprint string) error {
	want, err := hex.DecodeString(fingerprint)
	if err != nil || len(want) != sha256.Size {
		return errors.New("read the pin: a fingerprint is the SHA-256 of a certificate, 64 hexadecimal digits")
	}
	config.InsecureSkipVerify = true // of the chain: what follows verifies the certificate itself
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return ErrPin
		}
		got := sha256.Sum256(state.PeerCertificates[0].Raw)
		if subtle.ConstantTimeCompare(got[:], want) != 1 {
			return fmt.Errorf("%w: it is %x", ErrPin, got)
		}
		return nil
	}
	return nil
}
