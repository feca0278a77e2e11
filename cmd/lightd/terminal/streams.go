package terminal

import (
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/term"
)

// Streams are the standard streams of a program. Each is a terminal if it is an *os.File
// that is one.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

// descriptor returns the number of a stream that is a terminal.
func descriptor(stream any) (fd int, is bool) {
	f, ok := stream.(*os.File)
	if !ok {
		return 0, false
	}
	fd = int(f.Fd())
	return fd, term.IsTerminal(fd)
}

// Is reports whether a stream is a terminal.
func Is(stream any) bool {
	_, is := descriptor(stream)
	return is
}

// Size returns the columns and rows of the terminal that a stream is; 0 when it is none.
func Size(stream any) (cols, rows int) {
	fd, is := descriptor(stream)
	if !is {
		return 0, 0
	}
	cols, rows, err := term.GetSize(fd)
	if err != nil {
		return 0, 0
	}
	return cols, rows
}

// Width returns the columns of the terminal that a stream is; 0 when it is none.
func Width(stream any) int {
	width, _ := Size(stream)
	return width
}

// Columns returns how wide the lines of a stream may be: the width of its terminal, else COLUMNS, else
// 0, which is no bound.
func Columns(stream any, getenv func(string) string) int {
	if width := Width(stream); width > 0 {
		return width
	}
	if n, err := strconv.Atoi(getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	return 0
}

// Raw puts the terminal of the standard input into raw mode, and returns what puts it back,
// which may be called more than once. Of an input that is no terminal it changes nothing.
func (s Streams) Raw() (restore func(), err error) {
	fd, is := descriptor(s.In)
	if !is {
		return func() {}, nil
	}
	state, err := term.MakeRaw(fd)
	if err != nil {
		return nil, fmt.Errorf("put the terminal into raw mode: %w", err)
	}
	// Nothing can be done about a terminal that is gone.
	return func() { _ = term.Restore(fd, state) }, nil
}
