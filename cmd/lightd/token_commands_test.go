package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"lightd/cmd/lightd/command"
	"lightd/hack/harness"
)

func TestTokenCommands(t *testing.T) {
	t.Parallel()
	n := lonely(t)
	info := harness.Value[os.FileInfo](t)(os.Stat(filepath.Join(n.dir, "token")))
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the token's file has mode %v", info.Mode())
	}
	master, _, code := n.tool("token", "show")
	if code != 0 || master != n.token || !strings.HasPrefix(master, "lightd_") || len(master) < 20 {
		t.Errorf("show: %d %q", code, master)
	}
	with := n.listWith
	temporary, stderr, code := n.tool("token", "create", "--ttl", "1h")
	if code != 0 || with(temporary) != 200 || with(temporary) != 200 {
		t.Errorf("create: %d %q %s", code, temporary, stderr)
	}
	n.send("POST", "/auth/tokens", `{"ttl":"1h"}`, "Authorization: Bearer "+temporary).want(403, "error")
	once, stderr, code := n.tool("token", "create", "--ttl", "1h", "--single-use")
	if first, second := with(once), with(once); code != 0 || first != 200 || second != 401 {
		t.Errorf("create --single-use: %d %s; works with %d and then %d", code, stderr, first, second)
	}
	if list, _, _ := n.tool("token", "list"); !strings.Contains(list, ", used up") {
		t.Errorf("the list says nothing of a token that is used up:\n%s", list)
	}
	checkTokenList(t, n, temporary)
	brief, _, _ := n.tool("token", "create", "--ttl", "1s")
	poll(t, func() error {
		if got := with(brief); got != 401 {
			return fmt.Errorf("a token of one second still answers %d", got)
		}
		return nil
	})
}

// listWith returns the status of a list of containers with a token.
func (n *node) listWith(token string) int {
	return n.send("GET", "/containers", "", "Authorization: Bearer "+token).status
}

// checkTokenList lists two tokens of the master token, one of them temporary, and revokes a third.
func checkTokenList(t *testing.T, n *node, temporary string) {
	t.Helper()
	with := n.listWith
	listed, stderr, code := n.tool("token", "list", "--json")
	if code != 0 || strings.Contains(listed, temporary) || strings.Count(listed, `"creator": "master"`) != 2 {
		t.Errorf("list: %d %s %s", code, listed, stderr)
	}
	bound, stderr, code := n.tool("token", "create", "--ttl", "1h", "--name", "panel", "--scopes", "console,power", "--container", "web")
	if code != 0 || with(bound) != 403 {
		t.Errorf("create --scopes: %d %s, and a list is answered with %d", code, stderr, with(bound))
	}
	table, _, _ := n.tool("token", "list")
	id := regexp.MustCompile(`(?m)^([0-9a-f]{16}) +panel +console,power +web +`).FindStringSubmatch(table)
	if id == nil {
		t.Fatalf("list:\n%s", table)
	}
	if out, stderr, code := n.tool("token", "revoke", id[1]); code != 0 || out != id[1]+": revoked" || with(bound) != 401 {
		t.Errorf("revoke: %d %s %s, then %d", code, out, stderr, with(bound))
	}
	if _, stderr, code := n.tool("token", "revoke", id[1]); code != command.ExitNotFound || !strings.Contains(stderr, "Token not found") {
		t.Errorf("revoke again: %d %s", code, stderr)
	}
}

// TestTokenForNothing: a token for containers that do not exist is made, with a warning.
func TestTokenForNothing(t *testing.T) {
	t.Parallel()
	n := lonely(t)
	volume, _ := n.volume()
	n.send("PUT", "/containers/e2e-token", spec("e2e-token", volume, `"labels":{"a":"b"}`)).want(201, "")
	for args, warning := range map[string]string{
		"--container e2e-token": "", "-l a=b": "", "": "", "--container e2e-token --container nope": `warning: there is no container "nope"`, "-l a=c": `warning: no container matches "a=c"`,
	} {
		out, stderr, code := n.tool(append([]string{"token", "create", "--ttl", "1h"}, strings.Fields(args)...)...)
		if code != 0 || !strings.HasPrefix(out, "lightd_") || strings.Contains(out, "warning") || !strings.Contains(stderr, warning) || (warning == "") != (stderr == "") {
			t.Errorf("create %s: %d %q %q", args, code, out, stderr)
		}
	}
}

// TestRevokeByName: a name that one token has is as good as its id, one that two have ends none.
func TestRevokeByName(t *testing.T) {
	t.Parallel()
	n := lonely(t)
	made := map[string]string{}
	for i, name := range []string{"panel", "twice", "twice"} {
		made[fmt.Sprint(name, i)], _, _ = n.tool("token", "create", "--ttl", "1h", "--name", name)
	}
	if out, stderr, code := n.tool("token", "revoke", "panel"); code != 0 || !regexp.MustCompile(`^panel \([0-9a-f]{16}\): revoked$`).MatchString(out) || n.listWith(made["panel0"]) != 401 {
		t.Errorf("revoke panel: %d %q %s", code, out, stderr)
	}
	if _, stderr, code := n.tool("token", "revoke", "twice"); code != 2 || !strings.Contains(stderr, `2 tokens have the name "twice": give the ids`) || n.listWith(made["twice1"]) != 200 {
		t.Errorf("revoke twice: %d %s", code, stderr)
	}
	if _, stderr, code := n.tool("token", "revoke", "nobody"); code != command.ExitNotFound {
		t.Errorf("revoke nobody: %d %s", code, stderr)
	}
	if _, stderr, code := n.tool("token", "list", "--token-file", filepath.Join(n.dir, "none")); code != command.ExitUsage || !strings.Contains(stderr, "there is no token in --token-file") {
		t.Errorf("without a token: %d %s", code, stderr)
	}
}

// TestTokenReset ends what the old master token has made, at once or after a while.
func TestTokenReset(t *testing.T) {
	t.Parallel()
	n := lonely(t)
	with, master := n.listWith, n.token
	temporary, _, _ := n.tool("token", "create", "--ttl", "1h")
	all := n.record("/ws")
	fresh, stderr, code := n.tool("token", "reset")
	if code != 0 || !strings.Contains(stderr, "every token that was made with it: make those anew") || fresh == master || with(fresh) != 200 || with(master) != 401 {
		t.Errorf("reset: %d %q %s; the new one answers %d, the old one %d", code, fresh, stderr, with(fresh), with(master))
	}
	if shown, _, _ := n.tool("token", "show"); shown != fresh {
		t.Errorf("show after reset: %q", shown)
	}
	n.token = fresh
	all.closed(websocket.StatusPolicyViolation, "token is no longer valid")
	if got := with(temporary); got != 401 {
		t.Errorf("what the old master token has made outlives it: %d", got)
	}
	temporary, _, _ = n.tool("token", "create", "--ttl", "1h")
	once, _, _ := n.tool("token", "create", "--ttl", "1h", "--single-use")
	with(once)
	second, stderr, code := n.tool("token", "reset", "--keep-old", "1h")
	if code != 0 || !strings.Contains(stderr, "The old token ends at ") || with(second) != 200 || with(fresh) != 200 || with(temporary) != 200 {
		t.Errorf("reset --keep-old: %d %s; %d %d %d", code, stderr, with(second), with(fresh), with(temporary))
	}
	for ttl, warned := range map[string]bool{"1m": false, "30d": true} {
		if _, stderr, code := n.tool("token", "create", "--ttl", ttl, "--token", fresh); code != 0 || strings.Contains(stderr, "warning: it ends at ") != warned {
			t.Errorf("a token for %s by the old one: %d %q", ttl, code, stderr)
		}
	}
	// Tokens outlive the daemon, used ones stay used.
	n.crash()
	n.start("--docker-host", "unix:///nonexistent/docker.sock")
	if with(temporary) != 200 || with(once) != 401 || with(fresh) != 200 {
		t.Errorf("after a crash: %d %d %d", with(temporary), with(once), with(fresh))
	}
	for _, secret := range []string{temporary, once, second, fresh, master} {
		if strings.Contains(n.log.String(), secret) {
			t.Error("a token is in the log")
		}
	}
	// A daemon that is not there.
	n.terminate()
	if _, stderr, code := n.tool("token", "create", "--ttl", "1h"); code != command.ExitUnreachable || !strings.Contains(stderr, n.url) {
		t.Errorf("without a daemon: %d %s", code, stderr)
	}
}
