package desired

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds and default of a cordon.
const (
	DefaultDrainParallel = 4
	MaxDrainParallel     = 100
	// maxCordonReason is in bytes.
	maxCordonReason = 256
)

// Cordon is the maintenance of a node, in the words of kubectl: while there is one, nothing new is started. Specs are
// as they were, and apply again once it is gone.
type Cordon struct {
	// Drain also has what runs stopped, Parallel containers at once.
	Drain    bool `json:"drain"`
	Parallel int  `json:"parallel"`
	// Reason is the operator's, for people.
	Reason string `json:"reason"`
	// Since is when the node was first cordoned; a change of the cordon leaves it as it is.
	Since time.Time `json:"since"`
}

// Validate returns a *ValidationError for what cannot be.
func (c Cordon) Validate() error {
	var v ValidationError
	if c.Parallel < 1 || c.Parallel > MaxDrainParallel {
		v.Fields = append(v.Fields, FieldError{Field: "parallel", Message: fmt.Sprintf("must be from 1 to %d", MaxDrainParallel)})
	}
	if len(c.Reason) > maxCordonReason || !utf8.ValidString(c.Reason) || strings.ContainsFunc(c.Reason, unicode.IsControl) {
		v.Fields = append(v.Fields, FieldError{Field: "reason", Message: fmt.Sprintf("must be a line of at most %d bytes", maxCordonReason)})
	}
	if len(v.Fields) > 0 {
		return &v
	}
	return nil
}
