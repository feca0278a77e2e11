package command

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/render"
	"lightd/desired"
	"lightd/httpapi/api"
)

func (a *app) export() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Print what a node has as one file that apply takes elsewhere",
		Long: `Prints the specs of all containers, the volumes and the ports of the pool as one file, which
"lightd apply -f" makes on another node, or here again. With a selector it has the containers that this
chooses, and of volumes and ports what they name. What volumes hold is not in it: see "lightd docs data".
A token that does not see the values of the environment is refused: the file would lack them. It is a file
of secrets where the specs have some.`,
		Example: `  lightd export > node-1.yaml
  lightd export -l game=quake | lightd apply --context node-2 -f -`,
		Args: NoArgs,
	}
	selector := selectorFlag(cmd)
	form := OutputFlag(cmd, FormYAML, FormJSON)
	return a.withSession(cmd, func(ctx context.Context, s *session, _ []string) error {
		found, err := s.all(ctx, *selector)
		if err != nil {
			return err
		}
		if err := checkExport(found); err != nil {
			return err
		}
		volumes, err := s.Volumes(ctx)
		if err != nil {
			return err
		}
		ports, err := s.Ports(ctx)
		if err != nil {
			return err
		}
		e := exportOf(found, volumes, ports, *selector != "")
		if err := a.encode(*form, e.nodeExport); err != nil {
			return err
		}
		for _, note := range e.notes {
			a.note("lightd: warning: %s", note)
		}
		a.note("%s, %s (without their files), %s of the pool.", plural(len(e.Containers), "container"), plural(len(e.Volumes), "volume"), plural(e.ports, "port"))
		return nil
	})
}

// checkExport refuses containers whose environment is hidden.
func checkExport(found []api.Container) error {
	var hidden []string
	for _, c := range found {
		if c.EnvHidden {
			hidden = append(hidden, render.Text(c.InternalID))
		}
	}
	if len(hidden) == 0 {
		return nil
	}
	return fmt.Errorf("the token does not see the values of the environment of %s, which the file would lack: export with a token of the scope write, or what has none with -l", strings.Join(hidden, ", "))
}

// nodeExport is the body of an apply.
type nodeExport struct {
	Volumes    []api.ApplyVolume   `json:"volumes,omitempty"`
	Ports      []desired.PortRange `json:"ports,omitempty"`
	Containers []desired.Spec      `json:"containers"`
}

// exported is a nodeExport, with how many ports it has and what is not in it.
type exported struct {
	nodeExport
	ports int
	notes []string
}

// exportOf makes the export of containers; with chosen, of no more volumes and ports than they name.
func exportOf(found []api.Container, volumes []api.Volume, ports []desired.PoolPort, chosen bool) exported {
	e := exported{nodeExport: nodeExport{Containers: []desired.Spec{}}}
	named := map[string]bool{}
	var bound []desired.Endpoint
	for _, c := range found {
		if c.Deleting {
			e.notes = append(e.notes, c.InternalID+" is being deleted, and is not in the file")
			continue
		}
		spec := c.Spec().Normalize()
		e.Containers, named[spec.VolumeID] = append(e.Containers, spec), true
		for _, p := range spec.Ports {
			bound = append(bound, p.Endpoint())
		}
	}
	for _, v := range volumes {
		if !chosen || named[v.VolumeID] {
			e.Volumes = append(e.Volumes, api.ApplyVolume{VolumeID: v.VolumeID, QuotaBytes: v.QuotaBytes})
		}
	}
	var pool []desired.Endpoint
	for _, p := range ports {
		if chosen && !slices.Contains(bound, p.Endpoint) {
			continue
		}
		if pool = append(pool, p.Endpoint); p.InUse && p.InternalID == "" {
			e.notes = append(e.notes, "the port "+portText(p)+" is reserved here, and free where the file is applied")
		}
	}
	if len(e.Containers) > maxApply {
		e.notes = append(e.notes, fmt.Sprintf("one apply takes %d containers: export them by selectors", maxApply))
	}
	e.ports, e.Ports = len(pool), rangesOf(pool)
	return e
}

// maxApply is how many containers an apply takes at most.
const maxApply = 2000

// rangesOf joins ports that follow each other.
func rangesOf(ports []desired.Endpoint) (ranges []desired.PortRange) {
	slices.SortFunc(ports, func(a, b desired.Endpoint) int {
		if c := strings.Compare(a.IP+"/"+string(a.Protocol), b.IP+"/"+string(b.Protocol)); c != 0 {
			return c
		}
		return a.Port - b.Port
	})
	for begin := 0; begin < len(ports); {
		first, end := ports[begin], begin+1
		for end < len(ports) && ports[end].IP == first.IP && ports[end].Protocol == first.Protocol && ports[end].Port == ports[end-1].Port+1 {
			end++
		}
		r := poolRange{ip: first.IP, first: first.Port, last: ports[end-1].Port, protocol: first.Protocol}
		ranges, begin = append(ranges, r.changed("", portChange{}).PortRange), end
	}
	return ranges
}
