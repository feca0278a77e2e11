// Package datadir holds what the daemon gives a container as files: the entry point
// that runs the startup command, the install script and what it printed.
//
// Each container has one directory, mounted read-only as /app/data. All access goes
// through os.Root, so that no link leads out of it, and every file appears whole or
// not at all: a write goes to a new name and is renamed. A shell that is reading the
// old entry point keeps reading the old one. The scripts of an installation belong to
// root of the container, who need not be root of the host, and no other user can read them;
// what root created or changed in the volume since a script began is given to the user of the server.
//
// What containers keep below the VOLUME paths of their images lies beside that, in
// image_volumes, and goes with the container.
package datadir
