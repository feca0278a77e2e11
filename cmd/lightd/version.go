package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/backup"
	"lightd/cmd/lightd/command"
	"lightd/cmd/lightd/render"
	"lightd/cmd/lightd/terminal"
	"lightd/desired/kv"
	"lightd/observed/engine"
)

// programInfo is what this binary was made of.
type programInfo struct {
	Version string `json:"version"`
	// Commit and CommittedAt are empty where the build had no repository; Modified is true where it had changes.
	Commit      string `json:"commit"`
	CommittedAt string `json:"committed_at"`
	Modified    bool   `json:"modified"`
	Go          string `json:"go"`
	Platform    string `json:"platform"`
	// EngineAPI is the oldest version of the engine's API that is spoken, EngineAPIMax the newest.
	EngineAPI    string `json:"engine_api"`
	EngineAPIMax string `json:"engine_api_max"`
	// DatabaseFormat is the version of the values in the database, BackupFormat that of the backups that are made.
	DatabaseFormat int `json:"database_format"`
	BackupFormat   int `json:"backup_format"`
}

// oldestEngineAPI is that of Docker 20.10; see the README.
const oldestEngineAPI = "1.41"

// commit and committedAt are set by the build, as version is: Go itself records them in the main worktree of a
// repository only, and the same commit must make the same bytes in each.
var commit, committedAt string

// thisProgram describes the binary by what its build has set, or else by what Go has recorded.
func thisProgram() programInfo {
	p := programInfo{
		Version: version, Commit: commit, CommittedAt: committedAt, Modified: strings.HasSuffix(version, "-dirty"),
		Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		EngineAPI: oldestEngineAPI, EngineAPIMax: engine.NewestAPI, DatabaseFormat: kv.Format, BackupFormat: backup.Format,
	}
	built, _ := debug.ReadBuildInfo()
	if built == nil || commit != "" {
		return p
	}
	for _, s := range built.Settings {
		switch s.Key {
		case "vcs.revision":
			p.Commit = s.Value
		case "vcs.time":
			p.CommittedAt = s.Value
		case "vcs.modified":
			p.Modified = s.Value == "true"
		}
	}
	return p
}

// String is p in one line.
func (p programInfo) String() string {
	made := []string{}
	if p.Commit != "" {
		made = append(made, "commit "+p.Commit[:min(12, len(p.Commit))], p.CommittedAt)
	}
	if p.Modified {
		made = append(made, "with changes")
	}
	made = append(made, p.Go, p.Platform, fmt.Sprintf("engine API %s to %s", p.EngineAPI, p.EngineAPIMax), fmt.Sprintf("database format %d", p.DatabaseFormat))
	return fmt.Sprintf("lightd %s (%s)", p.Version, strings.Join(made, ", "))
}

func versionCommand(streams terminal.Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version, and what it was made of",
		Example: "  lightd version\n  lightd version -o json",
		Args:    command.NoArgs,
	}
	form := command.OutputFlag(cmd, command.FormText, command.FormJSON, command.FormYAML)
	cmd.RunE = func(*cobra.Command, []string) error {
		switch *form {
		case command.FormJSON:
			return render.JSON(streams.Out, thisProgram())
		case command.FormYAML:
			return render.YAML(streams.Out, thisProgram())
		}
		_, err := fmt.Fprintln(streams.Out, thisProgram())
		return err
	}
	return cmd
}
