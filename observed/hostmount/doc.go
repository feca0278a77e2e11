// Package hostmount compares what is mounted in a process with what was to be mounted.
//
// A check of a path shows what it led to at that moment; Docker resolves it once more when it
// starts a container, and whoever can write to a directory on the way can replace it by a
// symbolic link in between. Pin opens each source before the start, never through a link, and
// records its device and inode; Verify searches the mount table of the started process for
// mounts of exactly those. It guarantees:
//
//   - Our own directories are pinned like the sources of a spec, and are never links.
//   - A mount that leads elsewhere is reported until the process ends.
//   - Nothing is reported of a process that it cannot inspect, or that is not the container's:
//     that is ErrUnverifiable. Our own directories, which no container can replace, show which it is.
package hostmount
