package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lightd/hack/harness"
)

// TestIncidents: what breaks in an operator's night, on a real engine. The first lines of describe name what is the
// matter, what the daemon does and what can be done, with what was printed last where that explains it. Engines
// that are away or hang, and full disks, have tests of their own.
func TestIncidents(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "lightd.yaml")
	if err := os.WriteFile(config, []byte("images: {allowed: ['*', '127.0.0.1:1']}\nmetrics: {per_container: true}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := newNode(t, "--config", config)
	holder := harness.Value[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	defer func() { _ = holder.Close() }()
	port := holder.Addr().(*net.TCPAddr).Port
	n.send("POST", "/network/ports", fmt.Sprintf(`{"ip":"127.0.0.1","port":%d}`, port)).want(201, "")
	incidents := map[string]struct{ more, summary, output string }{
		"crash-loop": {`"startup_command":"echo config line 3 is bad; exit 1"`, "ends again and again (since *): its exit code was 1; each restart waits longer*lightd logs crash-loop", "\n  config line 3 is bad\n"},
		"busy-port": {fmt.Sprintf(`"ports":[{"ip":"127.0.0.1","port":%d}]`, port),
			fmt.Sprintf("cannot be started (since *): port 127.0.0.1:%d/tcp is in use on this host by*(pid %d)*; Lightd tries again as soon as the port is free, and every 15 s; end that program, *lightd rebind busy-port", port, os.Getpid()), ""},
		"no-image": {`"image":"127.0.0.1:1/none:1"`, "cannot be installed (since *): pull image 127.0.0.1:1/none:1: the registry is unreachable; Lightd tries again every 30 s*check the name and port of the registry", ""},
		"no-match": {`"start_pattern":"Done","startup_command":"echo Ready; exec sleep 1000"`, `is up, and has not printed its start pattern (since *): no line has matched "Done"; *compare start_pattern`, "Last output:\n  Ready\n"},
		"bad-script": {`"install_script":"echo fetching; printf '\\033[31mnot found\\033[0m\\n'; exit 3"`,
			"was not installed (since *): the install script ended with exit code 3; Lightd does not run it again by itself; *lightd reinstall bad-script", "Last output of the installation:\n  fetching\n  not found\n"},
		"memory": {`"startup_command":"exec tail /dev/zero","limits":{"memory":16777216}`, "ends again and again (since *): the kernel ended it for memory, of which its limit is 16 MiB; *limits.memory", ""},
	}
	volume, _ := n.volume()
	for id, incident := range incidents {
		n.send("POST", "/containers", spec(id, volume, `"power":"running",`+incident.more)).want(201, "")
	}
	for id, incident := range incidents {
		n.until(id, incident.summary, func(c view) bool { return matchesWords(incident.summary, c.Summary) })
		poll(t, func() error { // a busy engine may not give the output at once
			printed, _, code := n.tool("describe", id)
			if first, _, found := strings.Cut(printed, "\nState: "); code != 0 || !found || !strings.HasSuffix(first+"\n", incident.output) {
				return fmt.Errorf("%s: code %d:\n%s", id, code, printed)
			}
			return nil
		})
	}
	if alerts := n.send("GET", "/metrics", "").want(200, `container_attention{container="bad-script"`).text; strings.Contains(alerts, "fetching") || strings.Contains(alerts, "config line 3") {
		t.Errorf("a label has output of a program: %s", alerts)
	}
}

// matchesWords reports whether the parts of a pattern between its stars are in a text, in their order.
func matchesWords(pattern, text string) bool {
	for part := range strings.SplitSeq(pattern, "*") {
		_, rest, found := strings.Cut(text, part)
		if !found {
			return false
		}
		text = rest
	}
	return true
}
