package openapi_test

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"lightd/httpapi/openapi"
)

// TestDocumentIsValid holds the document against the meta-schema of OpenAPI 3.1, and each
// schema in it against that of JSON Schema.
func TestDocumentIsValid(t *testing.T) {
	text, err := openapi.JSON()
	if err != nil {
		t.Fatal(err)
	}
	served, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate(t, served); err != nil {
		t.Errorf("the document is not valid: %v", err)
	}
	for fault, spoil := range map[string]func(d map[string]any){
		"an unknown member":       func(d map[string]any) { at(d, "info")["and what is."] = nil },
		"an unknown member below": func(d map[string]any) { at(d, "components", "parameters", "ID")["what"] = true },
		"a parameter nowhere":     func(d map[string]any) { at(d, "components", "parameters", "ID")["in"] = "body" },
		"an answer without words": func(d map[string]any) { delete(at(d, "components", "responses", "Gone"), "description") },
	} {
		spoilt, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		spoil(spoilt.(map[string]any))
		if validate(t, spoilt) == nil {
			t.Errorf("%s is taken for valid", fault)
		}
	}
}

func validate(t *testing.T, document any) error {
	t.Helper()
	data, err := os.ReadFile("testdata/openapi-3.1.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	meta, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("meta.json", meta); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("meta.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(document)
}

// keywords are those that schemas of the document use. JSON Schema allows any other, and gives
// it no meaning: here it is a slip. readOnly is none of them: no schema is of requests and answers
// alike, and generators take a member that has it for one that may be absent.
var keywords = []string{
	"$ref", "additionalProperties", "allOf", "anyOf", "default", "description", "enum", "example", "format", "items",
	"maxItems", "maxLength", "maximum", "minimum", "oneOf", "pattern", "properties", "required", "type", "unevaluatedProperties", "x-default", "x-enum-varnames",
}

// TestSchemas compiles each schema of the document, and allows it no unknown keyword.
func TestSchemas(t *testing.T) {
	d := document(t)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	if err := compiler.AddResource("document", d); err != nil {
		t.Fatal(err)
	}
	n := 0
	eachSchema(d, "#", func(pointer string, schema map[string]any) {
		n++
		for keyword := range schema {
			if !slices.Contains(keywords, keyword) {
				t.Errorf("%s: %q is not a keyword of a schema", pointer, keyword)
			}
		}
		if _, err := compiler.Compile("document" + pointer); err != nil {
			t.Errorf("%s: %v", pointer, err)
		}
	})
	if n < 100 {
		t.Errorf("only %d schemas were found", n)
	}
}

// eachSchema calls fn with every schema below v, those within others included.
func eachSchema(v any, pointer string, fn func(pointer string, schema map[string]any)) {
	for key, value := range members(v) {
		here := pointer + "/" + pointerEscape.Replace(key)
		switch inner, _ := value.(map[string]any); {
		case key == "example":
		case key == "schema":
			walkSchema(inner, here, fn)
		case key == "schemas":
			for name, schema := range inner {
				walkSchema(schema, here+"/"+name, fn)
			}
		default:
			eachSchema(value, here, fn)
		}
	}
}

// walkSchema calls fn with a schema and with those in it.
func walkSchema(schema any, pointer string, fn func(pointer string, schema map[string]any)) {
	fn(pointer, schema.(map[string]any))
	for keyword, value := range schema.(map[string]any) {
		here := pointer + "/" + keyword
		switch keyword {
		case "properties", "allOf", "anyOf", "oneOf":
			for key, inner := range members(value) {
				walkSchema(inner, here+"/"+pointerEscape.Replace(key), fn)
			}
		case "items", "additionalProperties":
			walkSchema(value, here, fn)
		}
	}
}

var pointerEscape = strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D")

// members are those of an object, or of a list under their indexes.
func members(v any) map[string]any {
	switch v := v.(type) {
	case map[string]any:
		return v
	case []any:
		indexed := map[string]any{}
		for i, one := range v {
			indexed[strconv.Itoa(i)] = one
		}
		return indexed
	}
	return nil
}

// TestExamplesConform holds every example of the document against the schema beside it.
func TestExamplesConform(t *testing.T) {
	d := document(t)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	if err := compiler.AddResource("document", d); err != nil {
		t.Fatal(err)
	}
	n := 0
	var walk func(v any, pointer string)
	walk = func(v any, pointer string) {
		for key, value := range members(v) {
			walk(value, pointer+"/"+pointerEscape.Replace(key))
		}
		holder, _ := v.(map[string]any)
		if _, typed := holder["schema"].(map[string]any); !typed || holder["example"] == nil {
			return
		}
		n++
		schema, err := compiler.Compile("document" + pointer + "/schema")
		if err == nil {
			err = schema.Validate(holder["example"])
		}
		if err != nil {
			t.Errorf("%s: %v", pointer, err)
		}
	}
	walk(d, "#")
	if n < 60 {
		t.Errorf("only %d examples were found", n)
	}
}

// TestComponentNames: generators make a type of each component, of whatever kind, and write
// its name as their language does.
func TestComponentNames(t *testing.T) {
	taken := map[string]string{}
	for kind, components := range at(document(t), "components") {
		for name := range components.(map[string]any) {
			if other, ok := taken[strings.ToLower(name)]; ok {
				t.Errorf("%s is the name of one of the %s and one of the %s", name, kind, other)
			}
			taken[strings.ToLower(name)] = kind
		}
	}
}

// TestRequestsAndAnswers share no schema that is an object: what a request may leave out is
// in every answer.
func TestRequestsAndAnswers(t *testing.T) {
	d := document(t)
	used := map[string]map[string]bool{"requestBody": {}, "responses": {}}
	for _, methods := range at(d, "paths") {
		for _, operation := range methods.(map[string]any) {
			for side := range used {
				if o, ok := operation.(map[string]any); ok {
					follow(d, o[side], used[side])
				}
			}
		}
	}
	for ref := range used["requestBody"] {
		if used["responses"][ref] && at(d, strings.Split(ref, "/")...)["type"] == "object" {
			t.Errorf("%s is in requests and in answers", ref)
		}
	}
	for ref := range used["responses"] {
		schema := at(d, strings.Split(ref, "/")...)
		for name, property := range at(schema, "properties") {
			if _, given := property.(map[string]any)["x-default"]; given {
				t.Errorf("%s is in answers, where %s needs no default", ref, name)
			}
		}
	}
	if len(used["requestBody"]) < 5 || len(used["responses"]) < 20 {
		t.Errorf("only %d and %d schemas were found", len(used["requestBody"]), len(used["responses"]))
	}
}

// follow adds all that v refers to, however far.
func follow(d map[string]any, v any, found map[string]bool) {
	for key, value := range members(v) {
		ref, isText := value.(string)
		if target := strings.TrimPrefix(ref, "#/"); key == "$ref" && isText && !found[target] {
			found[target] = true
			follow(d, at(d, strings.Split(target, "/")...), found)
		}
		follow(d, value, found)
	}
}
