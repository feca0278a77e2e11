package certs

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lightd/hack/harness"
)

// served returns the fingerprint that a handshake shows.
func served(t *testing.T, s *Source) string {
	t.Helper()
	client, server := net.Pipe()
	defer client.Close()
	go func() { _ = tls.Server(server, s.Config()).Handshake() }()
	c := tls.Client(client, &tls.Config{InsecureSkipVerify: true})
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	return Fingerprint(c.ConnectionState().PeerCertificates[0])
}

// TestReload replaces the pair in the ways of certbot (links), cert-manager (a renamed directory link) and
// of an editor (in place), and by broken ones, of which each is logged once.
func TestReload(t *testing.T) {
	dir := t.TempDir()
	one := harness.Value[Files](t)(SelfSigned(filepath.Join(dir, "one"), []string{"localhost"}))
	two := harness.Value[Files](t)(SelfSigned(filepath.Join(dir, "two"), []string{"localhost"}))
	first, second := harness.Value[string](t)(FingerprintOf(one.Cert)), harness.Value[string](t)(FingerprintOf(two.Cert))
	live := filepath.Join(dir, "live")
	if err := os.Symlink("one", live); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s := harness.Value[*Source](t)(Open(Files{Cert: filepath.Join(live, "cert.pem"), Key: filepath.Join(live, "key.pem")}, slog.New(slog.NewTextHandler(&log, nil))))
	relink := func(to string) {
		t.Helper()
		next := filepath.Join(dir, "next")
		if err := os.Symlink(to, next); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, live); err != nil {
			t.Fatal(err)
		}
	}
	want := func(fingerprint, line string) {
		t.Helper()
		log.Reset()
		for range 3 {
			s.check()
		}
		if got := served(t, s); got != fingerprint || s.Fingerprint() != fingerprint {
			t.Errorf("served is %s, want %s", got, fingerprint)
		}
		if n := strings.Count(log.String(), "\n"); line == "" && n > 0 || line != "" && (n != 1 || !strings.Contains(log.String(), line)) {
			t.Errorf("the log has %q, want %q once", log.String(), line)
		}
	}
	want(first, "")
	relink("two")
	want(second, "certificate reloaded")
	// The certificate comes before its key.
	cert := harness.Value[[]byte](t)(os.ReadFile(one.Cert))
	if err := os.WriteFile(two.Cert, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	want(second, "not reloaded")
	if err := os.WriteFile(two.Key, harness.Value[[]byte](t)(os.ReadFile(one.Key)), 0o600); err != nil {
		t.Fatal(err)
	}
	want(first, "certificate reloaded")
	if err := os.Remove(two.Cert); err != nil {
		t.Fatal(err)
	}
	want(first, "no such file")
	if err := os.WriteFile(two.Cert, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	want(first, "not reloaded")
}

// TestSelfSignedIsMadeOnce: a second start serves the same, and one half of a pair is never replaced.
func TestSelfSignedIsMadeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	files := harness.Value[Files](t)(SelfSigned(dir, []string{"node-1", "192.0.2.1"}))
	before := harness.Value[string](t)(FingerprintOf(files.Cert))
	again := harness.Value[Files](t)(SelfSigned(dir, []string{"other"}))
	if got := harness.Value[string](t)(FingerprintOf(again.Cert)); got != before {
		t.Errorf("it was %s, and is %s", before, got)
	}
	for _, path := range []string{files.Cert, files.Key} {
		if mode := harness.Value[os.FileInfo](t)(os.Stat(path)).Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o", path, mode)
		}
	}
	s := harness.Value[*Source](t)(Open(files, slog.Default()))
	for host, covered := range map[string]bool{"node-1": true, "192.0.2.1": true, "other": false} {
		if s.Covers(host) != covered {
			t.Errorf("covers %s: %v", host, !covered)
		}
	}
	if err := os.Remove(files.Key); err != nil {
		t.Fatal(err)
	}
	if _, err := SelfSigned(dir, nil); err == nil {
		t.Error("a certificate without its key was replaced")
	}
}

func TestParseFingerprint(t *testing.T) {
	plain := strings.Repeat("0a", 32)
	colons := strings.TrimSuffix(strings.Repeat("0A:", 32), ":")
	for _, text := range []string{plain, strings.ToUpper(plain), colons, "sha256:" + plain, "SHA256 Fingerprint=" + colons + "\n"} {
		if got, err := ParseFingerprint(text); err != nil || got != plain {
			t.Errorf("%q: got %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0a", plain + "0a", strings.Repeat("xy", 32)} {
		if _, err := ParseFingerprint(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
