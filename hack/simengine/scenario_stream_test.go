package simengine_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/jsonmessage"
	"github.com/docker/docker/pkg/stdcopy"

	"lightd/hack/simengine"
)

// output returns what a container has printed.
func (st *stage) output(suffix string, o container.LogsOptions) string {
	body, err := st.ContainerLogs(st.ctx, st.name(suffix), o)
	st.must(err)
	defer func() { _ = body.Close() }()
	return split(body)
}

// split returns the two streams of frames, each on its own.
func split(r io.Reader) string {
	var out, err bytes.Buffer
	_, failed := stdcopy.StdCopy(&out, &err, r)
	return fmt.Sprintf("out=%q err=%q failed=%v", out.String(), err.String(), failed)
}

// awaitOutput waits until a container has printed a text.
func (st *stage) awaitOutput(suffix, text string) {
	body, err := st.ContainerLogs(st.ctx, st.name(suffix), container.LogsOptions{ShowStdout: true, Follow: true})
	st.must(err)
	defer func() { _ = body.Close() }()
	for lines := bufio.NewScanner(body); lines.Scan(); {
		if strings.Contains(lines.Text(), text) {
			return
		}
	}
	st.t.Fatalf("%s never printed %q", suffix, text)
}

func logs(st *stage) {
	st.program("echo one", func(_ context.Context, p *simengine.Process) {
		_, _ = io.WriteString(p.Stdout(), "one\ntwo\n")
		_, _ = io.WriteString(p.Stderr(), "wrong\n")
		_, _ = io.WriteString(p.Stdout(), "half")
	})
	st.create("a", cmd("sh", "-c", "echo one; echo two; echo wrong >&2; printf half"), plainHost())
	both := container.LogsOptions{ShowStdout: true, ShowStderr: true}
	st.note("before: %s", st.output("a", both))
	st.start("a")
	st.awaitEvent("die", 1)
	st.note("all: %s", st.output("a", both))
	st.note("out: %s", st.output("a", container.LogsOptions{ShowStdout: true}))
	st.note("tail: %s", st.output("a", container.LogsOptions{ShowStdout: true, Tail: "1"}))
	st.note("none: %s", st.output("a", container.LogsOptions{ShowStdout: true, Tail: "0"}))
	time.Sleep(50 * time.Millisecond) // the last line has the time at which the engine took it over
	begun := time.Now()
	st.start("a")
	st.awaitEvent("die", 2)
	st.note("twice: %s", st.output("a", container.LogsOptions{ShowStdout: true}))
	st.note("second: %s", st.output("a", container.LogsOptions{ShowStdout: true, Since: stamp(begun)}))
	dated := st.output("a", container.LogsOptions{ShowStdout: true, Tail: "1", Timestamps: true})
	st.note("with time: %t", strings.Contains(dated, "Z half"))
}

func follow(st *stage) {
	st.program("read x", reading)
	config := cmd("sh", "-c", "echo begin; read x; echo got $x")
	config.OpenStdin = true
	st.create("a", config, plainHost())
	st.start("a")
	st.awaitOutput("a", "begin")
	body, err := st.ContainerLogs(st.ctx, st.name("a"), container.LogsOptions{ShowStdout: true, Follow: true})
	st.must(err)
	defer func() { _ = body.Close() }()
	conn, err := st.ContainerAttach(st.ctx, st.name("a"), container.AttachOptions{Stream: true, Stdin: true})
	st.must(err)
	defer conn.Close()
	_, err = io.WriteString(conn.Conn, "something\n")
	st.must(err)
	st.note("followed: %s", split(body))
	st.awaitEvent("die", 1)
	st.inspect("a")
}

// reading is what `echo begin; read x; echo got $x` does.
func reading(_ context.Context, p *simengine.Process) {
	_, _ = fmt.Fprintln(p.Stdout(), "begin")
	line, _ := bufio.NewReader(p.Stdin()).ReadString('\n')
	_, _ = fmt.Fprintf(p.Stdout(), "got %s\n", strings.TrimSpace(line))
}

func attach(st *stage) {
	st.program("read x", reading)
	config := cmd("sh", "-c", "echo begin; read x; echo got $x")
	config.OpenStdin = true
	st.create("a", config, plainHost())
	conn, err := st.ContainerAttach(st.ctx, st.name("a"), container.AttachOptions{Stream: true, Stdout: true, Stderr: true, Stdin: true})
	st.outcome("attach", err)
	defer conn.Close()
	st.start("a")
	_, err = io.WriteString(conn.Conn, "hello\n")
	st.must(err)
	st.note("attached: %s", split(conn.Reader))
	st.awaitEvent("die", 1)
	_, err = st.ContainerAttach(st.ctx, st.name("x"), container.AttachOptions{Stream: true, Stdout: true})
	st.note("attach to nothing fails: %t", err != nil)
}

func terminal(st *stage) {
	st.program("read x", reading)
	config := cmd("sh", "-c", "echo begin; read x; echo got $x")
	config.OpenStdin, config.Tty = true, true
	st.create("a", config, plainHost())
	conn, err := st.ContainerAttach(st.ctx, st.name("a"), container.AttachOptions{Stream: true, Stdout: true, Stderr: true, Stdin: true})
	st.outcome("attach", err)
	defer conn.Close()
	size := container.ResizeOptions{Width: 120, Height: 40}
	st.note("resized before the start: %t", st.ContainerResize(st.ctx, st.name("a"), size) == nil)
	st.start("a")
	st.outcome("resize", st.ContainerResize(st.ctx, st.name("a"), size))
	lines := bufio.NewReader(conn.Reader)
	first, err := lines.ReadString('\n')
	st.must(err)
	_, err = io.WriteString(conn.Conn, "hell\x7fp\x05\x15hello\n") // erased, and taken back
	st.must(err)
	rest, err := io.ReadAll(lines)
	st.must(err)
	st.note("attached: %q %q", first, rest)
	st.awaitEvent("die", 1)
	body, err := st.ContainerLogs(st.ctx, st.name("a"), container.LogsOptions{ShowStdout: true})
	st.must(err)
	defer func() { _ = body.Close() }()
	kept, err := io.ReadAll(body)
	st.must(err)
	st.note("kept: %q", kept)
}

// input: an attach of only the input, after the start; the end of it is not the end of
// the program's.
func input(st *stage) {
	st.program("read x", reading)
	config := cmd("sh", "-c", "echo begin; read x; echo got $x")
	config.OpenStdin = true
	st.create("a", config, plainHost())
	st.start("a")
	send := func(text string) {
		conn, err := st.ContainerAttach(st.ctx, st.name("a"), container.AttachOptions{Stream: true, Stdin: true})
		st.must(err)
		_, err = io.WriteString(conn.Conn, text)
		st.must(err)
		st.must(conn.CloseWrite())
		_, err = io.Copy(io.Discard, conn.Reader) // it ends when the engine has taken over what it was sent
		st.must(err)
		conn.Close()
	}
	send("hel")
	st.list(false)
	send("lo\n")
	st.awaitEvent("die", 1)
	st.note("%s", st.output("a", container.LogsOptions{ShowStdout: true}))
}

func executing(st *stage) {
	st.create("a", sleeping(), withInit())
	st.start("a")
	run := func(detach bool, command ...string) {
		made, err := st.ContainerExecCreate(st.ctx, st.name("a"), container.ExecOptions{
			Cmd: command, AttachStdout: !detach, AttachStderr: !detach,
		})
		st.outcome("exec", err)
		if err != nil {
			return
		}
		if detach {
			st.outcome("start of exec", st.ContainerExecStart(st.ctx, made.ID, container.ExecStartOptions{Detach: true}))
		} else {
			conn, err := st.ContainerExecAttach(st.ctx, made.ID, container.ExecStartOptions{})
			st.must(err)
			st.note("exec: %s", split(conn.Reader))
			conn.Close()
		}
	}
	st.program("echo said", func(_ context.Context, p *simengine.Process) {
		_, _ = fmt.Fprintln(p.Stdout(), "said")
		p.Exit(2)
	})
	run(false, "sh", "-c", "echo said; exit 2")
	st.awaitEvent("exec_die", 1)
	st.note("%s", st.output("a", container.LogsOptions{ShowStdout: true}))
	st.kill("a", "SIGKILL")
	st.awaitEvent("die execID", 0)
	run(true, "true")
}

func stats(st *stage) {
	host := plainHost()
	host.Memory = 64 << 20
	st.create("a", sleeping(), host)
	st.start("a")
	answer, err := st.ContainerStats(st.ctx, st.name("a"), true)
	st.must(err)
	defer func() { _ = answer.Body.Close() }()
	decoder := json.NewDecoder(answer.Body)
	for i := range 2 {
		var s container.StatsResponse
		st.must(decoder.Decode(&s))
		st.note("%d: name=%s id=%t read=%t pids=%t limit=%d system=%t cores=%t before=%t", i, s.Name, s.ID != "", !s.Read.IsZero(),
			s.PidsStats.Current > 0, s.MemoryStats.Limit, s.CPUStats.SystemUsage > 0, s.CPUStats.OnlineCPUs > 0, s.PreCPUStats.SystemUsage > 0)
	}
	st.remove("a", true)
	for {
		var s container.StatsResponse
		if err := decoder.Decode(&s); err != nil {
			st.note("stats end: %v", err)
			return
		}
	}
}

func images(st *stage) {
	st.program("mkdir /made", func(_ context.Context, p *simengine.Process) {
		p.Change("/made", container.ChangeAdd)
		p.Change("/made/file", container.ChangeAdd)
	})
	st.create("a", cmd("sh", "-c", "mkdir /made; echo x > /made/file"), withInit())
	st.start("a")
	st.awaitEvent("die", 1)
	changes, err := st.ContainerDiff(st.ctx, st.name("a"))
	st.must(err)
	for _, c := range changes {
		if strings.HasPrefix(c.Path, "/made") || strings.HasPrefix(c.Path, "/sbin/") {
			st.note("change %s %s", c.Kind, c.Path)
		}
	}
	slices.Sort(st.lines[len(st.lines)-3:])
	repo := "lightd/" + strings.ToLower(st.run)
	ref := repo + ":a.1"
	_, err = st.ContainerCommit(st.ctx, st.name("a"), container.CommitOptions{Reference: ref, Changes: []string{"USER 1000"}, Pause: true})
	st.outcome("commit", err)
	st.showImage(ref)
	found, err := st.ImageList(st.ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("reference", repo))})
	st.must(err)
	for _, i := range found {
		st.note("listed %v labels=%d created=%t", i.RepoTags, len(i.Labels), i.Created > 0)
	}
	config := sleeping()
	config.Image = ref
	st.create("b", config, plainHost())
	st.inspect("b")
	st.removeImage(ref)
	st.outcome("tag", st.ImageTag(st.ctx, ref, repo+":other"))
	st.outcome("tag", st.ImageTag(st.ctx, repo+":nope", repo+":other"))
	st.removeImage(repo + ":other")
	st.remove("b", true)
	saved := st.saveImage(ref)
	_, err = st.ImageSave(st.ctx, []string{repo + ":nope"})
	st.note("save of what is not there: %t", err != nil)
	st.removeImage(ref)
	st.note("a load of half of it: %t", st.loadImage(saved[:len(saved)/2]) != nil)
	st.showImage(ref)
	st.note("load: %v", st.loadImage(saved))
	st.showImage(ref)
	st.removeImage(ref)
	st.removeImage(ref)
	st.showImage(ref)
}

func (st *stage) saveImage(ref string) []byte {
	body, err := st.ImageSave(st.ctx, []string{ref})
	st.must(err)
	defer body.Close()
	archive, err := io.ReadAll(body)
	st.must(err)
	return archive
}

// loadImage returns the error that is in the answer.
func (st *stage) loadImage(archive []byte) error {
	answer, err := st.ImageLoad(st.ctx, bytes.NewReader(archive), client.ImageLoadWithQuiet(true))
	st.must(err)
	defer answer.Body.Close()
	for decoder := json.NewDecoder(answer.Body); ; {
		var m jsonmessage.JSONMessage
		if err := decoder.Decode(&m); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil || m.Error != nil {
			return errors.Join(err, m.Error)
		}
	}
}

func (st *stage) showImage(ref string) {
	i, err := st.ImageInspect(st.ctx, ref)
	if err != nil {
		st.outcome("inspect image", err)
		return
	}
	st.note("image %v user=%q cmd=%q labels=%v os=%s", i.RepoTags, i.Config.User, i.Config.Cmd, i.Config.Labels, i.Os)
}

func (st *stage) removeImage(ref string) {
	done, err := st.ImageRemove(st.ctx, ref, image.RemoveOptions{PruneChildren: true})
	st.outcome("remove image", err)
	for _, d := range done {
		if d.Untagged != "" {
			st.note("untagged %s", d.Untagged)
		}
	}
	st.note("deleted %t", slices.ContainsFunc(done, func(d image.DeleteResponse) bool { return d.Deleted != "" }))
}

// pulls changes nothing, so that it can run beside other tests of the same engine.
func pulls(st *stage) {
	const nobody = "127.0.0.1:1/nobody/there:latest"
	refs := []string{nobody}
	if registry := os.Getenv("LIGHTD_TEST_REGISTRY"); registry != "" {
		if st.side.sim != nil {
			st.side.sim.Publish(registry+"/"+busybox, simengine.Remote{})
		}
		refs = append(refs, registry+"/lightd-test/busybox:nosuch", registry+"/nosuch/image:latest")
	}
	for _, ref := range refs {
		body, err := st.ImagePull(st.ctx, ref, image.PullOptions{})
		st.outcome("pull", err)
		if err == nil {
			_ = body.Close()
		}
		st.showImage(ref)
	}
}
