package token

import (
	"fmt"
	"slices"
	"strings"

	"lightd/desired"
)

// Scope is a kind of request that a token allows.
type Scope string

// The scopes.
const (
	// ScopeRead shows specs, states, events, drift, ports and volumes, without the values of env.
	ScopeRead Scope = "read"
	// ScopeConsole shows what programs and install scripts print, and writes to their input.
	ScopeConsole Scope = "console"
	// ScopePower starts, stops, kills and restarts.
	ScopePower Scope = "power"
	// ScopeWrite changes specs, ports and volumes, and shows the values of env.
	ScopeWrite Scope = "write"
	// ScopeFiles reads and writes the files of volumes.
	ScopeFiles Scope = "files"
	// ScopeAdmin makes, lists and revokes tokens, and allows everything else.
	ScopeAdmin Scope = "admin"
)

// AllScopes are all of them, in the order in which they are shown.
var AllScopes = Scopes{ScopeRead, ScopeConsole, ScopePower, ScopeWrite, ScopeFiles, ScopeAdmin}

// Unprivileged is what a token has that was made without scopes: everything but ScopeAdmin.
var Unprivileged = Scopes{ScopeRead, ScopeConsole, ScopePower, ScopeWrite, ScopeFiles}

// included are the scopes that another one brings along. A spec says whether its process runs, and the
// dry run of a write shows all of it: ScopeWrite without the other two would refuse nothing of theirs.
var included = map[Scope]Scopes{
	ScopeWrite: {ScopeRead, ScopePower},
	ScopeAdmin: Unprivileged,
}

// Scopes are those of a token.
type Scopes []Scope

// Allow reports whether s has a scope, or one that includes it.
func (s Scopes) Allow(need Scope) bool {
	return slices.ContainsFunc(s, func(have Scope) bool { return have == need || slices.Contains(included[have], need) })
}

// Text is s as it is typed: "console,power".
func (s Scopes) Text() string {
	words := make([]string, len(s))
	for i, scope := range s {
		words[i] = string(scope)
	}
	return strings.Join(words, ",")
}

// Including returns the scopes that include one, itself apart.
func Including(need Scope) Scopes {
	var by Scopes
	for _, scope := range AllScopes {
		if scope != need && slices.Contains(included[scope], need) {
			by = append(by, scope)
		}
	}
	return by
}

// ParseScopes returns the scopes of these names, each once and in the order of AllScopes. Its error is a
// *desired.ValidationError of the field scopes.
func ParseScopes(names []string) (Scopes, error) {
	var chosen Scopes
	for _, scope := range AllScopes {
		if slices.Contains(names, string(scope)) {
			chosen = append(chosen, scope)
		}
	}
	for _, name := range names {
		if !slices.Contains(AllScopes, Scope(name)) {
			return nil, desired.Invalid("scopes", fmt.Sprintf("%.40q is none of %s", name, AllScopes.Text()))
		}
	}
	if len(chosen) == 0 {
		return nil, desired.Invalid("scopes", "must name at least one of "+AllScopes.Text())
	}
	return chosen, nil
}
