// Command demo shows the daemon's main job on real input, for a person to read: it
// starts the built binary on a temporary directory, takes the container of the API's
// page from its spec to a process that listens, breaks it from outside, changes it and
// deletes it.
//
// It promises to end with a failure if anything is not as it should be, and to leave
// nothing behind: no process, container, image or file, however it ends.
package main
