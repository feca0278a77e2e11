package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/hack/harness"
	"lightd/httpapi/api"
	"lightd/httpapi/rest"
	"lightd/httpapi/streams"
	"lightd/httpapi/view"
	"lightd/observed/status"
)

// watcher is a client that watches.
type watcher struct {
	t      *testing.T
	answer *http.Response
	lines  *bufio.Scanner
}

// watch opens a stream; header is as in send.
func (n *testServer) watch(query string, header ...string) *watcher {
	n.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	n.t.Cleanup(cancel)
	r := harness.Value[*http.Request](n.t)(http.NewRequestWithContext(ctx, "GET", n.url+"/containers?watch=true"+query, nil))
	r.Header.Set("Authorization", "Bearer "+masterToken)
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	response := harness.Value[*http.Response](n.t)(n.client.Do(r))
	n.t.Cleanup(func() { response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		n.t.Fatalf("watch was answered with %s", response.Status)
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 4<<20)
	return &watcher{n.t.(*testing.T), response, lines}
}

func (w *watcher) event() (e api.WatchEvent) {
	w.t.Helper()
	if !w.lines.Scan() {
		w.t.Fatalf("the stream has ended: %v", w.lines.Err())
	}
	if err := json.Unmarshal(w.lines.Bytes(), &e); err != nil {
		w.t.Fatalf("%q: %v", w.lines.Text(), err)
	}
	return e
}

// want reads one event, as in "ADDED web".
func (w *watcher) want(what string) api.WatchEvent {
	w.t.Helper()
	e := w.event()
	got := string(e.Type)
	if e.Container != nil {
		got += " " + e.Container.InternalID
	}
	if got != what {
		w.t.Fatalf("got %s of revision %d, want %s", got, e.Revision, what)
	}
	return e
}

func TestWatchShowsWhatGetShows(t *testing.T) {
	n := newNode(t)
	n.create("web")
	n.installed("web")
	w := n.watch("")
	last := w.want("ADDED web").Revision
	if b := w.want("BOOKMARK"); b.Revision < last {
		t.Errorf("a bookmark of revision %d after %d", b.Revision, last)
	}
	same := func(e api.WatchEvent) {
		t.Helper()
		if e.Revision <= last {
			t.Errorf("revision %d after %d", e.Revision, last)
		}
		last = e.Revision
		var got api.Container
		if err := json.Unmarshal([]byte(n.send("GET", "/containers/"+e.Container.InternalID, "").want(t, 200, "").text), &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, *e.Container) {
			t.Errorf("watch shows %+v\nget shows %+v", *e.Container, got)
		}
	}
	n.send("PATCH", "/containers/web", `{"env":{"A":"b"},"install_script":"<&>\u2028"}`).want(t, 200, "")
	same(w.want("MODIFIED web"))
	n.record("web", func(st *status.Status) { st.State, st.Restarts = status.StateRunning, 3 })
	same(w.want("MODIFIED web"))
	// What nobody sees is no change.
	n.record("web", func(st *status.Status) { st.Pulling = "x" })
	n.send("PATCH", "/containers/web", `{}`).want(t, 200, "")
	n.create("db")
	same(w.want("ADDED db"))
	n.send("DELETE", "/containers/web", "").want(t, 202, "")
	same(w.want("MODIFIED web"))
	n.remove("web")
	if e := w.want("DELETED web"); !e.Container.Deleting || e.Container.Env["A"] != "b" || e.Container.State != status.StateRunning {
		t.Errorf("the last that was known: %+v", e.Container)
	}
}

// TestListThenWatch loses nothing between the two.
func TestListThenWatch(t *testing.T) {
	n := newNode(t)
	n.create("web")
	revision := int(n.send("GET", "/containers", "").want(t, 200, "").json["revision"].(float64))
	n.create("db")
	w := n.watch(fmt.Sprintf("&after=%d", revision))
	at := w.want("ADDED db").Revision
	browser := n.watch("&after=1", fmt.Sprintf("Last-Event-ID: %d", at), "Accept: text/event-stream")
	n.send("PATCH", "/containers/web", `{"env":{"A":"b"}}`).want(t, 200, "")
	w.want("MODIFIED web")
	for _, want := range []string{fmt.Sprintf("id: %d", at+1), "event: MODIFIED", `data: {"type":"MODIFIED",`} {
		if browser.lines.Scan(); !strings.HasPrefix(browser.lines.Text(), want) {
			t.Errorf("got %q, want %q", browser.lines.Text(), want)
		}
	}
}

func TestWatchRefusals(t *testing.T) {
	n := newNode(t)
	n.create("web")
	n.send("GET", "/containers?watch=yes", "").want(t, 400, "watch")
	n.send("GET", "/containers?watch=true&after=-1", "").want(t, 400, "after")
	n.send("GET", "/containers?watch=true&after=x", "").want(t, 400, "after")
	n.send("GET", "/containers?watch=true", "", "Last-Event-ID: x").want(t, 400, "Last-Event-ID")
	n.send("GET", "/containers?watch=true&selector==", "").want(t, 400, "selector")
	n.send("GET", "/containers?watch=true", "", "Accept: text/html").want(t, 406, "")
	n.send("GET", "/containers", "", "Accept: text/event-stream").want(t, 406, "")
	n.send("GET", "/containers?watch=true&after=999999", "", "Accept: text/event-stream").want(t, 410, `"code":"compacted"`)
	n.send("GET", "/containers?watch=false", "").want(t, 200, `"containers":[{`)
}

func TestWatchMedia(t *testing.T) {
	n := newNode(t)
	for accept, want := range map[string]string{
		"": streams.MediaLines, "*/*": streams.MediaLines, "application/*": streams.MediaLines, "application/json": "application/json",
		"Application/vnd.pkglatv1+json": rest.MediaVendor, "text/event-stream": streams.MediaEvents, "application/x-ndjson": streams.MediaLines,
		"application/json;q=0.5, text/event-stream": streams.MediaEvents, "text/html, */*;q=0.1": streams.MediaLines,
		"text/event-stream;q=0, application/json": "application/json",
	} {
		var header []string
		if accept != "" {
			header = append(header, "Accept: "+accept)
		}
		if got := n.watch("", header...).answer.Header.Get("Content-Type"); got != want {
			t.Errorf("Accept %q: got %q, want %q", accept, got, want)
		}
	}
}

func TestWatchSelector(t *testing.T) {
	n := newNode(t)
	n.create("web")
	w := n.watch("&selector=game=chess")
	w.want("BOOKMARK")
	label := func(labels string) {
		n.send("PATCH", "/containers/web", `{"labels":`+labels+`}`).want(t, 200, "")
	}
	label(`{"game":"chess"}`)
	w.want("ADDED web")
	label(`{"game":"chess","level":"1"}`)
	w.want("MODIFIED web")
	label(`{"game":"go"}`)
	if e := w.want("DELETED web"); e.Container.Labels["game"] != "go" {
		t.Errorf("got %v", e.Container.Labels)
	}
}

// TestWatchTellsThatTheEngineIsAway, and that it is back.
func TestWatchTellsThatTheEngineIsAway(t *testing.T) {
	n := newNode(t)
	for _, id := range []string{"db", "web"} {
		n.create(id)
		n.record(id, func(st *status.Status) { st.State = status.StateRunning })
	}
	w := n.watch("")
	w.want("ADDED db")
	w.want("ADDED web")
	w.want("BOOKMARK")
	sight := func(up bool) {
		err := n.store.Update(t.Context(), func(tx *store.Tx) error {
			return n.records.PutEngineStatus(tx, status.EngineStatus{Up: up, Since: time.Now()})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, up := range []bool{true, false, false, true} {
		sight(up)
	}
	for _, want := range []status.State{status.StateUnknown, status.StateRunning} {
		for _, id := range []string{"db", "web"} {
			if e := w.want("MODIFIED " + id); e.Container.State != want || want == status.StateUnknown && e.Container.Condition(status.Synced).Status != status.Unknown {
				t.Errorf("%s is %s", id, e.Container.State)
			}
		}
	}
}

// TestWatchEndsWithItsToken and with the daemon.
func TestWatchEnds(t *testing.T) {
	n := newNode(t)
	short := n.watch("", "Authorization: Bearer "+n.temporary("1h", false))
	long := n.watch("")
	n.tokens.pass(time.Hour)
	for short.lines.Scan() {
	}
	n.Close()
	for long.lines.Scan() {
	}
	if err := long.lines.Err(); err != nil {
		t.Errorf("cut off: %v", err)
	}
}

// TestWhatLooksAlikeIsShownAlike: a field of a status that is shown, and that EqualIgnoringVersion does
// not compare, would change without an event for those who watch.
func TestWhatLooksAlikeIsShownAlike(t *testing.T) {
	now := time.Now()
	c := desired.Container{Requests: desired.Requests{Install: 5}}
	base := status.Status{Install: status.Install{Request: 5}, InstallState: status.Ready}
	shown := func(st status.Status) string {
		text, err := json.Marshal(view.Show(c, st, status.EngineStatus{Up: true}))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	visible := 0
	for _, f := range reflect.VisibleFields(reflect.TypeFor[status.Status]()) {
		if !f.IsExported() || f.Anonymous || f.Name == "InternalID" { // an embedded group is its fields
			continue
		}
		changed := base.Clone()
		fill(t, reflect.ValueOf(&changed).Elem().FieldByIndex(f.Index), now)
		seen, alike := shown(changed) != shown(base), changed.EqualIgnoringVersion(base)
		if seen == alike {
			t.Errorf("%s: shown otherwise %v, called alike %v", f.Name, seen, alike)
		}
		if seen {
			visible++
			if !changed.EqualIgnoringVersion(changed.Clone()) {
				t.Errorf("%s: not like itself", f.Name)
			}
		}
	}
	if visible < 7 {
		t.Errorf("only %d fields are shown: this test looks in the wrong place", visible)
	}
}

// fill sets v to something that is not zero.
func fill(t *testing.T, v reflect.Value, now time.Time) {
	switch v := v.Addr().Interface().(type) {
	case *time.Time:
		*v = now
		return
	case *status.Install:
		v.Request--
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint64:
		v.SetUint(7)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		if v.Elem().Kind() == reflect.Struct {
			fill(t, v.Elem().Field(0), now)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
	case reflect.Struct:
		fill(t, v.Field(0), now)
	default:
		t.Fatalf("nothing fills a %s", v.Type())
	}
}
