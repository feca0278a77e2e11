package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMetricsOfANode: what happens on a node is in its metrics, and a profile is for the operator alone.
func TestMetricsOfANode(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "lightd.yaml")
	text := fmt.Sprintf("webhooks:\n- {name: panel, url: \"http://%s/\", secret: a secret of a panel}\n", deadAddress(t))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, n := onSim(t, "--config", file)
	volume, _ := n.volume()
	n.send("POST", "/network/ports", `{"ip":"127.0.0.1","ports":"15570-15571"}`).want(201, "")
	n.send("POST", "/containers?wait=running&timeout=30s", spec("web", volume, `"power":"running","ports":[{"ip":"127.0.0.1","port":15570}]`)).want(201, "")
	n.send("POST", "/containers/web/restart?wait=running&timeout=30s", "").want(200, "")
	metrics := n.send("GET", "/metrics", "").want(200, "").text
	for _, want := range []string{
		`lightd_build_info{goversion="go`, `lightd_containers{state="running"} 1`, `lightd_engine_up 1`, `lightd_volumes 1`,
		`lightd_container_conditions{reason="Synced",status="True",type="Synced"} 1`,
		`lightd_ports{protocol="tcp",state="in_use"} 1`, `lightd_ports{protocol="tcp",state="free"} 1`,
		`lightd_step_duration_seconds_count{result="ok",step="StartContainer"} 2`, `lightd_events_total{type="Running"} 2`,
		`lightd_engine_call_duration_seconds_count{call="start container",result="ok"} 2`, `lightd_reconcile_duration_seconds_count{result="ok"} `,
		`workqueue_adds_total{name="containers"} `, `workqueue_adds_total{name="inspections"} `, `workqueue_depth{name="pulls"} 0`,
		`lightd_restarts_total{cause="crash"} 0`, `lightd_restarts_total{cause="request"} 1`,
		`lightd_webhook_lag_events{webhook="panel"} `, `lightd_database_commit_seconds_count `, `process_open_fds `,
	} {
		if !strings.Contains(metrics, "\n"+want) {
			t.Errorf("%s is not in\n%s", want, metrics)
		}
	}
	for _, counted := range []string{
		`lightd_reconcile_duration_seconds_count{result="ok"}`, `workqueue_adds_total{name="containers"}`, `lightd_database_commit_seconds_count`,
	} {
		if strings.Contains(metrics, "\n"+counted+" 0\n") {
			t.Errorf("%s counts nothing", counted)
		}
	}
	for _, secret := range []string{"web\"", volume, "a secret of a panel"} {
		if strings.Contains(metrics, secret) {
			t.Errorf("the metrics have %s", secret)
		}
	}
	if err := os.WriteFile(file, []byte(text+"metrics: {per_container: true}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n.hangUp(`msg="configuration reloaded" changed="?metrics\.per_container`)
	n.send("GET", "/metrics", "").want(200, `lightd_container_state{container="web",state="running"} 1`)
	n.send("GET", "/debug/pprof/heap?debug=1", "").want(200, "heap profile: ")
	n.send("GET", "/debug/pprof/heap?seconds=61", "").want(400, "seconds")
	n.send("GET", "/debug/pprof/cmdline", "").want(404, "Profile not found")
	stdout, _, code := n.tool("token", "create", "--ttl", "1h", "--scopes", "read")
	if code != 0 {
		t.Fatal("no second token")
	}
	prometheus := &node{t: t, url: n.url, token: strings.TrimSpace(stdout), log: n.log}
	prometheus.send("GET", "/metrics", "").want(200, "lightd_engine_up 1")
	prometheus.send("GET", "/debug/pprof/heap", "").want(403, "insufficient_scope")
	bound, _, _ := n.tool("token", "create", "--ttl", "1h", "--scopes", "read", "--container", "web")
	(&node{t: t, url: n.url, token: strings.TrimSpace(bound), log: n.log}).send("GET", "/metrics", "").want(403, "")
}
