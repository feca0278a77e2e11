package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lightd/desired/kv"
	"lightd/desired/store"
	"lightd/hack/harness"
	"lightd/hack/releases"
	"lightd/hack/simengine"
	"lightd/observed/records"
)

var release = flag.String("release", "", "add the data directories of a `version` to hack/releases")

// TestReleases opens the data directory of each released version: the daemon answers as that of the release did, and
// goes on with it.
func TestReleases(t *testing.T) {
	t.Parallel()
	if *release != "" {
		writeRelease(t, *release)
		return // the next build has it
	}
	for _, name := range releases.Names(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := releases.Unpack(t, name)
			if expected := releases.Expected(t, name); expected != nil {
				openRelease(t, dir, expected)
			} else {
				openDatabase(t, dir)
			}
		})
		t.Run(name+" restored", func(t *testing.T) {
			t.Parallel()
			if backup := releases.Backup(t, name); backup != "" {
				dir := filepath.Join(t.TempDir(), "data")
				if out, errOut, code := call(t, nil, "restore", backup, "--data-dir", dir); code != 0 {
					t.Fatalf("exit code %d, %s%s", code, out, errOut)
				}
				openRelease(t, dir, releases.Expected(t, name))
			}
		})
	}
}

// openRelease starts a daemon on the data directory of a release, of which it answers what is expected.
func openRelease(t *testing.T, dir string, expected []byte) {
	t.Helper()
	var want knowledge
	if err := json.Unmarshal(expected, &want); err != nil {
		t.Fatal(err)
	}
	compareAnswers(t, want.Stored, storedIn(t, dir))
	n := onSimWith(t, dir, webhookConfig(t, deadAddress(t)))
	compareAnswers(t, want.Answered, n.answered())
	n.goesOn()
	n.terminate()
	if format, err := kv.FormatOf(filepath.Join(dir, "db")); format != kv.Format || err != nil {
		t.Errorf("the format is %d, %v", format, err)
	}
}

// openDatabase starts a daemon on a database alone, and finds its containers.
func openDatabase(t *testing.T, dir string) {
	t.Helper()
	n := onSimWith(t, dir, os.DevNull)
	if list := n.send("GET", "/containers", "").want(200, "").json["containers"].([]any); len(list) < 7 {
		t.Errorf("%d containers", len(list))
	}
	n.terminate()
}

// knowledge is what is known of a release.
type knowledge struct {
	// Answered is what the daemon answers, by path, Stored what its database has of what no route tells.
	Answered, Stored map[string]any
}

// onSimWith starts a daemon on a copied data directory, beside a simulated engine that has nothing of it.
func onSimWith(t *testing.T, dir, config string) *node {
	t.Helper()
	_, host := harness.SimHost(t, simengine.Options{AnyMounts: true})
	n := &node{t: t, dir: dir, engine: []string{"--docker-host", host, "--config", config}}
	n.start()
	return n
}

func webhookConfig(t *testing.T, address string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "lightd.yaml")
	text := fmt.Sprintf("webhooks: [{name: panel, url: 'http://%s/', secret: a secret of a panel}]\n", address)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// volatile are the fields of answers that are of the moment or the place, or in the statuses as they are stored.
var volatile = []string{
	"state", "install_state", "observed_generation", "container_id", "conditions", "summary", "next_attempt_at", "attempt", "restarts", "last_exit",
	"path", "held", "running", "remaining", "revision", "last_seq",
}

// answered is what the daemon says of all that its data directory has.
func (n *node) answered() map[string]any {
	n.t.Helper()
	all := map[string]any{}
	paths := []string{"/containers", "/network/ports", "/volumes", "/events?limit=1000", "/node"}
	for i := 0; i < len(paths); i++ {
		path := paths[i]
		answer := n.send("GET", path, "").want(200, "").json
		if path == "/node" {
			answer = map[string]any{"cordon": answer["cordon"]}
		}
		all[path] = stripped(answer)
		if list, ok := answer["containers"].([]any); ok && path == "/containers" {
			for _, c := range list {
				id := c.(map[string]any)["internal_id"].(string)
				paths = append(paths, "/containers/"+id, "/containers/"+id+"/history", "/containers/"+id+"/history?generation=1")
			}
		}
	}
	return all
}

// stripped returns a value without the volatile fields.
func stripped(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for _, name := range volatile {
			delete(v, name)
		}
		for name := range v {
			v[name] = stripped(v[name])
		}
	case []any:
		for i := range v {
			v[i] = stripped(v[i])
		}
	}
	return value
}

// storedIn is what the database of a daemon that has ended has of tokens, statuses and positions of webhooks.
func storedIn(t testing.TB, dir string) map[string]any {
	t.Helper()
	s, err := store.Open(filepath.Join(dir, "db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{"instance": s.Instance()}
	if all["positions"], err = records.OpenPositions(s.DB).Load(); err != nil {
		t.Error(err)
	}
	for name, prefix := range map[string]string{"tokens": "t/", "statuses": "s/"} {
		var found []any
		err := s.View(func(tx *store.Tx) error {
			return tx.Scan([]byte(prefix), nil, func(_, value []byte) bool {
				var record any
				if err := json.Unmarshal(value, &record); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				found = append(found, record)
				return true
			})
		})
		if err != nil {
			t.Error(err)
		}
		all[name] = found
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	return all
}

// compareAnswers fails the test for all that is expected and is not there. More may be there.
func compareAnswers(t *testing.T, want, got map[string]any) {
	t.Helper()
	text, err := json.Marshal(got) // numbers as they are read
	if err == nil {
		err = json.Unmarshal(text, &got)
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range want {
		if at, ok := missing(name, value, got[name]); ok {
			t.Errorf("%s: it was %v, and is %v", at, value, got[name])
		}
	}
}

// missing returns where in a value something is not in another one.
func missing(at string, want, got any) (where string, found bool) {
	switch want := want.(type) {
	case map[string]any:
		now, ok := got.(map[string]any)
		if !ok {
			return at, true
		}
		for name, value := range want {
			if where, found := missing(at+"."+name, value, now[name]); found {
				return where, true
			}
		}
		return "", false
	case []any:
		now, _ := got.([]any)
		for i, value := range want {
			if !slices.ContainsFunc(now, func(one any) bool { _, found := missing("", value, one); return !found }) {
				return fmt.Sprintf("%s[%d]", at, i), true
			}
		}
		return "", false
	}
	return at, want != got
}

// goesOn changes what a release has left: a claim of a port holds, a spec is changed, and its history goes on.
func (n *node) goesOn() {
	n.t.Helper()
	volume := n.send("GET", "/containers/web", "").json["volume_id"].(string)
	if text, err := os.ReadFile(filepath.Join(n.dir, "volumes", volume, "world")); err != nil || string(text) != "a world" {
		n.t.Errorf("the volume has %q, %v", text, err)
	}
	n.send("POST", "/containers", spec("taker", volume, `"ports":[{"ip":"127.0.0.1","port":15580}]`)).want(409, "")
	n.send("PATCH", "/containers/web", `{"env":{"A":"another"}}`).want(200, "")
	n.send("GET", "/containers/web/history", "").want(200, "env.A")
	n.send("GET", "/webhooks", "").want(200, `"name":"panel"`)
	n.send("DELETE", "/node/cordon", "").want(200, "")
}

// writeRelease writes the data directories of this version.
func writeRelease(t *testing.T, name string) {
	t.Helper()
	into := harness.Value[string](t)(filepath.Abs("../../hack/releases"))
	for _, killed := range []bool{false, true} {
		panel := &panelServer{address: "127.0.0.1:0"}
		panel.up(t)
		sim, n := onSim(t, "--config", webhookConfig(t, panel.address))
		sim.OnCommand("install-entry.sh", func(_ context.Context, p *simengine.Process) { fmt.Fprintln(p.Stdout(), "installed") })
		n.fill(panel)
		var known knowledge
		known.Answered = n.answered()
		as := filepath.Join(into, name)
		backup := n.backUpDelivered()
		if killed {
			as += "-killed"
			n.crash()
		} else {
			n.terminate()
			if err := os.WriteFile(as+".backup", harness.Value[[]byte](t)(os.ReadFile(backup)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		releases.Pack(t, n.dir, as)
		known.Stored = storedIn(t, n.dir)
		text := harness.Value[[]byte](t)(json.MarshalIndent(known, "", "\t"))
		if err := os.WriteFile(as+".json", append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// fill makes one of everything that a data directory can have.
func (n *node) fill(panel *panelServer) {
	n.t.Helper()
	volume, path := n.volume()
	other, _ := n.volume()
	if err := os.WriteFile(filepath.Join(path, "world"), []byte("a world"), 0o644); err != nil {
		n.t.Fatal(err)
	}
	n.send("POST", "/network/ports", `{"ip":"127.0.0.1","ports":"15580-15585"}`).want(201, "")
	n.send("POST", "/auth/tokens", `{"name":"panel","scopes":["read","console"],"ttl":"30d"}`).want(201, "token")
	n.send("POST", "/auth/tokens", `{"name":"tenant","scopes":["write"],"ttl":"30d","selector":"tenant=acme","quota":{"containers":3}}`).want(201, "token")
	n.send("POST", "/containers", spec("web", volume, `"power":"running","env":{"A":"b"},"labels":{"tenant":"acme"},
		"limits":{"memory":268435456,"cpu":1.5,"pids":100},"ports":[{"ip":"127.0.0.1","port":15580}],"start_pattern":"up","stop":{"timeout":"30s"},
		"health":{"tcp":15580}`)).want(201, "")
	n.send("POST", "/containers", spec("installed", other, fmt.Sprintf(`"install_script":"#!/bin/sh\n%s\n","tty":true,"restart":"always"`,
		strings.Repeat("true # a script that is longer than what is kept beside its key\\n", 40)))).want(201, "")
	n.until("web", "running", running)
	n.until("installed", "installed", installed)
	for _, change := range []string{`{"env":{"A":"c","B":"d"}}`, `{"ports":[{"ip":"127.0.0.1","port":15580},{"ip":"127.0.0.1","port":15581}]}`, `{"power":"stopped"}`} {
		n.send("PATCH", "/containers/web", change).want(200, "")
	}
	n.until("web", "stopped", offline)
	n.send("PUT", "/node/cordon", `{"reason":"a release"}`).want(200, "")
	n.send("POST", "/containers", spec("deleted", other, "")).want(201, "")
	n.send("DELETE", "/containers/deleted", "").want(200, "")
	poll(n.t, func() error {
		if !strings.Contains(strings.Join(panel.got(), "\n"), "deleted Deleted") {
			return fmt.Errorf("the panel has %q", panel.got())
		}
		return nil
	})
}

// backUpDelivered makes a backup once it is recorded that the webhook has all events.
func (n *node) backUpDelivered() (file string) {
	n.t.Helper()
	poll(n.t, func() error {
		dir := n.t.TempDir()
		file = filepath.Join(dir, "backup")
		for _, command := range [][]string{{"backup", "--volumes", file}, {"restore", file, "--data-dir", filepath.Join(dir, "data")}} {
			if out, errOut, code := n.tool(command...); code != 0 {
				return fmt.Errorf("%s: exit code %d, %s%s", command[0], code, out, errOut)
			}
		}
		last := n.send("GET", "/events?limit=1000", "").json["last_seq"].(float64)
		delivered := storedIn(n.t, filepath.Join(dir, "data"))["positions"].(map[string]uint64)["panel"]
		if delivered != uint64(last) {
			return fmt.Errorf("event %d is delivered, of %v", delivered, last)
		}
		return nil
	})
	return file
}
