//go:build !manpages

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"lightd/cmd/lightd/command"
	"lightd/cmd/lightd/terminal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	// A second signal ends the program at once: NotifyContext is let go after the first.
	context.AfterFunc(ctx, stop)
	root := rootCommand(os.Getenv, terminal.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	if err := execute(ctx, root, os.Args[1:]); err != nil {
		colour, _ := root.PersistentFlags().Lookup(colorFlag).Value.(*command.Colour)
		command.WriteError(os.Stderr, terminal.Columns(os.Stderr, os.Getenv), colour.On(os.Stderr, os.Getenv), err)
		os.Exit(command.ExitCode(err))
	}
}
