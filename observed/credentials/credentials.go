package credentials

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/registry"
)

// ErrUnreadable is in the chain of each error: there are credentials, or there may be, and they could not be read.
var ErrUnreadable = errors.New("the credentials of the registry cannot be read")

const (
	// hub is the key of Docker Hub, whose images name docker.io.
	hub       = "https://index.docker.io/v1/"
	hubDomain = "docker.io"
	// maxFile and maxAnswer bound what is read of the file and of a helper, in bytes.
	maxFile, maxAnswer = 1 << 20, 64 << 10
	// helperTime bounds a helper.
	helperTime = 20 * time.Second
	// helperPrefix is what the names of helpers begin with.
	helperPrefix = "docker-credential-"
	// tokenUser is what a helper gives as the name of the user where the secret is an identity token.
	tokenUser = "<token>"
)

// File is such a configuration file. It is read for each registry that is asked for, so that a login takes
// effect at once. The zero File has no credentials.
type File struct{ Path string }

// config is what of the file is of use, as in github.com/docker/cli/cli/config/configfile.
type config struct {
	Auths map[string]struct {
		// Auth is "user:password" in base64.
		Auth          string `json:"auth"`
		IdentityToken string `json:"identitytoken"`
		RegistryToken string `json:"registrytoken"`
	} `json:"auths"`
	CredsStore  string            `json:"credsStore"`
	CredHelpers map[string]string `json:"credHelpers"`
}

// For returns the credentials for the registry of an image in the form of the header X-Registry-Auth; empty
// where there are none. Its error is an ErrUnreadable.
func (f File) For(ctx context.Context, ref string) (string, error) {
	if f.Path == "" {
		return "", nil
	}
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return "", nil // the engine refuses it
	}
	key := reference.Domain(named)
	if key == hubDomain {
		key = hub
	}
	found, err := f.find(ctx, key)
	if err != nil {
		return "", fmt.Errorf("credentials for %s of %s: %w: %w", key, f.Path, ErrUnreadable, err)
	}
	if found == (registry.AuthConfig{}) {
		return "", nil
	}
	found.ServerAddress = key
	return registry.EncodeAuthConfig(found)
}

// find returns what is stored for a registry: by the helper of that, or the store of all, or in the file.
func (f File) find(ctx context.Context, key string) (registry.AuthConfig, error) {
	c, err := f.read()
	if err != nil {
		return registry.AuthConfig{}, err
	}
	helper := c.CredHelpers[key]
	if helper == "" {
		helper = c.CredsStore
	}
	if helper != "" {
		return ask(ctx, helper, key)
	}
	stored, is := c.Auths[key]
	if !is {
		return registry.AuthConfig{}, nil
	}
	found := registry.AuthConfig{IdentityToken: stored.IdentityToken, RegistryToken: stored.RegistryToken}
	if stored.Auth == "" {
		return found, nil
	}
	text, err := base64.StdEncoding.DecodeString(stored.Auth)
	user, password, whole := strings.Cut(strings.TrimRight(string(text), "\x00"), ":")
	if err != nil || !whole {
		return registry.AuthConfig{}, errors.New("\"auth\" is no name and password in base64")
	}
	found.Username, found.Password = user, password
	return found, nil
}

// read reads the file. One that is not there has nothing.
func (f File) read() (config, error) {
	var c config
	file, err := os.Open(f.Path)
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile))
	if err != nil {
		return c, err
	}
	if json.Unmarshal(text, &c) != nil { // its error may have a part of the text
		return c, errors.New("the file is no JSON of Docker's configuration")
	}
	return c, nil
}

// helperName is what may be the end of a helper's name: the file could name any program otherwise.
var helperName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// ask asks a credential helper, by the protocol of github.com/docker/docker-credential-helpers.
func ask(ctx context.Context, helper, key string) (registry.AuthConfig, error) {
	if !helperName.MatchString(helper) {
		return registry.AuthConfig{}, errors.New("the name of the credential helper has other characters than letters, digits and .-_")
	}
	ctx, cancel := context.WithTimeout(ctx, helperTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, helperPrefix+helper, "get")
	cmd.Stdin, cmd.WaitDelay = strings.NewReader(key), time.Second
	var out bounded
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		if message := out.String(); strings.HasPrefix(message, "credentials not found") {
			return registry.AuthConfig{}, nil
		}
		return registry.AuthConfig{}, fmt.Errorf("run %s%s: %w", helperPrefix, helper, errors.Join(context.Cause(ctx), err))
	}
	var answer struct{ Username, Secret string }
	if json.Unmarshal(out.Bytes(), &answer) != nil { // its error may have a part of the secret
		return registry.AuthConfig{}, fmt.Errorf("%s%s answers with no JSON", helperPrefix, helper)
	}
	if answer.Username == tokenUser {
		return registry.AuthConfig{IdentityToken: answer.Secret}, nil
	}
	return registry.AuthConfig{Username: answer.Username, Password: answer.Secret}, nil
}

// bounded keeps so much of what is written to it.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	_, err := b.Buffer.Write(p[:min(len(p), max(0, maxAnswer-b.Len()))])
	return len(p), err
}
