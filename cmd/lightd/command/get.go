package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/render"
	"lightd/cmd/lightd/terminal"
	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/httpapi/client"
	"lightd/observed/status"
)

func selectorFlag(cmd *cobra.Command) *string {
	return cmd.Flags().StringP("selector", "l", "", "only those with these labels, as in `a=b,!c`")
}

func (a *app) get() *cobra.Command {
	cmd := a.getContainers("get [ID...]")
	cmd.Short = "Show containers, or what else there is"
	cmd.Long = `Shows containers: all, those that are named, or those that a selector chooses; with a word of the
list below, what that is instead. A container that has such a word as its id is meant by container/ID.

SYNCED is True when Docker is as the spec says, and otherwise tells why it is not.
With -w it goes on with every change; in JSON each is then a line {"type", "revision", "container"}.
What -o yaml prints without -w can be changed and applied. As "lightd inspect" it prints JSON.`
	cmd.Example = `  lightd get
  lightd get web -o yaml > web.yaml
  lightd get -l 'game in (quake,doom)' -w
  lightd get -o custom-columns=ID:.internal_id,MEMORY:.limits.memory
  lightd get -o jsonpath='{.containers[*].internal_id}' --sort-by .created_at
  lightd get ports --free`
	cmd.Aliases = []string{"ls", "ps", "inspect"}
	containers := a.getContainers("containers [ID...]")
	containers.Short, containers.Aliases = "The same as without a word", []string{"container"}
	containers.Example = "  lightd get containers -o wide"
	cmd.AddCommand(containers)
	for _, other := range []struct {
		*cobra.Command
		name, alias string
	}{{a.portList(), "ports", "port"}, {a.volumeList(), "volumes", "volume"}, {a.events(), "events", "event"}, {a.webhookList(), "webhooks", "webhook"}} {
		cmd.AddCommand(Renamed(other.Command, other.name, other.alias))
	}
	return cmd
}

// Renamed gives a command that lists something another name, below get.
func Renamed(cmd *cobra.Command, name, alias string) *cobra.Command {
	_, args, _ := strings.Cut(cmd.Use, " ")
	was := cmd.Name()
	cmd.Use, cmd.Aliases, cmd.GroupID = strings.TrimSpace(name+" "+args), []string{alias}, ""
	cmd.Example = strings.ReplaceAll(cmd.Example, "lightd "+was, "lightd get "+name)
	return cmd
}

// getContainers is the command that shows containers.
func (a *app) getContainers(use string) *cobra.Command {
	cmd := &cobra.Command{Use: use, ValidArgsFunction: a.completeIDs}
	form := OutputFlag(cmd, FormTable, formWide, FormJSON, FormYAML, FormName)
	selector := selectorFlag(cmd)
	watch := cmd.Flags().BoolP("watch", "w", false, "go on with every change")
	bare := cmd.Flags().Bool("no-headers", false, "leave out the names of the columns")
	labels := cmd.Flags().Bool("show-labels", false, "show the labels in a column of their own")
	sort := sortFlag(cmd)
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) > 0 && *selector != "":
			return usagef("get takes ids or a selector, not both")
		case *watch && sort.text != "":
			return usagef("get: --sort-by sorts a list, and a watch is none")
		}
		return noEmpty(cmd, args)
	}
	return a.withSession(cmd, func(ctx context.Context, s *session, args []string) error {
		for _, other := range cmd.Commands() {
			s.words = append(s.words, other.Name())
		}
		if cmd.CalledAs() == "inspect" && !cmd.Flags().Changed("output") {
			*form = FormJSON
		}
		show, err := a.printer(*form, *bare, len(args) == 1)
		if err != nil {
			return err
		}
		show.labels = *labels
		if show.goesOn = *watch; *watch {
			return a.watch(ctx, s, args, *selector, show)
		}
		list, err := a.find(ctx, s, args, *selector)
		if err != nil && len(list) == 0 {
			return err
		}
		if err := sorted(sort, list); err != nil {
			return err
		}
		return errors.Join(show.list(list), err)
	})
}

// find reads containers, in the order of ids, or sorted. Those that do not exist are reported,
// and the rest is returned beside the error.
func (a *app) find(ctx context.Context, s *session, ids []string, selector string) ([]api.Container, error) {
	if len(ids) == 0 {
		return s.all(ctx, selector)
	}
	var list []api.Container
	err := a.each(ctx, s, ids, func(ctx context.Context, id string) error {
		c, err := s.Get(ctx, id)
		if err == nil {
			list = append(list, c.Container)
		}
		return err
	})
	return list, err
}

// all reads all containers that a selector chooses, in full.
func (s *session) all(ctx context.Context, selector string) ([]api.Container, error) {
	listing, err := s.ListFull(ctx, selector)
	return listing.Containers, err
}

// watch shows what is there and then every change, until ctx ends.
func (a *app) watch(ctx context.Context, s *session, ids []string, selector string, show *printer) error {
	for _, id := range ids {
		if _, err := s.Get(ctx, id); err != nil {
			return withSubject(id, err)
		}
	}
	if len(ids) == 0 {
		// That there is no daemon is reported at once; later it may come back.
		if _, err := s.List(ctx, selector); err != nil {
			return err
		}
	}
	var first []api.WatchEvent
	listed := false
	for e, err := range s.follow.Watch(ctx, client.Watch{Selector: selector}) {
		switch {
		case err != nil:
			return err
		case e.Type == api.Bookmark && !listed:
			listed = true
			err = show.begin(first)
		case e.Container == nil, len(ids) > 0 && !slices.Contains(ids, e.Container.InternalID):
		case !listed:
			first = append(first, e)
		default:
			err = show.change(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// printer shows containers in one of the forms.
type printer struct {
	streams terminal.Streams
	out     io.Writer
	// width is that of a line; 0 for no bound. The wide form has none.
	width int
	note  func(string, ...any)
	now   func() time.Time
	form  string
	one   bool
	bare  bool
	// goesOn is true of a watch, labels where they have a column of their own.
	goesOn, labels bool
	// expressions shows what has a form with an expression; nothing else.
	expressions *expressions
	colour      bool
	table       *render.Table
	last        map[string][]string // the last row of each container, but for its age
	shown       int                 // documents so far
}

func (a *app) printer(form string, bare, one bool) (*printer, error) {
	x, err := newExpressions(a.Streams, form, bare)
	return &printer{
		streams: a.Streams, out: a.Streams.Out, width: a.columns(a.Streams.Out), note: a.note, now: a.Now, form: form, one: one, bare: bare,
		expressions: x, colour: a.colour(a.Streams.Out), last: map[string][]string{},
	}, err
}

// documents reports whether the form is one document for all that is shown, and of a watch one for each change.
func (v *printer) documents() bool { return v.form == FormJSON || v.form == FormYAML }

// list shows containers. A single one that was requested by its id is an object in JSON and
// YAML, several are a list.
func (v *printer) list(all []api.Container) error {
	template := strings.HasPrefix(v.form, formPath)
	switch {
	case v.expressions != nil && (v.goesOn || !template):
		for _, c := range all {
			if err := v.expressions.add(c); err != nil {
				return err
			}
		}
		return v.expressions.flush()
	case v.form == FormName:
		return WriteList(v.streams, v.form, "", all)
	case (v.documents() || template) && v.one && len(all) == 1:
		return encode(v.streams, v.form, all[0])
	case v.documents() || template:
		return WriteList(v.streams, v.form, "containers", all)
	}
	if len(all) == 0 {
		v.note("There is no container.")
	}
	for _, c := range all {
		v.row(c, string(c.State))
	}
	return v.flush()
}

func (v *printer) flush() error {
	if v.table == nil {
		return nil
	}
	return v.table.Flush()
}

// begin shows what is there when a watch begins. In JSON and YAML each document of a stream
// is a change.
func (v *printer) begin(first []api.WatchEvent) error {
	slices.SortFunc(first, func(a, b api.WatchEvent) int {
		return strings.Compare(a.Container.InternalID, b.Container.InternalID)
	})
	all := make([]api.Container, len(first))
	for i, e := range first {
		all[i] = *e.Container
		if !v.documents() {
			continue
		}
		if err := v.change(e); err != nil {
			return err
		}
	}
	if v.documents() {
		return nil
	}
	return v.list(all)
}

// change shows one change of a container. In JSON and YAML it includes its kind, since
// the container of a deletion looks as if it were there.
func (v *printer) change(e api.WatchEvent) error {
	switch v.form {
	case FormName:
		return encode(v.streams, v.form, *e.Container)
	case FormJSON:
		return render.JSONLine(v.out, e)
	case FormYAML:
		if v.shown++; v.shown > 1 {
			if _, err := io.WriteString(v.out, "---\n"); err != nil {
				return err
			}
		}
		return render.YAML(v.out, e)
	}
	if v.expressions != nil {
		if err := v.expressions.add(*e.Container); err != nil {
			return err
		}
		return v.expressions.flush()
	}
	state := string(e.Container.State)
	if e.Type == api.ChangeDeleted {
		state = stateDeleted
	}
	v.row(*e.Container, state)
	return v.flush()
}

// stateDeleted is shown of a container that is no more.
const stateDeleted = "deleted"

var narrow = []string{"ID", "INSTALL", "STATE", "SYNCED", "RESTARTS", "AGE", "IMAGE"}

// The columns that a narrow terminal can spare: -o wide and describe have them.
const (
	installColumn = 1
	imageColumn   = 6
)

// syncedColumn is the last of those that say how a container is.
const syncedColumn = 3

// usual are the widths that a table that grows begins with.
var usual = []int{12, 10, 8, 12, 8, 5}

// row adds a row to the table, unless it would be the last one of that container again:
// not every change shows.
func (v *printer) row(c api.Container, state string) {
	cells := []string{
		c.InternalID, string(c.InstallState), state, synced(c), fmt.Sprint(c.Restarts),
		render.Age(v.now(), time.Unix(c.CreatedAt, 0)), c.Image,
	}
	if v.form == formWide {
		cells = append(cells, power(c), generation(c), ports(c.Ports), bound(c.Limits.Memory, render.Bytes(c.Limits.Memory)),
			bound(int64(c.Limits.CPU*1000), fmt.Sprint(c.Limits.CPU)), c.ContainerID, c.VolumeID, pairs(c.Labels), c.Summary)
	}
	if v.labels && v.form != formWide {
		cells = append(cells, pairs(c.Labels))
	}
	said := slices.Concat(cells[:5], cells[6:])
	if slices.Equal(v.last[c.InternalID], said) {
		return
	}
	if v.last[c.InternalID] = said; state == stateDeleted {
		delete(v.last, c.InternalID)
	}
	v.open().Row(cells...)
}

// columnColour is the colour of a cell of that table: a reason for not being in sync is one to look at.
func columnColour(column int, cell string) string {
	switch colour := stateColour(cell); {
	case column > syncedColumn:
		return ""
	case column == syncedColumn && colour == "":
		return render.Red
	default:
		return colour
	}
}

// power is what the process should be doing, and that it may not.
func power(c api.Container) string {
	if c.Suspended {
		return string(c.Power) + ", suspended"
	}
	return string(c.Power)
}

// open returns the table, made when there is something to show in it.
func (v *printer) open() *render.Table {
	if v.table != nil {
		return v.table
	}
	columns := narrow
	switch {
	case v.form == formWide:
		columns = append(slices.Clone(narrow), "POWER", "GENERATION", "PORTS", "MEMORY", "CPU", "CONTAINER", "VOLUME", "LABELS", "SUMMARY")
	case v.labels:
		columns = append(slices.Clone(narrow), "LABELS")
	}
	if v.table = render.NewTable(v.out, columns...); v.bare {
		v.table = render.NewPlainTable(v.out, len(columns))
	}
	if v.colour {
		v.table.Paint(columnColour)
	}
	if v.form != formWide {
		v.table.Fit(v.width, imageColumn, installColumn)
	}
	if v.goesOn {
		v.table.Reserve(usual...)
	}
	return v.table
}

// synced is True, or why not.
func synced(c api.Container) string {
	at := c.Condition(status.Synced)
	switch {
	case c.Deleting:
		return string(status.ReasonDeleting)
	case at.Status == status.True && c.ObservedGeneration < c.Generation:
		return string(status.ReasonProgressing) // a newer spec than it is of
	case at.Status == status.True || at.Reason == "":
		return string(at.Status)
	}
	return string(at.Reason)
}

func generation(c api.Container) string {
	if c.ObservedGeneration == c.Generation {
		return fmt.Sprint(c.Generation)
	}
	return fmt.Sprintf("%d of %d", c.ObservedGeneration, c.Generation)
}

func bound(n int64, text string) string {
	if n == 0 {
		return ""
	}
	return text
}

// ports formats bindings as docker does, "25565->80/tcp", with the address where it is not
// any.
func ports(all []desired.Port) string {
	list := make([]string, len(all))
	for i, p := range all {
		list[i] = binding(p)
	}
	return strings.Join(list, ",")
}

func binding(p desired.Port) string {
	text := fmt.Sprint(p.Port)
	if p.IP != "" && p.IP != "0.0.0.0" {
		at := p.Endpoint().String()
		text = at[:strings.LastIndexByte(at, '/')]
	}
	if p.ContainerPort != p.Port {
		text += fmt.Sprintf("->%d", p.ContainerPort)
	}
	return text + "/" + string(p.Protocol)
}

// pairs formats a map as "a=b,c=d", sorted.
func pairs(m map[string]string) string {
	list := make([]string, 0, len(m))
	for k, v := range m {
		list = append(list, k+"="+v)
	}
	slices.Sort(list)
	return strings.Join(list, ",")
}
