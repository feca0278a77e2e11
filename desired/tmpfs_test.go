package desired

import (
	"fmt"
	"strings"
	"testing"
)

// TestTmpfsIsBounded: neither a path nor a size adds an option, hides what is the container's own, or
// is without an end.
func TestTmpfsIsBounded(t *testing.T) {
	many := map[string]string{}
	for i := range maxTmpfs + 1 {
		many[fmt.Sprint("/t", i)] = "64k"
	}
	for name, c := range map[string]struct {
		tmpfs map[string]string
		want  string
	}{
		"fits":              {map[string]string{"/tmp": "64m", "/run": "64k", "/var/cache": "1g", "/x": "65536"}, ""},
		"too many":          {many, "at most 16"},
		"an option":         {map[string]string{"/tmp": "64m,suid"}, "the size"},
		"a share":           {map[string]string{"/tmp": "50%"}, "the size"},
		"no size":           {map[string]string{"/tmp": ""}, "the size"},
		"no bound":          {map[string]string{"/tmp": "0"}, "the size"},
		"next to none":      {map[string]string{"/tmp": "4k"}, "the size"},
		"beyond all memory": {map[string]string{"/tmp": "999999999999999g"}, "the size"},
		"the root":          {map[string]string{"/": "64m"}, "nothing may be mounted"},
		"the volume":        {map[string]string{"/home/container": "64m"}, "nothing may be mounted"},
		"in the volume":     {map[string]string{"/home/container/x": "64m"}, "nothing may be mounted"},
		"above the volume":  {map[string]string{"/home": "64m"}, "nothing may be mounted"},
		"its own files":     {map[string]string{"/app/data": "64m"}, "nothing may be mounted"},
		"proc":              {map[string]string{"/proc/x": "64m"}, "nothing may be mounted"},
		"relative":          {map[string]string{"tmp": "64m"}, "absolute"},
		"not clean":         {map[string]string{"/a/../tmp": "64m"}, "absolute"},
		"with options":      {map[string]string{"/tmp:exec": "64m"}, "absolute"},
		"with a line break": {map[string]string{"/tmp\nx": "64m"}, "absolute"},
		"a mount":           {map[string]string{"/srv": "64m"}, "path of mount"},
		"in a mount":        {map[string]string{"/srv/x": "64m"}, "path of mount"},
		"above a mount":     {map[string]string{"/": "64m", "/mnt": "64m"}, "path of mount"},
	} {
		var f faults
		f.checkTmpfs(c.tmpfs, map[string]Mount{"/srv": {Source: "/x"}, "/mnt/a": {Source: "/y"}})
		if got := fmt.Sprint(f.err()); c.want == "" && f.err() != nil || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %s, want %q", name, got, c.want)
		}
	}
}

// TestHashWithoutFileSystems: a container that was made before a spec could have them is kept.
func TestHashWithoutFileSystems(t *testing.T) {
	s := DefaultSpec()
	s.InternalID, s.Image, s.VolumeID, s.StartupCommand = "a", "img", "v", "run"
	before := s.Hash("img")
	if before != (Spec{InternalID: "a", Image: "img", VolumeID: "v", StartupCommand: "run", Ports: s.Ports, Mount: s.Mount, Env: s.Env, TTY: true, Init: true}).Hash("img") {
		t.Error("an empty tmpfs changes the hash")
	}
	s.ReadOnly = true
	if s.Hash("img") == before {
		t.Error("read_only does not change the hash")
	}
	s.ReadOnly, s.Tmpfs = false, map[string]string{"/tmp": "64m"}
	if s.Hash("img") == before {
		t.Error("tmpfs does not change the hash")
	}
}
