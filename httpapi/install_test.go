package httpapi

import (
	"strings"
	"testing"
)

// TestInstallOfASpec: the long form of an installation is written, shown, patched and taken away like every other field,
// and takes the place of the short one in a reinstall. Its environment is hidden as that of the server is.
func TestInstallOfASpec(t *testing.T) {
	n := newNode(t)
	n.create("web")
	n.send("GET", "/containers/web", "").want(t, 200, `"install":null`)
	with := strings.TrimSuffix(n.spec("web"), "}") + `,"install":{"script":"true","image":"alpine:3","env":{"KEY":"secret"}}}`
	const shown = `"install":{"script":"true","image":"alpine:3","entrypoint":"","mount":"","env":{"KEY":"secret"},"user":"","timeout":"0s"}`
	n.send("PUT", "/containers/web", with).want(t, 200, `"generation":2`)
	n.send("PUT", "/containers/web", with).want(t, 200, `"generation":2`)
	n.send("GET", "/containers/web", "").want(t, 200, shown)
	n.send("PATCH", "/containers/web", `{"install":{"timeout":"30m","env":{"KEY":null,"OTHER":"x"}}}`).want(t, 200, `"generation":3`)
	n.send("GET", "/containers/web", "").want(t, 200, `"env":{"OTHER":"x"},"user":"","timeout":"30m0s"}`)
	n.send("PATCH", "/containers/web", `{"install_script":"false"}`).want(t, 400, "install must not be given beside install_script")
	n.send("POST", "/containers/web/reinstall", `{"install_script":"a","install":{"script":"b"}}`).want(t, 400, "must not be given beside install_script")
	n.installed("web")
	n.send("POST", "/containers/web/reinstall", `{"install_script":"false"}`).want(t, 200, `"generation":4`)
	n.send("GET", "/containers/web", "").want(t, 200, `"install_script":"false"`)
	n.send("GET", "/containers/web", "").want(t, 200, `"install":null`)
	n.installed("web")
	n.send("POST", "/containers/web/reinstall", `{"install":{"script":"true","mount":"/mnt/server","env":{"KEY":"secret"}}}`).want(t, 200, `"generation":5`)
	n.send("GET", "/containers/web", "").want(t, 200, `"install_script":""`)
	reader := n.scoped("read")
	n.send("GET", "/containers/web", "", reader).want(t, 200, `"env":{"KEY":""}`)
	n.send("GET", "/containers/web", "", reader).want(t, 200, `"env_hidden":true`)
	n.send("PATCH", "/containers/web", `{"install":null}`).want(t, 200, `"generation":6`)
	for install, want := range map[string]string{
		`{"script":"x","script2":1}`:     "install.script2 is not a known field",
		`{"image":"alpine"}`:             "install.script is required",
		`{"script":"x","timeout":5}`:     "install.timeout must be a duration",
		`{"script":"x","env":[1]}`:       "install.env must be",
		`{"script":"x","mount":"/proc"}`: "install.mount nothing may be mounted there",
	} {
		n.send("PATCH", "/containers/web", `{"install":`+install+`}`).want(t, 400, want)
	}
}
