package main

import (
	"slices"
	"strings"
	"testing"
)

// TestLooseSettings: each setting that gives up a defence is named, and none of the defaults is.
func TestLooseSettings(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "origins: ['https://panel.example.com']": "", "unix_socket: {mode: '0660'}": "", "audit: {output: stdout}": "",
		"containers: {capabilities: [CHOWN]}":              "",
		"origins: ['*']":                                   "origins",
		"hosts: ['*']":                                     "hosts",
		"unix_socket: {mode: '0666'}":                      "unix_socket.mode",
		"audit: {output: 'off'}":                           "audit.output",
		"containers: {capabilities: [SYS_PTRACE]}":         "containers.capabilities",
		"containers: {install_capabilities: [SYS_PTRACE]}": "containers.install_capabilities",
		"webhooks: [{name: a, url: 'http://panel/', secret: 0123456789abcdef, insecure_plain_http: true}]": "webhooks",
	} {
		cfg, err := loadText(t, text+"\n")
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		var names []string
		for _, l := range cfg.loose() {
			names = append(names, l.Setting)
		}
		if got := strings.Join(slices.Compact(names), " "); got != want {
			t.Errorf("%s: %q, not %q", text, got, want)
		}
	}
}

// TestCredentialsAreGuarded: no mount reaches the file with the credentials of registries, and a start
// warns if others can read it.
func TestCredentialsAreGuarded(t *testing.T) {
	const file = "/etc/lightd/registries.json"
	cfg := &config{Images: imagesAllowed{Credentials: file}}
	if !slices.Contains(cfg.ownPlaces(), file) {
		t.Error("a mount may reach the credentials")
	}
	if !slices.Contains(cfg.secretFiles(), file) {
		t.Error("the credentials are not among the files of secrets")
	}
}
