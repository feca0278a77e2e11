package engine_test

import (
	"errors"
	"strings"
	"testing"

	"lightd/observed/engine"
)

// TestMessageIsStable holds two texts of one failure against each other, and what stays of them.
func TestMessageIsStable(t *testing.T) {
	ours, a, b := strings.Repeat("0f", 32), strings.Repeat("a1", 32), strings.Repeat("b2", 32)
	for name, c := range map[string]struct{ one, other, want string }{
		"endpoint": {
			"start container " + ours + ": driver failed programming external connectivity on endpoint lightd-x (" + a + "): Bind for 0.0.0.0:80 failed: port is already allocated",
			"start container " + ours + ": driver failed programming external connectivity on endpoint lightd-x (" + b + "): Bind for 0.0.0.0:80 failed: port is already allocated",
			"start container 0f0f0f0f0f0f: driver failed programming external connectivity on endpoint lightd-x: Bind for 0.0.0.0:80 failed: port is already allocated",
		},
		"layer": {
			"mount /var/lib/docker/overlay2/" + a + "/merged: invalid argument", "mount /var/lib/docker/overlay2/" + b + "/merged: invalid argument",
			"mount /var/lib/docker/overlay2/.../merged: invalid argument",
		},
		"ephemeral port": {
			`Get "https://r.example.com/v2/": read tcp 10.0.0.5:51234->3.4.5.6:443: read: connection reset by peer`,
			`Get "https://r.example.com/v2/": read tcp 10.0.0.5:49152->3.4.5.7:443: read: connection reset by peer`,
			`Get "https://r.example.com/v2/": read tcp: read: connection reset by peer`,
		},
		"resolved address": {
			`Get "https://r.example.com/v2/": dial tcp 3.4.5.6:443: i/o timeout`, `Get "https://r.example.com/v2/": dial tcp [2001:db8::1]:443: i/o timeout`,
			`Get "https://r.example.com/v2/": dial tcp: i/o timeout`,
		},
		"name server": {
			"dial tcp: lookup r.example.com on 8.8.8.8:53: read udp 10.0.0.5:41234->8.8.8.8:53: i/o timeout",
			"dial tcp: lookup r.example.com on 1.1.1.1:53: read udp 10.0.0.5:40000->1.1.1.1:53: i/o timeout",
			"dial tcp: lookup r.example.com: read udp: i/o timeout",
		},
		"request id":       {"denied (request id: 7f-1, x)", "denied (request id: 8e-2, x)", "denied (request id, x)"},
		"expired":          {"current time 2026-01-01T00:00:01Z is after 2025-01-01T00:00:00Z", "current time 2026-01-01T00:00:16Z is after 2025-01-01T00:00:00Z", "current time is after 2025-01-01T00:00:00Z"},
		"holder of a port": {"in use by nginx (pid 7)", "in use by nginx (pid 7)", "in use by nginx (pid 7)"},
		"process":          {"setns: pid 4711: no such process", "setns: pid 815: no such process", "setns: pid: no such process"},
		"temporary file":   {"write /var/lib/docker/tmp/GetImageBlob81: no space left on device", "write /var/lib/docker/tmp/GetImageBlob7: no space left on device", "write /var/lib/docker/tmp/...: no space left on device"},
		"duration":         {"gave up after 10.002s", "gave up after 3ms", "gave up after some time"},
		"digest":           {"manifest for x@sha256:" + a + " not found", "manifest for x@sha256:" + a + " not found", "manifest for x@sha256:" + a + " not found"},
		"number of bytes":  {"needs 107374182400 bytes", "needs 107374182400 bytes", "needs 107374182400 bytes"},
		"configured":       {"the engine did not answer in time (10s)", "the engine did not answer in time (10s)", "the engine did not answer in time (10s)"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, text := range []string{c.one, c.other} {
				if got := engine.Message(errors.New(text), ours); got != c.want {
					t.Errorf("got  %s\nwant %s", got, c.want)
				}
			}
		})
	}
}

// TestMessageKeepsPaths: the paths of the host that a spec names are shown as they are.
func TestMessageKeepsPaths(t *testing.T) {
	id := strings.Repeat("0f", 32)
	keep := []string{id, "/tmp/a", "/tmp/a b/x", "/srv/volumes/1b4e28ba-2fa1-11d2-883f-0016d3cca427", "/srv/10ms"}
	for text, want := range map[string]string{
		`"/tmp/a" and "/tmp/a b/x" lie inside one another`:                                        "",
		`"/tmp/h4/allowed/x" leads to /tmp/secret`:                                                "",
		`error mounting "/srv/volumes/1b4e28ba-2fa1-11d2-883f-0016d3cca427" to rootfs, /srv/10ms`: "",
		`start container ` + id + `: mount /tmp/a: 3ms`:                                           "start container 0f0f0f0f0f0f: mount /tmp/a: some time",
		`write /var/lib/docker/tmp/docker-import-81/x: no`:                                        "write /var/lib/docker/tmp/...: no",
	} {
		if want == "" {
			want = text
		}
		if got := engine.Message(errors.New(text), keep...); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// TestMessageKeepsWhatDiffers: another cause has another message.
func TestMessageKeepsWhatDiffers(t *testing.T) {
	for _, pair := range [][2]string{
		{"Bind for 0.0.0.0:80 failed", "Bind for 0.0.0.0:81 failed"},
		{"exit code 1", "exit code 2"},
		{"x@sha256:" + strings.Repeat("a", 64), "x@sha256:" + strings.Repeat("b", 64)},
		{`Get "http://10.0.0.1:5000/v2/": EOF`, `Get "http://10.0.0.2:5000/v2/": EOF`},
	} {
		if engine.Message(errors.New(pair[0])) == engine.Message(errors.New(pair[1])) {
			t.Errorf("%q and %q have one message", pair[0], pair[1])
		}
	}
}
