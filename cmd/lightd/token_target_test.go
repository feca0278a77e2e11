package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// reachable has the commands of w find its daemon, whose port was chosen by the kernel.
func (w *wired) reachable() {
	w.env["LIGHTD_LISTEN"] = w.urls[0][strings.Index(w.urls[0], "://")+3:]
}

// TestTokensOfTheTarget: token create, list and revoke talk to the daemon that all other commands talk to, also
// to one with a certificate of its own; the settings of this machine's daemon mean that one.
func TestTokensOfTheTarget(t *testing.T) {
	t.Parallel()
	here, there := newWired(t, "listen: 127.0.0.1:0\n"), newWired(t, "listen: 127.0.0.1:0\ntls: {self_signed: true}\n")
	here.reachable()
	there.reachable()
	file := filepath.Join(there.dir, "data", "token")
	here.want("", "context", "set", "there", "--server", there.urls[0], "--token-file", file, "--pin", there.pin, "--use")
	here.want("", "context", "set", "bare", "--server", there.urls[0], "--token-file", file)
	lists := func(w *wired, name string, want bool, args ...string) {
		t.Helper()
		if printed, code := w.lightd(append([]string{"token", "list"}, args...)...); code != 0 || strings.Contains(printed, name) != want {
			t.Errorf("token list %q: %d, and %s is to be there: %t:\n%s", args, code, name, want, printed)
		}
	}

	here.want("lightd_", "token", "create", "--ttl", "1h", "--name", "over-there")
	lists(there, "over-there", true)
	lists(here, "over-there", true)
	lists(here, "over-there", false, "--data-dir", here.env["LIGHTD_DATA_DIR"])
	lists(here, "over-there", false, "--config", here.env["LIGHTD_CONFIG"])
	lists(here, "over-there", false, "--server", here.urls[0])
	here.refused("--context and the settings of this machine's daemon", "token", "list", "--context", "there", "--data-dir", here.dir)
	here.want("", "context", "use", "--none")
	lists(here, "over-there", false)
	lists(here, "over-there", true, "--context", "there")
	here.refused("pin a self-signed certificate", "token", "list", "--context", "bare")
	here.env["LIGHTD_CONTEXT"] = "there"
	here.want("over-there", "token", "list")
	here.want(": revoked", "token", "revoke", "over-there")
	lists(there, "over-there", false)
}

// TestMasterTokenIsOfThisMachine: show and reset are about the file of this machine's daemon, and say so where
// commands talk to another one. A token that is in the environment is no reason to look for one on the line.
func TestMasterTokenIsOfThisMachine(t *testing.T) {
	t.Parallel()
	w := newWired(t, "listen: 127.0.0.1:0\n")
	const note = "note: this is the master token of this machine's daemon; commands talk to "
	if printed, code := w.lightd("token", "show"); code != 0 || strings.Contains(printed, note) {
		t.Errorf("%d %s", code, printed)
	}
	w.want("", "context", "set", "far", "--server", "https://node-2.example.com", "--token-file", filepath.Join(w.dir, "data", "token"))
	w.want(note+"https://node-2.example.com (the context far)", "token", "show")
	w.want(note+"https://node-2.example.com (the context far)", "token", "reset")
	w.env["LIGHTD_URL"] = "https://node-3.example.com"
	w.want(note+"https://node-3.example.com (LIGHTD_URL)", "token", "show")
	w.refused("leave it out", "token", "reset", "--token", w.token())
	w.env["LIGHTD_TOKEN"] = w.token()
	w.refused(`"unset LIGHTD_TOKEN"`, "token", "reset")
}

// TestTokenInTheConfiguration: commands of the machine take it from there, as the daemon does.
func TestTokenInTheConfiguration(t *testing.T) {
	t.Parallel()
	w := newWired(t, "listen: 127.0.0.1:0\ntoken: lightd_configured_0123456789\n")
	w.reachable()
	w.want("", "port", "list")
	w.want("lightd_", "token", "create", "--ttl", "1h")
	w.refused("the key token of the configuration", "token", "reset")
}
