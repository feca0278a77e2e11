package httpapi

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"lightd/desired"
)

// TestHistoryOfSpecs: what was written is kept, with what it changed, and is read as a spec is: by generation, by who may see
// the container, and without the environment for who may not see that.
func TestHistoryOfSpecs(t *testing.T) {
	n := newNode(t)
	n.create("web")
	n.send("GET", "/containers/web/history", "").want(t, 200, `"versions":[{"generation":1,"time":"`)
	n.send("PATCH", "/containers/web", `{"env":{"KEY":"secret"},"limits":{"memory":67108864}}`).want(t, 200, `"generation":2`)
	n.installed("web")
	n.send("POST", "/containers/web/start", "").want(t, 200, `"generation":3`)
	n.send("PATCH", "/containers/web", `{"env":{"KEY":"other"},"install":{"script":"x","env":{"TOKEN":"secret"}}}`).want(t, 200, `"generation":4`)
	n.send("PATCH", "/containers/web?dry_run=true", `{"image":"other"}`).want(t, 200, "")
	n.send("PATCH", "/containers/web", `{"image":""}`).want(t, 400, "")
	list := n.send("GET", "/containers/web/history", "").want(t, 200, `"generation":4,"time":"`)
	var got []string
	for _, v := range list.json["versions"].([]any) {
		v := v.(map[string]any)
		if v["spec"] != nil {
			t.Errorf("a list has specs: %v", v)
		}
		got = append(got, fmt.Sprint(v["generation"], " ", v["changed"]))
	}
	if all := strings.Join(got, " "); all != "4 [env.KEY install] 2 [env.KEY limits.memory] 1 []" || strings.Contains(list.text, "secret") {
		t.Errorf("got %s in %s", all, list.text)
	}
	at := func(generation int, header ...string) answer {
		return n.send("GET", fmt.Sprintf("/containers/web/history?generation=%d", generation), "", header...)
	}
	at(1).want(t, 200, `"env":{}`)
	for _, generation := range []int{2, 3} { // a start makes no version
		at(generation).want(t, 200, `"versions":[{"generation":2,`)
		at(generation).want(t, 200, `"env":{"KEY":"secret"}`)
	}
	at(4).want(t, 200, `"env":{"TOKEN":"secret"}`)
	reader := n.scoped("read")
	if a := at(4, reader).want(t, 200, `"env_hidden":true`); strings.Contains(a.text, "secret") || strings.Contains(a.text, "other") || !strings.Contains(a.text, `"TOKEN":""`) {
		t.Errorf("a reader sees %s", a.text)
	}
	if a := at(1, reader).want(t, 200, ""); strings.Contains(a.text, "env_hidden") {
		t.Errorf("nothing is hidden, and it says so: %s", a.text)
	}
	at(5).want(t, 404, "Generation not found")
	at(0).want(t, 400, `"field":"generation"`)
	n.send("GET", "/containers/web/history?generation=x", "").want(t, 400, `"field":"generation"`)
	n.send("GET", "/containers/web/history?generatoin=1", "").want(t, 400, "did you mean generation?")
	n.send("GET", "/containers/none/history", "").want(t, 404, "Container not found")
	n.send("GET", "/containers/web/history", "", n.scoped("console")).want(t, 403, "insufficient_scope")
	// What was read goes back as it is.
	old, err := json.Marshal(at(2).json["versions"].([]any)[0].(map[string]any)["spec"])
	if err != nil {
		t.Fatal(err)
	}
	n.send("PUT", "/containers/web?dry_run=true", string(old)).want(t, 200, `"action":"updated"`)
	n.send("PUT", "/containers/web", string(old)).want(t, 200, `"generation":5`)
	now, _ := n.store.Container("web")
	kept, err := n.store.History("web")
	if err != nil || len(kept) != 4 || !kept[2].Spec.SameButPower(now.Spec) || now.Env["KEY"] != "secret" || now.Power != desired.PowerRunning {
		t.Errorf("%v, %d versions, now %+v", err, len(kept), now.Spec)
	}
}
