package httpapi

import (
	"slices"
	"strings"
	"testing"

	"lightd/httpapi/openapi"
)

// TestEveryRouteIsDescribed compares the routes with the OpenAPI document, both ways, and
// the parameters of each.
func TestEveryRouteIsDescribed(t *testing.T) {
	document, err := openapi.Document()
	if err != nil {
		t.Fatal(err)
	}
	paths := document["paths"].(map[string]any)
	described := 0
	for _, methods := range paths {
		for method := range methods.(map[string]any) {
			if method != "parameters" {
				described++
			}
		}
	}
	routes := (&Server{}).routes()
	for _, r := range routes {
		parts := strings.Split(r.path, "/")
		for i, part := range parts {
			if name, ok := strings.CutPrefix(part, ":"); ok {
				parts[i] = "{" + name + "}"
			}
		}
		methods, _ := paths[strings.Join(parts, "/")].(map[string]any)
		operation, _ := methods[strings.ToLower(r.method)].(map[string]any)
		if operation == nil {
			t.Errorf("%s %s is not in the OpenAPI document", r.method, r.path)
			continue
		}
		known := append(names(document, operation["parameters"]), names(document, methods["parameters"])...)
		slices.Sort(known)
		if want := slices.Sorted(slices.Values(r.query)); !slices.Equal(known, want) {
			t.Errorf("%s %s: the OpenAPI document has the parameters %q, the table of routes %q", r.method, r.path, known, want)
		}
	}
	if described != len(routes) {
		t.Errorf("the OpenAPI document has %d operations, the table of routes %d", described, len(routes))
	}
}

// names are those of a list of parameters that are in the query.
func names(document map[string]any, list any) []string {
	parameters := document["components"].(map[string]any)["parameters"].(map[string]any)
	var all []string
	entries, _ := list.([]any)
	for _, entry := range entries {
		p := entry.(map[string]any)
		if ref, ok := p["$ref"].(string); ok {
			p = parameters[strings.TrimPrefix(ref, "#/components/parameters/")].(map[string]any)
		}
		if p["in"] == "query" {
			all = append(all, p["name"].(string))
		}
	}
	return all
}

func TestDescribe(t *testing.T) {
	n := newNode(t)
	a := n.send("GET", "/openapi.json", "").want(t, 200, `"openapi"`)
	if a.json["paths"] == nil {
		t.Errorf("no paths in %.100s", a.text)
	}
}
