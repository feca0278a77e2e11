package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lightd/httpapi/api"
	"lightd/observed/status"
)

// healthy waits until the condition Healthy is so, with a message that contains a text.
func (n *node) healthy(id string, want status.ConditionStatus, message string) {
	n.t.Helper()
	poll(n.t, func() error {
		var c api.Container
		if err := json.Unmarshal([]byte(n.send("GET", "/containers/"+id, "").want(200, "").text), &c); err != nil {
			return err
		}
		if have := c.Condition(status.Healthy); have.Status != want || !strings.Contains(have.Message, message) {
			return fmt.Errorf("%s: %+v", id, have)
		}
		return nil
	})
}

// TestHealthChecks: each kind of check finds out that a program works, and that it does not.
func TestHealthChecks(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	volume, dir := n.volume()
	create := func(id, command, health string) {
		n.send("POST", "/containers", spec(id, volume, fmt.Sprintf(`"power":"running","startup_command":%q,"health":%s`, command, health))).want(201, "")
		n.until(id, "running", running)
	}
	create("health-http", "mkdir -p www; echo ok > www/index.html; exec httpd -f -p 8080 -h www",
		`{"http":{"port":8080,"path":"/index.html"},"every":"1s","failures":2,"on_failure":"restart"}`)
	create("health-tcp", "httpd -f -p 8081 & while [ ! -e closed ]; do sleep 1; done; kill $!; exec sleep 1000", `{"tcp":8081,"every":"1s","failures":2}`)
	create("health-command", "exec sleep 1000", `{"command":"test ! -e ill","every":"1s","failures":1}`)
	for _, id := range []string{"health-http", "health-tcp", "health-command"} {
		n.healthy(id, status.True, "")
	}
	if out, _, code := n.tool("describe", "health-http"); code != 0 || !strings.Contains(out, "http port 8080/index.html, every 1s within 5s; 2 failures in a row: restart") {
		t.Errorf("exit code %d: %s", code, out)
	}
	before := n.get("health-http")
	if err := os.Remove(filepath.Join(dir, "www", "index.html")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"closed", "ill"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n.healthy("health-tcp", status.False, "port 8081: connection refused")
	n.healthy("health-command", status.False, "exit code 1")
	poll(t, func() error {
		if now := n.get("health-http"); now.Restarts != before.Restarts+1 {
			return fmt.Errorf("%d restarts", now.Restarts)
		}
		return nil
	})
	n.healthy("health-http", status.True, "")
	n.send("GET", "/containers/health-http/events?limit=1000", "").want(200, `"type":"Unhealthy","generation":1,"message":"GET :8080/index.html: status 404"`)

	// A change of the check restarts nothing; a command that hangs is killed with what it began.
	container := n.get("health-command").ContainerID
	n.send("PATCH", "/containers/health-command", `{"health":{"command":"sleep 987; true","timeout":"1s"}}`).want(200, "")
	n.healthy("health-command", status.False, "did not end within 1s")
	n.send("PATCH", "/containers/health-command", `{"health":{"command":"true"}}`).want(200, "")
	n.healthy("health-command", status.True, "")
	d := newDocker(t)
	poll(t, func() error {
		ctx, cancel := d.bounded()
		defer cancel()
		top, err := d.ContainerTop(ctx, "lightd-health-command", nil)
		if err == nil && strings.Contains(fmt.Sprint(top.Processes), "987") {
			err = fmt.Errorf("it runs still: %v", top.Processes)
		}
		return err
	})
	if now := n.get("health-command"); now.ContainerID != container || now.Restarts != 0 {
		t.Errorf("container %s after %s, %d restarts", now.ContainerID, container, now.Restarts)
	}
	n.send("PATCH", "/containers/health-command", `{"health":null}`).want(200, "")
	n.healthy("health-command", "", "")
	for _, id := range []string{"health-http", "health-tcp", "health-command"} {
		n.delete(id)
	}
}
