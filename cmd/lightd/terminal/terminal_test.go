package terminal

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"lightd/hack/eventually"
)

func TestMain(m *testing.M) { eventually.Main(m) }

func TestDetaching(t *testing.T) {
	for in, want := range map[string]struct {
		text string
		err  error
	}{
		"say hi\r":              {"say hi\r", io.EOF},
		"ab\x10\x11cd":          {"ab", ErrDetached},
		"\x10\x11":              {"", ErrDetached},
		"a\x10b\x11c":           {"a\x10b\x11c", io.EOF},
		"a\x10\x10\x11b":        {"a\x10", ErrDetached},
		"a\x10":                 {"a\x10", io.EOF},
		"\x11\x10":              {"\x11\x10", io.EOF},
		"\x10a\x10\x11\x10\x11": {"\x10a", ErrDetached},
	} {
		for name, r := range map[string]io.Reader{"at once": strings.NewReader(in), "key by key": iotest.OneByteReader(strings.NewReader(in))} {
			var got bytes.Buffer
			_, err := io.Copy(&got, Detaching(r))
			if err == nil {
				err = io.EOF
			}
			if got.String() != want.text || !errors.Is(err, want.err) {
				t.Errorf("%q %s: got %q, %v, want %q, %v", in, name, got.String(), err, want.text, want.err)
			}
		}
	}
}

func open(t *testing.T) (master, tty *os.File) {
	t.Helper()
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = master.Close()
		_ = tty.Close()
	})
	return master, tty
}

func TestRawIsPutBack(t *testing.T) {
	_, tty := open(t)
	flags := func() uint32 {
		state, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		return state.Lflag
	}
	before := flags()
	restore, err := Streams{In: tty}.Raw()
	if err != nil {
		t.Fatal(err)
	}
	if flags()&(unix.ICANON|unix.ECHO|unix.ISIG) != 0 {
		t.Error("it is not raw")
	}
	restore()
	restore()
	if flags() != before {
		t.Errorf("flags %x, before %x", flags(), before)
	}
	if !Is(tty) || Is(&bytes.Buffer{}) || Width(&bytes.Buffer{}) != 0 {
		t.Error("a terminal is not told from another stream")
	}
	if restore, err := (Streams{In: strings.NewReader("")}).Raw(); err != nil {
		t.Error(err)
	} else {
		restore()
	}
}

func TestInputEndsWhenItIsClosed(t *testing.T) {
	master, tty := open(t)
	in, err := Interruptible(tty)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := master.WriteString("hi\n"); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 10)
	if n, err := in.Read(p); err != nil || string(p[:n]) != "hi\n" {
		t.Fatalf("%q, %v", p[:n], err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := in.Read(p)
		ended <- err
	}()
	in.Close()
	in.Close()
	select {
	case err := <-ended:
		if !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	case <-time.After(eventually.Bound):
		t.Fatal("it does not end")
	}
	if _, err := in.Read(p); !errors.Is(err, io.EOF) {
		t.Errorf("a read after the end: %v", err)
	}
	other, err := Interruptible(strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := other.Read(p); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	other.Close()
}
