package manifest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lightd/cmd/lightd/manifest"
	"lightd/desired"
)

// TestUnits reads limits as people write them, in YAML and in JSON.
func TestUnits(t *testing.T) {
	read := func(name, text string) ([]manifest.Object, error) {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		set, err := manifest.Read([]string{path}, strings.NewReader(""))
		return set.Containers, err
	}
	for _, c := range []struct {
		field, text string
		memory      int64
		cpu         float64
	}{
		{"memory", "512Mi", 512 << 20, 0}, {"memory", "1.5Gi", 3 << 29, 0}, {"memory", "2g", 2 << 30, 0}, {"memory", "500m", 500 << 20, 0},
		{"memory", "64MiB", 64 << 20, 0}, {"memory", "8192k", 8 << 20, 0}, {"memory", "8388608", 8 << 20, 0}, {"memory", `"8388608"`, 8 << 20, 0},
		{"memory", "512 Mi", 512 << 20, 0}, {"cpu", "500m", 0, 0.5}, {"cpu", "1.5", 0, 1.5}, {"cpu", `"2"`, 0, 2}, {"cpu", "1m", 0, 0.001}, {"cpu", "2500m", 0, 2.5},
	} {
		for _, form := range []string{"a.yaml", "a.json"} {
			text := fmt.Sprintf("internal_id: a\nlimits:\n  %s: %s\n", c.field, c.text)
			if form == "a.json" {
				text = fmt.Sprintf(`{"internal_id": "a", "limits": {%q: %q}}`, c.field, strings.Trim(c.text, `"`))
			}
			objects, err := read(form, text)
			var spec desired.Spec
			if data, _ := json.Marshal(objects); err == nil {
				err = json.Unmarshal(bytes.Trim(data, "[]"), &spec)
			}
			if err != nil || len(objects) != 1 || spec.Limits.Memory != c.memory || spec.Limits.CPU != c.cpu {
				t.Errorf("%s: %+v, %v", text, objects, err)
			}
		}
	}
	for text, want := range map[string]string{
		"memory: 512M": `can mean two sizes: write 512Mi`, "memory: 1Zi": "unknown unit", "memory: much": "no size as in 512Mi", "memory: -1Mi": "no size", "memory: 9999999Ti": "more than",
		"cpu: 500Mi": "no number of cores", "cpu: half": "no number of cores", "swap: 1K": "write 1Ki",
	} {
		if _, err := read("a.yaml", "internal_id: a\nlimits:\n  "+text+"\n"); err == nil || !strings.Contains(err.Error(), "a.yaml:3: limits.") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
