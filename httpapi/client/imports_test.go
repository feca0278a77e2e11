package client_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestBringsInNeitherRouterNorDatabaseNorDocker: a program that only talks to a daemon has
// to carry what it needs for that, and nothing of the daemon's.
func TestBringsInNeitherRouterNorDatabaseNorDocker(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	allowed := []string{
		"lightd/httpapi/client", "lightd/httpapi/api", "lightd/desired", "lightd/desired/registry", "lightd/controller/plan",
		"lightd/observed", "lightd/observed/blueprint", "lightd/observed/drift", "lightd/observed/status", "lightd/observed/journal",
		"github.com/coder/websocket", "github.com/distribution/reference", "github.com/opencontainers/go-digest",
	}
	found := strings.Fields(string(out))
	if !slices.Contains(found, "lightd/httpapi/client") {
		t.Fatalf("go list says nothing of the client: %s", out)
	}
	for _, p := range found {
		within := func(dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/internal/") }
		if !slices.ContainsFunc(allowed, within) {
			t.Errorf("it brings in %s", p)
		}
	}
}
