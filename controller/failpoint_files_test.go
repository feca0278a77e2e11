package controller_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"lightd/controller"
	"lightd/controller/datadir"
	"lightd/desired"
)

// crashingFiles are the files of a daemon that can die before, in and after each change.
type crashingFiles struct {
	*datadir.Dir
	failpoints *failpoints
}

func (p *failpoints) files(d *datadir.Dir) controller.Data { return crashingFiles{d, p} }

var errDead = errors.New("the daemon is dead")

// crashBetween makes a change whose middle leaves the names behind: each half written, under the
// name that it has until it is whole.
func (f crashingFiles) crashBetween(id, what string, change func() error, names ...string) error {
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

func (f crashingFiles) Make(id string) error {
	return f.crashBetween(id, "make the directory", func() error { return f.Dir.Make(id) })
}

func (f crashingFiles) WriteEntrypoint(s desired.Spec) error {
	var written []string
	if !f.EntrypointOK(s) {
		written = []string{"entrypoint.sh"}
	}
	return f.crashBetween(s.InternalID, "write entrypoint.sh", func() error { return f.Dir.WriteEntrypoint(s) }, written...)
}

func (f crashingFiles) WriteInstaller(s desired.Spec, who datadir.Identity) error {
	return f.crashBetween(s.InternalID, "write install.sh", func() error { return f.Dir.WriteInstaller(s, who) }, "install.sh", "install-entry.sh")
}

func (f crashingFiles) ClearInstaller(id string, handedOver bool) error {
	return f.crashBetween(id, "clear install-entry.sh", func() error { return f.Dir.ClearInstaller(id, handedOver) })
}

func (f crashingFiles) SaveInstallLog(id string, output io.Reader) error {
	return f.crashBetween(id, "save install.log", func() error { return f.Dir.SaveInstallLog(id, output) }, "install.log")
}

func (f crashingFiles) Remove(ctx context.Context, id string) error {
	return f.crashBetween(id, "remove the files", func() error { return f.Dir.Remove(ctx, id) })
}
