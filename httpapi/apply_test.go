package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"lightd/hack/harness"
	"lightd/httpapi/api"
	"lightd/httpapi/containers"
	"lightd/observed/status"
)

// with returns a spec with more members, which are JSON after a comma.
func (n *testServer) with(id, more string) string {
	return strings.TrimSuffix(n.spec(id), "}") + "," + more + "}"
}

// body is one of an apply; more is as in with.
func body(more string, specs ...string) string {
	b := `{"containers":[` + strings.Join(specs, ",") + `]`
	if more != "" {
		b += "," + more
	}
	return b + "}"
}

func (n *testServer) apply(query, body string, header ...string) api.Applied {
	n.t.Helper()
	var applied api.Applied
	a := n.send("POST", "/apply"+query, body, header...).want(n.t, 200, "")
	if err := json.Unmarshal([]byte(a.text), &applied); err != nil {
		n.t.Fatal(err)
	}
	return applied
}

// summary is an answer in one line.
func summary(a api.Applied) string {
	line := fmt.Sprintf("%d+ %d~ %d= %d-:", a.Created, a.Updated, a.Unchanged, a.Deleted)
	for _, r := range a.Containers {
		line += fmt.Sprintf(" %s %s %d", r.InternalID, r.Action, r.Generation)
	}
	return line
}

func TestApply(t *testing.T) {
	n := newNode(t)
	n.create("mine")
	const group = `"labels":{"group":"x"}`
	first := body("", n.with("a", group), n.with("b", group+`,"power":"running","ports":[{}]`))
	if got, want := summary(n.apply("", first)), "2+ 0~ 0= 0-: a created 1 b created 1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	// What a client leaves out has its default, and what a GET returns besides is passed over.
	b, _ := n.store.Container("b")
	if !b.TTY || b.Limits.PIDs != 512 || b.Ports[0].Port != 25565 {
		t.Errorf("got %+v", b.Spec)
	}
	told := make(chan string, 16)
	defer n.store.Subscribe(func(id string) { told <- id })()
	read := n.send("GET", "/containers/b", "").text
	if got, want := summary(n.apply("", body("", n.with("a", group), read))), "0+ 0~ 2= 0-: a unchanged 1 b unchanged 1"; got != want {
		t.Errorf("the same again: got %s, want %s", got, want)
	}
	if len(told) != 0 {
		t.Errorf("the same again was told of %s", <-told)
	}
	pruning := body(`"prune":true,"selector":"group=x"`, n.with("a", group+`,"tty":false`), n.with("c", group))
	before := n.dump()
	tried := n.apply("?dry_run=true", pruning)
	if n.dump() != before || len(told) != 0 {
		t.Error("a dry run wrote")
	}
	if got, want := summary(tried), "1+ 1~ 0= 1-: a updated 2 c created 1 b deleted 2"; got != want {
		t.Errorf("a dry run: got %s, want %s", got, want)
	}
	for i, want := range []string{"PullImage CreateContainer WriteEntrypoint", "PullImage CreateContainer WriteEntrypoint", "Finalize"} {
		if r := tried.Containers[i]; steps(r.Plan) != want || r.Spec == nil || r.Spec.InternalID != r.InternalID {
			t.Errorf("%s: got %q, %+v", r.InternalID, steps(r.Plan), r.Spec)
		}
	}
	if got := summary(n.apply("", pruning)); got != summary(tried) {
		t.Errorf("got %s after %s", got, summary(tried))
	}
	if c, _ := n.store.Container("mine"); c.Deleting {
		t.Error("what the selector does not choose was pruned")
	}
	if got, want := summary(n.apply("", body(`"prune":true,"selector":"group"`))), "0+ 0~ 0= 2-: a deleted 3 c deleted 2"; got != want {
		t.Errorf("an empty list: got %s, want %s", got, want)
	}
	if got, want := summary(n.apply("", body(""))), "0+ 0~ 0= 0-:"; got != want {
		t.Errorf("nothing: got %s, want %s", got, want)
	}
}

// TestApplyRefused: whatever is wrong with a list is told by its place, and nothing of the
// list is done.
func TestApplyRefused(t *testing.T) {
	n := newNode(t)
	n.create("web")
	n.create("going")
	n.send("DELETE", "/containers/going", "").want(t, 202, "")
	n.send("POST", "/containers", n.with("holder", `"ports":[{"port":25566}]`)).want(t, 201, "")
	good := n.spec("good")
	many := strings.TrimSuffix(strings.Repeat(`{},`, containers.MaxSpecs+1), ",")
	cases := []struct {
		name, body string
		status     int
		text       string
		header     string
	}{
		{"no list", `{}`, 400, `{"field":"containers","message":"is required"}`, ""},
		{"null", `{"containers":null}`, 400, `{"field":"containers","message":"is required"}`, ""},
		{"no list at all", `{"containers":{}}`, 400, `{"field":"containers","message":"must be a list"}`, ""},
		{"a word in the list", body("", good, `"web"`), 400, `{"field":"containers[1]","message":"must be an object"}`, ""},
		{"null in the list", body("", good, `null`), 400, `"field":"containers[1]"`, ""},
		{"too many", `{"containers":[` + many + `]}`, 400, `{"field":"containers","message":"has 2001 specs, at most 2000 are allowed"}`, ""},
		{"an unknown member", body(`"force":true`, good), 400, `{"field":"force","message":"is not a known field"}`, ""},
		{"an unknown field", body("", good, n.with("b", `"limits":{"disk":1}`)), 400, `{"field":"containers[1].limits.disk","message":"is not a known field"}`, ""},
		{"a field of another case", body("", n.with("b", `"Env":{}`)), 400, `"field":"containers[0].Env"`, ""},
		{"a key twice", body("", good, n.with("b", `"image":"x"`)), 400, `{"field":"containers[1].image","message":"is given twice"}`, ""},
		{"a list twice", `{"containers":[],"containers":[]}`, 400, `"field":"containers"`, ""},
		{"an id twice", body("", good, n.spec("b"), n.spec("good")), 400, `{"field":"containers[2].internal_id","message":"is that of containers[0]"}`, ""},
		{"no id", body("", good, n.spec("")), 400, `"field":"containers[1].internal_id"`, ""},
		{"a port of two", body("", n.with("a", `"ports":[{"port":25565}]`), n.with("b", `"ports":[{"ip":"127.0.0.1","port":25565}]`)), 400,
			`{"field":"containers[1].ports[0]","message":"127.0.0.1:25565/tcp overlaps containers[0].ports[0]"}`, ""},
		{"a port that somebody holds", body("", good, n.with("b", `"ports":[{"port":25566}]`)), 409, `"field":"containers[1].ports[0]","message":"Port already in use: 0.0.0.0:25566/tcp is held by container holder"`, ""},
		{"a foreign port", body("", good, n.with("b", `"ports":[{"port":80}]`)), 400, `"field":"containers[1].ports[0]"`, ""},
		{"no volume", body("", good, strings.Replace(n.spec("b"), n.volume, "d6764075-c5f1-4045-9fb3-85315b85cb0f", 1)), 400, `"field":"containers[1].volume_id"`, ""},
		{"several faults", body("", n.with("a", `"limits":{"memory":-1}`), n.with("b", `"restart":"maybe"`)), 400, `"field":"containers[1].restart"`, ""},
		{"what is being deleted", body("", good, n.spec("going")), 409, `"error":"Container is being deleted"`, ""},
		{"a prune of everything", body(`"prune":true`, good), 400, `"field":"selector"`, ""},
		{"a prune of everything in blanks", body(`"prune":true,"selector":" "`, good), 400, `"field":"selector"`, ""},
		{"a bad selector", body(`"selector":"=x"`, good), 400, `"field":"selector"`, ""},
		{"what a selector does not choose", body(`"prune":true,"selector":"a=b"`, n.with("a", `"labels":{"a":"b"}`), good), 400, `{"field":"containers[1].labels","message":"do not match the selector, whose list the request makes demands of"}`, `If-Match: *`},
		{"a word for prune", body(`"prune":"yes"`, good), 400, `"field":"prune"`, ""},
		{"a stale list", body("", good), 412, "precondition", `If-Match: "list-1"`},
		{"what is there", body("", good, n.spec("web")), 412, `"code":"precondition_failed","details":[{"field":"containers[1]","message":"is there already"}]`, `If-None-Match: *`},
		{"what is being deleted, not to be there", body("", good, n.spec("going")), 409, `"error":"Container is being deleted"`, `If-None-Match: *`},
		{"a bare tag", body("", good), 400, `"field":"If-Match"`, `If-Match: x`},
		{"no body", "", 400, "a JSON object is expected", ""},
		{"a list alone", `[{}]`, 400, "a JSON object is expected", ""},
		{"text", body("", good), 415, "application/json", "Content-Type: text/plain"},
	}
	before := n.dump()
	n.send("POST", "/apply", body("", n.with("b", `"user":"`+strings.Repeat("a", containers.MaxApply)+`"`))).want(t, 413, "16 MiB")
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, query := range []string{"", "?dry_run=true"} {
				n.send("POST", "/apply"+query, c.body, c.header).want(t, c.status, c.text)
			}
			if after := n.dump(); after != before {
				t.Fatalf("something was written:\n%s\n%s", before, after)
			}
		})
	}
	if logged := n.logs.String(); logged != "" {
		t.Errorf("bad input was logged: %s", logged)
	}
}

// TestApplyOfNew: what must not be there is made, with what it needs, and once.
func TestApplyOfNew(t *testing.T) {
	n := newNode(t)
	n.create("web")
	n.send("POST", "/apply", body("", n.spec("new")), "If-None-Match: *").want(t, 200, `"created":1`)
	n.send("POST", "/apply", body("", n.spec("new")), "If-None-Match: *").want(t, 412, "is there already")
	n.send("POST", "/apply", body("", n.spec("newer")), "If-None-Match: *", `If-Match: "list-1"`).want(t, 412, "")
	n.send("POST", "/apply", body("", n.spec("new")), `If-None-Match: "list-1"`).want(t, 200, `"unchanged":1`)
}

// TestApplyLarge sends more than the other routes take, as much as there may be.
func TestApplyLarge(t *testing.T) {
	n := newNode(t)
	var specs []string
	for i := range containers.MaxSpecs {
		specs = append(specs, n.with(fmt.Sprintf("c%04d", i), fmt.Sprintf(`"install_script":%q`, strings.Repeat("true\n", 150))))
	}
	// Not over the wire: what checks answers there takes longer than all else.
	send := func(query string) (a api.Applied) {
		r := harness.Value[*http.Request](t)(http.NewRequest("POST", "/apply"+query, strings.NewReader(body("", specs...))))
		r.Header.Set("Authorization", "Bearer "+masterToken)
		r.Header.Set("Content-Type", "application/json")
		w := newRecorder()
		n.Handler().ServeHTTP(w, r)
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != http.StatusOK {
			t.Fatalf("got %d, %v", w.Code, err)
		}
		return a
	}
	if a := send(""); a.Created != containers.MaxSpecs {
		t.Errorf("%d created", a.Created)
	}
	if a := send("?dry_run=true"); a.Unchanged != containers.MaxSpecs || steps(a.Containers[7].Plan) == "" {
		t.Errorf("%d unchanged, %q", a.Unchanged, steps(a.Containers[7].Plan))
	}
}

// TestApplyIfMatch: the tag of a list holds until one of the specs that it chooses changes.
func TestApplyIfMatch(t *testing.T) {
	n := newNode(t)
	n.create("other")
	chosen := n.with("a", `"labels":{"a":"b"}`)
	n.send("POST", "/containers", chosen).want(t, 201, "")
	tag := func() string {
		return "If-Match: " + n.send("GET", "/containers?selector=a%3Db", "").want(t, 200, "").header.Get("ETag")
	}
	list := body(`"selector":"a=b"`, chosen)
	n.apply("", body(`"prune":true,"selector":"a=b"`, chosen, n.with("other", `"env":{"A":"1"}`))) // of which the selector says nothing
	first := tag()
	n.apply("", list, first)
	n.installed("a")
	n.send("POST", "/containers/other/start", "").want(t, 200, "")
	n.apply("", list, first)
	n.apply("", list, "If-Match: *")
	n.send("POST", "/apply", body("", chosen), first).want(t, 412, "") // of another list
	n.send("POST", "/containers", n.with("late", `"labels":{"a":"b"}`)).want(t, 201, "")
	n.send("POST", "/apply?dry_run=true", list, first).want(t, 412, "precondition")
	n.send("POST", "/apply", list, first).want(t, 412, "precondition")
	second := tag()
	n.record("a", func(st *status.Status) { st.Restarts++ })
	n.apply("", body(`"prune":true,"selector":"a=b"`, chosen), second)
	if n.send("POST", "/apply", list, second).status != 412 {
		t.Error("what was pruned changed no tag")
	}
}
