package engine

import (
	"strings"
	"testing"
)

// TestProgressOfAPull, by the messages of an engine: what is downloaded, that something happens, and
// whether it is the registry that is waited for.
func TestProgressOfAPull(t *testing.T) {
	steps := []struct {
		message        string
		current, total int64
		changes        int
		local          bool
	}{
		{`{"status":"Pulling from big","id":"1"}`, 0, 0, 1, false},
		{`{"status":"Already exists","progressDetail":{},"id":"a"}`, 0, 0, 2, false},
		{`{"status":"Waiting","progressDetail":{},"id":"b"}`, 0, 0, 3, true},
		{`{"status":"Pulling fs layer","progressDetail":{},"id":"c"}`, 0, 0, 4, false},
		{`{"status":"Downloading","progressDetail":{"current":10,"total":100},"id":"c"}`, 10, 100, 5, false},
		{`{"status":"Downloading","progressDetail":{"current":10,"total":100},"id":"c"}`, 10, 100, 5, false},
		{`{"status":"Downloading","progressDetail":{"current":20,"total":100},"id":"c"}`, 20, 100, 5, false},
		{`{"status":"Retrying in 5 seconds","progressDetail":{},"id":"c"}`, 20, 100, 6, false},
		{`{"status":"Downloading","progressDetail":{"current":30,"total":100},"id":"c"}`, 30, 100, 7, false},
		{`{"status":"Verifying Checksum","progressDetail":{},"id":"c"}`, 100, 100, 8, true},
		{`{"status":"Download complete","progressDetail":{},"id":"c"}`, 100, 100, 9, true},
		{`{"status":"Downloading","progressDetail":{"current":1,"total":2},"id":"b"}`, 101, 102, 10, false},
		{`{"status":"Download complete","progressDetail":{},"id":"b"}`, 102, 102, 11, false},
		{`{"status":"Extracting","progressDetail":{"current":1,"total":2},"id":"b"}`, 102, 102, 12, true},
		{`{"status":"Extracting","progressDetail":{"current":1,"total":2},"id":"b"}`, 102, 102, 12, true},
		{`{"status":"Extracting","progressDetail":{"current":2,"total":2},"id":"b"}`, 102, 102, 13, true},
		{`{"status":"Extracting","progressDetail":{"current":3,"units":"s"},"id":"b"}`, 102, 102, 14, true},
		{`{"status":"Pull complete","progressDetail":{},"id":"b"}`, 102, 102, 15, false},
		{`{"status":"Digest: sha256:1"}`, 102, 102, 16, false},
	}
	var stream strings.Builder
	for _, step := range steps {
		stream.WriteString(step.message + "\n")
	}
	at := 0
	err := follow(strings.NewReader(stream.String()), func(got Progress) {
		step := steps[at]
		at++
		if got.Current != step.current || got.Total != step.total || got.Changes != step.changes || got.Local != step.local {
			t.Errorf("after %s: %+v", step.message, got)
		}
	})
	if err != nil || at != len(steps) {
		t.Errorf("%d of %d messages, %v", at, len(steps), err)
	}
}
