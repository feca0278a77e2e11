package httpapi

import (
	"strings"
	"testing"
)

// TestNoPortsWithoutANetwork: whichever write brings the two together is refused, and changes nothing. The
// default network is the one of a spec without a word of it.
func TestNoPortsWithoutANetwork(t *testing.T) {
	n := newNode(t)
	n.create("web")
	n.installed("web")
	n.send("GET", "/containers/web", "").want(t, 200, `"network":"default"`)
	n.send("PATCH", "/containers/web", `{"network":"default"}`).want(t, 200, `"generation":1`)
	n.send("PATCH", "/containers/web", `{"network":"host"}`).want(t, 400, "must be one of default, none")
	n.send("PATCH", "/containers/web", `{"network":"none"}`).want(t, 200, `"generation":2`)
	const refused, ports = "must be empty with network none", `"ports":[{"port":25566}]`
	n.send("POST", "/containers/web/rebind-network", "{"+ports+"}").want(t, 400, refused)
	n.send("PATCH", "/containers/web", "{"+ports+"}").want(t, 400, refused)
	n.send("PATCH", "/containers/web", `{"ports":[{}]}`).want(t, 400, refused)
	n.send("PUT", "/containers/web", strings.TrimSuffix(n.spec("web"), "}")+`,"network":"none",`+ports+"}").want(t, 400, refused)
	n.send("GET", "/containers/web", "").want(t, 200, `"network":"none"`).want(t, 200, `"generation":2`)
}
