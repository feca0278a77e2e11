package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"lightd/hack/harness"
)

// TestWebSocketExample runs the program that "lightd docs websocket" has for Node.js.
func TestWebSocketExample(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("left out: there is no node")
	}
	d := newDesk(t)
	d.do("apply", "-f", d.file("web.yaml", d.web("my-server-001", "power: running")), "--wait=running").want(0)
	_, example, _ := strings.Cut(d.do("docs", "websocket").out, "Node.js 22\n")
	example, _, _ = strings.Cut(example, "\nA browser shows no status")
	host := strings.TrimPrefix(d.url, "http://")
	if !strings.Contains(example, "127.0.0.1:8070") {
		t.Fatalf("that is no example:\n%s", example)
	}
	script := filepath.Join(t.TempDir(), "console.mjs")
	text := fmt.Sprintf("const token = %q\n%s", d.api().token, strings.ReplaceAll(example, "127.0.0.1:8070", host))
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var printed harness.Buffer
	client := exec.Command("node", "--experimental-websocket", script) // which Node.js 20 needs
	client.Stdout, client.Stderr = &printed, &printed
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	poll(t, func() error {
		if !strings.Contains(printed.String(), "got say hi") {
			return fmt.Errorf("the example printed\n%s", &printed)
		}
		return nil
	})
	d.do("delete", "my-server-001").want(0)
	if err := client.Wait(); err != nil || !strings.HasSuffix(printed.String(), "container deleted\n") {
		t.Errorf("%v, and it printed\n%s", err, &printed)
	}
}
