package main

import (
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

// synchronisedWithin is the largest error of a synchronised clock, as systemd has it: the kernel lets its estimate
// grow to this while nothing synchronises it.
const synchronisedWithin = 16 * time.Second

// clockSynchronised reports whether something synchronises the kernel's clock.
func clockSynchronised() (bool, error) {
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err != nil {
		return false, os.NewSyscallError("adjtimex", err)
	}
	return time.Duration(t.Maxerror)*time.Microsecond < synchronisedWithin, nil
}

// builtAt is the time of the commit that the program was made of; zero where that is unknown.
func builtAt() time.Time {
	built, _ := debug.ReadBuildInfo()
	if built == nil {
		return time.Time{}
	}
	for _, s := range built.Settings {
		if s.Key == "vcs.time" {
			at, _ := time.Parse(time.RFC3339, s.Value)
			return at
		}
	}
	return time.Time{}
}
