package client_test

import (
	"errors"
	"io"
	"strings"

	"lightd/httpapi/api"
	"lightd/httpapi/client"
)

// files writes, reads, changes and deletes files of a volume.
func (x *exercise) files() {
	x.t.Helper()
	v, err := x.c.CreateVolume(x.ctx)
	x.must(err)
	made, err := x.c.FileOperation(x.ctx, v.VolumeID, api.FileOperation{Op: client.MakeDirectory, Path: "a/b", Parents: true})
	x.must(err)
	wrote, err := x.c.WriteFile(x.ctx, v.VolumeID, "/a/b/motd", strings.NewReader("hello"), client.FileWrite{IfNew: true, Mode: "0600"})
	x.must(err)
	if made.Type != "directory" || wrote.Size != 5 || wrote.Mode != "0600" || wrote.ETag == "" {
		x.t.Errorf("%+v, %+v", made, wrote)
	}
	for _, w := range []client.FileWrite{{IfNew: true}, {IfMatch: `"stale"`, Size: 1}} {
		if _, err := x.c.WriteFile(x.ctx, v.VolumeID, "/a/b/motd", strings.NewReader("x"), w); !errors.Is(err, client.ErrPrecondition) {
			x.t.Errorf("%+v: %v", w, err)
		}
	}
	f, err := x.c.ReadFile(x.ctx, v.VolumeID, "a/b/motd")
	x.must(err)
	text, err := io.ReadAll(f)
	x.must(errors.Join(err, f.Close()))
	if string(text) != "hello" || f.Size != 5 || f.ETag != wrote.ETag {
		x.t.Errorf("read %q, %+v", text, f)
	}
	list, err := x.c.Files(x.ctx, v.VolumeID, "a/b")
	x.must(err)
	if len(list.Files) != 1 || list.Files[0].Name != "motd" || list.File.Type != "directory" {
		x.t.Errorf("listed %+v", list)
	}
	_, err = x.c.FileOperation(x.ctx, v.VolumeID, api.FileOperation{Op: client.RenameFile, From: "a/b", To: "c"})
	x.must(err)
	_, err = x.c.FileOperation(x.ctx, v.VolumeID, api.FileOperation{Op: client.ChangeMode, Path: "c/motd", Mode: "0644"})
	x.must(err)
	if _, err := x.c.ReadFile(x.ctx, v.VolumeID, "a/b/motd"); !errors.Is(err, client.ErrNotFound) {
		x.t.Errorf("what was renamed: %v", err)
	}
	x.fileJobs(v.VolumeID)
	x.fileLinks(v.VolumeID)
	done, err := x.c.DeleteFiles(x.ctx, v.VolumeID, "c", "nothing")
	x.must(err)
	if done.Deleted != 1 || len(done.Missing) != 1 {
		x.t.Errorf("deleted %+v", done)
	}
	x.must(x.c.DeleteVolume(x.ctx, v.VolumeID))
}

// fileJobs copies, packs and unpacks.
func (x *exercise) fileJobs(volume string) {
	x.t.Helper()
	for _, op := range []api.FileOperation{
		{Op: client.CopyFiles, From: "c", To: "copy"}, {Op: client.Compress, Paths: []string{"c"}, To: "c.zip"}, {Op: client.Decompress, From: "c.zip", To: "copy/c"},
	} {
		j, err := x.c.StartFileJob(x.ctx, volume, op)
		x.must(err)
		if j, err = x.c.WaitFileJob(x.ctx, volume, j.ID, nil); err != nil || j.State != "done" || j.Error != nil {
			x.t.Errorf("%+v, %v", j, err)
		}
	}
	list, err := x.c.FileJobs(x.ctx, volume)
	x.must(err)
	if len(list) != 3 {
		x.t.Errorf("%+v", list)
	}
	x.must(x.c.CancelFileJob(x.ctx, volume, list[0].ID))
	f, err := x.c.ReadFile(x.ctx, volume, "copy/c/c/motd")
	x.must(err)
	x.must(f.Close())
}

// fileLinks uploads and downloads without a token.
func (x *exercise) fileLinks(volume string) {
	x.t.Helper()
	up, err := x.c.SignUpload(x.ctx, volume, api.FileLinkRequest{Path: "c/linked", MaxBytes: 10})
	x.must(err)
	down, err := x.c.SignDownload(x.ctx, volume, api.FileLinkRequest{Path: "c/linked", TTL: "1m"})
	x.must(err)
	if _, err := x.c.Upload(x.ctx, up, strings.NewReader("more than that"), 14); !errors.Is(err, client.ErrTooLarge) {
		x.t.Errorf("a file that is too large: %v", err)
	}
	wrote, err := x.c.Upload(x.ctx, up, strings.NewReader("linked"), 0)
	x.must(err)
	f, err := x.c.Download(x.ctx, down)
	x.must(err)
	text, err := io.ReadAll(f)
	x.must(errors.Join(err, f.Close()))
	if string(text) != "linked" || f.ETag != wrote.ETag {
		x.t.Errorf("%q, %+v", text, wrote)
	}
}
