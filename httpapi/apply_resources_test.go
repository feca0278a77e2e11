package httpapi

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestApplyWithVolumesAndPorts: what containers need comes with them, all or nothing.
func TestApplyWithVolumesAndPorts(t *testing.T) {
	n := newNode(t)
	dir := filepath.Dir(n.send("GET", "/volumes/"+n.volume, "").want(t, 200, "").json["path"].(string))
	body := func(image string) string {
		return fmt.Sprintf(`{"volumes":[{"volume_id":%q}],"ports":[{"ip":"0.0.0.0","ports":"30000-30004"},{"ip":"0.0.0.0","port":25565}],
			"containers":[{"internal_id":"web","image":%q,"volume_id":%q,"startup_command":"x","ports":[{"port":30001}]}]}`, chosenVolume, image, chosenVolume)
	}
	const made = `"volumes":[{"volume_id":"` + chosenVolume + `","action":"created"}],"ports":{"created":5,"unchanged":1},"created":1`
	before := n.dump()
	n.send("POST", "/apply?dry_run=true", body("alpine:3")).want(t, 200, made)
	n.send("POST", "/apply", body("")).want(t, 400, "containers[0].image")
	n.send("POST", "/apply", strings.Replace(body("alpine:3"), `"port":30001`, `"port":30009`, 1)).want(t, 400, "port_not_in_pool")
	if _, err := os.Stat(filepath.Join(dir, chosenVolume)); !os.IsNotExist(err) || n.dump() != before {
		t.Errorf("something was made: %v\n%s", err, n.dump())
	}
	n.send("POST", "/apply", body("alpine:3")).want(t, 200, made)
	if _, err := os.Stat(filepath.Join(dir, chosenVolume)); err != nil {
		t.Error(err)
	}
	n.send("GET", "/network/ports/0.0.0.0/30001", "").want(t, 200, `"internal_id":"web"`)
	n.send("POST", "/apply", body("alpine:3")).want(t, 200, `"action":"unchanged"}],"ports":{"created":0,"unchanged":6},"created":0,"updated":0,"unchanged":1`)

	// An apply without containers is one of what they need; a prune deletes neither volumes nor ports.
	n.send("POST", "/apply", `{"ports":[{"ip":"127.0.0.1","port":80,"protocol":"udp"}]}`).want(t, 200, `"ports":{"created":1,"unchanged":0}`)
	n.send("PATCH", "/containers/web", `{"labels":{"a":"b"}}`).want(t, 200, "")
	n.send("POST", "/apply", `{"containers":[],"prune":true,"selector":"a=b"}`).want(t, 200, `"deleted":1`)
	n.send("GET", "/volumes/"+chosenVolume, "").want(t, 200, "")
	n.send("GET", "/network/ports/0.0.0.0/30001", "").want(t, 200, "")

	for text, want := range map[string]string{
		`{"volumes":[{"volume_id":"x"}]}`:                                    "volumes[0].volume_id",
		`{"volumes":[[]]}`:                                                   "volumes[0].volume_id",
		`{"volumes":[{"volume_id":"` + n.volume + `","quota":1}]}`:           "volumes[0].quota",
		`{"ports":[{"ip":"0.0.0.0"}]}`:                                       "ports[0].port",
		`{"ports":[{"ip":"nowhere","port":1}]}`:                              "ports[0].ip",
		`{"ports":[{"ip":"0.0.0.0","ports":"9-1"}]}`:                         "ports[0].ports",
		`{"ports":[{"ip":"0.0.0.0","port":80}],"prune":true,"selector":"a"}`: "containers",
		`{}`:                        "containers",
		`{"volumes":[],"ports":[]}`: "containers",
	} {
		n.send("POST", "/apply", text).want(t, 400, `"field":"`+want)
	}
}

// TestApplyWithVolumesOfTenants: a token for some containers makes volumes for them, and no port.
func TestApplyWithVolumesOfTenants(t *testing.T) {
	n := newNode(t)
	a, b := n.token(`{"ttl":"1h","selector":"tenant=a","quota":{"volumes":1}}`), n.token(`{"ttl":"1h","selector":"tenant=b"}`)
	body := fmt.Sprintf(`{"volumes":[{"volume_id":%q}],"containers":[{"internal_id":"web","image":"alpine:3","volume_id":%q,"startup_command":"x","labels":{"tenant":"a"}}]}`, chosenVolume, chosenVolume)
	n.send("POST", "/apply", body, a).want(t, 200, `"action":"created"`)
	n.send("POST", "/apply", body, a).want(t, 200, `"action":"unchanged"`)
	n.send("POST", "/apply", fmt.Sprintf(`{"volumes":[{"volume_id":%q}]}`, chosenVolume), b).want(t, 409, `"code":"volume_exists"`)
	n.send("POST", "/apply", `{"volumes":[{"volume_id":"11111111-c5f1-4045-9fb3-85315b85cb0f"}]}`, a).want(t, 403, "quota_exceeded")
	n.send("POST", "/apply", `{"ports":[{"ip":"0.0.0.0","port":80}]}`, a).want(t, 403, "bound_token")
}
