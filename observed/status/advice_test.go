package status

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// reasons are those that the source of package status declares.
func reasons(t *testing.T) (all []Reason) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(source, func(n ast.Node) bool {
			value, is := n.(*ast.ValueSpec)
			if !is {
				return true
			}
			if kind, is := value.Type.(*ast.Ident); !is || kind.Name != "Reason" {
				return true
			}
			for _, v := range value.Values {
				text, err := strconv.Unquote(v.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, Reason(text))
			}
			return true
		})
	}
	return all
}

// TestEveryReasonHasAnAdvice, or is listed as one that needs none.
func TestEveryReasonHasAnAdvice(t *testing.T) {
	all := reasons(t)
	if len(all) < 25 {
		t.Fatalf("only %d reasons are found: %q", len(all), all)
	}
	for _, reason := range all {
		row, has := advice[reason]
		if !has {
			t.Errorf("%s has neither an advice nor is said to need none", reason)
		}
		for _, text := range []string{row.Does, row.Can} {
			if len(text) > 200 || strings.ContainsAny(text, "\n\t") || strings.HasSuffix(text, ".") {
				t.Errorf("%s: %q", reason, text)
			}
		}
	}
}
