// Command lightd makes the Docker Engine of one machine match the containers that a
// control panel asks for. The README and "lightd docs" say how it is used.
package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lightd/cmd/lightd/cliconfig"
	"lightd/cmd/lightd/command"
	"lightd/cmd/lightd/render"
	"lightd/cmd/lightd/terminal"
)

// version is set by the build.
var version = "dev"

// colorFlag is the flag that says where colour is used.
const colorFlag = "color"

// usageError is a mistake in how the program was called.
type usageError = command.UsageError

// execute runs a command line.
func execute(ctx context.Context, root *cobra.Command, args []string) error {
	began := false
	beginning(root, &began)
	root.SetArgs(append([]string{}, args...)) // of nil cobra makes those of the process
	err := root.ExecuteContext(ctx)
	var usage usageError
	if err != nil && !began && !errors.As(err, &usage) {
		// What cobra refuses before a command begins is in the call.
		if err = command.Suggest(root, err); errors.As(err, &usage) {
			return err
		}
		return usageError{Text: err.Error()}
	}
	return err
}

// beginning notes when a command of the tree begins to run.
func beginning(cmd *cobra.Command, began *bool) {
	for _, c := range cmd.Commands() {
		beginning(c, began)
	}
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			*began = true
			return run(cmd, args)
		}
	}
}

const about = `Lightd keeps the containers of one machine as a control panel wants them.

"lightd serve" runs the daemon. All other commands talk to one: that of this machine, or the
one that --server, --context, LIGHTD_URL or the current context names. "lightd docs" has the
reference.`

func rootCommand(getenv func(string) string, streams terminal.Streams) *cobra.Command {
	root := &cobra.Command{
		Use:           "lightd",
		Short:         "Keeps the containers of one machine as specified",
		Long:          about + "\n\n" + command.ExitHelp,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		// What cobra would suggest is often far from what was meant; see command.Suggest.
		DisableSuggestions: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SetOut(streams.Err)
			return errors.Join(cmd.Help(), usageError{Text: "no command given"})
		},
	}
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(helpCommand())
	root.AddGroup(command.Groups()...)
	root.SetHelpCommandGroupID(command.GroupDaemon)
	root.SetCompletionCommandGroupID(command.GroupDaemon)
	colour := command.ColourAuto
	root.PersistentFlags().Var(&colour, colorFlag, "use colour on a terminal (auto), always or never")
	_ = root.RegisterFlagCompletionFunc(colorFlag, cobra.FixedCompletions([]cobra.Completion{"auto", "always", "never"}, cobra.ShellCompDirectiveNoFileComp))
	env := command.Env{
		Colour: &colour, Streams: streams, Getenv: getenv, Now: time.Now, Agent: "lightd/" + version,
		Local: func() (cliconfig.Local, error) {
			return local(newSettings(pflag.NewFlagSet("lightd", pflag.ContinueOnError), getenv))
		},
	}
	root.AddCommand(daemonCommands(env)...)
	root.AddCommand(command.Commands(env)...)
	root.AddCommand(execCommand(env))
	root.InitDefaultCompletionCmd() // cobra's, which would answer an unknown shell with its help
	for _, c := range root.Commands() {
		switch c.Name() {
		case "completion":
			command.Branch(c)
		case "get":
			c.AddCommand(command.Renamed(tokenListCommand(env), "tokens", "token"))
		}
	}
	fitHelp(root, helpWidth(getenv, streams))
	return root
}

// widestHelp is how wide the lines of a help text are at most.
const widestHelp = 80

func helpWidth(getenv func(string) string, streams terminal.Streams) int {
	if width := terminal.Columns(streams.Out, getenv); width > 0 {
		return min(width, widestHelp)
	}
	return widestHelp
}

// fitHelp makes no line of the help of all commands wider than width.
func fitHelp(root *cobra.Command, width int) {
	// pflag lets a last short word stand beyond the width.
	const slop = 5
	root.SetUsageFunc(writeUsage(max(width-slop, 40)))
	var fit func(cmd *cobra.Command)
	fit = func(cmd *cobra.Command) {
		cmd.Long = render.Reflow(cmd.Long, width)
		for _, c := range cmd.Commands() {
			fit(c)
		}
	}
	fit(root)
}

// flagError says where the flags of a command are told, and leaves out how Go reads numbers.
func flagError(cmd *cobra.Command, err error) error {
	text := err.Error()
	var value *pflag.InvalidValueError
	var number *strconv.NumError
	var absent *pflag.NotExistError
	var usage usageError
	switch {
	case errors.As(err, &usage):
		text = usage.Text
	case errors.As(err, &absent):
		given := "--" + absent.GetSpecifiedName()
		if absent.GetSpecifiedShortnames() != "" {
			given = "-" + absent.GetSpecifiedName()
		}
		if meant := command.SuggestFlag(cmd, given); meant != "" {
			text = fmt.Sprintf("there is no flag %s: %s", given, meant)
		}
	case errors.As(err, &value) && value.GetFlag().Value.Type() == "bool":
		text = fmt.Sprintf("--%s is given or left out, and takes no value as %q", value.GetFlag().Name, value.GetValue())
	case errors.As(err, &value) && errors.As(err, &number):
		text = fmt.Sprintf("--%s: %q is no number that it could be", value.GetFlag().Name, value.GetValue())
	}
	return usageError{Text: fmt.Sprintf("%s; see %q", text, cmd.CommandPath()+" --help")}
}

// helpCommand is cobra's own, but that a topic which there is not is a mistake in the call.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about any command",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) (offers []cobra.Completion, _ cobra.ShellCompDirective) {
			at, _, err := cmd.Root().Find(args)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			for _, c := range at.Commands() {
				if c.IsAvailableCommand() {
					offers = append(offers, cobra.CompletionWithDesc(c.Name(), c.Short))
				}
			}
			return offers, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usageError{Text: fmt.Sprintf("there is no command %q; see \"lightd --help\"", strings.Join(args, " "))}
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

// daemonCommands are those that are about the daemon of this machine, and its settings.
func daemonCommands(env command.Env) []*cobra.Command {
	getenv, streams := env.Getenv, env.Streams
	all := []*cobra.Command{serveCommand(getenv, streams), tokenCommand(env), auditCommand(getenv, streams), checkCommand(getenv, streams), restoreCommand(getenv, streams), migrateCommand(getenv, streams), docsCommand(getenv, streams), versionCommand(streams)}
	for _, c := range all {
		c.GroupID = command.GroupDaemon
	}
	return all
}

// local is the daemon that the settings of this machine describe, found as `token show`
// finds it.
func local(s *settings) (cliconfig.Local, error) {
	cfg, err := s.loadForClient()
	if err != nil {
		return cliconfig.Local{}, err
	}
	return cfg.localServer()
}
