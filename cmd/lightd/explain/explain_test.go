package explain

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"

	"lightd/desired"
)

func TestExplain(t *testing.T) {
	for path, want := range map[string][]string{
		"":                    {"a container <object>", "internal_id ", "<string, required>", "What the daemon adds:", "observed_generation"},
		"limits.memory":       {"limits.memory <integer>", "Bytes, from 6 MiB up", "default:  0", "example:  536870912"},
		"ports":               {"ports <list of object>", "container_port", "protocol"},
		"ports.protocol":      {"ports[].protocol <string>", "one of:   tcp, udp", "default:  tcp"},
		"ports[3].port":       {"ports[].port <integer>", "maximum:  65535"},
		"env":                 {"env <map of string>", "Environment variables"},
		"env.EULA":            {"env.EULA <string>", "Environment variables"},
		"last_exit":           {"last_exit <object or null>", "read-only: ", "signal"},
		"conditions.reason":   {"conditions[].reason <string>", "InstallScriptFailed"},
		"internal_id":         {"required: yes", "pattern:"},
		"stop.timeout":        {"default:  10s"},
		"install_script":      {`default:  ""`},
		"tty":                 {"tty <boolean>", "default:  true"},
		"conditions[].status": {"True, False, Unknown"},
	} {
		f, err := Find(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		var b bytes.Buffer
		if err := f.Write(&b, 0); err != nil {
			t.Fatal(err)
		}
		for _, text := range want {
			if !strings.Contains(b.String(), text) {
				t.Errorf("%s: %q is not in\n%s", path, text, b.String())
			}
		}
	}
	for path, want := range map[string]string{
		"limits.memroy": "limits has cpu, cpuset, io_weight, memory, memory_reservation, oom_disable, pids, swap", "nope": "a container has", "image.tag": "image has none below it", "limits.memory.x": "none below it",
	} {
		if _, err := Find(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestEveryFieldIsExplained: whatever a spec may have is there, with a word about it.
func TestEveryFieldIsExplained(t *testing.T) {
	var walk func(prefix string, typ reflect.Type)
	walk = func(prefix string, typ reflect.Type) {
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			f, err := Find(prefix + name)
			if err != nil {
				t.Error(err)
				continue
			}
			if f.schema.text("description") == "" {
				t.Errorf("%s%s has no description", prefix, name)
			}
			switch at := typ.Field(i).Type; {
			case at.Kind() == reflect.Struct:
				walk(prefix+name+".", at)
			case at.Kind() == reflect.Slice:
				walk(prefix+name+".", at.Elem())
			}
		}
	}
	walk("", reflect.TypeFor[desired.Spec]())
	// What is required is what a spec cannot do without.
	for _, name := range []string{"internal_id", "image", "volume_id", "startup_command"} {
		if err := desired.DefaultSpec().Validate(desired.Rules{}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not required: %v", name, err)
		}
	}
}

func TestComplete(t *testing.T) {
	for typed, want := range map[string][]string{
		"limits.m": {"limits.memory", "limits.memory_reservation"}, "limits.p": {"limits.pids"},
		"limits.": {"limits.cpu", "limits.cpuset", "limits.io_weight", "limits.memory", "limits.memory_reservation", "limits.oom_disable", "limits.pids", "limits.swap"},
		"pau":     {"paused"}, "nope.": nil, "image.": nil,
	} {
		if got := Complete(typed); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", typed, got, want)
		}
	}
}
