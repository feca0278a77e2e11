package cliconfig

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	flagToken    = "lightd_flag_0123456789"
	envToken     = "lightd_env_01234567890"
	envFileToken = "lightd_envfile_0123456"
	prodToken    = "lightd_prod_0123456789"
	localToken   = "lightd_local_012345678"
)

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	file := func(name, token string) string { return write(t, filepath.Join(dir, name), token+"\n") }
	flagFile, envFile, prodFile, localFile := file("flag", flagToken), file("env", envFileToken), file("prod", prodToken), file("local", localToken)
	contexts := "contexts:\n  prod: {server: 'https://prod/', token_file: " + prodFile + "}\n  bare: {server: 'http://bare'}\n"
	cases := []struct {
		name       string
		flags      Flags
		env        map[string]string
		contexts   string
		url, token string
		err        string
	}{
		{"nothing is said", Flags{}, nil, "", "http://127.0.0.1:8070", localToken, ""},
		{"nothing but contexts", Flags{}, nil, contexts, "http://127.0.0.1:8070", localToken, ""},
		{"a present context", Flags{}, nil, "current: prod\n" + contexts, "https://prod", prodToken, ""},
		{"a context by flag", Flags{Context: "prod"}, map[string]string{"LIGHTD_URL": "http://other", "LIGHTD_TOKEN": envToken}, contexts, "https://prod", prodToken, ""},
		{"a context by environment", Flags{}, map[string]string{"LIGHTD_CONTEXT": "prod"}, contexts, "https://prod", prodToken, ""},
		{"a token in the environment for a context", Flags{}, map[string]string{"LIGHTD_CONTEXT": "prod", "LIGHTD_TOKEN": envToken}, contexts, "https://prod", envToken, ""},
		{"a URL stands before a context", Flags{}, map[string]string{"LIGHTD_URL": "http://other/", "LIGHTD_TOKEN": envToken}, "current: prod\n" + contexts, "http://other", envToken, ""},
		{"a flag stands before the environment", Flags{Server: "http://flag", TokenFile: flagFile}, map[string]string{"LIGHTD_URL": "http://other", "LIGHTD_TOKEN": envToken}, "", "http://flag", flagToken, ""},
		{"a token by flag", Flags{Token: flagToken}, map[string]string{"LIGHTD_TOKEN": envToken}, "", "http://127.0.0.1:8070", flagToken, ""},
		{"a token by flag for a context", Flags{Token: flagToken, Context: "prod"}, nil, contexts, "https://prod", flagToken, ""},
		{"a token by flag and a file", Flags{Token: flagToken, TokenFile: flagFile}, nil, "", "", "", "both give a token"},
		{"a token by flag that is none", Flags{Token: "x"}, nil, "", "", "", "read the token from --token"},
		{"a token before a file", Flags{}, map[string]string{"LIGHTD_TOKEN": envToken, "LIGHTD_TOKEN_FILE": envFile}, "", "http://127.0.0.1:8070", envToken, ""},
		{"a file", Flags{}, map[string]string{"LIGHTD_TOKEN_FILE": envFile}, "", "http://127.0.0.1:8070", envFileToken, ""},
		{"a token on stdin", Flags{TokenFile: "-"}, nil, "", "http://127.0.0.1:8070", flagToken, ""},
		{"this machine by another name", Flags{Server: "http://[::1]:9"}, nil, "", "http://[::1]:9", localToken, ""},

		{"the token of this machine stays here", Flags{Server: "http://elsewhere"}, nil, "", "", "", "no token is given"},
		{"that of a context goes to no other", Flags{Server: "http://elsewhere"}, nil, "current: prod\n" + contexts, "", "", "no token is given"},
		{"nor that of this machine to a context", Flags{Context: "bare"}, nil, contexts, "", "", "no token is given"},
		{"two daemons", Flags{Server: "http://x", Context: "prod"}, nil, contexts, "", "", "both say"},
		{"an unknown context", Flags{Context: "nope"}, nil, contexts, "", "", `no context "nope"`},
		{"a file that is not there", Flags{TokenFile: dir + "/none"}, nil, "", "", "", "there is no token in --token-file"},
		{"a file without a token", Flags{TokenFile: write(t, filepath.Join(dir, "bad"), "secret")}, nil, "", "", "", "bad"},
		{"nonsense in the environment", Flags{}, map[string]string{"LIGHTD_TOKEN": "secret"}, "", "", "", "LIGHTD_TOKEN"},
		{"contexts of nonsense", Flags{}, nil, "contexts: [", "", "", "read contexts from"},
		{"contexts with an unknown key", Flags{}, nil, "contexts:\n  a: {sever: x}\n", "", "", "sever"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			home := t.TempDir()
			if c.contexts != "" {
				write(t, filepath.Join(home, ".config/lightd/contexts.yaml"), c.contexts)
			}
			got, err := Resolve(c.flags, Env{
				Getenv: func(name string) string {
					if name == "HOME" {
						return home
					}
					return c.env[name]
				},
				Stdin: strings.NewReader(flagToken + "\n"),
				Local: func() (Local, error) {
					return Local{Server: "http://127.0.0.1:8070", TokenFile: localFile}, nil
				},
			})
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "secret") {
					t.Errorf("got %v, want %q", err, c.err)
				}
				return
			}
			if err != nil || got.URL != c.url || got.Token != c.token {
				t.Errorf("got %+v, %v, want %s with %s", got, err, c.url, c.token)
			}
		})
	}
}

// TestNoTokenOfThisMachine: whoever names a daemon is told how to give a token, and nobody else is.
func TestNoTokenOfThisMachine(t *testing.T) {
	home := t.TempDir()
	_, err := Resolve(Flags{}, Env{
		Getenv: func(string) string { return "" },
		Local: func() (Local, error) {
			return Local{Server: "http://127.0.0.1:8070", TokenFile: home + "/token", Root: true}, nil
		},
	})
	if want := "no daemon has run on this machine, as there is no " + home + "/token: name one"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("root: got %v, want %s", err, want)
	}
	for server, want := range map[string]string{
		"": "no daemon of yours has run on this machine, as there is no " + home + "/token: run this as root for root's daemon", "http://127.0.0.1:9": "no token is given for http://127.0.0.1:9, and there is none of this machine's daemon in " + home + "/token: give one by --token-file",
		"unix:///run/other.sock": "no token is given for unix:///run/other.sock",
	} {
		_, err := Resolve(Flags{Server: server}, Env{
			Getenv: func(name string) string { return map[string]string{"HOME": home}[name] },
			Local:  func() (Local, error) { return Local{Server: "http://127.0.0.1:8070", TokenFile: home + "/token"}, nil },
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", server, err, want)
		}
	}
}

func TestContexts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "below", "contexts.yaml")
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{c.Set("a", Context{Server: "http://a"}), c.Set("b", Context{Server: "http://b", TokenFile: "/t"}), c.Use("b"), c.Save()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{c.Set("-x", Context{}), c.Set("a b", Context{}), c.Use("c"), c.Delete("c")} {
		if err == nil {
			t.Error("nonsense was taken")
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	again, err := Load(path)
	if err != nil || again.Current != "b" || len(again.Contexts) != 2 || again.Contexts["b"] != c.Contexts["b"] {
		t.Errorf("got %+v, %v", again, err)
	}
	if err := errors.Join(again.Delete("b"), again.Save()); err != nil || again.Current != "" {
		t.Errorf("got %+v, %v", again, err)
	}
	if err := os.Chmod(path, 0o620); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("got %v", err)
	}
}

func TestChecks(t *testing.T) {
	for text, good := range map[string]bool{
		"http://127.0.0.1:8070": true, "https://node-1/lightd": true, "127.0.0.1:8070": false, "ftp://x": false, "http://": false,
		"http://u:p@x": false, "http://x?token=y": false, "": false,
	} {
		if err := CheckServer(text); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
	path := write(t, filepath.Join(t.TempDir(), "token"), prodToken)
	if abs, err := CheckTokenFile(path); err != nil || abs != path {
		t.Errorf("%s, %v", abs, err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := CheckTokenFile(path); err == nil || !strings.Contains(err.Error(), "anybody may read") {
		t.Errorf("got %v", err)
	}
}
