package command

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"lightd/cmd/lightd/render"
	"lightd/desired"
	"lightd/httpapi/api"
)

func (d description) writeSpec(s *describeWriter) {
	c := d.container
	s.line("Image", fmt.Sprintf("%s (image_pull: %s, image_policy: %s)", c.Image, c.ImagePull, c.ImagePolicy))
	s.line("Volume", c.VolumeID)
	s.block("Startup command", c.StartupCommand)
	s.block("Start pattern", c.StartPattern)
	s.block("Install script", c.Spec().Installation().Script)
	if c.Install != nil {
		s.line("Install with", installOf(*c.Install))
	}
	s.line("Ports", strings.ReplaceAll(ports(c.Ports), ",", ", "))
	s.line("Limits", limits(c))
	s.line("Restart", string(c.Restart))
	s.line("Stop", stopOf(c.Stop))
	if c.Health != nil {
		s.line("Health check", healthOf(*c.Health))
	}
	if c.QuotaExceeded == desired.QuotaStop {
		s.line("If over quota", "it is stopped")
	}
	if c.User != "" {
		s.line("User", c.User)
	}
	if c.Hostname != "" {
		s.line("Host name", c.Hostname)
	}
	if c.ReadOnly {
		s.line("Root", "read-only")
	}
	for _, target := range slices.Sorted(maps.Keys(c.Tmpfs)) {
		s.line("Tmpfs", target+" ("+c.Tmpfs[target]+")")
	}
	if c.Network != "" && c.Network != desired.NetworkDefault {
		s.line("Network", c.Network)
	}
	if !c.TTY || !c.Init {
		s.line("Process", fmt.Sprintf("tty %t, init %t", c.TTY, c.Init))
	}
	entries(s, "Mounts", mounts(c.Mount), " <- ")
	entries(s, "Environment", shownEnv(c, c.Env), "=")
	if c.Install != nil {
		entries(s, "Env to install", shownEnv(c, c.Install.Env), "=")
	}
	entries(s, "Labels", c.Labels, "=")
}

// mounts are the sources of mounts, with a word for those that cannot be written to.
func mounts(of map[string]desired.Mount) map[string]string {
	sources := make(map[string]string, len(of))
	for target, m := range of {
		if sources[target] = m.Source; m.ReadOnly {
			sources[target] += " (read-only)"
		}
	}
	return sources
}

// installOf describes how a script is run.
func installOf(i desired.Install) string {
	text := cmp.Or(i.Image, "the image") + ", the volume at " + i.Home()
	if i.Entrypoint != "" {
		text += ", by " + i.Entrypoint
	}
	if i.User != "" {
		text += ", as " + i.User
	}
	if i.Timeout > 0 {
		text += ", at most " + time.Duration(i.Timeout).String()
	}
	return text
}

// shownEnv is an environment of a container, with a word for values that the token may not see.
func shownEnv(c api.Container, env map[string]string) map[string]string {
	if !c.EnvHidden {
		return env
	}
	hidden := make(map[string]string, len(env))
	for name := range env {
		hidden[name] = "(hidden)"
	}
	return hidden
}

func limits(c api.Container) string {
	memory, cpu := "no limit of memory", "no limit of CPU"
	if c.Limits.Memory > 0 {
		memory = render.Bytes(c.Limits.Memory) + " of memory"
		switch swap := c.Limits.Swap; {
		case swap > 0:
			memory += " and " + render.Bytes(swap) + " of swap"
		case swap < 0:
			memory += " and any swap"
		}
		if c.Limits.OOMDisable {
			memory += " (never killed for it)"
		}
	}
	if least := c.Limits.MemoryReservation; least > 0 {
		memory += ", " + render.Bytes(least) + " reserved"
	}
	if c.Limits.CPU > 0 {
		cpu = plural(c.Limits.CPU, "core")
	}
	if c.Limits.CPUSet != "" {
		cpu += " on CPU " + c.Limits.CPUSet
	}
	text := fmt.Sprintf("%s, %s, %s", memory, cpu, plural(c.Limits.PIDs, "process"))
	if c.Limits.IOWeight > 0 {
		text += fmt.Sprintf(", disk weight %d", c.Limits.IOWeight)
	}
	return text
}

// stopOf names the means of a stop in their order.
func stopOf(stop desired.Stop) string {
	means := cmp.Or(stop.Signal, "the image's stop signal")
	if stop.Command != "" {
		means = fmt.Sprintf("the command %s, %s", desired.Quote(stop.Command), means)
	}
	return fmt.Sprintf("%s, then SIGKILL after %s", means, time.Duration(stop.Timeout))
}

// healthOf describes a health check in a line.
func healthOf(h desired.Health) string {
	what := "the image's HEALTHCHECK"
	switch {
	case h.TCP != 0:
		what = fmt.Sprintf("tcp port %d", h.TCP)
	case h.HTTP != nil:
		what = fmt.Sprintf("http port %d%s", h.HTTP.Port, h.HTTP.Path)
	case h.Command != "":
		what = "command " + h.Command
	}
	return fmt.Sprintf("%s, every %s within %s; %d failures in a row: %s", what, time.Duration(h.Every), time.Duration(h.Timeout), h.Failures, h.OnFailure)
}
