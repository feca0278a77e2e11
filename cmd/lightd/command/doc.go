// Package command holds the commands of the command line that talk to a daemon, with the
// habits of kubectl and docker. They do so through httpapi/client and in no other way.
//
// What it guarantees:
//
//   - Results go to the standard output; progress, notices and errors go to the standard
//     error. A script that reads the first reads nothing else.
//   - The exit code says how the command ended: see ExitCode.
//   - With a terminal there is progress and colour (not with NO_COLOR or --color never), without one
//     there are plain lines. A terminal is left as it was found.
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
//	lightd context set prod --server https://node-1.example.com:8443 \
//	  --token-file ~/.config/lightd/prod --use
//
// Commands warn of an http:// address that is not loopback: its token crosses the network in the clear.
// --pin SHA256 accepts the certificate of that fingerprint alone, as for a self-signed one; --client-cert
// and --client-key present one. A server may be a unix socket too: unix:///run/lightd.sock.
//
// # Files
//
// A file for apply, plan and diff holds YAML or JSON, in one or several documents, each a spec, a
// list of specs, or an object with lists of containers and of what they need:
//
//	volumes: [{volume_id: 61c98fc8-0dcd-4226-b14e-29122f3e1626}]
//	ports: [{ip: 0.0.0.0, ports: 25565-25570}]
//	containers: [...]
//
// These volumes and ports of the pool are made where they are missing, all or nothing with the
// containers; nothing that an apply does deletes one. What "lightd get ID -o yaml" prints can be edited and applied. A field that is left
// out gets the daemon's default. In limits, memory and swap may have a unit (512Mi, 1.5Gi, 2g), and so
// may cpu (500m). A key that is unknown or given twice is refused with file, line and path, and so is
// what the daemon refuses.
//
// "lightd run ID --image IMAGE -- COMMAND" makes a container from flags, and a volume and ports where they
// are missing, all or nothing; with --dry-run -o yaml it prints the file for that. "lightd edit ID" opens
// the spec in an editor, and keeps what was refused in the end, or overtaken by another write, in a file.
// "lightd patch ID -p PATCH" changes single fields (RFC 7396). "lightd export" prints the containers,
// volumes and ports of a node as one file that an apply takes on another one; what volumes hold is not in it.
//
// # Output
//
// Results go to the standard output, progress and errors to the standard error. Output fits the
// terminal, or COLUMNS; in a pipe each row of a table is one line. On a terminal a command that waits
// for one container shows in place what it waits for, as "pulling image game:2: 12.3 of 40.1 MB", and
// the last line that the container printed. Colour is for terminals: NO_COLOR or --color never turns it
// off, --color always on.
//
// -o json and yaml print all that is known, -o name what other commands take, and -o jsonpath=TEMPLATE and
// -o custom-columns=NAME:PATH,... what these lead to, as in kubectl; a list is an object with the member
// containers, ports, volumes, tokens or webhooks. What changes something has them too: what the daemon
// answered then takes the place of the sentences. --sort-by takes a JSONPath, of "lightd top" a word.
//
//	lightd get --sort-by .limits.memory \
//	  -o custom-columns=ID:.internal_id,MEMORY:.limits.memory
//	lightd get -o jsonpath='{.containers[*].internal_id}'
//	lightd port delete $(lightd get ports --free -o name)
//
// "lightd ls" and "lightd ps" are "lightd get", "lightd rm" is "lightd delete", and "lightd inspect" is
// "lightd get -o json", as docker has it. Words behind get that name something else than containers are
// listed in "lightd get --help"; a container of such a name is container/NAME.
//
// Commands that take several ids take -l SELECTOR, and those that change containers --all; "lightd delete
// --all" asks first, or wants --yes. With several ids one failure does not stop the rest: it is reported,
// and the others are done. The exit codes are in "lightd --help". What a selector (-l) is made of is in
// "lightd docs api".
//
// # Commands in containers
//
// "lightd exec -it ID COMMAND" runs a command in a container, as docker exec does, with its exit code. It is
// an operation of the machine that the containers run on: it needs the right to use the engine's socket
// there, and no token. The HTTP interface has no such route on purpose, so that no token leads into a
// container, and the audit log has no line of it. The console of the program is "lightd attach ID".
//
// # Going back
//
// "lightd history ID" lists the last ten specs of a container with what each changed, and "lightd undo ID"
// writes the one before, or that of --to GENERATION, as a new generation: after it has shown the
// difference and the steps, and was answered yes, or with --yes. A change that comes in between ends it. What the
// process should be doing stays as it is, and so do the files of the volume.
//
// # Checking a node
//
// On the daemon's machine "lightd check" inspects what makes a node unsafe or keeps it from its work:
// the modes of the data directory, of the token file and of a configuration with a token in it; the
// mount flags and the room of the disk; whether the daemon can listen where it is to and load its
// certificate; plain HTTP beyond loopback; the end and the names of the certificate; the engine with its
// seccomp, AppArmor or SELinux, and user namespaces. Of a daemon that runs it shows each detail of
// /readyz, which of its settings are not those of the file, its webhooks that fail, and what is beyond
// the bounds. It changes nothing, and ends with 1 where there is a fault. With -o json it prints
// a list of {"item", "verdict", "text", "remedy"}.
//
// # Completion
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
