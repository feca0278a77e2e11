package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestQuotaCommands: a quota is set in our sizes, listed with its use, told by describe with what to do, and applied.
func TestQuotaCommands(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	made := strings.TrimSpace(d.do("volume", "create", "--quota", "2Gi").want(0).out)
	d.do("volume", "list").want(0, "QUOTA", "of 2GiB")
	d.do("volume", "quota", made, "1.5Gi").want(0, "1.5GiB")
	d.do("volume", "quota", made, "none").want(0, "no quota")
	d.do("volume", "quota", made, "10G").want(2, "!can mean two sizes")
	d.do("volume", "quota", made, "1Ki").want(1, "!quota_bytes must be 0 for none, or at least 1 MiB")
	d.do("volume", "quota", "11111111-c5f1-4045-9fb3-85315b85cb0f", "1Gi").want(3, "!not found")
	d.do("volume", "quota", made).want(2, "!a size are needed, or none")
	d.do("volume", "create", "--quota", "much").want(2, "!is no size")

	manifest := "volumes: [{volume_id: " + made + ", quota_bytes: 1Mi}]\ncontainers:\n- {internal_id: web, image: 'game:1', volume_id: " + made +
		", startup_command: ./game, start_pattern: up, power: running, quota_exceeded: stop}\n"
	d.do("apply", "-f", d.file("bad.yaml", strings.Replace(manifest, "1Mi", "1M", 1))).want(1, "!can mean two sizes")
	d.do("apply", "-f", d.file("all.yaml", manifest), "--wait=running").want(0)
	api := d.api()
	path := api.send("GET", "/volumes/"+made, "").json["path"].(string)
	if err := os.WriteFile(filepath.Join(path, "world"), make([]byte, 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	d.do("volume", "quota", made, "2Mi").want(0)
	api.until("web", "stopped", func(c view) bool { return c.State == "offline" })
	d.do("describe", "web").want(0, "QuotaExceeded", "lightd volume quota "+made+" SIZE", "If over quota:")
	d.do("volume", "list").want(0, "3MiB of 2MiB")
	d.do("export").want(0, "quota_bytes: 2097152", "quota_exceeded: stop")
	api.send("PUT", "/volumes/"+made+"/files?path=more", strings.Repeat("x", 1<<20)).want(507, "quota")
	d.do("volume", "quota", made, "1Gi").want(0)
	api.until("web", "running again", func(c view) bool { return c.State == "running" })
}
