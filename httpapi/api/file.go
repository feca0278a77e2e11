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
	// Op is mkdir, rename or chmod.
	Op string `json:"op"`
	// Path is what mkdir makes and chmod changes.
	Path string `json:"path,omitempty"`
	// Parents has mkdir make the directories above it too, and keep what is there.
	Parents bool `json:"parents,omitempty"`
	// From and To are of a rename; Overwrite replaces a file that is at To.
	From      string `json:"from,omitempty"`
	To        string `json:"to,omitempty"`
	Overwrite bool   `json:"overwrite,omitempty"`
	// Mode is of a chmod, in octal digits, as in 0644.
	Mode string `json:"mode,omitempty"`
}

// FilesDeleted answers a deletion of paths.
type FilesDeleted struct {
	Message string `json:"message"`
	Deleted int    `json:"deleted"`
	// Missing are the paths at which nothing was.
	Missing []string `json:"missing"`
}
