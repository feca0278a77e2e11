package egg_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lightd/cmd/lightd/egg"
	"lightd/cmd/lightd/manifest"
	"lightd/desired"
	"lightd/hack/eventually"
)

func TestMain(m *testing.M) { eventually.Main(m) }

var update = flag.Bool("update", false, "write the golden files")

const volume = "d6764075-c5f1-4045-9fb3-85315b85cb0f"

func read(t testing.TB, name string) egg.Egg {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	e, err := egg.Parse(data)
	if err != nil {
		t.Fatal(name, err)
	}
	return e
}

// stored reads a file as apply and the daemon do.
func stored(t testing.TB, text []byte) desired.Spec {
	t.Helper()
	set, err := manifest.Read([]string{manifest.Stdin}, bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	fields, err := json.Marshal(set.Containers[0])
	if err != nil {
		t.Fatal(err)
	}
	s := desired.DefaultSpec()
	decoder := json.NewDecoder(bytes.NewReader(fields))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return s.Normalize()
}

// TestEggs: each becomes the spec beside it, which a daemon takes, and all that it lacks is told.
func TestEggs(t *testing.T) {
	for file, o := range map[string]egg.Options{
		"blocks.json": {Ports: []desired.Port{{Port: 25565}}, Memory: 2 << 30, Env: map[string]string{"DL_PATH": "https://example.com/server.jar"}},
		"shooter.json": {Image: "Proton", Ports: []desired.Port{{IP: "10.0.0.1", Port: 27015, ContainerPort: 27000, Protocol: desired.UDP},
			{Port: 27015}}},
		"voice.yaml": {Startup: "Default", Ports: []desired.Port{{}}},
	} {
		o.ID, o.Volume = "game", volume
		e := read(t, file)
		spec, notes, err := e.Convert(o)
		if err != nil {
			t.Fatal(file, err)
		}
		text, err := e.YAML(spec)
		if err != nil {
			t.Fatal(file, err)
		}
		got := string(text) + "---\n"
		for _, n := range notes {
			got += n.String() + "\n"
		}
		golden := filepath.Join("testdata", strings.TrimSuffix(file, filepath.Ext(file))+".golden")
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || got != string(want) {
			t.Errorf("%s: %v, got\n%s", file, err, got)
		}
		s := stored(t, text)
		if err := s.Validate(desired.Rules{}); err != nil || !s.Equal(spec.Normalize()) {
			t.Errorf("%s: %v\nwritten %+v\nread    %+v", file, err, spec, s)
		}
	}
}

// TestChoices of an egg are made by name, and an image may be another one.
func TestChoices(t *testing.T) {
	shooter, voice := read(t, "shooter.json"), read(t, "voice.yaml")
	if s, _, err := shooter.Convert(egg.Options{}); err != nil || s.Image != "ghcr.io/example/games:source" {
		t.Errorf("%s, %v", s.Image, err)
	}
	if s, _, err := shooter.Convert(egg.Options{Image: "localhost:5000/mine"}); err != nil || s.Image != "localhost:5000/mine" {
		t.Errorf("%s, %v", s.Image, err)
	}
	if _, _, err := shooter.Convert(egg.Options{Image: "Java"}); err == nil || err.Error() != `the egg has no image "Java"; there are "Source", "Proton"` {
		t.Error(err)
	}
	if s, _, err := voice.Convert(egg.Options{Startup: "Verbose"}); err != nil || s.StartupCommand != "./voice --verbose --port ${SERVER_PORT}" {
		t.Errorf("%s, %v", s.StartupCommand, err)
	}
	if _, _, err := voice.Convert(egg.Options{Startup: "Quiet"}); err == nil || !strings.Contains(err.Error(), `there are "Default", "Verbose"`) {
		t.Error(err)
	}
}

// TestWhatOnlyTheUserKnows is named with the flag that gives it.
func TestWhatOnlyTheUserKnows(t *testing.T) {
	_, notes, err := read(t, "blocks.json").Convert(egg.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, n := range notes {
		all.WriteString(n.String() + "\n")
	}
	for _, want := range []string{
		"internal_id: is not in an egg: give --id", "volume_id: is not in an egg: give --volume", "ports: are not in an egg: give -p",
		"env.SERVER_MEMORY: is used, and is set by nobody: give --memory", "env.SERVER_PORT: is used, and is set by nobody: give -p PORT, or -p 0:PORT for a free one outside",
		"variables.DL_PATH: is required and has no default: give it with --env DL_PATH=VALUE",
	} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("%q is not in\n%s", want, all.String())
		}
	}
}

// TestStop: a command, or a signal as Wings reads it.
func TestStop(t *testing.T) {
	for text, want := range map[string]desired.Stop{
		"stop": {Command: "stop"}, "^C": {Signal: "SIGINT"}, "^c": {Signal: "SIGINT"}, "^^C": {Signal: "SIGINT"}, "^SIGABRT": {Signal: "SIGABRT"},
		"^TERM": {Signal: "SIGTERM"}, "^X": {Signal: "SIGKILL"}, "/end now": {Command: "/end now"}, "": {},
	} {
		e := egg.Egg{Format: "PTDL_v2", Images: []egg.Choice{{Name: "a", Value: "b"}}, Startups: []egg.Choice{{Name: "a", Value: "b"}}, Stop: text}
		s, notes, err := e.Convert(egg.Options{})
		if err != nil || s.Stop.Command != want.Command || s.Stop.Signal != want.Signal {
			t.Errorf("%q: %+v, %v, %v", text, s.Stop, notes, err)
		}
	}
}

// TestImagesOfAnEgg: the list of the first format is in some eggs of the second.
func TestImagesOfAnEgg(t *testing.T) {
	for text, want := range map[string]string{
		`{"meta":{"version":"PTDL_v1"},"image":"a:1","startup":"c"}`:                                "a:1",
		`{"meta":{"version":"PTDL_v1"},"images":["a:1","b:1"],"startup":"c"}`:                       "a:1",
		`{"meta":{"version":"PTDL_v2"},"images":["a:1"],"startup":"c"}`:                             "a:1",
		`{"meta":{"version":"PTDL_v2"},"images":["a:1"],"docker_images":{"B":"b:1"},"startup":"c"}`: "b:1",
		`{"meta":{"version":"PLCN_v3"},"image":"data:x","docker_images":{"B":"b:1"},"startup":"c"}`: "b:1",
	} {
		e, err := egg.Parse([]byte(text))
		if err != nil || e.Images[0].Value != want {
			t.Errorf("%s: %+v, %v", text, e.Images, err)
		}
	}
}

// TestNoEgg: what is wrong with a file is told.
func TestNoEgg(t *testing.T) {
	const head = `"meta":{"version":"PTDL_v2"}`
	for text, want := range map[string]string{
		``:                               "it is empty",
		`# nothing`:                      "it is empty",
		`[1]`:                            "an object is needed",
		`just text`:                      "an object is needed",
		`{}`:                             "meta.version is missing",
		`{"meta":{"version":"PTDL_v9"}}`: `meta.version "PTDL_v9" is none of PTDL_v1`,
		`{` + head + `}`:                 "docker_images: there is none",
		`{` + head + `,"docker_images":{"a":"b"}}`:                                        "startup: there is none",
		`{` + head + `,"docker_images":{"a":"b"},"startup":"c","config":{"startup":"{"}}`: "config.startup: malformed JSON",
		`{` + head:       "malformed JSON: unexpected EOF",
		`{"a":1} {`:      "something follows",
		"a: [b":          "malformed YAML",
		"a: &x b\nc: *x": "an alias",
		"a: \xff":        "it is not UTF-8",
		strings.Repeat("[", 100) + strings.Repeat("]", 100):                 "nests deeper",
		`{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`: "nests deeper",
	} {
		if _, err := egg.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
}

// FuzzEgg: whatever a file holds, it is refused or becomes a file that reads back as what it was made from, and what a
// daemon would refuse of it is told.
func FuzzEgg(f *testing.F) {
	for _, name := range []string{"blocks.json", "shooter.json", "voice.yaml"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := egg.Parse(data)
		if err != nil {
			return
		}
		spec, notes, err := e.Convert(egg.Options{ID: "game", Volume: volume, Ports: []desired.Port{{Port: 1}}})
		if err != nil {
			t.Fatal(err)
		}
		text, err := e.YAML(spec)
		if err != nil {
			t.Fatal(err)
		}
		refused := 0
		for _, n := range notes {
			if strings.HasPrefix(n.Message, "would be refused") {
				refused++
			}
		}
		s := stored(t, text)
		if !s.Equal(spec.Normalize()) {
			t.Fatalf("written %+v\nread    %+v\n%s", spec, s, text)
		}
		if err := s.Validate(desired.Rules{AllowedImages: []string{"*"}}); (err == nil) != (refused == 0) {
			t.Fatalf("%v, and %v is told", err, notes)
		}
	})
}
