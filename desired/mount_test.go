package desired

import (
	"encoding/json"
	"testing"
)

// TestMountInJSON: a mount that can be written to is a string, as it was before there was a choice, so that
// stored specs, their hashes and clients stay as they are.
func TestMountInJSON(t *testing.T) {
	for text, m := range map[string]Mount{`"/srv"`: {Source: "/srv"}, `{"source":"/srv","read_only":true}`: {Source: "/srv", ReadOnly: true}} {
		data, err := json.Marshal(m)
		if err != nil || string(data) != text {
			t.Errorf("%+v is %s, %v", m, data, err)
		}
		got := Mount{Source: "old", ReadOnly: true}
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != m {
			t.Errorf("%s is read as %+v, %v", text, got, err)
		}
	}
	var m Mount
	if err := json.Unmarshal([]byte(`{"source":"/srv","read_only":false}`), &m); err != nil || m != (Mount{Source: "/srv"}) {
		t.Errorf("got %+v, %v", m, err)
	}
	if err := json.Unmarshal([]byte(`5`), &m); err == nil {
		t.Error("a number is read")
	}
}

// TestMountInAHash: only one that is read-only changes what containers have been made from.
func TestMountInAHash(t *testing.T) {
	s := validSpec()
	const before = "f00e8b95b5fa2fb6e85baf6a"
	if got := s.Hash("img"); got != before {
		t.Errorf("got %s, which recreates what an earlier version made", got)
	}
	s.Mount["/custom"] = Mount{Source: s.Mount["/custom"].Source, ReadOnly: true}
	if s.Hash("img") == before {
		t.Error("a read-only mount has the hash of one that is not")
	}
}
