package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"lightd/hack/eventually"
	"lightd/hack/harness"
	"lightd/hack/smalldisk"
)

func TestMain(m *testing.M) { eventually.Main(m) }

var wide = Limits{MaxSize: 1 << 30, MaxAge: time.Hour, MaxFiles: 1000}

func open(t *testing.T, dir string, l Limits) (*Log, *harness.Buffer) {
	t.Helper()
	out := &harness.Buffer{}
	log := Open(Config{Output: ToFile, DataDir: dir, Limits: l, Log: slog.New(slog.NewTextHandler(out, nil))})
	t.Cleanup(func() { _ = log.Close() })
	return log, out
}

// read returns all lines in a data directory.
func read(t *testing.T, dir string) (all []Entry) {
	t.Helper()
	if err := Read(t.Context(), dir, false, func(e Entry) error { all = append(all, e); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestLine(t *testing.T) {
	at := time.Date(2026, 11, 29, 5, 10, 0, 123456789, time.FixedZone("", 3600))
	uid := uint32(0)
	cases := []struct {
		name, want string
		line       Line
	}{
		{"a write", `{"time":"2026-11-29T04:10:00.123456789Z","event":"write","request_id":"5f0c","token":"9d1f","token_name":"billing","certificate":"panel","remote":"192.0.2.7",` +
			`"method":"PATCH","route":"/containers/:id","container":"web","changes":[{"container":"web","action":"updated","generation_before":3,"generation":4}],"status":200,"duration_ms":4.25}`, Line{
			Time: at, Event: EventWrite, RequestID: "5f0c", Who: Who{Token: "9d1f", TokenName: "billing", Certificate: "panel", Remote: "192.0.2.7"}, Method: "PATCH",
			Record: Record{Route: "/containers/:id", Container: "web", Changes: []Change{{"web", "updated", 3, 4}}}, Status: 200, Duration: 4.25}},
		{"a creation by root on a unix socket", `{"time":"2026-11-29T04:10:00.123456789Z","event":"write","token":"master","uid":0,"pid":7,"remote":"unix","method":"POST","route":"/containers",` +
			`"changes":[{"container":"web","action":"created","generation_before":0,"generation":1}],"dry_run":true,"status":200}`, Line{
			Time: at, Event: EventWrite, Who: Who{Token: "master", UID: &uid, PID: 7, Remote: "unix"}, Method: "POST",
			Record: Record{Route: "/containers", Changes: []Change{{"web", "created", 0, 1}}, DryRun: true}, Status: 200}},
		{"what would break a line", `{"time":"2026-11-29T04:10:00.123456789Z","event":"input","bytes":9,"text":"a\n\u001b]0;b\u0007\ufffd"}`, Line{
			Time: at, Event: EventInput, Bytes: 9, Text: "a\n\x1b]0;b\x07\xff"}},
		{"ports", `{"time":"2026-11-29T04:10:00.123456789Z","event":"write","method":"POST","route":"/network/ports","port":"0.0.0.0:1/tcp","ports":2,"code":"port_exists","status":409}`, Line{
			Time: at, Event: EventWrite, Method: "POST", Record: Record{Route: "/network/ports", Port: "0.0.0.0:1/tcp", Ports: 2, Code: "port_exists"}, Status: 409}},
		{"a count", `{"time":"2026-11-29T04:10:00.123456789Z","event":"denied","code":"unauthorized","status":401,"count":9,"since":"2026-11-29T04:09:59.123456789Z"}`, Line{
			Time: at, Event: EventDenied, Record: Record{Code: "unauthorized"}, Status: 401, Count: 9, Since: at.Add(-time.Second)}},
	}
	for _, c := range cases {
		if got := string(c.line.encode()); got != c.want+"\n" {
			t.Errorf("%s:\n got %s want %s", c.name, got, c.want)
		}
	}
}

// TestRotationUnderConcurrentWrites: every line of all writers is in the files once and whole, in the order of
// its writer, and a reader that follows gets the same.
func TestRotationUnderConcurrentWrites(t *testing.T) {
	const writers, each, size = 8, 400, 8 << 10
	dir := t.TempDir()
	log, out := open(t, dir, Limits{MaxSize: size, MaxAge: time.Hour, MaxFiles: 1000})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	followed := make(chan map[string]int, 1)
	go func() {
		count, total := map[string]int{}, 0
		err := Read(ctx, dir, true, func(e Entry) error {
			if e.Err != nil || e.Count != count[e.RequestID]+1 {
				t.Errorf("the reader got %s %v after %d", e.Raw, e.Err, count[e.RequestID])
			}
			count[e.RequestID]++
			if total++; total == writers*each {
				cancel()
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		followed <- count
	}()
	var gone sync.WaitGroup
	for w := range writers {
		gone.Go(func() {
			for i := range each {
				log.Write(Line{Time: time.Now(), Event: EventWrite, RequestID: fmt.Sprint("w", w), Count: i + 1})
			}
		})
	}
	gone.Wait()
	count := map[string]int{}
	for _, e := range read(t, dir) {
		if e.Err != nil || e.Count != count[e.RequestID]+1 {
			t.Fatalf("%s %v after %d", e.Raw, e.Err, count[e.RequestID])
		}
		count[e.RequestID]++
	}
	seen := <-followed
	for w := range writers {
		if id := fmt.Sprint("w", w); count[id] != each || seen[id] != each {
			t.Errorf("of %d lines of %s there are %d, and %d were followed", each, id, count[id], seen[id])
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, Dir, "*"))
	if err != nil || len(files) < 10 {
		t.Errorf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		if info, err := os.Lstat(f); err != nil || info.Size() > size || info.Mode() != 0o600 {
			t.Errorf("%s: %v %v", f, info, err)
		}
	}
	if log.Lost() > 0 || out.String() != "" {
		t.Errorf("%d lost: %s", log.Lost(), out)
	}
}

// TestFilesAreBounded: by size and by age, and the oldest are removed. An earlier run's files count.
func TestFilesAreBounded(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	for run := range 3 {
		f := &file{dataDir: dir, limits: Limits{MaxSize: 300, MaxAge: time.Hour, MaxFiles: 3}, now: func() time.Time { return now }}
		for i := range 10 {
			if err := f.write(Line{Time: now, Event: EventWrite, RequestID: fmt.Sprint(run, ".", i), Text: strings.Repeat("x", 50)}.encode()); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.close(); err != nil {
			t.Fatal(err)
		}
	}
	names := func() string {
		files, _ := filepath.Glob(filepath.Join(dir, Dir, "*"))
		for i := range files {
			files[i] = filepath.Base(files[i])
		}
		return strings.Join(files, " ")
	}
	if got := names(); got != "audit-00000013.jsonl audit-00000014.jsonl audit.jsonl" {
		t.Errorf("got %s", got)
	}
	all := read(t, dir)
	if last := all[len(all)-1]; last.RequestID != "2.9" || all[0].Err != nil {
		t.Errorf("got %s to %s", all[0].Raw, last.Raw)
	}
	f := &file{dataDir: dir, limits: Limits{MaxSize: 1 << 20, MaxAge: time.Hour, MaxFiles: 3}, now: func() time.Time { return now }}
	defer f.close()
	for _, passed := range []time.Duration{0, 59 * time.Minute, 61 * time.Minute} {
		moment := now.Add(passed)
		f.now = func() time.Time { return moment }
		if err := f.write(Line{Time: moment}.encode()); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(); got != "audit-00000014.jsonl audit-00000015.jsonl audit.jsonl" {
		t.Errorf("after an hour: %s", got)
	}
}

// TestFloodIsCounted: one source takes a line at once, and then fewer and fewer; many sources share lines.
func TestFloodIsCounted(t *testing.T) {
	var lines []Line
	f := newFlood(func(l Line) { lines = append(lines, l) }, 64, time.Minute)
	start := time.Now()
	const seconds, rate = 600, 100
	for i := range seconds * rate {
		now := start.Add(time.Duration(i) * time.Second / rate)
		f.flush(now, false)
		f.add("192.0.2.7", Line{Time: now, Event: EventDenied, Who: Who{Remote: "192.0.2.7"}, Status: 401})
	}
	f.flush(start.Add(seconds*time.Second), true)
	total := 0
	for i, l := range lines {
		if i > 0 && i < len(lines)-1 && l.Time.Sub(lines[i-1].Time) < narrowest-time.Second/rate {
			t.Errorf("line %d comes %s after the one before", i, l.Time.Sub(lines[i-1].Time))
		}
		total += max(1, l.Count)
	}
	if total != seconds*rate || len(lines) > 20 || lines[0].Count != 0 || lines[1].Since.IsZero() {
		t.Errorf("%d requests in %d lines: %+v", total, len(lines), lines)
	}
	lines = nil
	f.flush(start.Add(time.Hour), false)
	if len(f.sources) != 0 {
		t.Errorf("%d sources are kept", len(f.sources))
	}
	for i := range 10000 {
		f.add(fmt.Sprint("2001:db8::", i), Line{Time: start, Event: EventDenied, Who: Who{Remote: fmt.Sprint("2001:db8::", i)}, Status: 401, Record: Record{Container: "web"}})
	}
	f.flush(start.Add(narrowest), false)
	last := lines[len(lines)-1]
	if len(lines) != 65 || last.Count != 10000-64 || last.Remote != "" || last.Container != "" || last.Status != 401 || len(f.sources) > 65 {
		t.Errorf("%d lines, the last one %+v", len(lines), last)
	}
}

// TestFullDisk: nothing waits or fails for a disk that is full; there is room for lines, those that are lost
// are counted, and no line is torn.
func TestFullDisk(t *testing.T) {
	dir := smalldisk.Tmpfs(t, 16)
	log, out := open(t, dir, wide)
	written := 0
	write := func() {
		written++
		log.Write(Line{Time: time.Now(), Event: EventWrite, RequestID: fmt.Sprint(written), Text: strings.Repeat("x", 1000)})
	}
	write()
	release := smalldisk.Fill(t, dir, 0)
	for range 400 {
		write()
	}
	if log.Lost() != 0 {
		t.Errorf("the room that was allocated does not do: %s", out)
	}
	for range 2000 {
		write()
	}
	lost := log.Lost()
	if lost == 0 || !strings.Contains(out.String(), "no space left") {
		t.Errorf("%d lines are lost: %s", lost, out)
	}
	release()
	write()
	if log.Lost() != 0 || !strings.Contains(out.String(), "level=WARN") {
		t.Errorf("%d lines are lost: %s", log.Lost(), out)
	}
	all := read(t, dir)
	counted, lines := 0, 0
	for i, e := range all {
		switch {
		case e.Err != nil:
			t.Errorf("line %d of %d: %.200s %v", i, len(all), e.Raw, e.Err)
		case e.Event == EventLost:
			counted += e.Count
		default:
			lines++
		}
	}
	if lines+counted != written || all[len(all)-2].Event != EventLost || strings.Count(out.String(), "\n") > 4 {
		t.Errorf("%d lines and %d that were lost, of %d that were written: %s", lines, counted, written, out)
	}
}

// TestStartOnAFullDisk: the audit begins when there is room.
func TestStartOnAFullDisk(t *testing.T) {
	dir := smalldisk.Tmpfs(t, 1)
	release := smalldisk.Fill(t, dir, 0)
	log, _ := open(t, dir, wide)
	log.Write(Line{Time: time.Now(), Event: EventWrite})
	if log.Lost() == 0 {
		t.Skip("this disk has room for a line when it is full")
	}
	release()
	log.Write(Line{Time: time.Now(), Event: EventWrite})
	if all := read(t, dir); len(all) != 2 || all[0].Event != EventLost {
		t.Errorf("%d lines", len(all))
	}
}

// TestLinksAreNotFollowed: what is planted in place of a file or of the directory is neither followed nor
// waited for.
func TestLinksAreNotFollowed(t *testing.T) {
	for name, plant := range map[string]func(dir, target string) error{
		"a link":    func(dir, target string) error { return os.Symlink(target, filepath.Join(dir, Dir, current)) },
		"a link in": func(dir, _ string) error { return os.Symlink("other", filepath.Join(dir, Dir, current)) },
		"a FIFO":    func(dir, _ string) error { return syscall.Mkfifo(filepath.Join(dir, Dir, current), 0o600) },
		"a folder":  func(dir, _ string) error { return os.Mkdir(filepath.Join(dir, Dir, current), 0o700) },
		"the folder": func(dir, target string) error {
			return errors.Join(os.Remove(filepath.Join(dir, Dir)), os.Symlink(filepath.Dir(target), filepath.Join(dir, Dir)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, elsewhere := t.TempDir(), t.TempDir()
			target := filepath.Join(elsewhere, current)
			if err := errors.Join(os.WriteFile(target, []byte("untouched"), 0o644), os.Mkdir(filepath.Join(dir, Dir), 0o700), plant(dir, target)); err != nil {
				t.Fatal(err)
			}
			log, _ := open(t, dir, wide)
			log.Write(Line{Time: time.Now(), Event: EventWrite})
			if text, err := os.ReadFile(target); err != nil || string(text) != "untouched" {
				t.Errorf("it was followed: %s %v", text, err)
			}
			if log.Lost() != 1 {
				t.Errorf("%d lines are lost", log.Lost())
			}
			if err := Read(t.Context(), dir, false, func(Entry) error { return nil }); err == nil {
				t.Error("it is read")
			}
		})
	}
}

// TestFileMovedAway: what some tool has renamed or removed is made again, and a line that a power loss has cut
// off spoils none after it.
func TestFileMovedAway(t *testing.T) {
	dir := t.TempDir()
	log, _ := open(t, dir, wide)
	path := filepath.Join(dir, Dir, current)
	for i, spoil := range []func() error{
		func() error { return nil },
		func() error { return os.Rename(path, path+".1") },
		func() error { return os.Remove(path) },
		func() error { return os.WriteFile(path, []byte(`{"time":"20`), 0o644) }, // in place, by another handle
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if i == 3 {
			if err := log.Close(); err != nil {
				t.Fatal(err)
			}
			log = Open(Config{Output: ToFile, DataDir: dir, Limits: wide, Log: slog.New(slog.DiscardHandler)})
			defer log.Close()
		}
		log.Write(Line{Time: time.Now(), Event: EventWrite, Count: i})
		text, err := os.ReadFile(path)
		if err != nil || !strings.HasSuffix(string(text), fmt.Sprintf("\"event\":\"write\"%s}\n", map[bool]string{true: fmt.Sprintf(`,"count":%d`, i)}[i > 0])) {
			t.Errorf("after %d: %q %v", i, text, err)
		}
	}
	if all := read(t, dir); len(all) != 2 || all[0].Err == nil || all[1].Count != 3 {
		t.Errorf("%d lines", len(all))
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

// TestStalledStandardOutput: nobody waits for who reads the lines.
func TestStalledStandardOutput(t *testing.T) {
	synctest.Test(t, stalledStandardOutput)
}

func stalledStandardOutput(t *testing.T) {
	out, in := io.Pipe()
	log := Open(Config{Output: ToStdout, Stdout: in, Log: slog.New(slog.DiscardHandler)})
	for i := range maxQueued + 100 {
		log.Write(Line{Time: time.Now(), Event: EventWrite, Count: i + 1})
	}
	if lost := log.Lost(); lost < 90 || lost > 100 {
		t.Errorf("%d lines are lost", lost)
	}
	ended := make(chan error, 1)
	go func() { ended <- log.Close() }()
	decoder := json.NewDecoder(out)
	for i := range maxQueued {
		var line Line
		if err := decoder.Decode(&line); err != nil || line.Count != i+1 {
			t.Fatalf("%d: %+v %v", i, line, err)
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	_ = in.Close()
	if log := Open(Config{Output: Off}); log != nil {
		t.Error("it is not off")
	}
	var off *Log
	off.Write(Line{})
	off.Denied("", Line{})
	off.Input("", Line{}, "")
	if err := off.Close(); err != nil || off.Lost() != 0 {
		t.Error(err)
	}
}
