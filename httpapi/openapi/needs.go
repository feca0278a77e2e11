package openapi

import (
	"fmt"
	"strings"
)

// Need is what a request of a route needs.
type Need struct {
	// Method and Path name the route; a parameter of the path begins with a colon.
	Method, Path string
	// Scope is the scope that a token needs; empty for a route that needs no token.
	Scope string
	// Access says the same for people, and what else a token needs.
	Access string
}

// WithNeeds returns a copy of the document in which each operation says what it needs.
func WithNeeds(needs []Need) (map[string]any, error) {
	shared, err := Document()
	if err != nil {
		return nil, err
	}
	document, err := clone(shared)
	if err != nil {
		return nil, err
	}
	paths, _ := document["paths"].(map[string]any)
	for _, n := range needs {
		methods, _ := paths[template(n.Path)].(map[string]any)
		operation, found := methods[strings.ToLower(n.Method)].(map[string]any)
		if !found {
			return nil, fmt.Errorf("describe the routes: the OpenAPI document has no %s %s", n.Method, n.Path)
		}
		if n.Scope == "" {
			operation["security"] = []any{}
			continue
		}
		operation["security"] = []any{map[string]any{"bearer": []any{n.Scope}}}
		text, _ := operation["description"].(string)
		operation["description"] = strings.TrimSpace(strings.TrimSpace(text) + "\n\nNeeds a token with the scope " + n.Access + ".")
	}
	return document, nil
}

// template is a path as the document has it.
func template(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if name, parameter := strings.CutPrefix(part, ":"); parameter {
			parts[i] = "{" + name + "}"
		}
	}
	return strings.Join(parts, "/")
}
