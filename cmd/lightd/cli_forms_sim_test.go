package main

import (
	"strings"
	"testing"
)

// TestExpressions: what kubectl does with -o, --sort-by and sets of labels is done here.
func TestExpressions(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	files := d.web("b", "labels: {game: quake}\nlimits: {memory: 64Mi}") + "---\n" + d.web("a", "labels: {game: doom, of: x}\nlimits: {memory: 1Gi}") + "---\n" + d.web("c", "limits: {memory: 8Mi}")
	d.do("apply", "-f", d.file("all.yaml", files), "--wait").want(0)
	d.do("get", "-o", "jsonpath={.containers[*].internal_id}").is(0, "a b c")
	d.do("get", "a", "-o", "jsonpath={.limits.memory}").is(0, "1073741824")
	d.do("get", "a", "b", "-o", `jsonpath={range .containers[*]}{.internal_id}:{.labels.game}{"\n"}{end}`).is(0, "a:doom\nb:quake\n")
	d.do("get", "--sort-by", ".limits.memory", "-o", "custom-columns=ID:.internal_id,MEMORY:{.limits.memory},OF:.labels.of").
		is(0, "ID  MEMORY  OF\nc  8388608  <none>\nb  67108864  <none>\na  1073741824  x\n")
	d.do("get", "-o", "custom-columns=ID:.internal_id", "--no-headers", "-l", "game in (quake, doom)").is(0, "a\nb\n")
	d.do("get", "-o", "name", "-l", "game notin (quake)").is(0, "a\nc\n")
	d.do("get", "-l", "game in (quake").want(2, "!a set is not written as key in (a,b)")
	d.do("get", "--show-labels", "-l", "of").is(0, "ID  INSTALL  STATE  SYNCED  RESTARTS  AGE  IMAGE  LABELS\na  ready  offline  True  0  AGE  game:1  game=doom,of=x\n")
	d.do("get", "--sort-by", ".nothing").want(2, `!--sort-by: ".nothing" leads to nothing`)
	d.do("get", "--sort-by", ".a[").want(2, `!is no JSONPath`)
	d.do("get", "--sort-by", ".internal_id", "-w").want(2, "!a watch is none")
	d.do("get", "-o", "jsonpath={.a").want(2, `!"{.a" is no JSONPath`)
	d.do("get", "-o", "jsonpath").want(2, "!needs an expression")
	d.do("get", "-o", "custom-columns=ID").want(2, `!"ID" is no column as in ID:.internal_id`)
	d.do("get", "-o", "go-template={{.}}").want(2, "!is none of table, wide, json, yaml, name, jsonpath=..., custom-columns=...")
	d.do("inspect", "a").want(0, "{\n  \"internal_id\": \"a\"")
	d.do("inspect", "a", "-o", "yaml").want(0, "internal_id: a\n")
	d.do("ps", "-o", "name").is(0, "a\nb\nc\n")
	d.do("top", "--all", "--no-stream", "--sort-by", "memory").want(0, "a", "b")
	d.do("top", "--sort-by", "colour").want(2, `!"colour" is none of block, cpu, disk, memory, network, restarts, uptime`)
}

// TestOtherThings: what there is besides containers is shown by get too, and a container may have such a name.
func TestOtherThings(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.do("port", "add", "7000-7001", "127.0.0.1:7000/udp").want(0)
	for _, same := range [][2]string{{"port list", "get ports"}, {"volume list", "get volumes"}, {"webhooks", "get webhook"}, {"token list", "get tokens"}, {"events", "get events"}, {"get", "get containers"}} {
		one, other := d.do(strings.Fields(same[0])...), d.do(strings.Fields(same[1])...)
		if one.out != other.out || one.errOut != other.errOut || one.code != other.code {
			t.Errorf("%s and %s: %+v and %+v", same[0], same[1], one, other)
		}
	}
	d.do("get", "port/7000").want(2, `!"port/7000" is no id`)
	d.do("port", "ls", "-o", "name").is(0, "7000\n7001\n127.0.0.1:7000/udp\n")
	d.do("port", "rm", "7001").is(0, "7001: deleted\n")
	d.do("port", "add", "7001").want(0)
	d.do("get", "ports", "-o", "name", "--free").is(0, "7000\n7001\n127.0.0.1:7000/udp\n")
	d.do("apply", "-f", d.file("odd.yaml", d.web("ports", ""))).want(0)
	d.do("get", "container/ports", "-o", "name").is(0, "ports\n")
	d.do("get", "containers", "ports", "-o", "name").is(0, "ports\n")
	d.do("__complete", "get", "po").want(0, "ports\tList the ports")
	d.do("get", "--help").want(0, "Aliases:\n  get, ls, ps, inspect\n", "volumes     List the volumes")
}

// TestResultsOfWrites: each write can answer as JSON, YAML or names, and nothing else stands beside it.
func TestResultsOfWrites(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.do("port", "add", "127.77.0.1:15565-15567", "15568/udp", "-o", "json").want(0, `"ip": "127.77.0.1"`, `"ports": "15565-15567"`, `"created": 3`, `"port": 15568`)
	d.do("port", "add", "15568/udp", "-o", "jsonpath={.ports[0].unchanged}").is(0, "1")
	d.do("port", "delete", "15568/udp", "-o", "name").is(0, "15568/udp\n")
	id := strings.TrimSpace(d.do("volume", "create").want(0).out)
	d.do("volume", "create", id, "-o", "jsonpath={.volume_id}").is(0, "VOLUME")
	d.do("volume", "quota", id, "1Gi", "-o", "jsonpath={.quota_bytes}").is(0, "1073741824")
	d.do("volume", "delete", id, "-o", "yaml").is(0, "volumes:\n  - volume_id: VOLUME\n    action: deleted\n")
	file := d.file("all.yaml", d.web("a", "")+"---\n"+d.web("b", ""))
	d.do("apply", "-f", file, "--dry-run", "-o", "name").is(0, "a\nb\n")
	d.do("apply", "-f", file, "-o", "jsonpath={.created} {.containers[*].action}").is(0, "2 created created")
	d.do("apply", "-f", file, "--wait", "-o", "custom-columns=ID:.internal_id,MET:.wait.met").is(0, "ID  MET\na  true\nb  true\n")
	d.do("start", "a", "b", "--wait", "-o", "jsonpath={.containers[*].wait.for}").is(0, "running running")
	d.do("stop", "a", "-o", "jsonpath={.generation}").is(0, "3")
	d.do("stop", "a", "--dry-run", "-o", "json").want(0, `"action": "unchanged"`)
	d.do("rebind", "a", "-p", "127.77.0.1:15565", "-o", "name").is(0, "a\n")
	d.do("kill", "a", "nope", "-o", "yaml").want(3, "containers:\n  - message: ", "internal_id: a\n", "!nope: Container not found")
	d.do("kill", "nope", "-o", "json").is(3, "")
	d.do("rm", "a", "nope", "--ignore-not-found", "-o", "json").want(0, `"containers": [`, `"internal_id": "a"`)
	d.do("rm", "b", "-o", "xml").want(2, "!is none of json, yaml, name, jsonpath=..., custom-columns=...")
}

// TestColours: states and errors have colours where they are asked for, and in no pipe.
func TestColours(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.do("apply", "-f", d.file("web.yaml", d.web("web", "power: running")), "--wait=running").want(0)
	if s := d.do("get"); strings.Contains(s.out, "\x1b") {
		t.Errorf("coloured: %q", s.out)
	}
	d.do("get", "--color", "always").want(0, "\x1b[32mready\x1b[m     \x1b[32mrunning\x1b[m")
	d.do("top", "--no-stream", "--color=always").want(0, "\x1b[32mrunning\x1b[m")
	d.do("get", "--color", "loud").want(2, "!must be auto, always or never")
	p := d.sit("get")
	p.sees("\x1b[32mrunning\x1b[m")
	p.leaves(0)
	p = d.sit("get", "--color=never")
	p.sees("running")
	p.leaves(0)
	if strings.Contains(p.screen.String(), "\x1b[") {
		t.Errorf("coloured: %q", p.screen.String())
	}
}
