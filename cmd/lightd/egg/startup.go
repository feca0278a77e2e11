package egg

import (
	"regexp"
	"slices"
	"strings"
)

// placeholder is what panels replace in a startup command.
var placeholder = regexp.MustCompile(`\{\{\s*([^{}]*?)\s*\}\}`)

// variable is a name that a shell knows.
var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// used is a variable where a shell replaces it.
var used = regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_]*)|\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}`)

// panelNames are the placeholders of panels for what Wings puts into the environment.
var panelNames = map[string]string{
	"server.build.default.port": serverPort, "server.allocations.default.port": serverPort,
	"server.build.default.ip": serverIP, "server.allocations.default.ip": serverIP,
	"server.build.memory": serverMemory, "server.build.memory_limit": serverMemory, "server.uuid": serverUUID,
}

// panelPrefixes come before the name of a variable.
var panelPrefixes = []string{"server.build.env.", "server.build.environment.", "server.environment.", "env."}

// shellName returns the variable that a placeholder stands for; ok is false where there is none.
func shellName(placeholder string) (name string, ok bool) {
	if name, ok := panelNames[placeholder]; ok {
		return name, true
	}
	for _, prefix := range panelPrefixes {
		placeholder = strings.TrimPrefix(placeholder, prefix)
	}
	return placeholder, variable.MatchString(placeholder)
}

// shellCommand turns the placeholders of a startup command into variables of a shell, and its lines into one, as
// the images of panels do it. It returns those that stand for nothing.
func shellCommand(startup string) (command string, unknown []string) {
	command = placeholder.ReplaceAllStringFunc(startup, func(text string) string {
		inside := placeholder.FindStringSubmatch(text)[1]
		name, ok := shellName(inside)
		if !ok {
			unknown = append(unknown, text)
			return text
		}
		return "${" + name + "}"
	})
	lines := strings.FieldsFunc(command, func(c rune) bool { return c == '\n' || c == '\r' })
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return strings.TrimSpace(strings.Join(lines, " ")), unknown
}

// bashOnly is what other shells do not understand.
var bashOnly = regexp.MustCompile(`\[\[|<<<|=~|[<>]\(|&>|\|&|\$\{[A-Za-z_][A-Za-z0-9_]*(,|\^|/|:-?[0-9]|\[)|\b(declare|source|pipefail|shopt)\b|\+=|\{[0-9]+\.\.[0-9]+\}`)

// bash has a command run by bash, which is what runs it in the images of panels.
func bash(command string) string {
	return "bash -c '" + strings.ReplaceAll(command, "'", `'\''`) + "'"
}

// uses returns the variables that texts use.
func uses(texts ...string) map[string]bool {
	names := map[string]bool{}
	for _, text := range texts {
		for _, m := range used.FindAllStringSubmatch(text, -1) {
			names[m[1]+m[2]] = true
		}
	}
	return names
}

// pattern returns an expression that matches a line with one of several texts.
func pattern(done []string) string {
	var parts []string
	for _, text := range done {
		if expression, is := strings.CutPrefix(text, "regex:"); is && expression != "" {
			parts = append(parts, expression)
		} else {
			parts = append(parts, regexp.QuoteMeta(text))
		}
	}
	if parts = slices.Compact(parts); len(parts) == 1 {
		return parts[0]
	}
	for i := range parts {
		parts[i] = "(?:" + parts[i] + ")"
	}
	return strings.Join(parts, "|")
}
