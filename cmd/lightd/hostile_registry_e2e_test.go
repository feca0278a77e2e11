package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"lightd/hack/harness"
)

// marker is what a hostile registry tries to get into what clients read, with what commands a terminal.
const marker = "instance-credentials-of-the-node"

// hostileRegistry is a registry whose errors are what an attacker wants to read, by the name of the
// repository. It counts the requests that it gets.
func hostileRegistry(t *testing.T) (address string, requests *atomic.Int64) {
	requests = new(atomic.Int64)
	page := "<html><title>" + marker + "</title>\x1b]0;" + marker + "\a\n</html>"
	var server *httptest.Server
	answer := func(w http.ResponseWriter, status int, body string) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		scope := r.URL.Query().Get("scope")
		switch {
		case r.URL.Path == "/token" && strings.Contains(scope, ":token/"):
			answer(w, 500, page)
		case r.URL.Path == "/token" && strings.Contains(scope, ":credentials/"):
			answer(w, 200, `{"AccessKeyId":"`+marker+`"}`)
		case r.URL.Path == "/token":
			answer(w, 200, `{"token":"a"}`)
		case r.Header.Get("Authorization") == "":
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+server.URL+`/token",service="`+marker+`"`)
			answer(w, 401, page)
		case strings.HasPrefix(r.URL.Path, "/v2/page/"):
			answer(w, 500, page)
		case strings.HasPrefix(r.URL.Path, "/v2/unknown/"):
			answer(w, 404, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"`+marker+`","detail":"`+marker+`"}]}`)
		case strings.HasPrefix(r.URL.Path, "/v2/denied/"):
			answer(w, 403, `{"errors":[{"code":"DENIED","message":"`+marker+`\u001b]0;x"}]}`)
		case strings.HasPrefix(r.URL.Path, "/v2/manifest/"):
			w.Header().Set("Content-Type", marker)
			answer(w, 200, strings.Repeat(marker, 1000))
		default:
			answer(w, 400, page)
		}
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://"), requests
}

// TestHostileRegistry: whatever a registry that is listed answers, and the token service that it
// names, none of it reaches a client.
func TestHostileRegistry(t *testing.T) {
	t.Parallel()
	address, requests := hostileRegistry(t)
	n := newNode(t, "--config", settingsFile(t, fmt.Sprintf("images: {allowed: [%q, \"*\"]}\n", address)))
	volume, _ := n.volume()
	names := []string{"page", "unknown", "denied", "manifest", "token", "credentials", "other"}
	read := []string{"/containers", "/events?limit=1000", "/drift", "/readyz"}
	for _, name := range names {
		image := fmt.Sprintf(`"image":"%s/%s/x"`, address, name)
		a := n.send("PUT", "/containers/"+name+"?wait=installed&timeout=1s", spec(name, volume, image))
		if strings.Contains(a.text, marker) {
			t.Errorf("%s: %s", name, a.text)
		}
		read = append(read, "/containers/"+name, "/containers/"+name+"/events", "/containers/"+name+"/plan", "/containers/"+name+"/drift")
	}
	for _, name := range names {
		n.until(name, "failed to pull", func(view) bool {
			return strings.Contains(n.send("GET", "/containers/"+name, "").text, "ImageUnavailable")
		})
	}
	for _, path := range read {
		if a := n.send("GET", path, ""); strings.Contains(a.text, marker) || strings.Contains(a.text, "html") {
			t.Errorf("%s: %s", path, a.text)
		}
	}
	if requests.Load() == 0 || !strings.Contains(n.log.String(), marker) {
		t.Errorf("%d requests, and the log does not have their answers", requests.Load())
	}
	if strings.ContainsAny(n.log.String(), "\x1b\a") {
		t.Error("the log has what commands a terminal")
	}
}

// TestUnlistedRegistry: nothing is requested of a registry on this machine that is not listed, by its
// address at the write, and by its name at the pull.
func TestUnlistedRegistry(t *testing.T) {
	t.Parallel()
	address, requests := hostileRegistry(t)
	_, port, _ := strings.Cut(address, ":")
	n := newNode(t)
	volume, _ := n.volume()
	for _, host := range []string{"127.0.0.1", "127.1", "0x7f.1", "2130706433", "localhost", "a.localhost", "[::1]", "[::ffff:7f00:1]"} {
		n.send("PUT", "/containers/e2e-unlisted", spec("e2e-unlisted", volume, fmt.Sprintf(`"image":"%s:%s/page/x"`, host, port))).want(400, "address")
	}
	name, err := os.Hostname()
	if err != nil || strings.Contains(name, "_") {
		t.Skipf("no name of this machine: %v", err)
	}
	n.send("PUT", "/containers/e2e-unlisted", spec("e2e-unlisted", volume, fmt.Sprintf(`"image":"%s:%s/page/x"`, name, port))).want(201, "")
	n.until("e2e-unlisted", "refused", func(view) bool {
		return strings.Contains(n.send("GET", "/containers/e2e-unlisted", "").text, `"reason":"ImageNotAllowed"`)
	})
	if n.send("GET", "/containers/e2e-unlisted/events", "").want(200, "Blocked"); requests.Load() != 0 {
		t.Errorf("%d requests reached it", requests.Load())
	}
	n.send("PATCH", "/containers/e2e-unlisted", fmt.Sprintf(`{"image":%q}`, harness.Busybox())).want(200, "")
}
