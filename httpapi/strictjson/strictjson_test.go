package strictjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"time"
)

type inner struct {
	Port int     `json:"port"`
	CPU  float64 `json:"cpu"`
}

// seconds reads a string, as a type with a reading of its own.
type seconds time.Duration

func (s *seconds) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return errors.New("must be a duration")
	}
	d, err := time.ParseDuration(text)
	*s = seconds(d)
	return err
}

type outer struct {
	Name   string            `json:"name"`
	On     bool              `json:"on"`
	Big    int64             `json:"big"`
	Inner  inner             `json:"inner"`
	List   []inner           `json:"list"`
	Env    map[string]string `json:"env"`
	Wait   seconds           `json:"wait"`
	Maybe  *string           `json:"maybe"`
	Hidden string            `json:"-"`
}

func decode(data []byte, v any) error {
	object, err := Parse(data)
	if err != nil {
		return err
	}
	return object.Bind(v)
}

func TestRefused(t *testing.T) {
	cases := []struct {
		name, text string
		path       string // of the field at fault; empty for the text as a whole
		message    string
	}{
		{"nothing", ``, "", "ends too early"},
		{"half an object", `{"name":"a"`, "", "ends too early"},
		{"a list", `[1]`, "", "object is expected"},
		{"a list in a list", `[[]]`, "", "object is expected"},
		{"an empty list with something behind", `[] {}`, "", "follows"},
		{"an empty list with a comma", `[,]`, "", "malformed"},
		{"half an empty list", `[`, "", "ends too early"},
		{"null", `null`, "", "object is expected"},
		{"a string", `"a"`, "", "object is expected"},
		{"two objects", `{} {}`, "", "follows"},
		{"garbage behind", `{}x`, "", "follows"},
		{"single quotes", `{'name':1}`, "", "malformed"},
		{"a trailing comma", `{"name":"a",}`, "", "malformed"},
		{"a missing colon", `{"name" "a"}`, "", "malformed"},
		{"a number as key", `{1:2}`, "", "malformed"},
		{"a mixed end", `{"list":[}`, "", "malformed"},
		{"bad UTF-8", "{\"name\":\"\xff\"}", "", "UTF-8"},
		{"a byte order mark", "\ufeff{}", "", "malformed"},
		{"a raw NUL", "{\"name\":\"a\x00\"}", "", "malformed"},
		{"an escaped NUL", `{"name":"a\u0000"}`, "name", "NUL"},
		{"an escaped NUL in a key", `{"env":{"a\u0000":"b"}}`, "env.a\ufffd", "NUL"},
		{"half a surrogate pair", `{"name":"\ud800"}`, "name", "surrogate"},
		{"a key twice", `{"name":"a","name":"a"}`, "name", "twice"},
		{"a key twice by escape", `{"name":"a","n\u0061me":"a"}`, "name", "twice"},
		{"a key twice below", `{"list":[{"port":1,"port":1}]}`, "list[0].port", "twice"},
		{"an unknown key", `{"nam":"a"}`, "nam", "known"},
		{"another case", `{"Name":"a"}`, "Name", "known"},
		{"a folded letter", `{"l\u0131st":[]}`, "l\u0131st", "known"},
		{"a hidden field", `{"Hidden":"a"}`, "Hidden", "known"},
		{"an unknown key below", `{"inner":{"ports":1}}`, "inner.ports", "known"},
		{"null in a list", `{"list":[null]}`, "list[0]", "null"},
		{"null in a map", `{"env":{"A":null}}`, "env.A", "null"},
		{"a number for a string", `{"name":1}`, "name", "string"},
		{"a string for a boolean", `{"on":"true"}`, "on", "true or false"},
		{"a list for an object", `{"inner":[1]}`, "inner", "must be an object"},
		{"a list in a list for an object", `{"inner":[[]]}`, "inner", "must be an object"},
		{"a list for a map", `{"env":["A=b"]}`, "env", "must be an object"},
		{"a list for an object in a list", `{"list":[{"port":1},[{}]]}`, "list[1]", "must be an object"},
		{"a list for a string", `{"name":[]}`, "name", "string"},
		{"a list for a number", `{"big":[]}`, "big", "whole"},
		{"a list for a pointer to a string", `{"maybe":[]}`, "maybe", "string"},
		{"an object for a list", `{"list":{}}`, "list", "list"},
		{"a string for a map", `{"env":"a"}`, "env", "object"},
		{"a fraction for an integer", `{"inner":{"port":1.5}}`, "inner.port", "whole"},
		{"a small fraction for an integer", `{"inner":{"port":15e-1}}`, "inner.port", "whole"},
		{"1e999 for an integer", `{"big":1e999}`, "big", "range"},
		{"an exponent beyond what is exact", `{"big":1e16}`, "big", "range"},
		{"a string for an integer", `{"inner":{"port":"1"}}`, "inner.port", "whole"},
		{"2^63", `{"big":9223372036854775808}`, "big", "range"},
		{"1e999", `{"inner":{"cpu":1e999}}`, "inner.cpu", "range"},
		{"a boolean for a number", `{"inner":{"cpu":true}}`, "inner.cpu", "number"},
		{"a bad duration", `{"wait":"soon"}`, "wait", "invalid duration"},
		{"too deep", `{"list":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`,
			"list" + strings.Repeat("[0]", MaxDepth-1), "nests"},
		{"100,000 brackets", strings.Repeat("[", 100_000), strings.Repeat("[0]", MaxDepth), "nests"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var v outer
			err := decode([]byte(c.text), &v)
			var refused *Error
			if !errors.As(err, &refused) {
				t.Fatalf("got %v, want an *Error", err)
			}
			path := ""
			if len(refused.Fields) > 0 {
				path = refused.Fields[0].Path
			}
			if path != c.path || !strings.Contains(refused.Error(), c.message) {
				t.Errorf("got path %q in %q, want path %q and %q", path, refused, c.path, c.message)
			}
		})
	}
}

// TestLongKey: a key that is half the text must not be copied for each of the elements
// that are the other half.
func TestLongKey(t *testing.T) {
	text := `{"` + strings.Repeat("k", 1<<19) + `":[` + strings.Repeat("0,", 1<<18) + `null]}`
	_, err := Parse([]byte(text))
	want := strings.Repeat("k", maxPath) + "…"
	var refused *Error
	if !errors.As(err, &refused) || refused.Fields[0].Path != want {
		t.Errorf("got %v", err)
	}
	allocated := testing.AllocsPerRun(1, func() { _, _ = Parse([]byte(text)) })
	if allocated > 8<<18 {
		t.Errorf("%v allocations", allocated)
	}
}

func TestDecodeOverDefaults(t *testing.T) {
	text := `{"name":null,"on":true,"big":-9223372036854775808,"inner":{"port":7.0,"cpu":null},
		"list":[{"port":1e3},{"cpu":0.5}],"env":{"B":"\ud83d\ude00 \ufffd"},"wait":null,"maybe":"x","state":[{}]}`
	got := outer{Name: "default", Inner: inner{CPU: 2}, Env: map[string]string{"A": "a"}, Wait: 5}
	if err := decode([]byte(text), &struct {
		*outer
		Others jsontext.Value `json:",embed"`
	}{outer: &got}); err != nil {
		t.Fatal(err)
	}
	maybe := "x"
	want := outer{
		Name: "default", On: true, Big: -1 << 63, Inner: inner{Port: 7, CPU: 2},
		List: []inner{{Port: 1000}, {CPU: 0.5}}, Env: map[string]string{"B": "😀 \ufffd"}, Wait: 5, Maybe: &maybe,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestEmptyLists: what PHP writes for an empty array is the empty object, wherever one is meant.
func TestEmptyLists(t *testing.T) {
	for _, text := range []string{`[]`, " [ \n] ", `{"inner":[],"env":[],"list":[]}`, `{"inner": [ ], "env":[	]}`} {
		got := outer{Name: "default", Inner: inner{CPU: 2}, Env: map[string]string{"A": "a"}}
		want := outer{Name: "default", Inner: inner{CPU: 2}, Env: map[string]string{"A": "a"}}
		if strings.Contains(text, "env") {
			want.Env = map[string]string{}
		}
		got.List, want.List = []inner{}, []inner{}
		if err := decode([]byte(strings.ReplaceAll(text, `\t`, "\t")), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v, want %+v", text, got, err, want)
		}
	}
	var elements outer
	if err := decode([]byte(`{"list":[[],{"port":1},[]]}`), &elements); err != nil || !slices.Equal(elements.List, []inner{{}, {Port: 1}, {}}) {
		t.Errorf("elements of a list: got %+v, %v", elements.List, err)
	}
	if err := parse(t, `{"env":[],"nam":null}`).CheckNames(&outer{}); err == nil || !strings.Contains(err.Error(), "nam is not") {
		t.Errorf("a name behind an empty list: got %v", err)
	}
}

// The examples of RFC 7396, appendix A, that are objects.
func TestMerge(t *testing.T) {
	cases := []struct{ original, patch, result string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`{"a":"foo"}`, `{"b":{"ccc":null}}`, `{"a":"foo","b":{}}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
		// And where an object is meant, an empty list is the empty one.
		{`{"a":{"b":"c"}}`, `{"a":[]}`, `{"a":{"b":"c"}}`},
		{`{"a":{"b":{"c":"d"}}}`, `{"a":{"b":[ ]}}`, `{"a":{"b":{"c":"d"}}}`},
		{`{"a":"b"}`, `[]`, `{"a":"b"}`},
		{`{"a":["b"]}`, `{"a":[]}`, `{"a":[]}`},
		{`{"a":{"b":"c"}}`, `{"a":[1]}`, `{"a":[1]}`},
	}
	for _, c := range cases {
		got, err := parse(t, c.original).MergePatch(parse(t, c.patch))
		if err != nil || string(got) != c.result {
			t.Errorf("%s with %s: got %s, want %s, %v", c.original, c.patch, got, c.result, err)
		}
	}
}

func parse(t *testing.T, text string) Object {
	t.Helper()
	object, err := Parse([]byte(text))
	if err != nil {
		t.Fatalf("parse %s: %v", text, err)
	}
	return object
}

// FuzzDecode: whatever is accepted is what encoding/json reads too, and survives a
// trip through it.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"name":"a","list":[{"port":1}],"env":{"a":"b"}}`, `{"a\u0000":1}`, `{"inner":{"cpu":1e999}}`,
		`[[[[`, `{"a":1,"a":2}`, "{\"\xff\":1}", `{"name":"\ud800"}`, `{} {}`, `{"wait":"1s","maybe":null}`,
		`[]`, ` [ ] `, `[[]]`, `{"inner":[],"env":[ ],"list":[[],{}]}`, `{"env":[[]]}`, `{"inner":[{}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var strict outer
		if err := decode(data, &strict); err != nil {
			var refused *Error
			if !errors.As(err, &refused) || refused.Error() == "" {
				t.Fatalf("refused %q with %v", data, err)
			}
			return
		}
		if !json.Valid(data) {
			t.Fatalf("accepted %q, which is not JSON", data)
		}
		var generic any
		if err := json.Unmarshal(data, &generic); err != nil || strings.Contains(fmt.Sprint(objectsOf(generic)), "nonempty") {
			t.Fatalf("accepted %q with a list where an object is meant, %v", data, err)
		}
		text, err := json.Marshal(strict.Env)
		if err != nil || strings.Contains(string(text), `\u0000`) {
			t.Fatalf("accepted %q as %s, %v", data, text, err)
		}
	})
}

// objectsOf returns what a text has in the places where outer has an object, "nonempty" for a list there
// that has elements.
func objectsOf(v any) (found []string) {
	kind := func(v any) {
		if list, is := v.([]any); is && len(list) > 0 {
			found = append(found, "nonempty")
		}
	}
	kind(v)
	members, _ := v.(map[string]any)
	kind(members["inner"])
	kind(members["env"])
	elements, _ := members["list"].([]any)
	for _, element := range elements {
		kind(element)
	}
	return found
}
