// Package cgroup reads the limits that the kernel holds a container to, and what the container uses,
// open files without a name included.
//
// Docker shows of a container what was requested: an engine whose kernel lacks a controller
// discards a limit, and root may write to a cgroup by hand. What a container uses Docker computes only as
// a stream, at a cost of its own for each container. The package guarantees:
//
//   - It reads the files of the cgroup that a process is in, of version 1 and of version 2, and
//     writes nothing.
//   - Of a process outside of the container's cgroup, as one of another machine or one that reused
//     the number of a process that ended, nothing is reported, nor of an unreadable file.
package cgroup
