package command

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/render"
	"lightd/cmd/lightd/terminal"
	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/httpapi/client"
)

// The forms of output. FormText is the sentences of a command that changes something.
const (
	FormText  = ""
	FormTable = "table"
	formWide  = "wide"
	FormJSON  = "json"
	FormYAML  = "yaml"
	FormName  = "name"
)

// What the forms begin with that are followed by what is to be shown.
const (
	formPath    = "jsonpath="
	formColumns = "custom-columns="
)

// OutputFlag adds -o, and returns where its value is: the first form unless another one is given. What
// has JSON has the forms that take an expression too.
func OutputFlag(cmd *cobra.Command, forms ...string) *string {
	form := &output{form: forms[0], forms: slices.DeleteFunc(slices.Clone(forms), func(form string) bool { return form == FormText })}
	offers, usage := slices.Clone(form.forms), strings.Join(form.forms, ", ")
	if slices.Contains(forms, FormJSON) {
		form.expressions = true
		offers, usage = append(offers, formPath, formColumns), usage+", "+formPath+"..., "+formColumns+"..."
	}
	cmd.Flags().VarP(form, "output", "o", "one of "+usage)
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(offers, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace))
	return &form.form
}

// ResultFlag is OutputFlag of a command that changes something, which says so in sentences unless told
// otherwise.
func ResultFlag(cmd *cobra.Command) *string {
	return OutputFlag(cmd, FormText, FormJSON, FormYAML, FormName)
}

// output is the value of -o: it takes no form that its command does not have.
type output struct {
	form  string
	forms []string
	// expressions reports whether a jsonpath or columns may be given.
	expressions bool
}

// String implements pflag.Value.
func (o *output) String() string { return o.form }

// Set implements pflag.Value.
func (o *output) Set(form string) error {
	kind, expression, _ := strings.Cut(form, "=")
	var err error
	switch {
	case slices.Contains(o.forms, form):
	case !o.expressions || kind+"=" != formPath && kind+"=" != formColumns:
		return usagef("--output %q is none of %s", form, strings.Join(o.all(), ", "))
	case expression == "":
		return usagef("--output %s needs an expression, as in -o jsonpath='{.internal_id}' or -o custom-columns=ID:.internal_id", kind)
	case kind+"=" == formPath:
		_, err = render.ParseTemplate(expression)
	default:
		_, err = render.ParseColumns(expression)
	}
	if err != nil {
		return usagef("--output: %v", err)
	}
	o.form = form
	return nil
}

func (o *output) all() []string {
	if o.expressions {
		return append(slices.Clone(o.forms), formPath+"...", formColumns+"...")
	}
	return o.forms
}

// Type implements pflag.Value.
func (o *output) Type() string { return "string" }

// sortFlag adds --sort-by, and returns what sorts by it.
func sortFlag(cmd *cobra.Command) *sorting {
	var s sorting
	cmd.Flags().Var(&s, "sort-by", "sort by what this `JSONPath` leads to, as in .limits.memory")
	return &s
}

// sorting is the value of --sort-by.
type sorting struct {
	text string
	path render.Path
}

// String implements pflag.Value.
func (s *sorting) String() string { return s.text }

// Set implements pflag.Value.
func (s *sorting) Set(text string) (err error) {
	if s.path, err = render.ParsePath(text); err != nil {
		return usagef("--sort-by: %v", err)
	}
	s.text = text
	return nil
}

// Type implements pflag.Value.
func (s *sorting) Type() string { return "path" }

// sorted sorts a list as --sort-by says, if it was given.
func sorted[T any](s *sorting, list []T) error {
	if s.text == "" {
		return nil
	}
	if err := render.SortBy(list, s.path); err != nil {
		return usagef("--sort-by: %v", err)
	}
	return nil
}

// encode writes v in a form that is no table.
func (a *app) encode(form string, v any) error { return encode(a.Streams, form, v) }

// Write writes v in a form that is no table.
func Write(streams terminal.Streams, form string, v any) error { return encode(streams, form, v) }

func encode(streams terminal.Streams, form string, v any) error {
	switch {
	case form == FormJSON:
		return render.JSON(streams.Out, v)
	case form == FormName:
		return writeNames(streams.Out, []any{v})
	case strings.HasPrefix(form, formPath):
		return writePath(streams, form, v)
	case strings.HasPrefix(form, formColumns):
		return writeColumns(streams.Out, form, []any{v})
	}
	return render.YAML(streams.Out, v)
}

// WriteList writes a list in a form that is no table: in JSON and YAML as the member of an object, else
// each of its elements.
func WriteList[T any](streams terminal.Streams, form, member string, list []T) error {
	if list == nil {
		list = []T{}
	}
	return WriteListOf(streams, form, list, map[string][]T{member: list})
}

// WriteListOf is WriteList of a list that is part of an object, which JSON, YAML and a template have.
func WriteListOf[T any](streams terminal.Streams, form string, list []T, whole any) error {
	elements := make([]any, len(list))
	for i, element := range list {
		elements[i] = element
	}
	switch {
	case form == FormName:
		return writeNames(streams.Out, elements)
	case strings.HasPrefix(form, formColumns):
		return writeColumns(streams.Out, form, elements)
	}
	return encode(streams, form, whole)
}

// writePath writes what a template makes of v. On a terminal control characters are escaped.
func writePath(streams terminal.Streams, form string, v any) error {
	t, err := render.ParseTemplate(strings.TrimPrefix(form, formPath))
	if err != nil {
		return err
	}
	out := consoleOutput(streams.Out, false)
	return joinClose(t.Write(out, v), out)
}

func joinClose(err error, out io.Closer) error {
	if closed := out.Close(); err == nil {
		return closed
	}
	return err
}

func writeColumns(out io.Writer, form string, elements []any) error {
	x, err := newExpressions(terminal.Streams{Out: out}, form, false)
	if err != nil {
		return err
	}
	for _, element := range elements {
		if err := x.add(element); err != nil {
			return err
		}
	}
	return x.flush()
}

// expressions shows values one by one as an expression has them: each as a row of columns, or as the text
// of a template on a line of its own.
type expressions struct {
	streams terminal.Streams
	form    string
	columns *render.Columns
	table   *render.Table
}

// newExpressions returns nothing for a form that has no expression.
func newExpressions(streams terminal.Streams, form string, bare bool) (*expressions, error) {
	x := &expressions{streams: streams, form: form}
	text, is := strings.CutPrefix(form, formColumns)
	switch {
	case strings.HasPrefix(form, formPath):
		return x, nil
	case !is:
		return nil, nil
	}
	columns, err := render.ParseColumns(text)
	x.columns, x.table = &columns, columns.NewTable(streams.Out, bare)
	return x, err
}

func (x *expressions) add(v any) error {
	if x.columns == nil {
		if err := encode(x.streams, x.form, v); err != nil {
			return err
		}
		_, err := io.WriteString(x.streams.Out, "\n")
		return err
	}
	row, err := x.columns.Row(v)
	if err == nil {
		x.table.Row(row...)
	}
	return err
}

func (x *expressions) flush() error {
	if x.table == nil {
		return nil
	}
	return x.table.Flush()
}

func writeNames(out io.Writer, elements []any) error {
	for _, element := range elements {
		if _, err := fmt.Fprintln(out, render.Text(nameOf(element))); err != nil {
			return err
		}
	}
	return nil
}

// nameOf is what commands take for the name of something.
func nameOf(v any) string {
	switch v := v.(type) {
	case api.Container:
		return v.InternalID
	case api.Receipt:
		return v.InternalID
	case client.Receipt:
		return v.InternalID
	case api.Stats:
		return v.InternalID
	case api.Drift:
		return v.InternalID
	case api.Volume:
		return v.VolumeID
	case api.AppliedVolume:
		return v.VolumeID
	case desired.PoolPort:
		return portText(v)
	case portChange:
		return v.text
	case api.Token:
		return v.ID
	case api.CreatedToken:
		return v.ID
	case api.Webhook:
		return v.Name
	}
	return ""
}
