package conform_test

import (
	"encoding/json"
	"strings"
	"testing"

	"lightd/hack/conform"
	"lightd/httpapi/openapi"
)

// TestCheck makes sure that the checker distinguishes right from wrong.
func TestCheck(t *testing.T) {
	c, err := conform.New()
	if err != nil {
		t.Fatal(err)
	}
	const problem = `{"error":"x","code":"y"}`
	for name, e := range map[string]struct {
		conform.Exchange
		wrong string
	}{
		"right":          {conform.Exchange{Method: "GET", Path: "/events", Status: 200, Answer: []byte(`{"events":[],"last_seq":1}`)}, ""},
		"lacks a field":  {conform.Exchange{Method: "GET", Path: "/events", Status: 200, Answer: []byte(`{"events":[]}`)}, "last_seq"},
		"another field":  {conform.Exchange{Method: "GET", Path: "/events", Status: 200, Answer: []byte(`{"events":[],"last_seq":1,"x":1}`)}, "/x"},
		"wrong type":     {conform.Exchange{Method: "GET", Path: "/events", Status: 200, Answer: []byte(`{"events":{},"last_seq":1}`)}, "array"},
		"wrong status":   {conform.Exchange{Method: "GET", Path: "/events", Status: 418, Answer: []byte(problem)}, "not in the document"},
		"refusal":        {conform.Exchange{Method: "GET", Path: "/containers/a", Status: 404, Answer: []byte(problem)}, ""},
		"bare refusal":   {conform.Exchange{Method: "GET", Path: "/containers/a", Status: 404, Answer: []byte(`{}`)}, "error"},
		"unknown route":  {conform.Exchange{Method: "GET", Path: "/nowhere", Status: 404, Answer: []byte(problem)}, ""},
		"secret route":   {conform.Exchange{Method: "GET", Path: "/nowhere", Status: 200, Answer: []byte(`{}`)}, "not in the document"},
		"fixed path":     {conform.Exchange{Method: "GET", Path: "/network/ports/random", Status: 404, Answer: []byte(problem)}, ""},
		"accepted wrong": {conform.Exchange{Method: "POST", Path: "/network/ports", Request: []byte(`{"ip":1}`), Status: 201, Answer: []byte(`{"message":"m","ip":"i","protocol":"tcp"}`)}, "the request"},
	} {
		e.Type = "application/json"
		err := c.Check(e.Exchange)
		if e.wrong == "" && err != nil || e.wrong != "" && (err == nil || !strings.Contains(err.Error(), e.wrong)) {
			t.Errorf("%s: got %v, want %q", name, err, e.wrong)
		}
	}
}

// TestExamples holds the document's own examples against its schemas.
func TestExamples(t *testing.T) {
	c, err := conform.New()
	if err != nil {
		t.Fatal(err)
	}
	document, err := openapi.Document()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for path, methods := range document["paths"].(map[string]any) {
		for method, o := range methods.(map[string]any) {
			operation, ok := o.(map[string]any)
			if !ok {
				continue
			}
			for code, r := range operation["responses"].(map[string]any) {
				content, _ := r.(map[string]any)["content"].(map[string]any)
				body, ok := content["application/json"].(map[string]any)
				if !ok {
					continue
				}
				n++
				answer, err := json.Marshal(body["example"])
				if err != nil {
					t.Fatal(err)
				}
				if err := c.Answer(answer, path, method, code); err != nil {
					t.Errorf("example of %s %s %s: %v", method, path, code, err)
				}
			}
		}
	}
	if n < 30 {
		t.Errorf("only %d examples found", n)
	}
}
