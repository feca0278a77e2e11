package credentials

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/registry"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "hunter2:with a colon"

func file(t *testing.T, text string) File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return File{path}
}

// helpers puts programs in front of PATH, by the ends of their names.
func helpers(t *testing.T, scripts map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(dir, helperPrefix+name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestFor(t *testing.T) {
	helpers(t, map[string]string{
		"good":   `read server; [ "$1" = get ] && echo "{\"ServerURL\":\"$server\",\"Username\":\"of $server\",\"Secret\":\"s\"}"`,
		"token":  `echo '{"Username":"<token>","Secret":"t"}'`,
		"none":   `echo "credentials not found in native keychain"; exit 1`,
		"broken": `echo "` + secret + `"; exit 1`,
		"odd":    `echo "` + secret + `"`,
	})
	auth := base64.StdEncoding.EncodeToString([]byte("user:" + secret))
	for name, c := range map[string]struct {
		text, ref string
		want      registry.AuthConfig
		wrong     string
	}{
		"of its registry":        {`{"auths":{"r.example.com":{"auth":"` + auth + `"}}}`, "r.example.com/a/b:1", registry.AuthConfig{Username: "user", Password: secret, ServerAddress: "r.example.com"}, ""},
		"of another registry":    {`{"auths":{"r.example.com":{"auth":"` + auth + `"}}}`, "r.example.com.evil.net/a:1", registry.AuthConfig{}, ""},
		"of another port":        {`{"auths":{"r.example.com":{"auth":"` + auth + `"}}}`, "r.example.com:5000/a:1", registry.AuthConfig{}, ""},
		"of Docker Hub":          {`{"auths":{"https://index.docker.io/v1/":{"auth":"` + auth + `"}}}`, "ubuntu", registry.AuthConfig{Username: "user", Password: secret, ServerAddress: hub}, ""},
		"an identity token":      {`{"auths":{"r.example.com":{"identitytoken":"t"}}}`, "r.example.com/a", registry.AuthConfig{IdentityToken: "t", ServerAddress: "r.example.com"}, ""},
		"none":                   {`{}`, "r.example.com/a", registry.AuthConfig{}, ""},
		"a helper":               {`{"credHelpers":{"r.example.com":"good"}}`, "r.example.com/a", registry.AuthConfig{Username: "of r.example.com", Password: "s", ServerAddress: "r.example.com"}, ""},
		"a store":                {`{"credsStore":"token","credHelpers":{"other.example.com":"broken"}}`, "r.example.com/a", registry.AuthConfig{IdentityToken: "t", ServerAddress: "r.example.com"}, ""},
		"a helper that has none": {`{"credsStore":"none"}`, "r.example.com/a", registry.AuthConfig{}, ""},
		"a helper that fails":    {`{"credsStore":"broken"}`, "r.example.com/a", registry.AuthConfig{}, "exit status 1"},
		"a helper's odd answer":  {`{"credsStore":"odd"}`, "r.example.com/a", registry.AuthConfig{}, "no JSON"},
		"a helper that is not":   {`{"credsStore":"nothere"}`, "r.example.com/a", registry.AuthConfig{}, "not found"},
		"a program as helper":    {`{"credsStore":"x/../../../../bin/sh"}`, "r.example.com/a", registry.AuthConfig{}, "other characters"},
		"no JSON":                {secret, "r.example.com/a", registry.AuthConfig{}, "no JSON"},
		"no base64":              {`{"auths":{"r.example.com":{"auth":"` + secret + `"}}}`, "r.example.com/a", registry.AuthConfig{}, "base64"},
		"no password":            {`{"auths":{"r.example.com":{"auth":"dXNlcg=="}}}`, "r.example.com/a", registry.AuthConfig{}, "base64"},
		"no reference":           {`{"credsStore":"broken"}`, "NOT ONE", registry.AuthConfig{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := file(t, c.text).For(t.Context(), c.ref)
			if c.wrong != "" {
				if !errors.Is(err, ErrUnreadable) || !strings.Contains(err.Error(), c.wrong) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.want == (registry.AuthConfig{}) {
				if text != "" {
					t.Errorf("given out: %s", text)
				}
				return
			}
			got, err := registry.DecodeAuthConfig(text)
			if err != nil || *got != c.want {
				t.Errorf("got %+v, %v, want %+v", got, err, c.want)
			}
		})
	}
}

// TestNoFile: there are no credentials where no file is named, or where it is not there.
func TestNoFile(t *testing.T) {
	for _, f := range []File{{}, {filepath.Join(t.TempDir(), "none")}} {
		if text, err := f.For(t.Context(), "r.example.com/a"); text != "" || err != nil {
			t.Errorf("%+v: %q, %v", f, text, err)
		}
	}
	if _, err := (File{t.TempDir()}).For(t.Context(), "r.example.com/a"); !errors.Is(err, ErrUnreadable) {
		t.Errorf("a directory: %v", err)
	}
}

// TestHangingHelper: one that hangs, or that prints without an end, ends with its caller.
func TestHangingHelper(t *testing.T) {
	helpers(t, map[string]string{"hangs": "exec sleep 1000", "prints": "exec yes"})
	for _, name := range []string{"hangs", "prints"} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := file(t, fmt.Sprintf(`{"credsStore":%q}`, name)).For(ctx, "r.example.com/a")
		cancel()
		if !errors.Is(err, ErrUnreadable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzFile(f *testing.F) {
	f.Add(`{"auths":{"r.example.com":{"auth":"dTpw"}}}`)
	f.Add(`{"auths":null,"credHelpers":{"":""}}`)
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(strings.ToLower(text), "cred") {
			return // no program is run
		}
		got, err := file(t, text).For(t.Context(), "r.example.com/a")
		if err != nil && (got != "" || !errors.Is(err, ErrUnreadable)) {
			t.Errorf("%q, %v", got, err)
		}
	})
}
