package command

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"lightd/cmd/lightd/cliconfig"
	"lightd/cmd/lightd/render"
	"lightd/cmd/lightd/terminal"
	"lightd/httpapi/client"
	"lightd/observed/status"
)

// Env is the world that commands live in.
type Env struct {
	Streams terminal.Streams
	Getenv  func(string) string
	Now     func() time.Time
	// Local returns the settings of the daemon of this machine.
	Local func() (cliconfig.Local, error)
	// Agent identifies the program to the daemon.
	Agent string
	// Colour is the value of --color; nothing for auto.
	Colour *Colour
}

// The groups that the commands are shown in.
const (
	GroupDaemon     = "daemon"
	GroupContainers = "containers"
	groupDeclare    = "declare"
	groupNode       = "node"
)

// Groups returns the groups of the commands.
func Groups() []*cobra.Group {
	return []*cobra.Group{
		{ID: groupDeclare, Title: "What should be:"},
		{ID: GroupContainers, Title: "Containers:"},
		{ID: groupNode, Title: "The machine, and this program:"},
		{ID: GroupDaemon, Title: "The daemon:"},
	}
}

// app makes the commands.
type app struct {
	Env
	// clear removes a line of progress that is shown in place.
	clear func()
	// catchUp writes the progress of a container up to what is recorded now.
	catchUp func(id string)
	turn    sync.Mutex // held while a text is written: progress is written beside what the command says
}

func newApp(env Env) *app {
	return &app{Env: env, clear: func() {}, catchUp: func(string) {}}
}

// Commands returns the commands.
func Commands(env Env) []*cobra.Command {
	a := newApp(env)
	in := func(group string, list ...*cobra.Command) []*cobra.Command {
		for _, c := range list {
			c.GroupID = group
		}
		return list
	}
	all := in(groupDeclare, a.apply(), a.run(), a.edit(), a.patch(), a.history(), a.undo(), a.plan(), a.diff(), a.drift(), a.export(), a.explain(), a.convert(), a.openapi())
	all = append(all, in(GroupContainers, a.get(), a.describe(), a.delete(), a.wait(), a.events(), a.top(), a.logs(), a.attach(), a.send(), a.cp(), a.files())...)
	all = append(all, in(GroupContainers, a.powers()...)...)
	all = append(all, in(GroupContainers, a.reinstall(), a.rebind())...)
	return append(all, in(groupNode, a.port(), a.volume(), a.cordon(), a.drain(), a.uncordon(), a.webhooks(), a.backup(), a.context())...)
}

// session is a command that talks to a daemon.
type session struct {
	*client.Client
	// follow is the same daemon, for streams: it has patience with a broken connection.
	follow *client.Client
	target cliconfig.Target
	// words are those that the command takes in the place of an id.
	words []string
}

// patience is for how long a stream that broke is tried again.
const patience = 10 * time.Minute

// daemonFlags adds the flags that select the daemon.
func (a *app) daemonFlags(cmd *cobra.Command) *cliconfig.Flags {
	var f cliconfig.Flags
	cmd.Flags().StringVar(&f.Server, "server", "", "`URL` of the daemon (LIGHTD_URL; default: the current context, else this machine's)")
	cmd.Flags().StringVar(&f.Token, "token", "", "the `token` itself (better given by file: a command line can be seen by others)")
	cmd.Flags().StringVar(&f.TokenFile, "token-file", "", "`file` of the token, \"-\" for the standard input (LIGHTD_TOKEN, LIGHTD_TOKEN_FILE)")
	cmd.Flags().StringVar(&f.Context, "context", "", "`name` of a stored context (LIGHTD_CONTEXT)")
	_ = cmd.RegisterFlagCompletionFunc("context", a.completeContexts)
	_ = cmd.MarkFlagFilename("token-file")
	return &f
}

// dial finds the daemon. It makes no connection.
func (a *app) dial(flags cliconfig.Flags) (*session, error) {
	target, err := cliconfig.Resolve(flags, cliconfig.Env{Getenv: a.Getenv, Stdin: a.Streams.In, Local: a.Local, Warn: func(text string) { a.note("lightd: warning: %s", text) }})
	if err != nil {
		return nil, coded{err, ExitUsage}
	}
	certificate, err := target.Certificate()
	if err != nil {
		return nil, coded{err, ExitUsage}
	}
	cfg := client.Config{
		URL: target.URL, Token: target.Token, UserAgent: a.Agent, Patience: -1, Pin: target.Pin, Certificate: certificate,
	}
	once, err := client.New(cfg)
	if err != nil {
		return nil, err
	}
	cfg.Patience = patience
	follow, err := client.New(cfg)
	if err != nil {
		return nil, err
	}
	return &session{Client: once, follow: follow, target: target}, nil
}

// open is dial, with a warning where the token is sent in the clear.
func (a *app) open(flags cliconfig.Flags) (*session, error) {
	s, err := a.dial(flags)
	if err == nil {
		a.warnPlainHTTP(s.target.URL)
	}
	return s, err
}

func (a *app) warnPlainHTTP(address string) {
	if text := cliconfig.PlainHTTP(address); text != "" {
		a.note("lightd: warning: %s", text)
	}
}

func (s *session) close() {
	s.Close()
	s.follow.Close()
}

// withSession opens a session with a daemon for a command, and gives run the context it needs.
func (a *app) withSession(cmd *cobra.Command, run func(ctx context.Context, s *session, args []string) error) *cobra.Command {
	flags := a.daemonFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := a.open(*flags)
		if err != nil {
			return err
		}
		defer s.close()
		return s.explain(cmd.Context(), run(cmd.Context(), s, bareIDs(args)))
	}
	if cmd.ValidArgsFunction == nil {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	return cmd
}

// WithClient has cmd run with a client of the daemon that its flags mean, and gives run the context that it
// needs. A cmd with the flags --config or --data-dir means this machine's daemon by them.
func WithClient(env Env, cmd *cobra.Command, run func(ctx context.Context, c *client.Client, args []string) error) *cobra.Command {
	a := newApp(env)
	flags := a.daemonFlags(cmd)
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		flags.Here = cmd.Flags().Changed("config") || cmd.Flags().Changed("data-dir")
		s, err := a.open(*flags)
		if err != nil {
			return err
		}
		defer s.close()
		return s.explain(cmd.Context(), run(cmd.Context(), s.Client, args))
	}
	return cmd
}

// bareIDs returns ids without the kind in front that kubectl has, as in container/web.
func bareIDs(args []string) []string {
	bare := make([]string, len(args))
	for i, arg := range args {
		if kind, id, found := strings.Cut(arg, "/"); found && (kind == "container" || kind == "containers") {
			arg = id
		}
		bare[i] = arg
	}
	return bare
}

// explain adds to an error of the connection which daemon it was about, to a refused token where that
// came from, and to an id of no container one that it may be meant for.
func (s *session) explain(ctx context.Context, err error) error {
	var refused *client.Error
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, errSilent):
		return err
	case errors.As(err, &refused) && refused.Code == "container_not_found":
		return s.suggestID(ctx, err)
	case errors.As(err, &refused) && refused.Code == "insufficient_scope":
		return suggested{err, "it is from " + s.target.From}
	case errors.As(err, &refused) && refused.Code == "port_not_in_pool":
		return suggested{err, `"lightd port add PORT" puts one into the pool`}
	case errors.Is(err, client.ErrUnauthorized):
		return coded{fmt.Errorf("%s does not accept the token from %s: it is unknown or has ended", s.target.URL, s.target.From), ExitFailed}
	case errors.As(err, &refused) && refused.Code == "engine_unavailable": // it is not the daemon that is away
		return coded{suggested{err, status.ReasonEngineDown.Advice().Can}, ExitUnreachable}
	case notADaemon(err) && errors.As(err, &refused) && refused.Status == http.StatusBadRequest && strings.HasPrefix(s.target.URL, "http://"):
		return coded{fmt.Errorf("%s: %s (if that port speaks TLS, the URL begins with https://)", s.target.URL, refused.Sentence), ExitUnreachable}
	case notADaemon(err) && errors.As(err, &refused):
		return coded{fmt.Errorf("%s: %s (is that the URL of a Lightd daemon?)", s.target.URL, refused.Sentence), ExitUnreachable}
	case errors.Is(err, syscall.ECONNREFUSED) && errors.Is(err, client.ErrUnreachable):
		return coded{fmt.Errorf("%s: %s (is \"lightd serve\" running there?)", s.target.URL, sentence(err)), ExitUnreachable}
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return coded{fmt.Errorf("%s: %s (pin a self-signed certificate with \"lightd context set NAME --pin SHA256\")", s.target.URL, sentence(err)), ExitUnreachable}
	case ExitCode(err) == ExitUnreachable:
		return coded{fmt.Errorf("%s: %s", s.target.URL, sentence(err)), ExitUnreachable}
	}
	return err
}

// say writes a line to the standard output.
func (a *app) say(format string, args ...any) {
	a.clear()
	a.print(a.Streams.Out, render.Text(fmt.Sprintf(format, args...)))
}

// note writes a line to the standard error.
func (a *app) note(format string, args ...any) {
	a.clear()
	a.print(a.Streams.Err, render.Text(fmt.Sprintf(format, args...)))
}

// columns is how wide the lines of a stream may be; 0 for no bound.
func (a *app) columns(stream io.Writer) int { return terminal.Columns(stream, a.Getenv) }

// print writes a text that is safe for a terminal, as wide as the stream is. What does not fit goes
// on below, indented.
func (a *app) print(stream io.Writer, text string) {
	a.put(stream, render.Wrap(text, a.columns(stream), hang(text))+"\n")
}

// put writes a text as it is, none within another.
func (a *app) put(stream io.Writer, text string) {
	a.turn.Lock()
	defer a.turn.Unlock()
	_, _ = io.WriteString(stream, text)
}

// fail writes the message of an error where the command goes on.
func (a *app) fail(err error) {
	a.clear()
	var text strings.Builder
	WriteError(&text, a.columns(a.Streams.Err), a.colour(a.Streams.Err), err)
	a.put(a.Streams.Err, text.String())
}

// hang is the indentation of the continuation of a line.
func hang(text string) string {
	return text[:len(text)-len(strings.TrimLeft(text, " "))] + "  "
}

// table returns a table on the standard output that fits, with the spare columns as render.Table has
// them.
func (a *app) table(columns []string, spare ...int) *render.Table {
	return render.NewTable(a.Streams.Out, columns...).Fit(a.columns(a.Streams.Out), spare...)
}

// WriteError writes the message of an error, so many columns wide, and its first word red where colour is
// on; nothing when everything is written already.
func WriteError(out io.Writer, columns int, colour bool, err error) {
	message := Message(err)
	if message == "" {
		return
	}
	text := render.Wrap("lightd: "+message, columns, "  ")
	if colour {
		text = render.Coloured(render.Red, "lightd:") + strings.TrimPrefix(text, "lightd:")
	}
	fmt.Fprintln(out, text)
}

// each runs fn for every id, reports what fails, continues with the next one, and returns what
// the program should end with: the code of the first failure.
func (a *app) each(ctx context.Context, s *session, ids []string, fn func(ctx context.Context, id string) error) error {
	if len(ids) == 1 {
		return withSubject(ids[0], fn(ctx, ids[0]))
	}
	var first error
	for _, id := range ids {
		err := fn(ctx, id)
		switch {
		case err == nil:
			continue
		case ctx.Err() != nil:
			return err
		case ExitCode(err) == ExitUnreachable, errors.Is(err, client.ErrUnauthorized):
			return err // the next one would fare no better
		}
		a.clear()
		a.fail(s.explain(ctx, withSubject(id, err)))
		if first == nil {
			first = Exit(ExitCode(err))
		}
	}
	return first
}

// atOnce bounds how many containers a command works on at the same time.
const atOnce = 64

// prefetch starts fn for every id, several at the same time, so that waiting for one does not
// delay the others. of returns the result of one; stop cancels the rest, and returns when
// it has ended.
func prefetch[T any](ctx context.Context, ids []string, fn func(ctx context.Context, id string) (T, error)) (of func(id string) (T, error), stop func()) {
	type result struct {
		value T
		err   error
	}
	ctx, cancel := context.WithCancel(ctx)
	results := make(map[string]chan result, len(ids))
	for _, id := range ids {
		results[id] = make(chan result, 1)
	}
	var work, rest errgroup.Group
	work.SetLimit(atOnce)
	rest.Go(func() error {
		for _, id := range ids {
			work.Go(func() error {
				value, err := fn(ctx, id)
				results[id] <- result{value, err}
				return nil
			})
		}
		return work.Wait()
	})
	of = func(id string) (T, error) {
		r := <-results[id]
		return r.value, r.err
	}
	stop = func() {
		cancel()
		_ = rest.Wait() // its work returns its errors elsewhere
	}
	return of, stop
}

// distinct returns ids without repetitions.
func distinct(ids []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		again := seen[id]
		seen[id] = true
		return again
	})
}

// ids is for commands that take at least one id.
func ids(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usagef("%s: the id of a container is needed; see \"%s --help\"", path(cmd), cmd.CommandPath())
	}
	return noEmpty(cmd, args)
}

// oneID is for commands that take exactly one.
func oneID(cmd *cobra.Command, args []string) error {
	if err := ids(cmd, args); err != nil {
		return err
	}
	if len(args) > 1 {
		return usagef("%s takes one id, got %d", path(cmd), len(args))
	}
	return nil
}

// path is what was typed after the program's name.
func path(cmd *cobra.Command) string {
	return strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
}

// noEmpty refuses an empty argument, which is a variable that was not set, and the name of something else
// than a container, as kubectl takes it.
func noEmpty(cmd *cobra.Command, args []string) error {
	for _, arg := range args {
		if arg == "" {
			return usagef("%s: an id is empty", path(cmd))
		}
		if kind, _, is := strings.Cut(arg, "/"); is && kind != "container" && kind != "containers" {
			return usagef("%s: %q is no id; of what else there is \"lightd get --help\" has the commands", path(cmd), arg)
		}
	}
	return nil
}

// NoArgs is for commands that take none.
func NoArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		if cmd.Flags().Lookup("filename") != nil {
			return usagef("%s takes no argument, got %q: a file is named with -f", path(cmd), args[0])
		}
		return usagef("%s takes no argument, got %q", path(cmd), args[0])
	}
	return nil
}
