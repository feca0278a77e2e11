// Package hostmount compares what is mounted in a process with what was to be mounted.
//
// A check of a path says what it led to at that moment; Docker resolves it once more when it
// starts a container, and whoever can write to a directory on the way can replace it by a
// symbolic link in between. Pin opens each source before the start, never through a link, and
// remembers its device and inode; Verify looks in the mount table of the started process for
// mounts of exactly those. It promises:
//
//   - Our own directories are pinned like the sources of a spec, and are never links.
//   - A mount that leads elsewhere is reported for as long as the process lives.
//   - Nothing is reported of a process that it cannot inspect, or that is not the container's:
//     that is ErrUnverifiable. Our own directories, which no container can replace, tell.
package hostmount
