package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/docker/docker/api/types/container"

	"lightd/hack/harness"
)

// TestEngineThatMapsUsers (userns-remap): root of a container is nobody on the host. The script
// is run, what it left is the server's, what it made in the image is kept, and no other user of
// the host reads the script.
func TestEngineThatMapsUsers(t *testing.T) {
	t.Parallel()
	e := newOwnEngine(t, `{"userns-remap": "default"}`)
	n := newNode(t, "--docker-host", "unix://"+e.socket)
	// As the data directory of the service is: the engine's root passes through.
	for dir := n.dir; len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	const image = "lightd-test/with-a-volume:1"
	ctx, cancel := e.bounded()
	defer cancel()
	base, err := e.ContainerCreate(ctx, &container.Config{Image: harness.Busybox()}, nil, nil, nil, "")
	if err == nil {
		_, err = e.ContainerCommit(ctx, base.ID, container.CommitOptions{Reference: image, Changes: []string{"VOLUME /var/game"}})
	}
	if err != nil {
		t.Fatal(err)
	}
	volume, path := n.volume()
	n.send("POST", "/containers", spec("mapped", volume, `"power":"running","start_pattern":"up","user":"1000:1000","image":"`+image+`",
		"install_script":"id -u > by && echo tool > /usr/tool && mkdir maps && echo game > /var/game/x","startup_command":"touch maps/new && cat by /usr/tool /var/game/x && echo up && exec sleep 100000"`)).want(201, "")
	n.until("mapped", "running", running)
	if got := lines(t, filepath.Join(path, "by")); len(got) != 1 || got[0] != "0" {
		t.Errorf("the script ran as %q", got)
	}
	if _, err := os.Stat(filepath.Join(path, "maps", "new")); err != nil {
		t.Error(err)
	}
	info := harness.Value[os.FileInfo](t)(os.Stat(filepath.Join(n.dir, "containers", "mapped", "install.sh")))
	if stat := info.Sys().(*syscall.Stat_t); stat.Uid == 0 || info.Mode().Perm() != 0o700 {
		t.Errorf("install.sh belongs to %d, with mode %v", stat.Uid, info.Mode())
	}
	if got := e.exec("lightd-mapped", "cat", "/usr/tool"); got != "tool\n" {
		t.Errorf("what the script made is %q", got)
	}
	// What the file routes make is the server's too.
	n.send("POST", "/volumes/"+volume+"/files", `{"op":"mkdir","path":"by-api"}`).want(201, "")
	n.send("PUT", "/volumes/"+volume+"/files?path=by-api/file", "text").want(201, "")
	if got := e.exec("lightd-mapped", "stat", "-c", "%u:%g", "by-api", "by-api/file"); got != "1000:1000\n1000:1000\n" {
		t.Errorf("files made by the API belong to %q", got)
	}
	n.send("POST", "/containers/mapped/stop", "").want(200, "")
	n.until("mapped", "offline", func(c view) bool { return c.State == "offline" })
	n.delete("mapped")
}
