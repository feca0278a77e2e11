package command

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
)

// habits are commands of kubectl, docker and systemctl that are called otherwise here.
var habits = map[string]string{
	"ps": "get", "ls": "get", "list": "get", "status": "get", "show": "describe", "inspect": "describe", "info": "describe",
	"top": "describe ID", "stats": "describe ID", "exec": "attach ID", "run": "apply -f FILE", "create": "apply -f FILE",
	"edit": "get ID -o yaml, and then apply -f FILE", "patch": "get ID -o yaml, and then apply -f FILE", "replace": "apply -f FILE",
	"set": "apply -f FILE", "update": "apply -f FILE", "scale": "start or stop", "rollout": "apply -f FILE --wait", "rm": "delete",
	"remove": "delete", "log": "logs", "pause": `apply -f FILE with "paused: true"`, "unpause": `apply -f FILE with "paused: false"`, "up": "start, or apply -f FILE",
	"down": "stop, or delete", "install": "reinstall", "reload": `"systemctl reload lightd"`, "config": "context", "login": "context set",
	"ports": "port list", "volumes": "volume list", "containers": "get", "network": "port", "contexts": "context list", "daemon": "serve", "server": "serve",
	"api-resources": "explain", "auth": "token", "tokens": "token", "images": "", "pull": "", "push": "", "build": "", "cp": "", "port-forward": "",
}

var unknownCommand = regexp.MustCompile(`^unknown command "([^"]*)" for`)

// Suggest returns what a user is told who called a command that there is not: the one that is called
// otherwise elsewhere, or one whose name is nearly the same.
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
	var near []string
	least := max(1, len(given)/4)
	for _, c := range root.Commands() {
		d := distance(given, c.Name())
		if len(given) < 4 || !c.IsAvailableCommand() || d > least {
			continue
		}
		if d < least {
			near, least = nil, d
		}
		near = append(near, c.Name())
	}
	if len(near) != 1 {
		return ""
	}
	return near[0]
}

// distance is how many letters must be changed, put in, taken out or swapped with the next one to
// make one word of another (Damerau and Levenshtein, each place once).
func distance(a, b string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
