package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"lightd/hack/harness"
	"lightd/hack/simengine"
)

// TestFirstLineAsJSON: where the log is JSON, so is the line that says that requests are accepted,
// and it names what runs where. The engine's version is there as soon as the engine is.
func TestFirstLineAsJSON(t *testing.T) {
	t.Parallel()
	_, host := harness.SimHost(t, simengine.Options{})
	for name, c := range map[string]struct{ host, engine string }{
		"with an engine":    {host, "20.10.24"},
		"without an engine": {"unix:///nonexistent/docker.sock", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			cmd := program(t, nil, "serve", "--data-dir", dir, "--listen", "127.0.0.1:0", "--log-format", "json", "--docker-host", c.host)
			log := &harness.Buffer{}
			cmd.Stderr = log
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewReader(out)
			first, err := lines.ReadString('\n')
			if err != nil {
				t.Errorf("first line: %v", err)
			}
			var line struct {
				Time, Level, Msg, Version, Address string
				DataDir                            string  `json:"data_dir"`
				EngineVersion                      *string `json:"engine_version"`
				APIVersion                         *string `json:"engine_api_version"`
			}
			if err := json.Unmarshal([]byte(first), &line); err != nil {
				t.Errorf("%q: %v", first, err)
			}
			if line.Time == "" || line.Level != "INFO" || line.Msg != "accepts requests" || line.Version != version || line.DataDir != dir ||
				line.EngineVersion == nil || *line.EngineVersion != c.engine || line.APIVersion == nil || (*line.APIVersion == "") != (c.engine == "") {
				t.Errorf("first line %s", first)
			}
			if answer, err := http.Get(line.Address + "/healthz"); err != nil || answer.Body.Close() != nil || answer.StatusCode != http.StatusOK {
				t.Errorf("%s: %v", line.Address, err)
			}
			n := &node{t: t, cmd: cmd, exited: make(chan struct{}), log: log}
			go func() { _ = cmd.Wait(); close(n.exited) }()
			n.terminate()
			for text := range strings.Lines(log.String()) {
				if !json.Valid([]byte(text)) {
					t.Errorf("a line that is no JSON: %q", text)
				}
			}
		})
	}
}
