package httpapi

import (
	"fmt"
	"testing"
)

// TestBodiesOfPanels: what clients of the former Lightd send and read.
func TestBodiesOfPanels(t *testing.T) {
	n := newNode(t)
	spec := func(id, ports string) string {
		return fmt.Sprintf(`{"internal_id":%q,"image":"alpine:3","volume_id":%q,"startup_command":"sleep 1","ports":[%s]}`, id, n.volume, ports)
	}
	n.send("POST", "/containers", spec("web", `{"ip":"0.0.0.0","host_port":25565,"container_port":80,"protocol":"tcp"}`)).want(t, 201, "")
	n.send("GET", "/containers/web", "").want(t, 200, `"ports":[{"ip":"0.0.0.0","port":25565,"protocol":"tcp","container_port":80}]`)
	n.send("PUT", "/containers/web", spec("web", `{"host_port":25565,"port":25565,"container_port":80}`)).want(t, 200, `"generation":1`)
	n.send("PUT", "/containers/web", spec("web", `{"host_port":25566,"port":25565}`)).
		want(t, 400, `"details":[{"field":"ports[0].host_port","message":"is another way to write port, which is 25565 here`)
	n.send("GET", "/containers", "").want(t, 200, `"state":"offline","power":"stopped","ports":[{"ip":"0.0.0.0","port":25565,"protocol":"tcp","container_port":80}]`)
	// What was stored as always stays so, unless a PUT says nothing of it.
	n.send("GET", "/containers/web", "").want(t, 200, `"restart":"on-failure"`)
	n.send("PATCH", "/containers/web", `{"restart":"always"}`).want(t, 200, "")
	n.send("PATCH", "/containers/web", `{"env":{"A":"b"}}`).want(t, 200, "")
	n.send("GET", "/containers/web", "").want(t, 200, `"restart":"always"`)

	n.installed("web")
	n.send("POST", "/containers/web/rebind-network", `{"image":"alpine:4","ports":[{"ip":"0.0.0.0","host_port":25566}]}`).want(t, 200, "Network rebinding started")
	n.send("GET", "/containers/web", "").want(t, 200, `"port":25566`).want(t, 200, `"image":"alpine:4"`)
	n.send("POST", "/containers/web/rebind-network", `{"image":"","ports":[]}`).want(t, 400, `"field":"image"`)

	n.send("POST", "/network/ports", `{"ip":"0.0.0.0","port":25570,"protocol":"tcp"}`).want(t, 201, "Port added to pool")
	n.send("PUT", "/network/ports/0.0.0.0/25570/use", `{"in_use":true}`).
		want(t, 200, `{"message":"Port usage updated","ip":"0.0.0.0","port":25570,"protocol":"tcp","in_use":true,"internal_id":""}`)
	ping := n.send("GET", "/api/v1/public/ping", "", "Authorization: ").want(t, 200, "").json
	if ping["status"] != "ok" || ping["message"] != "Lightd is running" || ping["pong"] != true {
		t.Errorf("ping answers %v", ping)
	}
}
