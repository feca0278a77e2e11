package api

// Change says what happened to a container that is watched.
type Change string

// The changes. A Bookmark tells of none: it ends the list of what is there, and later
// says how far a watch has come.
const (
	ChangeAdded    Change = "ADDED"
	ChangeModified Change = "MODIFIED"
	ChangeDeleted  Change = "DELETED"
	Bookmark       Change = "BOOKMARK"
)

// WatchEvent is a line of a watch.
type WatchEvent struct {
	Type     Change `json:"type"`
	Revision uint64 `json:"revision"`
	// Container is as GET shows it; nil for a bookmark.
	Container *Container `json:"container,omitempty"`
}
