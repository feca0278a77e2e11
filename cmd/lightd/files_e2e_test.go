package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"lightd/hack/harness"
	"lightd/observed/files"
)

// mutation exchanges what is in a volume, as a hostile program does, for links that lead to the files of its host,
// pipes and directories.
const mutation = `cd /home/container; ln /etc/passwd hard 2>/dev/null; mkdir -p m; echo inside > m/x; echo up; while true; do
mv m/x m/y 2>/dev/null; ln -s /etc/passwd m/x; rm -f m/x; mkfifo m/x; rm -f m/x; mkdir m/x; rmdir m/x; ln -s ../../../../../../../../../../etc/passwd m/x; rm -f m/x; mv m/y m/x 2>/dev/null;
mv m m2 2>/dev/null; ln -s / m; rm -f m; ln -s ../../.. m; rm -f m; mv m2 m 2>/dev/null; mkdir -p m; [ -e m/x ] || echo inside > m/x; done`

// TestFilesOfAHostileProgram: while a program exchanges its files for links to those of the host, the API reads and
// changes what is in the volume and nothing else, and what it makes is the program's user's.
func TestFilesOfAHostileProgram(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	volume, path := n.volume()
	const id = "e2e-files"
	n.send("POST", "/containers?wait=running", spec(id, volume, fmt.Sprintf(`"power":"running","user":"1234:1235","start_pattern":"up","startup_command":%q`, mutation))).want(201, `"met":true`)
	at := "/volumes/" + volume + "/files"
	before := harness.Value[os.FileInfo](t)(os.Stat("/etc/passwd"))
	passwd := string(harness.Value[[]byte](t)(os.ReadFile("/etc/passwd")))
	secret, _, _ := strings.Cut(passwd, "\n")
	read := 0
	for i := range 60 {
		for _, request := range []struct{ method, target, body string }{
			{"GET", at + "?path=m/x&download=true", ""}, {"PUT", at + "?path=m/x", "inside"}, {"GET", at + "?path=m", ""}, {"POST", at, `{"op":"chmod","path":"m/x","mode":"0666"}`},
			{"POST", at, `{"op":"rename","from":"m/x","to":"m/z","overwrite":true}`}, {"DELETE", at, `{"paths":["m/z"]}`},
			{"POST", at, fmt.Sprintf(`{"op":"compress","paths":["m"],"to":"a%d.tar"}`, i)}, {"POST", at, fmt.Sprintf(`{"op":"copy","from":"m","to":"c%d"}`, i)},
		} {
			a := n.send(request.method, request.target, request.body)
			if a.status >= 500 || strings.Contains(a.text, secret) {
				t.Fatalf("%s %s: %d %s", request.method, request.target, a.status, a.text)
			}
			if request.method == "GET" && a.text == "inside\n" {
				read++
			}
		}
	}
	if read == 0 {
		t.Error("the file was never read: the test shows nothing")
	}
	n.send("POST", "/containers/"+id+"/kill?wait=stopped", "").want(200, "")
	poll(t, func() error {
		if jobs := n.send("GET", "/volumes/"+volume+"/jobs", ""); strings.Contains(jobs.text, `"running"`) || strings.Contains(jobs.text, `"queued"`) {
			return fmt.Errorf("%s", jobs.text)
		}
		return nil
	})
	after := harness.Value[os.FileInfo](t)(os.Stat("/etc/passwd"))
	if string(harness.Value[[]byte](t)(os.ReadFile("/etc/passwd"))) != passwd || after.Mode() != before.Mode() {
		t.Errorf("/etc/passwd was changed: %v", after)
	}
	err := filepath.WalkDir(path, func(name string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		if data := harness.Value[[]byte](t)(os.ReadFile(name)); strings.Contains(string(data), secret) {
			t.Errorf("%s has what is outside", name)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}

	n.send("POST", at, `{"op":"mkdir","path":"new/dir","parents":true}`).want(201, "")
	n.send("PUT", at+"?path=new/dir/file", "text").want(201, "")
	for _, name := range []string{"new", "new/dir", "new/dir/file"} {
		if st := harness.Value[os.FileInfo](t)(os.Stat(filepath.Join(path, name))).Sys().(*syscall.Stat_t); st.Uid != 1234 || st.Gid != 1235 {
			t.Errorf("%s belongs to %d:%d", name, st.Uid, st.Gid)
		}
	}
	out, errOut, code := n.tool("files", "cat", id+":new/dir/file")
	if out != "text" || code != 0 {
		t.Errorf("%q, %q, %d", out, errOut, code)
	}
	n.interruptedUpload(at, path)
}

// interruptedUpload kills the daemon in the middle of an upload: what was there is whole, and nothing beside it stays.
func (n *node) interruptedUpload(at, path string) {
	t := n.t
	t.Helper()
	host := strings.TrimPrefix(n.url, "http://")
	conn := harness.Value[net.Conn](t)(net.Dial("tcp", host))
	defer conn.Close()
	fmt.Fprintf(conn, "PUT %s?path=new/dir/file HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Length: 1000000\r\n\r\nhalf", at, host, n.token)
	poll(t, func() error {
		_, err := os.Stat(filepath.Join(path, files.Hidden))
		return err
	})
	n.crash()
	n.start()
	if _, err := os.Stat(filepath.Join(path, files.Hidden)); err == nil {
		t.Error("a part of an upload is left")
	}
	n.send("GET", at+"?path=new/dir/file&download=true", "").want(200, "text")
}
