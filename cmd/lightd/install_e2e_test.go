package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
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
