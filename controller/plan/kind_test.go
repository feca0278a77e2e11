package plan

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestEachKindHasARow in the table of traits, an execution and a simulation, and no other place
// lists kinds: what is known of a kind is a trait.
func TestEachKindHasARow(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	outside, err := filepath.Glob("../*.go")
	if err != nil {
		t.Fatal(err)
	}
	switched := map[string]map[Kind]bool{}
	for _, name := range append(files, outside...) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		for function, cases := range kindCases(t, name) {
			if len(cases) > 2 {
				switched[function] = cases
			}
		}
	}
	lists := slices.Sorted(maps.Keys(switched))
	if want := []string{"../execute.go execute", "intent.go recordIntent", "simulate.go apply", "simulate.go applyRun"}; !slices.Equal(lists, want) {
		t.Errorf("kinds are listed in %q, want %q", lists, want)
	}
	if len(kinds) < 20 {
		t.Fatalf("%d kinds", len(kinds))
	}
	for _, kind := range declaredKinds(t) {
		if _, ok := kinds[kind]; !ok {
			t.Errorf("%s has no traits", kind)
		}
		if !switched["../execute.go execute"][kind] {
			t.Errorf("%s has no execution", kind)
		}
		simulated := switched["simulate.go apply"][kind] || switched["simulate.go applyRun"][kind]
		if never := kind == VerifyMounts || kind == Finalize; simulated == never {
			t.Errorf("%s is simulated: %t", kind, simulated)
		}
	}
}

// kindCases returns the kinds that the switches of each function of a file have cases for.
func kindCases(t *testing.T, name string) map[string]map[Kind]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
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
