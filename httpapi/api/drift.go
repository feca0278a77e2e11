package api

import (
	"lightd/controller/plan"
	"lightd/observed/drift"
	"time"
)

// DriftKind says whether a difference is acted upon.
type DriftKind = drift.Kind

// The kinds of drift.
const (
	DriftSpec     = drift.Spec
	DriftMovedTag = drift.MovedTag
	DriftDeferred = drift.Deferred
)

// DriftField is one field that Docker shows otherwise than the spec says.
type DriftField = plan.Field

// Drift is the report of one container.
type Drift struct {
	InternalID string `json:"internal_id"`
	// InSync is true when Docker can be seen and no field differs, of whatever kind.
	InSync bool `json:"in_sync"`
	// Known is false while Docker cannot be seen: then nothing is said of any field.
	Known bool `json:"known"`
	// Paused tells that the steps are not taken.
	Paused bool         `json:"paused"`
	Fields []DriftField `json:"fields"`
}

// NodeDrift is the report of all: the containers that are not in sync, by the page, and how many
// of all are.
type NodeDrift struct {
	Containers []Drift `json:"containers"`
	// Revision is that of the store before the report was made; Continue asks for the next page,
	// and is empty where none follows.
	Revision uint64 `json:"revision"`
	Continue string `json:"continue,omitempty"`
	InSync   int    `json:"in_sync"`
	// Drifted have a field of kind DriftSpec. The others are counted apart: MovedTag and
	// Deferred have a field of that kind, Unknown cannot be seen.
	Drifted  int `json:"drifted"`
	MovedTag int `json:"moved_tag"`
	Deferred int `json:"deferred"`
	Unknown  int `json:"unknown"`
	// Firewall is nil while the firewall of containers is in place, or the operator wants none.
	Firewall *FirewallDrift `json:"firewall,omitempty"`
	// Foreign are the containers of other Lightd instances on the same engine.
	Foreign []Foreign `json:"foreign"`
}

// FirewallDrift is a firewall of containers that is missing.
type FirewallDrift struct {
	// Missing is why.
	Missing string    `json:"missing"`
	Since   time.Time `json:"since"`
}

// Foreign is a container that another Lightd made, or one whose data directory is lost.
type Foreign struct {
	ContainerID string `json:"container_id"`
	Name        string `json:"name"`
	InternalID  string `json:"internal_id"`
	Instance    string `json:"instance"`
}
