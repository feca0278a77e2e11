package manifest

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// write makes a file with text and returns its path.
func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const web = "internal_id: web\nimage: alpine:3\n"

func TestRefused(t *testing.T) {
	cases := []struct {
		name, file, text string
		want             string // what follows the file's path
	}{
		{"nothing", "a.yaml", "", ": holds no spec"},
		{"only comments", "a.yaml", "# nothing\n---\n", ": holds no spec"},
		{"a scalar", "a.yaml", "web\n", ":1: a spec is expected"},
		{"a list of scalars", "a.yaml", "- web\n- two\n", ":1: [0] must be a spec"},
		{"a key twice", "a.yaml", web + "image: b\n", ":3: image is given twice"},
		{"a key twice below", "a.yaml", web + "env:\n  A: x\n  A: y\n", ":5: env.A is given twice"},
		{"a string for a number", "a.yaml", web + "limits: {memory: 512MB}\n", ":3: limits.memory \"512MB\" can mean two sizes"},
		{"not a number", "a.yaml", web + "limits: {cpu: .nan}\n", ":3: limits.cpu must be a number"},
		{"a tag", "a.yaml", web + "user: !secret x\n", ":3: user has the tag !secret"},
		{"a list as a key", "a.yaml", web + "? [a]\n: b\n", ":3: has a key that is no text"},
		{"a broken line", "a.yaml", web + "env: {A: b\n", ": malformed YAML"},
		{"a tab", "a.yaml", "internal_id: web\n\timage: x\n", ": malformed YAML"},
		{"an unknown anchor", "a.yaml", "internal_id: *web\n", ": malformed YAML: unknown anchor"},
		{"bad UTF-8", "a.yaml", "internal_id: \xff\n", ": the text is not valid UTF-8"},
		{"a number for an id", "a.yaml", "internal_id: 5\n", ":1: internal_id must be a string: quote it, as in \"5\""},
		{"a list beside another key", "a.yaml", "containers: []\nprune: true\n", ":1: internal_id is required"},
		{"volumes that are no list", "a.yaml", "volumes: {volume_id: x}\n", ":1: volumes must be a list"},
		{"a volume that is a text", "a.yaml", "volumes:\n- x\n", ":2: volumes[0] must be an object with volume_id"},
		{"ports that are numbers", "a.yaml", "containers: []\nports: [25565]\n", ":2: ports[0] must be an object with ip"},
		{"nothing of all", "a.yaml", "containers: []\nvolumes:\nports: []\n", "holds no spec"},
		{"JSON by its look", "a.yaml", "{\"internal_id\":\"web\",\n\"image\":1,\n\"image\":1}", ":3: image is given twice"},
		{"JSON: two texts", "a.json", "{\"internal_id\":\"web\"}\n{\"internal_id\":\"web\"}", ":2: internal_id \"web\" is given twice"},
		{"no id", "a.yaml", "image: x\n", ":1: internal_id is required"},
		{"an id twice", "a.yaml", web + "---\n" + web, `:4: internal_id "web" is given twice: first at `},
		{"a merge of a scalar", "a.yaml", web + "<<: x\n", ":3: << must be an alias"},
		{"an endless alias", "a.yaml", web + "env: &a\n  b: *a\n", "nests deeper than 32 levels"},
		{"JSON: a key twice", "a.json", "{\"internal_id\":\"web\",\n\"image\":\"x\",\n\"image\":\"y\"}", ":3: image is given twice"},
		{"JSON: a key twice in a list", "a.json", "[{\"internal_id\":\"web\"},\n{\"image\":\"x\",\n\"image\":\"y\"}]", ":3: [1].image is given twice"},
		{"JSON: cut off", "a.json", "{\"internal_id\":\n\"web\"", ":2: the JSON text ends too early"},
		{"JSON: garbage", "a.json", "{\"internal_id\":\"web\"}\n{]", ":2: malformed JSON"},
		{"JSON: YAML", "a.json", web, ":1: malformed JSON"},
		{"JSON: half a surrogate pair", "a.json", `{"internal_id":"\ud800"}`, ":1: internal_id contains half of a surrogate pair"},
		{"JSON: a scalar in a list", "a.json", `[{"internal_id":"a"}, 1]`, ":1: [1] must be a spec"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, c.file, c.text)
			_, err := Read([]string{path}, nil)
			var refused *Error
			if !errors.As(err, &refused) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if got := err.Error(); !strings.HasPrefix(got, path) || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q after the path", got, c.want)
			}
		})
	}
}

// TestReadWhatContainersNeed: volumes and ports of the pool may stand beside containers, or alone.
func TestReadWhatContainersNeed(t *testing.T) {
	set, err := Read([]string{write(t, "a.yaml", `
volumes:
- volume_id: one
ports:
- {ip: 0.0.0.0, ports: 1-2}
containers:
- internal_id: web
  ports: [{port: 1}]
---
volumes: [{volume_id: two}]
---
ports:
- {ip: 0.0.0.0, port: 3}
---
internal_id: other
ports: []
`)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, list := range [][]Object{set.Containers, set.Volumes, set.Ports} {
		data, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		text += string(data) + "\n"
	}
	if want := `[{"internal_id":"web","ports":[{"port":1}]},{"internal_id":"other","ports":[]}]
[{"volume_id":"one"},{"volume_id":"two"}]
[{"ip":"0.0.0.0","ports":"1-2"},{"ip":"0.0.0.0","port":3}]
`; text != want {
		t.Errorf("got %s\nwant %s", text, want)
	}
	if got := set.Ports[1].Fault("port", "is bad").String(); !strings.HasSuffix(got, "a.yaml:13: port is bad") {
		t.Error(got)
	}
}

func TestAliasesDoNotUnfoldForEver(t *testing.T) {
	var b strings.Builder
	b.WriteString("internal_id: web\na0: &a0 {x: y}\n")
	for i := 1; i <= 12; i++ {
		alias := "*a" + string(rune('a'+i-2))
		if i == 1 {
			alias = "*a0"
		}
		name := "a" + string(rune('a'+i-1))
		b.WriteString(name + ": &" + name + " {<<: [" + strings.Repeat(alias+", ", 19) + alias + "], b: [" + strings.Repeat(alias+", ", 19) + alias + "]}\n")
	}
	_, err := Read([]string{write(t, "a.yaml", b.String())}, nil)
	if err == nil || !strings.Contains(err.Error(), "aliases unfold to more than") {
		t.Errorf("got %v", err)
	}
}

func TestRead(t *testing.T) {
	path := write(t, "a.yaml", `
internal_id: web
image: "alpine:3"   # a comment
limits: {memory: 0x20000000, cpu: 1.50}
env: {EULA: "true", WHEN: 2026-01-01}
stop: {timeout: 30s}
install_script: |
  #!/bin/sh
  echo hi
---
# only a comment
---
- {internal_id: two, tty: false}
- internal_id: three
  restart: ~
---
{"internal_id": "four", "tty": true}
`)
	set, err := Read([]string{path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	objects := set.Containers
	text, err := json.Marshal(objects)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"env":{"EULA":"true","WHEN":"2026-01-01"},"image":"alpine:3","install_script":"#!/bin/sh\necho hi\n",` +
		`"internal_id":"web","limits":{"cpu":1.50,"memory":536870912},"stop":{"timeout":"30s"}},` +
		`{"internal_id":"two","tty":false},{"internal_id":"three","restart":null}`
	if got := string(text); !strings.HasPrefix(got, want) {
		t.Errorf("got %s\nwant %s", got, want)
	}
	lines := make([]int, len(objects))
	for i, o := range objects {
		lines[i] = o.Line
	}
	if lines[0] != 2 || lines[1] != 13 || lines[2] != 14 || len(lines) != 4 || lines[3] != 17 {
		t.Errorf("lines %v", lines)
	}
	for path, line := range map[string]int{"limits.memory": 4, "limits.swap": 4, "stop": 6, "ports[0].port": 2, "": 2} {
		if f := objects[0].Fault(path, "is bad"); f.Line != line {
			t.Errorf("%s is on line %d, want %d", path, f.Line, line)
		}
	}
	if f := objects[2].Fault("restart", "is bad").String(); f != path+":15: restart is bad" {
		t.Errorf("got %s", f)
	}
}

// TestJSON: escapes and tabs, which YAML reads otherwise.
func TestJSON(t *testing.T) {
	for _, name := range []string{"a.json", "a.yaml"} {
		set, err := Read([]string{write(t, name, "{\"containers\":[\n\t{\"internal_id\":\"a\",\"start_pattern\":\"\\ud83d\\ude00\"}\n]}\n[{\"internal_id\":\"b\"}]")}, nil)
		if err != nil {
			t.Fatal(err)
		}
		objects := set.Containers
		if len(objects) != 2 || objects[0].Fields["start_pattern"] != "😀" || objects[0].Line != 2 || objects[1].Line != 4 {
			t.Errorf("got %+v", objects)
		}
	}
}

// TestMerge: what is written out stands before what is merged in.
func TestMerge(t *testing.T) {
	set, err := Read([]string{write(t, "a.yaml", `
- &base
  internal_id: one
  image: alpine:3
  env: {A: x}
- <<: *base
  internal_id: two
- <<: [{image: busybox}, *base]
  internal_id: three
  env: {B: y}
`)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	objects := set.Containers
	text, err := json.Marshal(objects[1:])
	want := `[{"env":{"A":"x"},"image":"alpine:3","internal_id":"two"},{"env":{"B":"y"},"image":"busybox","internal_id":"three"}]`
	if got := string(text); err != nil || got != want {
		t.Errorf("got %s, %v", got, err)
	}
}

// TestHints: a text that YAML takes for something else is to be quoted.
func TestHints(t *testing.T) {
	set, err := Read([]string{write(t, "a.yaml", web+"env:\n  PORT: 25565\nlabels: {a.b: true, c: d}\nuser: 1000\ntmpfs: {/tmp: 64}\nports: [{ip: 1.5, port: 1}]\n")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	objects := set.Containers
	for path, want := range map[string]string{
		"env.PORT": `:4: env.PORT must be a string: quote it, as in "25565"`, "labels.a.b": `:5: labels.a.b must be a string: quote it, as in "true"`,
		"labels.c": ":5: labels.c must be a string", "user": `:6: user must be a string: quote it, as in "1000"`,
		"tmpfs./tmp": `:7: tmpfs./tmp must be a string: quote it, as in "64"`, "ports[0].ip": `:8: ports[0].ip must be a string: quote it, as in "1.5"`, "ports[7].ip": ":8: ports[7].ip must be a string", "limits.memory": ":1: limits.memory must be a string",
	} {
		if got := objects[0].Fault(path, "must be a string").String(); !strings.HasSuffix(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := objects[0].Fault("ports[0].port", "must be free").String(); !strings.HasSuffix(got, "must be free") {
		t.Errorf("a number that may be one has a hint: %s", got)
	}
}

func TestPlaces(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"b.yaml": "internal_id: b", "a.yml": "internal_id: a", "c.json": `{"internal_id":"c"}`, "d.txt": "nonsense: [", "below/e.yaml": "internal_id: e",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	set, err := Read([]string{dir, "-"}, strings.NewReader("containers:\n- internal_id: s\n"))
	if err != nil {
		t.Fatal(err)
	}
	objects := set.Containers
	ids := ""
	for _, o := range objects {
		ids += o.ID
	}
	if ids != "abcs" {
		t.Errorf("got %s", ids)
	}
	if _, err := Read([]string{"-", "-"}, strings.NewReader("internal_id: s\n")); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("stdin twice: %v", err)
	}
	missing := filepath.Join(dir, "missing.yaml")
	if _, err := Read([]string{missing}, nil); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("got %v", err)
	}
	if _, err := Read([]string{t.TempDir()}, nil); err == nil || !strings.Contains(err.Error(), "holds no spec") {
		t.Errorf("an empty directory: %v", err)
	}
}

// TestEveryFaultIsTold: whoever corrects a file wants to do it once.
func TestEveryFaultIsTold(t *testing.T) {
	_, err := Read([]string{write(t, "a.yaml", "internal_id: a\n---\nx: 1\nx: 1\ny: 1\ny: 1\n---\nimage: b\n"), write(t, "b.yaml", "internal_id: a\nw: 1\n")}, nil)
	var refused *Error
	if !errors.As(err, &refused) || len(refused.Faults) != 4 {
		t.Errorf("got %v", err)
	}
}

// FuzzParse: whatever is read can be sent, and whatever is refused says where.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{web, "- a\n- {b: [c, ~]}\n", `{"internal_id":"a","env":{"a":1}}`, "a: &a {<<: *a}\n", "a: !!int x\n", "[1, {\"a\":\n1}]", "? a\n: - b\n"} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, text string, asJSON bool) {
		name := "a.yaml"
		if asJSON {
			name = "a.json"
		}
		r := reader{seen: map[string]Object{}}
		r.file(name, []byte(text))
		for _, o := range slices.Concat(r.set.Containers, r.set.Volumes, r.set.Ports) {
			if _, err := json.Marshal(o); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
		}
		for _, fault := range r.failed.Faults {
			if !strings.HasPrefix(fault.String(), name+":") || fault.Message == "" || fault.Line < 0 || fault.Line > 2+len(text) {
				t.Fatalf("%q: %s", text, fault)
			}
		}
	})
}
