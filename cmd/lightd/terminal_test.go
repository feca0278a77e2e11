package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"lightd/cmd/lightd/terminal"
	"lightd/hack/harness"
)

// person is a terminal with a command at one end, and a test at the other.
type person struct {
	t      *testing.T
	screen harness.Buffer
	keys   *os.File
	tty    *os.File
	before unix.Termios
	ended  chan int
	cancel context.CancelFunc
}

// sit starts a command on a terminal.
func (d *desk) sit(args ...string) *person {
	d.t.Helper()
	p := &person{t: d.t, ended: make(chan int, 1)}
	var err error
	if p.keys, p.tty, err = pty.Open(); err != nil {
		d.t.Fatal(err)
	}
	p.before = p.mode()
	read := make(chan struct{})
	go func() {
		_, _ = io.Copy(&p.screen, p.keys) // ends when the terminal is closed
		close(read)
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.t.Context()), patience)
	p.cancel = cancel
	left := make(chan struct{})
	go func() {
		defer close(left)
		p.ended <- d.on(ctx, terminal.Streams{In: p.tty, Out: p.tty, Err: p.tty}, args...)
	}()
	d.t.Cleanup(func() {
		cancel()
		<-left
		_ = p.tty.Close()
		_ = p.keys.Close()
		<-read
	})
	return p
}

func (p *person) mode() unix.Termios {
	p.t.Helper()
	return *harness.Value[*unix.Termios](p.t)(unix.IoctlGetTermios(int(p.tty.Fd()), unix.TCGETS))
}

func (p *person) types(keys string) {
	p.t.Helper()
	if _, err := p.keys.WriteString(keys); err != nil {
		p.t.Fatal(err)
	}
}

// sees waits until the screen shows a text.
func (p *person) sees(text string) {
	p.t.Helper()
	poll(p.t, func() error {
		if screen := p.screen.String(); !strings.Contains(screen, text) {
			return fmt.Errorf("%q is not in %q", text, screen)
		}
		return nil
	})
}

// leaves waits for the end of the command, and looks at the terminal.
func (p *person) leaves(code int) {
	p.t.Helper()
	if got := <-p.ended; got != code {
		p.t.Errorf("exit code %d, want %d; the screen shows %q", got, code, p.screen.String())
	}
	if now := p.mode(); now != p.before {
		p.t.Errorf("the terminal is not as it was: %+v, %+v", now, p.before)
	}
}

func (d *desk) running(id string) {
	d.t.Helper()
	poll(d.t, func() error {
		if out := d.do("get", id, "-o", "json").out; !strings.Contains(out, `"state": "running"`) {
			return errors.New(out)
		}
		return nil
	})
}
