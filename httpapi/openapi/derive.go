package openapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The marks of a schema that is derived from the one that a request has.
const (
	// answerMark: every member is there that is not requestOnly.
	answerMark = "x-answer-of"
	// patchMark: every member may be left out, and may be null.
	patchMark = "x-patch-of"
	// listedMark: what the first schema has is there, what the second has may be.
	listedMark = "x-listed"
	// requestOnly: no answer has the member.
	requestOnly = "x-request-only"
)

const schemaPrefix = "#/components/schemas/"

// derive makes the schemas that are marked so, and moves the defaults of all.
func derive(schemas map[string]any) error {
	// The names of what is derived, by the mark and the schema that it comes from.
	names := map[string]map[string]string{answerMark: {}, patchMark: {}}
	for name, schema := range schemas {
		for mark, derived := range names {
			if from, marked := schema.(map[string]any)[mark].(string); marked {
				derived[from] = name
			}
		}
	}
	for mark, derived := range names {
		for from, name := range derived {
			source, ok := schemas[from].(map[string]any)
			if !ok {
				return fmt.Errorf("derive schema %s: there is no schema %s", name, from)
			}
			made, err := derivation(source, mark, derived)
			if err != nil {
				return fmt.Errorf("derive schema %s: %w", name, err)
			}
			marked := schemas[name].(map[string]any)
			if made["description"] = marked["description"]; len(marked) != 2 {
				return fmt.Errorf("derive schema %s: it has more than a mark and a description", name)
			}
			schemas[name] = made
		}
	}
	for name, schema := range schemas {
		if both, marked := schema.(map[string]any)[listedMark].([]any); marked {
			schemas[name] = listed(schemas, both, schema.(map[string]any)["description"])
		}
	}
	for _, schema := range schemas {
		moveDefaults(schema.(map[string]any))
	}
	return nil
}

// widen gives every whole number without a bound the format int64: without a format many
// generators take 32 bits, which hold neither bytes nor revisions.
func widen(v any) {
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			widen(one)
		}
	case map[string]any:
		for _, one := range v {
			widen(one)
		}
		types, _ := v["type"].([]any)
		if v["type"] == "integer" || slices.Contains(types, any("integer")) {
			if v["format"] == nil && v["maximum"] == nil {
				v["format"] = "int64"
			}
		}
	}
}

// derivation is the answer's or the patch's schema of a request's; references follow names.
func derivation(source map[string]any, mark string, names map[string]string) (map[string]any, error) {
	made, err := clone(source)
	if err != nil {
		return nil, err
	}
	properties, _ := made["properties"].(map[string]any)
	delete(made, "required")
	if mark == answerMark {
		maps.DeleteFunc(properties, func(_ string, p any) bool { return p.(map[string]any)[requestOnly] == true })
	}
	if mark == answerMark {
		made["required"] = slices.Sorted(maps.Keys(properties))
	}
	for name, p := range properties {
		property := p.(map[string]any)
		delete(property, "default")
		// A patch replaces a list as a whole, by one that a request has.
		if items, ok := property["items"].(map[string]any); ok && mark == answerMark {
			redirect(items, names)
		}
		redirect(property, names)
		if values, ok := property["additionalProperties"].(map[string]any); ok {
			either, _ := values["oneOf"].([]any)
			for _, one := range either {
				redirect(one.(map[string]any), names)
			}
		}
		if mark == patchMark {
			properties[name] = nullable(property)
		}
	}
	return made, nil
}

// listed is the schema of what has the members of the first of two, and may have those of the second.
func listed(schemas map[string]any, both []any, description any) map[string]any {
	properties := map[string]any{}
	var add func(schema map[string]any)
	add = func(schema map[string]any) {
		parts, _ := schema["allOf"].([]any)
		for _, part := range parts {
			ref, _ := part.(map[string]any)["$ref"].(string)
			add(schemas[strings.TrimPrefix(ref, schemaPrefix)].(map[string]any))
		}
		more, _ := schema["properties"].(map[string]any)
		maps.Copy(properties, more)
	}
	for _, name := range both {
		add(schemas[name.(string)].(map[string]any))
	}
	return map[string]any{
		"type": "object", "description": description, "properties": properties, "unevaluatedProperties": false,
		"required": schemas[both[0].(string)].(map[string]any)["required"],
	}
}

// redirect points a reference, or those of alternatives, to what is derived of its target.
func redirect(schema map[string]any, names map[string]string) {
	alternatives, _ := schema["oneOf"].([]any)
	for _, one := range alternatives {
		redirect(one.(map[string]any), names)
	}
	ref, _ := schema["$ref"].(string)
	if name, derived := names[strings.TrimPrefix(ref, schemaPrefix)]; derived {
		schema["$ref"] = schemaPrefix + name
	}
}

// nullable lets a property be null, and the values of a map too.
func nullable(property map[string]any) map[string]any {
	if ref, ok := property["$ref"]; ok {
		delete(property, "$ref")
		property["oneOf"] = []any{map[string]any{"$ref": ref}, map[string]any{"type": "null"}}
		return property
	}
	if property["oneOf"] != nil {
		return property // null is among them
	}
	property["type"] = []any{property["type"], "null"}
	values, ok := property["additionalProperties"].(map[string]any)
	if either, several := values["oneOf"].([]any); several {
		values["oneOf"] = append(either, map[string]any{"type": "null"})
	} else if ok {
		values["type"] = []any{values["type"], "null"}
	}
	return property
}

// moveDefaults drops the mark requestOnly, of which everything is derived by then, and writes the default of each property into its description, and keeps the value
// as x-default: openapi-typescript takes a property that has a default for one that is always
// there, so that a client could leave nothing out of a request.
func moveDefaults(schema map[string]any) {
	properties, _ := schema["properties"].(map[string]any)
	for _, p := range properties {
		property := p.(map[string]any)
		delete(property, requestOnly)
		value, ok := property["default"]
		if !ok {
			continue
		}
		delete(property, "default")
		property[Default] = value
		if text, err := json.Marshal(value); err == nil {
			property["description"] = fmt.Sprintf("%v%s `%s`.", property["description"], DefaultSentence, text)
		}
	}
}

// How the default of a property is written in a schema among the components.
const (
	// Default is the keyword of its value.
	Default = "x-default"
	// DefaultSentence begins the sentence at the end of its description.
	DefaultSentence = " Default:"
)

func clone(schema map[string]any) (map[string]any, error) {
	data, err := json.Marshal(schema)
	if err != nil {
		return nil, err
	}
	var copied map[string]any
	return copied, json.Unmarshal(data, &copied)
}
