package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lightd/hack/harness"
	"lightd/httpapi/audit"
)

// TestAuditCommand: what clients do, from where and as whom, is read on the node, over rotation and without
// the daemon.
func TestAuditCommand(t *testing.T) {
	t.Parallel()
	w := newWired(t, "listen: [\"unix://DIR/l.sock\", \"127.0.0.1:0\"]\naudit: {max_size: 64k, max_files: 100}\n")
	token, code := w.lightd("token", "create", "--ttl", "1h", "--name", "billing", "--server", "unix://"+filepath.Join(w.dir, "l.sock"))
	if code != 0 {
		t.Fatal(token)
	}
	if printed, code := w.lightd("volume", "create"); code != 0 {
		t.Fatal(printed)
	}
	// A reset is done by another process, in the file.
	if printed, code := w.lightd("token", "reset"); code != 0 {
		t.Fatal(printed)
	}
	var text string
	poll(t, func() error {
		text, code = w.lightd("audit")
		if code != 0 || strings.Count(text, "  master  -  ") < 2 {
			return fmt.Errorf("%d %s", code, text)
		}
		return nil
	})
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, want := range []string{"  write  master uid=0  unix  POST /auth/tokens  ", "  write  master", "  master  -  -  reset", "  master  -  -  end  count=1"} {
		if len(lines) != 4 || !strings.Contains(lines[i], want) {
			t.Fatalf("got\n%s\nwant %q", text, want)
		}
	}
	for i := range 400 {
		if printed, code := w.lightd("volume", "delete", fmt.Sprintf("00000000-0000-4000-8000-%012d", i)); code == 0 {
			t.Fatal(printed)
		}
	}
	files, err := filepath.Glob(filepath.Join(w.env["LIGHTD_DATA_DIR"], audit.Dir, "*"))
	if err != nil || len(files) < 2 {
		t.Errorf("%d files, %v", len(files), err)
	}
	raw, code := w.lightd("audit", "-o", "json", "--since", "1h")
	if n := strings.Count(raw, "\n"); code != 0 || n != 404 {
		t.Errorf("%d, %d lines", code, n)
	}
	for line := range strings.Lines(raw) {
		var l audit.Line
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args string
		want int
	}{
		{"--who uid=0", 404 - 2}, {"--who nobody", 0}, {"--container web", 0}, {"--since 2100-01-01T00:00:00Z", 0}, {"--since 2000-01-01T00:00:00Z", 404},
	} {
		printed, code := w.lightd(append([]string{"audit"}, strings.Fields(c.args)...)...)
		if n := strings.Count(printed, "\n"); code != 0 || n != c.want {
			t.Errorf("audit %s: %d, %d lines, want %d: %.300s", c.args, code, n, c.want, printed)
		}
	}
	for _, wrong := range []string{"--since yesterday", "-o yaml", "web"} {
		if printed, code := w.lightd(append([]string{"audit"}, strings.Fields(wrong)...)...); code == 0 {
			t.Errorf("audit %s: %d %s", wrong, code, printed)
		}
	}
	if printed, code := w.lightd("audit", "--data-dir", w.dir); code == 0 || !strings.Contains(printed, "there is no audit in "+w.dir) {
		t.Errorf("elsewhere: %d %s", code, printed)
	}
}

// TestAuditOfAKeptMaster: the end of a master token that was kept for a while has a line of its own, with how
// many tokens ended with it.
func TestAuditOfAKeptMaster(t *testing.T) {
	t.Parallel()
	w := newWired(t, "listen: [\"unix://DIR/l.sock\", \"127.0.0.1:0\"]\n")
	for range 2 {
		w.want("lightd_", "token", "create", "--ttl", "1h", "--server", "unix://"+filepath.Join(w.dir, "l.sock"))
	}
	w.want("The old token ends at ", "token", "reset", "--keep-old", "3s")
	poll(t, func() error {
		if text, code := w.lightd("audit"); code != 0 || !strings.Contains(text, "  master  -  -  end  count=2") || strings.Count(text, "  reset") != 1 {
			return fmt.Errorf("%d %s", code, text)
		}
		return nil
	})
}

// TestAuditTextIsSafe: what clients chose reaches no terminal raw, and what matters is on the line.
func TestAuditTextIsSafe(t *testing.T) {
	uid := uint32(1000)
	got := auditText(audit.Line{
		Time: time.Date(2026, 11, 29, 4, 10, 0, 5e6, time.UTC), Event: audit.EventInput, RequestID: "5f0c", Method: "WEBSOCKET", Action: "send_command",
		Who:    audit.Who{Token: "9d1f", TokenName: "a\x1b]0;b\x07", Certificate: "c\u202e", UID: &uid, Remote: "unix"},
		Record: audit.Record{Route: "/ws/:id", Container: "web", Changes: []audit.Change{{Container: "other", Action: "updated", Before: 1, Generation: 2}}, DryRun: true, Code: "failed"},
		Bytes:  5, Text: "l\ns\r", Count: 3,
	})
	want := `2026-11-29T04:10:00.005Z  input  a\x1b]0;b\a (9d1f) certificate=c\u202e uid=1000  unix  WEBSOCKET /ws/:id send_command  web  dry-run  ` +
		`other updated 1->2  failed  5f0c  count=3  bytes=5  text=l\ns\r`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestAuditSettings: the audit can be off, and settings that can be none are refused. A configuration without
// any, as one of an earlier version, has the file: the other tests have it.
func TestAuditSettings(t *testing.T) {
	t.Parallel()
	w := newWired(t, "listen: 127.0.0.1:0\naudit: {output: off}\n")
	if _, err := os.Stat(filepath.Join(w.env["LIGHTD_DATA_DIR"], audit.Dir)); err == nil {
		t.Error("it is off, and has files")
	}
	for text, want := range map[string]string{
		"audit: {output: syslog}": "audit.output", "audit: {max_size: 1k}": "audit.max_size", "audit: {max_size: much}": "audit.max_size",
		"audit: {max_age: 1s}": "audit.max_age", "audit: {max_files: 1}": "audit.max_files", "audit: {max_files: 1001}": "audit.max_files", "audit: {file: x}": "there is no such setting",
	} {
		file := filepath.Join(t.TempDir(), "lightd.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, stderr, code := call(t, nil, "serve", "--data-dir", t.TempDir(), "--config", file); code == 0 || !strings.Contains(stderr, want) {
			t.Errorf("%s: %d %s", text, code, stderr)
		}
	}
}

// TestAuditIsFollowed: -f prints what is written from then on.
func TestAuditIsFollowed(t *testing.T) {
	t.Parallel()
	w := newWired(t, "listen: 127.0.0.1:0\n")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out harness.Buffer
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"audit", "-f"}, func(k string) string { return w.env[k] }, &out, &out)
	}()
	if printed, code := w.lightd("volume", "create", "--server", w.urls[0]); code != 0 {
		t.Fatal(printed)
	}
	poll(t, func() error {
		if !strings.Contains(out.String(), "POST /volumes") {
			return fmt.Errorf("printed %q", out.String())
		}
		return nil
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
