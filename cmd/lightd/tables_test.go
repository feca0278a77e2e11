package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"lightd/controller/firewall"
)

// keepTables notes which firewall tables there are, and returns what removes those of the daemons that have run since:
// rules outlive their daemons. Of several tests of this package at once, as of two tiers, the first notes and the last
// removes: a table of another one's daemon is in use.
func keepTables() (remove func()) {
	file, err := os.OpenFile(filepath.Join(os.TempDir(), "lightd-test-tables"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return func() {}
	}
	alone := func() bool { return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil }
	if alone() {
		tables, _ := firewall.Tables()
		_ = file.Truncate(0)
		_, _ = file.WriteAt([]byte(strings.Join(tables, "\n")), 0)
	}
	_ = syscall.Flock(int(file.Fd()), syscall.LOCK_SH)
	return func() {
		defer file.Close()
		if !alone() {
			return
		}
		text, _ := io.ReadAll(io.NewSectionReader(file, 0, 1<<20))
		before := strings.Split(string(text), "\n")
		after, _ := firewall.Tables()
		for _, name := range after {
			if !slices.Contains(before, name) {
				_ = firewall.New(firewall.Config{Table: name}).Remove()
			}
		}
	}
}
