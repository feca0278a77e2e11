package explain

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"lightd/cmd/lightd/render"
	"lightd/httpapi/openapi"
)

// Field is one field of a container, or a container as a whole.
type Field struct {
	// Path is as in "ports[].port"; empty for the whole.
	Path   string
	schema schema
	// required is true when a spec must give it.
	required bool
}

// schema is a schema of the document in which references are resolved.
type schema map[string]any

// whole is the container as it is read, with what the daemon adds, and as a spec writes it: the
// latter's fields have the defaults.
var whole = schema{
	"type": "object", "description": "A container as it should be, and as it is.",
	"allOf": []any{map[string]any{"$ref": schemaPrefix + "Container"}, map[string]any{"$ref": schemaPrefix + "ContainerSpec"}},
}

const schemaPrefix = "#/components/schemas/"

// resolve follows a reference; what stands beside it goes before what it refers to.
func resolve(s schema) (schema, error) {
	ref, ok := s["$ref"].(string)
	if !ok {
		return s, nil
	}
	target, err := component(strings.TrimPrefix(ref, schemaPrefix))
	if err != nil {
		return nil, err
	}
	merged := maps.Clone(target)
	for key, value := range s {
		if key != "$ref" {
			merged[key] = value
		}
	}
	return merged, nil
}

func component(name string) (schema, error) {
	document, err := openapi.Document()
	if err != nil {
		return nil, err
	}
	components, _ := document["components"].(map[string]any)
	schemas, _ := components["schemas"].(map[string]any)
	found, ok := schemas[name].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the OpenAPI document has no schema %q", name)
	}
	return resolve(found)
}

// members returns the fields of an object, those of the schemas that it is made of
// included.
func (s schema) members() (map[string]schema, error) {
	all := map[string]schema{}
	for _, key := range []string{"allOf", "oneOf"} {
		parts, _ := s[key].([]any)
		for _, part := range parts {
			below, _ := part.(map[string]any)
			resolved, err := resolve(below)
			if err != nil {
				return nil, err
			}
			more, err := resolved.members()
			if err != nil {
				return nil, err
			}
			maps.Copy(all, more)
		}
	}
	properties, _ := s["properties"].(map[string]any)
	for name, property := range properties {
		below, _ := property.(map[string]any)
		resolved, err := resolve(below)
		if err != nil {
			return nil, err
		}
		all[name] = resolved
	}
	return all, nil
}

// inside returns what a list holds, or the values of a map; s itself when it is neither.
func (s schema) inside() (schema, string, error) {
	for key, mark := range map[string]string{"items": "[]", "additionalProperties": ".KEY"} {
		if below, ok := s[key].(map[string]any); ok {
			resolved, err := resolve(below)
			return resolved, mark, err
		}
	}
	return s, "", nil
}

var index = regexp.MustCompile(`\[\d*\]`)

// Find returns the field at path, as in "limits.memory", "ports.port" or "ports[0].port";
// the whole for "". Its error names what there is instead.
func Find(path string) (Field, error) {
	f := Field{schema: whole}
	for name := range strings.SplitSeq(index.ReplaceAllString(path, ""), ".") {
		if name == "" {
			continue
		}
		below, err := f.below(name)
		if err != nil {
			return Field{}, err
		}
		f = below
	}
	return f, nil
}

func (f Field) below(name string) (Field, error) {
	holder, mark, err := f.schema.inside()
	if err != nil {
		return Field{}, err
	}
	if mark == ".KEY" {
		holder = maps.Clone(holder)
		if holder["description"] == nil {
			holder["description"] = f.schema["description"]
		}
		return Field{Path: f.Path + "." + name, schema: holder}, nil
	}
	members, err := holder.members()
	if err != nil {
		return Field{}, err
	}
	found, ok := members[name]
	if !ok {
		place := "a container has"
		if f.Path != "" {
			place = f.Path + " has"
		}
		if len(members) == 0 {
			return Field{}, fmt.Errorf("there is no field %q: %s none below it", name, place)
		}
		return Field{}, fmt.Errorf("there is no field %q: %s %s", name, place, strings.Join(slices.Sorted(maps.Keys(members)), ", "))
	}
	path := name
	if f.Path != "" {
		path = f.Path + mark + "." + name
	}
	return Field{Path: path, schema: found, required: f.Path == "" && requiredOfSpec(name)}, nil
}

// requiredOfSpec are the fields that a spec must give.
func requiredOfSpec(name string) bool {
	return slices.Contains([]string{"internal_id", "image", "volume_id", "startup_command"}, name)
}

// isAdded reports whether the field at path is one that the daemon adds to a spec. What is below
// such a field says nothing of it.
func isAdded(path string) bool {
	if path == "" || strings.Contains(path, ".") {
		return false
	}
	spec, err := component("ContainerSpec")
	if err != nil {
		return false
	}
	members, err := spec.members()
	_, given := members[path]
	return err == nil && !given
}

// kind formats the type of a value.
func (s schema) kind() string {
	if inner, mark, err := s.inside(); err == nil && mark != "" {
		if mark == "[]" {
			return "list of " + inner.kind()
		}
		return "map of " + inner.kind()
	}
	switch t := s["type"].(type) {
	case string:
		return t
	case []any:
		words := make([]string, len(t))
		for i, v := range t {
			words[i] = fmt.Sprint(v)
		}
		return strings.Join(words, " or ")
	}
	if parts, ok := s["oneOf"].([]any); ok {
		words := make([]string, 0, len(parts))
		for _, part := range parts {
			if below, err := resolve(part.(map[string]any)); err == nil {
				words = append(words, below.kind())
			}
		}
		return strings.Join(words, " or ")
	}
	return "any"
}

func (s schema) text(key string) string {
	text, _ := s[key].(string)
	text, _, _ = strings.Cut(text, openapi.DefaultSentence) // a fact of its own here
	return text
}

// Write tells all of a field, and in a line each of those below it.
// No line is wider than width, unless that is 0.
func (f Field) Write(out io.Writer, width int) error {
	var b strings.Builder
	name := f.Path
	if name == "" {
		name = "a container"
	}
	fmt.Fprintf(&b, "%s <%s>\n", render.Text(name), f.schema.kind())
	if text := f.schema.text("description"); text != "" {
		fmt.Fprintf(&b, "\n%s\n", render.Wrap("  "+render.Text(text), width, "  "))
	}
	if facts := f.facts(); len(facts) > 0 {
		b.WriteByte('\n')
		for _, fact := range facts {
			line := fmt.Sprintf("  %-9s %s", fact[0]+":", render.Text(fact[1]))
			b.WriteString(render.Wrap(line, width, strings.Repeat(" ", 12)) + "\n")
		}
	}
	if _, err := io.WriteString(out, b.String()); err != nil {
		return err
	}
	return f.writeBelow(out, width)
}

// facts are the short things to know of a field.
func (f Field) facts() [][2]string {
	var facts [][2]string
	add := func(name, text string) { facts = append(facts, [2]string{name, text}) }
	if f.required {
		add("required", "yes")
	}
	if isAdded(f.Path) {
		add("read-only", "the daemon says it; in a spec it is passed over")
	}
	if values, ok := f.schema["enum"].([]any); ok {
		words := make([]string, len(values))
		for i, v := range values {
			words[i] = fmt.Sprint(v)
		}
		add("one of", strings.Join(words, ", "))
	}
	for _, key := range []string{"pattern", "minimum", "maximum", "format", openapi.Default, "example"} {
		if v, ok := f.schema[key]; ok && v != "int64" { // of interest to generators only
			add(strings.TrimPrefix(key, "x-"), encode(v))
		}
	}
	return facts
}

// encode writes a value as a spec would have it.
func encode(v any) string {
	if text, ok := v.(string); ok && text != "" {
		return text
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(data)
}

// writeBelow lists the fields of an object: those of a spec first.
func (f Field) writeBelow(out io.Writer, width int) error {
	holder, _, err := f.schema.inside()
	if err != nil {
		return err
	}
	members, err := holder.members()
	if err != nil || len(members) == 0 {
		return err
	}
	var given, added []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if f.Path == "" && isAdded(name) {
			added = append(added, name)
		} else {
			given = append(given, name)
		}
	}
	title := "Fields:"
	for _, names := range [][]string{given, added} {
		if len(names) > 0 {
			fmt.Fprintf(out, "\n%s\n", title)
		}
		t := render.NewPlainTable(out, 3).Fit(width)
		for _, name := range names {
			kind := members[name].kind()
			if f.Path == "" && requiredOfSpec(name) {
				kind += ", required"
			}
			t.Row(name, "<"+kind+">", members[name].text("description"))
		}
		if err := t.FlushIndented("  "); err != nil {
			return err
		}
		title = "What the daemon adds:"
	}
	return nil
}

// Complete returns the paths that begin with what was typed, one level deep.
func Complete(typed string) []string {
	at, _, _ := cutLast(typed)
	f, err := Find(at)
	if err != nil {
		return nil
	}
	holder, _, err := f.schema.inside()
	if err != nil {
		return nil
	}
	members, err := holder.members()
	if err != nil {
		return nil
	}
	var paths []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		path := name
		if at != "" {
			path = at + "." + name
		}
		if strings.HasPrefix(path, typed) {
			paths = append(paths, path)
		}
	}
	return paths
}

func cutLast(path string) (before, after string, found bool) {
	i := strings.LastIndexByte(path, '.')
	if i < 0 {
		return "", path, false
	}
	return path[:i], path[i+1:], true
}
