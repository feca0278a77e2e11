// Package backup writes all that makes a node to one stream, while the daemon works, and makes a data
// directory of such a stream.
//
// It is a tar in zstd: a manifest, the database as of one moment, the files of the data directory as of
// shortly after, and an entry that says how many came before it. A stream that breaks off, or of which a
// byte is another one, makes no data directory.
//
// Volumes are written to while they are read, by programs that may be hostile: no link is followed, and
// nothing but files, directories and links is read. A file that changes meanwhile may be a mixture; a
// server that must not be caught in the middle of a write has to be stopped for it.
//
// # Backups
//
// "lightd backup FILE" writes the database, the tokens, the certificate that Lightd has made and what
// installations have left, while the daemon works; with --volumes the files of servers too. It takes the
// master token, as that is in it. The file is whole when the command ends without an error.
//
//	sudo lightd backup --volumes /srv/backups/$(date +%F)
//
// "lightd restore FILE" makes a data directory of it, which must be missing or empty, and may be a disk of its
// own. A file that is cut short or altered, or that a newer version has made ("lightd docs data"), makes none, and
// the error names the byte. Where a restore was killed, no daemon starts on the directory until it is repeated.
// Every write that was answered before the backup is there, and none that came after it.
//
//	sudo systemctl stop lightd
//	sudo lightd restore --take-over /srv/backups/2026-01-02
//	sudo systemctl start lightd
//
// Where the engine still has something of the node, the first start on another directory is refused, unless the
// restore has --take-over: that makes the restored directory the node ("lightd docs data"). Containers that were made
// after the backup are left alone, and reported. A container that runs during the restore still has the old
// directories mounted, and reports MountUnavailable until "lightd restart ID"; one that was started after the backup
// is started again by itself. Restored without volumes, a container waits with MountUnavailable until its volume is
// put back at its path: no server starts on an empty one.
//
// Files that a program writes during the backup may be old in one part and new in another: stop containers for which
// that matters. Links are kept as links. Devices, pipes and sockets are left out, and so is what lies more than 200
// levels deep, which the restore reports. The audit is not in it.
package backup

import _ "embed"

// Doc is this file: its reference is that of backups.
//
//go:embed doc.go
var Doc string
