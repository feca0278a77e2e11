package harness

import "os"

// MemoryDir is the TempDir of a test in memory, where there is one: for what is not about disks, whose time would
// be most of what such a test takes. A process that dies loses nothing of what it wrote there either.
func MemoryDir(t interface {
	T
	Cleanup(fn func())
}) string {
	t.Helper()
	root := "/dev/shm"
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		root = ""
	}
	dir, err := os.MkdirTemp(root, "lightd-test-")
	if err != nil {
		t.Fatalf("make a directory in memory: %v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatalf("remove the directory in memory: %v", err)
		}
	})
	return dir
}
