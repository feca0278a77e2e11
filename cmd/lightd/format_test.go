package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lightd/hack/harness"
)

// entriesOf returns the name, mode, size and content of all that is in a directory, and the time of its last change.
func entriesOf(t *testing.T, dir string) (all []string) {
	t.Helper()
	paths := []string{dir}
	for len(paths) > 0 {
		path := paths[0]
		paths = paths[1:]
		info := harness.Value[os.FileInfo](t)(os.Lstat(path))
		text := ""
		switch {
		case info.IsDir():
			for _, e := range harness.Value[[]os.DirEntry](t)(os.ReadDir(path)) {
				paths = append(paths, filepath.Join(path, e.Name()))
			}
		case info.Mode().IsRegular():
			text = string(harness.Value[[]byte](t)(os.ReadFile(path)))
		}
		all = append(all, strings.Join([]string{path, info.Mode().String(), info.ModTime().String(), text}, " "))
	}
	return all
}

// TestNewerDataDirectory: the daemon starts on no data directory of a newer version, and makes and changes nothing in it,
// after a daemon that was stopped and after one that was killed.
func TestNewerDataDirectory(t *testing.T) {
	t.Parallel()
	n := &node{t: t, dir: t.TempDir()}
	withTLS := filepath.Join(t.TempDir(), "lightd.yaml") // whose certificate is made at the first start
	if err := os.WriteFile(withTLS, []byte("tls: {self_signed: true}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tool := func(args ...string) (out, errOut string, code int) {
		t.Helper()
		return call(t, nil, append(args, "--data-dir", n.dir)...)
	}
	if _, errOut, code := tool("migrate"); code != 1 || !strings.Contains(errOut, "there is no database in "+n.dir) {
		t.Errorf("migrate without a database: exit code %d, %s", code, errOut)
	}
	for name, end := range map[string]func(){"stopped": n.terminate, "killed": n.crash} {
		n.start("--docker-host", nowhere)
		volume, _ := n.volume()
		n.send("POST", "/containers", spec(name, volume, "")).want(201, "")
		if out, errOut, code := tool("migrate"); code != 0 || !strings.HasSuffix(out, ": format 1, nothing to do\n") {
			t.Errorf("migrate while a daemon runs: exit code %d, %s%s", code, out, errOut)
		}
		end()
		file := filepath.Join(n.dir, "db", "format")
		if err := os.WriteFile(file, []byte("7\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		before := entriesOf(t, n.dir)
		for _, command := range [][]string{
			{"serve", "--config", withTLS, "--listen", "127.0.0.1:0", "--docker-host", nowhere}, {"migrate"}, {"check", "--docker-host", nowhere},
		} {
			out, errOut, code := tool(command...)
			for _, word := range []string{filepath.Join(n.dir, "db"), "format 7", "formats up to 1", "backup"} {
				if said := strings.Join(strings.Fields(out+errOut), " "); code != 1 || !strings.Contains(said, word) {
					t.Errorf("%s, after a daemon that was %s: exit code %d, without %q: %s", command[0], name, code, word, said)
				}
			}
		}
		if after := entriesOf(t, n.dir); !slices.Equal(after, before) {
			t.Errorf("the data directory of a daemon that was %s is changed", name)
		}
		if err := os.WriteFile(file, []byte("1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n.start("--docker-host", nowhere)
	for _, id := range []string{"stopped", "killed"} {
		n.send("GET", "/containers/"+id, "").want(200, "")
	}
	n.terminate()
}
