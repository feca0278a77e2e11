package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"lightd/cmd/lightd/terminal"
	"lightd/hack/simengine"
)

// TestEveryOutputForm: what a command says it can print, it prints, and nothing else is taken.
func TestEveryOutputForm(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.do("apply", "-f", d.file("web.yaml", d.web("web", "")), "--wait").want(0)
	root := rootCommand(func(string) string { return "" }, terminal.Streams{})
	tried := 0
	for _, args := range [][]string{
		{"get"}, {"get", "web"}, {"plan", "web"}, {"drift"}, {"drift", "web"}, {"events"}, {"events", "web", "--tail", "2"},
		{"port", "list"}, {"volume", "list"}, {"context", "list"}, {"openapi"}, {"top"}, {"webhooks"}, {"token", "list"},
		{"get", "containers"}, {"get", "ports"}, {"get", "volumes"}, {"get", "events"}, {"get", "webhooks"}, {"get", "tokens"},
	} {
		cmd, _, err := root.Find(args)
		if err != nil {
			t.Fatal(err)
		}
		forms := strings.Split(strings.TrimPrefix(cmd.Flags().Lookup("output").Usage, "one of "), ", ")
		for _, form := range forms {
			tried++
			form = strings.NewReplacer("jsonpath=...", "jsonpath={.internal_id}", "columns=...", "columns=ID:.internal_id,X:.x").Replace(form)
			out := d.do(append(args, "-o", form)...).want(0).out
			if strings.HasPrefix(form, "custom-columns=") && !strings.HasPrefix(out, "ID") {
				t.Errorf("%v -o %s:\n%s", args, form, out)
			}
			switch form {
			case "json":
				for dec := json.NewDecoder(strings.NewReader(out)); dec.More(); {
					var v any
					if err := dec.Decode(&v); err != nil {
						t.Errorf("%v -o json: %v in\n%s", args, err, out)
						break
					}
				}
			case "yaml":
				var v any
				if err := yaml.Unmarshal([]byte(out), &v); err != nil {
					t.Errorf("%v -o yaml: %v in\n%s", args, err, out)
				}
				if _, plain := v.(string); plain || strings.Contains(out, "SEQ ") {
					t.Errorf("%v -o yaml is a table:\n%s", args, out)
				}
			}
		}
		d.do(append(args, "-o", "xml")...).want(2, `!"xml" is none of `+strings.Join(forms, ", "))
	}
	if tried < 90 {
		t.Errorf("only %d forms", tried)
	}
	if out := d.do("events", "-o", "yaml").out; strings.Count(out, "\ntype: ") < 3 || !strings.Contains(out, "\n---\n") {
		t.Errorf("events -o yaml:\n%s", out)
	}
}

// TestNewcomer does what somebody does who comes from kubectl.
func TestNewcomer(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.do("port", "add", "7000-7002").want(0, "7000-7002: added\n")
	d.do("port", "add", "7001").is(0, "7001: already there\n")
	d.do("port", "add", "7000-7002").is(0, "7000-7002: already there\n")
	d.do("port", "add", "7001-7004").is(0, "7001-7004: added, but for 2 that were already there\n")
	d.do("port", "add", "127.0.0.1:7100/udp").want(0)
	d.do("__complete", "port", "delete", "").is(0, "7000\tfree\n7001\tfree\n7002\tfree\n7003\tfree\n7004\tfree\n127.0.0.1:7100/udp\tfree\n:4\n")
	d.do("__complete", "rebind", "web", "-p", "700").want(0, "7004\tfree\n")
	d.do("apply", "-f", d.file("web.yaml", d.web("web", "limits: {memory: 512Mi, cpu: 500m}")), "--wait").want(0)
	d.do("describe", "web").want(0, "Limits:          512MiB of memory, 0.5 cores, 512 processes\n")
	d.do("apply", "-f", d.file("web.yaml", d.web("web", "limits: {cpu: 1}")), "--wait").want(0)
	d.do("describe", "container/web").want(0, "Limits:          no limit of memory, 1 core, 512 processes\n")
	d.do("get", "container/web", "-o", "name").is(0, "web\n")
	d.do("get", "containers/web", "containers/web", "-o", "name").want(0, "web\n")
	d.do("start", "container/web", "--wait").want(0, "web: ")
	d.do("get", "container/nope").want(3, "!nope: Container not found")
	d.do("get", "-l", "=").want(2, "!selector")
	d.do("start", "-l", "=").want(2, "!selector")
	d.do("drift", "-l", "=").want(2, "!selector")
	d.do("token", "create", "--help").want(0, "--ttl", "--single-use", "--server")
	for _, flag := range []string{"--log-format", "--log-level", "--docker-host", "--listen"} {
		if out := d.do("token", "create", "--help").out; strings.Contains(out, flag) {
			t.Errorf("token create has %s:\n%s", flag, out)
		}
	}
}

// TestQuotaOfATenant: a token is given a quota, and what exceeds it is refused with the figures.
func TestQuotaOfATenant(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	secret := d.do("token", "create", "--ttl", "1h", "-l", "tenant=a", "--quota", "containers=0,volumes=1").want(0).out
	d.do("token", "create", "--ttl", "1h", "--quota", "volumes=1").want(1, "!quota needs containers or a selector")
	d.env["LIGHTD_TOKEN"] = strings.TrimSpace(secret)
	id := strings.TrimSpace(d.do("volume", "create").want(0).out)
	d.do("volume", "create").want(1, "!lightd: Quota is exceeded: the token's quota of volumes is 1, and there are 1")
	web := "internal_id: web\nimage: game:1\nstartup_command: ./game\nlabels: {tenant: a}\nvolume_id: " + id + "\n"
	d.do("apply", "-f", d.file("web.yaml", web)).want(1, "!Quota is exceeded: the token's quota of containers is 0, and there are 0")
}

// TestApplyWaitsForEach: one that fails ends the wait of no other, and each outcome comes behind
// the last of its steps.
func TestApplyWaitsForEach(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.sim.Publish("slow:1", simengine.Remote{Layers: []int64{1, 1}, Pace: time.Second})
	d.sim.OnImage("slow:1", game)
	late := strings.Replace(d.web("late", "power: running"), "game:1", "slow:1", 1)
	file := d.file("all.yaml", d.web("broken", "install_script: exit 3")+"---\n"+d.web("web", "power: running")+"---\n"+late)
	s := d.do("apply", "-f", file, "--wait", "--timeout=1m")
	s.want(7, "broken: created", "web: created, generation 1, synced\n", "late: created, generation 1, synced\n", "!broken: will not be synced by itself: InstallScriptFailed: the install script ended with exit code 3")
	if strings.Contains(s.out, "not waited for") {
		t.Errorf("it gave up:\n%s", s.out)
	}

	p := d.sit("apply", "-f", d.file("one.yaml", d.web("one", "power: running")), "--wait=running")
	p.leaves(0)
	p.sees("one: created")
	screen := p.screen.String()
	if steps, outcome := strings.Index(screen, "one: Running"), strings.Index(screen, "one: created"); steps < 0 || outcome < steps {
		t.Errorf("the outcome comes before the last step:\n%s", screen)
	}
	p = d.sit("delete", "one")
	p.leaves(0)
	p.sees("one: deleted")
	screen = p.screen.String()
	if steps, outcome := strings.Index(screen, "one: Deleting"), strings.Index(screen, "one: deleted"); steps < 0 || outcome < steps {
		t.Errorf("the outcome comes before the last step:\n%s", screen)
	}
}
