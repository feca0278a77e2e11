package httpapi

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const chosenVolume = "d6764075-c5f1-4045-9fb3-85315b85cb0f"

// TestChosenVolumes: a client that chooses the id of a volume can repeat a request whose answer was lost.
func TestChosenVolumes(t *testing.T) {
	n := newNode(t)
	n.send("PUT", "/volumes/"+chosenVolume+"?dry_run=true", "").want(t, 200, `"plan":[]`)
	n.send("GET", "/volumes/"+chosenVolume, "").want(t, 404, "volume_not_found")
	a := n.send("POST", "/volumes", fmt.Sprintf(`{"volume_id":%q}`, chosenVolume)).want(t, 201, fmt.Sprintf(`{"id":%q,"volume_id":%q,"path":"`, chosenVolume, chosenVolume))
	if a.json["created_at"].(float64) == 0 || a.json["size_bytes"] != nil || a.json["quota_bytes"] != nil || a.header.Get("Location") != "/volumes/"+chosenVolume {
		t.Errorf("got %v %s", a.header, a.text)
	}
	if info, err := os.Stat(a.json["path"].(string)); err != nil || info.Mode().Perm() != 0o777 {
		t.Errorf("the directory: %v, %v", info, err)
	}
	n.send("POST", "/volumes", fmt.Sprintf(`{"volume_id":%q}`, chosenVolume)).want(t, 409, `"code":"volume_exists"`)
	n.send("POST", "/volumes?dry_run=true", fmt.Sprintf(`{"volume_id":%q}`, chosenVolume)).want(t, 409, `"code":"volume_exists"`)
	n.send("PUT", "/volumes/"+chosenVolume, "[]").want(t, 200, chosenVolume)
	if err := os.WriteFile(filepath.Join(a.json["path"].(string), "world"), make([]byte, 1234), 0o600); err != nil {
		t.Fatal(err)
	}
	n.send("GET", "/volumes", "").want(t, 200, `"size_bytes":null`)
	got := n.send("GET", "/volumes/"+chosenVolume, "").want(t, 200, `"size_bytes":1234,"used_bytes":4096,"quota_bytes":null`).want(t, 200, `"size":1234`)
	n.send("GET", "/volumes", "").want(t, 200, `"size_bytes":1234`)
	n.send("PUT", "/volumes/"+chosenVolume, got.text).want(t, 200, `"size_bytes":1234`)

	for body, want := range map[string]string{
		`{"volume_id":"` + strings.ToUpper(chosenVolume) + `"}`: "UUID", `{"volume_id":""}`: "UUID", `{"volume_id":"../x"}`: "UUID", `{"name":"x"}`: "name is not a known field",
	} {
		n.send("POST", "/volumes", body).want(t, 400, want)
	}
	n.send("PUT", "/volumes/web", "").want(t, 400, "UUID")
	n.send("PUT", "/volumes/"+chosenVolume, `{"volume_id":"`+n.volume+`"}`).want(t, 400, "the one in the path")
	n.send("PUT", "/volumes/"+chosenVolume, `{"quota_bytes":1}`).want(t, 400, "quota_bytes")
	n.send("DELETE", "/volumes/"+chosenVolume, "").want(t, 200, "deleted")
	n.send("PUT", "/volumes/"+chosenVolume, "").want(t, 201, `"size_bytes":null`)
}

// TestQuotaOfAVolume: it is set, shown, kept by a PUT without one, and ended by 0 and null; a token for some
// containers sees it and cannot change it.
func TestQuotaOfAVolume(t *testing.T) {
	n := newNode(t)
	at, bound := "/volumes/"+chosenVolume, n.token(`{"ttl":"1h","selector":"tenant=a"}`)
	n.send("PUT", at, `{"quota_bytes":10485760}`).want(t, 201, `"quota_bytes":10485760`)
	for _, c := range []struct{ method, path, body, want string }{
		{"PUT", at, `{}`, `"quota_bytes":10485760`}, {"PUT", at, `{"quota_bytes":null}`, `"quota_bytes":null`},
		{"PUT", at, `{"quota_bytes":20971520}`, `"quota_bytes":20971520`}, {"GET", "/volumes", "", `"quota_bytes":20971520`},
		{"PUT", at, `{"quota_bytes":0}`, `"quota_bytes":null`}, {"PUT", at + "?dry_run=true", `{"quota_bytes":20971520}`, `"plan":[]`},
		{"GET", at, "", `"quota_bytes":null`},
		{"POST", "/apply", `{"volumes":[{"volume_id":"` + chosenVolume + `","quota_bytes":20971520}]}`, `"action":"updated"`},
		{"POST", "/apply", `{"volumes":[{"volume_id":"` + chosenVolume + `"}]}`, `"action":"unchanged"`},
		{"GET", at, "", `"quota_bytes":20971520`},
		{"POST", "/apply", `{"volumes":[{"volume_id":"` + chosenVolume + `","quota_bytes":null}]}`, `"action":"updated"`},
		{"PUT", at, `{"quota_bytes":2097152}`, `"quota_bytes":2097152`},
		{"GET", "/node", "", `"volumes":{"count":2,"used":0,"promised":2097152,"unlimited":1}`},
	} {
		n.send(c.method, c.path, c.body).want(t, 200, c.want)
	}
	n.send("POST", "/volumes", `{"quota_bytes":1073741824}`).want(t, 201, `"quota_bytes":1073741824`)
	n.send("PUT", at, n.send("GET", at, "").text).want(t, 200, `"quota_bytes":2097152`)
	for _, body := range []string{`{"quota_bytes":-1}`, `{"quota_bytes":1048575}`, `{"quota_bytes":"10Gi"}`, `{"quota_bytes":1.5}`} {
		n.send("PUT", at, body).want(t, 400, `"field":"quota_bytes"`)
		n.send("POST", "/apply", `{"volumes":[{"volume_id":"`+chosenVolume+`",`+body[1:]+`]}`).want(t, 400, `"field":"volumes[0].quota_bytes"`)
	}
	mine := n.send("POST", "/volumes", "", bound).want(t, 201, `"quota_bytes":null`).json["id"].(string)
	n.send("PUT", "/volumes/"+mine, `{"quota_bytes":1048576}`, bound).want(t, 403, `"code":"bound_token"`)
	n.send("POST", "/volumes", `{"quota_bytes":1048576}`, bound).want(t, 403, `"code":"bound_token"`)
	n.send("POST", "/apply", `{"volumes":[{"volume_id":"`+mine+`","quota_bytes":1048576}]}`, bound).want(t, 403, `"code":"bound_token"`)
	n.send("PUT", "/volumes/"+mine, `{"quota_bytes":1048576}`).want(t, 200, `"quota_bytes":1048576`)
	n.send("PUT", "/volumes/"+mine, "", bound).want(t, 200, `"quota_bytes":1048576`)
	n.send("PUT", "/volumes/"+mine, `{"quota_bytes":1048576}`, bound).want(t, 200, `"quota_bytes":1048576`)
	n.send("PUT", "/volumes/"+mine, `{"quota_bytes":null}`, bound).want(t, 403, `"code":"bound_token"`)
}

// TestChosenVolumeOfSeveral: of requests for the same new volume one makes it, and all are answered alike else.
func TestChosenVolumeOfSeveral(t *testing.T) {
	n := newNode(t)
	var mu sync.Mutex
	counts := map[int]int{}
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			a := n.send("PUT", "/volumes/"+chosenVolume, "")
			mu.Lock()
			defer mu.Unlock()
			counts[a.status]++
		})
	}
	all.Wait()
	if counts[201] != 1 || counts[200] != 9 {
		t.Errorf("got %v", counts)
	}
	path := n.send("GET", "/volumes/"+chosenVolume, "").want(t, 200, "").json["path"].(string)
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

// TestChosenVolumesOfTenants: what is another's is told apart from nothing by no more than that it is taken.
func TestChosenVolumesOfTenants(t *testing.T) {
	n := newNode(t)
	a, b := n.token(`{"ttl":"1h","selector":"tenant=a","quota":{"volumes":1}}`), n.token(`{"ttl":"1h","selector":"tenant=b"}`)
	n.send("PUT", "/volumes/"+chosenVolume, "", a).want(t, 201, `"path":""`)
	n.send("PUT", "/volumes/"+chosenVolume, "", a).want(t, 200, chosenVolume)
	n.send("PUT", "/volumes/"+chosenVolume, "").want(t, 200, "")
	for _, refused := range []answer{
		n.send("PUT", "/volumes/"+chosenVolume, "", b), n.send("PUT", "/volumes/"+chosenVolume+"?dry_run=true", "", b),
		n.send("POST", "/volumes", fmt.Sprintf(`{"volume_id":%q}`, chosenVolume), b),
	} {
		refused.want(t, 409, `"code":"volume_exists"`)
		if strings.Contains(refused.text, "tenant") || strings.Contains(refused.text, "created_at") || strings.Contains(refused.text, "/volumes") {
			t.Errorf("it says too much: %s", refused.text)
		}
	}
	n.send("PUT", "/volumes/11111111-c5f1-4045-9fb3-85315b85cb0f", "", a).want(t, 403, "quota_exceeded")
	n.send("PUT", "/volumes/"+chosenVolume, "", n.scoped("read")).want(t, 403, "insufficient_scope")
}

// TestVolumeOfACreationThatWasCutOff: its directory is taken where it is empty, and nobody gets files of
// which no record says whose they are.
func TestVolumeOfACreationThatWasCutOff(t *testing.T) {
	n := newNode(t)
	dir := filepath.Dir(n.send("GET", "/volumes/"+n.volume, "").want(t, 200, "").json["path"].(string))
	if err := os.Mkdir(filepath.Join(dir, chosenVolume), 0o700); err != nil {
		t.Fatal(err)
	}
	n.send("PUT", "/volumes/"+chosenVolume, "").want(t, 201, "")
	for i, occupy := range []func(string) error{
		func(path string) error { return os.MkdirAll(filepath.Join(path, "world"), 0o700) },
		func(path string) error { return os.Symlink("/etc", path) },
		func(path string) error { return os.WriteFile(path, nil, 0o600) },
	} {
		id := fmt.Sprintf("%08d-c5f1-4045-9fb3-85315b85cb0f", i)
		if err := occupy(filepath.Join(dir, id)); err != nil {
			t.Fatal(err)
		}
		n.send("PUT", "/volumes/"+id, "").want(t, 409, "without a record")
		if _, err := os.Lstat(filepath.Join(dir, id)); err != nil {
			t.Errorf("it is gone: %v", err)
		}
	}
}
