package egg

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"lightd/desired"
)

// Options is what an egg does not say, and what is chosen of what it offers. The zero value takes the first of each.
type Options struct {
	ID, Volume string
	// Image and Startup are names of choices of the egg; an Image may be any other reference too.
	Image, Startup string
	// Ports are those that the server binds, the first of which its program is told.
	Ports []desired.Port
	// Memory is the limit in bytes; 0 is none.
	Memory int64
	// Env takes the place of the defaults of variables.
	Env map[string]string
}

// What Wings puts into the environment besides the variables of an egg.
const (
	serverMemory = "SERVER_MEMORY"
	serverIP     = "SERVER_IP"
	serverPort   = "SERVER_PORT"
	serverUUID   = "P_SERVER_UUID"
)

// unset is what Wings, or the entry point of its images, sets besides, and nothing here does.
var unset = []string{"STARTUP", "INTERNAL_IP", "P_SERVER_LOCATION", "P_SERVER_ALLOCATION_LIMIT"}

// installMount is where the install scripts of panels have the volume.
const installMount = "/mnt/server"

// stopTimeout is how long Wings waits for a server that is asked to stop.
const stopTimeout = 10 * time.Minute

// Convert makes the spec of a container of an egg, and says what of the egg it lacks and what is still to be given. The
// error is that of a choice that the egg does not have.
func (e Egg) Convert(o Options) (desired.Spec, []Note, error) {
	image, err := choose(e.Images, o.Image, "image")
	if err != nil && !strings.ContainsAny(o.Image, "/:") {
		return desired.Spec{}, nil, err
	} else if err != nil {
		image = o.Image
	}
	startup, err := choose(e.Startups, o.Startup, "startup command")
	if err != nil {
		return desired.Spec{}, nil, err
	}
	c := converter{egg: e, options: o, spec: desired.DefaultSpec(), notes: slices.Clone(e.unknown)}
	s := &c.spec
	s.InternalID, s.VolumeID, s.Image, s.Ports, s.Limits.Memory = o.ID, o.Volume, registryImage(image), o.Ports, o.Memory
	c.environment()
	c.startup(startup)
	c.done()
	c.stop()
	c.install()
	c.panelVariables(startup)
	c.missing()
	c.faults()
	slices.SortStableFunc(c.notes, func(a, b Note) int { return strings.Compare(a.Path, b.Path) })
	return c.spec, c.notes, nil
}

// choose returns the value of a choice by its name, or by itself; the first one for "".
func choose(among []Choice, name, what string) (string, error) {
	var names []string
	for _, one := range among {
		if name == "" || name == one.Name || name == one.Value {
			return one.Value, nil
		}
		names = append(names, strconv.Quote(one.Name))
	}
	return "", fmt.Errorf("the egg has no %s %q; there are %s", what, name, strings.Join(names, ", "))
}

// registryImage takes away the mark of Pelican for images that are not pulled.
func registryImage(ref string) string { return strings.TrimPrefix(strings.TrimSpace(ref), "~") }

// converter is a spec in the making.
type converter struct {
	egg     Egg
	options Options
	spec    desired.Spec
	notes   []Note
}

func (c *converter) note(path, format string, args ...any) {
	c.notes = append(c.notes, Note{path, fmt.Sprintf(format, args...)})
}

// harmless are the rules that nothing depends on.
var harmless = strings.Fields("required nullable string present sometimes")

// environment takes the variables with their defaults, and what takes their place.
func (c *converter) environment() {
	for _, v := range c.egg.Variables {
		path := "variables." + v.Name
		c.spec.Env[v.Name] = v.Default
		given, set := c.options.Env[v.Name]
		rules := strings.Split(v.Rules, "|")
		if value := given; !set && v.Default == "" && slices.Contains(rules, "required") && value == "" {
			c.note(path, "is required and has no default: give it with --env %s=VALUE", v.Name)
		}
		if slices.ContainsFunc(rules, func(rule string) bool { return rule != "" && !slices.Contains(harmless, rule) }) {
			c.note(path+".rules", "%s is not checked", v.Rules)
		}
	}
	maps.Copy(c.spec.Env, c.options.Env)
}

func (c *converter) startup(text string) {
	command, unknown := shellCommand(text)
	for _, placeholder := range unknown {
		c.note("startup", "%s stands for nothing here", placeholder)
	}
	if bashOnly.MatchString(command) {
		c.note("startup", "has the syntax of bash, and is run by it: the image needs bash")
		command = bash(command)
	}
	if strings.Contains(command, "{{") && len(unknown) == 0 {
		c.note("startup", "has braces that stand for nothing here")
	}
	c.spec.StartupCommand = command
	for _, other := range c.egg.Startups {
		if other.Value != text {
			c.note("startup_commands", "%q is another one: --startup chooses it", other.Name)
		}
	}
}

func (c *converter) done() {
	if len(c.egg.Done) == 0 {
		return
	}
	c.spec.StartPattern = pattern(c.egg.Done)
	if err := desired.CheckPattern(c.spec.StartPattern); err != nil {
		c.note("config.startup.done", "is left out, and the server counts as running at once: %v", err)
		c.spec.StartPattern = ""
	}
}

func (c *converter) stop() {
	name, signal := strings.CutPrefix(c.egg.Stop, "^")
	switch name = strings.ToUpper(strings.TrimPrefix(name, "^")); {
	case c.egg.Stop == "":
		return
	case !signal:
		c.spec.Stop.Command = c.egg.Stop
	case name == "C":
		c.spec.Stop.Signal = "SIGINT"
	default:
		if _, ok := desired.SignalNumber(name); !ok {
			c.note("config.stop", "%q is no signal: it is SIGKILL, as for Wings", c.egg.Stop)
			name = "SIGKILL"
		}
		c.spec.Stop.Signal = desired.NormalSignal(name)
	}
	c.spec.Stop.Timeout = desired.Duration(stopTimeout)
}

func (c *converter) install() {
	from := c.egg.Installer
	if strings.TrimSpace(from.Script) == "" {
		return
	}
	if len(strings.Fields(from.Entrypoint)) > 1 {
		c.note("scripts.installation.entrypoint", "%q is more than a program, and is left out: the script's #! line counts", from.Entrypoint)
		from.Entrypoint = ""
	}
	c.spec.Install = &desired.Install{Script: from.Script, Image: registryImage(from.Image), Entrypoint: from.Entrypoint, Mount: installMount}
}

// panelVariables sets what Wings would, of what the startup command or the install script uses.
func (c *converter) panelVariables(startup string) {
	used := uses(startup, c.egg.Installer.Script, c.spec.StartupCommand)
	give := func(name, value, missing string) {
		_, have := c.spec.Env[name]
		switch {
		case have || !used[name]:
		case value == "":
			c.note("env."+name, "is used, and is set by nobody: %s", missing)
		default:
			c.spec.Env[name] = value
		}
	}
	memory, port := "", ""
	if c.options.Memory > 0 {
		memory = strconv.FormatInt(c.options.Memory>>20, 10)
	}
	if len(c.options.Ports) > 0 {
		if first := c.options.Ports[0].Normalize(); first.ContainerPort > 0 {
			port = strconv.Itoa(first.ContainerPort)
		}
	}
	give(serverIP, "0.0.0.0", "")
	give(serverMemory, memory, "give --memory, of which it has the MiB")
	give(serverPort, port, "give -p PORT, or -p 0:PORT for a free one outside")
	give(serverUUID, c.options.ID, "give --id, which it is")
	for _, name := range unset {
		give(name, "", "give --env "+name+"=VALUE")
	}
	for _, m := range placeholder.FindAllStringSubmatch(startup, -1) {
		name, ok := shellName(m[1])
		if _, have := c.spec.Env[name]; ok && !have && !slices.Contains(unset, name) && !strings.HasPrefix(name, "SERVER_") && name != serverUUID {
			c.note("startup", "%s is no variable of the egg: give --env %s=VALUE", m[0], name)
		}
	}
}

func (c *converter) missing() {
	if c.options.ID == "" {
		c.note("internal_id", "is not in an egg: give --id")
	}
	if c.options.Volume == "" {
		c.note("volume_id", `is not in an egg: give --volume, as "lightd volume create" prints it`)
	}
	if len(c.options.Ports) == 0 {
		c.note("ports", "are not in an egg: give -p for each, and once more with /udp where the game needs that")
	}
}

// faults names what a daemon would refuse.
func (c *converter) faults() {
	s := c.spec.Clone()
	if s.InternalID == "" {
		s.InternalID = "egg"
	}
	if s.VolumeID == "" {
		s.VolumeID = "egg"
	}
	var invalid *desired.ValidationError
	if errors.As(s.Normalize().Validate(desired.Rules{AllowedImages: []string{"*"}}), &invalid) {
		for _, f := range invalid.Fields {
			c.note(f.Field, "would be refused: %s", f.Message)
		}
	}
}
