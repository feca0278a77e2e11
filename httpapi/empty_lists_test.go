package httpapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"lightd/hack/harness"
	"lightd/httpapi/openapi"
)

// TestEmptyListsOfPHP: the bodies that Laravel's HTTP client sends for arrays that are empty.
func TestEmptyListsOfPHP(t *testing.T) {
	n := newNode(t)
	n.create("web")
	n.send("POST", "/volumes", `[]`).want(t, 201, "volume_id")
	n.send("POST", "/containers", fmt.Sprintf(`{"internal_id":"php","image":"alpine:3","volume_id":%q,"startup_command":"sleep 1",`+
		`"ports":[],"limits":[],"mount":[],"env":[],"labels":[],"tmpfs":[],"stop":[]}`, n.volume)).want(t, 201, `"installing"`)
	n.send("POST", "/containers/php/start", `[]`).want(t, 200, "initiated")
	n.send("GET", "/containers/php", "").want(t, 200, `"env":{}`)
	n.send("PATCH", "/containers/web", `{"env":{"A":"b"},"labels":{"c":"d"}}`).want(t, 200, `"generation":2`)
	n.send("PATCH", "/containers/web", `{"env":[],"labels":[],"limits":[]}`).want(t, 200, `"generation":2`)
	n.send("PATCH", "/containers/web", `[]`).want(t, 200, `"generation":2`)
	n.send("GET", "/containers/web", "").want(t, 200, `"env":{"A":"b"}`)
	n.send("POST", "/apply", `{"containers":[[]]}`).want(t, 400, "containers[0].internal_id")
	n.send("POST", "/auth/tokens", `{"ttl":"1h","containers":["web"],"quota":[]}`).want(t, 400, "quota")
	n.send("POST", "/containers", `[]`).want(t, 400, "internal_id")
	n.send("POST", "/containers/php/reinstall", `["image"]`).want(t, 400, "a JSON object is expected")
	n.send("POST", "/volumes", `[1]`).want(t, 400, "a JSON object is expected")
}

// requestSchema returns the schema of an operation's JSON body; nil where it has none.
func requestSchema(t *testing.T, r route) map[string]any {
	t.Helper()
	document := harness.Value[map[string]any](t)(openapi.Document())
	path := templateOf(r.path)
	v := any(document)
	for _, key := range []string{"paths", path, strings.ToLower(r.method), "requestBody", "content", "application/json", "schema"} {
		object, _ := v.(map[string]any)
		v = object[key]
	}
	schema, _ := v.(map[string]any)
	return resolved(t, schema)
}

// resolved follows a reference, and takes the object among alternatives.
func resolved(t *testing.T, schema map[string]any) map[string]any {
	t.Helper()
	if ref, is := schema["$ref"].(string); is {
		document := harness.Value[map[string]any](t)(openapi.Document())
		schemas := document["components"].(map[string]any)["schemas"].(map[string]any)
		return resolved(t, schemas[strings.TrimPrefix(ref, "#/components/schemas/")].(map[string]any))
	}
	if alternatives, is := schema["oneOf"].([]any); is {
		for _, one := range alternatives {
			if found := resolved(t, one.(map[string]any)); isObject(found) {
				return found
			}
		}
	}
	return schema
}

func isObject(schema map[string]any) bool {
	types, _ := schema["type"].([]any)
	return schema["type"] == "object" || slices.Contains(types, any("object"))
}

// placesOfObjects returns the paths of all members of a body that are objects, and of those in their lists.
func placesOfObjects(t *testing.T, schema map[string]any, path []any) (places [][]any) {
	t.Helper()
	schema = resolved(t, schema)
	if items, is := schema["items"].(map[string]any); is {
		return placesOfObjects(t, items, append(slices.Clone(path), 0))
	}
	if !isObject(schema) {
		return nil
	}
	places = append(places, path)
	properties, _ := schema["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		places = append(places, placesOfObjects(t, properties[name].(map[string]any), append(slices.Clone(path), name))...)
	}
	return places
}

// put returns body with value at a path.
func put(body any, path []any, value any) any {
	if len(path) == 0 {
		return value
	}
	switch key := path[0].(type) {
	case string:
		object, _ := body.(map[string]any)
		object = maps.Clone(object)
		if object == nil {
			object = map[string]any{}
		}
		object[key] = put(object[key], path[1:], value)
		return object
	default:
		var first any
		if list, _ := body.([]any); len(list) > 0 {
			first = list[0]
		}
		return []any{put(first, path[1:], value)}
	}
}

// TestEmptyListIsEmptyObject: on every route, and in every place of its body where the reference has an
// object, an empty list does what the empty object does, and another list is refused.
func TestEmptyListIsEmptyObject(t *testing.T) {
	n := newNode(t)
	n.create("web")
	var spec map[string]any
	if err := json.Unmarshal([]byte(n.spec("web")), &spec); err != nil {
		t.Fatal(err)
	}
	bodies := map[string]any{
		"PUT /containers/:id": spec, "POST /containers": put(spec, []any{"internal_id"}, "new"),
		"POST /apply":                         map[string]any{"containers": []any{spec}},
		"POST /auth/tokens":                   map[string]any{"ttl": "1h", "containers": []any{"web"}},
		"POST /containers/:id/rebind-network": map[string]any{"ports": []any{}},
	}
	places := 0
	for _, r := range n.routes() {
		if r.method == "GET" || r.method == "PUT" && (r.path == pathFiles || strings.HasPrefix(r.path, pathUploads)) {
			continue // of a file the body is its bytes
		}
		target := path(r.path)
		if strings.HasPrefix(r.path, "/volumes/:id/") {
			target = strings.ReplaceAll(r.path, ":id", n.volume)
		}
		if slices.Contains(r.query, "dry_run") {
			target += "?dry_run=true"
		}
		body := bodies[r.method+" "+r.path]
		of := append([][]any{{}}, placesOfObjects(t, requestSchema(t, r), nil)...)
		for _, place := range of {
			if r.method == "DELETE" && strings.HasPrefix(r.path, "/auth") {
				continue // there is no token of that id
			}
			places++
			send := func(value any) answer {
				text := harness.Value[[]byte](t)(json.Marshal(put(body, place, value)))
				return n.send(r.method, target, string(text))
			}
			list, object := send([]any{}), send(map[string]any{})
			if list.status != object.status || withoutTokens(list.text) != withoutTokens(object.text) {
				t.Errorf("%s %s: [] at %v got %d %s, and {} %d %s", r.method, r.path, place, list.status, list.text, object.status, object.text)
			}
			if wrong := send([]any{1}); wrong.status != 400 || !strings.Contains(wrong.text, "object") {
				t.Errorf("%s %s: [1] at %v got %d %s", r.method, r.path, place, wrong.status, wrong.text)
			}
		}
	}
	if places < 40 {
		t.Errorf("only %d places were tried: the reference is not read", places)
	}
}

// withoutTokens drops what two creations of a token differ in.
func withoutTokens(text string) string {
	var object map[string]any
	if json.Unmarshal([]byte(text), &object) != nil {
		return text
	}
	for _, name := range []string{"token", "id", "created_at", "expires_at"} {
		delete(object, name)
	}
	return fmt.Sprint(object)
}
