package openapi_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/httpapi/openapi"
	"lightd/observed/journal"
	"lightd/observed/status"

	"lightd/controller/plan"
)

func document(t *testing.T) map[string]any {
	t.Helper()
	d, err := openapi.Document()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func at(d map[string]any, where ...string) map[string]any {
	for _, key := range where {
		d, _ = d[key].(map[string]any)
	}
	return d
}

// shapes are the schemas that stand for a type of Go.
var shapes = map[string]reflect.Type{
	"ContainerSpec": reflect.TypeFor[desired.Spec](), "StoredSpec": reflect.TypeFor[desired.Spec](), "ContainerPatch": reflect.TypeFor[desired.Spec](),
	"MountSpec": reflect.TypeFor[desired.Mount](), "Mount": reflect.TypeFor[desired.Mount](), "MountPatch": reflect.TypeFor[desired.Mount](),
	"PortSpec": reflect.TypeFor[desired.Port](), "Port": reflect.TypeFor[desired.Port](),
	"LimitsSpec": reflect.TypeFor[desired.Limits](), "Limits": reflect.TypeFor[desired.Limits](), "LimitsPatch": reflect.TypeFor[desired.Limits](),
	"StopSpec": reflect.TypeFor[desired.Stop](), "Stop": reflect.TypeFor[desired.Stop](), "StopPatch": reflect.TypeFor[desired.Stop](),
	"InstallationSpec": reflect.TypeFor[desired.Install](), "Installation": reflect.TypeFor[desired.Install](), "InstallationPatch": reflect.TypeFor[desired.Install](),
	"History": reflect.TypeFor[api.History](), "SpecVersion": reflect.TypeFor[api.SpecVersion](),
	"HealthSpec": reflect.TypeFor[desired.Health](), "Health": reflect.TypeFor[desired.Health](), "HealthPatch": reflect.TypeFor[desired.Health](),
	"HTTPCheckSpec": reflect.TypeFor[desired.HTTPCheck](), "HTTPCheck": reflect.TypeFor[desired.HTTPCheck](), "HTTPCheckPatch": reflect.TypeFor[desired.HTTPCheck](),
	"Container": reflect.TypeFor[api.Container](), "Summary": reflect.TypeFor[api.Summary](), "ListedContainer": reflect.TypeFor[api.Container](),
	"Condition": reflect.TypeFor[status.Condition](), "Exit": reflect.TypeFor[status.Exit](), "Receipt": reflect.TypeFor[api.Receipt](),
	"WaitResult": reflect.TypeFor[api.Wait](), "Plan": reflect.TypeFor[api.Plan](), "Step": reflect.TypeFor[plan.Step](),
	"Obstacle":    reflect.TypeFor[plan.Blocker](),
	"ApplyVolume": reflect.TypeFor[api.ApplyVolume](), "AppliedVolume": reflect.TypeFor[api.AppliedVolume](), "AppliedPorts": reflect.TypeFor[api.AppliedPorts](), "PortRange": reflect.TypeFor[desired.PortRange](),
	"Apply": reflect.TypeFor[api.Apply](), "Applied": reflect.TypeFor[api.Applied](), "Drift": reflect.TypeFor[api.Drift](),
	"DriftField": reflect.TypeFor[api.DriftField](), "NodeDrift": reflect.TypeFor[api.NodeDrift](), "Foreign": reflect.TypeFor[api.Foreign](), "FirewallDrift": reflect.TypeFor[api.FirewallDrift](), "WatchEvent": reflect.TypeFor[api.WatchEvent](),
	"Event": reflect.TypeFor[journal.Event](), "Volume": reflect.TypeFor[api.Volume](), "SizedVolume": reflect.TypeFor[api.SizedVolume](),
	"Endpoint": reflect.TypeFor[desired.Endpoint](), "PoolPort": reflect.TypeFor[desired.PoolPort](), "UsedPort": reflect.TypeFor[api.UsedPort](),
	"Token": reflect.TypeFor[api.Token](), "CreatedToken": reflect.TypeFor[api.CreatedToken](), "TokenSpec": reflect.TypeFor[api.TokenSpec](), "FormerMaster": reflect.TypeFor[api.FormerMaster](),
	"QuotaSpec": reflect.TypeFor[api.Quota](), "Quota": reflect.TypeFor[api.Quota](),
	"Stats": reflect.TypeFor[api.Stats](), "Usage": reflect.TypeFor[api.Usage](), "DiskUsage": reflect.TypeFor[api.DiskUsage](), "Node": reflect.TypeFor[api.Node](), "Cordon": reflect.TypeFor[api.Cordon](), "Remaining": reflect.TypeFor[api.Remaining](), "DrainHolder": reflect.TypeFor[status.DrainHolder](),
	"NodeEngine": reflect.TypeFor[api.NodeEngine](), "NodeVolumes": reflect.TypeFor[api.NodeVolumes](), "Capacity": reflect.TypeFor[api.Capacity](), "Disk": reflect.TypeFor[api.Disk](),
	"Webhook": reflect.TypeFor[api.Webhook](), "Delivery": reflect.TypeFor[api.Delivery](), "Missed": reflect.TypeFor[api.Missed](),
	"File": reflect.TypeFor[api.File](), "Files": reflect.TypeFor[api.Files](), "FileOperation": reflect.TypeFor[api.FileOperation](), "FilesDeleted": reflect.TypeFor[api.FilesDeleted](), "FileJob": reflect.TypeFor[api.FileJob](), "FileLinkRequest": reflect.TypeFor[api.FileLinkRequest](), "FileLink": reflect.TypeFor[api.FileLink](),
	"Problem": reflect.TypeFor[api.Problem](), "Detail": reflect.TypeFor[api.Detail](),
}

// words are the schemas that list the constants of a type: the package's folder and its name.
var words = map[string][2]string{
	"Power": {"desired", "Power"}, "RestartPolicy": {"desired", "RestartPolicy"}, "FailureAction": {"desired", "FailureAction"}, "ImagePolicy": {"desired", "ImagePolicy"}, "ImagePull": {"desired", "ImagePull"}, "QuotaPolicy": {"desired", "QuotaPolicy"},
	"Protocol": {"desired", "Protocol"}, "InstallState": {"observed/status", "InstallState"}, "State": {"observed/status", "State"},
	"ConditionType": {"observed/status", "ConditionType"}, "ConditionStatus": {"observed/status", "ConditionStatus"}, "Reason": {"observed/status", "Reason"}, "DrainReason": {"observed/status", "DrainReason"},
	"EventType": {"observed/journal", "Type"}, "StepKind": {"controller/plan", "Kind"}, "Action": {"desired", "Action"},
	"Goal": {"httpapi/api", "Goal"}, "DriftKind": {"observed/drift", "Kind"}, "Change": {"httpapi/api", "Change"},
	"Scope": {"desired/token", "Scope"}, "WebhookState": {"httpapi/api", "WebhookState"},
}

// TestEverySchemaIsKnown leaves no schema that nobody compares with the program.
func TestEverySchemaIsKnown(t *testing.T) {
	for name := range at(document(t), "components", "schemas") {
		_, shape := shapes[name]
		_, word := words[name]
		if !shape && !word && name != "Events" { // an answer that has no type
			t.Errorf("schema %s stands for nothing that the tests know", name)
		}
	}
}

// TestFields compares the fields of each schema with those of its type, with their JSON
// types, both ways.
func TestFields(t *testing.T) {
	schemas := at(document(t), "components", "schemas")
	for name, shape := range shapes {
		have := properties(schemas, at(schemas, name))
		want := fields(shape)
		for field, kind := range want {
			property, ok := have[field]
			if name == "Port" && field == "host_port" {
				continue // only a request has it
			}
			if !ok {
				t.Errorf("schema %s lacks %s", name, field)
				continue
			}
			if got := typeOf(schemas, property); got != kind && kind != "any" {
				t.Errorf("schema %s: %s is of type %s, in the program %s", name, field, got, kind)
			}
			if property["description"] == nil {
				t.Errorf("schema %s: %s has no description", name, field)
			}
		}
		for field := range have {
			if _, ok := want[field]; !ok {
				t.Errorf("schema %s has %s, which the program has not", name, field)
			}
		}
	}
}

// properties are those of a schema and of what it is composed of.
func properties(schemas, schema map[string]any) map[string]map[string]any {
	all := map[string]map[string]any{}
	parts, _ := schema["allOf"].([]any)
	for _, part := range parts {
		maps.Copy(all, properties(schemas, resolve(schemas, part.(map[string]any))))
	}
	for name, property := range at(schema, "properties") {
		all[name] = property.(map[string]any)
	}
	return all
}

func resolve(schemas, schema map[string]any) map[string]any {
	if ref, ok := schema["$ref"].(string); ok {
		return at(schemas, strings.TrimPrefix(ref, "#/components/schemas/"))
	}
	return schema
}

func typeOf(schemas, schema map[string]any) string {
	if either, ok := schema["oneOf"].([]any); ok { // or null
		schema = either[0].(map[string]any)
	}
	switch kind := resolve(schemas, schema)["type"].(type) {
	case string:
		return kind
	case []any: // or null
		return kind[0].(string)
	}
	return "any"
}

// fields are the JSON fields of a type with their JSON types.
func fields(t reflect.Type) map[string]string {
	all := map[string]string{}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			maps.Copy(all, fields(inner))
		case name != "-" && f.IsExported():
			all[name] = kindOf(f.Type)
		}
	}
	return all
}

func kindOf(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Time](), t == reflect.TypeFor[desired.Duration]():
		return "string"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return kindOf(t.Elem())
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return "integer"
	case reflect.Float64:
		return "number"
	case reflect.Slice:
		return "array"
	case reflect.Struct, reflect.Map:
		return "object"
	}
	return "any"
}

// TestWords compares each list of words with the constants of its type.
func TestWords(t *testing.T) {
	schemas := at(document(t), "components", "schemas")
	for name, of := range words {
		var have []string
		listed, _ := at(schemas, name)["enum"].([]any)
		for _, word := range listed {
			have = append(have, word.(string))
		}
		slices.Sort(have)
		if want := constants(t, of[0], of[1]); !slices.Equal(have, want) {
			t.Errorf("schema %s lists %q, the program has %q", name, have, want)
		}
	}
}

// constants are the values of all constants of a type of strings, sorted.
func constants(t *testing.T, dir, typeName string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", dir, err)
	}
	var values []string
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for n := range ast.Preorder(file) {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				continue
			}
			of, ok := spec.Type.(*ast.Ident)
			if !ok || of.Name != typeName || len(spec.Values) != 1 {
				continue
			}
			literal, ok := spec.Values[0].(*ast.BasicLit)
			if !ok {
				continue
			}
			value, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, value)
		}
	}
	slices.Sort(values)
	return slices.Compact(values)
}

// TestExamples demands an example of everything that has a body and of every parameter, and
// that operations are named once.
func TestExamples(t *testing.T) {
	d := document(t)
	ids := map[string]string{}
	for name, p := range at(d, "components", "parameters") {
		if p.(map[string]any)["example"] == nil {
			t.Errorf("parameter %s has no example", name)
		}
	}
	for name := range at(d, "components", "responses") {
		bodies(t, "response "+name, at(d, "components", "responses", name))
	}
	for path := range at(d, "paths") {
		for method, o := range at(d, "paths", path) {
			operation, ok := o.(map[string]any)
			if !ok {
				continue // the parameters of all methods
			}
			where := fmt.Sprintf("%s %s", strings.ToUpper(method), path)
			id, _ := operation["operationId"].(string)
			if other := ids[id]; id == "" || other != "" || operation["summary"] == nil || operation["tags"] == nil {
				t.Errorf("%s: operationId %q (also of %q), summary and tags are required", where, id, other)
			}
			ids[id] = where
			bodies(t, where, at(operation, "requestBody"))
			for code := range at(operation, "responses") {
				bodies(t, where+" "+code, at(operation, "responses", code))
			}
		}
	}
}

func bodies(t *testing.T, where string, holder map[string]any) {
	for media, content := range at(holder, "content") {
		if content.(map[string]any)["example"] == nil {
			t.Errorf("%s: no example of %s", where, media)
		}
	}
}

// TestReferences follows every reference of the document.
func TestReferences(t *testing.T) {
	d := document(t)
	var follow func(v any)
	follow = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, one := range v {
				follow(one)
			}
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				if at(d, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...) == nil {
					t.Errorf("%s leads nowhere", ref)
				}
			}
			for _, one := range v {
				follow(one)
			}
		}
	}
	follow(d)
}

func TestJSON(t *testing.T) {
	text, err := openapi.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var head struct{ OpenAPI string }
	if err := json.Unmarshal(text, &head); err != nil || !strings.HasPrefix(head.OpenAPI, "3.1.") {
		t.Errorf("version %q, %v", head.OpenAPI, err)
	}
}
