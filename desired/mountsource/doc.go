// Package mountsource compares the mount sources of specs with the host.
//
// Package desired checks a source by its path alone. What the path leads to is on the
// host: symbolic links, bind mounts, sockets. A host changes, so a result is true for a
// moment, and the check is repeated before each act that makes Docker resolve a source.
package mountsource
