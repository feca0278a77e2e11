package console

import (
	"os"
	"strings"
	"testing"
	"time"

	"lightd/hack/eventually"
	"lightd/hack/harness"
	"lightd/observed/replay"
	"lightd/observed/startpattern"
	"lightd/observed/streams"
)

// damage leaves NUL bytes at the end of a container's log.
func damage(t *testing.T, x streams.Target) {
	t.Helper()
	c, err := harness.Docker(t).ContainerInspect(t.Context(), x.ContainerID)
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.OpenFile(c.LogPath, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Skipf("the engine's files cannot be written from here: %v", err)
	}
	defer log.Close()
	if _, err := log.Write(make([]byte, 300)); err != nil {
		t.Fatal(err)
	}
}

// awaitLog reads the log until it ends with a line, and returns the position behind that.
func awaitLog(t *testing.T, r *real, from From, line string) (behind replay.Position) {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < eventually.Bound; time.Sleep(20 * time.Millisecond) {
		found := false
		err := r.History(t.Context(), id, from, func(c Chunk) error {
			found = strings.HasSuffix(strings.TrimRight(c.Text, "\r\n"), line)
			behind, _ = replay.ParsePosition(c.Position)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if found {
			return behind
		}
	}
	t.Fatalf("the log never ends with %q: %q", line, past(t, r.Console, from))
	return behind
}

// TestEngineDamagedLog damages the log of a real container as a power cut does, between the lines
// of two runs.
func TestEngineDamagedLog(t *testing.T) {
	bothKinds(t, func(t *testing.T, tty bool) {
		r := onEngine(t)
		x := r.create(tty, `if [ -e /again ]; then for i in 1 2 3 4 5; do echo new $i; done
			else touch /again; seq 2000 | sed 's/^/old /'; fi; sleep 1000`)
		r.start(x)
		from := awaitLog(t, r, From{Lines: 3}, "old 2000")
		r.kill(x)
		damage(t, x)
		c := r.start(x)
		awaitLog(t, r, From{Lines: 3}, "new 5")
		for name, c := range map[string]struct {
			from From
			want string
		}{
			"last lines behind the damage": {From{Lines: 3}, "new 3\nnew 4\nnew 5\n"},
			"last lines around it":         {From{Lines: 6}, "old 1999\nold 2000\n[" + replay.NoticeDamaged + "]new 2\nnew 3\nnew 4\nnew 5\n"},
			"since a position before it":   {From{Since: from}, "[" + replay.NoticeDamaged + "]new 2\nnew 3\nnew 4\nnew 5\n"},
		} {
			if got := strings.ReplaceAll(past(t, r.Console, c.from), "\r", ""); got != c.want {
				t.Errorf("%s: %q", name, got)
			}
		}
		if err := r.Expect(id, x, startpattern.Run{StartedAt: c.StartedAt}, "^new 2$"); err != nil {
			t.Fatal(err)
		}
		<-r.changed
		if !r.Matched(id, x.ContainerID, c.StartedAt) {
			t.Error("the start pattern behind the damage is not found")
		}
	})
}
