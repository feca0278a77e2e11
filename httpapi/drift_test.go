package httpapi

import (
	"encoding/json"
	"testing"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/observed"
	"lightd/observed/drift"
)

// fakeDrifts tells what a test says.
type fakeDrifts struct {
	fields  map[string][]plan.Field
	unknown map[string]bool
	foreign []observed.Foreign
}

func (f *fakeDrifts) Drift(c desired.Container) ([]plan.Field, bool) {
	return f.fields[c.InternalID], !f.unknown[c.InternalID]
}

func (f *fakeDrifts) Foreign() []observed.Foreign { return f.foreign }

func TestDriftOfContainer(t *testing.T) {
	n := newNode(t)
	n.create("web")
	n.send("GET", "/containers/nobody/drift", "").want(t, 404, "Container not found")
	n.send("GET", "/containers/web/drift", "").want(t, 200, `{"internal_id":"web","in_sync":true,"known":true,"paused":false,"fields":[]}`)
	n.drifts.unknown = map[string]bool{"web": true}
	n.send("GET", "/containers/web/drift", "").want(t, 200, `"in_sync":false,"known":false,"paused":false,"fields":[]`)
	n.drifts.unknown = nil
	n.drifts.fields = map[string][]plan.Field{"web": {{Path: "env.A", Desired: "b", Observed: drift.Hidden, Step: plan.CreateContainer, Kind: drift.Spec}}}
	n.send("PATCH", "/containers/web", `{"paused":true}`).want(t, 200, "")
	n.send("GET", "/containers/web/drift", "").want(t, 200,
		`"in_sync":false,"known":true,"paused":true,"fields":[{"path":"env.A","desired":"b","observed":"(hidden)","since":"0001-01-01T00:00:00Z","step":"CreateContainer","kind":"spec"}]`)
}

func TestDriftOfNode(t *testing.T) {
	n := newNode(t)
	for _, id := range []string{"fine", "drifted", "tag", "both", "unseen"} {
		n.create(id)
	}
	n.send("PATCH", "/containers/tag", `{"labels":{"game":"chess"}}`).want(t, 200, "")
	field := func(kinds ...drift.Kind) (list []plan.Field) {
		for _, kind := range kinds {
			list = append(list, plan.Field{Path: "image", Kind: kind})
		}
		return list
	}
	n.drifts.fields = map[string][]plan.Field{
		"drifted": field(drift.Spec, drift.Spec), "tag": field(drift.MovedTag), "both": field(drift.Spec, drift.Deferred, drift.MovedTag),
	}
	n.drifts.unknown = map[string]bool{"unseen": true}
	n.drifts.foreign = []observed.Foreign{{ContainerID: "0123456789abcdef", Name: "lightd-x", InternalID: "x", Instance: "lost"}}
	var got api.NodeDrift
	if err := json.Unmarshal([]byte(n.send("GET", "/drift", "").want(t, 200, "").text), &got); err != nil {
		t.Fatal(err)
	}
	if got.InSync != 1 || got.Drifted != 2 || got.MovedTag != 2 || got.Deferred != 1 || got.Unknown != 1 || len(got.Containers) != 4 {
		t.Errorf("got %+v", got)
	}
	if len(got.Foreign) != 1 || got.Foreign[0] != (api.Foreign{ContainerID: "0123456789ab", Name: "lightd-x", InternalID: "x", Instance: "lost"}) {
		t.Errorf("foreign %+v", got.Foreign)
	}
	n.send("GET", "/drift?selector=game", "").want(t, 200, `"in_sync":0,"drifted":0,"moved_tag":1,"deferred":0,"unknown":0,"foreign":[{`)
	n.send("GET", "/drift?selector==", "").want(t, 400, "selector")
}
