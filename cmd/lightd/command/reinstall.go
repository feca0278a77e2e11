package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/manifest"
	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/httpapi/client"
)

func (a *app) reinstall() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "reinstall ID...",
		Short:             "Install containers again; the data of their volumes stays",
		Example:           "  lightd reinstall web --wait\n  lightd reinstall web --image game:2 --install-script install.sh",
		ValidArgsFunction: a.completeIDs,
	}
	image := cmd.Flags().String("image", "", "install on this image from now on")
	script := cmd.Flags().String("install-script", "", "`file` of the script to run from now on, \"-\" for the standard input")
	var change client.Reinstall
	a.write(cmd, api.UntilInstalled, func(ctx context.Context, s *session, id string, w client.Write) (client.Receipt, error) {
		return s.Reinstall(ctx, id, change, w)
	})
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if cmd.Flags().Changed("image") {
			change.Image = image
		}
		if cmd.Flags().Changed("install-script") {
			text, err := a.readScript(*script)
			if err != nil {
				return err
			}
			change.InstallScript = &text
		}
		return run(cmd, args)
	}
	return cmd
}

// maxScript bounds an install script, and a patch: what a request takes at most.
const maxScript = 1 << 20

func (a *app) readScript(path string) (string, error) {
	data, err := a.readInput(path)
	if err != nil {
		return "", fmt.Errorf("read the install script: %w", err)
	}
	return string(data), nil
}

// readInput reads a file of at most maxScript bytes, "-" for the standard input.
func (a *app) readInput(path string) ([]byte, error) {
	in := a.Streams.In
	if path != manifest.Stdin {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // it was only read
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxScript+1))
	if err == nil && len(data) > maxScript {
		err = fmt.Errorf("more than %d MiB", maxScript>>20)
	}
	return data, err
}

func (a *app) rebind() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rebind ID -p PORT...",
		Short: "Give a container other ports",
		Long: `Gives a container these ports and no others. Each must be in the pool, and held by nobody
else. A port is [ADDRESS:]PORT[:CONTAINER_PORT][/udp], as in docker run; PORT 0 is the lowest free one.
With --image it uses another image too: one with an install script is installed again by it.`,
		Example:           `  lightd rebind web -p 25566 -p 127.0.0.1:8080:80 -p 27015/udp`,
		ValidArgsFunction: a.completeOne,
	}
	texts := cmd.Flags().StringArrayP("publish", "p", nil, "a `port`; may be given more than once")
	_ = cmd.RegisterFlagCompletionFunc("publish", a.completeFreePorts)
	none := cmd.Flags().Bool("none", false, "no port at all")
	image := cmd.Flags().String("image", "", "use this image from now on")
	var wanted []desired.Port
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if cmd.Flags().Changed("image") && *image == "" {
			return usagef("rebind: --image is empty")
		}
		if (len(*texts) == 0) != *none {
			return usagef("rebind: give ports with -p, or --none")
		}
		for _, text := range *texts {
			p, err := parsePort(text)
			if err != nil {
				return err
			}
			wanted = append(wanted, p)
		}
		return nil
	}
	a.write(cmd, api.UntilSynced, func(ctx context.Context, s *session, id string, w client.Write) (client.Receipt, error) {
		return s.Rebind(ctx, id, wanted, *image, w)
	})
	// One container's ports cannot be another's.
	for _, many := range []string{"all", "selector"} {
		_ = cmd.Flags().MarkHidden(many)
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if cmd.Flags().Changed("all") || cmd.Flags().Changed("selector") {
			return usagef("rebind takes one id: the ports of one container cannot be those of another")
		}
		return oneID(cmd, args)
	}
	return cmd
}

// parsePort reads "[ADDRESS:]PORT[:CONTAINER_PORT][/PROTOCOL]"; an address of IPv6 stands
// in brackets.
func parsePort(text string) (desired.Port, error) {
	bad := func(why string) (desired.Port, error) {
		return desired.Port{}, usagef("the port %q %s: it is [ADDRESS:]PORT[:CONTAINER_PORT][/tcp or /udp]", text, why)
	}
	rest, protocol, _ := strings.Cut(text, "/")
	p := desired.Port{Protocol: desired.NormalProtocol(desired.Protocol(protocol))}
	if p.Protocol != desired.TCP && p.Protocol != desired.UDP {
		return bad("has an unknown protocol")
	}
	if strings.HasPrefix(rest, "[") {
		address, after, ok := strings.Cut(rest[1:], "]:")
		if !ok {
			return bad("has a bracket too many")
		}
		p.IP, rest = address, after
	}
	parts := strings.Split(rest, ":")
	if p.IP == "" && (len(parts) == 3 || len(parts) == 2 && strings.Contains(parts[0], ".")) {
		p.IP, parts = parts[0], parts[1:]
	}
	if len(parts) > 2 {
		return bad("has too many parts")
	}
	for i, to := range []*int{&p.Port, &p.ContainerPort}[:len(parts)] {
		n, err := strconv.ParseUint(parts[i], 10, 16)
		if err != nil {
			return bad(fmt.Sprintf("has %q where a number from 0 to 65535 stands", parts[i]))
		}
		*to = int(n)
	}
	return p, nil
}
