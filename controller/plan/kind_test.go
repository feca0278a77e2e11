package plan

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestEachKindHasARow in the table of traits, an execution and a simulation. Three switches have
// cases for kinds, in the whole product: what else is known of a kind is a trait.
func TestEachKindHasARow(t *testing.T) {
	switched := map[string]map[Kind]bool{}
	for _, name := range productFiles(t) {
		for function, cases := range kindCases(t, name) {
			if len(cases) > 0 {
				switched[function] = cases
			}
		}
	}
	const execution, intent, simulation = "controller/execute.go execute", "controller/plan/intent.go recordIntent", "controller/plan/simulate.go apply"
	if lists, want := slices.Sorted(maps.Keys(switched)), []string{execution, intent, simulation}; !slices.Equal(lists, want) {
		t.Errorf("switches have cases for kinds in %q, want %q", lists, want)
	}
	for _, kind := range declaredKinds(t) {
		if _, ok := kinds[kind]; !ok {
			t.Errorf("%s has no traits", kind)
		}
		if !switched[execution][kind] {
			t.Errorf("%s has no execution", kind)
		}
		if never := kind == VerifyMounts || kind == Finalize; switched[simulation][kind] == never {
			t.Errorf("%s is simulated: %t", kind, !never)
		}
	}
}

// productFiles returns the sources of the product, by their paths in the repository.
func productFiles(t *testing.T) (names []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == "hack" || name == ".git" && d.IsDir():
			return fs.SkipDir
		case strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go"):
			names = append(names, name)
		}
		return nil
	})
	if err != nil || len(names) < 100 {
		t.Fatalf("%d sources, %v", len(names), err)
	}
	return names
}

// root is the repository.
const root = "../.."

// kindCases returns the kinds that the switches of each function of a file have cases for.
func kindCases(t *testing.T, name string) map[string]map[Kind]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]map[Kind]bool{}
	for _, decl := range file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		cases := map[Kind]bool{}
		ast.Inspect(fn, func(n ast.Node) bool {
			clause, ok := n.(*ast.CaseClause)
			if !ok {
				return true
			}
			for _, e := range clause.List {
				if selector, ok := e.(*ast.SelectorExpr); ok {
					e = selector.Sel
				}
				if id, ok := e.(*ast.Ident); ok {
					if _, known := kinds[Kind(id.Name)]; known {
						cases[Kind(id.Name)] = true
					}
				}
			}
			return true
		})
		found[name+" "+fn.Name.Name] = cases
	}
	return found
}

// declaredKinds returns the constants of type Kind.
func declaredKinds(t *testing.T) (declared []Kind) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "kind.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "Kind" {
				declared = append(declared, Kind(spec.Names[0].Name))
			}
		}
		return true
	})
	if len(declared) < 20 {
		t.Fatalf("kinds found: %v", declared)
	}
	return declared
}
