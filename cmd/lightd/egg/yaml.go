package egg

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"lightd/desired"
)

// document is a spec as a file has it: in the order in which people read it, without what is left at its default.
type document struct {
	InternalID     string            `yaml:"internal_id,omitempty"`
	Image          string            `yaml:"image"`
	VolumeID       string            `yaml:"volume_id,omitempty"`
	StartupCommand string            `yaml:"startup_command"`
	StartPattern   string            `yaml:"start_pattern,omitempty"`
	Ports          []port            `yaml:"ports,omitempty"`
	Limits         limits            `yaml:"limits,omitempty"`
	Env            map[string]string `yaml:"env,omitempty"`
	Stop           stop              `yaml:"stop,omitempty"`
	Install        *install          `yaml:"install,omitempty"`
}

type port struct {
	IP            string `yaml:"ip,omitempty"`
	Port          int    `yaml:"port"`
	ContainerPort int    `yaml:"container_port,omitempty"`
	Protocol      string `yaml:"protocol,omitempty"`
}

type limits struct {
	Memory int64 `yaml:"memory,omitempty"`
}

type stop struct {
	Signal  string `yaml:"signal,omitempty"`
	Command string `yaml:"command,omitempty"`
	Timeout string `yaml:"timeout,omitempty"`
}

type install struct {
	Script     string `yaml:"script"`
	Image      string `yaml:"image,omitempty"`
	Entrypoint string `yaml:"entrypoint,omitempty"`
	Mount      string `yaml:"mount"`
}

// YAML returns a spec that Convert made as a file for "lightd apply".
func (e Egg) YAML(s desired.Spec) ([]byte, error) {
	d := document{InternalID: s.InternalID, Image: s.Image, VolumeID: s.VolumeID, StartupCommand: s.StartupCommand, StartPattern: s.StartPattern,
		Limits: limits{s.Limits.Memory}, Env: s.Env}
	for _, p := range s.Ports {
		d.Ports = append(d.Ports, port{p.IP, p.Port, p.ContainerPort, string(p.Protocol)})
	}
	if s.Stop.Command != "" || s.Stop.Signal != "" {
		d.Stop = stop{s.Stop.Signal, s.Stop.Command, time.Duration(s.Stop.Timeout).String()}
	}
	if i := s.Install; i != nil {
		d.Install = &install{i.Script, i.Image, i.Entrypoint, i.Mount}
	}
	var b bytes.Buffer
	if name := strings.Join(strings.Fields(strings.ToValidUTF8(e.Name, "")), " "); name != "" {
		fmt.Fprintf(&b, "# %s, from an egg of the format %s\n", printable(name), e.Format)
	}
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(d); err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	return b.Bytes(), encoder.Close()
}

// printable leaves out what ends a comment, or a terminal would obey.
func printable(text string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c >= 0x80 && c < 0xa0 || c == 0x2028 || c == 0x2029 || c == 0xfeff || c > 0xffff && c < 0x10000 {
			return -1
		}
		return c
	}, text)
}
