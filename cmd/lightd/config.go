package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"lightd/cmd/lightd/tracing"
	"lightd/desired"
	"lightd/desired/mountsource"
	"lightd/desired/token"
	"lightd/httpapi"
	"lightd/httpapi/audit"
	"lightd/observed/engine"
	"lightd/observed/owner"
)

// config are the settings of the program. Strongest first: flag, environment, file,
// default.
type config struct {
	Listen            addresses     `yaml:"listen"`
	TLS               tlsFiles      `yaml:"tls"`
	UnixSocket        unixSocket    `yaml:"unix_socket"`
	InsecurePlainHTTP bool          `yaml:"insecure_plain_http"`
	Hosts             []string      `yaml:"hosts"`
	TrustedProxies    []string      `yaml:"trusted_proxies"`
	Limits            limits        `yaml:"limits"`
	DataDir           string        `yaml:"data_dir"`
	DockerHost        string        `yaml:"docker_host"`
	Token             string        `yaml:"token"`
	TokenFile         string        `yaml:"token_file"`
	LogFormat         string        `yaml:"log_format"`
	LogLevel          string        `yaml:"log_level"`
	Mounts            mounts        `yaml:"mounts"`
	Images            imagesAllowed `yaml:"images"`
	Logs              logs          `yaml:"logs"`
	Consoles          consoles      `yaml:"consoles"`
	Timeouts          timeouts      `yaml:"timeouts"`
	Containers        isolation     `yaml:"containers"`
	Origins           []string      `yaml:"origins"`
	Audit             auditFiles    `yaml:"audit"`
	Network           network       `yaml:"network"`
	Webhooks          webhooks      `yaml:"webhooks"`
	Metrics           metricsShown  `yaml:"metrics"`
	Tracing           tracingTo     `yaml:"tracing"`

	owner owner.Mode
	// file is where the settings are from; empty for none.
	file string
}

type mounts struct {
	// Allowed are the host's directories that containers may mount from.
	Allowed []string `yaml:"allowed"`
}

// imagesAllowed is the section images of the file.
type imagesAllowed struct {
	// Allowed are the registries and repositories that images may come from; none are all.
	Allowed []string `yaml:"allowed"`
	// Credentials is a configuration file of Docker's command line, with the credentials of registries.
	Credentials string `yaml:"credentials"`
	// RemoveUnusedAfter is how long an image that this daemon pulled is kept when nothing needs it; 0 is for ever.
	RemoveUnusedAfter time.Duration `yaml:"remove_unused_after"`
}

// logs bound what Docker keeps of a container's output.
type logs struct {
	// MaxSize is the size of one file, in units of 1,000: "500k", "10m", "1g".
	MaxSize string `yaml:"max_size"`
	MaxFile int    `yaml:"max_file"`
}

// consoles bound how many clients may be connected to consoles at once.
type consoles struct {
	PerContainer int `yaml:"per_container"`
	Total        int `yaml:"total"`
}

// metricsShown is the section metrics of the file.
type metricsShown struct {
	// PerContainer has the metrics show each container by its id.
	PerContainer bool `yaml:"per_container"`
}

// tracingTo is the section tracing of the file.
type tracingTo struct {
	// Endpoint is the URL of a receiver of OTLP over HTTP; empty for no tracing.
	Endpoint string `yaml:"endpoint"`
	// Sample is the share of traces that is recorded, from 0 to 1.
	Sample float64 `yaml:"sample"`
}

func (t tracingTo) check() error {
	if t.Endpoint != "" {
		if err := tracing.CheckEndpoint(t.Endpoint); err != nil {
			return badSetting("tracing.endpoint", "tracing.endpoint: %v", err)
		}
	}
	if !(t.Sample >= 0 && t.Sample <= 1) {
		return badSetting("tracing.sample", "tracing.sample: it must be from 0 to 1, not %v", t.Sample)
	}
	return nil
}

type timeouts struct {
	Database time.Duration `yaml:"database"`
	Remove   time.Duration `yaml:"remove"`
	Create   time.Duration `yaml:"create"`
	Install  time.Duration `yaml:"install"`
	Pull     time.Duration `yaml:"pull"`
	Stop     time.Duration `yaml:"stop"`
}

// setting is one that a flag and the environment can give too.
type setting struct {
	flag, env, usage string
	value            *string
}

func (c *config) settings() []setting {
	return []setting{
		{"listen", "LIGHTD_LISTEN", "`address` to accept requests on; several are separated by commas", (*string)(&c.Listen)},
		{"data-dir", "LIGHTD_DATA_DIR", "`directory` of the database, volumes and container data", &c.DataDir},
		{"docker-host", "DOCKER_HOST", "`address` of the Docker Engine (default: the Docker client's own)", &c.DockerHost},
		{"token", "LIGHTD_TOKEN", "the master `token` (better given by file: a command line can be seen by others)", &c.Token},
		{"token-file", "LIGHTD_TOKEN_FILE", "`file` of the master token (default: <data-dir>/token, made on first start)", &c.TokenFile},
		{"log-format", "LIGHTD_LOG_FORMAT", "`format` of the log: text or json", &c.LogFormat},
		{"log-level", "LIGHTD_LOG_LEVEL", "`level` of the log: debug, info, warn or error", &c.LogLevel},
	}
}

func defaults(getenv func(string) string) config {
	return config{
		Listen: "127.0.0.1:8070", UnixSocket: unixSocket{Mode: "0600"}, Limits: limits{RequestsPerToken: 1500, Memory: "64m"},
		DataDir: defaultDataDir(getenv), LogFormat: "text", LogLevel: "info",
		Logs: logs{MaxSize: "10m", MaxFile: 3}, Consoles: consoles{PerContainer: 64, Total: 4096},
		Network:    network{Firewall: firewallAuto},
		Containers: isolation{MaxInstallation: "10g"},
		Tracing:    tracingTo{Sample: 1},
		Audit:      auditFiles{Output: string(audit.ToFile), MaxSize: "10m", MaxAge: 7 * 24 * time.Hour, MaxFiles: 10},
		Timeouts: timeouts{
			Database: 5 * time.Second, Remove: 30 * time.Second, Create: time.Minute,
			Install: 10 * time.Minute, Pull: 10 * time.Minute, Stop: 10 * time.Second,
		},
	}
}

// rootDataDir is the data directory of a daemon that runs as root.
const rootDataDir = "/var/lib/lightd"

func defaultDataDir(getenv func(string) string) string {
	if os.Geteuid() == 0 {
		return rootDataDir
	}
	base := getenv("XDG_DATA_HOME")
	if base == "" {
		base = filepath.Join(getenv("HOME"), ".local", "share")
	}
	return filepath.Join(base, "lightd")
}

// settings reads a config from flags, environment and file.
type settings struct {
	given  config // what the flags say
	file   string
	flags  *pflag.FlagSet
	getenv func(string) string
	// usual is the file that is read where none is named: usualConfig but in tests.
	usual string
}

// newSettings adds the flags of the settings to flags: those that are named, or all.
func newSettings(flags *pflag.FlagSet, getenv func(string) string, names ...string) *settings {
	s := &settings{flags: flags, getenv: getenv, usual: usualConfig}
	flags.StringVar(&s.file, "config", "", "YAML `file` of settings (LIGHTD_CONFIG; default: "+usualConfig+", if it is there)")
	preset := helpDefaults()
	for i, one := range s.given.settings() {
		if len(names) > 0 && !slices.Contains(names, one.flag) {
			continue
		}
		flags.StringVar(one.value, one.flag, "", one.usage+" ("+one.env+")")
		// The help shows the default. The flag itself has none, so that the environment and the
		// file count where it is not given.
		flags.Lookup(one.flag).DefValue = *preset[i].value
	}
	return s
}

// helpDefaults are the defaults as the help shows them: never what the environment says.
func helpDefaults() []setting {
	preset := defaults(func(name string) string { return map[string]string{"HOME": "~"}[name] })
	return preset.settings()
}

// configFile is the file to read; empty where there is none.
func (s *settings) configFile() string {
	if s.flags.Changed("config") {
		return s.file
	}
	if file := s.getenv("LIGHTD_CONFIG"); file != "" {
		return file
	}
	if _, err := os.Stat(s.usual); err == nil {
		return s.usual
	}
	return ""
}

// usualConfig is the file of a daemon that is told of no other. Its clients on this machine read it too,
// so that they find the daemon that a unit of systemd starts with it.
const usualConfig = "/etc/lightd/lightd.yaml"

// load returns the settings, after the flags were parsed.
func (s *settings) load() (config, error) {
	cfg := defaults(s.getenv)
	if file := s.configFile(); file != "" {
		if err := readConfig(file, &cfg); err != nil {
			return config{}, usageError{Text: err.Error()}
		}
	}
	s.overlay(&cfg)
	cfg.file = s.configFile()
	if err := cfg.check(); err != nil {
		return config{}, s.locate(err)
	}
	return cfg, nil
}

// overlay puts what the environment and the flags say over what the file does.
func (s *settings) overlay(cfg *config) {
	chosen, given := cfg.settings(), s.given.settings()
	if s.getenv("LIGHTD_TOKEN") != "" || s.getenv("LIGHTD_TOKEN_FILE") != "" {
		cfg.Token, cfg.TokenFile = "", "" // two ways to say one thing: the weaker place says neither
	}
	for i, one := range given {
		if v := s.getenv(one.env); v != "" {
			*chosen[i].value = v
		}
	}
	if s.flags.Changed("token") || s.flags.Changed("token-file") {
		cfg.Token, cfg.TokenFile = "", ""
	}
	for i, one := range given {
		if s.flags.Changed(one.flag) {
			*chosen[i].value = *one.value
		}
	}
}

// loadForClient returns the settings that a client of this machine's daemon needs: where the daemon
// listens, and its token. What the file says otherwise is not read: a mistake there, which only
// concerns the daemon, must not put its clients out of order.
func (s *settings) loadForClient() (config, error) {
	cfg := defaults(s.getenv)
	if file := s.configFile(); file != "" {
		err := readClientConfig(file, &cfg)
		if file == s.usual && errors.Is(err, fs.ErrPermission) {
			err = nil // for an account that has another daemon, or a context
		}
		if err != nil {
			return config{}, usageError{Text: err.Error()}
		}
	}
	s.overlay(&cfg)
	if err := cfg.findToken(); err != nil {
		return config{}, s.locate(err)
	}
	return cfg, nil
}

// readClientConfig reads the settings that a client needs from a YAML file over cfg.
func readClientConfig(path string, cfg *config) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	file := struct {
		Listen     *addresses `yaml:"listen"`
		TLS        *tlsFiles  `yaml:"tls"`
		DataDir    *string    `yaml:"data_dir"`
		DockerHost *string    `yaml:"docker_host"`
		Token      *string    `yaml:"token"`
		TokenFile  *string    `yaml:"token_file"`
	}{}
	document, err := parseConfig(path, data)
	if err != nil {
		return err
	}
	if err := document.Decode(&file); err != nil {
		return cmp.Or(shapeError(path, document), fmt.Errorf("%s: %w", path, err))
	}
	if file.TLS != nil {
		cfg.TLS = *file.TLS
	}
	for to, from := range map[*string]*string{(*string)(&cfg.Listen): (*string)(file.Listen), &cfg.DataDir: file.DataDir, &cfg.DockerHost: file.DockerHost, &cfg.Token: file.Token, &cfg.TokenFile: file.TokenFile} {
		if from != nil {
			*to = *from
		}
	}
	return nil
}

// locate makes a mistake in the call of a setting that can be none, and says on which line of the
// file it is, if it is from there.
func (s *settings) locate(err error) error {
	var bad *settingError
	if !errors.As(err, &bad) {
		return err
	}
	text := s.placeOf(bad.key) + bad.text
	if bad.machine {
		return errors.New(text)
	}
	return usageError{Text: text}
}

// placeOf is where the value of a key is from, as in "FILE:LINE: "; empty where that is no file.
func (s *settings) placeOf(key string) string {
	first, _, _ := strings.Cut(key, ".")
	for _, one := range s.given.settings() {
		if strings.ReplaceAll(one.flag, "-", "_") == first && (s.flags.Changed(one.flag) || s.getenv(one.env) != "") {
			return ""
		}
	}
	file := s.configFile()
	if line := lineOf(file, key); line > 0 {
		return fmt.Sprintf("%s:%d: ", file, line)
	}
	return ""
}

// readConfig reads a YAML file over cfg. Unknown keys are refused.
func readConfig(path string, cfg *config) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	document, err := parseConfig(path, data)
	if err != nil {
		return err
	}
	if err := shapeError(path, document); err != nil {
		return err
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(cfg); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func parseConfig(path string, data []byte) (*yaml.Node, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return nil, syntaxError(path, data, err)
	}
	return &document, nil
}

// shapeError is what is wrong with the keys of a document, and the kinds of their values.
func shapeError(path string, document *yaml.Node) error {
	if problems := shapeProblems(path, document); len(problems) > 0 {
		return errors.New(strings.Join(problems, "; "))
	}
	return nil
}

// findToken makes the data directory absolute, and the token file the usual one where none is given.
func (c *config) findToken() error {
	if c.DataDir == "" {
		return badSetting("data_dir", "data_dir: the data directory must not be empty")
	}
	abs, err := filepath.Abs(c.DataDir)
	if err != nil {
		return fmt.Errorf("find the data directory: %w", err)
	}
	c.DataDir = abs
	if c.TokenFile == "" {
		c.TokenFile = filepath.Join(c.DataDir, "token")
	}
	return nil
}

func (c *config) check() error {
	if err := c.findToken(); err != nil {
		return err
	}
	if c.Token != "" && !token.WellFormed(c.Token) {
		return badSetting("token", "token: %v", token.ErrMalformed)
	}
	if err := engine.CheckHost(c.DockerHost); err != nil {
		return badSetting("docker_host", "docker_host: %v", err)
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		return badSetting("log_format", "log_format: %q is neither text nor json", c.LogFormat)
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return badSetting("log_level", "log_level: %q is not one of debug, info, warn, error", c.LogLevel)
	}
	for _, dir := range c.Mounts.Allowed {
		if !filepath.IsAbs(dir) || filepath.Clean(dir) != dir {
			return badSetting("mounts.allowed", "mounts.allowed: %q is not an absolute clean path", dir)
		}
		if err := mountsource.CheckAllowed(dir, c.ownPlaces()); err != nil {
			return badSetting("mounts.allowed", "mounts.allowed: %v", err)
		}
	}
	for _, entry := range c.Images.Allowed {
		if err := desired.CheckAllowedImage(entry); err != nil {
			return badSetting("images.allowed", "images.allowed: %v", err)
		}
	}
	if path := c.Images.Credentials; path != "" && !filepath.IsAbs(path) {
		return badSetting("images.credentials", "images.credentials: %q is not an absolute path", path)
	}
	if c.Images.RemoveUnusedAfter < 0 {
		return badSetting("images.remove_unused_after", "images.remove_unused_after: it must be a time as in 720h, or 0 for never, not %s", c.Images.RemoveUnusedAfter)
	}
	if err := c.checkWire(); err != nil {
		return err
	}
	if err := httpapi.CheckOrigins(c.Origins); err != nil {
		return badSetting("origins", "origins: %v", err)
	}
	if err := cmp.Or(c.Logs.check(), c.Audit.check()); err != nil {
		return err
	}
	if err := c.Containers.check(); err != nil {
		return err
	}
	if err := cmp.Or(c.Network.check(), c.Webhooks.check(), c.Tracing.check()); err != nil {
		return err
	}
	if c.Consoles.PerContainer < 1 || c.Consoles.Total < 1 {
		return badSetting("consoles", "consoles: per_container and total must be above zero, not %d and %d", c.Consoles.PerContainer, c.Consoles.Total)
	}
	for name, d := range map[string]time.Duration{
		"database": c.Timeouts.Database, "remove": c.Timeouts.Remove, "create": c.Timeouts.Create,
		"install": c.Timeouts.Install, "pull": c.Timeouts.Pull, "stop": c.Timeouts.Stop,
	} {
		if d <= 0 {
			return badSetting("timeouts."+name, "timeouts.%s: it must be above zero, not %s", name, d)
		}
	}
	return nil
}

// logSize is a size as Docker's json-file driver reads it, in the form that leaves no room
// for none: that driver takes 0 and -1 for "as much as there is".
var logSize = regexp.MustCompile(`^[1-9][0-9]{0,5}[kmg]$`)

// With one file nothing could be read right after it was full, and the engine keeps the full
// one beside it all the same. A thousand are far more than is useful: at each turn the engine
// renames every one.
const minLogFiles, maxLogFiles = 2, 1000

func (l *logs) check() error {
	size := strings.ToLower(l.MaxSize)
	if !logSize.MatchString(size) {
		return badSetting("logs.max_size", "logs.max_size: %q is not a size with one of the units k, m and g, of 1,000, as in 500k, 10m or 1g", l.MaxSize)
	}
	l.MaxSize = size
	if l.MaxFile < minLogFiles || l.MaxFile > maxLogFiles {
		return badSetting("logs.max_file", "logs.max_file: it must be from %d to %d, not %d", minLogFiles, maxLogFiles, l.MaxFile)
	}
	return nil
}

// logger returns the program's logger, on w.
func (c config) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	if level.UnmarshalText([]byte(c.LogLevel)) != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
