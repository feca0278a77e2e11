package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"lightd/hack/harness"
	"lightd/httpapi/openapi"
)

// TestGeneratedClients makes a TypeScript and a Go client out of the OpenAPI document, and lets
// both create, read, change, list and delete a container, and be refused.
func TestGeneratedClients(t *testing.T) {
	t.Parallel()
	document, err := openapi.JSON()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	build := exec.Command("../../hack/openapi/build", dir)
	build.Stdin = bytes.NewReader(document)
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("make the clients: %v\n%s", err, output)
	}
	_, n := onSim(t)
	for name, command := range map[string][]string{
		"TypeScript": {"node", filepath.Join(dir, "client.js")},
		"Go":         {filepath.Join(dir, "go-client")},
	} {
		t.Run(name, func(t *testing.T) {
			client := exec.Command(command[0], append(command[1:], n.url)...)
			client.Env = append(os.Environ(), "LIGHTD_TOKEN="+n.token, "LIGHTD_IMAGE="+harness.Busybox())
			if output, err := client.CombinedOutput(); err != nil || string(output) != "ok\n" {
				t.Errorf("%v\n%s", err, output)
			}
		})
	}
}
