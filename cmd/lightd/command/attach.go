package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"lightd/cmd/lightd/render"
	"lightd/cmd/lightd/terminal"
	"lightd/httpapi/api"
	"lightd/httpapi/client"
)

func (a *app) attach() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "attach ID",
		Short: "Use the console of a container: Ctrl-P Ctrl-Q detaches",
		Long: `Connects the terminal with the console of a container: what it prints is shown, also across
its restarts, and what is typed goes to its standard input. Ctrl-P Ctrl-Q detaches and leaves
the container as it is.

A container with a terminal of its own (tty, the default) gets every key, Ctrl-C included, and
the size of this one. A container without one gets whole lines: Ctrl-C and Ctrl-D at the start of a line detach too. Input that is
no terminal is sent until its end, and then the command ends.`,
		Example: `  lightd attach web
  lightd attach --tail 50 --no-stdin web
  echo "say hi" | lightd attach web`,
		Args:              oneID,
		ValidArgsFunction: a.completeOne,
	}
	tail := cmd.Flags().IntP("tail", "n", 0, "first show so many of the last lines")
	readOnly := cmd.Flags().Bool("no-stdin", false, "only look")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if *tail < 0 || *tail > maxTail {
			return usagef("attach: --tail must be from 0 to %d, not %d", maxTail, *tail)
		}
		return nil
	}
	return a.withSession(cmd, func(ctx context.Context, s *session, args []string) error {
		// Whatever else would end the program at once must leave the terminal as it was.
		ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP, syscall.SIGQUIT)
		defer stop()
		c, err := s.console(ctx, args[0])
		if err != nil {
			return withSubject(args[0], err)
		}
		k, err := s.follow.Console(ctx, args[0], client.From{After: client.Now, Tail: *tail})
		if err != nil {
			return withSubject(args[0], err)
		}
		defer k.Close()
		t := &attachment{app: a, console: k, container: c, mute: *readOnly}
		return withSubject(args[0], t.run(ctx))
	})
}

// console returns the container whose console is wanted. It is an error at once, without the retries of a
// stream, when there is none or the daemon does not answer. A token without the scope read may use the
// console all the same: what is not shown to it is taken to be the default.
func (s *session) console(ctx context.Context, id string) (api.Container, error) {
	c, err := s.Get(ctx, id)
	if errors.Is(err, client.ErrForbidden) {
		unread := api.Container{}
		unread.InternalID, unread.TTY = id, true
		return unread, nil
	}
	return c.Container, err
}

// attachment is a terminal that is connected with a container.
type attachment struct {
	*app
	console   *client.Console
	container api.Container
	mute      bool

	// out is what the container's output is written to; raw is true when a line needs a
	// carriage return to begin at the left.
	out io.Writer
	raw bool
	// midLine is true while the last output had no end of line.
	midLine bool
}

// run connects the two until either is done.
func (t *attachment) run(ctx context.Context) error {
	input, err := terminal.Interruptible(t.Streams.In)
	if err != nil {
		return err
	}
	defer input.Close()
	person := terminal.Is(t.Streams.In) && !t.mute
	t.out = t.Streams.Out
	if person {
		restore, err := t.Streams.Raw()
		if err != nil {
			return err
		}
		defer t.leave(restore)
		t.raw = true
	}
	read := t.reader(input, person)
	if person {
		state := ""
		if t.container.State != "" {
			state = " (" + string(t.container.State) + ")"
		}
		t.notice("attached to %s%s; Ctrl-P Ctrl-Q detaches", t.container.InternalID, state)
	}
	if person && t.container.TTY {
		defer t.followSize(ctx)()
	}
	var feeding sync.WaitGroup
	var feedErr error
	if !t.mute {
		feeding.Go(func() {
			defer t.console.Close()
			feedErr = t.feed(ctx, read)
		})
	}
	err = t.output()
	input.Close()
	feeding.Wait()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, client.ErrClosed):
		return feedErr
	}
	return err
}

// followSize gives the container's terminal the size of this one, until the function that it returns is called.
func (t *attachment) followSize(ctx context.Context) (stop func()) {
	return terminal.FollowSize(ctx, t.Streams.In, func(ctx context.Context, cols, rows int) {
		_ = t.console.Resize(ctx, min(cols, maxSize), min(rows, maxSize)) // the reader finds what is wrong
	})
}

// maxSize is the largest size of a terminal that the daemon accepts.
const maxSize = 1000

// leave puts the terminal back, and what is written next at the start of a line.
func (t *attachment) leave(restore func()) {
	restore()
	if t.midLine {
		fmt.Fprintln(t.Streams.Err)
	}
	fmt.Fprintln(t.Streams.Err, "[lightd] detached")
}

// reader returns what reads the next piece of the input: a line of a person whose container
// has no terminal to edit it in, else what there is.
func (t *attachment) reader(in io.Reader, person bool) func() (string, error) {
	if person {
		in = terminal.Detaching(in)
	}
	if !person || t.container.TTY {
		return (&pieces{in: in}).next
	}
	lines := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{in, t.Streams.Out}, "")
	if width := terminal.Width(t.Streams.Out); width > 0 {
		_ = lines.SetSize(width, 1<<10) // it only wraps what is typed
	}
	t.out = lines
	return func() (string, error) {
		line, err := lines.ReadLine()
		if err != nil && !errors.Is(err, term.ErrPasteIndicator) {
			return "", err
		}
		return line + "\n", nil
	}
}

// held is how many pieces are read ahead of those that are sent: the keys to detach must be
// seen while the connection is gone.
const held = 256

// feed sends what is read until its end, or until the keys to detach.
func (t *attachment) feed(ctx context.Context, read func() (string, error)) error {
	queue := make(chan string, held)
	var sending sync.WaitGroup
	var sendErr error
	sending.Go(func() {
		for text := range queue {
			if sendErr == nil {
				sendErr = t.console.SendCommand(ctx, text)
			}
			if sendErr != nil {
				t.console.Close()
			}
		}
	})
	end := func() error {
		close(queue)
		sending.Wait()
		return sendErr
	}
	for {
		text, err := read()
		if text != "" {
			queue <- text
		}
		switch {
		case errors.Is(err, io.EOF):
			return end()
		case errors.Is(err, terminal.ErrDetached):
			t.console.Close()
			_ = end() // what was not sent yet is not wanted any more
			return nil
		case err != nil:
			return errors.Join(err, end())
		}
	}
}

// pieces reads text in pieces that end between two characters.
type pieces struct {
	in   io.Reader
	rest []byte
}

func (p *pieces) next() (string, error) {
	buffer := make([]byte, 32<<10)
	n, err := p.in.Read(buffer)
	p.rest = append(p.rest, buffer[:n]...)
	whole := len(p.rest)
	if err == nil {
		whole = wholeRunes(p.rest)
	}
	if lines := bytes.LastIndexByte(p.rest, '\n') + 1; n == len(buffer) && lines > 0 {
		whole = lines // more is there: what others write comes between two lines
	}
	text := strings.ToValidUTF8(string(p.rest[:whole]), "\ufffd")
	p.rest = append(p.rest[:0], p.rest[whole:]...)
	return text, err
}

// wholeRunes is how much of p is sure to end between two characters.
func wholeRunes(p []byte) int {
	for i := 1; i < utf8.UTFMax && i <= len(p); i++ {
		if c := p[len(p)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(p[len(p)-i:]) {
				return len(p) - i
			}
			break
		}
	}
	return len(p)
}

// output writes what the container prints, and the daemon's notices.
func (t *attachment) output() error {
	for m, err := range t.console.Messages() {
		if err != nil {
			return err
		}
		switch m.Kind {
		case api.MessageConsole:
			if _, err := io.WriteString(t.out, t.lines(m.Text)); err != nil {
				return err
			}
			t.midLine = !strings.HasSuffix(m.Text, "\n")
		case api.MessageDaemon:
			t.notice("%s", m.Text)
		}
	}
	t.notice("the container was deleted")
	return nil
}

// lines makes every line begin at the left of a raw terminal.
func (t *attachment) lines(text string) string {
	if !t.raw || t.out != t.Streams.Out {
		return text
	}
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
}

// notice writes a notice of the daemon's, or of this program's.
func (t *attachment) notice(format string, args ...any) {
	text := "[lightd] " + render.Text(fmt.Sprintf(format, args...)) + "\n"
	if t.out != t.Streams.Out {
		_, _ = io.WriteString(t.out, text) // the next write returns the error
		return
	}
	fmt.Fprint(t.Streams.Err, t.lines(text))
}
