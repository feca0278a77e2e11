package metrics

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/desired/kv"
	"lightd/desired/store"
	"lightd/httpapi/api"
	"lightd/observed"
	"lightd/observed/drift"
	"lightd/observed/journal"
	"lightd/observed/status"
	"lightd/observed/usage"
)

// exampleState is a node with two containers, of which one runs.
func exampleState() State {
	size := int64(4096)
	record := map[string]status.Status{"a": {State: status.StateRunning, Conditions: []status.Condition{
		{Type: status.Healthy, Status: status.False, Reason: status.ReasonProbeFailed, Message: "connection refused"},
	}}}
	return State{
		Containers: func() []desired.Container {
			return []desired.Container{{Spec: desired.Spec{InternalID: "a"}}, {Spec: desired.Spec{InternalID: "b"}}}
		},
		Status: func(id string) (status.Status, bool) {
			st, found := record[id]
			return st, found
		},
		StateOf: func(st status.Status) status.State {
			if st.State == "" {
				return status.StateUnknown
			}
			return st.State
		},
		Drift: func(c desired.Container) ([]plan.Field, bool) {
			if c.InternalID == "b" {
				return []plan.Field{{Path: "image", Kind: drift.Spec}, {Path: "env.A", Kind: drift.Spec}}, true
			}
			return nil, true
		},
		EngineUp: func() (bool, time.Time) { return true, time.Now() },
		Node:     func() status.NodeStatus { return status.NodeStatus{Cordon: &desired.Cordon{}} },
		Ports: func() ([]desired.PoolPort, error) {
			return []desired.PoolPort{{Endpoint: desired.Endpoint{Port: 1, Protocol: desired.TCP}, InUse: true}}, nil
		},
		Volumes:  func() ([]store.Volume, error) { return []store.Volume{{Size: &size}, {}}, nil },
		Webhooks: func() []api.Webhook { return []api.Webhook{{Name: "panel", Lag: 7, Failures: 2}} },
		Clients:  func() int { return 3 }, Dropped: func() int64 { return 5 },
		DatabaseSize: func() int64 { return 1 << 20 }, Space: func() kv.Space { return kv.Space{Free: 1 << 30} },
		Each: Each{
			On: func() bool { return false },
			Usage: func(context.Context, []string) map[string]usage.Figures {
				return map[string]usage.Figures{"a": {At: time.Now(), Stats: observed.Stats{CPUUsage: 50, MemoryUsage: 1024}}}
			},
			VolumeSize: func(string) (int64, bool) { return 77, true },
			Matter: func(c desired.Container) string {
				return strings.Repeat("is not well", strings.Count(c.InternalID, "b"))
			},
		},
	}
}

// read returns the answer of the handler.
func read(m *Metrics) string {
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	text, _ := io.ReadAll(answer.Body)
	return string(text)
}

func TestMetrics(t *testing.T) {
	m := New("v1")
	m.Show(exampleState())
	m.ReconcileEnded(time.Millisecond, nil)
	m.StepEnded(plan.StartContainer, time.Second, errors.New("refused"))
	m.EngineCalled("start", time.Second, errors.New("boom"))
	m.EngineCalled("inspect", time.Second, nil)
	m.Event(journal.Event{Type: journal.Exited})
	if err := m.Commit(func() error { return io.ErrUnexpectedEOF }); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a commit that fails: %v", err)
	}
	m.Queues().NewDepthMetric("containers").Inc()
	text := read(m)
	for _, want := range []string{
		`lightd_containers{state="running"} 1`, `lightd_containers{state="unknown"} 1`, `lightd_containers{state="backoff"} 0`,
		`lightd_container_conditions{reason="ProbeFailed",status="False",type="Healthy"} 1`,
		`lightd_containers_drifted{kind="spec"} 1`, `lightd_containers_drifted{kind="deferred"} 0`,
		`lightd_engine_up 1`, `lightd_ports{protocol="tcp",state="in_use"} 1`, `lightd_ports{protocol="udp",state="free"} 0`,
		`lightd_volumes 2`, `lightd_volume_bytes 4096`, `lightd_websocket_clients 3`, `lightd_console_dropped_bytes_total 5`,
		`lightd_webhook_lag_events{webhook="panel"} 7`, `lightd_webhook_failures{webhook="panel"} 2`,
		`lightd_webhook_last_delivery_seconds{webhook="panel"} 0`,
		`lightd_node_cordoned 1`, `lightd_node_drained 0`, `lightd_database_bytes 1.048576e+06`, `lightd_disk_free_bytes 1.073741824e+09`,
		`lightd_reconcile_duration_seconds_count{result="ok"} 1`, `lightd_step_duration_seconds_count{result="failed",step="StartContainer"} 1`,
		`lightd_engine_call_duration_seconds_count{call="start",result="other"} 1`, `lightd_engine_call_duration_seconds_count{call="inspect",result="ok"} 1`,
		`lightd_database_commit_seconds_count 1`, `lightd_events_total{type="Exited"} 1`, `lightd_events_total{type="OOMKilled"} 0`,
		`workqueue_depth{name="containers"} 1`,
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("%s is not in the answer", want)
		}
	}
	problems, err := testutil.GatherAndLint(m.registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("names and units: %v, %v", problems, err)
	}
}

// TestEachContainer: nothing has the id of a container until the operator asks for it.
func TestEachContainer(t *testing.T) {
	s, on := exampleState(), false
	s.Each.On = func() bool { return on }
	m := New("v1")
	m.Show(s)
	if text := read(m); strings.Contains(text, "container=") {
		t.Errorf("unasked:\n%s", text)
	}
	on = true
	text := read(m)
	for _, want := range []string{
		`lightd_container_state{container="a",state="running"} 1`, `lightd_container_cpu_cores{container="a"} 0.5`,
		`lightd_container_memory_bytes{container="a"} 1024`, `lightd_container_volume_bytes{container="b"} 77`,
		`lightd_container_attention{container="b",summary="is not well"} 1`, `lightd_container_restarts_total{container="a"} 0`,
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("%s is not in the answer", want)
		}
	}
	if strings.Contains(text, `attention{container="a"`) || strings.Contains(text, `cores{container="b"`) {
		t.Errorf("too much:\n%s", text)
	}
	if problems, err := testutil.GatherAndLint(m.registry); err != nil || len(problems) > 0 {
		t.Errorf("names and units: %v, %v", problems, err)
	}
}

// TestDocumented: the reference has every metric of ours, and no other.
func TestDocumented(t *testing.T) {
	s := exampleState()
	s.Each.On = func() bool { return true }
	m := New("v1")
	m.Show(s)
	m.ReconcileEnded(0, nil)
	m.StepEnded(plan.StartContainer, 0, nil)
	m.EngineCalled("start", 0, nil)
	names := func(pattern, text string) []string {
		found := map[string]bool{}
		for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			found[match[1]] = true
		}
		return slices.Sorted(maps.Keys(found))
	}
	are, documented := names(`(?m)^# TYPE (lightd_\w+)`, read(m)), names(`(?m)^//\t(lightd_\w+)`, Doc)
	if !slices.Equal(are, documented) {
		t.Errorf("there are\n%v\ndocumented are\n%v", are, documented)
	}
}

// TestUnreadableDatabase: what cannot be read is left out, and the rest is there.
func TestUnreadableDatabase(t *testing.T) {
	s := exampleState()
	s.Ports = func() ([]desired.PoolPort, error) { return nil, io.ErrUnexpectedEOF }
	s.Volumes = func() ([]store.Volume, error) { return nil, io.ErrUnexpectedEOF }
	m := New("v1")
	m.Show(s)
	text := read(m)
	if strings.Contains(text, "lightd_ports") || strings.Contains(text, "lightd_volumes") || !strings.Contains(text, "\nlightd_engine_up 1\n") {
		t.Errorf("of a database that cannot be read:\n%s", text)
	}
}
