package kv

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/eventually"
)

// asWriter makes the test binary write to the database in that directory until it is killed,
// blindly without a look at the room that is left.
const (
	asWriter = "LIGHTD_TEST_STORE_WRITER"
	blindly  = "LIGHTD_TEST_STORE_BLINDLY"
)

// writeForever writes one record after the other, the next ones of those that are there, and
// tells of each on standard output when it is written, and of those that
// were refused.
func writeForever(dir string) error {
	o := Options{tune: small}
	if os.Getenv(blindly) != "" {
		o.FreeSpace = func(string) (uint64, error) { return 1 << 40, nil }
	}
	s, err := Open(dir, o)
	if err != nil {
		return err
	}
	go func() {
		for {
			_ = s.engine.badger.RunValueLogGC(0.1)
			time.Sleep(time.Millisecond)
		}
	}()
	for n := countRecords(s); ; {
		key, value := record(n)
		err := s.Update(context.Background(), func(tx *Tx) error {
			// What is written over and over fills logs, and is garbage to collect.
			for i := range 16 {
				if err := tx.Set(fmt.Appendf(nil, "g/%d", i), bytes.Repeat([]byte{byte(n)}, 1000+500*(i%2))); err != nil {
					return err
				}
			}
			return tx.Set([]byte(key), value)
		})
		switch {
		case errors.Is(err, desired.ErrDiskFull):
			fmt.Println("refused", n)
			time.Sleep(time.Millisecond)
		case err != nil:
			return err
		default:
			n++
			fmt.Println("written", n)
		}
	}
}

// countRecords is the number of records that are there.
func countRecords(s *DB) (n int) {
	_ = s.View(func(tx *Tx) error {
		return tx.ScanKeys([]byte("x/"), nil, func([]byte) bool { n++; return true })
	})
	return n
}

// writerProcess is a process that writes.
type writerProcess struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines *bufio.Scanner
	// written is how many records it has reported as written.
	written int
}

func startWriter(t *testing.T, dir string, more ...string) *writerProcess {
	t.Helper()
	w := &writerProcess{t: t, cmd: exec.Command(os.Args[0])}
	w.cmd.Env = append(append(os.Environ(), asWriter+"="+dir), more...)
	out, err := w.cmd.StdoutPipe()
	must(t, err)
	must(t, w.cmd.Start())
	last := time.AfterFunc(5*eventually.Bound, w.kill)
	t.Cleanup(func() { last.Stop(); w.kill(); _ = w.cmd.Wait() })
	w.lines = bufio.NewScanner(out)
	return w
}

// next reads what it tells next.
func (w *writerProcess) next() (what string, n int, ok bool) {
	if !w.lines.Scan() {
		return "", 0, false
	}
	if k, _ := fmt.Sscan(w.lines.Text(), &what, &n); k < 2 {
		return "", 0, false // cut off
	}
	if what == "written" {
		w.written = n
	}
	return what, n, true
}

// until waits until it tells that of a record of at least that number.
func (w *writerProcess) until(what string, least int) {
	w.t.Helper()
	for {
		got, n, ok := w.next()
		if !ok {
			w.t.Fatalf("it ended before it told of %s %d", what, least)
		}
		if got == what && n >= least {
			return
		}
	}
}

func (w *writerProcess) kill() { _ = w.cmd.Process.Kill() }

// end waits for its end, and takes what it told until then.
func (w *writerProcess) end() {
	for ok := true; ok; {
		_, _, ok = w.next()
	}
	_ = w.cmd.Wait()
}
