package archive

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lightd/hack/smalldisk"
	"lightd/observed/files"
)

// TestThereAndBack: what is packed in each format is what is unpacked.
func TestThereAndBack(t *testing.T) {
	for _, format := range Formats {
		d := newDisk(t, t.TempDir())
		long := strings.Repeat("n", 250)
		d.must(errors.Join(os.MkdirAll(d.path("world/empty"), 0o750), os.WriteFile(d.path("world/run.sh"), []byte("#!/bin/sh"), 0o755),
			os.WriteFile(d.path("world/"+long), nil, 0o600), os.WriteFile(d.path("world/new\nline ü"), []byte("x"), 0o644), os.Symlink("run.sh", d.path("world/link")),
			os.Symlink("/etc/passwd", d.path("world/away")), unix.Mkfifo(d.path("world/fifo"), 0o600), os.WriteFile(d.path("world/big"), bytes.Repeat([]byte("0123456789"), 100_000), 0o644)))
		old := time.Date(2020, 1, 2, 3, 4, 6, 0, time.UTC)
		d.must(os.Chtimes(d.path("world/run.sh"), old, old))
		var packed bytes.Buffer
		var skipped []string
		d.must(Pack(t.Context(), d.tree, []files.Path{"world"}, &packed, format, nil, func(name string) { skipped = append(skipped, name) }))
		if !slices.Equal(skipped, []string{"world/fifo"}) {
			t.Errorf("%s: packing passed over %q", format, skipped)
		}
		skipped, err := d.unpack(packed.Bytes(), "copy")
		d.must(err)
		if !slices.Equal(skipped, []string{"world/away"}) {
			t.Errorf("%s: unpacking passed over %q", format, skipped)
		}
		want := slices.DeleteFunc(d.listed("world"), func(line string) bool { return strings.HasPrefix(line, "away") || strings.HasPrefix(line, "fifo") })
		if got := d.listed("copy/world"); !slices.Equal(got, want) {
			t.Errorf("%s:\n%q\nwant\n%q", format, got, want)
		}
		info, err := os.Stat(d.path("copy/world/run.sh"))
		d.must(err)
		if info.Mode() != 0o755 || !info.ModTime().Equal(old) {
			t.Errorf("%s: %v %v", format, info.Mode(), info.ModTime())
		}
		d.untouched()
	}
}

// TestUnsafeArchives are refused as a whole, or what is unsafe of them is passed over.
func TestUnsafeArchives(t *testing.T) {
	link := func(name, target string) tar.Header {
		return tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: target}
	}
	hard := func(name, target string) tar.Header {
		return tar.Header{Name: name, Typeflag: tar.TypeLink, Linkname: target}
	}
	dir := func(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o755} }
	for name, c := range map[string]struct {
		archive []byte
		want    error
		skipped string
		made    string
	}{
		"a parent":              {tarOf(t, tar.Header{Name: "ok"}, tar.Header{Name: "../outside"}), ErrUnsafe, "", ""},
		"a parent inside":       {tarOf(t, tar.Header{Name: "a/../../outside"}), ErrUnsafe, "", ""},
		"an absolute path":      {tarOf(t, tar.Header{Name: "/etc/passwd"}), ErrUnsafe, "", ""},
		"a ZIP with a parent":   {zipOf(t, "ok", "../outside"), ErrUnsafe, "", ""},
		"a ZIP with a root":     {zipOf(t, "/etc/passwd"), ErrUnsafe, "", ""},
		"the daemon's own":      {tarOf(t, tar.Header{Name: ".lightd/x"}), ErrUnsafe, "", ""},
		"an absolute link":      {tarOf(t, link("l", "/etc"), tar.Header{Name: "x"}), nil, "l", "x = x"},
		"a link out":            {tarOf(t, link("a/l", "../../x")), nil, "a/l", "a/"},
		"a link out, in steps":  {tarOf(t, link("l", "a/../../x")), nil, "l", ""},
		"a link inside":         {tarOf(t, dir("b"), link("a/l", "../b")), nil, "", "a/ a/l -> ../b b/"},
		"through a link inside": {tarOf(t, dir("b"), link("l", "b"), tar.Header{Name: "l/x"}), ErrDamaged, "", ""},
		"through a link out":    {tarOf(t, link("l", "../.."), tar.Header{Name: "l/outside"}), nil, "l", "l/ l/outside = l/outside"},
		"a link to itself":      {tarOf(t, link("l", "l"), tar.Header{Name: "l/x"}), ErrDamaged, "", ""},
		"a hard link":           {tarOf(t, tar.Header{Name: "x"}, hard("y", "x")), nil, "", "x = x y = x"},
		"a hard link out":       {tarOf(t, hard("y", "../../outside")), ErrUnsafe, "", ""},
		"a hard link to a root": {tarOf(t, hard("y", "/etc/shadow")), ErrUnsafe, "", ""},
		"a hard link to none":   {tarOf(t, hard("y", "x")), ErrDamaged, "", ""},
		"a hard link to a link": {tarOf(t, link("x", "z"), hard("y", "x")), ErrDamaged, "", ""},
		"a device and a pipe":   {tarOf(t, tar.Header{Name: "d", Typeflag: tar.TypeChar}, tar.Header{Name: "p", Typeflag: tar.TypeFifo}), nil, "d p", ""},
		"a file as a directory": {tarOf(t, tar.Header{Name: "x"}, tar.Header{Name: "x/y"}), ErrDamaged, "", ""},
		"a directory as a file": {tarOf(t, dir("x"), tar.Header{Name: "x"}), ErrDamaged, "", ""},
		"a name twice":          {tarOf(t, link("x", "y"), tar.Header{Name: "x"}), nil, "", "x = x"},
		"too deep":              {tarOf(t, tar.Header{Name: strings.Repeat("a/", 300) + "x"}), ErrUnsafe, "", ""},
		"set-uid":               {tarOf(t, tar.Header{Name: "x", Mode: 0o4755}), nil, "", "x = x"},
		"no archive":            {[]byte("hello"), ErrFormat, "", ""},
		"nothing":               {nil, ErrFormat, "", ""},
		"cut short":             {gzipped(t, tarOf(t, tar.Header{Name: "x"}))[:30], ErrDamaged, "", ""},
		"a ZIP cut short":       {zipOf(t, "x")[:20], ErrDamaged, "", ""},
		"bad zstd":              {append(zstandard(t, tarOf(t, tar.Header{Name: "x"}))[:12], 1, 2, 3, 4, 5, 6, 7), ErrDamaged, "", ""},
		"zstd":                  {zstandard(t, tarOf(t, tar.Header{Name: "x"})), nil, "", "x = x"},
	} {
		d := newDisk(t, t.TempDir())
		skipped, err := d.unpack(c.archive, "to")
		if !errors.Is(err, c.want) || c.want == nil && err != nil || strings.Join(skipped, " ") != c.skipped {
			t.Errorf("%s: %v, passed over %q", name, err, skipped)
		}
		if c.want == nil {
			if got := strings.Join(d.listed("to"), " "); got != c.made {
				t.Errorf("%s: made %q, want %q", name, got, c.made)
			}
			if info, err := os.Lstat(d.path("to/x")); err == nil && info.Mode()&os.ModeSetuid != 0 {
				t.Errorf("%s: %v", name, info.Mode())
			}
		} else if left := d.listed(""); len(left) > 0 {
			t.Errorf("%s: left %q", name, left)
		}
		d.untouched()
	}
}

// TestMerge: an archive that is unpacked where something is replaces files, and moves nothing where a file and
// a directory have one name.
func TestMerge(t *testing.T) {
	d := newDisk(t, t.TempDir())
	d.must(errors.Join(os.MkdirAll(d.path("world/a"), 0o755), os.WriteFile(d.path("world/a/x"), []byte("old"), 0o600), os.WriteFile(d.path("world/kept"), []byte("kept"), 0o600),
		os.Symlink(d.outside, d.path("world/link"))))
	_, err := d.unpack(zipOf(t, "a/x", "a/new", "b/c", "link"), "world")
	d.must(err)
	if got := strings.Join(d.listed("world"), " "); got != "a/ a/new = a/new a/x = a/x b/ b/c = b/c kept = kept link = link" {
		t.Errorf("got %q", got)
	}
	if _, err := d.unpack(zipOf(t, "a/x/y", "b/new"), "world"); !errors.Is(err, files.ErrExists) {
		t.Errorf("a directory in the place of a file: %v", err)
	}
	if _, err := os.Stat(d.path("world/b/new")); err == nil {
		t.Error("a part was moved")
	}
	d.untouched()
}

// TestBombs are refused within the room that there is, and leave nothing.
func TestBombs(t *testing.T) {
	base := smalldisk.Tmpfs(t, 8)
	d := newDisk(t, base)
	zeros := bytes.Repeat([]byte{0}, 12<<20)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	d.must(w.WriteHeader(&tar.Header{Name: "bomb", Size: int64(len(zeros)), Mode: 0o644, Typeflag: tar.TypeReg}))
	_, err := w.Write(zeros)
	d.must(errors.Join(err, w.Close()))
	packed := gzipped(t, b.Bytes())
	var full *files.NoRoomError
	if _, err := d.unpack(packed, "to"); !errors.As(err, &full) {
		t.Errorf("a tar of zeros: %v", err)
	}
	// A ZIP that says that its file is small: what it has beyond that is damage.
	lying := zipOf(t, strings.Repeat("x", 200))
	at := bytes.Index(lying, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(lying[at+24:], 10)
	if _, err := d.unpack(lying, "to"); !errors.Is(err, ErrDamaged) {
		t.Errorf("a ZIP that lies: %v", err)
	}
	if left := d.listed(""); len(left) > 0 {
		t.Errorf("left %q", left)
	}
	d.untouched()
	// What is removed in the background is gone soon, and never more than there was room for.
	for deadline := time.Now().Add(time.Minute); smalldisk.Free(t, base) < 7<<20; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are free", smalldisk.Free(t, base))
		}
	}
}

// TestLargeDirectories: a ZIP cannot have more memory taken for its directory than is allowed, whatever it says.
func TestLargeDirectories(t *testing.T) {
	// A large ZIP that claims 300 million entries.
	end := make([]byte, largeEndSize)
	copy(end, "PK\x06\x06")
	binary.LittleEndian.PutUint64(end[4:], 44)
	binary.LittleEndian.PutUint64(end[24:], 300_000_000)
	binary.LittleEndian.PutUint64(end[32:], 300_000_000)
	locator := make([]byte, locatorSize)
	copy(locator, locatorSignature)
	binary.LittleEndian.PutUint32(locator[16:], 1)
	last := make([]byte, endSize)
	copy(last, "PK\x05\x06")
	for _, at := range []int{8, 10, 12, 16} {
		binary.LittleEndian.PutUint16(last[at:], 0xffff)
	}
	path := filepath.Join(t.TempDir(), "zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const padding = 12 << 30 // a sparse file
	if _, err := f.WriteAt([]byte("PK\x03\x04"), 0); err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint64(locator[8:], padding)
	if _, err := f.WriteAt(slices.Concat(end, locator, last), padding); err != nil {
		t.Fatal(err)
	}
	u := unpacker{ctx: t.Context()}
	if err := u.zip(f, padding+largeEndSize+locatorSize+endSize); !errors.Is(err, ErrTooLarge) {
		t.Errorf("300 million entries: %v", err)
	}
	// One whose directory is large indeed.
	var names []string
	for i := range 200 {
		names = append(names, fmt.Sprint(i, strings.Repeat("n", 60_000)))
	}
	large := bytes.NewReader(zipOf(t, names...))
	if _, err := io.Copy(f, large); err != nil {
		t.Fatal(err)
	}
	source := &bounded{large, 1 << 20}
	if _, err := source.ReadAt(make([]byte, 1<<20), 0); err != nil {
		t.Error(err)
	}
	if _, err := source.ReadAt(make([]byte, 1), 0); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v", err)
	}
}

// TestPackingRaces: while a program exchanges what is packed for links, pipes and other sizes, the archive has nothing
// from outside and can be read to its end.
func TestPackingRaces(t *testing.T) {
	d := newDisk(t, t.TempDir())
	d.must(os.MkdirAll(d.path("world/dir"), 0o755))
	for i := range 20 {
		d.must(os.WriteFile(d.path(fmt.Sprintf("world/dir/%02d", i)), bytes.Repeat([]byte("i"), 10_000), 0o644))
	}
	held, err := os.OpenRoot(d.volume)
	d.must(err)
	defer held.Close()
	stop := make(chan struct{})
	var attacker sync.WaitGroup
	attacker.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			name := fmt.Sprintf("world/dir/%02d", i%20)
			_ = held.Rename(name, name+"x")
			_ = held.Symlink("../../../../outside", name)
			_ = held.Remove(name)
			_ = unix.Mkfifo(d.path(name), 0o600)
			_ = held.Remove(name)
			_ = held.Rename(name+"x", name)
			if f, err := held.OpenFile(name, os.O_WRONLY|unix.O_NONBLOCK, 0); err == nil {
				_ = f.Truncate(int64(i * 7919 % 20_000))
				_ = f.Close()
			}
			_ = held.Rename("world/dir", "world/away")
			_ = held.Symlink("../../..", "world/dir")
			_ = held.Remove("world/dir")
			_ = held.Rename("world/away", "world/dir")
		}
	})
	for i := range 40 {
		var packed bytes.Buffer
		if err := Pack(t.Context(), d.tree, []files.Path{"world"}, &packed, Formats[i%len(Formats)], nil, func(string) {}); err != nil {
			if !errors.Is(err, files.ErrNotFound) {
				t.Error(err)
			}
			continue
		}
		if bytes.Contains(packed.Bytes(), []byte("secret")) {
			t.Error("it has what is outside")
		}
		if _, err := d.unpack(packed.Bytes(), files.Path(fmt.Sprint("copy", i))); err != nil {
			t.Error(err)
		}
		_ = d.tree.Copy(t.Context(), "world", files.Path(fmt.Sprint("tree", i)), nil, func(string) {})
		_ = os.RemoveAll(d.path(fmt.Sprint("copy", i)))
		_ = os.RemoveAll(d.path(fmt.Sprint("tree", i)))
	}
	close(stop)
	attacker.Wait()
	d.untouched()
}

// FuzzUnpack: whatever the bytes are, nothing outside is touched, and an archive that is refused leaves nothing.
func FuzzUnpack(f *testing.F) {
	for _, seed := range [][]byte{
		tarOf(f, tar.Header{Name: "a/b"}, tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "a"}), zipOf(f, "a/b", "c/"),
		gzipped(f, tarOf(f, tar.Header{Name: "../x"})), zstandard(f, tarOf(f, tar.Header{Name: "x"}, tar.Header{Name: "y", Typeflag: tar.TypeLink, Linkname: "x"})),
		zipOf(f, "../x"), []byte("PK\x05\x06"),
	} {
		f.Add(seed)
	}
	d := newDisk(f, f.TempDir())
	d.trees.Room = room(8 << 20)
	f.Fuzz(func(t *testing.T, data []byte) {
		d := &disk{t: t, trees: d.trees, tree: d.tree, volume: d.volume, outside: d.outside, root: d.root, trash: d.trash}
		if _, err := d.unpack(data, "to"); err != nil {
			if left := d.listed(""); len(left) > 0 {
				t.Errorf("%v, and left %q", err, left)
			}
		}
		d.must(os.RemoveAll(d.path("to")))
		d.untouched()
	})
}

type room int64

func (r room) Left(string, int64) (int64, bool) { return int64(r), true }

func (room) Wrote(string, int64) {}
