package console

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestQuickSubscriberPacesTheProgram: one that takes what it gets loses nothing, though the
// program could print far more at once than fits its queue.
func TestQuickSubscriberPacesTheProgram(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.see(up(time.Now()))
		s := sub(t, w)
		c := end(t, w.pipes.outputs)
		line := strings.Repeat("x", 999) + "\n"
		const lines = 20_000
		go func() {
			for range lines / 20 {
				_, _ = c.Write([]byte(strings.Repeat(line, 20)))
			}
		}()
		got, begin := 0, time.Now()
		for got < lines*len(line) {
			chunk := next(s, time.Second)
			if chunk.Lost > 0 || chunk.Text == "" {
				t.Fatalf("lost %d bytes after %d", chunk.Lost, got)
			}
			got += len(chunk.Text)
			time.Sleep(time.Duration(len(chunk.Text)) * 200 * time.Millisecond / blockUnit) // 5 MiB/s
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// TestStuckSubscriberIsNotWaitedFor: however many are stuck, they hold the program up once,
// and shortly.
func TestStuckSubscriberIsNotWaitedFor(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.see(up(time.Now()))
		for range 10 {
			sub(t, w)
		}
		c := end(t, w.pipes.outputs)
		begin := time.Now()
		for range 200 {
			if _, err := c.Write([]byte(strings.Repeat("y\n", 32<<10))); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if took := time.Since(begin); took > 4*blockTime {
			t.Errorf("the program was held up for %v", took)
		}
	})
}
