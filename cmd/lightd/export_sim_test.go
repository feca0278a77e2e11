package main

import (
	"strings"
	"testing"
)

// TestExport: what one node has, another one has after an apply of the export, spec by spec; what would be
// lost is refused or reported.
func TestExport(t *testing.T) {
	t.Parallel()
	one, other := newDesk(t), newDesk(t)
	one.do("export").is(0, "containers: []\n").want(0, "!0 containers, 0 volumes (without their files), 0 ports of the pool.")
	one.do("port", "add", pool, "127.77.0.1:15570", "127.77.0.1:15565-15566/udp", "15590").want(0)
	rich := `labels: {of: rich, " a, b!": "x=1"}
env: {SECRET: "s3 'cret\"\n\ttwo lines", EMPTY: "", NUMBER: "0123", YES: "yes"}
ports: [{ip: 127.77.0.1, port: 15566, container_port: 80}, {ip: 127.77.0.1, protocol: udp}]
limits: {memory: 64Mi, cpu: 500m, swap: 1Mi, pids: 64}
install_script: |
  #!/bin/sh
  echo one > two

stop: {command: quit, timeout: 30s}
health: {tcp: 80, every: 5s}
tmpfs: {/run/x: 16m}
user: "1000:1000"
hostname: rich.example
restart: always
power: running
tty: false
read_only: true`
	one.do("apply", "-f", one.file("all.yaml", one.web("rich", rich)+"---\n"+one.web("poor", "suspended: true")), "--wait").want(0)
	one.do("volume", "create").want(0)
	all := one.do("export").want(0, "ports: 15565-15567\n", "port: 15570\n", "ports: 15565-15566\n", "protocol: udp\n", "!2 containers, 3 volumes (without their files), 7 ports of the pool.").out

	other.do("diff", "-f", other.file("one.yaml", all)).want(1, "+7 ports of the pool")
	other.do("apply", "-f", other.file("one.yaml", all), "--wait").want(0, "ports of the pool: 7 created, 0 unchanged", "rich: created", "poor: created")
	if again := other.do("export").want(0).out; again != all {
		t.Errorf("exported\n%s\nand from the other node\n%s", all, again)
	}
	other.do("apply", "-f", other.file("one.yaml", all)).want(0, "ports of the pool: 0 created, 7 unchanged", "rich: unchanged", "poor: unchanged")
	one.do("apply", "-f", one.file("two.json", other.do("export", "-o", "json").want(0).out)).want(0, "rich: unchanged", "poor: unchanged")

	// With a selector only what these containers need.
	chosen := one.do("export", "-l", "of=rich").want(0, "!1 container, 1 volume (without their files), 2 ports of the pool.").out
	if strings.Contains(chosen, "poor") || !strings.Contains(chosen, "volumes:\n  - volume_id: ") || strings.Contains(chosen, "15590") {
		t.Errorf("chosen:\n%s", chosen)
	}
	one.do("export", "-l", "=").want(2, "!selector")
	one.do("export", "rich").want(2, "!takes no argument")

	// A port that is out of service is one there no longer, and a token without write would empty the environment.
	one.api().send("PUT", "/network/ports/0.0.0.0/15590/use", `{"in_use":true}`).want(200, "")
	one.do("export").want(0, "!lightd: warning: the port 15590 is reserved here, and free where the file is applied")
	master := one.env["LIGHTD_TOKEN"]
	one.env["LIGHTD_TOKEN"] = strings.TrimSpace(one.do("token", "create", "--ttl", "1h", "--scopes", "read").want(0).out)
	one.do("export").is(1, "").want(1, "!the values of the environment of rich, which the file would lack")
	one.do("export", "-l", "!of").want(0, "internal_id: poor\n")
	one.env["LIGHTD_TOKEN"] = master
}
