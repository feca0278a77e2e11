package controller_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"lightd/controller"
	"lightd/controller/datadir"
	"lightd/desired"
)

// dyingFiles are the files of a daemon that can die before, in and after each change.
type dyingFiles struct {
	*datadir.Dir
	failpoints *failpoints
}

func (p *failpoints) files(d *datadir.Dir) controller.Data { return dyingFiles{d, p} }

var errDead = errors.New("the daemon is dead")

// dies makes a change whose middle leaves the names behind: each half written, under the
// name that it has until it is whole.
func (f dyingFiles) dies(id, what string, change func() error, names ...string) error {
	if f.failpoints.point("before it would " + what) {
		return errDead
	}
	if len(names) > 0 && f.failpoints.point("while it would "+what) {
		for _, name := range names {
			_ = os.Mkdir(f.Path(id), 0o755)
			_ = os.WriteFile(filepath.Join(f.Path(id), "."+name+".new"), []byte("#!/bi"), 0o200)
		}
		return errDead
	}
	if err := change(); err != nil {
		return err
	}
	if f.failpoints.point("after it would " + what) {
		return errDead
	}
	return nil
}

func (f dyingFiles) Make(id string) error {
	return f.dies(id, "make the directory", func() error { return f.Dir.Make(id) })
}

func (f dyingFiles) WriteEntrypoint(s desired.Spec) error {
	var written []string
	if !f.EntrypointOK(s) {
		written = []string{"entrypoint.sh"}
	}
	return f.dies(s.InternalID, "write entrypoint.sh", func() error { return f.Dir.WriteEntrypoint(s) }, written...)
}

func (f dyingFiles) WriteInstaller(s desired.Spec, who datadir.Identity) error {
	return f.dies(s.InternalID, "write install.sh", func() error { return f.Dir.WriteInstaller(s, who) }, "install.sh", "install-entry.sh")
}

func (f dyingFiles) ClearInstaller(id string) error {
	return f.dies(id, "clear install-entry.sh", func() error { return f.Dir.ClearInstaller(id) })
}

func (f dyingFiles) SaveInstallLog(id string, output io.Reader) error {
	return f.dies(id, "save install.log", func() error { return f.Dir.SaveInstallLog(id, output) }, "install.log")
}

func (f dyingFiles) Remove(id string) error {
	return f.dies(id, "remove the files", func() error { return f.Dir.Remove(id) })
}
