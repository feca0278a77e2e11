// Package cgroup reads back the limits that the kernel holds a container to.
//
// What Docker shows of a container is what it was asked for: an engine whose kernel lacks a controller
// discards a limit, and root may write to a cgroup by hand. The package promises:
//
//   - It reads the files of the cgroup that a process is in, of version 1 and of version 2, and
//     writes nothing.
//   - Of a process that is not in a cgroup of the container, as one of another machine or one that took
//     over the number of a process that ended, nothing is reported, nor of a file that cannot be read.
package cgroup
