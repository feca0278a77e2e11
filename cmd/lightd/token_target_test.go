package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lightd/hack/harness"
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

// TestSecondKeptMaster: while a former master token holds, another reset does not end it without a word, and
// whoever looks is shown that it holds, and what is done with it.
func TestSecondKeptMaster(t *testing.T) {
	t.Parallel()
	w := newWired(t, "listen: 127.0.0.1:0\n")
	w.reachable()
	for range 2 {
		w.want("lightd_", "token", "create", "--ttl", "1h")
	}
	first := w.token()
	shows := func(text string, want bool, args ...string) {
		t.Helper()
		if printed, _ := w.lightd(args...); strings.Contains(printed, text) != want {
			t.Errorf("%q: %q is to be there: %t:\n%s", args, text, want, printed)
		}
	}
	shows("former", false, "token", "list")
	shows("former", false, "check")
	w.want("The old token ends at ", "token", "reset", "--keep-old", "1h")
	second := w.token()
	w.refused("would end it now, with 2 tokens made with it. Wait until then, end them by --force", "token", "reset", "--keep-old", "1h")
	if w.token() != second {
		t.Error("a reset that was refused has replaced the token")
	}
	w.want("lightd_", "token", "create", "--ttl", "10m", "--token", first)
	shows("The former master token holds until ", true, "token", "list")
	shows(", with 3 tokens made with it.", true, "token", "list")
	shows(`"former_master": {`, true, "token", "list", "--json")
	shows("the former master token, and what was made with it, holds until ", true, "check")
	shows("  write  master (former)  ", true, "audit", "--who", "master")
	shows("  write  master  ", false, "audit", "--who", "master (former)")
	if log := w.log.String(); !strings.Contains(log, `token=master token_name="master (former)"`) {
		t.Error("the log does not tell the former master token from the present one")
	}

	w.want("The old token ends at ", "token", "reset", "--keep-old", "1h", "--force")
	w.refused("does not accept the token", "port", "list", "--token", first)
	w.want("", "port", "list", "--token", second)
	file := filepath.Join(w.dir, "stopped", "token")
	for _, name := range []string{file, file + ".old"} {
		data := harness.Value[[]byte](t)(os.ReadFile(strings.Replace(name, "stopped", "data", 1)))
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	w.env["LIGHTD_LISTEN"] = "127.0.0.1:1"
	w.refused("how many is unknown, as the daemon does not answer", "token", "reset", "--keep-old", "1h", "--token-file", file)
	w.reachable()
	w.want("The old token has ended", "token", "reset")
	w.refused("does not accept the token", "port", "list", "--token", second)
	shows("former", false, "token", "list")
}

// TestTokensInTheClear: whoever sends a token over a network by plain HTTP is told, and whoever speaks plain
// HTTP to TLS is told what to try.
func TestTokensInTheClear(t *testing.T) {
	t.Parallel()
	w := newWired(t, "listen: 127.0.0.1:0\ntls: {self_signed: true}\n")
	file := filepath.Join(w.dir, "data", "token")
	const warning = "lightd: warning: tokens cross the network in the clear on the way to http://lightd.invalid:1: use https://"
	for _, c := range []struct {
		warned int
		args   string
	}{
		{1, "context set far --server http://lightd.invalid:1 --token-file " + file},
		{1, "port list"},
		{1, "token list"},
		{0, "context set far --server https://lightd.invalid:1"},
		{0, "port list"},
		{0, "context set far --server http://localhost:1"},
		{0, "port list --server http://[::1]:1"},
	} {
		if printed, _ := w.lightd(strings.Fields(c.args)...); strings.Count(printed, warning) != c.warned || strings.Count(printed, "in the clear") != c.warned {
			t.Errorf("%s: %d warnings are wanted:\n%s", c.args, c.warned, printed)
		}
	}
	w.refused("if that port speaks TLS, the URL begins with https://", "port", "list", "--server", strings.Replace(w.urls[0], "https", "http", 1), "--token-file", file)
}
