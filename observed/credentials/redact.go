package credentials

import (
	"encoding/base64"
	"strings"

	"github.com/docker/docker/api/types/registry"
)

// redacted stands for a secret.
const redacted = "[redacted]"

// Redact returns a text without the secrets of a header of For, in the forms in which a registry is sent them: one
// that repeats a request in its answer must not have them logged.
func Redact(text, header string) string {
	if header == "" {
		return text
	}
	sent, err := registry.DecodeAuthConfig(header)
	if err != nil {
		return redacted
	}
	secrets := []string{sent.Password, sent.IdentityToken, sent.RegistryToken}
	if sent.Password != "" {
		secrets = append([]string{base64.StdEncoding.EncodeToString([]byte(sent.Username + ":" + sent.Password))}, secrets...)
	}
	for _, secret := range append(secrets, header) {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, redacted)
		}
	}
	return text
}
