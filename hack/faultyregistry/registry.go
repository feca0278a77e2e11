package faultyregistry

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"lightd/hack/eventually"
)

// User and Password are what the registry asks for.
const (
	User     = "panel"
	Password = "a secret of the registry"
	// hash is the password by bcrypt, as htpasswd -B makes it.
	hash = "$2a$05$fD3r6udCIxQ.kT0vakqlQu5RAN0pmJEqpVQZZO5Mr6FMNWXDN2CVq"
)

// Auth is both in the form of the header Authorization.
var Auth = base64.StdEncoding.EncodeToString([]byte(User + ":" + Password))

// Registry is a docker-registry that gives nothing without its password.
type Registry struct {
	// Address is where it listens, on this machine's loopback.
	Address string

	t testing.TB
	// configs has the digests of those of the images that were pushed.
	configs sync.Map
}

// Start starts a registry, which ends with the test.
func Start(t testing.TB) *Registry {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &Registry{Address: l.Addr().String(), t: t}
	_ = l.Close()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"htpasswd": User + ":" + hash + "\n",
		"config.yml": fmt.Sprintf("version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s/data}}\nhttp: {addr: %q}\nauth: {htpasswd: {realm: here, path: %s/htpasswd}}\n",
			dir, r.Address, dir),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("docker-registry", "serve", filepath.Join(dir, "config.yml"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	eventually.Poll(t, func() error {
		answer, err := r.request(http.MethodGet, "/v2/", "", nil)
		if err != nil {
			return err
		}
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("the registry answers with %s", answer.Status)
		}
		return nil
	})
	return r
}

// handler passes requests on to the registry.
func (r *Registry) handler() http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(&url.URL{Scheme: "http", Host: r.Address})
			p.Out.Host = p.In.Host
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
}
