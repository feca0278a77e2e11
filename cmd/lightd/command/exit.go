package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"lightd/cmd/lightd/cliconfig"
	"lightd/cmd/lightd/manifest"
	"lightd/cmd/lightd/render"
	"lightd/httpapi/client"
)

// The exit codes of the program. ExitHelp describes them to its users.
const (
	ExitFailed      = 1
	ExitUsage       = 2
	ExitNotFound    = 3
	ExitConflict    = 4
	ExitUnreachable = 5
	ExitTimeout     = 6
	ExitGoalFailed  = 7
	ExitInterrupted = 130
)

// ExitHelp is the help text of the exit codes.
const ExitHelp = `Exit codes:
  0    done
  1    refused, or failed; of diff: there is a difference
  2    a mistake in the call, its settings or the configuration; of diff:
       refused or failed too
  3    not found
  4    in conflict with the current state, or a stale precondition
  5    the daemon cannot be reached or is not ready, the address is that of
       another program, or Docker does not answer where it has to
  6    the time to wait ran out
  7    what is waited for cannot come true without a change
  130  interrupted`

// UsageError is a mistake in how the program was called.
type UsageError struct{ Text string }

// Error returns the text.
func (e UsageError) Error() string { return e.Text }

func usagef(format string, args ...any) error { return UsageError{fmt.Sprintf(format, args...)} }

// coded is an error with an exit code of its own.
type coded struct {
	error
	code int
}

func (e coded) Unwrap() error { return e.error }

// Coded returns err with the exit code that the program ends with.
func Coded(err error, code int) error { return coded{err, code} }

// errSilent ends a command that has reported everything already.
var errSilent = errors.New("")

// Exit ends a command with a code, without a word.
func Exit(code int) error { return coded{errSilent, code} }

// subjectError is an error of one of several subjects of a command.
type subjectError struct {
	subject string
	error
}

func (e subjectError) Unwrap() error { return e.error }

// WithSubject returns err as one of a subject; nothing if err is nothing.
func WithSubject(subject string, err error) error { return withSubject(subject, err) }

func withSubject(subject string, err error) error {
	if err == nil {
		return nil
	}
	return subjectError{subject, err}
}

// ExitCode returns the code that the program ends with after err, which may be nil.
func ExitCode(err error) int {
	var usage UsageError
	var c coded
	var unmet *client.WaitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &c):
		return c.code
	case errors.As(err, &usage):
		return ExitUsage
	case errors.Is(err, context.Canceled):
		return ExitInterrupted
	case badSelector(err):
		return ExitUsage
	case errors.As(err, &unmet):
		if unmet.TimedOut() {
			return ExitTimeout
		}
		return ExitGoalFailed
	case notADaemon(err):
		return ExitUnreachable
	case errors.Is(err, client.ErrNotFound), errors.Is(err, cliconfig.ErrNoContext):
		return ExitNotFound
	case errors.Is(err, client.ErrConflict), errors.Is(err, client.ErrPrecondition):
		return ExitConflict
	case errors.Is(err, client.ErrUnreachable), errors.Is(err, client.ErrUnavailable):
		return ExitUnreachable
	}
	var none *client.TransportError
	if errors.As(err, &none) {
		return ExitUnreachable
	}
	return ExitFailed
}

// badSelector reports whether the daemon refused a selector: it is a mistake in the call.
func badSelector(err error) bool {
	var refused *client.Error
	return errors.As(err, &refused) && len(refused.Details) == 1 && refused.Details[0].Field == "selector"
}

// notADaemon reports whether the response came from something else, or from a server without such
// a route: a wrong base path looks like that, and so does a daemon that is older than the program.
func notADaemon(err error) bool {
	var refused *client.Error
	return errors.Is(err, client.ErrForeign) && !errors.Is(err, client.ErrUnavailable) || errors.As(err, &refused) && refused.Code == "not_found"
}

// Message returns the text of err for a user, safe for a terminal; empty when there is
// nothing left to report. It may have several lines.
func Message(err error) string {
	switch {
	case errors.Is(err, context.Canceled) && errors.Is(err, client.ErrUnknownOutcome):
		return "interrupted; what was asked for may have been accepted, and goes on then"
	case err == nil, errors.Is(err, errSilent), errors.Is(err, context.Canceled):
		return ""
	}
	var at subjectError
	subject := ""
	if errors.As(err, &at) {
		subject = at.subject + ": "
	}
	// The daemon names what is missing by its id, which stands in front already.
	text := strings.TrimSuffix(sentence(err), fmt.Sprintf(": %q", at.subject))
	var meant suggested
	if errors.As(err, &meant) {
		text += "; " + meant.text
	}
	return render.Lines(subject+text, "")
}

func sentence(err error) string {
	var refused *client.Error
	var none *client.TransportError
	var unmet *client.WaitError
	var files *manifest.Error
	var at subjectError
	switch {
	case errors.As(err, &files):
		return files.Error()
	case errors.As(err, &unmet):
		return waitedFor(unmet)
	case errors.As(err, &refused):
		return refusal(refused)
	case errors.Is(err, client.ErrUnreachable):
		errors.As(err, &none)
		return fmt.Sprintf("the daemon cannot be reached: %v", none.Err)
	case errors.As(err, &none) && errors.Is(err, client.ErrUnknownOutcome):
		return fmt.Sprintf("the daemon did not answer, and it is not known whether it was done: %v", none.Err)
	case errors.As(err, &none):
		return fmt.Sprintf("the daemon did not answer: %v", none.Err)
	case errors.As(err, &at):
		return at.error.Error()
	}
	return err.Error()
}

// refusal is the daemon's sentence with the details that it does not contain itself. Details that
// begin as the sentence does replace it; that of a request that is not valid contains no more
// than its details.
func refusal(e *client.Error) string {
	if e.Code == "invalid" && len(e.Details) > 0 {
		parts := make([]string, 0, len(e.Details))
		for _, d := range e.Details {
			parts = append(parts, strings.TrimSpace(d.Field+" "+d.Message))
		}
		return strings.Join(parts, "; ")
	}
	parts := []string{e.Sentence}
	for _, d := range e.Details {
		part := strings.TrimSpace(d.Field + " " + d.Message)
		switch {
		case strings.HasPrefix(d.Message, e.Sentence):
			if part = d.Message; d.Field != "" {
				part = d.Field + ": " + d.Message
			}
			parts = append(parts, part)
			parts[0] = ""
		case !strings.HasSuffix(e.Sentence, part):
			parts = append(parts, part)
		}
	}
	if parts[0] == "" {
		parts = parts[1:]
	}
	return strings.Join(parts, "; ")
}

func waitedFor(e *client.WaitError) string {
	if e.TimedOut() {
		text := fmt.Sprintf("not %s in time", e.For)
		if e.Message != "" {
			text += ": " + e.Message
		}
		return text
	}
	text := fmt.Sprintf("will not be %s by itself: %s", e.For, e.Reason)
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}
