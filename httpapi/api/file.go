package api

import "time"

// File is an entry of a volume.
type File struct {
	Name string `json:"name"`
	// InvalidName reports that the name is not UTF-8, so that no path can have it: Name has U+FFFD for each
	// byte that is none.
	InvalidName bool `json:"invalid_name,omitempty"`
	// Type is file, directory, symlink or special: a device, a pipe or a socket.
	Type string `json:"type"`
	// Size is in bytes.
	Size int64 `json:"size"`
	// Mode are the permissions in octal digits, as in 0644.
	Mode     string    `json:"mode"`
	Modified time.Time `json:"modified"`
	// MIME is what a file's first bytes are like; empty for what is no file, and where that was not read.
	MIME string `json:"mime,omitempty"`
	// Target is where a link leads.
	Target string `json:"target,omitempty"`
	// ETag is that of a file's contents, with its quotes.
	ETag string `json:"etag,omitempty"`
}

// Files is a path of a volume and, of a directory, a page of what is in it.
type Files struct {
	Path string `json:"path"`
	// File is what the path names.
	File File `json:"file"`
	// Files are sorted by the bytes of their names.
	Files []File `json:"files"`
	// Continue asks for the next page; empty on the last one.
	Continue string `json:"continue,omitempty"`
}

// FileOperation is the body of POST /volumes/:id/files.
type FileOperation struct {
	// Op is mkdir, rename, chmod, copy, compress or decompress. The last three are jobs.
	Op string `json:"op"`
	// Path is what mkdir makes and chmod changes.
	Path string `json:"path,omitempty"`
	// Paths are what compress packs.
	Paths []string `json:"paths,omitempty"`
	// Parents has mkdir make the directories above it too, and keep what is there.
	Parents bool `json:"parents,omitempty"`
	// From and To are of a rename, a copy and a decompress, whose To is a directory; To is the archive of a compress.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Overwrite replaces a file that is at To, by a rename or a compress.
	Overwrite bool `json:"overwrite,omitempty"`
	// Format is of a compress: tar.gz, tar.zst, tar or zip; empty for that of To's name.
	Format string `json:"format,omitempty"`
	// Mode is of a chmod, in octal digits, as in 0644.
	Mode string `json:"mode,omitempty"`
}

// FileJob is an operation on files that takes longer than a request. It is gone with the daemon.
type FileJob struct {
	ID string `json:"id"`
	// Op is copy, compress or decompress, Path and To are what its request named.
	Op   string `json:"op"`
	Path string `json:"path"`
	To   string `json:"to"`
	// State is queued, running, done, failed or cancelled.
	State string `json:"state"`
	// Entries and Bytes were written so far, of TotalBytes; that is null where it is not known.
	Entries    int64  `json:"entries"`
	Bytes      int64  `json:"bytes"`
	TotalBytes *int64 `json:"total_bytes"`
	// Skipped counts devices, pipes, sockets, unsafe links, and what went away meanwhile; SkippedFirst has the first
	// ten of them.
	Skipped      int64    `json:"skipped"`
	SkippedFirst []string `json:"skipped_first"`
	// Error is why it has failed; absent otherwise.
	Error     *Problem  `json:"error,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	// StartedAt and EndedAt are absent before that.
	StartedAt *time.Time `json:"started_at,omitempty"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
}

// FilesDeleted answers a deletion of paths.
type FilesDeleted struct {
	Message string `json:"message"`
	Deleted int    `json:"deleted"`
	// Missing are the paths at which nothing was.
	Missing []string `json:"missing"`
}

// FileLinkRequest is the body of POST /volumes/:id/uploads and /downloads.
type FileLinkRequest struct {
	Path string `json:"path"`
	// TTL is a number and s, m or h, at most 1h; empty for 5m.
	TTL string `json:"ttl,omitempty"`
	// MaxBytes bounds what is uploaded; 0 is no bound but the room of the volume.
	MaxBytes int64 `json:"max_bytes,omitempty"`
}

// FileLink is a link to one file for one method, which needs no token.
type FileLink struct {
	// URL is relative to that of the daemon. It is a secret.
	URL string `json:"url"`
	// Method is what the link is for: PUT or GET.
	Method    string    `json:"method"`
	ExpiresAt time.Time `json:"expires_at"`
}
