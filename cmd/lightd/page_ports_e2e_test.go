package main

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestPortsOfThePage connects to what a rebind moves.
func TestPortsOfThePage(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	volume, _ := n.volume()
	first := unused(t, 3)
	n.send("POST", "/network/ports", fmt.Sprintf(`{"ip":"0.0.0.0","ports":"%d-%d"}`, first, first+1)).want(201, "")
	id := "e2e-ports"
	// One server answers on the port inside that both host ports lead to.
	n.send("POST", "/containers", spec(id, volume, fmt.Sprintf(`"power":"running","start_pattern":"^up$",
		"startup_command":"echo up; while :; do echo served | nc -l -p 8080; done",
		"ports":[{"ip":"0.0.0.0","port":%d,"protocol":"tcp","container_port":8080}]`, first))).want(201, "")
	n.until(id, "running", running)
	answers(t, first)
	n.wantInUse(first, id)
	n.wantInUse(first+1, "")

	n.send("POST", "/containers", spec("e2e-late-port", volume, fmt.Sprintf(`"ports":[{"port":%d}]`, first))).want(409, `"error":"Port already in use"`)
	n.send("DELETE", fmt.Sprintf("/network/ports/0.0.0.0/%d", first), "").want(409, "error")

	n.send("POST", "/containers/"+id+"/rebind-network",
		fmt.Sprintf(`{"ports":[{"ip":"0.0.0.0","port":%d,"protocol":"tcp","container_port":8080}]}`, first+1)).want(200, "")
	n.until(id, "rebound", running)
	answers(t, first+1)
	refuses(t, first)
	n.wantInUse(first, "")
	n.wantInUse(first+1, id)
	if got := n.events(id); !slices.Contains(got, "RebindStarted") {
		t.Errorf("events %v", got)
	}

	// A stopped container keeps its claim, a deleted one does not.
	n.send("POST", "/containers/"+id+"/stop", "").want(200, `"message":"Container stop initiated"`)
	n.until(id, "stopped", offline)
	n.wantInUse(first+1, id)
	n.delete(id)
	n.wantInUse(first+1, "")
	refuses(t, first+1)
}

func (n *node) wantInUse(port int, owner string) {
	n.t.Helper()
	a := n.send("GET", fmt.Sprintf("/network/ports/0.0.0.0/%d", port), "").want(200, "")
	if held, _ := a.json["internal_id"].(string); a.json["in_use"] != (owner != "") || held != owner {
		n.t.Errorf("port %d: %s, want it held by %q", port, a.text, owner)
	}
}

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

func answers(t *testing.T, port int) {
	t.Helper()
	poll(t, func() error {
		conn, err := net.DialTimeout("tcp", address(port), time.Second)
		if err != nil {
			return err
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
		if got, _ := io.ReadAll(conn); !strings.Contains(string(got), "served") {
			return fmt.Errorf("port %d says %q", port, got)
		}
		return nil
	})
}

func refuses(t *testing.T, port int) {
	t.Helper()
	poll(t, func() error {
		conn, err := net.DialTimeout("tcp", address(port), patience)
		if err == nil {
			_ = conn.Close()
			return fmt.Errorf("port %d still accepts connections", port)
		}
		return nil
	})
}
