package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lightd/hack/eventually"
	"lightd/hack/smalldisk"
)

func TestMain(m *testing.M) { eventually.Main(m) }

func TestClean(t *testing.T) {
	for text, want := range map[string]Path{
		"": Top, "/": Top, ".": Top, "//": Top, "a": "a", "/a/b/": "a/b", "./a//b": "a/b", "/etc/passwd": "etc/passwd", "a b\n": "a b\n", "..a": "..a", "...": "...",
		strings.Repeat("n", 255): Path(strings.Repeat("n", 255)), "a/.lightd": "a/.lightd", ".lightdx": ".lightdx",
	} {
		if got, err := Clean(text); err != nil || got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"..": "..", "a/../b": "..", "/..": "..", "a/..": "..", "a\x00b": "NUL", "\xff": "UTF-8", strings.Repeat("n", 256): "255", strings.Repeat("a/", 2100): "4095",
		".lightd": ".lightd", "/.lightd/x": ".lightd", "./.lightd": ".lightd",
	} {
		if got, err := Clean(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, seed := range []string{"", "a/b", "../x", "/etc", "a//./b/", "\xff", ".lightd"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Clean(text)
		if err != nil {
			return
		}
		again, err := Clean(string(p))
		if err != nil || again != p || !filepath.IsLocal(string(p)) || p.Within(Hidden) || filepath.Clean(string(p)) != string(p) {
			t.Errorf("%q became %q, and that %q, %v", text, p, again, err)
		}
	})
}

// TestHostileEntries: whatever stands at a path, nothing outside is read or written, and nothing waits.
func TestHostileEntries(t *testing.T) {
	d := newDisk(t)
	d.plant()
	tree := d.tree()
	for p, want := range map[Path]error{
		"absolute": ErrNotFile, "relative": ErrNotFile, "directory/shadow": ErrNotFile, "loop": ErrNotFile, "fifo": ErrNotFile, "device": ErrNotFile,
		"slash/etc/passwd": ErrNotFile, "sub": ErrIsDirectory, "nothing": ErrNotFound, "inside.txt/x": ErrNotDirectory, "sub/up/inside.txt": nil, "link": nil,
	} {
		f, e, err := tree.Open(p)
		if f != nil {
			_ = f.Close()
		}
		if !errors.Is(err, want) || want == nil && (err != nil || e.Size != 6) {
			t.Errorf("open %s: %+v, %v", p, e, err)
		}
	}
	for p, want := range map[Path]error{
		"absolute": ErrNotFile, "relative": ErrNotFile, "directory/new": ErrNotFile, "loop": ErrNotFile, "fifo": ErrNotFile, "device": ErrNotFile,
		"slash/etc/new": ErrNotFile, "sub": ErrIsDirectory, Top: ErrIsDirectory, "nothing/new": ErrNotFound, "inside.txt/x": ErrNotDirectory, "link": ErrNotFile, "sub/up/new": nil,
	} {
		if _, err := d.write(tree, p, "text"); !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("write %s: %v", p, err)
		}
	}
	if d.read("inside.txt") != "inside" || d.read("new") != "text" {
		t.Error("a link was written through")
	}
	for p, want := range map[Path]error{"absolute": ErrNotFile, "fifo": ErrNotFile, "directory/shadow": ErrNotFile, "sub": nil, "inside.txt": nil} {
		if err := tree.Chmod(p, 0o777); !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("chmod %s: %v", p, err)
		}
	}
	if _, err := tree.MakeDirectory("directory/new", false); !errors.Is(err, ErrNotFile) {
		t.Errorf("mkdir: %v", err)
	}
	for _, pair := range [][2]Path{{"inside.txt", "directory/stolen"}, {"directory/shadow", "shadow"}} {
		if err := tree.Rename(pair[0], pair[1], true); !errors.Is(err, ErrNotFile) {
			t.Errorf("rename %v: %v", pair, err)
		}
	}
	d.untouched()
	for _, p := range []Path{"absolute", "directory", "fifo", "device", "loop", "slash", "sub"} {
		if err := tree.Delete(t.Context(), p); err != nil && !(p == "device" && errors.Is(err, ErrNotFound)) {
			t.Errorf("delete %s: %v", p, err)
		}
	}
	d.untouched()
	d.only("inside.txt", "link", "new", "relative")
}

// TestList: pages hold each entry once, sorted, with what it is; links are not followed.
func TestList(t *testing.T) {
	d := newDisk(t)
	d.plant()
	d.must(errors.Join(os.Mkdir(d.path(Hidden), 0o700), os.WriteFile(d.path("bad\xff"), nil, 0o600), os.WriteFile(d.path("new\nline"), []byte("\x89PNG\r\n\x1a\n"), 0o600)))
	tree := d.tree()
	var names []string
	kinds := map[string]Type{}
	for after, more := "", true; more; {
		var page []Entry
		var err error
		page, more, err = tree.List(t.Context(), Top, after, 3)
		d.must(err)
		for _, e := range page {
			names, after = append(names, e.Name), e.Name
			kinds[e.Name] = e.Type
			if e.Name == "absolute" && e.Target != filepath.Join(d.outside, "shadow") || e.Name == "new\nline" && e.MIME != "image/png" || e.Name == "inside.txt" && (e.Mode != 0o640 || e.MIME != "text/plain; charset=utf-8" || e.ETag == "") {
				t.Errorf("%+v", e)
			}
		}
	}
	if !slices.IsSorted(names) || len(slices.Compact(names)) != len(kinds) || slices.Contains(names, Hidden) || kinds["bad\xff"] != File {
		t.Errorf("%q", names)
	}
	for name, want := range map[string]Type{"fifo": Special, "link": Symlink, "sub": Directory, "inside.txt": File} {
		if kinds[name] != want {
			t.Errorf("%s is %s", name, kinds[name])
		}
	}
	for p, want := range map[Path]error{"inside.txt": ErrNotDirectory, "fifo": ErrNotDirectory, "directory": ErrNotFile, "nothing": ErrNotFound} {
		if _, _, err := tree.List(t.Context(), p, "", 10); !errors.Is(err, want) {
			t.Errorf("list %s: %v", p, err)
		}
	}
}

// TestFirstNames agrees with a sort of all names, in whatever order they come.
func TestFirstNames(t *testing.T) {
	dir := t.TempDir()
	var all []string
	for i := range 3000 {
		name := fmt.Sprintf("%04d", i*7919%10000)
		all = append(all, name)
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(all)
	for _, limit := range []int{1, 2, 100, 2999, 3000, 5000} {
		f, err := os.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		got, err := firstNames(t.Context(), f, func(name string) bool { return name > all[500] }, limit)
		_ = f.Close()
		if want := all[501:][:min(limit, len(all)-501)]; err != nil || !slices.Equal(got, want) {
			t.Errorf("%d: %d names, %v", limit, len(got), err)
		}
	}
}

// TestWriteIsWholeOrNotAtAll, and keeps owner and mode of what it replaces.
func TestWriteIsWholeOrNotAtAll(t *testing.T) {
	d := newDisk(t)
	tree := d.tree()
	e, err := d.write(tree, "motd", "one")
	d.must(err)
	if e.Mode != 0o644 || e.Size != 3 || d.read("motd") != "one" {
		t.Errorf("%+v", e)
	}
	d.must(os.Chmod(d.path("motd"), 0o4710))
	if os.Geteuid() == 0 {
		d.must(os.Chown(d.path("motd"), 1234, 2345))
		d.must(os.Chmod(d.path("motd"), 0o4710)) // the kernel drops set-uid with the owner
	}
	for name, from := range map[string]struct {
		body io.Reader
		size int64
	}{"a client that goes": {failing("two"), -1}, "too little": {strings.NewReader("two"), 4}} {
		if _, _, err := tree.Write(t.Context(), "motd", from.body, Write{Size: from.size}); err == nil || d.read("motd") != "one" {
			t.Errorf("%s: %v, and the file has %q", name, err, d.read("motd"))
		}
	}
	e, err = d.write(tree, "motd", "three")
	d.must(err)
	info, err := os.Stat(d.path("motd"))
	d.must(err)
	if st := info.Sys().(*syscall.Stat_t); info.Mode() != 0o710 || os.Geteuid() == 0 && (st.Uid != 1234 || st.Gid != 2345) || e.Mode != 0o710 {
		t.Errorf("%v, %+v", info.Mode(), e)
	}
	d.only("motd")
}

// TestOwners: what is new belongs to the user of the containers, and else to the owner of its directory.
func TestOwners(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("skipped: only root can give files away")
	}
	for name, c := range map[string]struct{ owner, want Owner }{
		"known": {Owner{1000, 1001}, Owner{1000, 1001}}, "a user without a group": {Owner{1000, -1}, Owner{1000, 77}}, "not known": {Unknown, Owner{66, 77}},
	} {
		d := newDisk(t)
		d.must(os.Chown(d.volume, 66, 77))
		d.trees.Owner = func(context.Context, string) Owner { return c.owner }
		tree := d.tree()
		_, err := tree.MakeDirectory("a/b", true)
		d.must(err)
		_, err = d.write(tree, "a/b/c", "x")
		d.must(err)
		for _, p := range []string{"a", "a/b", "a/b/c"} {
			info, err := os.Stat(d.path(p))
			d.must(err)
			if st := info.Sys().(*syscall.Stat_t); int(st.Uid) != c.want.UID || int(st.Gid) != c.want.GID {
				t.Errorf("%s: %s belongs to %d:%d", name, p, st.Uid, st.Gid)
			}
		}
	}
}

// TestConditions: a stale one is found before the body is read, and again when it has come.
func TestConditions(t *testing.T) {
	d := newDisk(t)
	tree := d.tree()
	e, err := d.write(tree, "motd", "one")
	d.must(err)
	same := func(present *Entry) bool { return present != nil && present.ETag == e.ETag }
	if _, _, err := tree.Write(t.Context(), "motd", errorReader{errors.New("read")}, Write{Size: -1, Allows: func(p *Entry) bool { return p == nil }}); !errors.Is(err, ErrStale) {
		t.Errorf("for a new one only: %v", err)
	}
	changed := io.MultiReader(strings.NewReader("two"), callReader(func() { d.must(os.WriteFile(d.path("motd"), []byte("ONE"), 0o644)) }))
	if _, _, err := tree.Write(t.Context(), "motd", changed, Write{Size: -1, Allows: same}); !errors.Is(err, ErrStale) || d.read("motd") != "ONE" {
		t.Errorf("changed while the body came: %v", err)
	}
	e, err = tree.Stat("motd")
	d.must(err)
	if _, created, err := tree.Write(t.Context(), "motd", strings.NewReader("three"), Write{Size: 5, Allows: same}); err != nil || created || d.read("motd") != "three" {
		t.Errorf("%v", err)
	}
}

// callReader calls itself when it is read, and is empty.
type callReader func()

func (r callReader) Read([]byte) (int, error) {
	r()
	return 0, io.EOF
}

// TestRename and its refusals.
func TestRename(t *testing.T) {
	d := newDisk(t)
	tree := d.tree()
	d.must(errors.Join(os.MkdirAll(d.path("a/b"), 0o755), os.WriteFile(d.path("one"), []byte("1"), 0o600), os.WriteFile(d.path("two"), []byte("2"), 0o600)))
	for _, c := range []struct {
		from, to Path
		replace  bool
		want     error
	}{
		{"a", "a/b/c", false, ErrInside}, {"a", Top, false, ErrTop}, {Top, "x", false, ErrTop}, {"one", "two", false, ErrExists}, {"one", "a", true, ErrExists},
		{"nothing", "x", false, ErrNotFound}, {"one", "nothing/x", false, ErrNotFound}, {"one", "two", true, nil}, {"a/b", "b", false, nil},
	} {
		if err := tree.Rename(c.from, c.to, c.replace); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if d.read("two") != "1" {
		t.Error("it was not replaced")
	}
	d.only("a", "b", "two")
}

// TestHardLinksStayApart: a write replaces one name, and leaves the file under its other one alone.
func TestHardLinksStayApart(t *testing.T) {
	d := newDisk(t)
	tree := d.tree()
	d.must(errors.Join(os.WriteFile(d.path("one"), []byte("old"), 0o600), os.Link(d.path("one"), d.path("two"))))
	_, err := d.write(tree, "one", "new")
	d.must(err)
	if d.read("one") != "new" || d.read("two") != "old" {
		t.Errorf("%q, %q", d.read("one"), d.read("two"))
	}
}

// TestFullDisk ends a write, and leaves nothing of it.
func TestFullDisk(t *testing.T) {
	dir := smalldisk.Tmpfs(t, 16)
	d := newDiskIn(t, dir)
	tree := d.tree()
	_, err := d.write(tree, "motd", "old")
	d.must(err)
	var full *NoRoomError
	for name, w := range map[string]Write{"of a known size": {Size: 1 << 40}, "of an unknown size": {Size: -1}} {
		for _, reserve := range []uint64{0, 8 << 20} {
			d.trees.Reserve = reserve
			if _, _, err := tree.Write(t.Context(), "motd", endless{}, w); !errors.As(err, &full) || full.Quota {
				t.Errorf("a file %s beside a reserve of %d: %v", name, reserve, err)
			}
			if free := smalldisk.Free(t, dir); free < 15<<20 || d.read("motd") != "old" {
				t.Errorf("%d bytes are free", free)
			}
		}
	}
	d.trees.Reserve, d.trees.Room = 0, quota(4<<20)
	if _, _, err := tree.Write(t.Context(), "motd", bytes.NewReader(make([]byte, 5<<20)), Write{Size: 5 << 20}); !errors.As(err, &full) || !full.Quota {
		t.Errorf("beyond the quota: %v", err)
	}
	d.only("motd")
}

// quota is the room of each volume.
type quota int64

func (q quota) Left(string, int64) (int64, bool) { return int64(q), true }
func (q quota) Wrote(string, int64)              {}

// TestClear removes what a killed daemon has left, and a file in the place of its directory is no obstacle.
func TestClear(t *testing.T) {
	d := newDisk(t)
	tree := d.tree()
	d.must(errors.Join(os.Mkdir(d.path(Hidden), 0o700), os.WriteFile(d.path(Hidden+"/left"), nil, 0o600)))
	d.must(errors.Join(d.trees.Clear(t.Context(), volumeID), d.trees.Clear(t.Context(), volumeID)))
	d.only()
	d.must(os.Symlink(d.outside, d.path(Hidden)))
	_, err := d.write(tree, "motd", "x")
	d.must(err)
	d.only("motd")
	d.untouched()
}

// TestLeases: a program that holds a lease on a file keeps nobody waiting.
func TestLeases(t *testing.T) {
	d := newDisk(t)
	tree := d.tree()
	d.must(os.WriteFile(d.path("leased"), []byte("x"), 0o600))
	f, err := os.OpenFile(d.path("leased"), os.O_RDWR, 0)
	d.must(err)
	defer f.Close()
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		t.Skip("skipped: no leases here:", err)
	}
	began := time.Now()
	got, _, err := tree.Open("leased")
	if got != nil {
		_ = got.Close()
	}
	if !errors.Is(err, ErrBusy) || time.Since(began) > 10*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}
