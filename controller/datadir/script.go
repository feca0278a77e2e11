package datadir

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"lightd/desired"
	"lightd/observed/blueprint"
)

// The files of a container; where it sees them is in its blueprint.
const (
	entrypoint = "entrypoint.sh"
	installer  = "install.sh"
	installRun = "install-entry.sh"
	installLog = "install.log"
)

// program is a first word that names a file to execute, and is no assignment.
var program = regexp.MustCompile(`^[A-Za-z0-9_./+-]+$`)

// shellWords are names that the shell takes for its own: they cannot be executed.
var shellWords = regexp.MustCompile(`^(\.|:|alias|bg|break|case|cd|command|continue|do|done|elif|else|esac|eval|exec|exit|export|` +
	`false|fg|fi|for|function|getopts|hash|if|in|jobs|local|printf|read|readonly|return|select|set|shift|source|test|then|` +
	`time|times|trap|true|type|ulimit|umask|unalias|unset|until|wait|while|echo|kill|pwd)$`)

// simple reports whether command is one command without any operator of the shell, so
// that exec can be put before it. When in doubt it says no.
func simple(command string) bool {
	words := strings.Fields(command)
	if len(words) == 0 || !program.MatchString(words[0]) || shellWords.MatchString(words[0]) {
		return false
	}
	var quote rune
	for _, c := range strings.TrimSpace(command) {
		switch {
		case quote == '\'':
			if c == '\'' {
				quote = 0
			}
		case c == '\\' || c == '`' || c == '$':
			return false
		case quote == '"':
			if c == '"' {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case strings.ContainsRune(";&|<>(){}!#\n", c):
			return false
		}
	}
	return quote == 0
}

// variable is what a shell can export; other names only reach the runtime container.
var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Identity says whose the files of an installation are.
type Identity struct {
	// Owner is the user of the server, as in a spec: what the script leaves in the volume is
	// theirs. Empty is root, as whom the script runs.
	Owner string
	// UID and GID are root's on the host: 0, unless the engine maps the users of containers.
	UID, GID int
}

// isRoot reports whether a user, as in a spec, is root.
func isRoot(user string) bool {
	name, _, _ := strings.Cut(user, ":")
	return name == "" || name == "root" || name == "0"
}

// installEntry returns the script that runs the install script with the environment of
// s. The environment is not given to Docker, where a commit would keep it for ever.
func installEntry(s desired.Spec, owner string) string {
	var b strings.Builder
	b.WriteString("#!/bin/sh\n# Written by lightd.\n")
	for _, k := range slices.Sorted(maps.Keys(s.Env)) {
		if variable.MatchString(k) {
			fmt.Fprintf(&b, "export %s=%s\n", k, quote(s.Env[k]))
		}
	}
	fmt.Fprintf(&b, "cd %s || exit 1\n", blueprint.Home)
	run := blueprint.Data + "/" + installer
	if !strings.HasPrefix(installScript(s), "#!") {
		run = "/bin/sh " + run
	}
	if isRoot(owner) {
		b.WriteString("exec " + run + "\n")
		return b.String()
	}
	user, group, _ := strings.Cut(owner, ":")
	fmt.Fprintf(&b, handOver, run, quote(user), quote(group), blueprint.Home)
	return b.String()
}

// handOver runs a script and gives the files of root in the volume to the user of the server,
// whom only the container knows by name. Links are not followed, other mounts not entered, and
// what belongs to somebody is left alone. An image without find has the shell go through.
const handOver = `%s
code=$?
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
owner=%s
group=%s
[ -n "$group" ] || group=$(id -g "$owner" 2>/dev/null)
owner=$owner${group:+:$group}
home=%s
each() {
	for file in "$1"/* "$1"/.[!.]* "$1"/..?*; do
		if [ -h "$file" ]; then
			chown -h "$owner" "$file"
		elif [ -e "$file" ]; then
			[ ! -O "$file" ] || chown -h "$owner" "$file"
			[ ! -d "$file" ] || (each "$file")
		fi
	done
}
if command -v find >/dev/null 2>&1; then
	find $home -xdev -user 0 -exec chown -h "$owner" {} +
else
	[ ! -O $home ] || chown -h "$owner" $home
	each $home
fi || echo "lightd: not all of $home could be given to $owner" >&2
exit $code
`

// installScript returns the install script as it is run. What an editor puts before the #!, a
// byte order mark or blank lines, would hide it from the kernel.
func installScript(s desired.Spec) string {
	script := unixLines(s.InstallScript)
	if trimmed := strings.TrimLeft(script, " \t\r\n"+byteOrderMark); strings.HasPrefix(trimmed, "#!") {
		return trimmed
	}
	return script
}

// Interpreter returns the program that the install script of s names after its #!, and the one
// that this is to find in its PATH where it is env; both are empty where there is none.
func Interpreter(s desired.Spec) (path, lookup string) {
	line, _, _ := strings.Cut(installScript(s), "\n")
	words := strings.Fields(strings.TrimPrefix(line, "#!"))
	if !strings.HasPrefix(line, "#!") || len(words) == 0 {
		return "", ""
	}
	if strings.HasSuffix(words[0], "/env") && len(words) > 1 && !strings.ContainsAny(words[1], "-=/") {
		lookup = words[1]
	}
	return words[0], lookup
}

// byteOrderMark is what some editors begin a text with, and no shell understands.
const byteOrderMark = "\ufeff"

// unixLines takes away what a browser's text field or an editor puts in: carriage returns, for
// which the kernel would look in the interpreter's name, and a byte order mark.
func unixLines(s string) string {
	return strings.ReplaceAll(strings.TrimPrefix(s, byteOrderMark), "\r\n", "\n")
}

// quote makes one word of a POSIX shell of s.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
