package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"lightd/hack/harness"
	"lightd/httpapi/certs"
)

// renewedWithin is how soon new connections get the new certificate; the machine may be busy.
const renewedWithin = 5*time.Second + 5*time.Second

// serveProgram starts the program with a file of settings and no engine, and returns its address and log.
func serveProgram(t *testing.T, settings string) (address string, log *harness.Buffer) {
	t.Helper()
	dir, log := t.TempDir(), &harness.Buffer{}
	cmd := program(t, []string{"DOCKER_HOST=unix:///nonexistent/docker.sock"}, "serve", "--data-dir", filepath.Join(dir, "data"), "--config", settingsFile(t, settings))
	cmd.Stderr = log
	out := harness.Value[io.ReadCloser](t)(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v:\n%s", err, log)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	_, address, found := strings.Cut(strings.TrimSpace(line), "https://")
	if err != nil || !found {
		t.Fatalf("%v %q\n%s", err, line, log)
	}
	return address, log
}

// newCertificate makes a certificate in a directory of its own.
func newCertificate(t *testing.T) certs.Files {
	t.Helper()
	return harness.Value[certs.Files](t)(certs.SelfSigned(t.TempDir(), []string{"127.0.0.1"}))
}

// insecureTLS accepts every certificate: the test compares their fingerprints.
var insecureTLS = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // as above

func servedFingerprint(address string) (string, error) {
	conn, err := tls.Dial("tcp", address, insecureTLS)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	return certs.Fingerprint(conn.ConnectionState().PeerCertificates[0]), nil
}

// renewal is a daemon whose certificate is renewed on the disk, and a connection that was opened with the first one.
type renewal struct {
	t       *testing.T
	dir     string
	address string
	log     *harness.Buffer
	first   certs.Files
	open    *http.Client
}

func newRenewal(t *testing.T) *renewal {
	t.Helper()
	r := &renewal{t: t, dir: t.TempDir(), first: newCertificate(t)}
	r.swap(r.first)
	r.address, r.log = serveProgram(t, fmt.Sprintf("listen: 127.0.0.1:0\ntls: {cert: %s, key: %s}\n", r.at("live/cert.pem"), r.at("live/key.pem")))
	r.expect(r.first)
	r.open = &http.Client{Transport: &http.Transport{TLSClientConfig: insecureTLS, MaxConnsPerHost: 1}, Timeout: patience}
	r.goesOn()
	return r
}

func (r *renewal) at(name string) string { return filepath.Join(r.dir, name) }

// swap puts the files in place as kubelet does: their directory is behind a link, which is swapped; the files may be
// links themselves, as those of certbot are.
func (r *renewal) swap(files certs.Files) {
	r.t.Helper()
	archive := filepath.Join(filepath.Dir(files.Cert), "versions")
	if err := errors.Join(os.Mkdir(archive, 0o700), os.Symlink(files.Cert, filepath.Join(archive, "cert.pem")), os.Symlink(files.Key, filepath.Join(archive, "key.pem")),
		os.Symlink(archive, r.at("next")), os.Rename(r.at("next"), r.at("live"))); err != nil {
		r.t.Fatal(err)
	}
}

// ownFiles makes the place of the files a directory that has files of its own.
func (r *renewal) ownFiles() {
	r.t.Helper()
	if err := errors.Join(os.Remove(r.at("live")), os.Mkdir(r.at("live"), 0o700)); err != nil {
		r.t.Fatal(err)
	}
}

// place writes the files to their place.
func (r *renewal) place(files certs.Files, write func(path string, data []byte) error) {
	r.t.Helper()
	for name, from := range map[string]string{"key.pem": files.Key, "cert.pem": files.Cert} {
		if err := write(filepath.Join(r.at("live"), name), harness.Value[[]byte](r.t)(os.ReadFile(from))); err != nil {
			r.t.Fatal(err)
		}
	}
}

func inPlace(path string, data []byte) error { return os.WriteFile(path, data, 0o600) }

func renamed(path string, data []byte) error {
	return errors.Join(os.WriteFile(path+".new", data, 0o600), os.Rename(path+".new", path))
}

// expect waits until the certificate of the files is served.
func (r *renewal) expect(files certs.Files) {
	r.t.Helper()
	want, began := harness.Value[string](r.t)(certs.FingerprintOf(files.Cert)), time.Now()
	for {
		got, err := servedFingerprint(r.address)
		if err == nil && got == want {
			return
		}
		if time.Since(began) > renewedWithin {
			r.t.Fatalf("served: %s %v, want %s", got, err, want)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// goesOn fails the test unless the open connection is still the first one.
func (r *renewal) goesOn() {
	r.t.Helper()
	a, err := r.open.Get("https://" + r.address + "/healthz")
	if err != nil {
		r.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, a.Body)
	_ = a.Body.Close()
	if got, want := certs.Fingerprint(a.TLS.PeerCertificates[0]), harness.Value[string](r.t)(certs.FingerprintOf(r.first.Cert)); got != want {
		r.t.Errorf("the open connection was replaced by one with %s", got)
	}
}

// TestCertificateRenewal: in each of the ways in which files are replaced new connections get the new
// certificate, and those that are open go on.
func TestCertificateRenewal(t *testing.T) {
	t.Parallel()
	r := newRenewal(t)
	last := newCertificate(t)
	r.swap(last)
	r.expect(last)
	r.goesOn()
	r.ownFiles()
	for _, write := range []func(string, []byte) error{renamed, inPlace} {
		last = newCertificate(t)
		r.place(last, write)
		r.expect(last)
		r.goesOn()
	}
}

// TestBrokenCertificateIsNotServed: it is reported once, and the last one is served until there is another.
func TestBrokenCertificateIsNotServed(t *testing.T) {
	t.Parallel()
	r := newRenewal(t)
	r.ownFiles()
	last := newCertificate(t)
	r.place(last, inPlace)
	r.expect(last)
	const refusal = "certificate not reloaded"
	before := strings.Count(r.log.String(), refusal)
	if err := os.WriteFile(r.at("live/cert.pem"), []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	poll(t, func() error {
		if strings.Count(r.log.String(), refusal) == before {
			return errors.New("the broken file is not reported")
		}
		return nil
	})
	time.Sleep(5 * time.Second) // two more inspections of the files
	if n := strings.Count(r.log.String(), refusal) - before; n != 1 {
		t.Errorf("the broken file is reported %d times", n)
	}
	r.expect(last)
	r.goesOn()
	last = newCertificate(t)
	r.place(last, renamed)
	r.expect(last)
}
