package main

import (
	"fmt"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"go.yaml.in/yaml/v3"

	"lightd/observed/blueprint"
)

// reloadable are the settings that take effect for what comes after a reload. All others need a
// restart.
var reloadable = []string{"origins", "mounts.allowed", "images.allowed", "images.remove_unused_after", "network.allowed", "consoles.per_container", "consoles.total", "logs.max_size", "logs.max_file", "metrics.per_container"}

// signals arranges what signals do to the daemon, but for those that end it: SIGHUP is what is
// returned, and what some tool sends to have a log opened again, or a broken pipe behind the log,
// ends nothing. SIGQUIT is Go's own: it prints all stacks and ends the program.
func signals() (reload <-chan os.Signal, stop func()) {
	signal.Ignore(syscall.SIGPIPE, syscall.SIGUSR1, syscall.SIGUSR2)
	hangup := make(chan os.Signal, 1) // one that is under way stands for those behind it
	signal.Notify(hangup, syscall.SIGHUP)
	return hangup, func() { signal.Stop(hangup) }
}

// liveConfig is the configuration that is in force. Readers get one that nobody changes.
type liveConfig struct{ atomic.Pointer[config] }

func newLiveConfig(cfg config) *liveConfig {
	l := &liveConfig{}
	l.Store(&cfg)
	return l
}

// allowedMounts are the host's directories that containers may mount from now.
func (l *liveConfig) allowedMounts() []string { return l.Load().Mounts.Allowed }

// allowedImages are the registries and repositories that images may come from now.
func (l *liveConfig) allowedImages() []string { return l.Load().Images.Allowed }

// allowedNetworks are the networks of the engine that specs may name now.
func (l *liveConfig) allowedNetworks() []string { return l.Load().Network.Allowed }

// reload reads the configuration again, and puts in force what needs no restart. One that is not
// valid changes nothing.
func (d *daemon) reload(load func() (config, error)) {
	loaded, err := load()
	if err != nil {
		d.log.Error("configuration not reloaded; the one before stays in force", "error", err)
		return
	}
	now := *d.config.Load()
	var changed, restart []string
	for _, key := range differingKeys(now, loaded) {
		if slices.Contains(reloadable, key) {
			changed = append(changed, key)
		} else {
			restart = append(restart, key)
		}
	}
	now.Origins, now.Mounts, now.Images.Allowed, now.Consoles, now.Logs = loaded.Origins, loaded.Mounts, loaded.Images.Allowed, loaded.Consoles, loaded.Logs
	now.Images.RemoveUnusedAfter = loaded.Images.RemoveUnusedAfter
	now.Network.Allowed, now.Metrics = loaded.Network.Allowed, loaded.Metrics
	if err := d.api.Reconfigure(consoleLimits(now)); err != nil {
		d.log.Error("configuration not reloaded; the one before stays in force", "error", err)
		return
	}
	d.controller.SetLogs(blueprint.Logs(now.Logs.MaxSize, now.Logs.MaxFile))
	d.controller.SetRemoveUnusedAfter(now.Images.RemoveUnusedAfter)
	d.config.Store(&now)
	d.recordSettings()
	defer d.warnBeyond()
	attrs := []any{"changed", strings.Join(changed, " ")}
	if len(restart) > 0 {
		d.log.Warn("configuration reloaded; some settings need a restart", append(attrs, "needs_restart", strings.Join(restart, " "))...)
		return
	}
	d.log.Info("configuration reloaded", attrs...)
}

// leaf is a setting by its key, dotted and as in the file.
type leaf struct {
	key   string
	value any
}

// leaves are all settings. An empty list is nil.
func (c *config) leaves() (all []leaf) {
	var walk func(prefix string, v reflect.Value)
	walk = func(prefix string, v reflect.Value) {
		for i := range v.NumField() {
			key := prefix + v.Type().Field(i).Tag.Get("yaml")
			switch one := v.Field(i); {
			case !v.Type().Field(i).IsExported(): // no setting of the file
			case one.Kind() == reflect.Struct:
				walk(key+".", one)
			case one.Kind() == reflect.Slice && one.Len() == 0:
				all = append(all, leaf{key: key})
			default:
				all = append(all, leaf{key, one.Interface()})
			}
		}
	}
	walk("", reflect.ValueOf(*c))
	return all
}

// differingKeys names the settings that differ. It has no values: one of them is the token.
func differingKeys(a, b config) (differ []string) {
	others := b.leaves()
	for i, l := range a.leaves() {
		if !reflect.DeepEqual(l, others[i]) {
			differ = append(differ, l.key)
		}
	}
	return differ
}

// settingError is a setting that can be none, by its key in the file. machine is true where another state
// of the machine would do, as a port that is free.
type settingError struct {
	key, text string
	machine   bool
	cause     error
}

// Unwrap returns what the machine said, if it was asked.
func (e *settingError) Unwrap() error { return e.cause }

// Error implements error.
func (e *settingError) Error() string { return e.text }

// badSetting returns the error of a value that a setting cannot have.
func badSetting(key, format string, args ...any) error {
	return &settingError{key: key, text: fmt.Sprintf(format, args...)}
}

// lineOf returns the line of a file that a key is on, 0 when it is not there.
func lineOf(file, key string) int {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	var document yaml.Node
	if yaml.Unmarshal(data, &document) != nil || len(document.Content) == 0 {
		return 0
	}
	at, line := document.Content[0], 0
	for name := range strings.SplitSeq(key, ".") {
		found := false
		if i, err := strconv.Atoi(name); err == nil && at.Kind == yaml.SequenceNode && i < len(at.Content) {
			at, found = at.Content[i], true
			line = at.Line
		}
		for i := 0; at.Kind == yaml.MappingNode && i+1 < len(at.Content); i += 2 {
			if at.Content[i].Value == name {
				line, at, found = at.Content[i].Line, at.Content[i+1], true
				break
			}
		}
		if !found {
			return line // of what it is below
		}
	}
	return line
}
