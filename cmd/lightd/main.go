// Command lightd makes the Docker Engine of one machine match the containers that a
// control panel asks for. See the README for its use.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the build.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	// A second signal ends the program at once: NotifyContext is let go after the first.
	context.AfterFunc(ctx, stop)
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "lightd:", err)
		}
		os.Exit(exitCode(err))
	}
}

// usageError is a mistake in how the program was called.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

// exitCode is 2 for a mistake in the call, 0 for help, else 1.
func exitCode(err error) int {
	var usage usageError
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &usage):
		return 2
	}
	return 1
}

const usage = `lightd keeps the containers of one machine as a control panel wants them.

Usage:
  lightd serve [flags]                          run the daemon
  lightd token show [flags]                     print the master token
  lightd token reset [flags]                    replace the master token
  lightd token create --ttl 1h [--single-use]   make a temporary token
  lightd version

"lightd <command> --help" lists the flags of a command.
`

// run is the whole program but for its exit.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return usageError{"no command given"}
	}
	switch args[0] {
	case "serve":
		return serveCommand(ctx, args[1:], getenv, stdout, stderr)
	case "token":
		return tokenCommand(ctx, args[1:], getenv, stdout, stderr)
	case "version", "--version":
		_, err := fmt.Fprintln(stdout, "lightd", version)
		return err
	case "help", "-h", "--help":
		_, err := fmt.Fprint(stdout, usage)
		return err
	}
	return usageError{fmt.Sprintf("unknown command %q; see \"lightd help\"", args[0])}
}
