// Package hack_test holds the rules of the house that no compiler checks.
package hack_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rooms says which of our own packages a room may import, itself apart. Whatever is not
// named here is refused; cmd and hack may import all.
var rooms = map[string][]string{
	"desired":    {},
	"observed":   {"desired"},
	"controller": {"desired", "observed"},
	"httpapi":    {"desired", "observed", "controller/plan"},
}

// groups says which packages of httpapi a group of handlers, or what lies below the groups, may
// import of httpapi. No group imports another one but auth.
var groups = map[string][]string{
	"httpapi/peer":       {},
	"httpapi/audit":      {},
	"httpapi/certs":      {},
	"httpapi/listen":     {"peer"},
	"httpapi/admission":  {"peer", "rest"},
	"httpapi/rest":       {"api", "strictjson", "suggest"},
	"httpapi/selector":   {"api", "rest"},
	"httpapi/view":       {"api", "rest"},
	"httpapi/auth":       {"api", "audit", "peer", "rest", "selector"},
	"httpapi/files":      {"api", "audit", "auth", "rest"},
	"httpapi/health":     {"api", "rest"},
	"httpapi/webhook":    {"api", "selector", "suggest"},
	"httpapi/node":       {"api", "auth", "rest", "selector", "strictjson", "view"},
	"httpapi/containers": {"api", "auth", "rest", "selector", "strictjson", "view", "wait"},
	"httpapi/streams":    {"api", "audit", "auth", "rest", "selector", "sessions", "socket", "view", "watch"},
}

// consoleRooms says which of each other the rooms may import that carry what passes between clients
// and the processes of containers.
var consoleRooms = map[string][]string{
	"observed/streams":      {},
	"observed/usage":        {"streams"},
	"observed/stdin":        {"streams"},
	"observed/replay":       {"streams"},
	"observed/startpattern": {"replay", "streams"},
	"observed/console":      {"replay", "streams"},
	"observed/containerio":  {"console", "startpattern", "stdin", "streams", "usage"},
}

// kept says where a module from outside may be imported, tests apart, and why.
var kept = []struct {
	module string
	in     []string
	why    string
}{
	{"github.com/docker/docker", []string{"observed", "hack"}, "what Docker is like stays on the observed side"},
	{"github.com/docker/go-connections", []string{"observed", "hack"}, "as above"},
	{"github.com/dgraph-io/badger", []string{"desired/kv", "hack/bench"}, "the database must be replaceable by one that many nodes share"},
	{"lightd/desired/store", []string{"controller", "httpapi", "cmd", "hack", "observed/records"}, "whoever keeps keys of its own takes transactions of kv"},
	{"github.com/gin-gonic/gin", []string{"httpapi"}, "only routes know how they are routed"},
	{"github.com/coder/websocket", []string{"httpapi", "hack"}, "only the two ends of the interface, and what measures them, speak it"},
	{"github.com/spf13", []string{"cmd/lightd"}, "what is typed is read where it is typed"},
	{"golang.org/x/term", []string{"cmd/lightd"}, "only the command line has a person before it"},
	{"k8s.io/client-go/util/workqueue", []string{"controller", "observed/cache", "observed/images", "observed/snapshots", "cmd/lightd/metrics"}, "a queue is for who works one off"},
	{"k8s.io/client-go/util/jsonpath", []string{"cmd/lightd/render"}, "the expressions of -o and --sort-by are for who types them"},
	{"k8s.io/client-go/", nil, "of client-go only the workqueue and JSONPath"},
	{"github.com/prometheus", []string{"cmd/lightd/metrics"}, "what is counted says so by hooks, and knows nothing of who asks"},
	{"go.opentelemetry.io", []string{"cmd/lightd/tracing", "hack/otlp"}, "what is traced says so by hooks, and knows nothing of who is sent the spans"},
	{"github.com/google/nftables", []string{"controller/firewall"}, "the firewall alone speaks netlink"},
	{"lightd/hack/simengine", []string{"hack"}, "it serves tests and benchmarks only"},
}

// imported is one import of one file.
type imported struct {
	file, dir, path string
	test            bool
}

func imports(t *testing.T) []imported {
	t.Helper()
	var all []imported
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".go" {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", name), nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range file.Imports {
			p, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			all = append(all, imported{name, path.Dir(name), p, strings.HasSuffix(name, "_test.go")})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 500 {
		t.Fatalf("only %d imports found: this test looks in the wrong place", len(all))
	}
	return all
}

// within reports whether p is dir or below it.
func within(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }

func TestRoomsImportWhatTheyMay(t *testing.T) {
	for _, i := range imports(t) {
		ours, own := strings.CutPrefix(i.path, "lightd/")
		room, _, _ := strings.Cut(i.dir, "/")
		allowed, ruled := rooms[room]
		if !own || !ruled || i.test || within(ours, room) {
			continue
		}
		if !slices.ContainsFunc(allowed, func(dir string) bool { return within(ours, dir) }) {
			t.Errorf("%s imports %s: %s may import %v", i.file, i.path, room, allowed)
		}
	}
}

func TestHandlerGroupsStayApart(t *testing.T) {
	for _, i := range imports(t) {
		allowed, ruled := groups[i.dir]
		sibling, ours := strings.CutPrefix(i.path, "lightd/httpapi/")
		if ruled && ours && !i.test && !slices.Contains(allowed, sibling) {
			t.Errorf("%s imports %s: %s may import %v of httpapi", i.file, i.path, i.dir, allowed)
		}
	}
}

func TestModulesStayWhereTheyBelong(t *testing.T) {
	for _, i := range imports(t) {
		for _, k := range kept {
			if i.test || !strings.HasPrefix(i.path, k.module) || within("lightd/"+i.dir, k.module) {
				continue
			}
			if !slices.ContainsFunc(k.in, func(dir string) bool { return within(i.dir, dir) }) {
				t.Errorf("%s imports %s, kept to %v: %s", i.file, i.path, k.in, k.why)
			}
			break // the first rule that fits holds
		}
	}
}

// TestPlanIsPure: whoever decides must neither read a clock nor do input or output.
func TestPlanIsPure(t *testing.T) {
	pure := []string{"cmp", "fmt", "net/netip", "slices", "strings", "time"}
	for _, i := range imports(t) {
		if i.dir == "controller/plan" && !i.test && !strings.HasPrefix(i.path, "lightd/") && !slices.Contains(pure, i.path) {
			t.Errorf("%s imports %s", i.file, i.path)
		}
	}
}

func TestTopLevelIsAsAgreed(t *testing.T) {
	agreed := []string{"cmd", "controller", "desired", "observed", "httpapi", "hack", "go.mod", "go.sum", "Makefile", "README.md"}
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !slices.Contains(agreed, e.Name()) {
			t.Errorf("%s is at the top level", e.Name())
		}
	}
}

// TestConsoleRoomsStayApart: the console, and what was taken out of it, form a hierarchy.
func TestConsoleRoomsStayApart(t *testing.T) {
	for _, i := range imports(t) {
		allowed, ruled := consoleRooms[i.dir]
		ours, own := strings.CutPrefix(i.path, "lightd/observed/")
		if _, room := consoleRooms["observed/"+ours]; ruled && own && room && !i.test && !slices.Contains(allowed, ours) {
			t.Errorf("%s imports %s: of the rooms of the console it may import %v", i.file, i.path, allowed)
		}
	}
}
