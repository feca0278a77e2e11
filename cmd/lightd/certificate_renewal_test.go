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

// TestCertificateRenewal: in each of the ways in which files are replaced new connections get the new
// certificate, those that are open go on, and what cannot be used changes nothing and is logged once.
func TestCertificateRenewal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	place := func(files certs.Files, write func(path string, data []byte) error) {
		t.Helper()
		for name, from := range map[string]string{"key.pem": files.Key, "cert.pem": files.Cert} {
			if err := write(filepath.Join(at("live"), name), harness.Value[[]byte](t)(os.ReadFile(from))); err != nil {
				t.Fatal(err)
			}
		}
	}
	inPlace := func(path string, data []byte) error { return os.WriteFile(path, data, 0o600) }
	renamed := func(path string, data []byte) error {
		return errors.Join(os.WriteFile(path+".new", data, 0o600), os.Rename(path+".new", path))
	}
	// The directory of the files is behind a link, which is swapped as kubelet does; the files may be links
	// themselves, as those of certbot are.
	swapped := func(files certs.Files) {
		t.Helper()
		archive := filepath.Join(filepath.Dir(files.Cert), "versions")
		if err := errors.Join(os.Mkdir(archive, 0o700), os.Symlink(files.Cert, filepath.Join(archive, "cert.pem")), os.Symlink(files.Key, filepath.Join(archive, "key.pem")),
			os.Symlink(archive, at("next")), os.Rename(at("next"), at("live"))); err != nil {
			t.Fatal(err)
		}
	}
	first := newCertificate(t)
	swapped(first)
	address, log := serveProgram(t, fmt.Sprintf("listen: 127.0.0.1:0\ntls: {cert: %s, key: %s}\n", at("live/cert.pem"), at("live/key.pem")))
	expect := func(files certs.Files) {
		t.Helper()
		want, began := harness.Value[string](t)(certs.FingerprintOf(files.Cert)), time.Now()
		for {
			got, err := servedFingerprint(address)
			if err == nil && got == want {
				return
			}
			if time.Since(began) > renewedWithin {
				t.Fatalf("served: %s %v, want %s", got, err, want)
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	expect(first)

	open := &http.Client{Transport: &http.Transport{TLSClientConfig: insecureTLS, MaxConnsPerHost: 1}, Timeout: patience}
	goesOn := func() {
		t.Helper()
		a, err := open.Get("https://" + address + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, a.Body)
		_ = a.Body.Close()
		if got, want := certs.Fingerprint(a.TLS.PeerCertificates[0]), harness.Value[string](t)(certs.FingerprintOf(first.Cert)); got != want {
			t.Errorf("the open connection was replaced by one with %s", got)
		}
	}
	goesOn()
	last := newCertificate(t)
	swapped(last)
	expect(last)
	goesOn()
	// From here on the directory has files of its own.
	if err := errors.Join(os.Remove(at("live")), os.Mkdir(at("live"), 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, write := range []func(string, []byte) error{renamed, inPlace} {
		last = newCertificate(t)
		place(last, write)
		expect(last)
		goesOn()
	}

	const refusal = "certificate not reloaded"
	before := strings.Count(log.String(), refusal)
	if err := os.WriteFile(at("live/cert.pem"), []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	poll(t, func() error {
		if strings.Count(log.String(), refusal) == before {
			return errors.New("the broken file is not reported")
		}
		return nil
	})
	time.Sleep(5 * time.Second) // two more inspections of the files
	if n := strings.Count(log.String(), refusal) - before; n != 1 {
		t.Errorf("the broken file is reported %d times", n)
	}
	expect(last)
	goesOn()
	last = newCertificate(t)
	place(last, renamed)
	expect(last)
}
