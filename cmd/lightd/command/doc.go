// Package command holds the commands of the command line that talk to a daemon, with the
// habits of kubectl and docker. They do so through httpapi/client and in no other way.
//
// What it guarantees:
//
//   - What was asked for goes to the standard output; progress, notices and errors go to the
//     other one. A script that reads the first reads nothing else.
//   - The exit code says what became of it: see ExitCode.
//   - With a terminal there is progress and colour (not with NO_COLOR), without one there are
//     plain lines. A terminal is left as it was found.
//   - Streams, environment and clock are passed in.
package command
