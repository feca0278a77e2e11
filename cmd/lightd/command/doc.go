// Package command holds the commands of the command line that talk to a daemon, with the
// habits of kubectl and docker. They do so through httpapi/client and in no other way.
//
// What it guarantees:
//
//   - Results go to the standard output; progress, notices and errors go to the standard
//     error. A script that reads the first reads nothing else.
//   - The exit code says how the command ended: see ExitCode.
//   - With a terminal there is progress and colour (not with NO_COLOR), without one there are
//     plain lines. A terminal is left as it was found.
//   - Streams, environment and clock are passed in.
//
// # Command line
//
// As root on the daemon's machine no settings are needed. Otherwise, strongest first:
//
//	             daemon                          token
//	flags        --server URL, --context NAME    --token-file FILE, --token
//	environment  LIGHTD_URL, LIGHTD_CONTEXT      LIGHTD_TOKEN_FILE, LIGHTD_TOKEN
//	context      its server                      its token_file
//	this machine as "lightd serve" is set        as "lightd token show"
//
// "--token-file -" reads the standard input. Others can see a --token on the command line. Contexts
// are kept in ~/.config/lightd/contexts.yaml. The token of a context or of this machine is never sent
// to another daemon. To add a daemon elsewhere:
//
//	lightd context set prod --server https://node-1.example.com \
//	  --token-file ~/.config/lightd/prod --use
//
// # Files
//
// A file for apply, plan and diff holds YAML or JSON, in one or several documents, each a spec or a
// list of specs. What "lightd get ID -o yaml" prints can be edited and applied. A field that is left
// out gets the daemon's default. In limits, memory and swap may have a unit (512Mi, 1.5Gi, 2g), and so
// may cpu (500m). A key that is unknown or given twice is refused with file, line and path, and so is
// what the daemon refuses.
//
// # Output
//
// Results go to the standard output, progress and errors to the standard error. Output fits the
// terminal, or COLUMNS; in a pipe each row of a table is one line. On a terminal a command that waits
// for one container shows in place what it waits for, as "pulling image game:2: 12.3 of 40.1 MB", and
// the last line that the container printed. NO_COLOR turns colour off.
//
// With several ids one failure does not stop the rest: it is reported, and the others are done. The
// exit codes are in "lightd --help". A selector (-l) is described in "lightd docs api".
//
// For completion, of ids too, in bash:
//
//	source <(lightd completion bash)
package command

import _ "embed"

// Doc is the source of this file. "lightd docs" prints its reference: the command line.
//
//go:embed doc.go
var Doc string
