package egg

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Choice is one of several values of an egg, with the name that people choose it by.
type Choice struct{ Name, Value string }

// Variable is what the user of a panel may set.
type Variable struct {
	Name, Default, Rules string
}

// Installer fills the files of a server.
type Installer struct{ Script, Image, Entrypoint string }

// Egg is what a panel knows of a kind of server, in whatever format it was written.
type Egg struct {
	Format, Name string
	// Images and Startups are in the order of the file: the first is the default.
	Images, Startups []Choice
	// Done are the texts of the output after which the server is up; those that begin with "regex:" are expressions.
	Done      []string
	Stop      string
	Installer Installer
	Variables []Variable
	// unknown is what has no place in a spec.
	unknown []Note
}

// Note is something of an egg that a spec cannot express, or that only the user knows.
type Note struct{ Path, Message string }

func (n Note) String() string { return n.Path + ": " + n.Message }

// The formats are those of Pterodactyl and Pelican.
var formats = []string{"PTDL_v1", "PTDL_v2", "PLCN_v1", "PLCN_v2", "PLCN_v3"}

// Parse reads an egg as a panel exports it, JSON or YAML. Its error says what is wrong with the file.
func Parse(data []byte) (Egg, error) {
	root, err := decode(data)
	if err != nil {
		return Egg{}, err
	}
	e := Egg{Format: root.get("meta", "version").text, Name: root.get("name").text}
	switch {
	case root.kind != object:
		return Egg{}, fmt.Errorf("it is no egg: an object is needed")
	case e.Format == "":
		return Egg{}, fmt.Errorf("it is no egg: meta.version is missing")
	case !slices.Contains(formats, e.Format):
		return Egg{}, fmt.Errorf("meta.version %q is none of %s", e.Format, strings.Join(formats, ", "))
	}
	if e.Images = images(root, e.Format); len(e.Images) == 0 {
		return Egg{}, fmt.Errorf("docker_images: there is none")
	}
	if e.Startups = startups(root); len(e.Startups) == 0 {
		return Egg{}, fmt.Errorf("startup: there is none")
	}
	install := root.get("scripts", "installation")
	e.Installer = Installer{
		Script: strings.ReplaceAll(install.get("script").text, "\r\n", "\n"),
		Image:  install.get("container").text, Entrypoint: strings.TrimSpace(install.get("entrypoint").text),
	}
	e.Stop = strings.TrimSpace(root.get("config", "stop").text)
	if err := e.readConfig(root.get("config")); err != nil {
		return Egg{}, err
	}
	e.readVariables(root.get("variables"))
	e.readRest(root)
	return e, nil
}

// images are those that the server may run from. The icon of Pelican's later formats is called image too.
func images(root *node, format string) []Choice {
	found := choices(root.get("docker_images"))
	if len(found) > 0 {
		return found
	}
	listed := root.get("images").texts() // of PTDL_v1, and in some eggs that say that they are PTDL_v2
	if format == "PTDL_v1" {
		listed = append(listed, root.get("image").texts()...)
	}
	for _, ref := range listed {
		found = append(found, Choice{ref, ref})
	}
	return found
}

func startups(root *node) []Choice {
	found := choices(root.get("startup_commands"))
	if text := root.get("startup").text; len(found) == 0 && strings.TrimSpace(text) != "" {
		found = []Choice{{"Default", text}}
	}
	return found
}

// choices are the members of an object that have a text.
func choices(n *node) []Choice {
	var found []Choice
	for _, m := range n.members {
		if m.value.kind == scalar && strings.TrimSpace(m.value.text) != "" {
			found = append(found, Choice{m.name, m.value.text})
		}
	}
	if n.kind == array { // PHP writes a list where the names are numbers
		for _, text := range n.texts() {
			found = append(found, Choice{text, text})
		}
	}
	return found
}

func (e *Egg) readConfig(config *node) error {
	startup, err := config.get("startup").embedded()
	if err != nil {
		return fmt.Errorf("config.startup: %w", err)
	}
	e.Done = startup.get("done").texts()
	if texts := startup.get("user_interaction").texts(); len(texts) > 0 {
		e.note("config.startup.user_interaction", "the console shows what the server asks for, and nothing else does")
	}
	files, err := config.get("files").embedded()
	if err != nil {
		return fmt.Errorf("config.files: %w", err)
	}
	for _, m := range files.members {
		var keys []string
		for _, found := range m.value.get("find").members {
			keys = append(keys, found.name)
		}
		e.note("config.files", fmt.Sprintf("%s (%s) is not written before a start: %s", m.name,
			cmp.Or(m.value.get("parser").text, "no parser"), cmp.Or(strings.Join(keys, ", "), "no keys")))
	}
	logs, err := config.get("logs").embedded()
	if err == nil && !logs.empty() && logs.get("custom").text != "false" {
		e.note("config.logs", "the output of the process is what is shown, and no file")
	}
	if from := config.get("extends"); !from.empty() {
		e.note("config.extends", "what another egg has is not known here: export an egg that has it itself")
	}
	return nil
}

func (e *Egg) readVariables(variables *node) {
	for _, v := range variables.list {
		one := Variable{Name: v.get("env_variable").text, Default: v.get("default_value").text}
		one.Rules = strings.Join(v.get("rules").texts(), "|")
		if one.Name != "" {
			e.Variables = append(e.Variables, one)
		}
	}
}

// informative are the members that say nothing of how a server is made, or are read elsewhere.
var informative = strings.Fields(`_comment meta exported_at name author uuid description image images docker_images tags icon logo
	startup startup_commands config scripts variables nest sort`)

func (e *Egg) readRest(root *node) {
	for _, m := range root.members {
		if slices.Contains(informative, m.name) || m.value.empty() || m.value.text == "false" {
			continue
		}
		switch m.name {
		case "features":
			e.note(m.name, strings.Join(m.value.texts(), ", ")+": what a panel does when the output has certain texts is not done here")
		case "file_denylist":
			e.note(m.name, strings.Join(m.value.texts(), ", ")+": users are kept from no file of the volume")
		case "force_outgoing_ip":
			e.note(m.name, "connections leave by the address that the host chooses")
		default:
			e.note(m.name, "is not known")
		}
	}
}

func (e *Egg) note(path, message string) { e.unknown = append(e.unknown, Note{path, message}) }
