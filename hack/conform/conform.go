package conform

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"lightd/httpapi/openapi"
)

const root = "openapi.json"

// Checker compares exchanges with the document. It is safe for concurrent use.
type Checker struct {
	document map[string]any
	paths    []path

	mu       sync.Mutex // guards what follows
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema
}

// path is a path of the document, split at its slashes.
type path struct {
	template string
	parts    []string
}

// New returns a Checker of the document of this program.
func New() (*Checker, error) {
	document, err := openapi.Document()
	if err != nil {
		return nil, err
	}
	c := &Checker{document: document, compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}}
	c.compiler.DefaultDraft(jsonschema.Draft2020)
	if err := c.compiler.AddResource(root, document); err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	for template := range document["paths"].(map[string]any) {
		c.paths = append(c.paths, path{template, strings.Split(template, "/")})
	}
	// What is written out wins over what is left open.
	slices.SortFunc(c.paths, func(a, b path) int {
		return strings.Count(a.template, "{") - strings.Count(b.template, "{")
	})
	return c, nil
}

// Exchange is a request and its answer.
type Exchange struct {
	Method, Path string
	Request      []byte
	Status       int
	Type         string // the answer's Content-Type
	Answer       []byte
}

// Check returns how an exchange differs from the document. Of what is not in the document, a
// refusal is expected.
func (c *Checker) Check(e Exchange) error {
	if e.Method == http.MethodHead {
		return nil // a GET without its body
	}
	template, found := c.find(e.Path)
	operation := at(c.document, "paths", template, strings.ToLower(e.Method))
	if !found || operation == nil {
		if !slices.Contains([]int{400, 401, 404, 405}, e.Status) {
			return fmt.Errorf("%s %s is not in the document, and was answered with %d", e.Method, e.Path, e.Status)
		}
		return c.conforms("the refusal", e.Answer, "components", "schemas", "Problem")
	}
	where := []string{"paths", template, strings.ToLower(e.Method)}
	if err := c.checkAnswer(e, where); err != nil {
		return fmt.Errorf("%s %s, status %d: %w", e.Method, template, e.Status, err)
	}
	request := append(where, "requestBody", "content", "application/json", "schema")
	if e.Status < 300 && len(e.Request) > 0 && at(c.document, request...) != nil {
		if err := c.conforms("the request", withoutNulls(e.Request), request...); err != nil {
			return fmt.Errorf("%s %s was accepted: %w", e.Method, template, err)
		}
	}
	return nil
}

// withoutNulls drops the members that are null: they stand for what was left out.
func withoutNulls(data []byte) []byte {
	var object map[string]any
	if json.Unmarshal(data, &object) != nil {
		return data
	}
	var drop func(any)
	drop = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, element := range v {
				drop(element)
			}
		case map[string]any:
			maps.DeleteFunc(v, func(_ string, value any) bool { return value == nil })
			for _, value := range v {
				drop(value)
			}
		}
	}
	drop(object)
	less, err := json.Marshal(object)
	if err != nil {
		return data
	}
	return less
}

func (c *Checker) checkAnswer(e Exchange, where []string) error {
	where = append(where, "responses", strconv.Itoa(e.Status))
	answer := at(c.document, where...)
	if answer == nil && e.Status == http.StatusMethodNotAllowed {
		return c.conforms("the refusal", e.Answer, "components", "schemas", "Problem")
	}
	if answer == nil {
		return fmt.Errorf("the status is not in the document; the answer is %.300s", e.Answer)
	}
	if ref, ok := answer["$ref"].(string); ok {
		where = strings.Split(strings.TrimPrefix(ref, "#/"), "/")
		answer = at(c.document, where...)
	}
	content, _ := answer["content"].(map[string]any)
	if len(content) == 0 {
		return nil
	}
	media, _, err := mime.ParseMediaType(e.Type)
	if err != nil {
		return fmt.Errorf("the answer's type %q: %w", e.Type, err)
	}
	if media == "application/vnd.pkglatv1+json" {
		media = "application/json"
	}
	if content[media] == nil {
		return fmt.Errorf("the answer's type %q is not in the document", e.Type)
	}
	if media != "application/json" {
		return nil
	}
	return c.conforms("the answer", e.Answer, append(where, "content", media, "schema")...)
}

// Answer returns nil when data conforms to the JSON answer of an operation with a status.
func (c *Checker) Answer(data []byte, path, method, status string) error {
	return c.conforms("the answer", data, "paths", path, method, "responses", status, "content", "application/json", "schema")
}

// conforms holds JSON against the schema at a place of the document.
func (c *Checker) conforms(what string, data []byte, where ...string) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("%s is no JSON: %w: %.300s", what, err, data)
	}
	schema, err := c.schema(where)
	if err != nil {
		return err
	}
	err = schema.Validate(value)
	var invalid *jsonschema.ValidationError
	if errors.As(err, &invalid) && strings.HasPrefix(what, "the request") {
		value = emptyObjects(value, invalid)
		err = schema.Validate(value)
	}
	if err != nil {
		return fmt.Errorf("%s: %w\n%.1000s", what, err, data)
	}
	return nil
}

// emptyObjects puts the empty object in the place of each empty list that a schema refuses: in a request
// the one stands for the other.
func emptyObjects(value any, refused *jsonschema.ValidationError) any {
	for _, cause := range refused.Causes {
		value = emptyObjects(value, cause)
	}
	return replaceEmptyList(value, refused.InstanceLocation)
}

func replaceEmptyList(value any, location []string) any {
	switch v := value.(type) {
	case []any:
		if len(v) == 0 && len(location) == 0 {
			return map[string]any{}
		}
		if len(location) == 0 {
			return v
		}
		if i, err := strconv.Atoi(location[0]); err == nil && i < len(v) {
			v[i] = replaceEmptyList(v[i], location[1:])
		}
	case map[string]any:
		if len(location) > 0 {
			v[location[0]] = replaceEmptyList(v[location[0]], location[1:])
		}
	}
	return value
}

func (c *Checker) schema(where []string) (*jsonschema.Schema, error) {
	escape := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D")
	pointer := root + "#"
	for _, part := range where {
		pointer += "/" + escape.Replace(part)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.schemas[pointer]; s != nil {
		return s, nil
	}
	s, err := c.compiler.Compile(pointer)
	if err != nil {
		return nil, fmt.Errorf("compile schema: %w", err)
	}
	c.schemas[pointer] = s
	return s, nil
}

// find returns the path of the document that a request's path is of.
func (c *Checker) find(requested string) (template string, found bool) {
	parts := strings.Split(requested, "/")
	for _, p := range c.paths {
		if len(p.parts) == len(parts) && fits(p.parts, parts) {
			return p.template, true
		}
	}
	return "", false
}

func fits(template, parts []string) bool {
	for i, want := range template {
		if want != parts[i] && (!strings.HasPrefix(want, "{") || parts[i] == "") {
			return false
		}
	}
	return true
}

// at returns the object at a place of a document, nil when there is none.
func at(document map[string]any, where ...string) map[string]any {
	for _, key := range where {
		next, ok := document[key].(map[string]any)
		if !ok {
			return nil
		}
		document = next
	}
	return document
}

// Transport passes requests on to base, and reports each exchange that differs from the
// document. Streams are passed on unchanged.
func Transport(base http.RoundTripper, report func(error)) (http.RoundTripper, error) {
	c, err := New()
	if err != nil {
		return nil, err
	}
	return transport{c, base, report}, nil
}

type transport struct {
	checker *Checker
	base    http.RoundTripper
	report  func(error)
}

// RoundTrip is that of http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	e := Exchange{Method: r.Method, Path: r.URL.EscapedPath()}
	if r.GetBody != nil {
		if body, err := r.GetBody(); err == nil {
			e.Request, _ = io.ReadAll(body)
		}
	}
	response, err := t.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	e.Status, e.Type = response.StatusCode, response.Header.Get("Content-Type")
	if e.Status == http.StatusSwitchingProtocols || r.Method == http.MethodHead || isStream(r) && e.Status == http.StatusOK {
		return response, nil
	}
	e.Answer, err = io.ReadAll(response.Body)
	response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(e.Answer))
	if err != nil {
		response.Body = io.NopCloser(io.MultiReader(bytes.NewReader(e.Answer), broken{err}))
		return response, nil
	}
	if response.Header.Get("Content-Encoding") == "gzip" {
		if e.Answer, err = unpack(e.Answer); err != nil {
			t.report(fmt.Errorf("%s %s: %w", e.Method, e.Path, err))
		}
	}
	if err := t.checker.Check(e); err != nil {
		t.report(err)
	}
	return response, nil
}

func unpack(data []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// isStream reports whether the answer to r is one without an end.
func isStream(r *http.Request) bool {
	query := r.URL.Query()
	return query.Get("watch") == "true" || query.Get("follow") == "true"
}

// broken is the rest of a body that could not be read.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }
