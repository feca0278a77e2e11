package openapi

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

//go:embed *.yaml
var parts embed.FS

// Document is the whole description, as encoding/json would decode it. It is made when it
// is first asked for. The caller must not change it.
var Document = sync.OnceValues(assemble)

// JSON is the whole description as a client gets it.
var JSON = sync.OnceValues(func() ([]byte, error) {
	document, err := Document()
	if err != nil {
		return nil, err
	}
	return json.MarshalIndent(document, "", "  ")
})

// assemble unites the files. Top-level names that begin with x- only serve the other
// parts of their file.
func assemble() (map[string]any, error) {
	names, err := fs.Glob(parts, "*.yaml")
	if err != nil {
		return nil, err
	}
	whole := map[string]any{}
	for _, name := range names {
		data, err := parts.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var part map[string]any
		if err := yaml.Unmarshal(data, &part); err != nil {
			return nil, fmt.Errorf("read %s of the OpenAPI document: %w", name, err)
		}
		maps.DeleteFunc(part, func(key string, _ any) bool { return strings.HasPrefix(key, "x-") })
		if err := unite(whole, part, name); err != nil {
			return nil, err
		}
	}
	components, _ := whole["components"].(map[string]any)
	schemas, _ := components["schemas"].(map[string]any)
	if err := derive(schemas); err != nil {
		return nil, err
	}
	widen(whole)
	addLimits(whole)
	// A round makes the numbers those of JSON.
	data, err := json.Marshal(whole)
	if err != nil {
		return nil, fmt.Errorf("encode the OpenAPI document: %w", err)
	}
	whole = nil
	return whole, json.Unmarshal(data, &whole)
}

// unite adds what from has to to; they may share objects, and nothing else.
func unite(to, from map[string]any, where string) error {
	for key, value := range from {
		have, taken := to[key]
		if !taken {
			to[key] = value
			continue
		}
		a, okA := have.(map[string]any)
		b, okB := value.(map[string]any)
		if !okA || !okB {
			return fmt.Errorf("read %s of the OpenAPI document: %s is there already", where, key)
		}
		if err := unite(a, b, where); err != nil {
			return err
		}
	}
	return nil
}
