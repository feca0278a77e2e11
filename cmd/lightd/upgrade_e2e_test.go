package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"lightd/hack/harness"
	"lightd/httpapi/api"
	"lightd/httpapi/client"
	"lightd/observed/journal"
)

// buildPrevious builds the program of the revision LIGHTD_PREVIOUS (HEAD^), out of what the repository and
// the module cache have.
func buildPrevious(t *testing.T) (binary string) {
	t.Helper()
	revision := cmp.Or(os.Getenv("LIGHTD_PREVIOUS"), "HEAD^")
	dir := t.TempDir()
	source, binary := filepath.Join(dir, "source"), filepath.Join(dir, "lightd")
	archive := filepath.Join(dir, "source.tar")
	command := func(in, name string, args ...string) {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir, cmd.Env = in, append(os.Environ(), "GOPROXY=off")
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build revision %q, which this test upgrades from (it needs a clone with history; LIGHTD_PREVIOUS names another revision): %s %v: %v\n%s",
				revision, name, args, err, said)
		}
	}
	if err := os.Mkdir(source, 0o700); err != nil {
		t.Fatal(err)
	}
	top := strings.TrimSpace(string(harness.Value[[]byte](t)(exec.Command("git", "rev-parse", "--show-toplevel").Output())))
	command(top, "git", "archive", "--output", archive, revision)
	command(source, "tar", "-xf", archive)
	command(source, "go", "build", "-tags", "nomsgpack", "-trimpath", "-buildvcs=false", "-o", binary, "./cmd/lightd")
	return binary
}

// printing is a program that prints a line with its number every 10 ms.
const printing = `i=0; while :; do i=$((i+1)); echo \"line $i\"; sleep 0.01; done`

// onlookers are clients of the daemon that stay while it is replaced.
type onlookers struct {
	t   *testing.T
	ids []string

	mu sync.Mutex
	// These are guarded by mu. text is the output of each container.
	text    map[string]string
	events  []journal.Event
	changes []api.WatchEvent
	failed  []error
}

// follow opens a console of each container, the events of the node and a watch.
func follow(t *testing.T, url, token string, ids ...string) *onlookers {
	t.Helper()
	c, err := client.New(client.Config{URL: url, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	o := &onlookers{t: t, ids: ids, text: map[string]string{}}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	t.Cleanup(func() { cancel(); all.Wait() })
	note := func(err error, keep func()) bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		switch {
		case ctx.Err() != nil:
		case err != nil:
			o.failed = append(o.failed, err)
		default:
			keep()
		}
		return err == nil && ctx.Err() == nil
	}
	for _, id := range ids {
		all.Go(func() {
			for m, err := range c.Follow(ctx, id, client.From{After: client.Now, Tail: 10}) {
				if !note(err, func() {
					if m.Kind == api.MessageConsole {
						o.text[id] += m.Text
					}
				}) {
					return
				}
			}
		})
	}
	all.Go(func() {
		for e, err := range c.FollowEvents(ctx, "", 0) {
			if !note(err, func() { o.events = append(o.events, e) }) {
				return
			}
		}
	})
	all.Go(func() {
		for e, err := range c.Watch(ctx, client.Watch{}) {
			if !note(err, func() { o.changes = append(o.changes, e) }) {
				return
			}
		}
	})
	return o
}

// lines returns the complete lines of a container's output.
func (o *onlookers) lines(id string) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := strings.Split(o.text[id], "\n")
	return all[:len(all)-1]
}

// goOn waits until each console has shown 50 more lines.
func (o *onlookers) goOn() {
	o.t.Helper()
	for _, id := range o.ids {
		before := len(o.lines(id))
		poll(o.t, func() error {
			if now := len(o.lines(id)); now < before+50 {
				return fmt.Errorf("the console of %s shows %d lines, and showed %d before", id, now, before)
			}
			return nil
		})
	}
}

// seen waits until an event of a container is among the events and its state among the changes.
func (o *onlookers) seen(id string, kind journal.Type, state string) {
	o.t.Helper()
	poll(o.t, func() error {
		o.mu.Lock()
		defer o.mu.Unlock()
		event := slices.ContainsFunc(o.events, func(e journal.Event) bool { return e.InternalID == id && e.Type == kind })
		change := slices.ContainsFunc(o.changes, func(c api.WatchEvent) bool {
			return c.Container != nil && c.Container.InternalID == id && string(c.Container.State) == state
		})
		if !event || !change {
			return fmt.Errorf("the events of %s have %s: %t; the watch has shown it %s: %t", id, kind, event, state, change)
		}
		return nil
	})
}

// check holds that nothing was lost, repeated or invented. The shell of a program that is killed may still say that its
// sleep got a SIGHUP, as the terminal goes with the first process.
func (o *onlookers) check() {
	o.t.Helper()
	for _, id := range o.ids {
		first, lines := 0, o.lines(id)
		for i, line := range lines {
			if i == 0 {
				_, _ = fmt.Sscanf(line, "line %d", &first)
			}
			line = strings.TrimSuffix(line, "\r")
			if want := fmt.Sprintf("line %d", first+i); line != want && (line != "Hangup" || i < len(lines)-1) {
				o.t.Fatalf("%s: the console shows %q where %q was to come", id, line, want)
			}
		}
		o.t.Logf("%s: %d lines from line %d on", id, len(lines), first)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, err := range o.failed {
		o.t.Errorf("a stream ended: %v", err)
	}
	for i, e := range o.events {
		if i > 0 && e.Seq != o.events[i-1].Seq+1 {
			o.t.Errorf("event %d follows %d", e.Seq, o.events[i-1].Seq)
		}
	}
	added, revision := 0, uint64(0)
	for _, c := range o.changes {
		if c.Revision < revision || c.Type == api.ChangeDeleted {
			o.t.Errorf("the watch shows %s of revision %d after revision %d", c.Type, c.Revision, revision)
		}
		revision = c.Revision
		added += count(c.Type == api.ChangeAdded)
	}
	if added != len(o.ids) {
		o.t.Errorf("the watch added %d containers, and there are %d", added, len(o.ids))
	}
}

// without returns the lines of a that b lacks.
func without(a, b []string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(a), func(line string) bool { return slices.Contains(b, line) }), "")
}

// holdings are what an upgrade must leave as it is, line by line.
func (n *node) holdings(d *docker, ids ...string) []string {
	n.t.Helper()
	var b strings.Builder
	list := func(path, name string, fields ...string) {
		for _, one := range n.send("GET", path, "").want(200, "").json[name].([]any) {
			for _, field := range fields {
				fmt.Fprintf(&b, "%v ", one.(map[string]any)[field])
			}
			fmt.Fprintln(&b, name)
		}
	}
	list("/network/ports", "ports", "ip", "port", "protocol", "internal_id", "in_use")
	list("/volumes", "volumes", "volume_id", "path", "containers", "created_at")
	list("/auth/tokens", "tokens", "id", "name", "scopes", "expires_at")
	for _, id := range ids {
		c, e := n.until(id, "running", running), d.inspect("lightd-"+id)
		fmt.Fprintf(&b, "%+v\n%s started at %s, %v\n%v\n", c, e.ID, e.State.StartedAt, e.HostConfig.PortBindings, n.events(id))
		var p api.Plan
		if err := json.Unmarshal([]byte(n.send("GET", "/containers/"+id+"/plan", "").want(200, "").text), &p); err != nil {
			n.t.Fatal(err)
		}
		fmt.Fprintf(&b, "steps %v\n", kinds(&p))
	}
	return slices.Sorted(strings.Lines(b.String()))
}

// TestUpgradeInPlace replaces the program of the revision before by this one, and puts it back: containers
// run on, clients notice a reconnect, and each of the two programs goes on with what the other one wrote.
// The way back ends with a revision that raises kv.Format: the program before has to refuse its data then.
func TestUpgradeInPlace(t *testing.T) {
	t.Parallel()
	harness.NeedEngine(t)
	n, d := &node{t: t, dir: t.TempDir(), binary: buildPrevious(t)}, newDocker(t)
	t.Cleanup(n.sweep)
	port := unused(t, 3)
	listen := []string{"--listen", address(port)}
	n.start(listen...)
	n.send("POST", "/network/ports", fmt.Sprintf(`{"ip":"127.0.0.1","ports":"%d-%d"}`, port+1, port+2)).want(201, "")
	ids := []string{"e2e-upgraded-a", "e2e-upgraded-b"}
	for i, id := range ids {
		volume, _ := n.volume()
		n.send("POST", "/containers?wait=running", spec(id, volume, fmt.Sprintf(
			`"power":"running","start_pattern":"line","startup_command":"%s","ports":[{"ip":"127.0.0.1","port":%d}]`, printing, port+1+i))).want(201, `"met":true`)
	}
	token := n.send("POST", "/auth/tokens", `{"name":"panel","scopes":["read","console"],"ttl":"1h"}`).want(201, "token").json["token"].(string)
	o := follow(t, n.url, token, ids...)
	o.goOn()
	before := n.holdings(d, ids...)

	for _, binary := range []string{"", n.binary} {
		n.terminate()
		n.binary = binary
		n.start(listen...)
		o.goOn()
		if after := n.holdings(d, ids...); !slices.Equal(after, before) {
			t.Errorf("after %q was put in place of the program that had written\n%s\nthere is\n%s", binary, without(before, after), without(after, before))
		}
		for _, id := range ids {
			if steps := n.steps(id); len(steps) > 0 {
				t.Errorf("%s: the program %q took the steps %v", id, binary, steps)
			}
		}
		// What it writes is for the other one to read.
		n.send("PATCH", "/containers/"+ids[0]+"?wait=synced", fmt.Sprintf(`{"limits":{"memory":%d}}`, (64+len(binary))<<20)).want(200, `"met":true`)
		before = n.holdings(d, ids...)
	}
	n.send("POST", "/containers/"+ids[0]+"/kill", "").want(200, "")
	o.seen(ids[0], journal.Exited, "offline")
	o.check()
	n.terminate()
}
