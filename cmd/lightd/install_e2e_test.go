package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"lightd/hack/harness"
)

// TestInstallStates sees each of the page's three words, and the eighth event.
func TestInstallStates(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	volume, path := n.volume()
	id := "e2e-words"
	at := "/containers/" + id
	ws := n.record("/ws?after=0")
	n.send("POST", "/containers", spec(id, volume, `"install_script":"echo one >> runs; echo no luck; exit 7"`)).want(201, `"state":"installing"`)
	c := n.until(id, "failed", func(c view) bool { return c.InstallState == "failed" && c.ObservedGeneration == c.Generation })
	if c.reason("Installed", "False") != "InstallScriptFailed" {
		t.Errorf("conditions: %+v", c.Conditions)
	}
	want := append(slices.Clone(pageInstallEvents[:4]), "Error")
	if got := lifecycle(ws.awaitType("Error")); !slices.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
	n.send("GET", at+"/install-log", "", "Accept: text/plain").want(200, "no luck")
	n.send("POST", at+"/start", "").want(409, "error")
	n.send("POST", at+"/restart", "").want(409, "error")
	if got := n.get(id); got.InstallState != "failed" || got.Generation != c.Generation {
		t.Errorf("after refused starts: %+v", got)
	}
	// What is left out of a reinstall stays as it was: it fails once more.
	n.send("POST", at+"/reinstall", "").want(200, "Container reinstall started")
	n.until(id, "failed again", func(c view) bool { return c.InstallState == "failed" && c.ObservedGeneration == c.Generation })
	n.send("POST", at+"/reinstall", `{"install_script":"echo two >> runs; until [ -e go ]; do sleep 0.05; done"}`).want(200, "")
	if got := n.get(id).InstallState; got != "installing" {
		t.Errorf("install_state is %q", got)
	}
	for _, route := range []string{"/reinstall", "/rebind-network"} {
		a := n.send("POST", at+route, map[string]string{"/rebind-network": `{"ports":[]}`}[route]).want(409, "while container is installing")
		if a.json["code"] == "" {
			t.Errorf("no code in %s", a.text)
		}
	}
	if err := os.WriteFile(filepath.Join(path, "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	n.until(id, "ready", installed)
	if got := lines(t, filepath.Join(path, "runs")); !slices.Equal(got, []string{"one", "one", "two"}) {
		t.Errorf("the script ran: %v", got)
	}
	n.send("POST", at+"/start", "").want(200, "Container start initiated")
	n.until(id, "running", running)
}

// TestSnapshotOutlivesRecreation installs a program and looks for it after each way to
// lose a container.
func TestSnapshotOutlivesRecreation(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	d := newDocker(t)
	volume, _ := n.volume()
	id, name := "e2e-kept", "lightd-e2e-kept"
	n.send("POST", "/containers", spec(id, volume, `"power":"running","start_pattern":"up","mount":{},
		"install_script":"#!/bin/sh\nprintf '#!/bin/sh\\necho tool' > /usr/tool; chmod +x /usr/tool"`)).want(201, "")
	n.until(id, "running", running)
	if a := n.send("GET", "/containers/"+id, "").want(200, `"mount":{}`); a.json["ports"] == nil {
		t.Errorf("ports are null in %s", a.text)
	}
	recreate := map[string]func(){
		"removed from outside": func() { d.remove(name) },
		"another environment": func() {
			n.send("PATCH", "/containers/"+id, `{"env":{"A":"b"}}`).want(200, "")
		},
		"without a terminal": func() {
			n.send("PATCH", "/containers/"+id, `{"tty":false}`).want(200, "")
		},
	}
	for what, fn := range recreate {
		before := d.inspect(name).ID
		fn()
		n.until(id, what, func(c view) bool { return running(c) && c.ContainerID != before[:12] })
		if got := d.exec(name, "/usr/tool"); strings.TrimSpace(got) != "tool" {
			t.Errorf("%s: %q", what, got)
		}
	}
}

// TestEggOnARealEngine: an egg is converted and applied, its script runs in the installer's image where panels have the
// volume, and the server runs from its own one on what that left.
func TestEggOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	volume, path := n.volume()
	file := filepath.Join(t.TempDir(), "egg.json")
	text := fmt.Sprintf(`{"meta":{"version":"PTDL_v2"},"name":"Words","docker_images":{"Small":%q},
		"startup":"cat {{FILE}}; read word; echo got $word","config":{"startup":"{\"done\":\"installed by\"}","stop":"^C","files":"{}"},
		"scripts":{"installation":{"script":"#!/bin/ash\r\n[[ $PWD = /mnt/server ]] && echo \"installed by ${BASH_VERSION:+bash} for {{nobody}}\" > $FILE\r\n",
		"container":%q,"entrypoint":"bash"}},
		"variables":[{"name":"File","env_variable":"FILE","default_value":"words","rules":"required|string|max:9"}]}`, harness.Busybox(), harness.Debian())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, told bytes.Buffer
	if err := run(t.Context(), []string{"convert", "egg", file, "--id", "e2e-egg", "--volume", volume}, os.Getenv, &out, &told); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(told.String(), "variables.FILE.rules: required|string|max:9 is not checked") {
		t.Errorf("told %s", told.String())
	}
	spec := harness.Value[[]byte](t)(yamlToJSON(out.Bytes()))
	n.send("POST", "/containers", string(spec)).want(201, `"state":"installing"`)
	n.until("e2e-egg", "ready", installed)
	n.send("POST", "/containers/e2e-egg/start", "").want(200, "")
	n.until("e2e-egg", "running", running)
	if got := strings.Join(lines(t, filepath.Join(path, "words")), " "); got != "installed by bash for {{nobody}}" {
		t.Errorf("the script left %q", got)
	}
	n.send("GET", "/containers/e2e-egg/plan", "").want(200, `"plan":[]`)
}

// yamlToJSON is a file of a spec as a request has it.
func yamlToJSON(text []byte) ([]byte, error) {
	var fields map[string]any
	if err := yaml.Unmarshal(text, &fields); err != nil {
		return nil, err
	}
	return json.Marshal(fields)
}
