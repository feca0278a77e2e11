package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// loadText reads settings from a file with a text.
func loadText(t *testing.T, text string) (config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "l.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"HOME": "/root", "LIGHTD_CONFIG": file}
	return newSettings(pflag.NewFlagSet("lightd", pflag.ContinueOnError), func(k string) string { return env[k] }).load()
}

// TestConfigurationErrors: each has the line, the key, what was found, and what is accepted.
func TestConfigurationErrors(t *testing.T) {
	for text, want := range map[string]string{
		"\nlisen: 127.0.0.1:0":                                 ":2: lisen: there is no such setting (did you mean listen?)",
		"mounts:\n  alowed: []":                                ":2: mounts.alowed: there is no such setting (did you mean allowed?)",
		"logs:\n  driver: journald":                            ":2: logs.driver: there is no such setting: it must be one of max_size, max_file",
		"- listen":                                             ":1: the file is a list, and must have keys",
		"mounts: [/srv]":                                       ":1: mounts: it is a list, and must have keys: allowed",
		"mounts:\n  allowed: /srv":                             ":2: mounts.allowed: it is \"/srv\", and must be a list, as in [/srv]",
		"hosts: node-1":                                        ":1: hosts: it is \"node-1\", and must be a list, as in [node-1]",
		"hosts: [[a]]":                                         ":1: hosts: it is a list, and must be a single text",
		"data_dir: [/srv]":                                     ":1: data_dir: it is a list, and must be a single text",
		"listen: {port: 80}":                                   ":1: listen: it is a map of keys, and must be an address or a list of them, as in 127.0.0.1:8070",
		"timeouts:\n  stop: 10":                                ":2: timeouts.stop: it is \"10\", and must be a duration with its unit, as in 10s",
		"timeouts: {stop: soon, pull: [1m]}":                   ":1: timeouts.stop: it is \"soon\", and must be a duration with its unit, as in 10s, 5m or 168h: there are s, m and h; ",
		"audit: {max_age: 7d}":                                 ":1: audit.max_age: it is \"7d\", and must be a duration with its unit, as in 10s, 5m or 168h: there are s, m and h",
		"tls: {self_signed: maybe}":                            ":1: tls.self_signed: it is \"maybe\", and must be true or false",
		"logs: {max_file: few}":                                ":1: logs.max_file: it is \"few\", and must be a whole number",
		"logs: {max_file: 2.5}":                                ":1: logs.max_file: it is \"2.5\", and must be a whole number",
		"containers: {max_cpu: all}":                           ":1: containers.max_cpu: it is \"all\", and must be a number of cores, as in 1.5",
		"containers:\n  max_memory: 512":                       ":2: containers.max_memory: \"512\" is not a size of at least 6m, as in 512Mi",
		"containers: {default_memory: 512Mx}":                  ":1: containers.default_memory: \"512Mx\" is not a size of at least 6m, as in 512Mi",
		"limits: {memory: 64}":                                 ":1: limits.memory: \"64\" is not a size of at least 32m, as in 64Mi",
		"audit: {max_size: 10}":                                ":1: audit.max_size: \"10\" is not a size of at least 64k, as in 10Mi",
		"logs: {max_size: 10}":                                 ":1: logs.max_size: \"10\" is not a size with one of the units k, m and g",
		"\nlisten: 127.0.0.1":                                  ":2: listen: \"127.0.0.1\" has no port, as in 127.0.0.1:8070",
		"listen: ['127.0.0.1:8070', '::1']":                    ":1: listen: \"::1\" has no port, as in [::1]:8070",
		"listen: node-1":                                       ":1: listen: \"node-1\" has no port, as in node-1:8070",
		"listen: 'https://0.0.0.0'\ntls: {self_signed: true}":  ":1: listen: \"https://0.0.0.0\" has no port, as in https://0.0.0.0:8070",
		"listen: 127.0.0.1:http-port":                          ":1: listen: \"127.0.0.1:http-port\": \"http-port\" is not a port from 0 to 65535",
		"listen: 127.0.0.1:70000":                              ":1: listen: \"127.0.0.1:70000\": \"70000\" is not a port from 0 to 65535",
		"listen:\n- 127.0.0.1:70\n- 127.0.0.1:70":              ":1: listen: \"127.0.0.1:70\" is given twice",
		"unix_socket:\n  group: nobody-has-it":                 ":2: unix_socket.group: there is no group \"nobody-has-it\" on this machine",
		"\norigins: ['https://*.panel.example.com']":           `:2: origins: read origin https://*.panel.example.com: it must be as in "https://panel.example.com", without a wildcard, or "*" alone`,
		"\nlisten: [:8443]":                                    ":2: listen: :8443 begins with a character that YAML has for itself: put it in quotes, as in ':8443'",
		"listen: a:1\nhosts:\n- a\n- *.example.com":            ":4: hosts: *.example.com begins with a character that YAML has for itself: put it in quotes, as in '*.example.com'",
		"hosts: [a, *.example.com]":                            ":1: hosts: *.example.com begins with",
		"listen: a:1\nlogs:\n  max_size: 1m\n\n  max_size: 2m": ":5: logs.max_size: it is given twice: line 3 has it too",
		"listen: a:1\nlisten: b:1":                             ":2: listen: it is given twice: line 1 has it too",
		"listen: \"a":                                          ":1: it is no YAML there, or in the line after: found unexpected end of stream",
		"a: b: c":                                              ":1: it is no YAML there, or in the line after: mapping values",
		"listen: [unix:/run/x.sock]":                           `:1: listen: "unix:/run/x.sock": a unix socket has two slashes before its path, as in unix:///run/x.sock`,
		"network: {allow_host_ports: [25565-25500]}":           `:1: network.allow_host_ports: "25565-25500": the range is backwards: it goes from 25565 down to 25500`,
		"containers: {max_cpu: 500x}":                          `:1: containers.max_cpu: it is "500x", and must be a number of cores, as in 1.5, or of thousandths of one, as in 500m`,
		"logs: {max_size: 10MB}":                               `:1: logs.max_size: "10MB" is not a size with one of the units k, m and g, of 1,000, as in 500k, 10m or 1g`,
		"docker_host: pigeon":                                  ":1: docker_host: engine address: ",
		"\ntoken: short":                                       ":2: token: ",
		"webhooks:\n- {name: a, url: 'https://a', secret: 0123456789abcdef}\n- name: b\n  url: https://b\n  secret: short": ":3: webhooks: webhook b: the secret has 5",
		"webhooks:\n- {name: a, secret: x, secret_file: y}":                                                                ":2: webhooks: webhook a: secret and secret_file are two ways",
		"listen: []": ":1: listen: \"\" has no port, as in 127.0.0.1:8070",
	} {
		if _, err := loadText(t, text); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "l.yaml") {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
	}
}

// TestSizesWithUnits: bytes are written as in specs.
func TestSizesWithUnits(t *testing.T) {
	cfg, err := loadText(t, "containers: {max_cpu: 500m, default_cpu: 0.25, max_memory: 512Mi, default_memory: 256m, max_installation: 10Gi}\nlimits: {memory: 64MiB}\naudit: {max_size: 1Mi}\nlisten: 'node-1:'\n")
	if err != nil {
		t.Fatal(err)
	}
	bounds, err := cfg.Containers.limitRange()
	most, bad := cfg.Containers.maxInstallation()
	memory, worse := cfg.Limits.memory()
	if err != nil || bad != nil || worse != nil || bounds.MaxCPU != 0.5 || bounds.DefaultCPU != 0.25 || bounds.MaxMemory != 512<<20 || bounds.DefaultMemory != 256<<20 || most != 10<<30 || memory != 64<<20 {
		t.Errorf("%+v %d %d: %v %v %v", bounds, most, memory, err, bad, worse)
	}
	// The forms of YAML that were read before are still read.
	if _, err := loadText(t, "x: &x {self_signed: yes}\n"); err == nil {
		t.Error("an unknown key")
	}
	for _, text := range []string{"", "# nothing\n", "mounts:\nhosts:\n", "tls: {self_signed: True}\nconsoles: {total: 0x10, per_container: 1_0}\n", "hosts: &h [a]\norigins: []\ntrusted_proxies: []\ncontainers: {max_cpu: 1}\n", "unix_socket: {mode: 0600}\n", "timeouts: {stop: 1m30s}\n"} {
		if _, err := loadText(t, text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}
