package datadir

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"lightd/desired"
	"lightd/observed/blueprint"
)

// TestInstallScriptBeginsWithItsInterpreter whatever an editor has put before it.
func TestInstallScriptBeginsWithItsInterpreter(t *testing.T) {
	const bom = "\ufeff"
	for script, c := range map[string]struct{ written, path, lookup string }{
		"#!/bin/bash\ntrue\n":                 {"#!/bin/bash\ntrue\n", "/bin/bash", ""},
		bom + "#!/bin/bash -e\r\ntrue\r\n":    {"#!/bin/bash -e\ntrue\n", "/bin/bash", ""},
		"\r\n\n  \t#! /usr/bin/env bash\n\n:": {"#! /usr/bin/env bash\n\n:", "/usr/bin/env", "bash"},
		"\n" + bom + "\n#!/bin/sh":            {"#!/bin/sh", "/bin/sh", ""},
		"#!/usr/bin/env -S bash -e\n":         {"#!/usr/bin/env -S bash -e\n", "/usr/bin/env", ""},
		bom + "true\r\n":                      {"true\n", "", ""},
		"\n\ntrue # not #!/bin/bash\n":        {"\n\ntrue # not #!/bin/bash\n", "", ""},
		"#!\ntrue":                            {"#!\ntrue", "", ""},
		"#! \t\r\n:":                          {"#! \t\n:", "", ""},
		"#!":                                  {"#!", "", ""},
		"":                                    {"", "", ""},
	} {
		s := desired.Spec{InstallScript: script}
		path, lookup := Interpreter(s)
		if got := installScript(s); got != c.written || path != c.path || lookup != c.lookup {
			t.Errorf("%q is written as %q, for %q and %q", script, got, path, lookup)
		}
		if direct := strings.Contains(installEntry(s, ""), "exec /app/data/install.sh"); direct != (c.path != "") {
			t.Errorf("%q is run by its interpreter: %t", script, direct)
		}
	}
	if got := Entrypoint(desired.Spec{StartupCommand: bom + "./server\r\n"}); !strings.Contains(got, "\nexec ./server\n") {
		t.Errorf("startup command: %q", got)
	}
}

// TestFilesOfAnInstallationAreHandedOver where find compares the time of a change and where it
// does not: those of root that the script made or changed, and no others, through no link, and
// with the exit code of the script.
func TestFilesOfAnInstallationAreHandedOver(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root gives files away")
	}
	const user, group, other = 12345, 12346, 777
	for name, c := range map[string]struct {
		without string
		shared  bool
	}{
		"with find":                   {},
		"without find":                {without: "-cnewer"},
		"with find, beside others":    {shared: true},
		"without find, beside others": {without: "-cnewer", shared: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			home, data, outside := filepath.Join(dir, "home"), filepath.Join(dir, "data"), filepath.Join(dir, "outside")
			err := errors.Join(os.Mkdir(home, 0o777), os.Mkdir(data, 0o755), os.WriteFile(outside, nil, 0o600))
			if c.shared {
				err = errors.Join(err, os.Mkdir(filepath.Join(home, "old"), 0o700), os.WriteFile(filepath.Join(home, "old", "changed"), nil, 0o600),
					os.WriteFile(filepath.Join(home, "old", "secret"), nil, 0o600), os.Symlink("old", filepath.Join(home, "oldlink")))
			}
			if err != nil {
				t.Fatal(err)
			}
			began := filepath.Join(data, installBegan)
			laterThan(t, home, began)
			laterThan(t, began, filepath.Join(dir, "later"))
			script := `mkdir -p "a b/.hidden/c" ./-d; touch "a b/.hidden/c/x
y" ./-d/..e "*"; touch -d 2001-01-01 unpacked; ln -s ` + outside + ` link; ln -s . loop; ln -s /none dangling
touch theirs; chown 777:777 theirs; [ ! -f old/changed ] || echo new > old/changed; exit 7`
			entry := installEntry(desired.Spec{InstallScript: script}, "12345:12346")
			if c.without != "" && !strings.Contains(entry, c.without) {
				t.Fatalf("no %q in %s", c.without, entry)
			}
			entry = strings.NewReplacer(blueprint.Home, home, blueprint.Data, data, cmp.Or(c.without, "\x00"), "-none").Replace(entry)
			if err := os.WriteFile(filepath.Join(data, installer), []byte(script), 0o700); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("/bin/sh", "-c", entry).CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 7 || len(out) > 0 {
				t.Errorf("%v, printed %q", err, out)
			}
			seen := 0
			err = filepath.WalkDir(home, func(path string, _ fs.DirEntry, err error) error {
				want := uint32(user)
				switch filepath.Base(path) {
				case "theirs":
					want = other
				case "old", "oldlink", "secret":
					want = 0
				case "home":
					if c.shared {
						want = 0
					}
				}
				if uid, gid := owner(t, path); uid != want || want == user && gid != group {
					t.Errorf("%q belongs to %d:%d, want %d", path, uid, gid, want)
				}
				seen++
				return err
			})
			files := 13
			if c.shared {
				files += 4
			}
			if err != nil || seen != files {
				t.Errorf("%d files, %v", seen, err)
			}
			if uid, _ := owner(t, outside); uid != 0 {
				t.Errorf("what a link leads to was given to %d", uid)
			}
		})
	}
}

// owner returns whose a file is; links are not followed.
func owner(t *testing.T, path string) (uid, gid uint32) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	stat := info.Sys().(*syscall.Stat_t)
	return stat.Uid, stat.Gid
}

// laterThan makes the file at path with a time of its last change after that of old: the
// clock of a file system goes in steps.
func laterThan(t *testing.T, old, path string) {
	t.Helper()
	changed := func(path string) int64 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Sys().(*syscall.Stat_t).Ctim.Nano()
	}
	for {
		if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
		if changed(path) > changed(old) {
			return
		}
	}
}

// TestBeginOfAnInstallation stays until one ended well: what a script that was cut off left is
// handed over by the next one.
func TestBeginOfAnInstallation(t *testing.T) {
	d, s := open(t)
	began := filepath.Join(d.Path("a"), installBegan)
	write := func() os.FileInfo {
		t.Helper()
		if err := d.WriteInstaller(s, Identity{}); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(began)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	first := write()
	laterThan(t, began, filepath.Join(t.TempDir(), "later"))
	if again := write(); !again.ModTime().Equal(first.ModTime()) {
		t.Errorf("began %s, then %s", first.ModTime(), again.ModTime())
	}
	if err := d.ClearInstaller("a", true); err != nil {
		t.Fatal(err)
	}
	if next := write(); !next.ModTime().After(first.ModTime()) {
		t.Errorf("began %s, then %s", first.ModTime(), next.ModTime())
	}
}

// TestInstallerOfRoot replaces the shell, as there is no other user to give files to.
func TestInstallerOfRoot(t *testing.T) {
	for owner, handedOver := range map[string]bool{"": false, "root": false, "0": false, "0:0": false, "root:games": false, "1000": true, "steam:games": true, "00": true} {
		if got := strings.Contains(installEntry(desired.Spec{InstallScript: "true"}, owner), "chown"); got != handedOver {
			t.Errorf("%q: handed over: %t", owner, got)
		}
	}
}

// TestInstallerBelongsToRootOfTheContainer where the engine maps users: no other user may read it.
func TestInstallerBelongsToRootOfTheContainer(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root gives files away")
	}
	d, s := open(t)
	for range 2 { // it is written again, over the one of before
		if err := d.WriteInstaller(s, Identity{UID: 100000, GID: 100001}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{installer, installRun} {
		info, err := os.Stat(filepath.Join(d.Path("a"), name))
		if err != nil {
			t.Fatal(err)
		}
		if stat := info.Sys().(*syscall.Stat_t); stat.Uid != 100000 || stat.Gid != 100001 || info.Mode().Perm() != 0o700 {
			t.Errorf("%s belongs to %d:%d, with mode %v", name, stat.Uid, stat.Gid, info.Mode())
		}
	}
}

// TestLongFormOfAnInstallation: its environment wins, it begins where the volume is, and its entrypoint takes the place
// of the #! line.
func TestLongFormOfAnInstallation(t *testing.T) {
	s := desired.Spec{Env: map[string]string{"A": "server", "B": "it's"}, Install: &desired.Install{Script: "#!/bin/bash\r\ntrue",
		Env: map[string]string{"A": "installer", "C": "", "no.name": "x"}, Mount: "/mnt/server"}}
	const head = "#!/bin/sh\n# Written by lightd.\nexport A='installer'\nexport B='it'\\''s'\nexport C=''\ncd /mnt/server || exit 1\n"
	for entrypoint, want := range map[string]struct{ run, path, lookup string }{
		"":         {"exec /app/data/install.sh\n", "/bin/bash", ""},
		"ash":      {"exec ash /app/data/install.sh\n", "", "ash"},
		"/bin/ash": {"exec /bin/ash /app/data/install.sh\n", "/bin/ash", ""},
	} {
		s.Install.Entrypoint = entrypoint
		if got := installEntry(s, ""); got != head+want.run {
			t.Errorf("%q: %q", entrypoint, got)
		}
		if path, lookup := Interpreter(s); path != want.path || lookup != want.lookup {
			t.Errorf("%q: interpreter %q, %q", entrypoint, path, lookup)
		}
	}
	if got := installEntry(s, "1000"); !strings.Contains(got, "\nhome=/mnt/server\n") || s.Env["A"] != "server" {
		t.Errorf("handed over by %s, env %v", got, s.Env)
	}
	if got := installScript(s); got != "#!/bin/bash\ntrue" {
		t.Errorf("written as %q", got)
	}
}

// TestFilesToHandOver keep their time until that is done.
func TestFilesToHandOver(t *testing.T) {
	d, s := open(t)
	if _, err := d.InstallBegan("a"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if err := errors.Join(d.WriteInstaller(s, Identity{}), d.ClearInstaller("a", false)); err != nil {
		t.Fatal(err)
	}
	_, secret := os.Stat(filepath.Join(d.Path("a"), installRun))
	if began, err := d.InstallBegan("a"); err != nil || began.IsZero() || secret == nil {
		t.Errorf("began %s, %v; the environment is gone: %v", began, err, secret)
	}
	if err := d.ClearInstaller("a", true); err != nil {
		t.Fatal(err)
	}
	if _, err := d.InstallBegan("a"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
