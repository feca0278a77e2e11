package terminal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// ErrDetached ends an input in which the keys to detach were pressed.
var ErrDetached = errors.New("detached")

// The keys to detach, as Docker has them: Ctrl-P, then Ctrl-Q.
const (
	ctrlP = 0x10
	ctrlQ = 0x11
)

// detaching takes the keys to detach out of an input.
type detaching struct {
	in   io.Reader
	held bool // a Ctrl-P that may be the first of the two
	rest []byte
	err  error
}

// Detaching returns in, ended with ErrDetached where Ctrl-P is followed by Ctrl-Q. A Ctrl-P
// before another key is passed on with it.
func Detaching(in io.Reader) io.Reader { return &detaching{in: in} }

// Read implements io.Reader.
func (d *detaching) Read(p []byte) (int, error) {
	for len(d.rest) == 0 {
		if d.err != nil {
			return 0, d.err
		}
		buffer := make([]byte, 4096)
		n, err := d.in.Read(buffer)
		d.take(buffer[:n])
		if d.err == nil && err != nil {
			if d.held {
				d.rest, d.held = append(d.rest, ctrlP), false
			}
			d.err = err
		}
	}
	n := copy(p, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}

func (d *detaching) take(keys []byte) {
	for _, key := range keys {
		switch {
		case d.held && key == ctrlQ:
			d.err = ErrDetached
			return
		case key == ctrlP && !d.held:
			d.held = true
			continue
		case key == ctrlP: // twice: the first is no part of a sequence
			d.rest = append(d.rest, ctrlP)
			continue
		case d.held:
			d.rest, d.held = append(d.rest, ctrlP), false
		}
		d.rest = append(d.rest, key)
	}
}

// Input is an input that can be closed while it is read.
type Input struct {
	in   io.Reader
	file *os.File // the same, if it is one that can be waited for
	// wake is a pipe: something can be read from it once the Input is closed.
	wake  [2]int
	close sync.Once
	mu    sync.Mutex
	done  bool // guarded by mu
	users int  // reads in progress; guarded by mu
}

// Interruptible returns in as an Input. A file, a terminal above all, is waited for together
// with the Close of the Input. Of another reader, Close does not end a Read in progress.
func Interruptible(in io.Reader) (*Input, error) {
	i := &Input{in: in}
	f, ok := in.(*os.File)
	if !ok {
		return i, nil
	}
	if err := unix.Pipe2(i.wake[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, fmt.Errorf("read the terminal: %w", err)
	}
	i.file = f
	return i, nil
}

// Close makes every Read return io.EOF, the present one included.
func (i *Input) Close() {
	i.close.Do(func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.done = true
		if i.file == nil {
			return
		}
		_ = unix.Close(i.wake[1]) // its other end can now be read: it is at its end
		if i.users == 0 {
			_ = unix.Close(i.wake[0])
		}
	})
}

// enter reports whether a Read may begin.
func (i *Input) enter() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.done {
		return false
	}
	i.users++
	return true
}

func (i *Input) leave() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.users--; i.users == 0 && i.done && i.file != nil {
		_ = unix.Close(i.wake[0])
	}
}

// Read implements io.Reader.
func (i *Input) Read(p []byte) (int, error) {
	if !i.enter() {
		return 0, io.EOF
	}
	defer i.leave()
	if i.file == nil {
		return i.in.Read(p)
	}
	for {
		ready := []unix.PollFd{{Fd: int32(i.file.Fd()), Events: unix.POLLIN}, {Fd: int32(i.wake[0]), Events: unix.POLLIN}}
		if _, err := unix.Poll(ready, -1); errors.Is(err, unix.EINTR) {
			continue
		} else if err != nil {
			return 0, fmt.Errorf("read the terminal: %w", err)
		}
		if ready[1].Revents != 0 {
			return 0, io.EOF
		}
		return i.file.Read(p)
	}
}
