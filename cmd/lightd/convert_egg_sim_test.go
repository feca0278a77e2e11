package main

import (
	"path/filepath"
	"strings"
	"testing"

	"lightd/cmd/lightd/command"
)

// TestEggIsConvertedAndApplied: what the flags give makes a spec of an egg that the daemon takes as it is, installs in the
// installer's image, and runs from the server's. What it lacks is told on the other stream.
func TestEggIsConvertedAndApplied(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const blocks = "egg/testdata/blocks.json"
	volume := strings.TrimSpace(d.do("volume", "create").want(0).out)
	d.do("port", "add", "25565").want(0)
	convert := []string{"convert", "egg", blocks, "--id", "blocks", "--volume", volume, "-p", "25565", "--memory", "64Mi", "--image", "game:1",
		"--env", "DL_PATH=https://example.com/server.jar"}
	made := d.do(convert...).want(0, "image: game:1", "!"+blocks+": config.files: server.properties (properties) is not written")
	if strings.Contains(made.errOut, "--") {
		t.Errorf("something is still to be given: %s", made.errOut)
	}
	text := strings.ReplaceAll(made.out, "ghcr.io/example/installers:alpine", "game:2")
	file := d.file("blocks.yaml", text)
	d.do("apply", "-f", file, "--dry-run").want(0, "blocks")
	d.with(text, "apply", "-f", "-", "--wait").want(0)
	d.do("describe", "blocks").want(0, "game:2, the volume at /mnt/server, by ash", "SERVER_MEMORY=64", "SERVER_PORT=25565")
	d.do("events", "blocks").want(0, "InstallScriptComplete", "Ready")

	d.with("{", "convert", "egg", "-").want(1, "!-: malformed JSON")
	d.do("convert", "egg", filepath.Join(d.dir, "none.json")).want(1, "!read the egg")
	d.do("convert", "egg", blocks, "--image", "Java 21").want(command.ExitUsage, `!the egg has no image "Java 21"; there are "ghcr.io/example/yolks:java_8"`)
	d.do("convert", "egg", blocks, "--memory", "2X").want(command.ExitUsage, "!--memory", "!unknown unit")
	d.do("convert", "egg", blocks, "--env", "A").want(command.ExitUsage, "!is not NAME=VALUE")
	d.do("convert", "egg", blocks, "-p", "x").want(command.ExitUsage, "!port")
	d.do("convert", "egg").want(command.ExitUsage, "!the file of an egg is needed")
}
