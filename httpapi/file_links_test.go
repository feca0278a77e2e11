package httpapi

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"lightd/hack/harness"
	"lightd/httpapi/audit"
)

const noToken = "Authorization: "

// link makes a link to a file.
func (n *testServer) link(kind, body string, header ...string) string {
	n.t.Helper()
	return n.send("POST", "/volumes/"+n.volume+"/"+kind, body, header...).want(n.t, 201, `"url":"/`+kind+"/").json["url"].(string)
}

// TestFileLinks: one file, one method, without a token, until the token that made it ends.
func TestFileLinks(t *testing.T) {
	n := newAudited(t, false)
	at, _ := n.files()
	made := n.send("POST", "/auth/tokens", `{"ttl":"1h","scopes":["files"]}`).want(t, 201, "").json
	own := "Authorization: Bearer " + made["token"].(string)
	up, down := n.link("uploads", `{"path":"a","ttl":"1m","max_bytes":5}`, own), n.link("downloads", `{"path":"/a"}`, own)
	n.send("GET", down, "", noToken).want(t, 404, "file_not_found")
	n.lines()
	n.send("PUT", up, "hello", noToken).want(t, 201, `"size":5`)
	if l := n.one("an upload"); l.Token != made["id"] || !l.Link || l.Path != "/a" || l.Volume != n.volume || l.Op != "write" || l.Route != "/uploads/:token" || l.Status != 201 {
		t.Errorf("%+v", l)
	}
	n.send("PUT", up, "again", noToken, "If-None-Match: *").want(t, 412, "precondition_failed")
	n.send("PUT", up, "hello!", noToken).want(t, 413, "too_large")
	n.send("GET", down, "", noToken).want(t, 200, "hello")
	n.send("GET", down, "", noToken, "Range: bytes=1-2").want(t, 206, "el")
	if a := n.send("HEAD", down, "", noToken); a.status != 200 || a.header.Get("Content-Length") != "5" {
		t.Errorf("%d %v", a.status, a.header)
	}
	n.lines()
	n.send("PUT", up[:len(up)-2], "x", noToken).want(t, 404, "link_not_found")
	if l := n.one("a bad link"); l.Event != audit.EventDenied || l.Status != 404 || l.Route != "/uploads/:token" {
		t.Errorf("%+v", l)
	}
	swap := func(link, from, to string) string { return strings.Replace(link, from, to, 1) }
	for method, link := range map[string]string{"GET": swap(up, "uploads", "downloads"), "PUT": swap(down, "downloads", "uploads")} {
		n.send(method, link, "x", noToken).want(t, 404, "link_not_found")
	}
	n.send("POST", up, "{}").want(t, 405, "method_not_allowed")
	for link, allow := range map[string]string{up: "PUT", down: "GET, HEAD"} {
		if a := n.send("POST", link, "{}", noToken).want(t, 405, "method_not_allowed"); a.header.Get("Allow") != allow {
			t.Errorf("allowed are %q", a.header.Get("Allow"))
		}
	}
	n.send("DELETE", "/auth/tokens/"+made["id"].(string), "").want(t, 200, "")
	n.send("GET", down, "", noToken).want(t, 404, "link_not_found")
	n.send("PUT", up, "x", noToken).want(t, 404, "link_not_found")
	n.send("GET", at+"?path=a&download=true", "").want(t, 200, "hello")
	for _, link := range []string{up, down} {
		secret := link[strings.LastIndex(link, "/")+1:]
		if strings.Contains(n.logs.String(), secret) || strings.Contains(fmt.Sprint(n.lines()), secret) {
			t.Error("a link was logged")
		}
	}
}

// TestBadLinks are refused with what is wrong.
func TestBadLinks(t *testing.T) {
	n := newTenants(t)
	for body, want := range map[string]string{
		`{}`: "path is required", `{"path":""}`: "path is required", `{"path":"/"}`: "is_directory", `{"path":"../x"}`: "..", `{"path":"a","ttl":"2h"}`: "1h", `{"path":"a","ttl":"x"}`: "ttl",
		`{"path":"a","max_bytes":-1}`: "max_bytes", `{"path":"a","method":"PUT"}`: "method",
	} {
		if a := n.send("POST", "/volumes/"+n.volume+"/uploads", body); a.status != 400 && a.status != 409 || !strings.Contains(a.text, want) {
			t.Errorf("%s: %d %s", body, a.status, a.text)
		}
	}
	n.send("POST", "/volumes/"+n.volume+"/downloads", `{"path":"a","max_bytes":1}`).want(t, 400, "max_bytes")
	own := n.token(`{"scopes":["files"],"containers":["mine"]}`)
	n.send("POST", "/volumes/"+n.otherVolume+"/uploads", `{"path":"a"}`, own).want(t, 404, "volume_not_found")
	// One of a token for some containers ends when those leave the volume.
	up := n.link("uploads", `{"path":"a"}`, own)
	n.send("PUT", up, "x", noToken).want(t, 201, "")
	n.send("DELETE", "/containers/mine", "")
	n.remove("mine")
	n.send("PUT", up, "y", noToken).want(t, 404, "volume_not_found")
}

// TestLinkIsNoSession: its upload is not bounded as other bodies without a token are, and one that nobody wants is not read.
func TestLinkIsNoSession(t *testing.T) {
	n := newNode(t)
	up := n.link("uploads", `{"path":"a"}`)
	r := harness.Value[*http.Request](t)(http.NewRequest("PUT", n.url+up, strings.NewReader(strings.Repeat("x", 10<<20))))
	n.do(r).want(t, 201, `"size":10485760`)
	if a := n.do(harness.Value[*http.Request](t)(http.NewRequest("PUT", n.url+"/uploads/x", strings.NewReader("x")))).want(t, 404, "link_not_found"); !strings.Contains(a.text, "Link") {
		t.Error(a.text)
	}
}
