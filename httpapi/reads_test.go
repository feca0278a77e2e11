package httpapi

import (
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"lightd/hack/harness"
	"lightd/httpapi/rest"
	"lightd/observed/status"
)

// TestUnknownParameters: every route refuses a parameter that it does not have, names the one
// that was meant, and refuses one that is given twice; nothing is written.
func TestUnknownParameters(t *testing.T) {
	n := newNode(t)
	n.create("web")
	before := n.dump()
	for _, r := range n.routes() {
		target := path(r.path)
		n.send(r.method, target+"?colour=red", "{}").want(t, 400, `"field":"colour","message":"is not a known query parameter"`)
		for _, name := range r.query {
			if name == rest.QueryToken {
				continue // two tokens are none
			}
			n.send(r.method, target+"?"+name+"=1&"+name+"=1", "{}").want(t, 400, `"field":"`+name+`","message":"must be given once"`)
			n.send(r.method, target+"?"+name+"=a%00", "{}").want(t, 400, `"field":"`+name+`","message":"must not contain NUL"`)
			n.send(r.method, target+"?"+name+"=a%ff", "{}").want(t, 400, `"field":"`+name+`","message":"must be UTF-8"`)
			for _, slip := range []string{name[:1] + name[2:], strings.ToUpper(name[:1]) + name[1:], name + "s"} {
				n.send(r.method, target+"?"+slip+"=1", "{}").want(t, 400, "did you mean "+name+"?")
			}
		}
		n.send(r.method, target+"?a=%zz", "{}").want(t, 400, "The query is malformed")
	}
	n.send("GET", "/containers?selctor=a", "").want(t, 400, `"error":"The request is not valid: selctor is not a known query parameter: did you mean selector?"`)
	n.send("GET", "/containers?"+strings.Repeat("x", 4000), "").want(t, 400, "is not a known query parameter")
	n.send("HEAD", "/containers?colour=red", "").want(t, 400, "")
	if after := n.dump(); after != before {
		t.Errorf("something was written:\n%s\n%s", before, after)
	}
}

// TestParametersWithoutMeaning: one that would change nothing is refused too.
func TestParametersWithoutMeaning(t *testing.T) {
	n := newNode(t)
	n.create("web")
	for query, want := range map[string]string{
		"after=3":                  `"field":"after","message":"has no meaning without watch=true"`,
		"watch=false&after=3":      `"field":"after"`,
		"watch=true&limit=3":       `"field":"limit","message":"has no meaning in a watch`,
		"watch=true&view=full":     `"field":"view"`,
		"watch=true&continue=abcd": `"field":"continue"`,
		"watch=yes":                `"field":"watch"`,
		"view=all":                 `"field":"view","message":"must be summary or full"`,
		"view=":                    `"field":"view"`,
		"limit=0":                  `"field":"limit","message":"must be one whole number from 1 to 1000"`,
		"limit=1001":               `"field":"limit"`,
		"limit=-1":                 `"field":"limit"`,
		"limit=":                   `"field":"limit"`,
	} {
		n.send("GET", "/containers?"+query, "").want(t, 400, want)
	}
}

// TestContinueIsOpaque: whatever is no token of that very list is refused.
func TestContinueIsOpaque(t *testing.T) {
	n := newNode(t)
	for _, id := range []string{"a", "b", "c"} {
		n.create(id)
	}
	token := n.send("GET", "/containers?limit=1", "").want(t, 200, `"continue"`).json["continue"].(string)
	for _, garbage := range []string{"", "a", token + "A", token[1:], token[:len(token)-1], "....",
		base64.RawURLEncoding.EncodeToString([]byte("containers\n")), base64.StdEncoding.EncodeToString([]byte("containers\nab"))} {
		n.send("GET", "/containers?continue="+garbage, "").want(t, 400, `"field":"continue","message":"must be the continue of an answer of this list"`)
	}
	for _, other := range []string{"/network/ports", "/volumes", "/drift"} {
		n.send("GET", other+"?continue="+token, "").want(t, 400, `"field":"continue"`)
	}
}

// pages reads a list page by page; between calls fn between two of them.
func (n *testServer) pages(target, list, key string, limit int, between func(page int)) []string {
	n.t.Helper()
	var keys []string
	next := ""
	for page := 1; ; page++ {
		a := n.send("GET", fmt.Sprintf("%s?limit=%d%s", target, limit, next), "").want(n.t, 200, `"revision":`)
		elements := a.json[list].([]any)
		for _, e := range elements {
			keys = append(keys, fmt.Sprint(e.(map[string]any)[key]))
		}
		token, more := a.json["continue"].(string)
		if !more {
			return keys
		}
		if len(elements) != limit {
			n.t.Errorf("%s: a page of %d, and more to come", target, len(elements))
		}
		next = "&continue=" + token
		between(page)
	}
}

// TestPages: page by page there is what the whole list has, in its order, whatever the size.
func TestPages(t *testing.T) {
	n := newNode(t)
	n.drifts.unknown = map[string]bool{}
	for i := range 7 {
		n.create(fmt.Sprintf("c%d", i))
		n.drifts.unknown[fmt.Sprintf("c%d", i)] = true
		n.send("POST", "/volumes", "").want(t, 201, "")
	}
	n.send("POST", "/network/ports", `{"ip":"0.0.0.0","ports":"8-12"}`).want(t, 201, "")
	n.send("POST", "/network/ports", `{"ip":"127.0.0.1","ports":"8-9"}`).want(t, 201, "")
	n.send("POST", "/network/ports", `{"ip":"0.0.0.0","ports":"100-101","protocol":"udp"}`).want(t, 201, "")
	for _, l := range []struct {
		target, list, key string
		count             int
	}{
		{"/containers", "containers", "internal_id", 7}, {"/drift", "containers", "internal_id", 7},
		{"/network/ports", "ports", "port", 11}, {"/volumes", "volumes", "volume_id", 8},
	} {
		whole := n.send("GET", l.target, "").want(t, 200, `"revision":`)
		if _, more := whole.json["continue"]; more {
			t.Errorf("%s: without a limit there is more", l.target)
		}
		var want []string
		for _, e := range whole.json[l.list].([]any) {
			want = append(want, fmt.Sprint(e.(map[string]any)[l.key]))
		}
		if len(want) != l.count {
			t.Errorf("%s: %d of %d", l.target, len(want), l.count)
		}
		for limit := 1; limit <= l.count+1; limit++ {
			if got := n.pages(l.target, l.list, l.key, limit, func(int) {}); !slices.Equal(got, want) {
				t.Errorf("%s by %d: got %q, want %q", l.target, limit, got, want)
			}
		}
	}
}

// TestPagesWhileThingsChange: what is there all the while is there once, though the very element
// that a page ended with has gone.
func TestPagesWhileThingsChange(t *testing.T) {
	n := newNode(t)
	for _, id := range []string{"b", "d", "f", "h", "j"} {
		n.create(id)
	}
	got := n.pages("/containers", "containers", "internal_id", 2, func(page int) {
		if page > 1 {
			return
		}
		n.send("DELETE", "/containers/d", "").want(t, 202, "") // the page ended with it
		n.remove("d")
		n.create("a") // before it
		n.create("e")
	})
	if want := []string{"b", "d", "e", "f", "h", "j"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	n.send("DELETE", "/network/ports/0.0.0.0/25565", "").want(t, 200, "")
	if got := n.pages("/network/ports", "ports", "port", 1, func(int) {}); !slices.Equal(got, []string{"25566"}) {
		t.Errorf("got %q", got)
	}
}

// TestFullView: with view=full a list has what a GET of each has.
func TestFullView(t *testing.T) {
	n := newNode(t)
	n.send("POST", "/containers", strings.TrimSuffix(n.spec("a"), "}")+`,"env":{"A":"b"},"labels":{"x":"y"}}`).want(t, 201, "")
	n.create("b")
	n.installed("a")
	whole := n.send("GET", "/containers?view=full&selector=x", "").want(t, 200, "").json["containers"].([]any)
	one := n.send("GET", "/containers/a", "").want(t, 200, "").json
	if len(whole) != 1 || !reflect.DeepEqual(whole[0], any(one)) {
		t.Errorf("got %v, want %v", whole, one)
	}
	if short := n.send("GET", "/containers?view=summary", "").want(t, 200, `"labels"`); strings.Contains(short.text, `"env"`) {
		t.Errorf("a summary is %s", short.text)
	}
}

// TestNotModified: who has the answer is not sent it again, until anything of it changes.
func TestNotModified(t *testing.T) {
	n := newNode(t)
	n.create("web")
	n.installed("web")
	for _, target := range []string{"/containers/web", "/containers", "/containers?view=full", "/containers?limit=1&selector=!a",
		"/network/ports", "/volumes", "/drift", "/containers/web/drift", "/containers/web/plan", "/openapi.json", "/containers/web/events"} {
		for _, encoding := range []string{"identity", "gzip"} {
			accept := "Accept-Encoding: " + encoding
			tag := n.send("HEAD", target, "", accept).want(t, 200, "").header.Get("ETag")
			for _, method := range []string{"GET", "HEAD"} {
				a := n.send(method, target, "", accept, "If-None-Match: \"other\", "+tag).want(t, 304, "")
				if a.text != "" || a.header.Get("ETag") != tag || a.header.Get("Vary") == "" || a.header.Get("Cache-Control") != "no-store" {
					t.Errorf("%s %s: %q %v", method, target, a.text, a.header)
				}
				n.send(method, target, "", accept, "If-None-Match: W/"+tag).want(t, 304, "")
				n.send(method, target, "", accept, "If-None-Match: *").want(t, 304, "")
				n.send(method, target, "", accept, `If-None-Match: "other"`).want(t, 200, "")
			}
			n.send("GET", target, "", "If-None-Match: other").want(t, 400, `"field":"If-None-Match"`)
		}
	}
	n.send("GET", "/containers/nobody", "", "If-None-Match: *").want(t, 404, "")

	// A status that changed is another answer, and no other generation.
	tag := n.send("GET", "/containers/web", "").header.Get("ETag")
	list := n.send("GET", "/containers", "").header.Get("ETag")
	n.record("other", nil) // raises the revision
	n.send("GET", "/containers", "", "If-None-Match: "+list).want(t, 304, "")
	n.record("web", func(st *status.Status) { st.State = status.StateRunning })
	n.send("GET", "/containers/web", "", "If-None-Match: "+tag).want(t, 200, `"state":"running"`)
	n.send("GET", "/containers", "", "If-None-Match: "+list).want(t, 200, `"state":"running"`)
	n.send("PATCH", "/containers/web", `{"tty":false}`, "If-None-Match: "+tag).want(t, 412, "")
	n.send("PATCH", "/containers/web", `{"tty":false}`, "If-Match: "+tag).want(t, 200, `"generation":2`)
	n.send("PATCH", "/containers/web", `{"tty":true}`, "If-Match: "+tag).want(t, 412, "")
	n.send("POST", "/apply", `{"containers":[]}`, "If-Match: "+list).want(t, 412, "")
	page := n.send("GET", "/containers?limit=1", "").header.Get("ETag")
	n.send("POST", "/apply", `{"containers":[]}`, "If-Match: "+page).want(t, 200, "")
}

// TestCompression: what is large is compressed for who takes that, under a tag of its own that
// a write takes all the same.
func TestCompression(t *testing.T) {
	log := strings.Repeat("installed\n", 1000)
	n := newNode(t, func(cfg *config) {
		cfg.InstallLog = func(id string) (io.ReadCloser, error) {
			return map[string]io.ReadCloser{"web": io.NopCloser(strings.NewReader(log)), "small": io.NopCloser(strings.NewReader("x"))}[id], nil
		}
	})
	n.send("POST", "/containers", strings.TrimSuffix(n.spec("web"), "}")+`,"env":{"A":"`+strings.Repeat("b", 5000)+`"}}`).want(t, 201, "")
	n.create("small")
	for _, r := range []struct {
		request, body string
		packed        bool
	}{
		{"GET /containers/web", "", true}, {"GET /containers?view=full", "", true}, {"GET /openapi.json", "", true},
		{"PATCH /containers/web?dry_run=true", `{"tty":false}`, true},
		{"GET /containers/web/install-log", "", true},
		{"GET /containers/small/install-log", "", false}, {"GET /volumes", "", false}, {"GET /containers/nobody", "", false},
	} {
		method, target, _ := strings.Cut(r.request, " ")
		plain := n.send(method, target, r.body, "Accept-Encoding: identity")
		a := n.send(method, target, r.body, "Accept-Encoding: br;q=1.0, gzip;q=0.8, *;q=0.1")
		if got := a.header.Get("Content-Encoding") == "gzip"; got != r.packed {
			t.Errorf("%s: compressed %v", r.request, got)
			continue
		}
		if plain.header.Get("Content-Encoding") != "" || plain.header.Get("Vary") != rest.Vary || a.header.Get("Vary") != plain.header.Get("Vary") {
			t.Errorf("%s: %v and %v", r.request, plain.header, a.header)
		}
		if !r.packed {
			continue
		}
		if text := unpack(t, a.text); text != plain.text {
			t.Errorf("%s: got %.200s, want %.200s", r.request, text, plain.text)
		}
		if tag := plain.header.Get("ETag"); tag != "" && (a.header.Get("ETag") == tag || rest.GenerationTag(a.header.Get("ETag")) != rest.GenerationTag(tag)) {
			t.Errorf("%s: tags %s and %s", r.request, tag, a.header.Get("ETag"))
		}
	}
	for _, refused := range []string{"gzip;q=0", "gzip; q=0.0", "br", "*;q=0", "*, gzip;q=0"} {
		if a := n.send("GET", "/containers/web", "", "Accept-Encoding: "+refused).want(t, 200, ""); a.header.Get("Content-Encoding") != "" {
			t.Errorf("compressed for %q", refused)
		}
	}
	tag := n.send("GET", "/containers/web", "", "Accept-Encoding: *").want(t, 200, "").header.Get("ETag")
	n.send("GET", "/containers/web", "", "Accept-Encoding: identity", "If-None-Match: "+tag).want(t, 304, "")
	n.send("PATCH", "/containers/web", `{"tty":false}`, "If-Match: "+tag).want(t, 200, "")
}

func unpack(t *testing.T, text string) string {
	t.Helper()
	r := harness.Value[*gzip.Reader](t)(gzip.NewReader(strings.NewReader(text)))
	return string(harness.Value[[]byte](t)(io.ReadAll(r)))
}
