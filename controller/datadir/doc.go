// Package datadir holds what the daemon gives a container as files: the entry point
// that runs the startup command, the install script and what it printed.
//
// Each container has one directory, mounted read-only as /app/data. All access goes
// through os.Root, so that no link leads out of it, and every file appears whole or
// not at all: a write goes to a new name and is renamed. A shell that is reading the
// old entry point keeps reading the old one.
package datadir
