package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lightd/hack/harness"
)

// TestFilesOnTheCommandLine: what one does to the files of a server from a shell.
func TestFilesOnTheCommandLine(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.with(d.web("web", ""), "apply", "-f", "-").want(0)
	volume := strings.TrimSpace(d.do("get", "web", "-o", "jsonpath={.volume_id}").want(0).out)
	there := func(name string) string { return filepath.Join(d.dir, "volumes", volume, name) }
	here := t.TempDir()
	if err := errors.Join(os.MkdirAll(filepath.Join(here, "plugins", "maps"), 0o755), os.WriteFile(filepath.Join(here, "plugins", "a.jar"), []byte("jar"), 0o640),
		os.WriteFile(filepath.Join(here, "plugins", "maps", "b"), []byte("map"), 0o755), os.Symlink("/etc/passwd", filepath.Join(here, "plugins", "link"))); err != nil {
		t.Fatal(err)
	}

	d.do("files", "ls", "web").want(0, "!There is no file.")
	d.with("motd=hi\n", "cp", "-", "web:server.properties").is(0, "")
	d.do("cp", filepath.Join(here, "plugins"), "web:").want(2, "!it is a directory: -r copies it")
	d.do("cp", "-r", filepath.Join(here, "plugins"), "web:").want(0, "web:plugins: 2 copied", "!left out: it is neither a file nor a directory")
	d.do("cp", filepath.Join(here, "plugins", "a.jar"), volume+":plugins/").is(0, "")
	d.do("files", "ls", "web:plugins").want(0, "MODE", "-rw-r-----", "3B", "a.jar", "drwxr-xr-x", "maps/")
	d.do("files", "ls", "web:plugins/a.jar", "-o", "json").want(0, `"name": "a.jar"`)
	d.do("files", "cat", "web:server.properties").is(0, "motd=hi\n")
	d.do("cp", "web:server.properties", "-").is(0, "motd=hi\n")
	d.do("cp", "web:server.properties", here).is(0, "")
	d.do("cp", "-r", "web:plugins", filepath.Join(here, "back")).want(0, "2 copied")
	for name, want := range map[string]string{"server.properties": "motd=hi\n", "back/a.jar": "jar", "back/maps/b": "map"} {
		if data, err := os.ReadFile(filepath.Join(here, name)); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	if info, err := os.Stat(filepath.Join(here, "back/maps/b")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("%v, %v", info.Mode(), err)
	}

	d.do("files", "mkdir", "web:world").is(0, "web:world: made\n")
	d.do("files", "mkdir", "web:world").want(4, "!File already exists")
	d.do("files", "mv", "web:world", "old").is(0, "web:world: moved to old\n")
	d.do("files", "mv", "web:server.properties", "web:plugins/a.jar").want(4, "!already exists")
	d.do("files", "mv", "-f", "web:server.properties", "web:plugins/a.jar").want(0)
	d.do("files", "rm", "web:plugins").want(2, "!-r deletes it")
	d.do("files", "rm", "web:plugins/a.jar", "web:nothing").want(3, "web:plugins/a.jar: deleted", "!web:nothing: File not found")
	d.do("files", "rm", "-r", "web:plugins", "web:old").want(0, "web:plugins: deleted", "web:old: deleted")
	if left := harness.Value[[]os.DirEntry](t)(os.ReadDir(there("."))); len(left) != 0 {
		t.Errorf("left: %v", left)
	}

	for _, c := range [][]string{
		{"cp", "a", "b"}, {"cp", "web:a", "web:b"}, {"cp", "web:a"}, {"cp", "-", "web:"}, {"cp", "-r", "-", "web:x"}, {"files", "cat", "web"}, {"files", "cat", "web:/"}, {"files", "rm", "web:"},
		{"files", "mv", "web:a", "other:b"}, {"files", "ls", "a/b"}, {"files"}, {"files", "mkdir"},
	} {
		d.do(c...).want(2)
	}
	d.do("cp", "nothing-here", "web:x").want(3, "!no such file")
	d.do("cp", "web:nothing", here).want(3, "!File not found")
	d.do("files", "ls", "nobody").want(3, "!Container not found")
	d.do("files", "cat", "web:../x").want(1, "!must not contain")
}

// TestEditingAFile in an editor, and what becomes of an edit that is refused.
func TestEditingAFile(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.with(d.web("web", ""), "apply", "-f", "-").want(0)
	d.env["EDITOR"] = `sh -c 'sed -i s/one/two/ "$0"; echo more >> "$0"'`
	d.do("files", "edit", "web:new.txt").is(0, "web:new.txt: written\n")
	d.do("files", "cat", "web:new.txt").is(0, "more\n")
	d.with("one\n", "cp", "-", "web:a.txt").want(0)
	d.do("files", "edit", "web:a.txt").is(0, "web:a.txt: written\n")
	d.do("files", "cat", "web:a.txt").is(0, "two\nmore\n")
	d.env["EDITOR"] = "true"
	d.do("files", "edit", "web:a.txt").want(0, "!nothing was changed")
	d.env["EDITOR"] = "false"
	d.do("files", "edit", "web:a.txt").want(1, "!the editor \"false\" failed")

	volume := strings.TrimSpace(d.do("get", "web", "-o", "jsonpath={.volume_id}").want(0).out)
	d.env["EDITOR"] = `sh -c 'echo mine > "$0"; echo theirs > ` + filepath.Join(d.dir, "volumes", volume, "a.txt") + `'`
	refused := d.do("files", "edit", "web:a.txt").want(4, "!it was changed meanwhile; the edit is in ")
	_, file, _ := strings.Cut(strings.TrimSpace(refused.errOut), "the edit is in ")
	if kept, err := os.ReadFile(file); err != nil || string(kept) != "mine\n" {
		t.Errorf("%q: %q, %v", file, kept, err)
	}
	_ = os.Remove(file)
	d.do("files", "cat", "web:a.txt").is(0, "theirs\n")
	d.with("a\x00b", "cp", "-", "web:binary").want(0)
	d.do("files", "edit", "web:binary").want(1, "!it is no text")
}

// TestCompletionOfFiles offers containers, and behind a colon what is in the volume.
func TestCompletionOfFiles(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.with(d.web("web", ""), "apply", "-f", "-").want(0)
	d.do("files", "mkdir", "-p", "web:logs/old").want(0)
	d.with("x", "cp", "-", "web:logs/latest.log").want(0)
	d.do("__complete", "files", "ls", "").want(0, "web:\t")
	d.do("__complete", "files", "cat", "web:").want(0, "web:logs/\tdirectory")
	d.do("__complete", "cp", "web:logs/").want(0, "web:logs/latest.log\tfile", "web:logs/old/\tdirectory")
}
