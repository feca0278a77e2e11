package status

import "lightd/desired"

// NodeStatus is what was last reported of the cordon of the node.
type NodeStatus struct {
	// Cordon is nil while the node is in service.
	Cordon *desired.Cordon `json:"cordon,omitempty"`
	// Drained is true once a drain has found nothing left that runs.
	Drained bool `json:"drained,omitempty"`
}

// Same reports whether nothing differs between n and other that is reported.
func (n NodeStatus) Same(other NodeStatus) bool {
	if n.Cordon == nil || other.Cordon == nil {
		return n.Cordon == other.Cordon
	}
	return *n.Cordon == *other.Cordon && n.Drained == other.Drained
}
