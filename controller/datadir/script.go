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

// Entrypoint returns the script that runs the startup command of s.
//
// A simple command takes the shell's place, and gets signals and gives its exit code
// directly. For anything else the shell stays in front of the program and outlasts it:
// with an init process in the container, signals reach the whole process group, and a
// shell that died of the signal would take the container, and so the program, down at
// once. A shell with a trap runs it only after its foreground command has ended (POSIX
// 2.11), and then passes on the program's own exit code.
func Entrypoint(s desired.Spec) string {
	command := unixLines(s.StartupCommand)
	if simple(command) {
		command = "exec " + strings.TrimSpace(command)
	} else {
		command = "trap 'exit $?' HUP INT QUIT TERM USR1 USR2\n" + command
	}
	return "#!/bin/sh\n" +
		"# Written by lightd; changes are undone.\n" +
		"cd " + blueprint.Home + " || exit 1\n" +
		command + "\n"
}

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

// installEntry returns the script that runs the install script with the environment of
// s. The environment is not given to Docker, where a commit would keep it for ever.
func installEntry(s desired.Spec) string {
	var b strings.Builder
	b.WriteString("#!/bin/sh\n# Written by lightd.\n")
	for _, k := range slices.Sorted(maps.Keys(s.Env)) {
		if variable.MatchString(k) {
			fmt.Fprintf(&b, "export %s=%s\n", k, quote(s.Env[k]))
		}
	}
	fmt.Fprintf(&b, "cd %s || exit 1\n", blueprint.Home)
	if strings.HasPrefix(s.InstallScript, "#!") {
		fmt.Fprintf(&b, "exec %s/%s\n", blueprint.Data, installer)
	} else {
		fmt.Fprintf(&b, "exec /bin/sh %s/%s\n", blueprint.Data, installer)
	}
	return b.String()
}

// unixLines takes the carriage returns away that a browser's text field puts in: the
// kernel would look for an interpreter of that name.
func unixLines(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }

// quote makes one word of a POSIX shell of s.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
