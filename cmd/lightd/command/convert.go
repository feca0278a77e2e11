package command

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/egg"
	"lightd/cmd/lightd/manifest"
)

func (a *app) convert() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "convert",
		Short: "Make a spec of what another program has for one",
	}
	cmd.AddCommand(a.convertEgg())
	return Branch(cmd)
}

// convertFlags are the flags of convertEgg, as they are typed.
type convertFlags struct {
	options     egg.Options
	ports, vars []string
	memory      string
}

func (a *app) convertEgg() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "egg FILE",
		Short: "Make a spec of an egg of Pterodactyl or Pelican",
		Long: `Reads an egg as a panel exports it (PTDL_v1, PTDL_v2 or PLCN_v1 to PLCN_v3, JSON or YAML), and
writes the spec of a container of it to the standard output, for "lightd apply". It needs no daemon. FILE "-" is the
standard input.

What a spec cannot express is told on the standard error, a line each: the files that a panel
edits before each start (config.files), the rules of variables, features, and so on. Give the id,
the volume and the ports by flags. The egg's variables become the environment, with their defaults;
SERVER_MEMORY, SERVER_PORT, SERVER_IP and P_SERVER_UUID are set where the egg uses them, by these flags. Wings
opens each port for TCP and UDP: give -p twice where the game needs both.`,
		Example: `  lightd convert egg paper.json --id mc-1 --volume $(lightd volume create) \
    -p 25565 --memory 2Gi > mc-1.yaml
  lightd apply -f mc-1.yaml --dry-run
  lightd convert egg paper.json --image "Java 17" --id mc-2 -p 0 \
    --volume $(lightd volume create) --env MINECRAFT_VERSION=1.21.4 |
    lightd apply -f -`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("%s: the file of an egg is needed, or \"-\"", path(cmd))
			}
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return []cobra.Completion{"json", "yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
		},
	}
	var f convertFlags
	cmd.Flags().StringVar(&f.options.ID, "id", "", "the `id` of the container")
	cmd.Flags().StringVar(&f.options.Volume, "volume", "", "the `id` of its volume")
	cmd.Flags().StringVar(&f.options.Image, "image", "", "`name` of one of the egg's images (default: the first), or another image")
	cmd.Flags().StringVar(&f.options.Startup, "startup", "", "`name` of one of its startup commands (default: the first)")
	cmd.Flags().StringArrayVarP(&f.ports, "publish", "p", nil, "a `port`, as in lightd rebind; may be given more than once")
	cmd.Flags().StringVar(&f.memory, "memory", "", "limit of the memory, as `size`: 2Gi")
	cmd.Flags().StringArrayVar(&f.vars, "env", nil, "`NAME=VALUE` in the place of a variable's default; may be given more than once")
	_ = cmd.RegisterFlagCompletionFunc("publish", a.completeFreePorts)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if err := f.read(); err != nil {
			return err
		}
		return a.writeEgg(args[0], f.options)
	}
	return cmd
}

// read reads what was typed.
func (f *convertFlags) read() error {
	f.options.Env = map[string]string{}
	for _, text := range f.vars {
		name, value, found := strings.Cut(text, "=")
		if !found || name == "" {
			return usagef("convert egg: --env %q is not NAME=VALUE", text)
		}
		f.options.Env[name] = value
	}
	for _, text := range f.ports {
		p, err := parsePort(text)
		if err != nil {
			return err
		}
		f.options.Ports = append(f.options.Ports, p)
	}
	if f.memory == "" {
		return nil
	}
	bytes, err := manifest.Bytes(f.memory)
	if err != nil {
		return usagef("convert egg: --memory %v", err)
	}
	f.options.Memory, err = bytes.Int64()
	return err
}

// writeEgg writes the spec, and what it lacks of the egg.
func (a *app) writeEgg(file string, o egg.Options) error {
	data, err := a.readEgg(file)
	if err != nil {
		return err
	}
	e, err := egg.Parse(data)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	spec, notes, err := e.Convert(o)
	if err != nil {
		return usagef("%s: %v", file, err)
	}
	text, err := e.YAML(spec)
	if err != nil {
		return err
	}
	for _, n := range notes {
		a.note("%s: %s", file, n)
	}
	_, err = a.Streams.Out.Write(text)
	return err
}

func (a *app) readEgg(file string) ([]byte, error) {
	in := a.Streams.In
	if file != manifest.Stdin {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("read the egg: %w", err)
		}
		defer func() { _ = f.Close() }() // it was only read
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, egg.MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read the egg: %w", err)
	}
	return data, nil
}
