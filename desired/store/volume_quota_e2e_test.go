package store

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"lightd/desired/projectquota"
	"lightd/hack/smalldisk"
)

// TestProjectQuotas: the kernel enforces quotas of volumes, on ext4 and on xfs.
func TestProjectQuotas(t *testing.T) { smalldisk.OnProjects(t, testProjectQuotas) }

// write has a user who is not root write a file of so many MiB.
func write(t *testing.T, path, megabytes string) (out string, err error) {
	t.Helper()
	cmd := exec.Command("dd", "if=/dev/zero", "of="+path, "bs=64k", "conv=fsync", "status=none", "count="+megabytes+"M", "iflag=count_bytes")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	text, err := cmd.CombinedOutput()
	return string(text), err
}

func testProjectQuotas(t *testing.T, disk, kind string) {
	refusal := map[string]string{"ext4": "Disk quota exceeded", "xfs": "No space left on device"}[kind]
	s := open(t, t.TempDir(), Options{})
	v, err := s.Volumes(t.Context(), filepath.Join(disk, "volumes"))
	must(t, err)
	defer func() { must(t, v.Close()) }()
	if v.projects == nil || v.projects.Name() != kind {
		t.Fatalf("projects %+v", v.projects)
	}
	const mib = 1 << 20
	set := func(id string, quota int64) {
		t.Helper()
		_, _, err := v.Ensure(t.Context(), VolumeRequest{ID: id, Quota: &quota}, Creator{}, true)
		must(t, errors.Join(err, v.Enforce(t.Context(), id)))
	}
	used := func(id string, least, most int64) {
		t.Helper()
		use, err := v.Use(t.Context(), id)
		if err != nil || !use.Enforced || use.Bytes < least || use.Bytes > most {
			t.Errorf("use %+v, %v, wanted %d to %d", use, err, least, most)
		}
	}

	// A volume that has something already: 4 MiB, deep, with what may lead astray.
	made, err := v.Create(t.Context(), Creator{})
	must(t, err)
	other, err := v.Create(t.Context(), Creator{})
	must(t, err)
	at := func(name string) string { return filepath.Join(made.Path, name) }
	must(t, errors.Join(os.MkdirAll(at("a/b"), 0o777), os.Chmod(at("a"), 0o777), os.Chmod(at("a/b"), 0o777), syscall.Mkfifo(at("fifo"), 0o666),
		os.Symlink("../"+other.ID, at("other")), os.WriteFile(filepath.Join(other.Path, "f"), []byte("x"), 0o666), os.Symlink("../"+other.ID+"/f", at("link"))))
	if out, err := write(t, at("a/b/old"), "4"); err != nil {
		t.Fatal(out)
	}
	set(made.ID, 10*mib)
	used(made.ID, 4*mib, 5*mib)
	if size, err := v.Measure(t.Context(), made.ID); err != nil || size.Bytes < 4*mib || size.Bytes > 5*mib || size.Bytes != size.Used {
		t.Errorf("measured %+v, %v", size, err)
	}
	for _, path := range []string{other.Path, filepath.Join(other.Path, "f")} { // behind links
		f, err := os.Open(path)
		must(t, err)
		if project, err := projectquota.ProjectOf(int(f.Fd())); project != 0 || err != nil {
			t.Errorf("%s is in project %d, %v", path, project, err)
		}
		must(t, f.Close())
	}

	// What is too much is refused, in a new directory and in an old one; what fits is not.
	if out, err := write(t, at("new"), "4"); err != nil {
		t.Error(out)
	}
	if out, err := write(t, at("a/b/more"), "8"); err == nil || !strings.Contains(out, refusal) {
		t.Errorf("8 MiB more: %v %s", err, out)
	}
	used(made.ID, 10*mib-256<<10, 10*mib)
	if out, err := write(t, filepath.Join(other.Path, "free"), "16"); err != nil {
		t.Error(out)
	}
	must(t, os.Rename(at("a/b/old"), at("renamed")))

	// A program takes its files out of the project: the next walk brings them back.
	fd, err := os.Open(at("new"))
	must(t, err)
	_, err = projectquota.Mark(int(fd.Fd()), false, 0)
	must(t, errors.Join(err, fd.Close()))
	used(made.ID, 5*mib, 7*mib)
	must(t, v.Enforce(t.Context(), made.ID))
	used(made.ID, 9*mib, 10*mib)

	// A greater quota, one that is less than what there is, and none.
	set(made.ID, 20*mib)
	if out, err := write(t, at("greater"), "6"); err != nil {
		t.Error(out)
	}
	set(made.ID, 2*mib)
	if out, err := write(t, at("less"), "1"); err == nil {
		t.Errorf("beyond a quota that was lowered: %s", out)
	}
	set(made.ID, 0)
	if out, err := write(t, at("none"), "16"); err != nil {
		t.Error(out)
	}
	if use, err := v.Use(t.Context(), made.ID); err != nil || use.Enforced || use.Bytes < 20*mib {
		t.Errorf("without a quota: %+v, %v", use, err)
	}

	set(made.ID, 64*mib)
	testProjectsOfOthers(t, s, v, made.ID, disk)
	_, project, err := v.recordedProject(made.ID)
	must(t, err)
	must(t, v.Delete(t.Context(), made.ID))
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		used, limit, err := v.projects.Use(project)
		if err == nil && used == 0 && limit == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("after the volume: %d of %d, %v", used, limit, err)
		}
	}
}

// testProjectsOfOthers: a project that somebody else has on the same file system is not taken, as where a data
// directory was copied beside itself; and a quota is enforced again after a restart of the daemon.
func testProjectsOfOthers(t *testing.T, s *Store, v *Volumes, id, disk string) {
	_, project, err := v.recordedProject(id)
	must(t, err)
	copied := filepath.Join(disk, "copy")
	must(t, os.MkdirAll(filepath.Join(copied, id), 0o777))
	second, err := s.Volumes(t.Context(), copied)
	must(t, err)
	must(t, second.Enforce(t.Context(), id))
	_, now, err := second.recordedProject(id)
	if err != nil || now == project || now < projectquota.First || now > projectquota.Last {
		t.Errorf("project %d, was %d: %v", now, project, err)
	}
	must(t, second.projects.Limit(now, 0))
	must(t, second.Close())
	must(t, s.Update(t.Context(), func(tx *Tx) error { // the copy was of this test alone
		record, err := tx.volume(id)
		record.Project = project
		return errors.Join(err, tx.putVolume(id, record))
	}))
	again, err := s.Volumes(t.Context(), v.path)
	must(t, err)
	defer func() { must(t, again.Close()) }()
	must(t, again.Enforce(context.Background(), id))
	if is := again.projectOf(id); is != project {
		t.Errorf("after a restart: project %d, was %d", is, project)
	}
}
