package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"lightd/hack/harness"
	"lightd/hack/simengine"
)

// TestStricterConfiguration: the log names the containers that have more than is allowed since a start or a reload,
// and "lightd check" what they have; they can be changed otherwise. Networks that cannot be used are named too.
func TestStricterConfiguration(t *testing.T) {
	t.Parallel()
	_, host := harness.SimHost(t, simengine.Options{}, harness.Busybox())
	docker := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", strings.TrimPrefix(host, "unix://"))
	}}}
	made, err := docker.Post("http://docker/v1.41/networks/create", "application/json", strings.NewReader(`{"Name":"games","Driver":"bridge"}`))
	if err != nil || made.Body.Close() != nil || made.StatusCode != http.StatusCreated {
		t.Fatalf("%v %v", made, err)
	}
	n := &node{t: t, dir: t.TempDir()}
	config := filepath.Join(n.dir, "lightd.yaml")
	args := []string{"--docker-host", host, "--config", config}
	n.configure("network: {allowed: [games]}\n")
	n.start(args...)
	volume, _ := n.volume()
	n.send("PUT", "/containers/big?wait=installed", spec("big", volume, `"limits":{"memory":1073741824}`)).want(201, "")
	n.send("PUT", "/containers/small", spec("small", volume, `"limits":{"memory":67108864},"network":"games"`)).want(201, "")
	n.terminate()
	if log := n.log.String(); strings.Contains(log, "network.allowed") || strings.Contains(log, "more than the configuration allows") {
		t.Errorf("a warning without a reason:\n%s", log)
	}

	logged := func(line string) {
		t.Helper()
		match := regexp.MustCompile(line)
		poll(t, func() error {
			if text := n.log.String(); !match.MatchString(text) {
				return fmt.Errorf("%q is not in %s", line, text)
			}
			return nil
		})
	}
	check := func(want ...string) {
		t.Helper()
		printed, _, _ := n.tool("check", "--config", config, "--docker-host", host, "-o", "json")
		for _, text := range want {
			if !strings.Contains(printed, text) {
				t.Errorf("check prints no %q: %s", text, printed)
			}
		}
		if strings.Contains(printed, `network \"default\" must`) {
			t.Errorf("the default network is beyond what is allowed: %s", printed)
		}
	}
	n.configure("network: {allowed: [games, lost]}\ncontainers: {max_memory: 512m}\n")
	n.start(args...)
	logged(`level=WARN msg="containers have more than the configuration allows now.*count=1 containers=big`)
	logged(`level=WARN msg="network.allowed: the engine has no network \\"lost\\".*remedy="docker network create lost`)
	check("container big: limits.memory must be at most 512 MiB", `the engine has no network \"lost\"`)
	n.send("POST", "/containers/big/rebind-network", `{"ports":[]}`).want(200, "")
	n.send("PATCH", "/containers/big", `{"env":{"A":"1"}}`).want(200, "")
	n.send("PATCH", "/containers/big", `{"limits":{"memory":1073741825}}`).want(400, "containers.max_memory")
	n.send("PATCH", "/containers/big", `{"limits":{"memory":536870912}}`).want(200, "")

	n.configure("network: {allowed: [gone]}\ncontainers: {max_memory: 512m}\n")
	n.hangUp(`level=WARN msg="containers have more than the configuration allows now.*count=1 containers=small`)
	logged(`level=WARN msg="network.allowed: the engine has no network \\"gone\\"`)
	check(`container small: network \"games\" must be one of default, none, gone`)
	n.send("PATCH", "/containers/small", `{"env":{"A":"1"}}`).want(200, "")
	n.terminate()
}
