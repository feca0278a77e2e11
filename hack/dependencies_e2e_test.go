package hack_test

import (
	"bytes"
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestUnusedModulesAreNotLinked reads what `go version -m` prints: what gin imports and lightd
// never calls is replaced by hack/unused, and neither gRPC nor anything of a test is in the binary.
// Nothing calls a method by a name that it finds out while it runs either, as templates do: the linker
// would keep each method of each type.
func TestUnusedModulesAreNotLinked(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "lightd")
	build := exec.Command("go", "build", "-tags", "nomsgpack", "-trimpath", "-ldflags", "-dumpdep", "-o", binary, "./cmd/lightd")
	build.Dir, build.Env = "..", append(os.Environ(), "CGO_ENABLED=0")
	edges, err := build.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%.4000s", err, edges)
	}
	if !bytes.Contains(edges, []byte("main.main -> ")) {
		t.Errorf("no edges of the linker: %.400s", edges)
	}
	for edge := range bytes.Lines(edges) {
		if bytes.Contains(edge, []byte("<ReflectMethod>")) {
			t.Errorf("a method is called by a name: %s", edge)
		}
	}
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	unused := regexp.MustCompile(`quic|mongo|validator|goccy|pelletier|sonic|ugorji|qpack|rapid|goleak|creack|jsonschema|grpc`)
	for _, dep := range info.Deps {
		replaced := dep.Replace != nil && strings.HasPrefix(dep.Replace.Path, "./hack/unused/")
		if unused.MatchString(dep.Path) && !replaced {
			t.Errorf("%s %s is linked", dep.Path, dep.Version)
		}
	}
}
