package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"lightd/hack/eventually"
	"lightd/observed"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// tenants is a node with the containers mine and other of two tenants, each on a volume and with a port of
// its own.
type tenants struct {
	*testServer
	otherVolume string
	// byID and byLabel are headers of tokens with all scopes for the container mine.
	byID, byLabel string
}

func newTenants(t *testing.T, tune ...func(*config)) *tenants {
	n := &tenants{testServer: newNode(t, tune...)}
	n.otherVolume = n.send("POST", "/volumes", "").want(t, 201, "").json["volume_id"].(string)
	n.send("POST", "/containers", n.tenant("mine", "a", n.volume, 25565)).want(t, 201, "")
	n.send("POST", "/containers", n.tenant("other", "b", n.otherVolume, 25566)).want(t, 201, "")
	for _, id := range []string{"mine", "other"} {
		n.installed(id)
		n.record(id, nil, journal.Started, journal.Ready)
	}
	n.byID, n.byLabel = n.token(`{"scopes":["admin"],"containers":["mine","unmade"]}`), n.token(`{"scopes":["admin"],"selector":"tenant=a"}`)
	return n
}

func (n *tenants) tenant(id, tenant, volume string, port int) string {
	ports := "[]"
	if port != 0 {
		ports = fmt.Sprintf(`[{"port":%d}]`, port)
	}
	return fmt.Sprintf(`{"internal_id":%q,"image":"alpine:3","volume_id":%q,"startup_command":"sleep 1","labels":{"tenant":%q},"ports":%s}`, id, volume, tenant, ports)
}

// each runs fn for both kinds of token.
func (n *tenants) each(fn func(header string)) {
	for _, header := range []string{n.byID, n.byLabel} {
		fn(header)
	}
}

// TestHistoryOfAnotherTenant: what a container was while it was somebody else's is not shown to whose it is now.
func TestHistoryOfAnotherTenant(t *testing.T) {
	n := newTenants(t)
	n.send("PATCH", "/containers/other", `{"env":{"KEY":"of b"}}`).want(t, 200, `"generation":2`)
	n.send("PATCH", "/containers/other", `{"env":null,"labels":{"tenant":"a"}}`).want(t, 200, `"generation":3`)
	if a := n.send("GET", "/containers/other/history", "", n.byLabel).want(t, 200, `"versions":[{"generation":3,`); strings.Contains(a.text, "KEY") {
		t.Errorf("the new tenant sees %s", a.text)
	}
	n.send("GET", "/containers/other/history?generation=3", "", n.byLabel).want(t, 200, `"spec":{`)
	n.send("GET", "/containers/other/history?generation=2", "", n.byLabel).want(t, 404, "Generation not found")
	n.send("GET", "/containers/other/history?generation=2", "").want(t, 200, "of b")
}

// TestBoundTokenReads: nothing but what is theirs is in any list, event, watch, drift report, port or volume.
func TestBoundTokenReads(t *testing.T) {
	n := newTenants(t)
	n.drifts.foreign = []observed.Foreign{{Name: "lightd-strange"}}
	n.each(func(header string) {
		for _, target := range []string{
			"/containers", "/containers?view=full", "/containers?selector=tenant", "/drift", "/events", "/events?limit=1", "/network/ports", "/volumes",
			"/containers/mine", "/containers/mine/events", "/containers/mine/drift", "/containers/mine/plan", "/containers/mine/history", "/containers/mine/history?generation=1", "/volumes/" + n.volume, "/network/ports/0.0.0.0/25565",
		} {
			a := n.send("GET", target, "", header).want(t, 200, "")
			if strings.Contains(a.text, "other") || strings.Contains(a.text, n.otherVolume) || strings.Contains(a.text, "25566") || strings.Contains(a.text, "strange") {
				t.Errorf("%s shows %s", target, a.text)
			}
			if !strings.Contains(a.text, "mine") && target != "/drift" && !strings.HasSuffix(target, "/plan") {
				t.Errorf("%s lacks what is theirs: %s", target, a.text)
			}
		}
		if a := n.send("GET", "/events?limit=1&after=1", "", header).want(t, 200, `"seq":2`); a.json["last_seq"].(float64) != 2 {
			t.Errorf("a full page goes on at %v", a.json["last_seq"])
		}
		if a := n.send("GET", "/drift", "", header); a.json["in_sync"].(float64)+a.json["unknown"].(float64)+a.json["drifted"].(float64) != 1 {
			t.Errorf("the numbers of the node are %s", a.text)
		}
		n.send("GET", "/network/ports/random", "", header).want(t, 404, "No available ports")
	})
}

// TestBoundTokenUnknownIDs: the id of another's container is answered exactly as one that does not exist.
func TestBoundTokenUnknownIDs(t *testing.T) {
	n := newTenants(t)
	before := n.dump()
	n.each(func(header string) {
		for _, r := range n.routes() {
			if !strings.Contains(r.path, ":id") || strings.HasPrefix(r.path, "/auth/") || r.access.node {
				continue
			}
			if r.method == "PUT" && strings.HasPrefix(r.path, "/volumes") {
				continue // one that does not exist is created: TestChosenVolumesOfTenants
			}
			ids := [2]string{"other", "nobody"}
			if strings.HasPrefix(r.path, "/volumes") {
				ids = [2]string{n.otherVolume, strings.Replace(n.otherVolume, n.otherVolume[:4], "0000", 1)}
			}
			body := map[string]string{"PUT": n.tenant("ID", "a", n.volume, 0), "PATCH": `{"tty":false}`}[r.method]
			if strings.HasSuffix(r.path, "rebind-network") {
				body = `{"ports":[]}`
			}
			if r.method == "PUT" && header == n.byLabel {
				ids[1] = "other" // one that does not exist is created
			}
			var got [2]answer
			for i, id := range ids {
				got[i] = n.send(r.method, strings.ReplaceAll(r.path, ":id", id), strings.ReplaceAll(body, "ID", id), header)
				got[i].text = strings.ReplaceAll(got[i].text, id, "ID")
			}
			if got[0].status != http.StatusNotFound || got[0].text != got[1].text || got[1].status != http.StatusNotFound {
				t.Errorf("%s %s: %d %s, of an id that there is not %d %s", r.method, r.path, got[0].status, got[0].text, got[1].status, got[1].text)
			}
		}
		n.send("GET", "/network/ports/0.0.0.0/25566", "", header).want(t, 404, "Port not found in pool")
		for _, request := range []string{
			"POST /network/ports", "DELETE /network/ports/0.0.0.0/25566",
			"PUT /network/ports/0.0.0.0/25566/use", "POST /network/ports/bulk-delete",
		} {
			method, target, _ := strings.Cut(request, " ")
			n.send(method, target, "{}", header).want(t, 403, "bound_token")
		}
	})
	if after := n.dump(); after != before {
		t.Errorf("something was written:\n%s\n%s", before, after)
	}
}

// TestBoundTokenWrites: a write reaches neither another's container nor another's volume, moves none in or
// out, and names nobody in a refusal.
func TestBoundTokenWrites(t *testing.T) {
	n := newTenants(t)
	before := n.dump()
	apply := func(specs ...string) string { return `{"containers":[` + strings.Join(specs, ",") + `]}` }
	mine := n.tenant("mine", "a", n.volume, 25565)
	for _, c := range []struct {
		name, header, request, body string
		status                      int
		text                        string
	}{
		{"out of the selector", n.byLabel, "PATCH /containers/mine", `{"labels":{"tenant":"b"}}`, 403, "bound_token"},
		{"without labels", n.byLabel, "PATCH /containers/mine", `{"labels":null}`, 403, "bound_token"},
		{"out by a PUT", n.byLabel, "PUT /containers/mine", n.tenant("mine", "b", n.volume, 25565), 403, "bound_token"},
		{"out by an apply", n.byLabel, "POST /apply", apply(n.tenant("mine", "b", n.volume, 25565)), 403, "bound_token"},
		{"another's in by a PUT", n.byLabel, "PUT /containers/other", n.tenant("other", "a", n.volume, 0), 404, "Container not found"},
		{"another's in by an apply", n.byLabel, "POST /apply", apply(mine, n.tenant("other", "a", n.volume, 0)), 404, "containers[1]"},
		{"another's as it is", n.byLabel, "POST /apply", apply(n.tenant("other", "b", n.otherVolume, 25566)), 404, "Container not found"},
		{"a new one of another", n.byLabel, "POST /containers", n.tenant("new", "b", n.volume, 0), 403, "bound_token"},
		{"another id", n.byID, "POST /containers", n.tenant("new", "a", n.volume, 0), 404, "Container not found"},
		{"another id that exists", n.byID, "POST /containers", n.tenant("other", "a", n.volume, 0), 404, "Container not found"},
		{"another's id by an apply", n.byID, "POST /apply", apply(mine, n.tenant("other", "b", n.otherVolume, 0)), 404, "Container not found"},
		{"another's volume", n.byLabel, "PATCH /containers/mine", fmt.Sprintf(`{"volume_id":%q}`, n.otherVolume), 400, "Volume not found"},
		{"another's volume by id", n.byID, "PATCH /containers/mine", fmt.Sprintf(`{"volume_id":%q}`, n.otherVolume), 400, "Volume not found"},
		{"another's volume of a new one", n.byLabel, "POST /containers", n.tenant("new", "a", n.otherVolume, 0), 400, "Volume not found"},
		{"another's port", n.byLabel, "PATCH /containers/mine", `{"ports":[{"port":25566}]}`, 409, "Port already in use"},
		{"a dry run of it", n.byLabel, "PATCH /containers/mine?dry_run=true", `{"labels":{"tenant":null}}`, 403, "bound_token"},
		{"a prune of nobody", n.byID, "POST /apply?dry_run=true", strings.Replace(apply(mine), "{", `{"prune":true,"selector":"tenant",`, 1), 200, `"deleted":0`},
	} {
		method, target, _ := strings.Cut(c.request, " ")
		if a := n.send(method, target, c.body, c.header); a.status != c.status || !strings.Contains(a.text, c.text) || strings.Contains(a.text, "container other") {
			t.Errorf("%s: %d %s", c.name, a.status, a.text)
		}
	}
	if after := n.dump(); after != before {
		t.Errorf("something was written:\n%s\n%s", before, after)
	}
	n.each(func(header string) {
		list := n.send("GET", "/containers?selector=tenant", "", header).want(t, 200, "")
		body := strings.Replace(apply(mine), "{", `{"prune":true,"selector":"tenant",`, 1)
		n.send("POST", "/apply", body, header, "If-Match: "+list.header.Get("ETag")).want(t, 200, `"deleted":0,`)
		n.send("POST", "/containers/mine/start", "", header).want(t, 200, "")
	})
	n.send("PUT", "/containers/unmade", n.tenant("unmade", "b", n.volume, 0), n.byID).want(t, 201, "")
	n.send("PUT", "/containers/second", n.tenant("second", "a", n.volume, 0), n.byLabel).want(t, 201, "")
	if c, _ := n.store.Container("other"); c.Deleting || c.Generation != 1 {
		t.Errorf("another's container is %+v", c)
	}
}

// TestBoundTokenVolumes: a token makes volumes, and sees, names and deletes those and no others, whatever
// becomes of them.
func TestBoundTokenVolumes(t *testing.T) {
	n := newTenants(t)
	made := map[string]string{}
	n.each(func(header string) {
		n.send("POST", "/volumes?dry_run=true", "", header).want(t, 200, "")
		made[header] = n.send("POST", "/volumes", "", header).want(t, 201, `"path":""`).json["volume_id"].(string)
	})
	for _, header := range []string{"", n.token(`{"scopes":["read"]}`)} {
		if path := n.send("GET", "/volumes/"+n.volume, "", header).want(t, 200, "").json["path"]; !strings.HasSuffix(path.(string), n.volume) {
			t.Errorf("a token for all containers sees the path %q", path)
		}
	}
	n.send("POST", "/volumes", "", n.token(`{"scopes":["read","power"],"containers":["mine"]}`)).want(t, 403, "insufficient_scope")
	own, another := made[n.byLabel], made[n.byID]
	for header, ids := range map[string][2]string{n.byLabel: {own, another}, n.byID: {another, own}} {
		list := n.send("GET", "/volumes", "", header).want(t, 200, n.volume)
		for _, target := range []string{"/volumes", "/volumes/" + ids[0]} {
			n.send("GET", target, "", header).want(t, 200, `"path":""`)
		}
		if !strings.Contains(list.text, ids[0]) || strings.Contains(list.text, ids[1]) || strings.Contains(list.text, n.otherVolume) {
			t.Errorf("it sees %s", list.text)
		}
		n.send("GET", "/volumes/"+ids[0], "", header).want(t, 200, `"containers":[]`)
		for _, id := range []string{ids[1], n.otherVolume, "none"} {
			for _, request := range []string{"GET /volumes/", "DELETE /volumes/", "DELETE /volumes/ID?dry_run=true"} {
				method, target, _ := strings.Cut(request, " ")
				if !strings.Contains(target, "ID") {
					target += "ID"
				}
				n.send(method, strings.Replace(target, "ID", id, 1), "", header).want(t, 404, "volume_not_found")
			}
			n.send("PATCH", "/containers/mine", fmt.Sprintf(`{"volume_id":%q}`, id), header).want(t, 400, "Volume not found")
		}
		// It was there before the token, and a container of its names it.
		n.send("DELETE", "/volumes/"+n.volume, "", header).want(t, 409, "volume_in_use")
	}

	n.send("PATCH", "/containers/mine", fmt.Sprintf(`{"volume_id":%q}`, own), n.byLabel).want(t, 200, "")
	n.send("DELETE", "/volumes/"+own, "", n.byLabel).want(t, 409, "volume_in_use")
	n.send("GET", "/volumes/"+own, "", n.byID).want(t, 200, `"containers":["mine"]`)
	n.send("GET", "/volumes/"+n.volume, "", n.byLabel).want(t, 404, "volume_not_found")
	n.send("PATCH", "/containers/mine", fmt.Sprintf(`{"volume_id":%q}`, n.volume)).want(t, 200, "")
	// The operator gives it to somebody else, whom no answer names.
	n.send("PATCH", "/containers/other", fmt.Sprintf(`{"volume_id":%q}`, own)).want(t, 200, "")
	n.send("GET", "/volumes/"+own, "", n.byLabel).want(t, 200, `"containers":[]`)
	for _, target := range []string{"/volumes/" + own, "/volumes/" + own + "?dry_run=true"} {
		if a := n.send("DELETE", target, "", n.byLabel).want(t, 409, "volume_in_use"); strings.Contains(a.text, "other") {
			t.Errorf("it says %s", a.text)
		}
	}
	n.send("PATCH", "/containers/other", fmt.Sprintf(`{"volume_id":%q}`, n.otherVolume)).want(t, 200, "")
	n.send("DELETE", "/volumes/"+own+"?dry_run=true", "", n.byLabel).want(t, 200, own)
	n.send("DELETE", "/volumes/"+own, "", n.byLabel).want(t, 200, "")
	n.send("GET", "/volumes/"+own, "", n.byLabel).want(t, 404, "volume_not_found")
	n.send("DELETE", "/volumes/"+another, "").want(t, 200, "")
}

// TestQuotaOfAToken: no write, and no list of writes, makes more than the quota of a token; what there is
// can be changed and taken away, and the operator is not bound by it.
func TestQuotaOfAToken(t *testing.T) {
	n := newTenants(t)
	made := n.send("POST", "/auth/tokens", `{"ttl":"1h","selector":"tenant=a","quota":{"containers":2,"ports":2,"volumes":2}}`).want(t, 201, `"quota":{"containers":2,"ports":2,"volumes":2}`)
	header := "Authorization: Bearer " + made.json["token"].(string)
	n.send("GET", "/auth/tokens/"+made.json["id"].(string), "").want(t, 200, `"quota":{"containers":2,"ports":2,"volumes":2}`)
	spec := func(id string, port int) string { return n.tenant(id, "a", n.volume, port) }
	apply := func(specs ...string) string { return `{"containers":[` + strings.Join(specs, ",") + `]}` }
	n.send("POST", "/network/ports", `{"ip":"0.0.0.0","ports":"4000-4009"}`).want(t, 201, "")
	exceeded := func(method, target, body, says string) {
		t.Helper()
		before := n.dump()
		if a := n.send(method, target, body, header).want(t, 403, "quota_exceeded"); !strings.Contains(a.text, says) {
			t.Errorf("%s %s: %s, want %s", method, target, a.text, says)
		}
		if after := n.dump(); after != before {
			t.Errorf("%s %s has written\n%s\n%s", method, target, before, after)
		}
	}
	exceeded("POST", "/apply", apply(spec("a", 0), spec("b", 0)), "the token's quota of containers is 2, and there are 1")
	n.send("POST", "/containers", spec("second", 0), header).want(t, 201, "")
	exceeded("POST", "/containers", spec("third", 0), "the token's quota of containers is 2, and there are 2")
	exceeded("POST", "/containers?dry_run=true", spec("third", 0), "containers is 2")
	exceeded("PUT", "/containers/third", spec("third", 0), "containers is 2")
	exceeded("PATCH", "/containers/second", `{"ports":[{"port":0},{"port":0}]}`, "the token's quota of ports is 2, and there are 1")

	first := n.send("POST", "/volumes", "", header).want(t, 201, "").json["volume_id"].(string)
	exceeded("POST", "/volumes", "", "the token's quota of volumes is 2, and there are 2")
	exceeded("POST", "/volumes?dry_run=true", "", "volumes is 2")
	n.send("DELETE", "/volumes/"+first, "", header).want(t, 200, "")
	n.send("POST", "/volumes", "", header).want(t, 201, "")

	// The operator goes beyond it; what is there stays usable.
	n.send("POST", "/containers", spec("third", 0)).want(t, 201, "")
	n.send("PATCH", "/containers/third", `{"tty":false}`, header).want(t, 200, "")
	n.send("DELETE", "/containers/third", "", header).want(t, 202, "")

	for field, body := range map[string]string{
		"quota": `"quota":{"volumes":1}`, "quota.volumes": `"selector":"a","quota":{"volumes":-1}`, "quota.disks": `"selector":"a","quota":{"disks":1}`,
	} {
		n.send("POST", "/auth/tokens", `{"ttl":"1h",`+body+`}`).want(t, 400, fmt.Sprintf(`"field":%q`, field))
	}
	for _, body := range []string{`"selector":"a","quota":{}`, `"selector":"a","scopes":["admin"],"quota":{"volumes":1}`} {
		n.send("POST", "/auth/tokens", `{"ttl":"1h",`+body+`}`).want(t, 400, `"field":"quota"`)
	}
}

// TestBoundTokenStreams: watches and WebSockets show what is theirs, and end with it.
func TestBoundTokenStreams(t *testing.T) {
	n := newTenants(t)
	secret := strings.TrimPrefix(n.byLabel, "Authorization: Bearer ")
	w := n.watch("", n.byLabel)
	w.want("ADDED mine")
	if e := w.event(); e.Type != "BOOKMARK" {
		t.Errorf("the list goes on with %+v", e)
	}
	open := func(target string) *peer {
		conn, _, err := n.dial(target+"?after=0&token="+secret, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.CloseNow() })
		return &peer{t, conn}
	}
	all, one := open("/ws"), open("/ws/mine")
	all.want("event mine installed", "lifecycle 1 mine Started", "lifecycle 2 mine Ready")
	one.want("event installed", "lifecycle 1 mine Started", "lifecycle 2 mine Ready")
	if _, response, err := n.dial("/ws/other?token="+secret, nil); err == nil || response.StatusCode != http.StatusNotFound {
		t.Errorf("another's console: %v", err)
	}
	// Another's container is written and removed, and one of theirs comes.
	n.record("other", nil, journal.Starting)
	n.send("PATCH", "/containers/other", `{"env":{"A":"b"}}`).want(t, 200, "")
	n.send("DELETE", "/containers/other", "").want(t, 202, "")
	n.record("other", nil, journal.Deleting)
	n.remove("other")
	n.record("mine", func(st *status.Status) { st.State = status.StateStarting }, journal.Starting)
	all.want("lifecycle 8 mine Starting", "event mine starting")
	one.want("lifecycle 8 mine Starting", "event starting", "daemon_message Server starting")
	w.want("MODIFIED mine")
	// The operator gives theirs to somebody else, with a secret in it.
	n.send("PATCH", "/containers/mine", `{"labels":{"tenant":"c"},"startup_command":"run s3cret"}`).want(t, 200, "")
	if e := w.want("DELETED mine"); e.Container.StartupCommand != "" || len(e.Container.Labels) > 0 {
		t.Errorf("what has left shows %+v", e.Container)
	}
	one.want("closed 1008 token is no longer valid")
	n.record("mine", nil, journal.Running)
	n.create("again")
	n.send("PATCH", "/containers/again", `{"labels":{"tenant":"a"}}`).want(t, 200, "")
	w.want("ADDED again")
	n.record("again", nil, journal.Started)
	all.want("lifecycle 10 again Started", "event again installing")
	n.send("DELETE", "/containers/again", "").want(t, 202, "")
	n.remove("again")
	all.want("lifecycle 11 again Deleted")
	w.want("MODIFIED again")
	w.want("DELETED again")
}

// TestBoundTokenWaits: a wait ends when the container is given to somebody else.
func TestBoundTokenWaits(t *testing.T) {
	n := newTenants(t, func(c *config) { c.CheckEvery = time.Millisecond })
	waiting := n.sending("PATCH", "/containers/mine?wait=synced&timeout=10m", `{"tty":false}`, n.byLabel)
	eventually.Poll(t, func() error {
		if c, _ := n.store.Container("mine"); c.TTY {
			return errors.New("it is not written yet")
		}
		return nil
	})
	n.send("PATCH", "/containers/mine", `{"labels":{"tenant":"b"}}`).want(t, 200, "")
	(<-waiting).want(t, 404, "Container not found")
}

// TestEventsOfAFormerLife: a selector shows nothing of another's container that had the id before.
func TestEventsOfAFormerLife(t *testing.T) {
	n := newTenants(t)
	n.send("DELETE", "/containers/other", "").want(t, 202, "")
	n.remove("other")
	n.send("PUT", "/containers/other", n.tenant("other", "a", n.volume, 0)).want(t, 201, "")
	n.record("other", nil, journal.PullingImage)
	for _, target := range []string{"/events", "/containers/other/events"} {
		a := n.send("GET", target, "", n.byLabel).want(t, 200, "PullingImage")
		for _, e := range a.json["events"].([]any) {
			if e := e.(map[string]any); e["internal_id"] == "other" && e["type"] != "PullingImage" {
				t.Errorf("%s shows %v", target, e)
			}
		}
	}
}

// TestBoundAdmin: who administers some containers makes tokens for those, and sees no others.
func TestBoundAdmin(t *testing.T) {
	n := newTenants(t)
	made := n.send("POST", "/auth/tokens", `{"ttl":"1m","scopes":["read"]}`, n.byID).want(t, 201, `"containers":["mine","unmade"]`)
	n.send("POST", "/auth/tokens", `{"ttl":"1m","containers":["other"]}`, n.byID).want(t, 400, `"field":"containers"`)
	n.send("POST", "/auth/tokens", `{"ttl":"2h"}`, n.byID).want(t, 400, `"field":"ttl"`)
	list := n.send("GET", "/auth/tokens", "", n.byID).want(t, 200, "")
	if len(list.json["tokens"].([]any)) != 2 {
		t.Errorf("it sees %s", list.text)
	}
	others := n.send("GET", "/auth/tokens", "", n.byLabel).json["tokens"].([]any)
	id := others[0].(map[string]any)["id"].(string)
	for _, method := range []string{"GET", "DELETE"} {
		a := n.send(method, "/auth/tokens/"+id, "", n.byID).want(t, 404, "token_not_found")
		if b := n.send(method, "/auth/tokens/nobody", "", n.byID); b.text != a.text {
			t.Errorf("%s is not %s", a.text, b.text)
		}
	}
	own := "/auth/tokens/" + made.json["id"].(string)
	n.send("GET", own, "", n.byID).want(t, 200, `"scopes":["read"]`)
	n.send("DELETE", own, "", n.byID).want(t, 200, "Token revoked")
	n.send("GET", "/containers", "", "Authorization: Bearer "+made.json["token"].(string)).want(t, 401, "")
	for _, c := range []struct{ body, field string }{
		{`{"ttl":"1h","scopes":[]}`, "scopes"}, {`{"ttl":"1h","scopes":["root"]}`, "scopes"}, {`{"ttl":"1h","containers":[]}`, "containers"},
		{`{"ttl":"1h","containers":["a b"]}`, "containers[0]"}, {`{"ttl":"1h","selector":"a in (b"}`, "selector"}, {`{"ttl":"1h","name":"a\nb"}`, "name"},
		{`{"ttl":"1h","scope":"read"}`, "scope"},
	} {
		n.send("POST", "/auth/tokens", c.body).want(t, 400, fmt.Sprintf(`"field":%q`, c.field))
	}
}
