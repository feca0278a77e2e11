package hack_test

import (
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestUnusedModulesAreNotLinked reads what `go version -m` prints: what gin imports and lightd
// never calls is replaced by hack/unused, and nothing of a test is in the binary.
func TestUnusedModulesAreNotLinked(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "lightd")
	build := exec.Command("go", "build", "-tags", "nomsgpack", "-trimpath", "-o", binary, "./cmd/lightd")
	build.Dir, build.Env = "..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	unused := regexp.MustCompile(`quic|mongo|sonic|ugorji|qpack|rapid|goleak|creack|jsonschema`)
	for _, dep := range info.Deps {
		replaced := dep.Replace != nil && strings.HasPrefix(dep.Replace.Path, "./hack/unused/")
		if unused.MatchString(dep.Path) && !replaced {
			t.Errorf("%s %s is linked", dep.Path, dep.Version)
		}
	}
}
