package command

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/manifest"
	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/httpapi/client"
)

// newVolume is the word for a volume that is made.
const newVolume = "new"

// runFlags are what run makes a spec from.
type runFlags struct {
	image, volume, memory, cpu, restart, pattern, script string
	ports, env, labels                                   []string
}

func (f *runFlags) add(cmd *cobra.Command, a *app) {
	flags := cmd.Flags()
	flags.StringVar(&f.image, "image", "", "`image` to run (required)")
	flags.StringVarP(&f.volume, "volume", "v", newVolume, "`volume` for /home/container: its id, made if it is not there, or \"new\"")
	flags.StringArrayVarP(&f.ports, "publish", "p", nil, "a `port`, as in 8080:80 or 0/udp, where 0 is a free one of the pool; may be repeated")
	flags.StringArrayVarP(&f.env, "env", "e", nil, "an environment variable, as in `A=b`; A alone takes the value here; may be repeated")
	flags.StringVarP(&f.memory, "memory", "m", "", "`size` that it may use, as in 512Mi")
	flags.StringVar(&f.cpu, "cpu", "", "`cores` that it may use, as in 1.5 or 500m")
	flags.StringArrayVar(&f.labels, "label", nil, "a label, as in `a=b`; may be repeated")
	flags.StringVar(&f.restart, "restart", "", "`policy`: always, on-failure or never (default: on-failure)")
	flags.StringVar(&f.pattern, "start-pattern", "", "`regex` of the line that says that it is up")
	flags.StringVar(&f.script, "install-script", "", "`file` of a script to run first, \"-\" for the standard input")
	_ = cmd.RegisterFlagCompletionFunc("volume", a.completeVolumes)
	_ = cmd.RegisterFlagCompletionFunc("publish", a.completeFreePorts)
	_ = cmd.RegisterFlagCompletionFunc("restart", cobra.FixedCompletions([]cobra.Completion{string(desired.RestartAlways), string(desired.RestartOnFailure), string(desired.RestartNever)}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.MarkFlagFilename("install-script")
}

func (a *app) run() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run ID --image IMAGE [flags] -- COMMAND",
		Short: "Make a container from flags, and start it, as docker run -d does",
		Long: `Makes a container from flags, and starts it. Its volume, and ports that the pool lacks, are made on the
way: all or nothing. A container that is there already is refused. Several words of COMMAND are
quoted for the shell; one is a line of it. A port is [ADDRESS:]PORT[:CONTAINER_PORT][/udp]. With --dry-run -o yaml it prints a file for "lightd apply",
and makes nothing; "lightd explain" has the fields that no flag sets.`,
		Example: `  lightd run web --image nginx:1 -p 8080:80 --wait -- nginx -g 'daemon off;'
  lightd run mc --image game:1 -p 25565 -p 0/udp -m 2Gi -e EULA=true -- ./start
  lightd run mc --image game:1 --dry-run -o yaml -- ./start > mc.yaml`,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	var f runFlags
	f.add(cmd, a)
	w := waitFlags(cmd, api.UntilRunning)
	dry := cmd.Flags().Bool("dry-run", false, "tell what would be done, and do nothing; with -o print a file for apply")
	form := ResultFlag(cmd)
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 0, cmd.ArgsLenAtDash() == 0:
			return usagef("run: the id of the container is needed, as in \"lightd run web --image IMAGE -- COMMAND\"")
		case f.image == "":
			return usagef("run: --image is needed")
		case len(args) == 1:
			return usagef("run: the command is needed behind \"--\": the image's own is not used")
		case cmd.ArgsLenAtDash() != 1:
			return usagef("run takes one id, and the command behind \"--\": \"run %s [flags] -- %s\"", args[0], strings.Join(args[1:], " "))
		case *dry && w.goal != "":
			return usagef("--dry-run does nothing that could be waited for")
		}
		return noEmpty(cmd, args[:1])
	}
	return a.withSession(cmd, func(ctx context.Context, s *session, args []string) error {
		made, err := f.manifest(a, args[0], args[1:])
		if err != nil {
			return err
		}
		if w.goal != "" {
			stop := a.progress(ctx, s, args[:1], s.lastSeq(ctx))
			defer stop()
		}
		write := w.write()
		write.DryRun, write.IfNone = *dry, true
		end := time.Now().Add(w.timeout)
		applied, err := s.runManifest(ctx, made, write)
		switch {
		case err != nil:
			return withSubject(args[0], err)
		case *dry && *form != FormText:
			return WriteListOf(a.Streams, *form, applied.Containers, made)
		case *dry:
			for _, line := range madeBeside(applied.Applied) {
				a.say("%s", line)
			}
			return a.showPlan(applied.Containers[0])
		}
		return a.showApplied(ctx, s, applied, end, shownAs{form: *form})
	})
}

// runManifest is what run makes: the body of an apply, with no more than was asked for.
type runManifest struct {
	Volumes    []api.ApplyVolume   `json:"volumes"`
	Ports      []desired.PortRange `json:"ports,omitempty"`
	Containers []runSpec           `json:"containers"`
}

type runSpec struct {
	InternalID     string                 `json:"internal_id"`
	Image          string                 `json:"image"`
	VolumeID       string                 `json:"volume_id"`
	StartupCommand string                 `json:"startup_command"`
	StartPattern   string                 `json:"start_pattern,omitempty"`
	InstallScript  string                 `json:"install_script,omitempty"`
	Ports          []runPort              `json:"ports,omitempty"`
	Limits         map[string]json.Number `json:"limits,omitempty"`
	Env            map[string]string      `json:"env,omitempty"`
	Labels         map[string]string      `json:"labels,omitempty"`
	Restart        string                 `json:"restart,omitempty"`
	Power          desired.Power          `json:"power"`
}

type runPort struct {
	IP            string           `json:"ip,omitempty"`
	Port          int              `json:"port,omitempty"`
	ContainerPort int              `json:"container_port,omitempty"`
	Protocol      desired.Protocol `json:"protocol,omitempty"`
}

// manifest makes it from the flags.
func (f *runFlags) manifest(a *app, id string, command []string) (m runManifest, err error) {
	spec := runSpec{
		InternalID: id, Image: f.image, VolumeID: f.volume, StartupCommand: shellLine(command), StartPattern: f.pattern,
		Restart: f.restart, Power: desired.PowerRunning, Limits: map[string]json.Number{},
	}
	switch {
	case f.volume == newVolume:
		spec.VolumeID = newUUID()
	case strings.ContainsAny(f.volume, "/:"):
		return m, usagef("run: --volume %q is no id of a volume: what is mounted from the host is \"mount\" of the spec, see \"lightd explain mount\"", f.volume)
	}
	m.Volumes = []api.ApplyVolume{{VolumeID: spec.VolumeID}}
	for _, limit := range []struct {
		name, text string
		read       func(string) (json.Number, error)
	}{{"memory", f.memory, manifest.Bytes}, {"cpu", f.cpu, manifest.Cores}} {
		if limit.text == "" {
			continue
		}
		if spec.Limits[limit.name], err = limit.read(limit.text); err != nil {
			return m, usagef("run: --%s: %v", limit.name, err)
		}
	}
	if spec.Env, err = assignments("env", f.env, a.Getenv); err != nil {
		return m, err
	}
	if spec.Labels, err = assignments("label", f.labels, nil); err != nil {
		return m, err
	}
	if f.script != "" {
		if spec.InstallScript, err = a.readScript(f.script); err != nil {
			return m, err
		}
	}
	if m.Ports, spec.Ports, err = publish(f.ports); err != nil {
		return m, err
	}
	m.Containers = []runSpec{spec}
	return m, nil
}

// publish returns the ports of a spec, and those of the pool that they need.
func publish(texts []string) (pool []desired.PortRange, ports []runPort, err error) {
	for _, text := range texts {
		p, err := parsePort(text)
		if err != nil {
			return nil, nil, err
		}
		port := runPort{IP: p.IP, Port: p.Port, ContainerPort: p.ContainerPort}
		if p.Protocol != desired.TCP {
			port.Protocol = p.Protocol
		}
		ports = append(ports, port)
		if p.Port > 0 {
			pool = append(pool, desired.PortRange{IP: cmp.Or(desired.NormalIP(p.IP), anyAddress), Port: &p.Port, Protocol: p.Protocol})
		}
	}
	return pool, ports, nil
}

// runManifest applies m, where none of its containers is there. Ports that the pool has are left out: a
// token that may not add to it may use them.
func (s *session) runManifest(ctx context.Context, m runManifest, w client.Write) (client.Applied, error) {
	pool, err := s.Ports(ctx)
	if err != nil && !errors.Is(err, client.ErrForbidden) {
		return client.Applied{}, err
	}
	list := client.List{Volumes: m.Volumes}
	for _, r := range m.Ports {
		at := desired.Endpoint{IP: r.IP, Port: *r.Port, Protocol: r.Protocol}
		if !slices.ContainsFunc(pool, func(p desired.PoolPort) bool { return p.Endpoint == at }) {
			list.Ports = append(list.Ports, r)
		}
	}
	for _, spec := range m.Containers {
		document, err := json.Marshal(spec)
		if err != nil {
			return client.Applied{}, fmt.Errorf("encode a spec: %w", err)
		}
		list.Documents = append(list.Documents, document)
	}
	applied, err := s.Apply(ctx, list, w)
	if errors.Is(err, client.ErrPrecondition) {
		return applied, coded{errors.New("there is a container of that id: \"lightd edit\" and \"lightd apply\" change one"), ExitConflict}
	}
	return applied, asFlags(err)
}

// ofOne leads to a field of the one element of a list.
var ofOne = regexp.MustCompile(`^(containers|volumes|ports)\[\d+\]\.?`)

// asFlags is a refusal of a list that the user has not written, without the way to its elements.
func asFlags(err error) error {
	var refused *client.Error
	if !errors.As(err, &refused) {
		return err
	}
	plain := *refused
	plain.Details = slices.Clone(refused.Details)
	for i, d := range plain.Details {
		plain.Details[i].Field = ofOne.ReplaceAllString(d.Field, "")
	}
	return &plain
}

// assignments reads NAME=VALUE. A NAME alone has what lookup returns, which must not be empty; without a
// lookup it is refused.
func assignments(flag string, texts []string, lookup func(string) string) (map[string]string, error) {
	all := map[string]string{}
	for _, text := range texts {
		name, value, given := strings.Cut(text, "=")
		if !given && lookup != nil {
			value = lookup(name)
			given = value != ""
		}
		switch _, twice := all[name]; {
		case !given && lookup != nil:
			return nil, usagef("run: --%s %q has no value, and none is set here", flag, text)
		case !given || name == "":
			return nil, usagef("run: --%s %q is not as in a=b", flag, text)
		case twice:
			return nil, usagef("run: --%s %s is given twice", flag, name)
		}
		all[name] = value
	}
	return all, nil
}

// plainWord is a word that no shell changes.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// shellLine is a command as a line of a shell: one word as it is, several each as the word that it is.
func shellLine(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	quoted := make([]string, len(words))
	for i, word := range words {
		if quoted[i] = word; !plainWord.MatchString(word) || i == 0 && strings.Contains(word, "=") {
			quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// newUUID returns a random UUID (RFC 9562, version 4).
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
