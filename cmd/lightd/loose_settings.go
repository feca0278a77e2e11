package main

import (
	"fmt"
	"slices"
	"strings"

	"lightd/cmd/lightd/check"
	"lightd/httpapi/audit"
	"lightd/observed/blueprint"
)

// loose are the settings that give up a defence which the defaults have.
func (c *config) loose() (list []check.Loose) {
	add := func(is bool, setting, text string) {
		if is {
			list = append(list, check.Loose{Setting: setting, Text: text})
		}
	}
	add(slices.Contains(c.Origins, "*"), "origins", "every web page may call the API with a token that it has")
	add(slices.Contains(c.Hosts, "*"), "hosts", "every name of a host is answered: a web page can reach the API by a name of its own")
	add(strings.HasSuffix(c.UnixSocket.Mode, "6") || strings.HasSuffix(c.UnixSocket.Mode, "7"), "unix_socket.mode",
		fmt.Sprintf("with %s every account of this machine may connect to the unix socket", c.UnixSocket.Mode))
	add(c.Audit.Output == string(audit.Off), "audit.output", "nobody records who changed what")
	beyond := func(setting string, given, usual []string) {
		more := slices.DeleteFunc(slices.Clone(given), func(one string) bool { return slices.Contains(usual, one) })
		add(len(more) > 0, setting, "root in a container has "+strings.Join(more, ", ")+" beyond the usual capabilities")
	}
	usual := blueprint.DefaultCapabilities()
	beyond("containers.capabilities", c.Containers.Capabilities, usual.Run)
	beyond("containers.install_capabilities", c.Containers.InstallCapabilities, usual.Install)
	for _, w := range c.Webhooks {
		add(w.InsecurePlainHTTP, "webhooks", "webhook "+w.Name+" sends events as plain text")
	}
	return list
}
