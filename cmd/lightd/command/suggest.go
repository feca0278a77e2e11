package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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

// suggested is an error with what may have been meant.
type suggested struct {
	error
	text string
}

func (e suggested) Unwrap() error { return e.error }

// suggestWithin bounds what a person waits for a suggestion.
const suggestWithin = 2 * time.Second

// suggestID adds to the error of an id that no container has the one that is nearly the same, or the one
// that begins so.
func (s *session) suggestID(ctx context.Context, err error) error {
	var at subjectError
	if !errors.As(err, &at) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, suggestWithin)
	defer cancel()
	listing, failed := s.List(ctx, "")
	if failed != nil {
		return err
	}
	names := slices.Clone(s.words)
	for _, c := range listing.Containers {
		names = append(names, c.InternalID)
	}
	if near := nearID(at.subject, names); near != "" {
		return suggested{err, fmt.Sprintf("did you mean %q?", near)}
	}
	return err
}

// nearID returns the one of names that somebody meant who wrote given.
func nearID(given string, names []string) string {
	if near := suggest.Nearest(given, names, max(1, len(given)/4)); near != "" {
		return near
	}
	longer := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !strings.HasPrefix(name, given) })
	if len(longer) != 1 || len(given) < 3 {
		return ""
	}
	return longer[0]
}

// flagHabits are flags of kubectl and docker, and what there is here; those behind a command stand before
// those of all.
var flagHabits = map[string]string{
	"all-namespaces": noNamespaces, "A": noNamespaces, "namespace": noNamespaces,
	"q": "-o name prints ids alone", "quiet": "-o name prints ids alone",
	"format": "it is -o jsonpath=... or -o custom-columns=...", "go-template": "it is -o jsonpath=... or -o custom-columns=...",
	"get -a": "all are shown anyway", "get --all": "all are shown anyway", "get -f": "a file is for apply, diff and plan",
	"describe -o": "it is \"lightd get ID -o yaml\"", "describe --output": "it is \"lightd get ID -o yaml\"",
	"delete --force": "delete stops what runs, and \"lightd kill\" at once", "delete --now": "\"lightd kill\" ends at once", "delete -v": "the volume stays: \"lightd volume delete\"",
	"delete --grace-period": "\"lightd stop -t\" gives time, and \"lightd kill\" none",
	"run -d":                runsBehind, "run --detach": runsBehind, "run -i": runsBehind, "run -t": runsBehind, "run --interactive": runsBehind, "run --tty": runsBehind,
	"run --rm": "a container stays until \"lightd delete\"", "run --name": "the id is the first argument", "run --cpus": "it is --cpu", "run -l": "it is --label",
	"run -u": aField, "run --user": aField, "run --hostname": aField, "run -h": aField, "run --network": aField, "run --tmpfs": aField, "run --read-only": aField,
	"run --mount": aField, "run --memory-swap": aField, "run --stop-timeout": aField, "run --stop-signal": aField, "run --health-cmd": aField, "run --port": "it is -p",
	"run --env-file": "-e has one variable each", "run --entrypoint": "the command behind \"--\" is all that runs",
	"exec --context": onTheNode, "exec --server": onTheNode, "exec --token": onTheNode, "exec --token-file": onTheNode,
	"stop --time": "it is -t, or --grace", "stop --grace-period": "it is -t, or --grace", "restart -t": stopTime, "restart --time": stopTime, "stop --signal": stopTime, "stop -s": stopTime,
	"kill -s": "it is SIGKILL; the signal of a stop is stop.signal of the spec", "kill --signal": "it is SIGKILL; the signal of a stop is stop.signal of the spec",
	"logs --until": "--since and --tail say where to begin", "logs -p": "output before a restart is there too",
	"logs --previous": "output before a restart is there too", "logs -c": "a container has one output", "events --since": "--after has the number of an event, --tail how many",
	"events -f": "it is -w", "events --follow": "it is -w", "get --watch-only": "it is -w", "apply --recursive": "a directory is read by -f, not below", "apply -R": "a directory is read by -f, not below",
	"apply -k": "there is no kustomize", "apply --force": "what must be made anew is", "apply --server-side": "an apply always is",
}

const (
	noNamespaces = "there are no namespaces: labels and -l choose"
	runsBehind   = "it runs in the background; its console is \"lightd attach ID\""
	aField       = "it is a field of the spec: see \"lightd explain\", and print one with --dry-run -o yaml"
	stopTime     = "how long a stop may take, and how it begins, is \"stop\" of the spec: \"lightd patch ID -p 'stop: {timeout: 30s}'\""
	onTheNode    = "exec is an operation of the machine that the container is on: run it there; from elsewhere there is \"lightd attach ID\""
)

// SuggestFlag returns what is here instead of a flag that a command does not have, given as "-x" or
// "--name", or the one that is nearly the same; nothing where neither is.
func SuggestFlag(cmd *cobra.Command, given string) string {
	if habit := cmp.Or(flagHabits[cmd.Name()+" "+given], flagHabits[strings.TrimLeft(given, "-")]); habit != "" {
		return habit
	}
	name, long := strings.CutPrefix(given, "--")
	if !long {
		return ""
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	if near := suggest.Nearest(name, names, max(1, len(name)/4)); near != "" {
		return fmt.Sprintf("did you mean \"--%s\"?", near)
	}
	return ""
}
