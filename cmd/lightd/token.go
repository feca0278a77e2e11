package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/cliconfig"
	"lightd/cmd/lightd/command"
	"lightd/cmd/lightd/render"
	"lightd/cmd/lightd/terminal"
	"lightd/desired"
	"lightd/desired/token"
	"lightd/httpapi/api"
	"lightd/httpapi/client"
)

func tokenCommand(env command.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Print or replace the master token; make, list and revoke others",
	}
	cmd.AddCommand(
		tokenShowCommand(env.Getenv, env.Streams),
		tokenResetCommand(env),
		tokenCreateCommand(env),
		tokenListCommand(env),
		tokenRevokeCommand(env),
	)
	return command.Branch(cmd)
}

// tokenSettings are those that lead to the master token.
var tokenSettings = []string{"data-dir", "token", "token-file"}

// tokenShowCommand and tokenResetCommand work on the file: they need no running daemon, and one that
// runs takes a reset into account at once.
func tokenShowCommand(getenv func(string) string, streams terminal.Streams) *cobra.Command {
	cmd := &cobra.Command{Use: "show", Short: "Print the master token", Args: command.NoArgs, Example: "  sudo lightd token show"}
	s := newSettings(cmd.Flags(), getenv, tokenSettings...)
	cmd.RunE = func(*cobra.Command, []string) error {
		cfg, err := s.loadForClient()
		if err != nil {
			return err
		}
		secret := cfg.Token
		if secret == "" {
			if secret, err = token.Read(cfg.TokenFile); err != nil {
				return noMaster(err)
			}
		}
		if err := noteElsewhere(getenv, streams.Err); err != nil {
			return err
		}
		_, err = fmt.Fprintln(streams.Out, secret)
		return err
	}
	return cmd
}

// noteElsewhere says that commands talk to another daemon than the one whose master token is shown or reset.
func noteElsewhere(getenv func(string) string, out io.Writer) error {
	elsewhere := cliconfig.Elsewhere(getenv)
	if elsewhere == "" {
		return nil
	}
	_, err := fmt.Fprintf(out, "note: this is the master token of this machine's daemon; commands talk to %s\n", elsewhere)
	return err
}

func tokenResetCommand(env command.Env) *cobra.Command {
	getenv, streams := env.Getenv, env.Streams
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Replace the master token; a running daemon uses it at once",
		Long: "Replaces the master token, also that of a running daemon. Every token that the old one has made ends, and " +
			"connections close within 5 s; with --keep-old, both when that time is over. Only one old token is kept: while one holds, " +
			"another --keep-old is refused without --force.",
		Example: "  sudo lightd token reset --keep-old 1h",
		Args:    command.NoArgs,
	}
	s := newSettings(cmd.Flags(), getenv, tokenSettings...)
	keep := cmd.Flags().String("keep-old", "", "`duration` for which the old one, and what it has made, still holds: a number and s, m, h or d")
	force := cmd.Flags().Bool("force", false, "with --keep-old: end the former one that still holds, and what it has made")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := s.loadForClient()
		if err != nil {
			return err
		}
		if cfg.Token != "" {
			return usageError{Text: givenMaster(cmd, getenv)}
		}
		kept := time.Duration(0)
		if cmd.Flags().Changed("keep-old") {
			if kept, err = duration("token reset: --keep-old", *keep); err != nil {
				return err
			}
			if until := token.FormerUntil(cfg.TokenFile); !until.IsZero() && !*force {
				return formerHolds(until, madeWithFormer(cmd.Context(), cfg))
			}
		}
		secret, err := token.Reset(cfg.TokenFile, kept)
		if err != nil {
			return noMaster(err)
		}
		notice := "The old token has ended, and so has every token that was made with it: make those anew.\n"
		if kept > 0 {
			notice = fmt.Sprintf("The old token ends at %s, and so does every token that was made with it: make those anew. Until then \"lightd token list\" has them.\n",
				time.Now().Add(kept).Format(time.DateTime))
		}
		if _, err := io.WriteString(streams.Err, notice); err != nil {
			return err
		}
		if err := noteElsewhere(getenv, streams.Err); err != nil {
			return err
		}
		_, err = fmt.Fprintln(streams.Out, secret)
		return err
	}
	return cmd
}

// formerHolds refuses to end the master token before the present one, which a reset has promised to keep.
func formerHolds(until time.Time, made string) error {
	return fmt.Errorf("token reset: a former master token holds until %s, and only one is kept: another --keep-old would end it now, with %s. "+
		"Wait until then, end them by --force, or leave --keep-old out, which ends every token there is", until.Local().Format(time.DateTime), made)
}

// formerWithin bounds what a reset waits for the daemon, which alone knows what was made.
const formerWithin = 5 * time.Second

// madeWithFormer says how many tokens were made with the former master token, as far as the daemon says.
func madeWithFormer(ctx context.Context, cfg config) string {
	ctx, cancel := context.WithTimeout(ctx, formerWithin)
	defer cancel()
	former, err := askFormer(ctx, cfg)
	switch {
	case err != nil:
		return "the tokens that were made with it (how many is unknown, as the daemon does not answer)"
	case former == nil:
		return "no token that was made with it"
	}
	return tokensText(former.Tokens) + " made with it"
}

func tokensText(n int) string {
	if n == 1 {
		return "1 token"
	}
	return fmt.Sprintf("%d tokens", n)
}

// askFormer asks this machine's daemon for its former master token.
func askFormer(ctx context.Context, cfg config) (*api.FormerMaster, error) {
	secret, err := token.Read(cfg.TokenFile)
	if err != nil {
		return nil, err
	}
	at, err := cfg.localServer()
	if err != nil {
		return nil, err
	}
	c, err := client.New(client.Config{URL: at.Server, Pin: at.Pin, Token: secret, UserAgent: "lightd/" + version, Patience: -1})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.FormerMaster(ctx)
}

// givenMaster says why there is no file in which a master token could be reset.
func givenMaster(cmd *cobra.Command, getenv func(string) string) string {
	switch {
	case cmd.Flags().Changed("token"):
		return "token reset: --token gives the master token itself: leave it out to reset the one in the token file"
	case getenv("LIGHTD_TOKEN") != "":
		return "token reset: LIGHTD_TOKEN is set, and so gives the master token itself: \"unset LIGHTD_TOKEN\" to reset the one in the token file"
	}
	return "token reset: the key token of the configuration gives the master token itself: change it there, and restart the daemon"
}

// noMaster explains why there is no master token.
func noMaster(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no token yet: the first start of \"lightd serve\" makes one (%w)", err)
	}
	return err
}

// duration reads the value of a flag, which about names.
func duration(about, text string) (time.Duration, error) {
	d, err := token.ParseTTL(text)
	var invalid *desired.ValidationError
	if errors.As(err, &invalid) {
		return 0, usageError{Text: fmt.Sprintf("%s %q %s", about, text, invalid.Fields[0].Message)}
	}
	return d, err
}

// tokenSession has a command talk to the daemon, which alone may write its database: to the one that all
// commands talk to, or to this machine's, whose settings --config and --data-dir give.
func tokenSession(env command.Env, cmd *cobra.Command, run func(ctx context.Context, c *client.Client, args []string) error) *cobra.Command {
	s := newSettings(cmd.Flags(), env.Getenv, "data-dir")
	env.Local = func() (cliconfig.Local, error) { return local(s) }
	return command.WithClient(env, cmd, run)
}

func tokenCreateCommand(env command.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create --ttl 1h",
		Short: "Ask the running daemon for a token",
		Long:  `Prints a token. "lightd docs tokens" and "lightd docs scopes" say what it may do.`,
		Example: `  lightd token create --ttl 1h --scopes console,power --container web
  lightd token create --ttl 30d --scopes read --name dashboard`,
		Args: command.NoArgs,
	}
	streams := env.Streams
	var spec api.TokenSpec
	flags := cmd.Flags()
	flags.StringVar(&spec.TTL, "ttl", "", "`duration` that it lives: a number and s, m, h or d; at most 30d (required)")
	flags.StringVar(&spec.Name, "name", "", "`name` for people and logs")
	flags.StringSliceVar(&spec.Scopes, "scopes", nil, "`scopes` that it has: "+token.AllScopes.Text()+" (default: all but admin)")
	flags.StringSliceVar(&spec.Containers, "container", nil, "`id` of a container that it is for, and others not; may be repeated")
	flags.StringVarP(&spec.Selector, "selector", "l", "", "`selector` of the containers that it is for, and others not")
	quota := flags.StringToInt("quota", nil, "`most` of containers, ports and volumes, as in containers=4,ports=8 (with --container or -l)")
	flags.BoolVar(&spec.SingleUse, "single-use", false, "it works exactly once")
	form := command.ResultFlag(cmd)
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) (err error) {
		if err := checkTokenFlags(cmd, spec); err != nil {
			return err
		}
		spec.Quota, err = quotaOf(*quota)
		return err
	}
	return tokenSession(env, cmd, func(ctx context.Context, c *client.Client, _ []string) error {
		made, err := c.CreateToken(ctx, spec)
		if err != nil {
			return command.WithSubject("create token at "+c.URL(), err)
		}
		if err := errors.Join(warnShort(made.Token, spec.TTL, streams.Err), warnAbsent(ctx, c, spec, streams.Err)); err != nil {
			return err
		}
		if *form != command.FormText {
			return command.Write(streams, *form, made)
		}
		_, err = fmt.Fprintln(streams.Out, made.Text)
		return err
	})
}

// warnShort warns of a token that ends before its time, with the former master token.
func warnShort(made api.Token, asked string, out io.Writer) error {
	ttl, err := token.ParseTTL(asked)
	if err != nil || !made.ExpiresAt.Before(made.CreatedAt.Add(ttl-time.Second)) {
		return nil
	}
	_, err = fmt.Fprintf(out, "warning: it ends at %s, with the former master token that it was made with\n", made.ExpiresAt.Local().Format(time.DateTime))
	return err
}

// warnAbsent warns of a token for containers that do not exist: they may be created later, and may be mistyped.
func warnAbsent(ctx context.Context, c *client.Client, spec api.TokenSpec, out io.Writer) (err error) {
	for _, id := range spec.Containers {
		if _, absent := c.Get(ctx, id); errors.Is(absent, client.ErrNotFound) {
			_, bad := fmt.Fprintf(out, "warning: there is no container %q; the token is for it once it is created\n", id)
			err = errors.Join(err, bad)
		}
	}
	if spec.Selector == "" {
		return err
	}
	if found, failed := c.List(ctx, spec.Selector); failed == nil && len(found.Containers) == 0 {
		_, bad := fmt.Fprintf(out, "warning: no container matches %q; the token is for those that do once they are created\n", spec.Selector)
		err = errors.Join(err, bad)
	}
	return err
}

// quotaOf returns the quota of these figures; nil where there is none.
func quotaOf(figures map[string]int) (*api.Quota, error) {
	if len(figures) == 0 {
		return nil, nil
	}
	var q api.Quota
	for name, n := range figures {
		switch name {
		case "containers":
			q.Containers = &n
		case "ports":
			q.Ports = &n
		case "volumes":
			q.Volumes = &n
		default:
			return nil, usageError{Text: fmt.Sprintf("token create: --quota %q is none of containers, ports, volumes", name)}
		}
	}
	return &q, nil
}

// checkTokenFlags refuses what can be no token. A bound that is given and empty is a variable that was not
// set: the token would be for everything.
func checkTokenFlags(cmd *cobra.Command, spec api.TokenSpec) error {
	if spec.TTL == "" {
		return usageError{Text: "token create: --ttl is needed, as in --ttl 1h"}
	}
	if _, err := duration("token create: --ttl", spec.TTL); err != nil {
		return err
	}
	for name, empty := range map[string]bool{
		"scopes": len(spec.Scopes) == 0, "container": len(spec.Containers) == 0 || slices.Contains(spec.Containers, ""), "selector": spec.Selector == "",
	} {
		if cmd.Flags().Changed(name) && empty {
			return usageError{Text: fmt.Sprintf("token create: --%s is empty", name)}
		}
	}
	if len(spec.Scopes) > 0 {
		var invalid *desired.ValidationError
		if _, err := token.ParseScopes(spec.Scopes); errors.As(err, &invalid) {
			return usageError{Text: "token create: --scopes " + invalid.Fields[0].Message}
		}
	}
	return nil
}

func tokenListCommand(env command.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the tokens that hold, and when they were last used", Args: command.NoArgs,
		Example: "  lightd token list\n  lightd token list -o custom-columns=ID:.id,NAME:.name,ENDS:.expires_at",
	}
	form := command.OutputFlag(cmd, command.FormTable, command.FormJSON, command.FormYAML, command.FormName)
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	_ = cmd.Flags().MarkDeprecated("json", "it is -o json")
	streams := env.Streams
	return tokenSession(env, cmd, func(ctx context.Context, c *client.Client, _ []string) error {
		all, err := c.Tokens(ctx)
		if err != nil {
			return command.WithSubject("list tokens of "+c.URL(), err)
		}
		former, err := c.FormerMaster(ctx)
		if err != nil {
			return command.WithSubject("list tokens of "+c.URL(), err)
		}
		if *asJSON {
			*form = command.FormJSON
		}
		if *form != command.FormTable {
			return command.WriteListOf(streams, *form, all, struct {
				Tokens       []api.Token       `json:"tokens"`
				FormerMaster *api.FormerMaster `json:"former_master,omitempty"`
			}{all, former})
		}
		if err := writeTokens(streams, terminal.Columns(streams.Out, env.Getenv), time.Now(), all); err != nil || former == nil {
			return err
		}
		_, err = fmt.Fprintf(streams.Err, "The former master token holds until %s, with %s made with it.\n", former.Until.Local().Format(time.DateTime), tokensText(former.Tokens))
		return err
	})
}

func writeTokens(streams terminal.Streams, width int, now time.Time, all []api.Token) error {
	table := render.NewTable(streams.Out, "ID", "NAME", "SCOPES", "FOR", "EXPIRES", "LAST USED", "FROM").Fit(width, 6, 4)
	for _, t := range all {
		bounds := strings.Join(t.Containers, ",")
		if t.Selector != "" {
			bounds = strings.TrimPrefix(bounds+" -l "+t.Selector, " ")
		}
		used := "never"
		if !t.LastUsedAt.IsZero() {
			used = render.Age(now, t.LastUsedAt) + " ago"
		}
		if t.Used {
			used += ", used up"
		}
		table.Row(t.ID, t.Name, strings.Join(t.Scopes, ","), cmp.Or(bounds, "all"), render.In(now, t.ExpiresAt), used, t.LastUsedFrom)
	}
	return table.Flush()
}

func tokenRevokeCommand(env command.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "revoke ID|NAME...",
		Short:   "End tokens, and those that they have made; their connections close",
		Example: "  lightd token revoke dashboard",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 || slices.Contains(args, "") {
				return usageError{Text: `token revoke: the id or the name of a token is needed; "lightd token list" has them`}
			}
			return nil
		},
	}
	form := command.ResultFlag(cmd)
	return tokenSession(env, cmd, func(ctx context.Context, c *client.Client, args []string) error {
		all, err := c.Tokens(ctx)
		if err != nil {
			return command.WithSubject("list tokens of "+c.URL(), err)
		}
		ids := make([]string, len(args))
		for i, arg := range args {
			if ids[i], err = tokenID(all, arg); err != nil {
				return err
			}
		}
		for i, id := range ids {
			if err := c.RevokeToken(ctx, id); err != nil {
				return command.WithSubject(args[i], err)
			}
			if id != args[i] {
				args[i] += " (" + id + ")"
			}
			if *form == command.FormText {
				fmt.Fprintf(env.Streams.Out, "%s: revoked\n", args[i])
			}
		}
		if *form == command.FormText {
			return nil
		}
		return command.WriteList(env.Streams, *form, "tokens", slices.DeleteFunc(all, func(t api.Token) bool { return !slices.Contains(ids, t.ID) }))
	})
}

// tokenID returns the id of the token that an argument means: by its id, or by a name that no other has. What
// means none is an id, which the daemon refuses.
func tokenID(all []api.Token, arg string) (string, error) {
	var named []string
	for _, t := range all {
		switch arg {
		case t.ID:
			return arg, nil
		case t.Name:
			named = append(named, t.ID)
		}
	}
	switch len(named) {
	case 0:
		return arg, nil
	case 1:
		return named[0], nil
	}
	return "", usageError{Text: fmt.Sprintf("token revoke: %d tokens have the name %q: give the ids of those that are meant, out of %s", len(named), arg, strings.Join(named, ", "))}
}
