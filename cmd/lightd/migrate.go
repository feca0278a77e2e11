package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/command"
	"lightd/cmd/lightd/terminal"
	"lightd/desired/kv"
)

const migrateHelp = `Says whether this version of lightd reads the database of this machine, before it takes the place of another one. It changes nothing, and the daemon may run meanwhile.

All versions so far have one format, so that there is nothing to rewrite: a newer version starts on the database of an older one, and an older one on that of a newer. A database of a format that this version does not know is refused, with exit code 1; "lightd serve" refuses it likewise, and changes no file of it.`

// migrateCommand reports what this version makes of the database. There is one format, so that it rewrites nothing.
func migrateCommand(getenv func(string) string, streams terminal.Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "migrate",
		Short:   "Say whether this version reads the database of this node",
		Long:    migrateHelp,
		Example: "  sudo lightd migrate",
		Args:    command.NoArgs,
	}
	s := newSettings(cmd.Flags(), getenv)
	cmd.RunE = func(*cobra.Command, []string) error {
		cfg, err := s.load()
		if err != nil {
			return err
		}
		format, err := kv.FormatOf(cfg.database())
		if err != nil {
			return err
		}
		if format == 0 {
			return fmt.Errorf("there is no database in %s: no daemon has run on it", cfg.DataDir)
		}
		_, err = fmt.Fprintf(streams.Out, "%s: format %d, nothing to do\n", cfg.database(), format)
		return err
	}
	return cmd
}
