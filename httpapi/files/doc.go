// Package files answers the routes of the files in volumes. Package observed/files has what it promises of
// the files themselves; this one bounds the time and the number of what is under way.
//
// # Files of a volume
//
// A token needs the scope files, which write does not include. A token for some containers reaches the
// volumes that they name, and those that it has made itself. A path is relative to the volume; a slash in
// front changes nothing, ".." is refused.
//
//	GET    /volumes/:id/files?path=logs      lists a directory
//	GET    ...?path=a.txt&download=true      the bytes of a file
//	PUT    ...?path=a.txt                    writes one
//	POST   /volumes/:id/files                mkdir, rename, copy, ...
//	DELETE /volumes/:id/files                {"paths": ["a", "b"]}
//	GET    /volumes/:id/jobs                 jobs; also /:job
//	DELETE /volumes/:id/jobs/:job            cancels one
//	POST   /volumes/:id/uploads              a link; also /downloads
//
// # Lists
//
// The answer has the entry of the path itself ("file") and, of a directory, what is in it ("files"): name,
// type (file, directory, symlink, special), size in bytes, mode, time and, of a file, MIME type by its first
// bytes and ETag. A page has 10,000 entries, or ?limit=N, sorted by the bytes of their names; ?continue=
// takes the "continue" of the page before. A name that is not UTF-8 is marked "invalid_name", and can be
// dealt with by its directory only. A link that leads out of the volume is shown and never followed.
//
// # Reading
//
// With download=true, or "Accept: application/octet-stream", the answer is the file, with its ETag. Ranges are
// served, up to 16 in a request; If-Range, If-None-Match and HEAD are answered as RFC 9110 has it. A reader has
// to take a part every minute, and may take as long as it wants for the whole.
//
// # Writing
//
// The body of a PUT is the file, of any length, and no form (multipart/form-data). It is written beside the old
// one, synced and renamed: a reader sees the one or the other, and a PUT that fails for any reason leaves what was
// there. Its directory has to exist. If-Match with the ETag of a GET writes only over that very file,
// If-None-Match: * only a new one; a stale condition is answered with 412. ?mode=0755 sets permissions; else a
// file keeps its own, and a new one has 0644. A body that stalls for a minute is given up.
//
// What is new belongs to the user of the containers on the volume, where their specs name one by number,
// and else to the owner of its directory. What is replaced keeps its owner.
//
// A write is refused with 507 before it makes the disk low (256 MiB free), or the volume exceed its quota.
//
//	{"op": "mkdir", "path": "a/b", "parents": true}
//	{"op": "rename", "from": "a", "to": "b", "overwrite": false}
//	{"op": "chmod", "path": "start.sh", "mode": "0755"}
//
// Permissions are those of chmod without set-uid, set-gid and sticky. A DELETE takes up to 1,000 paths; a
// directory goes with all that is in it, from the lists at once and from the disk in the background.
//
// # Jobs
//
//	{"op": "copy", "from": "world", "to": "world-2"}
//	{"op": "compress", "paths": ["world", "logs"], "to": "b.tar.gz"}
//	{"op": "decompress", "from": "b.tar.gz", "to": "restored"}
//
// These are answered with 202 and a job, whose state becomes done, failed (with "error") or cancelled. Two run at a
// time, up to 32 wait, 8 of them for one volume; the last 200 that have ended are kept. Jobs are memory: they end
// with the daemon, whose next start removes what they have not completed. What a job makes is there whole
// or not at all.
//
// A copy, and an archive without "overwrite", is made where nothing is. Links are copied and packed as links,
// never followed. Formats are tar.gz, tar.zst, tar and zip, by "format" or the name; an archive is read by its
// first bytes. It is unpacked into a directory, beside what is there: files are replaced, and a file that
// has the name of a directory, or the other way round, refuses all of it. Modes and times are those of the archive.
//
// An archive with an absolute path, or a "..", is refused as a whole. Of links it unpacks those that are
// relative and stay inside; no entry is unpacked through a link. Other links, devices and pipes are passed over,
// counted in "skipped". An archive has up to 1,000,000 entries, a ZIP about 150,000, a tree 200 levels, and
// zstd a window of up to 32 MiB (any level but --ultra and --long); what is unpacked has the room of the volume, as a write does.
//
// # Links
//
// A link lets somebody without a token, as the browser of a panel's user, upload or download one file:
//
//	POST /volumes/:id/uploads {"path": "world.zip", "ttl": "5m"}
//	{"url": "/uploads/eyJtI...", "method": "PUT",
//	 "expires_at": "2026-11-30T06:05:00Z"}
//
// The url is relative to that of the daemon, and a secret: it is in no log. It holds for 5 min, or the ttl, at most
// 1h, and ends with the token that has made it: when that is revoked or ends, when its master token is reset, or when
// it is for some containers and those leave the volume. "max_bytes" bounds an upload. A PUT or GET of the link is
// like one of the volume's files, conditions and ranges included. It works until it ends; nobody can
// end it before, but by its token. The audit records the making and each upload under the id of that token.
//
// # Limits
//
// Devices, pipes and sockets are listed, renamed and deleted, never opened. Up to 64 uploads and 256
// downloads are under way, half of them of one token; one more is answered with 429.
package files

import _ "embed"

// Doc is the source of this file. "lightd docs" prints its reference: the files of volumes.
//
//go:embed doc.go
var Doc string
