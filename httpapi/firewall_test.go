package httpapi

import (
	"strings"
	"testing"
	"time"
)

// TestFirewallThatIsMissing is a warning of readiness and a difference of the node.
func TestFirewallThatIsMissing(t *testing.T) {
	missing := ""
	n := newNode(t, func(c *config) {
		c.Firewall = func() (string, time.Time) { return missing, time.Unix(1000, 0) }
	})
	n.send("GET", "/readyz", "").want(t, 200, `{"status":"ready"}`)
	if got := n.send("GET", "/drift", ""); got.status != 200 || strings.Contains(got.text, "firewall") {
		t.Errorf("got %+v", got)
	}
	missing = "the daemon lacks CAP_NET_ADMIN"
	n.send("GET", "/readyz", "").want(t, 200, `"firewall"`)
	n.send("GET", "/drift", "").want(t, 200, `"firewall":{"missing":"the daemon lacks CAP_NET_ADMIN","since":"1970-01-01T00:16:40Z"}`)
}
