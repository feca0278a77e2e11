package desired

import (
	"strings"
	"testing"
)

func TestHostname(t *testing.T) {
	long := strings.Repeat("a", maxHostname)
	for name, valid := range map[string]bool{
		"": true, "web": true, "Web-1": true, "1": true, "a.b-c.d": true, long: true,
		long + "a": false, "-a": false, "a-": false, "a..b": false, ".a": false, "a.": false, "a_b": false,
		"a.-b": false, "a b": false, "a\n": false, "ä": false,
	} {
		if validHostname(name) != valid {
			t.Errorf("%q: valid is %t", name, !valid)
		}
	}
}

// TestDefaultHostname is valid whatever the internal id is.
func TestDefaultHostname(t *testing.T) {
	for id, want := range map[string]string{
		"web": "web", "My_Server.1": "My-Server-1", "a__": "a", "a.-_": "a", "0": "0",
		"a" + strings.Repeat("_", 61) + "b": "a" + strings.Repeat("-", 61) + "b",
	} {
		got := Spec{InternalID: id}.HostnameOrDefault()
		if got != want || !ValidID(id) || !validHostname(got) || got == "" {
			t.Errorf("%q: %q, want %q", id, got, want)
		}
	}
	if got := (Spec{InternalID: "a", Hostname: "b.c"}).HostnameOrDefault(); got != "b.c" {
		t.Errorf("got %q", got)
	}
}

// TestHashOfHostname: a spec that names none, or the default one, has the hash that it had before
// there was one.
func TestHashOfHostname(t *testing.T) {
	s := DefaultSpec()
	s.InternalID, s.Image, s.VolumeID, s.StartupCommand = "a_b", "img", "v", "run"
	const before = "8b72ac53ccd6c7ae5fd076e0"
	if got := s.Hash("img"); got != before {
		t.Errorf("the hash is %s, was %s", got, before)
	}
	if s.Hostname = "a-b"; s.Hash("img") != before {
		t.Error("another hash for the default")
	}
	if s.Hostname = "c"; s.Hash("img") == before {
		t.Error("the same hash for another host name")
	}
}
