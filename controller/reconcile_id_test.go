package controller_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"
)

// TestReconcileID: each line about a container names the reconcile that it belongs to, and a step
// the one that started it.
func TestReconcileID(t *testing.T) {
	var log bytes.Buffer
	_, n := onSim(t, func(o *setup) { o.log = slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}) })
	n.waitSynced(n.create("a", nil))
	n.stop()
	started, ended := map[string]int{}, map[string]int{}
	for line := range bytes.Lines(log.Bytes()) {
		var entry struct {
			Msg, Container, Step string
			ReconcileID          int `json:"reconcile_id"`
		}
		if err := json.Unmarshal(line, &entry); err != nil {
			t.Fatal(err)
		}
		switch entry.Msg {
		case "step":
			started[entry.Step] = entry.ReconcileID
		case "step ended":
			ended[entry.Step] = entry.ReconcileID
		case "container event":
		default:
			continue
		}
		if entry.ReconcileID == 0 {
			t.Errorf("no reconcile_id in %s", line)
		}
	}
	for _, step := range []string{"CreateContainer", "WriteEntrypoint"} {
		if started[step] == 0 || started[step] != ended[step] {
			t.Errorf("%s was started by reconcile %d and ended in %d", step, started[step], ended[step])
		}
	}
	if started["CreateContainer"] == started["WriteEntrypoint"] {
		t.Error("two reconciles have one id")
	}
}
