package datadir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"lightd/desired"
	"lightd/desired/trash"
)

// maxLog bounds what is kept of the output of an install script, in bytes.
const maxLog = 16 << 20

// ErrMissing answers when the directory of all containers is not there: a disk that is not
// mounted yet, for instance. It is not made again, as what was in it would seem to be lost.
var ErrMissing = errors.New("container data directory is missing on this host")

// ErrReplaced answers when a link or a file is where the directory of a container was.
var ErrReplaced = errors.New("data directory of the container was replaced")

// Dir is the place of the files of all containers. Its methods may be called
// concurrently for different containers.
type Dir struct{ path, volumes string }

// imageVolumes is the directory beside that of the files of containers.
const imageVolumes = "image_volumes"

// Open makes the directory path where it is missing, and beside it the one of what containers
// keep below the VOLUME paths of their images. Only the engine can access that one.
func Open(path string) (*Dir, error) {
	d := &Dir{path: path, volumes: filepath.Join(filepath.Dir(path), imageVolumes)}
	if err := errors.Join(os.MkdirAll(path, 0o711), os.MkdirAll(d.volumes, 0o700)); err != nil {
		return nil, fmt.Errorf("make container data directory: %w", err)
	}
	return d, nil
}

// ImageVolumes returns the directory of what is below the VOLUME paths of the images of id.
func (d *Dir) ImageVolumes(id string) string { return filepath.Join(d.volumes, id) }

// MakeImageVolume makes a directory in ImageVolumes where it is missing, for root of the container.
// Where the image has something there, Docker takes from it whose it is and who may read it.
func (d *Dir) MakeImageVolume(id, directory string, who Identity) error {
	root, err := os.OpenRoot(d.volumes)
	if err != nil {
		return fmt.Errorf("open directory of image volumes: %w", err)
	}
	defer root.Close()
	name, err := filepath.Rel(d.volumes, directory)
	if err != nil || filepath.Dir(name) != id {
		return fmt.Errorf("make image volume of container %s: %s is not in its place", id, directory)
	}
	for _, dir := range []string{id, name} {
		err := root.Mkdir(dir, 0o755)
		if err == nil && (who.UID != 0 || who.GID != 0) {
			err = root.Lchown(dir, who.UID, who.GID)
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make image volume of container %s: %w", id, err)
		}
	}
	return nil
}

// Path returns where the files of id are.
func (d *Dir) Path(id string) string { return filepath.Join(d.path, id) }

// Make makes the directory of id where it is missing.
func (d *Dir) Make(id string) error {
	root, err := d.open(id, true)
	if err != nil {
		return err
	}
	return root.Close()
}

// EntrypointOK reports whether the entry point of s is in place, unaltered.
func (d *Dir) EntrypointOK(s desired.Spec) bool {
	root, err := d.open(s.InternalID, false)
	if err != nil {
		return false
	}
	defer root.Close()
	info, err := root.Lstat(entrypoint)
	want := Entrypoint(s)
	if err != nil || !info.Mode().IsRegular() || info.Size() != int64(len(want)) || info.Mode().Perm() != 0o755 {
		return false
	}
	have, err := root.ReadFile(entrypoint)
	return err == nil && string(have) == want
}

// WriteEntrypoint puts the entry point of s in place. One that is there is not written
// again: what a crash leaves half written has then always something to come after it.
func (d *Dir) WriteEntrypoint(s desired.Spec) error {
	if d.EntrypointOK(s) {
		return nil
	}
	return d.write(s.InternalID, file{entrypoint, []byte(Entrypoint(s)), 0o755})
}

// WriteInstaller puts the install script of s in place, and takes the output of an
// earlier one away. The scripts can hold secrets: only the container, as root, reads them.
func (d *Dir) WriteInstaller(s desired.Spec, who Identity) error {
	if err := d.remove(s.InternalID, installLog); err != nil {
		return err
	}
	root, err := d.open(s.InternalID, true)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, f := range []file{
		{installer, []byte(installScript(s)), 0o700},
		{installRun, []byte(installEntry(s, who.Owner)), 0o700},
	} {
		err := replace(root, f)
		if err == nil && (who.UID != 0 || who.GID != 0) {
			err = root.Lchown(f.name, who.UID, who.GID)
		}
		if err != nil {
			return fmt.Errorf("write %s of container %s: %w", f.name, s.InternalID, err)
		}
	}
	if _, err := root.Lstat(installBegan); err == nil {
		return nil // an earlier script was cut off, and what it left is still root's
	}
	if err := replace(root, file{installBegan, nil, 0o644}); err != nil {
		return fmt.Errorf("write %s of container %s: %w", installBegan, s.InternalID, err)
	}
	return nil
}

// ClearInstaller takes away what the install script's environment was read from, and when the
// script began, unless its files are still to be handed over. The script itself stays, where the published
// page says it is.
func (d *Dir) ClearInstaller(id string, handedOver bool) error {
	if !handedOver {
		return d.remove(id, installRun)
	}
	return errors.Join(d.remove(id, installRun), d.remove(id, installBegan))
}

// InstallBegan returns when the script began whose files are still to be handed over, by the clock of the file
// system; the error is fs.ErrNotExist when there is none.
func (d *Dir) InstallBegan(id string) (time.Time, error) {
	root, err := d.open(id, false)
	if err != nil {
		return time.Time{}, err
	}
	defer root.Close()
	info, err := root.Lstat(installBegan)
	if err != nil {
		return time.Time{}, err
	}
	return time.Unix(info.Sys().(*syscall.Stat_t).Ctim.Unix()), nil
}

// SaveInstallLog keeps the newest 16 MiB of what the install script printed. How much that
// was is up to the script, so the rest goes through a file and never through memory. Where
// output breaks off, what came before is kept and the error returned.
func (d *Dir) SaveInstallLog(id string, output io.Reader) error {
	root, err := d.open(id, true)
	if err != nil {
		return err
	}
	defer root.Close()
	cut, err := saveTail(root, installLog, output, maxLog)
	if err != nil {
		return fmt.Errorf("write %s of container %s: %w", installLog, id, err)
	}
	if cut != nil {
		return fmt.Errorf("read output of the install script of container %s: %w", id, cut)
	}
	return nil
}

// InstallLog opens what the last install script printed; the error is fs.ErrNotExist
// when there is none.
func (d *Dir) InstallLog(id string) (io.ReadCloser, error) {
	root, err := d.open(id, false)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Open(installLog)
}

// Remove takes away all files of id, and what is in its image volumes. Programs have written there:
// both may be deep and large.
func (d *Dir) Remove(ctx context.Context, id string) error {
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return fmt.Errorf("open container data directory: %w", err)
	}
	defer root.Close()
	volumes, err := os.OpenRoot(d.volumes)
	if err != nil {
		return fmt.Errorf("open directory of image volumes: %w", err)
	}
	defer volumes.Close()
	if err := errors.Join(trash.Remove(ctx, root, id), trash.Remove(ctx, volumes, id)); err != nil {
		return fmt.Errorf("remove data of container %s: %w", id, err)
	}
	return nil
}

type file struct {
	name string
	data []byte
	mode fs.FileMode
}

// open opens the directory of id, never through a link.
func (d *Dir) open(id string, create bool) (*os.Root, error) {
	parent, err := os.OpenRoot(d.path)
	if errors.Is(err, fs.ErrNotExist) && create {
		return nil, fmt.Errorf("%w: %s", ErrMissing, d.path)
	}
	if err != nil {
		return nil, fmt.Errorf("open container data directory: %w", err)
	}
	defer parent.Close()
	if create {
		if err := parent.Mkdir(id, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("make data directory of container %s: %w", id, err)
		}
	}
	if info, err := parent.Lstat(id); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("%w: %s is not a directory", ErrReplaced, d.Path(id))
	}
	if create {
		// Mkdir's mode is cut by the umask.
		if err := parent.Chmod(id, 0o755); err != nil {
			return nil, fmt.Errorf("open data directory of container %s to its user: %w", id, err)
		}
	}
	root, err := parent.OpenRoot(id)
	if err != nil {
		return nil, fmt.Errorf("open data directory of container %s: %w", id, err)
	}
	return root, nil
}

func (d *Dir) write(id string, files ...file) error {
	root, err := d.open(id, true)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, f := range files {
		if err := replace(root, f); err != nil {
			return fmt.Errorf("write %s of container %s: %w", f.name, id, err)
		}
	}
	return nil
}

// replace writes f beside its place and renames it: whoever holds the old one open keeps it.
func replace(root *os.Root, f file) error {
	return replaceFrom(root, f.name, f.mode, bytes.NewReader(f.data))
}

func replaceFrom(root *os.Root, name string, mode fs.FileMode, from io.Reader) error {
	out, fresh, err := temporary(root, name, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, from)
	err = errors.Join(err, out.Chmod(mode), out.Close())
	if err != nil {
		return err
	}
	return root.Rename(fresh, name)
}

// temporary makes the file that is written beside name, in place of what a crash has left.
func temporary(root *os.Root, name string, mode fs.FileMode) (out *os.File, fresh string, err error) {
	fresh = "." + name + ".new"
	if err := trash.RemoveAll(context.Background(), root, fresh); err != nil {
		return nil, "", err
	}
	out, err = root.OpenFile(fresh, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
	return out, fresh, err
}

func (d *Dir) remove(id string, names ...string) error {
	root, err := d.open(id, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	for _, name := range names {
		if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove %s of container %s: %w", name, id, err)
		}
	}
	return nil
}
