package certs

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// checkEvery is how often the files are compared with what is served: a new certificate is in use within 5 s.
const checkEvery = 2 * time.Second

// Files are where a certificate is.
type Files struct {
	// Cert has the certificate and its chain, Key its private key, in PEM.
	Cert, Key string
	// ClientCA has the authorities that sign client certificates; empty asks for none.
	ClientCA string
}

// Source is the certificate that is served at present. Its methods may be used by any number of goroutines.
type Source struct {
	files Files
	log   *slog.Logger
	now   atomic.Pointer[pair]
	// read is the sum of the files that were read last, whether they could be used or not.
	read [sha256.Size]byte
}

// pair is what was read at one time.
type pair struct {
	leaf   *x509.Certificate
	config *tls.Config
}

// Open reads the files.
func Open(files Files, log *slog.Logger) (*Source, error) {
	s := &Source{files: files, log: log}
	p, sum, err := s.load()
	if err != nil {
		return nil, err
	}
	s.read = sum
	s.now.Store(p)
	return s, nil
}

// load reads the files, and returns their sum also where they cannot be used.
func (s *Source) load() (*pair, [sha256.Size]byte, error) {
	sums := sha256.New()
	var failed error
	read := func(path string) []byte {
		data, err := os.ReadFile(path)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("read certificate: %w", err))
		}
		fmt.Fprintf(sums, "%d %v\n", len(data), err)
		sums.Write(data)
		return data
	}
	cert, key := read(s.files.Cert), read(s.files.Key)
	var authorities []byte
	if s.files.ClientCA != "" {
		authorities = read(s.files.ClientCA)
	}
	sum := [sha256.Size]byte(sums.Sum(nil))
	if failed != nil {
		return nil, sum, failed
	}
	p, err := s.parse(cert, key, authorities)
	return p, sum, err
}

func (s *Source) parse(cert, key, authorities []byte) (*pair, error) {
	served, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("read certificate %s with key %s: %w", s.files.Cert, s.files.Key, err)
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, Certificates: []tls.Certificate{served},
	}
	if s.files.ClientCA != "" {
		config.ClientAuth = tls.RequireAndVerifyClientCert
		if config.ClientCAs, err = parseAuthorities(s.files.ClientCA, authorities); err != nil {
			return nil, err
		}
	}
	return &pair{served.Leaf, config}, nil
}

func parseAuthorities(path string, data []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("read certificate authorities: %s holds no certificate in PEM", path)
	}
	return pool, nil
}

// CheckAuthorities reports a file that cannot be Files.ClientCA.
func CheckAuthorities(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read certificate authorities: %w", err)
	}
	_, err = parseAuthorities(path, data)
	return err
}

// Config returns the configuration of a server. Each handshake uses the pair that is served then.
func (s *Source) Config() *tls.Config {
	config := s.now.Load().config.Clone()
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return s.now.Load().config, nil }
	return config
}

// Covers reports whether the certificate is valid for a host name or address.
func (s *Source) Covers(host string) bool { return s.now.Load().leaf.VerifyHostname(host) == nil }

// Fingerprint returns the fingerprint of the certificate that is served.
func (s *Source) Fingerprint() string { return Fingerprint(s.now.Load().leaf) }

// PublicKeyPin returns the pin of the public key of the certificate that is served, in the form that curl
// takes: sha256// and the SHA-256 of its SubjectPublicKeyInfo in base64.
func (s *Source) PublicKeyPin() string {
	sum := sha256.Sum256(s.now.Load().leaf.RawSubjectPublicKeyInfo)
	return "sha256//" + base64.StdEncoding.EncodeToString(sum[:])
}

// Watch reads the files again whenever they differ, until ctx ends.
func (s *Source) Watch(ctx context.Context) {
	ticker := time.NewTicker(checkEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.check()
		}
	}
}

// check serves what the files have now, if that is another pair and can be used.
func (s *Source) check() {
	p, sum, err := s.load()
	switch {
	case sum == s.read:
		return
	case err != nil:
		s.log.Error("certificate not reloaded; the one before stays in use", "error", err)
	default:
		s.now.Store(p)
		s.log.Info("certificate reloaded", "fingerprint", Fingerprint(p.leaf), "not_after", p.leaf.NotAfter)
	}
	s.read = sum
}

// Fingerprint returns the SHA-256 of a certificate, as "openssl x509 -fingerprint -sha256" has it, in
// lower case and without colons.
func Fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// FingerprintOf returns the fingerprint of the first certificate in a file.
func FingerprintOf(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read certificate: %w", err)
	}
	leaf, err := firstCertificate(data)
	if err != nil {
		return "", fmt.Errorf("read certificate %s: %w", path, err)
	}
	return Fingerprint(leaf), nil
}

// ParseFingerprint returns a fingerprint in the form of Fingerprint: upper case, colons and a prefix as
// openssl prints them are taken off.
func ParseFingerprint(text string) (string, error) {
	if _, after, found := strings.Cut(text, "="); found {
		text = after // "sha256 Fingerprint=..."
	}
	text = strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(strings.ToLower(strings.TrimSpace(text)), "sha256:"), ":", ""))
	if sum, err := hex.DecodeString(text); err != nil || len(sum) != sha256.Size {
		return "", errors.New("a fingerprint is the SHA-256 of a certificate: 64 hexadecimal digits, with or without colons; the pin of a public key (sha256//...) is for curl")
	}
	return text, nil
}
