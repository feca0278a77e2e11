package api

import (
	"time"

	"lightd/desired"
)

// History answers which specs of a container are kept, the newest first.
type History struct {
	InternalID string `json:"internal_id"`
	// EnvHidden reports that the values of the environment were left empty, as the token may not see them.
	EnvHidden bool          `json:"env_hidden,omitempty"`
	Versions  []SpecVersion `json:"versions"`
}

// SpecVersion is a spec that a container has or had.
type SpecVersion struct {
	// Generation is the one with which it began, Time when that was.
	Generation int64     `json:"generation"`
	Time       time.Time `json:"time"`
	// Changed are the paths in which it differs from the version before; empty of the oldest that is kept.
	Changed []string `json:"changed"`
	// Spec is there where one generation was asked for.
	Spec *desired.Spec `json:"spec,omitempty"`
}

// WithoutEnv returns s with the names of its environments alone, and whether that hides anything. The maps of s stay as
// they are.
func WithoutEnv(s desired.Spec) (shown desired.Spec, hidden bool) {
	if len(s.Env) > 0 {
		s.Env, hidden = namesOf(s.Env), true
	}
	if s.Install != nil && len(s.Install.Env) > 0 {
		install := *s.Install
		install.Env = namesOf(install.Env)
		s.Install, hidden = &install, true
	}
	return s, hidden
}
