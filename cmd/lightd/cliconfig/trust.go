package cliconfig

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"

	"lightd/httpapi/certs"
)

// CheckPin returns a fingerprint in the form that contexts keep.
func CheckPin(text string) (string, error) { return certs.ParseFingerprint(text) }

// CheckClientCertificate makes the paths of a certificate and its key absolute, and checks that they are a
// pair, and that nobody else may read the key. Two empty paths are none.
func CheckClientCertificate(cert, key string) (absCert, absKey string, err error) {
	if cert == "" && key == "" {
		return "", "", nil
	}
	if absCert, err = filepath.Abs(cert); err == nil {
		absKey, err = filepath.Abs(key)
	}
	if err != nil {
		return "", "", fmt.Errorf("find the client certificate: %w", err)
	}
	info, err := os.Stat(absKey)
	if err != nil {
		return "", "", fmt.Errorf("read the client key: %w", err)
	}
	if info.Mode().Perm()&0o004 != 0 {
		return "", "", fmt.Errorf("read the client key: anybody may read %s: chmod 600 it", absKey)
	}
	if _, err := tls.LoadX509KeyPair(absCert, absKey); err != nil {
		return "", "", fmt.Errorf("read the client certificate: %w", err)
	}
	return absCert, absKey, nil
}

// Certificate returns the certificate to present to the daemon; nil for none.
func (t Target) Certificate() (*tls.Certificate, error) {
	if t.ClientCert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(t.ClientCert, t.ClientKey)
	if err != nil {
		return nil, fmt.Errorf("read the client certificate: %w", err)
	}
	return &pair, nil
}
