package httpapi

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"lightd/hack/eventually"
	"lightd/hack/harness"
)

// files is where the files of the node's volume are, by the API and on the disk.
func (n *testServer) files() (target, dir string) {
	n.t.Helper()
	return "/volumes/" + n.volume + "/files", n.send("GET", "/volumes/"+n.volume, "").want(n.t, 200, "").json["path"].(string)
}

// TestFiles: what a panel does with the files of a server.
func TestFiles(t *testing.T) {
	n := newNode(t)
	at, dir := n.files()
	n.send("GET", at, "").want(t, 200, `{"path":"/","file":{"name":"","type":"directory"`).want(t, 200, `"files":[]}`)
	n.send("POST", at, `{"op":"mkdir","path":"a/b","parents":true}`).want(t, 201, `"type":"directory"`)
	n.send("POST", at, `{"op":"mkdir","path":"/a/b","parents":true}`).want(t, 200, `"type":"directory"`)
	n.send("POST", at, `{"op":"mkdir","path":"a/b"}`).want(t, 409, `"code":"file_exists"`)
	made := n.send("PUT", at+"?path=a/b/motd", "hello", "Content-Type: text/plain").want(t, 201, `"size":5,"mode":"0644"`)
	tag := made.header.Get("ETag")
	list := n.send("GET", at+"?path=a/b", "").want(t, 200, `"name":"motd"`).want(t, 200, `"mime":"text/plain; charset=utf-8"`)
	if got := list.json["files"].([]any)[0].(map[string]any)["etag"]; got != tag || tag == "" {
		t.Errorf("the tag is %q, and in the list %v", tag, got)
	}
	n.send("GET", at+"?path=a/b/motd", "").want(t, 200, `"files":[]`).want(t, 200, `"type":"file"`)
	for _, a := range []answer{n.send("GET", at+"?path=a/b/motd&download=true", ""), n.send("GET", at+"?path=a/b/motd", "", "Accept: application/octet-stream")} {
		a.want(t, 200, "hello")
		if a.text != "hello" || a.header.Get("ETag") != tag || a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Content-Type") != "application/octet-stream" || !strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment") {
			t.Errorf("%q, %v", a.text, a.header)
		}
	}
	n.send("PUT", at+"?path=a/b/motd", "x", "If-None-Match: *").want(t, 412, "precondition_failed")
	n.send("PUT", at+"?path=a/b/motd", "x", `If-Match: "other"`).want(t, 412, "precondition_failed")
	n.send("PUT", at+"?path=a/b/motd&mode=0755", "howdy", "If-Match: "+tag).want(t, 200, `"mode":"0755"`)
	n.send("PUT", at+"?path=a/b/motd", "again", "If-Match: "+tag).want(t, 412, "precondition_failed")
	n.send("PUT", at+"?path=a/b/none", "x", "If-Match: *").want(t, 412, "precondition_failed")
	n.send("POST", at, `{"op":"chmod","path":"a/b/motd","mode":"600"}`).want(t, 200, `"mode":"0600"`)
	n.send("POST", at, `{"op":"rename","from":"a/b","to":"c"}`).want(t, 200, `"name":"c"`)
	n.send("DELETE", at, `{"paths":["c/motd","nothing","c"]}`).want(t, 200, `"deleted":2,"missing":["/nothing"]`)
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestBadFileRequests: each is refused with what is wrong, and changes nothing.
func TestBadFileRequests(t *testing.T) {
	n := newNode(t)
	at, dir := n.files()
	if err := os.WriteFile(filepath.Join(dir, "motd"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		request, body string
		status        int
		want          string
		header        string
	}{
		{"GET ?path=../x", "", 400, `must not contain \"..\"`, ""}, {"GET ?path=a%00b", "", 400, "NUL", ""}, {"GET ?path=%ff", "", 400, "UTF-8", ""},
		{"GET ?path=/etc/passwd", "", 404, "file_not_found", ""}, {"GET ?path=motd/x", "", 409, "not_directory", ""}, {"GET ?limit=10001", "", 400, "10000", ""},
		{"GET ?continue=x", "", 400, "continue", ""}, {"GET ?download=maybe", "", 400, "download", ""}, {"GET ?download=true", "", 409, "is_directory", ""},
		{"GET ?path=motd&download=true&limit=1", "", 400, "limit", ""}, {"GET ?path=fifo&download=true", "", 409, "not_file", ""},
		{"GET ?path=" + strings.Repeat("n", 256), "", 400, "255", ""}, {"GET ", "", 406, "octet-stream", "Accept: image/png"},
		{"PUT ", "x", 400, "path is required", ""}, {"PUT ?path=/", "x", 409, "is_directory", ""}, {"PUT ?path=..", "x", 400, "..", ""}, {"PUT ?path=fifo", "x", 409, "not_file", ""},
		{"PUT ?path=no/where", "x", 404, "file_not_found", ""}, {"PUT ?path=a&mode=4755", "x", 400, "mode", ""}, {"PUT ?path=a&mode=rw", "x", 400, "mode", ""},
		{"PUT ?path=a", "x", 415, "compressed", "Content-Encoding: gzip"}, {"PUT ?path=a", "x", 400, "Content-Range", "Content-Range: bytes 0-1/2"},
		{"PUT ?path=a", "x", 415, "not a form", "Content-Type: multipart/form-data; boundary=b"},
		{"PUT ?path=a", "x", 400, "If-Match", "If-Match: unquoted"}, {"PUT ?path=.lightd/x", "x", 400, "daemon's own", ""},
		{"POST ", `{}`, 400, "op is required", ""}, {"POST ", `{"op":"run"}`, 400, "mkdir", ""}, {"POST ", `{"op":"mkdir"}`, 400, "path is required", ""},
		{"POST ", `{"op":"mkdir","path":"a","mode":"0700"}`, 400, "mode has no meaning for mkdir", ""}, {"POST ", `{"op":"rename","from":"motd","to":"../x"}`, 400, "to must not", ""},
		{"POST ", `{"op":"rename","from":"motd","to":"fifo"}`, 409, "file_exists", ""}, {"POST ", `{"op":"chmod","path":"motd","mode":"7777"}`, 400, "mode", ""},
		{"POST ", `{"op":"chmod","path":"/","mode":"0700"}`, 409, "is_volume", ""}, {"POST ", `{"op":"rename","from":"/","to":"x"}`, 409, "is_volume", ""},
		{"DELETE ", `{"paths":[]}`, 400, "1 to 1000", ""}, {"DELETE ", `{"paths":["/"]}`, 400, "volume itself", ""}, {"DELETE ", `{"paths":["motd",".."]}`, 400, "paths[1]", ""},
		{"DELETE ", `{"paths":["./"]}`, 400, "volume itself", ""},
	} {
		method, query, _ := strings.Cut(c.request, " ")
		var header []string
		if c.header != "" {
			header = []string{c.header}
		}
		if a := n.send(method, at+query, c.body, header...); a.status != c.status || !strings.Contains(a.text, c.want) {
			t.Errorf("%s %s: %d %s, want %d with %s", c.request, c.body, a.status, a.text, c.status, c.want)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("left: %v, %v", left, err)
	}
	n.send("GET", "/volumes/"+chosenVolume+"/files", "").want(t, 404, "volume_not_found")
	n.send("PUT", "/volumes/"+chosenVolume+"/files?path=a", "x").want(t, 404, "volume_not_found")
}

// TestFilesOfTenants: a token reaches the volumes of its containers, and needs the scope files.
func TestFilesOfTenants(t *testing.T) {
	n := newTenants(t)
	for _, scope := range []string{"write", "read", "console"} {
		n.send("GET", "/volumes/"+n.volume+"/files", "", n.scoped(scope)).want(t, 403, "insufficient_scope")
		n.send("PUT", "/volumes/"+n.volume+"/files?path=a", "x", n.scoped(scope)).want(t, 403, "insufficient_scope")
	}
	own := n.token(`{"scopes":["files"],"containers":["mine"]}`)
	n.send("PUT", "/volumes/"+n.volume+"/files?path=a", "x", own).want(t, 201, "")
	for _, request := range []string{"GET /volumes/%s/files", "GET /volumes/%s/files?download=true&path=a", "PUT /volumes/%s/files?path=a", "POST /volumes/%s/files", "DELETE /volumes/%s/files"} {
		method, target, _ := strings.Cut(fmt.Sprintf(request, n.otherVolume), " ")
		n.send(method, target, "{}", own).want(t, 404, "volume_not_found")
	}
}

// TestRanges: parts of a file, and requests that ask for too many.
func TestRanges(t *testing.T) {
	n := newNode(t)
	at, _ := n.files()
	tag := n.send("PUT", at+"?path=f", "0123456789").want(t, 201, "").header.Get("ETag")
	get := func(header ...string) answer { return n.send("GET", at+"?path=f&download=true", "", header...) }
	if a := get("Range: bytes=2-4").want(t, 206, "234"); a.header.Get("Content-Range") != "bytes 2-4/10" || a.text != "234" {
		t.Errorf("%q, %v", a.text, a.header)
	}
	get("Range: bytes=0-1,4-5").want(t, 206, "Content-Range: bytes 4-5/10")
	get("Range: bytes=20-").want(t, 416, "")
	get("Range: bytes=2-4", "If-Range: "+tag).want(t, 206, "234")
	get("Range: bytes=2-4", `If-Range: "old"`).want(t, 200, "0123456789")
	get("Range: bytes="+strings.Repeat("0-0,", 5000)+"1-1").want(t, 200, "0123456789")
	get("If-None-Match: "+tag).want(t, 304, "")
	get("Accept-Encoding: gzip").want(t, 200, "0123456789")
	head := n.send("HEAD", at+"?path=f&download=true", "").want(t, 200, "")
	if head.header.Get("Content-Length") != "10" || head.header.Get("ETag") != tag {
		t.Errorf("%v", head.header)
	}
}

// TestPagesOfFiles: each entry is on one page.
func TestPagesOfFiles(t *testing.T) {
	n := newNode(t)
	at, dir := n.files()
	for i := range 25 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d", i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for next, more := "", true; more; {
		a := n.send("GET", at+"?limit=10"+next, "").want(t, 200, "")
		for _, f := range a.json["files"].([]any) {
			names = append(names, f.(map[string]any)["name"].(string))
		}
		var token any
		token, more = a.json["continue"]
		next = fmt.Sprint("&continue=", token)
	}
	if len(names) != 25 || names[0] != "00" || names[24] != "24" {
		t.Errorf("%q", names)
	}
}

// TestLargeUpload is beyond every bound of other bodies, and leaves the budget of bodies alone.
func TestLargeUpload(t *testing.T) {
	n := newNode(t, func(c *config) { c.Admission.Memory = 1 << 20 })
	at, dir := n.files()
	r := harness.Value[*http.Request](t)(http.NewRequest("PUT", n.url+at+"?path=big", io.LimitReader(zeros{}, 20<<20)))
	r.Header.Set("Authorization", "Bearer "+masterToken)
	n.do(r).want(t, 201, `"size":20971520`)
	if info, err := os.Stat(filepath.Join(dir, "big")); err != nil || info.Size() != 20<<20 {
		t.Errorf("%v, %v", info, err)
	}
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestUploadThatBreaksOff leaves what was there, and nothing beside it.
func TestUploadThatBreaksOff(t *testing.T) {
	n := newNode(t)
	at, dir := n.files()
	n.send("PUT", at+"?path=f", "old").want(t, 201, "")
	conn := harness.Value[net.Conn](t)(net.Dial("tcp", strings.TrimPrefix(n.url, "http://")))
	fmt.Fprintf(conn, "PUT %s?path=f HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Length: 1000000\r\n\r\npart", at, strings.TrimPrefix(n.url, "http://"), masterToken)
	eventually.Poll(t, func() error {
		if _, err := os.Stat(filepath.Join(dir, ".lightd")); err != nil {
			return err
		}
		return nil
	})
	_ = conn.Close()
	eventually.Poll(t, func() error {
		if left, _ := os.ReadDir(dir); len(left) != 1 {
			return fmt.Errorf("left: %v", left)
		}
		return nil
	})
	n.send("GET", at+"?path=f&download=true", "").want(t, 200, "old")
}

// TestUploadsAtOnce: of two of one path the file is one of them, and of those with one condition one is taken.
func TestUploadsAtOnce(t *testing.T) {
	n := newNode(t)
	at, _ := n.files()
	tag := n.send("PUT", at+"?path=f", "old").want(t, 201, "").header.Get("ETag")
	var mu sync.Mutex
	counts := map[int]int{}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			a := n.send("PUT", at+"?path=f", strings.Repeat(fmt.Sprint(i), 100_000), "If-Match: "+tag)
			mu.Lock()
			defer mu.Unlock()
			counts[a.status]++
		})
	}
	all.Wait()
	text := n.send("GET", at+"?path=f&download=true", "").want(t, 200, "").text
	if counts[200] != 1 || counts[412] != 7 || len(text) != 100_000 || strings.Trim(text, text[:1]) != "" {
		t.Errorf("%v, %d bytes", counts, len(text))
	}
}

// TestAuditOfFiles: paths are recorded, contents are not.
func TestAuditOfFiles(t *testing.T) {
	n := newAudited(t, false)
	at, _ := n.files()
	n.send("PUT", at+"?path=a", "c0ntent").want(t, 201, "")
	n.send("POST", at, `{"op":"rename","from":"a","to":"b"}`).want(t, 200, "")
	n.send("DELETE", at, `{"paths":["b","c"]}`).want(t, 200, "")
	var got []string
	for _, l := range n.lines() {
		if l.Op != "" {
			got = append(got, fmt.Sprintf("%s %s %s %d %s", l.Op, l.Path, l.To, l.Paths, l.Volume))
		}
	}
	want := []string{"write /a  0 " + n.volume, "rename /a /b 0 " + n.volume, "delete /b  2 " + n.volume}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q", got)
	}
}

// TestFullVolume is answered with 507, and leaves what was there.
func TestFullVolume(t *testing.T) {
	n := newNode(t, func(c *config) { c.Files.Room = narrow(100) })
	at, dir := n.files()
	n.send("PUT", at+"?path=a", "old").want(t, 201, "")
	n.send("PUT", at+"?path=a", strings.Repeat("x", 101)).want(t, 507, `"code":"volume_full"`)
	n.send("GET", at+"?path=a&download=true", "").want(t, 200, "old")
	if job := n.job(`{"op":"compress","paths":["a"],"to":"a.tar"}`); job["state"] != "failed" || job["error"].(map[string]any)["code"] != "volume_full" {
		t.Errorf("%v", job)
	}
	if left := harness.Value[[]os.DirEntry](t)(os.ReadDir(dir)); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
	full := newNode(t, func(c *config) { c.Files.Reserve = 1 << 62 })
	at, dir = full.files()
	full.send("PUT", at+"?path=a", "x").want(t, 507, `"code":"disk_full"`)
	full.send("POST", at, `{"op":"mkdir","path":"d"}`).want(t, 201, "") // of little there is enough
	full.send("DELETE", at, `{"paths":["d"]}`).want(t, 200, "")
	if left := harness.Value[[]os.DirEntry](t)(os.ReadDir(dir)); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// narrow is what is left of the quota of each volume.
type narrow int64

func (q narrow) Left(string, int64) (int64, bool) { return int64(q), true }

func (narrow) Wrote(string, int64) {}

// TestTransfersEndWithTheServer, at once, and leave nothing.
func TestTransfersEndWithTheServer(t *testing.T) {
	n := newNode(t)
	at, dir := n.files()
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "big"), nil, 0o600), os.Truncate(filepath.Join(dir, "big"), 1<<30)); err != nil {
		t.Fatal(err)
	}
	open := func(method, query, header string) net.Conn {
		conn := harness.Value[net.Conn](t)(net.Dial("tcp", strings.TrimPrefix(n.url, "http://")))
		fmt.Fprintf(conn, "%s %s?%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n%s\r\n", method, at, query, strings.TrimPrefix(n.url, "http://"), masterToken, header)
		return conn
	}
	up, down := open("PUT", "path=f", "Content-Length: 1000000\r\n"), open("GET", "path=big&download=true", "")
	defer up.Close()
	defer down.Close()
	if _, err := io.ReadFull(down, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	eventually.Poll(t, func() error {
		_, err := os.Stat(filepath.Join(dir, ".lightd"))
		return err
	})
	n.Close()
	if answer, err := io.ReadAll(up); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 503 ") {
		t.Errorf("%q, %v", answer, err)
	}
	if rest, _ := io.Copy(io.Discard, down); rest > 1<<29 {
		t.Errorf("%d bytes came yet", rest)
	}
	if left := harness.Value[[]os.DirEntry](t)(os.ReadDir(dir)); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
}
