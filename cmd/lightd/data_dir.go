package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"lightd/cmd/lightd/backup"
)

// Programs in containers can write to volumes, and what is set-uid in one must be of no use to
// an account of the host: the directory above is for the daemon alone, or, where the engine maps
// users, for that group of the host which is root of containers.
const (
	privateDir = 0o700
	mappedDir  = 0o710
)

// database is the directory of the database.
func (c *config) database() string { return filepath.Join(c.DataDir, backup.DatabaseDir) }

// makeDataDir makes the data directory where it is missing, and closes one that is open to others. One
// that was opened to the root of containers stays so.
func makeDataDir(cfg config) error {
	if err := backup.CheckFinished(cfg.DataDir); err != nil {
		return err
	}
	err := os.MkdirAll(cfg.DataDir, privateDir)
	if errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("make data directory: %w; a service in a sandbox needs a drop-in for it: \"lightd docs install\"", err)
	}
	if err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	info, err := os.Stat(cfg.DataDir)
	if err != nil {
		return fmt.Errorf("open data directory: %w", err)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && owner.Gid != 0 && info.Mode().Perm() == mappedDir {
		return nil
	}
	if info.Mode().Perm() == privateDir {
		return nil
	}
	if err := os.Chmod(cfg.DataDir, privateDir); err != nil {
		return fmt.Errorf("close data directory to others: %w", err)
	}
	return nil
}

// mappedRetry is how often an engine that does not answer is asked whether it maps users.
const mappedRetry = 5 * time.Second

// openToMappedRoot calls openToMappedRootOnce until the engine answers.
func (d *daemon) openToMappedRoot(ctx context.Context) error {
	for !d.openToMappedRootOnce(ctx) {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(mappedRetry):
		}
	}
	return nil
}

// openToMappedRootOnce opens the data directory to the root of containers where the engine maps users,
// and closes it to that group where it does not any more. It reports whether the engine answered.
func (d *daemon) openToMappedRootOnce(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, engineMoment)
	defer cancel()
	_, gid, err := d.engine.RootIDs(ctx)
	if err != nil {
		return false
	}
	if err := setDataDirGroup(d.config.Load().DataDir, gid); err != nil {
		d.log.Warn("data directory not opened to the root of containers", "error", err)
	}
	return true
}

// setDataDirGroup lets a group pass through the data directory; 0 is none.
func setDataDirGroup(dir string, gid int) error {
	if gid == 0 {
		return os.Chmod(dir, privateDir)
	}
	if err := os.Chown(dir, -1, gid); err != nil {
		return err
	}
	return os.Chmod(dir, mappedDir)
}
