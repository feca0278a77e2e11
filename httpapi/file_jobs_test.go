package httpapi

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lightd/hack/eventually"
	"lightd/hack/harness"
)

// job starts a job, and returns it when it has ended.
func (n *testServer) job(body string) map[string]any {
	n.t.Helper()
	at, _ := n.files()
	started := n.send("POST", at, body).want(n.t, 202, `"state":"`)
	target := started.header.Get("Location")
	var job map[string]any
	eventually.Poll(n.t, func() error {
		if job = n.send("GET", target, "").want(n.t, 200, "").json; job["ended_at"] == nil {
			return fmt.Errorf("%v", job)
		}
		return nil
	})
	return job
}

// TestFileJobs copies, packs and unpacks, and fails for a reason.
func TestFileJobs(t *testing.T) {
	n := newNode(t)
	at, dir := n.files()
	n.send("POST", at, `{"op":"mkdir","path":"world/region","parents":true}`).want(t, 201, "")
	n.send("PUT", at+"?path=world/region/r.0", strings.Repeat("x", 5000)).want(t, 201, "")
	for _, body := range []string{
		`{"op":"copy","from":"world","to":"copy"}`, `{"op":"compress","paths":["world","/copy"],"to":"b.tar.zst"}`,
		`{"op":"compress","paths":["/"],"to":"all","format":"zip"}`, `{"op":"decompress","from":"b.tar.zst","to":"back"}`,
	} {
		if job := n.job(body); job["state"] != "done" || job["entries"].(float64) < 3 || job["bytes"].(float64) < 5000 {
			t.Errorf("%s: %v", body, job)
		}
	}
	for _, name := range []string{"copy/region/r.0", "back/copy/region/r.0", "back/world/region/r.0"} {
		if data, err := os.ReadFile(filepath.Join(dir, name)); err != nil || len(data) != 5000 {
			t.Errorf("%s: %d bytes, %v", name, len(data), err)
		}
	}
	n.send("PUT", at+"?path=bad.zip", "PK\x03\x04").want(t, 201, "")
	if job := n.job(`{"op":"decompress","from":"bad.zip","to":"x"}`); job["state"] != "failed" || job["error"].(map[string]any)["code"] != "archive_damaged" {
		t.Errorf("%v", job)
	}
	for body, want := range map[string]string{
		`{"op":"copy","from":"world","to":"back"}`: "file_exists", `{"op":"copy","from":"none","to":"x"}`: "file_not_found", `{"op":"copy","from":"world","to":"no/x"}`: "file_not_found",
		`{"op":"compress","paths":["world"],"to":"b.tar.zst"}`: "file_exists", `{"op":"compress","paths":["world"],"to":"x.rar"}`: "tar.gz", `{"op":"compress","paths":[],"to":"x.zip"}`: "1 to 1000",
		`{"op":"compress","paths":["world"],"to":"x","format":"rar"}`: "tar.gz", `{"op":"decompress","from":"world","to":"x"}`: "is_directory", `{"op":"decompress","from":"none","to":"x"}`: "file_not_found",
		`{"op":"compress","paths":["../x"],"to":"x.zip"}`: "paths[0]", `{"op":"copy","from":"world"}`: "to is required",
	} {
		if a := n.send("POST", at, body); a.status < 400 || a.status >= 500 || !strings.Contains(a.text, want) {
			t.Errorf("%s: %d %s", body, a.status, a.text)
		}
	}
	jobs := n.send("GET", "/volumes/"+n.volume+"/jobs", "").want(t, 200, "").json["jobs"].([]any)
	if len(jobs) != 5 {
		t.Errorf("%v", jobs)
	}
	one := "/volumes/" + n.volume + "/jobs/" + jobs[0].(map[string]any)["id"].(string)
	n.send("DELETE", one, "").want(t, 200, "Job deleted")
	n.send("GET", one, "").want(t, 404, "job_not_found")
	n.send("DELETE", one, "").want(t, 404, "job_not_found")
	if left, err := os.ReadDir(filepath.Join(dir, ".lightd")); err == nil {
		t.Errorf("left: %v", left)
	}
}

// TestCancelledJob leaves nothing.
func TestCancelledJob(t *testing.T) {
	n := newNode(t)
	at, dir := n.files()
	f := harness.Value[*os.File](t)(os.Create(filepath.Join(dir, "big")))
	if err := errors.Join(f.Truncate(1<<40), f.Close()); err != nil { // it has no blocks, and takes hours to pack
		t.Fatal(err)
	}
	started := n.send("POST", at, `{"op":"compress","paths":["big"],"to":"big.zip"}`).want(t, 202, "")
	target := started.header.Get("Location")
	eventually.Poll(t, func() error {
		if job := n.send("GET", target, "").json; job["bytes"].(float64) == 0 {
			return fmt.Errorf("%v", job)
		}
		return nil
	})
	n.send("DELETE", target, "").want(t, 200, "Job cancelled")
	eventually.Poll(t, func() error {
		if job := n.send("GET", target, "").json; job["state"] != "cancelled" {
			return fmt.Errorf("%v", job)
		}
		return nil
	})
	if left := harness.Value[[]os.DirEntry](t)(os.ReadDir(dir)); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
	n.send("POST", at, `{"op":"copy","from":"big","to":"copy"}`).want(t, 202, "") // ends with the server
}
