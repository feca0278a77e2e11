package desired

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestInstallIsChecked: what is wrong with an installation is told by its field, and what is right is stored.
func TestInstallIsChecked(t *testing.T) {
	for text, want := range map[string]string{
		`"install":{"script":"true"}`: "",
		`"install":{"script":"true","image":"ghcr.io/pterodactyl/installers:alpine","entrypoint":"ash","mount":"/mnt/server","env":{"A":"b"},` +
			`"user":"1000:1000","timeout":"30m"}`: "",
		`"install":{"script":"true","entrypoint":"/bin/bash","mount":"/home/container","user":"root"}`: "",
		`"install":{"script":"true"},"install_script":"true"`:                                          "install: must not be given beside install_script",
		`"install":{}`:                                                "install.script: is required",
		`"install":{"script":"a\u0000"}`:                              "install.script: must not contain NUL",
		`"install":{"script":"true","image":"A B"}`:                   "install.image: \"A B\" is no image reference",
		`"install":{"script":"true","image":"lightd/x:b.1"}`:          "install.image: \"lightd/x:b.1\" is in lightd/",
		`"install":{"script":"true","image":"10.0.0.1/x"}`:            "install.image: ",
		`"install":{"script":"true","entrypoint":"bash -e"}`:          "install.entrypoint: \"bash -e\" must be",
		`"install":{"script":"true","entrypoint":"bin/bash"}`:         "install.entrypoint: ",
		`"install":{"script":"true","entrypoint":"-x"}`:               "install.entrypoint: ",
		`"install":{"script":"true","mount":"mnt"}`:                   "install.mount: the path \"mnt\" must be absolute",
		`"install":{"script":"true","mount":"/mnt/a b"}`:              "install.mount: the path",
		`"install":{"script":"true","mount":"/"}`:                     "install.mount: nothing may be mounted there",
		`"install":{"script":"true","mount":"/etc"}`:                  "install.mount: nothing",
		`"install":{"script":"true","mount":"/app/data"}`:             "install.mount: nothing",
		`"install":{"script":"true","mount":"/app"}`:                  "install.mount: nothing",
		`"install":{"script":"true","mount":"/srv/x"}`:                "install.mount: must be neither inside nor around",
		`"install":{"script":"true","env":{"A=B":"x"}}`:               "install.env: the key",
		`"install":{"script":"true","env":{"A":"\u0000"}}`:            "install.env.A: must not contain NUL",
		`"install":{"script":"true","user":"steam"}`:                  "install.user: must be root, or a uid",
		`"install":{"script":"true","user":"1000:games"}`:             "install.user: ",
		`"install":{"script":"true","user":"99999999999"}`:            "install.user: ",
		`"install":{"script":"true","timeout":"10ms"}`:                "install.timeout: must be from 1s to 24h0m0s",
		`"install":{"script":"true","timeout":"25h"}`:                 "install.timeout: ",
		`"install":{"script":"true","timeout":"-1s"}`:                 "install.timeout: ",
		`"install":{"script":"true","image":"docker.io/library/old"}`: "install.image: \"docker.io/library/old\" is in no registry",
	} {
		s := DefaultSpec()
		s.InternalID, s.Image, s.VolumeID, s.StartupCommand = "a", "ghcr.io/pterodactyl/yolks:java_21", "v", "run"
		s.Mount = map[string]Mount{"/srv": {Source: "/srv"}}
		if err := json.Unmarshal([]byte("{"+text+"}"), &s); err != nil {
			t.Fatal(text, err)
		}
		rules := Rules{AllowedMounts: []string{"/srv"}}
		if strings.Contains(text, "docker.io") || want == "" {
			rules.AllowedImages = []string{"ghcr.io"}
		}
		err := s.Normalize().Validate(rules)
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// TestInstallImageThatIsAllowedNoMore may stay, as every image may.
func TestInstallImageThatIsAllowedNoMore(t *testing.T) {
	s := DefaultSpec()
	s.InternalID, s.Image, s.VolumeID, s.StartupCommand = "a", "ghcr.io/x/y", "v", "run"
	s.Install = &Install{Script: "true", Image: "docker.io/library/old"}
	rules, changed := Rules{AllowedImages: []string{"ghcr.io"}}, s.Clone()
	changed.Install.Env = map[string]string{"A": "b"}
	if err := changed.Normalize().ValidateChange(s, rules); err != nil {
		t.Error(err)
	}
	if err := s.Beyond(rules); err == nil || !strings.Contains(err.Error(), "install.image") {
		t.Errorf("beyond the rules: %v", err)
	}
	if changed.Install.Image = "docker.io/library/new"; changed.Normalize().ValidateChange(s, rules) == nil {
		t.Error("another one of the same registry may be given")
	}
}

// TestInstallationOfASpec: the short form is the long one with its defaults, and changes no hash.
func TestInstallationOfASpec(t *testing.T) {
	short, long := Spec{InstallScript: "x"}, Spec{Install: &Install{Script: "x", Mount: "/mnt/server"}}
	if a, b := short.Installation(), long.Installation(); a.Script != "x" || a.Home() != "/home/container" || b.Script != "x" || b.Home() != "/mnt/server" {
		t.Errorf("%+v, %+v", a, b)
	}
	if short.Hash("i") != long.Hash("i") {
		t.Error("the installation is a parameter of the container")
	}
}
