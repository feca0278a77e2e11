package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"lightd/desired"
	"lightd/httpapi/client"
)

func (a *app) port() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "port",
		Short: "The network pool: the ports that containers may bind",
	}
	cmd.AddCommand(a.portAdd(), a.portList(), a.portDelete())
	return Branch(cmd)
}

// Branch makes a command that only has others below it refuse to be called alone.
func Branch(cmd *cobra.Command) *cobra.Command {
	names := make([]string, 0, len(cmd.Commands()))
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	all := strings.Join(names, ", ")
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usagef("%s: one of %s is needed", cmd.Name(), all)
		}
		return usagef("%s: unknown command %q; there are %s", cmd.Name(), args[0], all)
	}
	return cmd
}

// anyAddress is that of a port for which none is named.
const anyAddress = "0.0.0.0"

// poolRange is ports of one address in a row.
type poolRange struct {
	ip          string
	first, last int
	protocol    desired.Protocol
}

// parseRange reads "[ADDRESS:]PORT[-LAST][/PROTOCOL]".
func parseRange(text string) (poolRange, error) {
	spec, span, found := text, "", false
	if head, tail, ok := strings.Cut(text, "-"); ok {
		last, protocol, _ := strings.Cut(tail, "/")
		span, found = last, true
		if spec = head; protocol != "" {
			spec += "/" + protocol
		}
	}
	p, err := parsePort(spec)
	bad := usagef("the ports %q are not as in 25565, 25565-25600, 127.0.0.1:8080 or 27015/udp", text)
	if err != nil || p.Port == 0 || p.ContainerPort != 0 {
		return poolRange{}, bad
	}
	r := poolRange{ip: p.IP, first: p.Port, last: p.Port, protocol: p.Protocol}
	r.ip = cmp.Or(r.ip, anyAddress)
	if found {
		n, err := strconv.ParseUint(span, 10, 16)
		if err != nil || int(n) < r.first {
			return poolRange{}, bad
		}
		r.last = int(n)
	}
	return r, nil
}

func (r poolRange) endpoints() []desired.Endpoint {
	list := make([]desired.Endpoint, 0, r.last-r.first+1)
	for port := r.first; port <= r.last; port++ {
		list = append(list, desired.Endpoint{IP: r.ip, Port: port, Protocol: r.protocol})
	}
	return list
}

// portRanges is for commands that take ports.
func portRanges(into *[]poolRange) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usagef("%s: ports are needed, as in 25565 or 127.0.0.1:25565-25600/udp", path(cmd))
		}
		for _, arg := range args {
			r, err := parseRange(arg)
			if err != nil {
				return err
			}
			*into = append(*into, r)
		}
		return nil
	}
}

func (a *app) portAdd() *cobra.Command {
	var ranges []poolRange
	cmd := &cobra.Command{
		Use:     "add PORTS...",
		Short:   "Put ports into the pool",
		Long:    "Puts ports into the pool: [ADDRESS:]PORT[-LAST][/udp], of all addresses unless one is named. What is there already stays.",
		Example: "  lightd port add 25565-25600 27015/udp",
		Args:    portRanges(&ranges),
	}
	form := ResultFlag(cmd)
	return a.withSession(cmd, func(ctx context.Context, s *session, args []string) error {
		var done []portChange
		for i, r := range ranges {
			there, err := s.addRange(ctx, r)
			all := r.last - r.first + 1
			if err == nil {
				done = append(done, r.changed(args[i], portChange{Created: all - there, Unchanged: there}))
			}
			switch {
			case err != nil:
				return withSubject(args[i], err)
			case *form != FormText:
			case there == all:
				a.say("%s: already there", args[i])
			case there > 0:
				a.say("%s: added, but for %d that were already there", args[i], there)
			default:
				a.say("%s: added", args[i])
			}
		}
		if *form != FormText {
			return WriteList(a.Streams, *form, "ports", done)
		}
		return nil
	})
}

// portChange is what was done to ports of the pool.
type portChange struct {
	desired.PortRange
	Created   int `json:"created,omitempty"`
	Unchanged int `json:"unchanged,omitempty"`
	Deleted   int `json:"deleted,omitempty"`
	// text is how they were named.
	text string
}

// changed returns c as one of the ports of r.
func (r poolRange) changed(text string, c portChange) portChange {
	c.text, c.PortRange = text, desired.PortRange{IP: r.ip, Protocol: r.protocol}
	if r.first == r.last {
		c.Port = &r.first
		return c
	}
	ports := fmt.Sprintf("%d-%d", r.first, r.last)
	c.Ports = &ports
	return c
}

// addRange puts ports into the pool, whole or not at all where none of them is there, and else those
// that are not. It returns how many were there.
func (s *session) addRange(ctx context.Context, r poolRange) (there int, err error) {
	if r.first == r.last {
		err = s.AddPort(ctx, r.endpoints()[0])
	} else {
		err = s.AddPorts(ctx, r.ip, r.first, r.last, r.protocol)
	}
	if !errors.Is(err, client.ErrConflict) {
		return 0, err
	}
	for _, e := range r.endpoints() {
		switch err := s.AddPort(ctx, e); {
		case errors.Is(err, client.ErrConflict):
			there++
		case err != nil:
			return there, err
		}
	}
	return there, nil
}

func (a *app) portDelete() *cobra.Command {
	var ranges []poolRange
	cmd := &cobra.Command{
		Use:     "delete PORTS...",
		Aliases: []string{"rm"},
		Short:   "Take ports out of the pool, all or none; not those in use",
		Example: `  lightd port delete 25565-25600
  lightd port delete $(lightd port list --free -o name)`,
		Args:              portRanges(&ranges),
		ValidArgsFunction: a.completeFreePorts,
	}
	form := ResultFlag(cmd)
	return a.withSession(cmd, func(ctx context.Context, s *session, args []string) error {
		var all []desired.Endpoint
		for _, r := range ranges {
			all = append(all, r.endpoints()...)
		}
		if err := s.DeletePorts(ctx, all); err != nil {
			return err
		}
		if *form != FormText {
			done := make([]portChange, len(ranges))
			for i, r := range ranges {
				done[i] = r.changed(args[i], portChange{Deleted: r.last - r.first + 1})
			}
			return WriteList(a.Streams, *form, "ports", done)
		}
		for _, arg := range args {
			a.say("%s: deleted", arg)
		}
		return nil
	})
}

func (a *app) portList() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the ports of the pool, and who holds them",
		Example: "  lightd port list --free\n  lightd port list --sort-by .internal_id",
		Args:    NoArgs,
	}
	form := OutputFlag(cmd, FormTable, FormJSON, FormYAML, FormName)
	sort := sortFlag(cmd)
	free := cmd.Flags().Bool("free", false, "only those that can be taken")
	return a.withSession(cmd, func(ctx context.Context, s *session, _ []string) error {
		all, err := s.Ports(ctx)
		if err != nil {
			return err
		}
		list := make([]desired.PoolPort, 0, len(all))
		for _, p := range all {
			if !*free || !p.InUse {
				list = append(list, p)
			}
		}
		if err := sorted(sort, list); err != nil {
			return err
		}
		if *form != FormTable {
			return WriteList(a.Streams, *form, "ports", list)
		}
		if len(list) == 0 {
			if len(all) == 0 {
				a.note("There is no port in the pool: \"lightd port add\" adds some.")
			} else {
				a.note("There is no free port in the pool.")
			}
			return nil
		}
		t := a.table([]string{"IP", "PORT", "PROTOCOL", "IN USE", "ID"})
		for _, p := range list {
			use := "no"
			if p.InUse {
				use = "yes"
			}
			t.Row(p.IP, fmt.Sprint(p.Port), string(p.Protocol), use, p.InternalID)
		}
		return t.Flush()
	})
}
