package command

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/cliconfig"
)

func (a *app) context() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "context",
		Short: "Named daemons: which there are, and which one commands talk to",
		Long: `A context is a name for a daemon: its URL, and the file that holds its token. They are kept in
~/.config/lightd/contexts.yaml (below $XDG_CONFIG_HOME, if that is set). Commands talk to the
current one unless --server, --context, LIGHTD_URL or LIGHTD_CONTEXT says otherwise.`,
	}
	cmd.AddCommand(a.contextList(), a.contextUse(), a.contextSet(), a.contextDelete())
	return Branch(cmd)
}

func (a *app) stored() (*cliconfig.Contexts, error) {
	all, err := cliconfig.Load(cliconfig.Path(a.Getenv))
	if err != nil {
		return nil, usagef("%v", err)
	}
	return all, nil
}

func (a *app) contextList() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the contexts; the current one has a star",
		Example: "  lightd context list",
		Args:    NoArgs,
	}
	form := OutputFlag(cmd, FormTable, FormJSON, FormYAML)
	cmd.RunE = func(*cobra.Command, []string) error {
		all, err := a.stored()
		if err != nil {
			return err
		}
		if *form != FormTable {
			return a.encode(*form, all)
		}
		if len(all.Contexts) == 0 {
			a.note("There is no context: commands talk to the daemon of this machine. \"lightd context set NAME --server URL --token-file FILE\" makes one.")
			return nil
		}
		t := a.table([]string{"CURRENT", "NAME", "SERVER", "TOKEN FILE"}, 3)
		for _, name := range all.Names() {
			star := " "
			if name == all.Current {
				star = "*"
			}
			t.Row(star, name, all.Contexts[name].Server, all.Contexts[name].TokenFile)
		}
		return t.Flush()
	}
	return cmd
}

// oneName is for commands that take the name of a context.
func oneName(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usagef("%s: the name of a context is needed", path(cmd))
	}
	return nil
}

func (a *app) completeOneContext(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeContexts(cmd, args, toComplete)
}

func (a *app) contextUse() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "use NAME | use --none",
		Short:             "Make a context the current one",
		Example:           "  lightd context use node-1\n  lightd context use --none",
		ValidArgsFunction: a.completeOneContext,
	}
	none := cmd.Flags().Bool("none", false, "talk to the daemon of this machine")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if *none {
			return NoArgs(cmd, args)
		}
		return oneName(cmd, args)
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		return a.changeContexts(func(all *cliconfig.Contexts) error {
			name := ""
			if !*none {
				name = args[0]
			}
			return all.Use(name)
		})
	}
	return cmd
}

func (a *app) contextSet() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set NAME --server URL --token-file FILE",
		Short: "Make a context, or change one",
		Example: `  lightd context set node-1 --server https://node-1.example.com:8443 \
    --token-file node-1.token --use
  lightd context set node-1 --pin none`,
		Args:              oneName,
		ValidArgsFunction: a.completeOneContext,
	}
	server := cmd.Flags().String("server", "", "`URL` of the daemon")
	file := cmd.Flags().String("token-file", "", "`file` of its token, which only you can read")
	use := cmd.Flags().Bool("use", false, "make it the current one")
	trust := trustFlags(cmd)
	_ = cmd.MarkFlagFilename("token-file")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.changeContexts(func(all *cliconfig.Contexts) error {
			at := all.Contexts[args[0]]
			if cmd.Flags().Changed("server") {
				at.Server = *server
			}
			if err := cliconfig.CheckServer(at.Server); err != nil {
				return usagef("context set: --server: %v", err)
			}
			a.warnPlainHTTP(at.Server)
			if cmd.Flags().Changed("token-file") {
				path, err := cliconfig.CheckTokenFile(*file)
				if err != nil {
					return usagef("context set: %v", err)
				}
				at.TokenFile = path
			}
			if err := trust(&at); err != nil {
				return usagef("context set: %v", err)
			}
			if err := all.Set(args[0], at); err != nil {
				return usagef("context set: %v", err)
			}
			if *use {
				return all.Use(args[0])
			}
			return nil
		})
	}
	return cmd
}

// trustFlags adds the flags of what the two ends of a TLS connection prove to each other, and returns what
// puts them into a context.
func trustFlags(cmd *cobra.Command) func(*cliconfig.Context) error {
	pin := cmd.Flags().String("pin", "", "`SHA256` of the daemon's certificate, the only one accepted then; none takes it away")
	cert := cmd.Flags().String("client-cert", "", "`file` of the certificate that the daemon asks for (tls.client_ca)")
	key := cmd.Flags().String("client-key", "", "`file` of its key")
	_ = cmd.MarkFlagFilename("client-cert")
	_ = cmd.MarkFlagFilename("client-key")
	cmd.MarkFlagsRequiredTogether("client-cert", "client-key")
	return func(at *cliconfig.Context) (err error) {
		switch {
		case !cmd.Flags().Changed("pin"):
		case *pin == "":
			return errors.New("--pin is empty, as from a variable or a file that is not there; --pin none takes a pin away")
		case *pin == "none":
			at.Pin = ""
		default:
			if at.Pin, err = cliconfig.CheckPin(*pin); err != nil {
				return fmt.Errorf("--pin: %w", err)
			}
		}
		if at.Pin != "" && !strings.HasPrefix(at.Server, "https://") {
			return errors.New("--pin is for an https:// server")
		}
		if cmd.Flags().Changed("client-cert") {
			at.ClientCert, at.ClientKey, err = cliconfig.CheckClientCertificate(*cert, *key)
		}
		return err
	}
}

func (a *app) contextDelete() *cobra.Command {
	return &cobra.Command{
		Use:               "delete NAME",
		Aliases:           []string{"rm"},
		Short:             "Forget a context; its token file stays",
		Example:           "  lightd context delete node-1",
		Args:              oneName,
		ValidArgsFunction: a.completeOneContext,
		RunE: func(_ *cobra.Command, args []string) error {
			return a.changeContexts(func(all *cliconfig.Contexts) error { return all.Delete(args[0]) })
		},
	}
}

// changeContexts changes the contexts file, and reports which context is the current one then.
func (a *app) changeContexts(change func(*cliconfig.Contexts) error) error {
	all, err := a.stored()
	if err != nil {
		return err
	}
	if err := change(all); err != nil {
		return err
	}
	if err := all.Save(); err != nil {
		return err
	}
	if all.Current == "" {
		a.say("Commands talk to the daemon of this machine.")
		return nil
	}
	a.say("Commands talk to %s (%s).", all.Current, all.Contexts[all.Current].Server)
	return nil
}
