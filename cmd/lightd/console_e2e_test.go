package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
)

// counting prints numbered lines to both outputs, a few hundred a second, and writes how
// far it is into its volume. Asked to stop, it tells how many there were.
const counting = `read run < runs; run=$((run+1)); echo $run > runs; i=0; stop=
trap 'stop=1' TERM
while [ -z \"$stop\" ]; do
	for j in 1 2 3 4 5; do echo \"run $run out $i\"; echo \"run $run err $i\" >&2; i=$((i+1)); done
	echo $run $i > at; sleep 0.03
done
echo \"run $run out $i ended\"; echo \"run $run err $i ended\" >&2`

var counted = regexp.MustCompile(`^run (\d+) (out|err) (\d+)( ended)?$`)

// numbered is a line of counting.
type numbered struct {
	output  string
	run, at int
	ended   bool
}

func parseNumbered(line string) (numbered, bool) {
	m := counted.FindStringSubmatch(strings.TrimSuffix(line, "\r"))
	if m == nil {
		return numbered{}, false
	}
	run, _ := strconv.Atoi(m[1])
	at, _ := strconv.Atoi(m[3])
	return numbered{output: m[2], run: run, at: at, ended: m[4] != ""}, true
}

// viewer follows a container that counts, and leaves and comes back.
type viewer struct {
	*node
	id, path string
	ws       *recorder
	position string
	text     strings.Builder
}

// counter makes a container that counts once it is started.
func (n *node) counter(id string, tty bool) *viewer {
	n.t.Helper()
	volume, path := n.volume()
	if err := os.WriteFile(filepath.Join(path, "runs"), []byte("0\n"), 0o666); err != nil {
		n.t.Fatal(err)
	}
	script := strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(counting)
	n.send("POST", "/containers", spec(id, volume, fmt.Sprintf(`"tty":%v,"stop":{"signal":"SIGTERM","timeout":"20s"},"startup_command":"%s"`, tty, script))).want(201, "")
	n.until(id, "installed", installed)
	return &viewer{node: n, id: id, path: path}
}

// at is how far the program is.
func (v *viewer) at() (run, at int) {
	data, _ := os.ReadFile(filepath.Join(v.path, "at")) // there is none before the first run
	_, _ = fmt.Sscan(string(data), &run, &at)           // and nothing in it while it is written
	return run, at
}

// goesOn waits until the program has printed more lines, of that run at least.
func (v *viewer) goesOn(run int) {
	v.t.Helper()
	first := -1
	poll(v.t, func() error {
		now, at := v.at()
		if now >= run && first < 0 {
			first = at
		}
		if now < run || at < first+50 {
			return fmt.Errorf("%s is at line %d of run %d, and was at %d", v.id, at, now, first)
		}
		return nil
	})
}

func (v *viewer) enter() {
	v.t.Helper()
	query := ""
	if v.position != "" {
		query = "?since=" + v.position
	}
	v.ws = v.record("/ws/" + v.id + query)
}

// sees waits until the viewer was told more lines of that run than are printed now.
func (v *viewer) sees(run int) {
	v.t.Helper()
	now, at := v.at()
	if now < run {
		at = 0
	}
	v.ws.await(fmt.Sprintf("line %d of run %d", at+50, run), func(m message) bool {
		for line := range strings.Lines(m.Data) {
			if c, ok := parseNumbered(strings.TrimSuffix(line, "\n")); ok && c.output == "out" && c.run >= run && c.at >= at+50 {
				return true
			}
		}
		return false
	})
}

// leave keeps what was told.
func (v *viewer) leave() {
	v.t.Helper()
	for _, m := range v.ws.leave() {
		switch {
		case m.Event == "console":
			v.text.WriteString(m.Data)
			v.position = m.Position
		case m.Event == "daemon_message" && !strings.HasPrefix(m.Data, "Server "):
			v.t.Errorf("%s was told %q", v.id, m.Data)
		}
	}
}

// wantAll fails the test unless the text has each number once and in order, of each output
// and each run, and every run but the last one to its end.
func (v *viewer) wantAll(runs int) {
	v.t.Helper()
	next := map[string]numbered{"out": {run: 1}, "err": {run: 1}}
	for number, line := range strings.Split(v.text.String(), "\n") {
		c, ok := parseNumbered(line)
		if !ok {
			// The shell has a word for a sleep that the signal has ended too.
			if line != "" && strings.TrimSuffix(line, "\r") != "Terminated" {
				v.t.Fatalf("%s: line %d is %q", v.id, number, line)
			}
			continue
		}
		want := next[c.output]
		if c.run != want.run || c.at != want.at {
			v.t.Fatalf("%s: line %d is %q, want %d of run %d", v.id, number, line, want.at, want.run)
		}
		if c.ended {
			next[c.output] = numbered{run: c.run + 1}
		} else {
			next[c.output] = numbered{run: c.run, at: c.at + 1}
		}
	}
	for output, n := range next {
		if n.run != runs {
			v.t.Errorf("%s: %s is in run %d, want %d", v.id, output, n.run, runs)
		}
	}
	v.t.Logf("%s: %d bytes", v.id, v.text.Len())
}

// TestConsoleAcrossEverything follows two containers, with and without a terminal, across
// connections that end, restarts that are watched and that are not, a daemon that is killed,
// and a process that is restarted while no daemon is there: everything is told once.
func TestConsoleAcrossEverything(t *testing.T) {
	t.Parallel()
	n, d := newNode(t), newDocker(t)
	both := []*viewer{n.counter("e2e-count-tty", true), n.counter("e2e-count", false)}
	each := func(steps ...func(*viewer)) {
		t.Helper()
		for _, step := range steps {
			for _, v := range both {
				step(v)
			}
		}
	}
	power := func(action string) func(*viewer) {
		return func(v *viewer) { n.send("POST", "/containers/"+v.id+"/"+action, "").want(200, "") }
	}
	sees := func(run int) func(*viewer) { return func(v *viewer) { v.sees(run) } }
	goesOn := func(run int) func(*viewer) { return func(v *viewer) { v.goesOn(run) } }

	each((*viewer).enter, power("start"), sees(1), (*viewer).leave, goesOn(1), (*viewer).enter, sees(1))
	n.crash()
	each((*viewer).leave, goesOn(1))
	n.start()
	each((*viewer).enter, sees(1), power("restart"), sees(2), (*viewer).leave)
	each(power("restart"), goesOn(3), (*viewer).enter, sees(3))
	n.crash()
	each((*viewer).leave, func(v *viewer) {
		ctx, cancel := d.bounded()
		defer cancel()
		within := 20
		if err := d.ContainerRestart(ctx, "lightd-"+v.id, container.StopOptions{Timeout: &within}); err != nil {
			t.Fatal(err)
		}
	}, goesOn(4))
	n.start()
	each((*viewer).enter, sees(4), (*viewer).leave, func(v *viewer) { v.wantAll(4) })
}

// TestConsoleBeginsWithTheLastLines asks for five lines of before: where the program is
// silent it is those, and where it prints there is no gap and no repetition behind them.
func TestConsoleBeginsWithTheLastLines(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	for _, tty := range []bool{true, false} {
		v := n.counter(fmt.Sprintf("e2e-tail-%v", tty), tty)
		n.send("POST", "/containers/"+v.id+"/start", "").want(200, "")
		v.goesOn(1)
		for range 5 {
			v.ws = n.record("/ws/" + v.id + "?tail=5")
			v.sees(1)
			v.text.Reset()
			v.leave()
			next := map[string]int{} // of each output
			for line := range strings.Lines(v.text.String()) {
				c, ok := parseNumbered(strings.TrimSuffix(line, "\n"))
				if want, begun := next[c.output]; !ok || begun && c.at != want {
					t.Fatalf("%s: got %q, want line %d, in %q", v.id, line, want, v.text.String())
				}
				next[c.output] = c.at + 1
			}
		}
	}
}

// TestConsoleTail: of a program that is silent, the last lines come, and then what it prints.
// A script of an installation is followed like a program.
func TestConsoleTail(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	volume, path := n.volume()
	id := "e2e-tail"
	n.send("POST", "/containers", spec(id, volume, `"power":"running","tty":false,"start_pattern":"^20$",
		"install_script":"until [ -e go ]; do sleep 0.02; done; for i in 1 2 3; do echo step $i; echo trouble $i >&2; done; printf 'without an end'",
		"startup_command":"seq 1 20; exec cat"`)).want(201, "")
	ws := n.record("/ws/" + id)
	ws.await("the present", func(m message) bool { return m.Event == "event" })
	touch(t, path, "go")
	said := ws.await("running", func(m message) bool { return m.Event == "event" && m.Data == "running" })
	text := told(said)
	for _, want := range []string{"step 1\n", "step 2\n", "step 3\n", "trouble 1\n", "trouble 2\n", "trouble 3\n", "without an end"} {
		if strings.Count(text, want) != 1 {
			t.Errorf("%q is not once in %q", want, text)
		}
	}
	late := n.record("/ws/" + id + "?tail=5")
	late.await("the last line", func(m message) bool { return m.Event == "console" && strings.Contains(m.Data, "20\n") })
	late.say(`{"event":"send_command","command":"21\n22\n"}`)
	said = late.await("what follows", func(m message) bool { return m.Event == "console" && strings.Contains(m.Data, "22\n") })
	if got := told(said); got != "16\n17\n18\n19\n20\n21\n22\n" {
		t.Errorf("got %q", got)
	}
}

// told is the console text among said.
func told(said []message) string {
	var text strings.Builder
	for _, m := range said {
		if m.Event == "console" {
			text.WriteString(m.Data)
		}
	}
	return text.String()
}

func touch(t testing.TB, path, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(path, name), nil, 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestConsoleInputOfMany has four clients write at once to a program that repeats what it
// reads: every line arrives whole, and those of each client in its order.
func TestConsoleInputOfMany(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	for _, tty := range []bool{true, false} {
		id := fmt.Sprintf("e2e-input-%v", tty)
		volume, _ := n.volume()
		n.send("POST", "/containers", spec(id, volume, fmt.Sprintf(
			`"power":"running","tty":%v,"start_pattern":"^go$","startup_command":"stty -echo 2>/dev/null; echo go; exec cat"`, tty))).want(201, "")
		n.until(id, "running", running)
		const writers, count = 4, 50
		payload := strings.Repeat("abcdefgh", 40)
		reader := n.record("/ws/" + id)
		reader.await("the present", func(m message) bool { return m.Event == "event" })
		var writing sync.WaitGroup
		for w := range writers {
			ws := n.record("/ws/" + id)
			writing.Go(func() {
				for i := range count {
					ws.say(fmt.Sprintf(`{"event":"send_command","command":"%d %d %s\n"}`, w, i, payload))
				}
			})
		}
		writing.Wait()
		var text string
		poll(t, func() error {
			said, _ := reader.all()
			if text = told(said); strings.Count(text, "\n") < writers*count {
				return fmt.Errorf("%d lines of %d", strings.Count(text, "\n"), writers*count)
			}
			return nil
		})
		var next [writers]int
		for line := range strings.Lines(text) {
			var w, i int
			var rest string
			if _, err := fmt.Sscan(line, &w, &i, &rest); err != nil || rest != payload || w >= writers || next[w] != i {
				t.Fatalf("%s: got %q, the next ones are %v", id, line, next)
			}
			next[w]++
		}
	}
}

// TestConsoleInputThatNobodyReads: whoever writes to a program that is not there, or that
// never reads, is told so.
func TestConsoleInputThatNobodyReads(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	id := "e2e-deaf"
	volume, _ := n.volume()
	n.send("POST", "/containers", spec(id, volume, `"startup_command":"echo up; exec sleep 1000"`)).want(201, "")
	n.until(id, "installed", installed)
	ws := n.record("/ws/" + id)
	refused := func(why string) func(message) bool {
		return func(m message) bool { return m.Event == "daemon_message" && m.Data == "Error: "+why }
	}
	ws.say(`{"event":"send_command","command":"hello\n"}`)
	ws.await("a refusal", refused("container is not running"))
	n.send("POST", "/containers/"+id+"/start", "").want(200, "")
	n.until(id, "running", running)
	// More than all the buffers on the way hold.
	command := fmt.Sprintf(`{"event":"send_command","command":"%s"}`, strings.Repeat(strings.Repeat("x", 4000)+`\n`, 15))
	began := time.Now()
	for range 30 {
		ws.say(command)
	}
	ws.await("the truth", refused("program does not read its input"))
	t.Logf("told after %v", time.Since(began))
	if !running(n.get(id)) {
		t.Error("it is no longer running")
	}
}

// TestStartPatternPrintedToNobody kills the daemon between the two halves of the line that
// is waited for. A line that never comes is waited for since the start, whichever daemon asks.
func TestStartPatternPrintedToNobody(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	paths := map[string]string{}
	for id, tty := range map[string]bool{"e2e-ready-tty": true, "e2e-ready": false, "e2e-never": false} {
		var volume string
		volume, paths[id] = n.volume()
		n.send("POST", "/containers", spec(id, volume, fmt.Sprintf(`"power":"running","tty":%v,"start_pattern":"^all is (ready|well)\\.$",
			"startup_command":"printf 'all is '; touch half; until [ -e go ]; do sleep 0.02; done; echo ready.; touch printed; exec sleep 1000"`, tty))).want(201, "")
	}
	waits := func(c view) bool { return c.State == "starting" && c.reason("Running", "False") == "WaitingForPattern" }
	since := func(c view) time.Time {
		for _, cond := range c.Conditions {
			if cond.Type == "Running" {
				return cond.LastTransitionTime
			}
		}
		return time.Time{}
	}
	before := n.until("e2e-never", "waiting", waits)
	if since(before).IsZero() {
		t.Errorf("since when is not told: %+v", before)
	}
	await := func(path string) {
		t.Helper()
		poll(t, func() error { _, err := os.Stat(path); return err })
	}
	for id, path := range paths {
		n.until(id, "waiting", waits)
		await(filepath.Join(path, "half"))
	}
	n.crash()
	for id, path := range paths {
		if id != "e2e-never" {
			touch(t, path, "go")
			await(filepath.Join(path, "printed"))
		}
	}
	n.start()
	n.until("e2e-ready", "running", running)
	n.until("e2e-ready-tty", "running", running)
	if after := n.until("e2e-never", "waiting still", waits); !since(after).Equal(since(before)) {
		t.Errorf("it waited since %v, and now since %v", since(before), since(after))
	}
}

// TestConsole reads, writes and measures over the WebSocket.
func TestConsole(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	volume, _ := n.volume()
	id := "e2e-console"
	n.send("POST", "/containers", spec(id, volume, `"limits":{"memory":67108864},"start_pattern":"Listening on port \\d+",
		"startup_command":"echo Listening on port 80; while read line; do echo \"heard $line\"; done",
		"install_script":"echo installing it"`)).want(201, "")
	ws := n.record("/ws/" + id)
	n.until(id, "installed", installed)
	ws.say(`{"event":"power","action":"start"}`)
	ws.await("running", func(m message) bool { return m.Event == "event" && m.Data == "running" })
	ws.say(`{"event":"send_command","command":"hi there\n"}`)
	ws.await("an answer", func(m message) bool { return m.Event == "console" && strings.Contains(m.Data, "heard hi there") })
	n.send("POST", "/containers/"+id+"/command", `{"command":"over REST"}`).want(200, "Command sent")
	ws.await("an answer to that", func(m message) bool { return m.Event == "console" && strings.Contains(m.Data, "heard over REST") })
	ws.say(`{"event":"request_logs","lines":50}`)
	ws.await("logs", func(m message) bool { return m.Event == "logs" && strings.Contains(m.Data, "Listening on port 80") })
	ws.await("stats", func(m message) bool { return m.Event == "stats" && m.Memory > 0 && m.Limit == 67108864 })
	ws.say(`{"event":"dance"}`)
	ws.await("a refusal", func(m message) bool { return m.Event == "daemon_message" && strings.HasPrefix(m.Data, "Error: ") })
	ws.say(`{"event":"power","action":"kill"}`)
	ws.await("exit", func(m message) bool { return m.Event == "event" && m.Data == "exit" })
	n.until(id, "killed", offline)
	n.send("POST", "/containers/"+id+"/command", `{"command":"late"}`).want(409, `"state":"offline"`)
	said, err := ws.all()
	if err != nil {
		t.Errorf("the connection ended: %v", err)
	}
	if got := words(said); !slices.Equal(got[len(got)-3:], []string{"running", "stopping", "exit"}) {
		t.Errorf("told %v", got)
	}
	n.delete(id)
}
