package hostmount

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"lightd/desired/mountsource"
	"lightd/observed"
	"lightd/observed/blueprint"
)

const asContainer = "LIGHTD_TEST_AS_CONTAINER"

// TestMain makes the test binary be a process in a container, with the mounts that it is given.
func TestMain(m *testing.M) {
	if text := os.Getenv(asContainer); text != "" {
		if err := container(text); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// container mounts each source below the root directory that comes first, goes there, and
// stays until its input ends.
func container(text string) error {
	var mounts []observed.Mount
	if err := json.Unmarshal([]byte(text), &mounts); err != nil {
		return err
	}
	root := mounts[0].Source
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	for i, m := range mounts {
		at := filepath.Join(root, m.Target)
		if i > 0 {
			if err := os.MkdirAll(at, 0o755); err != nil {
				return err
			}
		}
		if err := unix.Mount(m.Source, at, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("mount %s at %s: %w", m.Source, at, err)
		}
	}
	if err := errors.Join(unix.Chroot(root), unix.Chdir("/")); err != nil {
		return err
	}
	fmt.Println("ready")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	return nil
}

// host is a directory tree and the processes that see parts of it.
type host struct {
	t   *testing.T
	dir string
}

func newHost(t *testing.T) *host {
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	h := &host{t, t.TempDir()}
	for _, dir := range []string{"volume", "data", "allowed/a", "allowed/b c", "secret"} {
		if err := os.MkdirAll(h.at(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func (h *host) at(path string) string { return filepath.Join(h.dir, path) }

func (h *host) mounts(more ...string) []observed.Mount {
	list := []observed.Mount{{Source: h.at("volume"), Target: blueprint.Home}, {Source: h.at("data"), Target: blueprint.Data, ReadOnly: true}}
	for i := 0; i < len(more); i += 2 {
		list = append(list, observed.Mount{Target: more[i], Source: h.at(more[i+1])})
	}
	return list
}

func (h *host) pin(mounts []observed.Mount) *Pins {
	h.t.Helper()
	pins, err := Pinner{Rules: mountsource.Rules{Allowed: []string{h.at("allowed")}}}.Pin(mounts)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(pins.Close)
	return pins
}

// start starts a process with mounts in a namespace of its own.
func (h *host) start(mounts []observed.Mount) (pid int) {
	h.t.Helper()
	list := append([]observed.Mount{{Source: h.t.TempDir(), Target: "/"}}, mounts...)
	text, err := json.Marshal(list)
	if err != nil {
		h.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asContainer+"="+string(text))
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		h.t.Fatalf("the process printed %q", line)
	}
	return cmd.Process.Pid
}

// TestVerify: what was pinned and what is mounted are compared by what they are, whatever
// happened to the paths in between.
func TestVerify(t *testing.T) {
	swap := func(h *host) {
		if err := errors.Join(os.Rename(h.at("allowed/a"), h.at("allowed/old")), os.Symlink(h.at("secret"), h.at("allowed/a"))); err != nil {
			h.t.Fatal(err)
		}
	}
	rename := func(h *host) {
		if err := errors.Join(os.Rename(h.at("allowed/a"), h.at("allowed/old")), os.Mkdir(h.at("allowed/a"), 0o755)); err != nil {
			h.t.Fatal(err)
		}
	}
	renameBack := func(h *host) {
		if err := errors.Join(os.Rename(h.at("allowed/a"), h.at("allowed/other")), os.Rename(h.at("allowed/old"), h.at("allowed/a"))); err != nil {
			h.t.Fatal(err)
		}
	}
	remove := func(h *host) {
		if err := os.Remove(h.at("allowed/a")); err != nil {
			h.t.Fatal(err)
		}
	}
	swapVolume := func(h *host) {
		if err := errors.Join(os.Rename(h.at("volume"), h.at("away")), os.Symlink(h.at("secret"), h.at("volume"))); err != nil {
			h.t.Fatal(err)
		}
	}
	newVolume := func(h *host) {
		if err := errors.Join(os.Rename(h.at("volume"), h.at("away")), os.Mkdir(h.at("volume"), 0o755)); err != nil {
			h.t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		// before and after are what happens between pin, start and verification.
		before, after func(*host)
		asked, got    []string
		// escaped is the target that is to be reported, unverifiable what cannot be compared.
		escaped, found string
		unverifiable   bool
		gone           bool
	}{
		"as pinned":                    {asked: []string{"/a", "allowed/a", "/b", "allowed/b c"}, got: []string{"/a", "allowed/a", "/b", "allowed/b c"}},
		"none of a spec":               {},
		"one source twice":             {asked: []string{"/a", "allowed/a", "/b", "allowed/a"}, got: []string{"/a", "allowed/a", "/b", "allowed/a"}},
		"swapped before the start":     {before: swap, asked: []string{"/a", "allowed/a"}, got: []string{"/a", "allowed/a"}, escaped: "/a", found: "/secret of device "},
		"renamed before the start":     {before: rename, asked: []string{"/a", "allowed/a"}, got: []string{"/a", "allowed/a"}, escaped: "/a", found: "what was put at that path while the process was being started"},
		"renamed, and there again":     {before: rename, after: renameBack, asked: []string{"/a", "allowed/a"}, got: []string{"/a", "allowed/a"}, escaped: "/a", found: "/allowed/other of device "},
		"renamed, and deleted":         {before: rename, after: remove, asked: []string{"/a", "allowed/a"}, got: []string{"/a", "allowed/a"}, escaped: "/a", found: "what was at that path and is deleted"},
		"swapped after the start":      {after: swap, asked: []string{"/a", "allowed/a"}, got: []string{"/a", "allowed/a"}},
		"swapped for one of two":       {asked: []string{"/a", "allowed/a", "/b", "allowed/a"}, got: []string{"/a", "allowed/a", "/b", "secret"}, escaped: "/b"},
		"two that changed places":      {asked: []string{"/a", "allowed/a", "/b", "allowed/b c"}, got: []string{"/a", "allowed/b c", "/b", "allowed/a"}, escaped: "/a"},
		"not mounted":                  {asked: []string{"/a", "allowed/a"}, escaped: "/a"},
		"by a link of the image":       {asked: []string{"/var/run/a", "allowed/a"}, got: []string{"/run/a", "allowed/a"}},
		"our own, by a link":           {before: swapVolume, escaped: blueprint.Home},
		"our own, another directory":   {before: newVolume, escaped: blueprint.Home},
		"our own, replaced later":      {after: swapVolume},
		"our own, replaced and ended":  {before: swapVolume, gone: true, escaped: blueprint.Home},
		"ended":                        {asked: []string{"/a", "allowed/a"}, gone: true, unverifiable: true},
		"ended, and swapped meanwhile": {before: swap, asked: []string{"/a", "allowed/a"}, gone: true, escaped: "/a"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			pins := h.pin(h.mounts(c.asked...))
			if c.before != nil {
				c.before(h)
			}
			pid := 0
			if !c.gone {
				pid = h.start(h.mounts(c.got...))
			}
			if c.after != nil {
				c.after(h)
			}
			err := pins.Verify(pid)
			var escape *EscapeError
			switch {
			case c.escaped != "":
				if !errors.As(err, &escape) || escape.Target != c.escaped || escape.Found == "" || !strings.Contains(escape.Found, c.found) {
					t.Errorf("got %v, want an escape of %s", err, c.escaped)
				}
			case c.unverifiable != errors.Is(err, ErrUnverifiable), !c.unverifiable && err != nil:
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestOwnDirectoryIsNoLink: one of ours that is a link is not pinned, and what replaced a pinned
// one is described until it is back.
func TestOwnDirectoryIsNoLink(t *testing.T) {
	h := newHost(t)
	id := h.pin(h.mounts()).Own()[blueprint.Home]
	replaced := func(want string) {
		t.Helper()
		if got := Replaced(h.at("volume"), id); got != want {
			t.Errorf("replaced by %q, want %q", got, want)
		}
	}
	replaced("")
	must := func(errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	must(os.Rename(h.at("volume"), h.at("away")))
	replaced("nothing")
	must(os.Mkdir(h.at("volume"), 0o755))
	replaced("another file or directory")
	must(os.Remove(h.at("volume")), os.Symlink(h.at("secret"), h.at("volume")))
	replaced("a link to " + h.at("secret"))
	if pins, err := (Pinner{}).Pin(h.mounts()); err == nil {
		pins.Close()
		t.Error("a link was pinned")
	}
	must(os.Remove(h.at("volume")), os.Rename(h.at("away"), h.at("volume")))
	replaced("")
}

// TestVerifyAnotherProcess: one without our directories is none of ours.
func TestVerifyAnotherProcess(t *testing.T) {
	h := newHost(t)
	err := h.pin(h.mounts("/a", "allowed/a")).Verify(os.Getpid())
	if !errors.Is(err, ErrUnverifiable) {
		t.Errorf("got %v", err)
	}
}

// TestPinFollowsNoLink that is not resolved beforehand, and leaves the allowed place by none.
func TestPinFollowsNoLink(t *testing.T) {
	h := newHost(t)
	if err := errors.Join(os.Symlink(h.at("allowed/a"), h.at("allowed/in")), os.Symlink(h.at("secret"), h.at("allowed/out"))); err != nil {
		t.Fatal(err)
	}
	h.pin(h.mounts("/a", "allowed/in"))
	for _, source := range []string{"allowed/out", "allowed/none", "secret"} {
		pins, err := (Pinner{Rules: mountsource.Rules{Allowed: []string{h.at("allowed")}}}).Pin(h.mounts("/a", source))
		var pin *PinError
		if !errors.As(err, &pin) {
			pins.Close()
			t.Errorf("%s was pinned", source)
			continue
		}
		found := map[string]string{
			"allowed/out":  h.at("secret") + ", which the source leads to now",
			"allowed/none": h.at("allowed/none") + ", which the source leads to now and which cannot be resolved",
			"secret":       "what may not be mounted any more: it leads to " + h.at("secret") + ", out of the directories of mounts.allowed",
		}
		if got := pin.Found(); got != found[source] {
			t.Errorf("%s leads to %q, want %q", source, got, found[source])
		}
	}
	if _, err := openBeneath(h.at("allowed"), "in"); err == nil {
		t.Error("a link was followed")
	}
	if _, err := openBeneath(h.at("allowed"), "../secret"); err == nil {
		t.Error("the place was left")
	}
}

// TestVolumeElsewhere: a volume is ours where an installer has it too, and what only lies below one is not.
func TestVolumeElsewhere(t *testing.T) {
	h := newHost(t)
	pinner := Pinner{Volumes: filepath.Dir(h.at("volume"))}
	elsewhere := []observed.Mount{{Source: h.at("volume"), Target: "/mnt/server"}, {Source: h.at("data"), Target: blueprint.Data}}
	pins, err := pinner.Pin(elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	defer pins.Close()
	if err := pins.Verify(h.start(elsewhere)); err != nil || pins.Own()["/mnt/server"] == (observed.FileID{}) {
		t.Errorf("%v, of %v", err, pins.Own())
	}
	for _, source := range []string{"volume/below", "volume/../allowed/a"} {
		if err := os.MkdirAll(h.at(source), 0o755); err != nil {
			t.Fatal(err)
		}
		if below, err := pinner.Pin([]observed.Mount{{Source: h.at(source), Target: "/mnt/server"}}); err == nil {
			below.Close()
			t.Errorf("%s was pinned", source)
		}
	}
}

// TestPinNoClosedPlace: a source that reaches a closed place is not pinned, though it lies in an allowed one.
func TestPinNoClosedPlace(t *testing.T) {
	h := newHost(t)
	if err := os.MkdirAll(h.at("allowed/a/closed"), 0o755); err != nil {
		t.Fatal(err)
	}
	pinner := Pinner{Rules: mountsource.Rules{Allowed: []string{h.at("allowed")}, Forbidden: []string{h.at("allowed/a/closed"), h.at("volume")}}}
	for source, open := range map[string]bool{"allowed/a": false, "allowed/a/closed": false, "allowed/b c": true} {
		pins, err := pinner.Pin(h.mounts("/x", source)) // our own lie in closed places too
		if (err == nil) != open {
			t.Errorf("%s: %v", source, err)
		}
		if err == nil {
			pins.Close()
		}
	}
}
