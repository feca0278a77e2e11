package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"

	"lightd/hack/harness"
)

// ownEngine is a real engine of the test's own, which it may stop, kill and empty. It has
// a network of its own too.
type ownEngine struct {
	*docker
	dir, socket string
}

// newOwnEngine starts an engine that has the small image. Config is its daemon.json.
func newOwnEngine(t *testing.T, config string) *ownEngine {
	t.Helper()
	return newOwnEngineOn(t, "", config)
}

// newOwnEngineOn is newOwnEngine with what it keeps in a directory, unless that is "".
func newOwnEngineOn(t *testing.T, data, config string) *ownEngine {
	t.Helper()
	// A socket's path is short: a test's own directory can be too long for it.
	dir := harness.Value[string](t)(os.MkdirTemp("", "engine"))
	if err := os.Chmod(dir, 0o711); err != nil { // an engine that maps users passes through as one of them
		t.Fatal(err)
	}
	if data != "" {
		if err := os.Symlink(data, filepath.Join(dir, "data")); err != nil {
			t.Fatal(err)
		}
	}
	e := &ownEngine{dir: dir, socket: filepath.Join(dir, "s")}
	c, err := client.NewClientWithOpts(client.WithHost("unix://"+e.socket), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	e.docker = &docker{t, c}
	t.Cleanup(func() { e.discard(); _ = c.Close() })
	e.configure(config)
	e.up()
	e.load(newDocker(t), harness.Busybox())
	return e
}

// configure writes the daemon.json that the next start reads; "" is none.
func (e *ownEngine) configure(config string) {
	e.t.Helper()
	path := filepath.Join(e.dir, "daemon.json")
	err := os.WriteFile(path, []byte(config), 0o644)
	if config == "" {
		err = os.Remove(path)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		e.t.Fatal(err)
	}
}

// script runs hack/engine for this engine.
func (e *ownEngine) script(command string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience) // it has bounds of its own
	defer cancel()
	cmd := exec.CommandContext(ctx, "../../hack/engine", command)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "DOCKER_") }),
		"LIGHTD_ENGINE_DIR="+e.dir, "LIGHTD_ENGINE_SOCKET="+e.socket)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("hack/engine %s: %w\n%s", command, err, out)
	}
	return nil
}

func (e *ownEngine) up() {
	e.t.Helper()
	if err := e.script("up"); err != nil {
		e.t.Fatal(err)
	}
}

// down ends the engine as the system does.
func (e *ownEngine) down() {
	e.t.Helper()
	if err := e.script("down"); err != nil {
		e.t.Fatal(err)
	}
}

// load brings an image over from another engine.
func (e *ownEngine) load(from *docker, ref string) {
	e.t.Helper()
	e.restore(from.save(ref))
}

func (e *ownEngine) restore(image []byte) {
	e.t.Helper()
	ctx, cancel := e.bounded()
	defer cancel()
	answer, err := e.ImageLoad(ctx, bytes.NewReader(image))
	if err != nil {
		e.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		e.t.Fatal(err)
	}
}

func (d *docker) save(ref string) []byte {
	d.t.Helper()
	ctx, cancel := d.bounded()
	defer cancel()
	image, err := d.ImageSave(ctx, []string{ref})
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = image.Close() }()
	return harness.Value[[]byte](d.t)(io.ReadAll(image))
}

// pid returns the process of the engine.
func (e *ownEngine) pid() int {
	e.t.Helper()
	return harness.Value[int](e.t)(strconv.Atoi(strings.TrimSpace(string(harness.Value[[]byte](e.t)(os.ReadFile(filepath.Join(e.dir, "docker.pid")))))))
}

// kill ends the engine between two instructions. Its containers run on.
func (e *ownEngine) kill() {
	e.t.Helper()
	pid := e.pid()
	if !slices.Contains(e.processes(), pid) {
		e.t.Fatalf("process %d is not the engine", pid)
	}
	slay(e.t, pid)
}

// cutPower takes all processes of the engine and its containers away at once, and what a
// machine that boots does not find: mounts, and the state that lives in memory.
func (e *ownEngine) cutPower() {
	e.t.Helper()
	for round := range 10 { // one that was just being started comes to light when its parent has gone
		pids := e.processes()
		if len(pids) == 0 {
			break
		}
		if round == 9 {
			e.t.Fatalf("processes %v do not end", pids)
		}
		slay(e.t, pids...)
	}
	e.unmount()
	if err := os.RemoveAll(filepath.Join(e.dir, "run")); err != nil {
		e.t.Fatal(err)
	}
}

// processes returns the engine, its containerd, the shims and what runs in the containers.
func (e *ownEngine) processes() []int {
	mine := map[int]bool{}
	parents := map[int]int{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		e.t.Fatal(err)
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		command, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
		stat, err2 := os.ReadFile(filepath.Join("/proc", entry.Name(), "stat"))
		if err != nil || err2 != nil || pid == os.Getpid() {
			continue // it has ended
		}
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if fields[0] == "Z" {
			continue
		}
		parents[pid], _ = strconv.Atoi(fields[1])
		for _, flag := range []string{"--pidfile=", "--config\x00", "-address\x00"} {
			mine[pid] = mine[pid] || bytes.Contains(command, []byte(flag+e.dir+"/"))
		}
	}
	var pids []int
	for pid := range parents {
		for at := pid; at > 1; at = parents[at] {
			if mine[at] {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids
}

// slay kills processes and waits until there are none of those ids.
func slay(t testing.TB, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	poll(t, func() error {
		for _, pid := range pids {
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			if err == nil && !strings.Contains(string(stat), ") Z ") {
				return fmt.Errorf("process %d has not ended", pid)
			}
		}
		return nil
	})
}

// unmount undoes the mounts below the engine's directory.
func (e *ownEngine) unmount() {
	e.t.Helper()
	table, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		e.t.Fatal(err)
	}
	all := strings.Split(string(table), "\n")
	slices.Reverse(all)
	for _, line := range all {
		fields := strings.Fields(line)
		if len(fields) < 2 || !strings.HasPrefix(fields[1], e.dir+"/") {
			continue
		}
		if err := syscall.Unmount(fields[1], syscall.MNT_DETACH); err != nil {
			e.t.Errorf("unmount %s: %v", fields[1], err)
		}
	}
}

// empty makes it another engine, one that has the small image and nothing else.
func (e *ownEngine) empty() {
	e.t.Helper()
	image := e.save(harness.Busybox())
	e.clear()
	e.down()
	e.unmount()
	if err := os.RemoveAll(filepath.Join(e.dir, "data")); err != nil {
		e.t.Fatal(err)
	}
	e.up()
	e.restore(image)
}

// clear removes all containers, so that nothing of them stays in the kernel.
func (e *ownEngine) clear() {
	e.t.Helper()
	ctx, cancel := e.bounded()
	defer cancel()
	all, err := e.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		e.t.Error(err)
	}
	for _, c := range all {
		e.remove(c.ID)
	}
}

// discard leaves nothing of the engine.
func (e *ownEngine) discard() {
	ctx, cancel := e.bounded()
	defer cancel()
	if _, err := e.Ping(ctx); err != nil {
		if err := e.script("up"); err != nil {
			e.t.Error(err)
		}
	}
	e.clear()
	if err := e.script("down"); err != nil {
		e.t.Error(err)
	}
	e.cutPower()
	if err := os.RemoveAll(e.dir); err != nil {
		e.t.Error(err)
	}
}
