package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"lightd/cmd/lightd/docs"
	"lightd/cmd/lightd/terminal"
	"lightd/hack/harness"
)

const (
	readmeLines   = 250 // at most
	readmeColumns = 160 // of prose, at most
)

func readme(t *testing.T) string {
	t.Helper()
	return string(harness.Value[[]byte](t)(os.ReadFile("../../README.md")))
}

// TestReadmeIsShort: it is read to the end.
func TestReadmeIsShort(t *testing.T) {
	text := readme(t)
	if n := strings.Count(text, "\n"); n > readmeLines {
		t.Errorf("%d lines, at most %d", n, readmeLines)
	}
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(line) - 1; n > readmeColumns && !strings.HasPrefix(line, "|") {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// fences are the blocks of a Markdown text that a language is named for, "" for those without.
func fences(text, language string) (blocks []string) {
	block, inside := "", false
	for line := range strings.Lines(text) {
		name, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && !inside:
			inside, block = true, ""
			if name != language {
				block = "skip"
			}
		case fence:
			if inside = false; block != "skip" {
				blocks = append(blocks, block)
			}
		case inside && block != "skip":
			block += line
		}
	}
	return blocks
}

// TestReadmeCommandsExist: each command that the README or a topic of docs shows is one of the
// command line, with its flags, or a target of the Makefile.
func TestReadmeCommandsExist(t *testing.T) {
	shown := map[string][]string{"README": {}}
	for _, block := range fences(readme(t), "sh") {
		shown["README"] = append(shown["README"], strings.Split(block, "\n")...)
	}
	prose := regexp.MustCompile("(?s)```.*?```").ReplaceAllString(readme(t), "")
	for _, code := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(prose, -1) {
		shown["README"] = append(shown["README"], code[1])
	}
	for _, topic := range docs.Topics {
		var b strings.Builder
		if err := topic.Write(&b, 1000); err != nil {
			t.Fatal(err)
		}
		for _, quote := range regexp.MustCompile(`"(lightd [^"]+)"`).FindAllStringSubmatch(b.String(), -1) {
			shown[topic.Name] = append(shown[topic.Name], quote[1])
		}
		// In a table the command ends before two blanks.
		for _, example := range regexp.MustCompile(`(?m)^    (lightd (?:\S| \S)+)`).FindAllStringSubmatch(b.String(), -1) {
			shown[topic.Name] = append(shown[topic.Name], strings.TrimSuffix(example[1], `\`))
		}
	}
	targets := regexp.MustCompile(`(?m)^([a-z-]+):.*`).FindAllStringSubmatch(string(harness.Value[[]byte](t)(os.ReadFile("../../Makefile"))), -1)
	checked := 0
	for where, lines := range shown {
		for _, line := range lines {
			for _, words := range commandsIn(line) {
				checked++
				switch {
				case words[0] == "lightd":
					if err := checkCommandLine(words[1:]); err != nil {
						t.Errorf("%s: %s: %v", where, line, err)
					}
				case len(words) == 1: // the program itself
				case len(words) != 2 || !slices.ContainsFunc(targets, func(m []string) bool { return m[1] == words[1] }):
					t.Errorf("%s: %s: there is no such target", where, line)
				}
			}
		}
	}
	if checked < 60 {
		t.Errorf("only %d commands were checked", checked)
	}
}

// commandsIn returns the commands of the program and of make in a line of shell.
func commandsIn(line string) (commands [][]string) {
	line, _, _ = strings.Cut(line, " # ")
	line = strings.NewReplacer("$(", "\n", "<(", "\n", ")", "\n", "&&", "\n", "|", "\n", "<<", "\n", "\\", "").Replace(line)
	for part := range strings.SplitSeq(line, "\n") {
		words := strings.Fields(part)
		if len(words) > 0 && words[0] == "sudo" {
			words = words[1:]
		}
		if len(words) > 0 && (words[0] == "lightd" || words[0] == "make") {
			commands = append(commands, words)
		}
	}
	return commands
}

// checkCommandLine parses a command line as the program would, and runs nothing.
func checkCommandLine(args []string) error {
	root := rootCommand(func(string) string { return "" }, terminal.Streams{})
	cmd, rest, err := root.Find(args)
	if err != nil || cmd == root && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		return fmt.Errorf("there is no such command: %w", err)
	}
	cmd.InitDefaultHelpFlag()
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if operands := cmd.Flags().Args(); len(operands) > 0 && cmd.Name() != "docs" && cmd.HasSubCommands() && (cmd.Name() != "get" || operands[0] != "ID") {
		return fmt.Errorf("%s has no %s", cmd.CommandPath(), operands[0])
	} else if len(operands) > 0 && cmd.Name() == "docs" && operands[0] != "TOPIC" {
		if _, found := docs.Find(operands[0]); !found {
			return fmt.Errorf("there is no topic %s", operands[0])
		}
	}
	return nil
}

// TestReadmeConfiguration: the tables and the file of the README are the settings with their defaults.
func TestReadmeConfiguration(t *testing.T) {
	text := readme(t)
	cfg := defaults(func(string) string { return "" })
	for _, one := range cfg.settings() {
		key := strings.ReplaceAll(one.flag, "-", "_")
		if row := fmt.Sprintf("\n| `--%s` | `%s` | `%s` | ", one.flag, one.env, key); !strings.Contains(text, row) {
			t.Errorf("the README has no row %s", row)
		} else if _, rest, _ := strings.Cut(text, row); *one.value != "" && !strings.Contains(rest[:strings.IndexByte(rest, '\n')], "`"+*one.value+"`") && one.flag != "data-dir" {
			t.Errorf("the default of --%s is %s, and the README has %s", one.flag, *one.value, rest[:strings.IndexByte(rest, '\n')])
		}
	}
	files := fences(text, "yaml")
	if len(files) != 1 {
		t.Fatalf("%d files of configuration", len(files))
	}
	path := filepath.Join(t.TempDir(), "lightd.yaml")
	if err := os.WriteFile(path, []byte(files[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	var given config
	if err := readConfig(path, &given); err != nil {
		t.Fatal(err)
	}
	if given.Logs != cfg.Logs || given.Consoles != cfg.Consoles || given.Timeouts != cfg.Timeouts || given.TLS != cfg.TLS ||
		!reflect.DeepEqual(given.Containers, cfg.Containers) ||
		given.UnixSocket != cfg.UnixSocket || given.InsecurePlainHTTP != cfg.InsecurePlainHTTP || given.Limits != cfg.Limits || given.Audit != cfg.Audit || len(given.Hosts)+len(given.TrustedProxies) > 0 || len(given.Mounts.Allowed)+len(given.Origins) > 0 {
		t.Errorf("the README has %+v, the defaults are %+v", given, cfg)
	}
	var all map[string]any
	if err := yaml.Unmarshal([]byte(files[0]), &all); err != nil {
		t.Fatal(err)
	}
	if kind := reflect.TypeFor[config](); kind.NumField() != len(cfg.settings())+len(all)+2 { // and owner and file
		t.Errorf("the README has %d settings of the file, the configuration has %d fields", len(all), kind.NumField())
	}
}

// shell runs the few kinds of lines that the quick start has.
type shell struct {
	desk     *desk
	folder   string
	commands int
}

var heredoc = regexp.MustCompile(`(?s)cat > (\S+) <<EOF\n(.*?\n)EOF\n`)

// run runs a block, and returns what its last command printed.
func (s *shell) run(block string) (out string) {
	t := s.desk.t
	t.Helper()
	for block != "" {
		if m := heredoc.FindStringSubmatch(block); m != nil && strings.HasPrefix(block, m[0]) {
			block = block[len(m[0]):]
			content := regexp.MustCompile(`\$\(lightd (.*?)\)`).ReplaceAllStringFunc(m[2], func(call string) string {
				return strings.TrimSpace(s.lightd(strings.Fields(call[len("$(lightd ") : len(call)-1])))
			})
			if err := os.WriteFile(filepath.Join(s.folder, m[1]), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		line, rest, _ := strings.Cut(block, "\n")
		block = rest
		line, _, _ = strings.Cut(line, "  # ") // a comment
		words := strings.Fields(line)
		switch {
		case line == "export LIGHTD_TOKEN=$(sudo lightd token show)":
			s.desk.env["LIGHTD_TOKEN"] = strings.TrimSpace(s.lightd([]string{"token", "show"}))
		case words[0] == "lightd":
			out = s.lightd(words[1:])
		case slices.Equal(words, []string{"docker", "kill", "lightd-my-server-001"}):
			if err := s.desk.sim.Exit(words[2], 137); err != nil {
				t.Fatal(err)
			}
			poll(t, func() error {
				if row := s.desk.do("get").out; !regexp.MustCompile(`running +True +1 `).MatchString(row) {
					return fmt.Errorf("it has not come back:\n%s", row)
				}
				return nil
			})
		default:
			t.Fatalf("the quick start has a line that this test cannot run: %s", line)
		}
	}
	return out
}

// lightd runs a command of the program, in the folder of the shell.
func (s *shell) lightd(args []string) string {
	s.desk.t.Helper()
	s.commands++
	for i, arg := range args {
		if i > 0 && args[i-1] == "-f" {
			args[i] = filepath.Join(s.folder, arg)
		}
	}
	printed := s.desk.do(args...).want(0)
	return printed.errOut + printed.out // progress comes before the result
}
