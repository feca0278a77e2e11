package datadir

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/metrics"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"lightd/desired"
	"lightd/observed/blueprint"
)

func TestSimpleCommandsTakeTheShellsPlace(t *testing.T) {
	for command, want := range map[string]bool{
		"java -Xmx1G -jar server.jar nogui":                  true,
		"  ./server --port 25565  ":                          true,
		"bash -c 'while true; do echo Hello; sleep 1; done'": true,
		`node "my app.js"`:                                   true,
		"a && b":                                             false,
		"a; b":                                               false,
		"a | b":                                              false,
		"a > log":                                            false,
		"a &":                                                false,
		"A=b c":                                              false,
		"$CMD x":                                             false,
		`echo "$(id)"`:                                       false,
		"cd /x":                                              false,
		"while :; do :; done":                                false,
		"exec java":                                          false,
		". ./env":                                            false,
		"[ -f x ]":                                           false,
		"a\nb":                                               false,
		"a 'unbalanced":                                      false,
		`a \`:                                                false,
		"a # b":                                              false,
		"":                                                   false,
		"'a b' c":                                            false,
	} {
		if got := simple(command); got != want {
			t.Errorf("simple(%q) = %v", command, got)
		}
	}
}

// TestScriptsRun gives the scripts to a real shell, which knows best.
func TestScriptsRun(t *testing.T) {
	for name, command := range map[string]string{
		"simple":   "echo 'it''s' \"here  now\"",
		"compound": "A=its; echo $A\"\" \"here  now\" && :",
	} {
		script := strings.ReplaceAll(Entrypoint(desired.Spec{StartupCommand: command}), blueprint.Home, t.TempDir())
		out, err := exec.Command("/bin/sh", "-c", script).CombinedOutput()
		if err != nil || string(out) != "its here  now\n" {
			t.Errorf("%s: got %q, %v", name, out, err)
		}
	}
}

// TestEndWithoutASignal is what it was without the shell in front: at once, with the exit code
// of the command, whatever runs beside it.
func TestEndWithoutASignal(t *testing.T) {
	for command, want := range map[string]int{
		"true; false":                   1,
		"(exit 7)":                      7,
		"sh -c 'exit 7'":                7,
		"sh -c 'kill -9 $$'":            137,
		"sleep 60 & exit 7":             7,
		"sleep 60 & sh -c 'exit 7'":     7,
		"(sleep 0.1; exit 7) & wait":    0,
		"(sleep 0.1; exit 7) & wait $!": 7,
		"set -eu; false; true":          1,
		"exec sh -c 'exit 7'":           7,
		"no-such-program":               127,
	} {
		for _, shell := range [][]string{{"dash"}, {"bash"}, {"busybox", "sh"}} {
			if _, err := exec.LookPath(shell[0]); err != nil {
				continue
			}
			script := strings.ReplaceAll(Entrypoint(desired.Spec{StartupCommand: command, Init: true}), blueprint.Home, t.TempDir())
			began := time.Now()
			cmd := exec.Command(shell[0], append(shell[1:], "-c", script)...)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			_ = cmd.Run()
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what runs beside it
			if got := cmd.ProcessState.ExitCode(); got != want || time.Since(began) > 30*time.Second {
				t.Errorf("%s: %q ends with %d after %s, want %d", shell, command, got, time.Since(began), want)
			}
		}
	}
}

func FuzzQuoteSurvivesAShell(f *testing.F) {
	f.Add("it's $HOME `x` \"y\" \\ \n")
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsRune(s, 0) || len(s) > 1000 {
			t.Skip()
		}
		out, err := exec.Command("/bin/sh", "-c", "printf %s "+quote(s)).Output()
		if err != nil || string(out) != s {
			t.Errorf("%q came back as %q, %v", s, out, err)
		}
	})
}

func open(t *testing.T) (*Dir, desired.Spec) {
	d, err := Open(filepath.Join(t.TempDir(), "containers"))
	if err != nil {
		t.Fatal(err)
	}
	return d, desired.Spec{InternalID: "a", StartupCommand: "run", InstallScript: "#!/bin/bash\r\ntrue\r\n",
		Env: map[string]string{"KEY": "it's", "not-a-name": "x"}}
}

func TestEntrypointIsMendedHoweverItWasAltered(t *testing.T) {
	for name, alter := range map[string]func(path string) error{
		"missing": os.Remove,
		"altered": func(p string) error { return os.WriteFile(p, []byte("x"), 0o755) },
		"altered in one place": func(p string) error {
			text, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			text[len(text)-2]++
			return os.WriteFile(p, text, 0o755)
		},
		"mode":   func(p string) error { return os.Chmod(p, 0o600) },
		"a link": func(p string) error { return errors.Join(os.Remove(p), os.Symlink("/etc/passwd", p)) },
		"a link to the same": func(p string) error {
			return errors.Join(os.Rename(p, p+".same"), os.Symlink(filepath.Base(p)+".same", p))
		},
		"a directory in its place": func(p string) error {
			return errors.Join(os.Remove(p), os.MkdirAll(filepath.Join(p, "x"), 0o755))
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, s := open(t)
			if d.EntrypointOK(s) {
				t.Fatal("ok before it was written")
			}
			if err := d.WriteEntrypoint(s); err != nil || !d.EntrypointOK(s) {
				t.Fatalf("not ok after it was written: %v", err)
			}
			if err := alter(filepath.Join(d.Path("a"), entrypoint)); err != nil {
				t.Fatal(err)
			}
			if d.EntrypointOK(s) {
				t.Fatal("the change was not seen")
			}
			if name == "a directory in its place" {
				if err := d.Remove(t.Context(), "a"); err != nil {
					t.Fatal(err)
				}
			}
			if err := d.WriteEntrypoint(s); err != nil || !d.EntrypointOK(s) {
				t.Errorf("not fixed: %v", err)
			}
		})
	}
}

func TestEntrypointInPlaceIsNotWrittenAgain(t *testing.T) {
	d, s := open(t)
	if err := d.WriteEntrypoint(s); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(d.Path("a"), entrypoint)
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.WriteEntrypoint(s); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("it is another file: %v", err)
	}
}

func TestNoLinkLeadsOut(t *testing.T) {
	d, s := open(t)
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Make("a"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{entrypoint, "." + entrypoint + ".new", installLog} {
		if err := os.Symlink(outside, filepath.Join(d.Path("a"), name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.InstallLog("a"); err == nil {
		t.Error("a link was read")
	}
	if err := errors.Join(d.WriteEntrypoint(s), d.SaveInstallLog("a", strings.NewReader("log"))); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(outside); string(got) != "mine" {
		t.Errorf("a link was written through: %q", got)
	}
	// The directory of another container can be a link as well.
	if err := os.Symlink(filepath.Dir(outside), d.Path("b")); err != nil {
		t.Fatal(err)
	}
	s.InternalID = "b"
	if err := d.WriteEntrypoint(s); !errors.Is(err, ErrReplaced) {
		t.Errorf("a directory that is a link was entered: %v", err)
	}
	if err := d.Remove(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(outside); err != nil {
		t.Errorf("removed through a link: %v", err)
	}
}

func TestInstallerHoldsScriptAndEnvironment(t *testing.T) {
	d, s := open(t)
	if err := d.WriteInstaller(s, Identity{}); err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(filepath.Join(d.Path("a"), installer))
	if err != nil || string(script) != "#!/bin/bash\ntrue\n" {
		t.Errorf("script: %q, %v", script, err)
	}
	entry, err := os.ReadFile(filepath.Join(d.Path("a"), installRun))
	if err != nil || !strings.Contains(string(entry), `export KEY='it'\''s'`) || strings.Contains(string(entry), "not-a-name") ||
		!strings.HasSuffix(string(entry), "exec /app/data/install.sh\n") {
		t.Errorf("entry: %s, %v", entry, err)
	}
	if err := d.ClearInstaller("a", true); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(d.Path("a"), installRun)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the environment stayed: %v", err)
	}
}

func TestInstallLogKeepsTheNewest(t *testing.T) {
	d, _ := open(t)
	if _, err := d.InstallLog("a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none yet: %v", err)
	}
	for name, printed := range map[string]string{
		"nothing":           "",
		"little":            "little",
		"as much as fits":   strings.Repeat("a", maxLog-3) + "end",
		"one byte too much": "b" + strings.Repeat("a", maxLog-3) + "end",
		"several times":     strings.Repeat("0123456789abc", 2*maxLog/13) + "end",
	} {
		if err := d.SaveInstallLog("a", strings.NewReader(printed)); err != nil {
			t.Fatal(name, err)
		}
		if got, want := installLogOf(t, d), printed[max(0, len(printed)-maxLog):]; got != want {
			t.Errorf("%s: got %d bytes that end with %q, want %d", name, len(got), got[max(0, len(got)-20):], len(want))
		}
	}
}

func installLogOf(t *testing.T, d *Dir) string {
	t.Helper()
	log, err := d.InstallLog("a")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	got, err := io.ReadAll(log)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

// TestInstallLogIsKeptAsFarAsItCouldBeRead: a log that Docker cannot give to its end is
// an error, and what came before it is there.
func TestInstallLogIsKeptAsFarAsItCouldBeRead(t *testing.T) {
	d, _ := open(t)
	broken := errors.New("broken")
	err := d.SaveInstallLog("a", io.MultiReader(strings.NewReader("the first part"), iotest.ErrReader(broken)))
	if got := installLogOf(t, d); !errors.Is(err, broken) || got != "the first part" {
		t.Errorf("got %q, %v", got, err)
	}
	left, err := os.ReadDir(d.Path("a"))
	if err != nil || len(left) != 1 {
		t.Errorf("files beside the log: %v, %v", left, err)
	}
}

// TestInstallLogIsSavedInBoundedMemory: the output of a script is bounded only by the setting of
// Docker's log.
func TestInstallLogIsSavedInBoundedMemory(t *testing.T) {
	const printed, most = 64 << 20, 4 << 20
	d, _ := open(t)
	allocated := func() uint64 {
		sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	before := allocated()
	if err := d.SaveInstallLog("a", io.LimitReader(zeros{}, printed)); err != nil {
		t.Fatal(err)
	}
	if got := allocated() - before; got > most {
		t.Errorf("%d bytes were allocated for an output of %d, want at most %d", got, int64(printed), most)
	}
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestWhoMayRead: a container of any user its entry point and the directories that lead there, only
// root the scripts, which can hold secrets, and their output. The umask of the daemon does not
// matter.
func TestWhoMayRead(t *testing.T) {
	for _, mask := range []int{0o022, 0o077, 0} {
		d, s := open(t)
		old := syscall.Umask(mask)
		err := errors.Join(d.SaveInstallLog("a", strings.NewReader("old")), d.WriteInstaller(s, Identity{}), d.WriteEntrypoint(s))
		syscall.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.InstallLog("a"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the output of an earlier script stayed: %v", err)
		}
		if err := d.SaveInstallLog("a", strings.NewReader("new")); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]fs.FileMode{
			"..": 0o711, ".": 0o755, entrypoint: 0o755, installer: 0o700, installRun: 0o700, installLog: 0o600,
		} {
			info, err := os.Stat(filepath.Join(d.Path("a"), name))
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Mode().Perm(); got != want {
				t.Errorf("%s has mode %o with umask %o, want %o", name, got, mask, want)
			}
		}
	}
}

// TestWhatIsWritten is what a user reads who looks for what the container runs.
func TestWhatIsWritten(t *testing.T) {
	const head = "#!/bin/sh\n# Written by lightd; changes are undone.\ncd /home/container || exit 1\n"
	for name, test := range map[string]struct {
		spec desired.Spec
		end  string
		with []string
	}{
		"a program without init": {desired.Spec{StartupCommand: " ./server --port 1 "}, head + "exec ./server --port 1\n", nil},
		"a program": {desired.Spec{StartupCommand: " ./server --port 1 ", Init: true}, "\n./server --port 1\n",
			[]string{"*) exec ./server --port 1 ;;", "trap lightd_exit 0", "trap 'lightd_signal $? 15 6000' 15\n"}},
		"a script for a shell": {desired.Spec{StartupCommand: "/bin/bash run.sh", Init: true}, "\n/bin/bash run.sh\n", []string{"trap lightd_exit 0"}},
		"two commands":         {desired.Spec{StartupCommand: "a && b"}, "\na && b\n", []string{"trap lightd_exit 0", "lightd_left=0 "}},
		"two lines":            {desired.Spec{StartupCommand: "a\r\nb"}, "\na\nb\n", nil},
		"a builtin":            {desired.Spec{StartupCommand: "cd /x"}, "\ncd /x\n", nil},
		"its own traps":        {desired.Spec{StartupCommand: "trap x TERM; y"}, "\ntrap x TERM; y\n", []string{"lightd_left=100 "}},
		"its own signal": {desired.Spec{StartupCommand: "a; b", Stop: desired.Stop{Signal: "SIGHUP"}}, "\na; b\n",
			[]string{"trap 'lightd_signal $? 1 6000' 1\n", "trap 'lightd_signal $? 10 100' 10\n"}},
	} {
		got := Entrypoint(test.spec)
		if !strings.HasPrefix(got, head) || !strings.HasSuffix(got, test.end) {
			t.Errorf("%s: got %q", name, got)
		}
		for _, part := range test.with {
			if !strings.Contains(got, part) {
				t.Errorf("%s: no %q in %s", name, part, got)
			}
		}
	}
	env := map[string]string{"B": "it's", "A": "$1", "not-a-name": "x", "C": "", "D": " "}
	for script, want := range map[string]string{
		"#!/bin/bash\ntrue": "exec /app/data/install.sh\n",
		"true":              "exec /bin/sh /app/data/install.sh\n",
	} {
		want = "#!/bin/sh\n# Written by lightd.\n" +
			`export A='$1'` + "\n" + `export B='it'\''s'` + "\nexport C=''\nexport D=' '\ncd /home/container || exit 1\n" + want
		if got := installEntry(desired.Spec{InstallScript: script, Env: env}, ""); got != want {
			t.Errorf("%q: got %q, want %q", script, got, want)
		}
	}
}

// TestImageVolumesGoWithTheirContainer and lie where no other user has access, whatever the umask.
func TestImageVolumesGoWithTheirContainer(t *testing.T) {
	old := syscall.Umask(0)
	d, _ := open(t)
	syscall.Umask(old)
	at := d.ImageVolumes("a")
	for range 2 {
		if err := d.MakeImageVolume("a", filepath.Join(at, "0123"), Identity{}); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(filepath.Dir(at)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for _, other := range []string{filepath.Join(at, ".."), filepath.Join(at, "x", "y"), d.ImageVolumes("b"), "/etc/x", at} {
		if err := d.MakeImageVolume("a", other, Identity{}); err == nil {
			t.Errorf("%s was made", other)
		}
	}
	if err := d.Remove(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(at); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it stayed: %v", err)
	}
}
