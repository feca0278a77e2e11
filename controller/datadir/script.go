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
	// installBegan is as old as the first script since the last installation that ended well.
	installBegan = "install-began"
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
	// Owner is the user of the server, as in a spec: what the script leaves in the volume is given
	// to them. Empty gives it to nobody.
	Owner string
	// UID and GID are, on the host, those of whom the script runs as.
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
	how, env := s.Installation(), maps.Clone(s.Env)
	if len(how.Env) > 0 && env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, how.Env)
	b.WriteString("#!/bin/sh\n# Written by lightd.\n")
	for _, k := range slices.Sorted(maps.Keys(env)) {
		if variable.MatchString(k) {
			fmt.Fprintf(&b, "export %s=%s\n", k, quote(env[k]))
		}
	}
	home := how.Home()
	fmt.Fprintf(&b, "cd %s || exit 1\n", home)
	run := blueprint.Data + "/" + installer
	switch path, _ := Interpreter(s); {
	case how.Entrypoint != "":
		run = how.Entrypoint + " " + run
	case path == "":
		run = "/bin/sh " + run
	}
	if isRoot(owner) {
		b.WriteString("exec " + run + "\n")
		return b.String()
	}
	user, group, _ := strings.Cut(owner, ":")
	fmt.Fprintf(&b, handOver, run, quote(user), quote(group), home, blueprint.Data+"/"+installBegan, systemPath)
	return b.String()
}

// handOver runs a script and gives the files of root in the volume that are newer than the file
// installBegan to the user of the server, whom only the container knows by name. The time is that
// of the last change of an inode, which an archive does not carry along. The volume's own
// directory goes with them where nothing older is in it. Links are not followed, other file
// systems not entered. Where find cannot compare that time, the shell goes through, by whole
// seconds: the script then begins a second after installBegan.
const handOver = `dated() (
	PATH=%[6]s
	find %[5]s -cnewer %[5]s >/dev/null 2>&1
)
dated || sleep 1
%[1]s
code=$?
PATH=%[6]s
owner=%[2]s
group=%[3]s
[ -n "$group" ] || group=$(id -g "$owner" 2>/dev/null)
owner=$owner${group:+:$group}
home=%[4]s
began=%[5]s
each() {
	for file in "$1"/* "$1"/.[!.]* "$1"/..?*; do
		[ -h "$file" ] || [ -e "$file" ] || continue
		set -- "$1" $(stat -c '%%d %%u %%Z' "$file")
		[ "$2" = "$device" ] || continue
		if [ "$4" -le "$since" ]; then
			[ "$1" != $home ] || older=yes
		elif [ "$3" = 0 ]; then
			chown -h "$owner" "$file"
		fi
		[ -h "$file" ] || [ ! -d "$file" ] || (each "$file")
	done
}
older=
if dated; then
	find $home -mindepth 1 -xdev -user 0 -cnewer $began -exec chown -h "$owner" {} +
	older=$(find $home -mindepth 1 -maxdepth 1 ! -cnewer $began)
else
	since=$(stat -c %%Y $began) && device=$(stat -c %%d $home) && each $home
fi && { [ -n "$older" ] || [ ! -O $home ] || chown -h "$owner" $home; } ||
	echo "lightd: not all of $home could be given to $owner" >&2
exit $code
`

// systemPath is where the programs are that handOver needs, whatever PATH the spec has.
const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// installScript returns the install script as it is run. What an editor puts before the #!, a
// byte order mark or blank lines, would hide it from the kernel.
func installScript(s desired.Spec) string {
	script := unixLines(s.Installation().Script)
	if trimmed := strings.TrimLeft(script, " \t\r\n"+byteOrderMark); strings.HasPrefix(trimmed, "#!") {
		return trimmed
	}
	return script
}

// Interpreter returns the program that the install script of s names after its #!, and the one
// that this is to find in its PATH where it is env; both are empty where there is none. An entrypoint of s takes
// the place of that: it is the one or the other.
func Interpreter(s desired.Spec) (path, lookup string) {
	switch name := s.Installation().Entrypoint; {
	case strings.Contains(name, "/"):
		return name, ""
	case name != "":
		return "", name
	}
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
