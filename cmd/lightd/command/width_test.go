package command

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/cliconfig"
	"lightd/cmd/lightd/terminal"
	"lightd/controller/plan"
	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/observed/journal"
	"lightd/observed/status"
)

const (
	longID   = "survival-world-eu-20"
	longText = "the image registry.example.com/games/minecraft:1.21.4-java21 is not on the machine and the registry does not answer; it is tried again in 24 s, and whatever else is wrong is said here too"
	volumeID = "0b7a52f1-6f0e-4f5c-9a55-0f3f2f6f2f11"
)

// busy is a container of usual values whose messages are long.
func busy() api.Container {
	c := sample()
	c.InternalID, c.VolumeID, c.StartupCommand, c.Image = longID, volumeID, "./game", "registry.example.com/games/minecraft:1.21.4-java21"
	c.State, c.InstallState, c.ContainerID = status.StateRunning, status.Ready, strings.Repeat("a1b2", 3)
	c.Mount = map[string]desired.Mount{"/home/container/plugins": {Source: "/srv/games/shared/survival/plugins-of-the-year"}}
	c.Conditions = []status.Condition{
		{Type: status.Synced, Status: status.False, Reason: status.ReasonImageUnavailable, Message: longText, LastTransitionTime: noon.Add(-26 * time.Hour)},
		{Type: "Running", Status: status.False, Reason: status.ReasonMountUnavailable, Message: longText, LastTransitionTime: noon},
	}
	return c
}

// node answers as a daemon that has one busy container.
func node(t *testing.T) *httptest.Server {
	c := busy()
	event := journal.Event{Seq: 123456, Time: noon.Add(-time.Minute), InternalID: longID, Type: "InstallScriptFailed", Generation: 2, Message: longText}
	yesterday := event
	yesterday.Time = noon.Add(-30 * time.Hour)
	events := map[string]any{"events": []journal.Event{yesterday, event}, "last_seq": 123456}
	next := api.Plan{
		Steps: []plan.Step{{Kind: plan.PullImage, Reason: longText}, {Kind: plan.CreateContainer, Reason: longText}},
		Waits: &plan.Blocker{Reason: status.ReasonImageUnavailable, Message: longText},
		Keeps: []string{"volume " + volumeID, "what the install script left in the container", "addresses and ports"},
		Loses: []string{"the process and what it has in memory", "files outside of the volume"},
	}
	drift := api.Drift{InternalID: longID, Known: true, Fields: []api.DriftField{
		{Path: "startup_command", Desired: longText, Observed: "./game", Since: noon.Add(-time.Hour), Step: plan.CreateContainer, Kind: api.DriftSpec},
		{Path: "limits.memory", Desired: float64(512 << 20), Observed: float64(256 << 20), Since: noon, Step: plan.UpdateLimits, Kind: api.DriftDeferred},
	}}
	refused := map[string]any{"error": "Container is busy", "code": "volume_in_use", "details": []api.Detail{{Message: longText}}}
	answers := map[string]any{
		"/containers":                       map[string]any{"containers": []api.Container{c}},
		"/containers/" + longID:             c,
		"/containers/" + longID + "/events": events,
		"/containers/" + longID + "/plan":   next,
		"/containers/" + longID + "/drift":  drift,
		"/events":                           events,
		"/drift":                            api.NodeDrift{Drifted: 1, Unknown: 2, Containers: []api.Drift{drift, {InternalID: "away"}}, Foreign: []api.Foreign{{Name: "lightd-" + longID, ContainerID: strings.Repeat("a1", 6), InternalID: longID}}},
		"/volumes":                          map[string]any{"volumes": []api.Volume{{VolumeID: volumeID, Path: "/var/lib/lightd/volumes/" + volumeID, Containers: []string{longID, "b"}, CreatedAt: noon.Unix()}}},
		"/network/ports":                    map[string]any{"ports": []desired.PoolPort{{Endpoint: desired.Endpoint{IP: "2001:db8:aaaa:bbbb::ffff", Port: 25565, Protocol: "tcp"}, InUse: true, InternalID: longID}}},
	}
	applied := api.Applied{Created: 1, Containers: []api.Receipt{{InternalID: longID, Action: desired.Created, Generation: 1,
		Wait: &api.Wait{For: api.UntilSynced, Reason: status.ReasonInstallScriptFailed, Message: longText}}}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, found := answers[strings.TrimPrefix(r.URL.Path, "/api/v1")]
		if strings.HasSuffix(r.URL.Path, "/logs") {
			_, _ = w.Write([]byte("Loading\nDone\n"))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/apply") {
			_, _ = io.Copy(io.Discard, r.Body)
			if err := json.NewEncoder(w).Encode(applied); err != nil {
				t.Error(err)
			}
			return
		}
		if !found || r.Method != http.MethodGet {
			w.WriteHeader(http.StatusConflict)
			answer = refused
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

// TestOutputFits: no line of a command's text output is wider than 80 columns where the width
// is 80, and no row of a table is continued below where there is no width.
func TestOutputFits(t *testing.T) {
	server := node(t)
	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, "lightd"), 0o700); err != nil {
		t.Fatal(err)
	}
	contexts := "contexts:\n  production-europe:\n    server: https://lightd.production.example.com:8443/lightd\n    token_file: /home/somebody/.config/lightd/production.token\n"
	if err := os.WriteFile(filepath.Join(home, "lightd", "contexts.yaml"), []byte(contexts), 0o600); err != nil {
		t.Fatal(err)
	}
	spec := filepath.Join(home, "a.yaml")
	if err := os.WriteFile(spec, []byte("internal_id: "+longID+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"apply --wait -f " + spec: "will not be synced by itself",
		"get":                     longID, "get " + longID: "ImageUnavailable", "describe " + longID: "ImageUnavailable", "events": longID, "events " + longID: "InstallScriptFailed",
		"drift": "away", "drift " + longID: "limits.memory", "plan " + longID: "keeps volume " + volumeID, "volume list": volumeID, "port list": longID,
		"port list --free": "There is no free port", "context list": "production-europe", "explain": "internal_id", "explain limits.memory": "limits.memory",
		"explain conditions": "reason", "explain foo": "there is no field", "delete " + longID: "Container is busy", "stop " + longID + " other": "Container is busy", "apply": "",
	} {
		for columns, width := range map[string]int{"80": 80, "": 0} {
			var out bytes.Buffer
			getenv := func(name string) string {
				return map[string]string{"COLUMNS": columns, "XDG_CONFIG_HOME": home, "LIGHTD_URL": server.URL, "LIGHTD_TOKEN": "lightd_" + strings.Repeat("ab", 16)}[name]
			}
			root := &cobra.Command{Use: "lightd", SilenceErrors: true, SilenceUsage: true}
			root.AddGroup(Groups()...)
			root.AddCommand(Commands(Env{
				Streams: terminal.Streams{In: strings.NewReader(""), Out: &out, Err: &out}, Getenv: getenv, Now: func() time.Time { return noon },
				Local: func() (cliconfig.Local, error) { return cliconfig.Local{}, nil },
			})...)
			root.SetArgs(strings.Fields(line))
			err := root.ExecuteContext(t.Context())
			WriteError(&out, width, false, err)
			text := strings.Join(strings.Fields(out.String()), " ")
			if out.Len() == 0 || !strings.Contains(text, want) {
				t.Errorf("%s at %q: got\n%s", line, columns, out.String())
			}
			for got := range strings.Lines(out.String()) {
				if n := utf8.RuneCountInString(strings.TrimRight(got, "\n")); width > 0 && n > width {
					t.Errorf("%s: %d columns: %s", line, n, got)
				}
			}
			if width == 0 && line == "events" && strings.Count(out.String(), "\n") != 3 {
				t.Errorf("rows without a width go on below:\n%s", out.String())
			}
			if testing.Verbose() && width > 0 {
				t.Logf("%s\n%s", line, out.String())
			}
		}
	}
}
