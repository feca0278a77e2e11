package main

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"lightd/hack/harness"
)

// TestEverySettingIsInThePackagedFile: the configuration that the package installs sets nothing, and its
// commented lines are all settings with their defaults. A new setting gets its line in hack/package/lightd.yaml.
func TestEverySettingIsInThePackagedFile(t *testing.T) {
	const packaged = "../../hack/package/lightd.yaml"
	want := defaults(func(string) string { return "" })
	asInstalled := want
	if err := readConfig(packaged, &asInstalled); err != nil || !reflect.DeepEqual(asInstalled, want) {
		t.Errorf("as it is installed it sets %q: %v", differingKeys(asInstalled, want), err)
	}
	// "# text" is a comment, "#key: value" and "#  key: value" are settings.
	text := regexp.MustCompile(`(?m)^#(\S|  )`).ReplaceAll(harness.Value[[]byte](t)(os.ReadFile(packaged)), []byte("$1"))
	path := filepath.Join(t.TempDir(), "lightd.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	var given config
	if err := readConfig(path, &given); err != nil {
		t.Fatal(err)
	}
	want.DataDir = rootDataDir // whoever runs the test
	if differ := differingKeys(given, want); len(differ) > 0 {
		t.Errorf("other than the defaults, or missing: %q", differ)
	}
	var document map[string]any
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	for _, l := range want.leaves() {
		if !hasKey(document, l.key) {
			t.Errorf("%s has no line for %s", packaged, l.key)
		}
	}
}

// hasKey reports whether a document has a dotted key.
func hasKey(document map[string]any, key string) bool {
	first, rest, nested := strings.Cut(key, ".")
	value, found := document[first]
	if !nested || !found {
		return found
	}
	inner, _ := value.(map[string]any)
	return hasKey(inner, rest)
}
