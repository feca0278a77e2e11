package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/pflag"
)

// FuzzConfiguration: a file of settings is taken or refused, and one that is taken can be compared with
// another, as at a reload.
func FuzzConfiguration(f *testing.F) {
	for _, s := range []string{
		"", "listen: [unix:///run/x, 0.0.0.0:1]\ntls: {self_signed: true}\n", "mounts: {allowed: [/srv]}\nimages: {allowed: ['*', ghcr.io/a]}\n",
		"logs: {max_size: 10m, max_file: 3}\ntimeouts: {stop: 1s}\n", "containers: {capabilities: [CHOWN]}\n", "a: &a [*a]\n", "x: {y: z}\n", "listen: {}\n",
		"audit: {max_size: 1e9g}\nlimits: {memory: 64m, connections: -1}\n", "trusted_proxies: [10.0.0.0/8, '::/0']\n", "origins: ['*', 'https://a']\nhosts: [a]\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		getenv := func(name string) string { return map[string]string{"HOME": "/root", "LIGHTD_CONFIG": file}[name] }
		s := newSettings(pflag.NewFlagSet("lightd", pflag.ContinueOnError), getenv)
		cfg, err := s.load()
		if err != nil {
			_ = lineOf(file, "listen")
			return
		}
		if differ := differingKeys(cfg, cfg); len(differ) > 0 {
			t.Errorf("it differs from itself: %v", differ)
		}
		_, _ = s.loadForClient()
	})
}
