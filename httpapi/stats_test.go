package httpapi

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStatsHaveDiskUse: the stats have the last measurement of the volume with its age, and measure none.
func TestStatsHaveDiskUse(t *testing.T) {
	n := newNode(t)
	volume := n.send("GET", "/volumes/"+n.volume, "").want(t, 200, "").json
	n.create("web")
	n.create("other")
	file := filepath.Join(volume["path"].(string), "world")
	write := func(size int) {
		t.Helper()
		if err := os.WriteFile(file, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	disk := func(target string) (bytes, age float64) {
		t.Helper()
		body := n.send("GET", target, "").want(t, 200, `"disk":{"volume_bytes":`).json
		if list, ok := body["stats"].([]any); ok {
			body = list[0].(map[string]any)
		}
		d := body["disk"].(map[string]any)
		return d["volume_bytes"].(float64), d["age"].(float64)
	}
	if bytes, age := disk("/containers/web/stats"); bytes != 0 || age < 0 {
		t.Errorf("%v bytes, %v s old", bytes, age)
	}
	write(1234)
	if bytes, _ := disk("/stats"); bytes != 0 {
		t.Errorf("%v bytes: the volume was measured for the stats", bytes)
	}
	n.send("GET", "/volumes/"+n.volume, "").want(t, 200, "1234")
	if bytes, _ := disk("/containers/other/stats"); bytes != 1234 {
		t.Errorf("%v bytes after a measurement", bytes)
	}
	n.send("PUT", "/volumes/"+chosenVolume, "").want(t, 201, "")
	n.send("POST", "/containers", strings.Replace(n.spec("new"), n.volume, chosenVolume, 1)).want(t, 201, "")
	n.send("GET", "/containers/new/stats", "").want(t, 200, `"disk":null`)
}
