package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"lightd/desired/atomicfile"
)

// settingsFile has a sum of each setting that is in force, by its key: "lightd check" compares them with the
// file. Nobody but the daemon's account can enter the data directory.
func (c *config) settingsFile() string { return filepath.Join(c.DataDir, "settings.json") }

// recordSettings writes the sums of the settings that are in force.
func (d *daemon) recordSettings() {
	cfg := d.config.Load()
	data, err := json.Marshal(cfg.sums())
	if err == nil {
		err = atomicfile.Write(cfg.settingsFile(), data)
	}
	if err != nil {
		d.log.Warn("settings in force not recorded for lightd check", "error", err)
	}
}

// sums returns a sum of each setting by its key, and no value: some are secrets.
func (c *config) sums() map[string]string {
	sums := map[string]string{}
	for _, l := range c.leaves() {
		sum := sha256.Sum256(fmt.Appendf(nil, "%#v", l.value))
		sums[l.key] = hex.EncodeToString(sum[:])
	}
	return sums
}

// compareRunning returns the settings that the running daemon has otherwise: those that need a restart, and
// those that need a reload.
func (c *config) compareRunning() (restart, reload []string, err error) {
	data, err := os.ReadFile(c.settingsFile())
	if err != nil {
		return nil, nil, fmt.Errorf("read the settings of the running daemon: %w", err)
	}
	var theirs map[string]string
	if err := json.Unmarshal(data, &theirs); err != nil {
		return nil, nil, fmt.Errorf("read the settings of the running daemon: %w", err)
	}
	ours := c.sums()
	for _, l := range c.leaves() {
		switch sum, known := theirs[l.key]; {
		case known && sum == ours[l.key]:
		case slices.Contains(reloadable, l.key):
			reload = append(reload, l.key)
		default:
			restart = append(restart, l.key)
		}
	}
	return restart, reload, nil
}
