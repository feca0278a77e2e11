package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lightd/hack/conform"
	"lightd/hack/eventually"
)

// answer is what came back.
type answer struct {
	t      testing.TB
	what   string
	status int
	header http.Header
	// trailer is what came behind the body.
	trailer http.Header
	text    string
	json    map[string]any
}

// send makes a request with the master token. Each of header is "Name: value"; without a
// value it takes the header away.
func (n *node) send(method, path, body string, header ...string) answer {
	n.t.Helper()
	a, err := n.try(method, path, body, header...)
	if err != nil {
		n.t.Fatalf("%s %s: %v", method, path, err)
	}
	if a.status == http.StatusCreated && strings.HasPrefix(path, "/containers") {
		n.claim(a)
	}
	return a
}

// creators has the test that made each container of the shared engine: two tests that made one of
// the same id would be in each other's way, once they run at the same time.
var creators sync.Map

// claim fails a test that made a container that another one makes too.
func (n *node) claim(made answer) {
	n.t.Helper()
	id, _ := made.json["internal_id"].(string)
	if id == "" || n.engine != nil || n.cmd == nil || slices.Contains(n.cmd.Args, "--docker-host") {
		return
	}
	name, _, _ := strings.Cut(n.t.Name(), "/")
	if other, _ := creators.LoadOrStore(id, name); other != name {
		n.t.Errorf("the container %s is of %s as well", id, other)
	}
}

var web = &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}

// described holds answers against the OpenAPI document.
var described = sync.OnceValue(func() *conform.Checker {
	c, err := conform.New()
	if err != nil {
		panic(err)
	}
	return c
})

func (n *node) try(method, path, body string, header ...string) (answer, error) {
	r, err := http.NewRequest(method, n.url+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Authorization", "Bearer "+n.token)
	r.Header.Set("Accept", "Application/vnd.pkglatv1+json")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, line := range header {
		if name, value, _ := strings.Cut(line, ": "); value != "" {
			r.Header.Set(name, value)
		} else {
			r.Header.Del(strings.TrimSuffix(name, ":"))
		}
	}
	response, err := web.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	if n.binary == "" { // the document is this revision's
		if err := described().Check(conform.Exchange{Method: method, Path: r.URL.EscapedPath(), Request: []byte(body),
			Status: response.StatusCode, Type: response.Header.Get("Content-Type"), Answer: data}); err != nil {
			n.t.Error(err)
		}
	}
	a := answer{t: n.t, what: method + " " + path, status: response.StatusCode, header: response.Header, trailer: response.Trailer, text: string(data)}
	if strings.Contains(response.Header.Get("Content-Type"), "json") {
		if err := json.Unmarshal(data, &a.json); err != nil {
			return a, fmt.Errorf("%q is not JSON: %w", data, err)
		}
	}
	return a, nil
}

// want fails the test unless a has that status, and the text in its body.
func (a answer) want(status int, text string) answer {
	a.t.Helper()
	if a.status != status || !strings.Contains(a.text, text) {
		a.t.Fatalf("%s: got %d %s, want %d with %q", a.what, a.status, a.text, status, text)
	}
	return a
}

// view is what GET /containers/:id tells, as far as the tests ask.
type view struct {
	ContainerID        string `json:"container_id"`
	InstallState       string `json:"install_state"`
	State              string `json:"state"`
	Summary            string `json:"summary"`
	Power              string `json:"power"`
	Generation         int64  `json:"generation"`
	ObservedGeneration int64  `json:"observed_generation"`
	Restarts           int    `json:"restarts"`
	LastExit           *struct {
		Code   int    `json:"code"`
		Signal string `json:"signal"`
		OOM    bool   `json:"oom"`
	} `json:"last_exit"`
	Ports []struct {
		Port int `json:"port"`
	} `json:"ports"`
	Conditions []struct {
		Type, Status, Reason, Message string
		LastTransitionTime            time.Time `json:"last_transition_time"`
	} `json:"conditions"`
}

// reason returns the reason of a condition of the given status, else nothing.
func (c view) reason(kind, status string) string {
	for _, cond := range c.Conditions {
		if cond.Type == kind && cond.Status == status {
			return cond.Reason
		}
	}
	return ""
}

func (c view) synced() bool {
	return c.ObservedGeneration >= c.Generation && c.reason("Synced", "True") != ""
}

func running(c view) bool { return c.State == "running" && c.synced() }
func offline(c view) bool { return c.State == "offline" && c.synced() }
func installed(c view) bool {
	return c.InstallState == "ready" && c.synced()
}

// describe tells of all containers what a failed test has to say.
func (n *node) describe() string {
	var b strings.Builder
	a, err := n.try("GET", "/containers", "")
	if err != nil {
		return err.Error()
	}
	list, _ := a.json["containers"].([]any)
	for _, c := range list {
		if one, err := n.try("GET", "/containers/"+c.(map[string]any)["internal_id"].(string), ""); err == nil {
			b.WriteString(one.text)
		}
	}
	return b.String()
}

func (n *node) get(id string) view {
	n.t.Helper()
	var c view
	a := n.send("GET", "/containers/"+id, "").want(200, "")
	if err := json.Unmarshal([]byte(a.text), &c); err != nil {
		n.t.Fatal(err)
	}
	return c
}

// until waits for a container to be as wanted.
func (n *node) until(id, what string, is func(view) bool) view {
	n.t.Helper()
	var c view
	poll(n.t, func() error {
		if c = n.get(id); !is(c) {
			return eventually.LazyError(func() string { return fmt.Sprintf("%s is not %s: %+v; events %v", id, what, c, n.events(id)) })
		}
		return nil
	})
	return c
}
