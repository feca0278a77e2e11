package console

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"lightd/desired"
	"lightd/observed/stdin"
)

func TestEngineInputIsInOrderAndWhole(t *testing.T) {
	bothKinds(t, func(t *testing.T, tty bool) {
		r := onEngine(t)
		script := "cat"
		if tty {
			script = "stty -echo; echo go; cat"
		}
		x := r.create(tty, script)
		s := r.Subscribe(id, From{})
		defer s.Close()
		if err := r.Prepare(t.Context(), id, x); err != nil {
			t.Fatal(err)
		}
		r.start(x)
		if tty {
			r.reads(s, contains("go"))
		}
		const writers, lines = 8, 100
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for l := range lines {
					text := fmt.Sprintf("<%d %03d %s>\n", w, l, strings.Repeat("x", 50))
					if err := r.writeAs(t.Context(), id, []byte(text)); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		text := r.reads(s, func(text string) bool { return strings.Count(text, ">") >= writers*lines })
		wg.Wait()
		var next [writers]int
		for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
			var w, l int
			if n, _ := fmt.Sscanf(lines.Text(), "<%d %d xxxxx", &w, &l); n != 2 {
				if !strings.HasPrefix(lines.Text(), "go") {
					t.Fatalf("a mixed line: %q", lines.Text())
				}
				continue
			}
			if len(strings.TrimSuffix(lines.Text(), "\r")) != 58 || next[w] != l {
				t.Fatalf("got %q, want line %d of writer %d", lines.Text(), next[w], w)
			}
			next[w]++
		}
		for w, n := range next {
			if n != lines {
				t.Errorf("%d lines of writer %d", n, w)
			}
		}
	})
}

// TestEngineStopCommandIsALineOfItsOwn, whatever a client left on the line.
func TestEngineStopCommandIsALineOfItsOwn(t *testing.T) {
	bothKinds(t, func(t *testing.T, tty bool) {
		r := onEngine(t)
		x := r.create(tty, `while read -r l; do echo "got <$l>"; done`)
		s := r.Subscribe(id, From{})
		defer s.Close()
		if err := r.Prepare(t.Context(), id, x); err != nil {
			t.Fatal(err)
		}
		r.start(x)
		a, b := r.OpenInput(id), r.OpenInput(id)
		defer a.Close()
		defer b.Close()
		write := func(in *stdin.Input, text string) {
			t.Helper()
			if err := in.Write(t.Context(), []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		write(a, "say hal")
		write(b, "list\r\n")
		text := r.reads(s, contains("got <list>"))
		want := "got <say hal>"
		if tty {
			write(a, "lo\n") // goes on with its line, which was taken back
			want = "got <say hallo>"
			text += r.reads(s, contains(want))
		}
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %q", want, text)
		}
		write(b, "say ha\x16") // quotes the next key, to a terminal
		if err := r.WriteLine(t.Context(), id, "stop"); err != nil {
			t.Fatal(err)
		}
		r.reads(s, contains("got <stop>"))
	})
}

// TestEngineOpenLineOfADaemonThatIsGone: the next one does not know of it, and reckons with it.
func TestEngineOpenLineOfADaemonThatIsGone(t *testing.T) {
	bothKinds(t, func(t *testing.T, tty bool) {
		first := onEngine(t)
		x := first.create(tty, `while read -r l; do echo "got <$l>"; done`)
		first.start(x)
		if err := first.writeAs(t.Context(), id, []byte("say hal")); err != nil {
			t.Fatal(err)
		}
		first.Close()
		second := onEngine(t)
		second.look(x.ContainerID)
		s := second.Subscribe(id, From{Lines: 10})
		defer s.Close()
		if err := second.WriteLine(t.Context(), id, "stop"); err != nil {
			t.Fatal(err)
		}
		second.reads(s, contains("got <stop>"))
	})
}

func TestEngineInputEndsWithTheRun(t *testing.T) {
	r := onEngine(t)
	x := r.create(false, "read l; echo got $l")
	if err := r.writeAs(t.Context(), id, []byte("x\n")); err == nil {
		t.Error("input taken before the start")
	}
	for range 3 {
		s := r.Subscribe(id, From{})
		if err := r.Prepare(t.Context(), id, x); err != nil {
			t.Fatal(err)
		}
		r.start(x)
		if err := r.writeAs(t.Context(), id, []byte("once\n")); err != nil {
			t.Fatal(err)
		}
		r.reads(s, contains("got once"))
		s.Close()
		r.kill(x)
	}
}

func TestEngineProgramThatDoesNotRead(t *testing.T) {
	r := onEngine(t)
	x := r.create(false, "exec sleep 1000")
	r.start(x)
	if err := r.writeAs(t.Context(), id, make([]byte, 8<<20)); !errors.Is(err, stdin.ErrTimeout) {
		t.Errorf("got %v", err)
	}
}

// TestEngineKeysOfATerminalArePassedOn: Docker would take these two for "detach".
func TestEngineKeysOfATerminalArePassedOn(t *testing.T) {
	r := onEngine(t)
	x := r.create(true, "stty raw -echo; echo go; head -c 5 | hexdump -C")
	s := r.Subscribe(id, From{})
	defer s.Close()
	if err := r.Prepare(t.Context(), id, x); err != nil {
		t.Fatal(err)
	}
	r.start(x)
	r.reads(s, contains("go"))
	if err := r.writeAs(t.Context(), id, []byte("a\x10\x11b\n")); err != nil {
		t.Fatal(err)
	}
	r.reads(s, contains("61 10 11 62 0a"))
}

// TestEngineTerminal: its size, and the longest line that it hands over.
func TestEngineTerminal(t *testing.T) {
	r := onEngine(t)
	x := r.create(true, `stty -echo; while read -r l; do echo "<$(stty size)> ${#l}"; done`)
	s := r.Subscribe(id, From{})
	defer s.Close()
	in := r.OpenInput(id)
	defer in.Close()
	line := strings.Repeat("x", desired.MaxTerminalLine)
	for _, size := range []string{"24 80", "40 120", "40 120"} {
		if err := r.Prepare(t.Context(), id, x); err != nil {
			t.Fatal(err)
		}
		r.start(x)
		r.Started(id, x)
		eventually := func(want string) { // the size is set behind the start
			for text := ""; !strings.Contains(text, want); {
				if err := in.Write(t.Context(), []byte("\n")); err != nil {
					t.Fatal(err)
				}
				text = r.reads(s, contains("> 0"))
			}
		}
		eventually("<" + size + ">")
		if err := in.Write(t.Context(), []byte(line+"\r\n")); err != nil {
			t.Fatal(err)
		}
		r.reads(s, contains("<"+size+"> 4095"))
		if err := in.Resize(t.Context(), stdin.Size{Cols: 120, Rows: 40}); err != nil {
			t.Fatal(err)
		}
		eventually("<40 120>")
		r.kill(x)
	}
}
