package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"lightd/hack/harness"
)

// rulesOfPrometheus are the alerts, the dashboard and the configuration that the repository has.
const rulesOfPrometheus = "../../hack/prometheus"

// TestPrometheus has a real Prometheus watch a daemon with the configuration, the alerts and the queries of
// the dashboard that the repository has.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	address := fmt.Sprintf("127.0.0.1:%d", unused(t, 1))
	_, n := onSim(t, "--config", perContainer(t), "--listen", "http://127.0.0.1:0,https://"+address)
	volume, _ := n.volume()
	n.send("POST", "/containers?wait=running&timeout=30s", spec("watched", volume, `"power":"running"`)).want(201, "")
	n.send("POST", "/containers", spec("blocked", volume, `"image":"nope:1","power":"running"`)).want(201, "")

	promtool := func(stdin string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "promtool", args...)
		cmd.Stdin = strings.NewReader(stdin)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
	metrics := n.send("GET", "/metrics", "").want(200, `lightd_container_state{container="watched",state="running"} 1`).want(200, `lightd_container_memory_limit_bytes{container="watched"} 0`).text
	promtool(metrics, "check", "metrics")
	promtool("", "check", "rules", rulesOfPrometheus+"/alerts.yaml")
	promtool("", "test", "rules", rulesOfPrometheus+"/alerts_test.yaml")
	rules := string(harness.Value[[]byte](t)(os.ReadFile(rulesOfPrometheus + "/alerts.yaml")))
	fires := string(harness.Value[[]byte](t)(os.ReadFile(rulesOfPrometheus + "/alerts_test.yaml")))
	for _, alert := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(rules, -1) {
		if !strings.Contains(fires, alert[1]) {
			t.Errorf("no test has the alert %s fire", alert[1])
		}
	}

	p := startPrometheus(t, n, address)
	poll(t, func() error {
		if got := p.query(t, `up{job="lightd"} == 1 and on (instance) lightd_engine_up == 1`); len(got) != 1 {
			return fmt.Errorf("Prometheus has %v", got)
		}
		return nil
	})
	for _, query := range queriesOf(t) {
		p.query(t, query)
		for _, name := range regexp.MustCompile(`\b(lightd|workqueue|process|go)_\w+`).FindAllString(query, -1) {
			if family := strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_count"); !strings.Contains(metrics, "# TYPE "+family+" ") && !strings.Contains(metrics, "# TYPE "+name+" ") {
				t.Errorf("%s asks for %s, which there is not", query, name)
			}
		}
	}
	poll(t, func() error {
		got := p.query(t, `lightd_container_attention{container="blocked"}`)
		if len(got) != 1 || !strings.Contains(got[0]["summary"], "cannot be installed (since ") {
			return fmt.Errorf("of a container whose image is not there: %v", got)
		}
		return nil
	})
	poll(t, func() error { return p.fires(t, "LightdContainersBlocked", "blocked: cannot be installed (since ") })
}

// fires returns nil once an alert fires with a text in its annotation containers.
func (p prometheus) fires(t *testing.T, name, text string) error {
	t.Helper()
	answer, err := web.Get(p.url + "/api/v1/alerts")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var list struct {
		Data struct {
			Alerts []struct {
				State               string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := json.NewDecoder(answer.Body).Decode(&list); err != nil {
		return err
	}
	for _, alert := range list.Data.Alerts {
		if alert.Labels["alertname"] == name && alert.State == "firing" && strings.Contains(alert.Annotations["containers"], text) {
			return nil
		}
	}
	return fmt.Errorf("no alert %s with %q fires: %+v", name, text, list.Data.Alerts)
}

// perContainer is a configuration file in which metrics show containers by their ids, with a certificate and a webhook.
func perContainer(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "lightd.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, "metrics: {per_container: true}\ntls: {self_signed: true}\nhosts: [127.0.0.1]\nwebhooks:\n- {name: panel, url: \"http://%s/\", secret: a secret of a panel}\n", deadAddress(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// prometheus is one that runs.
type prometheus struct{ url string }

// startPrometheus runs one with the configuration of the repository, but for the address of the daemon, which speaks
// TLS, and the pace: alerts fire after a second.
func startPrometheus(t *testing.T, n *node, target string) prometheus {
	t.Helper()
	dir := t.TempDir()
	token, _, code := n.tool("token", "create", "--name", "prometheus", "--scopes", "read", "--ttl", "30d")
	if code != 0 {
		t.Fatal("no token")
	}
	config := string(harness.Value[[]byte](t)(os.ReadFile(rulesOfPrometheus + "/prometheus.yaml")))
	config = strings.NewReplacer("node-1.example.com:8443", target, "15s", "1s").Replace(config)
	alerts := regexp.MustCompile(`for: \w+`).ReplaceAll(harness.Value[[]byte](t)(os.ReadFile(rulesOfPrometheus+"/alerts.yaml")), []byte("for: 1s"))
	for name, text := range map[string]string{"prometheus.yaml": config, "alerts.yaml": string(alerts), "lightd.token": strings.TrimSpace(token),
		"lightd.crt": string(harness.Value[[]byte](t)(os.ReadFile(filepath.Join(n.dir, "tls", "cert.pem"))))} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	address := fmt.Sprintf("127.0.0.1:%d", unused(t, 1))
	background(t, exec.Command("prometheus", "--config.file="+filepath.Join(dir, "prometheus.yaml"), "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address))
	p := prometheus{"http://" + address}
	poll(t, func() error {
		answer, err := web.Get(p.url + "/-/ready")
		if err != nil {
			return err
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("Prometheus answers with %s", answer.Status)
		}
		return nil
	})
	return p
}

// query returns the labels of the series of a query; an error of the query fails the test.
func (p prometheus) query(t *testing.T, query string) (series []map[string]string) {
	t.Helper()
	answer, err := web.Get(p.url + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var result struct {
		Status, Error string
		Data          struct {
			Result []struct{ Metric map[string]string }
		}
	}
	if err := json.NewDecoder(answer.Body).Decode(&result); err != nil || result.Status != "success" {
		t.Fatalf("%s: %v %s", query, err, result.Error)
	}
	for _, r := range result.Data.Result {
		series = append(series, r.Metric)
	}
	return series
}

// queriesOf are those of the dashboard.
func queriesOf(t *testing.T) (queries []string) {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(harness.Value[[]byte](t)(os.ReadFile(rulesOfPrometheus+"/dashboard.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries = append(queries, strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*").Replace(target.Expr))
		}
	}
	if len(queries) < 15 {
		t.Fatalf("the dashboard asks %q alone", queries)
	}
	return queries
}
