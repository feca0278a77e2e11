package command

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"lightd/httpapi/suggest"
)

// habits are commands of kubectl, docker and systemctl that are called otherwise here.
var habits = map[string]string{
	"ps": "get", "ls": "get", "list": "get", "status": "get", "show": "describe", "info": "describe",
	"stats": "top", "create": "run ID --image IMAGE -- COMMAND, or apply -f FILE", "replace": "apply -f FILE",
	"set": "patch or edit", "update": "patch or edit", "label": `patch ID -p '{"labels": {"a": "b"}}'`, "scale": "start or stop", "rollout": "apply -f FILE --wait", "rm": "delete",
	"remove": "delete", "log": "logs", "pause": `patch ID -p '{"paused": true}'`, "unpause": `patch ID -p '{"paused": false}'`, "suspend": `patch ID -p '{"suspended": true}'`, "unsuspend": `patch ID -p '{"suspended": false}'`, "up": "start, or apply -f FILE",
	"down": "stop, or delete", "install": "reinstall", "reload": `"systemctl reload lightd"`, "config": "context", "login": "context set",
	"ports": "port list", "volumes": "volume list", "containers": "get", "network": "port", "contexts": "context list", "daemon": "serve", "server": "serve",
	"api-resources": "explain", "auth": "token", "tokens": "token", "man": "docs", "doc": "docs", "images": "", "pull": "", "push": "", "build": "", "cp": "", "port-forward": "",
}

var unknownCommand = regexp.MustCompile(`^unknown command "([^"]*)" for`)

// Suggest returns the error for a command that does not exist: with the one that has another name
// here, or one whose name is nearly the same.
func Suggest(root *cobra.Command, err error) error {
	m := unknownCommand.FindStringSubmatch(err.Error())
	if m == nil {
		return err
	}
	given := strings.ToLower(m[1])
	text := fmt.Sprintf("there is no command %q", m[1])
	if meant, habit := habits[given]; habit {
		if meant != "" {
			text += "; what it does elsewhere is here: " + meant
		}
	} else if near := nearest(root, given); near != "" {
		text += fmt.Sprintf("; did you mean %q?", near)
	}
	return UsageError{text + `; see "lightd --help"`}
}

// nearest returns the command whose name differs in the fewest letters, at most one in four, and none
// where two do alike.
func nearest(root *cobra.Command, given string) string {
	if len(given) < 4 {
		return ""
	}
	var names []string
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return suggest.Nearest(given, names, max(1, len(given)/4))
}
