package credentials

import (
	"strings"
	"testing"

	"github.com/docker/docker/api/types/registry"
)

// TestRedact: no secret is left in a text, in whatever form a registry got it.
func TestRedact(t *testing.T) {
	header := func(c registry.AuthConfig) string {
		text, err := registry.EncodeAuthConfig(c)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	password := header(registry.AuthConfig{Username: "panel", Password: "hunter2", ServerAddress: "r.example"})
	for _, c := range []struct{ text, header, want string }{
		{"denied: Basic cGFuZWw6aHVudGVyMg== of panel", password, "denied: Basic [redacted] of panel"},
		{"password=hunter2&user=panel", password, "password=[redacted]&user=panel"},
		{"X-Registry-Auth: " + password, password, "X-Registry-Auth: [redacted]"},
		{"Bearer token-1, token-2", header(registry.AuthConfig{IdentityToken: "token-1", RegistryToken: "token-2"}), "Bearer [redacted], [redacted]"},
		{"denied", header(registry.AuthConfig{}), "denied"},
		{"denied", "", "denied"},
		{"what is no header", "{", redacted},
	} {
		if got := Redact(c.text, c.header); got != c.want || strings.Contains(got, "hunter2") {
			t.Errorf("%s: %s, want %s", c.text, got, c.want)
		}
	}
}
