package controller_test

import (
	"os"
	"testing"
)

// memory is a directory in memory where there is one: nothing here is about disks, and their
// time would be most of what a test takes.
func memory() string {
	const dir = "/dev/shm"
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return ""
	}
	return dir
}

// inMemory is t.TempDir in memory: for a node whose engine is simulated. A process that dies
// loses nothing of what it wrote there either.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(memory(), "node")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
