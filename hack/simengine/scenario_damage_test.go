package simengine_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/docker/docker/api/types/container"

	"lightd/hack/simengine"
)

// damage leaves NUL bytes at the end of a container's log, as a power cut does.
func (st *stage) damage(suffix string, n int) {
	c, err := st.ContainerInspect(st.ctx, st.name(suffix))
	st.must(err)
	if st.side.sim != nil {
		st.must(st.side.sim.DamageLog(st.name(suffix), n))
		return
	}
	log, err := os.OpenFile(c.LogPath, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		st.t.Skipf("the engine's files cannot be written from here: %v", err)
	}
	_, err = log.Write(make([]byte, n))
	st.must(err)
	st.must(log.Close())
}

// damagedLog: a log whose end was lost in a power cut, and what the next run prints behind it.
func damagedLog(st *stage) {
	st.program("echo one", func(_ context.Context, p *simengine.Process) {
		_, _ = fmt.Fprint(p.Stdout(), "one\ntwo\nthree\n")
	})
	st.create("a", cmd("sh", "-c", "echo one; echo two; echo three"), plainHost())
	st.start("a")
	st.awaitEvent("die", 1)
	st.damage("a", 300)
	st.note("damaged at its end: %s", st.tail("a", "all"))
	st.note("last line: %s", st.tail("a", "1"))
	st.start("a")
	st.awaitEvent("die", 2)
	for _, lines := range []string{"1", "2", "3", "4", "5", "6", "7", "all"} {
		st.note("last %s lines: %s", lines, st.tail("a", lines))
	}
}

// tail returns the last lines of a container's log. Docker 26.1 ends some answers at a damaged place with an error that
// overtakes lines before it, and others without one: those count, and if there are none what came before the error.
func (st *stage) tail(suffix, lines string) (text string) {
	st.mu.Lock()
	noted := len(st.lines)
	st.mu.Unlock()
	for range 50 {
		st.mu.Lock()
		st.lines = st.lines[:noted]
		st.mu.Unlock()
		text = st.output(suffix, container.LogsOptions{ShowStdout: true, ShowStderr: true, Tail: lines})
		if !strings.Contains(text, "Error grabbing logs: invalid character") {
			return text
		}
	}
	text, _, _ = strings.Cut(text, " failed=")
	return text + " failed=<nil>"
}
