package datadir

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"lightd/desired"
	"lightd/observed/blueprint"
)

// TestSharedPIDNamespaceIsLeftAlone: a shell of ours in a container that shares the PID namespace of the
// host ends without a signal to the host's processes. In a namespace of its own it ends those that it
// has started. The namespaces here are of the test alone.
func TestSharedPIDNamespaceIsLeftAlone(t *testing.T) {
	script := strings.ReplaceAll(Entrypoint(desired.Spec{StartupCommand: "echo up; while :; do sleep 0.1; done", Init: true}), blueprint.Home, t.TempDir())
	for name, c := range map[string]struct{ run, want string }{
		// The shell of ours is a child of the first process, as it is below docker-init.
		"its own": {`sh -c "$SCRIPT" & sleep 0.5; kill $!; wait $!`, "ended"},
		// It is a child of another one, as it is below containerd's shim.
		"shared": {`sh -c 'sh -c "$SCRIPT" & sleep 0.5; kill $!; wait $!'`, "lives"},
	} {
		// The bystander has lost its parent, and is a child of the first process.
		all := `(setsid sleep 300 & echo $! > "$FILE"); read -r bystander < "$FILE"
			` + c.run + `
			if kill -0 "$bystander" 2>/dev/null && ! grep -q ") Z" "/proc/$bystander/stat"; then echo lives; else echo ended; fi`
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // without end, the shell waits for the bystander
		defer cancel()
		cmd := exec.CommandContext(ctx, "unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", all)
		cmd.Env = append(cmd.Environ(), "SCRIPT="+script, "FILE="+t.TempDir()+"/pid")
		cmd.WaitDelay = time.Second
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || !strings.HasSuffix(got, c.want) {
			t.Errorf("%s: %q, %v; want that the bystander %s", name, got, err, c.want)
		}
	}
}
