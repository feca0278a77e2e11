package simengine_test

import (
	"context"
	"fmt"
	"os"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/mount"

	"lightd/hack/eventually"
	"lightd/hack/harness"
	"lightd/hack/simengine"
)

var scenarios = []scenario{
	{"lifecycle", lifecycle},
	{"missing", missing},
	{"refusals", refusals},
	{"names", names},
	{"ports", ports},
	{"network", networks},
	{"networkagain", madeAgain},
	{"joined", joined},
	{"limits", limits},
	{"restartpolicy", restartPolicy},
	{"exits", exits},
	{"memory", memory},
	{"signals", signals},
	{"stop", stopping},
	{"paused", paused},
	{"filters", filtering},
	{"since", since},
	{"wait", waiting},
	{"logs", logs},
	{"damagedlog", damagedLog},
	{"follow", follow},
	{"attach", attach},
	{"terminal", terminal},
	{"input", input},
	{"exec", executing},
	{"stats", stats},
	{"images", images},
	{"pulls", pulls},
	{"mounts", mounts},
	{"volumes", volumes},
}

// cmd returns the configuration of a container that runs a command.
func cmd(command ...string) container.Config { return container.Config{Cmd: command} }

// sleeping runs until it is killed: the first process has no handler for signals.
func sleeping() container.Config { return cmd("sleep", "1000") }

// plainHost is without a network, which makes starts quick.
func plainHost() container.HostConfig { return container.HostConfig{NetworkMode: "none"} }

func withInit() container.HostConfig {
	on := true
	return container.HostConfig{NetworkMode: "none", Init: &on}
}

func lifecycle(st *stage) {
	answer, err := st.Ping(st.ctx)
	st.must(err)
	st.note("ping os=%s", answer.OSType)
	config := sleeping()
	config.OpenStdin, config.User, config.WorkingDir, config.StopSignal = true, "1000", "/tmp", "SIGINT"
	config.Env, config.Entrypoint = []string{"A=b"}, []string{"/bin/busybox"}
	host := plainHost()
	host.LogConfig = container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "10m", "max-file": "3"}}
	host.RestartPolicy = container.RestartPolicy{Name: container.RestartPolicyDisabled}
	st.create("a", config, host)
	st.inspect("a")
	st.list(true)
	st.list(false)
	st.start("a")
	st.start("a")
	st.inspect("a")
	st.list(false)
	st.kill("a", "SIGUSR1")
	st.remove("a", false)
	st.outcome("rename", st.ContainerRename(st.ctx, st.name("a"), st.name("b")))
	st.outcome("rename", st.ContainerRename(st.ctx, st.name("b"), st.name("b")))
	st.kill("b", "SIGKILL")
	st.awaitEvent("die", 1)
	st.kill("b", "SIGKILL")
	st.inspect("b")
	st.list(true)
	st.start("b")
	st.inspect("b")
	st.remove("b", true)
	st.remove("b", true)
}

func missing(st *stage) {
	st.inspect("x")
	st.start("x")
	st.kill("x", "SIGKILL")
	st.remove("x", true)
	st.outcome("stop", st.ContainerStop(st.ctx, st.name("x"), container.StopOptions{}))
	st.outcome("pause", st.pause("x"))
	st.outcome("unpause", st.ContainerUnpause(st.ctx, st.name("x")))
	st.outcome("rename", st.ContainerRename(st.ctx, st.name("x"), st.name("y")))
	_, err := st.ContainerUpdate(st.ctx, st.name("x"), container.UpdateConfig{})
	st.outcome("update", err)
	_, err = st.ContainerDiff(st.ctx, st.name("x"))
	st.outcome("changes", err)
	_, err = st.ContainerLogs(st.ctx, st.name("x"), container.LogsOptions{ShowStdout: true})
	st.outcome("logs", err)
	_, err = st.ContainerStats(st.ctx, st.name("x"), true)
	st.outcome("stats", err)
	_, err = st.ContainerExecCreate(st.ctx, st.name("x"), container.ExecOptions{Cmd: []string{"x"}})
	st.outcome("exec", err)
	_, err = st.ContainerCommit(st.ctx, st.name("x"), container.CommitOptions{})
	st.outcome("commit", err)
	_, err = st.ContainerExecInspect(st.ctx, "nope")
	st.outcome("inspect exec", err)
}

func refusals(st *stage) {
	host := plainHost()
	host.Memory = 1000
	st.create("memory", sleeping(), host)
	host.Memory, host.MemorySwap = 64<<20, 32<<20
	st.create("swap", sleeping(), host)
	host.Memory = 0
	st.create("onlyswap", sleeping(), host)
	st.create("bad name", sleeping(), plainHost())
	config := sleeping()
	config.Image = "lightd-test/nosuch"
	st.create("image", config, plainHost())
	config = sleeping()
	config.StopSignal = "BOGUS"
	st.create("stopsignal", config, plainHost())
	host = plainHost()
	host.Mounts = []mount.Mount{{Type: mount.TypeBind, Source: "/no/such/place", Target: "/x"}}
	st.create("mount", sleeping(), host)
	st.create("good", sleeping(), plainHost())
	st.kill("good", "BOGUS")
	st.kill("good", "TERM")
	_, err := st.ContainerLogs(st.ctx, st.name("good"), container.LogsOptions{})
	st.outcome("logs of nothing", err)
	st.outcome("rename", st.ContainerRename(st.ctx, st.name("good"), "b ad"))
	_, err = st.ContainerExecCreate(st.ctx, st.name("good"), container.ExecOptions{Cmd: []string{"x"}})
	st.outcome("exec", err)
	st.outcome("pause", st.pause("good"))
	st.outcome("unpause", st.ContainerUnpause(st.ctx, st.name("good")))
	st.outcome("stop", st.ContainerStop(st.ctx, st.name("good"), container.StopOptions{}))
}

func names(st *stage) {
	st.create("a", sleeping(), plainHost())
	st.create("a", sleeping(), plainHost())
	st.create("b", sleeping(), plainHost())
	st.outcome("rename", st.ContainerRename(st.ctx, st.name("a"), st.name("b")))
	c, err := st.ContainerInspect(st.ctx, st.name("a"))
	st.must(err)
	for _, ref := range []string{c.ID, c.ID[:12], "/" + st.name("a")} {
		again, err := st.ContainerInspect(st.ctx, ref)
		st.outcome("inspect by another name", err)
		if err == nil {
			st.note("%s", again.Name)
		}
	}
}

func restartPolicy(st *stage) {
	st.create("a", sleeping(), plainHost())
	for _, policy := range []container.RestartPolicyMode{"always", "", "on-failure", "no"} {
		_, err := st.ContainerUpdate(st.ctx, st.name("a"), container.UpdateConfig{RestartPolicy: container.RestartPolicy{Name: policy}})
		st.outcome("update", err)
		st.inspect("a")
	}
}

func limits(st *stage) {
	host := plainHost()
	pids := int64(50)
	host.Memory, host.NanoCPUs, host.PidsLimit = 64<<20, 5e8, &pids
	st.create("a", sleeping(), host)
	st.inspect("a")
	st.start("a")
	change := func(what string, r container.Resources) {
		_, err := st.ContainerUpdate(st.ctx, st.name("a"), container.UpdateConfig{Resources: r})
		st.outcome(what, err)
		st.inspect("a")
	}
	pids = 60
	change("all", container.Resources{Memory: 100 << 20, MemorySwap: 150 << 20, NanoCPUs: 7e8, PidsLimit: &pids})
	change("less", container.Resources{Memory: 32 << 20, MemorySwap: 32 << 20})
	change("beyond the swap", container.Resources{Memory: 64 << 20})
	change("too little", container.Resources{Memory: 1})
	change("quota", container.Resources{CPUQuota: 50000})
	change("nothing", container.Resources{})
	none := int64(0)
	change("no limit of processes", container.Resources{PidsLimit: &none})
	bare := plainHost()
	bare.PidsLimit = &none
	st.create("b", sleeping(), bare)
	st.inspect("b")
}

func exits(st *stage) {
	st.program("exit 3", func(_ context.Context, p *simengine.Process) { p.Exit(3) })
	st.create("a", cmd("sh", "-c", "exit 3"), plainHost())
	for run := 1; run <= 2; run++ {
		st.start("a")
		st.awaitEvent("die", run)
		st.inspect("a")
	}
	st.list(true)
}

func memory(st *stage) {
	st.program("tail /dev/zero", func(_ context.Context, p *simengine.Process) { p.OutOfMemory() })
	host := plainHost()
	host.Memory, host.MemorySwap = 16<<20, 16<<20
	st.create("a", cmd("tail", "/dev/zero"), host)
	st.start("a")
	st.awaitEvent("die", 1)
	st.inspect("a")
}

// signals: a first process has no default for signals; behind docker-init it has.
func signals(st *stage) {
	st.create("first", sleeping(), plainHost())
	st.start("first")
	st.kill("first", "SIGTERM")
	st.inspect("first")
	st.create("init", sleeping(), withInit())
	st.start("init")
	st.awaitEvent("start", 2)
	st.awaitInit("init")
	st.kill("init", "15")
	st.awaitEvent("die", 1)
	st.inspect("init")
	st.program("trap", func(ctx context.Context, p *simengine.Process) {
		signals := p.Signals()
		_, _ = fmt.Fprintln(p.Stdout(), "ready")
		select {
		case <-signals:
			p.Exit(7)
		case <-ctx.Done():
		}
	})
	st.create("trap", cmd("sh", "-c", "trap 'exit 7' TERM; echo ready; while true; do sleep 0.1; done"), plainHost())
	st.start("trap")
	st.awaitOutput("trap", "ready")
	st.kill("trap", "SIGTERM")
	st.awaitEvent("die", 2)
	st.inspect("trap")
}

// awaitInit waits until docker-init, which tells nobody that it listens, has a child: it
// listens by then.
func (st *stage) awaitInit(suffix string) {
	c, err := st.ContainerInspect(st.ctx, st.name(suffix))
	st.must(err)
	if st.side.sim != nil {
		return
	}
	children := fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", c.State.Pid)
	eventually.Poll(st.t, func() error {
		list, err := os.ReadFile(children)
		if err == nil && len(list) == 0 {
			err = fmt.Errorf("process %d has no child", c.State.Pid)
		}
		return err
	})
}

func stopping(st *stage) {
	st.create("a", sleeping(), plainHost())
	st.start("a")
	second := 1
	st.outcome("stop", st.ContainerStop(st.ctx, st.name("a"), container.StopOptions{Timeout: &second}))
	st.inspect("a")
	st.outcome("stop", st.ContainerStop(st.ctx, st.name("a"), container.StopOptions{}))
}

func (st *stage) pause(name string) error {
	return harness.Pause(func() error { return st.ContainerPause(st.ctx, st.name(name)) })
}

func paused(st *stage) {
	st.create("a", sleeping(), plainHost())
	st.start("a")
	st.outcome("pause", st.pause("a"))
	st.outcome("pause", st.pause("a"))
	st.inspect("a")
	st.list(false)
	st.start("a")
	st.remove("a", false)
	_, err := st.ContainerExecCreate(st.ctx, st.name("a"), container.ExecOptions{Cmd: []string{"true"}})
	st.outcome("exec", err)
	st.outcome("unpause", st.ContainerUnpause(st.ctx, st.name("a")))
	st.reported("a")
	st.outcome("unpause", st.ContainerUnpause(st.ctx, st.name("a")))
	st.inspect("a")
	st.create("b", sleeping(), plainHost())
	st.start("b")
	st.outcome("pause", st.pause("b"))
	st.kill("b", "SIGKILL")
	st.awaitEvent("container die", 1)
	st.inspect("b")
}

// reported waits until Docker has heard from containerd what became of a running container. On a loaded
// machine it notes a pause and its end once more when containerd reports them, after the next call: a
// container that was unpaused is paused again for it until then. The reports come in order, so that the
// end of another process is behind both.
func (st *stage) reported(suffix string) {
	st.t.Helper()
	for {
		made, err := st.ContainerExecCreate(st.ctx, st.name(suffix), container.ExecOptions{Cmd: []string{"sh", "-c", "true"}})
		if err == nil {
			st.must(st.ContainerExecStart(st.ctx, made.ID, container.ExecStartOptions{Detach: true}))
			break
		}
		if !cerrdefs.IsConflict(err) {
			st.must(err)
		}
		time.Sleep(10 * time.Millisecond) // refused as paused
	}
	st.awaitEvent("container exec_die", 1)
}

func filtering(st *stage) {
	st.create("a", sleeping(), plainHost())
	time.Sleep(1100 * time.Millisecond) // lists are by the second of creation
	st.create("b", sleeping(), plainHost())
	st.start("b")
	for _, args := range [][]filters.KeyValuePair{
		{filters.Arg("label", "suffix=a")},
		{filters.Arg("label", "suffix")},
		{filters.Arg("label", "suffix=a"), filters.Arg("label", "nope")},
		{filters.Arg("name", st.name("b"))},
		{filters.Arg("status", "created")},
		{filters.Arg("status", "created"), filters.Arg("status", "running")},
		{filters.Arg("ancestor", busybox)},
		{filters.Arg("ancestor", "lightd-test/other")},
	} {
		st.note("filters %v", args)
		st.list(true, args...)
		st.list(false, args...)
	}
}

func since(st *stage) {
	st.create("a", sleeping(), plainHost())
	st.awaitEvent("create", 1)
	begun := time.Now()
	st.start("a")
	st.remove("a", true)
	st.awaitEvent("destroy", 1)
	messages, errs := st.Events(st.ctx, events.ListOptions{
		Filters: st.ours(), Since: stamp(begun), Until: stamp(time.Now()),
	})
	for {
		select {
		case m := <-messages:
			st.note("since: %s", describe(m))
			continue
		case <-errs:
		}
		return
	}
}

func stamp(t time.Time) string { return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond()) }

func waiting(st *stage) {
	st.program("sleep 0.3", func(ctx context.Context, p *simengine.Process) {
		select {
		case <-time.After(300 * time.Millisecond):
			p.Exit(4)
		case <-ctx.Done():
		}
	})
	st.create("a", cmd("sh", "-c", "sleep 0.3; exit 4"), plainHost())
	for _, condition := range []container.WaitCondition{
		container.WaitConditionNextExit, container.WaitConditionNotRunning,
	} {
		done, errs := st.ContainerWait(st.ctx, st.name("a"), condition)
		if condition == container.WaitConditionNextExit {
			st.start("a")
		}
		select {
		case w := <-done:
			st.note("%s: %d", condition, w.StatusCode)
		case err := <-errs:
			st.outcome("wait", err)
		}
	}
}
